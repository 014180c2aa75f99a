/* What is SQLite's alone of the registry: the way from schema 1, what a deleted channel
 * leaves, lists that take turns with everybody else. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"
#include "world_registry.h"

/* The first number of the first row. */
static int64_t
number_of(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return number;
}

/* ---- from schema 1 ---- */

static void
check_migrated(struct world *world)
{
    assert_int_equal(world->config, 42);
    assert_int_equal(world->latest_steady_ms, START_MS);
    assert_int_equal(world->n_channels, 2);
    assert_string_equal(world->channels[0]->id, "shop");
    assert_string_equal(world->channels[0]->name, "a shop");
    assert_int_equal(world->channels[0]->updated_ms, START_MS - 9000);
    assert_string_equal(world->channels[1]->id, "news");
    assert_int_equal(world->channels[1]->number, 3);
    for (size_t i = 0; i < 2; i++) {
        assert_null(world->channels[i]->settings.fcm_id);
        assert_null(world->channels[i]->settings.authorizer);
        assert_population(world, world->channels[i]->number, 0, 0);
    }
    assert_int_equal(world->n_webhooks, 1);
    assert_int_equal(world->webhooks[0]->n_headers, 1);
    assert_int_equal(world->n_keys, 1);
    struct event_list *events = xcalloc(1, sizeof(*events));
    events_of(events, 1);
    assert_int_equal(list_events(world, events), 0);
    assert_int_equal(events->n, 2);
    assert_string_equal(events->events[0].body, "{\"n\":1}");
    assert_int_equal(state_of(world, 1, events->events[0].key, 1), CALL_WAITING);
    assert_int_equal(state_of(world, 1, events->events[1].key, 1), CALL_SUCCEEDED);
    free(events);
}

static void
a_database_of_schema_1_is_migrated_with_all_it_has(void **state)
{
    struct world *world = *state;
    static const char names[] =
        "SELECT group_concat(type || ' ' || name) FROM (SELECT * FROM sqlite_schema"
        " ORDER BY type, name)";
    sqlite3_stmt *stmt;
    char fresh[2000] = "";
    world_leave(world);
    sqlite3 *db = open_file(world);
    assert_int_equal(sqlite3_prepare_v2(db, names, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(fresh, sizeof(fresh), "%s", sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);

    make_schema_1(world);
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        world_open(world);
        check_migrated(world);
        world_leave(world);
    }
    db = open_file(world);
    assert_int_equal(number_of(db, "PRAGMA user_version"), sqlite_schema_version);
    assert_int_equal(sqlite3_prepare_v2(db, names, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(stmt, 0), fresh);
    sqlite3_finalize(stmt);
    sqlite3_close(db);

    world_open(world);
    put_subscription(world, 1, "a", 7, false);
    put_subscription(world, 3, "a", 7, true);
    assert_true(append(world, 1, EVENT_CLICK, 1, NULL, 0) > 0);
    world_reopen(world);
    assert_population(world, 1, 1, 0);
    assert_population(world, 3, 0, 1);
    check_rows(world);
}

static void
a_migration_that_the_disk_refuses_is_made_the_next_time(void **state)
{
    struct world *world = *state;
    struct err err;
    unsigned n = 1;
    for (bool hit = true; hit; n++) {
        world_leave(world);
        make_schema_1(world);
        faulty_vfs_fail(n % 2 ? FAULT_IO : FAULT_FULL, FAULT_ON_ALL, (n + 1) / 2);
        int rc = try_open(world, &err);
        hit = faulty_vfs_failures() > 0;
        assert_true(rc == 0 || (hit && (rc == E_IO || rc == E_FULL)));
        faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
        world_open(world);
        check_migrated(world);
    }
    assert_true(n > 10);
}

/* ---- what a deleted channel leaves ---- */

static void
put_many(struct world *world, uint64_t channel, size_t subscriptions,
         size_t notifications)
{
    char id[32];
    struct touch *touches = xcalloc(subscriptions, sizeof(*touches));
    struct touch_item *items = xcalloc(subscriptions, sizeof(*items));
    struct subscription_row *rows = xcalloc(subscriptions, sizeof(*rows));
    char(*ids)[32] = xcalloc(subscriptions, sizeof(*ids));
    for (size_t i = 0; i < subscriptions; i++) {
        snprintf(ids[i], sizeof(ids[i]), "s%zu", i);
        rows[i].id = slice_of(ids[i]);
        rows[i].members = SLICE("{}");
        items[i].find.id = rows[i].id;
        items[i].put = &rows[i];
        items[i].come[0] = (struct store_attribute){SLICE("of"), rows[i].id};
        items[i].come[1] = (struct store_attribute){SLICE("all"), SLICE("1")};
        items[i].n_come = 2;
        touch_init(&touches[i], world, channel, &items[i], 1);
        world_submit(world, &touches[i].store.op);
    }
    world_wait(world, subscriptions);
    for (size_t i = 0; i < subscriptions; i++)
        assert_int_equal(touches[i].store.op.result, 0);
    for (size_t i = 0; i < notifications; i++) {
        snprintf(id, sizeof(id), "n%zu", i);
        struct notification_row row = {.channel = channel, .id = slice_of(id)};
        put_notification(world, &row);
    }
    free(touches);
    free(items);
    free(rows);
    free(ids);
}

#define LEFT_OF_1                                                                      \
    "SELECT (SELECT count(*) FROM subscription WHERE channel = 1) +"                   \
    " (SELECT count(*) FROM attribute WHERE channel = 1) +"                            \
    " (SELECT count(*) FROM notification WHERE channel = 1)"

static struct channel *
channel_gone(uint64_t number)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "gone");
    channel->name = xstrdup("gone");
    channel->number = number;
    channel->deleted = true;
    return channel;
}

