/*
 * What one sender thread does, without the thread: it owns the lanes of its webhooks (a
 * lane: what is ready for one webhook, its window, its place in the schedule), reads
 * what is due from the store, starts attempts in fair turns, and hands their outcomes
 * to the store in groups. A simulation turns it by hand.
 *
 *   mail (any thread) ──> turn: read mail, ask the store for what is due, start
 * attempts, submit outcomes transport.run: attempts end, outcomes are noted
 *
 * A call is in `calls` from the moment it is ready until its outcome is committed, so
 * that a read of what is due, which still finds it waiting, does not start it twice.
 */
#pragma once

#include <stdatomic.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/types.h"
#include "core/explain.h"
#include "engine/live.h"
#include "schedule/schedule.h"
#include "send/transport.h"
#include "send/window.h"
#include "store/store.h"

struct dispatch;

/* A message to a dispatch from any thread. Intrusive; the handler owns it and runs on
 * the dispatch's thread. */
struct mail {
    struct mail *next;
    void (*handle)(struct dispatch *dispatch, struct mail *mail);
    void (*drop)(
        struct mail *mail); /* instead of handle, when the dispatch is closed */
};

enum disable_reason { DISABLE_GONE, DISABLE_FAILING };

struct dispatch_options {
    struct store *store;
    struct clock *clock;
    struct rng *rng;
    struct transport *transport; /* ownership moves */
    unsigned window;
    unsigned slots;
    unsigned host_window; /* in flight to one host and port; 0 = any number */
    unsigned drain_rate;  /* of a backlog: calls a second per webhook; 0 = any */
    unsigned drain_total; /* and of all webhooks together */
    size_t max_bytes;     /* of calls in memory */
    /* enum disk_room: while it is DISK_FULL no attempt is started. Whoever changes it
     * wakes the transport. */
    const atomic_int *room;
    msec_t disable_after; /* of nothing but failures; 0 = never */
    /* 410, or too long nothing but failures: this webhook is to be disabled for that
     * `reason`, unless it has changed since. On the
     * dispatch's thread. */
    void (*disable)(void *ctx, struct webhook *webhook, enum disable_reason reason);
    /* All attempts of a call are used, and that is committed. Likewise. */
    void (*exhausted)(void *ctx, const struct webhook *webhook, uint64_t event,
                      uint32_t attempts, struct slice reason);
    void *ctx;
    /* Part of each turn; NULL = nothing. Returns when it wants the next (steady ms). */
    msec_t (*also)(void *also_ctx, msec_t now_ms);
    void *also_ctx;
};

/* Figures for anybody; written by the dispatch's thread. */
struct dispatch_gauges {
    atomic_uint_fast64_t ready;
    atomic_uint_fast64_t in_flight;
    atomic_int_fast64_t oldest_due_ms; /* MSEC_NEVER = nothing */
};

/* Outcomes on their way to the store: at most this many calls may be unrecorded after a
 * crash, besides those in flight. */
#define DISPATCH_UNRECORDED_MAX 512

struct dispatch *dispatch_new(const struct dispatch_options *options);
void dispatch_free(
    struct dispatch *dispatch); /* after the store has stopped; NULL is fine */

void dispatch_post(struct dispatch *dispatch, struct mail *mail); /* any thread */

/* One turn; returns when the next is due if nothing happens before (steady ms,
 * MSEC_NEVER = only when woken). */
msec_t dispatch_turn(struct dispatch *dispatch);

/* The turn's first part alone. */
void dispatch_read_mail(struct dispatch *dispatch);

/* From now on no attempt is started. */
void dispatch_stop(struct dispatch *dispatch);
/* Gives back what is still in flight: those calls stay waiting and no attempt is
 * recorded, unless its answer has come already. */
void dispatch_abort(struct dispatch *dispatch);
/* Nothing in flight, no outcome unrecorded, no read under way, no authorizer asked. */
bool dispatch_is_idle(const struct dispatch *dispatch);

struct transport *dispatch_transport(struct dispatch *dispatch);
const struct dispatch_gauges *dispatch_gauges(const struct dispatch *dispatch);
/* May this many bytes of fresh calls come here by mail? They count until the handover
 * arrives, or is taken back. */
bool dispatch_admit(struct dispatch *dispatch, size_t bytes);
void dispatch_take_back(struct dispatch *dispatch, size_t bytes);

/* What it knows of a webhook and one of its calls; of the call's row the tries. On the
 * dispatch's thread. */
struct explain_lane dispatch_explain(const struct dispatch *dispatch,
                                     const struct call_record *call);

/* ---- mail ---- */

/* This node sends for the webhook (lease > 0) or no longer does. */
void dispatch_post_lease(struct dispatch *dispatch, uint64_t webhook, uint64_t lease);
/* The webhook is new or has changed, or its channel's trial has: from `held_from_ms` on
 * (steady; MSEC_NEVER = never) its calls are held. Takes a reference. */
void dispatch_post_webhook(struct dispatch *dispatch, struct webhook *webhook,
                           msec_t held_from_ms);
/* A waiting call at this place is (only) on disk. */
void dispatch_post_due(struct dispatch *dispatch, uint64_t webhook,
                       struct due_at place);
/* Calls of the webhook wait no more that may be at hand: what is ready is read anew. */
void dispatch_post_taken(struct dispatch *dispatch, uint64_t webhook);

/* Fresh calls, just committed. */
struct handover_call {
    uint64_t webhook;
    uint32_t index;           /* of its event in the request */
    struct live_event *event; /* a reference; NULL = not kept in memory, on disk only */
};

struct handover {
    struct mail mail;
    size_t bytes; /* admitted */
    uint64_t first_key;
    size_t n;
    struct handover_call calls[];
};

struct handover *handover_new(size_t n);
void handover_free(struct handover *handover);
void dispatch_post_handover(struct dispatch *dispatch, struct handover *handover);
