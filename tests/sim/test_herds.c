/* Receivers that die and return, and those who must not notice. */
#include "fixture.h"

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

/* ---- probes ---- */

/* Many webhooks, all of which have failed once. */
static void
a_crowd_that_fails(size_t n)
{
    static struct sim_receiver fails = {.ok_percent = 0};
    sim_crash(&sim);
    for (size_t i = 0; i < n; i++)
        map_put(&sim.receivers, sim_webhook(&sim), 0, &fails);
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    assert_int_equal(sim.attempts, n); /* nothing was known of them */
}

static void
webhooks_that_fail_are_probed_one_after_the_other(void **state)
{
    (void)state;
    enum { CROWD = 100 };
    a_crowd_that_fails(CROWD);
    uint64_t healthy = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 100};

    unsigned before = sim.attempts;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    assert_int_equal(sim_call(&sim, event, healthy)->delivered, 1);
    assert_int_equal(sim.attempts - before, 1 + 1); /* and the first probe */
    msec_t began_ms = sim_now(&sim);
    while (sim.attempts - before < CROWD + 1) {
        unsigned probes = sim.attempts;
        msec_t at_ms = sim_now(&sim);
        assert_true(sim_step(&sim, at_ms + SECOND));
        assert_true(sim_now(&sim) > at_ms);
        assert_in_range(sim.attempts - probes, 0, 1);
        if (sim.attempts % 10 == 0) { /* one who comes meanwhile passes them all */
            sim_retry(&sim, event, healthy);
            before++;
        }
    }
    assert_in_range(sim_now(&sim) - began_ms, CROWD - 1, CROWD);
}

static void
many_probes_have_had_their_turn_in_seconds(void **state)
{
    (void)state;
    enum { CROWD = 4000 };
    a_crowd_that_fails(CROWD);
    unsigned before = sim.attempts;
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim_run(&sim, 2500); /* not four seconds */
    assert_int_equal(sim.attempts - before, CROWD);
}

static void
webhooks_that_say_nothing_are_probed_one_after_the_other(void **state)
{
    (void)state;
    enum { CROWD = 20 }; /* there are slots for two calls each */
    sim.window = 32;
    sim_crash(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    for (size_t i = 0; i < CROWD; i++)
        sim_webhook(&sim);
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    assert_int_equal(sim.attempts, CROWD);
    sim_run(&sim, 2 * SECOND); /* long before the deadline */
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    assert_int_equal(sim.attempts, CROWD + 1);
    sim_run(&sim, CROWD);
    assert_int_equal(sim.attempts, 2 * CROWD);
}

static void
one_success_ends_the_probing(void **state)
{
    (void)state;
    sim.window = 32;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, SECOND);
    unsigned before = sim.attempts;
    assert_int_equal(sim_post(&sim, 500, NULL), 0);
    assert_int_equal(sim.attempts - before, 500); /* in no time */
}

/* ---- backlogs ---- */

/* Starts of attempts a second at most, from now on until nothing happens for a day. */
static unsigned
most_in_a_second(void)
{
    unsigned most = 0;
    msec_t end_ms = sim_now(&sim) + DAY;
    while (sim_now(&sim) < end_ms) {
        unsigned before = sim.attempts;
        msec_t from_ms = sim_now(&sim);
        while (sim_now(&sim) < from_ms + SECOND && sim_step(&sim, from_ms + SECOND))
            ;
        if (sim.attempts - before > most)
            most = sim.attempts - before;
        if (sim_now(&sim) == from_ms)
            sim_step(&sim, end_ms);
    }
    return most;
}

/* An outage of an hour with events all along, at a receiver that then answers at once.
 */
static void
an_hour_without_the_receiver(uint64_t webhook, struct sim_receiver how)
{
    map_put(&sim.receivers, webhook, 0, &how);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(sim_post(&sim, 40, NULL), 0);
        sim_run(&sim, MINUTE);
    }
    map_remove(&sim.receivers, webhook, 0);
}

