/* What a touch writes, and what it refuses. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "world_registry.h"

/* ---- writing ---- */

static void
every_byte_is_read_back(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct subscription_row row = {
        .channel = shop,
        .id = SLICE("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_."),
        .created_ms = 1,
        .synced_ms = INT64_MAX,
        .token = INT64_MAX,
        .members = {bytes, sizeof(bytes)},
    };
    struct touch_item item = {.find.id = row.id, .put = &row};
    assert_int_equal(touch_one(world, shop, &item), 0);
    assert_int_equal(touch_one(world, shop, &item), 0);
    assert_subscription(&item.subscription, &row);
    uint64_t number = item.subscription.row.number;

    const struct subscription_row other = {
        .channel = shop,
        .id = row.id,
        .created_ms = 2,
        .synced_ms = 3,
        .inactive = true,
        .token = 0,
        .members = SLICE("{}"),
    };
    item.put = &other;
    assert_int_equal(touch_one(world, shop, &item), 0);
    world_reopen(world);
    assert_int_equal(touch_one(world, shop, &item), 0);
    assert_subscription(&item.subscription, &other);
    assert_int_equal(item.subscription.row.number, number);
}

/* Decides nothing but what it has found. */
struct echo {
    struct store_touch store;
    struct store_touch_item item;
    struct subscription_row put;
    struct store_attribute attributes[2];
    struct store_event event;
    struct slice members; /* that it must find */
    bool same;
};

static int
echo_decide(struct store_touch *store, size_t i, const struct store_found *found,
            struct store_decision *decision)
{
    struct echo *echo = container_of(store, struct echo, store);
    struct slice members = found->subscription->members;

    (void)i;
    echo->same = slice_eq(members, echo->members);
    echo->put = *found->subscription;
    echo->put.synced_ms++;
    echo->attributes[0] = (struct store_attribute){found->subscription->id, members};
    echo->attributes[1] = (struct store_attribute){SLICE("n"), {members.p, 9}};
    echo->event = (struct store_event){EVENT_CLICK, found->notification->id, members};
    *decision = (struct store_decision){
        .put = &echo->put,
        .gone = &echo->attributes[0],
        .n_gone = 1,
        .come = &echo->attributes[1],
        .n_come = 1,
        .report = true,
        .events = &echo->event,
        .n_events = 1,
    };
    return 0;
}

static void
a_decision_may_point_into_what_was_found(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    enum { BYTES = 50000 }; /* of several pages */
    char *bytes = xmalloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)('a' + i % 25);
    const struct subscription_row row = {.id = SLICE("a"), .members = {bytes, BYTES}};
    struct notification_row push = {.channel = shop, .id = SLICE("push")};
    struct touch_item item = {.find.id = SLICE("a"),
                              .put = &row,
                              .come = {{SLICE("a"), row.members}},
                              .n_come = 1};
    put_notification(world, &push);
    assert_int_equal(touch_one(world, shop, &item), 0);
    assert_int_equal(found_by(world, shop, SLICE("a"), row.members), 1);

    struct event_list *events = xcalloc(1, sizeof(*events));
    for (int i = 0; i < 3; i++) {
        struct echo echo = {
            .members = row.members,
            .item = {.id = SLICE("a"),
                     .notification = SLICE("push"),
                     .report = SLICE("r")},
            .store = {.op.kind = STORE_TOUCH,
                      .channel = shop,
                      .config = world->config,
                      .items = &echo.item,
                      .n = 1,
                      .decide = echo_decide},
        };
        assert_int_equal(world_run(world, &echo.store.op), 0);
        assert_true(echo.same);
        world_reopen(world);
    }
    assert_int_equal(found_by(world, shop, SLICE("a"), row.members), 0);
    assert_int_equal(found_by(world, shop, SLICE("n"), SLICE("abcdefghi")), 1);
    struct event_look look;
    events_of(events, shop);
    events->list.subscription = SLICE("push");
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(events->n, 3);
    assert_int_equal(look_at_event(world, &look, shop, events->events[0].key), 0);
    assert_memory_equal(look.event.body, bytes, sizeof(look.event.body) - 1);
    free(events);
    free(bytes);
}

