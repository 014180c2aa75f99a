#include "store/sqlite_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/iofd.h"
#include "base/mem.h"

#define CACHE_BYTES_DEFAULT ((size_t)32 << 20)
/* After a burst the log file shrinks back to this. */
#define WAL_KEPT_BYTES (64 << 20)

/* ---- statements ---- */

int
sqlite_failed(struct sqlite_store *s, int rc)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return E_FULL;
    if (rc == SQLITE_IOERR_FSYNC && fault_on("sync-believed"))
        return E_FULL;
    if (s->broken_why[0])
        return E_IO;
    const char *why = sqlite_sum_of(s->db)->why;
    if ((rc & 0xff) == SQLITE_IOERR && why[0])
        snprintf(s->broken_why, sizeof(s->broken_why), "%s", why);
    else
        snprintf(s->broken_why, sizeof(s->broken_why), "database: %s (%d)",
                 sqlite3_errmsg(s->db), sqlite3_extended_errcode(s->db));
    return E_IO;
}

int
sqlite_damaged(struct sqlite_store *s, const char *what)
{
    if (!s->broken_why[0])
        snprintf(s->broken_why, sizeof(s->broken_why), "database: damaged: %s", what);
    return E_IO;
}

void
sqlite_reset(struct sqlite_store *s, enum sqlite_stmt stmt)
{
    /* The result only repeats that of the last step. */
    (void)sqlite3_reset(s->stmt[stmt]);
}

int
sqlite_next(struct sqlite_store *s, enum sqlite_stmt stmt)
{
    int rc = sqlite3_step(s->stmt[stmt]);
    if (rc == SQLITE_ROW)
        return 1;
    int result = rc == SQLITE_DONE ? 0 : sqlite_failed(s, rc);
    sqlite_reset(s, stmt);
    return result;
}

int
sqlite_run(struct sqlite_store *s, enum sqlite_stmt stmt)
{
    int rc = sqlite_next(s, stmt);
    assert(rc <= 0);
    return rc;
}

void
sqlite_int(struct sqlite_store *s, enum sqlite_stmt stmt, int at, int64_t value)
{
    int rc = sqlite3_bind_int64(s->stmt[stmt], at, value);
    assert(rc == SQLITE_OK);
}

void
sqlite_key(struct sqlite_store *s, enum sqlite_stmt stmt, int at, uint64_t key)
{
    /* "From the newest" and the like: SQLite's integers end at 2^63 - 1, and so do all
     * keys and numbers. */
    sqlite_int(s, stmt, at, key > INT64_MAX ? INT64_MAX : (int64_t)key);
}

void
sqlite_text(struct sqlite_store *s, enum sqlite_stmt stmt, int at, struct slice text)
{
    assert(text.n <= INT_MAX);
    int rc = sqlite3_bind_text(s->stmt[stmt], at, text.n ? text.p : "", (int)text.n,
                               SQLITE_STATIC);
    assert(rc == SQLITE_OK);
}

void
sqlite_text_or_null(struct sqlite_store *s, enum sqlite_stmt stmt, int at,
                    struct slice text)
{
    if (text.p) {
        sqlite_text(s, stmt, at, text);
        return;
    }
    int rc = sqlite3_bind_null(s->stmt[stmt], at);
    assert(rc == SQLITE_OK);
}

void
sqlite_blob(struct sqlite_store *s, enum sqlite_stmt stmt, int at, struct slice bytes)
{
    assert(bytes.n <= INT_MAX);
    int rc = sqlite3_bind_blob(s->stmt[stmt], at, bytes.n ? bytes.p : "", (int)bytes.n,
                               SQLITE_STATIC);
    assert(rc == SQLITE_OK);
}

int64_t
sqlite_col(struct sqlite_store *s, enum sqlite_stmt stmt, int col)
{
    return sqlite3_column_int64(s->stmt[stmt], col);
}