static void
a_receiver_that_returns_gets_its_backlog_at_the_drain_rate(void **state)
{
    (void)state;
    static const struct sim_receiver outages[] = {
        {.ok_percent = 0},                        /* answers 503 at once */
        {.timeout_percent = 100},                 /* hangs */
        {.ok_percent = 0, .latency_max_ms = 500}, /* something between */
    };
    sim.drain_rate = 20;
    sim_crash(&sim);
    uint64_t webhook = sim_webhook(&sim);
    for (size_t i = 0; i < ARRAY_LEN(outages); i++) {
        uint64_t before = sim_count(&sim, CALL_SUCCEEDED);
        an_hour_without_the_receiver(webhook, outages[i]);
        unsigned most = most_in_a_second();
        assert_in_range(most, 5, 22); /* 20, one at each end, one that came late */
        assert_int_equal(sim_count(&sim, CALL_SUCCEEDED) - before, 2400);
    }
}

static void
new_events_go_past_the_backlog(void **state)
{
    (void)state;
    sim.drain_rate = 1;
    sim_crash(&sim);
    uint64_t webhook = sim_webhook(&sim), event;
    static const struct sim_receiver hangs = {.timeout_percent = 100};
    an_hour_without_the_receiver(webhook, hangs);
    while (sim_count(&sim, CALL_SUCCEEDED) == 0) /* until it is found to be back */
        assert_true(sim_step(&sim, sim_now(&sim) + HOUR));
    assert_true(sim_count(&sim, CALL_WAITING) > 2000);
    for (int i = 0; i < 100; i++) {
        msec_t began = sim_now(&sim);
        assert_int_equal(sim_post(&sim, 1, &event), 0);
        assert_int_equal(sim_call(&sim, event, webhook)->delivered, 1);
        assert_int_equal(sim_now(&sim), began);
        sim_run(&sim, SECOND / 2);
    }
    assert_true(sim_count(&sim, CALL_WAITING) > 2000);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 2500);
}

static void
what_waited_for_a_restart_goes_at_the_drain_rate(void **state)
{
    (void)state;
    sim.drain_rate = 20;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 1000};
    for (int i = 0; i < 5; i++)
        assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    sim_run(&sim, 10);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_crash(&sim);
    assert_in_range(most_in_a_second(), 15, 21);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 5000);
}

static void
what_was_held_goes_at_the_drain_rate(void **state)
{
    (void)state;
    sim.drain_rate = 20;
    sim_crash(&sim);
    uint64_t webhook = sim_webhook(&sim);
    sim_enable(&sim, webhook, false);
    assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    sim_run(&sim, MINUTE);
    sim_enable(&sim, webhook, true);
    assert_in_range(most_in_a_second(), 15, 21);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 1000);
}

/* The disk is only where a burst waits for its turn: no backlog. */
static void
a_burst_that_overflowed_goes_as_fast_as_it_can(void **state)
{
    (void)state;
    sim.drain_rate = 1;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 50};
    for (int i = 0; i < 10; i++)
        assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    sim_run(&sim, 10 * MINUTE);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 10000);
}

static void
all_backlogs_together_keep_the_total_rate_and_share_it(void **state)
{
    (void)state;
    enum { WEBHOOKS = 20 };
    uint64_t webhooks[WEBHOOKS], event;
    sim.drain_rate = 50;
    sim.drain_total = 100;
    sim_crash(&sim);
    for (size_t i = 0; i < WEBHOOKS; i++)
        webhooks[i] = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    assert_int_equal(sim_post(&sim, 300, &event), 0);
    sim_run(&sim, 10);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_crash(&sim);
    sim_run(&sim, 10 * SECOND);
    assert_in_range(sim_count(&sim, CALL_SUCCEEDED), 900, 1010);
    for (size_t w = 0; w < WEBHOOKS; w++) {
        unsigned delivered = 0;
        for (size_t e = 0; e < 300; e++) {
            const struct sim_call *call = sim_call(&sim, event + e, webhooks[w]);
            delivered += call ? call->delivered : 0;
        }
        assert_in_range(delivered, 45, 55);
    }
    assert_in_range(most_in_a_second(), 80, 103);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 300 * WEBHOOKS);
}

