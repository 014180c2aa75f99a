#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/timefmt.h"
#include "core/payload.h"

#define CREATED INT64_C(1709545851375) /* 2024-03-04T09:50:51.375Z */
#define SYNCED  INT64_C(1709547567824) /* 2024-03-04T10:19:27.824Z */

static const struct event_limits limits = {1000, EVENT_MAX_BYTES};

static const enum event_type told[] = {EVENT_OPT_IN, EVENT_OPT_OUT, EVENT_UPDATE_TOPICS,
                                       EVENT_TOPIC_ADDED, EVENT_ATTRIBUTE_UPDATE};

struct fixture {
    struct buf out, file, values;
    struct json_doc doc;
    struct event_batch batch;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (!f)
        return -1;
    buf_init(&f->out, EVENT_MAX_BYTES);
    buf_init(&f->file, 8192);
    buf_init(&f->values, 8192);
    json_init(&f->doc);
    event_batch_init(&f->batch);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->out);
    buf_fini(&f->file);
    buf_fini(&f->values);
    json_fini(&f->doc);
    event_batch_fini(&f->batch);
    free(f);
    return 0;
}

/* Every member is known; what no payload shows says so. */
static struct subscription
full(void)
{
    struct subscription subscription = {.number = 5,
                                        .channel = 6,
                                        .id = "SUBSCRIPTION_ID",
                                        .created_ms = CREATED,
                                        .synced_ms = SYNCED};

    for (unsigned i = 0; i < MEMBERS; i++)
        subscription.member[i] = SLICE("\"never shown\"");
    subscription.member[MEMBER_BROWSER_TYPE] = SLICE("\"SDK\"");
    subscription.member[MEMBER_PLATFORM_NAME] = SLICE("\"iOS\"");
    subscription.member[MEMBER_LANGUAGE] = SLICE("\"en\"");
    subscription.member[MEMBER_COUNTRY] = SLICE("\"DE\"");
    subscription.member[MEMBER_TIMEZONE] = SLICE("\"Europe/Berlin\"");
    subscription.member[MEMBER_ATTRIBUTES] =
        SLICE("{\"user_id\":\"x\",\"likes\":[\"a\",1,true]}");
    return subscription;
}

static struct subscription
unknown(void)
{
    struct subscription subscription = {
        .id = "SUBSCRIPTION_ID", .created_ms = CREATED, .synced_ms = CREATED};

    subscription.member[MEMBER_TOPICS] = SLICE("[]");
    return subscription;
}

static void
check_valid(struct fixture *f, enum event_type type, const char *subscription)
{
    struct slice id = payload_subscription(buf_slice(&f->out), subscription);
    struct event_error error;

    if (event_batch_parse(&f->batch, buf_slice(&f->out), EVENT_FORMAT_JSON,
                          SLICE("CHANNEL_ID"), &limits, &error) != 0)
        fail_msg("%s: %s %s", f->out.p, error.pointer, error.reason);
    assert_int_equal(f->batch.n, 1);
    assert_int_equal(f->batch.events[0].type, type);
    assert_true(slice_eq(f->batch.events[0].body, buf_slice(&f->out)));
    assert_true(slice_is(f->batch.events[0].subscription, subscription));
    assert_ptr_equal(f->batch.events[0].subscription.p, id.p);
    assert_int_equal(f->batch.events[0].subscription.n, id.n);
}

static void
write_payload(struct fixture *f, enum event_type type,
              const struct subscription *subscription, const char *topics,
              const char *new_topics)
{
    const struct payload payload = {
        .type = type,
        .subscription = subscription,
        .channel = "CHANNEL_ID",
        .topics = slice_of(topics),
        .new_topics = slice_of(new_topics),
    };

    buf_reset(&f->out);
    payload_write(&f->out, &payload);
    assert_int_equal(f->out.failed, 0);
    check_valid(f, type, subscription->id);
}

static void
write_push(struct fixture *f, enum event_type type, const char *notification,
           const char *feed_guid)
{
    const struct push_payload push = {
        .type = type,
        .date_ms = SYNCED,
        .subscription = "SUBSCRIPTION_ID",
        .notification = slice_of(notification),
        .feed_guid = slice_of(feed_guid),
        .channel = "CHANNEL_ID",
    };

    buf_reset(&f->out);
    payload_write_push(&f->out, &push);
    assert_int_equal(f->out.failed, 0);
}

/* ---- byte for byte ---- */

