/*
 * Events on their way into the store and out to the senders: their bytes, the calls
 * that they make, and, once they are committed, one message per sender. Private to
 * engine/.
 */
#pragma once

#include "engine/config.h"
#include "engine/dispatch.h"
#include "store/store.h"

struct engine;

struct outgoing {
    struct engine *engine;
    struct live_event **live;   /* their bytes, which events point into */
    struct store_event *events; /* for the store */
    size_t n_events, cap_events;
    struct store_new_call *calls; /* by ascending event */
    size_t n_calls, cap_calls;
    struct handover **handovers; /* one per sender, NULL where nothing goes */
};

void outgoing_init(struct outgoing *out, struct engine *engine);
void outgoing_fini(struct outgoing *out);
/* Copies the event's bytes. */
void outgoing_add(struct outgoing *out, const struct event_ref *ref);
/* Adds the calls of the events from `first` on: to `only`, or, NULL, to all webhooks of
 * the channel that want them. Under the configuration's lock. E_TOO_LARGE:
 * more than ENGINE_CALLS_MAX. */
int outgoing_match(struct outgoing *out, const struct config_channel *entry,
                   size_t first, const struct webhook *only) must_check;
void outgoing_forget_calls(struct outgoing *out);
/* Readies one message per sender. A sender whose memory is full gets to know only that
 * something waits on disk. */
void outgoing_ready(struct outgoing *out);
void outgoing_take_back(struct outgoing *out); /* they go nowhere after all */
void outgoing_send(struct outgoing *out, uint64_t first_key); /* committed */
