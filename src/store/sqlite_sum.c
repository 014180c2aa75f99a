#include "store/sqlite_sum.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/iofd.h"
#include "base/mem.h"

/* The log: a header, then frames of a header and a page each. */
#define LOG_HEADER   32
#define FRAME_HEADER 24
#define FRAME        (FRAME_HEADER + SUM_PAGE)

#define HEADER_RESERVED 20 /* where page 1 says how many bytes are reserved */

#define FCNTL_SUM 0x50575300 /* SQLite's own are small numbers */

/* ---- the checksum ---- */

static uint64_t
rotate(uint64_t bits, unsigned by)
{
    return bits << by | bits >> (64 - by);
}

/* Each step is a bijection of the lane: a change within one word never goes unseen, and
 * any other with a chance of 2^-64. Four lanes, so that a processor does them at once.
 */
static uint64_t
sum_of(const uint8_t *page, size_t n, uint64_t salt)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t lanes[4] = {salt + 1, salt ^ factor, ~salt, salt * factor + 1};
    for (size_t at = 0; at < n; at += 8) {
        uint64_t word, *lane = &lanes[at / 8 % 4];
        memcpy(&word, page + at, 8);
        *lane = rotate(*lane ^ word, 29) * factor;
    }
    uint64_t sum =
        lanes[0] + rotate(lanes[1], 17) + rotate(lanes[2], 31) + rotate(lanes[3], 47);
    return (sum ^ sum >> 32) * factor;
}

static uint64_t
page_sum(const uint8_t *page, uint32_t number)
{
    return sum_of(page, SUM_PAGE - SUM_BYTES, number);
}

bool
sqlite_sum_holds(const uint8_t page[SUM_PAGE], uint32_t number)
{
    uint64_t sum = page_sum(page, number);
    return memcmp(page + SUM_PAGE - SUM_BYTES, &sum, SUM_BYTES) == 0;
}

/* ---- files ---- */

enum role { DATABASE, LOG, OTHER };

struct sum_vfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
};

struct file {
    sqlite3_file base;
    sqlite3_file *real;
    enum role role;
    const char *name;      /* after the last slash; SQLite's, as long as it is open */
    struct sqlite_sum sum; /* the database's */
    struct file *database; /* the log's: whose it is */
    uint64_t *frames;      /* the log's: sums of its pages; 0 = not known */
    size_t n_frames;
};

static struct file *
file_of(sqlite3_file *file)
{
    return (struct file *)file;
}

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return file_of(file)->real;
}

static struct sqlite_sum *
state_of(struct file *file)
{
    return file->role == LOG ? &file->database->sum : &file->sum;
}

static const char *
name_in(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

/* Keeps why a call of the system failed. The quota of a user is a disk of its own, and
 * one that has turned read-only has no room for anything: nothing was written. */
static int
note_failure(struct file *file, const char *what, int rc)
{
    int error = errno;
    if (rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ || file->role == OTHER)
        return rc;
    struct sqlite_sum *sum = state_of(file);
    snprintf(sum->why, sizeof(sum->why), "%s %s: %s", what, file->name,
             strerror(error));
    bool no_room = error == EDQUOT || error == EROFS;
    return rc == SQLITE_IOERR_WRITE && no_room ? SQLITE_FULL : rc;
}

static int
damaged(struct file *file, const char *what, uint32_t page)
{
    struct sqlite_sum *sum = state_of(file);
    if (file->role == DATABASE)
        sum->page = page;
    snprintf(sum->why, sizeof(sum->why),
             "%s: %s %u is damaged: it is not what was "
             "written",
             file->name, what, (unsigned)page);
    return SQLITE_IOERR_DATA;
}

static int
io_close(sqlite3_file *file)
{
    free(file_of(file)->frames);
    file_of(file)->frames = NULL;
    return real_of(file)->pMethods->xClose(real_of(file));
}

/* ---- the database ---- */

static bool
is_page(const struct file *file, int n, sqlite3_int64 at)
{
    return file->role == DATABASE && file->sum.on && n == SUM_PAGE &&
           at % SUM_PAGE == 0;
}

static int
verify_page(struct file *file, const uint8_t *page, sqlite3_int64 at)
{
    uint32_t number = (uint32_t)(at / SUM_PAGE) + 1;
    if (sqlite_sum_holds(page, number) || fault_on("sum-unread"))
        return SQLITE_OK;
    return damaged(file, "page", number);
}

static int
write_page(struct file *file, const void *bytes, sqlite3_int64 at)
{
    uint8_t page[SUM_PAGE];
    memcpy(page, bytes, sizeof(page));
    uint64_t sum = page_sum(page, (uint32_t)(at / SUM_PAGE) + 1);
    memcpy(page + SUM_PAGE - SUM_BYTES, &sum, SUM_BYTES);
    return file->real->pMethods->xWrite(file->real, page, SUM_PAGE, at);
}

/* Whether the pages of a database carry checksums stands in its first page, which may
 * be damaged itself: then the checksum there tells, and every read fails. */
static int
look_at_header(struct file *file)
{
    uint8_t page[SUM_PAGE];
    sqlite3_int64 size;
    int rc = file->real->pMethods->xFileSize(file->real, &size);
    file->sum.on = true;
    if (rc != SQLITE_OK || size == 0)
        return note_failure(file, "look at", rc);
    rc = file->real->pMethods->xRead(file->real, page, SUM_PAGE, 0);
    if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ)
        return note_failure(file, "read", rc);
    if (page[HEADER_RESERVED] == SUM_BYTES)
        return SQLITE_OK;
    page[HEADER_RESERVED] = SUM_BYTES;
    if (sqlite_sum_holds(page, 1))
        (void)damaged(file, "page", 1);
    else
        file->sum.on = false;
    return SQLITE_OK;
}

