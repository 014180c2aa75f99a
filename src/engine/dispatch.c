#include "engine/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/lane.h"

/* With more lanes than this, the oldest due call is looked up only now and then. */
#define GAUGE_LANES    16
#define GAUGE_EVERY_MS 200

struct dispatch *
dispatch_new(const struct dispatch_options *options)
{
    struct dispatch *dispatch = xcalloc(1, sizeof(*dispatch));
    dispatch->options = *options;
    dispatch->clock = options->clock;
    schedule_init(&dispatch->schedule);
    window_pool_init(&dispatch->pool, options->slots, options->window);
    pace_init(&dispatch->pace, options->drain_total);
    heap_init(&dispatch->paced);
    heap_init(&dispatch->probes);
    heap_init(&dispatch->holds);
    smap_init(&dispatch->hosts);
    map_init(&dispatch->channels);
    map_init(&dispatch->lanes);
    map_init(&dispatch->calls);
    atomic_init(&dispatch->mailbox, NULL);
    atomic_init(&dispatch->mail_bytes, 0);
    atomic_init(&dispatch->gauges.oldest_due_ms, MSEC_NEVER);
    return dispatch;
}

/* ---- mail ---- */

void
dispatch_post(struct dispatch *dispatch, struct mail *mail)
{
    struct mail *head = atomic_load_explicit(&dispatch->mailbox, memory_order_relaxed);
    do
        mail->next = head;
    while (!atomic_compare_exchange_weak_explicit(
        &dispatch->mailbox, &head, mail, memory_order_acq_rel, memory_order_relaxed));
    if (!head) /* else somebody has woken it already */
        dispatch->options.transport->wake(dispatch->options.transport);
}

