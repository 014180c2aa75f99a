#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/subscription.h"

struct fixture {
    struct json_doc doc;
    struct buf in, out;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    json_init(&f->doc);
    buf_init(&f->in, 1 << 20);
    buf_init(&f->out, 1 << 20);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    json_fini(&f->doc);
    buf_fini(&f->in);
    buf_fini(&f->out);
    free(f);
    return 0;
}

/* ---- canonical lists and objects ---- */

static void
the_elements_of_a_list_come_in_turn(void **state)
{
    static const char *const elements[] = {
        "\"a\"",    "\"]\"", "\"[\"",       "\",\"",     "\"a\\\"b\"",
        "\"\\\\\"", "\"\"",  "1",           "-1.5e3",    "\"{\\\"k\\\":1}\"",
        "\"}\"",    "true",  "\"\\u2028\"", "\"\\\\]\"", "\"\\\"\"",
        "0"};
    struct fixture *f = *state;

    /* Each of them in front of every one. */
    for (size_t i = 0; i < ARRAY_LEN(elements); i++) {
        for (size_t j = 0; j < ARRAY_LEN(elements); j++) {
            struct slice one;
            buf_reset(&f->in);
            buf_addf(&f->in, "[%s,%s]", elements[i], elements[j]);
            struct slice rest = buf_slice(&f->in);
            assert_true(canonical_element(&rest, &one));
            assert_true(slice_is(one, elements[i]));
            assert_true(canonical_element(&rest, &one));
            assert_true(slice_is(one, elements[j]));
            assert_false(canonical_element(&rest, &one));
            assert_false(canonical_element(&rest, &one)); /* and stays at the end */
        }
    }

    struct slice rest = SLICE("[]"), one = SLICE("kept");
    assert_false(canonical_element(&rest, &one));
    assert_true(slice_is(one, "kept"));
}

static void
the_members_of_an_object_come_in_turn(void **state)
{
    static const char *const values[] = {"\"a\"",
                                         "\"}\"",
                                         "\"]\"",
                                         "\",\"",
                                         "\"\\\"\"",
                                         "\"\\\\\"",
                                         "\"\\\",\\\"b\\\":1\"",
                                         "\"\"",
                                         "1",
                                         "-1.5e3",
                                         "true",
                                         "[]",
                                         "[1]",
                                         "[\"]\"]",
                                         "[\"}\",\"a\"]",
                                         "[\"\\\\\",\"[\"]",
                                         "[\"\\\"]\"]",
                                         "[true,\",\",0]"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (size_t j = 0; j < ARRAY_LEN(values); j++) {
            struct slice name, value;
            buf_reset(&f->in);
            buf_addf(&f->in, "{\"a\":%s,\"b.b\":%s}", values[i], values[j]);
            struct slice rest = buf_slice(&f->in);
            assert_true(canonical_member(&rest, &name, &value));
            assert_true(slice_is(name, "a"));
            assert_true(slice_is(value, values[i]));
            assert_true(canonical_member(&rest, &name, &value));
            assert_true(slice_is(name, "b.b"));
            assert_true(slice_is(value, values[j]));
            assert_false(canonical_member(&rest, &name, &value));
            assert_false(canonical_member(&rest, &name, &value));
        }
    }

    struct slice rest = SLICE("{}"), name = SLICE("kept"), value;
    assert_false(canonical_member(&rest, &name, &value));
    assert_true(slice_is(name, "kept"));
}

#define HOSTILE "[\"a\",\"b,c\",\"d]\",\"e\\\"f\",\"g\\\\\",1]"