/* ---- the log ---- */

/* The frame whose page this is; SIZE_MAX = it is something else. */
static size_t
frame_at(const struct file *file, sqlite3_int64 at, int n)
{
    if (file->role != LOG || at < LOG_HEADER)
        return SIZE_MAX;
    sqlite3_int64 in = (at - LOG_HEADER) % FRAME;
    bool whole = in == 0 && n == FRAME, page = in == FRAME_HEADER && n == SUM_PAGE;
    return whole || page ? (size_t)((at - LOG_HEADER) / FRAME) : SIZE_MAX;
}

static uint64_t
frame_sum(const uint8_t *page, size_t frame)
{
    uint64_t sum = sum_of(page, SUM_PAGE, frame);
    return sum ? sum : 1;
}

static void
frame_note(struct file *file, size_t frame, const uint8_t *page)
{
    if (frame >= file->n_frames) {
        size_t n = file->n_frames ? file->n_frames : 1024;
        while (n <= frame)
            n *= 2;
        file->frames = xrealloc(file->frames, n * sizeof(*file->frames));
        memset(file->frames + file->n_frames, 0,
               (n - file->n_frames) * sizeof(*file->frames));
        file->n_frames = n;
    }
    file->frames[frame] = frame_sum(page, frame);
}

/* A whole frame is read by SQLite's recovery, which verifies it and all before it; a
 * page of one must be what was noted then, or written since. */
static int
frame_read(struct file *file, size_t frame, const uint8_t *bytes, int n)
{
    if (n == FRAME) {
        frame_note(file, frame, bytes + FRAME_HEADER);
        return SQLITE_OK;
    }
    if (frame >= file->n_frames || file->frames[frame] == 0 ||
        file->frames[frame] == frame_sum(bytes, frame) || fault_on("sum-unread"))
        return SQLITE_OK;
    return damaged(file, "frame", (uint32_t)frame + 1);
}

/* ---- what SQLite calls ---- */

static int
io_read(sqlite3_file *base, void *bytes, int n, sqlite3_int64 at)
{
    struct file *file = file_of(base);
    if (file->sum.page)
        return SQLITE_IOERR_DATA;
    int rc = file->real->pMethods->xRead(file->real, bytes, n, at);
    if (rc != SQLITE_OK)
        return note_failure(file, "read", rc);
    if (is_page(file, n, at))
        return verify_page(file, bytes, at);
    size_t frame = frame_at(file, at, n);
    return frame == SIZE_MAX ? SQLITE_OK : frame_read(file, frame, bytes, n);
}

