#include "core/explain.h"

#include <stdio.h>

#include "base/timefmt.h"

static const char *const names[EXPLAIN_CODES] = {
    [EXPLAIN_IN_FLIGHT] = "inFlight",
    [EXPLAIN_WAITING_FOR_TURN] = "waitingForTurn",
    [EXPLAIN_RECEIVER_FAILING] = "receiverFailing",
    [EXPLAIN_HOST_BUSY] = "hostBusy",
    [EXPLAIN_BACKLOG_PACED] = "backlogPaced",
    [EXPLAIN_RETRY_SCHEDULED] = "retryScheduled",
    [EXPLAIN_DISK_FULL] = "diskFull",
    [EXPLAIN_WEBHOOK_DISABLED] = "webhookDisabled",
    [EXPLAIN_TRIAL_ENDED] = "trialEnded",
    [EXPLAIN_SUCCEEDED] = "succeeded",
    [EXPLAIN_FAILED] = "failed",
    [EXPLAIN_CANCELLED] = "cancelled",
    [EXPLAIN_FILTERED_OUT] = "filteredOut",
    [EXPLAIN_WEBHOOK_NEWER] = "webhookNewer",
    [EXPLAIN_TEST_ONLY] = "testOnly",
    [EXPLAIN_NONE] = "none",
};

const char *
explain_code_name(enum explain_code code)
{
    return (unsigned)code < EXPLAIN_CODES ? names[code] : "none";
}

#define SAY(out, ...) snprintf((out)->text, sizeof((out)->text), __VA_ARGS__)

/* ---- words ---- */

#define PHRASE 160

/* "Attempt 3 of 9"; of a later round also which one in all. */
static void
write_attempt(char out[PHRASE], const struct call_record *call, uint32_t in_round,
              const struct webhook *webhook)
{
    uint32_t all = webhook ? webhook->retry.max_retries + 1 : 0;
    uint32_t number = call->attempts + in_round - call->tries;
    char of[32] = "";

    if (in_round <= all)
        snprintf(of, sizeof(of), " of %u", (unsigned)all);
    if (number == in_round)
        snprintf(out, PHRASE, "Attempt %u%s", (unsigned)in_round, of);
    else
        snprintf(out, PHRASE, "Attempt %u%s since it was retried by hand (%u in all)",
                 (unsigned)in_round, of, (unsigned)number);
}

/* "failed with status 503", "failed: timeout" */
static void
write_failure(char out[PHRASE], const struct attempt_record *attempt)
{
    int n = attempt->reason.n < 100 ? (int)attempt->reason.n : 100;
    if (attempt->status)
        snprintf(out, PHRASE, "failed with status %d", attempt->status);
    else
        snprintf(out, PHRASE, "failed: %.*s", n, n ? attempt->reason.p : "");
}

/* ---- what waits ---- */

static void
explain_retry(struct explain *out, const struct call_record *call,
              const struct webhook *webhook)
{
    char attempt[PHRASE], failure[PHRASE], next[TIME_TEXT];

    out->code = EXPLAIN_RETRY_SCHEDULED;
    out->at_ms = call->due_ms;
    time_format(next, call->due_ms);
    if (call->tries == 0) {
        SAY(out, "The next attempt comes at %s.", next);
        return;
    }
    write_attempt(attempt, call, call->tries, webhook);
    write_failure(failure, &call->last);
    SAY(out, "%s %s; the next comes at %s.", attempt, failure, next);
}

static void
explain_failing(struct explain *out, const struct explain_lane *lane)
{
    char since[TIME_TEXT];

    out->code = EXPLAIN_RECEIVER_FAILING;
    if (lane->gone) {
        SAY(out, "Its receiver has answered 410 Gone: the webhook is being disabled.");
        return;
    }
    time_format(since, lane->failing_since_ms);
    SAY(out,
        "Its receiver has failed %u time%s in a row since %s: until it answers, its "
        "calls are tried %u at a time.",
        lane->failures, lane->failures == 1 ? "" : "s", since, lane->window);
}

static void
explain_due(struct explain *out, const struct explain_lane *lane)
{
    if (lane->disk_full) {
        out->code = EXPLAIN_DISK_FULL;
        SAY(out, "The server's disk is full: no attempt is started until there is room "
                 "to record how it ends.");
    } else if (lane->failing || lane->gone) {
        explain_failing(out, lane);
    } else if (lane->host_full) {
        out->code = EXPLAIN_HOST_BUSY;
        SAY(out,
            "The %u attempts that may be under way to its host at a time are: the "
            "webhook stands in line for the next one.",
            lane->host_window);
    } else if (lane->paced) {
        out->code = EXPLAIN_BACKLOG_PACED;
        SAY(out,
            "It is part of a backlog, of which its webhook gets %u calls a second at "
            "most; new events go past it.",
            lane->rate);
    } else {
        out->code = EXPLAIN_WAITING_FOR_TURN;
        if (lane->known)
            SAY(out,
                "It is due and waits for its turn: %u of the %u attempts that its "
                "webhook may have at a time are under way, and %zu of its calls are "
                "ready.",
                lane->flying, lane->window, lane->ready);
        else
            SAY(out, "It is due and waits for its turn.");
    }
}

