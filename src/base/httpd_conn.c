/* A connection: bytes in, bytes out, and what is next. */
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/httpd_private.h"
#include "base/mem.h"

#define IN_FIRST 4096
/* Beside a head that fills its maximum there is room for a body's chunks. */
#define IN_MAX (HTTP_HEAD_MAX + IN_FIRST)

#define OUT_MAX  ((size_t)64 * 1024) /* the head of an answer */
#define OUT_KEEP 1024                /* bytes of buffer that an idle connection keeps */

/* Then it is the others' turn. */
#define STEPS_MAX 64
#define SEND_MAX  ((size_t)1024 * 1024)

enum step { STEP_ON, STEP_WAIT, STEP_CLOSE };

struct httpd_conn *
conn_new(struct tls *tls, int fd, const struct sockaddr *peer, socklen_t peer_len)
{
    struct tls_stream *stream = tls ? tls_accept(tls, fd) : NULL;
    int on = 1;

    if (tls && !stream) {
        close(fd);
        return NULL;
    }
    struct httpd_conn *conn = xcalloc(1, sizeof(*conn));
    conn->fd = fd;
    conn->tls = stream;
    conn->wait = WAIT_NONE;
    if (peer_len <= sizeof(conn->peer))
        memcpy(&conn->peer, peer, peer_len);
    buf_init(&conn->out, OUT_MAX);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return conn;
}

void
conn_close(struct httpd_conn *conn)
{
    struct httpd_worker *worker = conn->worker;

    assert(conn->stage != CONN_HELD);
    link_remove(&conn->all);
    link_remove(&conn->ready);
    link_remove(&conn->waiting);
    if (conn->req)
        req_free(conn->req);
    pthread_mutex_lock(&worker->wake_lock);
    link_remove(&conn->woken); /* and nobody wakes it any more */
    pthread_mutex_unlock(&worker->wake_lock);
    tls_free(conn->tls);
    close(conn->fd);
    conn->fd = -1;
    atomic_fetch_sub(&worker->connections, 1);
    acceptor_left(&worker->httpd->acceptor, (struct sockaddr *)&conn->peer);
    link_add(&worker->dead, &conn->all);
}

void
conn_free(struct httpd_conn *conn)
{
    buf_fini(&conn->out);
    free(conn->in);
    free(conn);
}

static bool
is_sending(const struct httpd_conn *conn)
{
    return conn->stage == CONN_ANSWER || conn->stage == CONN_STREAM;
}

uint64_t
conn_moved(const struct httpd_conn *conn)
{
    int queued = 0;

    if (is_sending(conn) && ioctl(conn->fd, SIOCOUTQ, &queued) != 0)
        queued = 0;
    return conn->moved - (uint64_t)queued;
}

/* ---- in ---- */

static ssize_t
receive_plain(struct httpd_conn *conn, char *to, size_t n)
{
    ssize_t got;

    do
        got = recv(conn->fd, to, n, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        /* Less than there was room for: that was all, unless the end waits behind it.
         */
        conn->readable = (size_t)got == n || conn->hung_up;
        return got;
    }
    if (got == 0 || errno != EAGAIN)
        return -1;
    conn->readable = false;
    return 0;
}

/* How many bytes came; 0: none at the moment; -1: none will. */
static ssize_t
receive(struct httpd_conn *conn, char *to, size_t n)
{
    if (!conn->readable)
        return 0;
    if (!conn->tls)
        return receive_plain(conn, to, n);
    ssize_t got = tls_receive(conn->tls, to, n);
    conn->readable = got > 0;
    return got;
}

static enum step
step_of(ssize_t got)
{
    return got > 0 ? STEP_ON : got == 0 ? STEP_WAIT : STEP_CLOSE;
}

static void
grow_in(struct httpd_conn *conn, size_t cap)
{
    if (cap > IN_MAX)
        cap = IN_MAX;
    assert(cap > conn->in_n);
    conn->in = xrealloc(conn->in, cap);
    conn->in_cap = cap;
}

