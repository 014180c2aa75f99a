/* Notifications, and lists and counts of subscriptions. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "world_registry.h"

/* ---- notifications ---- */

static void
a_notification_is_put_and_read_back(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    char bytes[256];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    struct notification_row row = {
        .channel = one,
        .id = SLICE("push"),
        .created_ms = 5,
        .feed_guid = SLICE("[\"a\",\"b\"]"),
        .body = {bytes, sizeof(bytes)},
        .delivered = 3, /* the store's alone */
        .clicked = 4,
    };
    struct seen_notification seen;
    assert_false(put_notification(world, &row));
    assert_int_equal(row.delivered + row.clicked, 0);
    world_reopen(world);
    assert_true(look_at_notification(world, &seen, one, "push"));
    assert_int_equal(seen.row.number, row.number);
    assert_int_equal(seen.row.channel, one);
    assert_true(slice_is(seen.row.id, "push"));
    assert_int_equal(seen.row.created_ms, 5);
    assert_true(slice_eq(seen.row.feed_guid, row.feed_guid));
    assert_true(slice_eq(seen.row.body, row.body));
    assert_int_equal(seen.row.delivered + seen.row.clicked, 0);
    assert_false(look_at_notification(world, &seen, two, "push"));
    assert_false(look_at_notification(world, &seen, one, "pus"));
}

static void
a_notification_that_is_replaced_keeps_its_number_and_counts(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    put_subscription(world, one, "a", 0, false);
    struct notification_row first = {.channel = one,
                                     .id = SLICE("push"),
                                     .created_ms = 5,
                                     .feed_guid = SLICE("[\"a\"]"),
                                     .body = SLICE("\"title\":\"old\"")};
    put_notification(world, &first);
    struct touch_item item = report_of("a", "push", "delivery");
    item.type = EVENT_DELIVERY;
    item.n_events = 1;
    assert_int_equal(touch_one(world, one, &item), 0);

    struct notification_row row = {.channel = one,
                                   .id = SLICE("push"),
                                   .created_ms = 99,
                                   .body = SLICE("\"title\":\"new\"")};
    assert_true(put_notification(world, &row));
    assert_int_equal(row.number, first.number);
    assert_int_equal(row.created_ms, 5);
    assert_int_equal(row.delivered, 1);
    assert_int_equal(row.clicked, 0);
    struct notification_row foreign = {.channel = two, .id = SLICE("push")};
    assert_false(
        put_notification(world, &foreign)); /* another channel's, another one */
    assert_int_not_equal(foreign.number, first.number);
    assert_int_equal(foreign.delivered, 0);

    struct seen_notification seen;
    assert_true(look_at_notification(world, &seen, one, "push"));
    assert_int_equal(seen.row.number, first.number);
    assert_int_equal(seen.row.created_ms, 5);
    assert_int_equal(seen.row.feed_guid.n, 0);
    assert_true(slice_is(seen.row.body, "\"title\":\"new\""));
    assert_int_equal(seen.row.delivered, 1);
}

static void
notifications_are_listed_newest_first(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct notification_list *list = xcalloc(1, sizeof(*list));
    notifications_of(list, one);
    assert_int_equal(list_notifications(world, list), 0);
    assert_int_equal(list->n, 0);
    assert_int_equal(list->list.next, 0);

    char id[32];
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof(id), "n%d", i);
        struct notification_row row = {.channel = i % 3 == 2 ? two : one,
                                       .id = slice_of(id)};
        put_notification(world, &row);
    }
    struct notification_row old = {.channel = one, .id = SLICE("n0")};
    put_notification(world, &old); /* replacing does not make it newer */
    static const char *const ids[] = {"n9", "n7", "n6", "n4", "n3", "n1", "n0"};
    for (size_t limit = 1; limit <= 8; limit++) {
        size_t pages = 0;
        notifications_of(list, one);
        list->list.limit = limit;
        do {
            assert_int_equal(list_notifications(world, list), 0);
            assert_true(list->n <= ++pages * limit);
            list->list.before = list->list.next;
        } while (list->list.next);
        assert_int_equal(pages, (ARRAY_LEN(ids) + limit - 1) / limit);
        assert_int_equal(list->n, ARRAY_LEN(ids));
        for (size_t i = 0; i < list->n; i++)
            assert_string_equal(list->ids[i], ids[i]);
    }
    notifications_of(list, two);
    assert_int_equal(list_notifications(world, list), 0);
    assert_int_equal(list->n, 3);
    free(list);
}

