/*
 * pushwire serve: puts the parts together, and takes them apart in the right order when
 * a signal says so. The only command that knows what is behind the API.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/geoip.h"
#include "base/iofd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cli/command.h"
#include "engine/engine.h"
#include "send/transport.h"
#include "store/store.h"

#define PATH_MAX_BYTES  4096
#define API_THREADS_MAX 4
/* Beyond the drain: for clients to read their last answers and the store to close. */
#define CLOSE_TIME_MS 900

struct server {
    const struct options *options;
    struct store *store;
    struct engine *engine;
    struct api *api;
    struct geoip *geoip;
    struct mem_budget ingest;
    struct transport_options transport;
    char key_path[PATH_MAX_BYTES];
};

/* ---- what the options say ---- */

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

static void
raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_msg(LOG_WARN, "could not raise the limit of open files: %s",
                strerror(errno));
}

/* ---- the admin key ---- */

struct key_change {
    struct engine_change change;
    struct key key;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
};

static int
key_apply(struct engine *engine, struct engine_change *change)
{
    (void)engine;
    change->key = container_of(change, struct key_change, change)->key;
    change->put_key = true;
    return 0;
}

static void
key_done(struct engine_change *change)
{
    struct key_change *make = container_of(change, struct key_change, change);

    pthread_mutex_lock(&make->lock);
    make->done = true;
    pthread_cond_signal(&make->ended);
    pthread_mutex_unlock(&make->lock);
}

static int
commit_key(struct server *server, const struct key *key, struct err *err)
{
    struct key_change make = {
        .change = {.apply = key_apply, .done = key_done},
        .key = *key,
    };

    pthread_mutex_init(&make.lock, NULL);
    pthread_cond_init(&make.ended, NULL);
    engine_change(server->engine, &make.change);
    pthread_mutex_lock(&make.lock);
    while (!make.done)
        pthread_cond_wait(&make.ended, &make.lock);
    pthread_mutex_unlock(&make.lock);
    pthread_cond_destroy(&make.ended);
    pthread_mutex_destroy(&make.lock);
    if (make.change.result != 0)
        *err = make.change.err;
    return make.change.result;
}

/* The file first: a key that is in the store and in nobody's hands opens nothing, while
 * a file that no key in the store matches is replaced at the next start. */
static int
make_admin_key(struct server *server, struct err *err)
{
    struct key key = {.role = ROLE_ADMIN};
    char text[KEY_TEXT + 1];

    key_make(&key, text, &rng_system);
    key.created_ms = clock_wall_us(&clock_system) / 1000;
    size_t n = strlen(text);
    text[n] = '\n';
    int rc = file_write(server->key_path, text, n + 1, 0600, err);
    crypto_wipe(text, sizeof(text));
    if (rc == 0)
        rc = commit_key(server, &key, err);
    if (rc == 0)
        log_line(LOG_INFO, "key.created", LOG_S("key", key.id), LOG_S("role", "admin"),
                 LOG_S("file", server->key_path));
    return rc;
}

static void
warn_readable_key(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
        log_msg(LOG_WARN, "%s can be read by others than its owner: chmod 600 it",
                path);
}

/* Whether the file's key is one of the store's; E_NOT_FOUND: there is no file. */
static int
check_key_file(struct server *server, bool *known, struct err *err)
{
    char *text;
    char id[ID_TEXT];
    struct key key;
    size_t n;

    int rc = file_read(server->key_path, PATH_MAX_BYTES, &text, &n, err);
    if (rc != 0)
        return rc;
    struct slice line = {text, strcspn(text, "\r\n")};
    *known = key_id_of(line, id) && engine_key(server->engine, slice_of(id), &key) &&
             key_matches(&key, line);
    crypto_wipe(text, n);
    free(text);
    return 0;
}

