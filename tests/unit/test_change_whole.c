#include "change_world.h"

/* ---- a device that comes ---- */

static void
a_sync_without_an_id_makes_a_subscription(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"platformName\":\"iOS\",\"apnsToken\":\"tok\"}");
    const struct subscription *subscription = world_state(w, w->at);
    assert_int_equal(strlen(subscription->id), ID_MADE);
    assert_true(id_valid(slice_of(subscription->id)));
    assert_int_equal(subscription->created_ms, w->now_ms);
    assert_int_equal(subscription->synced_ms, w->now_ms);
    assert_false(subscription->inactive);
    HAS(w, MEMBER_TOPICS, "[]");
    HAS(w, MEMBER_PLATFORM_NAME, "\"iOS\"");
    HAS(w, MEMBER_APNS_TOKEN, "\"tok\"");
    HAS(w, MEMBER_ATTRIBUTES, "-");

    size_t first = w->at;
    SYNC(w, "optIn", .members = NULL); /* and another one, of which nothing is known */
    assert_int_not_equal(w->at, first);
    assert_string_not_equal(world_id(w), w->rows[first].id);
}

static void
a_sync_with_an_unknown_id_makes_one_with_an_id_of_its_own(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .id = "nobody");
    assert_string_not_equal(world_id(w), "nobody");
    assert_int_equal(strlen(world_id(w)), ID_MADE);
}

static void
a_new_one_tells_what_it_has_already(void **state)
{
    static const struct {
        const char *members, *told;
    } rows[] = {
        {"{}", "optIn"},
        {"{\"topics\":[],\"topicsVersion\":\"1\"}", "optIn"},
        {"{\"topics\":null,\"customAttributes\":null}", "optIn"},
        {"{\"customAttributes\":{}}", "optIn"},
        {"{\"customAttributes\":{\"a\":null}}", "optIn"},
        {"{\"tags\":[\"g\"]}", "optIn"},
        {"{\"topics\":[\"t\"]}", "optIn; updateTopics [\"t\"]"},
        {"{\"topics\":[\"t\",\"u\",\"t\"]}", "optIn; updateTopics [\"t\",\"u\"]"},
        {"{\"customAttributes\":{\"a\":1}}", "optIn; attributeUpdate {\"a\":1}"},
        {"{\"customAttributes\":{\"a\":\"\",\"b\":null},\"topics\":[\"t\"]}",
         "optIn; updateTopics [\"t\"]; attributeUpdate {\"a\":\"\"}"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SYNC(w, rows[i].told, .members = rows[i].members);
        world_drop(w, w->at);
    }
}

static void
a_lost_answer_is_found_again_by_the_push_identity(void **state)
{
    static const char *const identities[] = {"fcmToken", "hmsToken", "admToken",
                                             "apnsToken", "endpoint"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        char members[100], other[100];
        snprintf(members, sizeof(members), "{\"%s\":\"tok\",\"topics\":[\"t\"]}",
                 identities[i]);
        snprintf(other, sizeof(other), "{\"%s\":\"tok2\"}", identities[i]);
        SYNC(w, "optIn; updateTopics [\"t\"]", .members = members);
        size_t first = w->at;
        w->now_ms++;
        SYNC(w, "", .members = members);
        assert_int_equal(w->at, first);
        assert_int_equal(world_state(w, first)->created_ms, w->now_ms - 1);
        SYNC(w, "", .members = members, .id = "nobody");
        assert_int_equal(w->at, first);
        SYNC(w, "optIn", .members = other);
        assert_int_not_equal(w->at, first);
        world_drop(w, w->at);
        world_drop(w, first);
    }
}

static void
what_has_changed_since_is_told_of_the_one_that_was_found(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"fcmToken\":\"tok\"}");
    SYNC(w, "topicAdded [] + [\"t\"]; attributeUpdate {\"a\":1}",
         .members = "{\"fcmToken\":\"tok\",\"topics\":[\"t\"],"
                    "\"customAttributes\":{\"a\":1}}");
}

