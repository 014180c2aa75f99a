/* Answers in pieces. The test is the handler: it holds every request for a piece, and
 * gives it from its own thread. */
#include "httpd_world.h"

#define PIECE_BYTES ((size_t)1 << 20)

struct streams {
    struct httpd *httpd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct httpd_req *asked[HELD_MAX]; /* for a piece, and held */
    size_t n_asked;
    struct httpd_req *latest;
    unsigned asks, beats, overs;
};

static void
at_head(void *ctx, struct httpd_req *req)
{
    (void)ctx;
    (void)req;
}

static void
at_body(void *ctx, struct httpd_req *req)
{
    struct streams *s = ctx;

    if (strcmp(httpd_path(req), "/plain") == 0) {
        say(req, 200, "plain");
        return;
    }
    httpd_hold(req);
    pthread_mutex_lock(&s->lock);
    s->latest = req;
    pthread_mutex_unlock(&s->lock);
    httpd_stream(req, 200, "text/plain");
}

static void
at_more(void *ctx, struct httpd_req *req, bool beat)
{
    struct streams *s = ctx;

    httpd_hold(req);
    pthread_mutex_lock(&s->lock);
    assert_true(s->n_asked < HELD_MAX);
    s->asked[s->n_asked++] = req;
    s->asks++;
    s->beats += beat;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static void
at_over(void *ctx, struct httpd_req *req)
{
    struct streams *s = ctx;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->n_asked; i++)
        assert_ptr_not_equal(s->asked[i], req); /* not over while it is held */
    s->overs++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static struct streams *
streams_new(unsigned flow_timeout_s, unsigned beat_s, size_t max_answer_bytes)
{
    struct streams *s = calloc(1, sizeof(*s));
    struct httpd_options options = options_of(NULL);
    struct err err;

    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    options.handler =
        (struct httpd_handler){s, at_head, at_body, at_over, on_refuse, at_more};
    options.body_mem = &mem_heap;
    options.flow_timeout_s = flow_timeout_s;
    options.beat_s = beat_s;
    options.max_answer_bytes = max_answer_bytes;
    assert_int_equal(httpd_open(&s->httpd, &options, &err), 0);
    return s;
}

static void
streams_free(struct streams *s)
{
    httpd_close(s->httpd);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- the handler's side ---- */

static struct httpd_req *
wait_asked(struct streams *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->n_asked == 0)
        pthread_cond_wait(&s->changed, &s->lock);
    struct httpd_req *req = s->asked[--s->n_asked];
    pthread_mutex_unlock(&s->lock);
    return req;
}

static void
put(struct httpd_req *req, const char *text, enum httpd_then then)
{
    httpd_stream_put(req, *text ? strdup(text) : NULL, strlen(text), then);
}

static void
wait_over(struct streams *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    while (s->overs < n)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static unsigned
asks_of(struct streams *s)
{
    pthread_mutex_lock(&s->lock);
    unsigned n = s->asks;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---- the client's side ---- */

static int
call(const struct streams *s, const char *request)
{
    const struct server server = {.httpd = s->httpd};
    int fd = dial(&server);
    tell(fd, request);
    return fd;
}

static void
expect_bytes(int fd, const char *text)
{
    for (size_t i = 0; text[i]; i++)
        assert_int_equal(take_byte(fd), text[i]);
}

/* A stream whose head has come. */
static int
open_stream(struct streams *s)
{
    int fd = call(s, GET("/stream"));
    struct answer answer = hear_head_only(fd);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.head, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strcasestr(answer.head, "Content-Length"));
    return fd;
}

/* ---- tests ---- */

static void
pieces_come_as_they_are_put(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    put(wait_asked(s), "first", HTTPD_MORE);
    expect_bytes(fd, "5\r\nfirst\r\n");
    put(wait_asked(s), "", HTTPD_MORE); /* nothing, and then something */
    put(wait_asked(s), "the second one", HTTPD_MORE);
    expect_bytes(fd, "e\r\nthe second one\r\n");
    put(wait_asked(s), "last", HTTPD_END);
    expect_bytes(fd, "4\r\nlast\r\n0\r\n\r\n");
    wait_over(s, 1);
    tell(fd, GET("/plain")); /* the connection is as any other */
    assert_string_equal(hear(fd).body, "plain");
    close(fd);
    streams_free(s);
}

static void
an_end_needs_no_bytes(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    put(wait_asked(s), "", HTTPD_END);
    expect_bytes(fd, "0\r\n\r\n");
    close(fd);
    streams_free(s);
}

static void
many_wakes_ask_once(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    struct httpd_req *req =
        wait_asked(s); /* at its beginning it is asked in any case */
    for (int i = 0; i < 1000; i++)
        httpd_stream_wake(req);
    put(req, "a", HTTPD_WAIT);
    expect_bytes(fd, "1\r\na\r\n");
    req = wait_asked(s); /* for all of them */
    put(req, "b", HTTPD_WAIT);
    expect_bytes(fd, "1\r\nb\r\n");
    tell(fd, GET("/plain")); /* waits, and wakes nobody */
    httpd_stream_wake(req);
    put(wait_asked(s), "c", HTTPD_END);
    expect_bytes(fd, "1\r\nc\r\n0\r\n\r\n");
    assert_string_equal(hear(fd).body, "plain");
    assert_int_equal(asks_of(s), 3);
    close(fd);
    streams_free(s);
}

static void
a_client_that_goes_is_noticed_at_once(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    put(wait_asked(s), "a", HTTPD_WAIT);
    expect_bytes(fd, "1\r\na\r\n");
    close(fd);
    wait_over(s, 1);

    fd = open_stream(s);
    struct httpd_req *req = wait_asked(s);
    close(fd);
    put(req, "for nobody", HTTPD_MORE); /* it is over when this has come back */
    wait_over(s, 2);
    assert_int_equal(asks_of(s), 2);
    streams_free(s);
}

static void
a_stream_that_is_silent_is_asked_for_a_beat(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 1, MAX_ANSWERS);
    int fd = open_stream(s);
    put(wait_asked(s), "a", HTTPD_WAIT);
    put(wait_asked(s), "beat", HTTPD_WAIT);
    put(wait_asked(s), "again", HTTPD_END);
    expect_bytes(fd, "1\r\na\r\n4\r\nbeat\r\n5\r\nagain\r\n0\r\n\r\n");
    assert_int_equal(s->beats, 2);
    close(fd);
    streams_free(s);
}

/* Puts as much as is asked for until the stream is over; returns how many pieces. */
static unsigned
put_until_over(struct streams *s, unsigned overs)
{
    unsigned n = 0;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        while (s->n_asked == 0 && s->overs < overs)
            pthread_cond_wait(&s->changed, &s->lock);
        struct httpd_req *req = s->n_asked ? s->asked[--s->n_asked] : NULL;
        pthread_mutex_unlock(&s->lock);
        if (!req)
            return n;
        httpd_stream_put(req, calloc(1, PIECE_BYTES), PIECE_BYTES, HTTPD_MORE);
        assert_true(++n < 100);
    }
}

