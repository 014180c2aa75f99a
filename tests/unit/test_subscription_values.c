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
    const char *reason;
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

/* ---- the table ---- */

static void
members_are_found_by_their_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        enum member found = MEMBERS;
        assert_true(member_find(slice_of(member_name((enum member)i)), &found));
        assert_int_equal(found, i);
    }

    static const char *const unknown[] = {"",        "topic", "Topics",
                                          "topics ", "_id",   "channel"};
    enum member found = MEMBER_TAGS;
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        assert_false(member_find(slice_of(unknown[i]), &found));
    assert_int_equal(found, MEMBER_TAGS);
}

static void
only_where_pushes_go_is_secret(void **state)
{
    static const char *const secret[] = {
        "fcmToken", "hmsToken",  "admToken",   "apnsToken",
        "endpoint", "publicKey", "authSecret", "iosLiveActivityToken"};
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(secret); i++) {
        enum member member = MEMBERS;
        assert_true(member_find(slice_of(secret[i]), &member));
        assert_true(member_is_secret(member));
    }
    for (unsigned i = 0; i < MEMBERS; i++)
        n += member_is_secret((enum member)i);
    assert_int_equal(n, ARRAY_LEN(secret));
}

static void
a_device_tells_nothing_that_is_the_servers(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MEMBERS; i++)
        assert_int_equal(member_is_told((enum member)i),
                         i != MEMBER_TYPE && i != MEMBER_SEGMENTS &&
                             i != MEMBER_IS_TEST && i != MEMBER_CLICKED_DATES);
}

/* ---- values that come in ---- */

static enum member_given
read_value(struct fixture *f, enum member member, struct slice json)
{
    struct json_error error;

    f->reason = NULL;
    buf_reset(&f->out);
    assert_int_equal(buf_adds(&f->out, "before"), 0);
    if (json_parse(&f->doc, json.p, json.n, &error) != 0)
        fail_msg("%.*s: %s", (int)json.n, json.p, error.reason);
    return member_canonical(member, &f->doc, &f->doc.tokens[0], &f->out, &f->reason);
}

static void
accepted_slice(struct fixture *f, enum member member, struct slice json,
               struct slice want)
{
    enum member_given given = read_value(f, member, json);

    if (given != MEMBER_GIVEN)
        fail_msg("%s: %.*s: %d, %s", member_name(member), (int)json.n, json.p, given,
                 f->reason ? f->reason : "no reason");
    assert_null(f->reason);
    assert_memory_equal(f->out.p, "before", 6);
    struct slice got = {f->out.p + 6, f->out.n - 6};
    if (!slice_eq(got, want))
        fail_msg("%s: %.*s became %.*s", member_name(member), (int)json.n, json.p,
                 (int)got.n, got.p);
}

static void
accepted(struct fixture *f, enum member member, const char *json, const char *want)
{
    accepted_slice(f, member, slice_of(json), slice_of(want));
}

static void
left(struct fixture *f, enum member member, const char *json)
{
    assert_int_equal(read_value(f, member, slice_of(json)), MEMBER_LEFT);
    assert_string_equal(f->out.p, "before");
    assert_null(f->reason);
}

static void
refused_slice(struct fixture *f, enum member member, struct slice json,
              const char *reason)
{
    if (read_value(f, member, json) != MEMBER_REFUSED)
        fail_msg("%s: %.*s was taken", member_name(member), (int)json.n, json.p);
    assert_string_equal(f->reason, reason);
}

static void
refused(struct fixture *f, enum member member, const char *json, const char *reason)
{
    refused_slice(f, member, slice_of(json), reason);
}

/* `n` times `what`, between two other texts. */
static struct slice
repeated(struct fixture *f, const char *open, const char *what, size_t n,
         const char *end)
{
    buf_reset(&f->in);
    buf_adds(&f->in, open);
    for (size_t i = 0; i < n; i++)
        buf_adds(&f->in, what);
    assert_int_equal(buf_adds(&f->in, end), 0);
    return buf_slice(&f->in);
}

