/* Webhooks. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static void
make_webhook(struct fixture *f, const char *body, char path[200])
{
    char id[100];
    post(f, 201, WEBHOOKS, f->manage, body);
    text_at(f, "/_id", id, sizeof(id));
    snprintf(path, 200, WEBHOOKS "/%s", id);
}

static void
a_webhook_is_made_with_defaults(void **state)
{
    struct fixture *f = *state;
    char secret[200], path[200];
    make_webhook(f, "{\"url\":\"https://example.com/hook\"}", path);
    is(f, "/channel", "\"one\"");
    is(f, "/url", "\"https://example.com/hook\"");
    is(f, "/events",
       "[\"optIn\",\"optOut\",\"delivery\",\"click\",\"updateTopics\",\"topicAdded\","
       "\"attributeUpdate\"]");
    is(f, "/description", "null");
    is(f, "/headers", "{}");
    is(f, "/enabled", "true");
    is(f, "/disabledReason", "null");
    is(f, "/retry",
       "{\"maxRetries\":8,\"initialDelay\":120,\"factor\":2,\"maxDelay\":86400}");
    is(f, "/createdAt", "\"2024-03-04T09:50:51.375Z\"");
    is(f, "/updatedAt", "\"2024-03-04T09:50:51.375Z\"");
    text_at(f, "/secret", secret, sizeof(secret));
    assert_int_equal(strncmp(secret, "whsec_", 6), 0);
    get(f, 200, path, f->manage);
    is_absent(f, "/secret");
}

static void
a_webhook_is_made_as_told(void **state)
{
    struct fixture *f = *state;
    char path[200];
    make_webhook(f,
                 "{\"url\":\"https://a/\",\"events\":[\"click\",\"optOut\",\"click\"],"
                 "\"description\":\"d\",\"headers\":{\"X-A\":\"1\",\"x-b\":\"\"},"
                 "\"secret\":\"" SECRET "\",\"enabled\":false,"
                 "\"retry\":{\"maxRetries\":0,\"initialDelay\":1.5,\"factor\":1,"
                 "\"maxDelay\":604800}}",
                 path);
    is(f, "/secret", "\"" SECRET "\"");
    is(f, "/events", "[\"optOut\",\"click\"]");
    is(f, "/description", "\"d\"");
    is(f, "/headers", "{\"X-A\":\"1\",\"x-b\":\"\"}");
    is(f, "/enabled", "false");
    is(f, "/disabledReason", "\"by request\"");
    is(f, "/retry",
       "{\"maxRetries\":0,\"initialDelay\":1.5,\"factor\":1,\"maxDelay\":604800}");
}

static void
secrets_are_for_those_who_manage(void **state)
{
    struct fixture *f = *state;
    char path[200], secret[210];
    make_webhook(f, "{\"url\":\"https://a/\",\"secret\":\"" SECRET "\"}", path);
    snprintf(secret, sizeof(secret), "%s/secret", path);
    get(f, 200, secret, f->manage);
    assert_string_equal(f->body.p, "{\"secret\":\"" SECRET "\"}");
    get(f, 200, secret, f->admin);
    get(f, 403, secret, f->reader);
    get(f, 403, secret, f->channel_reader);
    get(f, 403, secret, f->ingest);
    get(f, 200, path, f->channel_reader);
    assert_null(strstr(f->body.p, "whsec_"));
}

static void
a_webhook_that_is_not_right_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf headers, url;
    buf_init(&headers, 10000);
    buf_adds(&headers, "{\"url\":\"https://a/\",\"headers\":{");
    for (int i = 0; i < WEBHOOK_HEADERS_MAX + 1; i++)
        buf_addf(&headers, "%s\"X-%d\":\"\"", i ? "," : "", i);
    buf_adds(&headers, "}}");
    buf_init(&url, 10000);
    buf_addf(&url, "{\"url\":\"https://a/%02050d\"}", 0);
#define BUT(member) "{\"url\":\"https://a/\"," member "}"
    const struct refusal rows[] = {
        {"{}", "/url", "is missing"},
        {"{\"url\":{}}", "/url", "must be a string, not an object"},
        {"{\"url\":\"\"}", "/url", "must not be empty"},
        {"{\"url\":\"http://a/\"}", "/url", "must begin with https://"},
        {"{\"url\":\"https://a\\u0000/\"}", "/url", "U+0000"},
        {url.p, "/url", "at most 2048 bytes"},
        {BUT("\"events\":-1"), "/events", "must be an array of event names"},
        {BUT("\"events\":{}"), "/events", "must be an array"},
        {BUT("\"events\":[]"), "/events", "at least one"},
        {BUT("\"events\":[\"click\",\"sent\"]"), "/events/1",
         "optIn, optOut, delivery, click, updateTopics, topicAdded, attributeUpdate"},
        {BUT("\"events\":[1]"), "/events/0", "must be a string"},
        {BUT("\"description\":1"), "/description", "must be a string"},
        {BUT("\"headers\":[]"), "/headers", "must be an object of strings"},
        {BUT("\"headers\":{\"Host\":\"a\"}"), "/headers/Host", "reserved"},
        {BUT("\"headers\":{\"webhook-id\":\"a\"}"), "/headers/webhook-id", "reserved"},
        {BUT("\"headers\":{\"X-A\":5}"), "/headers/X-A", "must be a string"},
        {BUT("\"headers\":{\"X-A\":\"a\\r\\nB: c\"}"), "/headers/X-A", ""},
        {BUT("\"headers\":{\"X-A\":\"a\\u0000\"}"), "/headers/X-A", "U+0000"},
        {BUT("\"headers\":{\"X A\":\"a\"}"), "/headers/X A", ""},
        {BUT("\"headers\":{\"\":\"a\"}"), "/headers/", ""},
        {BUT("\"headers\":{\"a/b\":\"a\"}"), "/headers/a~1b", ""},
        {BUT("\"headers\":{\"X-A\":\"1\",\"x-a\":\"2\"}"), "/headers/x-a", "twice"},
        {headers.p, "/headers", "at most 20 headers"},
        {BUT("\"secret\":null"), "/secret", "must be a string"},
        {BUT("\"secret\":\"whsec_AAAA\""), "/secret", "at least 24 bytes"},
        {BUT("\"secret\":\"hunter2\""), "/secret", "whsec_"},
        {BUT("\"enabled\":1"), "/enabled", "must be true or false, not a number"},
        {BUT("\"enabled\":\"true\""), "/enabled", "must be true or false"},
        {BUT("\"retry\":5"), "/retry", "must be an object"},
        {BUT("\"retry\":{\"retries\":5}"), "/retry/retries",
         "there are maxRetries, initialDelay, factor, maxDelay"},
        {BUT("\"retry\":{\"maxRetries\":21}"), "/retry/maxRetries", "from 0 to 20"},
        {BUT("\"retry\":{\"maxRetries\":-1}"), "/retry/maxRetries", "from 0 to 20"},
        {BUT("\"retry\":{\"maxRetries\":1.5}"), "/retry/maxRetries", "whole number"},
        {BUT("\"retry\":{\"maxRetries\":1e99}"), "/retry/maxRetries", "whole number"},
        {BUT("\"retry\":{\"maxRetries\":\"8\"}"), "/retry/maxRetries",
         "must be a number, not a string"},
        {BUT("\"retry\":{\"initialDelay\":0.5}"), "/retry/initialDelay",
         "from 1 to 86400"},
        {BUT("\"retry\":{\"initialDelay\":86401}"), "/retry/initialDelay", "86400"},
        {BUT("\"retry\":{\"factor\":0.99}"), "/retry/factor", "from 1 to 10"},
        {BUT("\"retry\":{\"factor\":1e400}"), "/retry/factor", "from 1 to 10"},
        {BUT("\"retry\":{\"maxDelay\":604801}"), "/retry/maxDelay", "604800"},
        {BUT("\"retry\":{\"maxDelay\":119}"), "/retry/maxDelay",
         "at least initialDelay, which is 120"},
        {BUT("\"_id\":\"wh_1\""), "/_id", "unknown member"},
    };
    refuse_all(f, "POST", WEBHOOKS, rows, ARRAY_LEN(rows));
    buf_fini(&headers);
    buf_fini(&url);
    get(f, 200, WEBHOOKS, f->manage);
    assert_int_equal(length_of(f, "/data"), 0);
    char path[200];
    make_webhook(f, "{\"url\":\"https://a/\"}", path);
    static const struct refusal changes[] = {
        {"{\"url\":null}", "/url", "must be a string"},
        {"{\"events\":[]}", "/events", "at least one"},
        {"{\"disabledReason\":null}", "/disabledReason", "unknown member"},
    };
    refuse_all(f, "PATCH", path, changes, ARRAY_LEN(changes));
}

static void
a_webhook_is_changed_member_by_member(void **state)
{
    struct fixture *f = *state;
    char path[200], secret[210];
    make_webhook(f,
                 "{\"url\":\"https://a/\",\"events\":[\"click\"],\"description\":\"d\","
                 "\"headers\":{\"X-A\":\"1\"},\"retry\":{\"maxRetries\":3}}",
                 path);
    clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    patch(f, 200, path, f->manage, "{\"url\":\"https://b/\"}");
    is(f, "/url", "\"https://b/\"");
    is(f, "/events", "[\"click\"]");
    is(f, "/description", "\"d\"");
    is(f, "/headers", "{\"X-A\":\"1\"}");
    is(f, "/retry/maxRetries", "3");
    is(f, "/createdAt", "\"2024-03-04T09:50:51.375Z\"");
    is(f, "/updatedAt", "\"2024-03-04T09:50:52.375Z\"");
    is_absent(f, "/secret");
    patch(f, 200, path, f->manage, "{\"headers\":{\"X-B\":\"2\"}}");
    is(f, "/headers", "{\"X-B\":\"2\"}");
    patch(f, 200, path, f->manage, "{\"description\":null,\"events\":[\"optIn\"]}");
    is(f, "/description", "null");
    is(f, "/events", "[\"optIn\"]");
    patch(f, 200, path, f->manage, "{\"events\":null}");
    assert_int_equal(length_of(f, "/events"), EVENT_TYPES);
    patch(f, 200, path, f->manage, "{\"secret\":\"" SECRET "\"}");
    snprintf(secret, sizeof(secret), "%s/secret", path);
    get(f, 200, secret, f->manage);
    is(f, "/secret", "\"" SECRET "\"");
    patch(f, 200, path, f->manage, "{}");
    is(f, "/url", "\"https://b/\"");
}

static void
a_retry_policy_is_changed_member_by_member(void **state)
{
    struct fixture *f = *state;
    char path[200];
    make_webhook(f,
                 "{\"url\":\"https://a/\",\"retry\":{\"maxRetries\":3,"
                 "\"initialDelay\":7,\"maxDelay\":70}}",
                 path);
    patch(f, 200, path, f->manage, "{\"retry\":{\"factor\":3}}");
    is(f, "/retry",
       "{\"maxRetries\":3,\"initialDelay\":7,\"factor\":3,\"maxDelay\":70}");
    patch(f, 200, path, f->manage, "{\"retry\":{}}");
    patch(f, 200, path, f->manage,
          "{\"retry\":{\"maxRetries\":0,\"initialDelay\":70}}");
    is(f, "/retry",
       "{\"maxRetries\":0,\"initialDelay\":70,\"factor\":3,\"maxDelay\":70}");
    /* each is fine, and together they are not */
    patch(f, 400, path, f->manage,
          "{\"url\":\"https://b/\","
          "\"retry\":{\"initialDelay\":71}}");
    is(f, "/path", "\"/retry/maxDelay\"");
    has(f, "/detail", "at least initialDelay, which is 71: it is 70");
    get(f, 200, path, f->manage);
    is(f, "/url", "\"https://a/\"");
    is(f, "/retry/initialDelay", "70");
    patch(f, 200, path, f->manage, "{\"retry\":null}");
    is(f, "/retry",
       "{\"maxRetries\":8,\"initialDelay\":120,\"factor\":2,\"maxDelay\":86400}");
}

