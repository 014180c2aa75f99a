/* What operators are told: each thing once, storms held down, through failures and
 * crashes. */
#include <stdio.h>

#include "core/notice.h"
#include "engine/notices.h"
#include "fixture.h"

static int
start_telling(void **state)
{
    start(state);
    sim_notify(&sim, 100, HOUR);
    return 0;
}

/* How many notices of a kind have come. */
static unsigned
told(enum notice_kind kind)
{
    char text[64];
    unsigned n = 0;
    snprintf(text, sizeof(text), "{\"type\":\"%s\"", notice_kind_name(kind));
    for (const char *at = sim.told.p; at && (at = strstr(at, text)) != NULL; at++)
        n++;
    return n;
}

static bool
told_of(const char *text)
{
    return sim.told.p && strstr(sim.told.p, text);
}

static void
a_webhook_that_the_server_disables_is_told(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim);
    sim_enable(&sim, webhook, false); /* by a person: they know */
    sim_enable(&sim, webhook, true);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_WEBHOOK_DISABLED), 0);
    sim.receiver = (struct sim_receiver){.gone_percent = 100};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_WEBHOOK_DISABLED), 1);
    assert_true(told_of("\"reason\":\"the receiver answered 410 Gone\""));
    assert_true(told_of("\"channel\":\"CHANNEL_ID\""));
}

static void
exhausted_calls_make_one_notice_in_ten_minutes_with_their_number(void **state)
{
    (void)state;
    static const struct retry_policy once = {0, MINUTE, 1, MINUTE};
    sim.policy = &once;
    sim_webhook_with(&sim, &once);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_CALL_EXHAUSTED), 1);
    assert_true(told_of("\"count\":1,"));
    assert_true(told_of("\"reason\":\"status 503\""));
    sim_post(&sim, 40, NULL);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_CALL_EXHAUSTED), 1);
    sim_run(&sim, 10 * MINUTE);
    assert_int_equal(told(NOTICE_CALL_EXHAUSTED), 2);
    assert_true(told_of("\"count\":40,"));
    sim_run(&sim, DAY);
    assert_int_equal(told(NOTICE_CALL_EXHAUSTED), 2);
}

static void
many_webhooks_at_once_make_a_hundred_notices_a_minute_and_a_number(void **state)
{
    (void)state;
    static const struct retry_policy once = {0, MINUTE, 1, MINUTE};
    sim.policy = &once;
    for (int i = 0; i < NOTICES_A_MINUTE + 20; i++)
        sim_webhook_with(&sim, &once);
    sim.receiver = (struct sim_receiver){.ok_percent = 0};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, 30 * SECOND);
    assert_int_equal(told(NOTICE_CALL_EXHAUSTED), NOTICES_A_MINUTE);
    sim_run(&sim, 2 * MINUTE);
    sim_post(&sim, 1, NULL); /* its webhooks have been told of */
    sim_run(&sim, 11 * MINUTE);
    assert_true(told_of("\"leftOut\":20"));
}

static void
a_backlog_is_told_once_and_cleared_at_half(void **state)
{
    (void)state;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    sim_post(&sim, 100, NULL);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_BACKLOG_HIGH), 0); /* not over it */
    sim_post(&sim, 50, NULL);
    sim_run(&sim, 10 * MINUTE);
    assert_int_equal(told(NOTICE_BACKLOG_HIGH), 1);
    assert_true(told_of("\"waiting\":150,\"limit\":100"));
    assert_int_equal(told(NOTICE_BACKLOG_CLEARED), 0);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, DAY);
    assert_int_equal(told(NOTICE_BACKLOG_CLEARED), 1);
    assert_int_equal(told(NOTICE_BACKLOG_HIGH), 1);
}