/* An array of `n` texts that differ: "t000000" … padded to `size` bytes. */
static struct slice
numbered(struct fixture *f, const char *open, size_t n, int size, const char *end)
{
    buf_reset(&f->in);
    buf_adds(&f->in, open);
    for (size_t i = 0; i < n; i++)
        buf_addf(&f->in, "%s\"t%0*zu\"", i ? "," : "", size - 1, i);
    assert_int_equal(buf_adds(&f->in, end), 0);
    return buf_slice(&f->in);
}

static void
null_is_as_if_it_had_not_been_there(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < MEMBERS; i++) {
        left(f, (enum member)i, "null");
        left(f, (enum member)i, " null ");
    }
}

static void
a_text_is_written_in_one_way_only(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"\"Europe/Berlin\"", "\"Europe/Berlin\""},
        {" \"a b\" ", "\"a b\""},
        {"\"\"", "\"\""},
        {"\"\\u0041\\u0062\"", "\"Ab\""},
        {"\"Europe\\/Berlin\"", "\"Europe/Berlin\""},
        {"\"\\u00e9\"", "\"\xc3\xa9\""},
        {"\"\xc3\xa9\"", "\"\xc3\xa9\""},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\"\\\\\\b\\f\\n\\r\\t\""},
        {"\"\\u0022\\u005C\\u000A\"", "\"\\\"\\\\\\n\""},
        {"\"\\u001F\\u007f\x7f\"", "\"\\u001f\\u007f\\u007f\""},
        {"\"\xe2\x80\xa8\\u2029\"", "\"\\u2028\\u2029\""},
        {"\"[],{}:\"", "\"[],{}:\""},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        accepted(f, MEMBER_TIMEZONE, rows[i].in, rows[i].out);
}

static void
a_number_or_a_boolean_is_forgiven_where_a_text_is_expected(void **state)
{
    struct fixture *f = *state;
    accepted(f, MEMBER_PLATFORM_VERSION, "14", "\"14\"");
    accepted(f, MEMBER_PLATFORM_VERSION, "-1.50", "\"-1.50\"");
    accepted(f, MEMBER_PLATFORM_VERSION, " 1e9 ", "\"1e9\"");
    accepted(f, MEMBER_PLATFORM_VERSION, "true", "\"true\"");
    accepted(f, MEMBER_FCM_TOKEN, "false", "\"false\"");
}

static void
a_text_is_no_list_and_no_object(void **state)
{
    struct fixture *f = *state;
    refused(f, MEMBER_LANGUAGE, "[]", "must be a string");
    refused(f, MEMBER_LANGUAGE, "[\"de\"]", "must be a string");
    refused(f, MEMBER_LANGUAGE, "{}", "must be a string");
    refused(f, MEMBER_LANGUAGE, "\"d\\u0000e\"", "must not hold U+0000");
}

static const struct {
    enum member member;
    size_t max_bytes;
} texts[] = {
    {MEMBER_TYPE, 64},
    {MEMBER_BROWSER_TYPE, 128},
    {MEMBER_BROWSER_VERSION, 64},
    {MEMBER_PLATFORM_NAME, 128},
    {MEMBER_PLATFORM_VERSION, 64},
    {MEMBER_APP_VERSION, 128},
    {MEMBER_SDK_VERSION, 64},
    {MEMBER_LANGUAGE, 64},
    {MEMBER_COUNTRY, 64},
    {MEMBER_REGION, 128},
    {MEMBER_TIMEZONE, 128},
    {MEMBER_DEVICE_ID, 128},
    {MEMBER_PIANO_USER_ID, 256},
    {MEMBER_EMAIL, 320},
    {MEMBER_REFERRER, 2048},
    {MEMBER_PATHNAME, 2048},
    {MEMBER_FCM_ID, 128},
    {MEMBER_HMS_ID, 128},
    {MEMBER_LIVE_ACTIVITY_ID, 256},
    {MEMBER_FCM_TOKEN, 4096},
    {MEMBER_HMS_TOKEN, 4096},
    {MEMBER_ADM_TOKEN, 4096},
    {MEMBER_APNS_TOKEN, 4096},
    {MEMBER_ENDPOINT, 4096},
    {MEMBER_PUBLIC_KEY, 1024},
    {MEMBER_AUTH_SECRET, 1024},
    {MEMBER_LIVE_ACTIVITY_TOKEN, 4096},
};

