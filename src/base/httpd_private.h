/*
 * The server's inside, for httpd*.c.
 *
 * An acceptor takes connections and hands each to the worker that has the fewest. A
 * worker is a thread with an epoll set: it alone touches its connections, and a
 * connection has one request at a time. Other threads only put something into a
 * worker's two mailboxes: a new connection, or a request that was held and is answered.
 *
 *            first byte          head in             body in, held
 *     IDLE ------------> HEAD ------------> BODY ------------------> HELD
 *      ^                   | refused          |  too much, or           | answered,
 *      |                   |                  |  answered early         | any thread
 *      |                   v                  v                         v
 *      +---------------- ANSWER <--------- DISCARD                    ANSWER
 *       keeps            |  ^ the body's end, or enough of it
 *                        v
 *                      LINGER   our side is shut; what still comes is read for a while,
 *                               since closing at once would reset the connection and
 *                               might take the answer from the client
 *
 * A stream goes from HELD to STREAM, and back whenever somebody else makes its next
 * piece; after the last one it ends as ANSWER does.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/httpd.h"
#include "base/httpd_accept.h"
#include "base/httpd_parse.h"
#include "base/httpd_request.h"
#include "base/tls.h"

/* A body that nobody wants is still read this far beyond the maximum, so that a client
 * that sends before it listens gets its answer and keeps its connection; and so much
 * again after the answer. */
#define DISCARD_MAX ((size_t)1024 * 1024)

/* How long a client may take to read a last answer and close. */
#define LINGER_MS 2000

#define SCRATCH_BYTES ((size_t)64 * 1024)

/* ---- lists ---- */

/* Of a ring; a list is one that is always in it, alone when the list is empty. */
struct http_link {
    struct http_link *prev, *next; /* both NULL: in no list */
};

static inline void
link_init(struct http_link *list)
{
    list->prev = list->next = list;
}

