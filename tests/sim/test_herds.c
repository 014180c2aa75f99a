/* Receivers that die and return, and those who must not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

#define SECOND ((msec_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct sim sim;

static int
start(void **state)
{
    (void)state;
    sim_init(&sim, 1);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    sim_fini(&sim);
    return 0;
}

static void
a_dead_receiver_is_probed_by_one_call_at_a_time(void **state)
{
    (void)state;
    sim.window = 32;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    assert_int_equal(sim_post(&sim, 500, NULL), 0);
    assert_int_equal(sim.in_flight, 4); /* an eighth of the window */
    sim_run(&sim, MINUTE);
    sim.most_in_flight = 0;
    sim_run(&sim, HOUR);
    assert_int_equal(sim.most_in_flight, 1);

    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 500);
}

static void
a_receiver_that_asks_for_less_gets_less(void **state)
{
    (void)state;
    sim.window = 32;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    sim_run(&sim, MINUTE);
    assert_int_equal(sim.most_in_flight, 32);

    sim.receiver = (struct sim_receiver){.ok_percent = 70, .latency_max_ms = 100};
    sim_post(&sim, 300, NULL);
    sim_run(&sim, SECOND);
    sim.most_in_flight = 0;
    sim_post(&sim, 300, NULL);
    sim_run(&sim, MINUTE);
    assert_in_range(sim.most_in_flight, 1, 12);
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_dead_receiver_is_probed_by_one_call_at_a_time),
        SIM_TEST(a_receiver_that_asks_for_less_gets_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