static void
a_list_knows_what_it_has(void **state)
{
    static const struct {
        const char *element;
        bool has;
    } rows[] = {
        {"\"a\"", true},     {"\"b,c\"", true}, {"\"d]\"", true}, {"\"e\\\"f\"", true},
        {"\"g\\\\\"", true}, {"1", true},       {"\"b\"", false}, {"\"c\"", false},
        {"\"d\"", false},    {"\"e\"", false},  {"\"f\"", false}, {"\"g\"", false},
        {"\"1\"", false},    {"\"\"", false},   {"\"A\"", false}, {"a", false},
        {"", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (list_has(SLICE(HOSTILE), slice_of(rows[i].element)) != rows[i].has)
            fail_msg("%s", rows[i].element);
        assert_false(list_has(SLICE("[]"), slice_of(rows[i].element)));
    }
    assert_int_equal(list_count(SLICE("[]")), 0);
    assert_int_equal(list_count(SLICE("[\",\"]")), 1);
    assert_int_equal(list_count(SLICE(HOSTILE)), 6);
}

static void
lists_are_compared_as_sets(void **state)
{
    static const struct {
        const char *list, *other;
        bool within;
    } rows[] = {
        {"[]", "[]", true},
        {"[]", "[\"a\"]", true},
        {"[\"a\"]", "[]", false},
        {"[\"a\"]", "[\"a\"]", true},
        {"[\"a\",\"b\"]", "[\"b\",\"a\"]", true},
        {"[\"b\"]", "[\"a\",\"b\",\"c\"]", true},
        {"[\"c\",\"a\"]", "[\"a\",\"b\",\"c\"]", true},
        {"[\"a\",\"d\"]", "[\"a\",\"b\",\"c\"]", false},
        {"[\"a,b\"]", "[\"a\",\"b\"]", false},
        {"[\"a\",\"b\"]", "[\"a,b\"]", false},
        {"[1]", "[\"1\"]", false},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (list_within(slice_of(rows[i].list), slice_of(rows[i].other)) !=
            rows[i].within)
            fail_msg("%s within %s", rows[i].list, rows[i].other);
}

static void
check_out(struct fixture *f, const char *want)
{
    assert_string_equal(f->out.p, want);
    buf_reset(&f->out);
}

static void
a_list_grows_at_its_end(void **state)
{
    struct fixture *f = *state;
    list_with(&f->out, SLICE("[]"), SLICE("\"a\""));
    check_out(f, "[\"a\"]");
    list_with(&f->out, SLICE("[\"a\"]"), SLICE("\"b]\""));
    check_out(f, "[\"a\",\"b]\"]");
    list_with(&f->out, SLICE("[\"[\"]"), SLICE("1"));
    check_out(f, "[\"[\",1]");
    buf_adds(&f->out, "[");
    list_with(&f->out, SLICE("[1]"), SLICE("2")); /* behind what is there */
    check_out(f, "[[1,2]");
}

static void
a_list_loses_what_another_has(void **state)
{
    static const struct {
        const char *list, *other, *want;
    } rows[] = {
        {"[]", "[]", "[]"},
        {"[]", "[\"a\"]", "[]"},
        {"[\"a\"]", "[]", "[\"a\"]"},
        {"[\"a\"]", "[\"a\"]", "[]"},
        {"[\"a\",\"b\",\"c\"]", "[\"a\"]", "[\"b\",\"c\"]"},
        {"[\"a\",\"b\",\"c\"]", "[\"b\"]", "[\"a\",\"c\"]"},
        {"[\"a\",\"b\",\"c\"]", "[\"c\"]", "[\"a\",\"b\"]"},
        {"[\"a\",\"b\",\"c\"]", "[\"c\",\"x\",\"a\"]", "[\"b\"]"},
        {"[\"a\",\"b\"]", "[\"b\",\"a\"]", "[]"},
        {"[\"a,b\",\"c\"]", "[\"a\",\"b\"]", "[\"a,b\",\"c\"]"},
        {"[\"[\",\"]\",\",\"]", "[\"]\"]", "[\"[\",\",\"]"},
        {"[1,\"1\",true]", "[\"1\"]", "[1,true]"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        list_without(&f->out, slice_of(rows[i].list), slice_of(rows[i].other));
        check_out(f, rows[i].want);
    }
}

#define ATTRIBUTES                                                                     \
    "{\"a\":\"x\\\",\\\"b\\\":2\",\"b\":[\"]\",\"}\"],\"a.b\":1,\"c\":\"\\\\\",\"d\":" \
    "[]}"

static void
an_attribute_is_found_by_its_whole_name(void **state)
{
    (void)state;
    assert_true(
        slice_is(attribute_of(SLICE(ATTRIBUTES), SLICE("a")), "\"x\\\",\\\"b\\\":2\""));
    assert_true(slice_is(attribute_of(SLICE(ATTRIBUTES), SLICE("b")), "[\"]\",\"}\"]"));
    assert_true(slice_is(attribute_of(SLICE(ATTRIBUTES), SLICE("a.b")), "1"));
    assert_true(slice_is(attribute_of(SLICE(ATTRIBUTES), SLICE("c")), "\"\\\\\""));
    assert_true(slice_is(attribute_of(SLICE(ATTRIBUTES), SLICE("d")), "[]"));
    assert_null(attribute_of(SLICE(ATTRIBUTES), SLICE("A")).p);
    assert_null(attribute_of(SLICE(ATTRIBUTES), SLICE("a.")).p);
    assert_null(attribute_of(SLICE(ATTRIBUTES), SLICE("")).p);
    assert_null(attribute_of(SLICE("{}"), SLICE("a")).p);
}

static void
an_attribute_is_set_in_its_place(void **state)
{
    static const struct {
        const char *before, *name, *value, *after;
    } rows[] = {
        {"{}", "a", "1", "{\"a\":1}"},
        {"{\"a\":1}", "a", "[\"]\"]", "{\"a\":[\"]\"]}"},
        {"{\"a\":1}", "b", "\"}\"", "{\"a\":1,\"b\":\"}\"}"},
        {"{\"a\":1,\"b\":2,\"c\":3}", "b", "\"x\"", "{\"a\":1,\"b\":\"x\",\"c\":3}"},
        {"{\"a\":\"{\",\"b\":2}", "b", "3", "{\"a\":\"{\",\"b\":3}"},
        /* without it */
        {"{}", "a", NULL, "{}"},
        {"{\"a\":1}", "a", NULL, "{}"},
        {"{\"a\":1}", "b", NULL, "{\"a\":1}"},
        {"{\"a\":1,\"b\":[\",\"],\"c\":3}", "a", NULL, "{\"b\":[\",\"],\"c\":3}"},
        {"{\"a\":1,\"b\":[\",\"],\"c\":3}", "b", NULL, "{\"a\":1,\"c\":3}"},
        {"{\"a\":1,\"b\":[\",\"],\"c\":3}", "c", NULL, "{\"a\":1,\"b\":[\",\"]}"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        attributes_with(&f->out, slice_of(rows[i].before), slice_of(rows[i].name),
                        slice_of(rows[i].value));
        check_out(f, rows[i].after);
    }
}

/* ---- the whole ---- */

/* One value of every member, in canonical form. */
static const char *const samples[MEMBERS] = {
    [MEMBER_TYPE] = "\"app\"",
    [MEMBER_BROWSER_TYPE] = "\"SDK\"",
    [MEMBER_BROWSER_VERSION] = "\"1.35.34\"",
    [MEMBER_PLATFORM_NAME] = "\"Android\"",
    [MEMBER_PLATFORM_VERSION] = "\"14\"",
    [MEMBER_APP_VERSION] = "\"2.0 \\\"beta\\\"\"",
    [MEMBER_SDK_VERSION] = "\"1.0\"",
    [MEMBER_LANGUAGE] = "\"de\"",
    [MEMBER_COUNTRY] = "\"DE\"",
    [MEMBER_REGION] = "\"Hamburg\"",
    [MEMBER_TIMEZONE] = "\"Europe/Berlin\"",
    [MEMBER_TOPICS] = "[\"t1\",\"t2\"]",
    [MEMBER_TOPICS_VERSION] = "7",
    [MEMBER_TAGS] = "[\"tag\"]",
    [MEMBER_SEGMENTS] = "[\"]\",\",\"]",
    [MEMBER_ATTRIBUTES] = "{\"user_id\":\"x\",\"likes\":[\"a\",1,true],\"n\":1.5}",
    [MEMBER_DEVICE_ID] = "\"device\"",
    [MEMBER_PERMISSION] = "true",
    [MEMBER_IS_TEST] = "false",
    [MEMBER_PIANO_SEGMENTS] = "[]",
    [MEMBER_PIANO_USER_ID] = "\"piano\"",
    [MEMBER_EMAIL] = "\"a@example.com\"",
    [MEMBER_REFERRER] = "\"https://example.com/\"",
    [MEMBER_PATHNAME] = "\"/a\"",
    [MEMBER_VISITS] = "0",
    [MEMBER_CLICKED_DATES] = "[\"2024-03-04T10:10:40.136Z\"]",
    [MEMBER_FCM_ID] = "\"123\"",
    [MEMBER_HMS_ID] = "\"456\"",
    [MEMBER_LIVE_ACTIVITY_ID] = "\"activity\"",
    [MEMBER_FCM_TOKEN] = "\"hidden-fcm\"",
    [MEMBER_HMS_TOKEN] = "\"hidden-hms\"",
    [MEMBER_ADM_TOKEN] = "\"hidden-adm\"",
    [MEMBER_APNS_TOKEN] = "\"hidden-apns\"",
    [MEMBER_ENDPOINT] = "\"https://push.example.com/hidden\"",
    [MEMBER_PUBLIC_KEY] = "\"hidden-key\"",
    [MEMBER_AUTH_SECRET] = "\"hidden-auth\"",
    [MEMBER_LIVE_ACTIVITY_TOKEN] = "\"hidden-activity\"",
};

static struct subscription
sample(void)
{
    struct subscription subscription = {
        .number = 5,
        .channel = 6,
        .id = "S9cA4fr2doS24d2f6",
        .created_ms = 1709547651375, /* 2024-03-04T10:20:51.375Z */
        .synced_ms = 1709547651376,
    };
    for (unsigned i = 0; i < MEMBERS; i++)
        subscription.member[i] = slice_of(samples[i]);
    return subscription;
}

static void
check_same(const struct subscription *one, const struct subscription *two)
{
    assert_int_equal(one->number, two->number);
    assert_int_equal(one->channel, two->channel);
    assert_string_equal(one->id, two->id);
    assert_int_equal(one->created_ms, two->created_ms);
    assert_int_equal(one->synced_ms, two->synced_ms);
    assert_int_equal(one->inactive, two->inactive);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (!slice_eq(one->member[i], two->member[i]) ||
            !one->member[i].p != !two->member[i].p)
            fail_msg("%s differs", member_name((enum member)i));
}

static void
the_samples_are_canonical(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct json_error error;
        const char *reason;
        assert_int_equal(json_parse(&f->doc, samples[i], strlen(samples[i]), &error),
                         0);
        assert_int_equal(member_canonical((enum member)i, &f->doc, &f->doc.tokens[0],
                                          &f->out, &reason),
                         MEMBER_GIVEN);
        check_out(f, samples[i]);
    }
}

static void
a_subscription_comes_back_from_its_row(void **state)
{
    struct fixture *f = *state;
    struct subscription before = sample(), after;
    struct subscription_row row;

    buf_adds(&f->out, "old");
    assert_int_equal(subscription_write(&row, &f->out, &before), 0);
    assert_int_equal(row.number, 5);
    assert_int_equal(row.channel, 6);
    assert_true(slice_is(row.id, "S9cA4fr2doS24d2f6"));
    assert_int_equal(row.created_ms, before.created_ms);
    assert_int_equal(row.synced_ms, before.synced_ms);
    assert_false(row.inactive);
    assert_int_equal(row.token, subscription_token(&before));
    assert_ptr_equal(row.members.p, f->out.p);
    assert_int_equal(row.members.n, f->out.n);

    memset(&after, 0x55, sizeof(after));
    assert_true(subscription_read(&after, &f->doc, &row));
    check_same(&after, &before);
    for (unsigned i = 0; i < MEMBERS; i++) {
        assert_true(after.member[i].p > row.members.p);
        assert_true(after.member[i].p < row.members.p + row.members.n);
    }
}

static void
each_member_alone_comes_back(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct subscription before = {.id = "s", .inactive = true}, after;
        struct subscription_row row;
        before.member[MEMBER_TOPICS] = SLICE("[]");
        before.member[i] = slice_of(samples[i]);
        assert_int_equal(subscription_write(&row, &f->out, &before), 0);
        assert_true(subscription_read(&after, &f->doc, &row));
        check_same(&after, &before);
    }
}

static void
members_are_written_in_the_order_of_the_table(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = {.id = "s"};
    struct subscription_row row;

    subscription.member[MEMBER_FCM_TOKEN] = SLICE("\"tok\"");
    subscription.member[MEMBER_TOPICS] = SLICE("[\"t\"]");
    subscription.member[MEMBER_TYPE] = SLICE("\"app\"");
    subscription.member[MEMBER_VISITS] = SLICE("3");
    assert_int_equal(subscription_write(&row, &f->out, &subscription), 0);
    assert_string_equal(f->out.p, "{\"type\":\"app\",\"topics\":[\"t\"],\"visits\":3,"
                                  "\"fcmToken\":\"tok\"}");
}

static void
topics_are_always_there(void **state)
{
    struct fixture *f = *state;
    struct subscription_row row = {.id = SLICE("s"), .members = SLICE("{}")};
    struct subscription subscription;

    assert_true(subscription_read(&subscription, &f->doc, &row));
    assert_true(slice_is(subscription.member[MEMBER_TOPICS], "[]"));
    for (unsigned i = 0; i < MEMBERS; i++)
        if (i != MEMBER_TOPICS)
            assert_null(subscription.member[i].p);
}

static void
foreign_rows_are_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "null",
        "[]",
        "\"{}\"",
        "{",
        "{}x",
        "{\"type\":}",
        "{\"unknown\":1}",
        "{\"type\":\"app\",\"unknown\":1}",
        "{\"Type\":\"app\"}",
        "{\"topics\":[],\"type\":\"app\"}", /* another order */
        "{\"fcmToken\":\"a\",\"visits\":1}",
        "{\"type\":\"app\",\"type\":\"app\"}",
        "{\"\\u0074ype\":\"app\"}",
    };
    struct fixture *f = *state;
    struct subscription subscription;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct subscription_row row = {.id = SLICE("s"), .members = slice_of(rows[i])};
        if (subscription_read(&subscription, &f->doc, &row))
            fail_msg("%s was read", rows[i]);
    }

    char id[ID_MAX + 1];
    memset(id, 'a', sizeof(id));
    struct subscription_row row = {.id = {id, ID_MAX}, .members = SLICE("{}")};
    assert_true(subscription_read(&subscription, &f->doc, &row));
    assert_int_equal(strlen(subscription.id), ID_MAX);
    row.id.n++;
    assert_false(subscription_read(&subscription, &f->doc, &row));
}

