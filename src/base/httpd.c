#include "base/httpd.h"

#include <assert.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/httpd_accept.h"
#include "base/httpd_request.h"
#include "base/iofd.h"
#include "base/log.h"

/* What libmicrohttpd keeps of a connection: request line and headers must fit (431). */
#define CONNECTION_MEMORY (32 * 1024)

/* A body that nobody wants is still read this far beyond the maximum, so that a client
 * that sends before it listens gets its answer and keeps its connection. */
#define DISCARD_MAX ((size_t)1024 * 1024)

/* How long httpd_close lets answers that were given reach their clients. */
#define CLOSE_WAIT_MS 2000
/* And how long for a thread that is in the middle of giving one: it may have lost its
 * core to others. */
#define CLOSE_HELD_MS 60000

#define ANSWER_MAX ((size_t)1024 * 1024)

struct httpd {
    struct httpd_options options;
    struct MHD_Daemon *daemon;
    struct acceptor acceptor;
    atomic_bool quiesced;
    atomic_bool closing;
    atomic_size_t held;
    atomic_size_t due; /* requests that are in, or answered, and not over */
    int drained_fd;    /* rings when closing and due gets 0 */
};

/* ---- answering ---- */

static void
mark_due(struct httpd_req *req)
{
    if (!req->due) {
        req->due = true;
        atomic_fetch_add(&req->httpd->due, 1);
    }
}

