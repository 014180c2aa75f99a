#include "change_world.h"

/* ---- topics ---- */

static void
a_list_of_topics_is_told_by_what_became_of_it(void **state)
{
    static const struct {
        const char *before, *list, *told;
    } rows[] = {
        {"[]", "[]", ""},
        {"[]", "[\"a\"]", "topicAdded [] + [\"a\"]"},
        {"[]", "[\"a\",\"b\"]", "topicAdded [] + [\"a\",\"b\"]"},
        {"[\"a\"]", "[\"a\"]", ""},
        {"[\"a\"]", "[\"a\",\"b\"]", "topicAdded [\"a\"] + [\"b\"]"},
        {"[\"a\"]", "[\"b\",\"a\"]", "topicAdded [\"a\"] + [\"b\"]"},
        {"[\"b\",\"a\"]", "[\"d\",\"a\",\"c\",\"b\"]",
         "topicAdded [\"b\",\"a\"] + [\"d\",\"c\"]"},
        {"[\"a\",\"b\"]", "[\"b\",\"a\"]", ""},
        {"[\"a\",\"b\"]", "[\"a\"]", "updateTopics [\"a\"]"},
        {"[\"a\",\"b\"]", "[]", "updateTopics []"},
        {"[\"a\"]", "[\"b\"]", "updateTopics [\"b\"]"},
        {"[\"a\",\"b\"]", "[\"b\",\"c\"]", "updateTopics [\"b\",\"c\"]"},
        {"[\"a\",\"b\"]", "[\"b\",\"c\",\"d\"]", "updateTopics [\"b\",\"c\",\"d\"]"},
        {"[\"a\"]", "[\"aa\"]", "updateTopics [\"aa\"]"},
    };
    static const enum change_kind kinds[] = {CHANGE_SYNC, CHANGE_EDIT, CHANGE_REPLACE};
    struct world *w = *state;

    for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            char members[100];
            snprintf(members, sizeof(members), "{\"topics\":%s}", rows[i].before);
            world_begin_with(w, members);
            snprintf(members, sizeof(members), "{\"topics\":%s}", rows[i].list);
            ASK(w, 0, rows[i].told, .kind = kinds[kind], .id = "one",
                .members = members);
            HAS(w, MEMBER_TOPICS, rows[i].told[0] ? rows[i].list : rows[i].before);
            /* An edit that changes nothing is none; the others are a sign of life. */
            bool edited = kinds[kind] != CHANGE_EDIT || rows[i].told[0];
            assert_int_equal(world_state(w, w->at)->synced_ms,
                             w->now_ms - (edited ? 0 : 60000));
            assert_int_equal(w->outcome.write, edited);
            world_drop(w, w->at);
        }
    }
}

static void
only_a_list_that_is_not_older_than_the_last_one_counts(void **state)
{
    static const struct {
        const char *before; /* version, or null */
        const char *version;
        bool counts;
        const char *after;
    } rows[] = {
        {"5", "4", false, "5"},
        {"5", "0", false, "5"},
        {"5", "\"4\"", false, "5"},
        {"5", "5", true, "5"},
        {"5", "\"5\"", true, "5"},
        {"5", "6", true, "6"},
        {"5", "\"6\"", true, "6"},
        {"5", "600", true, "600"},
        {"5", "null", true, "5"},
        {"10", "9", false, "10"},
        {"10", "\"9\"", false, "10"},
        {"9", "10", true, "10"},
        {"null", "0", true, "0"},
        {"null", "1", true, "1"},
        {"null", "\"1\"", true, "1"},
        {"null", "null", true, "-"},
        {"2000000000", "2000000000", true, "2000000000"},
        {"2000000000", "1999999999", false, "2000000000"},
    };
    static const struct {
        const char *list, *told;
    } lists[] = {
        {"[\"a\"]", ""},
        {"[\"a\",\"b\"]", "topicAdded [\"a\"] + [\"b\"]"},
        {"[\"b\"]", "updateTopics [\"b\"]"},
        {"[]", "updateTopics []"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(lists); k++) {
            char members[100];
            snprintf(members, sizeof(members),
                     "{\"topics\":[\"a\"],\"topicsVersion\":%s}", rows[i].before);
            world_begin_with(w, members);
            snprintf(members, sizeof(members),
                     "{\"topicsVersion\":%s,\"topics\":%s,\"region\":\"r\"}",
                     rows[i].version, lists[k].list);
            SYNC(w, rows[i].counts ? lists[k].told : "", .id = "one",
                 .members = members);
            HAS(w, MEMBER_TOPICS, rows[i].counts ? lists[k].list : "[\"a\"]");
            HAS(w, MEMBER_TOPICS_VERSION, rows[i].after);
            HAS(w, MEMBER_REGION, "\"r\""); /* the rest of the request counts */
            world_drop(w, w->at);
        }
    }
}

