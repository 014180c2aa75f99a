/* The index by which events are found: whatever its runs are made of, a search tells
 * the same as looking at every event; and lists that look at much hold up nobody. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"

#define EVENTS    3000
#define RUN       16 /* events of a run here: 3,000 are of three sizes */
#define TOKENS    97
#define LEAVES_IT 7 /* each so manyth event is about no notification */

struct shop {
    uint64_t channels[2], hooks[2];
    uint64_t keys[EVENTS];
};

static void
name_of(char out[32], char kind, size_t i)
{
    snprintf(out, 32, "%c-%zu", kind, i % TOKENS);
}

/* One every third millisecond, to one of two channels; every fourth of one token. */
static void
shop_init(struct shop *shop, struct world *world)
{
    shop->channels[0] = put_channel(world, "shop");
    shop->channels[1] = put_channel(world, "other");
    for (size_t c = 0; c < 2; c++)
        shop->hooks[c] = put_webhook(world, shop->channels[c]);
    for (size_t i = 0; i < EVENTS; i++) {
        char subscription[32], notification[32], body[100] = "{}";
        name_of(subscription, 's', i % 4 ? i : 0);
        name_of(notification, 'n', i / 10);
        if (i % LEAVES_IT)
            snprintf(body, sizeof(body), "{\"notification\":{\"_id\":\"%s\"}}",
                     notification);
        struct store_event event = {EVENT_CLICK, slice_of(subscription),
                                    slice_of(body)};
        struct store_new_call call = {0, shop->hooks[i % 2]};
        struct store_append op = {.op.kind = STORE_APPEND,
                                  .channel = shop->channels[i % 2],
                                  .config = world->config,
                                  .events = &event,
                                  .n_events = 1,
                                  .calls = &call,
                                  .n_calls = 1};
        assert_int_equal(world_run(world, &op.op), 0);
        shop->keys[i] = op.first_key;
        world_advance(world, 3);
    }
}

/* From here on the store is the test's, and does nothing by itself. */
static struct sqlite_store *
take_over(struct world *world)
{
    struct sqlite_store *s = sqlite_of(world->store);
    world->store->backend->stop(world->store);
    s->found.run_events = RUN;
    s->found.block = 10;
    s->found.blocks = 3;
    if (s->found.n_runs == 0) { /* what it knows already, in runs of this size */
        s->found.n = s->found.events = 0;
        s->found.upto = 0;
    }
    return s;
}

static void
idle(struct sqlite_store *s, size_t steps)
{
    usec_t rest_us = 0;
    while (steps-- > 0 && rest_us != USEC_NEVER) {
        s->found.rest_us = 0;
        rest_us = sqlite_found_idle(s);
    }
    assert_false(s->broken);
}

/* ---- looking ---- */

static uint64_t told[EVENTS];
static size_t n_told;

static void
tell_event(struct store_events *list, const struct event_record *event)
{
    (void)list;
    told[n_told++] = event->key;
}

static void
tell_call(struct store_calls *list, const struct call_record *call)
{
    (void)list;
    told[n_told++] = call->event;
}

struct search {
    size_t channel;
    char subscription[32], notification[32]; /* "" = any */
    size_t since, before;                    /* places of events */
    size_t page;
};

static void
list_found_events(struct sqlite_store *s, const struct shop *shop,
                  const struct search *search)
{
    struct store_events list = {
        .op.kind = STORE_EVENTS,
        .channel = shop->channels[search->channel],
        .types = EVENT_ALL_TYPES,
        .subscription = slice_of(search->subscription),
        .notification = slice_of(search->notification),
        .since_key = shop->keys[search->since],
        .before_key = search->before < EVENTS ? shop->keys[search->before] : UINT64_MAX,
        .limit = search->page,
        .each = tell_event,
    };
    do {
        int rc;
        while ((rc = sqlite_events(s, &list.op)) == 1)
            ;
        assert_int_equal(rc, 0);
        list.before_key = list.next_key;
    } while (list.next_key);
}

