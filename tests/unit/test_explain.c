/* Why a call is where it is: every code, and what the sentences say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/explain.h"

#define NOW_MS INT64_C(1800000000000)

static struct webhook *webhook;

static int
setup(void **state)
{
    (void)state;
    webhook = webhook_new();
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    webhook_unref(webhook);
    return 0;
}

static struct call_record
call_in(enum call_state state)
{
    return (struct call_record){
        .event = event_key_at(NOW_MS - 5000),
        .webhook = 1,
        .state = state,
        .attempts = 3,
        .tries = 3,
        .due_ms = NOW_MS - 1000,
        .held_reason = SLICE("410 Gone"),
        .last = {.n = 3,
                 .duration_us = 12400,
                 .status = state == CALL_SUCCEEDED ? 204 : 0,
                 .reason = SLICE("connection refused")},
    };
}

static void
is(enum call_state state, struct explain_lane lane, enum explain_code code,
   const char *text)
{
    struct call_record call = call_in(state);
    struct explain explain;
    explain_call(&explain, &call, webhook, &lane, NOW_MS);
    assert_string_equal(explain_code_name(explain.code), explain_code_name(code));
    assert_string_equal(explain.text, text);
    assert_int_equal(explain.at_ms, MSEC_NEVER);
}

/* Whatever holds it up first is what is told. */
static void
what_is_due_says_what_it_waits_for(void **state)
{
    (void)state;
    struct explain_lane lane = {.known = true,
                                .in_flight = true,
                                .disk_full = true,
                                .failing = true,
                                .host_full = true,
                                .paced = true,
                                .rate = 50,
                                .failures = 7,
                                .failing_since_ms = NOW_MS - 60000,
                                .flying = 3,
                                .window = 4,
                                .host_window = 512,
                                .ready = 17};
    is(CALL_WAITING, lane, EXPLAIN_IN_FLIGHT, "Attempt 4 of 9 is under way.");
    lane.in_flight = false;
    is(CALL_WAITING, lane, EXPLAIN_DISK_FULL,
       "The server's disk is full: no attempt is started until there is room to record "
       "how it ends.");
    lane.disk_full = false;
    is(CALL_WAITING, lane, EXPLAIN_RECEIVER_FAILING,
       "Its receiver has failed 7 times in a row since 2027-01-15T07:59:00.000Z: until "
       "it answers, its calls are tried 4 at a time.");
    lane.failing = false;
    lane.gone = true;
    is(CALL_WAITING, lane, EXPLAIN_RECEIVER_FAILING,
       "Its receiver has answered 410 Gone: the webhook is being disabled.");
    lane.gone = false;
    is(CALL_WAITING, lane, EXPLAIN_HOST_BUSY,
       "The 512 attempts that may be under way to its host at a time are: the webhook "
       "stands in line for the next one.");
    lane.host_full = false;
    is(CALL_WAITING, lane, EXPLAIN_BACKLOG_PACED,
       "It is part of a backlog, of which its webhook gets 50 calls a second at most; "
       "new events go past it.");
    lane.paced = false;
    is(CALL_WAITING, lane, EXPLAIN_WAITING_FOR_TURN,
       "It is due and waits for its turn: 3 of the 4 attempts that its webhook may "
       "have "
       "at a time are under way, and 17 of its calls are ready.");
    is(CALL_WAITING, (struct explain_lane){0}, EXPLAIN_WAITING_FOR_TURN,
       "It is due and waits for its turn.");
}

