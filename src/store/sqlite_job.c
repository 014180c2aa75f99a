/* Jobs as rows: made, steered, listed. What they do is in sqlite_step.c. */
#include "store/sqlite_job.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* Ended ones that go in one step. */
#define DROP_AT_ONCE 100

/* ---- rows ---- */

static void
copy_text(char *out, size_t room, struct slice text)
{
    size_t n = text.n < room ? text.n : room - 1;
    memcpy(out, text.p, n);
    out[n] = '\0';
}

static bool
is_sound(const struct job *job, struct slice ids)
{
    return job->kind < JOB_KINDS && job->state < JOB_STATES &&
           job->reason < JOB_REASONS && job->pace > 0 &&
           ids.n % sizeof(struct job_call) == 0;
}

/* The row that a statement is at, which is reset. The job is to be freed with job_fini
 * when this is 0. */
int
sqlite_job_at(struct sqlite_store *s, enum sqlite_stmt stmt, struct job *job)
{
    struct slice ids = sqlite_col_bytes(s, stmt, 13);
    int rc = 0;

    *job = (struct job){
        .number = sqlite_col_key(s, stmt, 0),
        .channel = sqlite_col_key(s, stmt, 1),
        .kind = (enum job_kind)sqlite_col(s, stmt, 2),
        .webhook = sqlite_col_key(s, stmt, 3),
        .state = (enum job_state)sqlite_col(s, stmt, 4),
        .reason = (enum job_reason)sqlite_col(s, stmt, 5),
        .dry_run = sqlite_col(s, stmt, 6) != 0,
        .since_key = sqlite_col_key(s, stmt, 7),
        .until_key = sqlite_col_key(s, stmt, 8),
        .states = (uint32_t)sqlite_col(s, stmt, 9),
        .types = (uint32_t)sqlite_col(s, stmt, 10),
        .pace = (uint32_t)sqlite_col(s, stmt, 15),
        .matched = sqlite_col(s, stmt, 16),
        .done = sqlite_col(s, stmt, 17),
        .skipped = sqlite_col(s, stmt, 18),
        .at_event = sqlite_col_key(s, stmt, 19),
        .at_webhook = sqlite_col_key(s, stmt, 20),
        .at_due_ms = sqlite_col(s, stmt, 21),
        .first_key = sqlite_col_key(s, stmt, 22),
        .seen = sqlite_col(s, stmt, 23),
        .expected = sqlite_col(s, stmt, 24),
        .next_ms = sqlite_col(s, stmt, 25),
        .created_ms = sqlite_col(s, stmt, 26),
        .updated_ms = sqlite_col(s, stmt, 27),
        .finished_ms = sqlite_col(s, stmt, 28),
    };
    copy_text(job->subscription, sizeof(job->subscription),
              sqlite_col_bytes(s, stmt, 11));
    copy_text(job->notification, sizeof(job->notification),
              sqlite_col_bytes(s, stmt, 12));
    copy_text(job->error, sizeof(job->error), sqlite_col_bytes(s, stmt, 14));
    if (!is_sound(job, ids)) {
        rc = sqlite_damaged(s, "a job is none");
    } else if (ids.n > 0) {
        job->ids = xmalloc(ids.n);
        job->n_ids = ids.n / sizeof(struct job_call);
        memcpy(job->ids, ids.p, ids.n);
    }
    sqlite_reset(s, stmt);
    return rc;
}

static int
job_add(struct sqlite_store *s, struct job *job)
{
    const enum sqlite_stmt add = STMT_JOB_ADD;
    struct slice ids = {(const char *)job->ids, job->n_ids * sizeof(job->ids[0])};

    sqlite_key(s, add, 1, job->channel);
    sqlite_int(s, add, 2, job->kind);
    sqlite_key(s, add, 3, job->webhook);
    sqlite_int(s, add, 4, job->dry_run);
    sqlite_key(s, add, 5, job->since_key);
    sqlite_key(s, add, 6, job->until_key);
    sqlite_int(s, add, 7, job->states);
    sqlite_int(s, add, 8, job->types);
    sqlite_text(s, add, 9, slice_of(job->subscription));
    sqlite_text(s, add, 10, slice_of(job->notification));
    sqlite_blob(s, add, 11, ids);
    sqlite_text(s, add, 12, slice_of(job->error));
    sqlite_int(s, add, 13, job->pace);
    sqlite_key(s, add, 14, job->at_event);
    sqlite_int(s, add, 15, job->at_due_ms);
    sqlite_key(s, add, 16, job->first_key);
    sqlite_int(s, add, 17, job->expected);
    sqlite_int(s, add, 18, job->created_ms);
    s->group.rows++;
    int rc = sqlite_run(s, add);
    if (rc == 0)
        job->number = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return rc;
}

