/*
 * What waited goes out at a bounded rate: after an outage of the receiver, a restart,
 * a hold; and what people have put in order again. New events of the same webhook go
 * past it, and what has only overflowed to disk since then, because it came faster than
 * it went, is no backlog.
 */
#include "engine/lane.h"

/* A receiver that fails for so long is away; what waits then is a backlog. Longer than
 * one deadline, so that a moment's silence makes no backlog of a burst. */
#define OUTAGE_MS ((msec_t)30 * 1000)

/* A webhook is not given up on fewer attempts than this, however long they took. */
#define FAILURES_MIN 5

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
    msec_t came_ms = event_key_ms(call->event->key);
    if (call->tries > 0 || came_ms < lane->since_ms || call->due_ms > came_ms)
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
    return lanes_due(dispatch, &dispatch->paced);
}

/* ---- outages ---- */

static bool
is_dead(const struct lane *lane)
{
    return lane_is_failing(lane) && lane->window.limit == 1;
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

static void
starts_anew(struct lane *lane)
{
    lane->failing_since_ms = MSEC_NEVER;
    lane->failures = 0;
}

void
lane_heard(struct dispatch *dispatch, struct lane *lane, bool ok)
{
    msec_t now_ms = clock_steady_ms(dispatch->clock);
    bool was_failing = lane_is_failing(lane);

    lane->quiet_us = clock_mono_us(dispatch->clock);
    if (!ok) {
        if (!was_failing)
            lane->failing_since_ms = now_ms;
        lane->failures++;
    } else {
        if (was_failing && now_ms - lane->failing_since_ms >= OUTAGE_MS)
            lane_begin_backlog(dispatch, lane);
        starts_anew(lane);
    }
    if (was_failing == ok)
        lane_update(dispatch, lane); /* stays: the call is still in memory */
}

msec_t
lane_failing_since(const struct dispatch *dispatch, const struct lane *lane)
{
    if (lane->failing_since_ms == MSEC_NEVER)
        return MSEC_NEVER;
    msec_t now_ms = clock_steady_ms(dispatch->clock);
    return now_ms - lane->failing_since_ms >= OUTAGE_MS ? lane->failing_since_ms
                                                        : MSEC_NEVER;
}

bool
lane_is_given_up(const struct dispatch *dispatch, const struct lane *lane)
{
    msec_t after_ms = dispatch->options.disable_after;
    return after_ms > 0 && lane->failures >= FAILURES_MIN &&
           clock_steady_ms(dispatch->clock) - lane->failing_since_ms >= after_ms;
}

void
lane_new_webhook(struct dispatch *dispatch, struct lane *lane,
                 const struct webhook *old)
{
    if (!old) {
        lane->failing_since_ms = webhook_failing_since(lane->webhook);
        return;
    }
    if (old == lane->webhook)
        return;
    if (!old->enabled) /* what was held is backlog */
        lane_begin_backlog(dispatch, lane);
    if (lane->webhook->enabled) {
        starts_anew(lane);
        webhook_set_failing_since(lane->webhook, MSEC_NEVER);
    }
}
