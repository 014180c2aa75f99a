/* Figures, their percentiles against exact ones, and their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/figures.h"

#define MANY 20000

static int
by_value(const void *a, const void *b)
{
    usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;
    return (x > y) - (x < y);
}

/* Of a generator that is the same everywhere. */
static uint64_t
next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void
check_against_exact(usec_t *values, size_t n)
{
    static const unsigned asked[] = {1, 10, 500, 900, 950, 990, 999, 1000};
    struct figures figures = {0};
    for (size_t i = 0; i < n; i++)
        figures_attempt(&figures, true, values[i]);
    qsort(values, n, sizeof(values[0]), by_value);
    assert_int_equal(figures.max_us, values[n - 1]);
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        usec_t exact = values[(n * asked[i] + 999) / 1000 - 1];
        usec_t found = figures_percentile(&figures, asked[i]);
        usec_t off = found > exact ? found - exact : exact - found;
        assert_true(off <= exact / 10 || (exact < 500 && off <= 250));
    }
}

static void
percentiles_are_right_to_within_a_tenth(void **state)
{
    static usec_t values[MANY];
    uint64_t seed = 88172645463325252u;
    (void)state;
    for (size_t n = 1; n <= MANY; n = n * 3 + 1) {
        for (size_t i = 0; i < n; i++) /* as many of each size: 64 µs to 60 s */
            values[i] = (usec_t)(next(&seed) % 1000000 * 57 + 64) >> next(&seed) % 20;
        check_against_exact(values, n);
        for (size_t i = 0; i < n; i++) /* nearly all alike, and a few slow ones */
            values[i] =
                next(&seed) % 50 ? 40000 + (usec_t)(next(&seed) % 3000) : 15000000;
        check_against_exact(values, n);
        for (size_t i = 0; i < n; i++)
            values[i] = 7777;
        check_against_exact(values, n);
    }
}

static void
nothing_has_no_percentile(void **state)
{
    struct figures figures = {.events = 3};
    (void)state;
    assert_int_equal(figures_percentile(&figures, 500), -1);
    assert_false(figures_none(&figures));
    figures.events = 0;
    assert_true(figures_none(&figures));
}

static void
what_is_beyond_the_buckets_is_the_longest(void **state)
{
    struct figures figures = {0};
    (void)state;
    figures_attempt(&figures, false, -5);
    figures_attempt(&figures, false, 200000000);
    figures_attempt(&figures, false, 290000000);
    assert_int_equal(figures_percentile(&figures, 1), 250);
    assert_int_equal(figures_percentile(&figures, 990), 290000000);
    assert_int_equal(figures.failed, 3);
}

static void
figures_added_up_are_those_of_all(void **state)
{
    struct figures parts[3] = {0}, all = {0}, sum = {0};
    uint64_t seed = 42;
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        usec_t took = (usec_t)(next(&seed) % 30000000);
        figures_attempt(&parts[i % 3], i % 7 != 0, took);
        figures_attempt(&all, i % 7 != 0, took);
    }
    parts[1].events = all.events = 5;
    parts[2].exhausted = all.exhausted = 6;
    for (size_t i = 0; i < 3; i++)
        figures_add(&sum, &parts[i]);
    assert_memory_equal(&sum, &all, sizeof(sum));
}

static void
what_is_packed_comes_back_and_takes_little(void **state)
{
    struct figures figures = {0}, back = {0};
    char packed[FIGURES_PACKED_MAX];
    (void)state;
    assert_int_equal(figures_pack(&figures, packed), 0);
    assert_true(figures_unpack(&back, (struct slice){packed, 0}));
    figures_attempt(&figures, true, 30000);
    figures_attempt(&figures, true, 30001);
    figures_attempt(&figures, true, 900000);
    size_t n = figures_pack(&figures, packed);
    assert_int_equal(n, 4);
    assert_true(figures_unpack(&back, (struct slice){packed, n}));
    assert_memory_equal(back.took, figures.took, sizeof(back.took));

    for (size_t i = 0; i < FIGURES_BUCKETS; i++)
        figures.took[i] = (uint64_t)INT64_MAX - 1 - i;
    n = figures_pack(&figures, packed);
    assert_true(n <= FIGURES_PACKED_MAX);
    assert_true(figures_unpack(&back, (struct slice){packed, n}));
    assert_memory_equal(back.took, figures.took, sizeof(back.took));
    for (size_t cut = 1; cut < 10; cut++)
        assert_false(figures_unpack(&back, (struct slice){packed, n - cut}));
}

