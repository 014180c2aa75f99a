/*
 * A copy of everything, while the store runs: SQLite's own copying of pages, on the
 * store's connection, a piece at a time between groups. What the connection writes
 * meanwhile SQLite writes into the copy as well, so it never has to begin anew, and
 * what comes out is the store as it was after the last of these groups.
 */
#include "store/sqlite_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

/* A step: so many pages are copied, or so many bytes added to the digest. */
#define STEP_PAGES 128
#define STEP_BYTES ((size_t)1 << 20)

/* Beyond the copy itself and what is kept back: what others may need in the meantime.
 */
#define SPARE_BYTES ((uint64_t)16 << 20)

struct sqlite_copy {
    int fd; /* the file lives as long as this: it has no name */
    sqlite3 *db;
    sqlite3_backup *backup;
    struct sha256_sum *sum;
    uint64_t bytes; /* of the file, once all pages are there */
    uint64_t summed;
};

static void
copy_free(struct sqlite_copy *copy)
{
    if (copy->backup)
        (void)sqlite3_backup_finish(copy->backup); /* says again what a step has said */
    (void)sqlite3_close(copy->db);
    sha256_end(copy->sum, NULL);
    if (copy->fd >= 0)
        close(copy->fd);
    free(copy);
}

/* The step that was the last, one way or the other. */
static bool
end(struct store_backup *backup, int result, const char *why)
{
    struct sqlite_copy *copy = backup->private;
    if (result == 0) {
        sha256_end(copy->sum, backup->sha256);
        copy->sum = NULL;
        backup->bytes = copy->bytes;
        backup->fd = copy->fd;
        copy->fd = -1;
    }
    if (copy)
        copy_free(copy);
    backup->private = NULL;
    backup->op.result = result;
    backup->op.why = why;
    return false;
}

/* A copy that fails takes nothing from the store, unless it is the store's own pages
 * that cannot be read. */
static bool
end_failed(struct sqlite_store *s, struct store_backup *backup, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return end(backup, E_FULL, "the disk is full");
    case SQLITE_NOMEM:
        return end(backup, E_NO_MEMORY, "no memory for the copy");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        break;
    default:
        if (rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ)
            break;
        return end(backup, E_BUSY, "the copy cannot be written in the data folder");
    }
    sqlite3_snprintf((int)sizeof(s->broken_why), s->broken_why,
                     "database: read for a copy: %s", sqlite3_errstr(rc));
    return end(backup, E_IO, NULL);
}

static bool
there_is_room(const struct sqlite_store *s, uint64_t bytes)
{
    struct statvfs fs;
    if (statvfs(s->space.dir, &fs) != 0)
        return true; /* the copying will tell */
    return (uint64_t)fs.f_bavail * fs.f_frsize >=
           bytes + bytes / 16 + s->space.reserve + SPARE_BYTES;
}

/* What a copy was taken at stands in it. */
static int
note_moment(struct sqlite_store *s)
{
    int rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = sqlite_note(s, "backup_wall_ms", clock_wall_us(s->clock) / 1000);
    if (rc == 0)
        rc = sqlite_note(s, "backup_steady_ms", clock_steady_ms(s->clock));
    return sqlite_commit_own(s, rc);
}

/* The file loses its name as soon as SQLite has it open, so that nothing is left of it
 * after a crash. Nothing of it has to survive one, either: it is neither journalled nor
 * synced. */
static int
make_file(struct sqlite_store *s, struct sqlite_copy *copy)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    (void)unlink(s->copy_path);
    copy->fd = open(s->copy_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (copy->fd < 0)
        return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_CANTOPEN;
    const char *vfs = sqlite_sum_of(s->db)->on ? sqlite_sum_vfs(s->vfs) : s->vfs;
    int rc = sqlite3_open_v2(s->copy_path, &copy->db, flags, vfs);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copy->db,
                          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                          "PRAGMA locking_mode = EXCLUSIVE",
                          NULL, NULL, NULL);
    (void)unlink(s->copy_path);
    return rc;
}

static bool
begin(struct sqlite_store *s, struct store_backup *backup)
{
    struct sqlite_copy *copy = xcalloc(1, sizeof(*copy));
    uint64_t bytes = 0;

    copy->fd = -1;
    backup->private = copy;
    int rc = sqlite_used_bytes(s, &bytes, NULL);
    if (rc == 0 && !there_is_room(s, bytes))
        return end(backup, E_FULL, "the data folder has no room for a copy");
    if (rc == 0)
        rc = note_moment(s);
    if (rc < 0)
        return end(backup, rc, rc == E_FULL ? "the disk is full" : NULL);
    rc = make_file(s, copy);
    if (rc == SQLITE_OK)
        copy->backup = sqlite3_backup_init(copy->db, "main", s->db, "main");
    return copy->backup || end_failed(s, backup, rc);
}

static bool
copied(struct sqlite_store *s, struct store_backup *backup)
{
    struct sqlite_copy *copy = backup->private;
    int rc = sqlite3_backup_finish(copy->backup);
    copy->backup = NULL;
    if (rc == SQLITE_OK)
        rc = sqlite3_close(copy->db);
    if (rc != SQLITE_OK)
        return end_failed(s, backup, rc);
    copy->db = NULL;
    off_t bytes = lseek(copy->fd, 0, SEEK_END);
    copy->bytes = bytes > 0 ? (uint64_t)bytes : 0;
    copy->sum = sha256_begin();
    return true;
}

static bool
copy_pages(struct sqlite_store *s, struct store_backup *backup)
{
    struct sqlite_copy *copy = backup->private;
    int rc = sqlite3_backup_step(copy->backup, STEP_PAGES);
    if (rc == SQLITE_OK)
        return true;
    return rc == SQLITE_DONE ? copied(s, backup) : end_failed(s, backup, rc);
}

static bool
add_to_digest(struct store_backup *backup)
{
    struct sqlite_copy *copy = backup->private;
    char *bytes = xmalloc(STEP_BYTES);
    ssize_t n = pread(copy->fd, bytes, STEP_BYTES, (off_t)copy->summed);
    if (n > 0) {
        sha256_add(copy->sum, bytes, (size_t)n);
        copy->summed += (uint64_t)n;
    }
    free(bytes);
    if (n < 0 && errno != EINTR)
        return end(backup, E_BUSY, "the copy cannot be read back");
    return copy->summed < copy->bytes || end(backup, 0, NULL);
}

bool
sqlite_backup_step(struct sqlite_store *s, struct store_op *op)
{
    struct store_backup *backup = container_of(op, struct store_backup, op);
    const struct sqlite_copy *copy = backup->private;

    assert(!s->group.open);
    if (s->broken)
        return end(backup, E_IO, NULL);
    if (s->closing)
        return end(backup, E_CLOSED, "the store is being closed");
    if (!copy)
        return begin(s, backup);
    return copy->backup ? copy_pages(s, backup) : add_to_digest(backup);
}

/* Its steps have said how it went; only a store that is broken is worse than that. */
int
sqlite_backup(struct sqlite_store *s, struct store_op *op)
{
    (void)s;
    return op->result == E_IO ? E_IO : 0;
}