/* The response takes the body over. */
static struct MHD_Response *
make_response(struct http_answer *answer)
{
    static char nothing[1];
    bool empty = !answer->body || answer->n == 0;
    struct MHD_Response *response;

    if (answer->is_file) {
        response = MHD_create_response_from_fd64(answer->file_bytes, answer->fd);
        if (response)
            answer->fd = -1;
        return response;
    }
    response = MHD_create_response_from_buffer(
        empty ? 0 : answer->n, empty ? nothing : answer->body,
        empty ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
    if (response && !empty)
        answer->body = NULL;
    return response;
}

static enum MHD_Result
queue_answer(struct httpd_req *req)
{
    struct http_answer *answer = &req->answer;

    mark_due(req);
    struct MHD_Response *response = make_response(answer);
    if (!response)
        return MHD_NO;
    if (answer->type)
        MHD_add_response_header(response, "Content-Type", answer->type);
    for (size_t i = 0; i < answer->n_fields; i++)
        MHD_add_response_header(response, answer->fields[i].name,
                                answer->fields[i].value);
    if (atomic_load_explicit(&req->httpd->quiesced, memory_order_relaxed))
        MHD_add_response_header(response, "Connection", "close");
    enum MHD_Result result = MHD_queue_response(req->conn, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Sends the answer while the body still comes in, and nothing after it. */
static enum MHD_Result
answer_and_leave(struct httpd_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct buf out;
    enum MHD_Result result = MHD_NO;

    if (!info)
        return MHD_NO;
    buf_init(&out, ANSWER_MAX);
    if (http_answer_format(&out, &req->answer,
                           MHD_get_reason_phrase_for(req->answer.status),
                           clock_wall_us(&clock_system) / 1000,
                           strcmp(req->method, "HEAD") != 0) == 0) {
        /* Nothing else waits to be sent on this connection, so a small answer goes as a
         * whole; if it does not, the client that reads nothing loses it. */
        ssize_t sent =
            send(info->connect_fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent == (ssize_t)out.n && shutdown(info->connect_fd, SHUT_WR) == 0)
            result = MHD_YES;
    }
    buf_fini(&out);
    req->stage = STAGE_LEFT;
    req->discarded = 0;
    return result;
}

static void
refuse(struct httpd_req *req, unsigned status, const char *detail)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;

    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        http_answer_add(&req->answer, "Retry-After", "1");
    handler->refuse(handler->ctx, req, status, detail);
    assert(req->answer.set);
}

static void
give_answer(struct httpd_req *req, unsigned status, const char *type)
{
    struct http_answer *answer = &req->answer;

    assert(!answer->set);
    answer->set = true;
    answer->status = status;
    answer->type = type;
    if (req->held) {
        struct httpd *httpd = req->httpd;
        /* The server thread may take and free the request before this returns. Its
         * mutex carries what was written above over to that thread. */
        MHD_resume_connection(req->conn);
        atomic_fetch_sub(&httpd->held, 1);
    }
}

void
httpd_answer(struct httpd_req *req, unsigned status, const char *type, char *body,
             size_t n)
{
    assert(body || n == 0);
    req->answer.body = body;
    req->answer.n = n;
    give_answer(req, status, type);
}

void
httpd_answer_file(struct httpd_req *req, unsigned status, const char *type, int fd,
                  uint64_t size)
{
    assert(req->stage == STAGE_BODY_IN && fd >= 0);
    req->answer.is_file = true;
    req->answer.fd = fd;
    req->answer.file_bytes = size;
    give_answer(req, status, type);
}

void
httpd_answer_header(struct httpd_req *req, const char *name, const char *value)
{
    http_answer_add(&req->answer, name, value);
}

void
httpd_hold(struct httpd_req *req)
{
    assert(req->stage == STAGE_BODY_IN && !req->held && !req->answer.set);
    req->held = true;
    atomic_fetch_add(&req->httpd->held, 1);
    MHD_suspend_connection(req->conn);
}

/* ---- the header block ---- */

struct scan {
    struct httpd_req *req;
    struct http_block block;
    const char *bad; /* NULL, or what is wrong */
};

static const char not_accounted_for[] =
    "the header block has folded lines, NUL bytes, empty names or bare line ends";

static enum MHD_Result
scan_item(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
          const char *value, size_t value_len)
{
    struct scan *scan = arg;
    struct slice n = {name, name_len};
    struct slice v = {value, value ? value_len : 0};

    if (kind == MHD_HEADER_KIND && !http_block_field(&scan->block, n, v))
        scan->bad = not_accounted_for;
    else if (kind == MHD_HEADER_KIND)
        scan->bad = http_framing_add(&scan->req->framing, n, v);
    else if (http_query_add(&scan->req->query, n, v) != 0)
        scan->bad = "the query is malformed or has too many parameters";
    return scan->bad ? MHD_NO : MHD_YES;
}

/* Returns NULL, or what is wrong with the header block. */
static const char *
scan_request(struct httpd_req *req, const char *path, const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct scan scan = {.req = req};

    req->path = "/";
    if (!req->target_ok)
        return "the request target is not a path";
    req->path = path;
    if (!info || !http_block_start(&scan.block, req->method, info->header_size,
                                   req->target, version))
        return not_accounted_for;
    MHD_get_connection_values_n(req->conn, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND,
                                scan_item, &scan);
    if (scan.bad)
        return scan.bad;
    if (!http_block_end(&scan.block))
        return not_accounted_for;
    return http_framing_check(&req->framing, version);
}

/* ---- the stages of a request ---- */

/* Where to go with an answer that was given before the body was read. */
static enum MHD_Result
answered_early(struct httpd_req *req)
{
    if (!http_has_body(&req->framing))
        return MHD_YES; /* goes out in the final call, which keeps the connection */
    if (req->framing.expects_continue)
        return queue_answer(req); /* there is no body yet: the connection is closed */
    req->stage = STAGE_DISCARDING;
    if (req->framing.length > req->httpd->options.max_body_bytes + DISCARD_MAX)
        return answer_and_leave(req);
    return MHD_YES;
}

static void
run_head(struct httpd_req *req)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;

    req->head_ran = true;
    handler->head(handler->ctx, req);
    req->body.max_bytes = req->max_body_bytes;
    if (req->answer.set)
        return;
    if (req->framing.length > req->max_body_bytes)
        refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    else if (req->framing.length &&
             buf_reserve(&req->body, (size_t)req->framing.length) != 0)
        refuse(req, MHD_HTTP_SERVICE_UNAVAILABLE,
               "no memory for the body at the moment");
}

/* The request line is in, and `target` not yet cut at its '?' and '&': later nobody can
 * tell whether a NUL in it came from the client. */
static void *
on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
    struct httpd *httpd = cls;
    struct httpd_req *req = xmalloc(sizeof(*req));

    *req = (struct httpd_req){.httpd = httpd,
                              .conn = conn,
                              .target = slice_of(target ? target : ""),
                              .max_body_bytes = httpd->options.max_body_bytes};
    req->target_ok = http_target_ok(req->target);
    buf_init_mem(&req->body, req->max_body_bytes, httpd->options.body_mem);
    return req;
}

