/* From every schema that there ever was to today's: all rows, or nothing has happened.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/iofd.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"

#define SCHEMAS  2 /* fixtures/schema/1.sql and so on */
#define DUMP_MAX ((size_t)1 << 20)

/* With the store closed: its file is one of that schema then. */
static void
make_schema(const struct world *world, int version)
{
    static const char *const files[] = {"pushwire.db", "pushwire.db-wal", "master.key"};
    char path[400];
    char *sql;
    size_t n;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", world->dir, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), FIXTURES "/schema/%d.sql", version);
    assert_int_equal(file_read(path, DUMP_MAX, &sql, &n, NULL), 0);
    sqlite3 *db = open_file(world);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    free(sql);
}

static int
version_of(sqlite3 *db)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return version;
}

/* ---- all rows as text ---- */

/* For each table a query that makes a line of a row. What is sealed once there is a
 * master key, and what is noted at every stop, is left out: other tests look at it. */
static void
queries_of(sqlite3 *db, struct buf *queries)
{
    sqlite3_stmt *stmt;
    assert_int_equal(
        sqlite3_prepare_v2(
            db,
            "SELECT 'SELECT ''' || t.name || ':'' || ' ||"
            " (SELECT group_concat('quote(' || c.name || ')', ' || '','' || ')"
            "  FROM pragma_table_info(t.name) c WHERE c.name NOT IN"
            "  ('secret', 'headers', 'settings')) || ' FROM ' || t.name || ' ORDER BY "
            "1'"
            " FROM sqlite_schema t WHERE t.type = 'table' AND t.name NOT IN"
            " ('meta', 'sqlite_sequence') ORDER BY t.name",
            -1, &stmt, NULL),
        SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        buf_addf(queries, "%s\n", sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
}

static void
dump(sqlite3 *db, const struct buf *queries, struct buf *out)
{
    const char *at = queries->p;
    while (*at) {
        const char *end = strchr(at, '\n');
        sqlite3_stmt *stmt;
        int rc;
        assert_int_equal(sqlite3_prepare_v2(db, at, (int)(end - at), &stmt, NULL),
                         SQLITE_OK);
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
            buf_addf(out, "%s\n", sqlite3_column_text(stmt, 0));
        assert_int_equal(rc, SQLITE_DONE);
        sqlite3_finalize(stmt);
        at = end + 1;
    }
}

struct before {
    struct buf queries, rows;
};

static void
before_init(struct before *before, const struct world *world)
{
    sqlite3 *db = open_file(world);
    buf_init(&before->queries, DUMP_MAX);
    buf_init(&before->rows, DUMP_MAX);
    queries_of(db, &before->queries);
    dump(db, &before->queries, &before->rows);
    assert_true(before->rows.n > 500);
    sqlite3_close(db);
}

static void
before_fini(struct before *before)
{
    buf_fini(&before->queries);
    buf_fini(&before->rows);
}

/* Every row is there with all that it had; returns the file's version. */
static int
check_after(const struct before *before, const struct world *world)
{
    struct buf rows;
    sqlite3 *db = open_file(world);
    int version = version_of(db);
    buf_init(&rows, DUMP_MAX);
    dump(db, &before->queries, &rows);
    assert_string_equal(rows.p, before->rows.p);
    buf_fini(&rows);
    sqlite3_close(db);
    return version;
}

/* ---- tests ---- */

static void
every_row_of_every_schema_is_kept(void **state)
{
    struct world *world = *state;
    for (int schema = 1; schema <= SCHEMAS; schema++) {
        struct before before;
        world_leave(world);
        make_schema(world, schema);
        before_init(&before, world);
        for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
            world_open(world);
            assert_int_equal(world->n_webhooks, 1);
            assert_string_equal(world->webhooks[0]->headers[0].value, "1");
            if (schema > 1)
                assert_string_equal(world->channels[0]->settings.fcm_id, "123");
            assert_int_equal(world->config, 42);
            world_leave(world);
            assert_int_equal(check_after(&before, world), sqlite_schema_version);
        }
        before_fini(&before);
        world_open(world);
    }
}

/* Returns false when the migration had come to its end before the n-th write. */
static bool
migrate_with_fault(struct world *world, int schema, enum fault fault, unsigned n)
{
    struct before before;
    struct err err;
    make_schema(world, schema);
    before_init(&before, world);
    faulty_vfs_die(fault, FAULT_ON_ALL, n);
    int rc = try_open(world, &err);
    bool hit = faulty_vfs_failures() > 0;
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
    if (rc < 0) {
        assert_true(hit);
        assert_int_equal(rc, fault == FAULT_FULL ? E_FULL : E_IO);
        assert_true(strstr(err.text, "migrate to ") ||
                    strstr(err.text, "pushwire.db") || strstr(err.text, "disk"));
    }
    int version = check_after(&before, world);
    assert_true(version == schema || version == sqlite_schema_version);
    assert_int_equal(try_open(world, &err), 0);
    assert_int_equal(check_after(&before, world), sqlite_schema_version);
    before_fini(&before);
    return hit;
}

/* As a kill does: nothing is written from some moment on. */
static void
a_migration_that_is_cut_off_at_any_write_is_old_or_new(void **state)
{
    struct world *world = *state;
    world_leave(world);
    for (int schema = 1; schema <= SCHEMAS; schema++)
        for (enum fault fault = FAULT_FULL; fault <= FAULT_IO; fault++) {
            unsigned n = 1;
            while (migrate_with_fault(world, schema, fault, n))
                n += 4;
            assert_true(n > 10);
        }
    world_open(world);
}

static void
a_newer_file_is_left_as_it_is(void **state)
{
    struct world *world = *state;
    struct err err;
    char path[400];
    char *bytes[2];
    size_t n[2];
    put_channel(world, "shop");
    world_leave(world);
    sqlite3 *db = open_file(world);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    snprintf(path, sizeof(path), "%s/pushwire.db", world->dir);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(file_read(path, DUMP_MAX, &bytes[i], &n[i], NULL), 0);
        if (i == 0)
            assert_int_equal(try_open(world, &err), E_CONFLICT);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    free(bytes[0]);
    free(bytes[1]);
    unlink(path);
    world_open(world);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(every_row_of_every_schema_is_kept),
        TEST(a_migration_that_is_cut_off_at_any_write_is_old_or_new),
        TEST(a_newer_file_is_left_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
