/* How what has ended goes from the file: a little at a time, whole, and not because of
 * a clock. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"

#define DAY_MS (24 * HOUR_MS)

static void
keep(struct world *world, msec_t succeeded_ms, msec_t failed_ms, uint64_t bytes)
{
    world_leave(world);
    world->keep = (struct store_keep){succeeded_ms, failed_ms, bytes};
    world_open(world);
}

/* One number from the file of a store that is not open. */
static int64_t
number_in_file(struct world *world, const char *sql)
{
    char path[400];
    sqlite3_stmt *stmt;
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    sqlite3 *db = open_summed(path);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return number;
}

static int64_t
rows_of(struct world *world, const char *table)
{
    char sql[100];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", table);
    return number_in_file(world, sql);
}

/* An event with calls of 40 webhooks, three attempts each: more than a step's rows. */
static uint64_t
big_event(struct world *world, uint64_t shop, uint64_t hooks[40])
{
    for (size_t i = 0; i < 40; i++)
        hooks[i] = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, hooks, 40);
    for (size_t i = 0; i < 40; i++) {
        settle(world, key, hooks[i], 1, CALL_WAITING, START_MS + 1000);
        settle(world, key, hooks[i], 2, CALL_WAITING, START_MS + 2000);
        settle(world, key, hooks[i], 3, i % 2 ? CALL_FAILED : CALL_SUCCEEDED, 0);
    }
    return key;
}

/* Runs groups that carry nothing but a small write until nothing is left to do. */
static void
ride_until_done(struct world *world, uint64_t shop)
{
    struct sqlite_store *s = sqlite_of(world->store);
    for (int i = 0; i < 2000; i++) {
        world_advance(world, 2000);
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
    }
    world->store->backend->stop(world->store);
    assert_false(s->retention.more);
}

static void
an_event_with_many_calls_goes_in_pieces_and_leaves_nothing_behind(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hooks[40];
    uint64_t key = big_event(world, shop, hooks);
    keep(world, DAY_MS, DAY_MS, 0);
    world_advance(world, 2 * DAY_MS);
    struct call_list *calls = xcalloc(1, sizeof(*calls));
    size_t seen = 40;
    /* At every moment its calls are whole or gone: a list of them fails otherwise. */
    for (int i = 0; seen > 0 && i < 20000; i++) {
        calls_of(calls, shop);
        calls->n = 0;
        assert_int_equal(list_calls(world, calls), 0);
        assert_true(calls->n <= seen);
        for (size_t c = 0; c < calls->n; c++)
            assert_int_equal(calls->calls[c].record.last.n, 3);
        seen = calls->n;
        world_advance(world, 10);
    }
    free(calls);
    assert_int_equal(seen, 0);
    struct event_look *look = xcalloc(1, sizeof(*look));
    for (int i = 0; i < 1000 && look_at_event(world, look, shop, key) == 0; i++)
        world_advance(world, 10);
    free(look);
    check_rows(world);
    assert_int_equal(rows_of(world, "event"), 0);
    assert_int_equal(rows_of(world, "call"), 0);
    assert_int_equal(rows_of(world, "attempt"), 0);
}

static void
a_group_carries_few_rows_of_it(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 3000, NULL, 0);
    uint64_t waiting = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    keep(world, DAY_MS, DAY_MS, 0);
    struct sqlite_store *s = sqlite_of(world->store);
    world->store->backend->stop(world->store);
    world_advance(world, 2 * DAY_MS);

    int64_t left = 3001;
    for (int i = 0; left > 1; i++) {
        assert_true(i < 1000);
        assert_int_equal(sqlite_retention_ride(s, 20), 0);
        assert_int_equal(sqlite_commit_own(s, 0), 0);
        uint64_t rows = s->retention.untold;
        assert_in_range(3001 - (int64_t)rows, left - 21, left);
        left = 3001 - (int64_t)rows;
    }
    (void)waiting;
    check_rows(world);
    assert_int_equal(rows_of(world, "event"), 1);
}

static void
it_goes_on_though_the_store_is_never_idle(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    append(world, shop, EVENT_CLICK, 500, NULL, 0);
    keep(world, DAY_MS, DAY_MS, 0);
    world_advance(world, 2 * DAY_MS);
    ride_until_done(world, shop);
    check_rows(world);
    assert_int_equal(rows_of(world, "event"), 2000);
}

