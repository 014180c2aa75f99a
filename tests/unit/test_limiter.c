#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/limiter.h"

#define SECOND_US INT64_C(1000000)
#define NOW       (1000 * SECOND_US)
#define KEY       UINT64_C(77)

static unsigned
passes(struct limiter *limiter, uint64_t key, unsigned tries, usec_t now_us)
{
    unsigned passed = 0;

    for (unsigned i = 0; i < tries; i++)
        passed += limiter_take(limiter, key, now_us) == 0;
    return passed;
}

static void
a_burst_passes_and_the_next_waits(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(limiter_take(limiter, KEY, NOW), 0);
    assert_int_equal(limiter_take(limiter, KEY, NOW), 100);
    limiter_free(limiter);
}

static void
what_was_told_to_wait_passes_just_then(void **state)
{
    static const struct {
        uint32_t per_second, burst;
        msec_t wait_ms;
    } rows[] = {
        {1, 1, 1000}, {10, 1, 100}, {10, 20, 100},
        {3, 2, 334},  {500, 1, 2},  {1000, 9, 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limiter *limiter = limiter_new(rows[i].per_second, rows[i].burst);
        msec_t wait_ms = rows[i].wait_ms;

        assert_int_equal(passes(limiter, KEY, rows[i].burst, NOW), rows[i].burst);
        assert_int_equal(limiter_take(limiter, KEY, NOW), wait_ms);
        assert_int_equal(limiter_take(limiter, KEY, NOW + (wait_ms - 1) * 1000), 1);
        assert_int_equal(limiter_take(limiter, KEY, NOW + wait_ms * 1000), 0);
        limiter_free(limiter);
    }
}

static void
a_wait_is_a_millisecond_at_least(void **state)
{
    struct limiter *limiter = limiter_new(UINT32_MAX, 1);

    (void)state;
    assert_int_equal(limiter_take(limiter, KEY, NOW), 0);
    assert_int_equal(limiter_take(limiter, KEY, NOW), 1);
    limiter_free(limiter);
}

static void
a_steady_rate_passes_for_ever(void **state)
{
    struct limiter *limiter = limiter_new(50, 1);

    (void)state;
    for (usec_t now_us = NOW; now_us < NOW + 3600 * SECOND_US; now_us += 20000)
        assert_int_equal(limiter_take(limiter, KEY, now_us), 0);
    limiter_free(limiter);
}

static void
a_greedy_key_gets_its_rate_and_no_more(void **state)
{
    static const uint32_t rates[] = {1, 7, 100, 30000, 300000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct limiter *limiter = limiter_new(rates[i], 10);
        unsigned passed = 0;

        for (usec_t us = 0; us < 2 * SECOND_US; us++)
            passed += limiter_take(limiter, KEY, NOW + us) == 0;
        assert_in_range(passed, 2 * rates[i] - 2 * rates[i] / 1000, 2 * rates[i] + 10);
        limiter_free(limiter);
    }
}

static void
a_rest_gives_the_burst_back_and_no_more(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);

    (void)state;
    assert_int_equal(passes(limiter, KEY, 100, NOW), 5);
    assert_int_equal(passes(limiter, KEY, 100, NOW + 300000), 3);
    assert_int_equal(passes(limiter, KEY, 100, NOW + 3600 * SECOND_US), 5);
    limiter_free(limiter);
}

static void
a_process_that_just_began_limits_too(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);

    (void)state;
    assert_int_equal(passes(limiter, KEY, 100, 0), 5);
    limiter_free(limiter);
}

static void
what_is_refused_is_not_counted(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);

    (void)state;
    assert_int_equal(passes(limiter, KEY, 5, NOW), 5);
    assert_int_equal(passes(limiter, KEY, 10000, NOW + 50000), 0);
    assert_int_equal(limiter_take(limiter, KEY, NOW + 50000), 50);
    assert_int_equal(limiter_take(limiter, KEY, NOW + 100000), 0);
    limiter_free(limiter);
}

static void
one_key_does_not_use_up_another(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);

    (void)state;
    for (uint64_t key = 0; key < 8; key++)
        assert_int_equal(passes(limiter, key << 32, 100, NOW), 5);
    limiter_free(limiter);
}

static void
no_rate_is_no_limit(void **state)
{
    struct limiter *limiter = limiter_new(0, 5);

    (void)state;
    assert_int_equal(passes(limiter, KEY, 100000, NOW), 100000);
    limiter_free(limiter);
    limiter_free(NULL);
}

static void
a_burst_of_none_is_one_of_one(void **state)
{
    struct limiter *limiter = limiter_new(10, 0);

    (void)state;
    assert_int_equal(passes(limiter, KEY, 100, NOW), 1);
    limiter_free(limiter);
}

static void
the_largest_limits_are_held(void **state)
{
    static const struct {
        uint32_t per_second, burst;
    } rows[] = {{1, UINT32_MAX}, {UINT32_MAX, UINT32_MAX}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct limiter *limiter = limiter_new(rows[i].per_second, rows[i].burst);
        assert_int_equal(passes(limiter, KEY, 1000, NOW), 1000);
        limiter_free(limiter);
    }
}

