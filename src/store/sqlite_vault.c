/* How what is secret stands in the rows: sealed, each for its own place, with a master
 * key that is in a file beside the database. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "base/iofd.h"
#include "base/mem.h"
#include "store/sqlite_private.h"

#define KEY_FILE_MAX 4096
#define ABOUT_ROOM   80
#define RESEAL_ROWS  100 /* in one commit */

/* Every column that holds sealed text; '' is nothing, and stays that. */
static const struct place {
    const char *table, *column;
    const char *select, *update;
} places[SQLITE_SEALED] = {
#define PLACE(table, column)                                                           \
    {                                                                                  \
        table, column,                                                                 \
            "SELECT number, " column " FROM " table " WHERE number > ?1 AND " column   \
            " <> '' AND substr(" column ", 1, length(?2)) <> ?2"                       \
            " ORDER BY number LIMIT ?3",                                               \
            "UPDATE " table " SET " column " = ?2 WHERE number = ?1"                   \
    }
    [SQLITE_SECRET] = PLACE("webhook", "secret"),
    [SQLITE_HEADERS] = PLACE("webhook", "headers"),
    [SQLITE_SETTINGS] = PLACE("channel", "settings"),
#undef PLACE
};

static struct slice
about(char room[ABOUT_ROOM], enum sqlite_sealed place, uint64_t number)
{
    int n = snprintf(room, ABOUT_ROOM, "%s %llu %s", places[place].table,
                     (unsigned long long)number, places[place].column);
    assert(n > 0 && n < ABOUT_ROOM);
    return (struct slice){room, (size_t)n};
}

void
sqlite_seal(struct sqlite_store *s, enum sqlite_sealed place, uint64_t number,
            struct slice text, struct buf *out)
{
    char room[ABOUT_ROOM];

    if (text.n == 0)
        return;
    int rc = vault_seal(&s->vault, about(room, place, number), text, &rng_system, out);
    assert(rc == 0);
}

int
sqlite_unseal(struct sqlite_store *s, enum sqlite_sealed place, uint64_t number,
              struct slice sealed, struct buf *out)
{
    char room[ABOUT_ROOM];

    if (sealed.n == 0 ||
        vault_open(&s->vault, about(room, place, number), sealed, out) == 0)
        return 0;
    snprintf(s->broken_why, sizeof(s->broken_why),
             "database: %s of %s %llu is not what was sealed for it",
             places[place].column, places[place].table, (unsigned long long)number);
    return E_IO;
}

/* ---- statements that are needed only here ---- */

static int
exec(struct sqlite_store *s, const char *sql)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_failed(s, rc);
}

static int
number_of(struct sqlite_store *s, const char *sql, int64_t *number)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *number = sqlite3_column_int64(stmt, 0);
    int result = rc == SQLITE_ROW ? 0 : sqlite_failed(s, rc);
    sqlite3_finalize(stmt);
    return result;
}

/* With the first key's id as its parameter. */
static int
exec_with_key(struct sqlite_store *s, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(stmt, 1, s->vault.keys[0].id, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    int result = rc == SQLITE_DONE ? 0 : sqlite_failed(s, rc);
    sqlite3_finalize(stmt);
    return result;
}

/* ---- the key file ---- */

/* The first `n` of them. */
static int
write_keys(const struct sqlite_store *s, size_t n, struct err *err)
{
    struct vault some = s->vault;
    struct buf text;

    some.n = n;
    buf_init_mem(&text, KEY_FILE_MAX, &mem_secret);
    int rc = vault_write(&some, &text);
    vault_wipe(&some);
    assert(rc == 0);
    rc = file_write(s->key_path, text.p, text.n, 0600, err);
    buf_fini(&text);
    return rc;
}

/* By everybody: a group may be what gives the file to this process alone, as systemd's
 * credentials are given. */
static int
check_mode(const char *path, struct err *err)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 007) != 0)
        return err_set(err, E_INVALID,
                       "%s: everybody can read the master key: chmod 600 it", path);
    return 0;
}

/* E_NOT_FOUND: there is no file. */
static int
read_keys(struct sqlite_store *s, struct err *err)
{
    char *text;
    size_t n;

    int rc = file_read(s->key_path, KEY_FILE_MAX, &text, &n, err);
    if (rc != 0)
        return rc;
    rc = vault_read(&s->vault, (struct slice){text, n}, err);
    if (rc != 0)
        err_wrap(err, "%s", s->key_path);
    crypto_wipe(text, n);
    free(text);
    return rc == 0 ? check_mode(s->key_path, err) : rc;
}

/* The keys that rows may be sealed with are in the table before the first such row, so
 * what is missing is noticed before anything needs it. */
