#include "engine/notices.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_out.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "engine/engine_private.h"

#define NOTICE_TEXT_MAX 400
#define NOTICE_DATA_MAX 1000
#define MINUTE_MS       ((msec_t)60 * 1000)

struct notice_put {
    struct store_put_notice put;
    struct notices *notices;
    struct notice_put *next; /* of those that are held */
    struct notice_row row;
    char channel_id[ID_MAX + 1];
    char text[NOTICE_TEXT_MAX];
    char data[NOTICE_DATA_MAX];
};

/* A webhook whose calls are given up. */
struct exhausted {
    uint64_t channel, webhook;
    uint64_t untold; /* since it was told */
    msec_t told_ms;
    uint64_t event; /* of the last one */
    uint32_t attempts;
    char reason[80];
};

void
notices_init(struct notices *notices, struct engine *engine)
{
    const struct engine_notify *options = &engine->options.notify;
    *notices = (struct notices){
        .engine = engine,
        .on = options->on,
        .start_ms = clock_steady_ms(engine->clock),
    };
    pthread_mutex_init(&notices->lock, NULL);
    map_init(&notices->exhausted);
    map_init(&notices->trials);
    map_init(&notices->high);
    outbox_init(&notices->outbox);
    notices->outbox.to = options->to ? webhook_ref(options->to) : NULL;
}

void
notices_fini(struct notices *notices)
{
    size_t at = 0;
    for (void *each; (each = map_next(&notices->exhausted, &at)) != NULL;)
        free(each);
    while (notices->held) {
        struct notice_put *put = notices->held;
        notices->held = put->next;
        free(put);
    }
    map_fini(&notices->exhausted);
    map_fini(&notices->trials);
    at = 0;
    for (void *each; (each = map_next(&notices->high, &at)) != NULL;)
        free(each);
    map_fini(&notices->high);
    outbox_fini(&notices->outbox);
    pthread_mutex_destroy(&notices->lock);
}

/* ---- into the store ---- */

static void put_done(struct store_op *op);

static void
submit(struct notice_put *put)
{
    put->put = (struct store_put_notice){
        .op = {.kind = STORE_PUT_NOTICE, .done = put_done},
        .row = &put->row,
    };
    store_submit(put->notices->engine->store, &put->put.op);
}

/* There is no room even for this: it is kept until there is, the newest so many. */
static void
hold(struct notice_put *put)
{
    struct notices *notices = put->notices;
    struct notice_put *oldest = NULL;

    pthread_mutex_lock(&notices->lock);
    struct notice_put **end = &notices->held;
    while (*end)
        end = &(*end)->next;
    *end = put;
    put->next = NULL;
    if (++notices->n_held > NOTICES_HELD_MAX) {
        oldest = notices->held;
        notices->held = oldest->next;
        notices->n_held--;
    }
    pthread_mutex_unlock(&notices->lock);
    free(oldest);
}

/* On the store's thread. */
static void
put_done(struct store_op *op)
{
    struct notice_put *put = container_of(op, struct notice_put, put.op);
    struct notices *notices = put->notices;
    if (op->result == E_FULL) {
        hold(put);
        return;
    }
    if (op->result == 0 && put->row.waits)
        outbox_wake(notices);
    free(put);
}

static void
submit_held(struct notices *notices)
{
    pthread_mutex_lock(&notices->lock);
    struct notice_put *put = notices->held;
    notices->held = NULL;
    notices->n_held = 0;
    pthread_mutex_unlock(&notices->lock);
    while (put) {
        struct notice_put *next = put->next;
        submit(put);
        put = next;
    }
}

/* ---- raise ---- */

/* A number for one more, and how many were left out before it; false = it is left out
 * as well. */
static bool
admit(struct notices *notices, msec_t now_ms, uint64_t *number, uint64_t *left_out)
{
    pthread_mutex_lock(&notices->lock);
    if (now_ms - notices->minute_ms >= MINUTE_MS) {
        notices->minute_ms = now_ms;
        notices->in_minute = 0;
    }
    bool admitted = notices->in_minute < NOTICES_A_MINUTE;
    if (admitted) {
        uint64_t key = event_key_at(now_ms);
        notices->in_minute++;
        notices->last = key > notices->last ? key : notices->last + 1;
        *number = notices->last;
        *left_out = notices->left_out;
        notices->left_out = 0;
    } else {
        notices->left_out++;
    }
    pthread_mutex_unlock(&notices->lock);
    return admitted;
}

