/* A server whose paths say what it does, and a client that sends bytes, for tests of
 * the HTTP server. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/httpd.h"
#include "base/iofd.h"

#define WAIT_MS      20000 /* only ever reached by a failing test */
#define MAX_BODY     100000
#define MAX_ANSWERS  ((size_t)10 * LARGE_BYTES)
#define LARGE_BYTES  ((size_t)32 << 20) /* more than sockets take */
#define HELD_MAX     256
#define FILE_BYTES   3000000            /* more than a socket takes at once */
#define SPARSE_BYTES ((int64_t)1 << 26) /* far more */

/* ---- a server whose paths say what it does ---- */

struct server {
    struct httpd *httpd;
    struct mem_budget budget;
    struct mem counting;
    atomic_uint allocations;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned heads, bodies, overs;
    struct httpd_req *held[HELD_MAX];
    size_t n_held;
    char seen[512]; /* what the last /look request showed */
    bool stopping;
    uint64_t sparse_says; /* as /sparse says that its file has */
};

static inline void
say(struct httpd_req *req, unsigned status, const char *text)
{
    httpd_answer(req, status, "text/plain", strdup(text), strlen(text));
}

static inline void
on_head(void *ctx, struct httpd_req *req)
{
    struct server *s = ctx;

    httpd_set_user(req, s);
    if (strcmp(httpd_path(req), "/small") == 0)
        httpd_body_max(req, 10);
    if (strcmp(httpd_path(req), "/secret") == 0) {
        httpd_answer_header(req, "WWW-Authenticate", "Bearer");
        say(req, 401, "who are you?");
    }
    pthread_mutex_lock(&s->lock);
    s->heads++;
    pthread_mutex_unlock(&s->lock);
}

static inline void
each_param(void *ctx, const char *name, const char *value)
{
    struct server *s = ctx;
    size_t n = strlen(s->seen);

    snprintf(s->seen + n, sizeof(s->seen) - n, " %s=%s", name,
             value ? value : "(none)");
}

static inline void
look(struct server *s, struct httpd_req *req)
{
    const char *a = httpd_query(req, "a b");
    const char *trace = httpd_header(req, "x-trace");

    snprintf(s->seen, sizeof(s->seen), "%s %s a=%s trace=%s/%u local=%d",
             httpd_method(req), httpd_path(req), a ? a : "(none)",
             trace ? trace : "(none)", httpd_header_count(req, "X-TRACE"),
             httpd_peer_is_loopback(req));
    httpd_query_each(req, each_param, s);
    say(req, 200, s->seen);
}

static inline unsigned char
byte_of_file(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static inline void
say_file(struct httpd_req *req)
{
    int fd = memfd_create("answer", MFD_CLOEXEC);
    unsigned char *bytes = malloc(FILE_BYTES);

    for (size_t i = 0; i < FILE_BYTES; i++)
        bytes[i] = byte_of_file(i);
    assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
    free(bytes);
    httpd_answer_header(req, "X-What", "a file");
    httpd_answer_file(req, 200, "application/octet-stream", fd, FILE_BYTES);
}

static inline void
on_body(void *ctx, struct httpd_req *req)
{
    struct server *s = ctx;
    const char *path = httpd_path(req);
    char text[64];

    assert_ptr_equal(httpd_user(req), s);
    pthread_mutex_lock(&s->lock);
    s->bodies++;
    if (strcmp(path, "/hold") == 0 && s->n_held < HELD_MAX) {
        httpd_hold(req);
        s->held[s->n_held++] = req;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        return;
    }
    pthread_mutex_unlock(&s->lock);

    if (strcmp(path, "/hold-at-once") == 0)
        httpd_hold(req);
    if (strncmp(path, "/look", 5) == 0) {
        look(s, req);
        return;
    }
    if (strcmp(path, "/file") == 0) {
        say_file(req);
        return;
    }
    if (strcmp(path, "/large") == 0) {
        httpd_answer(req, 200, "text/plain", calloc(1, LARGE_BYTES), LARGE_BYTES);
        return;
    }
    if (strcmp(path, "/sparse") == 0) {
        int fd = memfd_create("sparse", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd, SPARSE_BYTES), 0);
        httpd_answer_file(req, 200, "text/plain", fd, s->sparse_says);
        return;
    }
    struct slice body = httpd_body(req);
    unsigned sum = 0;
    for (size_t i = 0; i < body.n; i++)
        sum += (unsigned char)body.p[i];
    snprintf(text, sizeof(text), "%zu bytes, sum %u", body.n, sum);
    say(req, 200, text);
}

static inline void
on_over(void *ctx, struct httpd_req *req)
{
    struct server *s = ctx;

    assert_ptr_equal(httpd_user(req), s);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_held; i++)
        assert_ptr_not_equal(s->held[i], req); /* not over while it is held */
    s->overs++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static inline void