static void
a_version_without_a_list_is_nobodys(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"a\"],\"topicsVersion\":5}");
    SYNC(w, "", .id = "one", .members = "{\"topicsVersion\":9}");
    HAS(w, MEMBER_TOPICS_VERSION, "5");
    SYNC(w, "", .id = "one", .members = "{\"topicsVersion\":9,\"topics\":null}");
    HAS(w, MEMBER_TOPICS_VERSION, "5");
}

static void
the_customers_list_goes_two_ahead(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {{"5", "7"}, {"0", "2"}, {"null", "2"}};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char members[100];
        snprintf(members, sizeof(members), "{\"topics\":[\"a\"],\"topicsVersion\":%s}",
                 rows[i].before);
        world_begin_with(w, members);
        ASK(w, 0, "updateTopics [\"b\"]", .kind = CHANGE_EDIT, .id = "one",
            .members = "{\"topics\":[\"b\"]}");
        HAS(w, MEMBER_TOPICS_VERSION, rows[i].after);

        /* The same list again does not. */
        ASK(w, 0, "", .kind = CHANGE_EDIT, .id = "one",
            .members = "{\"topics\":[\"b\"]}");
        HAS(w, MEMBER_TOPICS_VERSION, rows[i].after);
        world_drop(w, w->at);
    }
}

static void
a_device_that_has_not_heard_of_the_customers_list_does_not_undo_it(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"a\"],\"topicsVersion\":5}");
    ASK(w, 0, "updateTopics [\"b\"]", .kind = CHANGE_EDIT, .id = "one",
        .members = "{\"topics\":[\"b\"]}");
    /* Android sends one more than it has with any list, iOS what it has. */
    SYNC(w, "", .id = "one", .members = "{\"topics\":[\"a\"],\"topicsVersion\":6}");
    SYNC(w, "", .id = "one", .members = "{\"topics\":[\"a\"],\"topicsVersion\":\"5\"}");
    HAS(w, MEMBER_TOPICS, "[\"b\"]");
    /* Then they have heard of it. */
    SYNC(w, "", .id = "one", .members = "{\"topics\":[\"b\"],\"topicsVersion\":8}");
    SYNC(w, "topicAdded [\"b\"] + [\"a\"]", .id = "one",
         .members = "{\"topics\":[\"b\",\"a\"],\"topicsVersion\":8}");
}

static void
a_topic_is_added_once(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"a\"],\"topicsVersion\":5}");
    ASK(w, 0, "topicAdded [\"a\"] + [\"b\"]", .kind = CHANGE_TOPIC_ADD, .id = "one",
        .item = "b");
    HAS(w, MEMBER_TOPICS, "[\"a\",\"b\"]");
    HAS(w, MEMBER_TOPICS_VERSION, "5");
    assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);

    w->now_ms++;
    ASK(w, 0, "", .kind = CHANGE_TOPIC_ADD, .id = "one", .item = "b");
    assert_false(w->outcome.write);
    ASK(w, 0, "", .kind = CHANGE_TOPIC_ADD, .id = "one", .item = "a");
    assert_false(w->outcome.write);
}