/* True when there was an n-th write to fail. */
static bool
go_with_fault(enum fault fault, unsigned n)
{
    struct world *world = world_new(&world_sqlite);
    world->vfs = FAULTY_VFS;
    world_open(world);
    uint64_t shop = put_channel(world, "shop"), hooks[40];
    big_event(world, shop, hooks);
    append(world, shop, EVENT_CLICK, 50, NULL, 0);
    keep(world, DAY_MS, DAY_MS, 0);
    world_advance(world, 2 * DAY_MS);
    faulty_vfs_die(fault, FAULT_ON_ALL, n);
    struct event_list *events = xcalloc(1, sizeof(*events));
    for (int i = 0; i < 20000 && faulty_vfs_failures() == 0; i++) {
        events_of(events, shop);
        events->n = 0;
        world_advance(world, 100);
        if (list_events(world, events) == 0 && events->n == 0)
            break;
    }
    free(events);
    bool hit = faulty_vfs_failures() > 0;
    world->backend->leave(world);
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);
    /* What the log has is copied by a store first: SQLite alone knows no checksums. */
    world->keep = (struct store_keep){0};
    world_open(world);
    check_rows(world);
    assert_int_equal(number_in_file(world,
                                    "SELECT count(*) FROM call WHERE event NOT IN"
                                    " (SELECT key FROM event)"),
                     0);
    assert_int_equal(number_in_file(world, "SELECT count(*) FROM attempt a WHERE NOT"
                                           " EXISTS (SELECT 1 FROM call c WHERE c.event"
                                           " = a.event AND c.webhook = a.webhook)"),
                     0);
    if (!hit)
        assert_int_equal(rows_of(world, "event"), 0);
    world_open(world);
    world_free(world);
    return hit;
}

static void
a_fault_in_the_middle_leaves_every_event_whole_or_gone(void **state)
{
    (void)state;
    for (enum fault fault = FAULT_FULL; fault <= FAULT_IO; fault++) {
        unsigned n = 1;
        while (go_with_fault(fault, n))
            n += 5;
        assert_true(n > 10);
    }
}

/* A start with a clock that is years ahead must not take everything. */
static void
a_clock_that_is_set_ahead_takes_nothing_before_its_time(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t old = append(world, shop, EVENT_CLICK, 10, NULL, 0);
    keep(world, 7 * DAY_MS, 30 * DAY_MS, 0);
    world_leave(world);
    world_advance(world, 3650 * DAY_MS);
    world_open(world);
    struct event_look *look = xcalloc(1, sizeof(*look));
    uint64_t new = append(world, shop, EVENT_CLICK, 10, NULL, 0);
    /* Again, so that it is seen to be on disk. */
    world_advance(world, 10 * 1000);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    world_reopen(world);
    for (int day = 1; day <= 5; day++) {
        world_advance(world, DAY_MS);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(look_at_event(world, look, shop, old), 0);
            world_advance(world, 1000);
        }
    }
    /* A day of the gap counts, and their time goes on. */
    world_advance(world, 2 * DAY_MS);
    for (int i = 0; look_at_event(world, look, shop, old) == 0; i++) {
        assert_true(i < 20000);
        world_advance(world, 1000);
    }
    assert_int_equal(look_at_event(world, look, shop, new), 0);
    world_advance(world, 2 * DAY_MS);
    for (int i = 0; look_at_event(world, look, shop, new) == 0; i++) {
        assert_true(i < 20000);
        world_advance(world, 1000);
    }
    free(look);
}

static void
room_that_was_freed_is_used_again(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    keep(world, DAY_MS, DAY_MS, 0);
    int64_t pages = 0;
    for (int day = 0; day < 12; day++) {
        uint64_t key = append(world, shop, EVENT_CLICK, 1000, NULL, 0);
        world_advance(world, DAY_MS + 2 * HOUR_MS);
        struct event_look *look = xcalloc(1, sizeof(*look));
        for (int i = 0; look_at_event(world, look, shop, key + 999) == 0; i++) {
            assert_true(i < 20000);
            world_advance(world, 10);
        }
        free(look);
        if (day != 2 && day != 11)
            continue;
        world_leave(world);
        int64_t now = number_in_file(world, "PRAGMA page_count");
        if (day == 2)
            pages = now;
        else
            assert_in_range(now, 1, pages + pages / 4);
        world_open(world);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(an_event_with_many_calls_goes_in_pieces_and_leaves_nothing_behind),
        TEST(a_group_carries_few_rows_of_it),
        TEST(it_goes_on_though_the_store_is_never_idle),
        cmocka_unit_test(a_fault_in_the_middle_leaves_every_event_whole_or_gone),
        TEST(a_clock_that_is_set_ahead_takes_nothing_before_its_time),
        TEST(room_that_was_freed_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
