/* Health, figures, and the end of the server. */
#include "api_fixture.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- health ---- */

static void
health_needs_no_key(void **state)
{
    struct fixture *f = *state;
    get(f, 200, "/healthz", NULL);
    assert_string_equal(f->body.p, "ok\n");
    get(f, 200, "/readyz", NULL);
    assert_string_equal(f->body.p, "ready\n");
    ask(f, 200, (struct ask){.method = "HEAD", .path = "/healthz"});
    assert_int_equal(f->body.n, 0);
}

static void
health_tells_of_a_full_disk(void **state)
{
    struct fixture *f = *state;
    fake_engine_set_gauges(
        f->engine,
        (struct engine_gauges){.oldest_due_ms = MSEC_NEVER, .room = DISK_LOW});
    get(f, 503, "/readyz", NULL);
    assert_string_equal(f->body.p, "disk nearly full: new events are refused\n");
    header_is(f, "Retry-After", "5");
    get(f, 200, "/healthz", NULL); /* to start it anew would not help */
    assert_string_equal(f->body.p, "disk nearly full: new events are refused\n");
    fake_engine_set_gauges(
        f->engine,
        (struct engine_gauges){.oldest_due_ms = MSEC_NEVER, .room = DISK_FULL});
    get(f, 503, "/readyz", NULL);
    assert_string_equal(
        f->body.p, "disk full or read-only: new events are refused, no call is sent\n");
}

/* An address of this machine that is not loopback; false if it has none. */
static bool
other_address(struct sockaddr_in *out)
{
    struct ifaddrs *all;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *one = all; one && !found; one = one->ifa_next) {
        if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET ||
            (one->ifa_flags & IFF_LOOPBACK))
            continue;
        memcpy(out, one->ifa_addr, sizeof(*out));
        out->sin_port = 0;
        found = true;
    }
    freeifaddrs(all);
    return found;
}

/* The server stays on loopback: it is the client that comes from elsewhere. */
static void
health_is_for_the_servers_own_machine(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/healthz", "/readyz", "/metrics", "/v1/keys"};
    struct sockaddr_in from;
    if (!other_address(&from))
        skip();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char bytes[400];
        snprintf(bytes, sizeof(bytes),
                 "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                 "Authorization: %s\r\n\r\n",
                 paths[i], f->admin);
        ask_finish(f, ask_start_from(f, &from, bytes, strlen(bytes)));
        assert_int_equal(f->status, i < 3 ? 403 : 200);
        if (i < 3)
            has(f, "/detail", "--public-metrics");
    }
}

static bool
has_line(struct fixture *f, const char *line)
{
    const char *found = strstr(f->body.p, line);
    return found && (found == f->body.p || found[-1] == '\n') &&
           found[strlen(line)] == '\n';
}

