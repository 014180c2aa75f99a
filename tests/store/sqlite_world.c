#include "sqlite_world.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "store/sqlite_sum.h"

static void
drop_channel(void *ctx, struct channel *channel)
{
    (void)ctx;
    channel_unref(channel);
}

static void
drop_webhook(void *ctx, struct webhook *webhook)
{
    (void)ctx;
    webhook_unref(webhook);
}

static void
drop_key(void *ctx, const struct key *key)
{
    (void)ctx;
    (void)key;
}

int
try_open(struct world *world, struct err *err)
{
    static const struct store_loader loader = {NULL, drop_channel, drop_webhook,
                                               drop_key};
    msec_t latest;
    uint64_t config;
    *err = (struct err){0};
    int rc = world->backend->open(world, &latest, err);
    if (rc == 0) {
        rc = world->store->backend->load(world->store, &loader, &config, err);
        world->store->backend->close(world->store);
        world->store = NULL;
    }
    return rc;
}

void
check_rows(struct world *world)
{
    char path[400];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    world_leave(world);
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    db = open_summed(path);
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT webhook FROM tally t WHERE"
            " waiting <> (SELECT count(*) FROM call c WHERE c.webhook = t.webhook AND"
            "   state = 0) OR"
            " succeeded <> (SELECT count(*) FROM call c WHERE c.webhook = t.webhook AND"
            "   state = 1) OR"
            " failed <> (SELECT count(*) FROM call c WHERE c.webhook = t.webhook AND"
            "   state = 2) OR"
            " cancelled <> (SELECT count(*) FROM call c WHERE c.webhook = t.webhook AND"
            "   state = 3)"
            " UNION ALL SELECT event FROM call c WHERE attempts <> (SELECT"
            "   coalesce(max(n), 0) FROM attempt a WHERE a.event = c.event AND"
            "   a.webhook = c.webhook)"
            " UNION ALL SELECT webhook FROM call WHERE webhook NOT IN (SELECT webhook"
            "   FROM tally)"
            " UNION ALL SELECT number FROM channel c LEFT JOIN population p"
            "   ON p.channel = c.number WHERE deleted = 0 AND ("
            "   coalesce(active, 0) <> (SELECT count(*) FROM subscription s WHERE"
            "     s.channel = c.number AND s.inactive = 0) OR"
            "   coalesce(inactive, 0) <> (SELECT count(*) FROM subscription s WHERE"
            "     s.channel = c.number AND s.inactive = 1))",
            -1, &stmt, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal(sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

/* ---- the store's thread ---- */

static pthread_mutex_t hold_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hold_changed = PTHREAD_COND_INITIALIZER;

/* With the mutex held. */
static void
hold_await(const bool *flag)
{
    pthread_cond_broadcast(&hold_changed);
    while (!*flag)
        pthread_cond_wait(&hold_changed, &hold_mutex);
}

static void
hold_done(struct store_op *op)
{
    struct hold *hold = container_of(op, struct hold, counts.op);
    pthread_mutex_lock(&hold_mutex);
    hold->entered = true;
    hold_await(&hold->released);
    hold->left = true;
    pthread_cond_broadcast(&hold_changed);
    pthread_mutex_unlock(&hold_mutex);
}

void
hold_submit(struct world *world, struct hold *hold)
{
    *hold = (struct hold){.counts.op = {.kind = STORE_COUNTS, .done = hold_done}};
    store_submit(world->store, &hold->counts.op);
}

void
hold_wait(struct hold *hold)
{
    pthread_mutex_lock(&hold_mutex);
    hold_await(&hold->entered);
    pthread_mutex_unlock(&hold_mutex);
}

void
hold_release(struct hold *hold)
{
    pthread_mutex_lock(&hold_mutex);
    hold->released = true;
    hold_await(&hold->left);
    pthread_mutex_unlock(&hold_mutex);
}

sqlite3 *
open_summed(const char *path)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     sqlite_sum_vfs(NULL)),
                     SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    return db;
}

sqlite3 *
open_file(const struct world *world)
{
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    db = open_summed(path);
    return db;
}

void
make_schema_1(const struct world *world)
{
    static char sql[8000];
    char path[400];
    FILE *file = fopen(FIXTURES "/schema/1.sql", "re");
    assert_non_null(file);
    size_t n = fread(sql, 1, sizeof(sql) - 1, file);
    fclose(file);
    assert_in_range(n, 1, sizeof(sql) - 2);
    sql[n] = '\0';
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    unlink(path);
    sqlite3 *db = open_file(world);
    assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}
