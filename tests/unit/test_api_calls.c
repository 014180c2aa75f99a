/* Calls: listed, shown, retried. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* The call of an event (by place) to a webhook. */
static void
call_of(struct fixture *f, size_t event, uint64_t webhook, char id[ID_TEXT])
{
    call_id_format(id, fake_engine_event_key(f->engine, event), webhook);
}

static const struct attempt_record refused = {
    .at_ms = INT64_C(1709546000123),
    .duration_us = 1500,
    .timings = {-1, 250, -1, -1, 0},
    .verdict = VERDICT_TEMPORARY,
    .reason = {"connection refused", 18},
};

static void
a_call_is_shown_with_its_attempts(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], call[ID_TEXT], path[200], expected[1000];
    static const char answer[] = "no \"\xff\x01\n";
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    uint64_t number = fake_engine_newest_webhook(f->engine);
    uint64_t key = fake_engine_event_key(f->engine, 0);
    call_of(f, 0, number, call);
    snprintf(path, sizeof(path), CALLS "/%s", call);

    get(f, 200, path, f->channel_reader);
    snprintf(expected, sizeof(expected),
             "{\"_id\":\"%s\",\"event\":\"%s\",\"webhook\":\"%s\",\"type\":\"click\","
             "\"subscription\":\"S\",\"notification\":\"N\",\"state\":\"waiting\","
             "\"attempts\":0,"
             "\"nextAttemptAt\":\"2024-03-04T09:50:51.375Z\",\"lastAttempt\":null,"
             "\"createdAt\":\"2024-03-04T09:50:51.375Z\",\"attemptLog\":[],"
             "\"explain\":{\"code\":\"waitingForTurn\",\"text\":\"It is due and waits "
             "for its turn.\",\"at\":null}}",
             call, event, webhook);
    assert_string_equal(f->body.p, expected);

    fake_engine_add_attempt(f->engine, key, number, &refused, CALL_WAITING,
                            INT64_C(1709546120123));
    get(f, 200, path, f->channel_reader);
    is(f, "/state", "\"waiting\"");
    is(f, "/attempts", "1");
    is(f, "/nextAttemptAt", "\"2024-03-04T09:55:20.123Z\"");
    is(f, "/lastAttempt",
       "{\"n\":1,\"at\":\"2024-03-04T09:53:20.123Z\",\"durationMs\":1.5,"
       "\"verdict\":\"temporary\",\"status\":null,\"reason\":\"connection refused\"}");
    is(f, "/attemptLog/0/response", "\"\"");
    is(f, "/attemptLog/0/responseTruncated", "false");
    is(f, "/attemptLog/0/timings",
       "{\"dnsMs\":null,\"connectMs\":0.25,\"tlsMs\":null,\"firstByteMs\":null,"
       "\"totalMs\":1.5,\"reused\":false}");

    struct attempt_record failed = {.at_ms = INT64_C(1709546120123),
                                    .duration_us = 2000,
                                    .timings = {0, -1, -1, 1999, 1},
                                    .verdict = VERDICT_TEMPORARY,
                                    .status = 503,
                                    .reason = SLICE("status 503"),
                                    .response = {answer, sizeof(answer) - 1}};
    fake_engine_add_attempt(f->engine, key, number, &failed, CALL_FAILED, 0);
    get(f, 200, path, f->channel_reader);
    is(f, "/state", "\"failed\"");
    is(f, "/nextAttemptAt", "null");
    is(f, "/lastAttempt/n", "2");
    is(f, "/lastAttempt/status", "503");
    is_absent(f, "/lastAttempt/response");
    is_absent(f, "/heldReason");
    assert_int_equal(length_of(f, "/attemptLog"), 2);
    is(f, "/attemptLog/1/reason", "\"status 503\"");
    is(f, "/attemptLog/1/response", "\"no \\\"\xef\xbf\xbd\\u0001\\n\"");
    is(f, "/attemptLog/1/timings/dnsMs", "0");
    is(f, "/attemptLog/1/timings/firstByteMs", "1.999");
    is(f, "/attemptLog/1/timings/reused", "true");
    is_absent(f, "/attemptLogTruncated");
}

static void
a_very_long_attempt_log_shows_the_first(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], call[ID_TEXT], path[200];
    char answer[RESPONSE_KEPT_BYTES];
    struct attempt_record attempt = refused;
    memset(answer, 1, sizeof(answer)); /* six characters each */
    attempt.response = (struct slice){answer, sizeof(answer)};
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    uint64_t number = fake_engine_newest_webhook(f->engine);
    call_of(f, 0, number, call);
    for (int i = 0; i < 300; i++)
        fake_engine_add_attempt(f->engine, fake_engine_event_key(f->engine, 0), number,
                                &attempt, CALL_WAITING, 0);
    snprintf(path, sizeof(path), CALLS "/%s", call);
    get(f, 200, path, f->manage);
    is(f, "/attempts", "300");
    is(f, "/attemptLogTruncated", "true");
    is(f, "/attemptLog/0/responseTruncated", "true");
    size_t shown = length_of(f, "/attemptLog");
    assert_true(shown > 100 && shown < 300);
}