on_refuse(void *ctx, struct httpd_req *req, unsigned status, const char *detail)
{
    (void)ctx;
    say(req, status, detail);
}

static inline void *
counting_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    struct server *s = container_of(mem, struct server, counting);

    if (new_size)
        atomic_fetch_add(&s->allocations, 1);
    return s->budget.mem.resize(&s->budget.mem, old, old_size, new_size);
}

static inline struct httpd_options
options_of(struct server *s)
{
    return (struct httpd_options){
        .handler = {s, on_head, on_body, on_over, on_refuse, NULL},
        .listen = "127.0.0.1:0",
        .threads = 2,
        .max_connections = 200,
        .max_body_bytes = MAX_BODY,
        .max_answer_bytes = MAX_ANSWERS,
        .idle_timeout_s = 30,
        .head_timeout_s = 30,
        .flow_timeout_s = 30,
        .spare_after_ms = 60000,
        .body_mem = s ? &s->counting : NULL,
        .listen_fd = -1,
    };
}

static inline struct server *
server_new(const struct httpd_options *change)
{
    struct server *s = calloc(1, sizeof(*s));
    struct err err;

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    mem_budget_init(&s->budget, 8 * 1024 * 1024);
    s->counting.resize = counting_resize;
    struct httpd_options options = options_of(s);
    if (change) {
        options.threads = change->threads;
        options.max_connections = change->max_connections;
        options.idle_timeout_s = change->idle_timeout_s;
        options.head_timeout_s = change->head_timeout_s;
        options.flow_timeout_s = change->flow_timeout_s;
        options.spare_after_ms = change->spare_after_ms;
        options.listen = change->listen;
        options.listen_fd = change->listen_fd;
    }
    assert_int_equal(httpd_open(&s->httpd, &options, &err), 0);
    return s;
}

/* Ends the server and checks what holds after every test: each request that was seen is
 * over, and its memory is back. */
static inline void
server_free(struct server *s)
{
    httpd_close(s->httpd);
    assert_int_equal(s->heads, s->overs);
    assert_int_equal(atomic_load(&s->budget.used_bytes), 0);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static inline struct httpd_req *
wait_held(struct server *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_held == 0)
        pthread_cond_wait(&s->changed, &s->lock);
    struct httpd_req *req = s->held[--s->n_held];
    pthread_mutex_unlock(&s->lock);
    return req;
}

static inline void
wait_overs(struct server *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->overs < n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* ---- a client ---- */

struct answer {
    int status; /* 0: the connection ended instead */
    char head[4096];
    char body[4096];
};

static inline int
dial(const struct server *s)
{
    struct sockaddr_storage to;
    socklen_t len;

    assert_int_equal(addr_parse(httpd_address(s->httpd), &to, &len, NULL), 0);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, len), 0);
    return fd;
}

/* False when the other side has closed. */
static inline bool
give(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static inline void
tell(int fd, const char *text)
{
    assert_true(give(fd, text, strlen(text)));
}

/* One byte, or -1 at the end of the connection. */
static inline int
take_byte(int fd)
{
    struct pollfd wait = {fd, POLLIN, 0};
    unsigned char c;

    assert_int_equal(poll(&wait, 1, WAIT_MS), 1);
    return recv(fd, &c, 1, 0) == 1 ? c : -1;
}

static inline bool
ended(int fd)
{
    return take_byte(fd) < 0;
}

static inline size_t
length_in(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length: ");

    return at ? strtoul(at + 18, NULL, 10) : 0;
}

static inline struct answer
hear_head_only(int fd)
{
    struct answer answer = {0};
    size_t n = 0;

    while (n < 4 || memcmp(answer.head + n - 4, "\r\n\r\n", 4) != 0) {
        int c = take_byte(fd);
        if (c < 0)
            return (struct answer){0};
        assert_true(n < sizeof(answer.head) - 1);
        answer.head[n++] = (char)c;
    }
    answer.status = (int)strtol(answer.head + 9, NULL, 10);
    return answer;
}

static inline struct answer
hear(int fd)
{
    struct answer answer = hear_head_only(fd);
    size_t length = length_in(answer.head);

    assert_true(length < sizeof(answer.body));
    for (size_t i = 0; i < length; i++)
        answer.body[i] = (char)take_byte(fd);
    return answer;
}

static inline bool
closes(const struct answer *answer)
{
    return strcasestr(answer->head, "\r\nConnection: close\r\n") != NULL;
}

#define POST(path, n)                                                                  \
    "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " n "\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static inline void
expect(int fd, const char *request, int status)
{
    tell(fd, request);
    assert_int_equal(hear(fd).status, status);
}
