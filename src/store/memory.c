/*
 * The store in memory: the contract in its shortest form, and what simulations run on.
 * Nothing is indexed and nothing happens by itself.
 */
#include "store/memory_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct slice
memory_own(struct slice slice)
{
    char *p = xmalloc(slice.n + 1);
    if (slice.n)
        memcpy(p, slice.p, slice.n);
    return (struct slice){p, slice.n};
}

void
memory_disown(struct slice slice)
{
    char *p;
    memcpy(&p, &slice.p, sizeof(p)); /* ours, though slices are const */
    free(p);
}

void
memory_refuse(struct store_op *op, int result, const char *why)
{
    op->result = result;
    op->why = why;
}

/* ---- finding ---- */

struct channel *
memory_channel(const struct memory_store *m, uint64_t number)
{
    if (number == 0 || number > m->n_channels || m->channels[number - 1]->deleted)
        return NULL;
    return m->channels[number - 1];
}

struct webhook *
memory_webhook(const struct memory_store *m, uint64_t number)
{
    if (number == 0 || number > m->n_webhooks || m->webhooks[number - 1]->deleted)
        return NULL;
    return m->webhooks[number - 1];
}

struct memory_event *
memory_event(const struct memory_store *m, uint64_t key)
{
    size_t low = 0, high = m->n_events;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->events[mid]->record.key < key)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == m->n_events || m->events[low]->record.key != key)
        return NULL;
    return m->events[low];
}

struct memory_call *
memory_call(const struct memory_event *event, uint64_t webhook)
{
    for (size_t i = 0; event && i < event->n_calls; i++)
        if (event->calls[i].webhook == webhook)
            return &event->calls[i];
    return NULL;
}

/* ---- append ---- */

static bool
calls_are_right(const struct memory_store *m, const struct store_append *append)
{
    for (size_t i = 0; i < append->n_calls; i++) {
        const struct webhook *w = memory_webhook(m, append->calls[i].webhook);
        assert(append->calls[i].event < append->n_events);
        assert(i == 0 || append->calls[i - 1].event <= append->calls[i].event);
        if (!w || w->channel != append->channel)
            return false;
    }
    return true;
}

static struct memory_idempotency *
idempotency_find(const struct memory_store *m, const struct store_append *append)
{
    msec_t now = clock_steady_ms(m->clock);
    for (size_t i = 0; i < m->n_idempotency; i++) {
        struct memory_idempotency *known = &m->idempotency[i];
        if (known->channel == append->channel &&
            slice_eq(known->key, append->idempotency_key) &&
            known->at_ms + STORE_IDEMPOTENCY_MS > now)
            return known;
    }
    return NULL;
}

static void
idempotency_add(struct memory_store *m, const struct store_append *append)
{
    MEMORY_GROW(m->idempotency, m->n_idempotency);
    struct memory_idempotency *new = &m->idempotency[m->n_idempotency++];
    *new = (struct memory_idempotency){
        .channel = append->channel,
        .key = memory_own(append->idempotency_key),
        .first_key = append->first_key,
        .at_ms = clock_steady_ms(m->clock),
    };
    memcpy(new->hash, append->body_hash, SHA256_BYTES);
}

void
memory_call_add(struct memory_event *event, uint64_t webhook)
{
    MEMORY_GROW(event->calls, event->n_calls);
    size_t at = event->n_calls++;
    for (; at > 0 && event->calls[at - 1].webhook > webhook; at--)
        event->calls[at] = event->calls[at - 1];
    event->calls[at] = (struct memory_call){
        .webhook = webhook,
        .state = CALL_WAITING,
        .due_ms = event->record.created_ms,
    };
}

uint64_t
memory_append_rows(struct memory_store *m, uint64_t channel,
                   const struct store_event *events, size_t n_events,
                   const struct store_new_call *calls, size_t n_calls, size_t base)
{
    uint64_t first = event_key_at(clock_steady_ms(m->clock));
    if (first <= m->last_key || base > 0) /* an operation's keys have no gap */
        first = m->last_key + 1;
    m->last_key = first + n_events - 1;
    if (n_events)
        memory_feed_event(m, channel);
    size_t c = 0;
    memory_note_new(m, channel, 0, n_events);
    for (size_t i = 0; i < n_events; i++) {
        struct memory_event *event = xcalloc(1, sizeof(*event));
        event->channel = channel;
        event->record = (struct event_record){
            .key = first + i,
            .type = events[i].type,
            .created_ms = event_key_ms(first + i),
            .subscription = memory_own(events[i].subscription),
            .body = memory_own(events[i].body),
        };
        for (; c < n_calls && calls[c].event == base + i; c++) {
            memory_call_add(event, calls[c].webhook);
            memory_note_new(m, channel, calls[c].webhook, 1);
        }
        MEMORY_GROW(m->events, m->n_events);
        m->events[m->n_events++] = event;
    }
    return first;
}