static int
ensure_admin_key(struct server *server, struct err *err)
{
    struct key any;
    bool has_keys = engine_keys(server->engine, 0, &any, 1) > 0;
    bool known = false;

    if (option_on(server->options, OPTION_NEW_KEY))
        return make_admin_key(server, err);
    int rc = check_key_file(server, &known, err);
    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    if (!has_keys) {
        if (rc == 0)
            log_msg(LOG_WARN, "%s is of another store: it is replaced",
                    server->key_path);
        return make_admin_key(server, err);
    }
    if (rc == E_NOT_FOUND)
        log_msg(
            LOG_WARN,
            "%s is missing; the keys in use go on working (--new-key makes another)",
            server->key_path);
    else if (!known)
        log_msg(LOG_WARN,
                "the key in %s is not one of this store's (--new-key makes another)",
                server->key_path);
    else
        warn_readable_key(server->key_path);
    return 0;
}

/* ---- up ---- */

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
    const struct store_sqlite_options options = {
        .dir = dir,
        .clock = &clock_system,
        .cache_bytes = (size_t)option_number(server->options, OPTION_CACHE),
    };

    int n = snprintf(server->key_path, sizeof(server->key_path), "%s/admin.key", dir);
    if (n < 0 || (size_t)n >= sizeof(server->key_path))
        return err_set(err, E_INVALID, "--data: the path is too long");
    int rc = store_sqlite_open(&server->store, &options, &latest_ms, err);
    if (rc == 0)
        clock_anchor(&clock_system, latest_ms);
    return rc;
}

static int
open_engine(struct server *server, struct err *err)
{
    const struct options *options = server->options;

    server->transport = (struct transport_options){
        .clock = &clock_system,
        .deadline_ms = option_number(options, OPTION_DEADLINE),
        .allow_private = option_on(options, OPTION_DEV),
        .ca_file = option_text(options, OPTION_CA_FILE),
    };
    const struct engine_options engine = {
        .store = server->store,
        .clock = &clock_system,
        .rng = &rng_system,
        .senders = threads(options, OPTION_SENDERS, 256),
        .transport_open = open_transport,
        .transport_ctx = server,
        .allow_private = option_on(options, OPTION_DEV),
        .window = (unsigned)option_number(options, OPTION_WINDOW),
        .slots = (unsigned)option_number(options, OPTION_SLOTS),
        .sender_bytes = (size_t)option_number(options, OPTION_SENDER_MEMORY),
        .broken = on_broken,
    };
    return engine_open(&server->engine, &engine, err);
}

