#include "change_world.h"

/* ---- reports of pushes ---- */

static void
a_delivery_counts_once_per_notification_and_subscription(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "two", .silent = true);
    ASK(w, 0, "delivery \"n1\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "n1");
    assert_true(w->outcome.report);
    assert_false(w->outcome.write); /* the subscription stays as it is */
    assert_true(slice_is(outcome_body(&w->outcome, 0),
                         "{\"type\":\"delivery\",\"date\":\"2024-03-04T09:51:51.375Z\","
                         "\"subscription\":{\"_id\":\"one\"},"
                         "\"notification\":{\"_id\":\"n1\"},"
                         "\"channel\":{\"_id\":\"CHANNEL_ID\"}}"));
    for (msec_t later = 1; later < 100000000; later *= 10) {
        w->now_ms += later;
        ASK(w, 0, "", .kind = CHANGE_DELIVERED, .id = "one", .notification = "n1");
        assert_false(w->outcome.report);
    }
    ASK(w, 0, "delivery \"n2\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "n2");
    ASK(w, 0, "delivery \"n1\"", .kind = CHANGE_DELIVERED, .id = "two",
        .notification = "n1");
    ASK(w, 0, "click \"n1\"", .kind = CHANGE_CLICKED, .id = "one",
        .notification = "n1");
}

static void
the_chat_is_delivered_again_after_10_s(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    ASK(w, 0, "delivery \"chat\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "chat");
    w->now_ms += 9999;
    ASK(w, 0, "", .kind = CHANGE_DELIVERED, .id = "one", .notification = "chat");
    w->now_ms += 1;
    ASK(w, 0, "delivery \"chat\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "chat");
    w->now_ms += 9999;
    ASK(w, 0, "", .kind = CHANGE_DELIVERED, .id = "one", .notification = "chat");

    ASK(w, 0, "delivery \"chats\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "chats");
    w->now_ms += 10000;
    ASK(w, 0, "", .kind = CHANGE_DELIVERED, .id = "one", .notification = "chats");
}

static void
the_same_click_within_10_s_is_one(void **state)
{
    static const char *const pushes[] = {"n1", "chat"};
    static const char *const actions[] = {NULL, "0", "1", "open"};
    struct world *w = *state;

    world_begin_with(w, "{}");
    for (size_t push = 0; push < ARRAY_LEN(pushes); push++) {
        char told[32];
        snprintf(told, sizeof(told), "click \"%s\"", pushes[push]);
        for (int round = 0; round < 2; round++) {
            for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
                ASK(w, 0, told, .kind = CHANGE_CLICKED, .id = "one",
                    .notification = pushes[push], .action = actions[i]);
                assert_true(w->outcome.report);
                ASK(w, 0, "", .kind = CHANGE_CLICKED, .id = "one",
                    .notification = pushes[push], .action = actions[i]);
                assert_false(w->outcome.report);
                assert_false(w->outcome.write);
            }
            /* Ten seconds from the one that counted. */
            w->now_ms += 9999;
            for (size_t i = 0; i < ARRAY_LEN(actions); i++)
                ASK(w, 0, "", .kind = CHANGE_CLICKED, .id = "one",
                    .notification = pushes[push], .action = actions[i]);
            w->now_ms += 1;
        }
    }
}

static void
a_click_is_noted_with_its_time(void **state)
{
    struct world *w = *state;
    char want[CLICKED_DATES_MAX * 40];

    world_begin_with(w, "{}");
    HAS(w, MEMBER_CLICKED_DATES, "-");
    for (int n = 1; n <= 45; n++) {
        ASK(w, 0, "click \"n\"", .kind = CHANGE_CLICKED, .id = "one",
            .notification = "n");
        assert_true(w->outcome.write);
        size_t used = 0;
        for (int i = n > 20 ? n - 20 : 0; i < n; i++) /* minutes after 09:51 */
            used += (size_t)snprintf(
                want + used, sizeof(want) - used, "%s\"2024-03-04T%02d:%02d:51.375Z\"",
                used ? "," : "[", 9 + (51 + i) / 60, (51 + i) % 60);
        snprintf(want + used, sizeof(want) - used, "]");
        HAS(w, MEMBER_CLICKED_DATES, want);
        assert_int_equal(world_state(w, w->at)->synced_ms, WORLD_BEGIN);
        w->now_ms += 60000;
    }
}

static void
a_push_that_was_on_its_way_is_reported_after_the_opt_out(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = "one");
    ASK(w, 0, "delivery \"n\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "n");
    ASK(w, 0, "", .kind = CHANGE_DELIVERED, .id = "one", .notification = "n");
    ASK(w, 0, "click \"n\"", .kind = CHANGE_CLICKED, .id = "one", .notification = "n",
        .action = "0");
    assert_true(w->outcome.report);
    assert_true(world_state(w, w->at)->inactive);

    ASK(w, E_NOT_FOUND, "", .kind = CHANGE_DELIVERED, .id = "two", .notification = "n");
    ASK(w, E_NOT_FOUND, "", .kind = CHANGE_CLICKED, .id = "two", .notification = "n");
}

static void
a_report_names_the_notifications_feed_if_it_is_known(void **state)
{
    struct world *w = *state;
    world_begin_with(w, "{}");
    w->feed_guid = "[\"https://www.cnn.com/123456\"]";
    ASK(w, 0, "click \"n\"", .kind = CHANGE_CLICKED, .id = "one", .notification = "n");
    assert_true(slice_is(outcome_body(&w->outcome, 0),
                         "{\"type\":\"click\",\"date\":\"2024-03-04T09:51:51.375Z\","
                         "\"subscription\":{\"_id\":\"one\"},"
                         "\"notification\":{\"_id\":\"n\","
                         "\"feedGuid\":[\"https://www.cnn.com/123456\"]},"
                         "\"channel\":{\"_id\":\"CHANNEL_ID\"}}"));
}

static void
reports_are_remembered_by_what_was_done(void **state)
{
    char room[REPORT_TEXT], action[ACTION_MAX + 1];
    struct change change = {.kind = CHANGE_DELIVERED};

    (void)state;
    for (unsigned i = 0; i < CHANGES; i++)
        assert_int_equal(change_is_report((enum change_kind)i),
                         i == CHANGE_DELIVERED || i == CHANGE_CLICKED);
    assert_true(slice_is(change_report(&change, room), "delivery"));
    change.kind = CHANGE_CLICKED;
    assert_true(slice_is(change_report(&change, room), "click"));
    change.action = SLICE("0");
    assert_true(slice_is(change_report(&change, room), "click:0"));
    memset(action, 'a', sizeof(action));
    change.action = (struct slice){action, ACTION_MAX};
    assert_int_equal(change_report(&change, room).n, 6 + ACTION_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_delivery_counts_once_per_notification_and_subscription),
        TEST(the_chat_is_delivered_again_after_10_s),
        TEST(the_same_click_within_10_s_is_one),
        TEST(a_click_is_noted_with_its_time),
        TEST(a_push_that_was_on_its_way_is_reported_after_the_opt_out),
        TEST(a_report_names_the_notifications_feed_if_it_is_known),
        TEST(reports_are_remembered_by_what_was_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
