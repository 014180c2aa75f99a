/* The part of the SQLite backend's inside that is about jobs, and single calls by hand.
 * Only src/store/sqlite*.c include this. */
#pragma once

#include "store/sqlite_private.h"
#include "store/store_job.h"

/* sqlite_write.c */
int sqlite_cancel(struct sqlite_store *s, struct store_op *op) must_check;
/* One call, inside the group: made, waiting; made to wait again, of one that is stored
 * as `from`; cancelled, of one that waits. */
int sqlite_call_add(struct sqlite_store *s, struct sqlite_webhook *webhook,
                    uint64_t key, msec_t due_ms) must_check;
int sqlite_call_again(struct sqlite_store *s, struct sqlite_webhook *webhook,
                      uint64_t event, msec_t due_ms, enum call_state from,
                      int64_t tries) must_check;
int sqlite_call_cancel(struct sqlite_store *s, struct sqlite_webhook *webhook,
                       uint64_t event, int64_t tries) must_check;

/* sqlite_job.c */
int sqlite_put_job(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_steer_job(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_jobs(struct sqlite_store *s, struct store_op *op) must_check;
/* The row that a statement is at, which is reset; to be freed with job_fini. */
int sqlite_job_at(struct sqlite_store *s, enum sqlite_stmt stmt,
                  struct job *job) must_check;
/* What of it moves, inside the group. */
int sqlite_job_set(struct sqlite_store *s, const struct job *job) must_check;
/* A few of those that ended long ago go. */
int sqlite_drop_jobs(struct sqlite_store *s) must_check;

/* sqlite_step.c */
int sqlite_step_jobs(struct sqlite_store *s, struct store_op *op) must_check;