static void
no_list_of_events_is_all_of_them(void **state)
{
    struct fixture *f = *state;
    post(f, 201, WEBHOOKS, f->manage, "{\"url\":\"https://a/\",\"events\":null}");
    assert_int_equal(length_of(f, "/events"), EVENT_TYPES);
}

static void
a_webhook_is_disabled_and_enabled(void **state)
{
    struct fixture *f = *state;
    char path[200];
    make_webhook(f, "{\"url\":\"https://a/\"}", path);
    patch(f, 200, path, f->manage, "{\"enabled\":false}");
    is(f, "/enabled", "false");
    is(f, "/disabledReason", "\"by request\"");
    patch(f, 200, path, f->manage, "{\"enabled\":true}");
    is(f, "/enabled", "true");
    is(f, "/disabledReason", "null");
    /* disabled by its receiver: asking again does not change why */
    fake_engine_disable(f->engine, strrchr(path, '/') + 1, "410 Gone");
    patch(f, 200, path, f->manage, "{\"enabled\":false,\"url\":\"https://b/\"}");
    is(f, "/disabledReason", "\"410 Gone\"");
    patch(f, 200, path, f->manage, "{\"url\":\"https://c/\"}");
    is(f, "/enabled", "false");
    is(f, "/disabledReason", "\"410 Gone\"");
}