static int
check_keys(struct sqlite_store *s, const char *dir, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "SELECT id FROM master_key", -1, &stmt, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(stmt, 0);
        rc = SQLITE_OK;
        if (!vault_has(&s->vault, slice_of(id))) {
            err_set(err, E_CONFLICT,
                    "the secrets in %s were encrypted with the master key %s, which "
                    "%s: put the file back that holds it",
                    dir, id,
                    s->vault.n ? "is not in the key file" : "has no file any more");
            sqlite3_finalize(stmt);
            return err_wrap(err, "%s", s->key_path);
        }
    }
    sqlite3_finalize(stmt);
    if (rc == SQLITE_DONE)
        return 0;
    return err_set(err, sqlite_failed(s, rc), "%s", s->broken_why);
}

/* A new store gets a key, and nothing else does: whoever has lost the key of a store
 * that has secrets must hear of it. */
static int
load_keys(struct sqlite_store *s, const char *dir, struct err *err)
{
    int rc = read_keys(s, err);
    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    bool is_missing = rc == E_NOT_FOUND;
    rc = check_keys(s, dir, err);
    if (rc == 0 && is_missing) {
        rc = vault_make_key(&s->vault, &rng_system, err);
        if (rc == 0)
            rc = write_keys(s, s->vault.n, err);
    }
    return rc;
}

/* ---- sealing anew ---- */

/* What an older version wrote is not sealed at all. */
static int
reseal_text(struct sqlite_store *s, enum sqlite_sealed place, uint64_t number,
            struct slice old, bool may_be_plain, struct buf *out)
{
    struct slice id;
    struct buf plain;
    int rc = 0;

    if (may_be_plain && !vault_sealed_with(old, &id)) {
        sqlite_seal(s, place, number, old, out);
        return 0;
    }
    buf_init_mem(&plain, SQLITE_SEALED_MAX, &mem_secret);
    rc = sqlite_unseal(s, place, number, old, &plain);
    if (rc == 0)
        sqlite_seal(s, place, number, buf_slice(&plain), out);
    buf_fini(&plain);
    return rc;
}

/* Up to RESEAL_ROWS behind *after; *rows says how many there were. */
static int
reseal_some(struct sqlite_store *s, enum sqlite_sealed place, bool may_be_plain,
            sqlite3_stmt *select, sqlite3_stmt *update, int64_t *after, int *rows)
{
    int rc = exec(s, "BEGIN");

    *rows = 0;
    sqlite3_bind_int64(select, 1, *after);
    while (rc == 0 && (rc = sqlite3_step(select)) == SQLITE_ROW) {
        struct buf sealed;
        *after = sqlite3_column_int64(select, 0);
        struct slice old = {(const char *)sqlite3_column_text(select, 1),
                            (size_t)sqlite3_column_bytes(select, 1)};
        buf_init(&sealed, SQLITE_SEALED_MAX);
        rc = reseal_text(s, place, (uint64_t)*after, old, may_be_plain, &sealed);
        if (rc == 0) {
            sqlite3_bind_int64(update, 1, *after);
            sqlite3_bind_text(update, 2, sealed.p, (int)sealed.n, SQLITE_STATIC);
            rc = sqlite3_step(update);
            rc = rc == SQLITE_DONE ? 0 : sqlite_failed(s, rc);
            sqlite3_reset(update);
        }
        buf_fini(&sealed);
        ++*rows;
    }
    if (rc > 0)
        rc = rc == SQLITE_DONE ? 0 : sqlite_failed(s, rc);
    sqlite3_reset(select);
    return rc == 0 ? exec(s, "COMMIT") : rc;
}