uint64_t
sqlite_col_key(struct sqlite_store *s, enum sqlite_stmt stmt, int col)
{
    return (uint64_t)sqlite3_column_int64(s->stmt[stmt], col);
}

struct slice
sqlite_col_bytes(struct sqlite_store *s, enum sqlite_stmt stmt, int col)
{
    const char *p = sqlite3_column_blob(s->stmt[stmt], col);
    return (struct slice){p ? p : "", (size_t)sqlite3_column_bytes(s->stmt[stmt], col)};
}

static int
number_of(struct sqlite_store *s, enum sqlite_stmt stmt, uint64_t *out)
{
    int rc = sqlite_next(s, stmt);
    if (rc < 0)
        return rc;
    assert(rc == 1);
    *out = sqlite_col_key(s, stmt, 0);
    sqlite_reset(s, stmt);
    return 0;
}

int
sqlite_used_bytes(struct sqlite_store *s, uint64_t *used, uint64_t *all)
{
    uint64_t pages, free_pages;
    int rc = number_of(s, STMT_PAGES, &pages);
    if (rc == 0)
        rc = number_of(s, STMT_FREE_PAGES, &free_pages);
    if (rc < 0)
        return rc;
    *used = (pages - free_pages) * SUM_PAGE;
    if (all)
        *all = pages * SUM_PAGE;
    return 0;
}

int
sqlite_note(struct sqlite_store *s, const char *name, int64_t value)
{
    sqlite_text(s, STMT_META_PUT, 1, slice_of(name));
    sqlite_int(s, STMT_META_PUT, 2, value);
    return sqlite_run(s, STMT_META_PUT);
}

/* ---- open ---- */

char *
sqlite_path_in(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = xmalloc(n);
    snprintf(path, n, "%s/%s", dir, name);
    return path;
}

char *
sqlite_string_at(sqlite3_stmt *stmt, int col)
{
    const char *text = (const char *)sqlite3_column_text(stmt, col);
    return xstrdup(text ? text : "");
}

int
sqlite_sync_dir(const char *dir, struct err *err)
{
    return folder_sync(dir) == 0 ? 0
                                 : err_set(err, E_IO, "%s: %s", dir, strerror(errno));
}

/* The folder, with the entry that names it on disk as well. */
int
sqlite_make_dir(const char *dir, struct err *err)
{
    if (mkdir(dir, 0700) < 0) {
        if (errno == EEXIST)
            return 0;
        return err_set(err, E_IO, "make %s: %s", dir, strerror(errno));
    }
    char *parent = sqlite_path_in(dir, "..");
    int rc = sqlite_sync_dir(parent, err);
    free(parent);
    return rc;
}

/* The lock is the kernel's and ends with the process, however that ends. It is not on
 * the database itself: closing any descriptor of a file drops the process's POSIX
 * locks on it, which are what SQLite uses. */
