/* The whole retry schedule on a hand-turned clock: hours pass in a millisecond. */
#include "fixture.h"

static void
a_healthy_receiver_is_called_once(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 1);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_SUCCEEDED);
}

static void
a_dead_receiver_is_called_nine_times_on_the_schedule(void **state)
{
    (void)state;
    static const msec_t waits[] = {2, 4, 8, 16, 32, 64, 128, 256};
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim.exact = true;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    assert_int_equal(sim.attempts, 1);

    for (size_t i = 0; i < 8; i++) {
        msec_t ended = sim_call(&sim, event, webhook)->ended_ms;
        while (sim.attempts == i + 1)
            assert_true(sim_step(&sim, sim_now(&sim) + DAY));
        msec_t waited = sim_now(&sim) - ended;
        assert_true(waited >= waits[i] * MINUTE);
        assert_true(waited <= waits[i] * MINUTE * 11 / 10 + 1);
    }
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
    sim_run(&sim, 30 * DAY);
    assert_int_equal(sim.attempts, 9);
}

static void
a_failed_call_can_be_retried_and_gets_a_whole_schedule(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_run(&sim, 2 * DAY);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);

    assert_int_equal(sim_retry(&sim, event, webhook), 0);
    assert_int_equal(sim.attempts, 10);
    sim_run(&sim, 2 * DAY);
    assert_int_equal(sim.attempts, 18);
    assert_int_equal(sim_stored(&sim, event, webhook).attempts, 18);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
}

static void
a_waiting_call_retried_by_hand_goes_on_counting(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    assert_int_equal(sim_retry(&sim, event, webhook), 0);
    assert_int_equal(sim.attempts, 2);
    sim_run(&sim, 2 * DAY);
    assert_int_equal(sim.attempts, 9);
}

static void
a_retry_by_hand_during_an_attempt_comes_right_after_it(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_run(&sim, 1000);
    assert_int_equal(sim.in_flight, 1);
    assert_int_equal(sim_retry(&sim, event, webhook), 0);
    sim_run(&sim, 16000);
    assert_int_equal(sim.attempts, 2);
}

static void
retry_after_lengthens_a_wait_and_never_shortens_it(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.retry_after_ms = 60 * MINUTE};
    sim.exact = true;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    msec_t ended = sim_call(&sim, event, webhook)->ended_ms;
    assert_true(sim_step(&sim, sim_now(&sim) + DAY));
    assert_true(sim_now(&sim) - ended >= 60 * MINUTE);

    sim.receiver.retry_after_ms = 1;
    ended = sim_call(&sim, event, webhook)->ended_ms;
    assert_true(sim_step(&sim, sim_now(&sim) + DAY));
    assert_true(sim_now(&sim) - ended >= 4 * MINUTE);
}

static void
a_held_webhook_spends_no_attempt(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim_enable(&sim, webhook, false);
    assert_int_equal(sim_post(&sim, 10, &event), 0);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.attempts, 0);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_HELD);
    assert_int_equal(sim_count(&sim, CALL_HELD), 10);

    sim_enable(&sim, webhook, true);
    sim_run(&sim, MINUTE);
    assert_int_equal(sim.attempts, 10);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 10);
}

static void
disabling_between_attempts_holds_and_enabling_goes_on_counting(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_enable(&sim, webhook, false);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 1);
    sim_enable(&sim, webhook, true);
    assert_int_equal(sim.attempts, 2);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.attempts, 9);
}

static void
gone_disables_the_webhook_and_holds_all_its_calls(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.gone_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, 100, &event), 0);
    sim_run(&sim, 3 * DAY);
    assert_true(sim.attempts <= SIM_WINDOW);
    assert_int_equal(sim_count(&sim, CALL_HELD), 100);

    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_enable(&sim, webhook, true);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 100);
}

static void
a_410_from_before_a_change_disables_nothing(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.gone_percent = 100, .latency_max_ms = 9000};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    assert_int_equal(sim.in_flight, 1);
    sim_enable(&sim, webhook, true); /* any change makes it another webhook */
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, DAY);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_SUCCEEDED);
    assert_int_equal(sim.attempts, 2);
}

static void
a_deleted_webhooks_calls_are_cancelled(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 5, &event), 0);
    unsigned before = sim.attempts;
    sim_delete(&sim, webhook);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.attempts, before);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_CANCELLED);
    assert_int_equal(sim_retry(&sim, event, webhook), E_CONFLICT);
}

static void
a_crash_neither_restarts_the_count_nor_fires_early(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim.exact = true;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    for (int i = 0; i < 8; i++) {
        sim_crash(&sim);
        while (sim.attempts == (unsigned)i + 1)
            assert_true(sim_step(&sim, sim_now(&sim) + DAY));
    }
    sim_crash(&sim);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.attempts, 9);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
}

static void
a_wall_clock_jump_moves_no_retry(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim.exact = true;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    for (int i = 0; i < 8; i++) {
        sim.clock.wall += (i % 2 ? -2 : 1) * DAY * 1000;
        while (sim.attempts == (unsigned)i + 1)
            assert_true(sim_step(&sim, sim_now(&sim) + DAY));
    }
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
    assert_int_equal(sim.attempts, 9);
}

static void
a_burst_larger_than_memory_is_delivered_from_disk(void **state)
{
    (void)state;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 50};
    for (int i = 0; i < 20; i++)
        assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    assert_true(sim_count(&sim, CALL_WAITING) > 10000);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 20000);
    assert_int_equal(sim.attempts, 20000);
    assert_true(sim.most_in_flight <= SIM_WINDOW);
}

