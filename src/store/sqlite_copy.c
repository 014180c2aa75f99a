#include "store/copy.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/iofd.h"
#include "base/mem.h"
#include "store/sqlite_job.h"

#define PATH_BYTES  ((size_t)16 << 10)
#define COPY_BYTES  ((size_t)1 << 20)
#define SPARE_BYTES ((uint64_t)64 << 20)

/* Numbers that may have been given since the copy was taken: so many, and so many for
 * each second since. Webhooks' ids are made of them. */
#define NUMBERS_LEAST  (INT64_C(1) << 20)
#define NUMBERS_SECOND 1000

/* ---- check ---- */

/* As it is, without its log, and without anything being made beside it. */
static int
open_unchanged(const char *path, sqlite3 **db, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-._~/";
    struct buf uri;
    int rc = SQLITE_TOOBIG;

    buf_init(&uri, PATH_BYTES);
    buf_adds(&uri, "file:");
    for (const char *at = path; *at; at++)
        if (strchr(plain, *at))
            buf_addc(&uri, *at);
        else
            buf_addf(&uri, "%%%02X", (unsigned)(unsigned char)*at);
    buf_adds(&uri, "?immutable=1");
    if (!uri.failed)
        rc = sqlite3_open_v2(uri.p, db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI |
                                 SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                             sqlite_sum_vfs(NULL));
    buf_fini(&uri);
    if (rc != SQLITE_OK)
        return err_set(err, E_IO, "%s: %s", path, sqlite3_errstr(rc));
    return 0;
}

/* The first column of the first row; NULL = no row. */
static int
text_of(sqlite3 *db, const char *sql, char *out, size_t room)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    out[0] = '\0';
    if (rc == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        snprintf(out, room, "%s", text ? text : "");
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
number_of(sqlite3 *db, const char *sql, int64_t *out)
{
    char text[32];
    int rc = text_of(db, sql, text, sizeof(text));
    *out = rc == SQLITE_OK ? strtoll(text, NULL, 10) : 0;
    return rc;
}

static int
count_of(sqlite3 *db, const char *sql, uint64_t *out)
{
    int64_t n;
    int rc = number_of(db, sql, &n);
    *out = n > 0 ? (uint64_t)n : 0;
    return rc;
}

#define META(name) "SELECT value FROM meta WHERE name = '" name "'"
#define LIVE_WEBHOOKS                                                                  \
    " FROM webhook w JOIN channel c ON c.number = w.channel WHERE w.deleted = 0"       \
    " AND c.deleted = 0"
#define WAITING                                                                        \
    "SELECT coalesce(sum(waiting), 0) FROM tally WHERE webhook IN"                     \
    " (SELECT w.number" LIVE_WEBHOOKS ")"

static int
read_figures(sqlite3 *db, struct store_copy *copy)
{
    int64_t taken_ms;
    int rc = number_of(db, META("backup_wall_ms"), &taken_ms);
    copy->taken_ms = taken_ms;
    if (rc == SQLITE_OK)
        rc = count_of(db, "SELECT count(*) FROM channel WHERE deleted = 0",
                      &copy->channels);
    if (rc == SQLITE_OK)
        rc = count_of(db, "SELECT count(*)" LIVE_WEBHOOKS, &copy->webhooks);
    if (rc == SQLITE_OK)
        rc = count_of(db, "SELECT count(*) FROM event", &copy->events);
    if (rc == SQLITE_OK)
        rc = count_of(db, WAITING, &copy->waiting);
    return rc;
}

/* A file that is no database at all, or a damaged one, is said to be so by SQLite in
 * one of two ways: an error, or a row that is not "ok". */
static int
read_all(sqlite3 *db, const char *path, struct store_copy *copy, struct err *err)
{
    char verdict[200];
    int rc = text_of(db, "SELECT count(*) FROM sqlite_schema", verdict, 2);
    if (rc != SQLITE_OK)
        return err_set(err, E_INVALID, "%s is %s: %s", path,
                       (rc & 0xff) == SQLITE_CORRUPT ? "damaged" : "no copy of a store",
                       sqlite3_errmsg(db));
    int result = sqlite_check_version(db, path, &copy->schema, err);
    if (result < 0)
        return result;
    if (copy->schema == 0)
        return err_set(err, E_INVALID, "%s is no copy of a store: it is empty", path);
    rc = text_of(db, "PRAGMA integrity_check(1)", verdict, sizeof(verdict));
    if (rc != SQLITE_OK)
        return err_set(err, E_INVALID, "%s is damaged: %s", path, sqlite3_errmsg(db));
    if (strcmp(verdict, "ok") != 0)
        return err_set(err, E_INVALID, "%s is damaged: %s", path, verdict);
    rc = read_figures(db, copy);
    if (rc != SQLITE_OK)
        return err_set(err, E_INVALID, "%s is no copy of a store: %s", path,
                       sqlite3_errmsg(db));
    return 0;
}

/* What is in a log beside a file is not in the file: such a file is a store's own. */
static int
check_alone(const char *path, struct err *err)
{
    static const char *const ends[] = {"-wal", "-journal"};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct stat st;
        struct buf beside;
        buf_init(&beside, PATH_BYTES);
        buf_addf(&beside, "%s%s", path, ends[i]);
        bool there = beside.p && stat(beside.p, &st) == 0 && st.st_size > 0;
        buf_fini(&beside);
        if (there)
            return err_set(err, E_INVALID,
                           "%s is no backup but a store that was in use: there is %s%s "
                           "beside it",
                           path, path, ends[i]);
    }
    return 0;
}