#define ID      "\"_id\":\"SUBSCRIPTION_ID\""
#define BEGUN   ID ",\"createdAt\":\"2024-03-04T09:50:51.375Z\","
#define TIMES   BEGUN "\"syncedAt\":\"2024-03-04T10:19:27.824Z\""
#define SINCE   BEGUN "\"syncedAt\":\"2024-03-04T09:50:51.375Z\""
#define DEVICE  ",\"browserType\":\"SDK\",\"platformName\":\"iOS\""
#define PLACE   ",\"language\":\"en\",\"country\":\"DE\",\"timezone\":\"Europe/Berlin\""
#define CHANNEL "\"channel\":{\"_id\":\"CHANNEL_ID\"}"

static void
what_is_known_is_shown_as_on_the_product_page(void **state)
{
    static const struct {
        enum event_type type;
        const char *want;
    } rows[] = {
        {EVENT_OPT_IN, "{\"type\":\"optIn\",\"subscription\":{" TIMES
                       ",\"channel\":\"CHANNEL_ID\"" DEVICE PLACE "}," CHANNEL "}"},
        {EVENT_OPT_OUT, "{\"type\":\"optOut\",\"subscription\":{" TIMES DEVICE
                        ",\"topics\":[\"t1\"]}," CHANNEL "}"},
        {EVENT_UPDATE_TOPICS,
         "{\"type\":\"updateTopics\",\"subscription\":{" TIMES DEVICE PLACE
         ",\"topics\":[\"t1\"]}," CHANNEL "}"},
        {EVENT_TOPIC_ADDED,
         "{\"type\":\"topicAdded\",\"subscription\":{" TIMES DEVICE PLACE
         ",\"topics\":[\"t1\"]}," CHANNEL ",\"newTopicsIds\":[\"t2\",\"t3\"]}"},
        {EVENT_ATTRIBUTE_UPDATE,
         "{\"type\":\"attributeUpdate\",\"subscription\":{" TIMES DEVICE PLACE
         ",\"topics\":[\"t1\"],\"customAttributes\":{\"user_id\":\"x\","
         "\"likes\":[\"a\",1,true]}}," CHANNEL "}"},
    };
    struct fixture *f = *state;
    struct subscription subscription = full();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_payload(f, rows[i].type, &subscription, "[\"t1\"]", "[\"t2\",\"t3\"]");
        assert_string_equal(f->out.p, rows[i].want);
    }
}

static void
what_is_not_known_is_left_out(void **state)
{
    static const struct {
        enum event_type type;
        const char *want;
    } rows[] = {
        {EVENT_OPT_IN, "{\"type\":\"optIn\",\"subscription\":{" SINCE
                       ",\"channel\":\"CHANNEL_ID\"}," CHANNEL "}"},
        {EVENT_OPT_OUT, "{\"type\":\"optOut\",\"subscription\":{" SINCE
                        ",\"topics\":[]}," CHANNEL "}"},
        {EVENT_UPDATE_TOPICS, "{\"type\":\"updateTopics\",\"subscription\":{" SINCE
                              ",\"topics\":[]}," CHANNEL "}"},
        {EVENT_TOPIC_ADDED, "{\"type\":\"topicAdded\",\"subscription\":{" SINCE
                            ",\"topics\":[]}," CHANNEL ",\"newTopicsIds\":[\"t\"]}"},
        {EVENT_ATTRIBUTE_UPDATE,
         "{\"type\":\"attributeUpdate\",\"subscription\":{" SINCE
         ",\"topics\":[],\"customAttributes\":{}}," CHANNEL "}"},
    };
    struct fixture *f = *state;
    struct subscription subscription = unknown();

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_payload(f, rows[i].type, &subscription, "[]", "[\"t\"]");
        assert_string_equal(f->out.p, rows[i].want);
    }
}

static void
each_member_is_left_out_alone(void **state)
{
    static const struct {
        enum member member;
        const char *text;
    } rows[] = {
        {MEMBER_BROWSER_TYPE, ",\"browserType\":\"SDK\""},
        {MEMBER_PLATFORM_NAME, ",\"platformName\":\"iOS\""},
        {MEMBER_LANGUAGE, ",\"language\":\"en\""},
        {MEMBER_COUNTRY, ",\"country\":\"DE\""},
        {MEMBER_TIMEZONE, ",\"timezone\":\"Europe/Berlin\""},
    };
    struct fixture *f = *state;

    for (size_t type = 0; type < ARRAY_LEN(told); type++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            struct subscription subscription = full();
            write_payload(f, told[type], &subscription, "[]", "[\"t\"]");
            const char *at = strstr(f->out.p, rows[i].text);
            char want[1000];
            snprintf(want, sizeof(want), "%.*s%s", at ? (int)(at - f->out.p) : 0,
                     f->out.p, at ? at + strlen(rows[i].text) : f->out.p);

            subscription.member[rows[i].member] = (struct slice){NULL, 0};
            write_payload(f, told[type], &subscription, "[]", "[\"t\"]");
            assert_string_equal(f->out.p, want);
            /* An optOut shows nothing of where somebody is. */
            assert_int_equal(at != NULL, told[type] != EVENT_OPT_OUT || i < 2);
        }
    }
}