static enum MHD_Result
start_request(struct httpd_req *req, const char *path, const char *method,
              const char *version)
{
    req->method = method;
    req->started_us = clock_mono_us(&clock_system);
    req->stage = STAGE_READING;

    const char *bad = scan_request(req, path, version);
    if (bad) {
        refuse(req, MHD_HTTP_BAD_REQUEST, bad);
        /* Queued in the first call: libmicrohttpd reads no further and closes, which is
         * right, since where this request ends is in doubt. */
        return queue_answer(req);
    }
    run_head(req);
    return req->answer.set ? answered_early(req) : MHD_YES;
}

static enum MHD_Result
discard(struct httpd_req *req, size_t n)
{
    size_t limit = DISCARD_MAX;

    if (req->stage == STAGE_DISCARDING)
        limit += req->httpd->options.max_body_bytes;
    req->discarded += n;
    if (req->discarded <= limit)
        return MHD_YES;
    return req->stage == STAGE_DISCARDING ? answer_and_leave(req) : MHD_NO;
}

static enum MHD_Result
take_body(struct httpd_req *req, const char *bytes, size_t n)
{
    if (req->stage != STAGE_READING)
        return discard(req, n);

    int rc = buf_add(&req->body, bytes, n);
    if (rc == 0)
        return MHD_YES;
    size_t so_far = req->body.n + n;
    buf_fini(&req->body);
    req->stage = STAGE_DISCARDING;
    if (rc == E_TOO_LARGE)
        refuse(req, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    else
        refuse(req, MHD_HTTP_SERVICE_UNAVAILABLE,
               "no memory for the body at the moment");
    return discard(req, so_far);
}

/* The body has ended; or, for a request that was held, the answer is here. */
static enum MHD_Result
finish_request(struct httpd_req *req)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;

    if (req->stage == STAGE_LEFT)
        return MHD_NO;
    mark_due(req);
    if (req->stage == STAGE_READING) {
        req->stage = STAGE_BODY_IN;
        /* Looked at after mark_due: either this sees the close, or the close sees this
         * request and waits for it. Nothing may be held once the server stops. */
        if (!req->answer.set && atomic_load(&req->httpd->closing))
            refuse(req, MHD_HTTP_SERVICE_UNAVAILABLE, "shutting down");
        if (!req->answer.set) {
            handler->body(handler->ctx, req);
            /* Held: the answer belongs to another thread until this is called again. */
            if (req->held)
                return MHD_YES;
        }
    }
    assert(req->answer.set);
    return queue_answer(req);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *conn, const char *path, const char *method,
           const char *version, const char *bytes, size_t *n, void **slot)
{
    struct httpd_req *req = *slot;

    (void)cls;
    (void)conn;
    if (req->stage == STAGE_TARGET_IN)
        return start_request(req, path, method, version);
    if (*n) {
        size_t got = *n;
        *n = 0;
        return take_body(req, bytes, got);
    }
    return finish_request(req);
}

static void
on_over(void *cls, struct MHD_Connection *conn, void **slot,
        enum MHD_RequestTerminationCode why)
{
    struct httpd *httpd = cls;
    struct httpd_req *req = *slot;

    (void)conn;
    (void)why;
    if (!req)
        return;
    *slot = NULL;
    if (req->head_ran)
        httpd->options.handler.over(httpd->options.handler.ctx, req);
    bool due = req->due;
    buf_fini(&req->body);
    http_query_fini(&req->query);
    http_answer_fini(&req->answer);
    free(req);
    if (due && atomic_fetch_sub(&httpd->due, 1) == 1 && atomic_load(&httpd->closing))
        eventfd_write(httpd->drained_fd, 1);
}

/* ---- the server ---- */

static void
on_connection(void *cls, struct MHD_Connection *conn, void **slot,
              enum MHD_ConnectionNotificationCode what)
{
    struct httpd *httpd = cls;

    (void)conn;
    (void)slot;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED)
        acceptor_left(&httpd->acceptor);
}

/* Keeps '%' escapes in the path; query values are decoded by http_query_add. */
static size_t
keep_escapes(void *cls, struct MHD_Connection *conn, char *text)
{
    (void)cls;
    (void)conn;
    return strlen(text);
}