static void
what_waits_for_the_drain_rate_counts_as_due(void **state)
{
    (void)state;
    struct engine_gauges gauges;
    sim.drain_rate = 1;
    sim_crash(&sim);
    uint64_t webhook = sim_webhook(&sim);
    sim_enable(&sim, webhook, false);
    msec_t posted = sim_now(&sim);
    assert_int_equal(sim_post(&sim, 100, NULL), 0);
    sim_run(&sim, HOUR);
    sim_enable(&sim, webhook, true);
    sim_run(&sim, MINUTE);
    engine_gauges(sim.engine, &gauges);
    assert_in_range(gauges.oldest_due_ms, posted, posted + 1);
}

/* ---- hosts ---- */

static void
many_webhooks_of_one_host_share_its_window(void **state)
{
    (void)state;
    enum { WEBHOOKS = 30, EVENTS = 40 };
    uint64_t webhooks[WEBHOOKS], event;
    sim.host_window = 7;
    sim_crash(&sim);
    for (size_t i = 0; i < WEBHOOKS; i++)
        webhooks[i] = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 100};
    assert_int_equal(sim_post(&sim, EVENTS, &event), 0);
    sim_run(&sim, 4 * SECOND);
    for (size_t w = 0; w < WEBHOOKS; w++) { /* nobody is served before the others */
        unsigned delivered = 0;
        for (size_t e = 0; e < EVENTS; e++) {
            const struct sim_call *call = sim_call(&sim, event + e, webhooks[w]);
            delivered += call ? call->delivered : 0;
        }
        assert_in_range(delivered, 12, 26);
    }
    sim_enable(&sim, webhooks[0], false); /* leaves the line, and comes back to it */
    sim_enable(&sim, webhooks[0], true);
    sim_delete(&sim, webhooks[1]);
    sim_run(&sim, HOUR);
    assert_int_equal(sim.most_in_flight, 7);
    assert_true(sim_count(&sim, CALL_SUCCEEDED) >= (WEBHOOKS - 1) * EVENTS);
    assert_int_equal(sim_count(&sim, CALL_WAITING), 0);
}

/* The slot that comes free is the second one's, who is disabled in that moment. */
static void
a_turn_at_a_host_that_is_not_taken_is_the_next_ones(void **state)
{
    (void)state;
    uint64_t webhooks[3];
    sim.host_window = 1;
    sim_crash(&sim);
    for (size_t i = 0; i < 3; i++)
        webhooks[i] = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    assert_int_equal(sim.attempts, 1);
    clock_manual_advance(&sim.clock, 15 * SECOND * 1000);
    sim_enable(&sim, webhooks[1], false);
    assert_int_equal(sim.attempts, 2);
    assert_int_equal(sim.in_flight, 1);
}

/* ---- clocks ---- */

/* However the wall clock is set over a reboot, back, or not at all. */
static void
a_clock_set_back_over_a_reboot_delays_no_retry(void **state)
{
    (void)state;
    static const msec_t jumps[] = {0, -DAY, -MINUTE, -400 * DAY};
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim.exact = true; /* the schedule, to the millisecond */
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    for (unsigned i = 0; i < 8; i++) {
        sim_reboot(&sim, jumps[i % ARRAY_LEN(jumps)]);
        assert_int_equal(sim.attempts, i + 1);
        while (sim.attempts == i + 1)
            assert_true(sim_step(&sim, sim_now(&sim) + DAY));
    }
    assert_int_equal(sim_stored(&sim, event, webhook).state, CALL_FAILED);
}