static void
a_call_that_is_due_for_too_long_is_told_and_cleared(void **state)
{
    (void)state;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    sim_post(&sim, 600, NULL); /* one in 15 s: the last are due for hours */
    sim_run(&sim, 50 * MINUTE);
    assert_int_equal(told(NOTICE_OLDEST_DUE_HIGH), 0);
    sim_run(&sim, HOUR);
    assert_int_equal(told(NOTICE_OLDEST_DUE_HIGH), 1);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, DAY);
    assert_int_equal(told(NOTICE_OLDEST_DUE_CLEARED), 1);
}

static void
a_disk_without_room_is_told_while_it_has_none(void **state)
{
    (void)state;
    sim_webhook(&sim);
    store_memory_room(sim.store, DISK_LOW);
    sim_run(&sim, MINUTE);
    assert_int_equal(sim_post(&sim, 1, NULL), E_FULL);
    assert_int_equal(told(NOTICE_DISK_LOW), 1);
    store_memory_room(sim.store, DISK_ROOM);
    sim_run(&sim, MINUTE);
    assert_int_equal(told(NOTICE_DISK_CLEARED), 1);
}

static void
the_end_of_a_trial_is_told_once(void **state)
{
    (void)state;
    sim_trial(&sim, sim_now(&sim) + HOUR);
    sim_run(&sim, 50 * MINUTE);
    assert_int_equal(told(NOTICE_TRIAL_ENDED), 0);
    sim_run(&sim, DAY);
    assert_int_equal(told(NOTICE_TRIAL_ENDED), 1);
    sim_trial(&sim, sim_now(&sim) + HOUR);
    sim_run(&sim, DAY);
    assert_int_equal(told(NOTICE_TRIAL_ENDED), 2);
}

static void
what_is_not_taken_is_told_again_on_the_schedule(void **state)
{
    (void)state;
    sim.told_percent = 0;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.gone_percent = 100};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, MINUTE);
    assert_int_equal(sim.tellings, 1);
    sim_run(&sim, 2 * MINUTE);
    assert_int_equal(sim.tellings, 2);
    sim.told_percent = 100;
    sim_run(&sim, 5 * MINUTE);
    assert_int_equal(sim.tellings, 3);
    assert_int_equal(told(NOTICE_WEBHOOK_DISABLED), 1);
    sim_run(&sim, DAY);
    assert_int_equal(sim.tellings, 3);
}

static void
after_nine_attempts_a_notice_is_kept_and_not_sent_any_more(void **state)
{
    (void)state;
    sim.told_percent = 0;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.gone_percent = 100};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, 3 * DAY);
    assert_int_equal(sim.tellings, 9);
}

static void
a_crash_does_not_forget_what_was_to_be_told(void **state)
{
    (void)state;
    sim.told_percent = 0;
    sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.gone_percent = 100};
    sim_post(&sim, 1, NULL);
    sim_run(&sim, MINUTE);
    sim.told_percent = 100;
    sim_crash(&sim);
    sim_run(&sim, 5 * MINUTE);
    assert_int_equal(told(NOTICE_WEBHOOK_DISABLED), 1);
}

int
main(void)
{
#define TOLD(name) cmocka_unit_test_setup_teardown(name, start_telling, stop)
    const struct CMUnitTest tests[] = {
        TOLD(a_webhook_that_the_server_disables_is_told),
        TOLD(exhausted_calls_make_one_notice_in_ten_minutes_with_their_number),
        TOLD(many_webhooks_at_once_make_a_hundred_notices_a_minute_and_a_number),
        TOLD(a_backlog_is_told_once_and_cleared_at_half),
        TOLD(a_call_that_is_due_for_too_long_is_told_and_cleared),
        TOLD(a_disk_without_room_is_told_while_it_has_none),
        TOLD(the_end_of_a_trial_is_told_once),
        TOLD(what_is_not_taken_is_told_again_on_the_schedule),
        TOLD(after_nine_attempts_a_notice_is_kept_and_not_sent_any_more),
        TOLD(a_crash_does_not_forget_what_was_to_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
