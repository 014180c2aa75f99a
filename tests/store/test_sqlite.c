/* What is SQLite's alone: the lock, the file, query plans, work between groups. */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"
#include "store/sqlite_sum.h"

/* With the store closed: changes the file behind its back. */
/* As the program itself would: what others write has no checksum. */
static void
change_file(struct world *world, const char *sql)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    db = open_summed(path);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ---- the file ---- */

static void
a_second_open_is_refused_while_the_first_lasts(void **state)
{
    struct world *world = *state;
    struct store *first = world->store;
    struct err err;
    assert_int_equal(try_open(world, &err), E_BUSY);
    assert_non_null(strstr(err.text, "another pushwire is using "));
    assert_non_null(strstr(err.text, world->dir));

    world->store = first;
    world_leave(world);
    assert_int_equal(try_open(world, &err), 0);
}

static void
the_file_is_locked_for_other_programs_too(void **state)
{
    struct world *world = *state;
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "SELECT * FROM meta", NULL, NULL, NULL),
                     SQLITE_BUSY);
    sqlite3_close(db);
}

static void
folder_and_files_are_the_owners_alone(void **state)
{
    struct world *world = *state;
    struct err err;
    char path[400], dir[64];
    struct stat st;
    put_channel(world, "shop");
    DIR *open_dir = opendir(world->dir);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(open_dir)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", world->dir, entry->d_name);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        n++;
    }
    closedir(open_dir);
    assert_true(n >= 3); /* database, log, lock */

    world_leave(world);
    memcpy(dir, world->dir, sizeof(dir));
    snprintf(world->dir, sizeof(world->dir), "%.50s/made", dir);
    assert_int_equal(try_open(world, &err), 0);
    assert_int_equal(stat(world->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    world->backend->clean_up(world);
    snprintf(world->dir, sizeof(world->dir), "%.50s/no/parent", dir);
    assert_int_equal(try_open(world, &err), E_IO);
    memcpy(world->dir, dir, sizeof(dir));
}

static void
newer_and_foreign_files_are_refused(void **state)
{
    struct world *world = *state;
    struct err err;
    char path[400];
    world_leave(world);
    change_file(world, "PRAGMA user_version = 99");
    assert_int_equal(try_open(world, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "newer pushwire (schema 99; "));

    change_file(world, "PRAGMA user_version = 1; PRAGMA application_id = 5");
    assert_int_equal(try_open(world, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "another program"));

    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", file);
    fclose(file);
    assert_int_equal(try_open(world, &err), E_IO);
    assert_non_null(strstr(err.text, "not a database"));
}

static void
the_latest_time_is_known_after_a_restart(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    world_reopen(world);
    assert_in_range(world->latest_steady_ms, START_MS, START_MS + 1000);
    world_advance(world, HOUR_MS); /* no event, but a write */
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    atomic_store(&world->time.now_us, (START_MS - HOUR_MS) * 1000);
    world_reopen(world);
    assert_int_equal(world->latest_steady_ms, START_MS + HOUR_MS);
    assert_int_equal(world_now(world), START_MS + HOUR_MS);
}

/* ---- plans ---- */

/* No list scans a table or sorts: both would read all there is. */
static void
every_statement_uses_an_index(void **state)
{
    struct world *world = *state;
    struct sqlite_store *s = sqlite_of(world->store);
    char sql[1000];
    world->store->backend->stop(world->store);
    for (int i = 0; i < STMTS; i++) {
        sqlite3_stmt *plan;
        if (i == STMT_BEGIN || i == STMT_COMMIT)
            continue;
        snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sqlite_sql[i]);
        assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &plan, NULL), SQLITE_OK);
        while (sqlite3_step(plan) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(plan, 3);
            bool bounded = i == STMT_IDEMPOTENCY_OLDEST ||
                           i == STMT_IDEMPOTENCY_PURGE ||
                           i == STMT_SUBSCRIPTION_WITH || /* by its own LIMIT */
                           i == STMT_NOTICE_PURGE ||
                           i == STMT_NOTICES_WAITING; /* STORE_NOTICES_MAX rows */
            if ((strncmp(step, "SCAN", 4) == 0 && !bounded) ||
                strstr(step, "TEMP B-TREE") || strstr(step, "AUTOMATIC"))
                fail_msg("%s: %s", sqlite_sql[i], step);
        }
        sqlite3_finalize(plan);
    }
}