/* ---- lists of subscriptions ---- */

/* a0 a1 a3 a4 … a19 in the one channel, every third in the other. */
static void
make_subscriptions(struct world *world, uint64_t one, uint64_t two)
{
    char id[32];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "a%d", 19 - i); /* not in the order of their ids */
        put_subscription(world, i % 3 == 2 ? two : one, id, 0, i % 4 == 3);
    }
}

static const char *const of_one[] = {"a19", "a18", "a16", "a15", "a13", "a12", "a10",
                                     "a9",  "a7",  "a6",  "a4",  "a3",  "a1",  "a0"};

static void
subscriptions_are_listed_as_they_were_made(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    subscriptions_of(list, one);
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->n, 0);
    assert_int_equal(list->list.next, 0);

    make_subscriptions(world, one, two);
    put_subscription(world, one, "a19", 5, false); /* a change moves nothing */
    subscriptions_of(list, one);
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->list.next, 0);
    assert_int_equal(list->n, ARRAY_LEN(of_one));
    for (size_t i = 0; i < list->n; i++) {
        assert_string_equal(list->ids[i], of_one[i]);
        assert_true(i == 0 || list->numbers[i] > list->numbers[i - 1]);
    }
    subscriptions_of(list, two);
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->n, 6);
    free(list);
}

static void
a_page_ends_after_max_rows_or_when_each_has_enough(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    make_subscriptions(world, one, two);
    for (size_t max_rows = 1; max_rows <= 16; max_rows++) {
        for (size_t enough = 1; enough <= 16; enough++) {
            size_t page = enough < max_rows ? enough : max_rows, pages = 0;
            subscriptions_of(list, one);
            list->list.max_rows = max_rows;
            do {
                list->enough = list->n + enough;
                assert_int_equal(list_subscriptions(world, list), 0);
                assert_true(list->n <= ++pages * page);
                if (list->list.next) /* behind the last one that was handed out */
                    assert_int_equal(list->list.next, list->numbers[list->n - 1]);
                list->list.after = list->list.next;
            } while (list->list.next);
            assert_int_equal(list->n, ARRAY_LEN(of_one));
            for (size_t i = 0; i < list->n; i++)
                assert_string_equal(list->ids[i], of_one[i]);
        }
    }
    free(list);
}

static void
a_list_goes_on_behind_an_id(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    make_subscriptions(world, one, two);
    for (size_t at = 0; at < ARRAY_LEN(of_one); at++) {
        subscriptions_of(list, one);
        list->list.after_id = slice_of(of_one[at]);
        list->list.after = 1; /* does not count then */
        list->list.max_rows = 3;
        assert_int_equal(list_subscriptions(world, list), 0);
        size_t left = ARRAY_LEN(of_one) - at - 1;
        assert_int_equal(list->n, left < 3 ? left : 3);
        for (size_t i = 0; i < list->n; i++)
            assert_string_equal(list->ids[i], of_one[at + 1 + i]);
        assert_int_equal(list->list.next != 0, left > 3);
    }
    static const char *const nowhere[] = {"a17", "a2", "a20", "A1"};
    for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
        subscriptions_of(list, one);
        list->list.after_id = slice_of(nowhere[i]);
        assert_int_equal(list_subscriptions(world, list), E_NOT_FOUND);
        assert_non_null(list->list.op.why);
        assert_int_equal(list->n, 0);
    }
    free(list);
}

static void
one_subscription_is_listed_by_its_id(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    struct seen_subscription seen;
    make_subscriptions(world, one, two);
    const struct subscription_row row = {.channel = one,
                                         .id = SLICE("all"),
                                         .created_ms = 1,
                                         .synced_ms = 2,
                                         .inactive = true,
                                         .token = 3,
                                         .members = SLICE("{\"a\":\"\xc3\xa4\"}")};
    struct touch_item item = {.find.id = SLICE("all"), .put = &row};
    assert_int_equal(touch_one(world, one, &item), 0);
    assert_true(look_at_subscription(world, &seen, one, "all"));
    assert_subscription(&seen, &row);
    assert_false(look_at_subscription(world, &seen, two, "all"));
    assert_true(look_at_subscription(world, &seen, one, "a7"));
    assert_true(slice_is(seen.row.id, "a7"));
    assert_false(look_at_subscription(world, &seen, one, "a17")); /* two's */
    assert_true(look_at_subscription(world, &seen, two, "a17"));
}