static void
disable_meanwhile(struct engine *engine, void *ctx)
{
    fake_engine_disable(engine, ctx, "410 Gone");
}

static void
a_change_never_undoes_one_that_came_first(void **state)
{
    struct fixture *f = *state;
    char path[200];
    make_webhook(f, "{\"url\":\"https://a/\"}", path);
    fake_engine_stale(f->engine, disable_meanwhile, strrchr(path, '/') + 1);
    patch(f, 200, path, f->manage, "{\"description\":\"d\"}");
    is(f, "/description", "\"d\"");
    is(f, "/enabled", "false");
    is(f, "/disabledReason", "\"410 Gone\"");
}

static void
a_deleted_webhook_is_unknown(void **state)
{
    struct fixture *f = *state;
    char path[200];
    make_webhook(f, "{\"url\":\"https://a/\"}", path);
    del(f, 204, path, f->manage);
    del(f, 404, path, f->manage);
    get(f, 404, path, f->manage);
    patch(f, 404, path, f->manage, "{}");
    get(f, 200, WEBHOOKS, f->manage);
    assert_int_equal(length_of(f, "/data"), 0);
}

static void
another_channels_webhook_is_unknown(void **state)
{
    struct fixture *f = *state;
    char id[100], path[200], secret[210];
    post(f, 201, "/v1/channels/two/webhooks", f->admin, "{\"url\":\"https://a/\"}");
    text_at(f, "/_id", id, sizeof(id));
    get(f, 404, WEBHOOKS "/wh_0000000000000", f->manage);
    char *unknown = xstrdup(f->body.p);
    snprintf(path, sizeof(path), WEBHOOKS "/%s", id);
    get(f, 404, path, f->manage);
    assert_string_equal(f->body.p, unknown);
    snprintf(secret, sizeof(secret), "%s/secret", path);
    get(f, 404, secret, f->admin);
    assert_string_equal(f->body.p, unknown);
    patch(f, 404, path, f->admin, "{\"enabled\":false}");
    assert_string_equal(f->body.p, unknown);
    del(f, 404, path, f->admin);
    assert_string_equal(f->body.p, unknown);
    free(unknown);
}

