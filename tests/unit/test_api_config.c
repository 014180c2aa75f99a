/* Channels and keys, and bodies that nothing takes. */
#include "api_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- JSON that no resource takes ---- */

static void
a_body_that_is_not_an_object_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct refusal rows[] = {
        {"", "", "not valid JSON at byte 0"},
        {"   ", "", "not valid JSON"},
        {"null", "", "must be an object, not null"},
        {"[]", "", "must be an object, not an array"},
        {"\"x\"", "", "must be an object, not a string"},
        {"42", "", "must be an object, not a number"},
        {"{", "", "not valid JSON"},
        {"{}{}", "", "not valid JSON at byte 2"},
        {"{} x", "", "not valid JSON"},
        {"{\"name\":\"n\",}", "", "not valid JSON"},
        {"{'name':'n'}", "", "not valid JSON"},
        {"//\n{}", "", "not valid JSON"},
        {"{\"name\":NaN}", "/name", "not valid JSON"},
        {"\xef\xbb\xbf{}", "", "not valid JSON"},
        {"{\"name\":\"\\ud800\"}", "/name", "not valid JSON"},
        {"{\"name\":\"\xff\"}", "/name", "invalid UTF-8"},
        {"{\"name\":\"n\",\"name\":\"n\"}", "/name", "duplicate"},
        {"{\"name\":\"n\",\"n\\u0061me\":\"n\"}", "/name", "duplicate"},
    };
    refuse_all(f, "POST", "/v1/channels", rows, ARRAY_LEN(rows));
}

static void
a_body_that_is_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char body[] =
        "{\"url\":\"https://a/\",\"events\":[\"click\"],\"retry\":{\"factor\":1.5e0}}";
    for (size_t n = 1; n < sizeof(body) - 1; n++)
        ask(f, 400,
            (struct ask){
                .path = WEBHOOKS, .key = f->manage, .body = body, .body_n = n});
    post(f, 201, WEBHOOKS, f->manage, body);
}

static void
a_body_that_is_nested_too_deeply_is_refused(void **state)
{
    struct fixture *f = *state;
    char *deep = xmalloc(100001);
    memset(deep, '[', 100000);
    deep[100000] = '\0';
    post(f, 400, "/v1/channels", f->admin, deep);
    free(deep);
}

/* ---- channels ---- */

static void
a_channel_is_made_shown_renamed_and_deleted(void **state)
{
    struct fixture *f = *state;
    post(f, 201, "/v1/channels", f->admin,
         "{\"_id\":\"shop.1_a-B\",\"name\":\"Shop\"}");
    assert_string_equal(f->body.p, "{\"_id\":\"shop.1_a-B\",\"name\":\"Shop\","
                                   "\"createdAt\":\"2024-03-04T09:50:51.375Z\","
                                   "\"updatedAt\":\"2024-03-04T09:50:51.375Z\","
                                   "\"trialEndsAt\":null,\"trialEnded\":false}");
    clock_manual_advance(fake_engine_clock(f->engine), 1000000);
    patch(f, 200, "/v1/channels/shop.1_a-B", f->admin,
          "{\"name\":\"Läden \\\"2\\\"\"}");
    is(f, "/name", "\"Läden \\\"2\\\"\"");
    is(f, "/createdAt", "\"2024-03-04T09:50:51.375Z\"");
    is(f, "/updatedAt", "\"2024-03-04T09:50:52.375Z\"");
    patch(f, 200, "/v1/channels/shop.1_a-B", f->admin, "{}");
    get(f, 200, "/v1/channels/shop.1_a-B", f->reader);
    is(f, "/name", "\"Läden \\\"2\\\"\"");
    del(f, 204, "/v1/channels/shop.1_a-B", f->admin);
    assert_int_equal(f->body.n, 0);
    get(f, 404, "/v1/channels/shop.1_a-B", f->admin);
    del(f, 404, "/v1/channels/shop.1_a-B", f->admin);
}