int
sqlite_job_set(struct sqlite_store *s, const struct job *job)
{
    const enum sqlite_stmt set = STMT_JOB_SET;

    sqlite_key(s, set, 1, job->number);
    sqlite_int(s, set, 2, job->state);
    sqlite_int(s, set, 3, job->reason);
    sqlite_int(s, set, 4, job->matched);
    sqlite_int(s, set, 5, job->done);
    sqlite_int(s, set, 6, job->skipped);
    sqlite_key(s, set, 7, job->at_event);
    sqlite_key(s, set, 8, job->at_webhook);
    sqlite_int(s, set, 9, job->at_due_ms);
    sqlite_int(s, set, 10, job->seen);
    sqlite_int(s, set, 11, job->next_ms);
    sqlite_int(s, set, 12, job->updated_ms);
    sqlite_int(s, set, 13, job->finished_ms);
    s->group.rows++;
    return sqlite_run(s, set);
}

static int
number_for(struct sqlite_store *s, enum sqlite_stmt stmt, uint64_t channel,
           int64_t *number)
{
    sqlite_key(s, stmt, 1, channel);
    int rc = sqlite_next(s, stmt);
    if (rc < 0)
        return rc;
    *number = rc == 1 ? sqlite_col(s, stmt, 0) : 0;
    sqlite_reset(s, stmt);
    return 0;
}

/* What a running job waits for. */
static enum job_reason
waits_for(const struct sqlite_store *s, const struct job *job)
{
    const struct sqlite_webhook *webhook = map_get(&s->webhooks, job->webhook, 0);

    if (job->state != JOB_RUNNING)
        return job->reason;
    if (s->space.room != DISK_ROOM)
        return JOB_NO_ROOM;
    if (job->kind == JOB_CANCEL || job->dry_run || !webhook)
        return JOB_NO_REASON;
    if (!webhook->enabled)
        return JOB_HELD;
    if (sqlite_shown(s, webhook, CALL_WAITING) == CALL_HELD)
        return JOB_TRIAL_OVER;
    return webhook->calls[CALL_WAITING] >= JOB_CROWD ? JOB_CROWDED : JOB_NO_REASON;
}

/* ---- make ---- */

/* Refuses when there are too many; *drop is one that goes to make room, or 0. */
static int
check_number(struct sqlite_store *s, struct store_op *op, uint64_t channel,
             int64_t *drop)
{
    int64_t running = 0, kept = 0;

    *drop = 0;
    int rc = number_for(s, STMT_JOBS_RUNNING, channel, &running);
    if (rc == 0)
        rc = number_for(s, STMT_JOBS_KEPT, channel, &kept);
    if (rc == 0 && kept >= JOBS_KEPT_MAX)
        rc = number_for(s, STMT_JOB_ENDED, channel, drop);
    if (rc < 0)
        return rc;
    if (running >= JOBS_RUNNING_MAX)
        return sqlite_refuse(op, E_BUSY, "too many jobs of this channel are running");
    if (kept >= JOBS_KEPT_MAX && *drop == 0)
        return sqlite_refuse(op, E_CONFLICT, "too many jobs of this channel are there");
    return 0;
}

/* How many calls a job that cancels will look at. */
static int64_t
count_waiting(const struct sqlite_channel *channel, uint64_t webhook)
{
    int64_t n = 0;
    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next)
        if (!w->deleted && (webhook == 0 || webhook == w->number))
            n += w->calls[CALL_WAITING];
    return n;
}

/* Where it begins, and what lies before it. */
static int
job_begin(struct sqlite_store *s, struct job *job, const struct sqlite_channel *channel)
{
    const enum sqlite_stmt first = STMT_JOB_EVENTS;

    if (job->until_key > s->last_key + 1)
        job->until_key = s->last_key + 1;
    if (job->until_key < job->since_key)
        job->until_key = job->since_key;
    job->at_event = job->n_ids ? 0 : job->since_key;
    job->at_due_ms = INT64_MIN;
    job->expected = (int64_t)job->n_ids;
    if (job->kind == JOB_CANCEL && !job->n_ids)
        job->expected = count_waiting(channel, job->webhook);
    sqlite_key(s, first, 1, job->channel);
    sqlite_key(s, first, 2, job->since_key);
    sqlite_key(s, first, 3, job->until_key);
    int rc = sqlite_next(s, first);
    job->first_key = rc == 1 ? sqlite_col_key(s, first, 0) : job->since_key;
    sqlite_reset(s, first);
    return rc < 0 ? rc : 0;
}

static int
job_write(struct sqlite_store *s, struct job *job, const struct sqlite_channel *channel,
          int64_t drop)
{
    int rc = sqlite_group_begin(s);
    if (rc == 0 && drop) {
        sqlite_int(s, STMT_JOB_DROP, 1, drop);
        rc = sqlite_run(s, STMT_JOB_DROP);
    }
    if (rc == 0)
        rc = job_begin(s, job, channel);
    if (rc == 0)
        rc = job_add(s, job);
    return rc;
}