static void
webhooks_come_in_pages(void **state)
{
    struct fixture *f = *state;
    char cursor[100], path[300], body[100];
    for (int i = 0; i < 5; i++) {
        snprintf(body, sizeof(body), "{\"url\":\"https://a/%d\"}", i);
        post(f, 201, i == 2 ? "/v1/channels/two/webhooks" : WEBHOOKS, f->admin, body);
    }
    get(f, 200, WEBHOOKS "?limit=3", f->channel_reader);
    assert_int_equal(length_of(f, "/data"), 3);
    is(f, "/data/2/url", "\"https://a/3\"");
    is_absent(f, "/data/0/secret");
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), WEBHOOKS "?cursor=%s", cursor);
    get(f, 200, path, f->channel_reader);
    assert_int_equal(length_of(f, "/data"), 1);
    is(f, "/data/0/url", "\"https://a/4\"");
    is(f, "/nextCursor", "null");
}

static void
a_page_of_large_webhooks_ends_early(void **state)
{
    struct fixture *f = *state;
    struct buf body;
    char cursor[100], path[300];
    buf_init(&body, 200000);
    buf_adds(&body, "{\"url\":\"https://a/\",\"headers\":{");
    for (int i = 0; i < WEBHOOK_HEADERS_MAX; i++)
        buf_addf(&body, "%s\"X-%d\":\"%04000d\"", i ? "," : "", i, 0);
    buf_adds(&body, "}}");
    for (int i = 0; i < 60; i++)
        post(f, 201, WEBHOOKS, f->manage, body.p);
    buf_fini(&body);

    size_t seen = 0, pages = 0;
    snprintf(path, sizeof(path), WEBHOOKS "?limit=200");
    for (;;) {
        get(f, 200, path, f->manage);
        assert_true(f->body.n < (size_t)5 << 20);
        seen += length_of(f, "/data");
        pages++;
        if (slice_is(at(f, "/nextCursor"), "null"))
            break;
        text_at(f, "/nextCursor", cursor, sizeof(cursor));
        snprintf(path, sizeof(path), WEBHOOKS "?limit=200&cursor=%s", cursor);
    }
    assert_int_equal(seen, 60);
    assert_int_equal(pages, 2);
}