static void
a_text_may_have_its_maximum_and_no_byte_more(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        enum member member = texts[i].member;
        size_t max = texts[i].max_bytes;
        struct slice most = repeated(f, "\"", "a", max, "\"");
        accepted_slice(f, member, most, most);
        refused_slice(f, member, repeated(f, "\"", "a", max + 1, "\""), "is too long");
        most = repeated(f, "\"", "\xc3\xa9", max / 2, "\""); /* bytes, not characters */
        accepted_slice(f, member, most, most);
        refused_slice(f, member, repeated(f, "\"a", "\xc3\xa9", max / 2, "\""),
                      "is too long");
    }
}

static void
an_escape_counts_as_what_it_means(void **state)
{
    struct fixture *f = *state;
    struct buf want;

    buf_init(&want, 1000);
    buf_adds(&want, "\"");
    for (int i = 0; i < 64; i++)
        buf_adds(&want, "A");
    buf_adds(&want, "\"");
    accepted_slice(f, MEMBER_TYPE, repeated(f, "\"", "\\u0041", 64, "\""),
                   buf_slice(&want));
    buf_fini(&want);
    refused_slice(f, MEMBER_TYPE, repeated(f, "\"", "\\u0041", 65, "\""),
                  "is too long");
}

static void
a_number_in_a_texts_place_has_the_same_maximum(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_value(f, MEMBER_TYPE, repeated(f, "", "1", 64, "")),
                     MEMBER_GIVEN);
    assert_int_equal(f->out.n, 6 + 66);
    refused_slice(f, MEMBER_TYPE, repeated(f, "", "1", 65, ""), "is too long");
}

static void
whole_numbers_are_taken_in_a_string_too(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"0", "0"},
        {"1", "1"},
        {"2000000000", "2000000000"},
        {"\"0\"", "0"},
        {"\"1\"", "1"},
        {"\"007\"", "7"},
        {"\"0000000007\"", "7"},
        {"\"2000000000\"", "2000000000"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        accepted(f, MEMBER_TOPICS_VERSION, rows[i].in, rows[i].out);
        accepted(f, MEMBER_VISITS, rows[i].in, rows[i].out);
    }
}

