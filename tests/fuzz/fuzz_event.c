#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "core/event.h"
#include "fuzz.h"

#define CHANNEL SLICE("CHANNEL_ID")

static const struct event_limits limits = {100, 4096};

/* An event that was taken is taken again alone, and is the same. */
static void
check_alone(const struct event_ref *event)
{
    struct event_batch alone;
    struct event_error error;
    event_batch_init(&alone);
    int rc = event_batch_parse(&alone, event->body, EVENT_FORMAT_JSON, CHANNEL, &limits,
                               &error);
    assert(rc == 0 && alone.n == 1);
    assert(alone.events[0].type == event->type);
    assert(slice_eq(alone.events[0].body, event->body));
    assert(slice_eq(alone.events[0].subscription, event->subscription));
    event_batch_fini(&alone);
}

static void
check_event(const struct event_ref *event, struct slice text)
{
    assert(event->type < EVENT_TYPES);
    assert(event->body.p >= text.p);
    assert(event->body.p + event->body.n <= text.p + text.n);
    assert(event->body.n >= 2 && event->body.n <= limits.max_event_bytes);
    assert(event->body.p[0] == '{' && event->body.p[event->body.n - 1] == '}');
    check_alone(event);
}

static void
check_format(struct slice text, enum event_format format)
{
    struct event_batch batch;
    struct event_error error;
    event_batch_init(&batch);
    int rc = event_batch_parse(&batch, text, format, CHANNEL, &limits, &error);
    if (rc == 0) {
        assert(batch.n >= 1 && batch.n <= limits.max_events);
        for (size_t i = 0; i < batch.n; i++)
            check_event(&batch.events[i], text);
    } else {
        assert(rc == E_INVALID || rc == E_TOO_LARGE);
        assert(memchr(error.reason, '\0', sizeof(error.reason)));
        assert(memchr(error.pointer, '\0', sizeof(error.pointer)));
        assert(error.reason[0]);
    }
    event_batch_fini(&batch);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice text = {(const char *)bytes, n};
    check_format(text, EVENT_FORMAT_JSON);
    check_format(text, EVENT_FORMAT_NDJSON);
    return 0;
}
