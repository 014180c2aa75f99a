/* What happens in a channel, in the order of its commits. */
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "store/store_feed.h"

struct entry {
    bool is_event;
    uint64_t event, webhook;
    uint32_t n;
    enum event_type type;
    enum call_state state;
    msec_t due_ms;
    char reason[32];
    struct feed_at next;
};

struct feed {
    struct store_feed feed;
    struct entry entries[MANY];
    size_t n;
    size_t enough_at; /* the entry after which it is enough; SIZE_MAX = none */
};

static bool
keep(struct store_feed *op, const struct entry *entry)
{
    struct feed *feed = container_of(op, struct feed, feed);
    assert_true(feed->n < MANY);
    feed->entries[feed->n++] = *entry;
    return feed->n != feed->enough_at;
}

static bool
on_event(struct store_feed *op, const struct event_record *event, struct feed_at next)
{
    const struct entry entry = {
        .is_event = true, .event = event->key, .type = event->type, .next = next};
    assert_true(event->body.n > 0);
    assert_int_equal(event->created_ms, event_key_ms(event->key));
    return keep(op, &entry);
}

static bool
on_outcome(struct store_feed *op, const struct outcome_record *outcome,
           struct feed_at next)
{
    struct entry entry = {.event = outcome->event,
                          .webhook = outcome->webhook,
                          .n = outcome->attempt.n,
                          .type = outcome->type,
                          .state = outcome->state,
                          .due_ms = outcome->due_ms,
                          .next = next};
    assert_true(outcome->attempt.reason.n < sizeof(entry.reason));
    memcpy(entry.reason, outcome->attempt.reason.p, outcome->attempt.reason.n);
    return keep(op, &entry);
}

/* Of everything, from the beginning; change `feed` before a read. */
static struct feed *
feed_of(uint64_t channel)
{
    struct feed *feed = xcalloc(1, sizeof(*feed));
    feed->feed = (struct store_feed){
        .channel = channel,
        .events = true,
        .outcomes = true,
        .types = EVENT_ALL_TYPES,
        .limit = MANY,
        .event = on_event,
        .outcome = on_outcome,
    };
    feed->enough_at = SIZE_MAX;
    return feed;
}

static int
read_feed(struct world *world, struct feed *feed)
{
    feed->n = 0;
    feed->feed.op = (struct store_op){.kind = STORE_FEED, .done = world_done};
    int rc = world_run(world, &feed->feed.op);
    /* The store looks at the clock after it, to know how long lists rest: nobody turns
     * it until then. */
    (void)counts_of(world);
    return rc;
}

/* From where the last one ended, until there is no more. */
static void
read_all(struct world *world, struct feed *feed)
{
    struct entry *all = xcalloc(MANY, sizeof(*all));
    size_t n = 0, reads = 0;
    do {
        assert_int_equal(read_feed(world, feed), 0);
        memcpy(all + n, feed->entries, feed->n * sizeof(*all));
        n += feed->n;
        feed->feed.from = feed->feed.next;
        assert_true(++reads < 1000);
    } while (feed->feed.more);
    memcpy(feed->entries, all, n * sizeof(*all));
    feed->n = n;
    free(all);
}

static struct feed_at
end_of(struct world *world, uint64_t channel)
{
    struct feed *feed = feed_of(channel);
    feed->feed.from = FEED_AT_END;
    assert_int_equal(read_feed(world, feed), 0);
    assert_int_equal(feed->n, 0);
    assert_false(feed->feed.more);
    struct feed_at end = feed->feed.next;
    free(feed);
    return end;
}

static void
settle_failed(struct world *world, uint64_t event, uint64_t webhook, uint32_t n,
              msec_t due_ms)
{
    settle(world, event, webhook, n, CALL_WAITING, due_ms);
}