static int
open_api(struct server *server, struct err *err)
{
    const struct options *options = server->options;

    mem_budget_init(&server->ingest,
                    (size_t)option_number(options, OPTION_INGEST_MEMORY));
    const struct api_options api = {
        .engine = server->engine,
        .listen = option_text(options, OPTION_LISTEN),
        .listen_fd = -1,
        .threads = threads(options, OPTION_API_THREADS, API_THREADS_MAX),
        .max_connections = (unsigned)option_number(options, OPTION_MAX_CONNECTIONS),
        .max_request_bytes = (size_t)option_number(options, OPTION_MAX_REQUEST),
        .max_events = (size_t)option_number(options, OPTION_MAX_EVENTS),
        .body_mem = &server->ingest.mem,
        .public_metrics = option_on(options, OPTION_PUBLIC_METRICS),
        .address_rate = (uint32_t)option_number(options, OPTION_SDK_ADDRESS_RATE),
        .address_burst = (uint32_t)option_number(options, OPTION_SDK_ADDRESS_BURST),
        .channel_rate = (uint32_t)option_number(options, OPTION_SDK_CHANNEL_RATE),
        .channel_burst = (uint32_t)option_number(options, OPTION_SDK_CHANNEL_BURST),
        .address_header = option_text(options, OPTION_ADDRESS_HEADER),
        .country_header = option_text(options, OPTION_COUNTRY_HEADER),
        .geoip = server->geoip,
    };
    return api_open(&server->api, &api, err);
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

static int
open_server(struct server *server, struct err *err)
{
    int rc = check_ca_file(server, err);
    if (rc == 0)
        rc = open_geoip(server, err);
    if (rc == 0)
        rc = open_store(server, err);
    if (rc == 0)
        rc = open_engine(server, err);
    if (rc == 0)
        rc = ensure_admin_key(server, err);
    if (rc == 0)
        rc = open_api(server, err);
    return rc;
}

/* ---- down ---- */

static void
end_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

/* Whether one of the signals that end the server comes within a time. */
static bool
end_comes_within(msec_t most_ms)
{
    usec_t end_us = clock_mono_us(&clock_system) + most_ms * 1000;
    sigset_t set;

    end_signals(&set);
    for (;;) {
        usec_t left_us = end_us - clock_mono_us(&clock_system);
        if (left_us < 0)
            return false;
        struct timespec left = {left_us / 1000000, left_us % 1000000 * 1000};
        if (sigtimedwait(&set, NULL, &left) > 0)
            return true;
    }
}

/* While the server drains: a second signal, or too long a wait, ends it at once. What
 * was acknowledged is safe either way, and what was in flight is tried again. */
static void *
watch_drain(void *most_ms)
{
    bool again = end_comes_within((intptr_t)most_ms);

    log_msg(LOG_WARN, again ? "a second signal: the server ends at once"
                            : "not everything has ended in time: the server ends now");
    log_flush();
    _exit(again ? FAILED : DONE);
}

/* Whoever still waits for an answer gets it while the store runs, before the API goes.
 */
static void
drain(struct server *server)
{
    msec_t grace_ms = option_number(server->options, OPTION_DRAIN);
    void *most_ms = (void *)(intptr_t)(grace_ms + CLOSE_TIME_MS);
    pthread_t watcher;

    log_msg(LOG_INFO, "shutting down: no new requests, calls in flight may end");
    if (pthread_create(&watcher, NULL, watch_drain, most_ms) == 0)
        pthread_detach(watcher);
    api_quiesce(server->api);
    engine_stop(server->engine, grace_ms);
}

static void
close_server(struct server *server)
{
    if (server->engine)
        engine_stop(server->engine, 0); /* nothing, if it has been stopped */
    api_close(server->api);
    engine_close(server->engine);
    if (server->store)
        server->store->backend->close(server->store);
    geoip_close(server->geoip);
}

/* ---- the command ---- */

static void
say_listening(const struct server *server)
{
    const struct options *options = server->options;

    if (option_on(options, OPTION_DEV))
        log_msg(LOG_WARN, "--dev: webhooks may be http and private addresses; not for "
                          "production");
    log_line(LOG_INFO, "started", LOG_S("version", PUSHWIRE_VERSION),
             LOG_S("address", api_address(server->api)),
             LOG_S("data", option_text(options, OPTION_DATA)),
             LOG_I("senders", threads(options, OPTION_SENDERS, 256)));
    printf("listening on http://%s\n", api_address(server->api));
    fflush(stdout);
}

static void
setup_log(const struct options *options)
{
    log_setup(&clock_system, STDERR_FILENO,
              (enum log_level)option_number(options, OPTION_LOG_LEVEL),
              strcmp(option_text(options, OPTION_LOG), "json") == 0);
}

/* A person reads a sentence, a program a line of the log. */
static int
refuse_to_start(const struct command_line *line, const struct err *err)
{
    if (strcmp(option_text(&line->options, OPTION_LOG), "json") != 0)
        return command_fail(line, err);
    log_line(LOG_ERROR, "not.started", LOG_S("why", err->text));
    return FAILED;
}

int
serve_run(const struct command_line *line)
{
    struct server server = {.options = &line->options};
    struct err err = {0};
    sigset_t set;
    int number;

    if (option_number(&line->options, OPTION_MAX_REQUEST) >
        option_number(&line->options, OPTION_INGEST_MEMORY))
        return command_misused(line, "--max-request is more than --ingest-memory: such "
                                     "a request would never be taken");

    /* Blocked before the first thread starts, so that the signals wait for this one. */
    signal(SIGPIPE, SIG_IGN);
    end_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    setup_log(&line->options);
    raise_descriptors();

    int rc = open_server(&server, &err);
    if (rc == 0) {
        say_listening(&server);
        while (sigwait(&set, &number) != 0)
            continue;
        drain(&server);
    }
    close_server(&server);
    if (rc != 0)
        return refuse_to_start(line, &err);
    log_msg(LOG_INFO, "ended");
    log_flush();
    return DONE;
}
