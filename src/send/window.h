/*
 * How many attempts may be under way, and whose turn is next. Each webhook has a
 * window; all windows of a sender thread share a pool of slots. Turns go round the
 * channels that have work, and in each round its webhooks: a channel with a thousand
 * webhooks has one turn in a round, as has a channel with one.
 *
 * A window opens and shuts by how its attempts end. It begins with a few slots; each
 * success adds one until the window last was cut at half of what it was then, and from
 * there on one a round trip, up to its greatest. A failure that says "too much" or "not
 * there" halves it, once a round trip, down to one: a dead receiver costs one slot.
 *
 * When many receivers are slow, the pool would run full and healthy ones would wait for
 * a slot. Hence a webhook may hold at most as many slots as are still free in the pool
 * (the dynamic threshold of Choudhury and Hahne, 1998): n hogs level out at size/(n+1)
 * slots each and leave as much free for the next one who needs it. In the same way a
 * channel may hold at most WINDOW_GROUP_SHARE times as many: one alone eight ninths.
 *
 * With more slow receivers than slots even one slot each would fill the pool. So those
 * whose last attempt was slow count as if they held an eighth of the pool more: that
 * eighth is for the others.
 */
#pragma once

#include "base/types.h"

#define WINDOW_MAX         1024 /* a window holds no more than this */
#define WINDOW_GROUP_SHARE 8

struct window {
    struct window_group *group;
    unsigned max;   /* in flight for this webhook at most, ever */
    unsigned limit; /* and now: 1 to max */
    unsigned in_flight;
    unsigned half;   /* below this every success adds one to the limit */
    unsigned grown;  /* successes since it was last added to */
    uint32_t starts; /* attempts so far; the last one's number */
    uint32_t cut;    /* no attempt up to this one cuts the limit again */
    bool wants;      /* has work: stands in a list unless its window is shut */
    bool slow;       /* its last attempt was */
    bool parked;     /* its turn came while it held too much */
    unsigned place;  /* when parked: in which list */
    struct window *next, *prev; /* the list's; NULL when in none */
};

/* The windows of one channel. */
struct window_group {
    unsigned windows; /* that belong to it */
    unsigned standing;
    unsigned in_flight;
    struct window *ready; /* whose turn it is */
    /* Those whose turn came while they held too much, by how much that was, first the
     * quick ones and then the slow ones: their turn comes as soon as enough is free,
     * and meanwhile nobody walks past them. NULL until the first one. */
    struct window **parked;
    unsigned parked_from[2]; /* all lists before these are empty */
    bool waits;              /* as its windows do, for more than `need` free slots */
    unsigned need;
    struct window_group *next, *prev;
};

struct window_pool {
    unsigned size; /* slots in all */
    unsigned in_flight;
    unsigned window_max;
    unsigned reserved;         /* slots that slow ones leave free */
    struct window_group *turn; /* whose turn it is; NULL when nobody stands in line */
    struct window_group **waiting; /* by their need */
    unsigned waiting_from;         /* all lists before this are empty */
};

/* No window of the pool is greater than window_max, which is WINDOW_MAX at most. */
void window_pool_init(struct window_pool *pool, unsigned size, unsigned window_max);
void window_pool_fini(struct window_pool *pool);

void window_group_init(struct window_group *group);
void window_group_fini(struct window_group *group); /* no window belongs to it */

void window_init(struct window *window, struct window_group *group, unsigned max,
                 unsigned limit);
/* Leaves the group; its slots must have been given back. */
void window_fini(struct window_pool *pool, struct window *window);

/* Says whether the webhook has work now. */
void window_want(struct window_pool *pool, struct window *window, bool wants);
/* The next webhook that has work and may start; takes a slot for it and passes the turn
 * on. The attempt's number is window->starts. NULL when none may. */
struct window *window_take(struct window_pool *pool);
/* An attempt of this webhook ended: its slot is free. */
void window_give(struct window_pool *pool, struct window *window);

/* How its last attempt was. */
void window_slow(struct window_pool *pool, struct window *window, bool slow);
void window_grow(struct window_pool *pool, struct window *window);
/* `number` is the attempt's that says so. */
void window_cut(struct window_pool *pool, struct window *window, uint32_t number);
