/* Many subscriptions at once, a line each, all or nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "api/resources.h"
#include "api/subscription_body.h"
#include "base/mem.h"

struct import {
    struct change *changes;
    size_t n, cap;
    struct buf text;
    size_t made; /* new subscriptions */
};

static void
import_free(void *own)
{
    struct import *import = own;
    free(import->changes);
    buf_fini(&import->text);
    free(import);
}

static int
refuse_line(struct api_request *r, size_t index, const char *pointer,
            const char *reason)
{
    problem_answer(r->req, 400,
                   (struct problem_place){(int64_t)index, slice_of(pointer)}, reason);
    return E_INVALID;
}

static struct change *
add_change(struct import *import)
{
    if (import->n == import->cap) {
        import->cap = import->cap ? import->cap * 2 : 64;
        import->changes =
            xrealloc(import->changes, import->cap * sizeof(import->changes[0]));
    }
    return &import->changes[import->n++];
}

static int
read_line(struct api_request *r, struct import *import, struct json_doc *doc,
          struct slice line)
{
    struct subscription_error error;
    struct json_error syntax;

    if (json_skip_space(line.p, line.n, 0) == line.n)
        return 0;
    if (import->n == r->api->options.max_events) {
        api_problem(r, 413, "more than %zu lines in one request; send them in several",
                    r->api->options.max_events);
        return E_TOO_LARGE;
    }
    int rc = json_parse(doc, line.p, line.n, &syntax);
    if (rc == E_INVALID) {
        snprintf(error.reason, sizeof(error.reason), "not valid JSON at byte %zu: %s",
                 syntax.offset, syntax.reason);
        return refuse_line(r, import->n, syntax.pointer, error.reason);
    }
    struct change *change = add_change(import);
    if (rc == 0)
        rc = subscription_body_read(change, &import->text, doc, &doc->tokens[0],
                                    r->channel->id, &error);
    if (rc == E_NO_MEMORY) {
        api_refuse(r, rc, NULL);
        return rc;
    }
    if (rc == 0 && !change->id.n)
        return refuse_line(r, import->n - 1, "/_id", "is missing");
    if (rc != 0)
        return refuse_line(r, import->n - 1, error.pointer, error.reason);
    change->silent = !r->query.emit;
    return 0;
}

static int
read_lines(struct api_request *r, struct import *import)
{
    struct slice body = httpd_body(r->req);
    struct json_doc doc;
    int rc = 0;

    buf_init(&import->text, SUBSCRIPTION_ROOM(body.n));
    if (buf_reserve(&import->text, SUBSCRIPTION_ROOM(body.n)) != 0) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    json_init(&doc);
    for (size_t at = 0; at < body.n && rc == 0;) {
        const char *newline = memchr(body.p + at, '\n', body.n - at);
        size_t end = newline ? (size_t)(newline - body.p) : body.n;
        rc = read_line(r, import, &doc, (struct slice){body.p + at, end - at});
        at = end + 1;
    }
    json_fini(&doc);
    if (rc == 0 && import->n == 0) {
        api_problem(r, 400, "no subscriptions");
        rc = E_INVALID;
    }
    return rc;
}

static void
applied(struct engine_touch *touch, size_t i, const struct subscription *after,
        const struct channel *channel)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    struct import *import = r->own;

    (void)i;
    (void)channel;
    import->made += after->number == 0;
}

static void
touch_done(struct engine_touch *touch)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    const struct import *import = r->own;

    if (touch->result != 0) {
        api_refuse(r, touch->result, touch->why);
        return;
    }
    int64_t events = (int64_t)events_count(touch->events_by_type);
    api_json_begin(r);
    json_i64(&r->json, "created", (int64_t)import->made);
    json_i64(&r->json, "replaced", (int64_t)(import->n - import->made));
    json_i64(&r->json, "events", events);
    api_json_end(r, 200);
}

void
subscriptions_import(struct api_request *r)
{
    struct import *import = xcalloc(1, sizeof(*import));

    r->own = import;
    r->own_free = import_free;
    if (read_lines(r, import) != 0)
        return;
    r->op.touch = (struct engine_touch){
        .channel = r->channel,
        .changes = import->changes,
        .n = import->n,
        .applied = applied,
        .done = touch_done,
    };
    httpd_hold(r->req);
    engine_touch(r->api->engine, &r->op.touch);
}