static void
what_is_no_whole_number_is_refused(void **state)
{
    static const char *const rows[] = {
        "-1",
        "2000000001",
        "99999999999999999999",
        "1.0",
        "1.5",
        "1e3",
        "true",
        "false",
        "[]",
        "[1]",
        "{}",
        "\"\"",
        "\" 1\"",
        "\"1 \"",
        "\"-1\"",
        "\"+1\"",
        "\"1.0\"",
        "\"0x1\"",
        "\"a\"",
        "\"2000000001\"",
        "\"9999999999\"",
        "\"00000000001\"",
        "\"1\\u0000\"",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refused(f, MEMBER_TOPICS_VERSION, rows[i],
                "must be a whole number from 0 to 2000000000");
}

static void
a_boolean_is_nothing_else(void **state)
{
    static const char *const rows[] = {"0", "1", "\"true\"", "\"\"", "[]", "{}"};
    struct fixture *f = *state;

    accepted(f, MEMBER_PERMISSION, " true", "true");
    accepted(f, MEMBER_PERMISSION, "false ", "false");
    accepted(f, MEMBER_IS_TEST, "true", "true");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refused(f, MEMBER_PERMISSION, rows[i], "must be true or false");
}

/* ---- lists ---- */

static void
a_list_is_a_set_in_the_order_of_first_mention(void **state)
{
    struct fixture *f = *state;
    accepted(f, MEMBER_TOPICS, "[]", "[]");
    accepted(f, MEMBER_TOPICS, " [ ] ", "[]");
    accepted(f, MEMBER_TOPICS, "[\"a\"]", "[\"a\"]");
    accepted(f, MEMBER_TOPICS, " [ \"b\" ,\n\"a\" , \"b\"]", "[\"b\",\"a\"]");
    accepted(f, MEMBER_TAGS, "[\"a\",\"\\u0061\",\"a\"]", "[\"a\"]");
    accepted(f, MEMBER_TAGS, "[\"a\",\"aa\",\"A\",\"aaa\",\"aa\"]",
             "[\"a\",\"aa\",\"A\",\"aaa\"]");
}

static void
strings_of_a_list_may_look_like_its_end(void **state)
{
    static const char same[] = "[\"]\",\"[\",\",\",\"a\\\",\\\"b\",\"\\\\\",\"\\\"]\","
                               "\"{\\\"k\\\":[1]}\",\"\",\"b\"]";
    struct fixture *f = *state;

    accepted(f, MEMBER_SEGMENTS, same, same);
    accepted(f, MEMBER_SEGMENTS, "[\"a\\\",\\\"b\",\"b\",\"a\"]",
             "[\"a\\\",\\\"b\",\"b\",\"a\"]");
    accepted(f, MEMBER_SEGMENTS, "[\"\\\\\",\"]\",\"\\u005c\",\"\\u005d\"]",
             "[\"\\\\\",\"]\"]");
    accepted(f, MEMBER_PIANO_SEGMENTS, "[\"x[\",\"x[\",\"y\"]", "[\"x[\",\"y\"]");
}

static void
topics_and_tags_are_ids(void **state)
{
    static const char *const rows[] = {"[\"\"]",          "[\"a b\"]",
                                       "[\"a\",\"b/c\"]", "[\"\xc3\xa9\"]",
                                       "[\"a\\n\"]",      "[\"a\\\"b\"]"};
    struct fixture *f = *state;

    accepted(f, MEMBER_TOPICS, "[\"A-z_0.9\"]", "[\"A-z_0.9\"]");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refused(f, MEMBER_TOPICS, rows[i], "must be ids: 1 to 64 of A-Z a-z 0-9 _ . -");
        refused(f, MEMBER_TAGS, rows[i], "must be ids: 1 to 64 of A-Z a-z 0-9 _ . -");
    }
    refused(f, MEMBER_TOPICS, "[\"a\\u0000\"]", "must not hold U+0000");
}

static void
a_list_is_an_array_of_strings(void **state)
{
    static const char *const rows[] = {"\"a\"", "1",         "true",
                                       "{}",    "{\"0\":1}", "[null]",
                                       "[1]",   "[true]",    "[\"a\",[\"b\"]]",
                                       "[{}]",  "[\"a\",{}]"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        refused(f, MEMBER_TOPICS, rows[i], "must be an array of ids");
        refused(f, MEMBER_TAGS, rows[i], "must be an array of ids");
        refused(f, MEMBER_SEGMENTS, rows[i], "must be an array of strings");
        refused(f, MEMBER_CLICKED_DATES, rows[i], "must be an array of strings");
    }
}

static void
a_list_has_at_most_500_elements(void **state)
{
    static const enum member lists[] = {MEMBER_TOPICS, MEMBER_TAGS, MEMBER_SEGMENTS,
                                        MEMBER_PIANO_SEGMENTS, MEMBER_CLICKED_DATES};
    struct fixture *f = *state;

    assert_int_equal(SUBSCRIPTION_LIST_MAX, 500);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct slice most = numbered(f, "[", 500, 7, "]");
        accepted_slice(f, lists[i], most, most);
        refused_slice(f, lists[i], numbered(f, "[", 501, 7, "]"),
                      "may have at most 500 elements");
    }
}

