/*
 * Events: the seven kinds of the product page, the payload rules of each as a table,
 * and the reading of a request body into events that keep their exact bytes.
 */
#pragma once

#include "base/ids.h"
#include "base/json.h"
#include "base/types.h"

enum event_type {
    EVENT_OPT_IN,
    EVENT_OPT_OUT,
    EVENT_DELIVERY,
    EVENT_CLICK,
    EVENT_UPDATE_TOPICS,
    EVENT_TOPIC_ADDED,
    EVENT_ATTRIBUTE_UPDATE,
    EVENT_TYPES
};

#define EVENT_MAX_BYTES ((size_t)256 * 1024) /* one event */
#define EVENT_ALL_TYPES ((1u << EVENT_TYPES) - 1)

const char *event_type_name(enum event_type type); /* "optIn" … */
bool event_type_parse(struct slice name, enum event_type *type);

/* One event inside a request body. The slices point into the body. */
struct event_ref {
    enum event_type type;
    struct slice body; /* exactly the event's bytes: its braces and all between them */
    struct slice subscription; /* subscription._id */
};

enum event_format {
    EVENT_FORMAT_JSON,  /* one object, or an array of objects */
    EVENT_FORMAT_NDJSON /* an object a line; empty lines are skipped */
};

struct event_limits {
    size_t max_events;      /* a request */
    size_t max_event_bytes; /* at most EVENT_MAX_BYTES */
};

/* Why a body was refused, for problem+json. */
struct event_error {
    bool too_large; /* 413 instead of 400 */
    int64_t index;  /* of the event, from 0; -1 when the body as a whole is at fault */
    char pointer[JSON_POINTER_MAX]; /* inside that event */
    char reason[200];
};

struct event_batch {
    struct event_ref *events;
    size_t n;
    size_t cap;
    struct json_doc doc; /* scratch */
};

void event_batch_init(struct event_batch *batch);
void event_batch_fini(struct event_batch *batch);

/* All or nothing: 0 with at least one event, or E_INVALID / E_TOO_LARGE / E_NO_MEMORY
 * with `error` filled. `channel` is the channel id of the path: each event's
 * channel._id must equal it. The batch can be used again. */
int event_batch_parse(struct event_batch *batch, struct slice body,
                      enum event_format format, struct slice channel,
                      const struct event_limits *limits,
                      struct event_error *error) must_check;

/* The subscription of events that are sent as a test. */
#define EVENT_SAMPLE_SUBSCRIPTION "SUBSCRIPTION_ID"

/* A sample payload of a type as the product page shows it, with these ids and time;
 * valid by the rules above. */
int event_sample(struct buf *out, enum event_type type, struct slice channel,
                 struct slice subscription, msec_t now_ms) must_check;

/* Whether an event is about a notification, and the id of that one. `body` has been
 * read by event_batch_parse before. */
bool event_notification(struct slice body, char out[ID_MAX + 1]);