static void
what_a_deleted_channel_leaves_is_swept_away_in_steps(void **state)
{
    struct world *world = *state;
    assert_int_equal(put_channel(world, "gone"), 1);
    uint64_t kept = put_channel(world, "kept");
    put_many(world, 1, 1200, 30);
    put_many(world, kept, 300, 20);

    struct channel *channel = channel_gone(1);
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    struct hold before, after;
    hold_submit(world, &before);
    hold_wait(&before);
    world_submit(world, &put.op);
    hold_submit(world, &after); /* as soon as it is done */
    hold_release(&before);
    hold_wait(&after);
    int64_t left = number_of(sqlite_of(world->store)->db, LEFT_OF_1);
    hold_release(&after);
    assert_in_range(left, 3630 - 500, 3629); /* some of it, and not all at once */
    world_wait(world, 1);
    assert_int_equal(put.op.result, 0);
    world->config = put.config_after;
    channel_unref(channel);

    /* It goes on when the store has nothing to do, and after a restart. */
    for (int i = 0; i < 3000 && left > 0; i++) {
        append(world, kept, EVENT_CLICK, 1, NULL, 0);
        world->store->backend->stop(world->store);
        int64_t now = number_of(sqlite_of(world->store)->db, LEFT_OF_1);
        assert_true(now < left); /* each commit takes some along */
        left = now;
        world_reopen(world);
    }
    assert_int_equal(left, 0);
    world->store->backend->stop(world->store);
    sqlite3 *db = sqlite_of(world->store)->db;
    assert_null(sqlite_of(world->store)->unswept_channels);
    assert_int_equal(number_of(db, "SELECT count(*) FROM subscription"), 300);
    assert_int_equal(number_of(db, "SELECT count(*) FROM attribute"), 600);
    assert_int_equal(number_of(db, "SELECT count(*) FROM notification"), 20);
    world_reopen(world);
    assert_population(world, kept, 300, 0);
    check_rows(world);
}

