/* The operation behind streams; see store.h for how operations go. */
#pragma once

#include "store/store.h"

/* What has happened in a channel, from a place on: its events, and what attempts have
 * led to, in the order of their commits. Entries keep their order and are never
 * inserted behind one that was read. What was dropped meanwhile is left out; outcomes
 * that are older than FEED_KEPT_MS are not known. */
struct store_feed {
    struct store_op op;
    uint64_t channel;
    bool events, outcomes; /* which of them */
    uint32_t types;
    struct slice subscription; /* n 0 = any */
    uint64_t webhook;    /* of outcomes, and of events that are owed to it; 0 = any */
    struct feed_at from; /* FEED_AT_END: nothing is read, and next is the end */
    size_t limit;
    /* `next` is the place behind it. On the store's thread, in order; false = this was
     * enough. */
    bool (*event)(struct store_feed *feed, const struct event_record *event,
                  struct feed_at next);
    bool (*outcome)(struct store_feed *feed, const struct outcome_record *outcome,
                    struct feed_at next);
    /* out */
    uint64_t gone; /* of events with keys up to this one some were dropped, because
                      their time was over; set before the first entry */
    struct feed_at next; /* behind all that was looked at */
    bool more;           /* there may be more now; false: next is the end */
};

/* Entries that one STORE_FEED looks at. */
#define STORE_FEED_SCAN 2000
