#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "core/channel.h"

#define TOPICS     "[{\"_id\":\"sport\",\"name\":\"Sport\",\"sort\":1},{\"_id\":\"news\"}]"
#define TAGS       "[{\"_id\":\"vip\",\"name\":\"VIP\"}]"
#define ATTRIBUTES "[{\"id\":\"user_id\",\"name\":\"User\"}]"
#define SDK        "{\"confirmAlertHideChannelTopics\":true,\"geoFences\":[{\"radius\":5}]}"

static void
set_all(struct channel_settings *settings)
{
    settings_set(&settings->fcm_id, SLICE("123456789012"));
    settings_set(&settings->topics, SLICE(TOPICS));
    settings_set(&settings->tags, SLICE(TAGS));
    settings_set(&settings->attributes, SLICE(ATTRIBUTES));
    settings_set(&settings->sdk, SLICE(SDK));
    settings_add_origin(settings, SLICE("https://www.example.com"));
    settings_add_origin(settings, SLICE("http://localhost:3000"));
    settings_add_bundle(settings, SLICE("com.example.app"));
    settings_set_authorizer(settings, "https://example.com/allow", "a \"fixed\" secret",
                            1u << GATED_SYNC | 1u << GATED_ATTRIBUTE_CLEAR);
}

static void
check_all(const struct channel_settings *settings)
{
    assert_string_equal(settings->fcm_id, "123456789012");
    assert_string_equal(settings->topics, TOPICS);
    assert_string_equal(settings->tags, TAGS);
    assert_string_equal(settings->attributes, ATTRIBUTES);
    assert_string_equal(settings->sdk, SDK);
    assert_int_equal(settings->n_origins, 2);
    assert_string_equal(settings->origins[0], "https://www.example.com");
    assert_string_equal(settings->origins[1], "http://localhost:3000");
    assert_int_equal(settings->n_bundles, 1);
    assert_string_equal(settings->bundles[0], "com.example.app");
    assert_non_null(settings->authorizer);
    assert_string_equal(settings->authorizer->url, "https://example.com/allow");
    assert_string_equal(settings->authorizer->authorization, "a \"fixed\" secret");
    assert_int_equal(settings->authorizer->routes,
                     1u << GATED_SYNC | 1u << GATED_ATTRIBUTE_CLEAR);
}

static void
check_empty(const struct channel_settings *settings)
{
    assert_null(settings->fcm_id);
    assert_string_equal(settings->topics, "[]");
    assert_string_equal(settings->tags, "[]");
    assert_string_equal(settings->attributes, "[]");
    assert_string_equal(settings->sdk, "{}");
    assert_int_equal(settings->n_origins, 0);
    assert_int_equal(settings->n_bundles, 0);
    assert_null(settings->authorizer);
}

/* ---- channels ---- */

static void
a_new_channel_has_empty_settings(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    assert_int_equal(channel->refs, 1);
    assert_null(channel->name);
    assert_false(channel->deleted);
    check_empty(&channel->settings);
    channel_unref(channel);
}

static void
the_last_reference_frees(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    channel->name = xstrdup("shop");
    set_all(&channel->settings);
    assert_ptr_equal(channel_ref(channel), channel);
    assert_int_equal(channel->refs, 2);
    channel_unref(channel);
    assert_int_equal(channel->refs, 1);
    channel_unref(channel);
    channel_unref(NULL);
}

static void
a_copy_owns_everything(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    channel->number = 3;
    memcpy(channel->id, "shop", 5);
    channel->name = xstrdup("The shop");
    channel->deleted = true;
    channel->created_ms = 1;
    channel->updated_ms = 2;
    set_all(&channel->settings);

    struct channel *copy = channel_copy(channel);
    settings_clear_origins(&channel->settings);
    settings_clear_authorizer(&channel->settings);
    channel_unref(channel);
    assert_int_equal(copy->refs, 1);
    assert_int_equal(copy->number, 3);
    assert_string_equal(copy->id, "shop");
    assert_string_equal(copy->name, "The shop");
    assert_true(copy->deleted);
    assert_int_equal(copy->created_ms, 1);
    assert_int_equal(copy->updated_ms, 2);
    check_all(&copy->settings);
    channel_unref(copy);
}

static void
a_copy_of_an_empty_channel_is_empty(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct channel *copy = channel_copy(channel);

    channel_unref(channel);
    assert_null(copy->name);
    check_empty(&copy->settings);
    channel_unref(copy);
}

/* ---- settings ---- */

