#include "core/call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const state_names[CALL_STATES] = {
    [CALL_WAITING] = "waiting",    [CALL_SUCCEEDED] = "succeeded",
    [CALL_FAILED] = "failed",      [CALL_CANCELLED] = "cancelled",
    [CALL_IN_FLIGHT] = "inFlight", [CALL_HELD] = "held",
};

static const char *const verdict_names[VERDICTS] = {
    [VERDICT_OK] = "ok",
    [VERDICT_TEMPORARY] = "temporary",
    [VERDICT_GONE] = "gone",
};

/* Which states may follow: a bit for each. */
#define TO(state) (1u << (state))

static const unsigned moves[CALL_STATES] = {
    [CALL_WAITING] = TO(CALL_IN_FLIGHT) | TO(CALL_HELD) | TO(CALL_CANCELLED),
    [CALL_IN_FLIGHT] =
        TO(CALL_SUCCEEDED) | TO(CALL_WAITING) | TO(CALL_FAILED) | TO(CALL_HELD),
    [CALL_HELD] = TO(CALL_WAITING) | TO(CALL_CANCELLED),
    [CALL_SUCCEEDED] = TO(CALL_WAITING), /* asked for by a person */
    [CALL_FAILED] = TO(CALL_WAITING),    /* likewise */
    [CALL_CANCELLED] = TO(CALL_WAITING), /* likewise, unless its webhook is gone */
};

const char *
call_state_name(enum call_state state)
{
    assert((unsigned)state < CALL_STATES);
    return state_names[state];
}

bool
call_state_parse(struct slice name, enum call_state *state)
{
    for (unsigned i = 0; i < CALL_STATES; i++) {
        if (slice_is(name, state_names[i])) {
            *state = (enum call_state)i;
            return true;
        }
    }
    return false;
}

bool
call_may_move(enum call_state from, enum call_state to)
{
    return (unsigned)from < CALL_STATES && (unsigned)to < CALL_STATES &&
           (moves[from] & TO(to)) != 0;
}

enum call_state
call_move(enum call_state from, enum call_state to)
{
    if (!call_may_move(from, to)) {
        fprintf(stderr, "pushwire: a call may not become %s when it is %s\n",
                (unsigned)to < CALL_STATES ? state_names[to] : "?",
                (unsigned)from < CALL_STATES ? state_names[from] : "?");
        abort();
    }
    return to;
}

enum call_state
call_shown(enum call_state stored, bool webhook_enabled, bool webhook_deleted)
{
    assert((unsigned)stored < CALL_STORED_STATES);
    if (stored != CALL_WAITING)
        return stored;
    if (webhook_deleted)
        return call_move(CALL_WAITING, CALL_CANCELLED);
    return webhook_enabled ? CALL_WAITING : call_move(CALL_WAITING, CALL_HELD);
}

const char *
verdict_name(enum verdict verdict)
{
    assert((unsigned)verdict < VERDICTS);
    return verdict_names[verdict];
}
