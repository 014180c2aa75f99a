/* What has ended goes when its time is over; what waits never does. */
#include <poll.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "world_registry.h"

#define DAY_MS  (24 * HOUR_MS)
#define WEEK_MS (7 * DAY_MS)

static void
keep(struct world *world, msec_t succeeded_ms, msec_t failed_ms, uint64_t bytes)
{
    world_leave(world);
    world->keep = (struct store_keep){succeeded_ms, failed_ms, bytes};
    world_open(world);
}

static bool
is_there(struct world *world, uint64_t channel, uint64_t key)
{
    struct event_look *look = xcalloc(1, sizeof(*look));
    int rc = look_at_event(world, look, channel, key);
    free(look);
    assert_true(rc == 0 || rc == E_NOT_FOUND);
    return rc == 0;
}

/* The store does it when it has nothing else to do: so ask, until it has. */
static void
wait_until_gone(struct world *world, uint64_t channel, uint64_t key)
{
    for (int i = 0; is_there(world, channel, key); i++) {
        if (i == 20000)
            fail_msg("event %lx does not go", (unsigned long)key);
        world_advance(world, 10);
        (void)poll(NULL, 0, i % 16 == 0); /* so that it is idle for a moment */
    }
}

/* Everything that may go has gone when an event that came after all others has. */
static void
settle_down(struct world *world, uint64_t channel)
{
    uint64_t last = append(world, channel, EVENT_CLICK, 1, NULL, 0);
    world_advance(world, world->keep.succeeded_ms + DAY_MS + 2 * HOUR_MS);
    wait_until_gone(world, channel, last);
}

static void
what_has_succeeded_goes_after_its_time_and_not_before(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, WEEK_MS, 30 * DAY_MS, 0);
    uint64_t key = append(world, shop, EVENT_CLICK, 3, &hook, 1);
    uint64_t unwanted = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    for (uint64_t i = 0; i < 3; i++)
        settle(world, key + i, hook, 1, CALL_SUCCEEDED, 0);

    world_advance(world, WEEK_MS - MINUTE_MS);
    for (int i = 0; i < 20; i++) {
        for (uint64_t e = 0; e < 3; e++)
            assert_int_equal(state_of(world, shop, key + e, hook), CALL_SUCCEEDED);
        assert_true(is_there(world, shop, unwanted));
        world_advance(world, 2000);
    }
    world_advance(world, 8 * HOUR_MS);
    for (uint64_t i = 0; i < 3; i++)
        wait_until_gone(world, shop, key + i);
    wait_until_gone(world, shop, unwanted);
    assert_int_equal(counts_of(world).calls[CALL_SUCCEEDED], 0);
    struct call_look *look = xcalloc(1, sizeof(*look));
    assert_int_equal(look_at_call(world, look, shop, key, hook), E_NOT_FOUND);
    free(look);
}

static void
what_has_failed_or_was_cancelled_is_kept_for_its_own_time(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    keep(world, WEEK_MS, 30 * DAY_MS, 0);
    uint64_t failed = append(world, shop, EVENT_CLICK, 1, hooks, 1);
    uint64_t cancelled = append(world, shop, EVENT_CLICK, 1, hooks + 1, 1);
    settle(world, failed, hooks[0], 1, CALL_FAILED, 0);
    change_webhook(world, shop, hooks[1], DELETE);
    settle_down(world, shop);
    settle_down(world, shop);
    assert_int_equal(state_of(world, shop, failed, hooks[0]), CALL_FAILED);
    assert_int_equal(state_of(world, shop, cancelled, hooks[1]), CALL_CANCELLED);
    world_advance(world, 15 * DAY_MS);
    wait_until_gone(world, shop, failed);
    wait_until_gone(world, shop, cancelled);
    assert_int_equal(counts_of(world).calls[CALL_FAILED], 0);
    assert_int_equal(counts_of(world).calls[CALL_CANCELLED], 0);
}

static void
what_waits_or_is_held_never_goes(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    keep(world, DAY_MS, DAY_MS, 1);
    uint64_t waiting = append(world, shop, EVENT_CLICK, 1, hooks, 1);
    uint64_t held = append(world, shop, EVENT_CLICK, 1, hooks + 1, 1);
    uint64_t both = append(world, shop, EVENT_CLICK, 1, hooks, 2);
    change_webhook(world, shop, hooks[1], DISABLE);
    settle(world, both, hooks[0], 1, CALL_SUCCEEDED, 0);
    for (int i = 0; i < 3; i++)
        settle_down(world, shop);
    assert_int_equal(state_of(world, shop, waiting, hooks[0]), CALL_WAITING);
    assert_int_equal(state_of(world, shop, held, hooks[1]), CALL_HELD);
    assert_int_equal(state_of(world, shop, both, hooks[0]), CALL_SUCCEEDED);
    assert_int_equal(state_of(world, shop, both, hooks[1]), CALL_HELD);

    settle(world, waiting, hooks[0], 1, CALL_SUCCEEDED, 0);
    change_webhook(world, shop, hooks[1], ENABLE);
    settle(world, held, hooks[1], 1, CALL_FAILED, 0);
    settle(world, both, hooks[1], 1, CALL_SUCCEEDED, 0);
    world_advance(world, 2 * DAY_MS);
    wait_until_gone(world, shop, waiting);
    wait_until_gone(world, shop, held);
    wait_until_gone(world, shop, both);
}

static void
the_time_of_a_call_counts_from_its_end(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, WEEK_MS, 30 * DAY_MS, 0);
    uint64_t key = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    settle(world, key + 1, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, 20 * DAY_MS);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    wait_until_gone(world, shop, key + 1);
    world_advance(world, WEEK_MS - HOUR_MS);
    for (int i = 0; i < 20; i++) {
        assert_true(is_there(world, shop, key));
        world_advance(world, 2000);
    }
    world_advance(world, 2 * DAY_MS);
    wait_until_gone(world, shop, key);
}

