/* The server's frame: from a header block to a handler, and the end of a request. */
#include "api/api.h"

#include <stdlib.h>
#include <strings.h>

#include "api/request.h"
#include "api/resources.h"
#include "api/router.h"
#include "base/iofd.h"
#include "base/limiter.h"
#include "base/mem.h"

/* How long a client may do nothing, may take for the head of a request, and over how
 * long it must send or take 1 KiB/s. */
#define IDLE_TIMEOUT_S 30
#define HEAD_TIMEOUT_S 10
#define FLOW_TIMEOUT_S 10
/* When there is no room for a client, those go that have asked nothing for so long. */
#define SPARE_AFTER_MS 1000
/* A stream says something at least this often. */
#define BEAT_S 15
/* Requests with a wrong key, or none, that one address may make: enough for whoever is
 * mistaken, too few to be worth it. Right keys are not held up by them. */
#define FAILURES_A_SECOND 10
#define FAILURES_AT_ONCE  1000
/* Connections to the listener of those that watch the server. */
#define WATCHERS_MAX 64

/* ---- each thread's batch ---- */

static void
batch_free(void *batch)
{
    event_batch_fini(batch);
    free(batch);
}

struct event_batch *
api_batch(struct api *api)
{
    struct event_batch *batch = pthread_getspecific(api->batch_key);
    if (!batch) {
        batch = xmalloc(sizeof(*batch));
        event_batch_init(batch);
        if (pthread_setspecific(api->batch_key, batch) != 0)
            abort();
    }
    return batch;
}

/* ---- a request's life ---- */

static int
find_route(struct api_request *r)
{
    char allow[ROUTER_ALLOW];
    unsigned status = router_find(r, httpd_method(r->req), httpd_path(r->req), allow);
    if (status == 0)
        return 0;
    if (status == 405) {
        httpd_answer_header(r->req, "Allow", allow);
        api_problem(r, 405, "this path takes %s", allow);
    } else {
        api_problem(r, 404, r->platform ? "Not found" : "no such path");
    }
    return E_NOT_FOUND;
}

/* A proxy on this machine makes every stranger a client from here. */
static bool
is_passed_on(const struct httpd_req *req)
{
    return httpd_header(req, "Forwarded") || httpd_header(req, "X-Forwarded-For") ||
           httpd_header(req, "X-Real-IP");
}

/* Whether the client meant this machine: a web page whose name was made to lead here
 * (DNS rebinding) has its browser send that name, and never an address. */
static bool
is_meant(const struct httpd_req *req)
{
    const char *host = httpd_header(req, "Host");
    struct sockaddr_storage address;

    if (!host)
        return true; /* HTTP/1.0: no browser */
    size_t n = strcspn(host, ":");
    if (host[0] == '[')
        n = strcspn(host, "]") + 1;
    return (n == 9 && strncasecmp(host, "localhost", n) == 0) ||
           (n <= strlen(host) && addr_parse_ip((struct slice){host, n}, &address));
}

static int
check_open(struct api_request *r)
{
    if (r->on_metrics || r->api->options.public_metrics)
        return 0;
    if (httpd_peer_is_loopback(r->req) && !is_passed_on(r->req)) {
        if (is_meant(r->req))
            return 0;
        api_problem(r, 421, "this path is served as localhost or by an IP address");
        return E_INVALID;
    }
    api_problem(r, 403,
                "only for clients on the server's own machine, unless it runs "
                "with --public-metrics");
    return E_INVALID;
}

/* Whoever keeps a connection open must not keep the server from ending. */
static int
check_running(struct api_request *r)
{
    if (r->route->access == ROUTE_LOCAL || !atomic_load(&r->api->quiesced))
        return 0;
    api_refuse(r, E_CLOSED, NULL);
    return E_CLOSED;
}

static int
check_access(struct api_request *r)
{
    switch (r->route->access) {
    case ROUTE_LOCAL:
        return check_open(r);
    case ROUTE_PUBLIC:
        return public_check(r);
    case ROUTE_KEYED:
    case ROUTE_NARROW:
        break;
    }
    return auth_check(r);
}

static int
check_query(struct api_request *r)
{
    struct err err = {0};
    if (r->route->query & QUERY_FREE)
        return 0;
    int rc = query_read(&r->query, r->req, r->route->query, &err);
    if (rc != 0)
        api_refuse(r, rc, err.text);
    return rc;
}

static void
begin(struct api *api, struct httpd_req *req, bool on_metrics)
{
    struct api_request *r = xcalloc(1, sizeof(*r));
    r->api = api;
    r->req = req;
    r->on_metrics = on_metrics;
    buf_init(&r->out, API_ANSWER_MAX);
    httpd_set_user(req, r);

    if (strcmp(httpd_method(req), "OPTIONS") == 0) {
        public_preflight(r);
        return;
    }
    int rc = find_route(r);
    if (rc == 0)
        rc = check_running(r);
    if (rc == 0)
        rc = check_access(r);
    if (rc == 0)
        rc = check_query(r);
    if (rc == 0)
        rc = content_check(r);
    (void)rc; /* not 0: it is answered, and no body comes */
}

static void
on_head(void *ctx, struct httpd_req *req)
{
    begin(ctx, req, false);
}

