#include "faulty_vfs.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

static struct {
    pthread_mutex_t mutex;
    enum fault fault;
    enum fault_on on;
    unsigned countdown; /* 0 = never */
    bool stays;
    unsigned failures;
    unsigned writes;
    unsigned syncs;
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static sqlite3_vfs *real;
static sqlite3_vfs faulty;

struct file {
    sqlite3_file base;
    sqlite3_file *real;
    bool database; /* not its log */
};

static sqlite3_file *
real_of(sqlite3_file *file)
{
    return ((struct file *)file)->real;
}

static bool
is_meant(const sqlite3_file *file, enum fault_on what)
{
    if (state.on == FAULT_ON_DATABASE)
        return what == FAULT_ON_WRITE && ((const struct file *)file)->database;
    return state.on == what || state.on == FAULT_ON_ALL;
}

static int
failure_of(enum fault_on what)
{
    if (state.fault == FAULT_FULL)
        return SQLITE_FULL;
    errno = state.fault == FAULT_QUOTA       ? EDQUOT
            : state.fault == FAULT_READ_ONLY ? EROFS
                                             : EIO;
    return what == FAULT_ON_SYNC ? SQLITE_IOERR_FSYNC : SQLITE_IOERR_WRITE;
}

/* SQLITE_OK, or what this write or sync fails with. */
static int
turn(const sqlite3_file *file, enum fault_on what)
{
    int rc = SQLITE_OK;
    pthread_mutex_lock(&state.mutex);
    state.writes++;
    state.syncs += what == FAULT_ON_SYNC;
    if (state.countdown && is_meant(file, what)) {
        if (state.countdown == 1) {
            rc = failure_of(what);
            state.failures++;
        }
        if (state.countdown > 1 || !state.stays)
            state.countdown--;
    }
    pthread_mutex_unlock(&state.mutex);
    return rc;
}

static void
arm(enum fault fault, enum fault_on on, unsigned n, bool stays)
{
    pthread_mutex_lock(&state.mutex);
    state.fault = fault;
    state.on = on;
    state.countdown = fault == FAULT_NONE ? 0 : n;
    state.stays = stays;
    state.failures = 0;
    pthread_mutex_unlock(&state.mutex);
}

void
faulty_vfs_fail(enum fault fault, enum fault_on on, unsigned n)
{
    arm(fault, on, n, false);
}

void
faulty_vfs_die(enum fault fault, enum fault_on on, unsigned n)
{
    arm(fault, on, n, true);
}

unsigned
faulty_vfs_failures(void)
{
    pthread_mutex_lock(&state.mutex);
    unsigned n = state.failures;
    pthread_mutex_unlock(&state.mutex);
    return n;
}

unsigned
faulty_vfs_writes(void)
{
    pthread_mutex_lock(&state.mutex);
    unsigned n = state.writes;
    pthread_mutex_unlock(&state.mutex);
    return n;
}

unsigned
faulty_vfs_syncs(void)
{
    pthread_mutex_lock(&state.mutex);
    unsigned n = state.syncs;
    pthread_mutex_unlock(&state.mutex);
    return n;
}

/* ---- files ---- */

static int
file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int
file_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), bytes, n, at);
}

static int
file_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    int rc = turn(file, FAULT_ON_WRITE);
    return rc ? rc : real_of(file)->pMethods->xWrite(real_of(file), bytes, n, at);
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* Counted and no more: no test cuts the power, and what a killed process has written is
 * the kernel's. So a thousand lives take seconds. */
static int
file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    return turn(file, FAULT_ON_SYNC);
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int
file_lock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int
file_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int
file_check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int
file_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int
file_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int
file_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

/* Version 1: without shared memory, which an exclusive connection needs none of. */
static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *out, int flags,
         int *out_flags)
{
    (void)vfs;
    struct file *file = (struct file *)out;
    file->base.pMethods = NULL;
    file->real = (sqlite3_file *)(file + 1);
    file->database = flags & SQLITE_OPEN_MAIN_DB;
    int rc = real->xOpen(real, name, file->real, flags, out_flags);
    if (rc == SQLITE_OK)
        file->base.pMethods = &methods;
    return rc;
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
register_once(void)
{
    real = sqlite3_vfs_find(NULL);
    assert(real);
    faulty = *real;
    faulty.zName = FAULTY_VFS;
    faulty.szOsFile = (int)sizeof(struct file) + real->szOsFile;
    faulty.xOpen = vfs_open;
    int rc = sqlite3_vfs_register(&faulty, 0);
    assert(rc == SQLITE_OK);
}

void
faulty_vfs_register(void)
{
    pthread_once(&once, register_once);
}