static void
metrics_show_what_the_engine_and_the_server_know(void **state)
{
    struct fixture *f = *state;
    post(f, 201, "/v1/channels/one/webhooks", f->manage, "{\"url\":\"https://a/\"}");
    post(f, 202, "/v1/channels/one/events", f->ingest, OPT_OUT);
    msec_t now_ms = clock_steady_ms(engine_clock(f->engine));
    fake_engine_set_gauges(f->engine,
                           (struct engine_gauges){.store_queue = 3,
                                                  .sender_queue = 4,
                                                  .in_flight = 5,
                                                  .oldest_due_ms = now_ms - 61500});
    get(f, 200, "/metrics", NULL);
    header_is(f, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    static const char *const lines[] = {
        "# TYPE pushwire_calls gauge",
        "pushwire_calls{state=\"waiting\"} 1",
        "pushwire_calls{state=\"held\"} 0",
        "pushwire_calls{state=\"failed\"} 0",
        "pushwire_calls{state=\"succeeded\"} 0",
        "pushwire_calls{state=\"cancelled\"} 0",
        "pushwire_queue_depth{queue=\"store\"} 3",
        "pushwire_queue_depth{queue=\"sender\"} 4",
        "pushwire_in_flight 5",
        "pushwire_oldest_due_seconds 61.500",
        "pushwire_disk_bytes 4096",
        "pushwire_disk_left_bytes 8192",
        "pushwire_disk_room{room=\"ok\"} 1",
        "pushwire_disk_room{room=\"low\"} 0",
        "pushwire_build_info{version=\"" PUSHWIRE_VERSION "\"} 1",
        "process_start_time_seconds 1709545851.375",
        "# TYPE pushwire_events_total counter",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (!has_line(f, lines[i]))
            fail_msg("no line %s in %s", lines[i], f->body.p);
    assert_null(strstr(f->body.p, "inFlight"));
    /* this one, and perhaps some that are about to close */
    const char *connections = strstr(f->body.p, "\npushwire_connections ");
    assert_non_null(connections);
    assert_true(strtoul(connections + 22, NULL, 10) >= 1);

    fake_engine_set_gauges(f->engine,
                           (struct engine_gauges){.oldest_due_ms = MSEC_NEVER});
    get(f, 200, "/metrics", NULL);
    assert_true(has_line(f, "pushwire_oldest_due_seconds 0.000"));
    fake_engine_set_gauges(f->engine,
                           (struct engine_gauges){.oldest_due_ms = now_ms + 5000});
    fake_engine_fail(f->engine, E_IO);
    get(f, 200, "/metrics", NULL);
    assert_true(has_line(f, "pushwire_oldest_due_seconds 0.000"));
    assert_null(strstr(f->body.p, "pushwire_calls"));
}

static uint64_t
metric(struct fixture *f, const char *name)
{
    get(f, 200, "/metrics", NULL);
    const char *line = strstr(f->body.p, name);
    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 10);
}

static void
events_and_requests_are_counted(void **state)
{
    struct fixture *f = *state;
    uint64_t events = metric(f, "\npushwire_events_total{type=\"optOut\"} ");
    uint64_t times = metric(f, "\npushwire_ingest_seconds_count ");
    uint64_t refused = metric(f, "\npushwire_requests_total{code=\"4xx\"} ");
    post(f, 202, "/v1/channels/one/events", f->ingest, "[" OPT_OUT "," OPT_OUT "]");
    post(f, 400, "/v1/channels/one/events", f->ingest, "[" OPT_OUT ",5]");
    for (int i = 0; i < 2; i++) /* a repeat is no event */
        ask(f, 202,
            (struct ask){.path = "/v1/channels/one/events",
                         .key = f->ingest,
                         .more = "Idempotency-Key: k\r\n",
                         .body = OPT_OUT});
    assert_int_equal(metric(f, "\npushwire_events_total{type=\"optOut\"} "),
                     events + 3);
    assert_int_equal(metric(f, "\npushwire_ingest_seconds_count "), times + 3);
    assert_int_equal(metric(f, "\npushwire_requests_total{code=\"4xx\"} "),
                     refused + 1);
}

/* ---- the end ---- */

static void
a_request_that_is_in_is_answered_while_the_server_ends(void **state)
{
    struct fixture *f = *state;
    char bytes[2000];
    snprintf(bytes, sizeof(bytes),
             "POST /v1/channels/one/events HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s"
             "GET /v1/channels/one HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n\r\n",
             f->ingest, sizeof(OPT_OUT) - 1, OPT_OUT, f->ingest);
    fake_engine_stop(f->engine);
    int fd = ask_start(f, bytes, strlen(bytes));
    fake_engine_wait(f->engine, 1);
    api_quiesce(f->api);
    fake_engine_go(f->engine);
    ask_finish(f, fd);
    assert_int_equal(f->status, 202);
    assert_int_equal(fake_engine_events(f->engine), 1);
}

static void
read_until(int fd, const char *end)
{
    char bytes[4096];
    size_t n = 0;
    bytes[0] = '\0';
    while (!strstr(bytes, end)) {
        ssize_t got = read(fd, bytes + n, sizeof(bytes) - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
        bytes[n] = '\0';
    }
}

/* A connection that was open before the end began, kept by its client. */
static void
a_server_that_ends_is_not_ready_and_takes_no_more(void **state)
{
    struct fixture *f = *state;
    struct {
        const char *path;
        unsigned status;
    } rows[] = {{"/readyz", 503}, {"/healthz", 200}, {"/v1/channels", 503}};
    int fds[ARRAY_LEN(rows)];
    char bytes[400];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(bytes, sizeof(bytes),
                 "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n"
                 "GET %s HTTP/1.1\r\nHost: localhost:1\r\nAuthorization: %s\r\n",
                 rows[i].path, f->admin);
        fds[i] = ask_start(f, bytes, strlen(bytes));
        /* the first answer says that the connection is taken */
        read_until(fds[i], "\r\n\r\nok\n");
    }
    api_quiesce(f->api);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(write(fds[i], "\r\n", 2), 2);
        ask_finish(f, fds[i]);
        assert_int_equal(f->status, rows[i].status);
        header_is(f, "Connection", "close");
        if (rows[i].status == 503)
            header_is(f, "Retry-After", "1");
    }
}

