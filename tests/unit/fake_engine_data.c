/* Events and calls. */
#include "fake_engine_private.h"

#include <sys/mman.h>
#include <unistd.h>

/* ---- events in ---- */

static void
add_call(struct engine *engine, const struct fake_event *event, uint64_t webhook)
{
    assert(engine->n_calls < ROWS_MAX);
    engine->calls[engine->n_calls++] = (struct fake_call){
        .channel = event->channel,
        .event = event,
        .webhook = webhook,
        .state = CALL_WAITING,
        .due_ms = event_key_ms(event->key),
    };
}

static void
add_event(struct engine *engine, struct fake_event *copy, uint64_t channel,
          const struct webhook *only)
{
    struct fake_event *event = xmalloc(sizeof(*event));
    *event = *copy;
    *copy = (struct fake_event){0};
    event->channel = channel;
    event->key =
        event_key_at(clock_steady_ms(&engine->clock.clock)) + engine->key_count++;
    assert(engine->n_events < ROWS_MAX);
    engine->events[engine->n_events++] = event;
    for (size_t i = 0; i < engine->n_webhooks; i++) {
        const struct webhook *webhook = engine->webhooks[i];
        if (only ? webhook->number == only->number
                 : webhook->channel == channel && webhook_wants(webhook, event->type))
            add_call(engine, event, webhook->number);
    }
}

/* True when the key was used before: then the result is set. */
static bool
check_once(struct engine *engine, struct engine_ingest *ingest)
{
    uint64_t channel = ingest->channel->number;
    for (size_t i = 0; i < engine->n_once; i++) {
        struct fake_once *once = &engine->once[i];
        if (once->channel != channel || !slice_is(ingest->idempotency_key, once->key))
            continue;
        bool same = memcmp(once->hash, ingest->body_hash, SHA256_BYTES) == 0;
        ingest->result = same ? 0 : E_CONFLICT;
        ingest->repeated = same;
        ingest->first_key = once->first_key;
        return true;
    }
    return false;
}

static void
remember_once(struct engine *engine, const struct engine_ingest *ingest)
{
    assert(engine->n_once < ARRAY_LEN(engine->once));
    struct fake_once *once = &engine->once[engine->n_once++];
    once->channel = ingest->channel->number;
    once->key = xstrndup(ingest->idempotency_key.p, ingest->idempotency_key.n);
    memcpy(once->hash, ingest->body_hash, SHA256_BYTES);
    once->first_key = ingest->first_key;
}

static void
append(struct engine *engine, struct engine_ingest *ingest, struct task *task)
{
    if (!fake_find_channel(engine, ingest->channel->number)) {
        ingest->result = E_NOT_FOUND;
        return;
    }
    if (ingest->idempotency_key.n && check_once(engine, ingest))
        return;
    size_t first = engine->n_events;
    for (size_t i = 0; i < task->n_events; i++)
        add_event(engine, &task->events[i], ingest->channel->number, ingest->only);
    ingest->first_key = engine->events[first]->key;
    if (ingest->idempotency_key.n)
        remember_once(engine, ingest);
}

static void
run_ingest(struct engine *engine, void *request)
{
    struct engine_ingest *ingest = request;
    ingest->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    if (ingest->result == 0)
        append(engine, ingest, engine->running);
    pthread_mutex_unlock(&engine->lock);
    fake_wake(engine, ingest->channel->number);
    ingest->done(ingest);
}

void
engine_ingest(struct engine *engine, struct engine_ingest *ingest)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->run = run_ingest;
    task->request = ingest;
    task->n_events = ingest->n_events;
    task->events = xcalloc(ingest->n_events, sizeof(task->events[0]));
    for (size_t i = 0; i < ingest->n_events; i++) {
        const struct event_ref *ref = &ingest->events[i];
        assert(ref->subscription.p > ref->body.p &&
               ref->subscription.p < ref->body.p + ref->body.n);
        task->events[i] = (struct fake_event){
            .type = ref->type,
            .subscription = xstrndup(ref->subscription.p, ref->subscription.n),
            .body = xstrndup(ref->body.p, ref->body.n),
            .body_n = ref->body.n,
        };
    }
    fake_submit(engine, task);
}

