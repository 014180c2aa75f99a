/*
 * One request on its way through api/: what the path, the key and the query said, the
 * engine's request that answers it, and the ways to answer. Private to api/.
 *
 * A request lives from head to over. Once it is answered from another thread than its
 * own it may be gone at any moment: an answer is always the last thing that is done.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "api/api.h"
#include "api/query.h"
#include "base/json_out.h"

struct route;

struct api {
    struct api_options options;
    struct engine *engine;
    struct httpd *httpd;
    struct httpd *metrics;   /* a listener for what watches the server; NULL = none */
    pthread_key_t batch_key; /* each server thread's struct event_batch */
    atomic_bool quiesced;
    atomic_bool backing_up;                        /* until the client has all of it */
    msec_t started_ms;                             /* wall */
    struct limiter *address_limit, *channel_limit; /* of public routes */
    struct limiter *event_limit;                   /* events that come in, by channel */
    struct limiter *failure_limit, *key_limit;     /* of those that ask for a key */
};

struct api_request {
    struct api *api;
    struct httpd_req *req;
    const struct route *route;
    struct slice channel_id, id; /* from the path; p NULL where the route has none */
    bool on_metrics; /* it came in on the listener for what watches the server */
    bool platform;   /* not a path of ours: answers are in the platform's form */
    bool cors;       /* a web page of an origin that may ask: it may read the answer */
    struct key key;
    struct channel *channel; /* a reference; NULL on routes above channels */
    struct webhook *webhook; /* a reference, for handlers that need it until the end */
    enum event_format format;
    struct query query;
    union {
        struct engine_change change;
        struct engine_ingest ingest;
        struct engine_events events;
        struct engine_event event;
        struct engine_calls calls;
        struct engine_call call;
        struct engine_retry retry;
        struct engine_cancel cancel;
        struct engine_job job;
        struct engine_steer steer;
        struct engine_jobs jobs;
        struct engine_counts counts;
        struct engine_backup backup;
        struct engine_stats stats;
        struct engine_webhook_stats webhook_stats;
        struct engine_touch touch;
        struct engine_subscriptions subscriptions;
        struct engine_subscription_count subscription_count;
        struct engine_notification notification;
        struct engine_notifications notifications;
        struct engine_notices notices;
        struct engine_feed feed;
    } op;
    uint32_t events_by_type[EVENT_TYPES]; /* of an ingest */
    struct buf out;                       /* the answer, while it is being built */
    struct json_out json;
    bool calls_ended; /* of an event: its list of calls is complete */
    bool cut; /* the answer has its most bytes: the rows that follow are left out */
    uint64_t last_event, last_webhook; /* the last row that is in it */
    void *own; /* the handler's, freed with own_free when the request is over */
    void (*own_free)(void *own);
};

/* An answer that grows with what was stored stops taking rows after so many bytes … */
#define API_PAGE_BYTES ((size_t)4 << 20)
/* … and the row that went beyond fits below this. */
#define API_ANSWER_MAX ((size_t)8 << 20)
/* Bodies that configure something. */
#define API_CONFIG_BODY_MAX ((size_t)256 << 10)
/* Bodies of public routes. */
#define API_SDK_BODY_MAX ((size_t)64 << 10)

/* Steady. */
static inline msec_t
api_now(const struct api_request *r)
{
    return clock_steady_ms(engine_clock(r->api->engine));
}

/* This thread's batch; ends with the thread. */
struct event_batch *api_batch(struct api *api);

/* ---- problem.c: answers ---- */

/* What is wrong inside a body. */
struct problem_place {
    int64_t index;     /* of the event; -1 = none */
    struct slice path; /* JSON pointer; p NULL = none */
};

#define PROBLEM_NOWHERE ((struct problem_place){-1, {NULL, 0}})

void problem_answer(struct httpd_req *req, unsigned status, struct problem_place place,
                    const char *detail);
void api_problem(struct api_request *r, unsigned status, const char *fmt, ...)
    printf_like(3, 4);
/* The answer for an error of the engine; `why` may be NULL or empty. */
void api_refuse(struct api_request *r, int code, const char *why);

void api_answer(struct httpd_req *req, unsigned status, const char *type, char *body,
                size_t n);
void api_answer_file(struct httpd_req *req, const char *type, int fd, uint64_t size);
/* Begins an answer of server-sent events; its pieces come by stream_continue. */
void api_stream(struct api_request *r);
/* Starts r->out and r->json with an open object. */
void api_json_begin(struct api_request *r);
/* Closes the object and answers with it. */
void api_json_end(struct api_request *r, unsigned status);
/* A row of a list, as an open object; false, and r->cut from then on, when the answer
 * is long enough without it. */
bool api_row_begin(struct api_request *r);
/* A list: {"data":[ … ],"nextCursor":…}; NULL when this was all. */
void api_page_begin(struct api_request *r);
void api_page_end(struct api_request *r, const char *cursor);
/* Of a list that goes back in time, also {"searchedTo":…}: down to which time it has
 * looked, which is that of the event that the cursor stands at; NULL = to the end. */
void api_history_end(struct api_request *r, const char *cursor, uint64_t event);
/* What stands for a list's rows that go without an object around them. */
void api_answer_buf(struct api_request *r, unsigned status, const char *type,
                    struct buf *buf);
/* Holds the request for a change that takes something away, and answers 204 or why not.
 */
void api_delete(struct api_request *r,
                int (*apply)(struct engine *engine, struct engine_change *change));

/* ---- auth.c ---- */

/* Whose key, which channel, may it? Fills r->key and r->channel, or answers and returns
 * an error. */
int auth_check(struct api_request *r) must_check;

/* ---- limit.c: how often; each answers 429 and returns an error beyond it ---- */

int limit_address(struct api_request *r) must_check;
int limit_channel(struct api_request *r, const struct channel *channel) must_check;
int limit_failure(struct api_request *r) must_check; /* a request with a wrong key */
int limit_key(struct api_request *r) must_check;     /* one with r->key */
int limit_events(struct api_request *r, size_t n) must_check; /* of r->channel */
/* Who asks: the peer, or who it says that it asks for, if it is a proxy that is named.
 * NULL: not known. */
const struct sockaddr *limit_client(const struct api_request *r,
                                    struct sockaddr_storage *room);

/* ---- public.c: what everybody may ask ---- */

/* Within the limits of its address, or answers and returns an error. */
int public_check(struct api_request *r) must_check;
/* The request is about this channel: whose web pages may read the answer, and how much
 * it may be asked. Answers and returns an error beyond that. */
int public_channel(struct api_request *r, const struct channel *channel) must_check;
/* Answers a web page's question whether it may ask. */
void public_preflight(struct api_request *r);
void public_cors_write(const struct api_request *r);
/* Plain text; n 0 = not known. `room` is for the answer. */
struct slice public_country(const struct api_request *r, char room[3]);
struct slice public_language(const struct api_request *r, char room[4]);

/* ---- content.c ---- */

/* Type, encoding and length of the body against what the route takes. Fills r->format,
 * or answers and returns an error. */
int content_check(struct api_request *r) must_check;
