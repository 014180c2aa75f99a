/* From options to parts: the store, the engine, the API and what they need. */
#include "cli/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "cli/master_key.h"

#define API_THREADS_MAX 4
/* The main one, the store's, those that accept. */
#define OTHER_THREADS 4

static unsigned
cores(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

static unsigned
threads(const struct options *options, enum option_id id, unsigned at_most)
{
    unsigned n = cores();

    if (option_given(options, id))
        return (unsigned)option_number(options, id);
    return n < at_most ? n : at_most;
}

unsigned
server_senders(const struct options *options)
{
    return threads(options, OPTION_SENDERS, 256);
}

/* Without one number for all, the defaults hold. */
static uint64_t
said(const struct options *options, enum option_id id)
{
    bool holds = option_given(options, id) || !option_given(options, OPTION_MAX_MEMORY);
    return holds ? (uint64_t)option_number(options, id) : 0;
}

int
server_plan_memory(struct server *server, struct err *err)
{
    const struct options *options = server->options;
    unsigned senders = server_senders(options);
    unsigned api = threads(options, OPTION_API_THREADS, API_THREADS_MAX);

    server->memory = (struct memory_plan){
        .ingest = said(options, OPTION_INGEST_MEMORY),
        .sender = said(options, OPTION_SENDER_MEMORY),
        .cache = said(options, OPTION_CACHE),
        .slots = said(options, OPTION_SLOTS),
        .connections = said(options, OPTION_MAX_CONNECTIONS),
    };
    if (option_given(options, OPTION_MAX_MEMORY) &&
        memory_plan_make(&server->memory,
                         (uint64_t)option_number(options, OPTION_MAX_MEMORY),
                         senders + api + OTHER_THREADS, senders, err) != 0)
        return err_wrap(err, "--max-memory");
    if ((uint64_t)option_number(options, OPTION_MAX_REQUEST) > server->memory.ingest)
        return err_set(err, E_INVALID,
                       "--max-request is more than %s: such a request would never be "
                       "taken",
                       option_given(options, OPTION_MAX_MEMORY)
                           ? "the share of --max-memory for requests"
                           : "--ingest-memory");
    return 0;
}

static int
open_transport(void *ctx, struct transport **out, struct err *err)
{
    const struct server *server = ctx;
    return transport_curl_open(out, &server->transport, err);
}

/* Nothing may be believed any more, so nothing more may be said to anybody. */
static void
on_broken(void *ctx, const char *why)
{
    (void)ctx;
    log_msg(LOG_ERROR, "the store failed, the server ends: %s", why);
    log_flush();
    _exit(FAILED);
}

static int
open_store(struct server *server, struct err *err)
{
    const char *dir = option_text(server->options, OPTION_DATA);
    msec_t latest_ms = 0;
    char key_file[MASTER_KEY_PATH_MAX];
    const struct store_sqlite_options options = {
        .dir = dir,
        .clock = &clock_system,
        .key_file = key_file,
        .keep = {option_number(server->options, OPTION_KEEP_SUCCEEDED),
                 option_number(server->options, OPTION_KEEP_FAILED),
                 (uint64_t)option_number(server->options, OPTION_KEEP_BYTES)},
        .cache_bytes = (size_t)server->memory.cache,
        .reserve_bytes = (uint64_t)option_number(server->options, OPTION_DISK_RESERVE),
        .max_bytes = (uint64_t)option_number(server->options, OPTION_MAX_DISK),
        .accept_loss = option_on(server->options, OPTION_ACCEPT_LOSS),
    };

    int n = snprintf(server->key_path, sizeof(server->key_path), "%s/admin.key", dir);
    if (n < 0 || (size_t)n >= sizeof(server->key_path))
        return err_set(err, E_INVALID, "--data: the path is too long");
    int rc = master_key_path(server->options, key_file, err);
    bool is_new = rc == 0 && access(key_file, F_OK) != 0;
    if (rc == 0)
        rc = store_sqlite_open(&server->store, &options, &latest_ms, err);
    if (rc != 0)
        return rc;
    clock_anchor(&clock_system, latest_ms);
    if (is_new)
        log_line(LOG_INFO, "master.key.created", LOG_S("file", key_file));
    return 0;
}

static int
open_engine(struct server *server, struct err *err)
{
    const struct options *options = server->options;

    server->transport = (struct transport_options){
        .clock = &clock_system,
        .deadline_ms = option_number(options, OPTION_DEADLINE),
        .guard = &server->guard,
        .ca_file = option_text(options, OPTION_CA_FILE),
        .dns = server->dns[0] ? server->dns : NULL,
        .egress_proxy = option_text(options, OPTION_EGRESS_PROXY),
    };
    const struct engine_options engine = {
        .store = server->store,
        .clock = &clock_system,
        .rng = &rng_system,
        .senders = server_senders(options),
        .transport_open = open_transport,
        .transport_ctx = server,
        .guard = &server->guard,
        .window = (unsigned)option_number(options, OPTION_WINDOW),
        .slots = (unsigned)server->memory.slots,
        .host_window = (unsigned)option_number(options, OPTION_HOST_WINDOW),
        .drain_rate = (unsigned)option_number(options, OPTION_DRAIN_RATE),
        .drain_total = (unsigned)option_number(options, OPTION_DRAIN_TOTAL),
        .disable_after = option_number(options, OPTION_DISABLE_AFTER),
        .notify = server->notify,
        .sender_bytes = (size_t)server->memory.sender,
        .broken = on_broken,
    };
    return engine_open(&server->engine, &engine, err);
}

/* Half of the descriptors stay for calls, the store and everything else. */
static unsigned
connections(const struct server *server)
{
    unsigned wanted = (unsigned)server->memory.connections;
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur / 2 >= wanted)
        return wanted;
    unsigned half = files.rlim_cur < 4 ? 1 : (unsigned)files.rlim_cur / 2;
    log_msg(option_given(server->options, OPTION_MAX_CONNECTIONS) ? LOG_WARN : LOG_INFO,
            "--max-connections %u would take more than half of the %llu files that "
            "may be open: %u it is",
            wanted, (unsigned long long)files.rlim_cur, half);
    return half;
}

