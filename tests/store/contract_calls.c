#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"

/* ---- append ---- */

static void
an_append_is_there_after_a_reopen(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t first = append(world, shop, EVENT_DELIVERY, 3, hooks, 2);
    assert_int_equal(event_key_ms(first), START_MS);

    world_reopen(world);
    struct event_look look;
    for (uint64_t key = first; key < first + 3; key++) {
        char body[32];
        snprintf(body, sizeof(body), "{\"n\":%d}", (int)(key - first));
        assert_int_equal(look_at_event(world, &look, shop, key), 0);
        assert_int_equal(look.event.key, key);
        assert_int_equal(look.event.type, EVENT_DELIVERY);
        assert_int_equal(look.event.created_ms, START_MS);
        assert_string_equal(look.event.subscription, "sub-1");
        assert_string_equal(look.event.body, body);
        assert_int_equal(look.n, 2);
        for (size_t i = 0; i < 2; i++) {
            const struct call_record *call = &look.calls[i].record;
            assert_int_equal(call->webhook, hooks[i]);
            assert_int_equal(call->event, key);
            assert_int_equal(call->state, CALL_WAITING);
            assert_int_equal(call->due_ms, START_MS);
            assert_int_equal(call->attempts, 0);
        }
    }
    assert_int_equal(look_at_event(world, &look, shop, first + 3), E_NOT_FOUND);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 6);
}

static void
an_event_nobody_wants_is_kept(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t key = append(world, shop, EVENT_OPT_OUT, 1, NULL, 0);
    struct event_look look;
    assert_int_equal(look_at_event(world, &look, shop, key), 0);
    assert_int_equal(look.n, 0);
}

static void
keys_only_grow_and_follow_the_time(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t a = append(world, shop, EVENT_CLICK, 5, NULL, 0);
    uint64_t b = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(b, a + 5);
    world_advance(world, 10);
    uint64_t c = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(event_key_ms(c), START_MS + 10);
    atomic_fetch_sub(&world->time.now_us, HOUR_MS * 1000); /* the clock was wrong */
    world_reopen(world);
    uint64_t d = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(d, c + 1);
}

static int
try_append(struct world *world, struct store_append *append, uint64_t channel,
           uint64_t webhook)
{
    static const struct store_event events[2] = {
        {EVENT_CLICK, {"s", 1}, {"{}", 2}},
        {EVENT_CLICK, {"s", 1}, {"{}", 2}},
    };
    static struct store_new_call call;
    call = (struct store_new_call){1, webhook};
    append->op.kind = STORE_APPEND;
    append->channel = channel;
    append->config = world->config;
    append->events = events;
    append->n_events = 2;
    append->calls = &call;
    append->n_calls = webhook ? 1 : 0;
    return world_run(world, &append->op);
}

static void
an_append_that_is_refused_leaves_nothing(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    uint64_t hook = put_webhook(world, two), gone = put_webhook(world, one);
    struct store_append append = {0};
    change_webhook(world, one, gone, DELETE);
    assert_int_equal(try_append(world, &append, 77, 0), E_NOT_FOUND);
    assert_int_equal(try_append(world, &append, one, hook), E_NOT_FOUND);
    assert_int_equal(try_append(world, &append, one, gone), E_NOT_FOUND);
    assert_int_equal(try_append(world, &append, one, 77), E_NOT_FOUND);
    delete_channel(world, two, "two");
    assert_int_equal(try_append(world, &append, two, 0), E_NOT_FOUND);

    struct event_list list;
    events_of(&list, one);
    assert_int_equal(list_events(world, &list), 0);
    assert_int_equal(list.n, 0);
}

static void
a_full_disk_takes_no_event(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    struct store_append op = {.idempotency_key = SLICE("once")};
    world->backend->fill_disk(world);
    assert_int_equal(try_append(world, &op, shop, hook), E_FULL);
    assert_non_null(op.op.why);
    struct store_result result = result_of(key, hook, 1, CALL_SUCCEEDED, 0);
    struct store_settle late = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    world->backend->fill_disk(world);
    assert_int_equal(world_run(world, &late.op), E_FULL);

    struct event_list list;
    events_of(&list, shop);
    assert_int_equal(list_events(world, &list), 0);
    assert_int_equal(list.n, 1);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 1);
    assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);

    assert_int_equal(try_append(world, &op, shop, hook), 0);
    assert_false(op.repeated);
    assert_int_equal(world_run(world, &late.op), 0);
    assert_false(result.lost);
    world_reopen(world);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 1);
    assert_int_equal(counts_of(world).calls[CALL_SUCCEEDED], 1);
    assert_int_equal(world->broken, 0);
}