static void
a_trial_ends_after_thirty_days_or_when_it_is_said(void **state)
{
    struct fixture *f = *state;
    const char *path = "/v1/channels/try";
    post(f, 201, "/v1/channels", f->admin,
         "{\"_id\":\"try\",\"name\":\"n\",\"trial\":true}");
    is(f, "/trialEndsAt", "\"2024-04-03T09:50:51.375Z\"");
    is(f, "/trialEnded", "false");
    patch(f, 200, path, f->admin, "{\"trialEndsAt\":\"2024-03-04T09:50:51.375Z\"}");
    is(f, "/trialEnded", "true");
    patch(f, 200, path, f->admin, "{\"name\":\"m\"}");
    is(f, "/trialEndsAt", "\"2024-03-04T09:50:51.375Z\"");
    patch(f, 200, path, f->admin, "{\"trialEndsAt\":null}");
    is(f, "/trialEndsAt", "null");
    is(f, "/trialEnded", "false");
    patch(f, 200, path, f->admin, "{\"trial\":true}");
    patch(f, 200, path, f->admin, "{\"trial\":false}");
    is(f, "/trialEndsAt", "null");
    patch(f, 400, path, f->admin, "{\"trial\":true,\"trialEndsAt\":null}");
    is(f, "/path", "\"/trialEndsAt\"");
    patch(f, 400, path, f->admin, "{\"trialEndsAt\":\"tomorrow\"}");
    patch(f, 404, path, f->manage, "{\"trial\":false}"); /* another channel's */
}

static void
a_channel_without_an_id_gets_one(void **state)
{
    struct fixture *f = *state;
    char id[100], path[200];
    post(f, 201, "/v1/channels", f->admin, "{\"name\":\"n\"}");
    text_at(f, "/_id", id, sizeof(id));
    assert_int_equal(strlen(id), ID_MADE);
    snprintf(path, sizeof(path), "/v1/channels/%s", id);
    get(f, 200, path, f->admin);
}

static void
a_channel_id_that_is_taken_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    post(f, 409, "/v1/channels", f->admin, "{\"_id\":\"one\",\"name\":\"n\"}");
    has(f, "/detail", "one");
    is(f, "/title", "\"Conflict\"");
}

static void
a_channel_that_is_not_right_is_refused(void **state)
{
    struct fixture *f = *state;
    static char long_name[300], long_id[200];
    snprintf(long_name, sizeof(long_name), "{\"name\":\"%0201d\"}", 0);
    snprintf(long_id, sizeof(long_id), "{\"name\":\"n\",\"_id\":\"%065d\"}", 0);
    const struct refusal rows[] = {
        {"{}", "/name", "is missing"},
        {"{\"_id\":\"x\"}", "/name", "is missing"},
        {"{\"name\":\"\"}", "/name", "must not be empty"},
        {"{\"name\":null}", "/name", "must be a string, not null"},
        {"{\"name\":5}", "/name", "must be a string, not a number"},
        {"{\"name\":{}}", "/name", "must be a string, not an object"},
        {"{\"name\":\"a\\u0000b\"}", "/name", "U+0000"},
        {long_name, "/name", "at most 200 bytes"},
        {"{\"name\":\"n\",\"_id\":7}", "/_id", "must be a string"},
        {"{\"name\":\"n\",\"_id\":\"\"}", "/_id", "empty"},
        {"{\"name\":\"n\",\"_id\":\"a b\"}", "/_id", "characters"},
        {"{\"name\":\"n\",\"_id\":\"a/b\"}", "/_id", "characters"},
        {"{\"name\":\"n\",\"_id\":\"..\"}", "/_id", "must not be"},
        {"{\"name\":\"n\",\"_id\":\".\"}", "/_id", "must not be"},
        {long_id, "/_id", "at most 64"},
        {"{\"name\":\"n\",\"nmae\":1}", "/nmae",
         "there are name, trial, trialEndsAt, _id"},
        {"{\"name\":\"n\",\"a/b~c\":1}", "/a~1b~0c", "unknown member"},
        {"{\"name\":\"n\",\"\":1}", "/", "unknown member"},
    };
    refuse_all(f, "POST", "/v1/channels", rows, ARRAY_LEN(rows));
    static const struct refusal changes[] = {
        {"{\"_id\":\"x\"}", "/_id", "there are name"},
        {"{\"name\":7}", "/name", "must be a string"},
        {"[]", "", "must be an object"},
    };
    refuse_all(f, "PATCH", "/v1/channels/one", changes, ARRAY_LEN(changes));
}

