/* Events in and out. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- in ---- */

static void
the_bytes_of_an_event_are_kept_as_they_came(void **state)
{
    struct fixture *f = *state;
    static const char odd[] =
        "{ \"channel\" : {\"_id\":\"one\"},\t\"x\":[1e400,-0,0.10,1E+2,"
        "12345678901234567890],\"\\u00e9\":\"\\/\xc3\xa9\\u0000\",\n"
        "\"subscription\":{\"_id\":\"S\"},\"notification\":{\"_id\":\"N\"},"
        "\"date\":\"2024-03-04T10:10:40.136Z\",\"type\":\"click\" }";
    char body[2000];
    snprintf(body, sizeof(body), " [ %s\n, %s ] ", odd, CLICK);
    post(f, 202, EVENTS, f->ingest, body);
    assert_int_equal(length_of(f, "/data"), 2);
    assert_int_equal(fake_engine_events(f->engine), 2);
    assert_true(slice_is(fake_engine_body(f->engine, 0), odd));
    assert_true(slice_is(fake_engine_body(f->engine, 1), CLICK));
    char id[ID_TEXT], path[200];
    text_at(f, "/data/0/_id", id, sizeof(id));
    snprintf(path, sizeof(path), EVENTS "/%s", id);
    get(f, 200, path, f->channel_reader);
    is(f, "/payload", odd);
}

static void
one_event_or_an_array_or_lines_are_taken(void **state)
{
    struct fixture *f = *state;
    char expected[400], a[ID_TEXT], b[ID_TEXT];
    post(f, 202, EVENTS, f->ingest, CLICK);
    event_id_format(a, fake_engine_event_key(f->engine, 0));
    snprintf(expected, sizeof(expected), "{\"data\":[{\"_id\":\"%s\"}]}", a);
    assert_string_equal(f->body.p, expected);
    header_is(f, "Content-Type", "application/json");
    post(f, 202, EVENTS, f->manage, "[" CLICK "]");
    ask(f, 202,
        (struct ask){.path = EVENTS,
                     .key = f->admin,
                     .type = "application/x-ndjson; charset=utf-8",
                     .body = CLICK "\n\n" PUSH("delivery", "T") "\r\n"});
    event_id_format(a, fake_engine_event_key(f->engine, 2));
    event_id_format(b, fake_engine_event_key(f->engine, 3));
    snprintf(expected, sizeof(expected),
             "{\"data\":[{\"_id\":\"%s\"},{\"_id\":\"%s\"}]}", a, b);
    assert_string_equal(f->body.p, expected);
    ask(f, 415,
        (struct ask){
            .path = EVENTS, .key = f->ingest, .type = "text/plain", .body = CLICK});
    has(f, "/detail", "application/x-ndjson");
}

static void
events_that_are_not_right_say_which_and_where(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        const char *index; /* NULL = the body as a whole */
        const char *path;
        unsigned status;
    } rows[] = {
        {"", NULL, "", 400},
        {"null", NULL, "", 400},
        {"[]", NULL, "", 400},
        {"\"x\"", NULL, "", 400},
        {"42", NULL, "", 400},
        {"{}", "0", "/type", 400},
        {"[" CLICK ",{}]", "1", "/type", 400},
        {"[" CLICK "," CLICK, NULL, "", 400},
        {CLICK CLICK, "0", "", 400},
        {"[" CLICK ",[]]", "1", "", 400},
        {"[{\"type\":\"click\",\"type\":\"click\"}]", "0", "/type", 400},
        {"[{\"type\":{}}]", "0", "/type", 400},
        {"[{\"type\":\"sent\"}]", "0", "/type", 400},
        {"[" CLICK ",{\"type\":\"click\",\"date\":5,\"subscription\":{\"_id\":\"S\"},"
         "\"notification\":{\"_id\":\"N\"},\"channel\":{\"_id\":\"one\"}}]",
         "1", "/date", 400},
        {"{\"type\":\"click\",\"date\":\"2024-03-04T10:10:40.136Z\",\"subscription\":"
         "{\"_id\":\"S\"},\"notification\":{\"_id\":\"N\"},"
         "\"channel\":{\"_id\":\"two\"}}",
         "0", "/channel/_id", 400},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[100];
        post(f, rows[i].status, EVENTS, f->ingest, rows[i].body);
        snprintf(path, sizeof(path), "\"%s\"", rows[i].path);
        is(f, "/path", path);
        if (rows[i].index)
            is(f, "/index", rows[i].index);
        else
            is_absent(f, "/index");
        header_is(f, "Content-Type", "application/problem+json");
    }
    ask(f, 400,
        (struct ask){.path = EVENTS,
                     .key = f->ingest,
                     .type = "application/x-ndjson",
                     .body = "\n" CLICK "\n{\"type\":1}\n"});
    is(f, "/index", "1");
    is(f, "/path", "\"/type\"");
    assert_int_equal(fake_engine_events(f->engine), 0);
}

