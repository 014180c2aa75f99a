/*
 * Jobs: the part of the store's contract (store.h) that makes them, looks at them, and
 * does what they ask for, a step at a time. A step is an operation: what it did and how
 * far the job has come by that are one commit.
 */
#pragma once

#include "core/job.h"
#include "store/store.h"

/* Makes a job, running. The store sets number, state, times and where it begins, lets
 * until_key end with the newest event, and says as its reason what it waits for;
 * everything stays the caller's. E_NOT_FOUND:
 * no such channel, or no such webhook in it. E_BUSY: JOBS_RUNNING_MAX run there
 * already. E_CONFLICT: JOBS_KEPT_MAX are kept there, and none of them has ended; else
 * the oldest of those goes. */
struct store_put_job {
    struct store_op op;
    struct job *job;
};

/* Pauses it, resumes it, cancels it: nothing happens when it is so already.
 * E_NOT_FOUND: no such job in this channel. E_CONFLICT: it has ended. E_BUSY: as above.
 */
struct store_steer_job {
    struct store_op op;
    uint64_t channel;
    uint64_t number;
    enum job_state to;
    /* As it is then; before done. */
    void (*after)(struct store_steer_job *steer, const struct job *job);
};

/* Jobs of a channel, newest first. A running one says as its reason what it waits for.
 */
struct store_jobs {
    struct store_op op;
    uint64_t channel;
    uint64_t number; /* 0 = all; else this one alone: E_NOT_FOUND if there is none */
    uint64_t before; /* numbers <; UINT64_MAX = from the newest */
    size_t limit;
    void (*each)(struct store_jobs *list, const struct job *job);
    uint64_t next; /* pass as `before` for the next page; 0 = that was all */
};

/* What one step looks at, and how many calls it puts in order, at most: nobody's commit
 * waits for more. */
#define JOB_STEP_LOOK  256
#define JOB_STEP_CALLS 256

/* Where a webhook has calls now that it had not before, from this place on; of one
 * whose calls were taken away `from` is DUE_AT_END. */
struct store_job_place {
    uint64_t webhook;
    struct due_at from;
};

/* The next step of the job whose turn it is, if it has come. A call is put in order at
 * most once by a job. Jobs that ended long ago go. */
struct store_step_jobs {
    struct store_op op;
    /* out */
    struct store_job_place places[JOB_STEP_CALLS];
    size_t n_places;
    msec_t next_ms; /* steady: the next turn; MSEC_NEVER = no job runs */
};

/* One call, by hand: not to be tried any more. E_NOT_FOUND: no such call in this
 * channel. E_CONFLICT: it has ended. An attempt that is under way is recorded. */
struct store_cancel {
    struct store_op op;
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
};
