/* One request on its connection: from its head to its answer. */
#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/httpd_private.h"
#include "base/iofd.h"
#include "base/mem.h"

/* A length is only believed when so much of the body has come: a claim alone takes no
 * more of the memory that all bodies share. */
#define BODY_FIRST ((size_t)16 * 1024)
/* But who asks first, with a body larger than this, is only told to go on when there is
 * room for all of it. */
#define BODY_ASKED ((size_t)64 * 1024)

static const char too_large[] = "the body is too large";
static const char no_memory[] = "no memory for the body at the moment";

static void
mark_due(struct httpd_req *req)
{
    if (!req->due) {
        req->due = true;
        atomic_fetch_add(&req->httpd->due, 1);
    }
}

static void
refuse(struct httpd_req *req, unsigned status, const char *detail)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;

    if (status == 503)
        http_answer_add(&req->answer, "Retry-After", "1");
    handler->refuse(handler->ctx, req, status, detail);
    assert(req->answer.set);
}

struct httpd_req *
req_new(struct httpd_conn *conn)
{
    struct httpd_req *req = xmalloc(sizeof(*req));
    struct httpd *httpd = conn->worker->httpd;

    *req = (struct httpd_req){
        .conn = conn, .httpd = httpd, .max_body_bytes = httpd->options.max_body_bytes};
    buf_init_mem(&req->body, req->max_body_bytes, httpd->options.body_mem);
    http_answer_init(&req->answer);
    return req;
}

void
req_free(struct httpd_req *req)
{
    struct httpd *httpd = req->httpd;

    if (req->head_ran)
        httpd->options.handler.over(httpd->options.handler.ctx, req);
    atomic_fetch_sub(&httpd->waiting_bytes, req->waits_with);
    bool due = req->due;
    buf_fini(&req->body);
    http_query_fini(&req->query);
    http_answer_fini(&req->answer);
    free(req);
    if (due && atomic_fetch_sub(&httpd->due, 1) == 1 && atomic_load(&httpd->closing))
        eventfd_write(httpd->drained_fd, 1);
}

/* ---- the answer ---- */

void
req_answered(struct httpd_req *req)
{
    struct httpd_conn *conn = req->conn;

    assert(req->answer.set);
    mark_due(req);
    req->held = false;
    conn->stage = CONN_ANSWER;
    if (!req->head.keep_alive ||
        atomic_load_explicit(&req->httpd->quiesced, memory_order_relaxed))
        conn->last = true;
    if (req->begun) {
        stream_take(req);
        return;
    }
    if (req->answer.form == HTTP_UNTIL_CLOSE)
        conn->last = true;
    enum http_after after = conn->last         ? HTTP_CLOSE
                            : req->head.is_old ? HTTP_KEEP_SAID
                                               : HTTP_KEEP;
    if (http_answer_head(&conn->out, &req->answer, worker_date(conn->worker), after) !=
        0)
        conn->last = true; /* conn_run sees that the buffer failed */
    if (req->streams)
        stream_take(req);
}

static void
answer_and_leave(struct httpd_req *req)
{
    req->conn->last = true;
    req_answered(req);
}

/* Where to go with an answer that was given before the body was read. */
static void
answered_early(struct httpd_req *req)
{
    size_t limit = req->httpd->options.max_body_bytes + DISCARD_MAX;

    if (!http_head_has_body(&req->head))
        req_answered(req);
    else if (req->head.expects_continue || req->head.length > limit)
        answer_and_leave(req); /* perhaps no body comes, or far too much of it */
    else
        req->conn->stage = CONN_DISCARD;
}

/* ---- the head ---- */

static void
run_head(struct httpd_req *req)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;
    const struct http_head *head = &req->head;
    size_t first = BODY_FIRST;

    req->head_ran = true;
    handler->head(handler->ctx, req);
    req->body.max_bytes = req->max_body_bytes;
    if (req->answer.set)
        return;
    if (head->length > req->max_body_bytes) {
        refuse(req, 413, too_large);
        return;
    }
    if (head->length < first || (head->expects_continue && head->length > BODY_ASKED))
        first = (size_t)head->length;
    if (head->length && buf_reserve(&req->body, first) != 0)
        refuse(req, 503, no_memory);
}