static void
an_element_may_have_its_maximum_and_no_byte_more(void **state)
{
    struct fixture *f = *state;
    struct slice most = repeated(f, "[\"", "a", 64, "\"]");
    accepted_slice(f, MEMBER_TOPICS, most, most);
    refused_slice(f, MEMBER_TOPICS, repeated(f, "[\"", "a", 65, "\"]"),
                  "must be ids: 1 to 64 of A-Z a-z 0-9 _ . -");
    refused_slice(f, MEMBER_TOPICS, repeated(f, "[\"", "a", 257, "\"]"), "is too long");
    most = repeated(f, "[\"", "a", 256, "\"]");
    accepted_slice(f, MEMBER_SEGMENTS, most, most);
    refused_slice(f, MEMBER_SEGMENTS, repeated(f, "[\"", "a", 257, "\"]"),
                  "is too long");
}

/* ---- attributes ---- */

static void
attributes_are_strings_numbers_booleans_and_arrays_of_these(void **state)
{
    struct fixture *f = *state;
    accepted(f, MEMBER_ATTRIBUTES, " { } ", "{}");
    accepted(f, MEMBER_ATTRIBUTES,
             "{ \"user_id\" : \"a\\u0062\" , \"age\" : 42 , \"vip\" : true,\n"
             "\"likes\" : [ \"x\" , 1 , false, -1.5e3, \"x\", 1 ] , \"none\" : [] }",
             "{\"user_id\":\"ab\",\"age\":42,\"vip\":true,"
             "\"likes\":[\"x\",1,false,-1.5e3],\"none\":[]}");
    accepted(f, MEMBER_ATTRIBUTES, "{\"a\":\"}\",\"b\":[\"]\",\"}\"],\"c\":\"\\\\\"}",
             "{\"a\":\"}\",\"b\":[\"]\",\"}\"],\"c\":\"\\\\\"}");
    /* What looks alike is not the same. */
    accepted(f, MEMBER_ATTRIBUTES, "{\"a\":[1,\"1\",1.0,true,\"true\",1]}",
             "{\"a\":[1,\"1\",1.0,true,\"true\"]}");
}

static void
an_attribute_that_is_null_is_left_out(void **state)
{
    struct fixture *f = *state;
    accepted(f, MEMBER_ATTRIBUTES, "{\"a\":null}", "{}");
    accepted(f, MEMBER_ATTRIBUTES, "{\"a\":null,\"b\":1,\"c\":null,\"d\":2}",
             "{\"b\":1,\"d\":2}");
    accepted(f, MEMBER_ATTRIBUTES, "{\"b\":1,\"c\":null}", "{\"b\":1}");
}

static void
attributes_are_an_object_of_ids(void **state)
{
    static const char *const others[] = {"[]", "\"a\"", "1", "true",
                                         "[{\"id\":\"a\"}]"};
    static const char *const names[] = {"",        "a b",   "\xc3\xa9",
                                        "\\u0061", "a\\\"", "a\\u0000"};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        refused(f, MEMBER_ATTRIBUTES, others[i],
                "must be an object: an attribute's id and its value");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char text[64];
        snprintf(text, sizeof(text), "{\"ok\":1,\"%s\":1}", names[i]);
        refused(f, MEMBER_ATTRIBUTES, text,
                "an attribute's id is 1 to 64 of A-Z a-z 0-9 _ . -");
    }
    struct slice most = repeated(f, "{\"", "a", 64, "\":1}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"", "a", 65, "\":1}"),
                  "an attribute's id is 1 to 64 of A-Z a-z 0-9 _ . -");
}

