/*
 * What waited goes out at a bounded rate: after an outage of the receiver, a restart,
 * a hold. New events of the same webhook go past it, and what has only overflowed to
 * disk since then, because it came faster than it went, is no backlog.
 */
#include "engine/lane.h"

/* A receiver that fails for so long is away; what waits then is a backlog. */
#define OUTAGE_MS ((msec_t)60 * 1000)

/* A dead receiver gets a call now and then: no need to keep many at hand. */
#define DEAD_FRESH_MAX  32
#define DEAD_READ_MAX   16
#define DEAD_READ_BELOW 4

void
lane_drain_init(struct dispatch *dispatch, struct lane *lane)
{
    pace_init(&lane->pace, dispatch->options.drain_rate);
    heap_node_init(&lane->paced);
    lane->failing_since_ms = MSEC_NEVER;
    lane->since_ms = clock_steady_ms(dispatch->clock);
}

void
lane_drain_fini(struct dispatch *dispatch, struct lane *lane)
{
    heap_remove(&dispatch->paced, &lane->paced);
}

enum lane_queue
lane_queue_of(const struct lane *lane, const struct live_call *call)
{
    if (call->tries > 0 || event_key_ms(call->event->key) < lane->since_ms)
        return LANE_BACKLOG;
    return LANE_SPILLED;
}

bool
lane_may_drain(struct dispatch *dispatch, struct lane *lane)
{
    if (lane->ready[LANE_BACKLOG].n == 0) {
        heap_remove(&dispatch->paced, &lane->paced);
        return false;
    }
    usec_t now_us = clock_mono_us(dispatch->clock);
    if (!lane->has_turn) {
        usec_t own_us = pace_take(&lane->pace, now_us);
        usec_t all_us = pace_take(&dispatch->pace, now_us);
        lane->turn_us = own_us > all_us ? own_us : all_us;
        lane->has_turn = true;
    }
    if (lane->turn_us <= now_us) {
        heap_remove(&dispatch->paced, &lane->paced);
        return true;
    }
    heap_set(&dispatch->paced, &lane->paced, lane->turn_us);
    return false;
}

void
lanes_drain(struct dispatch *dispatch)
{
    struct heap_node *first;
    usec_t now_us = clock_mono_us(dispatch->clock);
    while ((first = heap_top(&dispatch->paced)) != NULL && first->key <= now_us) {
        heap_remove(&dispatch->paced, first);
        lane_update(dispatch, container_of(first, struct lane, paced));
    }
}

msec_t
lanes_drain_due(const struct dispatch *dispatch)
{
    const struct heap_node *first = heap_top(&dispatch->paced);
    if (!first)
        return MSEC_NEVER;
    return (first->key + dispatch->clock->steady_offset_us + 999) / 1000;
}

/* ---- outages ---- */

static bool
is_dead(const struct lane *lane)
{
    return lane->failing_since_ms != MSEC_NEVER && lane->window.limit == 1;
}

size_t
lane_fresh_max(const struct lane *lane)
{
    return is_dead(lane) ? DEAD_FRESH_MAX : LANE_FRESH_MAX;
}

size_t
lane_read_max(const struct lane *lane)
{
    return is_dead(lane) ? DEAD_READ_MAX : LANE_READ_MAX;
}

size_t
lane_read_below(const struct lane *lane)
{
    return is_dead(lane) ? DEAD_READ_BELOW : LANE_READ_BELOW;
}

void
lane_begin_backlog(struct dispatch *dispatch, struct lane *lane)
{
    lane->since_ms = clock_steady_ms(dispatch->clock);
    live_queue_move(&lane->ready[LANE_BACKLOG], &lane->ready[LANE_SPILLED]);
    live_queue_move(&lane->ready[LANE_BACKLOG], &lane->ready[LANE_FRESH]);
}

void
lane_heard(struct dispatch *dispatch, struct lane *lane, bool ok)
{
    msec_t now_ms = clock_steady_ms(dispatch->clock);
    if (!ok) {
        if (lane->failing_since_ms == MSEC_NEVER)
            lane->failing_since_ms = now_ms;
        return;
    }
    if (lane->failing_since_ms != MSEC_NEVER &&
        now_ms - lane->failing_since_ms >= OUTAGE_MS) {
        lane_begin_backlog(dispatch, lane);
        lane_update(dispatch, lane); /* stays: the call is still in memory */
    }
    lane->failing_since_ms = MSEC_NEVER;
}
