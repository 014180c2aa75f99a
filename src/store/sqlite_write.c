#include "store/sqlite_job.h"

#include <assert.h>

#define IDEMPOTENCY_PURGE_ROWS 100
#define STEADY_EVERY_MS        1000

/* Every operation looks first and writes then: what it refuses leaves no trace in the
 * group's transaction. */
int
sqlite_refuse(struct store_op *op, int result, const char *why)
{
    op->result = result;
    op->why = why;
    return 0;
}

void
sqlite_count(struct sqlite_store *s, struct sqlite_webhook *webhook,
             enum call_state state, int by)
{
    assert(s->group.open && state < CALL_STORED_STATES);
    webhook->calls[state] += by;
    webhook->delta[state] += by;
    if (state == CALL_WAITING)
        sqlite_figures_wait(s, webhook, by);
    if (!webhook->touched) {
        webhook->touched = true;
        webhook->next_touched = s->group.touched;
        s->group.touched = webhook;
    }
}

/* ---- append ---- */

static struct sqlite_webhook *
live_webhook(const struct sqlite_store *s, uint64_t number)
{
    struct sqlite_webhook *w = map_get(&s->webhooks, number, 0);
    return w && !w->deleted ? w : NULL;
}

static bool
calls_are_right(const struct sqlite_store *s, const struct store_append *append)
{
    for (size_t i = 0; i < append->n_calls; i++) {
        const struct store_new_call *call = &append->calls[i];
        assert(call->event < append->n_events);
        assert(i == 0 || call[-1].event <= call->event);
        const struct sqlite_webhook *w = live_webhook(s, call->webhook);
        if (!w || w->channel->number != append->channel)
            return false;
    }
    return true;
}

/* 1 = known and answered, 0 = new; an old one that has expired is in *expired. */
static int
idempotency_find(struct sqlite_store *s, struct store_append *append, uint64_t *expired)
{
    const enum sqlite_stmt get = STMT_IDEMPOTENCY_GET;
    sqlite_key(s, get, 1, append->channel);
    sqlite_text(s, get, 2, append->idempotency_key);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;

    struct slice hash = sqlite_col_bytes(s, get, 1);
    bool same =
        slice_eq(hash, (struct slice){(const char *)append->body_hash, SHA256_BYTES});
    if (sqlite_col(s, get, 3) + STORE_IDEMPOTENCY_MS <= clock_steady_ms(s->clock)) {
        *expired = sqlite_col_key(s, get, 0);
        rc = 0;
    } else if (same) {
        append->first_key = sqlite_col_key(s, get, 2);
        append->repeated = true;
    } else {
        sqlite_refuse(&append->op, E_CONFLICT,
                      "this idempotency key was used with another body");
    }
    sqlite_reset(s, get);
    return rc;
}

static int
idempotency_add(struct sqlite_store *s, const struct store_append *append,
                uint64_t expired)
{
    const enum sqlite_stmt add = STMT_IDEMPOTENCY_ADD;
    msec_t now = clock_steady_ms(s->clock);
    int rc = 0;
    if (expired) {
        sqlite_key(s, STMT_IDEMPOTENCY_DROP, 1, expired);
        rc = sqlite_run(s, STMT_IDEMPOTENCY_DROP);
    }
    sqlite_key(s, add, 1, append->channel);
    sqlite_text(s, add, 2, append->idempotency_key);
    sqlite_blob(s, add, 3,
                (struct slice){(const char *)append->body_hash, SHA256_BYTES});
    sqlite_key(s, add, 4, append->first_key);
    sqlite_int(s, add, 5, now);
    if (rc == 0)
        rc = sqlite_run(s, add);
    if (rc == 0 && s->idempotency_oldest_ms == MSEC_NEVER)
        s->idempotency_oldest_ms = now;
    return rc;
}

static int
event_add(struct sqlite_store *s, uint64_t channel, uint64_t key,
          const struct store_event *event)
{
    const enum sqlite_stmt add = STMT_EVENT_ADD;
    sqlite_key(s, add, 1, key);
    sqlite_key(s, add, 2, channel);
    sqlite_int(s, add, 3, event->type);
    sqlite_text(s, add, 4, event->subscription);
    sqlite_blob(s, add, 5, event->body);
    s->group.bytes += event->body.n;
    s->group.rows++;
    return sqlite_run(s, add);
}

