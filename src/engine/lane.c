#include "engine/lane.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct lane *
lane_get(struct dispatch *dispatch, uint64_t webhook)
{
    return map_get(&dispatch->lanes, webhook, 0);
}

struct lane *
lane_get_or_new(struct dispatch *dispatch, uint64_t webhook)
{
    struct lane *lane = lane_get(dispatch, webhook);
    if (lane)
        return lane;
    lane = xcalloc(1, sizeof(*lane));
    lane->dispatch = dispatch;
    lane->webhook_number = webhook;
    lane->noted.due_ms = MSEC_NEVER;
    lane_drain_init(dispatch, lane);
    lane_probe_init(lane);
    lane_hold_init(lane);
    schedule_add(&dispatch->schedule, &lane->entry,
                 (struct schedule_place){.due_ms = MSEC_NEVER, .event = UINT64_MAX});
    map_put(&dispatch->lanes, webhook, 0, lane);
    return lane;
}

/* A window begins with so much of its greatest, and opens from there. */
#define WINDOW_FIRST_PART 8

void
lane_join_channel(struct dispatch *dispatch, struct lane *lane)
{
    unsigned max = dispatch->options.window;
    uint64_t channel = lane->webhook->channel;
    struct window_group *group = map_get(&dispatch->channels, channel, 0);

    if (!group) {
        group = xcalloc(1, sizeof(*group));
        window_group_init(group);
        map_put(&dispatch->channels, channel, 0, group);
    }
    window_init(&lane->window, group, max, max / WINDOW_FIRST_PART);
}

void
lane_leave_channel(struct dispatch *dispatch, struct lane *lane)
{
    struct window_group *group = lane->window.group;
    if (!group)
        return;
    window_fini(&dispatch->pool, &lane->window);
    if (group->windows > 0)
        return;
    map_remove(&dispatch->channels, lane->webhook->channel, 0);
    window_group_fini(group);
    free(group);
}

void
lane_free(struct dispatch *dispatch, struct lane *lane)
{
    lane_drop_ready(dispatch, lane);
    assert(lane->calls == 0);
    map_remove(&dispatch->lanes, lane->webhook_number, 0);
    lane_leave_channel(dispatch, lane);
    lane_drain_fini(dispatch, lane);
    lane_probe_fini(dispatch, lane);
    lane_hold_fini(dispatch, lane);
    lane_leave_host(dispatch, lane);
    schedule_remove(&dispatch->schedule, &lane->entry);
    if (lane->target)
        dispatch->options.transport->target_close(dispatch->options.transport,
                                                  lane->target);
    webhook_unref(lane->webhook);
    free(lane);
}

static bool
lane_may_send(const struct dispatch *dispatch, const struct lane *lane)
{
    return lane->lease > 0 && !lane->shut && lane->webhook && lane->webhook->enabled &&
           !lane->webhook->deleted && !lane_is_held(dispatch, lane) &&
           !dispatch->stopping;
}

void
lane_update(struct dispatch *dispatch, struct lane *lane)
{
    bool may_send = lane_may_send(dispatch, lane);
    if (!may_send)
        lane_drop_ready(dispatch, lane);

    lane->drains = lane_may_drain(dispatch, lane);
    bool has_work = lane->drains || lane->ready[LANE_FRESH].n > 0 ||
                    lane->ready[LANE_SPILLED].n > 0;
    has_work = lane_may_probe(dispatch, lane, has_work);
    window_want(&dispatch->pool, &lane->window,
                lane_asks_host(dispatch, lane, has_work));
    size_t read = lane->ready[LANE_SPILLED].n + lane->ready[LANE_BACKLOG].n;
    schedule_pause(&dispatch->schedule, &lane->entry,
                   !may_send || lane->reading || lane->full ||
                       read >= lane_read_below(lane));

    bool over = (lane->webhook && lane->webhook->deleted) || lane->lease == 0;
    if (over && lane->calls == 0 && !lane->reading)
        lane_free(dispatch, lane);
}

msec_t
lanes_due(const struct dispatch *dispatch, const struct heap *heap)
{
    const struct heap_node *first = heap_top(heap);
    if (!first)
        return MSEC_NEVER;
    return (first->key + dispatch->clock->steady_offset_us + 999) / 1000;
}

void
lane_note(struct dispatch *dispatch, struct lane *lane, struct schedule_place place)
{
    if (lane->reading && schedule_place_before(place, lane->noted))
        lane->noted = place;
    schedule_note(&dispatch->schedule, &lane->entry, place);
}

/* ---- calls in memory ---- */

void
lane_forget(struct dispatch *dispatch, struct live_call *call)
{
    struct lane *lane = call->lane;
    size_t bytes = live_call_bytes(call);
    map_remove(&dispatch->calls, call->event->key, lane->webhook_number);
    lane->bytes -= bytes;
    dispatch->bytes -= bytes;
    lane->calls--;
    lane->full = false;
    live_call_free(call);
}

static void
drop_queue(struct dispatch *dispatch, struct lane *lane, struct live_queue *queue)
{
    struct live_call *call;
    while ((call = live_queue_take(queue)) != NULL) {
        dispatch->ready--;
        lane_note(dispatch, lane,
                  (struct schedule_place){call->due_ms, call->event->key});
        lane_forget(dispatch, call);
    }
}

