#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/event.h"

#define CHANNEL SLICE("CHANNEL_ID")

/* An event that is short and valid, and the parts to make others. */
#define SUB     "\"subscription\":{\"_id\":\"S\"}"
#define CHAN    "\"channel\":{\"_id\":\"CHANNEL_ID\"}"
#define DATE    "\"date\":\"2024-03-04T10:09:40.124Z\""
#define EVENT   "{\"type\":\"optIn\"," SUB "," CHAN "}"
#define IN(sub) "{\"type\":\"optIn\",\"subscription\":{\"_id\":\"S\"," sub "}," CHAN "}"

static const struct event_limits limits = {1000, EVENT_MAX_BYTES};

struct fixture {
    struct event_batch batch;
    struct event_error error;
    struct buf text;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    event_batch_init(&f->batch);
    buf_init(&f->text, 8 << 20);
    *state = f;
    return f ? 0 : -1;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    event_batch_fini(&f->batch);
    buf_fini(&f->text);
    free(f);
    return 0;
}

static int
read_json(struct fixture *f, struct slice body)
{
    memset(&f->error, 0x55, sizeof(f->error));
    return event_batch_parse(&f->batch, body, EVENT_FORMAT_JSON, CHANNEL, &limits,
                             &f->error);
}

static int
read_ndjson(struct fixture *f, struct slice body)
{
    memset(&f->error, 0x55, sizeof(f->error));
    return event_batch_parse(&f->batch, body, EVENT_FORMAT_NDJSON, CHANNEL, &limits,
                             &f->error);
}

static void
check_body(struct fixture *f, size_t i, const char *want)
{
    assert_true(i < f->batch.n);
    assert_int_equal(f->batch.events[i].body.n, strlen(want));
    assert_memory_equal(f->batch.events[i].body.p, want, strlen(want));
}

static void
check_error(struct fixture *f, int64_t index, const char *pointer, const char *reason)
{
    assert_int_equal(f->batch.n, 0);
    assert_false(f->error.too_large);
    assert_int_equal(f->error.index, index);
    assert_string_equal(f->error.pointer, pointer);
    assert_string_equal(f->error.reason, reason);
}

static void
refused(struct fixture *f, const char *body, int64_t index, const char *pointer,
        const char *reason)
{
    assert_int_equal(read_json(f, slice_of(body)), E_INVALID);
    check_error(f, index, pointer, reason);
}

static void
accepted(struct fixture *f, const char *body)
{
    if (read_json(f, slice_of(body)) != 0)
        fail_msg("%s: %s %s", body, f->error.pointer, f->error.reason);
    assert_int_equal(f->batch.n, 1);
    check_body(f, 0, body);
}

/* ---- the product page ---- */

static void
payload_read(struct fixture *f, unsigned type)
{
    char path[400], bytes[4096];
    snprintf(path, sizeof(path), "%s/payloads/%s.json", FIXTURES,
             event_type_name((enum event_type)type));
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    while (n && bytes[n - 1] == '\n')
        n--;
    assert_in_range(n, 100, sizeof(bytes) - 1);
    buf_reset(&f->text);
    assert_int_equal(buf_add(&f->text, bytes, n), 0);
}

static void
the_seven_payloads_keep_their_bytes(void **state)
{
    struct fixture *f = *state;
    for (unsigned type = 0; type < EVENT_TYPES; type++) {
        payload_read(f, type);
        assert_int_equal(read_json(f, buf_slice(&f->text)), 0);
        assert_int_equal(f->batch.n, 1);
        assert_int_equal(f->batch.events[0].type, type);
        assert_true(slice_eq(f->batch.events[0].body, buf_slice(&f->text)));
        assert_true(slice_is(f->batch.events[0].subscription, "SUBSCRIPTION_ID"));
    }
}

static void
a_payload_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    for (unsigned type = 0; type < EVENT_TYPES; type++) {
        payload_read(f, type);
        for (size_t n = 0; n < f->text.n; n++) {
            /* a block of its own size, so that reading on is noticed */
            char *cut = malloc(n ? n : 1);
            assert_non_null(cut);
            memcpy(cut, f->text.p, n);
            assert_int_equal(read_json(f, (struct slice){cut, n}), E_INVALID);
            assert_int_equal(read_ndjson(f, (struct slice){cut, n}), E_INVALID);
            free(cut);
        }
    }
}