static enum step
fill(struct httpd_conn *conn)
{
    if (!conn->readable)
        return STEP_WAIT;
    if (conn->in_n == conn->in_cap)
        grow_in(conn, conn->in_cap ? conn->in_cap * 2 : IN_FIRST);
    ssize_t got = receive(conn, conn->in + conn->in_n, conn->in_cap - conn->in_n);
    if (got > 0)
        conn->in_n += (size_t)got;
    return step_of(got);
}

/* What came behind the request moves to the front. */
static void
drop_request(struct httpd_conn *conn)
{
    conn->in_n -= conn->in_at;
    if (conn->in_n) {
        memmove(conn->in, conn->in + conn->in_at, conn->in_n);
    } else {
        free(conn->in);
        conn->in = NULL;
        conn->in_cap = 0;
    }
    conn->in_at = 0;
}

static enum step
step_head(struct httpd_conn *conn)
{
    if (conn->in_n == 0)
        return fill(conn);
    if (!conn->req) {
        conn->req = req_new(conn);
        conn->stage = CONN_HEAD;
    }
    struct http_head *head = &conn->req->head;
    switch (http_head_read(head, conn->in, conn->in_n)) {
    case HTTP_MORE:
        return fill(conn);
    case HTTP_REFUSED:
        req_broken(conn->req, &head->bad);
        return STEP_ON;
    case HTTP_WHOLE:
        break;
    }
    conn->in_at = head->line;
    /* Now, while nobody has a pointer into it. */
    if (head->chunked && conn->in_cap - head->line < IN_FIRST)
        grow_in(conn, (size_t)head->line + IN_FIRST);
    req_start(conn->req);
    return STEP_ON;
}

static enum step
step_chunks(struct httpd_conn *conn)
{
    struct httpd_req *req = conn->req;
    struct slice data;
    size_t used;

    if (conn->in_at == conn->in_n) {
        conn->in_at = conn->in_n = req->head.line;
        enum step step = fill(conn);
        if (step != STEP_ON)
            return step;
    }
    struct slice bytes = {conn->in + conn->in_at, conn->in_n - conn->in_at};
    enum http_read rc = http_chunks_read(&req->chunks, bytes, &used, &data);
    conn->in_at += used;
    if (data.n)
        req_content(req, data);
    if (conn->stage == CONN_ANSWER)
        return STEP_ON; /* it was far too much */
    if (rc == HTTP_REFUSED)
        req_broken(req, &req->chunks.bad);
    else if (rc == HTTP_WHOLE)
        req_complete(req);
    return STEP_ON;
}

static enum step
step_known_length(struct httpd_conn *conn)
{
    struct httpd_req *req = conn->req;
    uint64_t left = req->head.length - req->got;
    size_t n = conn->in_n - conn->in_at;

    if (left == 0) {
        req_complete(req);
        return STEP_ON;
    }
    if (n) {
        struct slice bytes = {conn->in + conn->in_at, n < left ? n : (size_t)left};
        conn->in_at += bytes.n;
        req_content(req, bytes);
        return STEP_ON;
    }
    if (conn->stage == CONN_DISCARD) {
        char *scratch = conn->worker->scratch;
        ssize_t got =
            receive(conn, scratch, left < SCRATCH_BYTES ? (size_t)left : SCRATCH_BYTES);
        if (got > 0)
            req_content(req, (struct slice){scratch, (size_t)got});
        return step_of(got);
    }
    if (!conn->readable)
        return STEP_WAIT;
    char *room = req_room(req, &n);
    if (!room)
        return STEP_ON;
    ssize_t got = receive(conn, room, n);
    if (got > 0)
        req_placed(req, (size_t)got);
    return step_of(got);
}

static enum step
step_linger(struct httpd_conn *conn)
{
    ssize_t got = receive(conn, conn->worker->scratch, SCRATCH_BYTES);

    if (got > 0)
        conn->lingered += (size_t)got;
    return conn->lingered > DISCARD_MAX ? STEP_CLOSE : step_of(got);
}

/* ---- out ---- */