static void __attribute__((format(printf, 2, 0)))
on_message(void *cls, const char *fmt, va_list args)
{
    char text[512];

    (void)cls;
    if (!log_enabled(LOG_DEBUG))
        return;
    int n = vsnprintf(text, sizeof(text), fmt, args);
    if (n < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    log_msg(LOG_DEBUG, "http server: %s", text);
}

static bool
take_connection(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct httpd *httpd = ctx;

    return MHD_add_connection(httpd->daemon, fd, peer, peer_len) == MHD_YES;
}

/* Without MHD_OPTION_STRICT_FOR_CLIENT: its two checks, of Host and of spaces in the
 * target, are made here too, and it answers a missing Host with the head of its answer
 * twice. */
static struct MHD_Daemon *
start_daemon(struct httpd *httpd)
{
    const struct httpd_options *options = &httpd->options;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO |
                     MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                     MHD_USE_NO_LISTEN_SOCKET;
    /* The limit in all is the acceptor's. A worker's share of this one must hold them
     * all, and a few more that are closed but not yet cleaned up. */
    unsigned limit = (options->max_connections + 64) * options->threads;
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, httpd, MHD_OPTION_EXTERNAL_LOGGER, on_message,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_over, httpd, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, httpd, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, httpd, MHD_OPTION_CONNECTION_LIMIT,
        limit, MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_ARRAY,
        options->threads > 1 ? pool : none, MHD_OPTION_END);
}

int
httpd_open(struct httpd **out, const struct httpd_options *options, struct err *err)
{
    struct httpd *httpd = xcalloc(1, sizeof(*httpd));
    int rc;

    assert(options->threads > 0 && options->max_connections > 0);
    httpd->options = *options;
    httpd->drained_fd = eventfd(0, EFD_CLOEXEC);
    rc = acceptor_init(&httpd->acceptor, options->listen, options->listen_fd,
                       options->max_connections, err);
    if (rc != 0)
        goto fail;
    httpd->acceptor.take = take_connection;
    httpd->acceptor.ctx = httpd;
    if (httpd->drained_fd < 0) {
        rc = err_set(err, E_IO, "eventfd: no descriptor left");
        goto fail;
    }
    httpd->daemon = start_daemon(httpd);
    if (!httpd->daemon) {
        rc = err_set(err, E_IO, "start of libmicrohttpd failed");
        goto fail;
    }
    rc = acceptor_start(&httpd->acceptor, err);
    if (rc != 0)
        goto fail;
    *out = httpd;
    return 0;
fail:
    err_wrap(err, "listen");
    httpd_close(httpd);
    return rc;
}

void
httpd_quiesce(struct httpd *httpd)
{
    atomic_store(&httpd->quiesced, true);
    acceptor_stop(&httpd->acceptor);
}

/* Lets answers that were given leave, for a limited time: a client may read slowly. */
static void
wait_drained(struct httpd *httpd)
{
    struct pollfd drained = {httpd->drained_fd, POLLIN, 0};

    atomic_store(&httpd->closing, true);
    if (atomic_load(&httpd->due) != 0)
        poll(&drained, 1, CLOSE_WAIT_MS);
    /* An httpd_answer may still be on its way out of MHD_resume_connection. */
    for (int ms = 0; ms < CLOSE_HELD_MS && atomic_load(&httpd->held) != 0; ms++)
        poll(NULL, 0, 1);
    assert(atomic_load(&httpd->held) == 0);
}

void
httpd_close(struct httpd *httpd)
{
    if (!httpd)
        return;
    httpd_quiesce(httpd);
    if (httpd->daemon) {
        wait_drained(httpd);
        MHD_stop_daemon(httpd->daemon);
    }
    acceptor_fini(&httpd->acceptor);
    if (httpd->drained_fd >= 0)
        close(httpd->drained_fd);
    free(httpd);
}

const char *
httpd_address(const struct httpd *httpd)
{
    return httpd->acceptor.address;
}

size_t
httpd_connections(const struct httpd *httpd)
{
    return atomic_load(&httpd->acceptor.connections);
}

/* ---- what only libmicrohttpd knows of a request ---- */

const char *
httpd_header(const struct httpd_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

struct count {
    const char *name;
    unsigned n;
};

static enum MHD_Result
count_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct count *count = arg;

    (void)kind;
    (void)value;
    count->n += strcasecmp(name, count->name) == 0;
    return MHD_YES;
}

unsigned
httpd_header_count(const struct httpd_req *req, const char *name)
{
    struct count count = {.name = name};

    MHD_get_connection_values(req->conn, MHD_HEADER_KIND, count_header, &count);
    return count.n;
}

const struct sockaddr *
httpd_peer(const struct httpd_req *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info ? info->client_addr : NULL;
}

bool
httpd_peer_is_loopback(const struct httpd_req *req)
{
    const struct sockaddr *peer = httpd_peer(req);

    return peer && addr_is_loopback(peer);
}
