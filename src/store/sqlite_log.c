/*
 * The log of a store that did not end well, before SQLite recovers from it. SQLite
 * takes the frames up to the first that does not fit and forgets the rest, which is
 * right after a power cut: frames of the last, unsynced commit may be there in any
 * choice and in parts. But a commit is written only when the one before it has been
 * synced. So if a frame does not fit, and behind it there is a commit with a frame that
 * was written after it, then what does not fit was on disk once, whole: it has changed
 * since, and with it commits would be lost that were acknowledged.
 *
 * Damage in the last commit cannot be told from a power cut.
 */
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define HEADER       32
#define FRAME_HEADER 24
#define FRAME        (FRAME_HEADER + SUM_PAGE)

#define ADVICE ": restore a backup, or go on without them with --accept-loss"

#define MAGIC 0x377f0682 /* + 1: sums are of big-endian words */

struct chain {
    uint32_t sums[2];
};

struct log {
    int fd;
    uint32_t frames;
    bool big;          /* sums are of big-endian words */
    uint8_t salt[8];   /* of this generation: older frames have others */
    uint8_t *frame;    /* the one that was read last, */
    struct chain says; /* and what it says its sum is */
};

static uint32_t
word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
word_of(const uint8_t *p, bool big)
{
    return big ? word(p) : __builtin_bswap32(word(p));
}

static struct chain
add(struct chain chain, const uint8_t *p, size_t n, bool big)
{
    for (size_t at = 0; at < n; at += 8) {
        chain.sums[0] += word_of(p + at, big) + chain.sums[1];
        chain.sums[1] += word_of(p + at + 4, big) + chain.sums[0];
    }
    return chain;
}

static bool
is_chain(struct chain a, struct chain b)
{
    return a.sums[0] == b.sums[0] && a.sums[1] == b.sums[1];
}

static struct chain
chain_at(const uint8_t *p)
{
    return (struct chain){{word(p), word(p + 4)}};
}

/* False when there is none of this generation at that place (from 0). */
static bool
read_frame(struct log *log, uint32_t at)
{
    off_t place = HEADER + (off_t)at * FRAME;
    if (at >= log->frames || pread(log->fd, log->frame, FRAME, place) != FRAME)
        return false;
    log->says = chain_at(log->frame + 16);
    return memcmp(log->frame + 8, log->salt, sizeof(log->salt)) == 0;
}

static bool
is_commit(const struct log *log)
{
    return word(log->frame + 4) != 0;
}

/* Whether the frame that was read last was written after one with this sum. */
static bool
follows(const struct log *log, struct chain before)
{
    struct chain chain = add(before, log->frame, 8, log->big);
    chain = add(chain, log->frame + FRAME_HEADER, SUM_PAGE, log->big);
    return is_chain(chain, log->says);
}

/* The first frame that does not fit, or the end. */
static uint32_t
first_break(struct log *log, struct chain chain)
{
    uint32_t at = 0;
    for (; read_frame(log, at) && follows(log, chain); at++)
        chain = log->says;
    return at;
}

/* How many commits from a frame on are known to have been synced. */
static unsigned
synced_commits(struct log *log, uint32_t at)
{
    unsigned commits = 0, open = 0;
    for (; at < log->frames; at++) {
        if (!read_frame(log, at) || !is_commit(log))
            continue;
        struct chain of_commit = log->says;
        open++;
        if (read_frame(log, at + 1) && follows(log, of_commit))
            commits = open;
    }
    return commits;
}

/* A header that does not fit was written, and synced, before its frames: so if they are
 * of its generation it has changed since. Either its salt is theirs, or with theirs it
 * would fit. */
static bool
header_is_damaged(struct log *log, uint8_t header[HEADER])
{
    memcpy(log->salt, header + 16, sizeof(log->salt));
    if (read_frame(log, 0))
        return true;
    memcpy(header + 16, log->frame + 8, sizeof(log->salt));
    bool big = header[3] & 1;
    return is_chain(add((struct chain){{0, 0}}, header, 24, big),
                    chain_at(header + 24));
}

static bool
is_damaged(struct log *log, uint32_t *frame, unsigned *commits)
{
    uint8_t header[HEADER];
    if (pread(log->fd, header, HEADER, 0) != HEADER)
        return false;
    log->big = header[3] & 1;
    struct chain chain = add((struct chain){{0, 0}}, header, 24, log->big);
    *frame = 0;
    *commits = 0;
    if ((word(header) | 1) != (MAGIC | 1) || word(header + 8) != SUM_PAGE ||
        !is_chain(chain, chain_at(header + 24)))
        return header_is_damaged(log, header);
    memcpy(log->salt, header + 16, sizeof(log->salt));
    uint32_t at = first_break(log, chain);
    *frame = at + 1;
    *commits = synced_commits(log, at);
    return *commits > 0;
}

int
sqlite_log_check(const char *path, struct err *err)
{
    struct stat st;
    struct log log = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    uint32_t frame = 0;
    unsigned commits = 0;
    int rc = 0;

    if (log.fd < 0)
        return errno == ENOENT ? 0
                               : err_set(err, E_IO, "%s: %s", path, strerror(errno));
    if (fstat(log.fd, &st) == 0 && st.st_size >= HEADER + FRAME) {
        log.frames = (uint32_t)((st.st_size - HEADER) / FRAME);
        log.frame = xcalloc(1, FRAME);
        bool damaged = is_damaged(&log, &frame, &commits);
        if (damaged && frame == 0)
            rc =
                err_set(err, E_CONFLICT, "%s is damaged at its beginning" ADVICE, path);
        else if (damaged)
            rc =
                err_set(err, E_CONFLICT,
                        "%s is damaged at frame %u, with %u or more commits from there "
                        "on that were acknowledged" ADVICE,
                        path, (unsigned)frame, commits);
        free(log.frame);
    }
    close(log.fd);
    return rc;
}
