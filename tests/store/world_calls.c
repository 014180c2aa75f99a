#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "world.h"

static void
copy_text(char out[32], struct slice text)
{
    snprintf(out, 32, "%.*s", (int)text.n, text.n ? text.p : "");
}

static void
see_call(struct seen_call *seen, const struct call_record *call)
{
    seen->record = *call;
    copy_text(seen->subscription, call->subscription);
    copy_text(seen->held_reason, call->held_reason);
    copy_text(seen->last_reason, call->last.reason);
    copy_text(seen->notification, call->notification);
    seen->has_response = call->last.response.n > 0;
}

static void
see_event(struct seen_event *seen, const struct event_record *event)
{
    seen->key = event->key;
    seen->type = event->type;
    seen->created_ms = event->created_ms;
    copy_text(seen->subscription, event->subscription);
    snprintf(seen->body, sizeof(seen->body), "%.*s", (int)event->body.n, event->body.p);
}

/* ---- writes ---- */

uint64_t
append(struct world *world, uint64_t channel, enum event_type type, size_t n,
       const uint64_t *webhooks, size_t n_webhooks)
{
    struct store_event *events = xcalloc(n, sizeof(*events));
    struct store_new_call *calls = xcalloc(n * n_webhooks + 1, sizeof(*calls));
    char(*bodies)[32] = xcalloc(n, sizeof(*bodies));
    size_t c = 0;
    for (size_t i = 0; i < n; i++) {
        snprintf(bodies[i], sizeof(bodies[i]), "{\"n\":%zu}", i);
        events[i] = (struct store_event){type, SLICE("sub-1"), slice_of(bodies[i])};
        for (size_t w = 0; w < n_webhooks; w++)
            calls[c++] = (struct store_new_call){(uint32_t)i, webhooks[w]};
    }
    struct store_append op = {
        .op.kind = STORE_APPEND,
        .channel = channel,
        .config = world->config,
        .events = events,
        .n_events = n,
        .calls = calls,
        .n_calls = c,
    };
    assert_int_equal(world_run(world, &op.op), 0);
    assert_false(op.repeated);
    free(events);
    free(calls);
    free(bodies);
    return op.first_key;
}

uint64_t
append_from(struct world *world, uint64_t channel, enum event_type type,
            const char *subscription, uint64_t webhook)
{
    struct store_event event = {type, slice_of(subscription), SLICE("{}")};
    struct store_new_call call = {0, webhook};
    struct store_append op = {
        .op.kind = STORE_APPEND,
        .channel = channel,
        .config = world->config,
        .events = &event,
        .n_events = 1,
        .calls = &call,
        .n_calls = 1,
    };
    assert_int_equal(world_run(world, &op.op), 0);
    return op.first_key;
}

struct store_result
result_of(uint64_t event, uint64_t webhook, uint32_t n, enum call_state state,
          msec_t due_ms)
{
    bool ok = state == CALL_SUCCEEDED;
    return (struct store_result){
        .event = event,
        .webhook = webhook,
        .lease = 1,
        .attempt = {.n = n,
                    .at_ms = START_MS + n,
                    .duration_us = 1500 + n,
                    .timings = {-1, 100 + n, -1, 0, n > 1},
                    .verdict = ok ? VERDICT_OK : VERDICT_TEMPORARY,
                    .status = ok ? 200 : 503,
                    .reason = ok ? SLICE("") : SLICE("status 503"),
                    .response = ok ? SLICE("fine") : SLICE("try\0again")},
        .state = state,
        .tries = n,
        .due_ms = due_ms,
        .was_due_ms = event_key_ms(event),
        .failing_since_ms = MSEC_NEVER,
    };
}

/* What a call was made due for last, as far as it was by these helpers. */
static struct world_due *
due_of(struct world *world, uint64_t event, uint64_t webhook)
{
    for (size_t i = 0; i < world->n_dues; i++)
        if (world->dues[i].event == event && world->dues[i].webhook == webhook)
            return &world->dues[i];
    assert_true(world->n_dues < ARRAY_LEN(world->dues));
    struct world_due *due = &world->dues[world->n_dues++];
    *due = (struct world_due){event, webhook, event_key_ms(event)};
    return due;
}

void
settle(struct world *world, uint64_t event, uint64_t webhook, uint32_t n,
       enum call_state state, msec_t due_ms)
{
    struct store_result result = result_of(event, webhook, n, state, due_ms);
    struct world_due *due = due_of(world, event, webhook);
    result.was_due_ms = due->due_ms;
    due->due_ms = due_ms;
    struct store_settle op = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    assert_int_equal(world_run(world, &op.op), 0);
    assert_false(result.lost);
}

int
retry(struct world *world, uint64_t channel, uint64_t event, uint64_t webhook,
      msec_t due_ms)
{
    struct store_retry op = {
        .op.kind = STORE_RETRY,
        .channel = channel,
        .event = event,
        .webhook = webhook,
        .due_ms = due_ms,
    };
    int rc = world_run(world, &op.op);
    if (rc == 0)
        due_of(world, event, webhook)->due_ms = due_ms;
    return rc;
}

/* ---- due ---- */