static void
a_row_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    struct subscription before = sample(), after;
    struct subscription_row row;

    assert_int_equal(subscription_write(&row, &f->out, &before), 0);
    for (size_t n = 0; n < f->out.n; n++) {
        /* a block of its own size, so that reading on is noticed */
        char *cut = malloc(n ? n : 1);
        assert_non_null(cut);
        memcpy(cut, f->out.p, n);
        row.members = (struct slice){cut, n};
        assert_false(subscription_read(&after, &f->doc, &row));
        free(cut);
    }
}

static void
no_room_for_a_row_is_told(void **state)
{
    (void)state;
    struct subscription before = sample();
    struct subscription_row row;
    struct buf out;

    buf_init(&out, 100);
    assert_int_equal(subscription_write(&row, &out, &before), E_TOO_LARGE);
    buf_fini(&out);
    buf_init(&out, 0);
    assert_int_equal(subscription_write(&row, &out, &before), E_TOO_LARGE);
    buf_fini(&out);
}

/* ---- the push identity ---- */

static const enum member identities[] = {MEMBER_FCM_TOKEN, MEMBER_HMS_TOKEN,
                                         MEMBER_ADM_TOKEN, MEMBER_APNS_TOKEN,
                                         MEMBER_ENDPOINT};

/* It is kept in stores: the same for ever. */
static void
a_token_is_the_same_for_ever_and_differs_by_kind(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(identities); i++) {
        struct subscription subscription = {.id = "s"};
        subscription.member[identities[i]] = SLICE("\"tok\"");
        uint64_t token = subscription_token(&subscription);
        assert_true(token == (UINT64_C(0x186531a6475918) | (uint64_t)(i + 1) << 56));
        assert_true(token <= INT64_MAX);
        subscription.member[identities[i]] = SLICE("\"tok2\"");
        assert_true(subscription_token(&subscription) != token);
    }
}