static void
a_text_is_replaced_and_taken_away(void **state)
{
    (void)state;
    char *text = NULL;

    settings_set(&text, SLICE("12345"));
    assert_string_equal(text, "12345");
    settings_set(&text, (struct slice){text + 1, 3}); /* of itself */
    assert_string_equal(text, "234");
    settings_set(&text, SLICE(""));
    assert_string_equal(text, "");
    settings_set(&text, (struct slice){NULL, 0});
    assert_null(text);
}

static void
an_allowed_origin_may_ask_in_any_case(void **state)
{
    static const struct {
        const char *origin;
        bool allowed;
    } rows[] = {
        {"https://www.example.com", true},
        {"HTTPS://WWW.Example.Com", true},
        {"http://localhost:3000", true},
        {"http://www.example.com", false}, /* another scheme */
        {"https://example.com", false},
        {"https://www.example.com:443", false},
        {"https://www.example.com.evil.test", false},
        {"https://www.example.co", false},
        {"http://localhost", false},
        {"null", false},
        {"*", false},
        {"", false},
    };
    struct channel *channel = channel_new();
    struct channel_settings *settings = &channel->settings;

    (void)state;
    assert_false(settings_allow_origin(settings, SLICE("https://www.example.com")));
    settings_add_origin(settings, SLICE("https://www.example.com"));
    settings_add_origin(settings, SLICE("http://LOCALHOST:3000"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (settings_allow_origin(settings, slice_of(rows[i].origin)) !=
            rows[i].allowed)
            fail_msg("%s", rows[i].origin);

    settings_clear_origins(settings);
    assert_int_equal(settings->n_origins, 0);
    assert_false(settings_allow_origin(settings, SLICE("https://www.example.com")));
    channel_unref(channel);
}

static void
a_star_allows_every_origin(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    settings_add_origin(&channel->settings, SLICE("https://www.example.com"));
    settings_add_origin(&channel->settings, SLICE("*"));
    assert_true(settings_allow_origin(&channel->settings, SLICE("https://a.test")));
    assert_true(settings_allow_origin(&channel->settings, SLICE("null")));
    channel_unref(channel);
}

static void
bundle_ids_are_found_as_they_are_written(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct channel_settings *settings = &channel->settings;

    assert_false(settings_have_bundle(settings, SLICE("com.example.app")));
    settings_add_bundle(settings, SLICE("com.example.app"));
    settings_add_bundle(settings, SLICE("com.example.other"));
    assert_true(settings_have_bundle(settings, SLICE("com.example.app")));
    assert_true(settings_have_bundle(settings, SLICE("com.example.other")));
    assert_false(settings_have_bundle(settings, SLICE("com.example.App")));
    assert_false(settings_have_bundle(settings, SLICE("com.example")));
    assert_false(settings_have_bundle(settings, SLICE("com.example.app.beta")));
    assert_false(settings_have_bundle(settings, SLICE("")));
    settings_clear_bundles(settings);
    assert_int_equal(settings->n_bundles, 0);
    assert_false(settings_have_bundle(settings, SLICE("com.example.app")));
    channel_unref(channel);
}

/* ---- gated routes ---- */

static void
gated_routes_come_back_from_their_paths(void **state)
{
    static const char *const paths[GATED_ROUTES] = {
        [GATED_SYNC] = "/subscription/sync",
        [GATED_UNSUBSCRIBE] = "/subscription/unsubscribe",
        [GATED_TOPIC_ADD] = "/subscription/topic/add",
        [GATED_TOPIC_REMOVE] = "/subscription/topic/remove",
        [GATED_TAG] = "/subscription/tag",
        [GATED_UNTAG] = "/subscription/untag",
        [GATED_ATTRIBUTE] = "/subscription/attribute",
        [GATED_ATTRIBUTE_PUSH] = "/subscription/attribute/push-value",
        [GATED_ATTRIBUTE_PULL] = "/subscription/attribute/pull-value",
        [GATED_ATTRIBUTE_CLEAR] = "/subscription/attribute/clear",
    };

    (void)state;
    for (unsigned i = 0; i < GATED_ROUTES; i++) {
        enum gated_route route = GATED_ROUTES;
        assert_string_equal(gated_route_path((enum gated_route)i), paths[i]);
        assert_true(gated_route_parse(slice_of(paths[i]), &route));
        assert_int_equal(route, i);
    }
}

static void
other_paths_are_no_gated_routes(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "/subscription",
                                        "/subscription/",
                                        "/subscription/sync/",
                                        "/subscription/sync/shop",
                                        "subscription/sync",
                                        "/Subscription/Sync",
                                        "/subscription/topic",
                                        "/subscription/attribute/",
                                        "/notification/clicked"};
    enum gated_route route = GATED_TAG;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        if (gated_route_parse(slice_of(paths[i]), &route))
            fail_msg("%s is gated", paths[i]);
    assert_int_equal(route, GATED_TAG);
}

static void
the_gate_is_one_bit_per_route(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct channel_settings *settings = &channel->settings;

    for (unsigned i = 0; i < GATED_ROUTES; i++)
        assert_false(settings_gate(settings, (enum gated_route)i));
    for (unsigned one = 0; one < GATED_ROUTES; one++) {
        settings_set_authorizer(settings, "https://example.com/", "x", 1u << one);
        for (unsigned i = 0; i < GATED_ROUTES; i++)
            assert_int_equal(settings_gate(settings, (enum gated_route)i), i == one);
    }
    settings_clear_authorizer(settings);
    assert_null(settings->authorizer);
    assert_false(settings_gate(settings, GATED_ROUTES - 1));
    settings_clear_authorizer(settings);
    channel_unref(channel);
}

static void
an_authorizer_can_be_set_from_the_one_in_force(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct channel_settings *settings = &channel->settings;

    settings_set_authorizer(settings, "https://example.com/", "secret", 1);
    settings_set_authorizer(settings, settings->authorizer->url,
                            settings->authorizer->authorization, 2);
    assert_string_equal(settings->authorizer->url, "https://example.com/");
    assert_string_equal(settings->authorizer->authorization, "secret");
    assert_int_equal(settings->authorizer->routes, 2);
    channel_unref(channel);
}

/* ---- to the store and back ---- */

#define EMPTY_WRITTEN                                                                  \
    "{\"fcmId\":null,\"topics\":[],\"tags\":[],\"attributes\":[],\"sdk\":{},"          \
    "\"allowedOrigins\":[],\"bundleIds\":[]}"

static void
settings_are_written_as_one_object(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct buf out;

    buf_init(&out, CHANNEL_SETTINGS_MAX);
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    assert_string_equal(out.p, EMPTY_WRITTEN);

    set_all(&channel->settings);
    buf_reset(&out);
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    assert_string_equal(
        out.p, "{\"fcmId\":\"123456789012\",\"topics\":" TOPICS ",\"tags\":" TAGS
               ",\"attributes\":" ATTRIBUTES ",\"sdk\":" SDK
               ",\"allowedOrigins\":[\"https://www.example.com\","
               "\"http://localhost:3000\"],\"bundleIds\":[\"com.example.app\"],"
               "\"authorizer\":{\"url\":\"https://example.com/allow\","
               "\"authorization\":\"a \\\"fixed\\\" secret\",\"routes\":513}}");
    buf_fini(&out);
    channel_unref(channel);
}

static void
what_was_written_is_read_again(void **state)
{
    (void)state;
    struct channel *channel = channel_new(), *other = channel_new();
    struct buf out, again;

    buf_init(&out, CHANNEL_SETTINGS_MAX);
    buf_init(&again, CHANNEL_SETTINGS_MAX);
    set_all(&channel->settings);
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    assert_true(settings_read(&other->settings, buf_slice(&out)));
    check_all(&other->settings);
    assert_int_equal(settings_write(&again, &other->settings), 0);
    assert_string_equal(again.p, out.p);

    /* Over others: nothing of them is left. */
    assert_true(settings_read(&other->settings, SLICE(EMPTY_WRITTEN)));
    check_empty(&other->settings);

    buf_fini(&out);
    buf_fini(&again);
    channel_unref(channel);
    channel_unref(other);
}

static void
texts_survive_with_any_characters(void **state)
{
    static const char hostile[] = "\"],\\ \x01\n\x7f \xe2\x80\xa8 \xf0\x9f\x98\x80";
    struct channel *channel = channel_new(), *other = channel_new();
    struct channel_settings *settings = &channel->settings;
    struct buf out;

    (void)state;
    buf_init(&out, CHANNEL_SETTINGS_MAX);
    settings_set(&settings->fcm_id, SLICE(""));
    settings_add_origin(settings, slice_of(hostile));
    settings_add_origin(settings, SLICE(""));
    settings_add_bundle(settings, slice_of(hostile));
    settings_set_authorizer(settings, hostile, "", (1u << GATED_ROUTES) - 1);
    assert_int_equal(settings_write(&out, settings), 0);
    assert_true(settings_read(&other->settings, buf_slice(&out)));

    settings = &other->settings;
    assert_string_equal(settings->fcm_id, "");
    assert_int_equal(settings->n_origins, 2);
    assert_string_equal(settings->origins[0], hostile);
    assert_string_equal(settings->origins[1], "");
    assert_string_equal(settings->bundles[0], hostile);
    assert_string_equal(settings->authorizer->url, hostile);
    assert_string_equal(settings->authorizer->authorization, "");
    assert_int_equal(settings->authorizer->routes, (1u << GATED_ROUTES) - 1);
    buf_fini(&out);
    channel_unref(channel);
    channel_unref(other);
}

static void
settings_as_deep_as_a_request_may_be_are_read(void **state)
{
    /* The request's own object, the setting, and what is left. */
    enum { DEEP = JSON_DEPTH_MAX - 2 };
    struct channel *channel = channel_new(), *other = channel_new();
    char sdk[sizeof("{\"x\":}") + 2 * DEEP];
    struct buf out;

    (void)state;
    buf_init(&out, CHANNEL_SETTINGS_MAX);
    memcpy(sdk, "{\"x\":", 5);
    memset(sdk + 5, '[', DEEP);
    memset(sdk + 5 + DEEP, ']', DEEP);
    memcpy(sdk + 5 + 2 * DEEP, "}", 2);
    settings_set(&channel->settings.sdk, slice_of(sdk));
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    assert_true(settings_read(&other->settings, buf_slice(&out)));
    assert_string_equal(other->settings.sdk, sdk);
    buf_fini(&out);
    channel_unref(channel);
    channel_unref(other);
}

#define LISTS "\"topics\":[],\"tags\":[],\"attributes\":[]"
#define REST  "\"sdk\":{},\"allowedOrigins\":[],\"bundleIds\":[]"
#define AUTHORIZER(members)                                                            \
    "{\"fcmId\":null," LISTS "," REST ",\"authorizer\":{" members "}}"

static void
what_was_not_written_by_us_is_refused_and_changes_nothing(void **state)
{
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "{}",
        "{",
        EMPTY_WRITTEN "x",
        "{\"fcmId\":null," LISTS "}",
        "{\"fcmId\":null," REST "}",
        "{\"topics\":{},\"tags\":[],\"attributes\":[]," REST "}",
        "{\"topics\":[],\"tags\":null,\"attributes\":[]," REST "}",
        "{\"topics\":[],\"tags\":[],\"attributes\":\"[]\"," REST "}",
        "{" LISTS ",\"sdk\":[],\"allowedOrigins\":[],\"bundleIds\":[]}",
        "{" LISTS ",\"sdk\":{},\"allowedOrigins\":{},\"bundleIds\":[]}",
        "{" LISTS ",\"sdk\":{},\"allowedOrigins\":[\"a\",1],\"bundleIds\":[]}",
        "{" LISTS ",\"sdk\":{},\"allowedOrigins\":[null],\"bundleIds\":[]}",
        "{" LISTS ",\"sdk\":{},\"allowedOrigins\":[],\"bundleIds\":[[\"a\"]]}",
        "{" LISTS ",\"sdk\":{},\"allowedOrigins\":[],\"bundleIds\":\"a\"}",
        "{" LISTS "," REST ",\"authorizer\":null}",
        "{" LISTS "," REST ",\"authorizer\":[]}",
        AUTHORIZER(""),
        AUTHORIZER("\"url\":\"u\",\"authorization\":\"a\""),
        AUTHORIZER("\"url\":\"u\",\"routes\":1"),
        AUTHORIZER("\"authorization\":\"a\",\"routes\":1"),
        AUTHORIZER("\"url\":1,\"authorization\":\"a\",\"routes\":1"),
        AUTHORIZER("\"url\":\"u\",\"authorization\":null,\"routes\":1"),
        AUTHORIZER("\"url\":\"u\",\"authorization\":\"a\",\"routes\":\"1\""),
        AUTHORIZER("\"url\":\"u\",\"authorization\":\"a\",\"routes\":1.5"),
        "{" LISTS "," REST "," LISTS "}", /* twice */
    };
    struct channel *channel = channel_new();

    (void)state;
    set_all(&channel->settings);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (settings_read(&channel->settings, slice_of(rows[i])))
            fail_msg("%s was read", rows[i]);
        check_all(&channel->settings);
    }
    channel_unref(channel);
}