static void
a_deleted_channel_is_not_found_while_its_rows_are_there(void **state)
{
    struct world *world = *state;
    uint64_t gone = put_channel(world, "gone"), kept = put_channel(world, "kept");
    put_subscription(world, gone, "a", 7, false);
    struct channel *channel = channel_gone(gone);
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    struct touch_item items[] = {{.find.id = SLICE("a")}, {.find.id = SLICE("a")}};
    struct touch touches[2];
    struct hold hold;
    world->config++; /* as it will be */
    touch_init(&touches[0], world, 0, &items[0], 1);
    touch_init(&touches[1], world, gone, &items[1], 1);
    hold_submit(world, &hold);
    hold_wait(&hold);
    world_submit(world, &put.op); /* all in one group, at whose end it is swept */
    world_submit(world, &touches[0].store.op);
    world_submit(world, &touches[1].store.op);
    hold_release(&hold);
    world_wait(world, 3);
    assert_int_equal(put.config_after, world->config);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(touches[i].store.op.result, E_NOT_FOUND);
        assert_int_equal(items[i].asked, 0);
    }
    channel_unref(channel);
    put_subscription(world, kept, "a", 7, false);
    items[0] = (struct touch_item){.find.id = SLICE("a")};
    assert_int_equal(touch_one(world, 0, &items[0]), 0);
    assert_int_equal(items[0].channel, kept);
}

/* ---- lists and everybody else ---- */

/* What is done, in the order in which it is: t = a touch, l = a page of a list. All of
 * it on the store's thread until the last one has been waited for. */
struct turns {
    struct world *world;
    char order[1000];
    size_t n;
    struct store_subscriptions list;
    size_t rows;
    struct touch touch;
    struct touch_item item;
    size_t touches; /* that are to come */
};

static struct turns turns;

static void
note_turn(char what)
{
    assert_true(turns.n < sizeof(turns.order) - 1);
    turns.order[turns.n++] = what;
}

static bool
list_each(struct store_subscriptions *list, const struct subscription_row *row)
{
    (void)list;
    (void)row;
    turns.rows++;
    world_advance(turns.world, 1); /* it takes a while */
    return true;
}

static void
list_done(struct store_op *op)
{
    note_turn('l');
    if (op->result == 0 && turns.list.next) {
        turns.list.after = turns.list.next;
        store_submit(turns.world->store, op);
        return;
    }
    world_done(op);
}

static void
touch_done(struct store_op *op)
{
    note_turn('t');
    if (op->result == 0 && --turns.touches > 0)
        store_submit(turns.world->store, op);
    else
        world_done(op);
}

/* A list of all of the channel, ten rows a page, each of which takes a millisecond; and
 * a touch that is done so many times, likewise. */
static void
turns_init(struct world *world, uint64_t channel, size_t touches)
{
    static const struct subscription_row row = {.id = {"s0", 2}, .members = {"{}", 2}};
    turns = (struct turns){
        .world = world,
        .touches = touches,
        .list = {.op = {.kind = STORE_SUBSCRIPTIONS, .done = list_done},
                 .channel = channel,
                 .max_rows = 10,
                 .each = list_each},
        .item = {.find.id = row.id, .put = &row, .takes_ms = 1},
    };
    touch_init(&turns.touch, world, channel, &turns.item, 1);
    turns.touch.store.op.done = touch_done;
}

static void
a_list_comes_after_the_changes_that_were_submitted_with_it(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    enum { TOUCHES = 60 };
    put_many(world, shop, 100, 0);
    struct touch *touches = xcalloc(TOUCHES, sizeof(*touches));
    struct touch_item *items = xcalloc(TOUCHES, sizeof(*items));
    const struct subscription_row row = {.id = SLICE("new"), .members = SLICE("{}")};

    turns_init(world, shop, TOUCHES);
    hold_submit(world, &hold);
    hold_wait(&hold);
    store_submit(world->store, &turns.list.op);
    for (size_t i = 0; i < TOUCHES; i++) {
        items[i] = turns.item;
        if (i == TOUCHES - 1) {
            items[i].find.id = row.id;
            items[i].put = &row;
        }
        touch_init(&touches[i], world, shop, &items[i], 1);
        touches[i].store.op.done = world_done;
        store_submit(world->store, &touches[i].store.op);
    }
    turns.touches = 1;
    store_submit(world->store, &turns.touch.store.op); /* the last one */
    hold_release(&hold);
    world_wait(world, TOUCHES + 2);
    assert_string_equal(turns.order, "tlllllllllll"); /* not one page before it */
    assert_int_equal(turns.rows, 101); /* and what they have written is in it */
    free(touches);
    free(items);
}