static void
one_that_opted_out_is_not_found_by_its_push_identity(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"fcmToken\":\"tok\"}");
    size_t first = w->at;
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = world_id(w));
    SYNC(w, "optIn", .members = "{\"fcmToken\":\"tok\"}");
    assert_int_not_equal(w->at, first);
}

/* Others know an address and a device's id too, and would be told whose they are. */
static void
nobody_is_found_by_what_others_know(void **state)
{
    static const char *const rows[] = {"{\"emailAddress\":\"a@example.com\"}",
                                       "{\"deviceId\":\"device\"}",
                                       "{\"fcmId\":\"1\",\"publicKey\":\"key\"}",
                                       "{\"fcmToken\":\"\"}", "{\"fcmToken\":null}"};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        SYNC(w, "optIn", .members = rows[i]);
        size_t first = w->at;
        SYNC(w, "optIn", .members = rows[i]);
        assert_int_not_equal(w->at, first);
        world_drop(w, w->at);
        world_drop(w, first);
    }
}

/* What stayed is told again: receivers may have dropped it with the optOut. */
static void
one_that_opted_out_comes_back_under_its_id(void **state)
{
    static const struct {
        const char *before, *members, *told;
    } rows[] = {
        {"{}", "{}", "optIn"},
        {"{\"topics\":[\"t\"]}", "{}", "optIn"},
        {"{\"topics\":[\"t\"]}", "{\"topics\":[\"t\"]}", "optIn; updateTopics [\"t\"]"},
        {"{}", "{\"topics\":[\"t\",\"u\"]}", "optIn; updateTopics [\"t\",\"u\"]"},
        {"{\"customAttributes\":{\"a\":1}}", "{}", "optIn; attributeUpdate {\"a\":1}"},
        {"{\"customAttributes\":{\"a\":1}}", "{\"customAttributes\":{\"a\":1}}",
         "optIn; attributeUpdate {\"a\":1}"},
        {"{\"customAttributes\":{\"a\":1}}", "{\"customAttributes\":{\"b\":2}}",
         "optIn; attributeUpdate {\"a\":1,\"b\":2}"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        world_ask(w, &(struct ask){.kind = CHANGE_SYNC, .members = rows[i].before});
        size_t first = w->at;
        ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = world_id(w));
        w->now_ms += 1000;
        SYNC(w, rows[i].told, .id = world_id(w), .members = rows[i].members);
        assert_int_equal(w->at, first);
        const struct subscription *subscription = world_state(w, first);
        assert_false(subscription->inactive);
        assert_int_equal(subscription->created_ms, w->now_ms - 1000);
        assert_int_equal(subscription->synced_ms, w->now_ms);
        world_drop(w, first);
    }
}

