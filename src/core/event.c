#include "core/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/event_rules.h"

#define EVENTS_FIRST 16

static const char *const type_names[EVENT_TYPES] = {
    [EVENT_OPT_IN] = "optIn",
    [EVENT_OPT_OUT] = "optOut",
    [EVENT_DELIVERY] = "delivery",
    [EVENT_CLICK] = "click",
    [EVENT_UPDATE_TOPICS] = "updateTopics",
    [EVENT_TOPIC_ADDED] = "topicAdded",
    [EVENT_ATTRIBUTE_UPDATE] = "attributeUpdate",
};

const char *
event_type_name(enum event_type type)
{
    return (unsigned)type < EVENT_TYPES ? type_names[type] : "unknown";
}

bool
event_type_parse(struct slice name, enum event_type *type)
{
    for (unsigned i = 0; i < EVENT_TYPES; i++) {
        if (slice_is(name, type_names[i])) {
            *type = (enum event_type)i;
            return true;
        }
    }
    return false;
}

void
event_batch_init(struct event_batch *batch)
{
    *batch = (struct event_batch){0};
    json_init(&batch->doc);
}

void
event_batch_fini(struct event_batch *batch)
{
    free(batch->events);
    json_fini(&batch->doc);
    event_batch_init(batch);
}

/* ---- reading a body ---- */

struct reader {
    struct event_batch *batch;
    struct slice body;
    struct slice channel;
    const struct event_limits *limits;
    struct event_error *error;
};

static int fail(struct reader *reader, int code, int64_t index, const char *fmt, ...)
    printf_like(4, 5);

static int
fail(struct reader *reader, int code, int64_t index, const char *fmt, ...)
{
    struct event_error *error = reader->error;
    va_list args;

    error->too_large = code == E_TOO_LARGE;
    error->index = index;
    error->pointer[0] = '\0';
    va_start(args, fmt);
    vsnprintf(error->reason, sizeof(error->reason), fmt, args);
    va_end(args);
    return code;
}

/* `offset` is of the text the JSON reader saw in the body. */
static int
fail_json(struct reader *reader, int code, int64_t index, size_t offset,
          const struct json_error *json)
{
    fail(reader, code, index, "at byte %zu: %s", offset + json->offset, json->reason);
    memcpy(reader->error->pointer, json->pointer, sizeof(json->pointer));
    return code;
}

static int64_t
next_index(const struct reader *reader)
{
    return (int64_t)reader->batch->n;
}

static int
room_check(struct reader *reader)
{
    struct event_batch *batch = reader->batch;

    if (batch->n >= reader->limits->max_events)
        return fail(reader, E_TOO_LARGE, -1,
                    "more than %zu events in one request; send them in several",
                    reader->limits->max_events);
    if (batch->n < batch->cap)
        return 0;

    size_t cap = batch->cap ? batch->cap * 2 : EVENTS_FIRST;
    struct event_ref *events = realloc(batch->events, cap * sizeof(events[0]));
    if (!events)
        return fail(reader, E_NO_MEMORY, -1, "no memory");
    batch->events = events;
    batch->cap = cap;
    return 0;
}

/* The value that was just parsed becomes the next event. */
static int
event_take(struct reader *reader)
{
    struct event_batch *batch = reader->batch;
    const struct json_doc *doc = &batch->doc;
    struct event_ref ref = {.body = json_raw(doc, &doc->tokens[0])};

    if (doc->tokens[0].type != JSON_OBJECT)
        return fail(reader, E_INVALID, next_index(reader),
                    "must be an event object, not %s",
                    json_type_name(doc->tokens[0].type));
    if (ref.body.n > reader->limits->max_event_bytes)
        return fail(reader, E_TOO_LARGE, next_index(reader),
                    "has %zu bytes; an event may have %zu", ref.body.n,
                    reader->limits->max_event_bytes);

    int rc = event_rules_check(doc, reader->channel, &ref, reader->error);
    if (rc != 0) {
        reader->error->too_large = false;
        reader->error->index = next_index(reader);
        return rc;
    }
    batch->events[batch->n++] = ref;
    return 0;
}