static void
what_is_no_push_identity_makes_no_token(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        struct subscription subscription = {.id = "s"};
        bool is_identity = false;
        for (unsigned k = 0; k < ARRAY_LEN(identities); k++)
            is_identity = is_identity || identities[k] == i;
        subscription.member[i] = slice_of(samples[i]);
        assert_int_equal(subscription_token(&subscription) != 0, is_identity);
        subscription.member[i] = SLICE("\"\""); /* an empty one is none */
        if (is_identity)
            assert_int_equal(subscription_token(&subscription), 0);
    }
}

static void
the_first_push_identity_stands_for_the_device(void **state)
{
    (void)state;
    struct subscription subscription = sample();
    for (unsigned i = 0; i < ARRAY_LEN(identities); i++) {
        struct subscription alone = {.id = "other", .number = 9, .channel = 9};
        alone.member[identities[i]] = subscription.member[identities[i]];
        assert_true(subscription_token(&subscription) == subscription_token(&alone));
        subscription.member[identities[i]] = SLICE("\"\"");
    }
    assert_int_equal(subscription_token(&subscription), 0);
}

static void
one_that_opted_out_is_not_found_by_its_identity(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = {.id = "s", .inactive = true};
    struct subscription_row row;

    subscription.member[MEMBER_ENDPOINT] = SLICE("\"https://push.example.com/\"");
    assert_int_equal(subscription_write(&row, &f->out, &subscription), 0);
    assert_true(row.inactive);
    assert_int_equal(row.token, 0);
    subscription.inactive = false;
    assert_int_equal(subscription_write(&row, &f->out, &subscription), 0);
    assert_true(row.token == subscription_token(&subscription));
    assert_true(row.token != 0);
}

