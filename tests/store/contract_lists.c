#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"

/* A channel with something of everything: 60 events of two types and two subscriptions,
 * each owed to four webhooks, of which one gets disabled and one deleted; and another
 * channel between. */
struct shop {
    uint64_t channel;
    uint64_t other;
    uint64_t hooks[4];
    uint64_t other_hook;
    uint64_t events[60];
    enum call_state states[60][4]; /* as shown in the end */
    bool erred[60][4];             /* the last attempt had a reason */
};

#define DISABLED 2
#define DELETED  3

static enum event_type
type_of(size_t i)
{
    return i % 3 ? EVENT_DELIVERY : EVENT_CLICK;
}

static const char *
subscription_of(size_t i)
{
    return i % 2 ? "odd" : "even";
}

#define ABOUT "{\"a\":[{\"notification\":1}],\"notification\":{\"_id\":\"push\"}}"

static const char *
body_of(size_t i)
{
    return i % 5 ? "{}" : ABOUT;
}

static uint64_t
append_one(struct world *world, const struct shop *shop, size_t i)
{
    struct store_event event = {type_of(i), slice_of(subscription_of(i)),
                                slice_of(body_of(i))};
    struct store_new_call calls[4];
    for (size_t h = 0; h < 4; h++)
        calls[h] = (struct store_new_call){0, shop->hooks[h]};
    struct store_append op = {
        .op.kind = STORE_APPEND,
        .channel = shop->channel,
        .config = world->config,
        .events = &event,
        .n_events = 1,
        .calls = calls,
        .n_calls = 4,
    };
    assert_int_equal(world_run(world, &op.op), 0);
    return op.first_key;
}

static void
shop_init(struct shop *shop, struct world *world)
{
    static const enum call_state outcomes[] = {CALL_SUCCEEDED, CALL_WAITING,
                                               CALL_FAILED};
    shop->channel = put_channel(world, "shop");
    shop->other = put_channel(world, "other");
    for (size_t h = 0; h < 4; h++)
        shop->hooks[h] = put_webhook(world, shop->channel);
    shop->other_hook = put_webhook(world, shop->other);
    for (size_t i = 0; i < 60; i++) {
        shop->events[i] = append_one(world, shop, i);
        append_from(world, shop->other, EVENT_CLICK, "even", shop->other_hook);
        world_advance(world, i % 4);
        for (size_t h = 0; h < 4; h++) {
            enum call_state state = outcomes[(i + h * i / 7) % 3];
            if ((i + h) % 5)
                settle(world, shop->events[i], shop->hooks[h], 1, state,
                       START_MS + MINUTE_MS);
            shop->erred[i][h] = (i + h) % 5 && state != CALL_SUCCEEDED;
            if ((i + h) % 5 == 0)
                state = CALL_WAITING; /* untried */
            if (state == CALL_WAITING && h == DISABLED)
                state = CALL_HELD;
            if (state == CALL_WAITING && h == DELETED)
                state = CALL_CANCELLED;
            shop->states[i][h] = state;
        }
    }
    change_webhook(world, shop->channel, shop->hooks[DISABLED], DISABLE);
    change_webhook(world, shop->channel, shop->hooks[DELETED], DELETE);
}

/* What the list must be, by looking at everything. */
static void
check_calls(const struct shop *shop, const struct call_list *list)
{
    const struct store_calls *ask = &list->list;
    size_t n = 0;
    for (size_t i = 60; i-- > 0;) {
        if (!(ask->types & 1u << type_of(i)) || shop->events[i] < ask->since_key ||
            (ask->subscription.n && !slice_is(ask->subscription, subscription_of(i))) ||
            (ask->notification.n && i % 5))
            continue;
        for (size_t h = 4; h-- > 0;) {
            if (!(ask->states & 1u << shop->states[i][h]) ||
                (ask->webhook && ask->webhook != shop->hooks[h]) ||
                (ask->error.n && !shop->erred[i][h]))
                continue;
            const struct seen_call *call = &list->calls[n++];
            assert_true(n <= list->n);
            assert_int_equal(call->record.event, shop->events[i]);
            assert_int_equal(call->record.webhook, shop->hooks[h]);
            assert_int_equal(call->record.state, shop->states[i][h]);
            assert_int_equal(call->record.type, type_of(i));
            assert_string_equal(call->subscription, subscription_of(i));
            assert_string_equal(call->notification, i % 5 ? "" : "push");
            assert_int_equal(call->record.attempts, (i + h) % 5 ? 1 : 0);
            assert_string_equal(call->held_reason,
                                shop->states[i][h] == CALL_HELD ? "by request" : "");
            if (call->record.attempts)
                assert_int_equal(call->record.last.n, 1);
            assert_false(call->has_response);
        }
    }
    assert_int_equal(n, list->n);
}

