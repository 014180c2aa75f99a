/* The routes and how a path finds its own. */
#include "api/router.h"

#include <stdio.h>

#include "api/resources.h"

#define CHANNEL "/v1/channels/{c}"

static const struct route routes[] = {
    /* first what comes most often */
    {"POST", CHANNEL "/events", ROUTE_KEYED, MAY_INGEST, ROUTE_EVENTS, 0, events_ingest,
     0},
    {"GET", CHANNEL "/events", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_EVENTS,
     events_list, 0},
    {"GET", CHANNEL "/events/{e}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0, events_show,
     0},

    {"GET", CHANNEL "/stream", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_STREAM,
     stream_open, 0},

    {"GET", CHANNEL "/calls", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_CALLS,
     calls_list, 0},
    {"GET", CHANNEL "/calls/{id}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0, calls_show,
     0},
    {"POST", CHANNEL "/calls/{id}/retry", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, calls_retry, 0},
    {"POST", CHANNEL "/calls/{id}/cancel", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, calls_cancel, 0},
    {"POST", CHANNEL "/calls/retry", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     jobs_create, JOB_RETRY},
    {"POST", CHANNEL "/calls/cancel", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     jobs_create, JOB_CANCEL},
    {"POST", CHANNEL "/webhooks/{w}/replay", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     jobs_create, JOB_REPLAY},

    {"GET", CHANNEL "/jobs", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     jobs_list, 0},
    {"GET", CHANNEL "/jobs/{j}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0, jobs_show, 0},
    {"POST", CHANNEL "/jobs/{j}/pause", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY, 0,
     jobs_steer, JOB_PAUSED},
    {"POST", CHANNEL "/jobs/{j}/resume", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, jobs_steer, JOB_RUNNING},
    {"POST", CHANNEL "/jobs/{j}/cancel", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, jobs_steer, JOB_CANCELLED},

    {"GET", CHANNEL "/webhooks", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     webhooks_list, 0},
    {"POST", CHANNEL "/webhooks", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     webhooks_create, 0},
    /* before {w} */
    {"GET", CHANNEL "/webhooks/stats", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY,
     QUERY_PAGE | QUERY_RANGE, stats_webhooks, 0},
    {"GET", CHANNEL "/webhooks/{w}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0,
     webhooks_show, 0},
    {"PATCH", CHANNEL "/webhooks/{w}", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     webhooks_change, 0},
    {"DELETE", CHANNEL "/webhooks/{w}", ROUTE_KEYED, MAY_MANAGE, ROUTE_NO_BODY, 0,
     webhooks_delete, 0},
    {"GET", CHANNEL "/webhooks/{w}/secret", ROUTE_KEYED, MAY_MANAGE, ROUTE_NO_BODY, 0,
     webhooks_secret, 0},
    {"POST", CHANNEL "/webhooks/{w}/secret/rotate", ROUTE_KEYED, MAY_MANAGE,
     ROUTE_JSON_OR_EMPTY, 0, webhooks_rotate, 0},
    {"POST", CHANNEL "/webhooks/{w}/test", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON_OR_EMPTY,
     0, events_test, 0},

    {"GET", CHANNEL "/stats", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY,
     QUERY_RANGE | QUERY_WEBHOOK, stats_show, 0},
    {"GET", "/v1/stats", ROUTE_NARROW, MAY_READ, ROUTE_NO_BODY, QUERY_RANGE, stats_show,
     0},

    {"GET", CHANNEL "/subscriptions", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY,
     QUERY_SUBSCRIPTIONS, subscriptions_list, 0},
    {"POST", CHANNEL "/subscriptions", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     subscriptions_create, 0},
    {"GET", CHANNEL "/subscriptions/export", ROUTE_KEYED, MAY_MANAGE, ROUTE_NO_BODY,
     QUERY_CURSOR, subscriptions_export, 0},
    {"POST", CHANNEL "/subscriptions/import", ROUTE_KEYED, MAY_MANAGE, ROUTE_NDJSON,
     QUERY_EMIT, subscriptions_import, 0},
    {"GET", CHANNEL "/subscriptions/{s}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0,
     subscriptions_show, 0},
    {"PUT", CHANNEL "/subscriptions/{s}", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     subscriptions_put, 0},
    {"DELETE", CHANNEL "/subscriptions/{s}", ROUTE_KEYED, MAY_MANAGE, ROUTE_NO_BODY, 0,
     subscriptions_delete, 0},
    {"GET", CHANNEL "/subscriptions/{s}/topics", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY,
     0, subscriptions_part, PART_TOPICS},
    {"PUT", CHANNEL "/subscriptions/{s}/topics", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     subscriptions_change_part, PART_TOPICS},
    {"GET", CHANNEL "/subscriptions/{s}/tags", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0,
     subscriptions_part, PART_TAGS},
    {"PUT", CHANNEL "/subscriptions/{s}/tags", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     subscriptions_change_part, PART_TAGS},
    {"GET", CHANNEL "/subscriptions/{s}/attributes", ROUTE_KEYED, MAY_READ,
     ROUTE_NO_BODY, 0, subscriptions_part, PART_ATTRIBUTES},
    {"PATCH", CHANNEL "/subscriptions/{s}/attributes", ROUTE_KEYED, MAY_MANAGE,
     ROUTE_JSON, 0, subscriptions_change_part, PART_ATTRIBUTES},

    {"GET", CHANNEL "/config", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0, settings_show,
     0},
    {"PATCH", CHANNEL "/config", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     settings_change, 0},
#define CHANNEL_LIST(name, what)                                                       \
    {"GET", CHANNEL "/" name,  ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY,                   \
     0,     channel_list_show, what},                                                  \
        {"POST", CHANNEL "/" name, ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON,                \
         0,      channel_list_add, what},                                              \
        {"PATCH", CHANNEL "/" name "/{i}", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON,        \
         0,       channel_list_change,     what},                                      \
    {                                                                                  \
        "DELETE", CHANNEL "/" name "/{i}", ROUTE_KEYED, MAY_MANAGE, ROUTE_NO_BODY, 0,  \
            channel_list_delete, what                                                  \
    }
    CHANNEL_LIST("topics", LIST_TOPICS),
    CHANNEL_LIST("tags", LIST_TAGS),
    CHANNEL_LIST("attributes", LIST_ATTRIBUTES),

    {"GET", CHANNEL "/notifications", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     notifications_list, 0},
    {"POST", CHANNEL "/notifications", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     notifications_create, 0},
    {"GET", CHANNEL "/notifications/{i}", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0,
     notifications_show, 0},
    {"PUT", CHANNEL "/notifications/{i}", ROUTE_KEYED, MAY_MANAGE, ROUTE_JSON, 0,
     notifications_put, 0},

    {"GET", "/v1/channels", ROUTE_NARROW, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     channels_list, 0},
    {"POST", "/v1/channels", ROUTE_KEYED, MAY_ADMIN, ROUTE_JSON, 0, channels_create, 0},
    {"GET", CHANNEL, ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, 0, channels_show, 0},
    {"PATCH", CHANNEL, ROUTE_KEYED, MAY_ADMIN, ROUTE_JSON, 0, channels_change, 0},
    {"DELETE", CHANNEL, ROUTE_KEYED, MAY_ADMIN, ROUTE_NO_BODY, 0, channels_delete, 0},

    {"GET", "/v1/notices", ROUTE_KEYED, MAY_ADMIN, ROUTE_NO_BODY, QUERY_PAGE,
     notices_list, 0},
    {"GET", CHANNEL "/notices", ROUTE_KEYED, MAY_READ, ROUTE_NO_BODY, QUERY_PAGE,
     notices_list, 0},

    {"GET", "/v1/keys", ROUTE_KEYED, MAY_ADMIN, ROUTE_NO_BODY, QUERY_PAGE, keys_list,
     0},
    {"POST", "/v1/keys", ROUTE_KEYED, MAY_ADMIN, ROUTE_JSON, 0, keys_create, 0},
    {"DELETE", "/v1/keys/{k}", ROUTE_KEYED, MAY_ADMIN, ROUTE_NO_BODY, 0, keys_delete,
     0},

    {"POST", "/v1/backup", ROUTE_KEYED, MAY_ADMIN, ROUTE_JSON_OR_EMPTY, 0, backup_make,
     0},

    {"GET", "/v1/me", ROUTE_NARROW, MAY_ASK, ROUTE_NO_BODY, 0, me_show, 0},

    {"GET", "/", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE, dashboard_file, 0},
    {"GET", "/assets/{name}", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     dashboard_file, 0},

    {"GET", "/openapi.json", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     dashboard_file, 0},
    {"GET", "/docs", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE, dashboard_file,
     0},
    {"GET", "/docs/{name}", ROUTE_PUBLIC, MAY_READ, ROUTE_NO_BODY, QUERY_FREE,
     dashboard_file, 0},

    {"GET", "/healthz", ROUTE_LOCAL, MAY_READ, ROUTE_NO_BODY, 0, health_live, 0},
    {"GET", "/readyz", ROUTE_LOCAL, MAY_READ, ROUTE_NO_BODY, 0, health_ready, 0},
    {"GET", "/metrics", ROUTE_LOCAL, MAY_READ, ROUTE_NO_BODY, 0, health_metrics, 0},
};

static const struct routes own_routes = {routes, ARRAY_LEN(routes)};

struct captures {
    struct slice channel_id, id;
};

/* SDKs put a path behind an endpoint that may end in a slash already. */
static bool
match(const char *pattern, const char *path, bool lenient, struct captures *found)
{
    *found = (struct captures){0};
    while (*pattern) {
        if (lenient && *path == '/')
            while (path[1] == '/')
                path++;
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

static bool
is_own(const char *path)
{
    static const char *const own[] = {"/v1/",     "/healthz", "/readyz",
                                      "/metrics", "/assets/", "/openapi.json",
                                      "/docs"};

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (strncmp(path, own[i], strlen(own[i])) == 0)
            return true;
    return strcmp(path, "/v1") == 0 || strcmp(path, "/") == 0;
}

/* What watches the server is on a listener of its own, or on the one that there is. */
static bool
is_here(const struct api_request *r, const struct route *route)
{
    return !r->api->options.metrics_listen ||
           (route->access == ROUTE_LOCAL) == r->on_metrics;
}

unsigned
router_find(struct api_request *r, const char *method, const char *path,
            char allow[ROUTER_ALLOW])
{
    r->platform = !is_own(path);
    const struct routes *all = r->platform ? &platform_routes : &own_routes;

    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    allow[0] = '\0';
    for (size_t i = 0; i < all->n; i++) {
        const struct route *route = &all->routes[i];
        struct captures found;
        if (!is_here(r, route) || !match(route->pattern, path, r->platform, &found))
            continue;
        if (strcmp(route->method, method) == 0) {
            r->route = route;
            r->channel_id = found.channel_id;
            r->id = found.id;
            return 0;
        }
        allow_add(allow, route->method);
    }
    return allow[0] ? 405 : 404;
}