/* Everything in the mailbox, oldest first. */
static struct mail *
take_mail(struct dispatch *dispatch)
{
    struct mail *newest =
        atomic_exchange_explicit(&dispatch->mailbox, NULL, memory_order_acq_rel);
    struct mail *oldest = NULL;
    while (newest) {
        struct mail *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void
dispatch_read_mail(struct dispatch *dispatch)
{
    struct mail *mail = take_mail(dispatch);
    while (mail) {
        struct mail *next = mail->next;
        mail->handle(dispatch, mail);
        mail = next;
    }
}

void
dispatch_free(struct dispatch *dispatch)
{
    if (!dispatch)
        return;
    assert(dispatch->pool.in_flight == 0);

    struct mail *mail = take_mail(dispatch);
    while (mail) {
        struct mail *next = mail->next;
        mail->drop(mail);
        mail = next;
    }
    free(dispatch->open);
    while (dispatch->refused) {
        struct outcomes *next = dispatch->refused->next;
        free(dispatch->refused);
        dispatch->refused = next;
    }

    /* What is left in memory was ready or unrecorded: it is waiting on disk. */
    size_t at = 0;
    struct live_call *call;
    while ((call = map_next(&dispatch->calls, &at)) != NULL)
        live_call_free(call);
    map_fini(&dispatch->calls);

    at = 0;
    struct lane *lane;
    while ((lane = map_next(&dispatch->lanes, &at)) != NULL) {
        lane_leave_channel(dispatch, lane);
        lane_drain_fini(dispatch, lane);
        lane_probe_fini(dispatch, lane);
        lane_hold_fini(dispatch, lane);
        lane_leave_host(dispatch, lane);
        if (lane->target)
            dispatch->options.transport->target_close(dispatch->options.transport,
                                                      lane->target);
        webhook_unref(lane->webhook);
        free(lane);
    }
    map_fini(&dispatch->lanes);
    smap_fini(&dispatch->hosts);
    map_fini(&dispatch->channels);
    window_pool_fini(&dispatch->pool);
    heap_fini(&dispatch->paced);
    heap_fini(&dispatch->probes);
    heap_fini(&dispatch->holds);
    schedule_fini(&dispatch->schedule);
    dispatch->options.transport->close(dispatch->options.transport);
    free(dispatch);
}

/* ---- a turn ---- */

static void
start_reads(struct dispatch *dispatch, msec_t now_ms)
{
    struct schedule_entry *entry;
    while ((entry = schedule_first_due(&dispatch->schedule, now_ms)) != NULL)
        lane_read_start(dispatch, container_of(entry, struct lane, entry), now_ms);
}

/* What cannot be recorded would be repeated after a crash. */
static bool
may_record(const struct dispatch *dispatch)
{
    return !dispatch->unrecordable &&
           atomic_load_explicit(dispatch->options.room, memory_order_relaxed) !=
               DISK_FULL;
}

static void
start_attempts(struct dispatch *dispatch)
{
    struct transport *transport = dispatch->options.transport;
    struct window *window;

    if (!may_record(dispatch))
        return;
    while (dispatch->unrecorded < DISPATCH_UNRECORDED_MAX &&
           (window = window_take(&dispatch->pool)) != NULL) {
        struct lane *lane = container_of(window, struct lane, window);
        if (lane_host_is_full(dispatch, lane)) { /* since it stood in line for a turn */
            window_give(&dispatch->pool, window);
            lane_update(dispatch, lane);
            continue;
        }
        struct live_call *call = lane_take(dispatch, lane);
        assert(call); /* a lane without calls wants no turn */
        if (!lane->target)
            lane->target = transport->target_open(transport, lane->webhook);
        call->sent = webhook_ref(lane->webhook);
        call->number = window->starts;
        lane_probe_started(dispatch, lane);
        host_take(call);
        call->attempt = (struct attempt){
            .event_id = call->event->id,
            .body = {call->event->body, call->event->len},
            .done = outcome_note,
        };
        lane_update(dispatch, lane);
        transport->start(transport, lane->target, &call->attempt);
    }
}

static msec_t
lane_oldest_due(const struct dispatch *dispatch, const struct lane *lane)
{
    msec_t oldest = MSEC_NEVER;
    if (!lane->webhook || !lane->webhook->enabled || lane->lease == 0 ||
        lane_is_held(dispatch, lane))
        return oldest;
    for (size_t i = 0; i < LANE_QUEUES; i++) {
        const struct live_call *first = lane->ready[i].head;
        if (first && first->due_ms < oldest)
            oldest = first->due_ms;
    }
    if (lane->entry.from.due_ms < oldest)
        oldest = lane->entry.from.due_ms;
    return oldest;
}

static void
update_gauges(struct dispatch *dispatch, msec_t now_ms)
{
    struct dispatch_gauges *gauges = &dispatch->gauges;
    atomic_store_explicit(&gauges->ready, dispatch->ready, memory_order_relaxed);
    atomic_store_explicit(&gauges->in_flight, dispatch->pool.in_flight,
                          memory_order_relaxed);

    msec_t oldest = schedule_due(&dispatch->schedule);
    if (dispatch->calls.n > 0 || dispatch->reads > 0) {
        if (dispatch->lanes.n > GAUGE_LANES && now_ms < dispatch->gauge_at_ms)
            return;
        dispatch->gauge_at_ms = now_ms + GAUGE_EVERY_MS;
        size_t at = 0;
        struct lane *lane;
        while ((lane = map_next(&dispatch->lanes, &at)) != NULL) {
            msec_t due = lane_oldest_due(dispatch, lane);
            if (due < oldest)
                oldest = due;
        }
    }
    if (oldest == INT64_MIN) /* not looked at yet: a read is on its way */
        oldest = MSEC_NEVER;
    atomic_store_explicit(&gauges->oldest_due_ms, oldest, memory_order_relaxed);
}

static msec_t
earlier(msec_t a, msec_t b)
{
    return a < b ? a : b;
}

msec_t
dispatch_turn(struct dispatch *dispatch)
{
    msec_t now_ms = clock_steady_ms(dispatch->clock);

    dispatch_read_mail(dispatch);
    if (!dispatch->stopping) {
        lanes_hold(dispatch);
        start_reads(dispatch, now_ms);
        lanes_drain(dispatch);
        lanes_probe(dispatch);
        start_attempts(dispatch);
    }
    outcomes_submit(dispatch, now_ms);
    update_gauges(dispatch, now_ms);

    msec_t next = MSEC_NEVER;
    if (!dispatch->stopping)
        next = earlier(
            earlier(schedule_due(&dispatch->schedule), lanes_hold_due(dispatch)),
            earlier(lanes_drain_due(dispatch), lanes_probe_due(dispatch)));
    if (dispatch->refused && dispatch->refused_at_ms < next)
        next = dispatch->refused_at_ms;
    if (!dispatch->stopping && dispatch->options.also)
        next =
            earlier(next, dispatch->options.also(dispatch->options.also_ctx, now_ms));
    return next;
}

void
dispatch_stop(struct dispatch *dispatch)
{
    dispatch->stopping = true;
    size_t at = 0;
    struct lane *lane;
    while ((lane = map_next(&dispatch->lanes, &at)) != NULL) {
        lane_drop_ready(dispatch, lane);
        window_want(&dispatch->pool, &lane->window, false);
        schedule_pause(&dispatch->schedule, &lane->entry, true);
    }
}

void
dispatch_abort(struct dispatch *dispatch)
{
    dispatch->aborting = true;
    dispatch->options.transport->abort(dispatch->options.transport);
}

bool
dispatch_is_idle(const struct dispatch *dispatch)
{
    return dispatch->pool.in_flight == 0 && dispatch->unrecorded == 0 &&
           dispatch->reads == 0 && !dispatch->gates && dispatch->others == 0;
}

struct transport *
dispatch_transport(struct dispatch *dispatch)
{
    return dispatch->options.transport;
}

const struct dispatch_gauges *
dispatch_gauges(const struct dispatch *dispatch)
{
    return &dispatch->gauges;
}

bool
dispatch_admit(struct dispatch *dispatch, size_t bytes)
{
    size_t used =
        atomic_fetch_add_explicit(&dispatch->mail_bytes, bytes, memory_order_relaxed);
    if (used + bytes <= dispatch->options.max_bytes)
        return true;
    atomic_fetch_sub_explicit(&dispatch->mail_bytes, bytes, memory_order_relaxed);
    return false;
}

void
dispatch_take_back(struct dispatch *dispatch, size_t bytes)
{
    atomic_fetch_sub_explicit(&dispatch->mail_bytes, bytes, memory_order_relaxed);
}