/* Without the white space between tokens. */
static void
compact(struct buf *out, struct slice text)
{
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        quoted ^= text.p[i] == '"';
        if (quoted || (text.p[i] != ' ' && text.p[i] != '\n'))
            buf_addc(out, text.p[i]);
    }
}

/* Every ISO time of the text becomes `time`. */
static void
set_times(struct buf *text, const char *time)
{
    for (char *at = text->p; (at = strstr(at, "\"2024-")); at += 26)
        memcpy(at + 1, time, 24);
}

static void
samples_are_the_payloads_of_the_product_page(void **state)
{
    struct fixture *f = *state;
    for (unsigned type = 0; type < EVENT_TYPES; type++) {
        struct buf want, sample;
        buf_init(&want, 4096);
        buf_init(&sample, 4096);
        payload_read(f, type);
        compact(&want, buf_slice(&f->text));
        set_times(&want, "2026-01-02T03:04:05.006Z");
        assert_int_equal(event_sample(&sample, (enum event_type)type, CHANNEL,
                                      SLICE("SUBSCRIPTION_ID"), 1767323045006),
                         0);
        assert_string_equal(sample.p, want.p);
        accepted(f, sample.p);
        assert_int_equal(f->batch.events[0].type, type);
        buf_fini(&want);
        buf_fini(&sample);
    }
}

static void
a_sample_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct buf small;
    buf_init(&small, 50);
    assert_int_equal(event_sample(&small, EVENT_OPT_IN, CHANNEL, SLICE("S"), 0),
                     E_TOO_LARGE);
    buf_fini(&small);
}

static void
types_are_read_by_their_exact_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_TYPES; i++) {
        enum event_type type;
        const char *name = event_type_name((enum event_type)i);
        assert_true(event_type_parse(slice_of(name), &type));
        assert_int_equal(type, i);
    }
    enum event_type type = EVENT_CLICK;
    assert_false(event_type_parse(SLICE("optin"), &type));
    assert_false(event_type_parse(SLICE(""), &type));
    assert_false(event_type_parse(SLICE("optIn "), &type));
    assert_int_equal(type, EVENT_CLICK);
}

/* ---- rules ---- */

#define MUST_BE_TYPE                                                                   \
    "must be one of optIn, optOut, delivery, click, updateTopics, topicAdded, "        \
    "attributeUpdate"
#define AN_ID      "an id: 1 to 64 of A-Z a-z 0-9 _ . -"
#define A_TIME     "an ISO 8601 time such as 2024-03-04T09:50:51.375Z"
#define A_CHANNEL  "the id of the channel in the path"
#define IS_MISSING "is missing; must be "