static void
fill_data(struct notice_put *put, const char *data, uint64_t left_out)
{
    int n = snprintf(put->data, sizeof(put->data), "%s", data);
    if (left_out > 0)
        n = snprintf(put->data, sizeof(put->data), "%s%s\"leftOut\":%llu", data,
                     *data ? "," : "", (unsigned long long)left_out);
    /* What is cut would be no JSON. */
    put->row.data = (struct slice){
        put->data, n > 0 && (size_t)n < sizeof(put->data) ? (size_t)n : 0};
}

void
notices_raise(struct notices *notices, enum notice_kind kind, uint64_t channel,
              uint64_t webhook, const char *data, const char *fmt, ...)
{
    struct engine *engine = notices->engine;
    msec_t now_ms = clock_steady_ms(engine->clock);
    uint64_t number, left_out;
    va_list args;

    if (!notices->on)
        return;
    metric_add(METRIC_NOTICES, kind, 1);
    if (!admit(notices, now_ms, &number, &left_out))
        return;
    struct notice_put *put = xcalloc(1, sizeof(*put));
    put->notices = notices;
    va_start(args, fmt);
    vsnprintf(put->text, sizeof(put->text), fmt, args);
    va_end(args);
    if (channel && !engine_channel_id(engine, channel, put->channel_id))
        channel = 0; /* it has just been deleted */
    put->row = (struct notice_row){
        .number = number,
        .kind = kind,
        .channel = channel,
        .channel_id = slice_of(put->channel_id),
        .webhook = webhook,
        .text = slice_of(put->text),
        .waits = notices->outbox.to != NULL,
        .due_ms = now_ms,
    };
    fill_data(put, data, left_out);
    if (kind != NOTICE_WEBHOOK_DISABLED && kind != NOTICE_DISK_LOW &&
        kind != NOTICE_DISK_CLEARED) /* which have a line of their own */
        log_line(LOG_WARN, "notice", LOG_S("kind", notice_kind_name(kind)),
                 LOG_S("channel", channel ? put->channel_id : NULL),
                 LOG_S("text", put->text));
    submit(put);
}

void
notices_disabled(struct notices *notices, const struct webhook *webhook)
{
    struct buf data;
    struct json_out json;

    buf_init(&data, NOTICE_DATA_MAX);
    json_out_init(&json, &data);
    json_str(&json, "reason", webhook->disabled_reason);
    notices_raise(notices, NOTICE_WEBHOOK_DISABLED, webhook->channel, webhook->number,
                  data.failed ? "" : data.p, "%s was disabled: %s; its calls are held",
                  webhook->id, webhook->disabled_reason);
    buf_fini(&data);
}

void
notices_room(struct notices *notices, enum disk_room room, uint64_t left)
{
    char data[80];
    if (room != DISK_FULL)
        submit_held(notices);
    snprintf(data, sizeof(data), "\"room\":\"%s\",\"leftBytes\":%llu",
             disk_room_name(room), (unsigned long long)left);
    if (room == DISK_ROOM)
        notices_raise(notices, NOTICE_DISK_CLEARED, 0, 0, data,
                      "the disk has room again: new events are taken");
    else
        notices_raise(notices, NOTICE_DISK_LOW, 0, 0, data,
                      room == DISK_LOW ? "the disk is nearly full: new events are "
                                         "refused, outcomes are recorded"
                                       : "the disk is full: new events are refused and "
                                         "no attempt is started");
}

/* ---- exhausted calls ---- */