void
req_start(struct httpd_req *req)
{
    struct httpd_conn *conn = req->conn;
    const struct http_head *head = &req->head;
    struct slice query = {conn->in + head->query.at, head->query.n};

    req->started_us = clock_mono_us(&clock_system);
    http_head_seal(head, conn->in);
    req->sealed = true;
    if (http_query_parse(&req->query, query) != 0) {
        refuse(req, 400, "the query is malformed or has too many parameters");
        answer_and_leave(req);
        return;
    }
    run_head(req);
    if (req->answer.set) {
        answered_early(req);
    } else if (http_head_has_body(head)) {
        conn->stage = CONN_BODY;
        if (head->expects_continue && conn->in_at == conn->in_n)
            buf_adds(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
    } else {
        req_complete(req);
    }
}

void
req_broken(struct httpd_req *req, const struct http_bad *bad)
{
    if (!req->answer.set)
        refuse(req, bad->status, bad->why);
    answer_and_leave(req);
}

/* ---- the body ---- */

static void
discard(struct httpd_req *req)
{
    if (req->got > req->httpd->options.max_body_bytes + DISCARD_MAX)
        answer_and_leave(req);
}

static void
body_failed(struct httpd_req *req, int rc)
{
    buf_fini(&req->body);
    req->conn->stage = CONN_DISCARD;
    if (rc == E_TOO_LARGE)
        refuse(req, 413, too_large);
    else
        refuse(req, 503, no_memory);
}

void
req_content(struct httpd_req *req, struct slice bytes)
{
    struct httpd_conn *conn = req->conn;

    req->got += bytes.n;
    conn->moved += bytes.n;
    if (conn->stage == CONN_BODY) {
        int rc = buf_add(&req->body, bytes.p, bytes.n);
        if (rc != 0)
            body_failed(req, rc);
    }
    if (conn->stage == CONN_DISCARD)
        discard(req);
}

char *
req_room(struct httpd_req *req, size_t *n)
{
    struct buf *body = &req->body;
    size_t left = (size_t)(req->head.length - req->got);

    assert(body->n == req->got && left > 0);
    size_t room = body->cap > body->n + 1 ? body->cap - 1 - body->n : 0;
    if (room == 0) {
        int rc = buf_reserve(body, left);
        if (rc != 0) {
            body_failed(req, rc);
            return NULL;
        }
        room = left;
    }
    *n = room < left ? room : left;
    return body->p + body->n;
}

void
req_placed(struct httpd_req *req, size_t n)
{
    req->got += n;
    req->conn->moved += n;
    req->body.n += n;
    req->body.p[req->body.n] = '\0';
}

void
req_complete(struct httpd_req *req)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;

    mark_due(req);
    if (!req->answer.set) {
        req->complete = true;
        /* Looked at after mark_due: either this sees the close, or the close sees this
         * request and waits for it. Nothing may be held once the server stops. */
        if (atomic_load(&req->httpd->closing))
            refuse(req, 503, "shutting down");
        else
            handler->body(handler->ctx, req);
        /* Held: the answer belongs to another thread until it comes back. */
        if (req->held) {
            req->conn->stage = CONN_HELD;
            return;
        }
    }
    req_answered(req);
}

/* ---- answering, from any thread ---- */

void
req_give(struct httpd_req *req)
{
    struct httpd *httpd = req->httpd;

    if (!req->held)
        return;
    /* The worker may send it and free the request before this returns. */
    worker_answered(req->conn->worker, req);
    atomic_fetch_sub(&httpd->held, 1);
}

static void
give_answer(struct httpd_req *req, unsigned status, const char *type, size_t n)
{
    struct http_answer *answer = &req->answer;

    answer->set = true;
    answer->status = status;
    answer->type = type;
    answer->n = n;
    req_give(req);
}

void
httpd_answer(struct httpd_req *req, unsigned status, const char *type, char *body,
             size_t n)
{
    assert(!req->answer.set && (body || n == 0));
    req->answer.body = body;
    give_answer(req, status, type, n);
}

void
httpd_answer_file(struct httpd_req *req, unsigned status, const char *type, int fd,
                  uint64_t size)
{
    assert(!req->answer.set && fd >= 0);
    req->answer.fd = fd;
    give_answer(req, status, type, (size_t)size);
}

void
httpd_answer_header(struct httpd_req *req, const char *name, const char *value)
{
    http_answer_add(&req->answer, name, value);
}

void
httpd_hold(struct httpd_req *req)
{
    assert(req->complete && !req->held && (!req->answer.set || req->begun));
    req->held = true;
    atomic_fetch_add(&req->httpd->held, 1);
}

/* ---- what a request holds ---- */

static const char *
text_at(const struct httpd_req *req, struct http_span span, const char *none)
{
    return req->sealed ? req->conn->in + span.at : none;
}

const char *
httpd_method(const struct httpd_req *req)
{
    return text_at(req, req->head.method, "");
}

const char *
httpd_path(const struct httpd_req *req)
{
    return text_at(req, req->head.path, "/");
}

static bool
is_named(const struct httpd_req *req, const struct http_head_field *field,
         struct slice name)
{
    return field->name.n == name.n &&
           strncasecmp(req->conn->in + field->name.at, name.p, name.n) == 0;
}

const char *
httpd_header(const struct httpd_req *req, const char *name)
{
    struct slice wanted = slice_of(name);

    for (unsigned i = 0; req->sealed && i < req->head.n_fields; i++)
        if (is_named(req, &req->head.fields[i], wanted))
            return req->conn->in + req->head.fields[i].value.at;
    return NULL;
}

unsigned
httpd_header_count(const struct httpd_req *req, const char *name)
{
    struct slice wanted = slice_of(name);
    unsigned n = 0;

    for (unsigned i = 0; req->sealed && i < req->head.n_fields; i++)
        n += is_named(req, &req->head.fields[i], wanted);
    return n;
}

const char *
httpd_query(const struct httpd_req *req, const char *name)
{
    return http_query_find(&req->query, name);
}

void
httpd_query_each(const struct httpd_req *req,
                 void (*each)(void *ctx, const char *name, const char *value),
                 void *ctx)
{
    for (size_t i = 0; i < req->query.n; i++)
        each(ctx, req->query.params[i].name, req->query.params[i].value);
}

void
httpd_body_max(struct httpd_req *req, size_t bytes)
{
    assert(req->conn->stage == CONN_HEAD);
    req->max_body_bytes = bytes;
}

struct slice
httpd_body(const struct httpd_req *req)
{
    return buf_slice(&req->body);
}

usec_t
httpd_started_us(const struct httpd_req *req)
{
    return req->started_us;
}

const struct sockaddr *
httpd_peer(const struct httpd_req *req)
{
    const struct sockaddr_storage *peer = &req->conn->peer;

    return peer->ss_family == AF_UNSPEC ? NULL : (const struct sockaddr *)peer;
}

bool
httpd_peer_is_loopback(const struct httpd_req *req)
{
    const struct sockaddr *peer = httpd_peer(req);

    return peer && addr_is_loopback(peer);
}

void
httpd_set_user(struct httpd_req *req, void *user)
{
    req->user = user;
}

void *
httpd_user(const struct httpd_req *req)
{
    return req->user;
}