int
store_copy_check(const char *path, struct store_copy *copy, struct err *err)
{
    struct stat st;
    sqlite3 *db = NULL;

    *copy = (struct store_copy){0};
    if (stat(path, &st) != 0)
        return err_set(err, errno == ENOENT ? E_NOT_FOUND : E_IO, "%s: %s", path,
                       strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, E_INVALID, "%s is no file", path);
    copy->bytes = (uint64_t)st.st_size;
    int rc = check_alone(path, err);
    if (rc == 0)
        rc = open_unchanged(path, &db, err);
    if (rc == 0)
        rc = read_all(db, path, copy, err);
    (void)sqlite3_close(db);
    return rc;
}

/* ---- restore: the file ---- */

static int
failed(const char *verb, const char *path, struct err *err)
{
    int code = errno == ENOSPC || errno == EDQUOT ? E_FULL : E_IO;
    return err_set(err, code, "%s %s: %s", verb, path, strerror(errno));
}

static int
check_folder(const char *dir, uint64_t bytes, struct err *err)
{
    static const char *const names[] = {"pushwire.db", "pushwire.db-wal"};
    struct statvfs fs;
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = sqlite_path_in(dir, names[i]);
        bool there = stat(path, &st) == 0 && st.st_size > 0;
        free(path);
        if (there)
            return err_set(err, E_CONFLICT,
                           "there is a store in %s: restore into another folder, or "
                           "move that one away first",
                           dir);
    }
    if (statvfs(dir, &fs) == 0 &&
        (uint64_t)fs.f_bavail * fs.f_frsize < bytes + SPARE_BYTES)
        return err_set(err, E_FULL, "%s: no room for %llu MiB", dir,
                       (unsigned long long)((bytes + SPARE_BYTES) >> 20));
    return 0;
}

static int
copy_bytes(const char *from, const char *to, struct err *err)
{
    char *bytes = xmalloc(COPY_BYTES);
    ssize_t n = 0;
    int rc = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (in < 0)
        rc = failed("open", from, err);
    else if (out < 0)
        rc = failed("make", to, err);
    while (rc == 0 && (n = read(in, bytes, COPY_BYTES)) > 0)
        if (fd_write_all(out, bytes, (size_t)n) != 0)
            rc = failed("write", to, err);
    if (rc == 0 && n < 0)
        rc = failed("read", from, err);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    free(bytes);
    return rc;
}