static void
what_decides_nothing_leaves_all_as_it_is(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_subscription(world, shop, "a", 7, false);
    struct touch_item items[] = {by_id("a"), by_id("b"), by_token(7)};
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, shop, items, 3), 0);
    assert_int_equal(touch.store.n_events, 0);
    struct seen_subscription seen;
    assert_true(look_at_subscription(world, &seen, shop, "a"));
    assert_int_equal(seen.row.synced_ms, START_MS);
    assert_false(look_at_subscription(world, &seen, shop, "b"));
    assert_population(world, shop, 1, 0);
}

static void
a_later_item_sees_what_an_earlier_one_wrote(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    const struct subscription_row first = {.id = SLICE("a"), .token = 7};
    const struct subscription_row second = {.id = SLICE("a"), .token = 8};
    const struct subscription_row third = {
        .id = SLICE("a"), .token = 8, .inactive = true};
    struct touch_item items[] = {
        {.find.id = SLICE("a"), .put = &first},
        {.find.token = 7, .put = &second},
        {.find.token = 7}, /* it has another one now */
        {.find.token = 8, .put = &third},
        {.find.token = 8},
        {.find.id = SLICE("a")},
    };
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, shop, items, ARRAY_LEN(items)), 0);
    static const bool found[] = {false, true, false, true, false, true};
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        assert_int_equal(items[i].subscription.there, found[i]);
    assert_int_equal(items[1].subscription.row.number,
                     items[5].subscription.row.number);
    assert_true(items[5].subscription.row.inactive);
    assert_population(world, shop, 0, 1);
}

static void
a_later_operation_sees_what_an_earlier_one_of_its_group_wrote(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    char members[50][32];
    struct subscription_row rows[50];
    struct touch_item *items = xcalloc(50, sizeof(*items));
    struct touch *touches = xcalloc(50, sizeof(*touches));
    for (size_t i = 0; i < 50; i++) {
        snprintf(members[i], sizeof(members[i]), "{\"n\":%zu}", i);
        rows[i] = (struct subscription_row){.id = SLICE("a"),
                                            .token = i + 1,
                                            .inactive = i % 3 == 2,
                                            .members = slice_of(members[i])};
        items[i] = by_id("a");
        items[i].put = &rows[i];
        touch_init(&touches[i], world, shop, &items[i], 1);
    }
    for (size_t i = 0; i < 50; i++)
        world_submit(world, &touches[i].store.op);
    world_wait(world, 50);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(touches[i].store.op.result, 0);
        assert_int_equal(items[i].subscription.there, i > 0);
        rows[i].channel = shop;
        if (i > 0)
            assert_subscription(&items[i].subscription, &rows[i - 1]);
    }
    assert_population(world, shop, 1, 0);
    free(items);
    free(touches);
}

/* ---- events ---- */

static void
the_events_of_all_items_have_consecutive_keys(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    const struct subscription_row row = {.id = SLICE("a"), .members = SLICE("{}")};
    struct touch_item items[] = {
        {.find.id = SLICE("a"),
         .put = &row,
         .type = EVENT_OPT_IN,
         .n_events = 2,
         .webhooks = {hooks[0], hooks[1]},
         .n_webhooks = 2},
        {.find.id = SLICE("a"), .takes_ms = 1500},
        {.find.id = SLICE("a"), .put = &row, .takes_ms = 3},
        {.find.id = SLICE("a"),
         .type = EVENT_CLICK,
         .n_events = 1,
         .webhooks = {hooks[1]},
         .n_webhooks = 1,
         .takes_ms = 7},
        {.find.id = SLICE("a"), .type = EVENT_OPT_OUT, .n_events = 3, .takes_ms = 1},
    };
    struct touch touch;
    append(world, shop, EVENT_CLICK, 3, NULL, 0);
    assert_int_equal(touch_run(&touch, world, shop, items, ARRAY_LEN(items)), 0);
    uint64_t key = touch.store.first_key;
    assert_int_equal(touch.store.n_events, 6);
    assert_true(event_key_ms(key) >= START_MS && event_key_ms(key) <= START_MS + 1511);

    static const char *const bodies[] = {
        "{\"item\":0,\"event\":0}", "{\"item\":0,\"event\":1}",
        "{\"item\":3,\"event\":0}", "{\"item\":4,\"event\":0}",
        "{\"item\":4,\"event\":1}", "{\"item\":4,\"event\":2}"};
    static const enum event_type types[] = {EVENT_OPT_IN,  EVENT_OPT_IN,
                                            EVENT_CLICK,   EVENT_OPT_OUT,
                                            EVENT_OPT_OUT, EVENT_OPT_OUT};
    static const size_t n_calls[] = {2, 2, 1, 0, 0, 0};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct event_look look;
        assert_int_equal(look_at_event(world, &look, shop, key + i), 0);
        assert_string_equal(look.event.body, bodies[i]);
        assert_string_equal(look.event.subscription, "sub-1");
        assert_int_equal(look.event.type, types[i]);
        assert_int_equal(look.n, n_calls[i]);
    }
    uint64_t next = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_true(next > key + 5);
}