static void
the_version_of_the_topics_is_a_number(void **state)
{
    (void)state;
    struct subscription subscription = {.id = "s"};
    assert_int_equal(subscription_topics_version(&subscription), 0);
    subscription.member[MEMBER_TOPICS_VERSION] = SLICE("0");
    assert_int_equal(subscription_topics_version(&subscription), 0);
    subscription.member[MEMBER_TOPICS_VERSION] = SLICE("2000000000");
    assert_int_equal(subscription_topics_version(&subscription), 2000000000);
}

/* ---- what is shown ---- */

static void
show(struct fixture *f, const struct subscription *subscription, bool secrets)
{
    struct json_out json;

    buf_reset(&f->out);
    json_out_init(&json, &f->out);
    json_object(&json, NULL);
    subscription_show(&json, subscription, "CHANNEL_ID", secrets);
    json_object_end(&json);
    assert_int_equal(f->out.failed, 0);
}

static void
what_is_known_is_shown_behind_the_id_and_the_times(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = {
        .id = "s", .created_ms = 1709547651375, .synced_ms = 1709547651376};

    subscription.member[MEMBER_TOPICS] = SLICE("[]");
    subscription.member[MEMBER_LANGUAGE] = SLICE("\"de\"");
    subscription.member[MEMBER_APNS_TOKEN] = SLICE("\"tok\"");
    show(f, &subscription, false);
    assert_string_equal(f->out.p, "{\"_id\":\"s\",\"channel\":\"CHANNEL_ID\","
                                  "\"inactive\":false,"
                                  "\"createdAt\":\"2024-03-04T10:20:51.375Z\","
                                  "\"syncedAt\":\"2024-03-04T10:20:51.376Z\","
                                  "\"language\":\"de\",\"topics\":[]}");
    subscription.inactive = true;
    show(f, &subscription, true);
    assert_string_equal(f->out.p, "{\"_id\":\"s\",\"channel\":\"CHANNEL_ID\","
                                  "\"inactive\":true,"
                                  "\"createdAt\":\"2024-03-04T10:20:51.375Z\","
                                  "\"syncedAt\":\"2024-03-04T10:20:51.376Z\","
                                  "\"language\":\"de\",\"topics\":[],"
                                  "\"apnsToken\":\"tok\"}");
}

