/* How figures come into rows and go: on SQLite's store alone. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"
#include "store/store_figures.h"

/* Looks at what is the store's thread's while that is held. */
struct look {
    size_t accounts;
    bool gone;
};

static struct look
look_inside(struct world *world)
{
    struct hold hold = {0};
    hold_submit(world, &hold);
    hold_wait(&hold);
    const struct sqlite_store *s = sqlite_of(world->store);
    struct look look = {s->figures.n, s->figures.at.gone};
    hold_release(&hold);
    return look;
}

/* With the store closed. */
static int
rows_where(const struct world *world, const char *what)
{
    char path[400], sql[300];
    sqlite3_stmt *stmt;
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", what);
    sqlite3 *db = open_summed(path);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static void
nothing(struct store_stats *stats, msec_t at_ms, const struct figures *figures)
{
    (void)stats, (void)at_ms, (void)figures;
}

struct sum {
    struct store_stats stats;
    struct figures figures;
};

static void
add_up(struct store_stats *stats, msec_t at_ms, const struct figures *figures)
{
    (void)at_ms;
    figures_add(&container_of(stats, struct sum, stats)->figures, figures);
}

/* Events of the last two hours. */
static uint64_t
events_of_all(struct world *world)
{
    struct sum sum = {
        .stats = {.op.kind = STORE_STATS,
                  .steps = {FIGURES_HOUR,
                            figures_begin(FIGURES_HOUR, world_now(world)) - HOUR_MS, 2},
                  .each = add_up}};
    assert_int_equal(world_run(world, &sum.stats.op), 0);
    return sum.figures.events;
}

static void
what_is_ten_seconds_old_is_written_out_with_the_next_group(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(look_inside(world).accounts, 3);
    world_advance(world, 9000);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(look_inside(world).accounts, 3);
    world_advance(world, 1000);
    uint64_t blog = put_channel(world, "blog");
    assert_int_equal(look_inside(world).accounts, 0);
    append(world, blog, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(look_inside(world).accounts, 2);
    assert_int_equal(events_of_all(world), 3);
    check_rows(world);
    assert_int_equal(rows_where(world, "rollup"), 8);
    world_open(world);
    assert_int_equal(events_of_all(world), 3);
}

/* Those of the group are not counted, those that it had written out are not lost. */
static void
a_group_that_is_rolled_back_counts_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    struct store_append op = {
        .op.kind = STORE_APPEND,
        .channel = shop,
        .config = world->config,
        .events = &event,
        .n_events = 1,
    };
    for (int i = 1; i <= 3; i++) {
        append(world, shop, EVENT_CLICK, 1, &hook, 1);
        world_advance(world, 11000);
        world->backend->fill_disk(world);
        int rc = world_run(world, &op.op);
        assert_true(rc == 0 || rc == E_FULL); /* the idle thread may have been first */
        world_await_room(world, DISK_ROOM);
        if (rc == 0)
            break;
        assert_int_equal(events_of_all(world), i);
    }
    uint64_t counted = events_of_all(world);
    struct event_list *list = xcalloc(1, sizeof(*list));
    events_of(list, shop);
    list_all_events(world, list, 100);
    assert_int_equal(counted, list->n);
    free(list);
    world_reopen(world);
    assert_int_equal(events_of_all(world), counted);
}

#define HOOKS 4500

static void
accounts_that_are_many_are_written_out_at_once(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t *hooks = xcalloc(HOOKS, sizeof(*hooks));
    for (size_t i = 0; i < HOOKS; i++)
        hooks[i] = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 1, hooks, HOOKS);
    assert_int_equal(look_inside(world).accounts, HOOKS + 2);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_true(look_inside(world).accounts <= 4096 + 2);

    /* A channel of so many is read in pieces, beside which others have their turn. */
    struct store_stats stats = {.op.kind = STORE_STATS,
                                .channel = shop,
                                .steps = {FIGURES_HOUR, 0, 1},
                                .each = nothing};
    assert_int_equal(world_run(world, &stats.op), 0);
    assert_int_equal(stats.backlog.waiting, HOOKS);
    assert_int_equal(stats.backlog.oldest_due_ms, START_MS);
    delete_channel(world, shop, "shop");
    world_leave(world);
    assert_int_equal(rows_where(world, "rollup_gone"), HOOKS + 1);
    world_open(world);
    free(hooks);
}

static void
rows_of_what_is_deleted_go(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    for (int i = 0; i < 3; i++) {
        append(world, shop, EVENT_CLICK, 1, hooks, 2);
        world_advance(world, MINUTE_MS);
    }
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    change_webhook(world, shop, hooks[0], DELETE);
    world_reopen(world); /* what is still to go is known after a restart */
    for (int i = 0; i < 500 && look_inside(world).gone; i++)
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_false(look_inside(world).gone);
    world_leave(world);
    char of[100];
    snprintf(of, sizeof(of), "rollup WHERE whose = 2 AND number = %d", (int)hooks[0]);
    assert_int_equal(rows_where(world, of), 0);
    snprintf(of, sizeof(of), "rollup WHERE whose = 2 AND number = %d", (int)hooks[1]);
    assert_true(rows_where(world, of) >= 4);
    assert_int_equal(rows_where(world, "rollup_gone"), 0);
    world_open(world);
}

static void
rows_whose_time_is_over_go(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    for (int minute = 0; minute < 10; minute++) {
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
        world_advance(world, MINUTE_MS);
    }
    world_advance(world, FIGURES_MINUTES_MS + MINUTE_MS);
    for (int i = 0; i < 3; i++)
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
    world_leave(world);
    assert_int_equal(rows_where(world, "rollup WHERE step = 0"), 2);
    assert_true(rows_where(world, "rollup WHERE step = 1") >= 4);
    world_open(world);
    world_advance(world, FIGURES_HOURS_MS + 2 * HOUR_MS);
    for (int i = 0; i < 3; i++)
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
    world_leave(world);
    assert_int_equal(rows_where(world, "rollup"), 4);
    world_open(world);
}

static void
see_height(struct store_stats *stats, msec_t at_ms, uint64_t highest)
{
    struct figures *figures = &container_of(stats, struct sum, stats)->figures;
    assert_int_equal(at_ms, stats->steps.since_ms + 2 * MINUTE_MS);
    figures_wait(figures, highest, highest);
}

static void
rows_of_before_the_backlog_was_noted_do_not_know_it(void **state)
{
    struct world *world = *state;
    char path[400];
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct sum sum = {
        .stats = {.op.kind = STORE_STATS,
                  .channel = shop,
                  .steps = {FIGURES_MINUTE,
                            figures_begin(FIGURES_MINUTE, world_now(world)) - MINUTE_MS,
                            3},
                  .each = nothing,
                  .each_backlog = see_height}};
    append(world, shop, EVENT_CLICK, 2, &hook, 1);
    world_leave(world);
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    sqlite3 *db = open_summed(path);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE rollup SET backlog_first = NULL,"
                                  " backlog_highest = NULL",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    world_open(world);
    world_advance(world, MINUTE_MS);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(world_run(world, &sum.stats.op), 0);
    assert_true(sum.figures.backlog.known);
    assert_int_equal(sum.figures.backlog.highest, 3);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_is_ten_seconds_old_is_written_out_with_the_next_group),
        TEST(a_group_that_is_rolled_back_counts_nothing),
        TEST(accounts_that_are_many_are_written_out_at_once),
        TEST(rows_of_what_is_deleted_go),
        TEST(rows_whose_time_is_over_go),
        TEST(rows_of_before_the_backlog_was_noted_do_not_know_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