static void
lists_and_changes_take_turns(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    put_many(world, shop, 100, 0);
    turns_init(world, shop, 200);
    hold_submit(world, &hold);
    hold_wait(&hold);
    store_submit(world->store, &turns.list.op);
    store_submit(world->store, &turns.touch.store.op);
    hold_release(&hold);
    world_wait(world, 1);       /* the touches, which end first */
    world_advance(world, 1000); /* whatever the list was waiting for is over */
    world_wait(world, 1);
    assert_int_equal(turns.rows, 100);

    /* While both want the time, a list has its share, and changes have a larger one. */
    size_t pages = 0, since = 0;
    for (const char *at = turns.order; strchr(at, 't'); at++) {
        if (*at == 't') {
            since++;
            continue;
        }
        assert_true(pages == 0 || since >= 20);
        pages++;
        since = 0;
    }
    assert_in_range(pages, 2, 9);
}

static void
one_subscription_is_read_in_its_order(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    put_many(world, shop, 20, 0);
    turns_init(world, shop, 1);
    turns.list.id = SLICE("s1");
    hold_submit(world, &hold);
    hold_wait(&hold);
    store_submit(world->store, &turns.list.op);
    store_submit(world->store, &turns.touch.store.op);
    hold_release(&hold);
    world_wait(world, 2);
    assert_string_equal(turns.order, "lt");
}

static bool
sleep_a_day(struct store_subscriptions *list, const struct subscription_row *row)
{
    (void)list;
    (void)row;
    world_advance(turns.world, 24 * 3600 * 1000L);
    return true;
}

static void
page_done(struct store_op *op)
{
    (void)op;
    note_turn('l');
}

static void
a_machine_that_slept_in_the_middle_of_a_list_shuts_out_no_other(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    put_many(world, shop, 1, 0);
    turns_init(world, shop, 1);
    turns.list.each = sleep_a_day;
    assert_int_equal(world_run(world, &turns.list.op), 0);

    turns_init(world, shop, 1);
    turns.list.op.done = page_done;
    store_submit(world->store, &turns.list.op);
    put_subscription(world, shop, "others", 99, false); /* have their share first */
    world_advance(world, 1000);
    put_subscription(world, shop, "s0", 98, false);
    put_subscription(world, shop, "s0", 97, false);
    assert_string_equal(turns.order, "l");
}

static void
a_stop_waits_for_no_list_to_get_its_turn(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    put_many(world, shop, 100, 0);
    struct subscription_list *lists = xcalloc(3, sizeof(*lists));
    turns_init(world, shop, 1);
    turns.list.max_rows = 200;
    hold_submit(world, &hold);
    hold_wait(&hold);
    store_submit(world->store, &turns.list.op); /* after it, others have the time */
    hold_release(&hold);
    world_wait(world, 1);
    hold_submit(world, &hold);
    hold_wait(&hold);
    for (size_t i = 0; i < 3; i++) {
        subscriptions_of(&lists[i], shop);
        world_submit(world, &lists[i].list.op);
    }
    store_submit(world->store, &turns.touch.store.op);
    hold_release(&hold);
    world_wait(world, 1); /* the touch: the clock stands, so the lists wait for ever */
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(lists[i].n, 0);
    world->store->backend->stop(world->store);
    world_wait(world, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(lists[i].list.op.result, 0);
        assert_int_equal(lists[i].n, 100);
    }
    assert_int_equal(world->store->backend->depth(world->store), 0);
    free(lists);
}

/* ---- what it costs ---- */