static void
a_client_that_takes_nothing_is_asked_for_no_more_and_ends(void **state)
{
    (void)state;
    struct streams *s = streams_new(1, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    unsigned pieces = put_until_over(s, 1);
    assert_true(pieces >= 1 && pieces < 20); /* what sockets take, and one */
    close(fd);
    streams_free(s);
}

struct reader {
    int fd;
    size_t got;
    pthread_t thread;
};

/* A little at a time, for as long as the stream lasts. */
static void *
read_slowly(void *arg)
{
    struct reader *reader = arg;
    char bytes[16384];
    ssize_t n;

    while ((n = recv(reader->fd, bytes, sizeof(bytes), 0)) > 0) {
        reader->got += (size_t)n;
        poll(NULL, 0, 50);
    }
    return NULL;
}

/* Far slower than what there is, and faster than what ends it: for as long as another
 * stream, which is asked for a beat each second, shows. */
static void
a_slow_client_is_only_slow(void **state)
{
    (void)state;
    struct streams *s = streams_new(1, 1, MAX_ANSWERS);
    struct reader reader = {.fd = open_stream(s)};
    httpd_stream_put(wait_asked(s), calloc(1, 12 * PIECE_BYTES), 12 * PIECE_BYTES,
                     HTTPD_WAIT);
    assert_int_equal(pthread_create(&reader.thread, NULL, read_slowly, &reader), 0);
    int other = open_stream(s);
    for (int beats = 0; beats < 3; beats++)
        put(wait_asked(s), ".", HTTPD_WAIT);
    pthread_mutex_lock(&s->lock);
    assert_int_equal(s->overs, 0);
    pthread_mutex_unlock(&s->lock);
    shutdown(reader.fd, SHUT_RDWR);
    pthread_join(reader.thread, NULL);
    close(reader.fd);
    close(other);
    wait_over(s, 2);
    streams_free(s);
}

static void
pieces_that_nobody_takes_hold_only_so_much_memory(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, 20 * PIECE_BYTES);
    int fds[10];
    for (int i = 0; i < 10; i++)
        fds[i] = open_stream(s);
    for (unsigned n = 0; n < 10; n++) /* more than sockets take, each */
        httpd_stream_put(wait_asked(s), calloc(1, 12 * PIECE_BYTES), 12 * PIECE_BYTES,
                         HTTPD_WAIT);
    wait_over(s, 9); /* those that have waited longest; one is left */
    for (int i = 0; i < 10; i++)
        close(fds[i]);
    wait_over(s, 10);
    streams_free(s);
}