/* The rest of the world is behind an address that is named: a proxy's own has them all.
 */
static unsigned
per_address(const struct options *options, unsigned all)
{
    unsigned n = (unsigned)option_number(options, OPTION_MAX_PER_ADDRESS);

    if (n > 0 || option_text(options, OPTION_ADDRESS_HEADER))
        return n;
    return all < 4 ? 1 : all / 4;
}

static int
open_tls(struct server *server, struct err *err)
{
    const char *certificate = option_text(server->options, OPTION_TLS_CERTIFICATE);
    const char *key = option_text(server->options, OPTION_TLS_KEY);

    if (!certificate && !key)
        return 0;
    if (!certificate || !key)
        return err_set(err, E_INVALID,
                       "--tls-certificate and --tls-key go together: %s is missing",
                       certificate ? "--tls-key" : "--tls-certificate");
    return tls_open(&server->tls, certificate, key, err);
}

/* While it may still be root, who alone may have a port below 1024. */
static int
bind_listeners(struct server *server, struct err *err)
{
    const char *metrics = option_text(server->options, OPTION_METRICS_LISTEN);

    int rc = httpd_bind(option_text(server->options, OPTION_LISTEN), &server->listen_fd,
                        err);
    if (rc != 0)
        return err_wrap(err, "listen");
    if (!metrics)
        return 0;
    rc = httpd_bind(metrics, &server->metrics_fd, err);
    return rc == 0 ? 0 : err_wrap(err, "--metrics-listen");
}