static void
on_metrics_head(void *ctx, struct httpd_req *req)
{
    begin(ctx, req, true);
}

static void
on_body(void *ctx, struct httpd_req *req)
{
    (void)ctx;
    struct api_request *r = httpd_user(req);
    if (check_running(r) == 0)
        r->route->handle(r);
}

static void
on_over(void *ctx, struct httpd_req *req)
{
    (void)ctx;
    struct api_request *r = httpd_user(req);
    if (r->own_free)
        r->own_free(r->own);
    webhook_unref(r->webhook);
    if (r->channel)
        channel_unref(r->channel);
    buf_fini(&r->out);
    free(r);
}

static void
on_refuse(void *ctx, struct httpd_req *req, unsigned status, const char *detail)
{
    (void)ctx;
    problem_answer(req, status, PROBLEM_NOWHERE, detail);
}

/* ---- open and close ---- */

static void
api_free(struct api *api)
{
    limiter_free(api->address_limit);
    limiter_free(api->channel_limit);
    limiter_free(api->failure_limit);
    limiter_free(api->key_limit);
    limiter_free(api->event_limit);
    free(api);
}

static size_t
answer_bytes(const struct api *api)
{
    size_t bytes = api->options.answer_bytes;

    return bytes > API_ANSWER_MAX ? bytes : API_ANSWER_MAX;
}

static int
open_metrics(struct api *api, struct err *err)
{
    const struct httpd_options httpd = {
        .handler = {api, on_metrics_head, on_body, on_over, on_refuse, NULL},
        .listen = api->options.metrics_listen,
        .listen_fd = api->options.metrics_fd,
        .threads = 1,
        .max_connections = WATCHERS_MAX,
        .max_body_bytes = 0,
        .max_answer_bytes = answer_bytes(api),
        .idle_timeout_s = IDLE_TIMEOUT_S,
        .head_timeout_s = HEAD_TIMEOUT_S,
        .flow_timeout_s = FLOW_TIMEOUT_S,
        .spare_after_ms = SPARE_AFTER_MS,
        .body_mem = &mem_heap,
    };

    if (!httpd.listen)
        return 0;
    int rc = httpd_open(&api->metrics, &httpd, err);
    return rc == 0 ? 0 : err_wrap(err, "--metrics-listen");
}

/* Ten seconds' worth, and at least a request that is full. */
static uint32_t
event_burst(const struct api_options *options)
{
    uint64_t burst = (uint64_t)options->event_rate * 10;
    if (burst < options->max_events)
        burst = options->max_events;
    return burst < UINT32_MAX ? (uint32_t)burst : UINT32_MAX;
}

int
api_open(struct api **out, const struct api_options *options, struct err *err)
{
    struct api *api = xcalloc(1, sizeof(*api));
    api->options = *options;
    api->engine = options->engine;
    api->started_ms = clock_wall_us(engine_clock(options->engine)) / 1000;
    atomic_init(&api->quiesced, false);
    api->address_limit = limiter_new(options->address_rate, options->address_burst);
    api->channel_limit = limiter_new(options->channel_rate, options->channel_burst);
    api->failure_limit = limiter_new(FAILURES_A_SECOND, FAILURES_AT_ONCE);
    api->event_limit = limiter_new(options->event_rate, event_burst(options));
    api->key_limit = limiter_new(options->key_rate, options->key_burst);
    if (pthread_key_create(&api->batch_key, batch_free) != 0) {
        api_free(api);
        return err_set(err, E_NO_MEMORY, "no more thread-specific keys");
    }

    size_t max_body = options->max_request_bytes > API_CONFIG_BODY_MAX
                          ? options->max_request_bytes
                          : API_CONFIG_BODY_MAX;
    struct httpd_options httpd = {
        .handler = {api, on_head, on_body, on_over, on_refuse, stream_continue},
        .listen = options->listen,
        .listen_fd = options->listen_fd,
        .threads = options->threads,
        .max_connections = options->max_connections,
        .max_connections_per_address = options->max_connections_per_address,
        .tls = options->tls,
        .max_body_bytes = max_body,
        .max_answer_bytes = answer_bytes(api),
        .idle_timeout_s = IDLE_TIMEOUT_S,
        .head_timeout_s = HEAD_TIMEOUT_S,
        .flow_timeout_s = FLOW_TIMEOUT_S,
        .spare_after_ms = SPARE_AFTER_MS,
        .beat_s = BEAT_S,
        .body_mem = options->body_mem,
    };
    int rc = httpd_open(&api->httpd, &httpd, err);
    if (rc == 0)
        rc = open_metrics(api, err);
    if (rc != 0)
        api_close(api);
    else
        *out = api;
    return rc;
}

const char *
api_address(const struct api *api)
{
    return httpd_address(api->httpd);
}

const char *
api_metrics_address(const struct api *api)
{
    return api->metrics ? httpd_address(api->metrics) : NULL;
}

void
api_quiesce(struct api *api)
{
    atomic_store(&api->quiesced, true);
    httpd_quiesce(api->httpd);
}

void
api_close(struct api *api)
{
    if (!api)
        return;
    httpd_close(api->metrics);
    httpd_close(api->httpd);
    /* The threads, and with them their batches, are gone. */
    pthread_key_delete(api->batch_key);
    api_free(api);
}
