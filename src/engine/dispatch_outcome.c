/* From an attempt's end to its record in the store. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/timefmt.h"
#include "core/retry.h"
#include "engine/lane.h"

#define REFUSED_RETRY_MS 1000 /* the disk is full: outcomes are submitted again */

/* A failed attempt that took longer held its slot for nothing. */
#define SLOW_US 1000000

/* 410, and not to a request that was made before the webhook changed. */
static bool
is_gone(const struct live_call *call)
{
    return call->attempt.verdict == VERDICT_GONE && call->sent == call->lane->webhook;
}

static void
log_attempt(struct dispatch *dispatch, const struct live_call *call,
            const struct store_result *result)
{
    if (!log_enabled(LOG_INFO))
        return;
    const struct attempt *attempt = &call->attempt;
    char id[ID_TEXT], next[TIME_TEXT] = "";
    call_id_format(id, call->event->key, call->lane->webhook_number);
    bool held = is_gone(call);
    if (result->state == CALL_WAITING && !held) /* people live in wall time */
        time_format(next, clock_wall_us(dispatch->clock) / 1000 + result->due_ms -
                              clock_steady_ms(dispatch->clock));

    log_line(LOG_INFO, "attempt", LOG_S("call", id), LOG_S("event", call->event->id),
             LOG_S("webhook", call->lane->webhook->id),
             LOG_S("type", event_type_name(call->event->type)),
             LOG_I("n", result->attempt.n),
             LOG_S("verdict", verdict_name(attempt->verdict)),
             LOG_I("status", attempt->status),
             LOG_S("reason", attempt->reason[0] ? attempt->reason : NULL),
             LOG_US("ms", attempt->duration_us),
             LOG_S("state", call_state_name(held ? CALL_HELD : result->state)),
             LOG_S("next", next[0] ? next : NULL));
}

/* What becomes of the call. 410 disables the webhook, which holds it: it stays waiting
 * on disk. */
static void
decide(struct dispatch *dispatch, const struct live_call *call,
       struct store_result *result)
{
    const struct attempt *attempt = &call->attempt;
    const struct webhook *webhook = call->lane->webhook;
    msec_t now_ms = clock_steady_ms(dispatch->clock);

    result->tries = call->tries + 1;
    if (attempt->verdict == VERDICT_OK) {
        result->state = call_move(CALL_IN_FLIGHT, CALL_SUCCEEDED);
        return;
    }
    msec_t due_ms = retry_next(&webhook->retry, result->tries, now_ms,
                               attempt->retry_after_ms, dispatch->options.rng);
    if (due_ms == MSEC_NEVER && is_gone(call))
        due_ms = now_ms;
    if (due_ms == MSEC_NEVER) {
        result->state = call_move(CALL_IN_FLIGHT, CALL_FAILED);
        return;
    }
    result->state = call_move(CALL_IN_FLIGHT, CALL_WAITING);
    result->due_ms = due_ms;
}

static void
observe(struct dispatch *dispatch, const struct live_call *call)
{
    const struct attempt *attempt = &call->attempt;
    metric_add(METRIC_ATTEMPTS, attempt->verdict, 1);
    metric_observe(METRIC_ATTEMPT_SECONDS, attempt->duration_us);
    if (attempt->verdict == VERDICT_OK) {
        msec_t took = clock_steady_ms(dispatch->clock) - event_key_ms(call->event->key);
        metric_observe(METRIC_DELIVERY_SECONDS, took * 1000);
    }
}

/* No answer, or one that asks for less. */
static bool
is_too_much(const struct attempt *attempt)
{
    switch (attempt->status) {
    case 0:
    case 429:
    case 502:
    case 503:
    case 504:
        return true;
    default:
        return false;
    }
}

/* How the attempt ended opens or shuts its webhook's window. */
static void
turn_window(struct dispatch *dispatch, const struct live_call *call)
{
    const struct attempt *attempt = &call->attempt;
    struct window *window = &call->lane->window;

    window_slow(&dispatch->pool, window,
                attempt->verdict != VERDICT_OK && attempt->duration_us > SLOW_US);
    if (attempt->verdict == VERDICT_OK)
        window_grow(&dispatch->pool, window);
    else if (is_too_much(attempt))
        window_cut(&dispatch->pool, window, call->number);
}

static struct outcomes *outcomes_open(struct dispatch *dispatch);

/* Disables the webhook when it is gone, or has been failing for too long. */
static void
give_up(struct dispatch *dispatch, const struct live_call *call)
{
    struct lane *lane = call->lane;
    bool gone = is_gone(call);
    bool failing = call->attempt.verdict != VERDICT_OK && call->sent == lane->webhook &&
                   lane_is_given_up(dispatch, lane);
    if (lane->shut || !lane->webhook->enabled || (!gone && !failing))
        return;
    lane->shut = true;
    lane_update(dispatch, lane);
    dispatch->options.disable(dispatch->options.ctx, lane->webhook,
                              gone ? DISABLE_GONE : DISABLE_FAILING);
}

