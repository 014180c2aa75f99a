#include "store/sqlite_private.h"

static const char no_type[] = "an event is of no known type";
static const char no_verdict[] = "an attempt has no known verdict";

/* ---- what is due ---- */

int
sqlite_due(struct sqlite_store *s, struct store_op *op)
{
    struct store_due *due = container_of(op, struct store_due, op);
    const struct sqlite_webhook *webhook = map_get(&s->webhooks, due->webhook, 0);
    const enum sqlite_stmt get = STMT_DUE;
    size_t n = 0;
    int rc;

    op->result = 0;
    due->next = DUE_AT_END;
    if (!webhook || webhook->deleted)
        return 0;
    sqlite_key(s, get, 1, due->webhook);
    sqlite_int(s, get, 2, due->from.due_ms);
    sqlite_key(s, get, 3, due->from.event);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct due_at at = {sqlite_col(s, get, 1), sqlite_col_key(s, get, 0)};
        bool taken = false;
        if (sqlite_col_key(s, get, 4) >= EVENT_TYPES) {
            rc = sqlite_damaged(s, no_type);
            break;
        }
        if (at.due_ms <= due->until_ms && n < due->max_calls) {
            struct store_due_call call = {
                .event = at.event,
                .due_ms = at.due_ms,
                .attempts = (uint32_t)sqlite_col(s, get, 2),
                .tries = (uint32_t)sqlite_col(s, get, 3),
                .type = (enum event_type)sqlite_col(s, get, 4),
                .body = sqlite_col_bytes(s, get, 5),
            };
            taken = due->each(due, &call);
        }
        if (!taken) {
            due->next = at;
            sqlite_reset(s, get);
            return 0;
        }
        n++;
    }
    return rc;
}

/* ---- one event, one call ---- */

static int
last_attempt(struct sqlite_store *s, struct call_record *call)
{
    const enum sqlite_stmt get = STMT_ATTEMPT_GET;
    sqlite_key(s, get, 1, call->event);
    sqlite_key(s, get, 2, call->webhook);
    sqlite_int(s, get, 3, call->attempts);
    int rc = sqlite_next(s, get);
    if (rc < 0)
        return rc;
    /* `attempts` is the number of the last one. */
    if (rc == 0)
        return sqlite_damaged(s, "a call has lost its last attempt");
    call->last = (struct attempt_record){
        .n = (uint32_t)sqlite_col(s, get, 0),
        .at_ms = sqlite_col(s, get, 1),
        .duration_us = sqlite_col(s, get, 2),
        .verdict = (enum verdict)sqlite_col(s, get, 3),
        .status = (int)sqlite_col(s, get, 4),
        .reason = sqlite_col_bytes(s, get, 5),
    };
    return call->last.verdict < VERDICTS ? 0 : sqlite_damaged(s, no_verdict);
}

static bool
trial_over(const struct sqlite_store *s, const struct sqlite_webhook *webhook)
{
    return trial_is_over(webhook->channel->trial_ends_ms, clock_steady_ms(s->clock));
}

enum call_state
sqlite_shown(const struct sqlite_store *s, const struct sqlite_webhook *webhook,
             enum call_state stored)
{
    return call_shown(stored, webhook->enabled && !trial_over(s, webhook),
                      webhook->deleted);
}

static struct slice
held_reason(struct sqlite_store *s, const struct sqlite_webhook *webhook)
{
    if (!webhook->enabled)
        return slice_of(webhook->reason);
    trial_write_ended(s->held_reason, webhook->channel->trial_ends_ms);
    return slice_of(s->held_reason);
}

int
sqlite_call_fill(struct sqlite_store *s, struct call_record *call,
                 enum call_state stored)
{
    const struct sqlite_webhook *webhook = map_get(&s->webhooks, call->webhook, 0);
    if (!webhook || stored >= CALL_STORED_STATES)
        return sqlite_damaged(s, "a call is of no webhook, or in no known state");
    call->state = sqlite_shown(s, webhook, stored);
    call->created_ms = event_key_ms(call->event);
    if (call->state == CALL_HELD)
        call->held_reason = held_reason(s, webhook);
    if (call->state != CALL_HELD && call->state != CALL_WAITING)
        call->due_ms = 0;
    return call->attempts ? last_attempt(s, call) : 0;
}

/* Positions STMT_EVENT_GET on the event, if the channel has it. 1 = it has. */
static int
event_get(struct sqlite_store *s, uint64_t channel, uint64_t key,
          struct event_record *event)
{
    const enum sqlite_stmt get = STMT_EVENT_GET;
    if (!sqlite_live_channel(s, channel) || key > INT64_MAX)
        return 0;
    sqlite_key(s, get, 1, key);
    sqlite_key(s, get, 2, channel);
    int rc = sqlite_next(s, get);
    if (rc != 1)
        return rc;
    *event = (struct event_record){
        .key = key,
        .type = (enum event_type)sqlite_col(s, get, 0),
        .created_ms = event_key_ms(key),
        .subscription = sqlite_col_bytes(s, get, 1),
        .body = sqlite_col_bytes(s, get, 2),
    };
    return event->type < EVENT_TYPES ? 1 : sqlite_damaged(s, no_type);
}

