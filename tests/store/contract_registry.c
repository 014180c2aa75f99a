/* What a touch finds, and what is remembered of what was reported. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "world_registry.h"

/* ---- finding ---- */

static void
a_subscription_is_found_by_its_id_in_its_channel_alone(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, one, "a", 0, false);
    put_subscription(world, one, "both", 0, true);
    put_subscription(world, two, "both", 0, false);
    assert_finds(world, one, by_id("a"), "a");
    assert_finds(world, two, by_id("a"), NULL);
    assert_finds(world, one, by_id("A"), NULL);
    assert_finds(world, one, by_id("a "), NULL);

    struct touch_item item = by_id("both");
    assert_int_equal(touch_one(world, one, &item), 0);
    assert_true(item.subscription.row.inactive);
    assert_int_equal(item.subscription.row.channel, one);
    item = by_id("both");
    assert_int_equal(touch_one(world, two, &item), 0);
    assert_false(item.subscription.row.inactive);
    assert_int_equal(item.subscription.row.channel, two);
}

static void
a_push_identity_finds_only_the_active(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, one, "gone", 7, true);
    assert_finds(world, one, by_token(7), NULL);
    put_subscription(world, one, "here", 7, false);
    put_subscription(world, one, "later", 7, false);
    put_subscription(world, one, "other", 8, false);
    assert_finds(world, one, by_token(7), "here");
    assert_finds(world, two, by_token(7), NULL);
    assert_finds(world, one, by_token(9), NULL);

    put_subscription(world, one, "here", 7, true);
    assert_finds(world, one, by_token(7), "later");
    put_subscription(world, one, "later", 9, false); /* its identity has changed */
    assert_finds(world, one, by_token(7), NULL);
    assert_finds(world, one, by_token(9), "later");
    put_subscription(world, one, "gone", 7, false);
    assert_finds(world, one, by_token(7), "gone");
}

static void
an_id_comes_before_a_push_identity(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_subscription(world, shop, "gone", 0, true);
    put_subscription(world, shop, "here", 7, false);
    struct touch_item item = {.find = {.id = SLICE("gone"), .token = 7}};
    assert_finds(world, shop, item, "gone");
    item.find.id = SLICE("unknown");
    assert_finds(world, shop, item, "here");
    item.find.token = 8;
    assert_finds(world, shop, item, NULL);
}

static void
who_has_no_push_identity_is_not_found_by_none(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_subscription(world, shop, "a", 0, false);
    assert_finds(world, shop, (struct touch_item){0}, NULL);
    assert_finds(world, shop, by_id("b"), NULL);
}

static void
the_notification_is_found_beside_the_subscription(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct notification_row row = {.channel = one,
                                   .id = SLICE("push"),
                                   .created_ms = 5,
                                   .feed_guid = SLICE("[\"g\"]"),
                                   .body = SLICE("\"title\":\"t\"")};
    put_notification(world, &row);
    struct touch_item item = {
        .find = {.id = SLICE("a"), .notification = SLICE("push")}};
    assert_int_equal(touch_one(world, two, &item), 0);
    assert_false(item.notification.there);
    assert_int_equal(touch_one(world, one, &item), 0);
    assert_false(item.subscription.there);
    assert_true(item.notification.there);
    assert_int_equal(item.notification.row.number, row.number);
    assert_int_equal(item.notification.row.channel, one);
    assert_int_equal(item.notification.row.created_ms, 5);
    assert_true(slice_is(item.notification.row.id, "push"));
    assert_true(slice_is(item.notification.row.feed_guid, "[\"g\"]"));
    assert_true(slice_is(item.notification.row.body, "\"title\":\"t\""));
    item.find.notification = SLICE("other");
    assert_int_equal(touch_one(world, one, &item), 0);
    assert_false(item.notification.there);
}

/* ---- no channel is named ---- */

static void
the_only_channel_that_has_it_is_found(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, one, "a", 7, false);
    put_subscription(world, two, "b", 8, true);
    struct touch_item item = by_id("a");
    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, one);
    assert_true(slice_is(item.subscription.row.id, "a"));

    const struct subscription_row row = {.id = SLICE("b"), .inactive = true};
    item = (struct touch_item){.find.id = SLICE("b"), .put = &row, .n_events = 1};
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, 0, &item, 1), 0);
    assert_int_equal(item.channel, two);
    struct event_look look;
    assert_int_equal(look_at_event(world, &look, two, touch.store.first_key), 0);
    assert_population(world, two, 0, 1);

    item = by_id("c");
    assert_int_equal(touch_one(world, 0, &item), E_NOT_FOUND);
    assert_int_equal(item.asked, 0);
    item = by_token(7); /* an id it must be */
    assert_int_equal(touch_one(world, 0, &item), E_NOT_FOUND);
    item = by_id("a");
    delete_channel(world, one, "one");
    assert_int_equal(touch_one(world, 0, &item), E_NOT_FOUND);
    assert_int_equal(item.asked, 0);
}