static void
disabling_in_the_middle_of_a_burst_loses_nothing(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 50};
    sim.disk_latency_ms = 20;
    for (int i = 0; i < 6; i++)
        assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    for (int i = 0; i < 200; i++) {
        sim_run(&sim, 100 + i);
        sim_enable(&sim, webhook, false);
        sim_enable(&sim, webhook, true);
    }
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 6000);
    assert_int_equal(sim.attempts, 6000);
}

static void
a_dead_webhook_never_delays_a_healthy_one(void **state)
{
    (void)state;
    uint64_t dead[20];
    for (size_t i = 0; i < 20; i++) {
        dead[i] = sim_webhook(&sim);
        static struct sim_receiver silent = {.timeout_percent = 100};
        map_put(&sim.receivers, dead[i], 0, &silent);
    }
    uint64_t healthy = sim_webhook(&sim), event;
    sim_post(&sim, 50, NULL); /* the dead ones are busy, and more waits for them */
    sim_run(&sim, 100);
    msec_t began = sim_now(&sim);
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    assert_int_equal(sim_call(&sim, event, healthy)->delivered, 1);
    assert_int_equal(sim_now(&sim), began);
}

static void
a_full_disk_forgets_no_outcome(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    while (sim.attempts == 0 || sim.in_flight > 0) {
        store_memory_fail(sim.store, 1, E_FULL);
        sim_step(&sim, sim_now(&sim) + MINUTE);
    }
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 1);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_SUCCEEDED);
}

static void
a_disk_that_is_nearly_full_records_outcomes_and_takes_nothing_new(void **state)
{
    (void)state;
    sim_webhook(&sim);
    assert_int_equal(sim_post(&sim, 20, NULL), 0);
    store_memory_room(sim.store, DISK_LOW);
    assert_int_equal(sim_post(&sim, 1, NULL), E_FULL);
    sim_run(&sim, 60 * MINUTE);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 20);
    store_memory_room(sim.store, DISK_ROOM);
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim_run(&sim, 60 * MINUTE);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 21);
}

static void
a_full_disk_starts_no_attempt_until_there_is_room(void **state)
{
    (void)state;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, 20, NULL), 0);
    unsigned started = sim.attempts;
    assert_true(started < 20);
    store_memory_room(sim.store, DISK_FULL);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, started);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), started); /* what was under way */
    store_memory_room(sim.store, DISK_ROOM);
    sim_settle(&sim); /* it was woken */
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 20);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 20);
}

static void
outcomes_that_find_no_room_stop_new_attempts(void **state)
{
    (void)state;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, 100, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        store_memory_fail(sim.store, 1, E_FULL);
        sim_step(&sim, sim_now(&sim) + MINUTE);
    }
    assert_true(sim.attempts <= 2 * SIM_WINDOW); /* those under way when it began */
    store_memory_fail(sim.store, 0, E_FULL);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 100);
}

static void
a_refused_post_leaves_nothing(void **state)
{
    (void)state;
    sim_webhook(&sim);
    store_memory_fail(sim.store, 1, E_FULL);
    assert_int_equal(sim_post(&sim, 10, NULL), E_FULL);
    sim_run(&sim, DAY);
    assert_int_equal(sim.attempts, 0);
    assert_int_equal(sim_count(&sim, CALL_WAITING), 0);
    assert_int_equal(sim_post(&sim, 10, NULL), 0);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 10);
}

static void
an_own_policy_replaces_the_default(void **state)
{
    (void)state;
    static const struct retry_policy quick = {
        .max_retries = 3, .initial_delay_ms = 1000, .factor = 3, .max_delay_ms = 5000};
    uint64_t webhook = sim_webhook_with(&sim, &quick), event;
    sim.policy = &quick;
    sim.exact = true;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_run(&sim, MINUTE);
    assert_int_equal(sim.attempts, 4);
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_healthy_receiver_is_called_once),
        SIM_TEST(a_dead_receiver_is_called_nine_times_on_the_schedule),
        SIM_TEST(a_failed_call_can_be_retried_and_gets_a_whole_schedule),
        SIM_TEST(a_waiting_call_retried_by_hand_goes_on_counting),
        SIM_TEST(a_retry_by_hand_during_an_attempt_comes_right_after_it),
        SIM_TEST(a_410_from_before_a_change_disables_nothing),
        SIM_TEST(retry_after_lengthens_a_wait_and_never_shortens_it),
        SIM_TEST(a_held_webhook_spends_no_attempt),
        SIM_TEST(disabling_between_attempts_holds_and_enabling_goes_on_counting),
        SIM_TEST(gone_disables_the_webhook_and_holds_all_its_calls),
        SIM_TEST(a_deleted_webhooks_calls_are_cancelled),
        SIM_TEST(a_crash_neither_restarts_the_count_nor_fires_early),
        SIM_TEST(a_wall_clock_jump_moves_no_retry),
        SIM_TEST(a_burst_larger_than_memory_is_delivered_from_disk),
        SIM_TEST(disabling_in_the_middle_of_a_burst_loses_nothing),
        SIM_TEST(a_dead_webhook_never_delays_a_healthy_one),
        SIM_TEST(a_full_disk_forgets_no_outcome),
        SIM_TEST(a_disk_that_is_nearly_full_records_outcomes_and_takes_nothing_new),
        SIM_TEST(a_full_disk_starts_no_attempt_until_there_is_room),
        SIM_TEST(outcomes_that_find_no_room_stop_new_attempts),
        SIM_TEST(a_refused_post_leaves_nothing),
        SIM_TEST(an_own_policy_replaces_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
