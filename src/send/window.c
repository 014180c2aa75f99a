#include "send/window.h"

#include <assert.h>

void
window_pool_init(struct window_pool *pool, unsigned size)
{
    *pool = (struct window_pool){.size = size, .parked_from = WINDOW_LOAD_MAX};
    pool->reserved = size / 8 < WINDOW_MAX ? size / 8 : WINDOW_MAX;
}

void
window_init(struct window *window, unsigned max)
{
    if (max > WINDOW_MAX)
        max = WINDOW_MAX;
    *window = (struct window){.max = max};
}

/* ---- circular lists; the head is the first ---- */

static void
list_append(struct window **head, struct window *window)
{
    assert(!window->next);
    if (!*head) {
        window->next = window->prev = window;
        *head = window;
        return;
    }
    struct window *last = (*head)->prev;
    assert(last);
    window->next = *head;
    window->prev = last;
    last->next = window;
    (*head)->prev = window;
}

static void
list_remove(struct window **head, struct window *window)
{
    assert(*head && window->next);
    if (window->next == window) {
        *head = NULL;
    } else {
        window->prev->next = window->next;
        window->next->prev = window->prev;
        if (*head == window)
            *head = window->next;
    }
    window->next = window->prev = NULL;
}

/* ---- where a window stands ---- */

/* What it holds, as far as its next turn is concerned: that needs more free slots than
 * this. */
static unsigned
load(const struct window_pool *pool, const struct window *window)
{
    return window->in_flight + (window->slow ? pool->reserved : 0);
}

static void
park(struct window_pool *pool, struct window *window)
{
    unsigned at = load(pool, window);
    assert(at < WINDOW_LOAD_MAX); /* a window that holds WINDOW_MAX is shut */
    list_append(&pool->parked[at], window);
    window->parked = true;
    if (pool->parked_from > at)
        pool->parked_from = at;
}

/* Call before its load changes: that says in which list a parked window stands. */
static void
leave(struct window_pool *pool, struct window *window)
{
    if (!window->next)
        return;
    if (window->parked)
        list_remove(&pool->parked[load(pool, window)], window);
    else
        list_remove(&pool->turn, window);
    window->parked = false;
}

/* To the end of the round, unless the window is shut or has no work. */
static void
queue(struct window_pool *pool, struct window *window)
{
    if (window->wants && window->in_flight < window->max)
        list_append(&pool->turn, window);
}

void
window_fini(struct window_pool *pool, struct window *window)
{
    window_want(pool, window, false);
}

void
window_want(struct window_pool *pool, struct window *window, bool wants)
{
    if (window->wants == wants)
        return;
    window->wants = wants;
    leave(pool, window);
    queue(pool, window);
}

/* One who was passed over and may start now. */
static struct window *
take_parked(struct window_pool *pool, unsigned free_slots)
{
    unsigned end = free_slots < WINDOW_LOAD_MAX ? free_slots : WINDOW_LOAD_MAX;

    while (pool->parked_from < end) {
        struct window *window = pool->parked[pool->parked_from];
        if (window)
            return window;
        pool->parked_from++;
    }
    return NULL;
}

struct window *
window_take(struct window_pool *pool)
{
    assert(pool->in_flight <= pool->size);
    unsigned free_slots = pool->size - pool->in_flight;
    if (free_slots == 0)
        return NULL;

    struct window *window = take_parked(pool, free_slots);
    while (!window && pool->turn) {
        if (load(pool, pool->turn) < free_slots) {
            window = pool->turn;
        } else {
            struct window *hog = pool->turn;
            leave(pool, hog);
            park(pool, hog);
        }
    }
    if (!window)
        return NULL;
    leave(pool, window);
    window->in_flight++;
    pool->in_flight++;
    queue(pool, window);
    return window;
}

void
window_slow(struct window_pool *pool, struct window *window, bool slow)
{
    if (window->slow == slow)
        return;
    bool parked = window->parked;
    if (parked)
        leave(pool, window);
    window->slow = slow;
    if (parked)
        park(pool, window);
}

void
window_give(struct window_pool *pool, struct window *window)
{
    assert(window->in_flight > 0 && pool->in_flight > 0);
    bool parked = window->parked;
    bool stays = window->next && !parked;

    if (parked)
        leave(pool, window);
    window->in_flight--;
    pool->in_flight--;
    if (parked)
        park(pool, window); /* its turn is still due */
    else if (!stays)
        queue(pool, window);
}