static void
among_several_channels_the_notification_tells_which(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two"),
             three = put_channel(world, "three");
    put_subscription(world, two, "a", 0, false);
    put_subscription(world, one, "a", 0, false);
    put_subscription(world, three, "a", 0, false);
    struct notification_row row = {.channel = three, .id = SLICE("push")};
    put_notification(world, &row);

    struct touch_item item = by_id("a");
    item.find.notification = SLICE("push");
    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, three);
    assert_true(item.notification.there);
    assert_int_equal(item.subscription.row.channel, three);

    delete_channel(world, three, "three");
    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, two);
    assert_false(item.notification.there);
}

/* Whoever makes one of the same id later gets none of its reports. */
static void
among_several_channels_the_first_one_has_it(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, two, "a", 0, false);
    put_subscription(world, one, "a", 0, false);
    struct touch_item item = by_id("a");

    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, two);
    item.find.notification = SLICE("unknown");
    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, two);
    for (size_t i = 0; i < 2; i++) { /* known to both of them */
        struct notification_row row = {.channel = i ? two : one, .id = SLICE("push")};
        put_notification(world, &row);
    }
    item.find.notification = SLICE("push");
    assert_int_equal(touch_one(world, 0, &item), 0);
    assert_int_equal(item.channel, two);
}

/* ---- reports ---- */

static void
a_report_is_remembered_of_subscription_notification_and_what(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, one, "a", 0, false);
    put_subscription(world, one, "b", 0, true);
    put_subscription(world, two, "a", 0, false);
    struct touch_item item = report_of("a", "push", "delivery");
    assert_true(reported_ms(world, one, item) == MSEC_NEVER);
    assert_int_equal(touch_one(world, one, &item), 0);
    world_advance(world, 5000);
    assert_int_equal(reported_ms(world, one, item), START_MS);
    assert_true(reported_ms(world, one, report_of("a", "push", "click")) == MSEC_NEVER);
    assert_true(reported_ms(world, one, report_of("a", "other", "delivery")) ==
                MSEC_NEVER);
    assert_true(reported_ms(world, one, report_of("b", "push", "delivery")) ==
                MSEC_NEVER);
    assert_true(reported_ms(world, two, item) == MSEC_NEVER);
    assert_true(reported_ms(world, one, report_of("a", "push", "")) == MSEC_NEVER);

    assert_int_equal(touch_one(world, one, &item),
                     0); /* and again: the latest counts */
    struct touch_item click = report_of("b", "push", "click:0");
    world_advance(world, 1);
    assert_int_equal(touch_one(world, one, &click), 0);
    world_reopen(world);
    assert_int_equal(reported_ms(world, one, item), START_MS + 5000);
    assert_int_equal(reported_ms(world, one, click), START_MS + 5001);
    assert_int_equal(reported_ms(world, 0, click), START_MS + 5001);
}

static void
deliveries_and_clicks_are_counted_on_a_notification_that_is_known(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_subscription(world, shop, "a", 0, false);
    struct notification_row row = {.channel = shop, .id = SLICE("push")};
    put_notification(world, &row);
    static const struct {
        enum event_type type;
        size_t n;
        const char *notification;
        uint64_t delivered, clicked;
    } rows[] = {
        {EVENT_DELIVERY, 1, "push", 1, 0},
        {EVENT_CLICK, 1, "push", 1, 1},
        {EVENT_CLICK, 2, "push", 1, 3},
        {EVENT_OPT_IN, 1, "push", 1, 3},
        {EVENT_CLICK, 0, "push", 1, 3},
        {EVENT_DELIVERY, 1, "chat", 1, 3}, /* none that we know */
        {EVENT_DELIVERY, 1, "push", 2, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct touch_item item = report_of("a", rows[i].notification, "what");
        struct seen_notification seen;
        item.type = rows[i].type;
        item.n_events = rows[i].n;
        assert_int_equal(touch_one(world, shop, &item), 0);
        assert_true(look_at_notification(world, &seen, shop, "push"));
        assert_int_equal(seen.row.delivered, rows[i].delivered);
        assert_int_equal(seen.row.clicked, rows[i].clicked);
    }
    world_reopen(world);
    struct seen_notification seen;
    assert_true(look_at_notification(world, &seen, shop, "push"));
    assert_int_equal(seen.row.delivered, 2);
    assert_int_equal(seen.row.clicked, 3);
    assert_false(look_at_notification(world, &seen, shop, "chat"));
}

static const struct CMUnitTest tests[] = {
    TEST(a_subscription_is_found_by_its_id_in_its_channel_alone),
    TEST(a_push_identity_finds_only_the_active),
    TEST(an_id_comes_before_a_push_identity),
    TEST(who_has_no_push_identity_is_not_found_by_none),
    TEST(the_notification_is_found_beside_the_subscription),
    TEST(the_only_channel_that_has_it_is_found),
    TEST(among_several_channels_the_notification_tells_which),
    TEST(among_several_channels_the_first_one_has_it),
    TEST(a_report_is_remembered_of_subscription_notification_and_what),
    TEST(deliveries_and_clicks_are_counted_on_a_notification_that_is_known),
};

const struct contract_part contract_registry = {tests, ARRAY_LEN(tests)};