static void
a_client_that_leaves_harms_nobody(void **state)
{
    struct fixture *f = *state;
    char bytes[2000];
    snprintf(bytes, sizeof(bytes),
             "POST /v1/channels/one/events HTTP/1.1\r\nHost: h\r\nAuthorization: %s\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             f->ingest, sizeof(OPT_OUT) - 1, OPT_OUT);
    fake_engine_stop(f->engine);
    for (int i = 0; i < 20; i++)
        close(ask_start(f, bytes, strlen(bytes)));
    fake_engine_wait(f->engine, 20);
    fake_engine_go(f->engine);
    get(f, 200, "/v1/channels/one/events", f->admin);
    assert_int_equal(length_of(f, "/data"), 20);
}

/* ---- backup ---- */

static void
a_backup_is_a_file_with_its_digest(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        post(f, 200, "/v1/backup", f->admin, NULL);
        assert_string_equal(f->body.p, "a copy of everything");
        header_is(f, "Repr-Digest",
                  "sha-256=:o3KVVQPy656CCVdCFOVITuYTsHGT1XDXnyxo23CavEY=:");
        header_is(f, "Content-Type", "application/vnd.sqlite3");
        header_is(f, "Cache-Control", "no-store");
    }
    post(f, 403, "/v1/backup", f->reader, NULL);
    post(f, 401, "/v1/backup", NULL, NULL);
}

static void
a_backup_that_cannot_be_made_says_why(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int result;
        unsigned status;
    } rows[] = {{E_FULL, 507}, {E_BUSY, 500}, {E_CLOSED, 503}, {E_IO, 503}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_engine_fail(f->engine, rows[i].result);
        post(f, rows[i].status, "/v1/backup", f->admin, NULL);
        fake_engine_fail(f->engine, 0);
        post(f, 200, "/v1/backup", f->admin, NULL);
    }
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(health_needs_no_key),
        WITH_SERVER(health_tells_of_a_full_disk),
        WITH_SERVER(health_is_for_the_servers_own_machine),
        WITH_SERVER(metrics_show_what_the_engine_and_the_server_know),
        WITH_SERVER(events_and_requests_are_counted),
        WITH_SERVER(a_request_that_is_in_is_answered_while_the_server_ends),
        WITH_SERVER(a_server_that_ends_is_not_ready_and_takes_no_more),
        WITH_SERVER(a_client_that_leaves_harms_nobody),
        WITH_SERVER(a_backup_is_a_file_with_its_digest),
        WITH_SERVER(a_backup_that_cannot_be_made_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