/* ---- reads ---- */

static struct event_record
event_row(const struct fake_event *event)
{
    return (struct event_record){
        .key = event->key,
        .type = event->type,
        .created_ms = event_key_ms(event->key),
        .subscription = slice_of(event->subscription),
        .body = {event->body, event->body_n},
    };
}

/* Its notification is valid until the next one is made on this thread. */
static struct call_record
call_row(struct engine *engine, const struct fake_call *call)
{
    static _Thread_local char about[ID_MAX + 1];
    const struct webhook *webhook = NULL;
    for (size_t i = 0; i < engine->n_webhooks; i++)
        if (engine->webhooks[i]->number == call->webhook)
            webhook = engine->webhooks[i];
    struct call_record row = {
        .event = call->event->key,
        .webhook = call->webhook,
        .type = call->event->type,
        .subscription = slice_of(call->event->subscription),
        .created_ms = event_key_ms(call->event->key),
        .state = call_shown(call->state, webhook && webhook->enabled, !webhook),
        .attempts = (uint32_t)call->n_attempts,
        .due_ms = call->due_ms,
    };
    if (event_notification((struct slice){call->event->body, call->event->body_n},
                           about))
        row.notification = slice_of(about);
    if (webhook && webhook->disabled_reason)
        row.held_reason = slice_of(webhook->disabled_reason);
    if (call->n_attempts)
        row.last = call->attempts[call->n_attempts - 1].row;
    return row;
}

static bool
wanted(const struct fake_event *event, uint32_t types, struct slice subscription,
       struct slice notification)
{
    char about[ID_MAX + 1];
    return (types & (1u << event->type)) &&
           (subscription.n == 0 || slice_is(subscription, event->subscription)) &&
           (notification.n == 0 ||
            (event_notification((struct slice){event->body, event->body_n}, about) &&
             slice_is(notification, about)));
}

static void
run_events(struct engine *engine, void *request)
{
    struct engine_events *list = request;
    size_t n = 0;
    uint64_t last = 0;
    list->result = fake_take_failure(engine);
    list->next_key = 0;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = engine->n_events; list->result == 0 && i-- > 0;) {
        const struct fake_event *event = engine->events[i];
        if (event->channel != list->channel || event->key < list->since_key ||
            event->key >= list->before_key ||
            !wanted(event, list->types, list->subscription, list->notification))
            continue;
        if (n == list->limit) {
            list->next_key = last;
            break;
        }
        struct event_record row = event_row(event);
        list->each(list, &row);
        last = event->key;
        n++;
    }
    pthread_mutex_unlock(&engine->lock);
    list->done(list);
}

void
engine_events(struct engine *engine, struct engine_events *list)
{
    fake_submit_request(engine, run_events, list);
}

static struct explain
explained(struct engine *engine, const struct call_record *call)
{
    const struct webhook *webhook = NULL;
    for (size_t i = 0; i < engine->n_webhooks; i++)
        if (engine->webhooks[i]->number == call->webhook)
            webhook = engine->webhooks[i];
    struct explain explain;
    explain_call(&explain, call, webhook, &(struct explain_lane){.known = false},
                 clock_steady_ms(&engine->clock.clock));
    return explain;
}

static void
webhooks_without_call(struct engine *engine, struct engine_event *read,
                      const struct fake_event *event)
{
    struct event_record row = event_row(event);
    for (size_t i = 0; i < engine->n_webhooks; i++) {
        const struct webhook *webhook = engine->webhooks[i];
        bool called = webhook->channel != event->channel;
        for (size_t c = 0; c < engine->n_calls; c++)
            called = called || (engine->calls[c].event == event &&
                                engine->calls[c].webhook == webhook->number);
        struct explain explain;
        explain_no_call(&explain, &row, webhook);
        if (!called)
            read->webhook(read, webhook, &explain);
    }
}

