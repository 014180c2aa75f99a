/* Why a call of one of its webhooks has not started, as far as the dispatch knows. */
#include "engine/lane.h"

static bool
is_backlog(const struct lane *lane, const struct call_record *call)
{
    return call->tries > 0 || event_key_ms(call->event) < lane->since_ms;
}

/* Its attempts come one at a time, or when its probe's turn has come. */
static bool
is_shut(const struct lane *lane)
{
    return lane_is_failing(lane) && (lane->window.limit == 1 || lane->has_probe);
}

static size_t
ready_calls(const struct lane *lane)
{
    size_t n = 0;
    for (size_t i = 0; i < LANE_QUEUES; i++)
        n += lane->ready[i].n;
    return n;
}

struct explain_lane
dispatch_explain(const struct dispatch *dispatch, const struct call_record *call)
{
    const struct lane *lane = map_get(&dispatch->lanes, call->webhook, 0);
    const struct live_call *live =
        map_get(&dispatch->calls, call->event, call->webhook);
    bool disk_full =
        dispatch->unrecordable ||
        atomic_load_explicit(dispatch->options.room, memory_order_relaxed) == DISK_FULL;

    if (!lane || !lane->webhook || dispatch->stopping)
        return (struct explain_lane){.disk_full = disk_full};
    return (struct explain_lane){
        .known = true,
        .in_flight = live && live->sent,
        .disk_full = disk_full,
        .failing = is_shut(lane),
        .gone = lane->shut,
        .host_full = lane->line_next != NULL,
        .paced = is_backlog(lane, call) && lane->has_turn && !lane->drains,
        .rate = dispatch->options.drain_rate,
        .failures = lane->failures,
        .failing_since_ms = lane->failing_since_ms,
        .flying = lane->window.in_flight,
        .window = lane->window.limit,
        .host_window = dispatch->options.host_window,
        .ready = ready_calls(lane),
    };
}