static void
a_retry_by_hand_during_an_attempt_outlives_its_failure(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    static const enum call_state ends[] = {CALL_WAITING, CALL_FAILED, CALL_SUCCEEDED};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
        struct store_result result =
            result_of(key, hook, 1, ends[i], START_MS + 120000);
        result.tries = 9;
        assert_int_equal(retry(world, shop, key, hook, START_MS + 1234), 0);
        struct store_settle op = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
        assert_int_equal(world_run(world, &op.op), 0);
        if (ends[i] == CALL_SUCCEEDED) {
            assert_int_equal(state_of(world, shop, key, hook), CALL_SUCCEEDED);
            continue;
        }
        assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
        assert_int_equal(result.state, CALL_WAITING);
        assert_int_equal(result.due_ms, START_MS + 1234);
        assert_int_equal(result.tries, ends[i] == CALL_FAILED ? 0 : 9);
    }
}

/* ---- idempotency ---- */

static struct store_append
once(const char *key, uint8_t hash)
{
    struct store_append append = {.idempotency_key = slice_of(key)};
    memset(append.body_hash, hash, sizeof(append.body_hash));
    return append;
}

static void
the_same_key_and_body_is_one_request(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct store_append a = once("k", 1), b = once("k", 1), c = once("k", 2);
    struct store_append d = once("l", 1), e = once("k", 2);
    assert_int_equal(try_append(world, &a, shop, hook), 0);
    assert_false(a.repeated);
    world_reopen(world);
    world_advance(world, STORE_IDEMPOTENCY_MS - 1);
    assert_int_equal(try_append(world, &b, shop, hook), 0);
    assert_true(b.repeated);
    assert_int_equal(b.first_key, a.first_key);
    assert_int_equal(try_append(world, &c, shop, hook), E_CONFLICT);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 1);

    assert_int_equal(try_append(world, &d, shop, hook), 0);
    assert_false(d.repeated);
    uint64_t other = put_channel(world, "other");
    assert_int_equal(try_append(world, &e, other, 0), 0);
    assert_false(e.repeated);
}

static void
an_idempotency_key_is_forgotten_after_a_day(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct store_append a = once("k", 1), b = once("k", 2), c = once("k", 2);
    assert_int_equal(try_append(world, &a, shop, 0), 0);
    world_advance(world, STORE_IDEMPOTENCY_MS);
    assert_int_equal(try_append(world, &b, shop, 0), 0);
    assert_false(b.repeated);
    assert_true(b.first_key > a.first_key);
    assert_int_equal(try_append(world, &c, shop, 0), 0);
    assert_true(c.repeated);
    assert_int_equal(c.first_key, b.first_key);
}

static void
a_repeat_needs_no_fresh_configuration(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct store_append a = once("k", 1);
    assert_int_equal(try_append(world, &a, shop, 0), 0);
    uint64_t first = a.first_key, old = world->config;
    put_webhook(world, shop);
    a.config = old;
    assert_int_equal(world_run(world, &a.op), 0);
    assert_true(a.repeated);
    assert_int_equal(a.first_key, first);
}

static void
parallel_repeats_make_one_event(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    static const struct store_event event = {EVENT_CLICK, {"s", 1}, {"{}", 2}};
    struct store_append ops[50];
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        ops[i] = once("k", 1);
        ops[i].op.kind = STORE_APPEND;
        ops[i].channel = shop;
        ops[i].config = world->config;
        ops[i].events = &event;
        ops[i].n_events = 1;
        world_submit(world, &ops[i].op);
    }
    world_wait(world, ARRAY_LEN(ops));
    size_t new = 0;
    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        assert_int_equal(ops[i].op.result, 0);
        assert_int_equal(ops[i].first_key, ops[0].first_key);
        new += !ops[i].repeated;
    }
    assert_int_equal(new, 1);
}