static void
settings_cut_anywhere_are_refused(void **state)
{
    (void)state;
    struct channel *channel = channel_new(), *other = channel_new();
    struct buf out;

    buf_init(&out, CHANNEL_SETTINGS_MAX);
    set_all(&channel->settings);
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    for (size_t n = 0; n < out.n; n++) {
        /* a block of its own size, so that reading on is noticed */
        char *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, out.p, n);
        assert_false(settings_read(&other->settings, (struct slice){cut, n}));
        free(cut);
    }
    check_empty(&other->settings);
    buf_fini(&out);
    channel_unref(channel);
    channel_unref(other);
}

static void
a_buffer_that_is_too_small_is_told(void **state)
{
    (void)state;
    struct channel *channel = channel_new();
    struct buf out;

    buf_init(&out, sizeof(EMPTY_WRITTEN) - 2);
    assert_int_equal(settings_write(&out, &channel->settings), E_TOO_LARGE);
    buf_fini(&out);
    buf_init(&out, sizeof(EMPTY_WRITTEN) - 1);
    assert_int_equal(settings_write(&out, &channel->settings), 0);
    buf_fini(&out);
    channel_unref(channel);
}

/* ---- what SDKs are told ---- */

static void
check_config(const struct channel *channel, const char *want)
{
    struct json_error error;
    struct json_doc doc;
    struct buf out;

    buf_init(&out, CHANNEL_SETTINGS_MAX);
    json_init(&doc);
    channel_write_config(&out, channel);
    assert_int_equal(out.failed, 0);
    assert_string_equal(out.p, want);
    assert_int_equal(json_parse(&doc, out.p, out.n, &error), 0);
    json_fini(&doc);
    buf_fini(&out);
}

