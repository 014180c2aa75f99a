/*
 * Webhooks whose last attempt failed, or that owe answers and have given none for a
 * while: what they are called with next is a probe, and probes begin one after the
 * other. Most need a new connection, which costs a sender's
 * thread a hundred times what a call does on one that is open; an event that goes to a
 * hundred of them would hold up everybody else's calls for all of that.
 */
#include "engine/lane.h"

/* Long for an answer; a receiver that hangs is known by it long before the deadline. */
#define SILENCE_US 1000000

#define PROBE_EVERY_US 1000
/* When more of them wait, their turns come closer, so that many thousands that are due
 * at a time, as after an outage of the network, have had theirs in some seconds. */
#define PROBES_APART 1000

bool
lane_is_failing(const struct lane *lane)
{
    return lane->failing_since_ms != MSEC_NEVER;
}

void
lane_probe_init(struct lane *lane)
{
    heap_node_init(&lane->probe);
}

void
lane_probe_fini(struct dispatch *dispatch, struct lane *lane)
{
    heap_remove(&dispatch->probes, &lane->probe);
}

/* The end of the line. What has not been used does not come back: two turns are never
 * closer than this. */
static usec_t
take_turn(struct dispatch *dispatch, usec_t now_us)
{
    size_t waiting = dispatch->probes.n;
    usec_t every_us = PROBE_EVERY_US;
    usec_t turn_us = dispatch->probe_us > now_us ? dispatch->probe_us : now_us;

    if (waiting > PROBES_APART)
        every_us = PROBE_EVERY_US * PROBES_APART / (usec_t)waiting;
    dispatch->probe_us = turn_us + every_us;
    return turn_us;
}

void
lane_probe_started(struct dispatch *dispatch, struct lane *lane)
{
    lane->has_probe = false;
    if (lane->window.in_flight == 1)
        lane->quiet_us = clock_mono_us(dispatch->clock);
}

static bool
is_doubtful(const struct lane *lane, usec_t now_us)
{
    return lane_is_failing(lane) ||
           (lane->window.in_flight > 0 && now_us - lane->quiet_us > SILENCE_US);
}

bool
lane_may_probe(struct dispatch *dispatch, struct lane *lane, bool has_work)
{
    usec_t now_us = has_work ? clock_mono_us(dispatch->clock) : 0;
    bool doubtful = has_work && is_doubtful(lane, now_us);
    bool shut = lane->window.in_flight >= lane->window.limit;

    if (!doubtful || shut) {
        heap_remove(&dispatch->probes, &lane->probe);
        lane->has_probe = false;
        return has_work && !doubtful;
    }
    if (!lane->has_probe) {
        lane->probe_us = take_turn(dispatch, now_us);
        lane->has_probe = true;
    }
    if (lane->probe_us <= now_us) {
        heap_remove(&dispatch->probes, &lane->probe);
        return true;
    }
    heap_set(&dispatch->probes, &lane->probe, lane->probe_us);
    return false;
}

msec_t
lanes_probe_due(const struct dispatch *dispatch)
{
    return lanes_due(dispatch, &dispatch->probes);
}

void
lanes_probe(struct dispatch *dispatch)
{
    struct heap_node *first;
    usec_t now_us = clock_mono_us(dispatch->clock);

    while ((first = heap_top(&dispatch->probes)) != NULL && first->key <= now_us) {
        heap_remove(&dispatch->probes, first);
        lane_update(dispatch, container_of(first, struct lane, probe));
    }
}
