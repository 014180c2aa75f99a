/* Between curl.c (the loop) and curl_request.c (one request): the only users of libcurl
 * in this folder, with curl_place.c (where a request goes). */
#pragma once

#include <curl/curl.h>

#include "core/signing.h"
#include "send/answer.h"
#include "send/resolve.h"
#include "send/transport.h"

struct url;

/* What epoll and libcurl each think of a socket. */
struct sock {
    bool ours;       /* opened here: its closing is seen here, too */
    bool wanted;     /* libcurl waits for it */
    uint32_t events; /* that epoll watches; 0 = it does not know the socket */
};

/* A name that no DNS knows, for libcurl alone: "t17.invalid". */
#define ALIAS_TEXT 32
/* "t17.invalid:443:ADDRESS,[ADDRESS],…" */
#define PLACE_TEXT (ALIAS_TEXT + 8 + RESOLVE_ADDRESSES_MAX * 48)

/* Where a target is. libcurl is not told its name but an alias, and what addresses that
 * has: so it looks nothing up, and keeps its connections apart from those of every
 * other target, also one with the same host. */
struct place {
    char *host; /* NULL: `literal` it is */
    struct address literal;
    uint16_t port;
    char alias[ALIAS_TEXT];
    struct curl_slist connect_to; /* the alias instead of whatever host */
    char connect_text[ALIAS_TEXT + 4];
    struct address *told; /* the last that libcurl was told; NULL = none */
    size_t n_told;
};

/* --egress-proxy: all calls go through it. */
struct proxy {
    bool used;
    char url[ALIAS_TEXT + 24]; /* with the alias of the place */
    struct place place;
};

struct curl_transport {
    struct transport transport;
    struct transport_options options;
    char *ca_file;
    CURLM *multi;
    struct resolver *resolver;
    struct proxy proxy;
    int epoll_fd;
    int wake_fd;
    usec_t timer_us;    /* when libcurl wants to be called, mono; -1 = not */
    struct sock *socks; /* by descriptor */
    size_t n_socks;
    struct request *active;  /* under way, in no order */
    struct request *looking; /* until it is known where they go */
    struct request *refused; /* those that could not be started: end in the next run */
    struct curl_slist *forgotten; /* aliases that libcurl need not know any more */
    uint64_t aliases;             /* made so far */
    uint64_t targets;             /* likewise */
    struct request *idle;         /* ready for the next attempt of any target */
    unsigned n_idle;
};

struct target {
    struct webhook *webhook;
    struct signing *signing;    /* NULL: a secret is unusable */
    struct curl_slist *headers; /* those that stay the same */
    char *url;                  /* NULL: not one that calls may go to */
    CURLU *parsed;              /* the same, so that libcurl reads it once only */
    uint64_t number;            /* never another's of this transport; from 1 */
    struct place place;
    unsigned refs; /* the owner's and one per attempt under way */
};

/* user-agent, webhook-id, webhook-timestamp, webhook-signature */
#define OWN_HEADERS    4
#define HEADER_LINE    128
#define SIGNATURE_LINE (32 + SIGNATURES_TEXT)

/* An easy handle with all that belongs to the attempt that it makes. */
struct request {
    CURL *easy;
    struct curl_transport *transport;
    struct target *target; /* NULL when idle */
    uint64_t aimed;        /* the target that the handle's options name; 0 = none */
    struct attempt *attempt;
    struct request *next, *prev;
    usec_t began_us, deadline_us;
    usec_t located_us; /* when it was known where to go; 0 = not yet */
    struct lookup lookup;
    bool looked_up;   /* it was for a name */
    bool not_allowed; /* the guard has refused the target */
    bool aborted;
    const char *refusal; /* why it was not even started; NULL = it was */
    struct answer answer;
    /* libcurl only reads the list, and this is what would otherwise be made and freed
     * for every request. The last one goes on with the target's own list. */
    struct curl_slist lines[OWN_HEADERS];
    char id[HEADER_LINE];
    char timestamp[HEADER_LINE];
    int64_t timestamp_s; /* that `timestamp` says */
    char signature[SIGNATURE_LINE];
    char *token_line;       /* of an authorizer's request; NULL otherwise */
    bool tells;             /* libcurl something: what follows */
    struct curl_slist tell; /* of the place; `forget` follows */
    char tell_text[PLACE_TEXT];
    struct curl_slist *forget;
};

/* All that the owner of a target is told of why it was refused. */
#define NOT_ALLOWED "target not allowed"

struct request *request_new(struct curl_transport *ct); /* NULL: no memory */
void request_free(struct request *request);
/* Makes an idle request ready for an attempt. False with `refusal` set when it cannot
 * be made. */
bool request_prepare(struct request *request, struct target *target,
                     struct attempt *attempt);
/* Fills the attempt's outputs. */
void request_finish(struct request *request, CURLcode code);

/* ---- curl_place.c: where a request goes ---- */

void place_init(struct curl_transport *ct, struct place *place);
void place_fini(struct curl_transport *ct, struct place *place);
/* Of a URL that has been read. */
void place_set(struct place *place, const struct url *url);
int proxy_open(struct curl_transport *ct, const char *url, struct err *err) must_check;

enum located {
    LOCATED,       /* the request can start */
    LOCATED_LATER, /* `request_located` is called from inside resolver_run */
    LOCATED_NOT    /* request->refusal says why */
};

enum located request_locate(struct request *request);
/* What libcurl knows of the request's place is not what it was told. */
void place_untold(struct request *request);
/* A lookup for a request has ended; curl.c goes on with it. */
void request_located(struct request *request, enum located located);

struct target *target_new(struct curl_transport *ct, struct webhook *webhook);
void target_unref(struct curl_transport *ct, struct target *target);

/* The table of sockets: curl.c's. NULL: no memory. */
struct sock *sock_at(struct curl_transport *ct, int fd);