static void
expect_plan(struct sqlite_store *s, enum sqlite_stmt stmt, const char *want)
{
    char sql[1000], all[1000] = "";
    sqlite3_stmt *plan;
    snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", sqlite_sql[stmt]);
    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        size_t n = strlen(all);
        snprintf(all + n, sizeof(all) - n, "%s; ", sqlite3_column_text(plan, 3));
    }
    sqlite3_finalize(plan);
    if (!strstr(all, want))
        fail_msg("%s\n%s\nwanted: %s", sqlite_sql[stmt], all, want);
}

static void
places_are_reached_by_one_seek(void **state)
{
    struct world *world = *state;
    struct sqlite_store *s = sqlite_of(world->store);
    world->store->backend->stop(world->store);
    expect_plan(s, STMT_DUE, "call_due (webhook=? AND (due_ms,event)>(?,?))");
    expect_plan(s, STMT_ENDED,
                "call_ended (channel=? AND event>? AND (event,webhook)<(?,?))");
    expect_plan(s, STMT_EVENT_LIST,
                "event_channel (channel=? AND rowid>? AND rowid<?)");
    expect_plan(s, STMT_FOUND_SEEK, "found_place (run=? AND (token,key)<(?,?))");
    expect_plan(s, STMT_FOUND_NEXT, "found_place (run=? AND (token,key)>(?,?))");
    expect_plan(s, STMT_WAITING_OF, "COVERING INDEX call_due (webhook=?)");
    expect_plan(s, STMT_CALL_SETTLE, "PRIMARY KEY (event=? AND webhook=?)");
    expect_plan(s, STMT_CALL_RETRY, "PRIMARY KEY (event=? AND webhook=?)");
    expect_plan(s, STMT_SWEEP, "COVERING INDEX call_due (webhook=?)");
    expect_plan(s, STMT_SUBSCRIPTION_BY_ID, "subscription_id (id=? AND channel=?)");
    expect_plan(s, STMT_SUBSCRIPTION_BY_TOKEN,
                "subscription_token (token=? AND channel=?)");
    expect_plan(s, STMT_SUBSCRIPTION_ANYWHERE, "COVERING INDEX subscription_id (id=?)");
    expect_plan(s, STMT_SUBSCRIPTION_LIST,
                "subscription_channel (channel=? AND rowid>?)");
    expect_plan(s, STMT_SUBSCRIPTION_WITH,
                "PRIMARY KEY (channel=? AND name=? AND value=? AND subscription>?)");
    expect_plan(s, STMT_ATTRIBUTE_SWEEP, "PRIMARY KEY (channel=?)");
    expect_plan(s, STMT_SUBSCRIPTION_SWEEP,
                "COVERING INDEX subscription_channel (channel=?)");
    expect_plan(s, STMT_EVENT_WALK, "PRIMARY KEY (rowid>? AND rowid<?)");
    expect_plan(s, STMT_CALL_DROP, "PRIMARY KEY (event=? AND webhook=?)");
    expect_plan(s, STMT_ATTEMPTS_DROP, "PRIMARY KEY (event=? AND webhook=?)");
    expect_plan(s, STMT_REPORT_WALK,
                "PRIMARY KEY ((notification,subscription,what)>(?,?,?))");
    expect_plan(s, STMT_REPORT_DROP,
                "PRIMARY KEY ((notification,subscription,what)>(?,?,?) AND "
                "(notification,subscription,what)<(?,?,?))");
    expect_plan(s, STMT_REPORT_GET,
                "PRIMARY KEY (notification=? AND subscription=? AND what=?)");
    expect_plan(s, STMT_NOTIFICATION_LIST,
                "notification_channel (channel=? AND rowid<?)");
    expect_plan(s, STMT_NOTIFICATION_SWEEP,
                "COVERING INDEX notification_channel (channel=?)");
}

