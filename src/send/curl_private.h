/* Between curl.c (the loop) and curl_request.c (one request): the only users of libcurl
 * in this folder. */
#pragma once

#include <curl/curl.h>

#include "core/signing.h"
#include "send/answer.h"
#include "send/transport.h"

/* What epoll and libcurl each think of a socket. */
struct sock {
    bool ours;       /* opened here: its closing is seen here, too */
    bool wanted;     /* libcurl waits for it */
    uint32_t events; /* that epoll watches; 0 = it does not know the socket */
};

struct curl_transport {
    struct transport transport;
    struct transport_options options;
    char *ca_file;
    CURLM *multi;
    int epoll_fd;
    int wake_fd;
    usec_t timer_us;    /* when libcurl wants to be called, mono; -1 = not */
    struct sock *socks; /* by descriptor */
    size_t n_socks;
    struct request *active;  /* under way, in no order */
    struct request *refused; /* those that could not be started: end in the next run */
    struct request *idle;    /* ready for the next attempt of any target */
    unsigned n_idle;
};

struct target {
    struct webhook *webhook;
    struct signing *signing;    /* NULL: a secret is unusable */
    struct curl_slist *headers; /* those that stay the same */
    char *url;                  /* NULL: not one that calls may go to */
    unsigned refs;              /* the owner's and one per attempt under way */
};

/* webhook-id, webhook-timestamp, webhook-signature */
#define CHANGING_HEADERS 3
#define HEADER_LINE      128
#define SIGNATURE_LINE   (32 + SIGNATURES_TEXT)

/* An easy handle with all that belongs to the attempt that it makes. */
struct request {
    CURL *easy;
    struct curl_transport *transport;
    struct target *target; /* NULL when idle */
    struct attempt *attempt;
    struct request *next, *prev;
    usec_t began_us;
    bool not_allowed; /* the guard has refused the target */
    bool aborted;
    const char *refusal; /* why it was not even started; NULL = it was */
    struct answer answer;
    /* libcurl only reads the list, and this is what would otherwise be made and freed
     * for every request. The last one goes on with the target's own list. */
    struct curl_slist lines[CHANGING_HEADERS];
    char text[CHANGING_HEADERS - 1][HEADER_LINE];
    char signature[SIGNATURE_LINE];
    char *token_line; /* of an authorizer's request; NULL otherwise */
};

struct request *request_new(struct curl_transport *ct); /* NULL: no memory */
void request_free(struct request *request);
/* Makes an idle request ready for an attempt. False with `refusal` set when it cannot
 * be made. */
bool request_prepare(struct request *request, struct target *target,
                     struct attempt *attempt);
/* Fills the attempt's outputs. */
void request_finish(struct request *request, CURLcode code);

struct target *target_new(struct curl_transport *ct, struct webhook *webhook);
void target_unref(struct target *target);

/* The table of sockets: curl.c's. NULL: no memory. */
struct sock *sock_at(struct curl_transport *ct, int fd);