static void
an_old_list_counts_when_somebody_comes_back(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn; updateTopics [\"t\"]",
         .members = "{\"topics\":[\"t\"],\"topicsVersion\":9}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = world_id(w));
    SYNC(w, "optIn; updateTopics [\"u\"]", .id = world_id(w),
         .members = "{\"topics\":[\"u\"],\"topicsVersion\":1}");
    HAS(w, MEMBER_TOPICS, "[\"u\"]");
    HAS(w, MEMBER_TOPICS_VERSION, "1");
}

/* ---- a device that merely syncs ---- */

#define WHOLE                                                                          \
    "{\"platformName\":\"iOS\",\"topics\":[\"t\",\"u\"],\"topicsVersion\":3,"          \
    "\"tags\":[\"g\"],\"customAttributes\":{\"a\":\"x\",\"b\":[1,\"2\"]},"             \
    "\"language\":\"de\"}"

static void
a_sync_that_changes_nothing_moves_only_the_time(void **state)
{
    static const char *const rows[] = {
        "{}",
        WHOLE,
        "{\"topics\":[\"u\",\"t\"]}",
        "{\"topics\":[\"t\",\"u\",\"\\u0074\"],\"topicsVersion\":\"3\"}",
        "{\"customAttributes\":{\"a\":\"\\u0078\"}}",
        "{\"customAttributes\":{\"b\":[1,\"2\",1],\"c\":null}}",
        "{\"customAttributes\":{}}",
        "{\"topics\":null,\"topicsVersion\":null,\"customAttributes\":null}",
    };
    struct world *w = *state;

    SYNC(w,
         "optIn; updateTopics [\"t\",\"u\"]; attributeUpdate "
         "{\"a\":\"x\",\"b\":[1,\"2\"]}",
         .members = WHOLE);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        w->now_ms += 1000;
        SYNC(w, "", .id = world_id(w), .members = rows[i]);
        assert_true(w->outcome.write);
        assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);
        assert_int_equal(world_state(w, w->at)->created_ms, WORLD_BEGIN);
        HAS(w, MEMBER_TOPICS_VERSION, "3");
        HAS(w, MEMBER_TAGS, "[\"g\"]");
        HAS(w, MEMBER_ATTRIBUTES, "{\"a\":\"x\",\"b\":[1,\"2\"]}");
        HAS(w, MEMBER_LANGUAGE, "\"de\"");
    }
    /* Not even that, in the same millisecond. */
    SYNC(w, "", .id = world_id(w), .members = "{}");
    assert_false(w->outcome.write);
}

static void
other_members_change_without_a_word(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"appVersion\":\"1\"}");
    SYNC(w, "", .id = world_id(w),
         .members =
             "{\"appVersion\":\"2\",\"timezone\":\"Asia/Tokyo\",\"tags\":[\"g\"],"
             "\"visits\":\"7\",\"hasNotificationPermission\":false,"
             "\"endpoint\":\"https://push.example.com/1\"}");
    assert_true(w->outcome.write);
    HAS(w, MEMBER_APP_VERSION, "\"2\"");
    HAS(w, MEMBER_TIMEZONE, "\"Asia/Tokyo\"");
    HAS(w, MEMBER_TAGS, "[\"g\"]");
    HAS(w, MEMBER_VISITS, "7");
    HAS(w, MEMBER_PERMISSION, "false");
    HAS(w, MEMBER_ENDPOINT, "\"https://push.example.com/1\"");
}

static void
what_is_not_mentioned_or_null_stays(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = NULL);
    for (unsigned i = 0; i < MEMBERS; i++) {
        static const char *const values[] = {"\"x\"", "[\"x\"]", "{\"x\":1}", "1",
                                             "true"};
        char members[200], kept[100] = "";
        for (size_t v = 0; v < ARRAY_LEN(values) && !kept[0]; v++) {
            const char *reason;
            world_parse(w, slice_of(values[v]));
            buf_reset(&w->values);
            if (member_canonical((enum member)i, &w->doc, w->doc.tokens, &w->values,
                                 &reason) == MEMBER_GIVEN)
                snprintf(kept, sizeof(kept), "%s", w->values.p);
        }
        snprintf(members, sizeof(members), "{\"%s\":%s}", member_name((enum member)i),
                 kept);
        world_ask(w, &(struct ask){
                         .kind = CHANGE_SYNC, .id = world_id(w), .members = members});
        if (i == MEMBER_TOPICS_VERSION) { /* a list's, and there was none */
            HAS(w, i, "-");
            continue;
        }
        HAS(w, i, kept);
        snprintf(members, sizeof(members), "{\"%s\":null}",
                 member_name((enum member)i));
        SYNC(w, "", .id = world_id(w), .members = members);
        HAS(w, i, kept);
        ASK(w, 0, "", .kind = CHANGE_EDIT, .id = world_id(w), .members = members);
        HAS(w, i, kept);
        SYNC(w, "", .id = world_id(w), .members = "{\"region\":\"x\"}");
        HAS(w, i, kept);
    }
}

/* ---- opting out ---- */

