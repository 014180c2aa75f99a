/*
 * An HTTP/1.1 server. Requests are answered at once or held and answered later from any
 * thread: a held request costs no thread. An answer may also come in pieces, for as
 * long as both sides want (a stream). Everything a client chooses has a maximum:
 * connections, header bytes (431), body bytes (413), and the time it may take. What two
 * programs could read in two ways is refused, and the connection ends
 * (base/httpd_parse.h).
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/types.h"

struct httpd;
struct httpd_req;
struct sockaddr;
struct tls;

struct httpd_handler {
    void *ctx;
    /* The header block is in. May answer at once (401, 413, 415 …), else the body is
     * read, up to the limit that this sets with httpd_body_max (default: the server's).
     * On a server thread. */
    void (*head)(void *ctx, struct httpd_req *req);
    /* The whole body is in. Must answer, or hold and see to it that somebody answers.
     * On a server thread. */
    void (*body)(void *ctx, struct httpd_req *req);
    /* The request is over, answered or broken off: free httpd_user. Called exactly once
     * per request that head saw, after the last answer; never while the request is held
     * (a held request whose client left is over once it is answered). */
    void (*over)(void *ctx, struct httpd_req *req);
    /* Answers for what fails before or instead of the handler (bad request 400, 413,
     * 431, 503): fills problem+json. */
    void (*refuse)(void *ctx, struct httpd_req *req, unsigned status,
                   const char *detail);
    /* Of a stream: the client has taken all that there was, and there may be more. Must
     * give a piece with httpd_stream_put, if only an empty one, or hold the request and
     * see to it that somebody does. `beat`: nothing has left for beat_s, so something
     * should, by which each side learns that the other is still there. On a server
     * thread. NULL: there are no streams. */
    void (*more)(void *ctx, struct httpd_req *req, bool beat);
};

struct httpd_options {
    struct httpd_handler handler;
    const char *listen;       /* ADDR:PORT, [ADDR6]:PORT; port 0 picks a free one */
    unsigned threads;         /* at least 1 */
    unsigned max_connections; /* in all; more wait until one ends or makes room */
    /* 0: no limit of its own. More are closed at once. Loopback, where proxies are,
     * has none. */
    unsigned max_connections_per_address;
    size_t max_body_bytes;
    /* Of answers in memory, in all, that wait for their clients to take them: beyond it
     * those that have waited longest are broken off. */
    size_t max_answer_bytes;
    unsigned idle_timeout_s; /* for a request's first byte */
    unsigned head_timeout_s; /* from there for the rest of its head */
    /* A body must come, and an answer be taken, at 1 KiB/s on the average of so long.
     */
    unsigned flow_timeout_s;
    /* When there is no room, whoever has waited for a request for so long is closed for
     * somebody else, the longest first. */
    unsigned spare_after_ms;
    unsigned beat_s;      /* a stream that says nothing is asked to after so long */
    struct mem *body_mem; /* where body buffers come from: refusal is answered 503 */
    struct tls *tls;      /* NULL: plain HTTP. The caller's, and outlives the server */
    int listen_fd;        /* -1, or a socket that is bound, to use instead of `listen`;
                             ownership moves, also when opening fails */
};

/* A socket for listen_fd, bound and not listening yet: for who must bind before it may
 * no more. E_BUSY: the address is taken. */
int httpd_bind(const char *listen, int *out, struct err *err) must_check;
int httpd_open(struct httpd **out, const struct httpd_options *options,
               struct err *err) must_check;
void
httpd_quiesce(struct httpd *httpd);    /* stop accepting; requests that are in go on */
void httpd_close(struct httpd *httpd); /* waits for its threads; all held requests must
                                          have been answered. NULL is fine */
const char *httpd_address(const struct httpd *httpd); /* "127.0.0.1:8420" as bound */
size_t httpd_connections(const struct httpd *httpd);

/* ---- a request; these are for its current owner ---- */

const char *httpd_method(const struct httpd_req *req);
const char *httpd_path(const struct httpd_req *req); /* percent-decoded by nobody;
                                                        starts with '/' ; no query */
const char *httpd_header(const struct httpd_req *req,
                         const char *name); /* NULL if absent; name in any case */
/* How many header fields have this name. */
unsigned httpd_header_count(const struct httpd_req *req, const char *name);
const char *httpd_query(const struct httpd_req *req,
                        const char *name); /* decoded; NULL if absent */
/* Calls `each` for every query parameter (value may be NULL). */
void httpd_query_each(const struct httpd_req *req,
                      void (*each)(void *ctx, const char *name, const char *value),
                      void *ctx);
bool httpd_peer_is_loopback(const struct httpd_req *req);
const struct sockaddr *httpd_peer(const struct httpd_req *req); /* NULL: not known */
void httpd_body_max(struct httpd_req *req, size_t bytes);       /* only in head */
struct slice httpd_body(const struct httpd_req *req);           /* valid until over */
usec_t httpd_started_us(const struct httpd_req *req); /* mono, when head ran */

void httpd_set_user(struct httpd_req *req, void *user);
void *httpd_user(const struct httpd_req *req);

/* Keep the request open; exactly one httpd_answer must follow, from any thread, even at
 * once (or httpd_stream; in `more` an httpd_stream_put). Only in `body` and `more`.
 * Call it BEFORE handing the request to whoever will answer. */
void httpd_hold(struct httpd_req *req);

/* The answer. `body` is taken over (freed with free()), may be NULL with n 0. `type` is
 * a constant. Headers set with httpd_answer_header before go along. Once per request.
 */
void httpd_answer(struct httpd_req *req, unsigned status, const char *type, char *body,
                  size_t n);
/* The same with `size` bytes of a file, which is taken over, and never in memory as a
 * whole. When it turns out to be shorter, the connection ends in the middle. */
void httpd_answer_file(struct httpd_req *req, unsigned status, const char *type, int fd,
                       uint64_t size);
void httpd_answer_header(struct httpd_req *req, const char *name,
                         const char *value); /* copies */

/* ---- a stream: an answer in pieces ----
 *
 * The request is the server's again as soon as the answer or a piece has been given;
 * `more` asks for the next one whenever there is room, that is when the client has
 * taken the last one. So a stream has one piece in memory, a slow client is asked for
 * less, and one that does not take its bytes ends as any other. It is over when its
 * client is gone, which includes one that only shuts its own side.
 */

/* Begins one, instead of httpd_answer. To HEAD there is no more than this. */
void httpd_stream(struct httpd_req *req, unsigned status, const char *type);

enum httpd_then {
    HTTPD_WAIT, /* until httpd_stream_wake, or the next beat */
    HTTPD_MORE, /* there is more at once */
    HTTPD_END   /* this was the last piece */
};

/* The next piece: `bytes` are taken over as in httpd_answer. In `more`, or while it is
 * held, from any thread. */
void httpd_stream_put(struct httpd_req *req, char *bytes, size_t n,
                      enum httpd_then then);

/* There is something new: `more` is called as soon as there is room, once for any
 * number of these. Any thread, from the moment in which the request is first held until
 * `over` returns. After httpd_quiesce all streams are woken, and should end. */
void httpd_stream_wake(struct httpd_req *req);