static void
too_many_events_are_too_large(void **state)
{
    struct fixture *f = *state;
    struct buf body;
    buf_init(&body, FIXTURE_MAX_REQUEST);
    for (int i = 0; i < FIXTURE_MAX_EVENTS; i++)
        buf_addf(&body, "%c%s", i ? ',' : '[', CLICK);
    buf_adds(&body, "]");
    post(f, 202, EVENTS, f->ingest, body.p);
    assert_int_equal(length_of(f, "/data"), FIXTURE_MAX_EVENTS);
    body.n--;
    buf_adds(&body, "," CLICK "]");
    post(f, 413, EVENTS, f->ingest, body.p);
    is(f, "/status", "413");
    buf_fini(&body);
    assert_int_equal(fake_engine_events(f->engine), FIXTURE_MAX_EVENTS);
}

static void
post_once(struct fixture *f, unsigned status, const char *once, const char *body)
{
    char line[400];
    snprintf(line, sizeof(line), "Idempotency-Key: %s\r\n", once);
    ask(f, status,
        (struct ask){.path = EVENTS, .key = f->ingest, .more = line, .body = body});
}

static void
a_repeated_request_gets_the_same_ids_and_makes_no_event(void **state)
{
    struct fixture *f = *state;
    post_once(f, 202, "k-1", "[" CLICK "," CLICK "]");
    char *first = xstrdup(f->body.p);
    post_once(f, 202, "k-1", "[" CLICK "," CLICK "]");
    assert_string_equal(f->body.p, first);
    assert_int_equal(fake_engine_events(f->engine), 2);
    post_once(f, 409, "k-1", "[" CLICK ", " CLICK "]");
    has(f, "/detail", "Idempotency-Key");
    post_once(f, 202, "k-2", "[" CLICK "," CLICK "]");
    assert_true(strcmp(f->body.p, first) != 0);
    assert_int_equal(fake_engine_events(f->engine), 4);
    free(first);
}

static void
an_idempotency_key_is_visible_ascii(void **state)
{
    struct fixture *f = *state;
    char key[300];
    memset(key, '~', 256);
    key[256] = '\0';
    post_once(f, 400, key, CLICK);
    key[255] = '\0';
    post_once(f, 202, key, CLICK);
    post_once(f, 400, "", CLICK);
    post_once(f, 400, "a b", CLICK);
    post_once(f, 400, "caf\xc3\xa9", CLICK);
    post_once(f, 400, "a\r\nIdempotency-Key: b", CLICK);
    assert_int_equal(fake_engine_events(f->engine), 1);
}

static void
what_the_engine_refuses_is_answered_in_kind(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int result;
        unsigned status;
        const char *retry_after, *detail;
    } rows[] = {
        {E_FULL, 503, "5", "disk full"},
        {E_CLOSED, 503, "1", "shutting down"},
        {E_IO, 503, "5", "store failed"},
        {E_CONFLICT, 409, NULL, "Idempotency-Key"},
        {E_NOT_FOUND, 404, NULL, "no such channel"},
        {E_TOO_LARGE, 413, NULL, "send fewer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_engine_fail(f->engine, rows[i].result);
        post(f, rows[i].status, EVENTS, f->ingest, CLICK);
        has(f, "/detail", rows[i].detail);
        if (rows[i].retry_after)
            header_is(f, "Retry-After", rows[i].retry_after);
        else
            assert_null(header(f, "Retry-After").p);
    }
    assert_int_equal(fake_engine_events(f->engine), 0);
}

/* ---- samples ---- */