/* ---- between groups ---- */

static void
calls_of_deleted_webhooks_are_moved_in_the_background(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    append(world, shop, EVENT_CLICK, 3000, hooks, 2);
    change_webhook(world, shop, hooks[0], DELETE);
    /* Sweeping goes on when the store has nothing to do, which a stop waits for only
     * as far as the step under way: so go back until it is over. */
    struct sqlite_store *s;
    for (int i = 0; i < 3000; i++) {
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
        world->store->backend->stop(world->store);
        s = sqlite_of(world->store);
        if (!s->unswept)
            break;
        world_reopen(world);
    }
    assert_null(s->unswept);
    assert_int_equal(((struct sqlite_webhook *)map_get(&s->webhooks, hooks[0], 0))
                         ->calls[CALL_WAITING],
                     0);
    check_rows(world);
}

/* ---- groups ---- */

static void
a_group_costs_one_sync(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct hold hold;
    struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    struct store_append appends[100];
    unsigned before = faulty_vfs_syncs();
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(faulty_vfs_syncs() - before, 1);

    hold_submit(world, &hold);
    hold_wait(&hold);
    before = faulty_vfs_syncs();
    for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
        appends[i] = (struct store_append){
            .op.kind = STORE_APPEND,
            .channel = shop,
            .config = world->config,
            .events = &event,
            .n_events = 1,
        };
        world_submit(world, &appends[i].op);
    }
    hold_release(&hold);
    world_wait(world, ARRAY_LEN(appends));
    assert_int_equal(faulty_vfs_syncs() - before, 1);
}

/* ---- idempotency keys go ---- */

static void
old_idempotency_keys_are_purged(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    for (int i = 0; i < 250; i++) {
        char key[32];
        snprintf(key, sizeof(key), "key-%d", i);
        struct store_append append = {
            .op.kind = STORE_APPEND,
            .channel = shop,
            .config = world->config,
            .events = &event,
            .n_events = 1,
            .idempotency_key = slice_of(key),
        };
        assert_int_equal(world_run(world, &append.op), 0);
    }
    world_advance(world, STORE_IDEMPOTENCY_MS);
    for (int i = 0; i < 4; i++)
        append(world, shop, EVENT_CLICK, 1, NULL, 0);
    struct sqlite_store *s = sqlite_of(world->store);
    world->store->backend->stop(world->store);
    assert_true(s->idempotency_oldest_ms == MSEC_NEVER);
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(s->db, "SELECT count(*) FROM idempotency", -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 0);
    sqlite3_finalize(stmt);
}

static void
reads_write_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 10, &hook, 1);
    world_advance(world, 5000); /* less than what is noted by itself waits for */
    unsigned before = faulty_vfs_writes();
    struct call_list *calls = xcalloc(1, sizeof(*calls));
    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    calls_of(calls, shop);
    assert_int_equal(list_calls(world, calls), 0);
    read_due(world, due, hook, DUE_AT_START, MSEC_NEVER, 10);
    state_of(world, shop, key, hook);
    counts_of(world);
    assert_int_equal(retry(world, shop, key + 77, hook, 0), E_NOT_FOUND);
    assert_int_equal(faulty_vfs_writes(), before);
    free(calls);
    free(due);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_second_open_is_refused_while_the_first_lasts),
        TEST(the_file_is_locked_for_other_programs_too),
        TEST(folder_and_files_are_the_owners_alone),
        TEST(newer_and_foreign_files_are_refused),
        TEST(the_latest_time_is_known_after_a_restart),
        TEST(every_statement_uses_an_index),
        TEST(places_are_reached_by_one_seek),
        TEST(calls_of_deleted_webhooks_are_moved_in_the_background),
        TEST(a_group_costs_one_sync),
        TEST(old_idempotency_keys_are_purged),
        TEST(reads_write_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