static void
a_push_is_reported_with_its_notification(void **state)
{
    static const struct {
        const char *feed_guid, *notification;
    } rows[] = {
        {"[\"https://www.cnn.com/123456\"]",
         "\"_id\":\"NOTIFICATION_ID\",\"feedGuid\":[\"https://www.cnn.com/123456\"]"},
        {"[\"a\",\"b\"]", "\"_id\":\"NOTIFICATION_ID\",\"feedGuid\":[\"a\",\"b\"]"},
        {"[]", "\"_id\":\"NOTIFICATION_ID\",\"feedGuid\":[]"},
        {NULL, "\"_id\":\"NOTIFICATION_ID\""}, /* not known */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[500];
        write_push(f, EVENT_DELIVERY, "NOTIFICATION_ID", rows[i].feed_guid);
        check_valid(f, EVENT_DELIVERY, "SUBSCRIPTION_ID");
        snprintf(want, sizeof(want),
                 "{\"type\":\"delivery\",\"date\":\"2024-03-04T10:19:27.824Z\","
                 "\"subscription\":{" ID "},\"notification\":{%s}," CHANNEL "}",
                 rows[i].notification);
        assert_string_equal(f->out.p, want);

        write_push(f, EVENT_CLICK, "NOTIFICATION_ID", rows[i].feed_guid);
        check_valid(f, EVENT_CLICK, "SUBSCRIPTION_ID");
        snprintf(want, sizeof(want),
                 "{\"type\":\"click\",\"date\":\"2024-03-04T10:19:27.824Z\","
                 "\"subscription\":{" ID "},\"notification\":{%s}," CHANNEL "}",
                 rows[i].notification);
        assert_string_equal(f->out.p, want);
    }
}

/* ---- the product page ---- */

/* A sample without the white space between its values. */
static void
read_sample(struct fixture *f, enum event_type type)
{
    char path[400], bytes[4096];
    bool quoted = false;

    snprintf(path, sizeof(path), "%s/payloads/%s.json", FIXTURES,
             event_type_name(type));
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    size_t n = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    assert_in_range(n, 100, sizeof(bytes) - 1);

    buf_reset(&f->file);
    for (size_t i = 0; i < n; i++) {
        assert_int_not_equal(bytes[i], '\\');
        quoted ^= bytes[i] == '"';
        if (quoted || !strchr(" \n", bytes[i]))
            buf_addc(&f->file, bytes[i]);
    }
    struct json_error error;
    assert_int_equal(f->file.failed, 0);
    assert_int_equal(json_parse(&f->doc, f->file.p, f->file.n, &error), 0);
}

static struct slice
value_at(struct fixture *f, const char *object, const char *name)
{
    const struct json_token *at = &f->doc.tokens[0];

    if (object)
        at = json_member(&f->doc, at, object);
    at = at ? json_member(&f->doc, at, name) : NULL;
    return at ? json_raw(&f->doc, at) : (struct slice){NULL, 0};
}

static msec_t
time_at(struct fixture *f, const char *object, const char *name)
{
    struct slice text = value_at(f, object, name);
    msec_t ms = 0;

    assert_true(text.n > 2);
    assert_true(time_parse((struct slice){text.p + 1, text.n - 2}, &ms));
    return ms;
}

static void
with_its_values_a_payload_is_the_product_pages(void **state)
{
    struct fixture *f = *state;
    for (size_t type = 0; type < ARRAY_LEN(told); type++) {
        struct subscription subscription = full();
        read_sample(f, told[type]);
        subscription.created_ms = time_at(f, "subscription", "createdAt");
        subscription.synced_ms = time_at(f, "subscription", "syncedAt");
        for (unsigned i = 0; i < MEMBERS; i++) {
            struct slice value =
                value_at(f, "subscription", member_name((enum member)i));
            if (value.p)
                subscription.member[i] = value;
        }
        const struct payload payload = {
            .type = told[type],
            .subscription = &subscription,
            .channel = "CHANNEL_ID",
            .topics = value_at(f, "subscription", "topics"),
            .new_topics = value_at(f, NULL, "newTopicsIds"),
        };
        buf_reset(&f->out);
        payload_write(&f->out, &payload);
        assert_int_equal(f->out.failed, 0);
        assert_string_equal(f->out.p, f->file.p);
    }
}