static void
a_topic_is_removed_once(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"a\",\"b\",\"c\"],\"topicsVersion\":5}");
    ASK(w, 0, "updateTopics [\"a\",\"c\"]", .kind = CHANGE_TOPIC_REMOVE, .id = "one",
        .item = "b");
    HAS(w, MEMBER_TOPICS, "[\"a\",\"c\"]");
    HAS(w, MEMBER_TOPICS_VERSION, "5");
    assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);

    w->now_ms++;
    ASK(w, 0, "", .kind = CHANGE_TOPIC_REMOVE, .id = "one", .item = "b");
    assert_false(w->outcome.write);
    ASK(w, 0, "updateTopics [\"c\"]", .kind = CHANGE_TOPIC_REMOVE, .id = "one",
        .item = "a");
    ASK(w, 0, "updateTopics []", .kind = CHANGE_TOPIC_REMOVE, .id = "one", .item = "c");
}

/* The SDKs' two calls for one topic: of it alone, and of the whole list. */
static void
the_first_of_two_calls_for_one_topic_is_the_change(void **state)
{
    static const struct {
        enum change_kind kind;
        const char *topic, *list, *told;
    } rows[] = {
        {CHANGE_TOPIC_ADD, "c", "[\"a\",\"b\",\"c\"]",
         "topicAdded [\"a\",\"b\"] + [\"c\"]"},
        {CHANGE_TOPIC_REMOVE, "a", "[\"b\"]", "updateTopics [\"b\"]"},
    };
    /* Android counts up; iOS does not, and its version may be a string. */
    static const char *const versions[] = {"6", "5", "\"5\""};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(versions); i++) {
        size_t row = i / ARRAY_LEN(versions), version = i % ARRAY_LEN(versions);
        for (int list_first = 0; list_first <= 1; list_first++) {
            char members[100];
            world_begin_with(w, "{\"topics\":[\"a\",\"b\"],\"topicsVersion\":5}");
            snprintf(members, sizeof(members), "{\"topics\":%s,\"topicsVersion\":%s}",
                     rows[row].list, versions[version]);
            for (int call = 0; call <= 1; call++) {
                const char *told = call == 0 ? rows[row].told : "";
                if (call == list_first)
                    ASK(w, 0, told, .kind = rows[row].kind, .id = "one",
                        .item = rows[row].topic);
                else
                    SYNC(w, told, .id = "one", .members = members);
            }
            HAS(w, MEMBER_TOPICS, rows[row].list);
            HAS(w, MEMBER_TOPICS_VERSION, version == 0 ? "6" : "5");
            world_drop(w, w->at);
        }
    }
}

static void
a_payload_shows_topics_as_they_were_and_the_time_as_it_is(void **state)
{
    struct world *w = *state;
    world_begin_with(w,
                     "{\"topics\":[\"a\"],\"platformName\":\"iOS\",\"tags\":[\"g\"]}");
    ASK(w, 0, "topicAdded [\"a\"] + [\"b\"]", .kind = CHANGE_TOPIC_ADD, .id = "one",
        .item = "b");
    assert_true(slice_is(outcome_body(&w->outcome, 0),
                         "{\"type\":\"topicAdded\",\"subscription\":{\"_id\":\"one\","
                         "\"createdAt\":\"2024-03-04T09:50:51.375Z\","
                         "\"syncedAt\":\"2024-03-04T09:51:51.375Z\","
                         "\"platformName\":\"iOS\",\"topics\":[\"a\"]},"
                         "\"channel\":{\"_id\":\"CHANNEL_ID\"},"
                         "\"newTopicsIds\":[\"b\"]}"));
}

/* ---- tags ---- */

static void
tags_change_without_a_word(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    ASK(w, 0, "", .kind = CHANGE_TAG_REMOVE, .id = "one", .item = "g");
    assert_false(w->outcome.write);
    ASK(w, 0, "", .kind = CHANGE_TAG_ADD, .id = "one", .item = "g");
    assert_true(w->outcome.write);
    HAS(w, MEMBER_TAGS, "[\"g\"]");
    assert_int_equal(world_state(w, w->at)->synced_ms, w->now_ms);
    ASK(w, 0, "", .kind = CHANGE_TAG_ADD, .id = "one", .item = "g");
    assert_false(w->outcome.write);
    ASK(w, 0, "", .kind = CHANGE_TAG_ADD, .id = "one", .item = "h");
    HAS(w, MEMBER_TAGS, "[\"g\",\"h\"]");
    ASK(w, 0, "", .kind = CHANGE_TAG_REMOVE, .id = "one", .item = "g");
    HAS(w, MEMBER_TAGS, "[\"h\"]");
    ASK(w, 0, "", .kind = CHANGE_TAG_REMOVE, .id = "one", .item = "h");
    HAS(w, MEMBER_TAGS, "[]");
    HAS(w, MEMBER_TOPICS, "[]");
}

