/* The table of routes. A new one is a row here and a handler in its resource's file. */
#pragma once

#include "base/types.h"
#include "core/key.h"

struct api_request;

enum route_body {
    ROUTE_NO_BODY,
    ROUTE_JSON,          /* application/json */
    ROUTE_JSON_OR_EMPTY, /* likewise, or nothing */
    ROUTE_EVENTS         /* application/json or application/x-ndjson */
};

struct route {
    const char *method;
    const char *pattern; /* {c}: a channel's id; any other {}: the resource's own id */
    bool open;           /* no key; for loopback peers unless the metrics are public */
    bool narrow;         /* above channels, yet a channel's key sees its own there */
    enum permission may;
    enum route_body body;
    uint32_t query; /* QUERY_* */
    /* The body is in. Answers, or holds and has the engine's done answer. */
    void (*handle)(struct api_request *r);
};

/* 0 with r->route, r->channel_id and r->id set; or the status to answer with, 404 or
 * 405 (then `allow` holds the methods). HEAD is served by GET's row. */
#define ROUTER_ALLOW 64
unsigned router_find(struct api_request *r, const char *method, const char *path,
                     char allow[ROUTER_ALLOW]);