static void
a_server_that_ends_asks_its_streams_to_end(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int idle = open_stream(s);
    put(wait_asked(s), "a", HTTPD_WAIT);
    expect_bytes(idle, "1\r\na\r\n");
    int busy = open_stream(s);
    struct httpd_req *held = wait_asked(s);
    httpd_quiesce(s->httpd);
    put(wait_asked(s), "", HTTPD_END);
    expect_bytes(idle, "0\r\n\r\n");
    assert_true(ended(idle));
    put(held, "b", HTTPD_WAIT); /* and is asked anew, since it ends */
    put(wait_asked(s), "", HTTPD_END);
    expect_bytes(busy, "1\r\nb\r\n0\r\n\r\n");
    assert_true(ended(busy));
    close(idle);
    close(busy);
    streams_free(s);
}

static void
a_server_ends_also_with_a_stream_that_nobody_takes(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    int fd = open_stream(s);
    httpd_stream_put(wait_asked(s), calloc(1, 12 * PIECE_BYTES), 12 * PIECE_BYTES,
                     HTTPD_WAIT);
    httpd_close(s->httpd);
    assert_int_equal(s->overs, 1);
    close(fd);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct waker {
    struct streams *s;
    pthread_t thread;
    atomic_bool stop;
};

/* As long as the request lives: until over says so, under the lock. */
static void *
wake_on(void *arg)
{
    struct waker *waker = arg;
    while (!atomic_load(&waker->stop)) {
        pthread_mutex_lock(&waker->s->lock);
        if (waker->s->latest && waker->s->overs == 0)
            httpd_stream_wake(waker->s->latest);
        pthread_mutex_unlock(&waker->s->lock);
    }
    return NULL;
}

static void
wakes_from_another_thread_lose_nothing(void **state)
{
    (void)state;
    struct streams *s = streams_new(30, 30, MAX_ANSWERS);
    struct waker waker = {.s = s};
    int fd = open_stream(s);
    assert_int_equal(pthread_create(&waker.thread, NULL, wake_on, &waker), 0);
    for (int i = 0; i < 2000; i++) {
        put(wait_asked(s), "x", HTTPD_WAIT);
        expect_bytes(fd, "1\r\nx\r\n");
    }
    put(wait_asked(s), "", HTTPD_END);
    expect_bytes(fd, "0\r\n\r\n");
    atomic_store(&waker.stop, true);
    pthread_join(waker.thread, NULL);
    close(fd);
    streams_free(s);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_come_as_they_are_put),
        cmocka_unit_test(an_end_needs_no_bytes),
        cmocka_unit_test(many_wakes_ask_once),
        cmocka_unit_test(a_client_that_goes_is_noticed_at_once),
        cmocka_unit_test(a_stream_that_is_silent_is_asked_for_a_beat),
        cmocka_unit_test(a_client_that_takes_nothing_is_asked_for_no_more_and_ends),
        cmocka_unit_test(a_slow_client_is_only_slow),
        cmocka_unit_test(pieces_that_nobody_takes_hold_only_so_much_memory),
        cmocka_unit_test(a_server_that_ends_asks_its_streams_to_end),
        cmocka_unit_test(a_server_ends_also_with_a_stream_that_nobody_takes),
        cmocka_unit_test(wakes_from_another_thread_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