static void
the_calls_of_a_touch_are_due_at_their_webhooks(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    struct touch_item items[] = {
        {.n_events = 1, .webhooks = {hooks[0], hooks[1]}, .n_webhooks = 2},
        {.n_events = 2, .webhooks = {hooks[1]}, .n_webhooks = 1},
    };
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, shop, items, 2), 0);
    uint64_t key = touch.store.first_key;
    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    read_due(world, due, hooks[0], DUE_AT_START, world_now(world), MANY);
    assert_int_equal(due->n, 1);
    assert_int_equal(due->events[0], key);
    assert_int_equal(due->due_ms[0], event_key_ms(key));
    assert_string_equal(due->body, "{\"item\":0,\"event\":0}");
    read_due(world, due, hooks[1], DUE_AT_START, world_now(world), MANY);
    assert_int_equal(due->n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(due->events[i], key + i);
        assert_int_equal(due->attempts[i] + due->tries[i], 0);
    }
    assert_string_equal(due->body, "{\"item\":1,\"event\":1}");
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 4);
    settle(world, key + 2, hooks[1], 1, CALL_SUCCEEDED, 0);
    assert_int_equal(state_of(world, shop, key + 2, hooks[1]), CALL_SUCCEEDED);
    world_reopen(world);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 3);
    free(due);
}

/* ---- what is refused ---- */

static void
what_decide_refuses_leaves_no_trace(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    const struct subscription_row row = {.id = SLICE("a"), .members = SLICE("{}")};
    struct touch_item items[] = {
        {.find.id = SLICE("a"), .put = &row, .n_events = 1},
        {.find.id = SLICE("a"), .refuse = E_TOO_LARGE, .put = &row, .n_events = 1},
        {.find.id = SLICE("a"),
         .put = &row,
         .n_events = 1,
         .webhooks = {hook},
         .n_webhooks = 1},
    };
    struct touch touches[3];
    for (size_t i = 0; i < 3; i++) {
        touch_init(&touches[i], world, shop, &items[i], 1);
        world_submit(world, &touches[i].store.op);
    }
    world_wait(world, 3); /* its neighbours in the group are not harmed */
    assert_int_equal(touches[0].store.op.result, 0);
    assert_int_equal(touches[1].store.op.result, E_TOO_LARGE);
    assert_string_equal(touches[1].store.op.why, "the test says no");
    assert_int_equal(touches[1].store.n_events, 0);
    assert_int_equal(touches[2].store.op.result, 0);
    assert_int_equal(touches[2].store.first_key, touches[0].store.first_key + 1);
    struct event_list *events = xcalloc(1, sizeof(*events));
    events_of(events, shop);
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(events->n, 2);
    free(events);

    struct touch_item refused = {
        .find.id = SLICE("b"), .put = &row, .refuse = E_NOT_FOUND};
    assert_int_equal(touch_one(world, shop, &refused), E_NOT_FOUND);
    struct seen_subscription seen;
    assert_false(look_at_subscription(world, &seen, shop, "b"));
    assert_population(world, shop, 1, 0);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 1);
}

static void
a_touch_of_an_old_configuration_decides_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_subscription(world, shop, "a", 0, false);
    uint64_t old = world->config;
    put_webhook(world, shop);
    uint64_t now = world->config;
    const uint64_t channels[] = {shop, 0};
    for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
        struct touch_item item = by_id("a");
        world->config = old;
        assert_int_equal(touch_one(world, channels[i], &item), E_STALE);
        assert_int_equal(item.asked, 0);
        world->config = now;
        assert_int_equal(touch_one(world, channels[i], &item), 0);
        assert_int_equal(item.asked, 1);
    }
}