static int
sync_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? failed("sync", path, err) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- restore: what is in it ---- */

static int
run(sqlite3 *db, const char *sql, int64_t a, int64_t b, uint64_t *changes)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt) >= 1)
        rc = sqlite3_bind_int64(stmt, 1, a);
    if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt) >= 2)
        rc = sqlite3_bind_int64(stmt, 2, b);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    if (changes)
        *changes = (uint64_t)sqlite3_changes64(db);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
settle_waiting(sqlite3 *db, struct store_restore *restore, msec_t now_ms, msec_t wall)
{
    /* What operators were told before the copy was made they know. */
    int rc = run(db, "UPDATE notice SET waits = 0 WHERE waits = 1", 0, 0, NULL);
    if (rc != SQLITE_OK)
        return rc;
    switch (restore->waiting) {
    case RESTORE_HOLD:
        return run(db,
                   "UPDATE webhook SET enabled = 0, updated_ms = ?1,"
                   " disabled_reason = '" RESTORE_REASON "'"
                   " WHERE deleted = 0 AND enabled = 1 AND channel IN"
                   " (SELECT number FROM channel WHERE deleted = 0)",
                   wall, 0, &restore->disabled);
    case RESTORE_SEND:
        return SQLITE_OK;
    case RESTORE_CANCEL:
        break;
    }
    rc = run(db, "UPDATE call SET state = ?1, due_ms = ?2 WHERE state = 0",
             CALL_CANCELLED, now_ms, &restore->cancelled);
    if (rc == SQLITE_OK)
        rc = run(db, "UPDATE tally SET cancelled = cancelled + waiting, waiting = 0", 0,
                 0, NULL);
    return rc;
}

/* All sequences, so that whatever was made since and is lost shares its number with
 * nothing that will be made. */
static int
skip_numbers(sqlite3 *db, msec_t since_ms)
{
    int64_t by = NUMBERS_LEAST + since_ms / 1000 * NUMBERS_SECOND;
    int rc = run(db,
                 "INSERT INTO sqlite_sequence(name, seq) SELECT name, 0 FROM"
                 " sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
                 " AND name NOT IN (SELECT name FROM sqlite_sequence)",
                 0, 0, NULL);
    if (rc == SQLITE_OK)
        rc = run(db, "UPDATE sqlite_sequence SET seq = seq + ?1", by, 0, NULL);
    return rc;
}

/* The time from which keys go on. While the copy was taken, steady time may have run
 * before the clock's, which was set back; then what was given since may be as far
 * ahead. */
static int
next_steady(sqlite3 *db, const char *file, msec_t wall_ms, msec_t *next_ms,
            msec_t *since_ms, struct err *err)
{
    int64_t seen_ms, key, taken_wall_ms, taken_steady_ms;
    int rc = number_of(db, META("steady_ms"), &seen_ms);
    if (rc == SQLITE_OK)
        rc = number_of(db, "SELECT max(key) FROM event", &key);
    if (rc == SQLITE_OK)
        rc = number_of(db, META("backup_wall_ms"), &taken_wall_ms);
    if (rc == SQLITE_OK)
        rc = number_of(db, META("backup_steady_ms"), &taken_steady_ms);
    if (rc != SQLITE_OK)
        return err_set(err, E_IO, "%s: %s", file, sqlite3_errmsg(db));
    if (key > 0 && event_key_ms((uint64_t)key) > seen_ms)
        seen_ms = event_key_ms((uint64_t)key);
    msec_t ahead_ms = taken_steady_ms - taken_wall_ms;
    *next_ms = wall_ms + (ahead_ms > 0 ? ahead_ms : 0) + 1000;
    if (*next_ms <= seen_ms)
        return err_set(err, E_STALE,
                       "this machine's clock is behind the moment at which %s was "
                       "taken: ids of events could be given a second time; set the "
                       "clock first",
                       file);
    *since_ms = *next_ms - seen_ms;
    return 0;
}