int
sqlite_lock_dir(const char *dir, struct err *err)
{
    char *path = sqlite_path_in(dir, "pushwire.lock");
    int rc = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        rc = err_set(err, E_IO, "%s: %s", path, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        rc = errno == EWOULDBLOCK
                 ? err_set(err, E_BUSY, "another pushwire is using %s", dir)
                 : err_set(err, E_IO, "lock %s: %s", path, strerror(errno));
    free(path);
    if (rc == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* SQLite would make it readable for all; the log beside it gets the same mode. */
static int
make_file(const char *path, const char *dir, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, E_IO, "%s: %s", path, strerror(errno));
    close(fd);
    return sqlite_sync_dir(dir, err);
}

static int
open_failed(struct sqlite_store *s, const char *dir, int rc, struct err *err)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
        return err_set(err, E_BUSY, "another program is using %s/pushwire.db", dir);
    case SQLITE_FULL:
        return err_set(err, E_FULL, "%s: the disk is full", dir);
    case SQLITE_IOERR:
        if (s->db && sqlite_sum_of(s->db)->why[0])
            return err_set(err, E_IO, "%s/%s", dir, sqlite_sum_of(s->db)->why);
        break;
    }
    return err_set(err, E_IO, "%s/pushwire.db: %s", dir,
                   s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
}

/* Before anything is written. Exclusive before the first use of the log keeps its index
 * in this process's memory instead of a shared file. */
static int
look_first(struct sqlite_store *s, const struct store_sqlite_options *options,
           struct err *err)
{
    int version;
    int reserved = SUM_BYTES; /* of a page, when the file is made now */
    int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db,
                          "PRAGMA locking_mode = EXCLUSIVE;"
                          "SELECT count(*) FROM sqlite_schema",
                          NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return open_failed(s, options->dir, rc, err);
    return sqlite_check_version(s->db, s->path, &version, err);
}

static int
set_up(struct sqlite_store *s, const struct store_sqlite_options *options,
       struct err *err)
{
    size_t cache = options->cache_bytes ? options->cache_bytes : CACHE_BYTES_DEFAULT;
    char sql[600];
    snprintf(sql, sizeof(sql),
             "PRAGMA page_size = %d; PRAGMA journal_mode = WAL;"
             "PRAGMA synchronous = %s; PRAGMA foreign_keys = OFF;"
             "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
             "PRAGMA secure_delete = OFF; PRAGMA trusted_schema = OFF;"
             "PRAGMA cell_size_check = ON;"
             "PRAGMA cache_size = -%zu; PRAGMA journal_size_limit = %d;"
             "BEGIN IMMEDIATE; COMMIT",
             SUM_PAGE, fault_on("sync-off") ? "OFF" : "FULL", cache / 1024,
             WAL_KEPT_BYTES);
    int rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : open_failed(s, options->dir, rc, err);
}

/* What a log holds after a crash is copied and synced before anything is built on it:
 * if it was a sync that failed, the kernel may show pages that are not on disk, and
 * would never write them. On a full disk it has to wait. */
static int
settle_log(struct sqlite_store *s, const char *dir, struct err *err)
{
    int rc =
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_FULL)
        return 0;
    return open_failed(s, dir, rc, err);
}

static int
prepare(struct sqlite_store *s, struct err *err)
{
    for (int i = 0; i < STMTS; i++) {
        int rc = sqlite3_prepare_v3(s->db, sqlite_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &s->stmt[i], NULL);
        if (rc != SQLITE_OK)
            return err_set(err, E_IO, "prepare: %s", sqlite3_errmsg(s->db));
    }
    return 0;
}

static int
note_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct sqlite_store *s = ctx;
    (void)db;
    (void)name;
    s->wal_pages = pages;
    return SQLITE_OK;
}

static int
open_database(struct sqlite_store *s, const struct store_sqlite_options *options,
              struct err *err)
{
    int rc = sqlite3_open_v2(s->path, &s->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_EXRESCODE,
                             sqlite_sum_vfs(options->vfs));
    if (rc != SQLITE_OK)
        return open_failed(s, options->dir, rc, err);
    rc = look_first(s, options, err);
    if (rc == 0)
        rc = set_up(s, options, err);
    if (rc == 0)
        rc = settle_log(s, options->dir, err);
    if (rc == 0)
        rc = sqlite_damage_check(s, options->dir, err);
    if (rc == 0)
        rc = sqlite_migrate(s->db, s->path, err);
    if (rc == 0)
        rc = sqlite_vault_open(s, options->dir, err);
    if (rc == 0)
        rc = prepare(s, err);
    if (rc < 0)
        return rc;
    sqlite3_wal_hook(s->db, note_wal, s);
    rc = sqlite_cache_load(s);
    if (rc == 0)
        rc = sqlite_found_open(s);
    if (rc < 0)
        return err_set(err, rc, "%s/pushwire.db: %s", options->dir, s->broken_why);
    return 0;
}