static void
run_event(struct engine *engine, void *request)
{
    struct engine_event *read = request;
    int failure = fake_take_failure(engine);
    read->result = failure ? failure : E_NOT_FOUND;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; failure == 0 && i < engine->n_events; i++) {
        const struct fake_event *event = engine->events[i];
        if (event->key != read->key || event->channel != read->channel)
            continue;
        struct event_record row = event_row(event);
        read->result = 0;
        read->event(read, &row);
        for (size_t c = 0; c < engine->n_calls; c++)
            if (engine->calls[c].event == event) {
                struct call_record call = call_row(engine, &engine->calls[c]);
                struct explain explain = explained(engine, &call);
                read->call(read, &call, &explain);
            }
        webhooks_without_call(engine, read, event);
    }
    pthread_mutex_unlock(&engine->lock);
    read->done(read);
}

void
engine_event(struct engine *engine, struct engine_event *read)
{
    fake_submit_request(engine, run_event, read);
}

static bool
call_listed(const struct engine_calls *list, const struct fake_call *call,
            const struct call_record *row)
{
    bool before =
        row->event < list->before_event ||
        (row->event == list->before_event && row->webhook < list->before_webhook);
    return call->channel == list->channel && before && row->event >= list->since_key &&
           (list->states & (1u << row->state)) &&
           (list->webhook == 0 || list->webhook == row->webhook) &&
           (list->error.n == 0 ||
            (row->attempts && memmem(row->last.reason.p, row->last.reason.n,
                                     list->error.p, list->error.n))) &&
           wanted(call->event, list->types, list->subscription, list->notification);
}

static void
run_calls(struct engine *engine, void *request)
{
    struct engine_calls *list = request;
    size_t n = 0;
    uint64_t event = 0, webhook = 0;
    list->result = fake_take_failure(engine);
    list->next_event = 0;
    list->next_webhook = 0;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = engine->n_calls; list->result == 0 && i-- > 0;) {
        struct call_record row = call_row(engine, &engine->calls[i]);
        if (!call_listed(list, &engine->calls[i], &row))
            continue;
        if (n == list->limit) {
            list->next_event = event;
            list->next_webhook = webhook;
            break;
        }
        list->each(list, &row);
        event = row.event;
        webhook = row.webhook;
        n++;
    }
    pthread_mutex_unlock(&engine->lock);
    list->done(list);
}

void
engine_calls(struct engine *engine, struct engine_calls *list)
{
    fake_submit_request(engine, run_calls, list);
}

struct fake_call *
fake_find_call(struct engine *engine, uint64_t channel, uint64_t event,
               uint64_t webhook)
{
    for (size_t i = 0; i < engine->n_calls; i++) {
        struct fake_call *call = &engine->calls[i];
        if (call->event->key == event && call->webhook == webhook &&
            (channel == 0 || call->channel == channel))
            return call;
    }
    return NULL;
}

static void
run_call(struct engine *engine, void *request)
{
    struct engine_call *read = request;
    int failure = fake_take_failure(engine);
    read->result = failure ? failure : E_NOT_FOUND;
    pthread_mutex_lock(&engine->lock);
    const struct fake_call *call =
        fake_find_call(engine, read->channel, read->event, read->webhook);
    if (failure == 0 && call) {
        struct call_record row = call_row(engine, call);
        read->result = 0;
        read->call(read, &row);
        for (size_t i = 0; i < call->n_attempts; i++)
            read->attempt(read, &call->attempts[i].row);
        read->explain = explained(engine, &row);
    }
    pthread_mutex_unlock(&engine->lock);
    read->done(read);
}

void
engine_call(struct engine *engine, struct engine_call *read)
{
    fake_submit_request(engine, run_call, read);
}

static bool
is_gone(const struct engine *engine, uint64_t webhook)
{
    for (size_t i = 0; i < engine->n_webhooks; i++)
        if (engine->webhooks[i]->number == webhook)
            return false;
    return true;
}