static void
a_touch_that_changes_nothing_writes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t old = world->config;
    put_webhook(world, shop);
    put_many(world, shop, 10, 1);
    unsigned before = faulty_vfs_writes();
    struct touch_item items[] = {
        {.find = {.id = SLICE("s1"),
                  .notification = SLICE("n0"),
                  .report = SLICE("r")}},
        {.find.token = 7},
    };
    struct touch touch;
    assert_int_equal(touch_run(&touch, world, shop, items, 2), 0);
    items[0].refuse = E_NOT_FOUND;
    assert_int_equal(touch_one(world, shop, &items[0]), E_NOT_FOUND);
    assert_int_equal(touch_one(world, 0, &items[0]), E_NOT_FOUND);
    assert_int_equal(touch_one(world, 77, &items[0]), E_NOT_FOUND);
    uint64_t now = world->config;
    world->config = old;
    assert_int_equal(touch_one(world, shop, &items[0]), E_STALE);
    world->config = now;
    assert_population(world, shop, 10, 0);
    assert_int_equal(faulty_vfs_writes(), before);
}

/* What SQLite does for a page of ten that are found by what all have. */
static int
steps_of_a_page(struct world *world, uint64_t channel)
{
    struct subscription_list *list = xcalloc(1, sizeof(*list));
    struct sqlite_store *s = sqlite_of(world->store);
    subscriptions_of(list, channel);
    list->list.name = SLICE("all");
    list->list.values[0] = SLICE("1");
    list->list.max_rows = 10;
    assert_int_equal(list_subscriptions(world, list), 0);
    assert_int_equal(list->n, 10);
    assert_true(list->list.next > 0);
    free(list);
    world->store->backend->stop(world->store);
    int steps = sqlite3_stmt_status(s->stmt[STMT_SUBSCRIPTION_WITH],
                                    SQLITE_STMTSTATUS_VM_STEP, 0);
    world_reopen(world);
    return steps;
}

static void
a_page_costs_no_more_when_many_have_the_same(void **state)
{
    struct world *world = *state;
    uint64_t small = put_channel(world, "small"), large = put_channel(world, "large");
    put_many(world, small, 20, 0);
    put_many(world, large, 1000, 0);
    assert_in_range(steps_of_a_page(world, large), 1,
                    steps_of_a_page(world, small) * 11 / 10);
}

static void
many_touches_of_a_group_cost_one_sync(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    enum { TOUCHES = 100 };
    struct touch *touches = xcalloc(TOUCHES, sizeof(*touches));
    const struct subscription_row row = {.id = SLICE("a"), .members = SLICE("{}")};
    struct touch_item item = {.find.id = SLICE("a"), .put = &row, .n_events = 2};
    hold_submit(world, &hold);
    hold_wait(&hold);
    unsigned before = faulty_vfs_syncs();
    for (size_t i = 0; i < TOUCHES; i++) {
        touch_init(&touches[i], world, shop, &item, 1);
        world_submit(world, &touches[i].store.op);
    }
    hold_release(&hold);
    world_wait(world, TOUCHES);
    assert_int_equal(faulty_vfs_syncs() - before, 1);
    assert_int_equal(item.asked, TOUCHES);
    for (size_t i = 1; i < TOUCHES; i++)
        assert_int_equal(touches[i].store.first_key,
                         touches[0].store.first_key + 2 * i);
    free(touches);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_database_of_schema_1_is_migrated_with_all_it_has),
        TEST(a_migration_that_the_disk_refuses_is_made_the_next_time),
        TEST(what_a_deleted_channel_leaves_is_swept_away_in_steps),
        TEST(a_deleted_channel_is_not_found_while_its_rows_are_there),
        TEST(a_list_comes_after_the_changes_that_were_submitted_with_it),
        TEST(lists_and_changes_take_turns),
        TEST(one_subscription_is_read_in_its_order),
        TEST(a_machine_that_slept_in_the_middle_of_a_list_shuts_out_no_other),
        TEST(a_stop_waits_for_no_list_to_get_its_turn),
        TEST(a_touch_that_changes_nothing_writes_nothing),
        TEST(a_page_costs_no_more_when_many_have_the_same),
        TEST(many_touches_of_a_group_cost_one_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