static int
open_api(struct server *server, struct err *err)
{
    const struct options *options = server->options;
    unsigned most = connections(server);

    mem_budget_init(&server->ingest, (size_t)server->memory.ingest);
    const struct api_options api = {
        .engine = server->engine,
        .listen = option_text(options, OPTION_LISTEN),
        .listen_fd = server->listen_fd,
        .tls = server->tls,
        .metrics_listen = option_text(options, OPTION_METRICS_LISTEN),
        .metrics_fd = server->metrics_fd,
        .threads = threads(options, OPTION_API_THREADS, API_THREADS_MAX),
        .max_connections = most,
        .max_connections_per_address = per_address(options, most),
        .max_request_bytes = (size_t)option_number(options, OPTION_MAX_REQUEST),
        .max_events = (size_t)option_number(options, OPTION_MAX_EVENTS),
        .answer_bytes = (size_t)server->memory.ingest,
        .body_mem = &server->ingest.mem,
        .public_metrics = option_on(options, OPTION_PUBLIC_METRICS),
        .address_rate = (uint32_t)option_number(options, OPTION_SDK_ADDRESS_RATE),
        .address_burst = (uint32_t)option_number(options, OPTION_SDK_ADDRESS_BURST),
        .event_rate = (uint32_t)option_number(options, OPTION_CHANNEL_RATE),
        .channel_rate = (uint32_t)option_number(options, OPTION_SDK_CHANNEL_RATE),
        .channel_burst = (uint32_t)option_number(options, OPTION_SDK_CHANNEL_BURST),
        .key_rate = (uint32_t)option_number(options, OPTION_KEY_RATE),
        .key_burst = (uint32_t)option_number(options, OPTION_KEY_BURST),
        .address_header = option_text(options, OPTION_ADDRESS_HEADER),
        .country_header = option_text(options, OPTION_COUNTRY_HEADER),
        .geoip = server->geoip,
    };
    server->listen_fd = server->metrics_fd = -1;
    int rc = api_open(&server->api, &api, err);
    if (rc == 0) /* whatever port that was */
        guard_own_port(&server->guard, targets_port(api_address(server->api)));
    if (rc == 0 && api_metrics_address(server->api))
        guard_own_port(&server->guard, targets_port(api_metrics_address(server->api)));
    return rc;
}

/* Every call would fail on a file that cannot be read, long after anybody looks here.
 */
static int
check_ca_file(const struct server *server, struct err *err)
{
    const char *path = option_text(server->options, OPTION_CA_FILE);
    char byte;

    if (!path)
        return 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
    int rc = 0;
    if (n < 0)
        rc = err_set(err, E_INVALID, "--ca-file %s: %s", path, strerror(errno));
    else if (n == 0)
        rc = err_set(err, E_INVALID, "--ca-file %s: the file is empty", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int
open_geoip(struct server *server, struct err *err)
{
    const char *path = option_text(server->options, OPTION_GEOIP);
    if (!path)
        return 0;
    int rc = geoip_open(&server->geoip, path, err);
    return rc == 0 ? 0 : err_wrap(err, "--geoip");
}

int
server_read_targets(struct server *server, struct err *err)
{
    int rc = targets_read(&server->guard, server->options, err);
    return rc == 0 ? targets_dns(server->options, server->dns, err) : rc;
}

int
server_open(struct server *server, struct err *err)
{
    int rc = bind_listeners(server, err);
    if (rc == 0)
        rc = server_become_user(server, err);
    if (rc == 0)
        rc = check_ca_file(server, err);
    if (rc == 0)
        rc = open_geoip(server, err);
    if (rc == 0)
        rc = open_tls(server, err);
    if (rc == 0)
        rc = open_store(server, err);
    if (rc == 0)
        rc = server_read_notify(server, err);
    if (rc == 0)
        rc = server_enter_sandbox(server, err);
    if (rc == 0)
        rc = open_engine(server, err);
    if (rc == 0)
        rc = server_ensure_key(server, err);
    if (rc == 0)
        rc = open_api(server, err);
    return rc;
}

void
server_close(struct server *server)
{
    if (server->engine)
        engine_stop(server->engine, 0); /* nothing, if it has been stopped */
    api_close(server->api);
    engine_close(server->engine);
    if (server->store)
        server->store->backend->close(server->store);
    geoip_close(server->geoip);
    tls_close(server->tls);
    guard_fini(&server->guard);
    webhook_unref(server->notify.to);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    if (server->metrics_fd >= 0)
        close(server->metrics_fd);
}

void
server_reload(struct server *server)
{
    struct err err = {0};

    if (!server->tls)
        log_msg(LOG_INFO, "SIGHUP: there is no certificate to read again");
    else if (tls_reload(server->tls, &err) == 0)
        log_msg(LOG_INFO, "SIGHUP: the certificate has been read again");
    else
        log_msg(LOG_ERROR, "SIGHUP: the certificate stays as it was: %s", err.text);
}