int
sqlite_put_job(struct sqlite_store *s, struct store_op *op)
{
    struct job *job = container_of(op, struct store_put_job, op)->job;
    const struct sqlite_channel *channel = sqlite_live_channel(s, job->channel);
    const struct sqlite_webhook *webhook = map_get(&s->webhooks, job->webhook, 0);
    int64_t drop;

    op->result = 0;
    if (!channel)
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (job->webhook && (!webhook || webhook->deleted || webhook->channel != channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such webhook");
    int rc = check_number(s, op, job->channel, &drop);
    if (rc < 0 || op->result != 0)
        return rc;
    job->state = JOB_RUNNING;
    job->reason = JOB_NO_REASON;
    job->created_ms = clock_steady_ms(s->clock);
    job->updated_ms = job->next_ms = job->created_ms;
    rc = job_write(s, job, channel, drop);
    job->reason = waits_for(s, job);
    return rc;
}

/* ---- steer ---- */

static int
get_job(struct sqlite_store *s, uint64_t channel, uint64_t number, struct job *job)
{
    sqlite_key(s, STMT_JOB_GET, 1, channel);
    sqlite_key(s, STMT_JOB_GET, 2, number);
    int rc = sqlite_next(s, STMT_JOB_GET);
    if (rc == 1)
        rc = sqlite_job_at(s, STMT_JOB_GET, job) < 0 ? E_IO : 1;
    return rc;
}

static int
job_steer(struct sqlite_store *s, struct job *job, enum job_state to)
{
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    job->state = to;
    job->reason = JOB_NO_REASON;
    job->updated_ms = job->next_ms = clock_steady_ms(s->clock);
    if (job_has_ended(job))
        job->finished_ms = job->updated_ms;
    return sqlite_job_set(s, job);
}

int
sqlite_steer_job(struct sqlite_store *s, struct store_op *op)
{
    struct store_steer_job *steer = container_of(op, struct store_steer_job, op);
    struct job job = {0};
    int64_t running = 0;

    op->result = 0;
    if (!sqlite_live_channel(s, steer->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    int rc = get_job(s, steer->channel, steer->number, &job);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return sqlite_refuse(op, E_NOT_FOUND, "no such job");
    rc = 0;
    if (!job_may_move(job.state, steer->to))
        rc = sqlite_refuse(op, E_CONFLICT, "the job has ended");
    else if (steer->to == JOB_RUNNING && job.state != JOB_RUNNING)
        rc = number_for(s, STMT_JOBS_RUNNING, job.channel, &running);
    if (rc == 0 && running >= JOBS_RUNNING_MAX)
        rc = sqlite_refuse(op, E_BUSY, "too many jobs of this channel are running");
    if (rc == 0 && op->result == 0 && job.state != steer->to)
        rc = job_steer(s, &job, steer->to);
    if (rc == 0 && op->result == 0) {
        job.reason = waits_for(s, &job);
        steer->after(steer, &job);
    }
    job_fini(&job);
    return rc;
}

/* ---- look ---- */

static int
list_one(struct sqlite_store *s, struct store_jobs *list)
{
    struct job job = {0};
    int rc = get_job(s, list->channel, list->number, &job);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return sqlite_refuse(&list->op, E_NOT_FOUND, "no such job");
    job.reason = waits_for(s, &job);
    list->each(list, &job);
    job_fini(&job);
    return 0;
}

static int
list_row(struct sqlite_store *s, struct store_jobs *list, uint64_t number)
{
    struct job job = {0};
    int rc = get_job(s, list->channel, number, &job);
    if (rc <= 0)
        return rc;
    job.reason = waits_for(s, &job);
    list->each(list, &job);
    job_fini(&job);
    return 0;
}

int
sqlite_jobs(struct sqlite_store *s, struct store_op *op)
{
    struct store_jobs *list = container_of(op, struct store_jobs, op);
    const enum sqlite_stmt walk = STMT_JOB_LIST;
    uint64_t last = 0;
    int rc;

    op->result = 0;
    list->next = 0;
    if (!sqlite_live_channel(s, list->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (list->number)
        return list_one(s, list);
    sqlite_key(s, walk, 1, list->channel);
    sqlite_key(s, walk, 2, list->before);
    for (size_t n = 0; (rc = sqlite_next(s, walk)) == 1; n++) {
        uint64_t number = sqlite_col_key(s, walk, 0);
        rc = 0;
        if (n < list->limit)
            rc = list_row(s, list, number);
        else
            list->next = last;
        last = number;
        if (rc < 0 || list->next) {
            sqlite_reset(s, walk);
            return rc;
        }
    }
    return rc;
}

int
sqlite_drop_jobs(struct sqlite_store *s)
{
    const enum sqlite_stmt drop = STMT_JOBS_DROP;
    msec_t then_ms = clock_steady_ms(s->clock) - JOBS_KEPT_MS;

    sqlite_int(s, STMT_JOBS_OLD, 1, then_ms);
    int rc = sqlite_next(s, STMT_JOBS_OLD);
    if (rc <= 0)
        return rc;
    sqlite_reset(s, STMT_JOBS_OLD);
    rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    sqlite_int(s, drop, 1, then_ms);
    sqlite_int(s, drop, 2, DROP_AT_ONCE);
    s->group.rows += DROP_AT_ONCE;
    return sqlite_run(s, drop);
}