static bool
has_body(const struct httpd_conn *conn)
{
    const struct httpd_req *req = conn->req;

    return req && req->answer.set && is_sending(conn) &&
           req->answer_at < req->answer.n && strcmp(httpd_method(req), "HEAD") != 0 &&
           http_status_has_body(req->answer.status);
}

/* The next piece of the answer's file, in the worker's scratch; < 0: it cannot be read,
 * or has become shorter than was said. */
static ssize_t
read_piece(const struct httpd_conn *conn)
{
    const struct httpd_req *req = conn->req;
    size_t left = req->answer.n - req->answer_at;
    ssize_t n =
        pread(req->answer.fd, conn->worker->scratch,
              left < SCRATCH_BYTES ? left : SCRATCH_BYTES, (off_t)req->answer_at);

    return n > 0 ? n : -1;
}

/* What is to be sent next: how many parts, < 0: it cannot be had. */
static int
next_parts(struct httpd_conn *conn, struct iovec parts[2])
{
    struct httpd_req *req = conn->req;
    size_t head = conn->out.n - conn->out_at;
    int n = 0;

    if (conn->out.failed)
        return -1;
    if (head)
        parts[n++] = (struct iovec){conn->out.p + conn->out_at, head};
    if (!has_body(conn))
        return n;
    if (req->answer.fd < 0) {
        parts[n++] = (struct iovec){req->answer.body + req->answer_at,
                                    req->answer.n - req->answer_at};
    } else if (!head) {
        ssize_t piece = read_piece(conn);
        if (piece < 0)
            return -1;
        parts[n++] = (struct iovec){conn->worker->scratch, (size_t)piece};
    }
    return n;
}

static void
has_left(struct httpd_conn *conn, size_t n)
{
    size_t head = conn->out.n - conn->out_at;

    conn->moved += n;
    if (n < head) {
        conn->out_at += n;
        return;
    }
    buf_reset(&conn->out);
    conn->out_at = 0;
    if (n > head)
        conn->req->answer_at += n - head;
}

/* TLS makes a record of each piece, so a head and a short body are put together; what
 * is tried again after a 0 begins with the same bytes. */
static ssize_t
send_tls(struct httpd_conn *conn, const struct iovec *parts, int n)
{
    char *scratch = conn->worker->scratch;
    size_t size = 0;

    if (n == 1)
        return tls_send(conn->tls, parts[0].iov_base, parts[0].iov_len);
    for (int i = 0; i < n; i++) {
        size_t more = parts[i].iov_len;
        if (more > SCRATCH_BYTES - size)
            more = SCRATCH_BYTES - size;
        memcpy(scratch + size, parts[i].iov_base, more);
        size += more;
    }
    return tls_send(conn->tls, scratch, size);
}

/* How many bytes left; 0: none at the moment; -1: none will. */
static ssize_t
transmit(struct httpd_conn *conn, struct iovec *parts, int n)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)n};
    ssize_t done;

    if (!conn->writable)
        return 0;
    if (conn->tls) {
        done = send_tls(conn, parts, n);
    } else {
        do
            done = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
        while (done < 0 && errno == EINTR);
        if (done < 0 && errno == EAGAIN)
            done = 0;
    }
    conn->writable = done > 0;
    return done;
}

/* STEP_ON: all that there is to send has left. */
static enum step
flush(struct httpd_conn *conn)
{
    struct iovec parts[2];

    for (size_t sent = 0; sent < SEND_MAX;) {
        int n = next_parts(conn, parts);
        if (n <= 0)
            return n == 0 ? STEP_ON : STEP_CLOSE;
        ssize_t done = transmit(conn, parts, n);
        if (done <= 0)
            return done == 0 ? STEP_WAIT : STEP_CLOSE;
        has_left(conn, (size_t)done);
        sent += (size_t)done;
    }
    worker_ready(conn);
    return STEP_WAIT;
}

