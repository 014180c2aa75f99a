/* The payloads that Pushwire builds itself: exactly the keys of the product page, in
 * its order; what is not known is left out. Errors stay in out->failed. */
#pragma once

#include "base/buf.h"
#include "base/types.h"
#include "core/event.h"
#include "core/subscription.h"

/* Of optIn, optOut, updateTopics, topicAdded and attributeUpdate. `topics` is the list
 * to be shown, as JSON: of topicAdded what it was before, with what came to it in
 * `new_topics`. Slices stay valid only as long as `out` is not added to. */
struct payload {
    enum event_type type;
    const struct subscription *subscription;
    const char *channel;
    struct slice topics;
    struct slice new_topics;
};

void payload_write(struct buf *out, const struct payload *payload);

/* Of delivery and click. */
struct push_payload {
    enum event_type type;
    msec_t date_ms;
    const char *subscription;
    struct slice notification; /* its id */
    struct slice feed_guid;    /* JSON; n 0 = not known */
    const char *channel;
};

void payload_write_push(struct buf *out, const struct push_payload *push);

/* Where in a payload the subscription's id stands, for an event_ref. */
struct slice payload_subscription(struct slice body, const char *subscription);