static void
the_config_of_an_empty_channel_is_enough_for_an_sdk(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    memcpy(channel->id, "shop", 5);
    check_config(channel, "{\"channelId\":\"shop\",\"channelTopics\":[],"
                          "\"channelTags\":[],\"customAttributes\":[],"
                          "\"channelEvents\":[]}");
    channel_unref(channel);
}

static void
the_config_has_the_lists_and_the_free_members_and_no_secret(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    memcpy(channel->id, "shop", 5);
    channel->name = xstrdup("not told");
    set_all(&channel->settings);
    check_config(channel, "{\"channelId\":\"shop\",\"fcmId\":\"123456789012\","
                          "\"channelTopics\":" TOPICS ",\"channelTags\":" TAGS
                          ",\"customAttributes\":" ATTRIBUTES ",\"channelEvents\":[],"
                          "\"confirmAlertHideChannelTopics\":true,"
                          "\"geoFences\":[{\"radius\":5}]}");
    channel_unref(channel);
}

static void
free_members_may_have_the_channels_events(void **state)
{
    (void)state;
    struct channel *channel = channel_new();

    memcpy(channel->id, "shop", 5);
    settings_set(&channel->settings.sdk,
                 SLICE("{\"channelEvents\":[{\"_id\":\"e\",\"name\":\"buy\"}]}"));
    check_config(channel, "{\"channelId\":\"shop\",\"channelTopics\":[],"
                          "\"channelTags\":[],\"customAttributes\":[],"
                          "\"channelEvents\":[{\"_id\":\"e\",\"name\":\"buy\"}]}");

    /* Only there counts, not further inside. */
    settings_set(&channel->settings.sdk, SLICE("{\"x\":{\"channelEvents\":1}}"));
    check_config(channel, "{\"channelId\":\"shop\",\"channelTopics\":[],"
                          "\"channelTags\":[],\"customAttributes\":[],"
                          "\"channelEvents\":[],\"x\":{\"channelEvents\":1}}");
    channel_unref(channel);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_channel_has_empty_settings),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(a_copy_owns_everything),
        cmocka_unit_test(a_copy_of_an_empty_channel_is_empty),
        cmocka_unit_test(a_text_is_replaced_and_taken_away),
        cmocka_unit_test(an_allowed_origin_may_ask_in_any_case),
        cmocka_unit_test(a_star_allows_every_origin),
        cmocka_unit_test(bundle_ids_are_found_as_they_are_written),
        cmocka_unit_test(gated_routes_come_back_from_their_paths),
        cmocka_unit_test(other_paths_are_no_gated_routes),
        cmocka_unit_test(the_gate_is_one_bit_per_route),
        cmocka_unit_test(an_authorizer_can_be_set_from_the_one_in_force),
        cmocka_unit_test(settings_are_written_as_one_object),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(texts_survive_with_any_characters),
        cmocka_unit_test(settings_as_deep_as_a_request_may_be_are_read),
        cmocka_unit_test(what_was_not_written_by_us_is_refused_and_changes_nothing),
        cmocka_unit_test(settings_cut_anywhere_are_refused),
        cmocka_unit_test(a_buffer_that_is_too_small_is_told),
        cmocka_unit_test(the_config_of_an_empty_channel_is_enough_for_an_sdk),
        cmocka_unit_test(the_config_has_the_lists_and_the_free_members_and_no_secret),
        cmocka_unit_test(free_members_may_have_the_channels_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