static void
list_found_calls(struct sqlite_store *s, const struct shop *shop,
                 const struct search *search)
{
    struct store_calls list = {
        .op.kind = STORE_CALLS,
        .channel = shop->channels[search->channel],
        .types = EVENT_ALL_TYPES,
        .states = ALL_STATES,
        .subscription = slice_of(search->subscription),
        .notification = slice_of(search->notification),
        .since_key = shop->keys[search->since],
        .before = {UINT64_MAX, UINT64_MAX},
        .limit = search->page,
        .each = tell_call,
    };
    if (search->before < EVENTS)
        list.before = (struct call_at){shop->keys[search->before], 0};
    do {
        int rc;
        while ((rc = sqlite_calls(s, &list.op)) == 1)
            ;
        assert_int_equal(rc, 0);
        list.before = list.next;
    } while (list.next.event);
}

static void
check_told(const struct shop *shop, const struct search *search)
{
    size_t n = 0;
    for (size_t i = search->before; i-- > search->since;) {
        char subscription[32], notification[32] = "";
        name_of(subscription, 's', i % 4 ? i : 0);
        if (i % LEAVES_IT)
            name_of(notification, 'n', i / 10);
        if (i % 2 != search->channel ||
            (search->subscription[0] &&
             strcmp(subscription, search->subscription) != 0) ||
            (search->notification[0] &&
             strcmp(notification, search->notification) != 0))
            continue;
        assert_true(n < n_told);
        assert_int_equal(told[n++], shop->keys[i]);
    }
    assert_int_equal(n, n_told);
}

static void
check_searches(struct sqlite_store *s, const struct shop *shop)
{
    static const size_t pages[] = {1, 7, 1000};
    for (size_t i = 0; i < 60; i++) {
        struct search search = {.channel = i % 2,
                                .since = i % 5 ? 0 : 5 * i,
                                .before = i % 7 ? EVENTS : EVENTS - 13 * i,
                                .page = pages[i % 3]};
        if (i % 3 != 1)
            name_of(search.subscription, 's', i < 6 ? 0 : 13 * i);
        if (i % 3)
            name_of(search.notification, 'n', 11 * i);
        n_told = 0;
        list_found_events(s, shop, &search);
        check_told(shop, &search);
        n_told = 0;
        list_found_calls(s, shop, &search);
        check_told(shop, &search);
    }
}

/* ---- the index ---- */

/* With nothing indexed, in the middle of a run and of a merge, and when all is done. */
static void
a_search_tells_the_same_however_much_is_indexed(void **state)
{
    static const size_t steps[] = {0, 1, 9, 60, 500, SIZE_MAX};
    struct world *world = *state;
    struct shop *shop = xcalloc(1, sizeof(*shop));
    shop_init(shop, world);
    struct sqlite_store *s = take_over(world);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        idle(s, steps[i]);
        check_searches(s, shop);
    }
    assert_false(sqlite_found_behind(s));
    assert_int_equal(s->found.n_doomed, 0);
    assert_null(s->found.merge);
    /* 187 runs became 2 of 64 times their size, 7 of 8 times, 3, and the rest */
    assert_in_range(s->found.n_runs, 2, 2 + 7 + 7);
    assert_int_equal(s->found.runs[0].level, 2);
    for (size_t i = 1; i < s->found.n_runs; i++) {
        assert_true(s->found.runs[i].low > s->found.runs[i - 1].high);
        assert_true(s->found.runs[i].level <= s->found.runs[i - 1].level);
    }
    free(shop);
}

static void
the_index_is_there_after_a_restart_and_what_was_half_done_is_not(void **state)
{
    struct world *world = *state;
    struct shop *shop = xcalloc(1, sizeof(*shop));
    shop_init(shop, world);
    struct sqlite_store *s = take_over(world);
    for (int i = 0; !s->found.merge || s->found.runs[0].level == 0; i++) {
        assert_true(i < 10000);
        idle(s, 1);
    }
    size_t runs = s->found.n_runs;
    world_reopen(world);
    s = take_over(world);
    assert_int_equal(s->found.n_runs, runs);
    check_searches(s, shop);
    idle(s, SIZE_MAX);
    assert_int_equal(s->found.n_doomed, 0);
    check_searches(s, shop);

    /* no block is left of a run that there is not */
    world_leave(world);
    sqlite3 *db = open_file(world);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT count(*) FROM found WHERE run NOT IN"
                                        " (SELECT number FROM found_run)",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    free(shop);
}