static void
what_was_never_packed_is_refused(void **state)
{
    static const struct slice wrong[] = {
        {"\x40\x01", 2},                                         /* no such bucket */
        {"\x02\x01\x02\x01", 4},                                 /* twice */
        {"\x02\x01\x01\x01", 4},                                 /* backwards */
        {"\x02", 1},                                             /* no count */
        {"\x02\x00", 2},                                         /* of nothing */
        {"\x02\x80", 2},                                         /* cut off */
        {"\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 12} /* too much */
    };
    struct figures figures;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(figures_unpack(&figures, wrong[i]));
}

static void
a_step_begins_at_a_whole_minute_or_hour(void **state)
{
    (void)state;
    assert_int_equal(figures_begin(FIGURES_MINUTE, 119999), 60000);
    assert_int_equal(figures_begin(FIGURES_MINUTE, 120000), 120000);
    assert_int_equal(figures_begin(FIGURES_HOUR, 7199999), 3600000);
}

static struct figures_trace
of(uint64_t first, uint64_t highest)
{
    return (struct figures_trace){true, {true, first, highest}};
}

static void
a_backlog_that_stands_still_is_what_it_is_afterwards(void **state)
{
    const struct figures_trace none = {0}, unknown = {.there = true};
    struct figures_trace steps[] = {none,     of(2, 9), none, none,
                                    of(4, 4), unknown,  none};
    (void)state;
    figures_trace(steps, ARRAY_LEN(steps), 7);
    static const int64_t highest[] = {2, 9, 4, 4, 4, -1, 7};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        assert_int_equal(steps[i].backlog.known, highest[i] >= 0);
        if (highest[i] >= 0)
            assert_int_equal(steps[i].backlog.highest, highest[i]);
    }
    /* What it ended with is its own, too; and what is before what is not known. */
    struct figures_trace rising[] = {none, unknown, none, of(1, 3)};
    figures_trace(rising, ARRAY_LEN(rising), 8);
    assert_false(rising[0].backlog.known);
    assert_int_equal(rising[2].backlog.highest, 1);
    assert_int_equal(rising[3].backlog.highest, 8);
}

static void
a_backlog_added_up_is_its_first_and_its_highest(void **state)
{
    struct figures sum = {0}, more = {0};
    (void)state;
    figures_add(&sum, &more);
    assert_false(sum.backlog.known);
    figures_wait(&more, 3, 1);
    figures_add(&sum, &more);
    figures_wait(&more, 0, 5);
    figures_add(&sum, &more);
    assert_true(sum.backlog.known);
    assert_int_equal(sum.backlog.first, 3);
    assert_int_equal(sum.backlog.highest, 5);
    assert_true(figures_none(&sum));
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_right_to_within_a_tenth),
        cmocka_unit_test(nothing_has_no_percentile),
        cmocka_unit_test(what_is_beyond_the_buckets_is_the_longest),
        cmocka_unit_test(figures_added_up_are_those_of_all),
        cmocka_unit_test(what_is_packed_comes_back_and_takes_little),
        cmocka_unit_test(what_was_never_packed_is_refused),
        cmocka_unit_test(a_step_begins_at_a_whole_minute_or_hour),
        cmocka_unit_test(a_backlog_that_stands_still_is_what_it_is_afterwards),
        cmocka_unit_test(a_backlog_added_up_is_its_first_and_its_highest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