static void
sqlite_close(struct store *store)
{
    if (!store)
        return;
    struct sqlite_store *s = sqlite_of(store);
    if (s->running)
        sqlite_stop(store);
    for (int i = 0; i < STMTS; i++)
        sqlite3_finalize(s->stmt[i]);
    if (s->db) {
        /* What a broken disk holds, or a file that is not ours to write, is left as it
         * is. */
        if (s->broken || !s->opened)
            sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        int rc = sqlite3_close(s->db);
        assert(rc == SQLITE_OK);
    }
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    sqlite_cache_free(s);
    sqlite_feed_fini(&s->feed);
    sqlite_figures_free(s);
    sqlite_found_close(s);
    sqlite_queue_fini(&s->queue);
    free(s->path);
    free(s->wal_path);
    free(s->space.dir);
    free(s->space.ballast_path);
    free(s->copy_path);
    free(s->damage_path);
    free(s->key_path);
    vault_wipe(&s->vault);
    free(s);
}

static const struct store_backend backend = {
    .name = "sqlite",
    .load = sqlite_load,
    .start = sqlite_start,
    .submit = sqlite_submit,
    .depth = sqlite_depth,
    .stop = sqlite_stop,
    .close = sqlite_close,
};

static void
init_library(void)
{
    /* Counting every allocation takes a mutex each; nobody reads the count. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

int
store_sqlite_open(struct store **out, const struct store_sqlite_options *options,
                  msec_t *latest_steady_ms, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);

    struct sqlite_store *s = xcalloc(1, sizeof(*s));
    s->store.backend = &backend;
    s->clock = options->clock;
    s->lock_fd = -1;
    s->queue.wake_fd = -1;
    sqlite_feed_init(&s->feed);
    s->space.dir = xstrdup(options->dir);
    s->space.ballast_path = sqlite_path_in(options->dir, "pushwire.ballast");
    s->space.left = UINT64_MAX;
    s->vfs = options->vfs;
    s->retention.keep = options->keep;
    s->copy_path = sqlite_path_in(options->dir, "pushwire.copy");
    s->damage_path = sqlite_path_in(options->dir, "pushwire.damaged");
    s->path = sqlite_path_in(options->dir, "pushwire.db");
    s->wal_path = sqlite_path_in(options->dir, "pushwire.db-wal");
    s->key_path = options->key_file ? xstrdup(options->key_file)
                                    : sqlite_path_in(options->dir, "master.key");

    int rc = sqlite_queue_init(&s->queue, err);
    if (rc == 0)
        rc = sqlite_make_dir(options->dir, err);
    if (rc == 0)
        s->lock_fd = sqlite_lock_dir(options->dir, err);
    if (rc == 0 && s->lock_fd < 0)
        rc = s->lock_fd;
    if (rc == 0)
        rc = make_file(s->path, options->dir, err);
    if (rc == 0 && !options->accept_loss)
        rc = sqlite_log_check(s->wal_path, err);
    if (rc == 0)
        rc = open_database(s, options, err);
    if (rc == 0)
        sqlite_space_open(s, options);
    if (rc < 0) {
        err_wrap(err, "open store"); /* and s->opened stays false */
        sqlite_close(&s->store);
        return rc;
    }
    s->opened = true;
    msec_t last = s->last_key ? event_key_ms(s->last_key) : 0;
    *latest_steady_ms = last > s->steady_ms ? last : s->steady_ms;
    *out = &s->store;
    return 0;
}

int
store_sqlite_rotate_key(const struct store_sqlite_options *options, char key[64],
                        struct err *err)
{
    struct store *store = NULL;
    msec_t latest_ms;

    int rc = store_sqlite_open(&store, options, &latest_ms, err);
    if (rc != 0)
        return rc;
    struct sqlite_store *s = sqlite_of(store);
    rc = sqlite_vault_rotate(s, options->dir, err);
    if (rc == 0)
        snprintf(key, 64, "%s", s->vault.keys[0].id);
    sqlite_close(store);
    return rc;
}