static void
run_retry(struct engine *engine, void *request)
{
    struct engine_retry *retry = request;
    retry->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    struct fake_call *call =
        fake_find_call(engine, retry->channel, retry->event, retry->webhook);
    if (retry->result == 0 && !call)
        retry->result = E_NOT_FOUND;
    else if (retry->result == 0 && is_gone(engine, retry->webhook))
        retry->result = E_CONFLICT;
    else if (retry->result == 0)
        call->state = CALL_WAITING;
    pthread_mutex_unlock(&engine->lock);
    retry->done(retry);
}

void
engine_retry(struct engine *engine, struct engine_retry *retry)
{
    fake_submit_request(engine, run_retry, retry);
}

static void
run_counts(struct engine *engine, void *request)
{
    struct engine_counts *counts = request;
    counts->result = fake_take_failure(engine);
    memset(counts->calls, 0, sizeof(counts->calls));
    counts->disk_bytes = 4096;
    counts->disk_left = 8192;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_calls; i++)
        counts->calls[call_row(engine, &engine->calls[i]).state]++;
    pthread_mutex_unlock(&engine->lock);
    counts->done(counts);
}

void
engine_counts(struct engine *engine, struct engine_counts *counts)
{
    fake_submit_request(engine, run_counts, counts);
}

static void
run_backup(struct engine *engine, void *request)
{
    static const char bytes[] = "a copy of everything";
    struct engine_backup *backup = request;
    backup->result = fake_take_failure(engine);
    backup->why = NULL;
    if (backup->result == 0) {
        backup->fd = memfd_create("copy", MFD_CLOEXEC);
        backup->bytes = sizeof(bytes) - 1;
        ssize_t n = write(backup->fd, bytes, sizeof(bytes) - 1);
        assert(n == (ssize_t)backup->bytes);
        sha256(backup->sha256, bytes, sizeof(bytes) - 1);
    }
    backup->done(backup);
}

void
engine_backup(struct engine *engine, struct engine_backup *backup)
{
    fake_submit_request(engine, run_backup, backup);
}

/* ---- rows from nowhere, and looking inside ---- */

void
fake_engine_add_attempt(struct engine *engine, uint64_t event, uint64_t webhook,
                        const struct attempt_record *attempt, enum call_state state,
                        msec_t due_ms)
{
    pthread_mutex_lock(&engine->lock);
    struct fake_call *call = fake_find_call(engine, 0, event, webhook);
    assert(call && call->n_attempts < ATTEMPTS_MAX);
    if (!call->attempts)
        call->attempts = xcalloc(ATTEMPTS_MAX, sizeof(call->attempts[0]));
    struct fake_attempt *row = &call->attempts[call->n_attempts++];
    row->row = *attempt;
    row->reason =
        xstrndup(attempt->reason.p ? attempt->reason.p : "", attempt->reason.n);
    row->response =
        xstrndup(attempt->response.p ? attempt->response.p : "", attempt->response.n);
    row->row.n = (uint32_t)call->n_attempts;
    row->row.reason.p = row->reason;
    row->row.response.p = row->response;
    call->state = state;
    call->due_ms = due_ms;
    pthread_mutex_unlock(&engine->lock);
}

size_t
fake_engine_events(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    size_t n = engine->n_events;
    pthread_mutex_unlock(&engine->lock);
    return n;
}

struct slice
fake_engine_body(struct engine *engine, size_t i)
{
    pthread_mutex_lock(&engine->lock);
    assert(i < engine->n_events);
    struct slice body = {engine->events[i]->body, engine->events[i]->body_n};
    pthread_mutex_unlock(&engine->lock);
    return body;
}

uint64_t
fake_engine_event_key(struct engine *engine, size_t i)
{
    pthread_mutex_lock(&engine->lock);
    assert(i < engine->n_events);
    uint64_t key = engine->events[i]->key;
    pthread_mutex_unlock(&engine->lock);
    return key;
}

size_t
fake_engine_calls(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    size_t n = engine->n_calls;
    pthread_mutex_unlock(&engine->lock);
    return n;
}

uint64_t
fake_engine_newest_webhook(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    uint64_t number = engine->webhook_numbers;
    pthread_mutex_unlock(&engine->lock);
    return number;
}