static void
a_test_sends_a_sample_to_one_webhook_alone(void **state)
{
    struct fixture *f = *state;
    char first[ID_TEXT], second[ID_TEXT], event[ID_TEXT], path[200];
    add_webhook(f, "{\"url\":\"https://a/\"}", first);
    add_webhook(f, "{\"url\":\"https://b/\",\"events\":[\"click\"]}", second);
    snprintf(path, sizeof(path), WEBHOOKS "/%s/test", second);
    post(f, 202, path, f->manage, NULL);
    text_at(f, "/_id", event, sizeof(event));
    assert_int_equal(fake_engine_calls(f->engine), 1);
    snprintf(path, sizeof(path), EVENTS "/%s", event);
    get(f, 200, path, f->manage);
    is(f, "/type", "\"click\"");
    is(f, "/subscription", "\"SUBSCRIPTION_ID\"");
    is(f, "/payload/channel/_id", "\"one\"");
    is(f, "/payload/date", "\"2024-03-04T09:50:51.375Z\"");
    assert_int_equal(length_of(f, "/calls"), 1);
    snprintf(path, sizeof(path), "\"%s\"", second);
    is(f, "/calls/0/webhook", path);
    is(f, "/calls/0/explain/code", "\"waitingForTurn\"");
    assert_int_equal(length_of(f, "/webhooks"), 1);
    snprintf(path, sizeof(path), "\"%s\"", first);
    is(f, "/webhooks/0/_id", path);
    is(f, "/webhooks/0/url", "\"https://a/\"");
    is(f, "/webhooks/0/code", "\"testOnly\"");
    has(f, "/webhooks/0/text", "test event");
}

static void
a_test_may_choose_any_type(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], path[200], body[100], quoted[100];
    add_webhook(f, "{\"url\":\"https://a/\",\"events\":[\"click\"]}", id);
    for (int type = 0; type < EVENT_TYPES; type++) {
        const char *name = event_type_name((enum event_type)type);
        snprintf(path, sizeof(path), WEBHOOKS "/%s/test", id);
        snprintf(body, sizeof(body), "{\"type\":\"%s\"}", name);
        post(f, 202, path, f->manage, body);
        get(f, 200, EVENTS "?limit=1", f->manage);
        snprintf(quoted, sizeof(quoted), "\"%s\"", name);
        is(f, "/data/0/type", quoted);
        is(f, "/data/0/payload/type", quoted);
    }
    assert_int_equal(fake_engine_calls(f->engine), EVENT_TYPES);
    snprintf(path, sizeof(path), WEBHOOKS "/%s/test", id);
    post(f, 400, path, f->manage, "{\"type\":\"sent\"}");
    is(f, "/path", "\"/type\"");
    has(f, "/detail", "there are optIn, optOut, delivery");
    post(f, 400, path, f->manage, "{\"type\":5}");
    post(f, 400, path, f->manage, "{\"kind\":\"click\"}");
    is(f, "/path", "\"/kind\"");
    post(f, 202, path, f->manage, "{}");
}

static void
a_disabled_webhook_is_not_tested(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], path[200];
    add_webhook(f, "{\"url\":\"https://a/\",\"enabled\":false}", id);
    snprintf(path, sizeof(path), WEBHOOKS "/%s/test", id);
    post(f, 409, path, f->manage, NULL);
    has(f, "/detail", "enable it first");
    post(f, 404, WEBHOOKS "/wh_0000000000000/test", f->manage, NULL);
    assert_int_equal(fake_engine_events(f->engine), 0);
    add_webhook(f, "{\"url\":\"https://a/\"}", id);
    snprintf(path, sizeof(path), WEBHOOKS "/%s/test", id);
    fake_engine_fail(f->engine, E_NOT_FOUND);
    post(f, 404, path, f->manage, NULL);
    has(f, "/detail", "no such webhook");
}

/* ---- events out ---- */