static void
a_channel_that_is_not_there_decides_nothing(void **state)
{
    struct world *world = *state;
    uint64_t gone = put_channel(world, "gone");
    put_subscription(world, gone, "a", 0, false);
    delete_channel(world, gone, "gone");
    const uint64_t channels[] = {gone, 77};
    for (size_t i = 0; i < ARRAY_LEN(channels); i++) {
        struct touch_item item = by_id("a");
        struct notification_row row = {.channel = channels[i], .id = SLICE("push")};
        struct store_put_notification put = {.op.kind = STORE_PUT_NOTIFICATION,
                                             .row = &row};
        struct store_subscription_count count = {.op.kind = STORE_SUBSCRIPTION_COUNT,
                                                 .channel = channels[i]};
        struct notification_list *notifications = xcalloc(1, sizeof(*notifications));
        struct subscription_list *subscriptions = xcalloc(1, sizeof(*subscriptions));
        subscriptions_of(subscriptions, channels[i]);
        notifications_of(notifications, channels[i]);
        assert_int_equal(touch_one(world, channels[i], &item), E_NOT_FOUND);
        assert_int_equal(item.asked, 0);
        assert_int_equal(world_run(world, &put.op), E_NOT_FOUND);
        assert_int_equal(row.number, 0);
        assert_int_equal(world_run(world, &count.op), E_NOT_FOUND);
        assert_int_equal(list_subscriptions(world, subscriptions), E_NOT_FOUND);
        assert_int_equal(list_notifications(world, notifications), E_NOT_FOUND);
        free(notifications);
        free(subscriptions);
    }

    /* The same name again is another channel. */
    uint64_t again = put_channel(world, "gone");
    assert_finds(world, again, by_id("a"), NULL);
    put_subscription(world, again, "a", 0, false);
    assert_population(world, again, 1, 0);
}

static void
a_full_disk_undoes_the_whole_touch(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    put_subscription(world, shop, "a", 7, false);
    const struct subscription_row a = {.id = SLICE("a"), .token = 9, .inactive = true};
    const struct subscription_row b = {.id = SLICE("b"), .token = 8};
    struct touch_item items[] = {
        {.find.id = SLICE("a"),
         .put = &a,
         .come = {{SLICE("n"), SLICE("1")}},
         .n_come = 1,
         .n_events = 2,
         .webhooks = {hook},
         .n_webhooks = 1},
        {.find.id = SLICE("b"), .put = &b, .n_events = 1},
    };
    struct notification_row row = {.channel = shop, .id = SLICE("push")};
    struct store_put_notification put = {.op.kind = STORE_PUT_NOTIFICATION,
                                         .row = &row};
    struct touch touch;
    world->backend->fill_disk(world);
    assert_int_equal(touch_run(&touch, world, shop, items, 2), E_FULL);
    assert_non_null(touch.store.op.why);
    world->backend->fill_disk(world);
    assert_int_equal(world_run(world, &put.op), E_FULL);
    assert_int_equal(world->broken, 0);

    assert_finds(world, shop, by_token(7), "a");
    assert_finds(world, shop, by_token(8), NULL);
    assert_population(world, shop, 1, 0);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 0);
    assert_int_equal(found_by(world, shop, SLICE("n"), SLICE("1")), 0);
    struct seen_notification seen;
    assert_false(look_at_notification(world, &seen, shop, "push"));

    assert_int_equal(touch_run(&touch, world, shop, items, 2), 0);
    assert_false(put_notification(world, &row));
    world_reopen(world);
    assert_population(world, shop, 1, 1);
    assert_finds(world, shop, by_token(8), "b");
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 2);
    assert_true(look_at_notification(world, &seen, shop, "push"));
    assert_int_equal(found_by(world, shop, SLICE("n"), SLICE("1")), 1);
}

static const struct CMUnitTest tests[] = {
    TEST(every_byte_is_read_back),
    TEST(a_decision_may_point_into_what_was_found),
    TEST(what_decides_nothing_leaves_all_as_it_is),
    TEST(a_later_item_sees_what_an_earlier_one_wrote),
    TEST(a_later_operation_sees_what_an_earlier_one_of_its_group_wrote),
    TEST(the_events_of_all_items_have_consecutive_keys),
    TEST(the_calls_of_a_touch_are_due_at_their_webhooks),
    TEST(what_decide_refuses_leaves_no_trace),
    TEST(a_touch_of_an_old_configuration_decides_nothing),
    TEST(a_channel_that_is_not_there_decides_nothing),
    TEST(a_full_disk_undoes_the_whole_touch),
};

const struct contract_part contract_touch = {tests, ARRAY_LEN(tests)};
