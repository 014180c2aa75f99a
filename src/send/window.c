#include "send/window.h"

#include <assert.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/mem.h"

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned
most(unsigned a, unsigned b)
{
    return a > b ? a : b;
}

/* How many lists of waiting groups there are: one for every need there can be. */
static unsigned
needs(const struct window_pool *pool)
{
    return most(pool->size / WINDOW_GROUP_SHARE, pool->window_max + pool->reserved) + 1;
}

void
window_pool_init(struct window_pool *pool, unsigned size, unsigned window_max)
{
    *pool = (struct window_pool){.size = size};
    pool->window_max = least(window_max, WINDOW_MAX);
    pool->reserved = least(size / 8, WINDOW_MAX);
    pool->waiting_from = needs(pool);
    pool->waiting = xcalloc(needs(pool), sizeof(struct window_group *));
}

void
window_pool_fini(struct window_pool *pool)
{
    free(pool->waiting);
}

void
window_group_init(struct window_group *group)
{
    *group = (struct window_group){0};
}

void
window_group_fini(struct window_group *group)
{
    assert(group->windows == 0 && group->in_flight == 0 && !group->next);
    free(group->parked);
}

/* ---- circular lists; the head is the first ---- */

#define LIST_APPEND(head, node)                                                        \
    do {                                                                               \
        assert(!(node)->next);                                                         \
        if (!(head)) {                                                                 \
            (node)->next = (node)->prev = (node);                                      \
            (head) = (node);                                                           \
        } else {                                                                       \
            (node)->next = (head);                                                     \
            (node)->prev = (head)->prev;                                               \
            (head)->prev->next = (node);                                               \
            (head)->prev = (node);                                                     \
        }                                                                              \
    } while (0)

#define LIST_REMOVE(head, node)                                                        \
    do {                                                                               \
        assert((head) && (node)->next);                                                \
        if ((node)->next == (node)) {                                                  \
            (head) = NULL;                                                             \
        } else {                                                                       \
            (node)->prev->next = (node)->next;                                         \
            (node)->next->prev = (node)->prev;                                         \
            if ((head) == (node))                                                      \
                (head) = (node)->next;                                                 \
        }                                                                              \
        (node)->next = (node)->prev = NULL;                                            \
    } while (0)

/* ---- where a window stands in its group ---- */

/* What it holds, as far as its next turn is concerned: that needs more free slots than
 * this. */
static unsigned
load(const struct window_pool *pool, const struct window *window)
{
    return window->in_flight + (window->slow ? pool->reserved : 0);
}

static void
leave(struct window *window)
{
    struct window_group *group = window->group;
    if (!window->next)
        return;
    if (window->parked)
        LIST_REMOVE(group->parked[window->place], window);
    else
        LIST_REMOVE(group->ready, window);
    window->parked = false;
    group->standing--;
}

static void
park(struct window_pool *pool, struct window *window)
{
    struct window_group *group = window->group;
    unsigned lists = pool->window_max;

    assert(window->in_flight < lists); /* one that holds all it may is shut */
    if (!group->parked) {
        group->parked = xcalloc(2 * (size_t)lists, sizeof(struct window *));
        group->parked_from[0] = group->parked_from[1] = lists;
    }
    window->place = (window->slow ? lists : 0) + window->in_flight;
    window->parked = true;
    LIST_APPEND(group->parked[window->place], window);
    group->standing++;
    if (group->parked_from[window->slow] > window->in_flight)
        group->parked_from[window->slow] = window->in_flight;
}

/* To the end of its channel's round, unless the window is shut or has no work. */
static void
queue(struct window *window)
{
    if (!window->wants || window->in_flight >= window->limit)
        return;
    LIST_APPEND(window->group->ready, window);
    window->group->standing++;
}

/* After what it holds or may hold has changed. One that was passed over has not lost
 * its turn, and one that stands in the round not its place. */
static void
restand(struct window_pool *pool, struct window *window)
{
    bool parked = window->parked;
    bool shut = window->in_flight >= window->limit;

    if (window->next && (parked || shut))
        leave(window);
    if (parked && !shut)
        park(pool, window);
    else if (!window->next)
        queue(window);
}

/* The one that needs the least, of those that were passed over; NULL if none. */
static struct window *
first_parked(const struct window_pool *pool, struct window_group *group, bool slow)
{
    struct window **lists = group->parked + (slow ? pool->window_max : 0);
    unsigned *from = &group->parked_from[slow];

    while (group->parked && *from < pool->window_max) {
        if (lists[*from])
            return lists[*from];
        (*from)++;
    }
    return NULL;
}

static struct window *
least_parked(const struct window_pool *pool, struct window_group *group)
{
    struct window *quick = first_parked(pool, group, false);
    struct window *slow = first_parked(pool, group, true);
    if (!quick || !slow)
        return quick ? quick : slow;
    return load(pool, quick) <= load(pool, slow) ? quick : slow;
}

/* ---- where a group stands in the pool ---- */