static void
a_list_shows_what_was_written_before_it_was_asked_for(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    const struct subscription_row row = {.id = SLICE("a"), .members = SLICE("{}")};
    struct touch_item item = {.find.id = SLICE("a"), .put = &row};
    struct store_subscription_count count = {.op.kind = STORE_SUBSCRIPTION_COUNT,
                                             .channel = shop};
    struct touch touch;
    subscriptions_of(list, shop);
    touch_init(&touch, world, shop, &item, 1);
    world_submit(world, &touch.store.op);
    world_submit(world, &list->list.op);
    world_submit(world, &count.op);
    world_wait(world, 3);
    assert_int_equal(list->list.op.result, 0);
    assert_int_equal(list->n, 1);
    assert_int_equal(count.op.result, 0);
    assert_int_equal(count.active, 1);
    free(list);
}

/* ---- found by attributes ---- */

#define FOUND_BY(name, value) ((struct store_attribute){SLICE(name), SLICE(value)})
#define NO_MORE               ((struct store_attribute){.name.n = 0})

/* What a subscription was found by goes, and what it is found by comes. */
static void
put_attributes(struct world *world, uint64_t channel, const char *id,
               const struct store_attribute *gone, const struct store_attribute *come)
{
    const struct subscription_row row = {.id = slice_of(id), .members = SLICE("{}")};
    struct touch_item item = {.find.id = slice_of(id), .put = &row};
    for (; gone && gone->name.n; gone++)
        item.gone[item.n_gone++] = *gone;
    for (; come && come->name.n; come++)
        item.come[item.n_come++] = *come;
    assert_int_equal(touch_one(world, channel, &item), 0);
}

static void
assert_found(struct world *world, uint64_t channel, const char *name, const char *one,
             const char *other, const char *ids)
{
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    char found[200] = "";
    subscriptions_of(list, channel);
    list->list.name = slice_of(name);
    list->list.values[0] = slice_of(one);
    list->list.values[1] = slice_of(other);
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->list.next, 0);
    for (size_t i = 0; i < list->n; i++)
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
                 i ? " " : "", list->ids[i]);
    assert_string_equal(found, ids);
    free(list);
}

static void
subscriptions_are_found_by_their_attributes(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    const struct store_attribute ab[] = {FOUND_BY("n", "\"a\""), FOUND_BY("n", "\"b\""),
                                         FOUND_BY("m", "1"), NO_MORE};
    const struct store_attribute b[] = {FOUND_BY("n", "\"b\""), NO_MORE};
    const struct store_attribute m[] = {FOUND_BY("m", "1"), NO_MORE};
    put_attributes(world, one, "z", NULL, ab);
    put_attributes(world, one, "y", NULL, b);
    put_attributes(world, two, "x", NULL, ab);
    put_attributes(world, one, "w", NULL, m);
    for (int i = 0; i < 2; i++) {
        assert_found(world, one, "n", "\"a\"", "", "z");
        assert_found(world, one, "n", "\"b\"", "", "z y");
        assert_found(world, one, "n", "\"b\"", "\"a\"", "z y"); /* each once */
        assert_found(world, one, "n", "\"c\"", "\"a\"", "z");
        assert_found(world, one, "n", "\"c\"", "", "");
        assert_found(world, one, "n", "a", "1", "");
        assert_found(world, one, "m", "1", "", "z w");
        assert_found(world, two, "n", "\"a\"", "", "x");
        world_reopen(world);
    }

    put_attributes(world, one, "z", b, b); /* what goes and comes is there */
    put_attributes(world, one, "y", b, m);
    put_attributes(world, one, "w", b, m); /* nothing to go, nothing new */
    put_subscription(world, one, "z", 0, true);
    assert_found(world, one, "n", "\"b\"", "", "z");
    assert_found(world, one, "m", "1", "", "z y w");
    put_attributes(world, one, "z", ab, NULL);
    world_reopen(world);
    assert_found(world, one, "n", "\"a\"", "\"b\"", "");
    assert_found(world, one, "m", "1", "", "y w");
    assert_found(world, two, "m", "1", "", "x");
}