static void
runs_of_events_that_are_gone_go(void **state)
{
    struct world *world = *state;
    struct shop *shop = xcalloc(1, sizeof(*shop));
    shop_init(shop, world);
    struct sqlite_store *s = take_over(world);
    idle(s, SIZE_MAX);
    size_t runs = s->found.n_runs;
    char sql[100];
    snprintf(sql, sizeof(sql), "DELETE FROM event WHERE key <= %llu",
             (unsigned long long)s->found.runs[1].high);
    assert_int_equal(sqlite3_exec(s->db, sql, NULL, NULL, NULL), SQLITE_OK);
    world_advance(world, HOUR_MS);
    idle(s, SIZE_MAX);
    assert_int_equal(s->found.n_runs, runs - 2);
    assert_int_equal(s->found.n_doomed, 0);
    assert_int_equal(sqlite3_exec(s->db, "DELETE FROM event", NULL, NULL, NULL),
                     SQLITE_OK);
    world_advance(world, HOUR_MS);
    idle(s, SIZE_MAX);
    assert_int_equal(s->found.n_runs, 0);
    free(shop);
}

/* One that is rare is found in one page, though 15,000 others came behind it. */
static void
a_search_finds_the_only_one_at_once(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t rare = append_from(world, shop, EVENT_OPT_IN, "rare", hook);
    for (int i = 0; i < 3; i++)
        append(world, shop, EVENT_CLICK, STORE_SCAN_MAX / 2, &hook, 1);
    struct sqlite_store *s = take_over(world);
    idle(s, SIZE_MAX);
    struct store_events list = {.op.kind = STORE_EVENTS,
                                .channel = shop,
                                .types = EVENT_ALL_TYPES,
                                .subscription = SLICE("rare"),
                                .before_key = UINT64_MAX,
                                .limit = 50,
                                .each = tell_event};
    n_told = 0;
    assert_int_equal(sqlite_events(s, &list.op), 0); /* in one step */
    assert_int_equal(n_told, 1);
    assert_int_equal(told[0], rare);
    assert_int_equal(list.next_key, 0);
}

/* ---- steps ---- */

static char order[64];
static void (*world_done_of)(struct store_op *op) = world_done;

static void
note_list(struct store_op *op)
{
    strcat(order, "l");
    world_done_of(op);
}

static void
note_write(struct store_op *op)
{
    strcat(order, "w");
    world_done_of(op);
}

static void
ignore_call(struct store_calls *list, const struct call_record *call)
{
    (void)list;
    (void)call;
}

/* It looks at 10,000 rows; what was submitted after it is done before it. */
static void
a_list_that_looks_at_much_holds_up_no_commit(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    for (int i = 0; i < 3; i++)
        append(world, shop, EVENT_CLICK, STORE_SCAN_MAX / 2, &hook, 1);
    struct store_calls list;
    struct call_list all;
    calls_of(&all, shop);
    list = all.list;
    list.error = SLICE("nowhere");
    list.each = ignore_call;
    struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    struct store_append write = {.op.kind = STORE_APPEND,
                                 .channel = shop,
                                 .config = world->config,
                                 .events = &event,
                                 .n_events = 1};
    struct hold hold;
    order[0] = '\0';
    hold_submit(world, &hold);
    hold_wait(&hold);
    list.op.done = note_list;
    write.op.done = note_write;
    store_submit(world->store, &list.op);
    store_submit(world->store, &write.op);
    hold_release(&hold);
    world_wait(world, 2);
    assert_string_equal(order, "wl");
    assert_int_equal(list.op.result, 0);
    assert_true(list.next.event > 0); /* there is more behind what it looked at */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_search_tells_the_same_however_much_is_indexed),
        TEST(the_index_is_there_after_a_restart_and_what_was_half_done_is_not),
        TEST(runs_of_events_that_are_gone_go),
        TEST(a_search_finds_the_only_one_at_once),
        TEST(a_list_that_looks_at_much_holds_up_no_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
