/* A stream: an answer whose pieces are asked for one by one. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#include "base/httpd_private.h"
#include "base/mem.h"

/* A client that vanished without a word is noticed by what it does not acknowledge. */
#define UNHEARD_MS 60000

static const char chunk_end[] = "\r\n", last_chunk[] = "0\r\n\r\n";

/* ---- the server's side: on the worker's thread ---- */

static void
begin(struct httpd_req *req)
{
    unsigned unheard_ms = UNHEARD_MS;

    req->begun = true;
    req->woken = true; /* whatever has come since the handler looked */
    req->ends = strcmp(httpd_method(req), "HEAD") == 0;
    setsockopt(req->conn->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms,
               sizeof(unheard_ms));
}

void
stream_take(struct httpd_req *req)
{
    struct httpd_conn *conn = req->conn;

    if (!req->begun) {
        begin(req);
    } else {
        assert(conn->out.n == 0);
        if (req->chunked && req->piece_n)
            buf_addf(&conn->out, "%zx\r\n", req->piece_n);
        req->woken = req->woken || req->more;
        req->more = false;
    }
    conn->stage = CONN_STREAM;
}

void
stream_taken(struct httpd_req *req)
{
    atomic_fetch_sub(&req->httpd->waiting_bytes, req->waits_with);
    req->waits_with = 0;
    free(req->answer.body);
    req->answer.body = NULL;
    req->answer.n = req->answer_at = 0;
}

void
stream_more(struct httpd_req *req)
{
    const struct httpd_handler *handler = &req->httpd->options.handler;
    bool beat = !req->woken;

    req->woken = req->beat = false;
    handler->more(handler->ctx, req, beat);
    /* Held: the piece belongs to another thread until it comes back. */
    if (req->held)
        req->conn->stage = CONN_HELD;
    else
        req_answered(req);
}

/* ---- the handler's side: any thread ---- */

void
httpd_stream(struct httpd_req *req, unsigned status, const char *type)
{
    struct http_answer *answer = &req->answer;

    assert(!answer->set && req->complete && req->httpd->options.handler.more);
    req->streams = true;
    req->chunked = !req->head.is_old;
    answer->set = true;
    answer->status = status;
    answer->type = type;
    answer->form = req->chunked ? HTTP_CHUNKED : HTTP_UNTIL_CLOSE;
    req_give(req);
}

void
httpd_stream_put(struct httpd_req *req, char *bytes, size_t n, enum httpd_then then)
{
    struct http_answer *answer = &req->answer;
    size_t room = n + sizeof(chunk_end) + sizeof(last_chunk);

    assert(req->begun && !answer->body && (bytes || n == 0));
    req->piece_n = n;
    req->more = then == HTTPD_MORE;
    req->ends = then == HTTPD_END;
    if (n == 0 && !req->ends) {
        free(bytes);
        req_give(req);
        return;
    }
    if (req->chunked) {
        bytes = xrealloc(bytes, room);
        if (n) {
            memcpy(bytes + n, chunk_end, sizeof(chunk_end) - 1);
            n += sizeof(chunk_end) - 1;
        }
        if (req->ends) {
            memcpy(bytes + n, last_chunk, sizeof(last_chunk) - 1);
            n += sizeof(last_chunk) - 1;
        }
    }
    answer->body = bytes;
    answer->n = n;
    req_give(req);
}

void
httpd_stream_wake(struct httpd_req *req)
{
    worker_woken(req->conn->worker, req->conn);
}