static const uint32_t state_sets[] = {
    ALL_STATES,
    1u << CALL_SUCCEEDED,
    1u << CALL_FAILED,
    1u << CALL_WAITING,
    1u << CALL_HELD,
    1u << CALL_CANCELLED,
    1u << CALL_FAILED | 1u << CALL_WAITING,
    1u << CALL_FAILED | 1u << CALL_CANCELLED | 1u << CALL_HELD | 1u << CALL_WAITING,
    1u << CALL_IN_FLIGHT,
};

static void
check_filters(struct world *world, const struct shop *shop)
{
    static const size_t pages[] = {1, 7, MANY};
    struct call_list *list = xcalloc(1, sizeof(*list));
    for (size_t s = 0; s < ARRAY_LEN(state_sets); s++)
        for (size_t filter = 0; filter < 32; filter++) {
            calls_of(list, shop->channel);
            list->list.states = state_sets[s];
            if (filter & 1)
                list->list.types = 1u << EVENT_CLICK;
            if (filter & 2)
                list->list.subscription = SLICE("odd");
            if (filter & 4)
                list->list.webhook = shop->hooks[(s + filter) % 4];
            if (filter & 8)
                list->list.notification = SLICE("push");
            if (filter & 16)
                list->list.error = SLICE("STATUS 50");
            if (s % 2)
                list->list.since_key = shop->events[11];
            list_all_calls(world, list, pages[(s + filter) % 3]);
            check_calls(shop, list);
        }
    free(list);
}

static void
calls_are_listed_by_every_filter_newest_first(void **state)
{
    struct world *world = *state;
    struct shop shop;
    shop_init(&shop, world);
    check_filters(world, &shop);
    world_reopen(world);
    check_filters(world, &shop);
}

static void
a_page_of_calls_goes_on_where_the_last_one_ended(void **state)
{
    struct world *world = *state;
    struct shop shop;
    shop_init(&shop, world);
    struct call_list *list = xcalloc(1, sizeof(*list));
    calls_of(list, shop.channel);
    list->list.limit = 2; /* ends in the middle of an event */
    assert_int_equal(list_calls(world, list), 0);
    assert_int_equal(list->n, 2);
    assert_int_equal(list->list.next.event, shop.events[59]);
    assert_int_equal(list->list.next.webhook, shop.hooks[2]);
    list->list.before = list->list.next;
    assert_int_equal(list_calls(world, list), 0);
    assert_int_equal(list->calls[2].record.webhook, shop.hooks[1]);
    calls_of(list, shop.channel);
    list->list.before = (struct call_at){shop.events[0], shop.hooks[0]};
    assert_int_equal(list_calls(world, list), 0);
    assert_int_equal(list->n, 0);
    assert_int_equal(list->list.next.event, 0);
    free(list);
}

static void
another_channels_things_look_like_unknown_ones(void **state)
{
    struct world *world = *state;
    struct shop shop;
    shop_init(&shop, world);
    struct call_list *list = xcalloc(1, sizeof(*list));
    calls_of(list, shop.channel);
    list->list.webhook = shop.other_hook;
    assert_int_equal(list_calls(world, list), 0);
    assert_int_equal(list->n, 0);
    calls_of(list, 77);
    assert_int_equal(list_calls(world, list), E_NOT_FOUND);
    free(list);

    struct event_list events;
    events_of(&events, 77);
    assert_int_equal(list_events(world, &events), E_NOT_FOUND);
    struct event_look event;
    struct call_look call;
    assert_int_equal(look_at_event(world, &event, shop.other, shop.events[0]),
                     E_NOT_FOUND);
    assert_int_equal(
        look_at_call(world, &call, shop.other, shop.events[0], shop.hooks[0]),
        E_NOT_FOUND);
    assert_int_equal(
        look_at_call(world, &call, shop.channel, shop.events[0], shop.other_hook),
        E_NOT_FOUND);
}

