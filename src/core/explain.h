/*
 * Why a call is where it is, or why an event made none for a webhook: a code for
 * programs and a sentence for people. Pure: from the call's row, its webhook, and what
 * the sender that has the webhook knows.
 */
#pragma once

#include "core/record.h"
#include "core/webhook.h"

enum explain_code {
    /* of what waits */
    EXPLAIN_IN_FLIGHT,
    EXPLAIN_WAITING_FOR_TURN,
    EXPLAIN_RECEIVER_FAILING,
    EXPLAIN_HOST_BUSY,
    EXPLAIN_BACKLOG_PACED,
    EXPLAIN_RETRY_SCHEDULED,
    EXPLAIN_DISK_FULL,
    /* of what is held */
    EXPLAIN_WEBHOOK_DISABLED,
    EXPLAIN_TRIAL_ENDED,
    /* of what has ended */
    EXPLAIN_SUCCEEDED,
    EXPLAIN_FAILED,
    EXPLAIN_CANCELLED,
    /* where there is no call */
    EXPLAIN_FILTERED_OUT,
    EXPLAIN_WEBHOOK_NEWER,
    EXPLAIN_TEST_ONLY,
    EXPLAIN_NONE,
    EXPLAIN_CODES
};

#define EXPLAIN_TEXT 400

struct explain {
    enum explain_code code;
    msec_t at_ms; /* steady: of the next attempt, if it has one; or MSEC_NEVER */
    char text[EXPLAIN_TEXT];
};

const char *explain_code_name(enum explain_code code); /* "inFlight", … */

/* What a sender knows of a webhook, and of one of its calls. */
struct explain_lane {
    bool known; /* false: nothing of the rest is; it was not asked, or is stopping */
    bool in_flight;
    bool disk_full;
    bool failing; /* the last attempt failed, and few or one at a time are tried */
    bool gone;    /* answered 410: it is being disabled */
    bool host_full;
    bool paced;              /* the call waits for the backlog's pace */
    unsigned rate;           /* of that, a second */
    unsigned failures;       /* in a row, as far as this server has seen */
    msec_t failing_since_ms; /* steady */
    unsigned flying, window; /* attempts of the webhook under way, and at most now */
    unsigned host_window;
    size_t ready; /* calls of the webhook in memory that may start */
};

/* `webhook` NULL = it was deleted. */
void explain_call(struct explain *out, const struct call_record *call,
                  const struct webhook *webhook, const struct explain_lane *lane,
                  msec_t now_ms);

/* Why there is no call of this event for the webhook. */
void explain_no_call(struct explain *out, const struct event_record *event,
                     const struct webhook *webhook);