/* Member by member: between them there may be anything. */
static void
assert_entries(const struct entry *got, const struct entry *want, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got[i].is_event, want[i].is_event);
        assert_int_equal(got[i].event, want[i].event);
        assert_int_equal(got[i].webhook, want[i].webhook);
        assert_int_equal(got[i].n, want[i].n);
        assert_int_equal(got[i].type, want[i].type);
        assert_int_equal(got[i].state, want[i].state);
        assert_int_equal(got[i].due_ms, want[i].due_ms);
        assert_string_equal(got[i].reason, want[i].reason);
        assert_int_equal(got[i].next.key, want[i].next.key);
        assert_int_equal(got[i].next.index, want[i].next.index);
    }
}

/* ---- tests ---- */

static void
events_and_outcomes_come_in_the_order_of_their_commits(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t a = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle_failed(world, a, hook, 1, START_MS + MINUTE_MS);
    uint64_t b = append(world, shop, EVENT_OPT_IN, 1, &hook, 1);
    settle(world, b, hook, 1, CALL_SUCCEEDED, 0);
    settle(world, a, hook, 2, CALL_FAILED, 0);
    world_reopen(world);
    uint64_t c = append(world, shop, EVENT_CLICK, 1, NULL, 0);

    struct feed *feed = feed_of(shop);
    assert_int_equal(read_feed(world, feed), 0);
    assert_false(feed->feed.more);
    assert_int_equal(feed->n, 6);
    static const bool is_event[] = {true, false, true, false, false, true};
    const uint64_t events[] = {a, a, b, b, a, c};
    for (size_t i = 0; i < feed->n; i++) {
        assert_int_equal(feed->entries[i].is_event, is_event[i]);
        assert_int_equal(feed->entries[i].event, events[i]);
    }
    const struct entry *first = &feed->entries[1], *last = &feed->entries[4];
    assert_int_equal(first->n, 1);
    assert_int_equal(first->state, CALL_WAITING);
    assert_int_equal(first->due_ms, START_MS + MINUTE_MS);
    assert_int_equal(first->webhook, hook);
    assert_int_equal(first->type, EVENT_CLICK);
    assert_int_equal(last->n, 2);
    assert_int_equal(last->state, CALL_FAILED);
    assert_int_equal(last->due_ms, MSEC_NEVER);
    assert_int_equal(feed->entries[3].state, CALL_SUCCEEDED);
    free(feed);
}

/* Several events and outcomes in one group, too. */
static void
fill(struct world *world, uint64_t shop, const uint64_t hooks[2])
{
    for (size_t i = 0; i < 20; i++) {
        uint64_t first = append(world, shop, EVENT_CLICK, 3, hooks, 2);
        struct store_result results[6];
        for (size_t k = 0; k < 6; k++)
            results[k] =
                result_of(first + k / 2, hooks[k % 2], 1, CALL_SUCCEEDED, START_MS);
        for (size_t k = 0; k < 6; k++)
            results[k].was_due_ms = event_key_ms(first);
        struct store_settle op = {.op = {.kind = STORE_SETTLE, .done = world_done},
                                  .results = results,
                                  .n = 6};
        assert_int_equal(world_run(world, &op.op), 0);
        world_advance(world, (msec_t)(i % 3));
    }
}

static void
pages_of_any_size_show_the_same(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    const uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    fill(world, shop, hooks);
    struct feed *whole = feed_of(shop);
    read_all(world, whole);
    assert_int_equal(whole->n, 20 * 9);
    for (size_t size = 1; size < 12; size++) {
        struct feed *feed = feed_of(shop);
        if (size % 2)
            feed->feed.limit = size;
        else
            feed->enough_at = size;
        read_all(world, feed);
        assert_int_equal(feed->n, whole->n);
        assert_entries(feed->entries, whole->entries, whole->n);
        free(feed);
    }
    free(whole);
}

static void
every_place_is_one_to_go_on_from(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    const uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    fill(world, shop, hooks);
    struct feed *whole = feed_of(shop);
    read_all(world, whole);
    world_reopen(world);
    for (size_t i = 0; i < whole->n; i += 7) {
        struct feed *feed = feed_of(shop);
        feed->feed.from = whole->entries[i].next;
        read_all(world, feed);
        assert_int_equal(feed->n, whole->n - i - 1);
        assert_entries(feed->entries, whole->entries + i + 1, feed->n);
        free(feed);
    }
    free(whole);
}

