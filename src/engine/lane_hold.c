/*
 * What belongs to a channel whose trial has ended is held: no attempt is started and
 * nothing is read. It is one comparison, and one look when the time comes; when the end
 * is lifted, all that waits is backlog.
 */
#include "core/channel.h"
#include "engine/lane.h"

void
lane_hold_init(struct lane *lane)
{
    heap_node_init(&lane->holds);
    lane->held_from_ms = MSEC_NEVER;
}

void
lane_hold_fini(struct dispatch *dispatch, struct lane *lane)
{
    heap_remove(&dispatch->holds, &lane->holds);
}

bool
lane_is_held(const struct dispatch *dispatch, const struct lane *lane)
{
    return trial_is_over(lane->held_from_ms, clock_steady_ms(dispatch->clock));
}

void
lane_hold_from(struct dispatch *dispatch, struct lane *lane, msec_t from_ms)
{
    bool was = lane_is_held(dispatch, lane);
    lane->held_from_ms = from_ms;
    bool is = lane_is_held(dispatch, lane);

    if (was && !is)
        lane_begin_backlog(dispatch, lane);
    if (is || from_ms == MSEC_NEVER)
        heap_remove(&dispatch->holds, &lane->holds);
    else
        heap_set(&dispatch->holds, &lane->holds, from_ms);
}

void
lanes_hold(struct dispatch *dispatch)
{
    struct heap_node *first;
    msec_t now_ms = clock_steady_ms(dispatch->clock);
    while ((first = heap_top(&dispatch->holds)) != NULL && first->key <= now_ms) {
        heap_remove(&dispatch->holds, first);
        lane_update(dispatch, container_of(first, struct lane, holds));
    }
}

msec_t
lanes_hold_due(const struct dispatch *dispatch)
{
    const struct heap_node *first = heap_top(&dispatch->holds);
    return first ? first->key : MSEC_NEVER;
}