static bool
take_due(struct store_due *due, const struct store_due_call *call)
{
    struct due_list *list = container_of(due, struct due_list, due);
    if (list->n == list->refuse_at)
        return false;
    list->events[list->n] = call->event;
    list->due_ms[list->n] = call->due_ms;
    list->attempts[list->n] = call->attempts;
    list->tries[list->n] = call->tries;
    list->types[list->n] = call->type;
    snprintf(list->body, sizeof(list->body), "%.*s", (int)call->body.n, call->body.p);
    list->n++;
    return true;
}

void
read_due(struct world *world, struct due_list *list, uint64_t webhook,
         struct due_at from, msec_t until_ms, size_t max)
{
    list->n = 0;
    list->due = (struct store_due){
        .op.kind = STORE_DUE,
        .webhook = webhook,
        .from = from,
        .until_ms = until_ms,
        .each = take_due,
        .max_calls = max,
    };
    assert_int_equal(world_run(world, &list->due.op), 0);
}

/* ---- lists ---- */

static void
take_call(struct store_calls *store, const struct call_record *call)
{
    struct call_list *list = container_of(store, struct call_list, list);
    see_call(&list->calls[list->n++], call);
}

void
calls_of(struct call_list *list, uint64_t channel)
{
    list->n = 0;
    list->list = (struct store_calls){
        .op.kind = STORE_CALLS,
        .channel = channel,
        .states = ALL_STATES,
        .types = EVENT_ALL_TYPES,
        .before = {UINT64_MAX, UINT64_MAX},
        .limit = MANY,
        .each = take_call,
    };
}

int
list_calls(struct world *world, struct call_list *list)
{
    return world_run(world, &list->list.op);
}

void
list_all_calls(struct world *world, struct call_list *list, size_t page)
{
    size_t pages = 0;
    list->list.limit = page;
    do {
        size_t before = list->n;
        assert_int_equal(list_calls(world, list), 0);
        assert_true(list->n - before <= page);
        assert_true(++pages < 10 * MANY);
        list->list.before = list->list.next;
    } while (list->list.next.event);
}

static void
take_event(struct store_events *store, const struct event_record *event)
{
    struct event_list *list = container_of(store, struct event_list, list);
    see_event(&list->events[list->n++], event);
}

void
events_of(struct event_list *list, uint64_t channel)
{
    list->n = 0;
    list->list = (struct store_events){
        .op.kind = STORE_EVENTS,
        .channel = channel,
        .types = EVENT_ALL_TYPES,
        .before_key = UINT64_MAX,
        .limit = MANY,
        .each = take_event,
    };
}

int
list_events(struct world *world, struct event_list *list)
{
    return world_run(world, &list->list.op);
}

void
list_all_events(struct world *world, struct event_list *list, size_t page)
{
    size_t pages = 0;
    list->list.limit = page;
    do {
        size_t before = list->n;
        assert_int_equal(list_events(world, list), 0);
        assert_true(list->n - before <= page);
        assert_true(++pages < 10 * MANY);
        list->list.before_key = list->list.next_key;
    } while (list->list.next_key);
}

/* ---- one of them ---- */

static void
look_call(struct store_call_read *read, const struct call_record *call)
{
    see_call(&container_of(read, struct call_look, read)->call, call);
}

static void
look_attempt(struct store_call_read *read, const struct attempt_record *attempt)
{
    struct call_look *look = container_of(read, struct call_look, read);
    look->attempts[look->n_attempts] = *attempt;
    copy_text(look->reasons[look->n_attempts], attempt->reason);
    copy_text(look->responses[look->n_attempts], attempt->response);
    look->n_attempts++;
}

int
look_at_call(struct world *world, struct call_look *look, uint64_t channel,
             uint64_t event, uint64_t webhook)
{
    *look = (struct call_look){.read = {
                                   .op.kind = STORE_CALL,
                                   .channel = channel,
                                   .event = event,
                                   .webhook = webhook,
                                   .call = look_call,
                                   .attempt = look_attempt,
                               }};
    return world_run(world, &look->read.op);
}

enum call_state
state_of(struct world *world, uint64_t channel, uint64_t event, uint64_t webhook)
{
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, channel, event, webhook), 0);
    return look.call.record.state;
}

static void
look_event(struct store_event_read *read, const struct event_record *event)
{
    see_event(&container_of(read, struct event_look, read)->event, event);
}

static void
look_event_call(struct store_event_read *read, const struct call_record *call)
{
    struct event_look *look = container_of(read, struct event_look, read);
    see_call(&look->calls[look->n++], call);
}

int
look_at_event(struct world *world, struct event_look *look, uint64_t channel,
              uint64_t key)
{
    *look = (struct event_look){.read = {
                                    .op.kind = STORE_EVENT,
                                    .channel = channel,
                                    .key = key,
                                    .event = look_event,
                                    .call = look_event_call,
                                }};
    return world_run(world, &look->read.op);
}

struct store_counts
counts_of(struct world *world)
{
    struct store_counts counts = {.op.kind = STORE_COUNTS};
    assert_int_equal(world_run(world, &counts.op), 0);
    return counts;
}
