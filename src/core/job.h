/*
 * A job: what is done with many calls of a channel, a few at a time, for as long as it
 * takes. It outlives the program: where it is stands with it, and moves in the commit
 * that does what lies on the way.
 *
 *     from       to          when
 *     ---------  ----------  ------------------------------------------------
 *     (new)      running
 *     running    paused      a person asks for it, or it came with a restore
 *                done        it has been through its range
 *                cancelled   a person asks for it
 *                failed      its webhook, or its channel, was deleted
 *     paused     running     a person asks for it
 *                cancelled   likewise
 */
#pragma once

#include "base/ids.h"
#include "base/types.h"
#include "core/call.h"

enum job_kind {
    JOB_REPLAY, /* events of a time range go to a webhook (again) */
    JOB_RETRY,  /* calls are tried again, now */
    JOB_CANCEL, /* calls that wait are not tried any more */
    JOB_KINDS
};

enum job_state {
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_DONE,
    JOB_CANCELLED,
    JOB_FAILED,
    JOB_STATES
};

enum job_reason {
    JOB_NO_REASON,
    JOB_WEBHOOK_DELETED, /* failed */
    JOB_CHANNEL_DELETED,
    JOB_RESTORED, /* paused */
    /* What a running one waits for; never stored, but found when it is looked at. */
    JOB_HELD,
    JOB_TRIAL_OVER,
    JOB_CROWDED,
    JOB_NO_ROOM,
    JOB_REASONS
};

#define JOB_PACE_DEFAULT 250 /* calls a second */
#define JOB_PACE_MAX     10000
#define JOB_IDS_MAX      1000
#define JOB_ERROR_MAX    200 /* bytes */

/* Of a channel. Those that have ended go after a while, or when there are too many. */
#define JOBS_RUNNING_MAX 16
#define JOBS_KEPT_MAX    1000
#define JOBS_KEPT_MS     ((msec_t)30 * 24 * 3600 * 1000)

/* While so many calls of a webhook wait, a job adds none to them: a replay of millions
 * does not fill the disk, one that is cancelled soon ends, and an event that comes
 * meanwhile has few before it even if it finds no room in memory. */
#define JOB_CROWD 1024

/* Among the states that a job looks for: a bit per shown call_state, and this for "the
 * webhook has no call for the event". Nothing is ever shown as in flight. */
#define JOB_MISSING (1u << CALL_IN_FLIGHT)

struct job_call {
    uint64_t event;
    uint64_t webhook;
};

struct job {
    uint64_t number; /* 0 = to be made */
    uint64_t channel;
    enum job_kind kind;
    uint64_t webhook; /* 0 = any of the channel */
    enum job_state state;
    enum job_reason reason;
    bool dry_run; /* counts, and does nothing */

    /* Which calls: those that are named, or those of events in this range. */
    struct job_call *ids; /* heap; NULL = the range */
    size_t n_ids;
    uint64_t since_key; /* keys >= */
    uint64_t until_key; /* keys < */
    uint32_t states;
    uint32_t types;
    char subscription[ID_MAX + 1]; /* "" = any, likewise below */
    char notification[ID_MAX + 1];
    char error[JOB_ERROR_MAX + 1]; /* the last attempt's reason contains it */

    uint32_t pace;
    int64_t matched; /* calls that fit, so far */
    int64_t done;    /* of them, what was done with */
    int64_t skipped; /* of them, and of those that are named, what could not be */

    /* Where it is: what that means is the store's. */
    uint64_t at_event;
    uint64_t at_webhook;
    msec_t at_due_ms;
    uint64_t first_key; /* of the range: nothing lies before it */
    int64_t seen;       /* of `expected`, when that is not 0: else the range's time */
    int64_t expected;   /* counts */

    msec_t next_ms; /* steady, likewise below: its next step */
    msec_t created_ms;
    msec_t updated_ms;
    msec_t finished_ms; /* 0 = it has not ended */
};

void job_fini(struct job *job); /* what it owns; the struct is the caller's */

const char *job_kind_name(enum job_kind kind);    /* "replay" … */
const char *job_state_name(enum job_state state); /* "running" … */
/* A sentence; NULL for JOB_NO_REASON. */
const char *job_reason_text(enum job_reason reason);

static inline bool
job_has_ended(const struct job *job)
{
    return job->state >= JOB_DONE;
}

/* Whether a person may have it so. */
bool job_may_move(enum job_state from, enum job_state to);

/* How far it is, 0 to 1. */
double job_progress(const struct job *job);
/* The time of the events that it is at (Unix ms); MSEC_NEVER = it does not go by time,
 * or has not begun. */
msec_t job_position(const struct job *job);
