/*
 * What is in memory of events and calls on their way out. An event's bytes are held
 * once, however many webhooks it goes to; all of it is on disk as well and may be
 * dropped at any time before its attempt begins.
 */
#pragma once

#include <stdatomic.h>

#include "base/ids.h"
#include "base/types.h"
#include "core/event.h"
#include "send/transport.h"

struct live_event {
    atomic_uint refs;
    enum event_type type;
    uint64_t key;
    char id[ID_TEXT];
    size_t len;
    char body[];
};

struct live_event *live_event_new(enum event_type type,
                                  struct slice body); /* one reference, no key yet */
void live_event_set_key(struct live_event *event, uint64_t key);
struct live_event *live_event_ref(struct live_event *event);
void live_event_unref(struct live_event *event); /* NULL is fine */

/* A call in memory: ready, in flight, or with its outcome on the way to the store. */
struct live_call {
    struct attempt attempt;
    struct live_event *event;
    struct lane *lane;
    struct host
        *host; /* where its attempt goes; NULL = not under way, or not counted */
    struct webhook
        *sent;       /* as it was when the attempt began, a reference; NULL before */
    uint32_t number; /* of the attempt, in its window */
    msec_t due_ms;
    uint32_t attempts; /* made so far, over all rounds */
    uint32_t tries;    /* made in this round */
    char *response;    /* of the attempt that ended, until it is stored */
    struct live_call *next;
};

struct live_call *
live_call_new(struct live_event *event); /* takes the event's reference over */
void live_call_free(struct live_call *call);
size_t
live_call_bytes(const struct live_call *call); /* what it holds of the memory budget */

/* First in, first out. */
struct live_queue {
    struct live_call *head, *tail;
    size_t n;
};

void live_queue_add(struct live_queue *queue, struct live_call *call);
struct live_call *live_queue_take(struct live_queue *queue); /* NULL when empty */
/* All of `from` to the end of `queue`. */
void live_queue_move(struct live_queue *queue, struct live_queue *from);