static void
a_missing_member_is_named(void **state)
{
    static const struct {
        const char *body, *pointer, *reason;
    } rows[] = {
        {"{}", "/type", "is missing; " MUST_BE_TYPE},
        {"{\"type\":\"optIn\"," CHAN "}", "/subscription", IS_MISSING "an object"},
        {"{\"type\":\"optIn\",\"subscription\":{}," CHAN "}", "/subscription/_id",
         IS_MISSING AN_ID},
        {"{\"type\":\"optIn\"," SUB "}", "/channel", IS_MISSING "an object"},
        {"{\"type\":\"optIn\"," SUB ",\"channel\":{}}", "/channel/_id",
         IS_MISSING A_CHANNEL},
        {"{\"type\":\"delivery\"," SUB "," CHAN ",\"notification\":{\"_id\":\"N\"}}",
         "/date", IS_MISSING A_TIME},
        {"{\"type\":\"click\"," SUB "," CHAN ",\"notification\":{\"_id\":\"N\"}}",
         "/date", IS_MISSING A_TIME},
        {"{\"type\":\"click\"," DATE "," SUB "," CHAN "}", "/notification",
         IS_MISSING "an object"},
        {"{\"type\":\"delivery\"," DATE "," SUB "," CHAN ",\"notification\":{}}",
         "/notification/_id", IS_MISSING AN_ID},
        {"{\"type\":\"updateTopics\"," SUB "," CHAN "}", "/subscription/topics",
         IS_MISSING "an array of strings"},
        {"{\"type\":\"topicAdded\"," SUB "," CHAN "}", "/newTopicsIds",
         IS_MISSING "an array of strings"},
        {"{\"type\":\"attributeUpdate\"," SUB "," CHAN "}",
         "/subscription/customAttributes", IS_MISSING "an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refused(*state, rows[i].body, 0, rows[i].pointer, rows[i].reason);
}

static void
escapes_in_short_strings_are_read(void **state)
{
    struct fixture *f = *state;
    static const char body[] =
        "{\"type\":\"cl\\u0069ck\",\"date\":\"2024-03-04T10:10:40\\u002B02:00\","
        "\"subscription\":{\"_id\":\"S\",\"channel\":\"CHANNEL\\u005fID\"},"
        "\"notification\":{\"_id\":\"\\u004e\"},\"channel\":{\"_id\":"
        "\"CHANNEL\\u005fID\"}}";
    assert_int_equal(read_json(f, slice_of(body)), 0);
    assert_int_equal(f->batch.events[0].type, EVENT_CLICK);
    assert_true(slice_is(f->batch.events[0].body, body));

    /* 65 characters are too many, however they are written. */
    static const char *const rows[] = {"\\u0061", "a", "\\u002B"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_reset(&f->text);
        buf_adds(&f->text, "{\"type\":\"click\"," DATE ",\"notification\":{\"_id\":\"");
        for (int n = 0; n < 65; n++)
            buf_adds(&f->text, rows[i]);
        buf_adds(&f->text, "\"}," SUB "," CHAN "}");
        assert_int_equal(read_json(f, buf_slice(&f->text)), E_INVALID);
        assert_string_equal(f->error.pointer, "/notification/_id");
    }
}

static void
a_member_of_another_form_is_named(void **state)
{
    static const struct {
        const char *body, *pointer, *reason;
    } rows[] = {
        {"{\"type\":\"OptIn\"}", "/type", MUST_BE_TYPE},
        {"{\"type\":7}", "/type", MUST_BE_TYPE ", not a number"},
        {"{\"type\":null}", "/type", MUST_BE_TYPE ", not null"},
        {"{\"type\":\"opt\\u0069n\"}", "/type", MUST_BE_TYPE},
        {"{\"type\":\"optIn\",\"subscription\":\"S\"," CHAN "}", "/subscription",
         "must be an object, not a string"},
        {"{\"type\":\"optIn\",\"subscription\":[]," CHAN "}", "/subscription",
         "must be an object, not an array"},
        {"{\"type\":\"optIn\",\"subscription\":{\"_id\":\"\"}," CHAN "}",
         "/subscription/_id", "must be " AN_ID},
        {"{\"type\":\"optIn\",\"subscription\":{\"_id\":\"a b\"}," CHAN "}",
         "/subscription/_id", "must be " AN_ID},
        {"{\"type\":\"optIn\",\"subscription\":{\"_id\":\"\\u0041\"}," CHAN "}",
         "/subscription/_id", "must be " AN_ID ", written without escapes"},
        {"{\"type\":\"optIn\",\"subscription\":{\"_id\":1}," CHAN "}",
         "/subscription/_id", "must be " AN_ID ", not a number"},
        {"{\"type\":\"optIn\"," SUB ",\"channel\":{\"_id\":\"OTHER\"}}", "/channel/_id",
         "must be " A_CHANNEL},
        {"{\"type\":\"optIn\"," SUB ",\"channel\":{\"_id\":true}}", "/channel/_id",
         "must be " A_CHANNEL ", not true"},
        {"{\"type\":\"optIn\"," SUB ",\"channel\":null}", "/channel",
         "must be an object, not null"},
        {"{\"type\":\"optIn\",\"date\":null," SUB "," CHAN "}", "/date",
         "must be " A_TIME ", not null (leave out what is not known)"},
        {"{\"type\":\"click\",\"date\":null," SUB "," CHAN "}", "/date",
         "must be " A_TIME ", not null"},
        {IN("\"createdAt\":\"2024-02-30T00:00:00Z\""), "/subscription/createdAt",
         "must be " A_TIME},
        {IN("\"syncedAt\":1709545851375"), "/subscription/syncedAt",
         "must be " A_TIME ", not a number"},
        {IN("\"channel\":\"OTHER\""), "/subscription/channel", "must be " A_CHANNEL},
        {IN("\"browserType\":1"), "/subscription/browserType",
         "must be a string, not a number"},
        {IN("\"platformName\":[]"), "/subscription/platformName",
         "must be a string, not an array"},
        {IN("\"language\":null"), "/subscription/language",
         "must be a string, not null (leave out what is not known)"},
        {IN("\"country\":{}"), "/subscription/country",
         "must be a string, not an object"},
        {IN("\"timezone\":false"), "/subscription/timezone",
         "must be a string, not false"},
        {IN("\"topics\":\"T\""), "/subscription/topics",
         "must be an array of strings, not a string"},
        {IN("\"topics\":[\"T\",\"U\",7]"), "/subscription/topics/2",
         "must be a string, not a number"},
        {IN("\"topics\":[[\"T\"],\"U\"]"), "/subscription/topics/0",
         "must be a string, not an array"},
        {IN("\"customAttributes\":[]"), "/subscription/customAttributes",
         "must be an object, not an array"},
        {"{\"type\":\"optIn\",\"date\":\"now\"," SUB "," CHAN "}", "/date",
         "must be " A_TIME},
        {"{\"type\":\"optIn\",\"notification\":{\"feedGuid\":\"g\"}," SUB "," CHAN "}",
         "/notification/feedGuid", "must be an array of strings, not a string"},
        {"{\"type\":\"topicAdded\",\"newTopicsIds\":[null]," SUB "," CHAN "}",
         "/newTopicsIds/0", "must be a string, not null"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        refused(*state, rows[i].body, 0, rows[i].pointer, rows[i].reason);
}

static void
optional_members_of_the_right_form_are_fine(void **state)
{
    accepted(*state, EVENT);
    accepted(*state, IN("\"channel\":\"CHANNEL_ID\""));
    accepted(*state, IN("\"topics\":[],\"customAttributes\":{\"a\":null,\"b\":[1]}"));
    accepted(*state, IN("\"createdAt\":\"2024-03-04T10:50:51+01:00\""));
    accepted(*state, IN("\"country\":\"\\u0044E\",\"language\":\"\""));
    accepted(*state, "{" CHAN "," SUB ",\"notification\":{},\"type\":\"optOut\"}");
    accepted(*state, "{\"t\\u0079pe\":\"optIn\"," SUB "," CHAN "}");
}

static void
unknown_members_are_kept_and_not_looked_at(void **state)
{
    accepted(*state, IN("\"__proto__\":null,\"x\":{\"type\":7}"));
    accepted(*state, "{\"type\":\"optIn\",\"constructor\":[{}]," SUB "," CHAN
                     ",\"more\":null}");
}

static void
bytes_are_kept_as_they_came(void **state)
{
    accepted(*state, IN("\"n\":[1e400,-0,12345678901234567890,0.1,1E+2,1.0]"));
    accepted(*state, IN("\"s\":\"\\/ \\u00e9 \xc3\xa9 \\u0000 \\ud834\\udd1e\""));
    accepted(*state, "{ \"type\" :\t\"optIn\" ,\r\n" SUB " , " CHAN " }");
}

/* ---- bodies ---- */

static void
a_body_that_is_no_event_is_refused(void **state)
{
    refused(*state, "", -1, "", "no events");
    refused(*state, " \r\n\t ", -1, "", "no events");
    refused(*state, "[]", -1, "", "no events");
    refused(*state, " [ ] ", -1, "", "no events");
    refused(*state, "null", -1, "",
            "must be an event object or an array of them, not null");
    refused(*state, "\"x\"", -1, "",
            "must be an event object or an array of them, not a string");
    refused(*state, "42", -1, "",
            "must be an event object or an array of them, not a number");
    refused(*state, "nope", -1, "", "at byte 0: expected a value");
    refused(*state, "\xef\xbb\xbf" EVENT, -1, "", "at byte 0: byte order mark");
    refused(*state, "//x", -1, "", "at byte 0: expected a value");
    assert_int_equal(read_json(*state, (struct slice){NULL, 0}), E_INVALID);
}

static void
an_events_own_fault_names_its_place(void **state)
{
    refused(*state, "{\"type\":\"optIn\",\"type\":\"optIn\"}", 0, "/type",
            "at byte 16: duplicate key");
    refused(*state, "[" EVENT ",{\"a\":NaN}]", 1, "/a", "at byte 81: expected a value");
    refused(*state, "[" EVENT "," EVENT ",{\"type\":\"x\"}]", 2, "/type", MUST_BE_TYPE);
    refused(*state, "[" EVENT ",[]]", 1, "", "must be an event object, not an array");
    refused(*state, "[" EVENT ",null]", 1, "", "must be an event object, not null");
    refused(*state, "[" EVENT ",]", 1, "", "at byte 76: expected a value");
    refused(*state, "[,]", 0, "", "at byte 1: expected a value");
}

static void
the_fault_of_a_whole_body_names_no_event(void **state)
{
    refused(*state, "[" EVENT, -1, "", "at byte 75: unexpected end");
    refused(*state, "[" EVENT " " EVENT "]", -1, "", "at byte 76: expected ',' or ']'");
    refused(*state, "[" EVENT "] x", -1, "", "at byte 77: something follows the array");
    refused(*state, "[" EVENT "]]", -1, "", "at byte 76: something follows the array");
    refused(*state, EVENT EVENT, 0, "", "at byte 74: something follows the value");
}

static void
each_element_of_an_array_is_its_own_bytes(void **state)
{
    struct fixture *f = *state;
    static const char body[] =
        " [ " EVENT "  ,\n" IN("\"x\": 1.0 ") ",{ \"type\":"
                                              "\"optOut\"," SUB "," CHAN " }\t] \n";
    assert_int_equal(read_json(f, SLICE(body)), 0);
    assert_int_equal(f->batch.n, 3);
    check_body(f, 0, EVENT);
    check_body(f, 1, IN("\"x\": 1.0 "));
    check_body(f, 2, "{ \"type\":\"optOut\"," SUB "," CHAN " }");
    assert_int_equal(f->batch.events[2].type, EVENT_OPT_OUT);
    assert_true(slice_is(f->batch.events[1].subscription, "S"));
}

static void
each_line_of_ndjson_is_an_event(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        read_ndjson(f, SLICE("\n" EVENT "\r\n\r\n  \n " IN("\"x\":1") " \n" EVENT)), 0);
    assert_int_equal(f->batch.n, 3);
    check_body(f, 0, EVENT);
    check_body(f, 1, IN("\"x\":1"));
    check_body(f, 2, EVENT);
    assert_int_equal(read_ndjson(f, SLICE(EVENT "\n")), 0);
    assert_int_equal(f->batch.n, 1);
}

static void
ndjson_faults_count_events_not_lines(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_ndjson(f, SLICE("")), E_INVALID);
    check_error(f, -1, "", "no events");
    assert_int_equal(read_ndjson(f, SLICE("\n\r\n \n")), E_INVALID);
    check_error(f, -1, "", "no events");
    assert_int_equal(read_ndjson(f, SLICE(EVENT "\n\n\n{\"type\":1}\n")), E_INVALID);
    check_error(f, 1, "/type", MUST_BE_TYPE ", not a number");
    assert_int_equal(read_ndjson(f, SLICE(EVENT "\n{\"a\":\n1}\n")), E_INVALID);
    check_error(f, 1, "/a", "at byte 80: unexpected end");
    assert_int_equal(read_ndjson(f, SLICE(EVENT EVENT)), E_INVALID);
    check_error(f, 0, "", "at byte 74: something follows the value");
    assert_int_equal(read_ndjson(f, SLICE("[" EVENT "]")), E_INVALID);
    check_error(f, 0, "", "must be an event object, not an array");
    assert_int_equal(read_ndjson(f, SLICE("7")), E_INVALID);
    check_error(f, 0, "", "must be an event object, not a number");
}

static void
repeat(struct buf *text, size_t n, const char *separator)
{
    buf_reset(text);
    for (size_t i = 0; i < n; i++) {
        buf_adds(text, i ? separator : "");
        buf_adds(text, EVENT);
    }
}

static void
more_events_than_allowed_are_too_large(void **state)
{
    struct fixture *f = *state;
    repeat(&f->text, limits.max_events, "\n");
    assert_int_equal(read_ndjson(f, buf_slice(&f->text)), 0);
    assert_int_equal(f->batch.n, limits.max_events);
    repeat(&f->text, limits.max_events + 1, "\n");
    assert_int_equal(read_ndjson(f, buf_slice(&f->text)), E_TOO_LARGE);
    assert_true(f->error.too_large);
    assert_int_equal(f->error.index, -1);
    assert_string_equal(f->error.reason,
                        "more than 1000 events in one request; send them in several");

    struct event_limits two = {2, 100};
    assert_int_equal(event_batch_parse(&f->batch, SLICE("[" EVENT "," EVENT "]"),
                                       EVENT_FORMAT_JSON, CHANNEL, &two, &f->error),
                     0);
    assert_int_equal(event_batch_parse(&f->batch,
                                       SLICE("[" EVENT "," EVENT "," EVENT "]"),
                                       EVENT_FORMAT_JSON, CHANNEL, &two, &f->error),
                     E_TOO_LARGE);
    assert_int_equal(f->batch.n, 0);
}

static void
an_event_of_the_limit_is_read_and_one_byte_more_is_too_large(void **state)
{
    struct fixture *f = *state;
    for (size_t over = 0; over < 2; over++) {
        buf_reset(&f->text);
        buf_adds(&f->text, "[" EVENT ",{\"x\":\"");
        size_t end = strlen("[" EVENT ",") + EVENT_MAX_BYTES + over;
        static const char rest[] = "\",\"type\":\"optIn\"," SUB "," CHAN "}";
        while (f->text.n < end - strlen(rest))
            buf_addc(&f->text, 'x');
        buf_adds(&f->text, rest);
        buf_addc(&f->text, ']');
        int rc = read_json(f, buf_slice(&f->text));
        if (over == 0) {
            assert_int_equal(rc, 0);
            assert_int_equal(f->batch.events[1].body.n, EVENT_MAX_BYTES);
            continue;
        }
        assert_int_equal(rc, E_TOO_LARGE);
        assert_true(f->error.too_large);
        assert_int_equal(f->error.index, 1);
        assert_string_equal(f->error.reason,
                            "has 262145 bytes; an event may have 262144");
        assert_int_equal(f->batch.n, 0);
    }
}

static void
nest(struct buf *text, size_t depth)
{
    buf_reset(text);
    buf_adds(text, "[{\"type\":\"optIn\"," SUB "," CHAN ",\"x\":");
    for (size_t i = 1; i < depth; i++)
        buf_addc(text, '[');
    for (size_t i = 1; i < depth; i++)
        buf_addc(text, ']');
    buf_adds(text, "}]");
}

static void
nesting_is_counted_within_the_event(void **state)
{
    struct fixture *f = *state;
    nest(&f->text, 64);
    assert_int_equal(read_json(f, buf_slice(&f->text)), 0);
    nest(&f->text, 65);
    assert_int_equal(read_json(f, buf_slice(&f->text)), E_INVALID);
    assert_non_null(strstr(f->error.reason, "nesting beyond 64"));
    assert_int_equal(strncmp(f->error.pointer, "/x/0/0", 6), 0);
}

static void
a_batch_is_used_again_after_a_failure(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_json(f, SLICE("[" EVENT "," EVENT "]")), 0);
    assert_int_equal(read_json(f, SLICE("[" EVENT ",7]")), E_INVALID);
    assert_int_equal(f->batch.n, 0);
    accepted(f, EVENT);
}

static void
the_notification_of_an_event_is_found_in_its_bytes(void **state)
{
    static const struct {
        const char *body;
        const char *id; /* NULL = it is about none */
    } rows[] = {
        {"{\"notification\":{\"_id\":\"N1\"}}", "N1"},
        {" { \"a\" : [ { \"notification\" : { \"_id\" : \"no\" } } , 1 ] , "
         "\"notification\" : { \"feedGuid\" : [ \"}\" ] , \"_id\" : \"N.2\" } , "
         "\"b\" : 2 } ",
         "N.2"},
        {"{\"s\":\"\\\"notification\\\":{\\\"_id\\\":\\\"no\\\"}\",\"notification\":"
         "{\"_id\":\"yes\"}}",
         "yes"},
        {"{\"x\":{\"notification\":{\"_id\":\"no\"}}}", NULL},
        {"{\"notification\":{\"x\":{\"_id\":\"no\"}}}", NULL},
        {"{\"notific\\u0061tion\":{\"_id\":\"N\\u0031\"}}", "N1"},
        {"{\"notification\":{\"\\u005fid\":\"N1\"}}", "N1"},
        {"{\"notification\":{\"_id\":\"a b\"}}", NULL},
        {"{\"notification\":{\"_id\":7}}", NULL},
        {"{\"notification\":{\"_id\":\"\"}}", NULL},
        {"{\"notification\":null,\"n\":1}", NULL},
        {"{\"notification\":{}}", NULL},
        {"{\"notification\":\"N\"}", NULL},
        {"{\"notifications\":{\"_id\":\"no\"}}", NULL},
        {"{}", NULL},
    };
    char id[ID_MAX + 1];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool about = event_notification(slice_of(rows[i].body), id);
        assert_int_equal(about, rows[i].id != NULL);
        if (about)
            assert_string_equal(id, rows[i].id);
    }
}