static void
append_write(struct memory_store *m, struct store_append *append)
{
    append->first_key =
        memory_append_rows(m, append->channel, append->events, append->n_events,
                           append->calls, append->n_calls, 0);
    append->repeated = false;
    if (append->idempotency_key.n)
        idempotency_add(m, append);
}

static void
memory_append(struct memory_store *m, struct store_op *op)
{
    struct store_append *append = container_of(op, struct store_append, op);
    const struct memory_idempotency *known = NULL;

    assert(append->n_events > 0);
    if (append->idempotency_key.n)
        known = idempotency_find(m, append);
    if (!memory_channel(m, append->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
    } else if (known && memcmp(known->hash, append->body_hash, SHA256_BYTES) != 0) {
        memory_refuse(op, E_CONFLICT,
                      "this idempotency key was used with another body");
    } else if (known) {
        append->first_key = known->first_key;
        append->repeated = true;
    } else if (append->config != m->config) {
        memory_refuse(op, E_STALE, "the configuration has changed");
    } else if (!calls_are_right(m, append)) {
        memory_refuse(op, E_NOT_FOUND, "no such webhook in this channel");
    } else if (m->room != DISK_ROOM) {
        memory_refuse(op, E_FULL, "the disk is nearly full");
    } else {
        append_write(m, append);
    }
}

/* ---- settle, retry ---- */

static void
settle_call(struct memory_store *m, struct memory_call *call,
            struct store_result *result)
{
    if (result->state != CALL_SUCCEEDED && call->due_ms != result->was_due_ms) {
        if (result->state == CALL_FAILED)
            result->tries = 0; /* made due by hand: a new round */
        result->state = CALL_WAITING;
        result->due_ms = call->due_ms;
    }
    call->state = call_move(CALL_IN_FLIGHT, result->state);
    call->tries = result->tries;
    call->due_ms = result->due_ms;
    call->ended_ms = clock_steady_ms(m->clock);
}

static void
memory_settle(struct memory_store *m, struct store_op *op)
{
    struct store_settle *settle = container_of(op, struct store_settle, op);
    for (size_t i = 0; i < settle->n; i++) {
        struct store_result *result = &settle->results[i];
        const struct memory_event *event = memory_event(m, result->event);
        struct memory_call *call = memory_call(event, result->webhook);
        result->lost = !call || result->lease != 1;
        if (result->lost)
            continue;
        webhook_set_failing_since(m->webhooks[result->webhook - 1],
                                  result->failing_since_ms);

        struct attempt_record attempt = result->attempt;
        uint32_t last = call->n_log ? call->log[call->n_log - 1].n : 0;
        if (attempt.n <= last)
            attempt.n = last + 1;
        if (attempt.response.n > RESPONSE_KEPT_BYTES)
            attempt.response.n = RESPONSE_KEPT_BYTES;
        attempt.reason = memory_own(attempt.reason);
        attempt.response = memory_own(attempt.response);
        MEMORY_GROW(call->log, call->n_log);
        call->log[call->n_log++] = attempt;

        bool moves = call->state == CALL_WAITING;
        if (moves)
            settle_call(m, call, result);
        memory_note_attempt(m, event->channel, result->webhook, &attempt,
                            moves && call->state == CALL_FAILED);
        if (moves && call->state != CALL_WAITING)
            memory_note_waiting(m, event->channel, result->webhook, -1);
        memory_feed_outcome(m, event, call);
    }
}

static void
memory_retry(struct memory_store *m, struct store_op *op)
{
    struct store_retry *retry = container_of(op, struct store_retry, op);
    const struct memory_event *event = memory_event(m, retry->event);
    struct memory_call *call = memory_call(event, retry->webhook);

    if (!call || event->channel != retry->channel ||
        !memory_channel(m, retry->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such call");
    } else if (!memory_webhook(m, retry->webhook)) {
        memory_refuse(op, E_CONFLICT, "the call's webhook was deleted");
    } else {
        call->due_ms = retry->due_ms;
        if (call->state != CALL_WAITING) {
            call->state = call_move(call->state, CALL_WAITING);
            call->tries = 0;
            memory_note_waiting(m, retry->channel, retry->webhook, 1);
        }
    }
}

static void
memory_backup(struct memory_store *m, struct store_op *op)
{
    (void)m;
    memory_refuse(op, E_INVALID, "this store is in memory alone");
}

/* ---- groups ---- */

static const struct {
    bool write;
    void (*perform)(struct memory_store *m, struct store_op *op);
} kinds[STORE_KINDS] = {
    [STORE_APPEND] = {true, memory_append},
    [STORE_SETTLE] = {true, memory_settle},
    [STORE_DUE] = {false, memory_due},
    [STORE_RETRY] = {true, memory_retry},
    [STORE_PUT_CHANNEL] = {true, memory_put_channel},
    [STORE_PUT_WEBHOOK] = {true, memory_put_webhook},
    [STORE_PUT_KEY] = {true, memory_put_key},
    [STORE_DROP_KEY] = {true, memory_drop_key},
    [STORE_EVENTS] = {false, memory_events},
    [STORE_EVENT] = {false, memory_event_read},
    [STORE_CALLS] = {false, memory_calls},
    [STORE_CALL] = {false, memory_call_read},
    [STORE_COUNTS] = {false, memory_counts},
    [STORE_TOUCH] = {true, memory_touch},
    [STORE_SUBSCRIPTIONS] = {false, memory_subscriptions},
    [STORE_SUBSCRIPTION_COUNT] = {false, memory_subscription_count},
    [STORE_PUT_NOTIFICATION] = {true, memory_put_notification},
    [STORE_NOTIFICATIONS] = {false, memory_notifications},
    [STORE_FEED] = {false, memory_feed},
    [STORE_PUT_NOTICE] = {true, memory_put_notice},
    [STORE_NOTICES] = {false, memory_notices},
    [STORE_SETTLE_NOTICE] = {true, memory_settle_notice},
    [STORE_BACKLOGS] = {false, memory_backlogs},
    [STORE_BACKUP] = {false, memory_backup},
    [STORE_CANCEL] = {true, memory_cancel},
    [STORE_PUT_JOB] = {true, memory_put_job},
    [STORE_STEER_JOB] = {true, memory_steer_job},
    [STORE_JOBS] = {false, memory_jobs},
    [STORE_STEP_JOBS] = {true, memory_step_jobs},
    [STORE_STATS] = {false, memory_stats},
    [STORE_WEBHOOK_STATS] = {false, memory_webhook_stats},
};

static void
perform(struct memory_store *m, struct store_op *op, int failure)
{
    op->result = 0;
    if (m->broken)
        memory_refuse(op, E_IO, "the store is broken");
    else if (failure && kinds[op->kind].write)
        memory_refuse(op, failure, "the disk is full");
    else if (m->room != DISK_ROOM && op->kind != STORE_APPEND && store_needs_room(op))
        memory_refuse(op, E_FULL, "the disk is nearly full");
    else
        kinds[op->kind].perform(m, op);
}

static int
next_failure(struct memory_store *m)
{
    if (m->fail_in == 0 || --m->fail_in > 0)
        return 0;
    if (m->fail_with == E_IO && !m->broken) {
        m->broken = true;
        if (m->listener.broken)
            m->listener.broken(m->listener.ctx, "a failure was asked for");
    }
    return m->fail_with;
}

/* Its turn to be done: that is when reads happen. False after a crash. */
static bool
finish(struct memory_store *m, struct store_op *op, int failure)
{
    unsigned crashes = m->crashes;
    if (!kinds[op->kind].write)
        perform(m, op, failure);
    m->depth--;
    op->done(op);
    return m->crashes == crashes;
}

/* Writes first, then each operation in its order, and last what reads due calls: it
 * comes after every append that it may see. */
size_t
store_memory_step(struct store *store)
{
    struct memory_store *m = memory_of(store);
    struct store_op *group = m->head, *dues = NULL, **last_due = &dues;
    size_t n = 0;

    m->head = m->tail = NULL;
    int failure = group ? next_failure(m) : 0;
    for (struct store_op *op = group; op; op = op->next)
        if (kinds[op->kind].write)
            perform(m, op, failure);
    memory_feed_commit(m);
    while (group) {
        struct store_op *op = group;
        group = op->next;
        if (op->kind == STORE_DUE) {
            op->next = NULL;
            *last_due = op;
            last_due = &op->next;
            continue;
        }
        n++;
        if (!finish(m, op, failure))
            return n;
    }
    while (dues) {
        struct store_op *op = dues;
        dues = op->next;
        n++;
        if (!finish(m, op, failure))
            return n;
    }
    memory_retain(m);
    return n;
}

void
store_memory_keep(struct store *store, const struct store_keep *keep)
{
    memory_of(store)->keep = *keep;
}

static void
memory_submit(struct store *store, struct store_op *op)
{
    struct memory_store *m = memory_of(store);
    op->next = NULL;
    op->why = NULL;
    if (m->closed) {
        memory_refuse(op, E_CLOSED, "the store is closed");
        op->done(op);
        return;
    }
    m->depth++;
    if (m->tail)
        m->tail->next = op;
    else
        m->head = op;
    m->tail = op;
}

static size_t
memory_depth(struct store *store)
{
    return memory_of(store)->depth;
}

void
store_memory_fail(struct store *store, unsigned nth, int result)
{
    struct memory_store *m = memory_of(store);
    assert(nth == 0 || result == E_FULL || result == E_IO || result == E_CLOSED);
    m->fail_in = nth;
    m->fail_with = result;
}

void
store_memory_room(struct store *store, enum disk_room room)
{
    struct memory_store *m = memory_of(store);
    m->room = room;
    if (m->listener.room)
        m->listener.room(m->listener.ctx, room, 0);
}

void
store_memory_crash(struct store *store)
{
    struct memory_store *m = memory_of(store);
    m->head = m->tail = NULL;
    m->depth = 0;
    m->listener = (struct store_listener){0};
    m->broken = false;
    m->closed = false;
    m->crashes++;
}

/* ---- open, close ---- */

static int
memory_start(struct store *store, const struct store_listener *listener,
             struct err *err)
{
    struct memory_store *m = memory_of(store);
    (void)err;
    m->listener = *listener;
    m->closed = false;
    for (size_t i = 0; listener->lease && i < m->n_webhooks; i++)
        if (!m->webhooks[i]->deleted)
            listener->lease(listener->ctx, m->webhooks[i]->number, 1);
    if (m->room != DISK_ROOM && listener->room)
        listener->room(listener->ctx, m->room, 0);
    return 0;
}

static void
memory_stop(struct store *store)
{
    memory_of(store)->closed = true;
    store_memory_step(store);
}

void
memory_event_free(struct memory_event *event)
{
    for (size_t i = 0; i < event->n_calls; i++) {
        struct memory_call *call = &event->calls[i];
        for (size_t a = 0; a < call->n_log; a++) {
            memory_disown(call->log[a].reason);
            memory_disown(call->log[a].response);
        }
        free(call->log);
    }
    memory_disown(event->record.subscription);
    memory_disown(event->record.body);
    free(event->calls);
    free(event);
}

static void
memory_close(struct store *store)
{
    if (!store)
        return;
    struct memory_store *m = memory_of(store);
    for (size_t i = 0; i < m->n_events; i++)
        memory_event_free(m->events[i]);
    for (size_t i = 0; i < m->n_idempotency; i++)
        memory_disown(m->idempotency[i].key);
    memory_registry_free(m);
    memory_notices_free(m);
    memory_feed_free(m);
    memory_jobs_free(m);
    for (size_t i = 0; i < m->n_webhooks; i++)
        webhook_unref(m->webhooks[i]);
    for (size_t i = 0; i < m->n_channels; i++)
        channel_unref(m->channels[i]);
    free(m->events);
    free(m->idempotency);
    free(m->webhooks);
    free(m->channels);
    free(m->keys);
    free(m->notes);
    free(m);
}

static const struct store_backend backend = {
    .name = "memory",
    .load = memory_load,
    .start = memory_start,
    .submit = memory_submit,
    .depth = memory_depth,
    .stop = memory_stop,
    .close = memory_close,
};

int
store_memory_open(struct store **out, struct clock *clock, struct err *err)
{
    struct memory_store *m = xcalloc(1, sizeof(*m));
    (void)err;
    m->store.backend = &backend;
    m->clock = clock;
    m->config = 1;
    *out = &m->store;
    return 0;
}