static void
a_secret_is_rotated_and_the_old_ones_show_their_end(void **state)
{
    struct fixture *f = *state;
    char path[200], secret[210], rotate[220];
    make_webhook(f, "{\"url\":\"https://a/\",\"secret\":\"" SECRET "\"}", path);
    is(f, "/keyType", "\"hmac\"");
    is_absent(f, "/publicKey");
    snprintf(secret, sizeof(secret), "%s/secret", path);
    snprintf(rotate, sizeof(rotate), "%s/secret/rotate", path);

    post(f, 200, rotate, f->manage, "");
    is_absent(f, "/keyType");
    is(f, "/old/0/keyType", "\"hmac\"");
    is(f, "/old/0/expiresAt", "\"2024-03-05T09:50:51.375Z\"");
    is_absent(f, "/old/0/secret");
    is_absent(f, "/old/1");
    assert_null(strstr(f->body.p, SECRET));

    post(f, 200, rotate, f->manage, "{\"keyType\":\"ed25519\",\"overlap\":3600}");
    is(f, "/keyType", "\"ed25519\"");
    is(f, "/old/0/expiresAt", "\"2024-03-04T10:50:51.375Z\"");
    is(f, "/old/1/expiresAt", "\"2024-03-04T10:50:51.375Z\"");
    post(f, 200, rotate, f->manage,
         "{\"secret\":\"whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\","
         "\"overlap\":0}");
    is(f, "/publicKey", "\"whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"");
    is_absent(f, "/old");
    get(f, 200, path, f->reader);
    is(f, "/keyType", "\"ed25519\"");
    is(f, "/publicKey", "\"whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"");

    /* The next is of the same type, if nothing else is said. */
    post(f, 200, rotate, f->manage, "{}");
    is(f, "/keyType", "\"ed25519\"");
    is(f, "/old/0/publicKey", "\"whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"");
    patch(f, 200, path, f->manage, "{\"secret\":\"" SECRET "\"}");
    get(f, 200, secret, f->manage);
    assert_string_equal(f->body.p, "{\"secret\":\"" SECRET "\"}");
}

static void
a_rotation_that_is_wrong_is_refused_where_it_is_wrong(void **state)
{
    struct fixture *f = *state;
    char path[200], rotate[220];
    make_webhook(f, "{\"url\":\"https://a/\"}", path);
    snprintf(rotate, sizeof(rotate), "%s/secret/rotate", path);
    static const struct refusal rows[] = {
        {"{\"overlap\":-1}", "/overlap", "from 0 to 604800"},
        {"{\"overlap\":604801}", "/overlap", "from 0 to 604800"},
        {"{\"overlap\":\"24h\"}", "/overlap", "a number"},
        {"{\"keyType\":\"rsa\"}", "/keyType", "hmac or ed25519"},
        {"{\"secret\":\"hunter2\"}", "/secret", "whsec_"},
        {"{\"secret\":\"" SECRET "\",\"keyType\":\"ed25519\"}", "/keyType", "hmac"},
        {"{\"until\":1}", "/until", "unknown member"},
    };
    refuse_all(f, "POST", rotate, rows, ARRAY_LEN(rows));
    assert_null(strstr(f->body.p, "hunter2"));
    post(f, 403, rotate, f->channel_reader, "{}");
    post(f, 404, WEBHOOKS "/wh_00000000000zz/secret/rotate", f->manage, "{}");
    patch(f, 400, path, f->manage, "{\"keyType\":\"ed25519\"}");
    for (int i = 1; i < 10; i++)
        post(f, 200, rotate, f->manage, "{}");
    post(f, 409, rotate, f->manage, "{}");
    post(f, 200, rotate, f->manage, "{\"overlap\":0}");
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_webhook_is_made_with_defaults),
        WITH_SERVER(a_webhook_is_made_as_told),
        WITH_SERVER(secrets_are_for_those_who_manage),
        WITH_SERVER(a_secret_is_rotated_and_the_old_ones_show_their_end),
        WITH_SERVER(a_rotation_that_is_wrong_is_refused_where_it_is_wrong),
        WITH_SERVER(a_webhook_that_is_not_right_is_refused),
        WITH_SERVER(a_webhook_is_changed_member_by_member),
        WITH_SERVER(a_retry_policy_is_changed_member_by_member),
        WITH_SERVER(no_list_of_events_is_all_of_them),
        WITH_SERVER(a_webhook_is_disabled_and_enabled),
        WITH_SERVER(a_change_never_undoes_one_that_came_first),
        WITH_SERVER(a_deleted_webhook_is_unknown),
        WITH_SERVER(another_channels_webhook_is_unknown),
        WITH_SERVER(webhooks_come_in_pages),
        WITH_SERVER(a_page_of_large_webhooks_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
