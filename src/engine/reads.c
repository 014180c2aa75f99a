/* Reading and repair: each request carries the store's operation through and back. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

/* ---- events ---- */

struct events_read {
    struct store_events store;
    struct engine_events *list;
};

static void
events_each(struct store_events *store, const struct event_record *event)
{
    struct engine_events *list = container_of(store, struct events_read, store)->list;
    list->each(list, event);
}

static void
events_done(struct store_op *op)
{
    struct events_read *read = container_of(op, struct events_read, store.op);
    struct engine_events *list = read->list;
    list->result = op->result;
    list->next_key = read->store.next_key;
    free(read);
    list->done(list);
}

void
engine_events(struct engine *engine, struct engine_events *list)
{
    struct events_read *read = xcalloc(1, sizeof(*read));
    read->list = list;
    read->store = (struct store_events){
        .op = {.kind = STORE_EVENTS, .done = events_done},
        .channel = list->channel,
        .types = list->types,
        .subscription = list->subscription,
        .notification = list->notification,
        .since_key = list->since_key,
        .before_key = list->before_key,
        .limit = list->limit,
        .each = events_each,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- calls ---- */

struct calls_read {
    struct store_calls store;
    struct engine_calls *list;
};

static void
calls_each(struct store_calls *store, const struct call_record *call)
{
    struct engine_calls *list = container_of(store, struct calls_read, store)->list;
    list->each(list, call);
}

static void
calls_done(struct store_op *op)
{
    struct calls_read *read = container_of(op, struct calls_read, store.op);
    struct engine_calls *list = read->list;
    list->result = op->result;
    list->next_event = read->store.next.event;
    list->next_webhook = read->store.next.webhook;
    free(read);
    list->done(list);
}

void
engine_calls(struct engine *engine, struct engine_calls *list)
{
    struct calls_read *read = xcalloc(1, sizeof(*read));
    read->list = list;
    read->store = (struct store_calls){
        .op = {.kind = STORE_CALLS, .done = calls_done},
        .channel = list->channel,
        .states = list->states,
        .webhook = list->webhook,
        .types = list->types,
        .subscription = list->subscription,
        .notification = list->notification,
        .error = list->error,
        .since_key = list->since_key,
        .before = {list->before_event, list->before_webhook},
        .limit = list->limit,
        .each = calls_each,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- retry by hand ---- */

struct retry_work {
    struct store_retry store;
    struct engine *engine;
    struct engine_retry *retry;
};

static void
retry_done(struct store_op *op)
{
    struct retry_work *work = container_of(op, struct retry_work, store.op);
    struct engine_retry *retry = work->retry;
    if (op->result == 0)
        dispatch_post_due(engine_dispatch_of(work->engine, retry->webhook),
                          retry->webhook,
                          (struct due_at){work->store.due_ms, retry->event});
    retry->result = op->result;
    free(work);
    retry->done(retry);
}

void
engine_retry(struct engine *engine, struct engine_retry *retry)
{
    struct retry_work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->retry = retry;
    work->store = (struct store_retry){
        .op = {.kind = STORE_RETRY, .done = retry_done},
        .channel = retry->channel,
        .event = retry->event,
        .webhook = retry->webhook,
        .due_ms = clock_steady_ms(engine->clock),
    };
    store_submit(engine->store, &work->store.op);
}

/* ---- cancel by hand ---- */

struct cancel_work {
    struct store_cancel store;
    struct engine *engine;
    struct engine_cancel *cancel;
};

static void
cancel_done(struct store_op *op)
{
    struct cancel_work *work = container_of(op, struct cancel_work, store.op);
    struct engine_cancel *cancel = work->cancel;
    if (op->result == 0)
        dispatch_post_taken(engine_dispatch_of(work->engine, cancel->webhook),
                            cancel->webhook);
    cancel->result = op->result;
    free(work);
    cancel->done(cancel);
}

void
engine_cancel(struct engine *engine, struct engine_cancel *cancel)
{
    struct cancel_work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->cancel = cancel;
    work->store = (struct store_cancel){
        .op = {.kind = STORE_CANCEL, .done = cancel_done},
        .channel = cancel->channel,
        .event = cancel->event,
        .webhook = cancel->webhook,
    };
    store_submit(engine->store, &work->store.op);
}

/* ---- counts ---- */

struct counts_work {
    struct store_counts store;
    struct engine_counts *counts;
};

static void
counts_done(struct store_op *op)
{
    struct counts_work *work = container_of(op, struct counts_work, store.op);
    struct engine_counts *counts = work->counts;
    memcpy(counts->calls, work->store.calls, sizeof(counts->calls));
    counts->disk_bytes = work->store.disk_bytes;
    counts->disk_left = work->store.disk_left;
    counts->result = op->result;
    free(work);
    counts->done(counts);
}

void
engine_counts(struct engine *engine, struct engine_counts *counts)
{
    struct counts_work *work = xcalloc(1, sizeof(*work));
    work->counts = counts;
    work->store.op = (struct store_op){.kind = STORE_COUNTS, .done = counts_done};
    store_submit(engine->store, &work->store.op);
}

/* ---- backup ---- */

struct backup_work {
    struct store_backup store;
    struct engine_backup *backup;
};

static void
backup_done(struct store_op *op)
{
    struct backup_work *work = container_of(op, struct backup_work, store.op);
    struct engine_backup *backup = work->backup;
    backup->result = op->result;
    backup->why = op->why;
    backup->fd = work->store.fd;
    backup->bytes = work->store.bytes;
    memcpy(backup->sha256, work->store.sha256, sizeof(backup->sha256));
    free(work);
    backup->done(backup);
}

void
engine_backup(struct engine *engine, struct engine_backup *backup)
{
    struct backup_work *work = xcalloc(1, sizeof(*work));
    work->backup = backup;
    work->store.op = (struct store_op){.kind = STORE_BACKUP, .done = backup_done};
    store_submit(engine->store, &work->store.op);
}