static void
a_clock_set_forward_over_a_reboot_is_no_herd(void **state)
{
    (void)state;
    sim.drain_rate = 20;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    while (sim_count(&sim, CALL_WAITING) < 1000 || sim.attempts < 1000)
        sim_step(&sim, sim_now(&sim) + SECOND);
    assert_int_equal(sim.attempts, 1000);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_reboot(&sim, DAY); /* all of them are due */
    assert_in_range(most_in_a_second(), 15, 21);
    assert_int_equal(sim.attempts, 2000);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 1000);
}

static void
a_clock_set_while_it_runs_moves_nothing_of_a_crowd(void **state)
{
    (void)state;
    sim.drain_rate = 20;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 100, NULL), 0);
    sim_run(&sim, SECOND);
    assert_int_equal(sim.attempts, 100);
    for (int i = 0; i < 10; i++) {
        sim.clock.wall += (i % 2 ? -DAY : DAY) * 1000;
        sim_run(&sim, 10 * SECOND);
        assert_int_equal(sim.attempts, 100); /* none is due before two minutes */
    }
    sim_run(&sim, 20 * SECOND + 12 * SECOND + 5 * SECOND);
    assert_int_equal(sim.attempts, 200);
}

/* The machine slept, or the program was stopped: all of an hour's retries are due. */
static void
a_pause_of_the_program_is_no_herd(void **state)
{
    (void)state;
    sim.drain_rate = 20;
    sim_crash(&sim);
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    assert_int_equal(sim_post(&sim, 1000, NULL), 0);
    sim_run(&sim, 2 * SECOND);
    assert_int_equal(sim.attempts, 1000);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    clock_manual_advance(&sim.clock, HOUR * 1000);
    assert_in_range(most_in_a_second(), 15, 21);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 1000);
}

/* ---- given up ---- */

static bool
is_enabled(uint64_t number)
{
    struct webhook *webhook = engine_webhook_numbered(sim.engine, number);
    assert_non_null(webhook);
    bool enabled = webhook->enabled;
    if (!enabled)
        assert_string_equal(webhook->disabled_reason, "failing for 5 days");
    webhook_unref(webhook);
    return enabled;
}

static msec_t
failing_since(uint64_t number)
{
    struct webhook *webhook = engine_webhook_numbered(sim.engine, number);
    assert_non_null(webhook);
    msec_t since_ms = webhook_failing_since(webhook);
    webhook_unref(webhook);
    return since_ms;
}

static uint64_t
one_to_be_given_up_after_five_days(void)
{
    sim.disable_after = 5 * DAY;
    sim_crash(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    return sim_webhook(&sim);
}

/* An event every six hours, until the webhook is disabled or the days are over. */
static msec_t
until_it_is_disabled(uint64_t webhook, msec_t days, bool crashes)
{
    msec_t began = sim_now(&sim);
    while (is_enabled(webhook) && sim_now(&sim) - began < days * DAY) {
        assert_int_equal(sim_post(&sim, 1, NULL), 0);
        if (crashes)
            sim_crash(&sim);
        sim_run(&sim, 6 * HOUR);
    }
    return sim_now(&sim) - began;
}

static void
a_webhook_is_disabled_after_five_days_of_nothing_but_failures(void **state)
{
    (void)state;
    uint64_t webhook = one_to_be_given_up_after_five_days();
    msec_t began = sim_now(&sim);
    msec_t took = until_it_is_disabled(webhook, 30, false);
    assert_in_range(took, 5 * DAY, 5 * DAY + 6 * HOUR);
    assert_int_equal(failing_since(webhook), began);

    /* What waits is held, and enabling starts anew. */
    unsigned attempts = sim.attempts;
    assert_int_equal(sim_post(&sim, 10, NULL), 0);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.attempts, attempts);
    assert_true(sim_count(&sim, CALL_HELD) >= 10);
    sim_enable(&sim, webhook, true);
    assert_int_equal(failing_since(webhook), MSEC_NEVER);
    took = until_it_is_disabled(webhook, 30, false);
    assert_in_range(took, 5 * DAY, 5 * DAY + 6 * HOUR);

    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_enable(&sim, webhook, true);
    sim_run(&sim, DAY);
    assert_int_equal(sim_count(&sim, CALL_HELD) + sim_count(&sim, CALL_WAITING), 0);
}