static inline void
link_remove(struct http_link *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* At the end; out of the list that it is in. */
static inline void
link_add(struct http_link *list, struct http_link *link)
{
    link_remove(link);
    link->prev = list->prev;
    link->next = list;
    list->prev->next = link;
    list->prev = link;
}

static inline struct http_link *
link_first(const struct http_link *list)
{
    return list->next == list ? NULL : list->next;
}

/* ---- a connection ---- */

enum conn_stage {
    CONN_IDLE,
    CONN_HEAD,
    CONN_BODY,
    CONN_DISCARD,
    CONN_HELD,
    CONN_ANSWER,
    CONN_STREAM,
    CONN_LINGER
};

/* What a connection waits for, and so how long. */
enum conn_wait {
    WAIT_IDLE,   /* a request's first byte */
    WAIT_HEAD,   /* the end of its head; that of TLS's handshake */
    WAIT_FLOW,   /* a body's bytes to come or an answer's to go: so many in so long */
    WAIT_BEAT,   /* a stream's next piece */
    WAIT_LINGER, /* the client's end */
    WAITS,
    WAIT_NONE = WAITS /* held: the handler's time */
};

struct httpd_conn {
    struct httpd_worker *worker;
    struct httpd_conn *next; /* in a mailbox */
    struct http_link all, ready, waiting;
    struct http_link woken; /* under the worker's wake_lock */
    enum conn_wait wait;
    usec_t wait_since_us;
    int fd;
    struct tls_stream *tls; /* NULL: plain */
    enum conn_stage stage;
    bool readable, writable; /* as far as we know */
    bool hung_up;            /* the other side ends: read until that is seen */
    bool last;               /* nothing is read after this request */
    struct sockaddr_storage peer;

    char
        *in; /* from the head's first byte on; while the request lives its head stays */
    size_t in_n, in_cap, in_at; /* bytes that are there, have room, are done with */
    struct buf out;             /* heads of answers; the first out_at bytes have left */
    size_t out_at;
    uint64_t moved, flow_mark; /* bytes of a body that came, of an answer that went */
    size_t lingered;
    struct httpd_req *req; /* NULL while idle and after the answer */
};

struct httpd_req {
    struct httpd_conn *conn;
    struct httpd *httpd;
    struct httpd_req *next; /* in a mailbox */
    void *user;
    usec_t started_us;
    bool sealed; /* the head's strings are strings */
    bool head_ran;
    bool complete; /* the content is in */
    bool due;
    bool held;
    struct http_head head;
    struct http_chunks chunks;
    size_t max_body_bytes;
    uint64_t got; /* bytes of the content that came, wanted or not */
    struct buf body;
    struct http_query query;
    struct http_answer answer;
    size_t waits_with; /* bytes of the answer, once it waits for the client */
    size_t answer_at;  /* bytes of the answer's body, or the piece, that have left */

    /* of a stream; its piece is the answer's body, with what ends the chunk */
    bool streams, begun;
    bool chunked;
    size_t piece_n;   /* bytes of the piece without that */
    bool more, ends;  /* what is to follow the piece */
    bool woken, beat; /* the worker's */
};

/* ---- a worker ---- */

struct httpd_worker {
    struct httpd *httpd;
    pthread_t thread;
    bool running;
    int epoll_fd;
    int wake_fd;
    _Atomic(struct httpd_conn *) arrived;
    _Atomic(struct httpd_req *) answered;
    pthread_mutex_t wake_lock;
    struct http_link woken; /* streams that have something new; under wake_lock */
    atomic_bool has_woken;
    atomic_bool ends;  /* all streams should end */
    atomic_uint spare; /* connections that should make room */
    atomic_bool stop;
    atomic_size_t connections;
    usec_t now_us;
    struct http_link all, ready, dead, waiting[WAITS];
    char date[HTTP_DATE_TEXT];
    msec_t date_s;
    char scratch[SCRATCH_BYTES];
};

struct httpd {
    struct httpd_options options;
    struct acceptor acceptor;
    struct httpd_worker *workers;
    usec_t wait_us[WAITS];
    atomic_bool quiesced;
    atomic_bool closing;
    atomic_size_t held;
    atomic_size_t due;           /* requests that are in, or answered, and not over */
    atomic_size_t waiting_bytes; /* of answers that wait for their clients */
    int drained_fd;              /* rings when closing and due gets 0 */
};

/* ---- httpd_worker.c ---- */

int worker_init(struct httpd_worker *worker, struct httpd *httpd,
                struct err *err) must_check;
int worker_start(struct httpd_worker *worker, struct err *err) must_check;
void worker_stop(struct httpd_worker *worker); /* ends its connections; twice is fine */
void worker_fini(struct httpd_worker *worker);
/* From any thread. worker_give takes the connection over. */
void worker_give(struct httpd_worker *worker, struct httpd_conn *conn);
void worker_answered(struct httpd_worker *worker, struct httpd_req *req);
void worker_spare(struct httpd_worker *worker, unsigned n);
void worker_woken(struct httpd_worker *worker, struct httpd_conn *conn);
void worker_end_streams(struct httpd_worker *worker);

/* On its own thread: what the connection waits for from now on, and that it has more to
 * do as soon as the others have had their turn. */
void worker_wait(struct httpd_conn *conn, enum conn_wait wait);
void worker_ready(struct httpd_conn *conn);
/* Closes connections that wait with an answer until so many bytes are free; false:
 * there are not as many. */
bool worker_relieve(struct httpd_worker *worker, size_t bytes);
const char *worker_date(struct httpd_worker *worker);

/* ---- httpd_conn.c; all on the worker's thread but conn_new ---- */

/* Takes fd over; NULL: no memory for TLS, and it is closed. */
struct httpd_conn *conn_new(struct tls *tls, int fd, const struct sockaddr *peer,
                            socklen_t peer_len);
/* Goes as far as it can without waiting; may free the connection. */
void conn_run(struct httpd_conn *conn);
/* Its descriptor is gone (fd -1), its memory stays until the worker's turn is over: the
 * turn's events may still speak of it. */
void conn_close(struct httpd_conn *conn);
void conn_free(struct httpd_conn *conn);
/* Bytes that the client has sent of a body or taken of an answer, as far as is known.
 */
uint64_t conn_moved(const struct httpd_conn *conn);

/* ---- httpd_exchange.c: one request on its connection ---- */

struct httpd_req *req_new(struct httpd_conn *conn);
void req_free(struct httpd_req *req); /* and says that it is over */
/* The head is in: from here the connection is in BODY, DISCARD, HELD or ANSWER. */
void req_start(struct httpd_req *req);
/* The head, or the body's form, makes no sense. */
void req_broken(struct httpd_req *req, const struct http_bad *bad);
/* Content has come. */
void req_content(struct httpd_req *req, struct slice bytes);
/* Room in the body for content of known length, so that it need not be copied; NULL:
 * there is none, and the request has been refused. Then how much has come. */
char *req_room(struct httpd_req *req, size_t *n);
void req_placed(struct httpd_req *req, size_t n);
/* All of the content has come. */
void req_complete(struct httpd_req *req);
/* What was made for a request goes to its worker, if it was held. */
void req_give(struct httpd_req *req);
/* The answer, or a piece, is here: on to ANSWER or STREAM. */
void req_answered(struct httpd_req *req);

/* ---- httpd_stream.c: an answer in pieces ---- */

void stream_take(struct httpd_req *req);  /* its beginning or a piece is here */
void stream_taken(struct httpd_req *req); /* the piece has left */
void stream_more(struct httpd_req *req);
