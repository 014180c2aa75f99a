/*
 * Receivers on loopback that follow a script, and attempts at them. A receiver is a
 * thread that serves one connection after the other.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "send/guard.h"
#include "send/transport.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SHORT  200   /* for those that must run into their deadline, ms */
#define LONG   30000 /* for those that must not */

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

enum after {
    AFTER_CLOSE,
    AFTER_RESET,
    AFTER_HOLD, /* says no more, until the other side closes */
    AFTER_KEEP, /* waits for the next request on this connection */
};

struct script {
    const char *first;
    const char *again; /* for ever, when not NULL */
    enum after after;
    bool before_request; /* does not wait for the request */
    size_t first_len;    /* of a first that holds a NUL; 0 = as a string */
};

struct receiver {
    struct script script;
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    int connection; /* -1 = none */
    bool stopping;
    char *request; /* the last one, whole */
    size_t request_len;
    atomic_uint connections, requests;
    atomic_size_t sent;
};

static inline bool
send_all(struct receiver *r, int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        atomic_fetch_add(&r->sent, (size_t)sent);
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* False when the connection ended first. */
static inline bool
read_request(struct receiver *r, int fd)
{
    struct buf in;
    size_t need = 0;
    buf_init(&in, 1024 * 1024);

    while (need == 0 || in.n < need) {
        char bytes[4096];
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0 || buf_add(&in, bytes, (size_t)n) != 0)
            break;
        const char *end = need ? NULL : strstr(in.p, "\r\n\r\n");
        if (end) {
            const char *length = strstr(in.p, "Content-Length: ");
            need = (size_t)(end + 4 - in.p);
            if (length)
                need += strtoul(length + 16, NULL, 10);
        }
    }
    bool whole = need > 0 && in.n >= need;
    if (whole) {
        pthread_mutex_lock(&r->lock);
        free(r->request);
        r->request_len = in.n;
        r->request = buf_take(&in);
        pthread_mutex_unlock(&r->lock);
        atomic_fetch_add(&r->requests, 1);
    }
    buf_fini(&in);
    return whole;
}

static inline void
serve(struct receiver *r, int fd)
{
    const struct script *script = &r->script;
    struct linger hard = {1, 0};
    char byte;

    do {
        if (!script->before_request && !read_request(r, fd))
            return;
        size_t n = script->first_len;
        if (script->first && n == 0)
            n = strlen(script->first);
        if (!send_all(r, fd, script->first, n))
            return;
        while (script->again && send_all(r, fd, script->again, strlen(script->again)))
            ;
    } while (script->after == AFTER_KEEP && !script->again);
    if (script->after == AFTER_RESET)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    while (script->after == AFTER_HOLD && recv(fd, &byte, 1, 0) > 0)
        ;
}

static inline void *
receiver_main(void *arg)
{
    struct receiver *r = arg;

    for (;;) {
        int fd = accept(r->listener, NULL, NULL);
        pthread_mutex_lock(&r->lock);
        bool stopping = r->stopping;
        if (!stopping)
            r->connection = fd;
        pthread_mutex_unlock(&r->lock);
        if (stopping) {
            if (fd >= 0)
                close(fd);
            return NULL;
        }
        if (fd < 0)
            continue;
        atomic_fetch_add(&r->connections, 1);
        serve(r, fd);
        pthread_mutex_lock(&r->lock);
        r->connection = -1;
        close(fd);
        pthread_mutex_unlock(&r->lock);
    }
}

static inline struct receiver *
receiver_new(struct script script)
{
    struct receiver *r = xcalloc(1, sizeof(*r));
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->script = script;
    r->connection = -1;
    pthread_mutex_init(&r->lock, NULL);
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listener >= 0);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(r->listener, 64), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&sa, &len), 0);
    r->port = ntohs(sa.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, receiver_main, r), 0);
    return r;
}

static inline void
receiver_free(struct receiver *r)
{
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    if (r->connection >= 0)
        shutdown(r->connection, SHUT_RDWR);
    pthread_mutex_unlock(&r->lock);
    shutdown(r->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(r->thread, NULL);
    close(r->listener);
    pthread_mutex_destroy(&r->lock);
    free(r->request);
    free(r);
}

/* ---- attempts ---- */

struct flight {
    struct attempt attempt;
    bool done;
    char response[RESPONSE_KEPT_BYTES];
    size_t response_len;
};

static bool flight_inside_start;

static inline void
flight_done(struct attempt *attempt)
{
    struct flight *flight = container_of(attempt, struct flight, attempt);

    assert_false(flight_inside_start);
    assert_false(flight->done);
    assert_true(attempt->response_len <= RESPONSE_KEPT_BYTES);
    if (attempt->response_len > 0)
        memcpy(flight->response, attempt->response, attempt->response_len);
    flight->response_len = attempt->response_len;
    attempt->response = NULL;
    flight->done = true;
}

/* What may be called: anything, or what the rule alone allows. */
static inline const struct guard *
guard_for(bool anywhere)
{
    static const struct guard open = {.development = true};
    static struct guard strict;

    guard_init(&strict);
    return anywhere ? &open : &strict;
}

static inline struct transport *
open_named(msec_t deadline_ms, const struct guard *guard, const char *dns)
{
    const struct transport_options options = {
        .clock = &clock_system,
        .deadline_ms = deadline_ms,
        .guard = guard,
        .dns = dns,
    };
    struct transport *transport;
    struct err err;

    assert_int_equal(transport_curl_open(&transport, &options, &err), 0);
    return transport;
}

static inline struct transport *
open_transport(msec_t deadline_ms, bool anywhere)
{
    return open_named(deadline_ms, guard_for(anywhere), NULL);
}

static inline struct webhook *
make_webhook(const char *url)
{
    struct webhook *webhook = webhook_new();
    webhook->url = xstrdup(url);
    webhook_set_secret(webhook, SLICE(SECRET));
    return webhook;
}

static inline struct target *
open_target(struct transport *transport, const char *url)
{
    struct webhook *webhook = make_webhook(url);
    struct target *target = transport->target_open(transport, webhook);
    webhook_unref(webhook);
    assert_non_null(target);
    return target;
}

static inline void
start_flight(struct transport *transport, struct target *target, struct flight *flight,
             struct slice body)
{
    *flight = (struct flight){.attempt = {.event_id = "evt_0123456789abc",
                                          .body = body,
                                          .done = flight_done}};
    flight_inside_start = true;
    transport->start(transport, target, &flight->attempt);
    flight_inside_start = false;
    assert_false(flight->done);
}

static inline void
finish_flight(struct transport *transport, const struct flight *flight)
{
    while (!flight->done)
        transport->run(transport, -1);
}

static inline void
fly(struct transport *transport, const char *url, struct flight *flight)
{
    struct target *target = open_target(transport, url);
    start_flight(transport, target, flight, SLICE("{\"a\":1}"));
    finish_flight(transport, flight);
    transport->target_close(transport, target);
}

/* One attempt at a receiver that follows the script. */
static inline void
fly_at(struct script script, msec_t deadline_ms, struct flight *flight)
{
    struct receiver *receiver = receiver_new(script);
    struct transport *transport = open_transport(deadline_ms, true);
    char url[64];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/hook", receiver->port);
    fly(transport, url, flight);
    transport->close(transport);
    receiver_free(receiver);
}