static void
events_are_listed_by_every_filter_newest_first(void **state)
{
    struct world *world = *state;
    struct shop shop;
    shop_init(&shop, world);
    world_reopen(world);
    struct event_list *list = xcalloc(1, sizeof(*list));
    for (size_t filter = 0; filter < 32; filter++) {
        events_of(list, shop.channel);
        uint64_t before = UINT64_MAX;
        if (filter & 1)
            list->list.types = 1u << EVENT_CLICK;
        if (filter & 2)
            list->list.subscription = SLICE("odd");
        if (filter & 4)
            list->list.since_key = shop.events[11];
        if (filter & 8)
            list->list.before_key = before = shop.events[50];
        if (filter & 16)
            list->list.notification = SLICE("push");
        list_all_events(world, list, filter % 3 ? 4 : 1000);
        size_t n = 0;
        for (size_t i = 60; i-- > 0;) {
            if (!(list->list.types & 1u << type_of(i)) || (filter & 2 && i % 2 == 0) ||
                (filter & 16 && i % 5) || shop.events[i] < list->list.since_key ||
                shop.events[i] >= before)
                continue;
            assert_true(n < list->n);
            assert_int_equal(list->events[n].key, shop.events[i]);
            assert_int_equal(list->events[n].type, type_of(i));
            assert_string_equal(list->events[n].subscription, subscription_of(i));
            assert_string_equal(list->events[n].body, body_of(i));
            n++;
        }
        assert_int_equal(n, list->n);
    }
    free(list);
}

/* ASCII letters alone, whole or in part, and never what another reason says. */
static void
an_error_is_found_by_any_part_of_it(void **state)
{
    static const struct {
        const char *error;
        size_t n;
    } rows[] = {{"status 503", 1}, {"US 5", 1},        {"3", 1}, {"status 5033", 0},
                {"timeout", 0},    {"status  503", 0}, {"%", 0}};
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t first = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    settle(world, first, hook, 1, CALL_FAILED, 0);
    settle(world, first + 1, hook, 1, CALL_SUCCEEDED, 0);
    struct call_list *list = xcalloc(1, sizeof(*list));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        calls_of(list, shop);
        list->list.error = slice_of(rows[i].error);
        assert_int_equal(list_calls(world, list), 0);
        assert_int_equal(list->n, rows[i].n);
    }
    free(list);
}

/* More than one read may look at: pages that are empty and still lead on. */
static void
a_rare_match_is_found_page_by_page(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t rare = append_from(world, shop, EVENT_OPT_IN, "rare", hook);
    for (int i = 0; i < 3; i++)
        append(world, shop, EVENT_CLICK, STORE_SCAN_MAX / 2, &hook, 1);

    struct event_list *events = xcalloc(1, sizeof(*events));
    events_of(events, shop);
    events->list.types = 1u << EVENT_OPT_IN;
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(events->n, 0);
    assert_true(events->list.next_key > rare);
    list_all_events(world, events, 10);
    assert_int_equal(events->n, 1);
    assert_int_equal(events->events[0].key, rare);
    events_of(events, shop);
    events->list.subscription = SLICE("rare");
    list_all_events(world, events, 10);
    assert_int_equal(events->n, 1);
    assert_int_equal(events->events[0].key, rare);

    struct call_list *calls = xcalloc(1, sizeof(*calls));
    for (int round = 0; round < 2; round++) {
        calls_of(calls, shop);
        calls->list.types = 1u << EVENT_OPT_IN;
        calls->list.states = round ? 1u << CALL_WAITING : ALL_STATES;
        assert_int_equal(list_calls(world, calls), 0);
        assert_int_equal(calls->n, 0);
        assert_true(calls->list.next.event > rare);
        list_all_calls(world, calls, 10);
        assert_int_equal(calls->n, 1);
        assert_int_equal(calls->calls[0].record.event, rare);
    }
    free(calls);
    free(events);
}

static const struct CMUnitTest tests[] = {
    TEST(calls_are_listed_by_every_filter_newest_first),
    TEST(a_page_of_calls_goes_on_where_the_last_one_ended),
    TEST(another_channels_things_look_like_unknown_ones),
    TEST(events_are_listed_by_every_filter_newest_first),
    TEST(an_error_is_found_by_any_part_of_it),
    TEST(a_rare_match_is_found_page_by_page),
};

const struct contract_part contract_lists = {tests, ARRAY_LEN(tests)};