static void
tell_exhausted(struct notices *notices, const struct exhausted *told, uint64_t n)
{
    struct buf data;
    struct json_out json;
    char id[ID_TEXT], webhook[ID_TEXT];

    buf_init(&data, NOTICE_DATA_MAX);
    json_out_init(&json, &data);
    call_id_format(id, told->event, told->webhook);
    json_str(&json, "call", id);
    event_id_format(id, told->event);
    json_str(&json, "event", id);
    json_i64(&json, "count", (int64_t)n);
    json_i64(&json, "attempts", told->attempts);
    json_str(&json, "reason", told->reason);
    webhook_id_format(webhook, told->webhook);
    notices_raise(notices, NOTICE_CALL_EXHAUSTED, told->channel, told->webhook,
                  data.failed ? "" : data.p,
                  "%llu call%s of %s used all attempts; the last: %s",
                  (unsigned long long)n, n == 1 ? "" : "s", webhook, told->reason);
    buf_fini(&data);
}

void
notices_exhausted(struct notices *notices, const struct webhook *webhook,
                  uint64_t event, uint32_t attempts, struct slice reason)
{
    msec_t now_ms = clock_steady_ms(notices->engine->clock);
    if (!notices->on)
        return;
    pthread_mutex_lock(&notices->lock);
    struct exhausted *entry = map_get(&notices->exhausted, webhook->number, 0);
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        entry->webhook = webhook->number;
        entry->channel = webhook->channel;
        entry->told_ms = now_ms - NOTICE_EXHAUSTED_MS;
        map_put(&notices->exhausted, webhook->number, 0, entry);
    }
    entry->event = event;
    entry->attempts = attempts;
    snprintf(entry->reason, sizeof(entry->reason), "%.*s",
             (int)(reason.n < sizeof(entry->reason) ? reason.n : 79), reason.p);
    entry->untold++;
    struct exhausted told = *entry;
    bool tell = now_ms - entry->told_ms >= NOTICE_EXHAUSTED_MS;
    if (tell) {
        entry->untold = 0;
        entry->told_ms = now_ms;
    }
    pthread_mutex_unlock(&notices->lock);
    if (tell)
        tell_exhausted(notices, &told, told.untold);
}

/* The next whose time has come, taken out of the lock's care; false = none. */
static bool
next_untold(struct notices *notices, msec_t now_ms, struct exhausted *told)
{
    size_t at = 0;
    bool found = false;
    struct exhausted *entry = NULL;

    pthread_mutex_lock(&notices->lock);
    while (!found && (entry = map_next(&notices->exhausted, &at)) != NULL)
        found = now_ms - entry->told_ms >= NOTICE_EXHAUSTED_MS;
    if (found) {
        *told = *entry;
        entry->told_ms = now_ms;
        if (entry->untold == 0) {
            map_remove(&notices->exhausted, entry->webhook, 0);
            free(entry);
        } else {
            entry->untold = 0;
        }
    }
    pthread_mutex_unlock(&notices->lock);
    return found;
}

static void
tell_untold(struct notices *notices, msec_t now_ms)
{
    struct exhausted told;
    while (next_untold(notices, now_ms, &told))
        if (told.untold > 0)
            tell_exhausted(notices, &told, told.untold);
}

/* ---- lists ---- */

struct list_read {
    struct store_notices store;
    struct engine_notices *list;
};

static void
list_each(struct store_notices *store, const struct notice_row *row)
{
    struct engine_notices *list = container_of(store, struct list_read, store)->list;
    list->each(list, row);
}

static void
list_done(struct store_op *op)
{
    struct list_read *read = container_of(op, struct list_read, store.op);
    struct engine_notices *list = read->list;
    list->result = op->result;
    list->next = read->store.next;
    free(read);
    list->done(list);
}

void
engine_notices(struct engine *engine, struct engine_notices *list)
{
    struct list_read *read = xcalloc(1, sizeof(*read));
    read->list = list;
    read->store = (struct store_notices){
        .op = {.kind = STORE_NOTICES, .done = list_done},
        .channel = list->channel,
        .before = list->before,
        .limit = list->limit,
        .each = list_each,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- a turn ---- */

msec_t
notices_turn(void *ctx, msec_t now_ms)
{
    struct notices *notices = ctx;
    if (!notices->on)
        return MSEC_NEVER;
    if (now_ms >= notices->watch_ms) {
        tell_untold(notices, now_ms);
        notices->watch_ms = notices_watch(notices, now_ms);
    }
    msec_t send_ms = outbox_turn(notices, now_ms);
    return send_ms < notices->watch_ms ? send_ms : notices->watch_ms;
}