static void
who_opts_out_is_forgotten_but_for_attributes_and_tags(void **state)
{
    struct world *w = *state;
    world_begin_with(
        w, "{\"platformName\":\"iOS\",\"topics\":[\"t\"],\"topicsVersion\":4,"
           "\"tags\":[\"g\"],\"customAttributes\":{\"a\":1},\"fcmToken\":\"1\","
           "\"hmsToken\":\"2\",\"admToken\":\"3\",\"apnsToken\":\"4\","
           "\"endpoint\":\"5\",\"publicKey\":\"6\",\"authSecret\":\"7\","
           "\"iosLiveActivityToken\":\"8\"}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = "one");
    assert_true(slice_is(outcome_body(&w->outcome, 0),
                         "{\"type\":\"optOut\",\"subscription\":{\"_id\":\"one\","
                         "\"createdAt\":\"2024-03-04T09:50:51.375Z\","
                         "\"syncedAt\":\"2024-03-04T09:50:51.375Z\","
                         "\"platformName\":\"iOS\",\"topics\":[]},"
                         "\"channel\":{\"_id\":\"CHANNEL_ID\"}}"));
    assert_true(world_state(w, w->at)->inactive);
    assert_int_equal(w->rows[w->at].row.token, 0);
    for (unsigned i = 0; i < MEMBERS; i++)
        if (member_is_secret((enum member)i))
            HAS(w, i, "-");
    HAS(w, MEMBER_TOPICS, "[]");
    HAS(w, MEMBER_TAGS, "[\"g\"]");
    HAS(w, MEMBER_ATTRIBUTES, "{\"a\":1}");
    HAS(w, MEMBER_PLATFORM_NAME, "\"iOS\"");
}

static void
who_has_opted_out_does_not_do_it_again(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = "one");
    w->now_ms += 1000;
    ASK(w, 0, "", .kind = CHANGE_OPT_OUT, .id = "one");
    assert_false(w->outcome.write);
    ASK(w, E_NOT_FOUND, "", .kind = CHANGE_OPT_OUT, .id = "two");
}

static void
only_what_is_there_and_has_not_opted_out_changes(void **state)
{
    static const struct ask asks[] = {
        {.kind = CHANGE_EDIT, .members = "{\"topics\":[\"t\"]}"},
        {.kind = CHANGE_TOPIC_ADD, .item = "t"},
        {.kind = CHANGE_TOPIC_REMOVE, .item = "t"},
        {.kind = CHANGE_TAG_ADD, .item = "g"},
        {.kind = CHANGE_TAG_REMOVE, .item = "g"},
        {.kind = CHANGE_ATTRIBUTE_SET, .item = "a", .value = "2"},
        {.kind = CHANGE_ATTRIBUTE_PUSH, .item = "a", .value = "2"},
        {.kind = CHANGE_ATTRIBUTE_PULL, .item = "a", .value = "1"},
        {.kind = CHANGE_ATTRIBUTE_CLEAR, .item = "a"},
    };
    struct world *w = *state;

    world_begin_with(w, "{\"tags\":[\"g\"],\"customAttributes\":{\"a\":[1]}}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = "one");
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        struct ask ask = asks[i];
        ask.id = "one";
        assert_int_equal(world_ask(w, &ask), E_NOT_FOUND);
        assert_string_equal(w->why, "no such subscription");
        ask.id = "two";
        assert_int_equal(world_ask(w, &ask), E_NOT_FOUND);
        assert_string_equal(w->why, "no such subscription");
        assert_false(w->outcome.report);
    }
}

/* ---- the customer's whole description ---- */

static void
a_replacement_makes_one_under_the_id_it_names(void **state)
{
    struct world *w = *state;
    ASK(w, 0, "optIn; updateTopics [\"t\"]; attributeUpdate {\"a\":1}",
        .kind = CHANGE_REPLACE, .id = "my-1",
        .members = "{\"topics\":[\"t\"],\"customAttributes\":{\"a\":1},"
                   "\"fcmToken\":\"tok\",\"type\":\"app\"}",
        .created_ms = 5, .synced_ms = 6);
    assert_string_equal(world_id(w), "my-1");
    assert_int_equal(world_state(w, w->at)->created_ms, 5);
    assert_int_equal(world_state(w, w->at)->synced_ms, 6);
    HAS(w, MEMBER_TYPE, "\"app\"");
    HAS(w, MEMBER_FCM_TOKEN, "\"tok\"");
    HAS(w, MEMBER_TOPICS_VERSION, "-");

    ASK(w, 0, "optIn", .kind = CHANGE_REPLACE, .id = "my-2");
    assert_int_equal(world_state(w, w->at)->created_ms, w->now_ms);
    assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);
}

