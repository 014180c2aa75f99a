/* Why a call is where it is: every answer that takes a sender to know. */
#include <string.h>

#include "fixture.h"

static void
is(uint64_t event, uint64_t webhook, enum explain_code code, const char *text)
{
    struct explain explain = sim_explain(&sim, event, webhook);
    assert_string_equal(explain_code_name(explain.code), explain_code_name(code));
    assert_non_null(strstr(explain.text, text));
}

static const struct sim_receiver silent = {.timeout_percent = 100};
static const struct sim_receiver refuses = {.ok_percent = 0};
static const struct sim_receiver answers = {.ok_percent = 100, .latency_max_ms = 100};

static void
a_call_under_way_is_in_flight_and_those_behind_it_wait_for_their_turn(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = silent;
    assert_int_equal(sim_post(&sim, 50, &event), 0);
    is(event, webhook, EXPLAIN_IN_FLIGHT, "Attempt 1 of 9 is under way.");
    is(event + 49, webhook, EXPLAIN_WAITING_FOR_TURN, "1 of the 1 attempts");
}

static void
calls_of_a_receiver_that_fails_say_so_and_since_when(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = silent;
    assert_int_equal(sim_post(&sim, 50, &event), 0);
    sim_run(&sim, MINUTE + 30 * SECOND);
    is(event, webhook, EXPLAIN_RETRY_SCHEDULED, "Attempt 1 of 9 failed: timeout");
    is(event + 49, webhook, EXPLAIN_RECEIVER_FAILING, "in a row since 2027-");
}

static void
a_call_that_failed_says_when_it_comes_again(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = refuses;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_run(&sim, SECOND);
    struct explain explain = sim_explain(&sim, event, webhook);
    assert_int_equal(explain.code, EXPLAIN_RETRY_SCHEDULED);
    assert_int_equal(explain.at_ms, sim_stored(&sim, event, webhook).due_ms);
    is(event, webhook, EXPLAIN_RETRY_SCHEDULED,
       "Attempt 1 of 9 failed with status 503; the next comes at 2027-");

    sim_run(&sim, DAY);
    is(event, webhook, EXPLAIN_FAILED,
       "All 9 attempts are used; the last one failed with status 503");
    assert_int_equal(sim_explain(&sim, event, webhook).at_ms, MSEC_NEVER);
    assert_int_equal(sim_retry(&sim, event, webhook), 0);
    sim_run(&sim, SECOND);
    is(event, webhook, EXPLAIN_RETRY_SCHEDULED,
       "Attempt 1 of 9 since it was retried by hand (10 in all) failed");
    sim.receiver = answers;
    sim_run(&sim, DAY);
    is(event, webhook, EXPLAIN_SUCCEEDED, "Attempt 11 was answered with status 200");
}

static void
a_call_behind_a_full_host_waits_for_the_host(void **state)
{
    (void)state;
    sim.host_window = 1;
    sim_crash(&sim);
    uint64_t first = sim_webhook(&sim), second = sim_webhook(&sim), event;
    sim.receiver = silent;
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    bool first_flies = sim_call(&sim, event, first) != NULL;
    is(event, first_flies ? first : second, EXPLAIN_IN_FLIGHT, "under way");
    is(event, first_flies ? second : first, EXPLAIN_HOST_BUSY, "The 1 attempts");
}

static void
what_waited_for_a_hold_to_end_is_a_backlog_that_is_paced(void **state)
{
    (void)state;
    sim.drain_rate = 1;
    sim_crash(&sim);
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = answers;
    sim_enable(&sim, webhook, false);
    assert_int_equal(sim_post(&sim, 50, &event), 0);
    is(event, webhook, EXPLAIN_WEBHOOK_DISABLED, "disabled (by request)");
    sim_run(&sim, SECOND);
    sim_enable(&sim, webhook, true);
    sim_run(&sim, 10 * SECOND);
    is(event + 49, webhook, EXPLAIN_BACKLOG_PACED, "gets 1 calls a second");
}

