/* How much room there is. SQLite on a full disk can neither delete nor copy its log, so
 * what comes in is refused while there is still enough for what is under way; and a
 * file of ballast is there to be given up when even that was too little. */
#include "store/sqlite_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The file system is asked at most this often. */
#define LOOK_US (100 * 1000)
#define NEVER   INT64_MIN

#define BALLAST_MAX ((uint64_t)16 << 20)

/* Of the reserve, so much must be free on the disk itself: pages that the database has
 * to spare are room for rows, and none for the log. */
static uint64_t
floor_of(uint64_t reserve)
{
    return reserve / 4;
}

/* Once refused, a little more is asked for, so that it does not go to and fro. */
static uint64_t
wanted(const struct sqlite_store *s, uint64_t bytes)
{
    return s->space.room == DISK_ROOM ? bytes : bytes + bytes / 8;
}

uint64_t
sqlite_file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t
disk_free(const struct sqlite_store *s)
{
    struct statvfs fs;
    if (s->space.disk_free)
        return s->space.disk_free(s->space.ctx);
    if (statvfs(s->space.dir, &fs) < 0)
        return UINT64_MAX; /* then a write will tell */
    return (uint64_t)fs.f_bavail * fs.f_frsize;
}

/* ---- ballast ---- */

static void
ballast_make(struct sqlite_store *s)
{
    struct sqlite_space *space = &s->space;
    if (space->ballast == 0 || space->ballast_there ||
        disk_free(s) < wanted(s, space->reserve) + space->ballast)
        return;
    int fd = open(space->ballast_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    space->ballast_there = ftruncate(fd, (off_t)space->ballast) == 0 &&
                           posix_fallocate(fd, 0, (off_t)space->ballast) == 0;
    if (!space->ballast_there && ftruncate(fd, 0) < 0)
        unlink(space->ballast_path);
    close(fd);
}

/* The file stays, empty: on a file system without free inodes it could not come back.
 * Synced, since some give the blocks to others only then. */
static void
ballast_give_up(struct sqlite_store *s)
{
    struct sqlite_space *space = &s->space;
    if (!space->ballast_there)
        return;
    space->ballast_there = false;
    int fd = open(space->ballast_path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ftruncate(fd, 0) < 0 || fsync(fd) < 0)
        unlink(space->ballast_path);
    close(fd);
}

/* ---- looking ---- */

static uint64_t
spare_pages(struct sqlite_store *s)
{
    if (sqlite_next(s, STMT_FREE_PAGES) <= 0)
        return 0;
    uint64_t pages = sqlite_col_key(s, STMT_FREE_PAGES, 0);
    sqlite_reset(s, STMT_FREE_PAGES);
    return pages * SUM_PAGE;
}

static uint64_t
less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

/* Bytes below the ceiling of the folder; UINT64_MAX = there is none. What is in the log
 * alone will be in the database too. */
static uint64_t
left_below_ceiling(const struct sqlite_store *s, uint64_t spare)
{
    if (s->space.max == 0)
        return UINT64_MAX;
    uint64_t used = sqlite_file_bytes(s->path) + sqlite_file_bytes(s->wal_path);
    used += (uint64_t)s->wal_pages * SUM_PAGE;
    if (s->space.ballast_there)
        used += s->space.ballast;
    return less(s->space.max, less(used, spare));
}

static enum disk_room
judge(struct sqlite_store *s)
{
    struct sqlite_space *space = &s->space;
    uint64_t disk = disk_free(s), spare = spare_pages(s);
    uint64_t below = left_below_ceiling(s, spare);
    uint64_t reserve = wanted(s, space->reserve);
    uint64_t margin = space->max / 8;
    uint64_t all = disk < UINT64_MAX - spare ? disk + spare : UINT64_MAX;

    if (space->reserve && space->reserve < margin)
        margin = space->reserve;
    space->left = all < below ? all : below;
    if (space->full || below == 0)
        return DISK_FULL;
    if (all < reserve || disk < floor_of(reserve) || below < wanted(s, margin))
        return DISK_LOW;
    return DISK_ROOM;
}

static void
set_room(struct sqlite_store *s, enum disk_room room)
{
    if (room == s->space.room)
        return;
    s->space.room = room;
    if (s->listener.room)
        s->listener.room(s->listener.ctx, room, s->space.left);
}

static void
look_now(struct sqlite_store *s)
{
    struct sqlite_space *space = &s->space;
    space->looked_us = clock_mono_us(s->clock);
    if (space->room != DISK_ROOM)
        ballast_make(s);
    if (space->full && space->wrote && (space->ballast_there || !space->ballast))
        space->full = false;
    set_room(s, judge(s));
}

void
sqlite_space_look(struct sqlite_store *s)
{
    struct sqlite_space *space = &s->space;
    if (s->broken || (space->reserve == 0 && space->max == 0))
        return;
    if (space->looked_us == NEVER ||
        clock_mono_us(s->clock) - space->looked_us >= LOOK_US)
        look_now(s);
}

bool
sqlite_space_refuses(struct sqlite_store *s, struct store_op *op)
{
    sqlite_space_look(s);
    if (s->space.room == DISK_ROOM)
        return false;
    op->result = E_FULL;
    op->why = "the disk is nearly full";
    return true;
}

void
sqlite_space_full(struct sqlite_store *s)
{
    if (s->space.reserve == 0 || s->broken)
        return;
    s->space.full = true;
    s->space.wrote = false;
    ballast_give_up(s);
    set_room(s, DISK_FULL);
}

void
sqlite_space_wrote(struct sqlite_store *s)
{
    s->space.wrote = true;
}

/* ---- open, close ---- */

void
sqlite_space_open(struct sqlite_store *s, const struct store_sqlite_options *options)
{
    struct sqlite_space *space = &s->space;
    space->reserve = options->reserve_bytes;
    space->max = options->max_bytes;
    space->ballast =
        space->reserve / 4 < BALLAST_MAX ? space->reserve / 4 : BALLAST_MAX;
    space->disk_free = options->disk_free;
    space->ctx = options->disk_ctx;
    space->looked_us = NEVER;

    /* What an earlier start left: whole, or given up. */
    if (space->ballast && sqlite_file_bytes(space->ballast_path) == space->ballast)
        space->ballast_there = true;
    else if (sqlite_file_bytes(space->ballast_path) > 0)
        unlink(space->ballast_path);
    ballast_make(s);
}
