/* Asking an authorizer: the same transport, another request. */
#include "receiver.h"

#include "core/signature.h"

#define OK_AND_CLOSE "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define TOKEN        "eyJhbGciOiJub25lIn0.e30.!~"

/* One that sends no event: it has a header of the customer's, and no secret. */
static struct target *
open_authorizer(struct transport *transport, unsigned port)
{
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/allow", port);
    struct webhook *webhook = webhook_new();
    webhook->url = xstrdup(url);
    webhook_add_header(webhook, SLICE("authorization"), SLICE("Basic c2hvcDox"));
    struct target *target = transport->target_open(transport, webhook);
    webhook_unref(webhook);
    assert_non_null(target);
    return target;
}

static void
start_asking(struct transport *transport, struct target *target, struct flight *flight,
             msec_t deadline_ms)
{
    *flight = (struct flight){.attempt = {.token = TOKEN,
                                          .deadline_ms = deadline_ms,
                                          .body = SLICE("{\"a\":1}"),
                                          .done = flight_done}};
    transport->start(transport, target, &flight->attempt);
    assert_false(flight->done);
}

static void
an_authorizer_gets_the_token_and_no_signature(void **state)
{
    (void)state;
    struct receiver *receiver =
        receiver_new((struct script){.first = OK_EMPTY, .after = AFTER_KEEP});
    struct transport *transport = open_transport(LONG, true);
    struct target *target = open_authorizer(transport, receiver->port);
    struct flight flight;
    char expected[1000];

    start_asking(transport, target, &flight, LONG);
    finish_flight(transport, &flight);
    assert_int_equal(flight.attempt.verdict, VERDICT_OK);
    assert_int_equal(flight.attempt.status, 200);
    int n = snprintf(expected, sizeof(expected),
                     "POST /allow HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%u\r\n"
                     "User-Agent: Pushwire/" PUSHWIRE_VERSION "\r\n"
                     "x-subscription-token: " TOKEN "\r\n"
                     "Content-Type: application/json\r\n"
                     "authorization: Basic c2hvcDox\r\n"
                     "Content-Length: 7\r\n"
                     "\r\n"
                     "{\"a\":1}",
                     receiver->port);
    pthread_mutex_lock(&receiver->lock);
    assert_int_equal(receiver->request_len, n);
    assert_memory_equal(receiver->request, expected, (size_t)n);
    pthread_mutex_unlock(&receiver->lock);
    transport->target_close(transport, target);
    transport->close(transport);
    receiver_free(receiver);
}

static bool
last_request_has(struct receiver *receiver, const char *header)
{
    pthread_mutex_lock(&receiver->lock);
    bool has = strcasestr(receiver->request, header) != NULL;
    pthread_mutex_unlock(&receiver->lock);
    return has;
}

/* One after the other, so that all of them have the same handle of the transport. */
static void
what_comes_after_an_authorizer_is_signed_again(void **state)
{
    (void)state;
    struct receiver *receiver = receiver_new((struct script){.first = OK_AND_CLOSE});
    struct transport *transport = open_transport(LONG, true);
    char url[100];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
    struct target *asked = open_authorizer(transport, receiver->port);
    struct target *called = open_target(transport, url);

    for (int i = 0; i < 3; i++) {
        char signature[SIGNATURE_TEXT];
        struct flight flight;
        start_asking(transport, asked, &flight, LONG);
        finish_flight(transport, &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_OK);
        assert_true(
            last_request_has(receiver, "\r\nx-subscription-token: " TOKEN "\r\n"));
        assert_false(last_request_has(receiver, "\r\nwebhook-"));

        start_flight(transport, called, &flight, SLICE("{}"));
        finish_flight(transport, &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_OK);
        assert_false(last_request_has(receiver, "token"));
        assert_false(last_request_has(receiver, "authorization"));
        assert_true(
            last_request_has(receiver, "\r\nwebhook-id: evt_0123456789abc\r\n"));
        assert_true(last_request_has(receiver, "\r\nwebhook-timestamp: "));
        struct signer *signer = signer_new(SLICE(SECRET));
        signer_sign(signer, SLICE("evt_0123456789abc"),
                    flight.attempt.began_wall_ms / 1000, SLICE("{}"), signature);
        signer_free(signer);
        assert_true(last_request_has(receiver, signature));
    }
    assert_int_equal(receiver->requests, 6);
    transport->target_close(transport, called);
    transport->target_close(transport, asked);
    transport->close(transport);
    receiver_free(receiver);
}

struct deadlines {
    struct transport *transport;
    struct target *asked, *called;
    struct flight asking, calling;
    msec_t own_ms;
};

static struct flight *
start_one(struct deadlines *d, bool asking)
{
    if (asking) {
        start_asking(d->transport, d->asked, &d->asking, d->own_ms);
        return &d->asking;
    }
    start_flight(d->transport, d->called, &d->calling, SLICE("{}"));
    return &d->calling;
}

/* Of two that nobody answers the one with the short deadline ends, though it began
 * later; and the other one, which has the handle of one with a short deadline, does
 * not.
 */
static void
only_the_short_one_ends(struct deadlines *d, bool asking_is_short)
{
    struct flight *first = start_one(d, asking_is_short);
    finish_flight(d->transport, first);
    assert_string_equal(first->attempt.reason, "timeout");

    struct flight *long_one = start_one(d, !asking_is_short);
    struct flight *short_one = start_one(d, asking_is_short);
    finish_flight(d->transport, short_one);
    assert_string_equal(short_one->attempt.reason, "timeout");
    assert_false(long_one->done);
    d->transport->abort(d->transport);
    assert_string_equal(long_one->attempt.reason, "shutting down");
}

static void
an_authorizer_has_a_deadline_of_its_own(void **state)
{
    (void)state;
    struct receiver *silent[2];
    for (size_t i = 0; i < 2; i++)
        silent[i] = receiver_new((struct script){.after = AFTER_HOLD});
    for (int asking_is_short = 0; asking_is_short < 2; asking_is_short++) {
        struct deadlines d = {
            .transport = open_transport(asking_is_short ? LONG : SHORT, true),
            .own_ms = asking_is_short ? SHORT : LONG,
        };
        char url[100];
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", silent[1]->port);
        d.asked = open_authorizer(d.transport, silent[0]->port);
        d.called = open_target(d.transport, url);
        only_the_short_one_ends(&d, asking_is_short);
        d.transport->target_close(d.transport, d.called);
        d.transport->target_close(d.transport, d.asked);
        d.transport->close(d.transport);
    }
    for (size_t i = 0; i < 2; i++)
        receiver_free(silent[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authorizer_gets_the_token_and_no_signature),
        cmocka_unit_test(what_comes_after_an_authorizer_is_signed_again),
        cmocka_unit_test(an_authorizer_has_a_deadline_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