static void
a_call_of_a_disabled_webhook_is_held_with_its_reason(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], path[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    fake_engine_disable(f->engine, webhook, "410 Gone");
    get(f, 200, CALLS, f->manage);
    is(f, "/data/0/state", "\"held\"");
    is(f, "/data/0/heldReason", "\"410 Gone\"");
    is(f, "/data/0/nextAttemptAt", "null");
    is_absent(f, "/data/0/attemptLog");
    snprintf(path, sizeof(path), EVENTS "/%s", event);
    get(f, 200, path, f->manage);
    is(f, "/calls/0/state", "\"held\"");
    is(f, "/calls/0/explain/code", "\"webhookDisabled\"");
    has(f, "/calls/0/explain/text", "disabled (410 Gone)");
    is(f, "/webhooks", "[]");
}

static void
calls_are_filtered(void **state)
{
    struct fixture *f = *state;
    char first[ID_TEXT], second[ID_TEXT], id[ID_TEXT], path[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", first);
    uint64_t number = fake_engine_newest_webhook(f->engine);
    add_webhook(f, "{\"url\":\"https://b/\",\"events\":[\"click\"]}", second);
    add_event(f, CLICK, id); /* 2 calls, at …51.375 */
    clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    add_event(f, PUSH("delivery", "T"), id); /* 1 call, at …52.375 */
    fake_engine_add_attempt(f->engine, fake_engine_event_key(f->engine, 0), number,
                            &refused, CALL_FAILED, 0);

    counts(f, CALLS, 3);
    counts(f, CALLS "?state=failed", 1);
    counts(f, CALLS "?state=waiting", 2);
    counts(f, CALLS "?state=failed,waiting,held", 3);
    counts(f, CALLS "?state=succeeded", 0);
    counts(f, CALLS "?type=delivery", 1);
    counts(f, CALLS "?type=delivery,click", 3);
    counts(f, CALLS "?subscription=T", 1);
    counts(f, CALLS "?notification=N", 3);
    counts(f, CALLS "?notification=M", 0);
    counts(f, CALLS "?error=refused", 1);
    counts(f, CALLS "?error=connection+refused", 1);
    counts(f, CALLS "?error=timeout", 0);
    counts(f, CALLS "?since=2024-03-04T09:50:52Z", 1);
    counts(f, CALLS "?until=2024-03-04T09:50:52Z", 2);
    counts(f, CALLS "?until=2024-03-04T09:50:52.375Z", 2);
    counts(f, CALLS "?until=2024-03-04T09:50:52.376Z", 3);
    counts(f, CALLS "?since=2024-03-04T09:50:53Z&until=2024-03-04T09:50:52Z", 0);
    counts(f, CALLS "?until=2024-03-04T09:50:51.375Z", 0);
    counts(f, CALLS "?since=2024-03-04T09:50:51.375Z", 3);
    counts(f, CALLS "?until=1999-12-31T23:59:59Z", 0);
    counts(f, CALLS "?until=9999-12-31T23:59:59Z", 3);
    snprintf(path, sizeof(path), CALLS "?webhook=%s", first);
    counts(f, path, 2);
    snprintf(path, sizeof(path), CALLS "?webhook=%s&state=failed", second);
    counts(f, path, 0);
}

static void
calls_come_in_pages_within_an_event(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], cursor[100], path[300], seen[8][ID_TEXT];
    for (int i = 0; i < 3; i++)
        add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    for (int i = 0; i < 2; i++)
        add_event(f, CLICK, event);
    size_t n = 0;
    snprintf(path, sizeof(path), CALLS "?limit=2");
    for (;;) {
        get(f, 200, path, f->manage);
        for (size_t i = 0; i < length_of(f, "/data"); i++) {
            char place[40];
            snprintf(place, sizeof(place), "/data/%zu/_id", i);
            text_at(f, place, seen[n++], ID_TEXT);
            assert_true(n < 8);
        }
        if (slice_is(at(f, "/nextCursor"), "null")) {
            is(f, "/searchedTo", "null");
            break;
        }
        is(f, "/searchedTo", "\"2024-03-04T09:50:51.375Z\"");
        text_at(f, "/nextCursor", cursor, sizeof(cursor));
        snprintf(path, sizeof(path), CALLS "?limit=2&cursor=%s", cursor);
    }
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(seen[i], seen[j]);
}