static void
an_attribute_is_no_object(void **state)
{
    struct fixture *f = *state;
    refused(f, MEMBER_ATTRIBUTES, "{\"a\":{}}",
            "must be a string, a number, true or false, or an array of these");
    refused(f, MEMBER_ATTRIBUTES, "{\"a\":\"\\u0000\"}", "must not hold U+0000");
    assert_int_equal(read_value(f, MEMBER_ATTRIBUTES, SLICE("{\"a\":[[]]}")),
                     MEMBER_REFUSED);
    assert_int_equal(read_value(f, MEMBER_ATTRIBUTES, SLICE("{\"a\":[{}]}")),
                     MEMBER_REFUSED);
    assert_int_equal(read_value(f, MEMBER_ATTRIBUTES, SLICE("{\"a\":[null]}")),
                     MEMBER_REFUSED);
}

static void
there_are_at_most_200_attributes(void **state)
{
    struct fixture *f = *state;
    for (size_t n = 200; n <= 201; n++) {
        buf_reset(&f->in);
        for (size_t i = 0; i < n; i++)
            buf_addf(&f->in, "%s\"a%zu\":%zu", i ? "," : "{", i, i);
        assert_int_equal(buf_adds(&f->in, "}"), 0);
        if (n == SUBSCRIPTION_ATTRIBUTES_MAX)
            accepted_slice(f, MEMBER_ATTRIBUTES, buf_slice(&f->in), buf_slice(&f->in));
        else
            refused_slice(f, MEMBER_ATTRIBUTES, buf_slice(&f->in),
                          "may have at most 200 attributes");
    }
}

static void
an_attributes_value_has_at_most_16_kib_of_json(void **state)
{
    struct fixture *f = *state;
    struct slice most = repeated(f, "{\"a\":\"", "x", 16384 - 2, "\"}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"a\":\"", "x", 16384 - 1, "\"}"),
                  "may have at most 16 KiB");
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"a\":\"", "x", 16384 + 1, "\"}"),
                  "is too long");

    /* As it is written: a control character takes six bytes. */
    most = repeated(f, "{\"a\":\"", "\\u0001", (16384 - 2) / 6, "\"}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES,
                  repeated(f, "{\"a\":\"", "\\u0001", (16384 - 2) / 6 + 1, "\"}"),
                  "may have at most 16 KiB");

    /* 63 × ("256 bytes" and a comma) and the brackets: 16318; 64: 16577. */
    most = numbered(f, "{\"a\":[", 63, 256, "]}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, numbered(f, "{\"a\":[", 64, 256, "]}"),
                  "may have at most 16 KiB");
}

static void
an_attributes_array_has_the_limits_of_a_list(void **state)
{
    struct fixture *f = *state;
    struct slice most = numbered(f, "{\"a\":[", 500, 7, "]}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, numbered(f, "{\"a\":[", 501, 7, "]}"),
                  "may have at most 500 elements");
    most = repeated(f, "{\"a\":[\"", "x", 256, "\"]}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"a\":[\"", "x", 257, "\"]}"),
                  "is too long");
    most = repeated(f, "{\"a\":[", "1", 256, "]}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"a\":[", "1", 257, "]}"),
                  "is too long");
    most = repeated(f, "{\"a\":", "1", 256, "}");
    accepted_slice(f, MEMBER_ATTRIBUTES, most, most);
    refused_slice(f, MEMBER_ATTRIBUTES, repeated(f, "{\"a\":", "1", 257, "}"),
                  "is too long");
}

