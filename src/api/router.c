/* The routes and how a path finds its own. */
#include "api/router.h"

#include <stdio.h>

#include "api/resources.h"

#define CHANNEL "/v1/channels/{c}"

static const struct route routes[] = {
    /* first what comes most often */
    {"POST", CHANNEL "/events", false, false, MAY_INGEST, ROUTE_EVENTS, 0,
     events_ingest},
    {"GET", CHANNEL "/events", false, false, MAY_READ, ROUTE_NO_BODY, QUERY_EVENTS,
     events_list},
    {"GET", CHANNEL "/events/{e}", false, false, MAY_READ, ROUTE_NO_BODY, 0,
     events_show},

    {"GET", CHANNEL "/calls", false, false, MAY_READ, ROUTE_NO_BODY, QUERY_CALLS,
     calls_list},
    {"GET", CHANNEL "/calls/{id}", false, false, MAY_READ, ROUTE_NO_BODY, 0,
     calls_show},
    {"POST", CHANNEL "/calls/{id}/retry", false, false, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, calls_retry},

    {"GET", CHANNEL "/webhooks", false, false, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     webhooks_list},
    {"POST", CHANNEL "/webhooks", false, false, MAY_MANAGE, ROUTE_JSON, 0,
     webhooks_create},
    {"GET", CHANNEL "/webhooks/{w}", false, false, MAY_READ, ROUTE_NO_BODY, 0,
     webhooks_show},
    {"PATCH", CHANNEL "/webhooks/{w}", false, false, MAY_MANAGE, ROUTE_JSON, 0,
     webhooks_change},
    {"DELETE", CHANNEL "/webhooks/{w}", false, false, MAY_MANAGE, ROUTE_NO_BODY, 0,
     webhooks_delete},
    {"GET", CHANNEL "/webhooks/{w}/secret", false, false, MAY_MANAGE, ROUTE_NO_BODY, 0,
     webhooks_secret},
    {"POST", CHANNEL "/webhooks/{w}/test", false, false, MAY_MANAGE,
     ROUTE_JSON_OR_EMPTY, 0, events_test},

    {"GET", "/v1/channels", false, true, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     channels_list},
    {"POST", "/v1/channels", false, false, MAY_ADMIN, ROUTE_JSON, 0, channels_create},
    {"GET", CHANNEL, false, false, MAY_READ, ROUTE_NO_BODY, 0, channels_show},
    {"PATCH", CHANNEL, false, false, MAY_ADMIN, ROUTE_JSON, 0, channels_change},
    {"DELETE", CHANNEL, false, false, MAY_ADMIN, ROUTE_NO_BODY, 0, channels_delete},

    {"GET", "/v1/keys", false, false, MAY_ADMIN, ROUTE_NO_BODY, QUERY_PAGE, keys_list},
    {"POST", "/v1/keys", false, false, MAY_ADMIN, ROUTE_JSON, 0, keys_create},
    {"DELETE", "/v1/keys/{k}", false, false, MAY_ADMIN, ROUTE_NO_BODY, 0, keys_delete},

    {"GET", "/healthz", true, false, MAY_READ, ROUTE_NO_BODY, 0, health_live},
    {"GET", "/readyz", true, false, MAY_READ, ROUTE_NO_BODY, 0, health_ready},
    {"GET", "/metrics", true, false, MAY_READ, ROUTE_NO_BODY, 0, health_metrics},
};

struct captures {
    struct slice channel_id, id;
};

static bool
match(const char *pattern, const char *path, struct captures *found)
{
    *found = (struct captures){0};
    while (*pattern) {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        struct slice segment = {path, strcspn(path, "/")};
        if (segment.n == 0)
            return false;
        if (pattern[1] == 'c')
            found->channel_id = segment;
        else
            found->id = segment;
        path += segment.n;
        pattern = strchr(pattern, '}') + 1;
    }
    return *path == '\0';
}

static void
allow_add(char allow[ROUTER_ALLOW], const char *method)
{
    size_t n = strlen(allow);
    snprintf(allow + n, ROUTER_ALLOW - n, "%s%s%s", n ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

unsigned
router_find(struct api_request *r, const char *method, const char *path,
            char allow[ROUTER_ALLOW])
{
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    allow[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct captures found;
        if (!match(routes[i].pattern, path, &found))
            continue;
        if (strcmp(routes[i].method, method) == 0) {
            r->route = &routes[i];
            r->channel_id = found.channel_id;
            r->id = found.id;
            return 0;
        }
        allow_add(allow, routes[i].method);
    }
    return allow[0] ? 405 : 404;
}