static void
with_its_values_a_report_is_the_product_pages(void **state)
{
    static const enum event_type types[] = {EVENT_DELIVERY, EVENT_CLICK};
    struct fixture *f = *state;

    for (size_t type = 0; type < ARRAY_LEN(types); type++) {
        read_sample(f, types[type]);
        const struct push_payload push = {
            .type = types[type],
            .date_ms = time_at(f, NULL, "date"),
            .subscription = "SUBSCRIPTION_ID",
            .notification = SLICE("NOTIFICATION_ID"),
            .feed_guid = value_at(f, "notification", "feedGuid"),
            .channel = "CHANNEL_ID",
        };
        buf_reset(&f->out);
        payload_write_push(&f->out, &push);
        assert_int_equal(f->out.failed, 0);
        assert_string_equal(f->out.p, f->file.p);
    }
}

/* ---- what others chose ---- */

/* As clients would write it: ends its string, its object and the event; names another
 * subscription, another channel; breaks the line; begins an escape. */
static const char *const hostile[] = {
    "\"\\\"}},\\\"channel\\\":{\\\"_id\\\":\\\"OTHER\\\"}}\"",
    "\"\\\"subscription\\\":{\\\"_id\\\":\\\"OTHER\\\"\"",
    "\"\\u0022,\\u0022topics\\u0022:[1],\\u0022\"",
    "\"\\u000a\\u001f\\u007f\\u2028\\ud83d\\ude00\"",
    "\"\\\\\"",
    "\"]}\"",
};

static struct slice
canonical(struct fixture *f, enum member member, const char *json)
{
    struct json_error error;
    const char *reason = NULL;
    size_t at = f->values.n;

    assert_int_equal(buf_reserve(&f->values, 4096), 0); /* slices stay where they are */
    assert_int_equal(json_parse(&f->doc, json, strlen(json), &error), 0);
    if (member_canonical(member, &f->doc, &f->doc.tokens[0], &f->values, &reason) !=
        MEMBER_GIVEN)
        fail_msg("%s: %s", json, reason);
    return (struct slice){f->values.p + at, f->values.n - at};
}

static uint32_t
members_of(struct fixture *f, const char *object)
{
    struct json_error error;

    assert_int_equal(json_parse(&f->doc, f->out.p, f->out.n, &error), 0);
    return object ? json_member(&f->doc, &f->doc.tokens[0], object)->count
                  : f->doc.tokens[0].count;
}

static void
hostile_text_stays_in_its_string(void **state)
{
    static const enum member shown[] = {MEMBER_BROWSER_TYPE, MEMBER_PLATFORM_NAME,
                                        MEMBER_LANGUAGE, MEMBER_COUNTRY,
                                        MEMBER_TIMEZONE};
    struct fixture *f = *state;

    for (size_t type = 0; type < ARRAY_LEN(told); type++) {
        struct subscription subscription = full();
        write_payload(f, told[type], &subscription, "[\"t1\"]", "[\"t2\"]");
        uint32_t in_event = members_of(f, NULL);
        uint32_t in_subscription = members_of(f, "subscription");

        for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
            buf_reset(&f->values);
            struct slice text = canonical(f, MEMBER_LANGUAGE, hostile[i]);
            for (size_t m = 0; m < ARRAY_LEN(shown); m++)
                subscription.member[shown[m]] = text;
            write_payload(f, told[type], &subscription, "[\"t1\"]", "[\"t2\"]");
            assert_int_equal(members_of(f, NULL), in_event);
            assert_int_equal(members_of(f, "subscription"), in_subscription);
            for (size_t m = 0; m < ARRAY_LEN(shown); m++) {
                struct slice value = value_at(f, "subscription", member_name(shown[m]));
                assert_true(!value.p || slice_eq(value, text));
            }
            assert_true(slice_eq(value_at(f, "subscription", "platformName"), text));
            assert_null(memchr(f->out.p, '\n', f->out.n));
        }
    }
}