static void
an_unknown_call_is_not_found(void **state)
{
    struct fixture *f = *state;
    char path[200], call[ID_TEXT], webhook[ID_TEXT], event[ID_TEXT];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    call_of(f, 0, fake_engine_newest_webhook(f->engine), call);
    get(f, 404, CALLS "/x", f->manage);
    char *unknown = xstrdup(f->body.p);
    get(f, 404, CALLS "/call_0000000000000_0000000000000", f->manage);
    assert_string_equal(f->body.p, unknown);
    snprintf(path, sizeof(path), "/v1/channels/two/calls/%s", call);
    get(f, 404, path, f->admin);
    assert_string_equal(f->body.p, unknown);
    snprintf(path, sizeof(path), "/v1/channels/two/calls/%s/retry", call);
    post(f, 404, path, f->admin, NULL);
    assert_string_equal(f->body.p, unknown);
    post(f, 404, CALLS "/x/retry", f->admin, NULL);
    assert_string_equal(f->body.p, unknown);
    fake_engine_disable(f->engine, webhook, "by request");
    post(f, 404, path, f->admin, NULL);
    assert_string_equal(f->body.p, unknown);
    /* no call of this event and a disabled webhook of this channel */
    call_id_format(call, 1, fake_engine_newest_webhook(f->engine));
    snprintf(path, sizeof(path), CALLS "/%s/retry", call);
    post(f, 404, path, f->admin, NULL);
    assert_string_equal(f->body.p, unknown);
    free(unknown);
}

static void
a_failed_call_is_retried_by_hand(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], call[ID_TEXT], path[200], retry[210];
    char expected[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    uint64_t number = fake_engine_newest_webhook(f->engine);
    call_of(f, 0, number, call);
    fake_engine_add_attempt(f->engine, fake_engine_event_key(f->engine, 0), number,
                            &refused, CALL_FAILED, 0);
    snprintf(path, sizeof(path), CALLS "/%s", call);
    snprintf(retry, sizeof(retry), "%s/retry", path);
    post(f, 202, retry, f->manage, NULL);
    snprintf(expected, sizeof(expected), "{\"_id\":\"%s\",\"state\":\"waiting\"}",
             call);
    assert_string_equal(f->body.p, expected);
    get(f, 200, path, f->manage);
    is(f, "/state", "\"waiting\"");
    post(f, 202, retry, f->manage, "{}");
    post(f, 400, retry, f->manage, "{\"now\":true}");
    post(f, 400, retry, f->manage, "[]");
    fake_engine_fail(f->engine, E_FULL);
    post(f, 503, retry, f->manage, NULL);
}

static void
what_cannot_be_retried_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    char webhook[ID_TEXT], event[ID_TEXT], call[ID_TEXT], path[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, event);
    call_of(f, 0, fake_engine_newest_webhook(f->engine), call);
    snprintf(path, sizeof(path), CALLS "/%s/retry", call);
    fake_engine_disable(f->engine, webhook, "410 Gone");
    post(f, 409, path, f->manage, NULL);
    has(f, "/detail", "enable it first");
    char own[200];
    snprintf(own, sizeof(own), WEBHOOKS "/%s", webhook);
    del(f, 204, own, f->manage);
    post(f, 409, path, f->manage, NULL);
    has(f, "/detail", "webhook was deleted: there is nowhere to send it");
    get(f, 200, CALLS, f->manage);
    is(f, "/data/0/state", "\"cancelled\"");
}

static void
a_read_that_fails_is_said_so(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {EVENTS, EVENTS "/evt_0000000000000", CALLS,
                                        CALLS "/call_0000000000000_0000000000000"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        fake_engine_fail(f->engine, E_IO);
        get(f, 503, paths[i], f->manage);
        header_is(f, "Retry-After", "5");
        fake_engine_fail(f->engine, E_CLOSED);
        get(f, 503, paths[i], f->manage);
        header_is(f, "Retry-After", "1");
    }
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_call_is_shown_with_its_attempts),
        WITH_SERVER(a_very_long_attempt_log_shows_the_first),
        WITH_SERVER(a_call_of_a_disabled_webhook_is_held_with_its_reason),
        WITH_SERVER(calls_are_filtered),
        WITH_SERVER(calls_come_in_pages_within_an_event),
        WITH_SERVER(an_unknown_call_is_not_found),
        WITH_SERVER(a_failed_call_is_retried_by_hand),
        WITH_SERVER(what_cannot_be_retried_is_a_conflict),
        WITH_SERVER(a_read_that_fails_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