static void
channels_come_in_pages(void **state)
{
    struct fixture *f = *state;
    char cursor[100], path[200];
    fake_engine_add_channel(f->engine, "three");
    get(f, 200, "/v1/channels?limit=2", f->admin);
    assert_int_equal(length_of(f, "/data"), 2);
    is(f, "/data/0/_id", "\"one\"");
    is(f, "/data/1/_id", "\"two\"");
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), "/v1/channels?limit=2&cursor=%s", cursor);
    get(f, 200, path, f->reader);
    assert_int_equal(length_of(f, "/data"), 1);
    is(f, "/data/0/_id", "\"three\"");
    is(f, "/nextCursor", "null");
    get(f, 200, "/v1/channels?limit=3", f->admin);
    is(f, "/nextCursor", "null");

    /* behind the first there is nothing for its own keys */
    get(f, 200, "/v1/channels?limit=1", f->admin);
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), "/v1/channels?cursor=%s", cursor);
    counts(f, path, 0);
}

static void
a_channels_key_sees_its_own_channel_alone(void **state)
{
    struct fixture *f = *state;
    const char *keys[] = {f->manage, f->channel_reader};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        get(f, 200, "/v1/channels", keys[i]);
        assert_int_equal(length_of(f, "/data"), 1);
        is(f, "/data/0/_id", "\"one\"");
        is(f, "/nextCursor", "null");
    }
    get(f, 403, "/v1/channels", f->ingest);
}

static void
delete_channel_meanwhile(struct engine *engine, void *ctx)
{
    (void)ctx;
    fake_engine_delete_channel(engine, "one");
}

static void
replace_channel_meanwhile(struct engine *engine, void *ctx)
{
    (void)ctx;
    fake_engine_delete_channel(engine, "one");
    fake_engine_add_channel(engine, "one");
}

static void
what_was_deleted_meanwhile_is_not_found(void **state)
{
    struct fixture *f = *state;
    fake_engine_stale(f->engine, delete_channel_meanwhile, NULL);
    patch(f, 404, "/v1/channels/one", f->admin, "{\"name\":\"x\"}");
    fake_engine_add_channel(f->engine, "one");
    fake_engine_stale(f->engine, delete_channel_meanwhile, NULL);
    post(f, 404, WEBHOOKS, f->admin, "{\"url\":\"https://a/\"}");
    fake_engine_add_channel(f->engine, "one");
    fake_engine_stale(f->engine, delete_channel_meanwhile, NULL);
    post(f, 409, "/v1/keys", f->admin, "{\"role\":\"ingest\",\"channel\":\"one\"}");
    /* nor is another one of the same id the one that was meant */
    fake_engine_add_channel(f->engine, "one");
    fake_engine_stale(f->engine, replace_channel_meanwhile, NULL);
    del(f, 404, "/v1/channels/one", f->admin);
    get(f, 200, "/v1/channels/one", f->admin);
}

static void
add_channel_meanwhile(struct engine *engine, void *ctx)
{
    fake_engine_add_channel(engine, ctx);
}

static void
of_two_channels_with_one_id_the_second_is_refused(void **state)
{
    struct fixture *f = *state;
    char id[] = "three";
    fake_engine_stale(f->engine, add_channel_meanwhile, id);
    post(f, 409, "/v1/channels", f->admin, "{\"name\":\"n\",\"_id\":\"three\"}");
    get(f, 200, "/v1/channels", f->admin);
    assert_int_equal(length_of(f, "/data"), 3);
}

static void
a_key_that_is_computed_twice_is_the_one_that_is_shown(void **state)
{
    struct fixture *f = *state;
    char key[KEY_TEXT], id[] = "three";
    fake_engine_stale(f->engine, add_channel_meanwhile, id);
    post(f, 201, "/v1/keys", f->admin, "{\"role\":\"read\"}");
    text_at(f, "/key", key, sizeof(key));
    get(f, 200, "/v1/channels/three", key);
}