static void
what_is_found_by_an_attribute_comes_in_pages_too(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    const struct store_attribute both[] = {FOUND_BY("n", "1"), FOUND_BY("n", "\"1\""),
                                           NO_MORE};
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    make_subscriptions(world, one, two);
    static const char *const ids[] = {"a18", "a16", "a9", "a4", "a0"};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        put_attributes(world, one, ids[i], NULL, both + i % 2);
    for (size_t page = 1; page <= 6; page++) {
        for (int by_each = 0; by_each < 2; by_each++) {
            subscriptions_of(list, one);
            list->list.name = SLICE("n");
            list->list.values[0] = SLICE("1");
            list->list.values[1] = SLICE("\"1\"");
            list->list.max_rows = by_each ? MANY : page;
            do {
                list->enough = by_each ? list->n + page : SIZE_MAX;
                assert_int_equal(list_subscriptions(world, list), 0);
                list->list.after = list->list.next;
            } while (list->list.next);
            assert_int_equal(list->n, ARRAY_LEN(ids));
            for (size_t i = 0; i < ARRAY_LEN(ids); i++)
                assert_string_equal(list->ids[i], ids[i]);
        }
    }
    subscriptions_of(list, one);
    list->list.name = SLICE("n");
    list->list.values[0] = SLICE("\"1\"");
    list->list.after_id = SLICE("a12"); /* which is not found by it itself */
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->n, 3);
    assert_string_equal(list->ids[0], "a9");
    free(list);
}

/* ---- counts ---- */

static void
the_population_follows_every_change(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    assert_population(world, one, 0, 0);
    put_subscription(world, one, "a", 0, false);
    put_subscription(world, one, "b", 0, false);
    put_subscription(world, one, "c", 0, true);
    put_subscription(world, two, "a", 0, false);
    assert_population(world, one, 2, 1);
    put_subscription(world, one, "a", 9, false); /* as active as before */
    assert_population(world, one, 2, 1);
    put_subscription(world, one, "a", 0, true);
    assert_population(world, one, 1, 2);
    put_subscription(world, one, "a", 0, true);
    assert_population(world, one, 1, 2);
    world_reopen(world);
    assert_population(world, one, 1, 2);
    assert_population(world, two, 1, 0);
    put_subscription(world, one, "c", 0, false);
    put_subscription(world, one, "d", 0, false);
    assert_population(world, one, 3, 1);
    world_reopen(world);
    assert_population(world, one, 3, 1);
    delete_channel(world, one, "one");
    world_reopen(world);
    assert_population(world, two, 1, 0);
}

/* ---- all of it ---- */

static void
everything_survives_a_restart(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    uint64_t hook = put_webhook(world, one);
    make_subscriptions(world, one, two);
    struct notification_row row = {.channel = one,
                                   .id = SLICE("push"),
                                   .created_ms = 5,
                                   .feed_guid = SLICE("[\"g\"]"),
                                   .body = SLICE("\"title\":\"t\"")};
    put_notification(world, &row);
    struct touch_item item = report_of("a19", "push", "click");
    item.type = EVENT_CLICK;
    item.n_events = 1;
    item.webhooks[0] = hook;
    item.n_webhooks = 1;
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, one, &item, 1), 0);

    struct subscription_list *list = xcalloc(1, sizeof(*list));
    for (int i = 0; i < 3; i++) {
        world_advance(world, 1000);
        world_reopen(world);
        subscriptions_of(list, one);
        assert_int_equal(list_subscriptions(world, list), 0);
        assert_int_equal(list->n, ARRAY_LEN(of_one));
        assert_population(world, one, 10, 4);
        assert_population(world, two, 5, 1);
        assert_int_equal(reported_ms(world, one, item), START_MS);
        struct seen_notification seen;
        assert_true(look_at_notification(world, &seen, one, "push"));
        assert_int_equal(seen.row.number, row.number);
        assert_int_equal(seen.row.clicked, 1);
        assert_int_equal(state_of(world, one, touch.store.first_key, hook),
                         CALL_WAITING);
    }
    uint64_t last = list->numbers[list->n - 1];
    assert_true(put_subscription(world, one, "new", 0, false) > last);
    free(list);
}

static const struct CMUnitTest tests[] = {
    TEST(a_notification_is_put_and_read_back),
    TEST(a_notification_that_is_replaced_keeps_its_number_and_counts),
    TEST(notifications_are_listed_newest_first),
    TEST(subscriptions_are_listed_as_they_were_made),
    TEST(a_page_ends_after_max_rows_or_when_each_has_enough),
    TEST(a_list_goes_on_behind_an_id),
    TEST(one_subscription_is_listed_by_its_id),
    TEST(a_list_shows_what_was_written_before_it_was_asked_for),
    TEST(subscriptions_are_found_by_their_attributes),
    TEST(what_is_found_by_an_attribute_comes_in_pages_too),
    TEST(the_population_follows_every_change),
    TEST(everything_survives_a_restart),
};

const struct contract_part contract_registry_lists = {tests, ARRAY_LEN(tests)};