/* ---- attributes ---- */

static void
an_attribute_is_told_when_it_is_another(void **state)
{
    enum {
        SET = CHANGE_ATTRIBUTE_SET,
        PUSH = CHANGE_ATTRIBUTE_PUSH,
        PULL = CHANGE_ATTRIBUTE_PULL,
        CLEAR = CHANGE_ATTRIBUTE_CLEAR
    };
    static const struct {
        int kind;
        const char *before, *value, *after; /* NULL = no such attribute */
    } rows[] = {
        {SET, NULL, "\"x\"", "\"x\""},
        {SET, NULL, "\"\"", "\"\""},
        {SET, NULL, "[]", "[]"},
        {SET, "\"x\"", "\"x\"", "\"x\""},
        {SET, "\"x\"", "\"\\u0078\"", "\"x\""},
        {SET, "\"x\"", "\"X\"", "\"X\""},
        {SET, "\"1\"", "1", "1"},
        {SET, "1", "true", "true"},
        {SET, "\"x\"", "[\"x\"]", "[\"x\"]"},
        {SET, "[\"x\"]", "[\"x\",\"x\"]", "[\"x\"]"},
        {SET, "[\"x\",\"y\"]", "[\"x\"]", "[\"x\"]"},
        {PUSH, NULL, "\"x\"", "[\"x\"]"},
        {PUSH, NULL, "7", "[7]"},
        {PUSH, "[]", "\"x\"", "[\"x\"]"},
        {PUSH, "[\"x\"]", "\"x\"", "[\"x\"]"},
        {PUSH, "[\"x\"]", "\"y\"", "[\"x\",\"y\"]"},
        {PUSH, "[\"x]\",\",\"]", "\"x\"", "[\"x]\",\",\",\"x\"]"},
        {PUSH, "[1]", "\"1\"", "[1,\"1\"]"},
        {PUSH, "\"x\"", "\"x\"", "\"x\""},
        {PUSH, "\"x\"", "\"y\"", "[\"x\",\"y\"]"},
        {PUSH, "1", "2", "[1,2]"},
        {PUSH, "\"\"", "\"y\"", "[\"\",\"y\"]"},
        {PULL, NULL, "\"x\"", NULL},
        {PULL, "[]", "\"x\"", "[]"},
        {PULL, "[\"x\"]", "\"y\"", "[\"x\"]"},
        {PULL, "[\"x\",\"y\",\"z\"]", "\"y\"", "[\"x\",\"z\"]"},
        {PULL, "[\"x\",\"y\"]", "\"x\"", "[\"y\"]"},
        {PULL, "[\"x\"]", "\"x\"", "[]"},
        {PULL, "[1,\"1\"]", "\"1\"", "[1]"},
        {PULL, "[\"a,b\",\"a\"]", "\"a\"", "[\"a,b\"]"},
        {PULL, "\"x\"", "\"y\"", "\"x\""},
        {PULL, "\"x\"", "\"x\"", NULL},
        {CLEAR, NULL, NULL, NULL},
        {CLEAR, "\"x\"", NULL, NULL},
        {CLEAR, "[\"x\"]", NULL, NULL},
        {CLEAR, "[]", NULL, NULL},
    };
    struct world *w = *state;

    /* Alone, and between two others. */
    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        const char *before = rows[i / 2].before, *after = rows[i / 2].after;
        const char *left = i % 2 ? "\"b\":\"}\"" : "";
        const char *right = i % 2 ? "\"c\":[\"{\"]" : "";
        char members[100], want[100], told[120];
        snprintf(members, sizeof(members), "{\"customAttributes\":{%s%s%s%s%s%s}}",
                 left, before && left[0] ? "," : "", before ? "\"a\":" : "",
                 before ? before : "", (before || left[0]) && right[0] ? "," : "",
                 right);
        snprintf(want, sizeof(want), "{%s%s%s%s%s%s}", left,
                 after && left[0] ? "," : "", after ? "\"a\":" : "", after ? after : "",
                 (after || left[0]) && right[0] ? "," : "", right);
        if (after && !before && right[0]) /* a new one comes last */
            snprintf(want, sizeof(want), "{%s,%s,\"a\":%s}", left, right, after);
        snprintf(told, sizeof(told), "attributeUpdate %s", want);
        bool same =
            (!before && !after) || (before && after && strcmp(before, after) == 0);

        world_begin_with(w, members);
        ASK(w, 0, same ? "" : told, .kind = (enum change_kind)rows[i / 2].kind,
            .id = "one", .item = "a", .value = rows[i / 2].value);
        assert_int_equal(w->outcome.write, !same);
        assert_int_equal(world_state(w, w->at)->synced_ms,
                         same ? w->now_ms - 60000 : w->now_ms);
        if (same && strcmp(want, "{}") == 0)
            want[0] = '-', want[1] = '\0';
        if (strcmp(want, "-") != 0)
            HAS(w, MEMBER_ATTRIBUTES, want);
        world_drop(w, w->at);
    }
}