/* The answer has left. */
static void
end_request(struct httpd_conn *conn)
{
    req_free(conn->req);
    conn->req = NULL;
    if (conn->out.cap > OUT_KEEP)
        buf_fini(&conn->out);
    if (conn->last) {
        if (conn->tls)
            tls_end(conn->tls);
        shutdown(conn->fd, SHUT_WR);
        conn->stage = CONN_LINGER;
        conn->in_at = conn->in_n;
    } else {
        conn->stage = CONN_IDLE;
        worker_wait(conn, WAIT_IDLE);
    }
    drop_request(conn);
}

static enum step
step_answer(struct httpd_conn *conn)
{
    enum step step = flush(conn);

    if (step == STEP_ON)
        end_request(conn);
    return step;
}

static enum step
step_stream(struct httpd_conn *conn)
{
    struct httpd_req *req = conn->req;

    if (conn->hung_up && !req->ends)
        return STEP_CLOSE;
    enum step step = flush(conn);
    if (step != STEP_ON)
        return step;
    stream_taken(req);
    if (req->ends)
        end_request(conn);
    else if (req->woken || req->beat)
        stream_more(req);
    else
        return STEP_WAIT;
    return STEP_ON;
}

/* ---- on ---- */

static enum step
step_body(struct httpd_conn *conn)
{
    /* "100 Continue", most likely. */
    if (conn->out.n && flush(conn) == STEP_CLOSE)
        return STEP_CLOSE;
    return conn->req->head.chunked ? step_chunks(conn) : step_known_length(conn);
}

static enum step
step_on(struct httpd_conn *conn)
{
    switch (conn->stage) {
    case CONN_IDLE:
    case CONN_HEAD:
        return step_head(conn);
    case CONN_BODY:
    case CONN_DISCARD:
        return step_body(conn);
    case CONN_HELD:
        return STEP_WAIT;
    case CONN_ANSWER:
        return step_answer(conn);
    case CONN_STREAM:
        return step_stream(conn);
    case CONN_LINGER:
        break;
    }
    return step_linger(conn);
}

static enum conn_wait
wait_of(const struct httpd_conn *conn)
{
    static const enum conn_wait waits[] = {
        [CONN_IDLE] = WAIT_IDLE,   [CONN_HEAD] = WAIT_HEAD,
        [CONN_BODY] = WAIT_FLOW,   [CONN_DISCARD] = WAIT_FLOW,
        [CONN_HELD] = WAIT_NONE,   [CONN_ANSWER] = WAIT_FLOW,
        [CONN_STREAM] = WAIT_FLOW, [CONN_LINGER] = WAIT_LINGER,
    };
    if (conn->stage == CONN_STREAM && conn->out.n == 0 && !conn->req->answer.body)
        return WAIT_BEAT;
    if (conn->stage == CONN_IDLE && conn->tls && !tls_is_up(conn->tls))
        return WAIT_HEAD;
    return waits[conn->stage];
}

/* Whether there is room for what waits for the client from now on. */
static bool
may_wait(struct httpd_conn *conn)
{
    struct httpd *httpd = conn->worker->httpd;
    struct httpd_req *req = conn->req;

    if (!is_sending(conn) || req->waits_with > 0 || !req->answer.body)
        return true;
    req->waits_with = req->answer.n;
    size_t all = atomic_fetch_add(&httpd->waiting_bytes, req->answer.n) + req->answer.n;
    size_t most = httpd->options.max_answer_bytes;
    if (all <= most)
        return true;
    worker_wait(conn, WAIT_NONE); /* it is not one of those that make room for it */
    return worker_relieve(conn->worker, all - most);
}

static void
settle(struct httpd_conn *conn)
{
    enum conn_wait wait = wait_of(conn);

    if (!may_wait(conn))
        conn_close(conn);
    else if (conn->wait != wait)
        worker_wait(conn, wait);
}

void
conn_run(struct httpd_conn *conn)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        enum step step = step_on(conn);
        if (step == STEP_CLOSE) {
            conn_close(conn);
            return;
        }
        if (step == STEP_WAIT) {
            settle(conn);
            return;
        }
    }
    worker_ready(conn);
}
