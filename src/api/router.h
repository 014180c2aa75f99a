/* The table of routes. A new one is a row here and a handler in its resource's file. */
#pragma once

#include "base/types.h"
#include "core/change.h"
#include "core/key.h"

struct api_request;

enum route_access {
    ROUTE_KEYED,
    ROUTE_NARROW, /* above channels, yet a channel's key sees its own there */
    ROUTE_LOCAL,  /* no key; for loopback peers unless the metrics are public */
    ROUTE_PUBLIC  /* no key; for everybody, within limits */
};

enum route_body {
    ROUTE_NO_BODY,
    ROUTE_JSON,          /* application/json */
    ROUTE_JSON_OR_EMPTY, /* likewise, or nothing */
    ROUTE_EVENTS,        /* application/json or application/x-ndjson */
    ROUTE_NDJSON,        /* application/x-ndjson */
    ROUTE_SDK            /* JSON whatever its type says */
};

struct route {
    const char *method;
    const char *pattern; /* {c}: a channel's id; any other {}: the resource's own id */
    enum route_access access;
    enum permission may;
    enum route_body body;
    uint32_t query; /* QUERY_* */
    /* The body is in. Answers, or holds and has the engine's done answer. */
    void (*handle)(struct api_request *r);
    unsigned what; /* the handler's own: an enum value that tells its routes apart */
};

struct routes {
    const struct route *routes;
    size_t n;
};

/* platform.c: the routes of SDKs, and the customer's on the same paths. */
extern const struct routes platform_routes;

/* 0 with r->route and the ids of the path set; or the status to answer with, 404 or 405
 * (then `allow` holds the methods). HEAD is served by GET's row. Also sets r->platform:
 * the path is none of ours, so the answer is in the platform's form. */
#define ROUTER_ALLOW 64
unsigned router_find(struct api_request *r, const char *method, const char *path,
                     char allow[ROUTER_ALLOW]);