/* ---- settle ---- */

static void
a_result_moves_its_call_and_is_recorded(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_WAITING, START_MS + 2 * MINUTE_MS);
    settle(world, key, hook, 2, CALL_WAITING, START_MS + 6 * MINUTE_MS);

    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    read_due(world, due, hook, DUE_AT_START, START_MS + HOUR_MS, 10);
    assert_int_equal(due->n, 1);
    assert_int_equal(due->due_ms[0], START_MS + 6 * MINUTE_MS);
    assert_int_equal(due->attempts[0], 2);
    assert_int_equal(due->tries[0], 2);
    assert_int_equal(due->types[0], EVENT_CLICK);
    assert_string_equal(due->body, "{\"n\":0}");

    settle(world, key, hook, 3, CALL_SUCCEEDED, 0);
    read_due(world, due, hook, DUE_AT_START, MSEC_NEVER, 10);
    assert_int_equal(due->n, 0);
    free(due);

    world_reopen(world);
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, shop, key, hook), 0);
    assert_int_equal(look.call.record.state, CALL_SUCCEEDED);
    assert_int_equal(look.call.record.attempts, 3);
    assert_int_equal(look.call.record.last.n, 3);
    assert_int_equal(look.call.record.last.status, 200);
    assert_false(look.call.has_response);
    assert_int_equal(look.n_attempts, 3);
    for (uint32_t n = 1; n <= 3; n++) {
        const struct attempt_record *attempt = &look.attempts[n - 1];
        assert_int_equal(attempt->n, n);
        assert_int_equal(attempt->at_ms, START_MS + n);
        assert_int_equal(attempt->duration_us, 1500 + n);
        assert_int_equal(attempt->timings.dns_us, -1);
        assert_int_equal(attempt->timings.connect_us, 100 + n);
        assert_int_equal(attempt->timings.tls_us, -1);
        assert_int_equal(attempt->timings.first_byte_us, 0);
        assert_int_equal(attempt->timings.reused, n > 1);
        assert_int_equal(attempt->verdict, n < 3 ? VERDICT_TEMPORARY : VERDICT_OK);
        assert_int_equal(attempt->status, n < 3 ? 503 : 200);
        assert_int_equal(attempt->response.n, n < 3 ? 9 : 4);
        assert_string_equal(look.reasons[n - 1], n < 3 ? "status 503" : "");
        assert_string_equal(look.responses[n - 1], n < 3 ? "try" : "fine");
    }
}

static void
a_result_that_comes_late_is_recorded_and_moves_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    settle(world, key, hook, 1, CALL_FAILED, 0); /* its number is taken as well */

    struct call_look look;
    assert_int_equal(look_at_call(world, &look, shop, key, hook), 0);
    assert_int_equal(look.call.record.state, CALL_SUCCEEDED);
    assert_int_equal(look.n_attempts, 2);
    assert_int_equal(look.attempts[1].n, 2);
    assert_int_equal(look.call.record.attempts, 2);
    assert_int_equal(look.call.record.last.status, 503);
    assert_int_equal(counts_of(world).calls[CALL_SUCCEEDED], 1);
    assert_int_equal(counts_of(world).calls[CALL_FAILED], 0);
}

static void
a_result_under_another_lease_is_lost(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    struct store_result results[] = {
        result_of(key, hook, 1, CALL_SUCCEEDED, 0),
        result_of(key + 1, hook, 1, CALL_SUCCEEDED, 0),
        result_of(key + 7, hook, 1, CALL_SUCCEEDED, 0),
        result_of(key, hook + 7, 1, CALL_SUCCEEDED, 0),
    };
    results[0].lease = 2;
    struct store_settle op = {.op.kind = STORE_SETTLE, .results = results, .n = 4};
    assert_int_equal(world_run(world, &op.op), 0);
    assert_true(results[0].lost);
    assert_false(results[1].lost);
    assert_true(results[2].lost);
    assert_true(results[3].lost);
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, shop, key, hook), 0);
    assert_int_equal(look.n_attempts, 0);
    assert_int_equal(look.call.record.state, CALL_WAITING);
}

/* ---- retry by hand ---- */