static void
a_replacement_without_an_id_gets_one(void **state)
{
    struct world *w = *state;
    ASK(w, 0, "optIn", .kind = CHANGE_REPLACE);
    assert_int_equal(strlen(world_id(w)), ID_MADE);
    assert_true(id_valid(slice_of(world_id(w))));
}

static void
a_replacement_clears_what_it_does_not_mention_but_secrets(void **state)
{
    struct world *w = *state;
    world_begin_with(w,
                     "{\"type\":\"app\",\"language\":\"de\",\"topics\":[\"t\"],"
                     "\"topicsVersion\":4,\"tags\":[\"g\"],\"segments\":[\"s\"],"
                     "\"customAttributes\":{\"a\":1},\"visits\":3,\"fcmToken\":\"1\","
                     "\"hmsToken\":\"2\",\"admToken\":\"3\",\"apnsToken\":\"4\","
                     "\"endpoint\":\"5\",\"publicKey\":\"6\",\"authSecret\":\"7\","
                     "\"iosLiveActivityToken\":\"8\"}");
    ASK(w, 0, "updateTopics []; attributeUpdate {}", .kind = CHANGE_REPLACE,
        .id = "one", .members = "{\"platformName\":\"iOS\",\"endpoint\":\"50\"}");
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (i == MEMBER_PLATFORM_NAME)
            HAS(w, i, "\"iOS\"");
        else if (i == MEMBER_TOPICS)
            HAS(w, i, "[]");
        else if (i == MEMBER_TOPICS_VERSION)
            HAS(w, i, "6");
        else if (i == MEMBER_ENDPOINT)
            HAS(w, i, "\"50\"");
        else if (i == MEMBER_ATTRIBUTES)
            HAS(w, i, "{}");
        else if (member_is_secret((enum member)i))
            assert_string_not_equal(world_member(w, (enum member)i), "-");
        else
            HAS(w, i, "-");
    }
    assert_int_equal(world_state(w, w->at)->created_ms, WORLD_BEGIN); /* as it was */
    assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);
}

static void
a_replacement_by_the_same_tells_nothing(void **state)
{
    struct world *w = *state;
    world_begin_with(w, WHOLE);
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .members = WHOLE);
    /* Attributes and topics have no order. */
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"platformName\":\"iOS\",\"topics\":[\"u\",\"t\"],"
                   "\"topicsVersion\":3,\"tags\":[\"g\"],"
                   "\"customAttributes\":{\"b\":[1,\"2\"],\"a\":\"x\"},"
                   "\"language\":\"de\"}");
    HAS(w, MEMBER_TOPICS_VERSION, "3");
    ASK(w, 0, "attributeUpdate {\"b\":[1,\"2\"]}", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"t\",\"u\"],\"customAttributes\":{\"b\":[1,\"2\"]}}");
    ASK(w, 0, "attributeUpdate {\"b\":[1,\"2\"],\"a\":1}", .kind = CHANGE_REPLACE,
        .id = "one",
        .members = "{\"topics\":[\"t\",\"u\"],"
                   "\"customAttributes\":{\"b\":[1,\"2\"],\"a\":1}}");
}