/* One element of an array; *at moves past it. */
static int
element_read(struct reader *reader, size_t *at)
{
    struct json_error json;

    int rc = room_check(reader);
    if (rc != 0)
        return rc;
    rc = json_parse_value(&reader->batch->doc, reader->body.p, reader->body.n, at,
                          &json);
    if (rc != 0)
        return fail_json(reader, rc, next_index(reader), 0, &json);
    return event_take(reader);
}

/* `at` is behind the opening bracket. */
static int
array_read(struct reader *reader, size_t at)
{
    struct slice body = reader->body;

    at = json_skip_space(body.p, body.n, at);
    if (at < body.n && body.p[at] == ']')
        return fail(reader, E_INVALID, -1, "no events");
    for (;;) {
        int rc = element_read(reader, &at);
        if (rc != 0)
            return rc;
        at = json_skip_space(body.p, body.n, at);
        if (at == body.n || (body.p[at] != ',' && body.p[at] != ']'))
            return fail(reader, E_INVALID, -1,
                        at == body.n ? "at byte %zu: unexpected end"
                                     : "at byte %zu: expected ',' or ']'",
                        at);
        if (body.p[at++] == ']')
            break;
    }
    at = json_skip_space(body.p, body.n, at);
    if (at != body.n)
        return fail(reader, E_INVALID, -1, "at byte %zu: something follows the array",
                    at);
    return 0;
}

/* A body that is not an array: one event, or nothing that could be. */
static int
single_read(struct reader *reader)
{
    struct json_doc *doc = &reader->batch->doc;
    struct slice body = reader->body;
    struct json_error json;
    size_t at = json_skip_space(body.p, body.n, 0);
    bool object = body.p[at] == '{';

    int rc = room_check(reader);
    if (rc != 0)
        return rc;
    rc = json_parse(doc, body.p, body.n, &json);
    if (rc != 0)
        return fail_json(reader, rc, object ? 0 : -1, 0, &json);
    if (!object)
        return fail(reader, E_INVALID, -1,
                    "must be an event object or an array of them, not %s",
                    json_type_name(doc->tokens[0].type));
    return event_take(reader);
}

static int
json_read(struct reader *reader)
{
    struct slice body = reader->body;
    size_t at = json_skip_space(body.p, body.n, 0);

    if (at == body.n)
        return fail(reader, E_INVALID, -1, "no events");
    return body.p[at] == '[' ? array_read(reader, at + 1) : single_read(reader);
}

static int
line_read(struct reader *reader, size_t at, size_t end)
{
    struct json_error json;
    const char *line = reader->body.p + at;

    if (json_skip_space(line, end - at, 0) == end - at)
        return 0;
    int rc = room_check(reader);
    if (rc != 0)
        return rc;
    rc = json_parse(&reader->batch->doc, line, end - at, &json);
    if (rc != 0)
        return fail_json(reader, rc, next_index(reader), at, &json);
    return event_take(reader);
}

static int
ndjson_read(struct reader *reader)
{
    struct slice body = reader->body;

    for (size_t at = 0; at < body.n;) {
        const char *newline = memchr(body.p + at, '\n', body.n - at);
        size_t end = newline ? (size_t)(newline - body.p) : body.n;
        int rc = line_read(reader, at, end);
        if (rc != 0)
            return rc;
        at = end + 1;
    }
    if (reader->batch->n == 0)
        return fail(reader, E_INVALID, -1, "no events");
    return 0;
}

int
event_batch_parse(struct event_batch *batch, struct slice body,
                  enum event_format format, struct slice channel,
                  const struct event_limits *limits, struct event_error *error)
{
    struct reader reader = {batch, body, channel, limits, error};

    batch->n = 0;
    int rc = format == EVENT_FORMAT_NDJSON ? ndjson_read(&reader) : json_read(&reader);
    if (rc != 0)
        batch->n = 0;
    return rc;
}
