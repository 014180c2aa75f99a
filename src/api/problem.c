/* Answers: problem documents (RFC 9457), JSON objects and pages. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/request.h"
#include "base/metrics.h"

static const struct {
    unsigned status;
    const char *title;
} titles[] = {
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
    {505, "HTTP Version Not Supported"},
};

static const char *
title_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_LEN(titles); i++)
        if (titles[i].status == status)
            return titles[i].title;
    return "Error";
}

/* The labels of METRIC_REQUESTS. */
static unsigned
status_class(unsigned status)
{
    if (status < 400)
        return 0;
    return status < 500 ? 1 : 2;
}

void
api_answer(struct httpd_req *req, unsigned status, const char *type, char *body,
           size_t n)
{
    const struct api_request *r = httpd_user(req);

    if (r && r->cors)
        public_cors_write(r);
    metric_add(METRIC_REQUESTS, status_class(status), 1);
    httpd_answer(req, status, type, body, n);
}

void
api_answer_file(struct httpd_req *req, const char *type, int fd, uint64_t size)
{
    metric_add(METRIC_REQUESTS, status_class(200), 1);
    httpd_answer_header(req, "Cache-Control", "no-store");
    httpd_answer_header(req, "X-Content-Type-Options", "nosniff");
    httpd_answer_file(req, 200, type, fd, size);
}

void
api_stream(struct api_request *r)
{
    metric_add(METRIC_REQUESTS, status_class(200), 1);
    httpd_answer_header(r->req, "Cache-Control", "no-store");
    httpd_answer_header(r->req, "X-Content-Type-Options", "nosniff");
    httpd_answer_header(r->req, "X-Accel-Buffering",
                        "no"); /* nginx waits for no more */
    httpd_stream(r->req, 200, "text/event-stream");
}

static void
answer_with(struct httpd_req *req, unsigned status, const char *type, struct buf *buf)
{
    /* What it says is for this client, now, and never for a browser to guess about. */
    httpd_answer_header(req, "Cache-Control", "no-store");
    httpd_answer_header(req, "X-Content-Type-Options", "nosniff");
    size_t n = buf->n;
    api_answer(req, status, type, buf_take(buf), n);
}

void
api_answer_buf(struct api_request *r, unsigned status, const char *type,
               struct buf *buf)
{
    answer_with(r->req, status, type, buf);
}

/* As the platform says it, and SDKs expect it. */
static void
answer_error(struct httpd_req *req, unsigned status, struct problem_place place,
             const char *detail)
{
    struct buf buf, text;
    struct json_out json;

    buf_init(&text, API_CONFIG_BODY_MAX);
    if (place.path.p && place.path.n)
        buf_addf(&text, "%.*s: ", (int)place.path.n, place.path.p);
    buf_adds(&text, detail);
    buf_init(&buf, API_CONFIG_BODY_MAX);
    json_out_init(&json, &buf);
    json_object(&json, NULL);
    json_strn(&json, "error", text.failed ? SLICE("error") : buf_slice(&text));
    json_object_end(&json);
    buf_fini(&text);
    answer_with(req, status, "application/json", &buf);
}

void
problem_answer(struct httpd_req *req, unsigned status, struct problem_place place,
               const char *detail)
{
    const struct api_request *r = httpd_user(req);
    struct buf buf;
    struct json_out json;

    if (r && r->platform) {
        answer_error(req, status, place, detail);
        return;
    }
    buf_init(&buf, API_CONFIG_BODY_MAX);
    json_out_init(&json, &buf);
    json_object(&json, NULL);
    json_str(&json, "type", "about:blank");
    json_str(&json, "title", title_of(status));
    json_i64(&json, "status", status);
    json_strn(&json, "detail", slice_of(detail));
    if (place.path.p)
        json_strn(&json, "path", place.path);
    if (place.index >= 0)
        json_i64(&json, "index", place.index);
    json_object_end(&json);
    if (buf.failed) {
        buf_fini(&buf);
        api_answer(req, status, "application/problem+json", NULL, 0);
        return;
    }
    answer_with(req, status, "application/problem+json", &buf);
}

void
api_problem(struct api_request *r, unsigned status, const char *fmt, ...)
{
    char detail[1000];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    problem_answer(r->req, status, PROBLEM_NOWHERE, detail);
}

static const struct {
    int code;
    unsigned status;
    const char *retry_after; /* NULL = trying again does not help */
    const char *why;
} refusals[] = {
    {E_INVALID, 400, NULL, "the request is not valid"},
    {E_NOT_FOUND, 404, NULL, "no such thing"},
    {E_ENDED, 403, NULL, "the channel's trial has ended"},
    {E_CONFLICT, 409, NULL, "this conflicts with what is there"},
    {E_TOO_LARGE, 413, NULL, "the request asks for too much at once"},
    {E_NO_MEMORY, 503, "1", "no memory for this request now"},
    {E_FULL, 503, "5",
     "disk full or read-only: nothing was stored; free some space there, or raise "
     "--max-disk if that is set, and send it again"},
    {E_IO, 503, "5", "the store failed"},
    {E_CLOSED, 503, "1", "the server is shutting down"},
};

void
api_refuse(struct api_request *r, int code, const char *why)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].code != code)
            continue;
        /* For what a person cannot mend in the request, our own words: the engine's
         * are for the log. */
        bool own = refusals[i].retry_after || !why || !*why;
        if (refusals[i].retry_after)
            httpd_answer_header(r->req, "Retry-After", refusals[i].retry_after);
        problem_answer(r->req, refusals[i].status, PROBLEM_NOWHERE,
                       own ? refusals[i].why : why);
        return;
    }
    problem_answer(r->req, 500, PROBLEM_NOWHERE, "something unexpected went wrong");
}

void
api_json_begin(struct api_request *r)
{
    buf_fini(&r->out);
    buf_init(&r->out, API_ANSWER_MAX);
    json_out_init(&r->json, &r->out);
    json_object(&r->json, NULL);
}

void
api_json_end(struct api_request *r, unsigned status)
{
    json_object_end(&r->json);
    if (r->out.failed == E_NO_MEMORY)
        api_refuse(r, E_NO_MEMORY, NULL);
    else if (r->out.failed)
        api_problem(r, 500, "the answer is too large to be shown");
    else
        answer_with(r->req, status, "application/json", &r->out);
}

bool
api_row_begin(struct api_request *r)
{
    r->cut = r->cut || r->out.n >= API_PAGE_BYTES;
    if (!r->cut)
        json_object(&r->json, NULL);
    return !r->cut;
}

void
api_page_begin(struct api_request *r)
{
    api_json_begin(r);
    json_array(&r->json, "data");
}

void
api_page_end(struct api_request *r, const char *cursor)
{
    json_array_end(&r->json);
    json_str(&r->json, "nextCursor", cursor);
    api_json_end(r, 200);
}

void
api_history_end(struct api_request *r, const char *cursor, uint64_t event)
{
    json_array_end(&r->json);
    json_str(&r->json, "nextCursor", cursor);
    json_time(&r->json, "searchedTo", cursor ? event_key_ms(event) : MSEC_NEVER);
    api_json_end(r, 200);
}

static void
delete_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        api_answer(r->req, 204, NULL, NULL, 0);
}

void
api_delete(struct api_request *r,
           int (*apply)(struct engine *engine, struct engine_change *change))
{
    r->op.change = (struct engine_change){.apply = apply, .done = delete_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}
