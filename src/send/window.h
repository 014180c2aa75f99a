/*
 * How many attempts may be under way, and whose turn is next. Each webhook has a
 * window; all windows of a sender thread share a pool of slots. Turns go round: one
 * call per webhook with work, then the next webhook.
 *
 * When many receivers are slow, the pool would run full and healthy ones would wait for
 * a slot. Hence a webhook may hold at most as many slots as are still free in the pool
 * (the dynamic threshold of Choudhury and Hahne, 1998): n hogs level out at size/(n+1)
 * slots each and leave as much free for the next one who needs it.
 *
 * With more slow receivers than slots even one slot each would fill the pool. So those
 * whose last attempt was slow count as if they held an eighth of the pool more: that
 * eighth is for the others.
 */
#pragma once

#include "base/types.h"

#define WINDOW_MAX      1024 /* a window holds no more than this */
#define WINDOW_LOAD_MAX (2 * WINDOW_MAX)

struct window {
    unsigned max; /* in flight for this webhook at most */
    unsigned in_flight;
    bool wants;  /* has work: stands in the ring unless its window is shut */
    bool slow;   /* its last attempt was */
    bool parked; /* stands in a parking list instead: too much in flight for now */
    struct window *next, *prev; /* the list's; NULL when in none */
};

struct window_pool {
    unsigned size; /* slots in all */
    unsigned in_flight;
    struct window *turn; /* whose turn it is; NULL when nobody stands in the ring */
    unsigned reserved;   /* slots that slow ones leave free */
    /* Those whose turn came while they held too much, by how much that counts: their
     * turn comes as soon as enough is free, and meanwhile nobody walks past them. */
    struct window *parked[WINDOW_LOAD_MAX];
    unsigned parked_from; /* all lists before this are empty */
};

void window_pool_init(struct window_pool *pool, unsigned size);
void window_init(struct window *window, unsigned max);
void window_fini(
    struct window_pool *pool,
    struct window *window); /* leaves the ring; its slots must be given back after */

/* Says whether the webhook has work now. */
void window_want(struct window_pool *pool, struct window *window, bool wants);
/* The next webhook that has work and may start; takes a slot for it and passes the turn
 * on. NULL when none may. */
struct window *window_take(struct window_pool *pool);
/* How its last attempt was. */
void window_slow(struct window_pool *pool, struct window *window, bool slow);
/* An attempt of this webhook ended: its slot is free. */
void window_give(struct window_pool *pool, struct window *window);