static int
change(sqlite3 *db, struct store_restore *restore, struct err *err)
{
    msec_t wall_ms = clock_wall_us(restore->clock) / 1000;
    msec_t next_ms = 0, since_ms = 0;
    int rc = next_steady(db, restore->file, wall_ms, &next_ms, &since_ms, err);
    if (rc < 0)
        return rc;
    rc = settle_waiting(db, restore, next_ms, wall_ms);
    if (rc == SQLITE_OK)
        rc = run(db, "UPDATE job SET state = ?1, reason = ?2 WHERE state = 0",
                 JOB_PAUSED, JOB_RESTORED, NULL);
    if (rc == SQLITE_OK)
        rc = skip_numbers(db, since_ms);
    if (rc == SQLITE_OK)
        rc = run(db,
                 "UPDATE meta SET value = CASE name WHEN 'config' THEN value + 1"
                 " ELSE ?1 END WHERE name IN ('config', 'steady_ms')",
                 next_ms, 0, NULL);
    /* What is in the copy does not grow old in the time since, which it was not
     * stored here: see sqlite_retention.c. */
    if (rc == SQLITE_OK)
        rc = run(db,
                 "INSERT INTO meta(name, value) VALUES('gap_at_ms', ?1), ('gap_ms', ?2)"
                 " ON CONFLICT(name) DO UPDATE SET value = excluded.value +"
                 " CASE name WHEN 'gap_ms' THEN value ELSE 0 END",
                 next_ms - since_ms, since_ms, NULL);
    if (rc == SQLITE_OK)
        rc = count_of(db, WAITING, &restore->held);
    if (rc != SQLITE_OK)
        return err_set(err, (rc & 0xff) == SQLITE_FULL ? E_FULL : E_IO, "restore: %s",
                       sqlite3_errmsg(db));
    return 0;
}

/* The file is nobody's yet: it needs no log, and is thrown away when this fails. */
static int
change_file(const char *path, struct store_restore *restore, struct err *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(
        path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        sqlite_sum_vfs(NULL));
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db,
                          "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
                          "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
                          NULL, NULL, NULL);
    int result = rc == SQLITE_OK
                     ? sqlite_migrate(db, path, err)
                     : err_set(err, E_IO, "%s: %s", path, sqlite3_errstr(rc));
    if (result == 0)
        rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    if (result == 0 && rc == SQLITE_OK)
        result = change(db, restore, err);
    if (result == 0 && rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (result == 0 && rc != SQLITE_OK)
        result = err_set(err, (rc & 0xff) == SQLITE_FULL ? E_FULL : E_IO, "%s: %s",
                         path, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
    return result;
}

static int
put_in_place(const char *path, const char *dir, struct err *err)
{
    char *to = sqlite_path_in(dir, "pushwire.db");
    int rc = rename(path, to) == 0 ? 0 : failed("rename to", to, err);
    free(to);
    return rc == 0 ? sqlite_sync_dir(dir, err) : rc;
}

int
store_copy_restore(struct store_restore *restore, struct err *err)
{
    char *path = sqlite_path_in(restore->dir, "pushwire.restore");
    int lock = -1;

    restore->disabled = restore->held = restore->cancelled = 0;
    int rc = store_copy_check(restore->file, &restore->copy, err);
    if (rc == 0)
        rc = sqlite_make_dir(restore->dir, err);
    if (rc == 0) {
        lock = sqlite_lock_dir(restore->dir, err);
        rc = lock < 0 ? lock : 0;
    }
    if (rc == 0)
        rc = check_folder(restore->dir, restore->copy.bytes, err);
    if (rc == 0) {
        (void)unlink(path); /* of a restore that was broken off */
        rc = copy_bytes(restore->file, path, err);
        if (rc == 0)
            rc = change_file(path, restore, err);
        if (rc == 0)
            rc = sync_file(path, err);
        if (rc == 0)
            rc = put_in_place(path, restore->dir, err);
        if (rc != 0)
            (void)unlink(path);
    }
    if (lock >= 0)
        close(lock);
    free(path);
    return rc;
}