static void
a_call_that_is_tried_again_by_hand_is_kept_with_its_event(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, WEEK_MS, WEEK_MS, 0);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_FAILED, 0);
    assert_int_equal(retry(world, shop, key, hook, world_now(world)), 0);
    settle_down(world, shop);
    assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
    settle(world, key, hook, 2, CALL_SUCCEEDED, 0);
    world_advance(world, 9 * DAY_MS);
    wait_until_gone(world, shop, key);
    assert_int_equal(retry(world, shop, key, hook, world_now(world)), E_NOT_FOUND);
}

static void
a_result_for_what_is_gone_is_lost(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, DAY_MS, DAY_MS, 0);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, 3 * DAY_MS);
    wait_until_gone(world, shop, key);
    struct store_result result = result_of(key, hook, 2, CALL_SUCCEEDED, 0);
    struct store_settle late = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    assert_int_equal(world_run(world, &late.op), 0);
    assert_true(result.lost);
    assert_false(is_there(world, shop, key));
}

static void
lists_go_on_though_rows_vanish_under_them(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, WEEK_MS, WEEK_MS, 0);
    uint64_t old = append(world, shop, EVENT_CLICK, 30, &hook, 1);
    for (uint64_t i = 0; i < 30; i++)
        settle(world, old + i, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, 7 * DAY_MS - HOUR_MS);
    uint64_t new = append(world, shop, EVENT_CLICK, 10, &hook, 1);

    struct event_list *events = xcalloc(1, sizeof(*events));
    struct call_list *calls = xcalloc(1, sizeof(*calls));
    events_of(events, shop);
    calls_of(calls, shop);
    events->list.limit = calls->list.limit = 15;
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(list_calls(world, calls), 0);
    assert_int_equal(events->n, 15);
    assert_int_equal(calls->n, 15);
    assert_true(events->list.next_key > old && events->list.next_key < new);
    world_advance(world, DAY_MS);
    for (uint64_t i = 0; i < 30; i++)
        wait_until_gone(world, shop, old + i);

    events->list.before_key = events->list.next_key;
    calls->list.before = calls->list.next;
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(list_calls(world, calls), 0);
    assert_int_equal(events->n, 15);
    assert_int_equal(calls->n, 15);
    assert_int_equal(events->list.next_key, 0);
    free(events);
    free(calls);
}

static void
what_is_beyond_the_bytes_goes_oldest_first_and_failures_last(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    keep(world, 0, 0, 400 << 10);
    uint64_t failed = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, failed, hook, 1, CALL_FAILED, 0);
    uint64_t waiting = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    uint64_t first = 0, last = 0;
    for (int i = 0; i < 12; i++) {
        last = append(world, shop, EVENT_CLICK, 1000, NULL, 0);
        first = first ? first : last;
        world_advance(world, MINUTE_MS);
    }
    wait_until_gone(world, shop, first);
    wait_until_gone(world, shop, first + 999);
    assert_true(is_there(world, shop, last + 999));
    assert_true(is_there(world, shop, failed));
    assert_true(is_there(world, shop, waiting));

    /* Nothing else is left to go. */
    keep(world, 0, 0, 1);
    world_advance(world, HOUR_MS);
    wait_until_gone(world, shop, last + 999);
    wait_until_gone(world, shop, failed);
    assert_true(is_there(world, shop, waiting));
}

static void
nothing_goes_unless_it_is_wanted(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    for (int i = 0; i < 20; i++) {
        world_advance(world, 100 * DAY_MS);
        assert_true(is_there(world, shop, key));
    }
    keep(world, 0, DAY_MS, 0);
    for (int i = 0; i < 20; i++) {
        world_advance(world, 100 * DAY_MS);
        assert_true(is_there(world, shop, key));
    }
}

static void
reports_are_forgotten_after_their_time(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    keep(world, WEEK_MS, WEEK_MS, 0);
    put_subscription(world, shop, "one", 1, false);
    struct touch_item item = report_of("one", "push", "delivery");
    item.report = true;
    assert_int_equal(touch_one(world, shop, &item), 0);
    msec_t at_ms = world_now(world);
    for (int i = 0; i < 10; i++) {
        world_advance(world, 8 * DAY_MS);
        settle_down(world, shop);
        if (world_now(world) - at_ms >= STORE_REPORT_MS)
            break;
        assert_int_equal(reported_ms(world, shop, report_of("one", "push", "delivery")),
                         at_ms);
    }
    for (int i = 0; i < 3; i++)
        settle_down(world, shop);
    for (int i = 0; i < 20000; i++) {
        if (reported_ms(world, shop, report_of("one", "push", "delivery")) ==
            MSEC_NEVER)
            return;
        world_advance(world, 1000);
    }
    fail_msg("the report does not go");
}

static const struct CMUnitTest tests[] = {
    TEST(what_has_succeeded_goes_after_its_time_and_not_before),
    TEST(what_has_failed_or_was_cancelled_is_kept_for_its_own_time),
    TEST(what_waits_or_is_held_never_goes),
    TEST(the_time_of_a_call_counts_from_its_end),
    TEST(a_call_that_is_tried_again_by_hand_is_kept_with_its_event),
    TEST(a_result_for_what_is_gone_is_lost),
    TEST(lists_go_on_though_rows_vanish_under_them),
    TEST(what_is_beyond_the_bytes_goes_oldest_first_and_failures_last),
    TEST(nothing_goes_unless_it_is_wanted),
    TEST(reports_are_forgotten_after_their_time),
};

const struct contract_part contract_retention = {tests, ARRAY_LEN(tests)};