void
lane_drop_ready(struct dispatch *dispatch, struct lane *lane)
{
    for (size_t i = 0; i < LANE_QUEUES; i++)
        drop_queue(dispatch, lane, &lane->ready[i]);
}

/* As with windows: a lane may hold as many bytes as are still free, so that lanes of
 * dead receivers leave room for the others; an empty lane may always hold one call. */
static bool
has_room(const struct dispatch *dispatch, const struct lane *lane, size_t bytes)
{
    if (lane->calls == 0)
        return true;
    size_t max = dispatch->options.max_bytes;
    size_t room = max > dispatch->bytes ? max - dispatch->bytes : 0;
    return lane->bytes + bytes <= room;
}

bool
lane_accept(struct dispatch *dispatch, struct lane *lane, struct live_call *call,
            enum lane_queue queue)
{
    size_t bytes = live_call_bytes(call);

    if (map_get(&dispatch->calls, call->event->key, lane->webhook_number)) {
        live_call_free(call);
        return false;
    }
    bool room = has_room(dispatch, lane, bytes);
    if (!room)
        lane->full = true;
    if (!room || !lane_may_send(dispatch, lane) ||
        (queue == LANE_FRESH && lane->ready[LANE_FRESH].n >= lane_fresh_max(lane))) {
        lane_note(dispatch, lane,
                  (struct schedule_place){call->due_ms, call->event->key});
        live_call_free(call);
        return false;
    }

    call->lane = lane;
    map_put(&dispatch->calls, call->event->key, lane->webhook_number, call);
    lane->bytes += bytes;
    dispatch->bytes += bytes;
    lane->calls++;
    dispatch->ready++;
    live_queue_add(&lane->ready[queue], call);
    return true;
}

struct live_call *
lane_take(struct dispatch *dispatch, struct lane *lane)
{
    struct live_call *call = NULL;
    for (unsigned i = 0; !call && i < LANE_QUEUES; i++) {
        enum lane_queue queue = lane->turn++ % LANE_QUEUES;
        if (queue != LANE_BACKLOG || lane->drains)
            call = live_queue_take(&lane->ready[queue]);
        if (call && queue == LANE_BACKLOG)
            lane->has_turn = lane->drains = false;
    }
    if (call)
        dispatch->ready--;
    return call;
}

/* ---- reading what is due ---- */

/* On the store's thread. */
static bool
read_each(struct store_due *due, const struct store_due_call *row)
{
    struct lane_read *read = container_of(due, struct lane_read, due);
    struct live_event *event = live_event_new(row->type, row->body);
    live_event_set_key(event, row->event);
    struct live_call *call = live_call_new(event);
    call->due_ms = row->due_ms;
    call->attempts = row->attempts;
    call->tries = row->tries;

    size_t bytes = live_call_bytes(call);
    if (read->calls.n > 0 && read->bytes + bytes > read->max_bytes) {
        live_call_free(call);
        return false;
    }
    read->bytes += bytes;
    live_queue_add(&read->calls, call);
    return true;
}

static void
read_free(struct lane_read *read)
{
    struct live_call *call;
    while ((call = live_queue_take(&read->calls)) != NULL)
        live_call_free(call);
    free(read);
}

static void
read_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct lane_read *read = container_of(mail, struct lane_read, mail);
    struct lane *lane = lane_get(dispatch, read->webhook);
    assert(lane && lane->reading); /* a lane outlives its read */
    lane->reading = false;
    dispatch->reads--;

    struct schedule_place noted = lane->noted;
    lane->noted.due_ms = MSEC_NEVER;
    if (read->due.op.result == 0) {
        schedule_reach(
            &dispatch->schedule, &lane->entry,
            (struct schedule_place){read->due.next.due_ms, read->due.next.event});
        lane_note(dispatch, lane, noted);
        struct live_call *call;
        while ((call = live_queue_take(&read->calls)) != NULL)
            lane_accept(dispatch, lane, call, lane_queue_of(lane, call));
    } else {
        lane->full = true; /* closed or broken: not again */
    }
    lane_update(dispatch, lane);
    read_free(read);
}

static void
read_dropped(struct mail *mail)
{
    read_free(container_of(mail, struct lane_read, mail));
}

/* On the store's thread. */
static void
read_done(struct store_op *op)
{
    struct lane_read *read = container_of(op, struct lane_read, due.op);
    dispatch_post(read->dispatch, &read->mail);
}

void
lane_read_start(struct dispatch *dispatch, struct lane *lane, msec_t now_ms)
{
    size_t used = dispatch->bytes + lane->bytes;
    struct lane_read *read = xcalloc(1, sizeof(*read));
    read->dispatch = dispatch;
    read->webhook = lane->webhook_number;
    read->max_bytes = dispatch->options.max_bytes > used
                          ? (dispatch->options.max_bytes - used) / 2
                          : 0;
    read->mail = (struct mail){.handle = read_arrived, .drop = read_dropped};
    read->due = (struct store_due){
        .op = {.kind = STORE_DUE, .done = read_done},
        .webhook = lane->webhook_number,
        .from = {lane->entry.from.due_ms, lane->entry.from.event},
        .until_ms = now_ms,
        .each = read_each,
        .max_calls = lane_read_max(lane),
    };
    lane->reading = true;
    dispatch->reads++;
    schedule_pause(&dispatch->schedule, &lane->entry, true);
    store_submit(dispatch->options.store, &read->due.op);
}
