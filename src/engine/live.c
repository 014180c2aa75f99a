#include "engine/live.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct live_event *
live_event_new(enum event_type type, struct slice body)
{
    struct live_event *event = xmalloc(sizeof(*event) + body.n);
    atomic_init(&event->refs, 1);
    event->type = type;
    event->key = 0;
    event->len = body.n;
    memcpy(event->body, body.p, body.n);
    return event;
}

void
live_event_set_key(struct live_event *event, uint64_t key)
{
    event->key = key;
    event_id_format(event->id, key);
}

struct live_event *
live_event_ref(struct live_event *event)
{
    atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
    return event;
}

void
live_event_unref(struct live_event *event)
{
    if (event && atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) == 1)
        free(event);
}

struct live_call *
live_call_new(struct live_event *event)
{
    struct live_call *call = xcalloc(1, sizeof(*call));
    call->event = event;
    return call;
}

void
live_call_free(struct live_call *call)
{
    live_event_unref(call->event);
    webhook_unref(call->sent);
    free(call->response);
    free(call);
}

size_t
live_call_bytes(const struct live_call *call)
{
    return sizeof(*call) + sizeof(*call->event) + call->event->len;
}

void
live_queue_add(struct live_queue *queue, struct live_call *call)
{
    call->next = NULL;
    if (queue->tail)
        queue->tail->next = call;
    else
        queue->head = call;
    queue->tail = call;
    queue->n++;
}

struct live_call *
live_queue_take(struct live_queue *queue)
{
    struct live_call *call = queue->head;
    if (!call)
        return NULL;
    queue->head = call->next;
    if (!queue->head)
        queue->tail = NULL;
    queue->n--;
    call->next = NULL;
    return call;
}

void
live_queue_move(struct live_queue *queue, struct live_queue *from)
{
    if (!from->head)
        return;
    if (queue->tail)
        queue->tail->next = from->head;
    else
        queue->head = from->head;
    queue->tail = from->tail;
    queue->n += from->n;
    *from = (struct live_queue){0};
}