/* The transport's done: runs inside transport->run. */
void
outcome_note(struct attempt *attempt)
{
    struct live_call *call = container_of(attempt, struct live_call, attempt);
    struct lane *lane = call->lane;
    struct dispatch *dispatch = lane->dispatch;

    window_give(&dispatch->pool, &lane->window);
    host_give(dispatch, call);
    if (dispatch->aborting && attempt->status == 0) {
        /* Given back: it is waiting on disk, as if not tried. */
        lane_forget(dispatch, call);
        lane_update(dispatch, lane);
        return;
    }

    lane_heard(dispatch, lane, attempt->verdict == VERDICT_OK);
    turn_window(dispatch, call);
    struct outcomes *outcomes = outcomes_open(dispatch);
    size_t at = outcomes->settle.n++;
    struct store_result *result = &outcomes->results[at];
    outcomes->calls[at] = call;
    dispatch->unrecorded++;

    if (attempt->response_len > 0) {
        call->response = xmalloc(attempt->response_len);
        memcpy(call->response, attempt->response, attempt->response_len);
    }
    *result = (struct store_result){
        .event = call->event->key,
        .webhook = lane->webhook_number,
        .lease = lane->lease,
        .was_due_ms = call->due_ms,
        .failing_since_ms = lane_failing_since(dispatch, lane),
        .attempt =
            {
                .n = call->attempts + 1,
                .at_ms = attempt->began_wall_ms,
                .duration_us = attempt->duration_us,
                .timings = attempt->timings,
                .verdict = attempt->verdict,
                .status = attempt->status,
                .reason = slice_of(attempt->reason),
                .response = {call->response, attempt->response_len},
            },
    };
    decide(dispatch, call, result);
    observe(dispatch, call);
    log_attempt(dispatch, call, result);
    webhook_set_failing_since(lane->webhook, result->failing_since_ms);
    give_up(dispatch, call);
}

/* ---- groups of outcomes ---- */

static void
outcomes_committed(struct dispatch *dispatch, struct outcomes *outcomes)
{
    for (size_t i = 0; i < outcomes->settle.n; i++) {
        const struct store_result *result = &outcomes->results[i];
        struct live_call *call = outcomes->calls[i];
        struct lane *lane = call->lane;
        if (result->state == CALL_WAITING && !result->lost)
            lane_note(dispatch, lane,
                      (struct schedule_place){result->due_ms, result->event});
        if (result->state == CALL_FAILED && !result->lost)
            dispatch->options.exhausted(dispatch->options.ctx, lane->webhook,
                                        result->event, result->attempt.n,
                                        result->attempt.reason);
        lane_forget(dispatch, call);
        lane_update(dispatch, lane);
    }
    dispatch->unrecorded -= outcomes->settle.n;
    dispatch->unrecordable = false;
    free(outcomes);
}

static void
outcomes_arrived(struct dispatch *dispatch, struct mail *mail)
{
    struct outcomes *outcomes = container_of(mail, struct outcomes, mail);
    if (outcomes->settle.op.result == 0) {
        outcomes_committed(dispatch, outcomes);
        return;
    }
    /* Disk full: keep them and try again. Closed or broken: the program ends; they are
     * due again after. */
    dispatch->unrecordable = true;
    outcomes->next = dispatch->refused;
    dispatch->refused = outcomes;
    dispatch->refused_at_ms = clock_steady_ms(dispatch->clock) + REFUSED_RETRY_MS;
}

static void
outcomes_dropped(struct mail *mail)
{
    free(container_of(mail, struct outcomes, mail));
}

/* On the store's thread. */
static void
outcomes_done(struct store_op *op)
{
    struct outcomes *outcomes = container_of(op, struct outcomes, settle.op);
    dispatch_post(outcomes->dispatch, &outcomes->mail);
}

static void
submit(struct dispatch *dispatch, struct outcomes *outcomes)
{
    store_submit(dispatch->options.store, &outcomes->settle.op);
}

static struct outcomes *
outcomes_open(struct dispatch *dispatch)
{
    struct outcomes *outcomes = dispatch->open;
    if (outcomes && outcomes->settle.n == OUTCOMES_MAX) {
        submit(dispatch, outcomes);
        outcomes = NULL;
    }
    if (!outcomes) {
        outcomes = xmalloc(sizeof(*outcomes)); /* 256 results: not worth clearing */
        outcomes->dispatch = dispatch;
        outcomes->next = NULL;
        outcomes->mail =
            (struct mail){.handle = outcomes_arrived, .drop = outcomes_dropped};
        outcomes->settle = (struct store_settle){
            .op = {.kind = STORE_SETTLE, .done = outcomes_done},
            .results = outcomes->results,
        };
        dispatch->open = outcomes;
    }
    return outcomes;
}

void
outcomes_submit(struct dispatch *dispatch, msec_t now_ms)
{
    if (dispatch->refused && now_ms >= dispatch->refused_at_ms) {
        struct outcomes *outcomes = dispatch->refused;
        dispatch->refused = NULL;
        while (outcomes) {
            struct outcomes *next = outcomes->next;
            submit(dispatch, outcomes);
            outcomes = next;
        }
    }
    if (dispatch->open) {
        submit(dispatch, dispatch->open);
        dispatch->open = NULL;
    }
}
