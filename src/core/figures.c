#include "core/figures.h"

#include <assert.h>

/* Microseconds; bucket i ends before the i-th. Each is the one before it, times 1.22.
 */
static const uint32_t bounds[FIGURES_BUCKETS - 1] = {
    500,      610,      744,      908,      1108,     1351,     1649,      2011,
    2454,     2994,     3652,     4456,     5436,     6632,     8091,      9871,
    12043,    14692,    17924,    21868,    26679,    32548,    39709,     48445,
    59103,    72105,    87968,    107321,   130932,   159737,   194879,    237752,
    290058,   353871,   431722,   526701,   642575,   783942,   956409,    1166819,
    1423519,  1736693,  2118766,  2584894,  3153571,  3847356,  4693774,   5726405,
    6986214,  8523181,  10398281, 12685902, 15476801, 18881697, 23035671,  28103518,
    34286292, 41829276, 51031717, 62258695, 75955608, 92665842, 113052327,
};

msec_t
figures_step_ms(enum figures_step step)
{
    static const msec_t lengths[FIGURES_STEPS] = {60 * 1000, 3600 * 1000};
    return lengths[step];
}

msec_t
figures_kept_ms(enum figures_step step)
{
    static const msec_t kept[FIGURES_STEPS] = {FIGURES_MINUTES_MS, FIGURES_HOURS_MS};
    return kept[step];
}

msec_t
figures_begin(enum figures_step step, msec_t at_ms)
{
    return at_ms - at_ms % figures_step_ms(step);
}

bool
figures_none(const struct figures *figures)
{
    return figures->events == 0 && figures->succeeded == 0 && figures->failed == 0 &&
           figures->exhausted == 0;
}

static size_t
bucket_of(usec_t took_us)
{
    size_t low = 0, high = ARRAY_LEN(bounds);
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (took_us < (usec_t)bounds[mid])
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

void
figures_attempt(struct figures *figures, bool ok, usec_t took_us)
{
    if (took_us < 0)
        took_us = 0;
    if (ok)
        figures->succeeded++;
    else
        figures->failed++;
    figures->took[bucket_of(took_us)]++;
    if (took_us > figures->max_us)
        figures->max_us = took_us;
}

void
figures_add(struct figures *to, const struct figures *more)
{
    to->events += more->events;
    to->succeeded += more->succeeded;
    to->failed += more->failed;
    to->exhausted += more->exhausted;
    if (more->max_us > to->max_us)
        to->max_us = more->max_us;
    if (more->backlog.known)
        figures_wait(to, more->backlog.first, more->backlog.highest);
    for (size_t i = 0; i < FIGURES_BUCKETS; i++)
        to->took[i] += more->took[i];
}

static void
raise_to(struct figures_backlog *backlog, uint64_t height)
{
    if (height > backlog->highest)
        backlog->highest = height;
}

void
figures_wait(struct figures *figures, uint64_t before, uint64_t now)
{
    struct figures_backlog *backlog = &figures->backlog;
    if (!backlog->known)
        *backlog = (struct figures_backlog){true, before, before};
    raise_to(backlog, now);
}

/* From the end, since each beginning is the end of what is before it. */
void
figures_trace(struct figures_trace *steps, size_t n, uint64_t now)
{
    struct figures_backlog end = {true, now, now};
    for (size_t i = n; i > 0; i--) {
        struct figures_trace *step = &steps[i - 1];
        if (!step->there)
            step->backlog = end;
        else if (step->backlog.known && end.known)
            raise_to(&step->backlog, end.first);
        end = step->backlog;
        end.highest = end.first;
    }
}

/* What stands for a bucket: as far from its one end as from the other, as a share. */
static usec_t
middle_of(size_t bucket, usec_t max_us)
{
    if (bucket == FIGURES_BUCKETS - 1)
        return max_us;
    usec_t high = bounds[bucket];
    usec_t low = bucket ? bounds[bucket - 1] : 0;
    usec_t middle = bucket ? 2 * low * high / (low + high) : high / 2;
    return middle < max_us ? middle : max_us;
}

usec_t
figures_percentile(const struct figures *figures, unsigned per_mille)
{
    uint64_t all = 0, below = 0;
    assert(per_mille <= 1000);
    for (size_t i = 0; i < FIGURES_BUCKETS; i++)
        all += figures->took[i];
    if (all == 0)
        return -1;
    uint64_t rank = all / 1000 * per_mille + (all % 1000 * per_mille + 999) / 1000;
    for (size_t i = 0; i < FIGURES_BUCKETS; i++) {
        below += figures->took[i];
        if (below >= rank && below > 0)
            return middle_of(i, figures->max_us);
    }
    return figures->max_us;
}

/* ---- packed: of each bucket its place, then its count, seven bits a byte, the least
 * first; the high bit says that there are more ---- */

size_t
figures_pack(const struct figures *figures, char out[FIGURES_PACKED_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < FIGURES_BUCKETS; i++) {
        uint64_t count = figures->took[i];
        if (count == 0)
            continue;
        out[n++] = (char)i;
        for (; count >= 0x80; count >>= 7)
            out[n++] = (char)(0x80 | (count & 0x7f));
        out[n++] = (char)count;
    }
    return n;
}

static bool
read_count(struct slice packed, size_t *at, uint64_t *count)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < packed.n && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)packed.p[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *count = value;
            return value > 0 && value < (uint64_t)INT64_MAX;
        }
    }
    return false;
}

bool
figures_unpack(struct figures *figures, struct slice packed)
{
    size_t at = 0;
    int last = -1;
    memset(figures->took, 0, sizeof(figures->took));
    while (at < packed.n) {
        int bucket = (uint8_t)packed.p[at++];
        if (bucket <= last || bucket >= FIGURES_BUCKETS ||
            !read_count(packed, &at, &figures->took[bucket]))
            return false;
        last = bucket;
    }
    return true;
}