static void
what_is_not_due_says_when_and_why(void **state)
{
    (void)state;
    struct call_record call = call_in(CALL_WAITING);
    struct explain_lane lane = {.known = true, .failing = true};
    struct explain explain;
    call.due_ms = NOW_MS + 60000;
    explain_call(&explain, &call, webhook, &lane, NOW_MS);
    assert_int_equal(explain.code, EXPLAIN_RETRY_SCHEDULED);
    assert_int_equal(explain.at_ms, NOW_MS + 60000);
    assert_string_equal(explain.text,
                        "Attempt 3 of 9 failed: connection refused; the next comes at "
                        "2027-01-15T08:01:00.000Z.");
    call.last.status = 503;
    webhook->retry.max_retries = 1; /* fewer than there were already */
    explain_call(&explain, &call, webhook, &lane, NOW_MS);
    assert_string_equal(explain.text,
                        "Attempt 3 failed with status 503; the next comes "
                        "at 2027-01-15T08:01:00.000Z.");
    call.tries = 0;
    explain_call(&explain, &call, NULL, &lane, NOW_MS);
    assert_string_equal(explain.text,
                        "The next attempt comes at 2027-01-15T08:01:00.000Z.");
}

static void
what_is_held_or_has_ended_says_so(void **state)
{
    (void)state;
    const struct explain_lane none = {0};
    is(CALL_HELD, none, EXPLAIN_WEBHOOK_DISABLED,
       "Its webhook is disabled (410 Gone): it is held until somebody enables that.");
    is(CALL_SUCCEEDED, none, EXPLAIN_SUCCEEDED,
       "Attempt 3 was answered with status 204 after 12 ms.");
    is(CALL_FAILED, none, EXPLAIN_FAILED,
       "All 3 attempts are used; the last one failed: connection refused.");
    is(CALL_CANCELLED, none, EXPLAIN_CANCELLED, "It was cancelled by hand.");

    struct call_record call = call_in(CALL_HELD);
    struct explain explain;
    call.held_reason = SLICE("the channel's trial ended on 2027-01-01T00:00:00.000Z");
    explain_call(&explain, &call, webhook, &none, NOW_MS);
    assert_string_equal(explain_code_name(explain.code), "trialEnded");
    assert_string_equal(
        explain.text,
        "It is held: the channel's trial ended on 2027-01-01T00:00:00.000Z.");
    call = call_in(CALL_CANCELLED);
    explain_call(&explain, &call, NULL, &none, NOW_MS);
    assert_string_equal(explain.text, "It was cancelled: its webhook is deleted.");
    call = call_in(CALL_FAILED);
    call.tries = 1;
    explain_call(&explain, &call, webhook, &none, NOW_MS);
    assert_string_equal(explain.text, "Its only attempt failed: connection refused.");
}

static void
an_event_without_a_call_says_why(void **state)
{
    (void)state;
    struct event_record event = {.key = event_key_at(NOW_MS),
                                 .type = EVENT_CLICK,
                                 .created_ms = NOW_MS,
                                 .subscription = SLICE(EVENT_SAMPLE_SUBSCRIPTION)};
    struct explain explain;
    webhook->created_ms = NOW_MS + 1;
    explain_no_call(&explain, &event, webhook);
    assert_string_equal(explain_code_name(explain.code), "webhookNewer");
    assert_string_equal(
        explain.text,
        "The webhook was made at 2027-01-15T08:00:00.001Z, after the event had come.");
    webhook->created_ms = NOW_MS - 1;
    webhook->types = 1u << EVENT_OPT_IN | 1u << EVENT_DELIVERY;
    explain_no_call(&explain, &event, webhook);
    assert_string_equal(explain_code_name(explain.code), "filteredOut");
    assert_string_equal(
        explain.text,
        "The webhook does not want events of type click, only optIn, delivery.");
    webhook->types = EVENT_ALL_TYPES;
    explain_no_call(&explain, &event, webhook);
    assert_string_equal(explain_code_name(explain.code), "testOnly");
    event.subscription = SLICE("S");
    explain_no_call(&explain, &event, webhook);
    assert_string_equal(explain_code_name(explain.code), "none");
    assert_true(strlen(explain.text) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_due_says_what_it_waits_for),
        TEST(what_is_not_due_says_when_and_why),
        TEST(what_is_held_or_has_ended_says_so),
        TEST(an_event_without_a_call_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