static void
explain_waiting(struct explain *out, const struct call_record *call,
                const struct webhook *webhook, const struct explain_lane *lane,
                msec_t now_ms)
{
    char attempt[PHRASE];

    if (lane->in_flight) {
        out->code = EXPLAIN_IN_FLIGHT;
        write_attempt(attempt, call, call->tries + 1, webhook);
        SAY(out, "%s is under way.", attempt);
    } else if (call->due_ms > now_ms) {
        explain_retry(out, call, webhook);
    } else {
        explain_due(out, lane);
    }
}

/* ---- what is held, and what has ended ---- */

static void
explain_held(struct explain *out, const struct call_record *call)
{
    static const char trial[] = "the channel's trial";
    int n = call->held_reason.n < 200 ? (int)call->held_reason.n : 200;
    const char *reason = n ? call->held_reason.p : "";

    if (n >= (int)sizeof(trial) - 1 && memcmp(reason, trial, sizeof(trial) - 1) == 0) {
        out->code = EXPLAIN_TRIAL_ENDED;
        SAY(out, "It is held: %.*s.", n, reason);
        return;
    }
    out->code = EXPLAIN_WEBHOOK_DISABLED;
    SAY(out, "Its webhook is disabled (%.*s): it is held until somebody enables that.",
        n, reason);
}

static void
explain_succeeded(struct explain *out, const struct call_record *call)
{
    out->code = EXPLAIN_SUCCEEDED;
    SAY(out, "Attempt %u was answered with status %d after %lld ms.",
        (unsigned)call->attempts, call->last.status,
        (long long)(call->last.duration_us + 500) / 1000);
}

static void
explain_failed(struct explain *out, const struct call_record *call)
{
    char failure[PHRASE];

    out->code = EXPLAIN_FAILED;
    write_failure(failure, &call->last);
    if (call->tries == 1)
        SAY(out, "Its only attempt %s.", failure);
    else if (call->tries)
        SAY(out, "All %u attempts are used; the last one %s.", (unsigned)call->tries,
            failure);
    else
        SAY(out, "All attempts are used; the last one %s.", failure);
}

void
explain_call(struct explain *out, const struct call_record *call,
             const struct webhook *webhook, const struct explain_lane *lane,
             msec_t now_ms)
{
    *out = (struct explain){.at_ms = MSEC_NEVER};
    switch (call->state) {
    case CALL_SUCCEEDED:
        explain_succeeded(out, call);
        break;
    case CALL_FAILED:
        explain_failed(out, call);
        break;
    case CALL_CANCELLED:
        out->code = EXPLAIN_CANCELLED;
        SAY(out, "%s",
            webhook ? "It was cancelled by hand."
                    : "It was cancelled: its webhook is deleted.");
        break;
    case CALL_HELD:
        explain_held(out, call);
        break;
    case CALL_WAITING:
    case CALL_IN_FLIGHT:
    case CALL_STATES:
        explain_waiting(out, call, webhook, lane, now_ms);
        break;
    }
}

/* ---- no call ---- */

static void
write_types(char *out, size_t room, uint32_t types)
{
    size_t n = 0;
    out[0] = '\0';
    for (int type = 0; type < EVENT_TYPES; type++)
        if (types & 1u << type && n < room)
            n += (size_t)snprintf(out + n, room - n, "%s%s", n ? ", " : "",
                                  event_type_name((enum event_type)type));
}

void
explain_no_call(struct explain *out, const struct event_record *event,
                const struct webhook *webhook)
{
    char types[120], made[TIME_TEXT];

    *out = (struct explain){.at_ms = MSEC_NEVER};
    if (webhook->created_ms > event->created_ms) {
        out->code = EXPLAIN_WEBHOOK_NEWER;
        time_format(made, webhook->created_ms);
        SAY(out, "The webhook was made at %s, after the event had come.", made);
    } else if (!webhook_wants(webhook, event->type)) {
        out->code = EXPLAIN_FILTERED_OUT;
        write_types(types, sizeof(types), webhook->types);
        SAY(out, "The webhook does not want events of type %s, only %s.",
            event_type_name(event->type), types);
    } else if (slice_is(event->subscription, EVENT_SAMPLE_SUBSCRIPTION)) {
        out->code = EXPLAIN_TEST_ONLY;
        SAY(out, "It is a test event, sent to another webhook alone.");
    } else {
        out->code = EXPLAIN_NONE;
        SAY(out, "The webhook wants such events now, but did not when this one came.");
    }
}