static void
hostile_attributes_stay_in_theirs(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        struct subscription subscription = full();
        char json[500];
        snprintf(json, sizeof(json), "{\"a\":%s,\"b\":[%s,\"x\"]}", hostile[i],
                 hostile[i]);
        buf_reset(&f->values);
        struct slice attributes = canonical(f, MEMBER_ATTRIBUTES, json);
        subscription.member[MEMBER_ATTRIBUTES] = attributes;
        write_payload(f, EVENT_ATTRIBUTE_UPDATE, &subscription, "[]", "[]");
        assert_int_equal(members_of(f, NULL), 3);
        assert_true(
            slice_eq(value_at(f, "subscription", "customAttributes"), attributes));
    }
}

static void
hostile_notifications_stay_in_their_object(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        char json[500];
        snprintf(json, sizeof(json), "[%s,\"x\"]", hostile[i]);
        buf_reset(&f->values);
        struct slice guids = canonical(f, MEMBER_SEGMENTS, json);
        char text[500];
        snprintf(text, sizeof(text), "%.*s", (int)guids.n, guids.p);
        write_push(f, EVENT_CLICK, "NOTIFICATION_ID", text);
        check_valid(f, EVENT_CLICK, "SUBSCRIPTION_ID");
        assert_int_equal(members_of(f, NULL), 5);
        assert_int_equal(members_of(f, "notification"), 2);
        assert_true(slice_eq(value_at(f, "notification", "feedGuid"), guids));
    }

    write_push(f, EVENT_DELIVERY, "a\"},\n\\", NULL);
    assert_int_equal(members_of(f, NULL), 5);
    assert_int_equal(members_of(f, "notification"), 1);
    assert_true(slice_is(value_at(f, "notification", "_id"), "\"a\\\"},\\n\\\\\""));
}

/* ---- buffers ---- */

static void
payloads_stand_behind_each_other(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = unknown();
    const struct payload payload = {.type = EVENT_OPT_IN,
                                    .subscription = &subscription,
                                    .channel = "CHANNEL_ID",
                                    .topics = SLICE("[]")};
    const struct push_payload push = {.type = EVENT_CLICK,
                                      .date_ms = SYNCED,
                                      .subscription = "SUBSCRIPTION_ID",
                                      .notification = SLICE("N"),
                                      .channel = "CHANNEL_ID"};

    write_payload(f, EVENT_OPT_IN, &subscription, "[]", "[]");
    struct slice first = {strdup(f->out.p), f->out.n};
    payload_write_push(&f->out, &push);
    payload_write(&f->out, &payload);
    assert_int_equal(f->out.failed, 0);
    assert_memory_equal(f->out.p, first.p, first.n);
    assert_memory_equal(f->out.p + f->out.n - first.n, first.p, first.n);
    assert_memory_equal(f->out.p + first.n, "{\"type\":\"click\"", 15);
    free((char *)(uintptr_t)first.p);
}

static void
no_room_is_told(void **state)
{
    struct fixture *f = *state;
    struct subscription subscription = full();
    const struct push_payload push = {.type = EVENT_CLICK,
                                      .date_ms = SYNCED,
                                      .subscription = "SUBSCRIPTION_ID",
                                      .notification = SLICE("N"),
                                      .channel = "CHANNEL_ID"};

    for (size_t type = 0; type < ARRAY_LEN(told); type++) {
        const struct payload payload = {.type = told[type],
                                        .subscription = &subscription,
                                        .channel = "CHANNEL_ID",
                                        .topics = SLICE("[]"),
                                        .new_topics = SLICE("[]")};
        buf_reset(&f->out);
        payload_write(&f->out, &payload);
        assert_int_equal(f->out.failed, 0);
        struct buf small;
        buf_init(&small, f->out.n - 1);
        payload_write(&small, &payload);
        assert_int_equal(small.failed, E_TOO_LARGE);
        buf_fini(&small);
    }
    struct buf small;
    buf_init(&small, 50);
    payload_write_push(&small, &push);
    assert_int_equal(small.failed, E_TOO_LARGE);
    buf_fini(&small);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_known_is_shown_as_on_the_product_page),
        TEST(what_is_not_known_is_left_out),
        TEST(each_member_is_left_out_alone),
        TEST(a_push_is_reported_with_its_notification),
        TEST(with_its_values_a_payload_is_the_product_pages),
        TEST(with_its_values_a_report_is_the_product_pages),
        TEST(hostile_text_stays_in_its_string),
        TEST(hostile_attributes_stay_in_theirs),
        TEST(hostile_notifications_stay_in_their_object),
        TEST(payloads_stand_behind_each_other),
        TEST(no_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
