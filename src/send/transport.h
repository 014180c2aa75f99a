/*
 * One attempt: an HTTP request to a webhook's URL and how it ended. The only outbound
 * network. A struct of functions, so that simulations can script receivers; the real
 * one is send/curl.c.
 *
 * A transport belongs to one thread: everything but `wake` is called there, and `done`
 * runs there, from inside `run` (never from inside `start`).
 */
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "base/types.h"
#include "core/call.h"
#include "core/record.h"
#include "core/webhook.h"

struct guard;
struct transport;
struct target; /* a webhook made ready for sending: URL, headers, signer, idle
                  connections */

struct attempt {
    /* in; valid until done */
    const char *event_id; /* webhook-id */
    const char *token;    /* not NULL: asks an authorizer, with this token in
                             x-subscription-token instead of a signature */
    msec_t deadline_ms;   /* 0 = the transport's own */
    struct slice body;
    void (*done)(struct attempt *attempt);
    /* out */
    enum verdict verdict;
    int status;      /* 0 = no complete header block */
    char reason[80]; /* "" when ok; else "timeout", "status 503", "connection refused",
                        … */
    msec_t began_wall_ms;
    usec_t duration_us;
    struct attempt_timings timings;
    msec_t retry_after_ms; /* what the receiver asked for, 0 = nothing; at most 24 h */
    char *response;        /* what is kept of the answer's body; valid during done */
    size_t response_len;   /* at most RESPONSE_KEPT_BYTES */
    /* the transport's */
    void *private;
};

struct transport {
    /* NULL only when out of memory; an unusable URL fails its attempts instead. Keeps
     * its own reference to what it needs of the webhook. */
    struct target *(*target_open)(struct transport *transport, struct webhook *webhook);
    /* Attempts under way go on to their end. */
    void (*target_close)(struct transport *transport, struct target *target);
    void (*start)(struct transport *transport, struct target *target,
                  struct attempt *attempt);
    /* Waits up to timeout_us (-1 = until something happens) for the network or wake;
     * runs what is ready. */
    void (*run)(struct transport *transport, usec_t timeout_us);
    void (*wake)(struct transport *transport); /* any thread: makes `run` return soon */
    /* Ends every attempt under way now, as temporary with reason "shutting down". */
    void (*abort)(struct transport *transport);
    void (*close)(struct transport *transport); /* none may be under way */
};

struct transport_options {
    struct clock *clock;
    msec_t deadline_ms; /* of a whole attempt: DNS, connect, TLS, request, answer */
    const struct guard *guard; /* where calls may go; outlives the transport */
    const char *ca_file;       /* NULL = the system's */
    const char *dns; /* servers, as resolver_open takes them; NULL = the system's */
    const char *egress_proxy; /* http:// or socks5://HOST:PORT that all calls go
                                 through; NULL = none */
};

/* Forgets what of the environment would say where calls go, whom they trust, or who may
 * read along. Before the first thread starts. */
void transport_ignore_environment(void);

int transport_curl_open(struct transport **out, const struct transport_options *options,
                        struct err *err) must_check;