static void
secrets_are_shown_only_when_asked(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = sample();
    struct json_error error;

    for (int secrets = 0; secrets <= 1; secrets++) {
        show(f, &subscription, secrets);
        assert_int_equal(json_parse(&f->doc, f->out.p, f->out.n, &error), 0);
        assert_int_equal(strstr(f->out.p, "hidden") != NULL, secrets);
        for (unsigned i = 0; i < MEMBERS; i++) {
            const struct json_token *value =
                json_member(&f->doc, &f->doc.tokens[0], member_name((enum member)i));
            if (member_is_secret((enum member)i) && !secrets) {
                assert_null(value);
                continue;
            }
            assert_non_null(value);
            assert_true(slice_is(json_raw(&f->doc, value), samples[i]));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_elements_of_a_list_come_in_turn),
        TEST(the_members_of_an_object_come_in_turn),
        TEST(a_list_knows_what_it_has),
        TEST(lists_are_compared_as_sets),
        TEST(a_list_grows_at_its_end),
        TEST(a_list_loses_what_another_has),
        TEST(an_attribute_is_found_by_its_whole_name),
        TEST(an_attribute_is_set_in_its_place),
        TEST(the_samples_are_canonical),
        TEST(a_subscription_comes_back_from_its_row),
        TEST(each_member_alone_comes_back),
        TEST(members_are_written_in_the_order_of_the_table),
        TEST(topics_are_always_there),
        TEST(foreign_rows_are_refused),
        TEST(a_row_cut_anywhere_is_refused),
        TEST(no_room_for_a_row_is_told),
        TEST(a_token_is_the_same_for_ever_and_differs_by_kind),
        TEST(what_is_no_push_identity_makes_no_token),
        TEST(the_first_push_identity_stands_for_the_device),
        TEST(one_that_opted_out_is_not_found_by_its_identity),
        TEST(the_version_of_the_topics_is_a_number),
        TEST(what_is_known_is_shown_behind_the_id_and_the_times),
        TEST(secrets_are_shown_only_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
