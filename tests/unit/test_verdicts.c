/* How every answer of a receiver, however hostile, is judged. */
#include "receiver.h"

#define K16   "aaaaaaaaaaaaaaaa"
#define K256  K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16 K16
#define K1024 K256 K256 K256 K256
#define OK    "HTTP/1.1 200 OK\r\n"
#define CHUNK OK "Transfer-Encoding: chunked\r\n\r\n"
#define EMPTY "Content-Length: 0\r\n\r\n"

struct verdict_case {
    const char *what;
    struct script script;
    enum verdict verdict;
    int status;
    const char *reason;
    bool runs_out; /* into its deadline */
};

/* What the receiver does: says this and closes, or holds the connection open … */
#define CLOSES(text)                                                                   \
    {                                                                                  \
        text, NULL, AFTER_CLOSE, false, 0                                              \
    }
#define HOLDS(text)                                                                    \
    {                                                                                  \
        text, NULL, AFTER_HOLD, false, 0                                               \
    }
#define RESETS(text)                                                                   \
    {                                                                                  \
        text, NULL, AFTER_RESET, false, 0                                              \
    }
#define ENDLESS(text, again)                                                           \
    {                                                                                  \
        text, again, AFTER_CLOSE, false, 0                                             \
    }

/* What must come of it. */
#define GOOD(status)      VERDICT_OK, status, "", false
#define BAD(status)       VERDICT_TEMPORARY, status, "status " #status, false
#define GONE              VERDICT_GONE, 410, "status 410", false
#define NO_ANSWER(reason) VERDICT_TEMPORARY, 0, reason, false
#define TIMEOUT           VERDICT_TEMPORARY, 0, "timeout", true
#define TOO_LONG          NO_ANSWER("response headers over 64 KiB")
#define NOT_HTTP          NO_ANSWER("not HTTP")
#define BROKE             NO_ANSWER("connection broke")

#define H(status) "HTTP/1.1 " status "\r\n"

static const struct verdict_case verdict_cases[] = {
    {"200", HOLDS(OK EMPTY), GOOD(200)},
    {"299", HOLDS(H("299 x") EMPTY), GOOD(299)},
    {"HTTP/1.0", CLOSES("HTTP/1.0 200 OK\r\n\r\nhi"), GOOD(200)},
    {"no reason phrase", HOLDS(H("200") EMPTY), GOOD(200)},
    {"a body that never comes", HOLDS(OK "Content-Length: 5\r\n\r\n"), VERDICT_OK, 200,
     "", true},
    {"endless body", ENDLESS(CHUNK, "400\r\n" K1024 "\r\n"), GOOD(200)},
    {"endless body of a 500", ENDLESS(H("500 x") "\r\n", K1024), BAD(500)},
    {"endless headers", ENDLESS(OK, "X-A: " K1024 "\r\n"), TOO_LONG},
    {"endless header line", ENDLESS(OK "X-A: ", K1024), TOO_LONG},
    {"endless status line", ENDLESS("HTTP/1.1 200 ", K1024), TOO_LONG},
    {"endless trailers", ENDLESS(CHUNK "0\r\n", "X: " K1024 "\r\n"), GOOD(200)},
    {"endless trailer line", ENDLESS(CHUNK "0\r\nX: ", K1024), GOOD(200)},
    {"100 for ever", ENDLESS(NULL, H("100 x") "\r\n"), TOO_LONG},
    {"103 for ever", ENDLESS(NULL, H("103 x") "Link: <x>\r\n\r\n"), TOO_LONG},
    {"103, then 200", HOLDS(H("103 x") "Link: <x>\r\n\r\n" OK EMPTY), GOOD(200)},
    {"103, then silence", HOLDS(H("103 x") "\r\n"), TIMEOUT},
    {"100, then 503", HOLDS(H("100 x") "\r\n" H("503 x") EMPTY), BAD(503)},
    {"silence", HOLDS(NULL), TIMEOUT},
    {"half a header block", HOLDS(OK "X-A: b\r\n"), TIMEOUT},
    {"short body", CLOSES(OK "Content-Length: 500\r\n\r\nhello"), GOOD(200)},
    {"two lengths", CLOSES(OK "Content-Length: 5\r\nContent-Length: 50\r\n\r\nhello"),
     GOOD(200)},
    {"negative length", CLOSES(OK "Content-Length: -1\r\n\r\nhello"), NOT_HTTP},
    {"huge length", CLOSES(OK "Content-Length: 99999999999999999999999\r\n\r\nhello"),
     GOOD(200)},
    {"bad chunk", CLOSES(CHUNK "FFFFFFFFFFFFFFFFF\r\nhello"), GOOD(200)},
    {"chunked and a length",
     CLOSES(OK "Transfer-Encoding: chunked\r\nContent-Length: "
               "3\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
     GOOD(200)},
    {"folded header", HOLDS(OK "X: a\r\n b\r\nContent-Length: 2\r\n\r\nok"), GOOD(200)},
    {"a NUL in a header",
     {OK "X: a\0b\r\n" EMPTY, NULL, AFTER_CLOSE, false,
      sizeof(OK "X: a\0b\r\n" EMPTY) - 1},
     NOT_HTTP},
    {"999", HOLDS(H("999 x") EMPTY), BAD(999)},
    {"000", CLOSES(H("000 x") EMPTY), NOT_HTTP},
    {"20", CLOSES(H("20 x") EMPTY), NOT_HTTP},
    {"2000", CLOSES(H("2000 x") EMPTY), NOT_HTTP},
    {"101", CLOSES(H("101 x") "Upgrade: x\r\nConnection: upgrade\r\n\r\n"), BAD(101)},
    {"204 with a body", HOLDS(H("204 x") "Content-Length: 5\r\n\r\nhello"), GOOD(204)},
    {"307", HOLDS(H("307 x") "Location: /again\r\n" EMPTY), BAD(307)},
    {"400", HOLDS(H("400 x") EMPTY), BAD(400)},
    {"401 that asks for a password",
     HOLDS(H("401 x") "WWW-Authenticate: Basic\r\n" EMPTY), BAD(401)},
    {"410", HOLDS(H("410 Gone") EMPTY), GONE},
    {"410 with a broken body", CLOSES(H("410 Gone") "Content-Length: 9\r\n\r\nx"),
     GONE},
    {"503", HOLDS(H("503 x") EMPTY), BAD(503)},
    {"not HTTP", CLOSES("hello there\n"), NOT_HTTP},
    {"nothing", CLOSES(NULL), BROKE},
    {"reset", RESETS(NULL), BROKE},
    {"reset within the headers", RESETS(OK "X: "), BROKE},
    {"gzip is not decoded",
     HOLDS(OK "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"), GOOD(200)},
    {"an answer before the request is read",
     {OK EMPTY, NULL, AFTER_HOLD, true, 0},
     GOOD(200)},
};

static bool
verdict_is(const struct verdict_case *c)
{
    struct flight flight;
    fly_at(c->script, c->runs_out ? SHORT : LONG, &flight);
    const struct attempt *attempt = &flight.attempt;
    bool ran_out = attempt->duration_us >= SHORT * 1000;
    if (attempt->verdict == c->verdict && attempt->status == c->status &&
        strcmp(attempt->reason, c->reason) == 0 && (!c->runs_out || ran_out))
        return true;
    print_error("%s: %s, status %d, reason \"%s\", %lld us\n", c->what,
                verdict_name(attempt->verdict), attempt->status, attempt->reason,
                (long long)attempt->duration_us);
    return false;
}

static void
every_hostile_answer_has_its_verdict(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(verdict_cases); i++)
        wrong += !verdict_is(&verdict_cases[i]);
    assert_int_equal(wrong, 0);
}