/* ---- many keys ---- */

/* Of 32768 cells in each table 1 in 11 is at its limit, so of the keys 1 in 130. */
static void
a_crowd_at_its_limit_hardly_limits_a_quiet_key(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);
    unsigned passed = 0;

    (void)state;
    for (uint64_t key = 0; key < 3000; key++)
        passes(limiter, key, 20, NOW);
    for (uint64_t key = 0; key < 1000; key++)
        passed += limiter_take(limiter, 1000000 + key, NOW) == 0;
    assert_in_range(passed, 950, 1000);
    limiter_free(limiter);
}

/* A thousand new ones a second, so that each cell is passed through now and then. */
static void
a_million_keys_leave_room_for_a_quiet_one(void **state)
{
    struct limiter *limiter = limiter_new(10, 5);
    unsigned passed = 0;

    (void)state;
    for (uint64_t key = 0; key < 1000000; key++)
        passed += limiter_take(limiter, key, NOW + (usec_t)key * 1000) == 0;
    assert_in_range(passed, 999000, 1000000);
    limiter_free(limiter);
}

/* ---- many threads ---- */

#define THREADS    4
#define TRIES      1000000
#define CROWD_KEYS 20000

struct crowd {
    struct limiter *limiter;
    pthread_barrier_t start;
    uint64_t keys;
};

struct member {
    struct crowd *crowd;
    pthread_t thread;
    unsigned passed[CROWD_KEYS];
};

static void *
member_main(void *arg)
{
    struct member *member = arg;
    const struct crowd *crowd = member->crowd;

    pthread_barrier_wait(&member->crowd->start);
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t key = i % crowd->keys;
        member->passed[key] += limiter_take(crowd->limiter, key, NOW) == 0;
    }
    return NULL;
}

/* How often each key passes when all threads try them one after the other. */
static void
crowd_run(uint64_t keys, uint32_t burst, unsigned passed[CROWD_KEYS])
{
    static struct member members[THREADS];
    struct crowd crowd = {.limiter = limiter_new(10, burst), .keys = keys};

    pthread_barrier_init(&crowd.start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        members[i] = (struct member){.crowd = &crowd};
        assert_int_equal(
            pthread_create(&members[i].thread, NULL, member_main, &members[i]), 0);
    }
    memset(passed, 0, CROWD_KEYS * sizeof(passed[0]));
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(members[i].thread, NULL);
        for (size_t key = 0; key < keys; key++)
            passed[key] += members[i].passed[key];
    }
    pthread_barrier_destroy(&crowd.start);
    limiter_free(crowd.limiter);
}

static void
threads_together_get_the_burst_of_one(void **state)
{
    static unsigned passed[CROWD_KEYS];

    (void)state;
    crowd_run(1, TRIES, passed);
    assert_int_equal(passed[0], TRIES);
}

/* So many keys that most cells are shared. */
static void
threads_get_no_more_of_any_key_than_it_may(void **state)
{
    static unsigned passed[CROWD_KEYS];

    (void)state;
    crowd_run(CROWD_KEYS, 100, passed);
    for (size_t key = 0; key < CROWD_KEYS; key++)
        assert_in_range(passed[key], 0, 100);
}

static void
many_pass_together_or_not_at_all(void **state)
{
    (void)state;
    struct limiter *limiter = limiter_new(10, 100);
    usec_t now_us = 5000000;
    assert_int_equal(limiter_take_many(limiter, 7, 60, now_us), 0);
    assert_int_equal(limiter_take_many(limiter, 7, 60, now_us), 2000);
    assert_int_equal(limiter_take_many(limiter, 7, 40, now_us), 0);
    assert_int_equal(limiter_take_many(limiter, 7, 1, now_us), 100);
    assert_int_equal(limiter_take_many(limiter, 8, 100, now_us), 0);
    assert_int_equal(limiter_take_many(limiter, 7, 100, now_us + 10000000), 0);
    limiter_free(limiter);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_passes_and_the_next_waits),
        cmocka_unit_test(what_was_told_to_wait_passes_just_then),
        cmocka_unit_test(a_wait_is_a_millisecond_at_least),
        cmocka_unit_test(a_steady_rate_passes_for_ever),
        cmocka_unit_test(a_greedy_key_gets_its_rate_and_no_more),
        cmocka_unit_test(a_rest_gives_the_burst_back_and_no_more),
        cmocka_unit_test(a_process_that_just_began_limits_too),
        cmocka_unit_test(what_is_refused_is_not_counted),
        cmocka_unit_test(one_key_does_not_use_up_another),
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(many_pass_together_or_not_at_all),
        cmocka_unit_test(a_burst_of_none_is_one_of_one),
        cmocka_unit_test(the_largest_limits_are_held),
        cmocka_unit_test(a_crowd_at_its_limit_hardly_limits_a_quiet_key),
        cmocka_unit_test(a_million_keys_leave_room_for_a_quiet_one),
        cmocka_unit_test(threads_together_get_the_burst_of_one),
        cmocka_unit_test(threads_get_no_more_of_any_key_than_it_may),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
