#include "core/job.h"

#include <assert.h>
#include <stdlib.h>

static const char *const kind_names[JOB_KINDS] = {
    [JOB_REPLAY] = "replay",
    [JOB_RETRY] = "retry",
    [JOB_CANCEL] = "cancel",
};

static const char *const state_names[JOB_STATES] = {
    [JOB_RUNNING] = "running",     [JOB_PAUSED] = "paused", [JOB_DONE] = "done",
    [JOB_CANCELLED] = "cancelled", [JOB_FAILED] = "failed",
};

static const char *const reason_texts[JOB_REASONS] = {
    [JOB_NO_REASON] = NULL,
    [JOB_WEBHOOK_DELETED] = "the webhook was deleted",
    [JOB_CHANNEL_DELETED] = "the channel was deleted",
    [JOB_RESTORED] = "it came with a backup that was restored: resume it when it is "
                     "still wanted",
    [JOB_HELD] = "the webhook is disabled: its calls are held until it is enabled",
    [JOB_TRIAL_OVER] =
        "the channel's trial is over: its calls are held until it goes on",
    [JOB_CROWDED] =
        "a thousand calls wait for the webhook: it goes on when some of them "
        "have gone",
    [JOB_NO_ROOM] = "the disk is nearly full: it goes on when there is room",
};

/* Which states a person may ask for: a bit for each. */
#define TO(state) (1u << (state))

static const unsigned moves[JOB_STATES] = {
    [JOB_RUNNING] = TO(JOB_RUNNING) | TO(JOB_PAUSED) | TO(JOB_CANCELLED),
    [JOB_PAUSED] = TO(JOB_RUNNING) | TO(JOB_PAUSED) | TO(JOB_CANCELLED),
};

void
job_fini(struct job *job)
{
    free(job->ids);
    job->ids = NULL;
    job->n_ids = 0;
}

const char *
job_kind_name(enum job_kind kind)
{
    assert((unsigned)kind < JOB_KINDS);
    return kind_names[kind];
}

const char *
job_state_name(enum job_state state)
{
    assert((unsigned)state < JOB_STATES);
    return state_names[state];
}

const char *
job_reason_text(enum job_reason reason)
{
    assert((unsigned)reason < JOB_REASONS);
    return reason_texts[reason];
}

bool
job_may_move(enum job_state from, enum job_state to)
{
    return (moves[from] & TO(to)) != 0;
}

double
job_progress(const struct job *job)
{
    double share = 0;

    if (job->state == JOB_DONE)
        return 1;
    if (job->expected > 0) {
        share = (double)job->seen / (double)job->expected;
    } else if (job->at_event > job->first_key) {
        msec_t from_ms = event_key_ms(job->first_key);
        msec_t whole_ms = event_key_ms(job->until_key) - from_ms;
        share = (double)(event_key_ms(job->at_event) - from_ms) /
                (double)(whole_ms > 0 ? whole_ms : 1);
    }
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

msec_t
job_position(const struct job *job)
{
    if (job->expected > 0 || job->at_event <= job->since_key)
        return MSEC_NEVER;
    return event_key_ms(job->at_event);
}