static void
an_endless_answer_is_not_read_on(void **state)
{
    (void)state;
    static const struct script endless[] = {
        {CHUNK, "400\r\n" K1024 "\r\n", AFTER_CLOSE, false, 0},
        {OK, "X-A: " K1024 "\r\n", AFTER_CLOSE, false, 0},
        {CHUNK "0\r\n", "X: " K1024 "\r\n", AFTER_CLOSE, false, 0},
        {OK "X-A: ", K1024, AFTER_CLOSE, false, 0},
    };
    struct transport *transport = open_transport(LONG, true);

    for (size_t i = 0; i < ARRAY_LEN(endless); i++) {
        struct receiver *receiver = receiver_new(endless[i]);
        struct flight flight;
        char url[64];
        snprintf(url, sizeof(url), "http://127.0.0.1:%u/", receiver->port);
        fly(transport, url, &flight);
        size_t sent = atomic_load(&receiver->sent); /* or on its way */
        receiver_free(receiver);
        assert_true(sent < (size_t)16 * 1024 * 1024);
        assert_true(flight.response_len <= RESPONSE_KEPT_BYTES);
    }
    transport->close(transport);
}

static void
the_first_4_kib_of_the_body_are_kept(void **state)
{
    (void)state;
    struct flight flight;

    fly_at((struct script){.first =
                               "HTTP/1.1 500 x\r\nContent-Length: 8\r\n\r\nn\x1b[1m<b>",
                           .after = AFTER_HOLD},
           LONG, &flight);
    assert_int_equal(flight.response_len, 8);
    assert_memory_equal(flight.response, "n\x1b[1m<b>", 8);

    fly_at(
        (struct script){
            .first = OK
            "Content-Length: 5130\r\n\r\n0123456789" K1024 K1024 K1024 K1024 K1024,
            .after = AFTER_HOLD},
        LONG, &flight);
    assert_int_equal(flight.response_len, RESPONSE_KEPT_BYTES);
    assert_memory_equal(flight.response, "0123456789aaaa", 14);

    fly_at((struct script){.first = OK_EMPTY, .after = AFTER_HOLD}, LONG, &flight);
    assert_int_equal(flight.response_len, 0);
}

static void
retry_after_is_read_from_the_final_headers_only(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        msec_t wait;
    } cases[] = {
        {"HTTP/1.1 503 x\r\nRetry-After: 120\r\n" EMPTY, 120000},
        {"HTTP/1.1 429 x\r\nRETRY-AFTER:7\r\n" EMPTY, 7000},
        {"HTTP/1.1 503 x\r\nRetry-After: 99999999\r\n" EMPTY, 24 * 3600 * 1000},
        {"HTTP/1.1 503 x\r\nRetry-After: -1\r\n" EMPTY, 0},
        {"HTTP/1.1 503 x\r\nX-Retry-After: 5\r\n" EMPTY, 0},
        {"HTTP/1.1 103 x\r\nRetry-After: 5\r\n\r\nHTTP/1.1 503 x\r\n" EMPTY, 0},
        {"HTTP/1.1 503 x\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\nX: y\r\nRetry-After: 5\r\n\r\n",
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct flight flight;
        fly_at((struct script){.first = cases[i].answer, .after = AFTER_HOLD}, LONG,
               &flight);
        assert_int_equal(flight.attempt.verdict, VERDICT_TEMPORARY);
        assert_int_equal(flight.attempt.retry_after_ms, cases[i].wait);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hostile_answer_has_its_verdict),
        cmocka_unit_test(an_endless_answer_is_not_read_on),
        cmocka_unit_test(the_first_4_kib_of_the_body_are_kept),
        cmocka_unit_test(retry_after_is_read_from_the_final_headers_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