static msec_t
failing_since_after_reopening(struct world *world)
{
    world_reopen(world);
    assert_int_equal(world->n_webhooks, 1);
    return webhook_failing_since(world->webhooks[0]);
}

static void
settle_failing(struct world *world, uint64_t key, uint64_t hook, msec_t since_ms)
{
    struct store_result result = result_of(key, hook, 1, CALL_FAILED, 0);
    struct store_settle op = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    result.failing_since_ms = since_ms;
    assert_int_equal(world_run(world, &op.op), 0);
}

static void
since_when_a_webhook_fails_outlives_the_program_until_it_succeeds_or_is_put(
    void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 5, &hook, 1);
    assert_int_equal(failing_since_after_reopening(world), MSEC_NEVER);
    settle_failing(world, key, hook, START_MS + 7);
    assert_int_equal(failing_since_after_reopening(world), START_MS + 7);
    settle_failing(world, key + 1, hook, START_MS + 7);
    assert_int_equal(failing_since_after_reopening(world), START_MS + 7);
    settle_failing(world, key + 2, hook, MSEC_NEVER);
    assert_int_equal(failing_since_after_reopening(world), MSEC_NEVER);

    settle_failing(world, key + 3, hook, START_MS + 9);
    change_webhook(world, shop, hook, DISABLE);
    assert_int_equal(failing_since_after_reopening(world), START_MS + 9);
    change_webhook(world, shop, hook, ENABLE);
    assert_int_equal(failing_since_after_reopening(world), MSEC_NEVER);
}

static void
a_retry_by_hand_starts_a_new_round(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 3, &hook, 1);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    settle(world, key + 1, hook, 1, CALL_FAILED, 0);
    settle(world, key + 2, hook, 1, CALL_WAITING, START_MS + HOUR_MS);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(retry(world, shop, key + i, hook, START_MS + 5), 0);

    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    read_due(world, due, hook, DUE_AT_START, START_MS + 5, 10);
    assert_int_equal(due->n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(due->events[i], key + i);
        assert_int_equal(due->due_ms[i], START_MS + 5);
        assert_int_equal(due->attempts[i], 1);
        assert_int_equal(due->tries[i], i == 2 ? 1 : 0); /* waiting: the same round */
    }
    free(due);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 3);
    settle(world, key, hook, 2, CALL_SUCCEEDED, 0);
    assert_int_equal(state_of(world, shop, key, hook), CALL_SUCCEEDED);
}

static void
what_is_not_there_or_cancelled_is_not_retried(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), other = put_channel(world, "other");
    uint64_t hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    settle(world, key + 1, hook, 1, CALL_FAILED, 0);
    assert_int_equal(retry(world, other, key, hook, START_MS), E_NOT_FOUND);
    assert_int_equal(retry(world, 77, key, hook, START_MS), E_NOT_FOUND);
    assert_int_equal(retry(world, shop, key + 7, hook, START_MS), E_NOT_FOUND);
    assert_int_equal(retry(world, shop, key, hook + 7, START_MS), E_NOT_FOUND);
    change_webhook(world, shop, hook, DELETE);
    assert_int_equal(retry(world, shop, key, hook, START_MS), E_CONFLICT);
    assert_int_equal(retry(world, shop, key + 1, hook, START_MS), E_CONFLICT);
    world_reopen(world);
    assert_int_equal(retry(world, shop, key, hook, START_MS), E_CONFLICT);
    assert_int_equal(state_of(world, shop, key + 1, hook), CALL_FAILED);
}

/* ---- disabled and deleted ---- */

static void
calls_of_a_disabled_webhook_are_held(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    change_webhook(world, shop, hook, DISABLE);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);

    world_reopen(world);
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, shop, key + 1, hook), 0);
    assert_int_equal(look.call.record.state, CALL_HELD);
    assert_string_equal(look.call.held_reason, "by request");
    assert_int_equal(look.call.record.due_ms, START_MS);
    assert_int_equal(state_of(world, shop, key, hook), CALL_SUCCEEDED);
    struct store_counts counts = counts_of(world);
    assert_int_equal(counts.calls[CALL_HELD], 2);
    assert_int_equal(counts.calls[CALL_WAITING], 0);
    assert_int_equal(counts.calls[CALL_SUCCEEDED], 1);

    change_webhook(world, shop, hook, ENABLE);
    assert_int_equal(state_of(world, shop, key + 1, hook), CALL_WAITING);
    counts = counts_of(world);
    assert_int_equal(counts.calls[CALL_HELD], 0);
    assert_int_equal(counts.calls[CALL_WAITING], 2);
}