/* ---- keys ---- */

static void
a_key_is_shown_once_and_works_until_it_is_deleted(void **state)
{
    struct fixture *f = *state;
    char key[KEY_TEXT], id[ID_TEXT], path[200];
    post(f, 201, "/v1/keys", f->admin, "{\"role\":\"manage\",\"channel\":\"one\"}");
    is(f, "/role", "\"manage\"");
    is(f, "/channel", "\"one\"");
    is(f, "/createdAt", "\"2024-03-04T09:50:51.375Z\"");
    text_at(f, "/key", key, sizeof(key));
    text_at(f, "/_id", id, sizeof(id));
    get(f, 200, WEBHOOKS, key);
    get(f, 404, "/v1/channels/two/webhooks", key);
    get(f, 200, "/v1/keys", f->admin);
    assert_null(strstr(f->body.p, key));
    assert_non_null(strstr(f->body.p, id));
    snprintf(path, sizeof(path), "/v1/keys/%s", id);
    del(f, 204, path, f->admin);
    get(f, 401, WEBHOOKS, key);
    del(f, 404, path, f->admin);
}

static void
each_role_has_its_kind_of_channel(void **state)
{
    struct fixture *f = *state;
    static const struct refusal rows[] = {
        {"{}", "/role", "is missing"},
        {"{\"role\":\"root\"}", "/role", "admin, manage, ingest or read"},
        {"{\"role\":1}", "/role", "must be a string"},
        {"{\"role\":\"manage\"}", "/channel", "is missing"},
        {"{\"role\":\"ingest\",\"channel\":null}", "/channel", "is missing"},
        {"{\"role\":\"admin\",\"channel\":\"one\"}", "/channel", "for all channels"},
        {"{\"role\":\"read\",\"channel\":\"nowhere\"}", "/channel", "no such channel"},
        {"{\"role\":\"read\",\"channel\":5}", "/channel", "must be a string"},
        {"{\"role\":\"read\",\"expiresAt\":5}", "/expiresAt", "must be a string"},
        {"{\"role\":\"read\",\"expiresAt\":\"soon\"}", "/expiresAt", "must be a time"},
        {"{\"role\":\"read\",\"expiresAt\":\"2024-03-04T09:50:51.375Z\"}", "/expiresAt",
         "in the future"},
        {"{\"role\":\"read\",\"name\":\"n\"}", "/name", "there are role, channel"},
    };
    refuse_all(f, "POST", "/v1/keys", rows, ARRAY_LEN(rows));
    post(f, 201, "/v1/keys", f->admin, "{\"role\":\"admin\"}");
    is(f, "/channel", "null");
    post(f, 201, "/v1/keys", f->admin, "{\"role\":\"read\",\"channel\":null}");
    is(f, "/channel", "null");
    post(f, 201, "/v1/keys", f->admin, "{\"channel\":\"two\",\"role\":\"read\"}");
    is(f, "/channel", "\"two\"");
}

static void
the_last_admin_key_cannot_be_deleted(void **state)
{
    struct fixture *f = *state;
    char id[ID_TEXT], first[ID_TEXT], other[KEY_TEXT], path[200];
    get(f, 200, "/v1/keys?limit=1", f->admin);
    is(f, "/data/0/role", "\"admin\"");
    text_at(f, "/data/0/_id", first, sizeof(first));
    snprintf(path, sizeof(path), "/v1/keys/%s", first);
    del(f, 409, path, f->admin);
    /* One that expires is not one that is left. */
    post(f, 201, "/v1/keys", f->admin,
         "{\"role\":\"admin\",\"expiresAt\":\"2030-01-01T00:00:00Z\"}");
    is(f, "/expiresAt", "\"2030-01-01T00:00:00.000Z\"");
    del(f, 409, path, f->admin);
    post(f, 201, "/v1/keys", f->admin, "{\"role\":\"admin\"}");
    text_at(f, "/key", other, sizeof(other));
    text_at(f, "/_id", id, sizeof(id));
    del(f, 204, path, f->admin);
    get(f, 401, "/v1/keys", f->admin);
    snprintf(path, sizeof(path), "/v1/keys/%s", id);
    del(f, 409, path, other);
}