static void
the_value_of_one_attribute_has_the_same_forms(void **state)
{
    static const struct {
        const char *in, *out;
        enum member_given given;
    } rows[] = {
        {"\"\\u0061\"", "\"a\"", MEMBER_GIVEN},
        {"\"\"", "\"\"", MEMBER_GIVEN},
        {" 7 ", "7", MEMBER_GIVEN},
        {"true", "true", MEMBER_GIVEN},
        {"[ 1, \"a\" , 1 ]", "[1,\"a\"]", MEMBER_GIVEN},
        {"[]", "[]", MEMBER_GIVEN},
        {"null", "", MEMBER_LEFT},
        {"{}", NULL, MEMBER_REFUSED},
        {"[{}]", NULL, MEMBER_REFUSED},
        {"\"\\u0000\"", NULL, MEMBER_REFUSED},
    };
    struct fixture *f = *state;
    struct json_error error;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        f->reason = NULL;
        buf_reset(&f->out);
        buf_adds(&f->out, "");
        assert_int_equal(json_parse(&f->doc, rows[i].in, strlen(rows[i].in), &error),
                         0);
        assert_int_equal(
            attribute_canonical(&f->doc, &f->doc.tokens[0], &f->out, &f->reason),
            rows[i].given);
        assert_int_equal(f->reason != NULL, rows[i].given == MEMBER_REFUSED);
        if (rows[i].out)
            assert_string_equal(f->out.p, rows[i].out);
    }
}

static void
no_room_is_told_of_every_form(void **state)
{
    static const struct {
        enum member member;
        const char *in;
        size_t n; /* of the canonical form */
    } rows[] = {
        {MEMBER_LANGUAGE, "\"de\"", 4},
        {MEMBER_LANGUAGE, "14", 4},
        {MEMBER_TOPICS_VERSION, "\"14\"", 2},
        {MEMBER_PERMISSION, "true", 4},
        {MEMBER_TOPICS, "[\"a\",\"b\"]", 9},
        {MEMBER_SEGMENTS, "[\"a\"]", 5},
        {MEMBER_ATTRIBUTES, "{\"a\":1}", 7},
        {MEMBER_ATTRIBUTES, "{\"a\":[1,2]}", 11},
        {MEMBER_ATTRIBUTES, "{\"a\":\"b\"}", 9},
    };
    struct fixture *f = *state;
    struct json_error error;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(json_parse(&f->doc, rows[i].in, strlen(rows[i].in), &error),
                         0);
        for (size_t room = 0; room <= rows[i].n; room++) {
            struct buf out;
            buf_init(&out, room);
            enum member_given given = member_canonical(
                rows[i].member, &f->doc, &f->doc.tokens[0], &out, &f->reason);
            assert_int_equal(given, room < rows[i].n ? MEMBER_NO_MEMORY : MEMBER_GIVEN);
            buf_fini(&out);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_found_by_their_names),
        TEST(only_where_pushes_go_is_secret),
        TEST(a_device_tells_nothing_that_is_the_servers),
        TEST(null_is_as_if_it_had_not_been_there),
        TEST(a_text_is_written_in_one_way_only),
        TEST(a_number_or_a_boolean_is_forgiven_where_a_text_is_expected),
        TEST(a_text_is_no_list_and_no_object),
        TEST(a_text_may_have_its_maximum_and_no_byte_more),
        TEST(an_escape_counts_as_what_it_means),
        TEST(a_number_in_a_texts_place_has_the_same_maximum),
        TEST(whole_numbers_are_taken_in_a_string_too),
        TEST(what_is_no_whole_number_is_refused),
        TEST(a_boolean_is_nothing_else),
        TEST(a_list_is_a_set_in_the_order_of_first_mention),
        TEST(strings_of_a_list_may_look_like_its_end),
        TEST(topics_and_tags_are_ids),
        TEST(a_list_is_an_array_of_strings),
        TEST(a_list_has_at_most_500_elements),
        TEST(an_element_may_have_its_maximum_and_no_byte_more),
        TEST(attributes_are_strings_numbers_booleans_and_arrays_of_these),
        TEST(an_attribute_that_is_null_is_left_out),
        TEST(attributes_are_an_object_of_ids),
        TEST(an_attribute_is_no_object),
        TEST(there_are_at_most_200_attributes),
        TEST(an_attributes_value_has_at_most_16_kib_of_json),
        TEST(an_attributes_array_has_the_limits_of_a_list),
        TEST(the_value_of_one_attribute_has_the_same_forms),
        TEST(no_room_is_told_of_every_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
