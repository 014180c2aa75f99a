/* The line that tells how far long work is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/progress.h"

static const char *
line(const char *unit, size_t columns, int64_t n, double share, double rate,
     double left_s)
{
    static struct buf out;
    const struct progress progress = {.unit = unit};

    buf_fini(&out);
    buf_init(&out, 400);
    progress_line(&out, &progress, columns, n, share, rate, left_s);
    return out.p;
}

static void
it_shows_share_count_rate_and_what_is_left(void **state)
{
    (void)state;
    assert_string_equal(
        line("calls", 70, 250, 0.25, 125, 6),
        "[######--------------------]  25 %  250 calls, 125 a second, 6 s "
        "left");
    assert_string_equal(line(NULL, 0, 3 << 20, 0.5, 1 << 20, 180),
                        " 50 %  3.0 MiB, 1.0 MiB a second, 3 min left");
    assert_string_equal(line("calls", 0, 7, 1, 12, -1), "100 %  7 calls, 12 a second");
}

static void
what_is_not_known_is_not_shown(void **state)
{
    (void)state;
    assert_string_equal(line("calls", 80, 12, PROGRESS_UNKNOWN, -1, -1), "12 calls");
}

static void
it_never_fills_the_terminals_line(void **state)
{
    (void)state;
    for (size_t columns = 20; columns <= 200; columns++) {
        const char *text = line("subscriptions", columns, 1234567, 0.999, 1234, 7200);
        assert_true(strlen(text) < columns);
    }
    assert_int_equal(strspn(line("calls", 24, 1, 0.1, -1, -1), "["), 0);
    assert_int_equal(strspn(line("calls", 60, 1, 0.1, -1, -1), "["), 1);
}

static void
more_than_all_is_all(void **state)
{
    (void)state;
    assert_string_equal(line("calls", 32, 9, 1.5, -1, -1),
                        "[##############] 100 %  9 calls");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_shows_share_count_rate_and_what_is_left),
        cmocka_unit_test(what_is_not_known_is_not_shown),
        cmocka_unit_test(it_never_fills_the_terminals_line),
        cmocka_unit_test(more_than_all_is_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
