#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "send/pace.h"

#define SECOND ((usec_t)1000000)
#define BEGAN  (5 * SECOND)

/* Turns that are not later than this. */
static unsigned
turns_until(struct pace *pace, usec_t from_us, usec_t until_us, usec_t step_us)
{
    unsigned n = 0;
    usec_t turn_us = pace_take(pace, from_us);
    for (usec_t now_us = from_us; now_us < until_us; now_us += step_us) {
        while (turn_us <= now_us) {
            n++;
            turn_us = pace_take(pace, now_us);
        }
    }
    return n;
}

static void
turns_come_at_the_rate_from_the_first_on(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 250);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pace_take(&pace, BEGAN), BEGAN + i * SECOND / 250);
}

static void
who_comes_late_by_milliseconds_keeps_the_rate(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 250);
    assert_in_range(turns_until(&pace, BEGAN, BEGAN + 10 * SECOND, 7000), 2490, 2500);
}

static void
turns_that_were_not_used_do_not_come_back(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 100);
    pace_take(&pace, BEGAN);
    usec_t later_us = BEGAN + 3600 * SECOND;
    unsigned n = 0;
    while (pace_take(&pace, later_us) <= later_us)
        n++;
    assert_in_range(n, 1, 3);
}

static void
a_rate_that_does_not_divide_a_second_is_not_exceeded(void **state)
{
    (void)state;
    static const unsigned rates[] = {3, 7, 999, 30000, 99999};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct pace pace;
        pace_init(&pace, rates[i]);
        unsigned n = turns_until(&pace, BEGAN, BEGAN + 10 * SECOND, 1000);
        assert_true(n <= rates[i] * 10);
        assert_true(n >= rates[i] * 9);
    }
}

static void
no_rate_is_no_limit(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(pace_take(&pace, BEGAN), BEGAN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_come_at_the_rate_from_the_first_on),
        cmocka_unit_test(who_comes_late_by_milliseconds_keeps_the_rate),
        cmocka_unit_test(turns_that_were_not_used_do_not_come_back),
        cmocka_unit_test(a_rate_that_does_not_divide_a_second_is_not_exceeded),
        cmocka_unit_test(no_rate_is_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