static void
nothing_starts_while_the_disk_is_full_and_that_is_said(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim.receiver = answers;
    assert_int_equal(sim_post(&sim, 20, &event), 0);
    store_memory_room(sim.store, DISK_FULL);
    sim_run(&sim, MINUTE);
    is(event + 19, webhook, EXPLAIN_DISK_FULL, "disk is full");
    store_memory_room(sim.store, DISK_ROOM);
    sim_settle(&sim);
    sim_run(&sim, MINUTE);
    is(event + 19, webhook, EXPLAIN_SUCCEEDED, "status 200");
}

static void
what_was_cancelled_with_its_webhook_says_so(void **state)
{
    (void)state;
    uint64_t webhook = sim_webhook(&sim), event;
    sim_enable(&sim, webhook, false);
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    sim_delete(&sim, webhook);
    is(event, webhook, EXPLAIN_CANCELLED, "its webhook is deleted");
}

/* ---- one event ---- */

struct look {
    struct engine_event read;
    uint64_t webhooks[8];
    enum explain_code codes[8];
    size_t n, n_calls;
    bool done;
};

static void
look_event(struct engine_event *read, const struct event_record *event)
{
    (void)read;
    (void)event;
}

static void
look_call(struct engine_event *read, const struct call_record *call,
          const struct explain *explain)
{
    struct look *look = container_of(read, struct look, read);
    assert_int_equal(look->n, look->n_calls);
    assert_int_equal(call->attempts, 0);
    look->webhooks[look->n] = call->webhook;
    look->codes[look->n++] = explain->code;
    look->n_calls++;
}

static void
look_webhook(struct engine_event *read, const struct webhook *webhook,
             const struct explain *explain)
{
    struct look *look = container_of(read, struct look, read);
    look->webhooks[look->n] = webhook->number;
    look->codes[look->n++] = explain->code;
}

static void
look_done(struct engine_event *read)
{
    container_of(read, struct look, read)->done = true;
}

static void
an_event_shows_each_webhook_with_a_call_or_why_it_has_none(void **state)
{
    (void)state;
    uint64_t held = sim_webhook(&sim), flies = sim_webhook(&sim), event;
    sim.receiver = silent;
    sim_enable(&sim, held, false);
    assert_int_equal(sim_post(&sim, 1, &event), 0);
    uint64_t later = sim_webhook(&sim), latest = sim_webhook(&sim);
    struct look look = {.read = {.channel = sim.channel->number,
                                 .key = event,
                                 .event = look_event,
                                 .call = look_call,
                                 .webhook = look_webhook,
                                 .done = look_done}};
    engine_event(sim.engine, &look.read);
    sim_await(&sim, &look.done);
    assert_int_equal(look.read.result, 0);
    assert_false(look.read.more);
    assert_int_equal(look.n_calls, 2);
    assert_int_equal(look.n, 4);
    assert_int_equal(look.webhooks[0], held);
    assert_int_equal(look.codes[0], EXPLAIN_WEBHOOK_DISABLED);
    assert_int_equal(look.webhooks[1], flies);
    assert_int_equal(look.codes[1], EXPLAIN_IN_FLIGHT);
    assert_int_equal(look.webhooks[2], later);
    assert_int_equal(look.webhooks[3], latest);
    assert_int_equal(look.codes[3], EXPLAIN_NONE); /* its time is not told here */

    look.done = false;
    look.read.key = event + 1;
    engine_event(sim.engine, &look.read);
    sim_await(&sim, &look.done);
    assert_int_equal(look.read.result, E_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(a_call_under_way_is_in_flight_and_those_behind_it_wait_for_their_turn),
        SIM_TEST(calls_of_a_receiver_that_fails_say_so_and_since_when),
        SIM_TEST(a_call_that_failed_says_when_it_comes_again),
        SIM_TEST(a_call_behind_a_full_host_waits_for_the_host),
        SIM_TEST(what_waited_for_a_hold_to_end_is_a_backlog_that_is_paced),
        SIM_TEST(nothing_starts_while_the_disk_is_full_and_that_is_said),
        SIM_TEST(what_was_cancelled_with_its_webhook_says_so),
        SIM_TEST(an_event_shows_each_webhook_with_a_call_or_why_it_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
