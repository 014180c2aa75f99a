/* HTTP in: keys and roles, a table of routes, one file per resource. Sees the engine,
 * never the store. */
#pragma once

#include "base/err.h"
#include "base/httpd.h"
#include "engine/engine.h"

struct api;
struct geoip;

struct api_options {
    struct engine *engine;
    const char *listen;
    int listen_fd;   /* -1, or a bound socket (ownership moves) */
    struct tls *tls; /* NULL = plain HTTP; the caller's */
    /* ADDR:PORT of a listener, without TLS, for /healthz, /readyz and /metrics, which
     * `listen` has no more then; NULL = none. Whoever reaches it may ask. */
    const char *metrics_listen;
    int metrics_fd; /* likewise */
    unsigned threads;
    unsigned max_connections;
    unsigned max_connections_per_address; /* 0 = no limit of its own */
    size_t max_request_bytes;             /* of an ingest request */
    size_t max_events;                    /* of an ingest request */
    /* Of answers that wait for slow clients, in all; room for one is always. */
    size_t answer_bytes;
    struct mem *body_mem; /* the ingest budget: over it, 503 + Retry-After */
    /* Public routes: a second, and at once; rate 0 = without a limit. */
    uint32_t address_rate, address_burst;
    uint32_t channel_rate, channel_burst;
    uint32_t event_rate; /* events a second that come in for a channel; 0 = any */
    uint32_t key_rate, key_burst; /* likewise what one key may ask */
    const char *address_header;   /* names a header with the client's address; NULL = it
                                     is the peer's */
    const char *country_header;   /* likewise with its country */
    struct geoip *geoip;          /* NULL = none; the caller's */
    bool public_metrics; /* /healthz, /readyz, /metrics also for peers that are not
                            loopback */
};

int api_open(struct api **out, const struct api_options *options,
             struct err *err) must_check;
const char *api_address(const struct api *api);
const char *api_metrics_address(const struct api *api); /* NULL = none */
/* /readyz says 503 and no new connection is taken (but of watchers, on their own
 * listener); requests that are in are answered. */
void api_quiesce(struct api *api);
void api_close(struct api *api); /* NULL is fine */
