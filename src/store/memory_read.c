#include "store/memory_private.h"

#include <assert.h>

/* ---- what is due ---- */

static bool
next_due(const struct memory_store *m, uint64_t webhook, struct due_at *from,
         const struct memory_event **event)
{
    struct due_at best = DUE_AT_END;
    for (size_t i = 0; i < m->n_events; i++) {
        const struct memory_call *call = memory_call(m->events[i], webhook);
        if (!call || call->state != CALL_WAITING)
            continue;
        struct due_at at = {call->due_ms, m->events[i]->record.key};
        if (due_before(at, *from) || !due_before(at, best))
            continue;
        best = at;
        *event = m->events[i];
    }
    *from = best;
    return due_before(best, DUE_AT_END);
}

void
memory_due(struct memory_store *m, struct store_op *op)
{
    struct store_due *due = container_of(op, struct store_due, op);
    const struct memory_event *event = NULL;
    struct due_at at = due->from;

    for (size_t n = 0; next_due(m, due->webhook, &at, &event); n++) {
        const struct memory_call *call = memory_call(event, due->webhook);
        struct store_due_call out = {
            .event = at.event,
            .due_ms = at.due_ms,
            .attempts = call->n_log ? call->log[call->n_log - 1].n : 0,
            .tries = call->tries,
            .type = event->record.type,
            .body = event->record.body,
        };
        if (at.due_ms > due->until_ms || n == due->max_calls || !due->each(due, &out))
            break;
        at.event++;
    }
    due->next = at;
}

/* ---- lists ---- */

static bool
event_matches(const struct event_record *event, uint32_t types,
              struct slice subscription, struct slice notification)
{
    char about[ID_MAX + 1];
    return types & 1u << event->type &&
           (subscription.n == 0 || slice_eq(subscription, event->subscription)) &&
           (notification.n == 0 ||
            (event_notification(event->body, about) && slice_is(notification, about)));
}

