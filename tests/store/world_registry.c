#include "world_registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

static struct slice
keep(char room[SEEN_BYTES], struct slice bytes)
{
    assert_true(bytes.n <= SEEN_BYTES);
    if (bytes.n)
        memcpy(room, bytes.p, bytes.n);
    return (struct slice){room, bytes.n};
}

void
see_subscription(struct seen_subscription *seen, const struct subscription_row *row)
{
    seen->there = row != NULL;
    if (!row)
        return;
    seen->row = *row;
    seen->row.id = keep(seen->id, row->id);
    seen->row.members = keep(seen->members, row->members);
}

void
see_notification(struct seen_notification *seen, const struct notification_row *row)
{
    seen->there = row != NULL;
    if (!row)
        return;
    seen->row = *row;
    seen->row.id = keep(seen->id, row->id);
    seen->row.feed_guid = keep(seen->feed_guid, row->feed_guid);
    seen->row.body = keep(seen->body, row->body);
}

void
assert_subscription(const struct seen_subscription *seen,
                    const struct subscription_row *want)
{
    assert_true(seen->there);
    assert_true(seen->row.number > 0);
    assert_int_equal(seen->row.channel, want->channel);
    assert_true(slice_eq(seen->row.id, want->id));
    assert_int_equal(seen->row.created_ms, want->created_ms);
    assert_int_equal(seen->row.synced_ms, want->synced_ms);
    assert_int_equal(seen->row.inactive, want->inactive);
    assert_true(seen->row.token == want->token);
    assert_true(slice_eq(seen->row.members, want->members));
}

/* ---- touches ---- */

static void
decide_events(struct touch *touch, size_t i, struct store_decision *decision)
{
    const struct touch_item *item = &touch->items[i];
    size_t first = touch->n_events, first_call = touch->n_calls;

    for (size_t e = 0; e < item->n_events; e++) {
        char *body = touch->bodies[touch->n_events];
        snprintf(body, sizeof(touch->bodies[0]), "{\"item\":%zu,\"event\":%zu}", i, e);
        for (size_t w = 0; w < item->n_webhooks; w++)
            touch->calls[touch->n_calls++] =
                (struct store_new_call){(uint32_t)touch->n_events, item->webhooks[w]};
        touch->events[touch->n_events++] =
            (struct store_event){item->type, SLICE("sub-1"), slice_of(body)};
    }
    decision->events = touch->events + first;
    decision->n_events = touch->n_events - first;
    decision->calls = touch->calls + first_call;
    decision->n_calls = touch->n_calls - first_call;
}

static int
decide(struct store_touch *store, size_t i, const struct store_found *found,
       struct store_decision *decision)
{
    struct touch *touch = container_of(store, struct touch, store);
    struct touch_item *item = &touch->items[i];

    item->asked++;
    item->channel = found->channel;
    item->reported_ms = found->reported_ms;
    see_subscription(&item->subscription, found->subscription);
    see_notification(&item->notification, found->notification);
    world_advance(touch->world, item->takes_ms);
    if (item->refuse) {
        store->op.why = "the test says no";
        return item->refuse;
    }
    if (item->put) {
        touch->put = *item->put;
        touch->put.channel = found->channel;
        touch->put.number = found->subscription ? found->subscription->number : 0;
        decision->put = &touch->put;
        decision->gone = item->gone;
        decision->n_gone = item->n_gone;
        decision->come = item->come;
        decision->n_come = item->n_come;
    }
    decision->report = item->report;
    decide_events(touch, i, decision);
    return 0;
}

void
touch_init(struct touch *touch, struct world *world, uint64_t channel,
           struct touch_item *items, size_t n)
{
    assert_true(n <= TOUCH_ITEMS);
    *touch = (struct touch){
        .world = world,
        .items = items,
        .store = {.op.kind = STORE_TOUCH,
                  .channel = channel,
                  .config = world->config,
                  .items = touch->finds,
                  .n = n,
                  .decide = decide,
                  .first_key = 77, /* all of it is set by the store */
                  .n_events = 77},
    };
    for (size_t i = 0; i < n; i++) {
        touch->finds[i] = items[i].find;
        items[i].asked = 0;
    }
}

int
touch_run(struct touch *touch, struct world *world, uint64_t channel,
          struct touch_item *items, size_t n)
{
    touch_init(touch, world, channel, items, n);
    return world_run(world, &touch->store.op);
}

int
touch_one(struct world *world, uint64_t channel, struct touch_item *item)
{
    struct touch *touch = xcalloc(1, sizeof(*touch));
    int rc = touch_run(touch, world, channel, item, 1);
    if (rc != 0)
        assert_non_null(touch->store.op.why);
    free(touch);
    return rc;
}

/* ---- short forms ---- */

struct touch_item
by_id(const char *id)
{
    return (struct touch_item){.find.id = slice_of(id)};
}

struct touch_item
by_token(uint64_t token)
{
    return (struct touch_item){.find.token = token};
}

void
assert_finds(struct world *world, uint64_t channel, struct touch_item item,
             const char *id)
{
    assert_int_equal(touch_one(world, channel, &item), 0);
    assert_int_equal(item.asked, 1);
    assert_int_equal(item.channel, channel);
    assert_true(item.reported_ms == MSEC_NEVER);
    assert_int_equal(item.subscription.there, id != NULL);
    if (id)
        assert_true(slice_is(item.subscription.row.id, id));
}

struct touch_item
report_of(const char *id, const char *notification, const char *what)
{
    return (struct touch_item){.find = {.id = slice_of(id),
                                        .notification = slice_of(notification),
                                        .report = slice_of(what)},
                               .report = true};
}

