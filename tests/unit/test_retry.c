#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/retry.h"

#define MINUTE ((msec_t)60 * 1000)
#define HOUR   (60 * MINUTE)
#define NOW    INT64_C(1709545851375) /* 2024-03-04T09:50:51.375Z */

/* `due` is `wait` after `from`, plus at most a tenth. */
static void
assert_due(msec_t due, msec_t from, msec_t wait)
{
    assert_in_range(due - from, wait, wait + wait / 10);
}

static void
the_default_schedule_is_2_to_256_minutes(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 7);

    for (int round = 0; round < 2000; round++) {
        msec_t minutes = 2;
        for (uint32_t tries = 1; tries <= 8; tries++, minutes *= 2) {
            msec_t due = retry_next(&retry_default, tries, NOW, 0, &seeded.rng);
            assert_due(due, NOW, minutes * MINUTE);
        }
        assert_int_equal(minutes, 512);
        assert_true(retry_next(&retry_default, 9, NOW, 0, &seeded.rng) == MSEC_NEVER);
    }
}

static void
jitter_reaches_both_of_its_ends(void **state)
{
    (void)state;
    const struct retry_policy policy = {1, 1000, 2, 1000};
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 1);
    bool seen[101] = {false};

    for (int i = 0; i < 5000; i++) {
        msec_t wait = retry_next(&policy, 1, 0, 0, &seeded.rng);
        assert_in_range(wait, 1000, 1100);
        seen[wait - 1000] = true;
    }
    assert_true(seen[0]);
    assert_true(seen[100]);
}

static void
no_retries_means_one_attempt(void **state)
{
    (void)state;
    const struct retry_policy policy = {0, 1000, 2, 1000};
    assert_true(retry_next(&policy, 1, NOW, 0, &rng_system) == MSEC_NEVER);
    assert_true(retry_next(&policy, 1, NOW, HOUR, &rng_system) == MSEC_NEVER);
}

static void
the_longest_wait_is_the_policys(void **state)
{
    (void)state;
    const struct retry_policy policy = {20, 1000, 10, 3 * HOUR};
    static const msec_t waits[] = {1000, 10000, 100000, 1000000, 10000000, 3 * HOUR};

    for (uint32_t tries = 1; tries <= 20; tries++) {
        size_t at = tries <= ARRAY_LEN(waits) ? tries - 1 : ARRAY_LEN(waits) - 1;
        assert_due(retry_next(&policy, tries, NOW, 0, &rng_system), NOW, waits[at]);
    }
    assert_true(retry_next(&policy, 21, NOW, 0, &rng_system) == MSEC_NEVER);
}

static void
the_greatest_policy_does_not_overflow(void **state)
{
    (void)state;
    const msec_t week = 7 * 24 * HOUR;
    const struct retry_policy policy = {20, 24 * HOUR, 10, week};
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 3);

    for (uint32_t tries = 2; tries <= 20; tries++) {
        msec_t due = retry_next(&policy, tries, NOW, 0, &seeded.rng);
        assert_due(due, NOW, week);
    }
    const struct retry_policy endless = {UINT32_MAX, 1, 1, week};
    assert_true(retry_next(&endless, 4000000, NOW, 0, &rng_system) == NOW + 1);
    const struct retry_policy absurd = {UINT32_MAX, INT64_MAX / 2, 1e308,
                                        INT64_MAX / 2};
    assert_true(retry_next(&absurd, UINT32_MAX, 0, 0, &seeded.rng) >= INT64_MAX / 2);
    assert_true(retry_next(&policy, 1, MSEC_NEVER - 5, 0, &seeded.rng) ==
                MSEC_NEVER - 1);
}

static void
retry_after_lengthens_and_never_shortens(void **state)
{
    (void)state;
    static const struct {
        uint32_t tries;
        msec_t retry_after;
        msec_t wait; /* jitter may be on top */
    } cases[] = {
        {1, 1000, 2 * MINUTE},      {1, -HOUR, 2 * MINUTE},  {8, HOUR, 256 * MINUTE},
        {1, INT64_MIN, 2 * MINUTE}, {3, MINUTE, 8 * MINUTE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_due(retry_next(&retry_default, cases[i].tries, NOW, cases[i].retry_after,
                              &rng_system),
                   NOW, cases[i].wait);
    assert_true(retry_next(&retry_default, 1, NOW, HOUR, &rng_system) == NOW + HOUR);
    assert_true(retry_next(&retry_default, 1, NOW, 24 * HOUR, &rng_system) ==
                NOW + 24 * HOUR);
    assert_true(retry_next(&retry_default, 1, NOW, 25 * HOUR, &rng_system) ==
                NOW + 24 * HOUR);
    assert_true(retry_next(&retry_default, 1, NOW, INT64_MAX, &rng_system) ==
                NOW + 24 * HOUR);
    assert_true(retry_next(&retry_default, 9, NOW, HOUR, &rng_system) == MSEC_NEVER);
}

static void
retry_after_is_read_as_seconds_or_a_date(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        msec_t wait;
    } cases[] = {
        {"1", 1000},
        {"120", 120000},
        {" 120\t", 120000},
        {"0000000000000000000000000000001", 1000},
        {"86399", 86399000},
        {"86400", 24 * HOUR},
        {"86401", 24 * HOUR},
        {"9223372036854775799", 24 * HOUR},
        {"Mon, 04 Mar 2024 09:50:52 GMT", 625},
        {"Mon, 04 Mar 2024 10:50:51 GMT", HOUR - 375},
        {"Monday, 04-Mar-24 10:50:51 GMT", HOUR - 375},
        {"Mon Mar  4 10:50:51 2024", HOUR - 375},
        {"Fri, 31 Dec 9999 23:59:59 GMT", 24 * HOUR},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(retry_after_parse(slice_of(cases[i].text), NOW),
                         cases[i].wait);
}

static void
a_senseless_retry_after_is_ignored(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "-1",
        "0",
        "",
        " ",
        "+5",
        "1.5",
        "5 s",
        "5,5",
        "0x10",
        "1e3",
        "abc",
        "99999999999999999999",
        "1000000000000000000000000000000",
        "Mon, 04 Mar 2024 09:50:51 GMT", /* 375 ms ago */
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "Fri, 31 Feb 2025 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT, 5",
        "2030-01-01T00:00:00Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(retry_after_parse(slice_of(cases[i]), NOW), 0);
    assert_int_equal(retry_after_parse((struct slice){"1\0", 2}, NOW), 0);
    assert_int_equal(retry_after_parse((struct slice){NULL, 0}, NOW), 0);
}

static void
sixty_four_kilobytes_of_garbage_are_ignored(void **state)
{
    (void)state;
    const size_t n = 65536;
    static const char fills[] = {'9', 'A', ' ', '\0', '-', (char)0xff};
    char *text = malloc(n);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof(fills); i++) {
        memset(text, fills[i], n);
        assert_int_equal(retry_after_parse((struct slice){text, n}, NOW), 0);
    }
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_schedule_is_2_to_256_minutes),
        cmocka_unit_test(jitter_reaches_both_of_its_ends),
        cmocka_unit_test(no_retries_means_one_attempt),
        cmocka_unit_test(the_longest_wait_is_the_policys),
        cmocka_unit_test(the_greatest_policy_does_not_overflow),
        cmocka_unit_test(retry_after_lengthens_and_never_shortens),
        cmocka_unit_test(retry_after_is_read_as_seconds_or_a_date),
        cmocka_unit_test(a_senseless_retry_after_is_ignored),
        cmocka_unit_test(sixty_four_kilobytes_of_garbage_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