int
sqlite_call_add(struct sqlite_store *s, struct sqlite_webhook *webhook, uint64_t key,
                msec_t due_ms)
{
    const enum sqlite_stmt add = STMT_CALL_ADD;
    sqlite_key(s, add, 1, key);
    sqlite_key(s, add, 2, webhook->number);
    sqlite_key(s, add, 3, webhook->channel->number);
    sqlite_int(s, add, 4, due_ms);
    s->group.rows++;
    sqlite_count(s, webhook, CALL_WAITING, 1);
    sqlite_figures_made(webhook);
    return sqlite_run(s, add);
}

int
sqlite_append_rows(struct sqlite_store *s, uint64_t channel,
                   const struct sqlite_rows *rows, uint64_t *first)
{
    uint64_t key = event_key_at(clock_steady_ms(s->clock));
    if (key <= s->last_key || rows->base > 0) /* an operation's keys have no gap */
        key = s->last_key + 1;
    s->last_key = key + rows->n_events - 1;
    *first = key;
    if (rows->n_events)
        sqlite_feed_event(s, map_get(&s->channels, channel, 0));
    sqlite_figures_came(s, sqlite_live_channel(s, channel), rows->n_events);

    size_t c = 0;
    struct sqlite_webhook *webhook = NULL;
    for (size_t i = 0; i < rows->n_events; i++) {
        int rc = event_add(s, channel, key + i, &rows->events[i]);
        size_t index = rows->base + i;
        for (; rc == 0 && c < rows->n_calls && rows->calls[c].event == index; c++) {
            if (!webhook || webhook->number != rows->calls[c].webhook)
                webhook = map_get(&s->webhooks, rows->calls[c].webhook, 0);
            rc = sqlite_call_add(s, webhook, key + i, event_key_ms(key + i));
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

int
sqlite_append(struct sqlite_store *s, struct store_op *op)
{
    struct store_append *append = container_of(op, struct store_append, op);
    uint64_t expired = 0;
    int rc;

    assert(append->n_events > 0);
    op->result = 0;
    if (!sqlite_live_channel(s, append->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (append->idempotency_key.n) {
        rc = idempotency_find(s, append, &expired);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    if (append->config != s->config)
        return sqlite_refuse(op, E_STALE, "the configuration has changed");
    if (!calls_are_right(s, append))
        return sqlite_refuse(op, E_NOT_FOUND, "no such webhook in this channel");

    if (sqlite_space_refuses(s, op))
        return 0;

    const struct sqlite_rows rows = {append->events, append->n_events, append->calls,
                                     append->n_calls, 0};
    append->repeated = false;
    rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = sqlite_append_rows(s, append->channel, &rows, &append->first_key);
    if (rc == 0 && append->idempotency_key.n)
        rc = idempotency_add(s, append, expired);
    return rc;
}

/* ---- settle ---- */

/* `state` is the call's after it. */
static int
attempt_add(struct sqlite_store *s, const struct sqlite_webhook *webhook,
            const struct store_result *result, uint32_t n, enum call_state state)
{
    const struct sqlite_told told = {
        .event = result->event,
        .webhook = result->webhook,
        .n = n,
        .state = state,
        .due_ms = result->due_ms,
    };
    const enum sqlite_stmt add = STMT_ATTEMPT_ADD;
    const struct attempt_record *attempt = &result->attempt;
    struct slice response = attempt->response;
    char timings[SQLITE_TIMINGS];
    if (response.n > RESPONSE_KEPT_BYTES)
        response.n = RESPONSE_KEPT_BYTES;
    sqlite_key(s, add, 1, result->event);
    sqlite_key(s, add, 2, result->webhook);
    sqlite_int(s, add, 3, n);
    sqlite_int(s, add, 4, attempt->at_ms);
    sqlite_int(s, add, 5, attempt->duration_us);
    sqlite_int(s, add, 6, attempt->verdict);
    sqlite_int(s, add, 7, attempt->status);
    sqlite_text(s, add, 8, attempt->reason);
    sqlite_blob(s, add, 9, response);
    sqlite_blob(s, add, 10, sqlite_timings_write(&attempt->timings, timings));
    s->group.rows += 2;
    s->group.bytes += response.n;
    sqlite_feed_outcome(s, webhook->channel, &told);
    sqlite_figures_attempt(s, webhook, attempt);
    return sqlite_run(s, add);
}

/* The usual case in one statement: the call waits as it did when the attempt began, and
 * the attempt is the next one. 1 = it was so. */
static int
call_settle(struct sqlite_store *s, struct sqlite_webhook *webhook,
            const struct store_result *result, msec_t was_due_ms, uint32_t n)
{
    const enum sqlite_stmt settle = STMT_CALL_SETTLE;
    enum call_state state = call_move(CALL_IN_FLIGHT, result->state);
    sqlite_key(s, settle, 1, result->event);
    sqlite_key(s, settle, 2, result->webhook);
    sqlite_int(s, settle, 3, state);
    /* What has ended is due no more: then it is when that was. */
    sqlite_int(s, settle, 4,
               state == CALL_WAITING ? result->due_ms : clock_steady_ms(s->clock));
    sqlite_int(s, settle, 5, result->tries);
    sqlite_int(s, settle, 6, n);
    sqlite_int(s, settle, 7, was_due_ms);
    int rc = sqlite_run(s, settle);
    if (rc < 0)
        return rc;
    if (sqlite3_changes(s->db) == 0)
        return 0;
    if (state != CALL_WAITING) {
        sqlite_count(s, webhook, CALL_WAITING, -1);
        sqlite_count(s, webhook, state, 1);
        sqlite_figures_ended(webhook, state);
    }
    return 1;
}

/* It was made due by hand while the attempt was under way: that still holds, unless the
 * attempt has done what was wanted. */
static void
keep_due_by_hand(struct store_result *result, msec_t due_ms)
{
    if (result->state == CALL_SUCCEEDED || due_ms == result->was_due_ms)
        return;
    if (result->state == CALL_FAILED)
        result->tries = 0; /* a new round */
    result->state = CALL_WAITING;
    result->due_ms = due_ms;
}

int
sqlite_note_failing(struct sqlite_store *s, struct sqlite_webhook *webhook,
                    msec_t since_ms)
{
    const enum sqlite_stmt set = STMT_WEBHOOK_FAILING;
    if (webhook->failing_since_ms == since_ms)
        return 0;
    webhook->failing_since_ms = since_ms;
    s->group.config_changed = true;
    s->group.rows++;
    sqlite_key(s, set, 1, webhook->number);
    if (since_ms != MSEC_NEVER) /* what is not bound is NULL */
        sqlite_int(s, set, 2, since_ms);
    return sqlite_run(s, set);
}

/* The call has moved on meanwhile, its webhook was deleted, or the attempt's number is
 * taken: then it gets the next one. */
static int
settle_late(struct sqlite_store *s, struct sqlite_webhook *webhook,
            struct store_result *result)
{
    const enum sqlite_stmt get = STMT_CALL_GET;
    sqlite_key(s, get, 1, result->event);
    sqlite_key(s, get, 2, result->webhook);
    int rc = sqlite_next(s, get);
    if (rc == 0)
        result->lost = true; /* there is no such call */
    if (rc <= 0)
        return rc;
    enum call_state state = (enum call_state)sqlite_col(s, get, 0);
    bool moves = state == CALL_WAITING && !webhook->deleted;
    msec_t due_ms = sqlite_col(s, get, 1);
    uint32_t n = (uint32_t)sqlite_col(s, get, 3) + 1;
    sqlite_reset(s, get);

    if (n < result->attempt.n)
        n = result->attempt.n;
    if (moves) {
        keep_due_by_hand(result, due_ms);
        rc = call_settle(s, webhook, result, due_ms, n);
        state = result->state;
        assert(rc != 0);
    } else {
        sqlite_key(s, STMT_CALL_ATTEMPTS, 1, result->event);
        sqlite_key(s, STMT_CALL_ATTEMPTS, 2, result->webhook);
        sqlite_int(s, STMT_CALL_ATTEMPTS, 3, n);
        rc = sqlite_run(s, STMT_CALL_ATTEMPTS);
    }
    if (rc < 0)
        return rc;
    return attempt_add(s, webhook, result, n,
                       webhook->deleted ? CALL_CANCELLED : state);
}

static int
settle_one(struct sqlite_store *s, struct store_result *result)
{
    struct sqlite_webhook *webhook = map_get(&s->webhooks, result->webhook, 0);
    result->lost = !webhook || result->lease != 1;
    if (result->lost)
        return 0;
    int rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = sqlite_note_failing(s, webhook, result->failing_since_ms);
    if (rc == 0 && !webhook->deleted)
        rc = call_settle(s, webhook, result, result->was_due_ms, result->attempt.n);
    if (rc < 0)
        return rc;
    return rc == 1 ? attempt_add(s, webhook, result, result->attempt.n, result->state)
                   : settle_late(s, webhook, result);
}

int
sqlite_settle(struct sqlite_store *s, struct store_op *op)
{
    struct store_settle *settle = container_of(op, struct store_settle, op);
    int rc = 0;
    op->result = 0;
    for (size_t i = 0; i < settle->n && rc == 0; i++)
        rc = settle_one(s, &settle->results[i]);
    return rc;
}

/* ---- by hand ---- */

/* Of a call that is stored as `from`. */
static int
call_set(struct sqlite_store *s, struct sqlite_webhook *webhook, uint64_t event,
         enum call_state from, enum call_state to, msec_t due_ms, int64_t tries)
{
    const enum sqlite_stmt set = STMT_CALL_RETRY;
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    if (from != to) {
        sqlite_count(s, webhook, from, -1);
        sqlite_count(s, webhook, call_move(from, to), 1);
    }
    sqlite_key(s, set, 1, event);
    sqlite_key(s, set, 2, webhook->number);
    sqlite_int(s, set, 3, to);
    sqlite_int(s, set, 4, due_ms);
    sqlite_int(s, set, 5, tries);
    s->group.rows++;
    return sqlite_run(s, set);
}

int
sqlite_call_again(struct sqlite_store *s, struct sqlite_webhook *webhook,
                  uint64_t event, msec_t due_ms, enum call_state from, int64_t tries)
{
    return call_set(s, webhook, event, from, CALL_WAITING, due_ms,
                    from == CALL_WAITING ? tries : 0);
}

int
sqlite_call_cancel(struct sqlite_store *s, struct sqlite_webhook *webhook,
                   uint64_t event, int64_t tries)
{
    return call_set(s, webhook, event, CALL_WAITING, CALL_CANCELLED,
                    clock_steady_ms(s->clock), tries);
}

/* Refuses when the channel has no such call. 1 = it is there. */
static int
call_find(struct sqlite_store *s, struct store_op *op, uint64_t channel, uint64_t event,
          const struct sqlite_webhook *webhook, enum call_state *state, int64_t *tries)
{
    const enum sqlite_stmt get = STMT_CALL_GET;
    int rc = 0;

    if (webhook && sqlite_live_channel(s, channel) &&
        webhook->channel->number == channel) {
        sqlite_key(s, get, 1, event);
        sqlite_key(s, get, 2, webhook->number);
        rc = sqlite_next(s, get);
    }
    if (rc == 0)
        return sqlite_refuse(op, E_NOT_FOUND, "no such call");
    if (rc < 0)
        return rc;
    *state = (enum call_state)sqlite_col(s, get, 0);
    *tries = sqlite_col(s, get, 2);
    sqlite_reset(s, get);
    return 1;
}

int
sqlite_retry(struct sqlite_store *s, struct store_op *op)
{
    const struct store_retry *retry = container_of(op, struct store_retry, op);
    struct sqlite_webhook *webhook = map_get(&s->webhooks, retry->webhook, 0);
    enum call_state from;
    int64_t tries;

    op->result = 0;
    int rc = call_find(s, op, retry->channel, retry->event, webhook, &from, &tries);
    if (rc <= 0)
        return rc;
    if (webhook->deleted)
        return sqlite_refuse(op, E_CONFLICT, "the call's webhook was deleted");
    return sqlite_call_again(s, webhook, retry->event, retry->due_ms, from, tries);
}

int
sqlite_cancel(struct sqlite_store *s, struct store_op *op)
{
    const struct store_cancel *cancel = container_of(op, struct store_cancel, op);
    struct sqlite_webhook *webhook = map_get(&s->webhooks, cancel->webhook, 0);
    enum call_state from;
    int64_t tries;

    op->result = 0;
    int rc = call_find(s, op, cancel->channel, cancel->event, webhook, &from, &tries);
    if (rc <= 0)
        return rc;
    if (from != CALL_WAITING || webhook->deleted)
        return sqlite_refuse(op, E_CONFLICT, "the call has ended");
    return sqlite_call_cancel(s, webhook, cancel->event, tries);
}

/* ---- what rides along ---- */

int
sqlite_sweep(struct sqlite_store *s, int limit)
{
    struct sqlite_webhook *webhook = s->unswept;
    enum call_state to = call_move(CALL_WAITING, CALL_CANCELLED);
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    sqlite_key(s, STMT_SWEEP, 1, webhook->number);
    sqlite_int(s, STMT_SWEEP, 2, to);
    sqlite_int(s, STMT_SWEEP, 3, limit);
    sqlite_int(s, STMT_SWEEP, 4, clock_steady_ms(s->clock));
    rc = sqlite_run(s, STMT_SWEEP);
    if (rc < 0)
        return rc;
    int moved = sqlite3_changes(s->db);
    sqlite_count(s, webhook, CALL_WAITING, -moved);
    sqlite_count(s, webhook, to, moved);
    if (moved < limit)
        s->unswept = webhook->next_unswept;
    return 0;
}

static int
purge_idempotency(struct sqlite_store *s, msec_t now)
{
    const enum sqlite_stmt purge = STMT_IDEMPOTENCY_PURGE;
    const enum sqlite_stmt oldest = STMT_IDEMPOTENCY_OLDEST;
    if (s->idempotency_oldest_ms == MSEC_NEVER ||
        s->idempotency_oldest_ms + STORE_IDEMPOTENCY_MS > now)
        return 0;
    sqlite_int(s, purge, 1, now - STORE_IDEMPOTENCY_MS);
    sqlite_int(s, purge, 2, IDEMPOTENCY_PURGE_ROWS);
    int rc = sqlite_run(s, purge);
    if (rc < 0)
        return rc;
    rc = sqlite_next(s, oldest);
    if (rc < 0)
        return rc;
    s->idempotency_oldest_ms = rc ? sqlite_col(s, oldest, 0) : MSEC_NEVER;
    sqlite_reset(s, oldest);
    return 0;
}

static int
write_tally(struct sqlite_store *s)
{
    const enum sqlite_stmt put = STMT_TALLY_PUT;
    for (struct sqlite_webhook *w = s->group.touched; w; w = w->next_touched) {
        sqlite_key(s, put, 1, w->number);
        for (int state = 0; state < CALL_STORED_STATES; state++) {
            if (w->calls[state] < 0)
                return sqlite_damaged(s, "more calls have ended than were counted");
            sqlite_int(s, put, 2 + state, w->calls[state]);
        }
        int rc = sqlite_run(s, put);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int
sqlite_group_finish(struct sqlite_store *s)
{
    msec_t now = clock_steady_ms(s->clock);
    int rc = purge_idempotency(s, now);
    if (rc == 0)
        rc = write_tally(s);
    if (rc == 0)
        rc = sqlite_write_population(s);
    if (rc == 0)
        rc = sqlite_feed_write(s);
    if (rc < 0 || now < s->steady_ms + STEADY_EVERY_MS)
        return rc;
    s->steady_ms = now;
    rc = sqlite_retention_note(s);
    if (rc < 0)
        return rc;
    return sqlite_note(s, "steady_ms", now);
}
