/*
 * The states of a call and who may follow whom:
 *
 *     from        to          when
 *     ----------  ----------  -------------------------------------
 *     (new)       waiting
 *     waiting     in flight   its turn has come
 *                 held        the webhook is disabled, or the trial is over
 *                 cancelled   the webhook is deleted, or a person asks for it
 *     in flight   succeeded   2xx
 *                 waiting     failed, and an attempt is left
 *                 failed      all attempts are used
 *                 held        410, or the webhook is disabled
 *     held        waiting     the webhook is enabled, the trial goes on
 *                 cancelled   the webhook is deleted, or a person asks for it
 *     succeeded   waiting     a person asks for it
 *     failed      waiting     a person asks for it
 *     cancelled   waiting     a person asks for it, and the webhook is there
 *
 * A call that is cancelled while it is in flight stays cancelled: what became of the
 * attempt is recorded with it.
 *
 * On disk a call is waiting, succeeded, failed or cancelled. "In flight" is never
 * stored: after a crash the call is simply due again. "Held" is not stored per call
 * either: a waiting call of a disabled webhook IS held, so that disabling and enabling
 * cost one row however many calls wait (see docs/store.md).
 */
#pragma once

#include "base/types.h"

enum call_state {
    CALL_WAITING,
    CALL_SUCCEEDED,
    CALL_FAILED,
    CALL_CANCELLED,
    CALL_STORED_STATES,
    CALL_IN_FLIGHT = CALL_STORED_STATES, /* memory only */
    CALL_HELD, /* derived: waiting, and its webhook is disabled */
    CALL_STATES
};

const char *
call_state_name(enum call_state state); /* "waiting", …, "inFlight", "held" */
bool call_state_parse(struct slice name, enum call_state *state);

/* The one place where a call changes state: stops the program when `from` may not
 * become `to`. */
enum call_state call_move(enum call_state from, enum call_state to);
bool call_may_move(enum call_state from, enum call_state to);

/* What people see of a stored state. */
enum call_state call_shown(enum call_state stored, bool webhook_enabled,
                           bool webhook_deleted);

/* How an attempt ended, in one word. */
enum verdict {
    VERDICT_OK,        /* a complete header block with 2xx */
    VERDICT_TEMPORARY, /* try again on the schedule */
    VERDICT_GONE,      /* 410: the webhook is disabled and the call held */
    VERDICTS
};

const char *verdict_name(enum verdict verdict); /* "ok", "temporary", "gone" */