static void
five_days_are_five_days_over_restarts_too(void **state)
{
    (void)state;
    uint64_t webhook = one_to_be_given_up_after_five_days();
    msec_t took = until_it_is_disabled(webhook, 30, true);
    assert_in_range(took, 5 * DAY, 5 * DAY + 6 * HOUR);
}

static void
one_success_in_five_days_is_enough_to_stay(void **state)
{
    (void)state;
    uint64_t webhook = one_to_be_given_up_after_five_days();
    for (int i = 0; i < 5; i++) {
        until_it_is_disabled(webhook, 4, true);
        assert_true(failing_since(webhook) != MSEC_NEVER);
        sim.receiver = (struct sim_receiver){.ok_percent = 100};
        assert_int_equal(sim_post(&sim, 1, NULL), 0);
        sim_settle(&sim);
        assert_int_equal(failing_since(webhook), MSEC_NEVER);
        sim.receiver = (struct sim_receiver){.ok_percent = 0};
    }
    assert_true(is_enabled(webhook));
}

static void
a_handful_of_failures_is_not_enough_however_long_it_takes(void **state)
{
    (void)state;
    static const struct retry_policy once = {.initial_delay_ms = 1000, .factor = 1};
    sim.disable_after = 5 * DAY;
    sim_crash(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim.policy = &once;
    uint64_t webhook = sim_webhook_with(&sim, &once);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sim_post(&sim, 1, NULL), 0);
        sim_run(&sim, 10 * DAY);
    }
    assert_true(is_enabled(webhook));
    assert_int_equal(sim_post(&sim, 1, NULL), 0);
    sim_settle(&sim);
    assert_false(is_enabled(webhook));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_dead_receiver_is_probed_by_one_call_at_a_time),
        SIM_TEST(a_receiver_that_asks_for_less_gets_less),
        SIM_TEST(webhooks_that_fail_are_probed_one_after_the_other),
        SIM_TEST(webhooks_that_say_nothing_are_probed_one_after_the_other),
        SIM_TEST(many_probes_have_had_their_turn_in_seconds),
        SIM_TEST(one_success_ends_the_probing),
        SIM_TEST(a_receiver_that_returns_gets_its_backlog_at_the_drain_rate),
        SIM_TEST(new_events_go_past_the_backlog),
        SIM_TEST(what_waited_for_a_restart_goes_at_the_drain_rate),
        SIM_TEST(what_was_held_goes_at_the_drain_rate),
        SIM_TEST(a_burst_that_overflowed_goes_as_fast_as_it_can),
        SIM_TEST(all_backlogs_together_keep_the_total_rate_and_share_it),
        SIM_TEST(what_waits_for_the_drain_rate_counts_as_due),
        SIM_TEST(many_webhooks_of_one_host_share_its_window),
        SIM_TEST(a_turn_at_a_host_that_is_not_taken_is_the_next_ones),
        SIM_TEST(a_clock_set_back_over_a_reboot_delays_no_retry),
        SIM_TEST(a_clock_set_forward_over_a_reboot_is_no_herd),
        SIM_TEST(a_clock_set_while_it_runs_moves_nothing_of_a_crowd),
        SIM_TEST(a_pause_of_the_program_is_no_herd),
        SIM_TEST(a_webhook_is_disabled_after_five_days_of_nothing_but_failures),
        SIM_TEST(five_days_are_five_days_over_restarts_too),
        SIM_TEST(one_success_in_five_days_is_enough_to_stay),
        SIM_TEST(a_handful_of_failures_is_not_enough_however_long_it_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