static void
a_feed_shows_what_it_is_asked_for(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), other = put_channel(world, "other");
    const uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t foreign = put_webhook(world, other);
    uint64_t a = append_from(world, shop, EVENT_CLICK, "ann", hooks[0]);
    uint64_t b = append_from(world, shop, EVENT_OPT_IN, "bob", hooks[1]);
    append_from(world, other, EVENT_CLICK, "ann", foreign);
    settle(world, a, hooks[0], 1, CALL_SUCCEEDED, 0);
    settle(world, b, hooks[1], 1, CALL_SUCCEEDED, 0);
    struct feed *feed = feed_of(shop);
    struct store_feed all = feed->feed;

    read_all(world, feed);
    assert_int_equal(feed->n, 4);
    feed->feed = all;
    feed->feed.outcomes = false;
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_true(feed->entries[0].is_event && feed->entries[1].is_event);
    feed->feed = all;
    feed->feed.events = false;
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_false(feed->entries[0].is_event || feed->entries[1].is_event);
    feed->feed = all;
    feed->feed.types = 1u << EVENT_CLICK;
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_true(feed->entries[0].event == a && feed->entries[1].event == a);
    feed->feed = all;
    feed->feed.subscription = SLICE("bob");
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_true(feed->entries[0].event == b && feed->entries[1].event == b);
    feed->feed = all;
    feed->feed.webhook = hooks[1];
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_true(feed->entries[0].event == b && feed->entries[1].event == b);
    feed->feed = all;
    feed->feed.webhook = foreign;
    read_all(world, feed);
    assert_int_equal(feed->n, 0);
    free(feed);
}

static void
from_the_end_only_what_comes_is_shown(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct feed_at empty = end_of(world, shop);
    uint64_t a = append(world, shop, EVENT_CLICK, 2, &hook, 1);
    struct feed *feed = feed_of(shop);
    feed->feed.from = empty;
    read_all(world, feed);
    assert_int_equal(feed->n, 2);

    feed->feed.from = end_of(world, shop);
    settle(world, a + 1, hook, 1, CALL_SUCCEEDED, 0);
    read_all(world, feed);
    assert_int_equal(feed->n, 1);
    assert_int_equal(feed->entries[0].event, a + 1);
    read_all(world, feed);
    assert_int_equal(feed->n, 0);
    world_reopen(world);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    read_all(world, feed);
    assert_int_equal(feed->n, 1);
    free(feed);
}

static void
a_channel_that_is_not_there_has_no_feed(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    delete_channel(world, shop, "shop");
    struct feed *feed = feed_of(shop);
    assert_int_equal(read_feed(world, feed), E_NOT_FOUND);
    feed->feed.channel = 77;
    assert_int_equal(read_feed(world, feed), E_NOT_FOUND);
    free(feed);
}

static void
after_a_week_outcomes_are_forgotten_and_events_are_not(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t a = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, a, hook, 1, CALL_SUCCEEDED, 0);
    struct feed *feed = feed_of(shop);
    world_advance(world, FEED_KEPT_MS - MINUTE_MS);
    append(world, shop, EVENT_CLICK, 1, NULL, 0); /* a commit that might delete */
    read_all(world, feed);
    assert_int_equal(feed->n, 3);

    world_advance(world, HOUR_MS);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    feed->feed.from = (struct feed_at){0};
    read_all(world, feed);
    assert_int_equal(feed->n, 4);
    for (size_t i = 0; i < feed->n; i++)
        assert_true(feed->entries[i].is_event);
    free(feed);
}

static size_t
times_fed(struct world *world, uint64_t channel)
{
    size_t n = 0;
    pthread_mutex_lock(&world->mutex);
    for (size_t i = 0; i < world->n_fed; i++)
        n += world->fed[i] == channel;
    world->n_fed = 0;
    pthread_mutex_unlock(&world->mutex);
    return n;
}