/* Its next turn needs more free slots than this. */
static unsigned
group_need(const struct window_pool *pool, struct window_group *group)
{
    unsigned need = group->in_flight / WINDOW_GROUP_SHARE;
    const struct window *window = group->ready ? NULL : least_parked(pool, group);
    return window ? most(need, load(pool, window)) : need;
}

static void
group_leave(struct window_pool *pool, struct window_group *group)
{
    if (!group->next)
        return;
    if (group->waits)
        LIST_REMOVE(pool->waiting[group->need], group);
    else
        LIST_REMOVE(pool->turn, group);
    group->waits = false;
}

static void
group_wait(struct window_pool *pool, struct window_group *group)
{
    group->need = group_need(pool, group);
    assert(group->need < needs(pool));
    group->waits = true;
    LIST_APPEND(pool->waiting[group->need], group);
    if (pool->waiting_from > group->need)
        pool->waiting_from = group->need;
}

/* After anything about its windows has changed. */
static void
group_restand(struct window_pool *pool, struct window_group *group)
{
    if (group->standing == 0) {
        group_leave(pool, group);
    } else if (!group->next) {
        LIST_APPEND(pool->turn, group);
    } else if (group->waits && group->need != group_need(pool, group)) {
        group_leave(pool, group);
        group_wait(pool, group);
    }
}

/* One whose turn it is, or was and it may perhaps start now. */
static struct window_group *
next_group(struct window_pool *pool, unsigned free_slots)
{
    unsigned end = least(free_slots, needs(pool));

    while (pool->waiting_from < end) {
        struct window_group *group = pool->waiting[pool->waiting_from];
        if (group)
            return group;
        pool->waiting_from++;
    }
    return pool->turn;
}

/* Whose turn it is in the group, if there is one that may start. */
static struct window *
pick(struct window_pool *pool, struct window_group *group, unsigned free_slots)
{
    if (group->in_flight / WINDOW_GROUP_SHARE >= free_slots)
        return NULL;
    struct window *window = least_parked(pool, group);
    if (window && load(pool, window) < free_slots)
        return window;
    while ((window = group->ready) != NULL) {
        if (load(pool, window) < free_slots)
            return window;
        leave(window);
        park(pool, window);
    }
    return NULL;
}

/* ---- windows ---- */

void
window_init(struct window *window, struct window_group *group, unsigned max,
            unsigned limit)
{
    max = least(max, WINDOW_MAX);
    *window = (struct window){
        .group = group, .max = max, .limit = most(least(limit, max), 1), .half = max};
    group->windows++;
}

void
window_fini(struct window_pool *pool, struct window *window)
{
    assert(window->in_flight == 0);
    window_want(pool, window, false);
    window->group->windows--;
}

void
window_want(struct window_pool *pool, struct window *window, bool wants)
{
    if (window->wants == wants)
        return;
    window->wants = wants;
    leave(window);
    queue(window);
    group_restand(pool, window->group);
}

/* The fault: first of all again. */
static void
keep_turn(struct window_pool *pool, struct window *window)
{
    if (window->next)
        window->group->ready = window;
    if (window->group->next)
        pool->turn = window->group;
}

struct window *
window_take(struct window_pool *pool)
{
    assert(pool->in_flight <= pool->size);
    unsigned free_slots = pool->size - pool->in_flight;
    if (free_slots == 0)
        return NULL;

    struct window_group *group;
    struct window *window = NULL;
    while (!window && (group = next_group(pool, free_slots)) != NULL) {
        window = pick(pool, group, free_slots);
        group_leave(pool, group);
        if (!window)
            group_wait(pool, group);
    }
    if (!window)
        return NULL;
    leave(window);
    window->in_flight++;
    window->starts++;
    window->group->in_flight++;
    pool->in_flight++;
    queue(window);
    group_restand(pool, window->group);
    if (fault_on("turn-kept"))
        keep_turn(pool, window);
    return window;
}

void
window_give(struct window_pool *pool, struct window *window)
{
    assert(window->in_flight > 0 && pool->in_flight > 0);
    window->in_flight--;
    window->group->in_flight--;
    pool->in_flight--;
    restand(pool, window);
    group_restand(pool, window->group);
}

void
window_slow(struct window_pool *pool, struct window *window, bool slow)
{
    if (window->slow == slow)
        return;
    window->slow = slow;
    restand(pool, window);
    group_restand(pool, window->group);
}

static void
set_limit(struct window_pool *pool, struct window *window, unsigned limit)
{
    window->limit = limit;
    window->grown = 0;
    restand(pool, window);
    group_restand(pool, window->group);
}

void
window_grow(struct window_pool *pool, struct window *window)
{
    if (window->limit == window->max)
        return;
    window->grown++;
    if (window->limit < window->half || window->grown >= window->limit)
        set_limit(pool, window, window->limit + 1);
}

void
window_cut(struct window_pool *pool, struct window *window, uint32_t number)
{
    if ((int32_t)(number - window->cut) <= 0) /* numbers may wrap */
        return;
    window->cut = window->starts;
    window->half = most(window->limit / 2, 1);
    set_limit(pool, window, window->half);
}