static int
io_write(sqlite3_file *base, const void *bytes, int n, sqlite3_int64 at)
{
    struct file *file = file_of(base);
    if (file->role == DATABASE && at == 0 && n == SUM_PAGE) /* also of a new file */
        file->sum.on = ((const uint8_t *)bytes)[HEADER_RESERVED] == SUM_BYTES;
    int rc = is_page(file, n, at)
                 ? write_page(file, bytes, at)
                 : file->real->pMethods->xWrite(file->real, bytes, n, at);
    size_t frame = frame_at(file, at, n);
    if (rc == SQLITE_OK && frame != SIZE_MAX)
        frame_note(file, frame, (const uint8_t *)bytes + (n - SUM_PAGE));
    return note_failure(file, "write", rc);
}

static int
io_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return note_failure(file_of(file), "cut",
                        real_of(file)->pMethods->xTruncate(real_of(file), size));
}

static int
io_sync(sqlite3_file *file, int flags)
{
    return note_failure(file_of(file), "sync",
                        real_of(file)->pMethods->xSync(real_of(file), flags));
}

static int
io_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int
io_lock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int
io_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int
io_check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int
io_control(sqlite3_file *file, int op, void *arg)
{
    if (op == FCNTL_SUM) {
        *(const struct sqlite_sum **)arg = &file_of(file)->sum;
        return SQLITE_OK;
    }
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int
io_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
io_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: no shared memory, which an exclusive connection needs none of, and no
 * mapping of the file past what is verified here. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = io_close,
    .xRead = io_read,
    .xWrite = io_write,
    .xTruncate = io_truncate,
    .xSync = io_sync,
    .xFileSize = io_size,
    .xLock = io_lock,
    .xUnlock = io_unlock,
    .xCheckReservedLock = io_check_lock,
    .xFileControl = io_control,
    .xSectorSize = io_sector_size,
    .xDeviceCharacteristics = io_characteristics,
};

/* SQLite syncs the folder of a log that it makes, and does not look whether that
 * worked. So it finds one that is there, and whose name is on disk. */
static int
make_log(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return SQLITE_CANTOPEN;
    close(fd);
    char *folder = folder_of(path);
    int rc = folder_sync(folder) == 0 ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
    free(folder);
    return rc;
}

static int
vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *out, int flags,
         int *out_flags)
{
    sqlite3_vfs *real = ((struct sum_vfs *)vfs)->real;
    struct file *file = file_of(out);
    memset(file, 0, sizeof(*file));
    file->real = (sqlite3_file *)(file + 1);
    file->name = name_in(path);
    file->role = OTHER;
    int rc = SQLITE_OK;
    if (flags & SQLITE_OPEN_MAIN_DB)
        file->role = DATABASE;
    if (flags & SQLITE_OPEN_WAL) {
        file->role = LOG;
        file->database = file_of(sqlite3_database_file_object(path));
        rc = make_log(path);
        flags &= ~SQLITE_OPEN_CREATE;
    }
    if (rc == SQLITE_OK)
        rc = real->xOpen(real, path, file->real, flags, out_flags);
    if (rc != SQLITE_OK)
        return note_failure(file, "open", rc);
    file->base.pMethods = &methods;
    return file->role == DATABASE ? look_at_header(file) : SQLITE_OK;
}

/* ---- registering ---- */

const struct sqlite_sum *
sqlite_sum_of(sqlite3 *db)
{
    static const struct sqlite_sum nothing;
    const struct sqlite_sum *sum = &nothing;
    (void)sqlite3_file_control(db, "main", FCNTL_SUM,
                               &sum); /* not even open: nothing */
    return sum;
}

const char *
sqlite_sum_vfs(const char *base)
{
    static struct sum_vfs known[4];
    static const char *const names[] = {"pushwire", "pushwire-2", "pushwire-3",
                                        "pushwire-4"};
    sqlite3_vfs *real = sqlite3_vfs_find(base);
    assert(real);
    size_t at = 0;
    while (known[at].real && known[at].real != real)
        at++;
    assert(at < ARRAY_LEN(known));
    if (!known[at].real) {
        known[at].real = real;
        known[at].vfs = *real;
        known[at].vfs.pNext = NULL;
        known[at].vfs.zName = names[at];
        known[at].vfs.szOsFile = (int)sizeof(struct file) + real->szOsFile;
        known[at].vfs.xOpen = vfs_open;
        int rc = sqlite3_vfs_register(&known[at].vfs, 0);
        assert(rc == SQLITE_OK);
    }
    return names[at];
}