static void
events_are_listed_newest_first_in_pages(void **state)
{
    struct fixture *f = *state;
    char id[3][ID_TEXT], quoted[100], path[200], cursor[100];
    for (int i = 0; i < 3; i++) {
        add_event(f, CLICK, id[i]);
        clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    }
    get(f, 200, EVENTS "?limit=2", f->channel_reader);
    assert_int_equal(length_of(f, "/data"), 2);
    snprintf(quoted, sizeof(quoted), "\"%s\"", id[2]);
    is(f, "/data/0/_id", quoted);
    is(f, "/data/0/type", "\"click\"");
    is(f, "/data/0/subscription", "\"S\"");
    is(f, "/data/0/createdAt", "\"2024-03-04T09:50:53.375Z\"");
    is(f, "/data/0/payload", CLICK);
    is(f, "/searchedTo", "\"2024-03-04T09:50:52.375Z\"");
    is_absent(f, "/data/0/calls");
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), EVENTS "?limit=2&cursor=%s", cursor);
    get(f, 200, path, f->channel_reader);
    assert_int_equal(length_of(f, "/data"), 1);
    snprintf(quoted, sizeof(quoted), "\"%s\"", id[0]);
    is(f, "/data/0/_id", quoted);
    is(f, "/nextCursor", "null");
}

static void
events_are_filtered(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT];
    add_event(f, CLICK, id); /* at …51.375 */
    clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    add_event(f, PUSH("delivery", "T"), id); /* at …52.375 */
    clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    add_event(f, PUSH("click", "T"), id); /* at …53.375 */

    counts(f, EVENTS, 3);
    counts(f, EVENTS "?type=click", 2);
    counts(f, EVENTS "?type=click,delivery", 3);
    counts(f, EVENTS "?type=optIn", 0);
    counts(f, EVENTS "?subscription=T", 2);
    counts(f, EVENTS "?subscription=T&type=click", 1);
    counts(f, EVENTS "?notification=N", 3);
    counts(f, EVENTS "?notification=N&type=delivery", 1);
    counts(f, EVENTS "?notification=S", 0);
    counts(f, EVENTS "?since=2024-03-04T09:50:52.375Z", 2);
    counts(f, EVENTS "?since=2024-03-04T09:50:52.376Z", 1);
    counts(f, EVENTS "?until=2024-03-04T09:50:52.375Z", 1);
    counts(f, EVENTS "?until=2024-03-04T10:50:52.376%2B01:00", 2);
    counts(f, EVENTS "?since=2024-03-04T09:50:52Z&until=2024-03-04T09:50:53Z", 1);
    counts(f, EVENTS "?since=2024-03-04T09:50:53Z&until=2024-03-04T09:50:52Z", 0);
    counts(f, EVENTS "?since=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", 3);
    counts(f, EVENTS "?since=9999-12-31T23:59:59Z", 0);
    counts(f, EVENTS "?until=2024-03-04T09:50:51.375Z", 0);
    counts(f, EVENTS "?since=2024-03-04T09:50:51.375Z", 3);
    counts(f, EVENTS "?until=1999-12-31T23:59:59Z", 0);
    counts(f, EVENTS "?since=1969-12-31T23:59:59Z", 3);
    counts(f, EVENTS "?since=0004-02-29T00:00:00%2B01:00", 3);
    counts(f, EVENTS "?until=1969-12-31T23:59:59Z", 0);
    is(f, "/nextCursor", "null");
    get(f, 400, EVENTS "?since=1900-02-29T00:00:00Z", f->manage);
    get(f, 400, EVENTS "?since=1969-12-31", f->manage);
    assert_null(strstr(f->body.p, "%2B"));
    get(f, 400, EVENTS "?since=2024-03-04T10:50:52+01:00", f->manage);
    has(f, "/detail", "write it as %2B");
    get(f, 400, EVENTS "?until=1968-03-04T10:50:52+01:00", f->manage);
    has(f, "/detail", "write it as %2B");
}

static void
a_cursor_and_until_narrow_each_other(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], cursor[100], path[200];
    for (int i = 0; i < 4; i++) {
        add_event(f, CLICK, id);
        clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    }
    get(f, 200, EVENTS "?limit=2", f->manage);
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), EVENTS "?cursor=%s&until=2024-03-04T09:50:52Z",
             cursor);
    counts(f, path, 1);
    snprintf(path, sizeof(path), EVENTS "?cursor=%s&until=2024-03-04T09:59:59Z",
             cursor);
    counts(f, path, 2);
}

