/*
 * pushwire serve: puts the parts together, and takes them apart in the right order when
 * a signal says so.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sandbox.h"
#include "cli/serve.h"

/* Beyond the drain: for clients to read their last answers and the store to close. */
#define CLOSE_TIME_MS 900

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

    notify_send("STOPPING=1\nSTATUS=calls in flight may end");
    log_msg(LOG_INFO, "shutting down: no new requests, calls in flight may end");
    if (pthread_create(&watcher, NULL, watch_drain, most_ms) == 0)
        pthread_detach(watcher);
    else /* no thread to be had: SIGALRM ends the program */
        alarm((unsigned)((grace_ms + CLOSE_TIME_MS) / 1000 + 1));
    api_quiesce(server->api);
    engine_stop(server->engine, grace_ms);
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
             LOG_I("senders", server_senders(options)));
    if (api_metrics_address(server->api))
        printf("metrics on http://%s\n", api_metrics_address(server->api));
    printf("listening on http%s://%s\n", server->tls ? "s" : "",
           api_address(server->api));
    fflush(stdout);
    notify_send("READY=1\nSTATUS=serving");
}

static void
all_signals(sigset_t *set)
{
    end_signals(set);
    sigaddset(set, SIGHUP);
}

static void
reload(struct server *server)
{
    notify_send("RELOADING=1");
    server_reload(server);
    notify_send("READY=1");
}

/* Until a signal says that this is the end. */
static void
run_until_end(struct server *server)
{
    const struct timespec second = {1, 0};
    sigset_t set;

    all_signals(&set);
    for (;;) {
        int number = sigtimedwait(&set, NULL, &second);
        if (number == SIGTERM || number == SIGINT)
            return;
        if (number == SIGHUP)
            reload(server);
        else
            server_watch(server);
    }
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
    struct server server = {
        .options = &line->options, .listen_fd = -1, .metrics_fd = -1};
    struct err err = {0};
    sigset_t set;

    if (server_plan_memory(&server, &err) != 0)
        return command_misused(line, "%s", err.text);

    sandbox_clean();
    /* Blocked before the first thread starts, so that the signals wait for this one. */
    transport_ignore_environment();
    signal(SIGPIPE, SIG_IGN);
    all_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    setup_log(&line->options);
    raise_descriptors();

    int rc = server_read_targets(&server, &err);
    bool misused = rc == E_INVALID;
    if (rc == 0)
        rc = notify_open(&err);
    if (rc == 0)
        rc = server_open(&server, &err);
    if (rc == 0) {
        sandbox_close_on_exec();
        say_listening(&server);
        server_try_to_escape();
        run_until_end(&server);
        drain(&server);
    }
    server_close(&server);
    if (misused)
        return command_misused(line, "%s", err.text);
    if (rc != 0)
        return refuse_to_start(line, &err);
    log_msg(LOG_INFO, "ended");
    log_flush();
    return DONE;
}