static void
who_follows_is_told_once_a_commit(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other");
    assert_int_equal(times_fed(world, shop), 0);
    uint64_t a = append(world, shop, EVENT_CLICK, 100, &hook, 1);
    assert_int_equal(times_fed(world, shop), 1);
    settle(world, a, hook, 1, CALL_SUCCEEDED, 0);
    assert_int_equal(times_fed(world, shop), 1);
    append(world, other, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(times_fed(world, shop), 0);
    append(world, other, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(times_fed(world, other), 1);
}

static void
what_finds_the_disk_full_is_not_told(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t a = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    struct feed_at end = end_of(world, shop);
    struct store_result result = result_of(a, hook, 1, CALL_SUCCEEDED, 0);
    result.was_due_ms = event_key_ms(a);
    struct store_settle op = {
        .op = {.kind = STORE_SETTLE, .done = world_done}, .results = &result, .n = 1};
    times_fed(world, shop);

    world->backend->fill_disk(world);
    assert_int_equal(world_run(world, &op.op), E_FULL);
    assert_int_equal(times_fed(world, shop), 0);
    struct feed *feed = feed_of(shop);
    feed->feed.from = end;
    read_all(world, feed);
    assert_int_equal(feed->n, 0);
    op.op = (struct store_op){.kind = STORE_SETTLE, .done = world_done};
    assert_int_equal(world_run(world, &op.op), 0);
    read_all(world, feed);
    assert_int_equal(feed->n, 1);
    free(feed);
}

/* The clock goes back by less than the store has noted, between two starts. */
static void
a_place_is_never_taken_twice(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t a = append(world, shop, EVENT_CLICK, 3, &hook, 1);
    world_advance(world, 900);
    settle(world, a, hook, 1, CALL_SUCCEEDED, 0);
    struct feed_at end = end_of(world, shop);
    world_leave(world);
    world->time.now_us -= 900 * 1000;
    world_open(world);
    settle(world, a + 1, hook, 1, CALL_SUCCEEDED, 0);
    uint64_t b = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    struct feed *feed = feed_of(shop);
    read_all(world, feed);
    assert_int_equal(feed->n, 6);
    assert_int_equal(feed->entries[4].event, a + 1);
    assert_int_equal(feed->entries[5].event, b);
    assert_true(feed->entries[3].next.key < feed->entries[4].next.key);
    assert_true(end.key <= b);
    free(feed);
}

static void
what_has_been_dropped_is_known(void **state)
{
    struct world *world = *state;
    world_leave(world);
    world->keep = (struct store_keep){.succeeded_ms = HOUR_MS};
    world_open(world);
    uint64_t shop = put_channel(world, "shop");
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    uint64_t second = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    struct feed *feed = feed_of(shop);
    read_all(world, feed);
    assert_int_equal(feed->n, 2);
    assert_int_equal(feed->feed.gone, 0);
    world_advance(world, 48 * HOUR_MS);
    for (int i = 0; i < 2; i++) {
        append(world, shop, EVENT_CLICK, 1, NULL, 0); /* a commit that drops some */
        feed->feed.from = (struct feed_at){0};
        read_all(world, feed);
    }
    assert_int_equal(feed->n, 2);
    assert_int_equal(feed->feed.gone, second);
    world_reopen(world);
    read_all(world, feed);
    assert_int_equal(feed->feed.gone, second);
    free(feed);
}

static const struct CMUnitTest tests[] = {
    TEST(events_and_outcomes_come_in_the_order_of_their_commits),
    TEST(pages_of_any_size_show_the_same),
    TEST(every_place_is_one_to_go_on_from),
    TEST(a_feed_shows_what_it_is_asked_for),
    TEST(from_the_end_only_what_comes_is_shown),
    TEST(a_channel_that_is_not_there_has_no_feed),
    TEST(after_a_week_outcomes_are_forgotten_and_events_are_not),
    TEST(who_follows_is_told_once_a_commit),
    TEST(what_finds_the_disk_full_is_not_told),
    TEST(a_place_is_never_taken_twice),
    TEST(what_has_been_dropped_is_known),
};
const struct contract_part contract_feed = {tests, ARRAY_LEN(tests)};