void
memory_events(struct memory_store *m, struct store_op *op)
{
    struct store_events *list = container_of(op, struct store_events, op);
    uint64_t last = list->before_key;
    size_t n = 0, examined = 0;

    list->next_key = 0;
    if (!memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    for (size_t i = m->n_events; i-- > 0;) {
        const struct memory_event *event = m->events[i];
        if (event->channel != list->channel || event->record.key >= list->before_key)
            continue;
        if (event->record.key < list->since_key)
            break;
        if (n == list->limit || examined++ == STORE_SCAN_MAX) {
            list->next_key = last;
            break;
        }
        last = event->record.key;
        if (!event_matches(&event->record, list->types, list->subscription,
                           list->notification))
            continue;
        list->each(list, &event->record);
        n++;
    }
}

enum call_state
memory_shown(const struct memory_store *m, const struct webhook *webhook,
             enum call_state stored)
{
    const struct channel *channel = m->channels[webhook->channel - 1];
    bool over = trial_is_over(channel->trial_ends_ms, clock_steady_ms(m->clock));
    return call_shown(stored, webhook->enabled && !over, webhook->deleted);
}

static struct slice
held_reason(struct memory_store *m, const struct webhook *webhook)
{
    if (!webhook->enabled)
        return slice_of(webhook->disabled_reason);
    trial_write_ended(m->held_reason, m->channels[webhook->channel - 1]->trial_ends_ms);
    return slice_of(m->held_reason);
}

/* Its notification is valid as long as `about` is. */
static struct call_record
call_record(struct memory_store *m, const struct memory_event *event,
            const struct memory_call *call, char about[ID_MAX + 1])
{
    const struct webhook *webhook = m->webhooks[call->webhook - 1];
    struct call_record out = {
        .event = event->record.key,
        .webhook = call->webhook,
        .type = event->record.type,
        .subscription = event->record.subscription,
        .created_ms = event->record.created_ms,
        .state = memory_shown(m, webhook, call->state),
    };
    out.tries = call->tries;
    if (event_notification(event->record.body, about))
        out.notification = slice_of(about);
    if (call->state == CALL_WAITING)
        out.due_ms = call->due_ms;
    if (out.state == CALL_HELD)
        out.held_reason = held_reason(m, webhook);
    if (call->n_log) {
        out.last = call->log[call->n_log - 1];
        out.last.response = (struct slice){0};
        out.attempts = out.last.n;
    }
    return out;
}

/* One event's part of a list of calls; false when the page is full. */
static bool
event_calls(struct memory_store *m, struct store_calls *list,
            const struct memory_event *event, size_t *n, struct call_at *last)
{
    char about[ID_MAX + 1];
    if (!event_matches(&event->record, list->types, list->subscription,
                       list->notification))
        return true;
    for (size_t i = event->n_calls; i-- > 0;) {
        const struct memory_call *call = &event->calls[i];
        struct call_record out = call_record(m, event, call, about);
        if (event->record.key == list->before.event &&
            call->webhook >= list->before.webhook)
            continue;
        if ((list->webhook && call->webhook != list->webhook) ||
            !(list->states & 1u << out.state) ||
            (list->error.n && !store_text_has(out.last.reason, list->error)))
            continue;
        if (*n == list->limit)
            return false;
        *last = (struct call_at){event->record.key, call->webhook};
        list->each(list, &out);
        ++*n;
    }
    return true;
}

void
memory_calls(struct memory_store *m, struct store_op *op)
{
    struct store_calls *list = container_of(op, struct store_calls, op);
    struct call_at last = list->before;
    size_t n = 0, examined = 0;

    list->next = (struct call_at){0, 0};
    if (!memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    for (size_t i = m->n_events; i-- > 0;) {
        const struct memory_event *event = m->events[i];
        if (event->channel != list->channel || event->record.key > list->before.event)
            continue;
        if (event->record.key < list->since_key)
            break;
        if (examined >= STORE_SCAN_MAX || !event_calls(m, list, event, &n, &last)) {
            list->next = last;
            break;
        }
        examined += 1 + event->n_calls;
        if (event->record.key < last.event)
            last = (struct call_at){event->record.key, 0};
    }
}

/* ---- one event, one call ---- */

void
memory_event_read(struct memory_store *m, struct store_op *op)
{
    struct store_event_read *read = container_of(op, struct store_event_read, op);
    const struct memory_event *event = memory_event(m, read->key);
    char about[ID_MAX + 1];

    if (!event || event->channel != read->channel ||
        !memory_channel(m, read->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such event");
        return;
    }
    read->event(read, &event->record);
    for (size_t i = 0; i < event->n_calls; i++) {
        struct call_record out = call_record(m, event, &event->calls[i], about);
        read->call(read, &out);
    }
}

void
memory_call_read(struct memory_store *m, struct store_op *op)
{
    struct store_call_read *read = container_of(op, struct store_call_read, op);
    const struct memory_event *event = memory_event(m, read->event);
    const struct memory_call *call = memory_call(event, read->webhook);
    char about[ID_MAX + 1];

    if (!call || event->channel != read->channel || !memory_channel(m, read->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such call");
        return;
    }
    struct call_record out = call_record(m, event, call, about);
    read->call(read, &out);
    for (size_t i = 0; i < call->n_log; i++)
        read->attempt(read, &call->log[i]);
}

void
memory_counts(struct memory_store *m, struct store_op *op)
{
    struct store_counts *counts = container_of(op, struct store_counts, op);
    memset(counts->calls, 0, sizeof(counts->calls));
    counts->disk_bytes = 0;
    counts->disk_left = UINT64_MAX;
    for (size_t i = 0; i < m->n_events; i++)
        for (size_t c = 0; c < m->events[i]->n_calls; c++) {
            const struct memory_call *call = &m->events[i]->calls[c];
            const struct webhook *webhook = m->webhooks[call->webhook - 1];
            counts->calls[memory_shown(m, webhook, call->state)]++;
        }
}