/* It never reads beyond the end, whatever the bytes are. */
static void
bytes_that_are_cut_anywhere_are_read_no_further(void **state)
{
    static const char body[] = "{\"a\":\"\\\\\",\"notification\":{\"_id\":\"N1\"}}";
    char id[ID_MAX + 1];
    (void)state;
    for (size_t n = 0; n < sizeof(body); n++) {
        char *cut = malloc(n ? n : 1); /* the sanitizer sees one byte more */
        assert_non_null(cut);
        memcpy(cut, body, n);
        (void)event_notification((struct slice){cut, n}, id);
        free(cut);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_seven_payloads_keep_their_bytes),
        TEST(a_payload_cut_anywhere_is_refused),
        TEST(samples_are_the_payloads_of_the_product_page),
        TEST(a_sample_that_does_not_fit_is_an_error),
        TEST(types_are_read_by_their_exact_names),
        TEST(a_missing_member_is_named),
        TEST(escapes_in_short_strings_are_read),
        TEST(a_member_of_another_form_is_named),
        TEST(optional_members_of_the_right_form_are_fine),
        TEST(unknown_members_are_kept_and_not_looked_at),
        TEST(bytes_are_kept_as_they_came),
        TEST(a_body_that_is_no_event_is_refused),
        TEST(an_events_own_fault_names_its_place),
        TEST(the_fault_of_a_whole_body_names_no_event),
        TEST(each_element_of_an_array_is_its_own_bytes),
        TEST(each_line_of_ndjson_is_an_event),
        TEST(ndjson_faults_count_events_not_lines),
        TEST(more_events_than_allowed_are_too_large),
        TEST(an_event_of_the_limit_is_read_and_one_byte_more_is_too_large),
        TEST(nesting_is_counted_within_the_event),
        TEST(a_batch_is_used_again_after_a_failure),
        TEST(the_notification_of_an_event_is_found_in_its_bytes),
        TEST(bytes_that_are_cut_anywhere_are_read_no_further),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