static void
attributes_of_a_sync_are_merged_and_told_once(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"topics\":[\"t\"],\"customAttributes\":{\"a\":1,\"b\":2}}");
    SYNC(w, "attributeUpdate {\"a\":1,\"b\":3,\"c\":[4]}", .id = "one",
         .members = "{\"customAttributes\":{\"c\":[4],\"b\":3}}");
    HAS(w, MEMBER_ATTRIBUTES, "{\"a\":1,\"b\":3,\"c\":[4]}");
    SYNC(w, "topicAdded [\"t\"] + [\"u\"]; attributeUpdate {\"a\":1,\"b\":3,\"c\":5}",
         .id = "one",
         .members = "{\"topics\":[\"t\",\"u\"],\"customAttributes\":{\"c\":5}}");
    /* Its topics are those of now. */
    assert_non_null(strstr(w->outcome.bodies.p + w->outcome.events[1].at,
                           "\"topics\":[\"t\",\"u\"]"));
}

static void
the_customer_sets_and_clears_attributes_at_once(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{\"customAttributes\":{\"a\":1,\"b\":2,\"c\":3}}");
    ASK(w, 0, "attributeUpdate {\"b\":2,\"d\":4}", .kind = CHANGE_EDIT, .id = "one",
        .members = "{\"customAttributes\":{\"d\":4}}", .cleared = {"a", "c"});
    ASK(w, 0, "", .kind = CHANGE_EDIT, .id = "one", .cleared = {"a", "x"});
    ASK(w, 0, "attributeUpdate {}", .kind = CHANGE_EDIT, .id = "one",
        .cleared = {"b", "d"});
    HAS(w, MEMBER_ATTRIBUTES, "{}");
}

/* ---- language and country ---- */

