#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "base/pulse.h"

#define PATIENCE 5

static const char *
looks(unsigned n)
{
    const char *stalled = NULL;

    while (n-- > 0)
        stalled = pulse_look();
    return stalled;
}

static void
what_turns_has_not_stalled(void **state)
{
    struct pulse pulse;

    (void)state;
    pulse_begin(&pulse, "turns", PATIENCE);
    for (int i = 0; i < 100; i++) {
        assert_null(looks(PATIENCE - 1));
        pulse_work();
    }
    pulse_end();
}

static void
what_does_one_thing_for_too_long_has_stalled(void **state)
{
    struct pulse pulse;

    (void)state;
    pulse_begin(&pulse, "stuck", PATIENCE);
    pulse_rest();
    pulse_work();
    assert_null(looks(PATIENCE)); /* the first look sees that it moved */
    assert_string_equal(looks(1), "stuck");
    pulse_work();
    assert_null(looks(1));
    pulse_end();
}

static void
who_waits_may_wait_for_ever(void **state)
{
    struct pulse pulse;

    (void)state;
    pulse_begin(&pulse, "waits", PATIENCE);
    pulse_rest();
    assert_null(looks(1000));
    pulse_rest();
    assert_null(looks(1000));
    pulse_work();
    assert_non_null(looks(PATIENCE + 1));
    pulse_end();
}

static void
who_has_ended_is_not_looked_at(void **state)
{
    struct pulse pulse;

    (void)state;
    pulse_begin(&pulse, "ends", PATIENCE);
    assert_non_null(looks(PATIENCE + 1));
    pulse_end();
    assert_null(looks(PATIENCE + 1));
}

static void
a_thread_that_is_not_watched_may_say_what_it_likes(void **state)
{
    (void)state;
    pulse_work();
    pulse_rest();
    assert_null(looks(1000));
}

struct other {
    pthread_barrier_t begun, end;
};

static void *
stuck_thread(void *arg)
{
    struct other *other = arg;
    struct pulse pulse;

    pulse_begin(&pulse, "other", PATIENCE);
    pthread_barrier_wait(&other->begun);
    pthread_barrier_wait(&other->end);
    pulse_end();
    return NULL;
}

static void
one_stuck_thread_is_seen_among_those_that_turn(void **state)
{
    struct other other;
    struct pulse pulse;
    pthread_t thread;

    (void)state;
    pthread_barrier_init(&other.begun, NULL, 2);
    pthread_barrier_init(&other.end, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, stuck_thread, &other), 0);
    pthread_barrier_wait(&other.begun);
    pulse_begin(&pulse, "turns", PATIENCE);
    const char *stalled = NULL;
    for (int i = 0; i <= PATIENCE; i++) {
        pulse_work();
        stalled = pulse_look();
    }
    assert_string_equal(stalled, "other");
    pthread_barrier_wait(&other.end);
    pthread_join(thread, NULL);
    pulse_work();
    assert_null(looks(1));
    pulse_end();
    pthread_barrier_destroy(&other.begun);
    pthread_barrier_destroy(&other.end);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_turns_has_not_stalled),
        cmocka_unit_test(what_does_one_thing_for_too_long_has_stalled),
        cmocka_unit_test(who_waits_may_wait_for_ever),
        cmocka_unit_test(who_has_ended_is_not_looked_at),
        cmocka_unit_test(a_thread_that_is_not_watched_may_say_what_it_likes),
        cmocka_unit_test(one_stuck_thread_is_seen_among_those_that_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