int
sqlite_notification_of(struct sqlite_store *s, uint64_t event, char out[ID_MAX + 1])
{
    const enum sqlite_stmt get = STMT_EVENT_BODY;
    sqlite_key(s, get, 1, event);
    int rc = sqlite_next(s, get);
    if (rc == 1) {
        rc = event_notification(sqlite_col_bytes(s, get, 0), out);
        sqlite_reset(s, get);
    }
    return rc;
}

/* The id is valid as long as `room` is. */
static struct slice
notification_in(const struct event_record *event, char room[ID_MAX + 1])
{
    return event_notification(event->body, room) ? slice_of(room) : (struct slice){0};
}

static int
event_calls(struct sqlite_store *s, struct store_event_read *read,
            const struct event_record *event)
{
    const enum sqlite_stmt get = STMT_EVENT_CALLS;
    char room[ID_MAX + 1];
    const struct slice notification = notification_in(event, room);
    int rc;
    sqlite_key(s, get, 1, event->key);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct call_record call = {
            .event = event->key,
            .webhook = sqlite_col_key(s, get, 0),
            .type = event->type,
            .subscription = event->subscription,
            .notification = notification,
            .due_ms = sqlite_col(s, get, 2),
            .attempts = (uint32_t)sqlite_col(s, get, 3),
            .tries = (uint32_t)sqlite_col(s, get, 4),
        };
        rc = sqlite_call_fill(s, &call, (enum call_state)sqlite_col(s, get, 1));
        if (rc == 0)
            read->call(read, &call);
        sqlite_reset(s, STMT_ATTEMPT_GET);
        if (rc < 0) {
            sqlite_reset(s, get);
            break;
        }
    }
    return rc;
}

int
sqlite_event(struct sqlite_store *s, struct store_op *op)
{
    struct store_event_read *read = container_of(op, struct store_event_read, op);
    struct event_record event;
    op->result = 0;
    int rc = event_get(s, read->channel, read->key, &event);
    if (rc == 0)
        return sqlite_refuse(op, E_NOT_FOUND, "no such event");
    if (rc < 0)
        return rc;
    read->event(read, &event);
    rc = event_calls(s, read, &event);
    sqlite_reset(s, STMT_EVENT_GET);
    return rc;
}

static int
call_attempts(struct sqlite_store *s, struct store_call_read *read)
{
    const enum sqlite_stmt get = STMT_ATTEMPT_LIST;
    int rc;
    sqlite_key(s, get, 1, read->event);
    sqlite_key(s, get, 2, read->webhook);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct attempt_record attempt = {
            .n = (uint32_t)sqlite_col(s, get, 0),
            .at_ms = sqlite_col(s, get, 1),
            .duration_us = sqlite_col(s, get, 2),
            .timings = sqlite_timings_read(sqlite_col_bytes(s, get, 7)),
            .verdict = (enum verdict)sqlite_col(s, get, 3),
            .status = (int)sqlite_col(s, get, 4),
            .reason = sqlite_col_bytes(s, get, 5),
            .response = sqlite_col_bytes(s, get, 6),
        };
        if (attempt.verdict >= VERDICTS) {
            rc = sqlite_damaged(s, no_verdict);
            break;
        }
        read->attempt(read, &attempt);
    }
    return rc;
}

int
sqlite_call(struct sqlite_store *s, struct store_op *op)
{
    struct store_call_read *read = container_of(op, struct store_call_read, op);
    const enum sqlite_stmt get = STMT_CALL_GET;
    struct event_record event = {0};
    char room[ID_MAX + 1];
    int rc;

    op->result = 0;
    rc = event_get(s, read->channel, read->event, &event);
    if (rc == 1) {
        sqlite_key(s, get, 1, read->event);
        sqlite_key(s, get, 2, read->webhook);
        rc = sqlite_next(s, get);
    }
    if (rc == 0)
        sqlite_refuse(op, E_NOT_FOUND, "no such call");
    if (rc == 1) {
        struct call_record call = {
            .event = read->event,
            .webhook = read->webhook,
            .type = event.type,
            .subscription = event.subscription,
            .notification = notification_in(&event, room),
            .due_ms = sqlite_col(s, get, 1),
            .attempts = (uint32_t)sqlite_col(s, get, 3),
            .tries = (uint32_t)sqlite_col(s, get, 2),
        };
        rc = sqlite_call_fill(s, &call, (enum call_state)sqlite_col(s, get, 0));
        if (rc == 0) {
            read->call(read, &call);
            rc = call_attempts(s, read);
        }
        sqlite_reset(s, STMT_ATTEMPT_GET);
        sqlite_reset(s, get);
    }
    sqlite_reset(s, STMT_EVENT_GET);
    return rc;
}

/* ---- counts ---- */

int
sqlite_counts(struct sqlite_store *s, struct store_op *op)
{
    struct store_counts *counts = container_of(op, struct store_counts, op);
    size_t at = 0;

    op->result = 0;
    memset(counts->calls, 0, sizeof(counts->calls));
    for (const struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;)
        for (int state = 0; state < CALL_STORED_STATES; state++) {
            enum call_state shown = sqlite_shown(s, w, (enum call_state)state);
            counts->calls[shown] += (uint64_t)w->calls[state];
        }
    counts->disk_bytes = sqlite_file_bytes(s->path) + sqlite_file_bytes(s->wal_path);
    sqlite_space_look(s);
    counts->disk_left = s->space.left;
    return 0;
}