static void
a_replacement_may_bring_the_version_of_its_list(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"t\"],\"topicsVersion\":4}");
    ASK(w, 0, "updateTopics [\"u\"]", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"u\"]}");
    HAS(w, MEMBER_TOPICS_VERSION, "6");
    ASK(w, 0, "updateTopics [\"t\"]", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"t\"],\"topicsVersion\":\"2\"}");
    HAS(w, MEMBER_TOPICS_VERSION, "2");
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"t\"],\"topicsVersion\":9}");
    HAS(w, MEMBER_TOPICS_VERSION, "9");
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"t\"]}");
    HAS(w, MEMBER_TOPICS_VERSION, "9");
}

static void
a_replacement_opts_out_and_brings_back(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"t\"],\"fcmToken\":\"tok\"}");
    ASK(w, 0, "optOut []", .kind = CHANGE_REPLACE, .id = "one", .inactive = true,
        .members = "{\"topics\":[\"u\"],\"customAttributes\":{\"a\":1},"
                   "\"fcmToken\":\"tok2\"}");
    assert_true(world_state(w, w->at)->inactive);
    HAS(w, MEMBER_TOPICS, "[]");
    HAS(w, MEMBER_FCM_TOKEN, "-");
    HAS(w, MEMBER_ATTRIBUTES, "{\"a\":1}");
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .inactive = true,
        .members = "{\"customAttributes\":{\"a\":2}}");

    ASK(w, 0, "optIn; updateTopics [\"v\"]; attributeUpdate {\"a\":2}",
        .kind = CHANGE_REPLACE, .id = "one",
        .members = "{\"topics\":[\"v\"],\"customAttributes\":{\"a\":2}}");
    assert_false(world_state(w, w->at)->inactive);

    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "two", .inactive = true,
        .members = "{\"topics\":[\"t\"],\"customAttributes\":{\"a\":1}}");
    assert_true(world_state(w, w->at)->inactive);
    HAS(w, MEMBER_TOPICS, "[]");
    /* What was set when nobody was told is told when it comes. */
    SYNC(w, "optIn; attributeUpdate {\"a\":1}", .id = "two");
}

static void
a_silent_replacement_is_written_and_not_told(void **state)
{
    struct world *w = *state;
    static const char *const members[] = {
        "{\"topics\":[\"t\"],\"customAttributes\":{\"a\":1}}",
        "{\"topics\":[\"t\",\"u\"],\"customAttributes\":{\"a\":2}}",
        "{\"topics\":[\"v\"]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .members = members[i],
            .silent = true);
        assert_true(w->outcome.write);
    }
    HAS(w, MEMBER_TOPICS, "[\"v\"]");
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .inactive = true,
        .silent = true);
    assert_true(world_state(w, w->at)->inactive);
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .silent = true);
    assert_false(world_state(w, w->at)->inactive);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sync_without_an_id_makes_a_subscription),
        TEST(a_sync_with_an_unknown_id_makes_one_with_an_id_of_its_own),
        TEST(a_new_one_tells_what_it_has_already),
        TEST(a_lost_answer_is_found_again_by_the_push_identity),
        TEST(what_has_changed_since_is_told_of_the_one_that_was_found),
        TEST(one_that_opted_out_is_not_found_by_its_push_identity),
        TEST(nobody_is_found_by_what_others_know),
        TEST(one_that_opted_out_comes_back_under_its_id),
        TEST(an_old_list_counts_when_somebody_comes_back),
        TEST(a_sync_that_changes_nothing_moves_only_the_time),
        TEST(other_members_change_without_a_word),
        TEST(what_is_not_mentioned_or_null_stays),
        TEST(who_opts_out_is_forgotten_but_for_attributes_and_tags),
        TEST(who_has_opted_out_does_not_do_it_again),
        TEST(only_what_is_there_and_has_not_opted_out_changes),
        TEST(a_replacement_makes_one_under_the_id_it_names),
        TEST(a_replacement_without_an_id_gets_one),
        TEST(a_replacement_clears_what_it_does_not_mention_but_secrets),
        TEST(a_replacement_by_the_same_tells_nothing),
        TEST(a_replacement_may_bring_the_version_of_its_list),
        TEST(a_replacement_opts_out_and_brings_back),
        TEST(a_silent_replacement_is_written_and_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