static void
a_page_of_large_events_ends_early(void **state)
{
    struct fixture *f = *state;
    struct buf body;
    char cursor[100], path[200], id[ID_TEXT];
    buf_init(&body, FIXTURE_MAX_REQUEST);
    buf_addf(&body, "{\"pad\":\"%060000d\",%s", 0, &CLICK[1]);
    for (int i = 0; i < 100; i++)
        add_event(f, body.p, id);
    buf_fini(&body);

    size_t seen = 0, pages = 0;
    snprintf(path, sizeof(path), EVENTS "?limit=200");
    for (;;) {
        get(f, 200, path, f->manage);
        assert_true(f->body.n < (size_t)5 << 20);
        seen += length_of(f, "/data");
        pages++;
        if (slice_is(at(f, "/nextCursor"), "null"))
            break;
        text_at(f, "/nextCursor", cursor, sizeof(cursor));
        snprintf(path, sizeof(path), EVENTS "?limit=200&cursor=%s", cursor);
    }
    assert_int_equal(seen, 100);
    assert_int_equal(pages, 2);
}

static void
an_unknown_event_is_not_found(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], path[200];
    post(f, 202, "/v1/channels/two/events", f->admin,
         "{\"type\":\"click\",\"date\":\"2024-03-04T10:10:40.136Z\",\"subscription\":"
         "{\"_id\":\"S\"},\"notification\":{\"_id\":\"N\"},"
         "\"channel\":{\"_id\":\"two\"}}");
    text_at(f, "/data/0/_id", id, sizeof(id));
    get(f, 404, EVENTS "/evt_0000000000000", f->manage);
    char *unknown = xstrdup(f->body.p);
    snprintf(path, sizeof(path), EVENTS "/%s", id);
    get(f, 404, path, f->manage); /* another channel's */
    assert_string_equal(f->body.p, unknown);
    get(f, 404, EVENTS "/evt_0", f->manage);
    assert_string_equal(f->body.p, unknown);
    get(f, 404, EVENTS "/x", f->manage);
    assert_string_equal(f->body.p, unknown);
    free(unknown);
    counts(f, EVENTS, 0);
}

static void
an_event_with_very_many_calls_shows_the_first(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], path[200], webhook[ID_TEXT];
    struct attempt_record attempt = {.verdict = VERDICT_TEMPORARY, .status = 503};
    char reason[30000];
    memset(reason, '"', sizeof(reason)); /* doubled by its escapes */
    attempt.reason = (struct slice){reason, sizeof(reason)};
    for (int i = 0; i < 100; i++)
        add_webhook(f, "{\"url\":\"https://a/\"}", webhook);
    add_event(f, CLICK, id);
    snprintf(path, sizeof(path), EVENTS "/%s", id);
    get(f, 200, path, f->manage);
    assert_int_equal(length_of(f, "/calls"), 100);
    is_absent(f, "/callsTruncated");
    uint64_t key = fake_engine_event_key(f->engine, 0);
    for (uint64_t i = 1; i <= 100; i++)
        fake_engine_add_attempt(f->engine, key, i, &attempt, CALL_WAITING, 0);
    get(f, 200, path, f->manage);
    size_t shown = length_of(f, "/calls");
    assert_true(shown > 50 && shown < 100);
    is(f, "/callsTruncated", "true");
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(the_bytes_of_an_event_are_kept_as_they_came),
        WITH_SERVER(one_event_or_an_array_or_lines_are_taken),
        WITH_SERVER(events_that_are_not_right_say_which_and_where),
        WITH_SERVER(too_many_events_are_too_large),
        WITH_SERVER(a_repeated_request_gets_the_same_ids_and_makes_no_event),
        WITH_SERVER(an_idempotency_key_is_visible_ascii),
        WITH_SERVER(what_the_engine_refuses_is_answered_in_kind),
        WITH_SERVER(a_test_sends_a_sample_to_one_webhook_alone),
        WITH_SERVER(a_test_may_choose_any_type),
        WITH_SERVER(a_disabled_webhook_is_not_tested),
        WITH_SERVER(events_are_listed_newest_first_in_pages),
        WITH_SERVER(events_are_filtered),
        WITH_SERVER(a_cursor_and_until_narrow_each_other),
        WITH_SERVER(a_page_of_large_events_ends_early),
        WITH_SERVER(an_unknown_event_is_not_found),
        WITH_SERVER(an_event_with_very_many_calls_shows_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