static void
keys_come_in_pages(void **state)
{
    struct fixture *f = *state;
    char cursor[100], path[200];
    get(f, 200, "/v1/keys?limit=2", f->admin);
    assert_int_equal(length_of(f, "/data"), 2);
    text_at(f, "/nextCursor", cursor, sizeof(cursor));
    snprintf(path, sizeof(path), "/v1/keys?limit=200&cursor=%s", cursor);
    get(f, 200, path, f->admin);
    assert_int_equal(length_of(f, "/data"), 3);
    is(f, "/data/0/role", "\"manage\"");
    is(f, "/data/0/channel", "\"one\"");
    is(f, "/nextCursor", "null");
}

static void
a_channels_keys_go_with_it(void **state)
{
    struct fixture *f = *state;
    get(f, 200, WEBHOOKS, f->manage);
    del(f, 204, "/v1/channels/one", f->admin);
    get(f, 401, WEBHOOKS, f->manage);
}

/* ---- when the store cannot ---- */

static void
a_store_that_cannot_is_said_so(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int result;
        unsigned status;
        const char *retry_after;
    } rows[] = {{E_FULL, 503, "5"},
                {E_CLOSED, 503, "1"},
                {E_IO, 503, "5"},
                {E_BUSY, 500, NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_engine_fail(f->engine, rows[i].result);
        post(f, rows[i].status, "/v1/channels", f->admin, "{\"name\":\"n\"}");
        if (rows[i].retry_after)
            header_is(f, "Retry-After", rows[i].retry_after);
        assert_null(strstr(f->body.p, "not for clients"));
    }
    fake_engine_fail(f->engine, E_FULL);
    post(f, 503, "/v1/channels", f->admin, "{\"name\":\"n\"}");
    has(f, "/detail", "disk full");
    static const struct {
        const char *method, *path, *body;
    } changes[] = {
        {"PATCH", "/v1/channels/one", "{}"},
        {"DELETE", "/v1/channels/one", NULL},
        {"POST", WEBHOOKS, "{\"url\":\"https://a/\"}"},
        {"PATCH", WEBHOOKS "/wh_0000000000000", "{}"},
        {"DELETE", WEBHOOKS "/wh_0000000000000", NULL},
        {"POST", "/v1/keys", "{\"role\":\"read\"}"},
        {"DELETE", "/v1/keys/key_x", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        fake_engine_fail(f->engine, E_FULL);
        ask(f, 503,
            (struct ask){.method = changes[i].method,
                         .path = changes[i].path,
                         .key = f->admin,
                         .body = changes[i].body});
    }
}

int
main(void)
{
#define WITH_SERVER(test)                                                              \
    cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_body_that_is_not_an_object_is_refused),
        WITH_SERVER(a_body_that_is_cut_anywhere_is_refused),
        WITH_SERVER(a_body_that_is_nested_too_deeply_is_refused),
        WITH_SERVER(a_channel_is_made_shown_renamed_and_deleted),
        WITH_SERVER(a_trial_ends_after_thirty_days_or_when_it_is_said),
        WITH_SERVER(a_channel_without_an_id_gets_one),
        WITH_SERVER(a_channel_id_that_is_taken_is_a_conflict),
        WITH_SERVER(a_channel_that_is_not_right_is_refused),
        WITH_SERVER(channels_come_in_pages),
        WITH_SERVER(a_channels_key_sees_its_own_channel_alone),
        WITH_SERVER(what_was_deleted_meanwhile_is_not_found),
        WITH_SERVER(of_two_channels_with_one_id_the_second_is_refused),
        WITH_SERVER(a_key_that_is_computed_twice_is_the_one_that_is_shown),
        WITH_SERVER(a_key_is_shown_once_and_works_until_it_is_deleted),
        WITH_SERVER(each_role_has_its_kind_of_channel),
        WITH_SERVER(the_last_admin_key_cannot_be_deleted),
        WITH_SERVER(keys_come_in_pages),
        WITH_SERVER(a_channels_keys_go_with_it),
        WITH_SERVER(a_store_that_cannot_is_said_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
