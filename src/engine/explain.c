/*
 * Reading one event or one call, and saying why it is where it is. The store's answer
 * comes first. What waits in it is asked of the senders, one after the other, by mail:
 * each knows its webhooks, and nobody else may look at what it knows.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

/* ---- rows that outlive the store's callback ---- */

static struct slice
own(struct slice text)
{
    return (struct slice){text.n ? xstrndup(text.p, text.n) : NULL, text.n};
}

static void
disown(struct slice text)
{
    union {
        const char *p;
        void *own;
    } bytes = {text.p};
    free(bytes.own);
}

static struct call_record
call_copy(const struct call_record *call)
{
    struct call_record copy = *call;
    copy.subscription = own(call->subscription);
    copy.notification = own(call->notification);
    copy.held_reason = own(call->held_reason);
    copy.last.reason = own(call->last.reason);
    copy.last.response = (struct slice){0};
    return copy;
}

static void
call_forget(const struct call_record *call)
{
    disown(call->subscription);
    disown(call->notification);
    disown(call->held_reason);
    disown(call->last.reason);
}

/* ---- asking the senders ---- */

struct question {
    struct call_record call;
    struct explain_lane lane;
};

struct asking {
    struct mail mail;
    struct engine *engine;
    size_t sender; /* that is asked, or the next one that will be */
    struct question *questions;
    size_t n;
    void (*done)(struct asking *asking);
};

static void ask_next(struct asking *asking);

static bool
is_asked(const struct asking *asking, const struct question *question)
{
    return question->call.state == CALL_WAITING &&
           question->call.webhook % asking->engine->n_senders == asking->sender;
}

static void
asking_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct asking *asking = container_of(mail, struct asking, mail);
    for (size_t i = 0; i < asking->n; i++)
        if (is_asked(asking, &asking->questions[i]))
            asking->questions[i].lane =
                dispatch_explain(dispatch, &asking->questions[i].call);
    asking->sender++;
    ask_next(asking);
}

static void
asking_dropped(struct mail *mail)
{
    struct asking *asking = container_of(mail, struct asking, mail);
    asking->done(asking);
}

/* As with gates: what is posted before they are closed is read, or dropped. */
static bool
post(struct asking *asking)
{
    struct engine *engine = asking->engine;
    pthread_mutex_lock(&engine->gate_lock);
    bool open = !engine->gates_closed;
    if (open)
        dispatch_post(engine->senders[asking->sender].dispatch, &asking->mail);
    pthread_mutex_unlock(&engine->gate_lock);
    return open;
}

static void
ask_next(struct asking *asking)
{
    for (; asking->sender < asking->engine->n_senders; asking->sender++)
        for (size_t i = 0; i < asking->n; i++)
            if (is_asked(asking, &asking->questions[i])) {
                if (!post(asking))
                    asking->done(asking);
                return;
            }
    asking->done(asking);
}

static void
ask(struct asking *asking)
{
    asking->mail = (struct mail){.handle = asking_arrived, .drop = asking_dropped};
    ask_next(asking);
}

static void
answer(struct engine *engine, const struct question *question, struct explain *out)
{
    struct webhook *webhook = engine_webhook_numbered(engine, question->call.webhook);
    explain_call(out, &question->call, webhook, &question->lane,
                 clock_steady_ms(engine->clock));
    webhook_unref(webhook);
}

/* ---- one call ---- */

struct call_read {
    struct store_call_read store;
    struct asking asking;
    struct question question;
    struct engine_call *read;
};

static void
call_call(struct store_call_read *store, const struct call_record *call)
{
    struct call_read *work = container_of(store, struct call_read, store);
    work->question.call = call_copy(call);
    work->read->call(work->read, call);
}

static void
call_attempt(struct store_call_read *store, const struct attempt_record *attempt)
{
    struct engine_call *read = container_of(store, struct call_read, store)->read;
    read->attempt(read, attempt);
}

static void
call_explained(struct asking *asking)
{
    struct call_read *work = container_of(asking, struct call_read, asking);
    struct engine_call *read = work->read;
    if (read->result == 0)
        answer(asking->engine, &work->question, &read->explain);
    call_forget(&work->question.call);
    free(work);
    read->done(read);
}

static void
call_done(struct store_op *op)
{
    struct call_read *work = container_of(op, struct call_read, store.op);
    work->read->result = op->result;
    if (op->result == 0)
        ask(&work->asking);
    else
        call_explained(&work->asking);
}