msec_t
reported_ms(struct world *world, uint64_t channel, struct touch_item item)
{
    item.report = false;
    assert_int_equal(touch_one(world, channel, &item), 0);
    return item.reported_ms;
}

uint64_t
put_subscription(struct world *world, uint64_t channel, const char *id, uint64_t token,
                 bool inactive)
{
    const struct subscription_row row = {
        .id = slice_of(id),
        .created_ms = START_MS,
        .synced_ms = world_now(world),
        .inactive = inactive,
        .token = token,
        .members = SLICE("{\"topics\":[]}"),
    };
    struct touch_item item = {.find.id = slice_of(id), .put = &row};
    struct seen_subscription *seen = xcalloc(1, sizeof(*seen));

    assert_int_equal(touch_one(world, channel, &item), 0);
    assert_true(look_at_subscription(world, seen, channel, id));
    uint64_t number = seen->row.number;
    free(seen);
    return number;
}

struct subscription_look {
    struct store_subscriptions list;
    struct seen_subscription *seen;
};

static bool
look_subscription(struct store_subscriptions *list, const struct subscription_row *row)
{
    see_subscription(container_of(list, struct subscription_look, list)->seen, row);
    return true;
}

bool
look_at_subscription(struct world *world, struct seen_subscription *seen,
                     uint64_t channel, const char *id)
{
    struct subscription_look look = {
        .list = {.op.kind = STORE_SUBSCRIPTIONS,
                 .channel = channel,
                 .id = slice_of(id),
                 .max_rows = 1,
                 .each = look_subscription,
                 .next = 77},
        .seen = seen,
    };
    seen->there = false;
    int rc = world_run(world, &look.list.op);
    assert_true(rc == (seen->there ? 0 : E_NOT_FOUND));
    assert_int_equal(look.list.next, 0);
    return seen->there;
}

void
assert_population(struct world *world, uint64_t channel, uint64_t active,
                  uint64_t inactive)
{
    struct store_subscription_count count = {
        .op.kind = STORE_SUBSCRIPTION_COUNT,
        .channel = channel,
        .active = 77,
        .inactive = 77,
    };
    assert_int_equal(world_run(world, &count.op), 0);
    assert_int_equal(count.active, active);
    assert_int_equal(count.inactive, inactive);
}

bool
put_notification(struct world *world, struct notification_row *row)
{
    struct store_put_notification put = {.op.kind = STORE_PUT_NOTIFICATION, .row = row};
    assert_int_equal(world_run(world, &put.op), 0);
    assert_true(row->number > 0);
    return put.known;
}

struct notification_look {
    struct store_notifications list;
    struct seen_notification *seen;
};

static void
look_notification(struct store_notifications *list, const struct notification_row *row)
{
    see_notification(container_of(list, struct notification_look, list)->seen, row);
}

bool
look_at_notification(struct world *world, struct seen_notification *seen,
                     uint64_t channel, const char *id)
{
    struct notification_look look = {
        .list = {.op.kind = STORE_NOTIFICATIONS,
                 .channel = channel,
                 .before = UINT64_MAX,
                 .id = slice_of(id),
                 .limit = 1,
                 .each = look_notification,
                 .next = 77},
        .seen = seen,
    };
    seen->there = false;
    int rc = world_run(world, &look.list.op);
    assert_true(rc == (seen->there ? 0 : E_NOT_FOUND));
    assert_int_equal(look.list.next, 0);
    return seen->there;
}

/* ---- lists ---- */

static void
copy_id(char out[32], struct slice id)
{
    snprintf(out, 32, "%.*s", (int)id.n, id.p);
}

static bool
take_subscription(struct store_subscriptions *store, const struct subscription_row *row)
{
    struct subscription_list *list =
        container_of(store, struct subscription_list, list);
    assert_true(list->n < MANY);
    assert_int_equal(row->channel, store->channel);
    copy_id(list->ids[list->n], row->id);
    list->numbers[list->n++] = row->number;
    return list->n < list->enough;
}

void
subscriptions_of(struct subscription_list *list, uint64_t channel)
{
    list->n = 0;
    list->enough = SIZE_MAX;
    list->list = (struct store_subscriptions){
        .op.kind = STORE_SUBSCRIPTIONS,
        .channel = channel,
        .max_rows = MANY,
        .each = take_subscription,
        .next = 77,
    };
}

int
list_subscriptions(struct world *world, struct subscription_list *list)
{
    return world_run(world, &list->list.op);
}

size_t
found_by(struct world *world, uint64_t channel, struct slice name, struct slice value)
{
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    subscriptions_of(list, channel);
    list->list.name = name;
    list->list.values[0] = value;
    assert_int_equal(list_subscriptions(world, list), 0);
    size_t n = list->n;
    free(list);
    return n;
}

static void
take_notification(struct store_notifications *store, const struct notification_row *row)
{
    struct notification_list *list =
        container_of(store, struct notification_list, list);
    assert_true(list->n < MANY);
    assert_int_equal(row->channel, store->channel);
    copy_id(list->ids[list->n], row->id);
    list->numbers[list->n++] = row->number;
}

void
notifications_of(struct notification_list *list, uint64_t channel)
{
    list->n = 0;
    list->list = (struct store_notifications){
        .op.kind = STORE_NOTIFICATIONS,
        .channel = channel,
        .before = UINT64_MAX,
        .limit = MANY,
        .each = take_notification,
        .next = 77,
    };
}

int
list_notifications(struct world *world, struct notification_list *list)
{
    return world_run(world, &list->list.op);
}
