#include "base/limiter.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

/*
 * A cell is a theoretical arrival time: the time at which all that has passed would be
 * used up at the steady rate. It only grows. In nanoseconds: in microseconds, 300000 a
 * second would round to 250000.
 */

#define CELL_BITS 15
#define CELLS     (1 << CELL_BITS)
#define SECOND_NS INT64_C(1000000000)

typedef int64_t nsec_t;
typedef _Atomic nsec_t cell_t;

struct limiter {
    nsec_t interval_ns;    /* 0 = no limit */
    nsec_t ahead_ns;       /* how far ahead of now a cell may be */
    cell_t cells[][CELLS]; /* two tables, or none */
};

struct limiter *
limiter_new(uint32_t per_second, uint32_t burst)
{
    struct limiter *limiter;

    if (per_second == 0)
        return xcalloc(1, sizeof(*limiter));
    limiter = xcalloc(1, sizeof(*limiter) + 2 * sizeof(limiter->cells[0]));
    /* Rounded up, so that never more than the limit passes. */
    limiter->interval_ns = (SECOND_NS + per_second - 1) / per_second;
    limiter->ahead_ns = limiter->interval_ns * (burst ? burst : 1);
    return limiter;
}

void
limiter_free(struct limiter *limiter)
{
    free(limiter);
}

static void
raise_to(cell_t *cell, nsec_t least)
{
    nsec_t was = atomic_load(cell);

    while (was < least && !atomic_compare_exchange_weak(cell, &was, least))
        ;
}

/*
 * The two cells cannot change at once, so the order of the four steps matters. Whoever
 * passes changes the first cell from what it was at the first step, so two threads
 * never pass on the same count. Between its two steps the second is read and raised:
 * one that lags behind the first would let the next thread pass once too often. At
 * worst, when another key interferes in that moment, it stands one too high. A first
 * cell that is high enough already, by a busy neighbour, moves by a nanosecond so that
 * the change is seen.
 */
msec_t
limiter_take_many(struct limiter *limiter, uint64_t key, uint32_t n, usec_t now_us)
{
    if (limiter->interval_ns == 0)
        return 0;

    uint64_t hash = hash_u64(key, 0);
    cell_t *first = &limiter->cells[0][hash % CELLS];
    cell_t *second = &limiter->cells[1][hash >> (64 - CELL_BITS)];
    nsec_t now_ns = now_us * 1000;

    for (;;) {
        nsec_t first_was = atomic_load(first);
        nsec_t second_was = atomic_load(second);
        nsec_t used = first_was < second_was ? first_was : second_was;
        nsec_t next = (used > now_ns ? used : now_ns) + limiter->interval_ns * n;
        nsec_t wait_ns = next - limiter->ahead_ns - now_ns;

        if (wait_ns > 0)
            return (wait_ns + 999999) / 1000000;
        raise_to(second, next);
        nsec_t first_next = first_was < next ? next : first_was + 1;
        if (atomic_compare_exchange_weak(first, &first_was, first_next))
            return 0;
    }
}

msec_t
limiter_take(struct limiter *limiter, uint64_t key, usec_t now_us)
{
    return limiter_take_many(limiter, key, 1, now_us);
}