void
engine_call(struct engine *engine, struct engine_call *read)
{
    struct call_read *work = xcalloc(1, sizeof(*work));
    work->read = read;
    work->asking = (struct asking){
        .engine = engine,
        .questions = &work->question,
        .n = 1,
        .done = call_explained,
    };
    work->store = (struct store_call_read){
        .op = {.kind = STORE_CALL, .done = call_done},
        .channel = read->channel,
        .event = read->event,
        .webhook = read->webhook,
        .call = call_call,
        .attempt = call_attempt,
    };
    store_submit(engine->store, &work->store.op);
}

/* ---- one event ---- */

struct event_read {
    struct store_event_read store;
    struct asking asking;
    size_t cap; /* of its questions */
    struct event_record event;
    struct engine_event *read;
};

static void
event_event(struct store_event_read *store, const struct event_record *event)
{
    struct event_read *work = container_of(store, struct event_read, store);
    work->event = *event;
    work->event.subscription = own(event->subscription);
    work->event.body = (struct slice){0};
    work->read->event(work->read, event);
}

static void
event_call(struct store_event_read *store, const struct call_record *call)
{
    struct event_read *work = container_of(store, struct event_read, store);
    struct asking *asking = &work->asking;
    if (asking->n == ENGINE_EVENT_CALLS_MAX) {
        work->read->more = true;
        return;
    }
    if (asking->n == work->cap) {
        work->cap = work->cap ? work->cap * 2 : 4;
        asking->questions =
            xrealloc(asking->questions, work->cap * sizeof(asking->questions[0]));
    }
    asking->questions[asking->n++] = (struct question){.call = call_copy(call)};
}

static void
tell_calls(struct event_read *work)
{
    const struct asking *asking = &work->asking;
    struct engine_event *read = work->read;
    struct explain explain;
    for (size_t i = 0; i < asking->n; i++) {
        answer(asking->engine, &asking->questions[i], &explain);
        read->call(read, &asking->questions[i].call, &explain);
    }
}

#define WEBHOOKS_AT_ONCE 64

/* Both go by number. What is behind the last call, when there are more calls, may have
 * one. */
static void
tell_webhooks(struct event_read *work)
{
    const struct asking *asking = &work->asking;
    struct engine_event *read = work->read;
    struct webhook *page[WEBHOOKS_AT_ONCE];
    struct explain explain;
    uint64_t after = 0;
    size_t at = 0, n;

    while ((n = engine_webhooks(asking->engine, read->channel, after, page,
                                WEBHOOKS_AT_ONCE)) > 0) {
        after = page[n - 1]->number;
        for (size_t i = 0; i < n; i++) {
            while (at < asking->n &&
                   asking->questions[at].call.webhook < page[i]->number)
                at++;
            bool behind = at == asking->n;
            if (behind ? !read->more
                       : asking->questions[at].call.webhook != page[i]->number) {
                explain_no_call(&explain, &work->event, page[i]);
                read->webhook(read, page[i], &explain);
            }
            webhook_unref(page[i]);
        }
    }
}

static void
event_explained(struct asking *asking)
{
    struct event_read *work = container_of(asking, struct event_read, asking);
    struct engine_event *read = work->read;
    if (read->result == 0) {
        tell_calls(work);
        if (read->webhook)
            tell_webhooks(work);
    }
    for (size_t i = 0; i < asking->n; i++)
        call_forget(&asking->questions[i].call);
    disown(work->event.subscription);
    free(asking->questions);
    free(work);
    read->done(read);
}

static void
event_done(struct store_op *op)
{
    struct event_read *work = container_of(op, struct event_read, store.op);
    work->read->result = op->result;
    if (op->result == 0)
        ask(&work->asking);
    else
        event_explained(&work->asking);
}

void
engine_event(struct engine *engine, struct engine_event *read)
{
    struct event_read *work = xcalloc(1, sizeof(*work));
    read->more = false;
    work->read = read;
    work->asking = (struct asking){.engine = engine, .done = event_explained};
    work->store = (struct store_event_read){
        .op = {.kind = STORE_EVENT, .done = event_done},
        .channel = read->channel,
        .key = read->key,
        .event = event_event,
        .call = event_call,
    };
    store_submit(engine->store, &work->store.op);
}