static void
circumstances_tell_what_a_whole_description_leaves_out(void **state)
{
    static const struct {
        const char *before; /* what is known of the language; NULL = no subscription */
        const char *members;
        const char *hint;
        const char *after;
    } rows[] = {
        /* the body's */
        {NULL, "{\"platformName\":\"iOS\",\"language\":\"de\"}", "en", "\"de\""},
        {"\"fr\"", "{\"platformName\":\"iOS\",\"language\":\"de\"}", "en", "\"de\""},
        {"\"fr\"", "{\"language\":\"de\"}", "en", "\"de\""},
        /* else the hint */
        {NULL, "{\"platformName\":\"iOS\"}", "en", "\"en\""},
        {"null", "{\"platformName\":\"iOS\"}", "en", "\"en\""},
        {"\"fr\"", "{\"platformName\":\"iOS\"}", "en", "\"en\""},
        {"\"fr\"", "{\"platformName\":\"iOS\",\"language\":null}", "en", "\"en\""},
        /* else what was known */
        {NULL, "{\"platformName\":\"iOS\"}", NULL, "-"},
        {"\"fr\"", "{\"platformName\":\"iOS\"}", NULL, "\"fr\""},
        {"\"fr\"", "{\"platformName\":\"iOS\",\"language\":null}", NULL, "\"fr\""},
        /* a part changes neither */
        {"\"fr\"", "{\"topics\":[\"t\"],\"topicsVersion\":2}", "en", "\"fr\""},
        {"\"fr\"", "{}", "en", "\"fr\""},
        {"null", "{\"topics\":[\"t\"],\"topicsVersion\":2}", "en", "-"},
        {"\"fr\"", "{\"platformName\":null}", "en", "\"fr\""},
        {NULL, "{\"emailAddress\":\"a@example.com\"}", "en", "-"},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
        bool country = i % 2;
        char members[200];
        const char *sent = rows[i / 2].members;
        const char *name = country ? "country" : "language";
        const char *at = strstr(sent, "language");

        snprintf(members, sizeof(members), "{\"%s\":%s,\"timezone\":\"z\"}", name,
                 rows[i / 2].before ? rows[i / 2].before : "null");
        if (rows[i / 2].before)
            world_begin_with(w, members);
        snprintf(members, sizeof(members), "%.*s%s%s", at ? (int)(at - sent) : 0, sent,
                 at ? name : "", at ? at + strlen("language") : sent);
        assert_int_equal(
            world_ask(w, &(struct ask){.kind = CHANGE_SYNC,
                                       .id = "one",
                                       .members = members,
                                       .language = country ? NULL : rows[i / 2].hint,
                                       .country = country ? rows[i / 2].hint : NULL}),
            0);
        HAS(w, country ? MEMBER_COUNTRY : MEMBER_LANGUAGE, rows[i / 2].after);
        HAS(w, country ? MEMBER_LANGUAGE : MEMBER_COUNTRY, "-");
        world_drop(w, w->at);
    }
}

static void
only_a_sync_has_circumstances(void **state)
{
    static const enum change_kind kinds[] = {CHANGE_EDIT, CHANGE_REPLACE};
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        world_begin_with(w, "{}");
        ASK(w, 0, "", .kind = kinds[i], .id = "one",
            .members = "{\"platformName\":\"iOS\"}", .language = "en", .country = "US");
        HAS(w, MEMBER_PLATFORM_NAME, "\"iOS\"");
        HAS(w, MEMBER_LANGUAGE, "-");
        HAS(w, MEMBER_COUNTRY, "-");
        world_drop(w, w->at);
    }
}

static void
a_hint_is_escaped(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"platformName\":\"iOS\"}", .language = "d\"e\\",
         .country = "\n");
    HAS(w, MEMBER_LANGUAGE, "\"d\\\"e\\\\\"");
    HAS(w, MEMBER_COUNTRY, "\"\\n\"");
}

static void
hints_are_shown_in_the_first_event(void **state)
{
    struct world *w = *state;
    SYNC(w, "optIn", .members = "{\"platformName\":\"iOS\"}", .language = "en",
         .country = "US");
    assert_non_null(strstr(w->outcome.bodies.p,
                           "\"platformName\":\"iOS\",\"language\":\"en\","
                           "\"country\":\"US\"}"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_of_topics_is_told_by_what_became_of_it),
        TEST(only_a_list_that_is_not_older_than_the_last_one_counts),
        TEST(a_version_without_a_list_is_nobodys),
        TEST(the_customers_list_goes_two_ahead),
        TEST(a_device_that_has_not_heard_of_the_customers_list_does_not_undo_it),
        TEST(a_topic_is_added_once),
        TEST(a_topic_is_removed_once),
        TEST(the_first_of_two_calls_for_one_topic_is_the_change),
        TEST(a_payload_shows_topics_as_they_were_and_the_time_as_it_is),
        TEST(tags_change_without_a_word),
        TEST(an_attribute_is_told_when_it_is_another),
        TEST(attributes_of_a_sync_are_merged_and_told_once),
        TEST(the_customer_sets_and_clears_attributes_at_once),
        TEST(circumstances_tell_what_a_whole_description_leaves_out),
        TEST(only_a_sync_has_circumstances),
        TEST(a_hint_is_escaped),
        TEST(hints_are_shown_in_the_first_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