static void
calls_of_a_deleted_webhook_are_cancelled_at_once(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t key = append(world, shop, EVENT_CLICK, 1500, hooks, 2);
    settle(world, key, hooks[0], 1, CALL_SUCCEEDED, 0);
    settle(world, key + 1, hooks[0], 1, CALL_FAILED, 0);
    change_webhook(world, shop, hooks[0], DELETE);
    settle(world, key + 2, hooks[0], 1, CALL_SUCCEEDED, 0); /* was in flight */

    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    for (int round = 0; round < 2; round++) {
        struct store_counts counts = counts_of(world);
        assert_int_equal(counts.calls[CALL_CANCELLED], 1498);
        assert_int_equal(counts.calls[CALL_WAITING], 1500);
        assert_int_equal(counts.calls[CALL_SUCCEEDED], 1);
        assert_int_equal(counts.calls[CALL_FAILED], 1);
        assert_int_equal(state_of(world, shop, key, hooks[0]), CALL_SUCCEEDED);
        assert_int_equal(state_of(world, shop, key + 1, hooks[0]), CALL_FAILED);
        struct call_look look;
        assert_int_equal(look_at_call(world, &look, shop, key + 2, hooks[0]), 0);
        assert_int_equal(look.call.record.state, CALL_CANCELLED);
        assert_int_equal(look.n_attempts, 1);
        assert_int_equal(state_of(world, shop, key + 1499, hooks[0]), CALL_CANCELLED);
        assert_int_equal(state_of(world, shop, key + 1499, hooks[1]), CALL_WAITING);
        read_due(world, due, hooks[0], DUE_AT_START, MSEC_NEVER, 10);
        assert_int_equal(due->n, 0);
        assert_int_equal(due->due.next.due_ms, MSEC_NEVER);
        world_reopen(world);
    }
    free(due);
}

static void
a_deleted_channel_cancels_and_is_seen_no_more(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 3, &hook, 1);
    delete_channel(world, shop, "shop");
    assert_int_equal(counts_of(world).calls[CALL_CANCELLED], 3);
    struct event_look event;
    struct call_look call;
    assert_int_equal(look_at_event(world, &event, shop, key), E_NOT_FOUND);
    assert_int_equal(look_at_call(world, &call, shop, key, hook), E_NOT_FOUND);
    assert_int_equal(retry(world, shop, key, hook, START_MS), E_NOT_FOUND);
    struct call_list *calls = xcalloc(1, sizeof(*calls));
    calls_of(calls, shop);
    assert_int_equal(list_calls(world, calls), E_NOT_FOUND);
    free(calls);
}

static const struct CMUnitTest tests[] = {
    TEST(an_append_is_there_after_a_reopen),
    TEST(an_event_nobody_wants_is_kept),
    TEST(keys_only_grow_and_follow_the_time),
    TEST(an_append_that_is_refused_leaves_nothing),
    TEST(a_full_disk_takes_no_event),
    TEST(a_retry_by_hand_during_an_attempt_outlives_its_failure),
    TEST(the_same_key_and_body_is_one_request),
    TEST(an_idempotency_key_is_forgotten_after_a_day),
    TEST(a_repeat_needs_no_fresh_configuration),
    TEST(parallel_repeats_make_one_event),
    TEST(a_result_moves_its_call_and_is_recorded),
    TEST(a_result_that_comes_late_is_recorded_and_moves_nothing),
    TEST(a_result_under_another_lease_is_lost),
    TEST(since_when_a_webhook_fails_outlives_the_program_until_it_succeeds_or_is_put),
    TEST(a_retry_by_hand_starts_a_new_round),
    TEST(what_is_not_there_or_cancelled_is_not_retried),
    TEST(calls_of_a_disabled_webhook_are_held),
    TEST(calls_of_a_deleted_webhook_are_cancelled_at_once),
    TEST(a_deleted_channel_cancels_and_is_seen_no_more),
};

const struct contract_part contract_calls = {tests, ARRAY_LEN(tests)};