static int
reseal_place(struct sqlite_store *s, enum sqlite_sealed place, bool may_be_plain)
{
    sqlite3_stmt *select = NULL, *update = NULL;
    char current[64];
    int64_t after = 0;
    int rows = RESEAL_ROWS;

    int n =
        snprintf(current, sizeof(current), "%s%s:", VAULT_PREFIX, s->vault.keys[0].id);
    assert(n > 0 && (size_t)n < sizeof(current));
    int rc = sqlite3_prepare_v2(s->db, places[place].select, -1, &select, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(s->db, places[place].update, -1, &update, NULL);
    rc = rc == SQLITE_OK ? 0 : sqlite_failed(s, rc);
    if (rc == 0) {
        sqlite3_bind_text(select, 2, current, -1, SQLITE_STATIC);
        sqlite3_bind_int(select, 3, RESEAL_ROWS);
    }
    while (rc == 0 && rows == RESEAL_ROWS)
        rc = reseal_some(s, place, may_be_plain, select, update, &after, &rows);
    sqlite3_finalize(select);
    sqlite3_finalize(update);
    return rc;
}

/* ---- what rows have held before ---- */

#define FILL_PAGES 4096

/* Free pages keep what was in them: each is given to a table of zeros once. */
static int
wipe_free_pages(struct sqlite_store *s)
{
    int64_t free_pages = 0, page_bytes = 0;
    char sql[100];

    int rc = exec(s, "CREATE TABLE IF NOT EXISTS filler(zeros BLOB NOT NULL) STRICT");
    if (rc == 0)
        rc = number_of(s, "PRAGMA page_size", &page_bytes);
    if (rc == 0)
        rc = number_of(s, "PRAGMA freelist_count", &free_pages);
    while (rc == 0 && free_pages > 0) {
        int64_t pages = free_pages < FILL_PAGES ? free_pages : FILL_PAGES;
        snprintf(sql, sizeof(sql), "INSERT INTO filler VALUES(zeroblob(%lld))",
                 (long long)(pages * page_bytes));
        rc = exec(s, sql);
        if (rc == 0)
            rc = number_of(s, "PRAGMA freelist_count", &free_pages);
    }
    return rc == 0 ? exec(s, "DROP TABLE filler") : rc;
}

/* A page has room between its rows, where older ones stood: the rows move out, the
 * pages become zeros, and the rows move in again. Then the same for the log. */
static int
scrub(struct sqlite_store *s)
{
    int rc = exec(s, "PRAGMA secure_delete = ON; BEGIN;"
                     "CREATE TEMP TABLE kept AS SELECT * FROM main.webhook;"
                     "DELETE FROM main.webhook;"
                     "INSERT INTO main.webhook SELECT * FROM kept;"
                     "DROP TABLE kept;"
                     "CREATE TEMP TABLE kept AS SELECT * FROM main.channel;"
                     "DELETE FROM main.channel;"
                     "INSERT INTO main.channel SELECT * FROM kept;"
                     "DROP TABLE kept; COMMIT; PRAGMA secure_delete = OFF");
    if (rc == 0)
        rc = wipe_free_pages(s);
    return rc == 0 ? exec(s, "PRAGMA wal_checkpoint(TRUNCATE)") : rc;
}

/* Every row with the first key, in small commits. When that is done, no other key is
 * needed, and nothing on disk can be opened with another one. */
static int
reseal(struct sqlite_store *s)
{
    int64_t plain = 0, others = 0, rows = 0;
    char sql[100];

    snprintf(sql, sizeof(sql), "SELECT count(*) FROM master_key WHERE id <> '%s'",
             s->vault.keys[0].id);
    int rc = exec_with_key(s, "INSERT OR IGNORE INTO master_key VALUES(?1)");
    if (rc == 0)
        rc = number_of(s, sql, &others);
    if (rc == 0)
        rc =
            number_of(s, "SELECT value FROM meta WHERE name = 'plain_secrets'", &plain);
    if (rc == 0)
        rc = number_of(s, "SELECT count(*) FROM sqlite_sequence", &rows);
    if (rc < 0 || (!plain && !others))
        return rc;

    for (int place = 0; place < SQLITE_SEALED && rc == 0; place++)
        rc = reseal_place(s, (enum sqlite_sealed)place, plain);
    if (rc == 0 && rows > 0)
        rc = scrub(s);
    if (rc == 0)
        rc = exec(s, "UPDATE meta SET value = 0 WHERE name = 'plain_secrets'");
    if (rc == 0)
        rc = exec_with_key(s, "DELETE FROM master_key WHERE id <> ?1");
    return rc;
}

static int
reseal_all(struct sqlite_store *s, const char *dir, struct err *err)
{
    int rc = reseal(s);
    if (rc == 0)
        return 0;
    return err_set(err, rc, "encrypt the secrets in %s: %s", dir,
                   rc == E_FULL ? "the disk is full" : s->broken_why);
}

int
sqlite_vault_open(struct sqlite_store *s, const char *dir, struct err *err)
{
    int rc = load_keys(s, dir, err);
    return rc == 0 ? reseal_all(s, dir, err) : rc;
}

/* All but the first: nothing is sealed with them. */
static void
forget_others(struct vault *vault)
{
    crypto_wipe(vault->keys + 1, (vault->n - 1) * sizeof(vault->keys[0]));
    vault->n = 1;
}

int
sqlite_vault_rotate(struct sqlite_store *s, const char *dir, struct err *err)
{
    forget_others(&s->vault); /* of rotations that were cut off */
    int rc = vault_make_key(&s->vault, &rng_system, err);
    /* On disk before the first row needs it, beside the one that rows need still. */
    if (rc == 0)
        rc = write_keys(s, fault_on("key-dropped-early") ? 1 : s->vault.n, err);
    if (rc == 0)
        rc = reseal_all(s, dir, err);
    if (rc != 0)
        return rc;
    forget_others(&s->vault);
    return write_keys(s, 1, err);
}
