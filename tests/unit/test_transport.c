/* The transport: the request it makes, where it goes, how its loop behaves. */
#include "receiver.h"

#include "name_server.h"

#include "core/signature.h"

/* ---- the request ---- */

static void
the_request_is_byte_for_byte_what_was_promised(void **state)
{
    (void)state;
    static const char body[] = "{ \"b\" : 1e400, \"a\":\"\\u00e9\"\n}";
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_transport(LONG, true);
    char url[100], expected[1000], signature[SIGNATURE_TEXT];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/a/../b%%20c?x=1&y", receiver->port);
    struct webhook *webhook = make_webhook(url);
    webhook_add_header(webhook, SLICE("X-Tenant"), SLICE("a b"));
    webhook_add_header(webhook, SLICE("X-Empty"), SLICE(""));
    struct target *target = transport->target_open(transport, webhook);
    webhook_unref(webhook);

    struct flight flight;
    start_flight(transport, target, &flight, SLICE(body));
    finish_flight(transport, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);

    long long timestamp_s = flight.attempt.began_wall_ms / 1000;
    struct signer *signer = signer_new(SLICE(SECRET));
    signer_sign(signer, SLICE("evt_0123456789abc"), timestamp_s, SLICE(body),
                signature);
    signer_free(signer);
    int n = snprintf(expected, sizeof(expected),
                     "POST /a/../b%%20c?x=1&y HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%u\r\n"
                     "User-Agent: Pushwire/" PUSHWIRE_VERSION "\r\n"
                     "webhook-id: evt_0123456789abc\r\n"
                     "webhook-timestamp: %lld\r\n"
                     "webhook-signature: %s\r\n"
                     "Content-Type: application/json\r\n"
                     "X-Tenant: a b\r\n"
                     "X-Empty:\r\n"
                     "Content-Length: %zu\r\n"
                     "\r\n"
                     "%s",
                     receiver->port, timestamp_s, signature, sizeof(body) - 1, body);
    pthread_mutex_lock(&receiver->lock);
    assert_int_equal(receiver->request_len, n);
    assert_memory_equal(receiver->request, expected, (size_t)n);
    pthread_mutex_unlock(&receiver->lock);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void
a_custom_accept_replaces_ours(void **state)
{
    (void)state;
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_transport(LONG, true);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct webhook *webhook = make_webhook(url);
    webhook_add_header(webhook, SLICE("ACCEPT"), SLICE("text/plain"));
    struct target *target = transport->target_open(transport, webhook);
    webhook_unref(webhook);

    struct flight flight;
    start_flight(transport, target, &flight, SLICE("{}"));
    finish_flight(transport, &flight);
    pthread_mutex_lock(&receiver->lock);
    assert_non_null(strstr(receiver->request, "\r\nACCEPT: text/plain\r\n"));
    pthread_mutex_unlock(&receiver->lock);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void
a_large_body_arrives_whole(void **state)
{
    (void)state;
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_transport(LONG, true);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct target *target = open_target(transport, url);
    char *body = xmalloc(EVENT_MAX_BYTES);
    for (size_t i = 0; i < EVENT_MAX_BYTES; i++)
        body[i] = (char)('a' + i % 23);

    struct flight flight;
    start_flight(transport, target, &flight, (struct slice){body, EVENT_MAX_BYTES});
    finish_flight(transport, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);
    pthread_mutex_lock(&receiver->lock);
    assert_null(strstr(receiver->request, "Expect"));
    assert_true(receiver->request_len > EVENT_MAX_BYTES);
    assert_memory_equal(receiver->request + receiver->request_len - EVENT_MAX_BYTES,
                        body, EVENT_MAX_BYTES);
    pthread_mutex_unlock(&receiver->lock);
    free(body);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void
a_connection_is_used_again(void **state)
{
    (void)state;
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_transport(LONG, true);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct target *target = open_target(transport, url);

    for (int i = 0; i < 100; i++) {
        struct flight flight;
        start_flight(transport, target, &flight, SLICE("{}"));
        finish_flight(transport, &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_OK);
        assert_int_equal(flight.attempt.status, 200);
        assert_string_equal(flight.attempt.reason, "");
        assert_true(flight.attempt.timings.first_byte_us > 0);
        assert_int_equal(flight.attempt.timings.reused, i > 0);
        assert_true(i > 0 ? flight.attempt.timings.connect_us == -1
                          : flight.attempt.timings.connect_us > 0);
        assert_int_equal(flight.attempt.timings.dns_us, -1); /* an address */
        assert_int_equal(flight.attempt.timings.tls_us, -1);
        assert_true(flight.attempt.duration_us > 0);
    }
    assert_int_equal(receiver->requests, 100);
    assert_int_equal(receiver->connections, 1);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void
a_connection_that_the_receiver_closed_is_replaced(void **state)
{
    (void)state;
    struct receiver *receiver = receiver_new((struct script){
        .first = OK_EMPTY, .after = AFTER_CLOSE}); /* without saying so */
    struct transport *transport = open_transport(LONG, true);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct target *target = open_target(transport, url);

    for (unsigned i = 1; i <= 20; i++) {
        struct flight flight;
        start_flight(transport, target, &flight, SLICE("{}"));
        finish_flight(transport, &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_OK);
        assert_int_equal(receiver->requests, i);
    }
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void
targets_that_take_turns_each_get_their_own_request(void **state)
{
    (void)state;
    struct receiver *receiver =
        receiver_new((struct script){.first = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                              "Content-Length: 0\r\n\r\n"});
    struct transport *transport = open_transport(LONG, true);
    static const char *const paths[] = {"/one?x=1", "/two"};
    struct target *targets[2];

    for (size_t i = 0; i < 2; i++) {
        char url[100];
        snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", receiver->port, paths[i]);
        targets[i] = open_target(transport, url);
    }
    for (size_t i = 0; i < 8; i++) { /* all with the one handle there is */
        size_t at = i / 2 % 2;
        char line[100];
        snprintf(line, sizeof(line), "POST %s HTTP/1.1\r\n", paths[at]);
        struct flight flight;
        start_flight(transport, targets[at], &flight, SLICE("{}"));
        finish_flight(transport, &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_OK);
        pthread_mutex_lock(&receiver->lock);
        assert_memory_equal(receiver->request, line, strlen(line));
        pthread_mutex_unlock(&receiver->lock);
    }
    for (size_t i = 0; i < 2; i++)
        transport->target_close(transport, targets[i]);
    transport->close(transport);
    receiver_free(receiver);
}

/* ---- where it may go ---- */

static void
a_redirect_is_not_followed(void **state)
{
    (void)state;
    struct receiver *canary =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    static const int statuses[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        char answer[200];
        struct flight flight;
        snprintf(answer, sizeof(answer),
                 "HTTP/1.1 %d x\r\nLocation: http://127.0.0.1:%u/\r\n"
                 "Content-Length: 0\r\n\r\n",
                 statuses[i], canary->port);
        fly_at((struct script){.first = answer, .after = AFTER_KEEP}, LONG, &flight);
        assert_int_equal(flight.attempt.status, statuses[i]);
        assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
    }
    assert_int_equal(canary->connections, 0);
    receiver_free(canary);
}

static void
nothing_listens_there(void **state)
{
    (void)state;
    struct receiver *receiver = receiver_new((struct script){0});
    struct transport *transport = open_transport(LONG, true);
    struct flight flight;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    receiver_free(receiver);
    fly(transport, url, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
    assert_string_equal(flight.attempt.reason, "connection refused");
    transport->close(transport);
}

static void
a_target_that_is_not_allowed_gets_no_connection_and_no_time(void **state)
{
    (void)state;
    struct name_server *names = name_server_new();
    struct transport *transport = open_named(LONG, guard_for(false), names->text);
    static const char *const urls[] = {
        "https://inside.test.example/", "https://inside.test.example:8443/",
        "https://mapped.test.example/", "https://nat64.test.example/",
        "https://127.0.0.1/",           "https://[::1]/",
        "http://good.example.com/",     "ftp://good.example.com/",
        "https://localhost/",           "no URL",
    };
    name_server_put(names, 0,
                    (struct zone_row){.name = "inside.test.example",
                                      .addresses = "127.0.0.1 10.0.0.1 ::1"});
    name_server_put(names, 1,
                    (struct zone_row){.name = "mapped.test.example",
                                      .addresses = "::ffff:127.0.0.1"});
    name_server_put(names, 2,
                    (struct zone_row){.name = "nat64.test.example",
                                      .addresses = "64:ff9b::7f00:1"});
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct flight flight;
        fly(transport, urls[i], &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
        assert_int_equal(flight.attempt.status, 0);
        assert_string_equal(flight.attempt.reason, "target not allowed");
        assert_int_equal(flight.attempt.duration_us, 0);
        assert_int_equal(flight.attempt.timings.dns_us, -1);
    }
    transport->close(transport);
    name_server_free(names);
}

static void
names_are_looked_up(void **state)
{
    (void)state;
    struct name_server *names = name_server_new();
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_named(LONG, guard_for(true), names->text);
    struct flight flight;
    char url[64];
    name_server_put(
        names, 0,
        (struct zone_row){.name = "inside.test.example", .addresses = "127.0.0.1"});
    snprintf(url, sizeof(url), "http://Inside.Test.example:%u/", receiver->port);
    fly(transport, url, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);
    assert_true(flight.attempt.timings.dns_us > 0);
    assert_true(flight.attempt.timings.connect_us > 0);
    assert_int_equal(flight.attempt.timings.reused, 0);
    fly(transport, "http://unknown.test.example/", &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
    assert_string_equal(flight.attempt.reason, "DNS failed");
    transport->close(transport);
    receiver_free(receiver);
    name_server_free(names);
}

static void
of_a_mixed_answer_only_what_is_allowed_is_called(void **state)
{
    (void)state;
    struct name_server *names = name_server_new();
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)receiver->port)};
    struct guard guard;
    struct flight flight;
    struct err err;
    char text[64];

    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &sa.sin_addr), 1);
    int canary = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(canary, (const struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(canary, 8), 0);
    guard_init(&guard);
    guard.http = true;
    snprintf(text, sizeof(text), "127.0.0.1/32:%u", receiver->port);
    assert_int_equal(guard_allow(&guard, text, &err), 0);
    struct transport *transport = open_named(LONG, &guard, names->text);
    name_server_put(names, 0,
                    (struct zone_row){.name = "mixed.test.example",
                                      .addresses = "127.0.0.2 127.0.0.1 ::1"});
    snprintf(text, sizeof(text), "http://mixed.test.example:%u/", receiver->port);
    fly(transport, text, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);
    assert_int_equal(accept(canary, NULL, NULL), -1);

    /* Without what is denied nothing is left. */
    name_server_put(
        names, 0,
        (struct zone_row){.name = "mixed.test.example", .addresses = "127.0.0.2 ::1"});
    fly(transport, text, &flight);
    assert_string_equal(flight.attempt.reason, "target not allowed");
    assert_int_equal(accept(canary, NULL, NULL), -1);
    transport->close(transport);
    close(canary);
    guard_fini(&guard);
    receiver_free(receiver);
    name_server_free(names);
}

static void
a_lookup_that_hangs_ends_at_the_deadline_and_delays_nobody(void **state)
{
    (void)state;
    struct name_server *names = name_server_new();
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_named(SHORT, guard_for(true), names->text);
    struct flight flights[8], other;
    char url[64];
    name_server_put(names, 0,
                    (struct zone_row){.name = "stuck.test.example", .silent = true});
    struct target *target = open_target(transport, "http://stuck.test.example/");

    for (size_t i = 0; i < ARRAY_LEN(flights); i++)
        start_flight(transport, target, &flights[i], SLICE("{}"));
    for (size_t i = 0; i < ARRAY_LEN(flights); i++) {
        finish_flight(transport, &flights[i]);
        assert_string_equal(flights[i].attempt.reason, "timeout");
    }
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    fly(transport, url, &other);
    assert_int_equal(other.attempt.verdict, VERDICT_OK);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
    name_server_free(names);
}

static void
abort_ends_what_is_looked_up(void **state)
{
    (void)state;
    struct name_server *names = name_server_new();
    struct transport *transport = open_named(LONG, guard_for(true), names->text);
    struct flight flights[3];
    name_server_put(names, 0,
                    (struct zone_row){.name = "stuck.test.example", .silent = true});
    struct target *target = open_target(transport, "http://stuck.test.example/");

    for (size_t i = 0; i < ARRAY_LEN(flights); i++)
        start_flight(transport, target, &flights[i], SLICE("{}"));
    transport->run(transport, 0);
    transport->target_close(transport, target);
    transport->abort(transport);
    for (size_t i = 0; i < ARRAY_LEN(flights); i++) {
        assert_true(flights[i].done);
        assert_string_equal(flights[i].attempt.reason, "shutting down");
    }
    transport->close(transport);
    name_server_free(names);
}

static void
a_receiver_that_talks_no_tls_fails(void **state)
{
    (void)state;
    struct flight flight;
    struct receiver *plain = receiver_new(
        (struct script){.first = "HTTP/1.1 400 x\r\n\r\n", .before_request = true});
    struct receiver *silent =
        receiver_new((struct script){.after = AFTER_HOLD, .before_request = true});
    char url[64];

    struct transport *transport = open_transport(LONG, true);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", plain->port);
    fly(transport, url, &flight);
    assert_memory_equal(flight.attempt.reason, "TLS failed", 10);
    transport->close(transport);

    transport = open_transport(SHORT, true);
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", silent->port);
    fly(transport, url, &flight);
    assert_string_equal(flight.attempt.reason, "timeout");
    transport->close(transport);
    receiver_free(plain);
    receiver_free(silent);
}

static void
the_environment_changes_nothing(void **state)
{
    (void)state;
    struct receiver *canary =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct flight flight;
    char proxy[64];
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy",
                                        "ALL_PROXY"};
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u/", canary->port);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        setenv(names[i], proxy, 1);
    fly_at((struct script){.first = OK_EMPTY, .after = AFTER_KEEP}, LONG, &flight);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);
    assert_int_equal(canary->connections, 0);
    receiver_free(canary);
}

static void
an_unusable_secret_fails_the_attempt(void **state)
{
    (void)state;
    struct transport *transport = open_transport(LONG, true);
    struct webhook *webhook = webhook_new();
    webhook->url = xstrdup("http://127.0.0.1:9/");
    webhook_set_secret(webhook, SLICE("whsec_"));
    struct target *target = transport->target_open(transport, webhook);
    webhook_unref(webhook);
    struct flight flight;
    start_flight(transport, target, &flight, SLICE("{}"));
    finish_flight(transport, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
    assert_string_equal(flight.attempt.reason, "secret not usable");
    transport->target_close(transport, target);
    transport->close(transport);
}

/* ---- the loop ---- */

static void
many_attempts_share_the_loop(void **state)
{
    (void)state;
    enum { RECEIVERS = 8, FLIGHTS = 200 };
    struct transport *transport = open_transport(LONG, true);
    struct receiver *receivers[RECEIVERS];
    struct target *targets[RECEIVERS];
    struct flight *flights = xcalloc(FLIGHTS, sizeof(*flights));

    for (size_t i = 0; i < RECEIVERS; i++) {
        char url[64];
        /* One connection at a time is served: it must say that it closes. */
        receivers[i] = receiver_new(
            (struct script){.first = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
                                     "Content-Length: 0\r\n\r\n"});
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receivers[i]->port);
        targets[i] = open_target(transport, url);
    }
    for (size_t i = 0; i < FLIGHTS; i++)
        start_flight(transport, targets[i % RECEIVERS], &flights[i], SLICE("{}"));
    for (size_t i = 0; i < RECEIVERS; i++) /* what is under way goes on */
        transport->target_close(transport, targets[i]);
    for (size_t i = 0; i < FLIGHTS; i++) {
        finish_flight(transport, &flights[i]);
        assert_int_equal(flights[i].attempt.verdict, VERDICT_OK);
    }
    for (size_t i = 0; i < RECEIVERS; i++) {
        assert_int_equal(receivers[i]->requests, FLIGHTS / RECEIVERS);
        receiver_free(receivers[i]);
    }
    free(flights);
    transport->close(transport);
}

static void
abort_ends_what_is_under_way(void **state)
{
    (void)state;
    struct receiver *receiver = receiver_new((struct script){.after = AFTER_HOLD});
    struct transport *transport = open_transport(LONG, true);
    struct flight flights[5], refused;
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct target *target = open_target(transport, url);
    struct target *unusable = open_target(transport, "gopher://127.0.0.1/");

    start_flight(transport, target, &flights[0], SLICE("{}"));
    while (receiver->requests == 0)
        transport->run(transport, 1000);
    for (size_t i = 1; i < ARRAY_LEN(flights); i++)
        start_flight(transport, target, &flights[i], SLICE("{}"));
    start_flight(transport, unusable, &refused, SLICE("{}"));
    transport->abort(transport);
    for (size_t i = 0; i < ARRAY_LEN(flights); i++) {
        assert_true(flights[i].done);
        assert_int_equal(flights[i].attempt.verdict, VERDICT_TEMPORARY);
        assert_string_equal(flights[i].attempt.reason, "shutting down");
    }
    assert_true(refused.done);
    transport->target_close(transport, unusable);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static void *
wake_it(void *arg)
{
    struct transport *transport = arg;
    transport->wake(transport);
    return NULL;
}

static void
another_thread_wakes_the_loop(void **state)
{
    (void)state;
    struct transport *transport = open_transport(LONG, true);
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, wake_it, transport), 0);
    transport->run(transport, -1); /* would never return */
    pthread_join(thread, NULL);
    transport->wake(transport); /* before the wait is as good */
    transport->run(transport, -1);
    transport->run(transport, 0);
    transport->close(transport);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_byte_for_byte_what_was_promised),
        cmocka_unit_test(a_custom_accept_replaces_ours),
        cmocka_unit_test(a_large_body_arrives_whole),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(a_connection_that_the_receiver_closed_is_replaced),
        cmocka_unit_test(targets_that_take_turns_each_get_their_own_request),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(nothing_listens_there),
        cmocka_unit_test(a_target_that_is_not_allowed_gets_no_connection_and_no_time),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(of_a_mixed_answer_only_what_is_allowed_is_called),
        cmocka_unit_test(a_lookup_that_hangs_ends_at_the_deadline_and_delays_nobody),
        cmocka_unit_test(abort_ends_what_is_looked_up),
        cmocka_unit_test(a_receiver_that_talks_no_tls_fails),
        cmocka_unit_test(the_environment_changes_nothing),
        cmocka_unit_test(an_unusable_secret_fails_the_attempt),
        cmocka_unit_test(many_attempts_share_the_loop),
        cmocka_unit_test(abort_ends_what_is_under_way),
        cmocka_unit_test(another_thread_wakes_the_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
