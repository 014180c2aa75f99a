/*
 * A step of a job: some of the calls that it may be about, in order from where it is,
 * are looked at one by one, and what it asks for is done with those that fit. Which
 * they are comes from where they are found soonest:
 *
 *     named          the ids themselves
 *     cancel         each webhook's waiting calls, from the index of what is due
 *     failed ones    the index of what has ended
 *     others         the channel's events, and their calls
 */
#include "store/sqlite_job.h"

#include <assert.h>

/* A job that can do nothing now is looked at again after this. */
#define BLOCKED_MS 2000

/* Calls of a step: as many as its pace allows in this time. */
#define STEP_MS 100

/* A call that may be meant, and where the job is when it has been dealt with. */
struct candidate {
    uint64_t event;
    uint64_t webhook; /* 0 = none: the event has no (more) calls */
    uint64_t at_event;
    uint64_t at_webhook;
    msec_t at_due_ms;
};

struct step {
    struct sqlite_store *s;
    struct store_step_jobs *op;
    struct job *job;
    msec_t now_ms;
    struct candidate found[JOB_STEP_LOOK];
    size_t n;
    bool last;     /* there is nothing behind them */
    size_t budget; /* calls that may still be put in order */
    size_t acted;
    bool blocked; /* the webhook of the next one takes none */
};

/* ---- candidates ---- */

static void
found(struct step *step, struct candidate candidate)
{
    step->found[step->n++] = candidate;
}

static bool
is_full(const struct step *step)
{
    return step->n == JOB_STEP_LOOK;
}

static void
find_named(struct step *step)
{
    const struct job *job = step->job;
    size_t i = job->at_event;

    for (; i < job->n_ids && !is_full(step); i++)
        found(step, (struct candidate){
                        .event = job->ids[i].event,
                        .webhook = job->ids[i].webhook,
                        .at_event = i + 1,
                    });
    step->last = i >= job->n_ids;
}

/* The channel's next webhook with waiting calls, by number. */
static const struct sqlite_webhook *
next_waiting(const struct sqlite_channel *channel, const struct job *job,
             uint64_t behind)
{
    const struct sqlite_webhook *next = NULL;

    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next)
        if (w->number > behind && !w->deleted && w->calls[CALL_WAITING] > 0 &&
            (!job->webhook || job->webhook == w->number) &&
            (!next || w->number < next->number))
            next = w;
    return next;
}

/* What waits for a webhook, behind a place. */
static int
find_waiting_of(struct step *step, uint64_t webhook, struct due_at behind)
{
    const enum sqlite_stmt get = STMT_JOB_WAITING;
    struct sqlite_store *s = step->s;
    int rc = 0;

    sqlite_key(s, get, 1, webhook);
    sqlite_int(s, get, 2, behind.due_ms);
    sqlite_key(s, get, 3, behind.event);
    while (!is_full(step) && (rc = sqlite_next(s, get)) == 1) {
        uint64_t event = sqlite_col_key(s, get, 1);
        found(step, (struct candidate){event, webhook, event, webhook,
                                       sqlite_col(s, get, 0)});
    }
    if (is_full(step))
        sqlite_reset(s, get);
    return rc < 0 ? rc : 0;
}

static int
find_waiting(struct step *step)
{
    const struct job *job = step->job;
    const struct sqlite_channel *channel = sqlite_live_channel(step->s, job->channel);
    uint64_t number = job->at_webhook;
    int rc = 0;

    if (number)
        rc = find_waiting_of(step, number,
                             (struct due_at){job->at_due_ms, job->at_event});
    while (rc == 0 && !is_full(step)) {
        const struct sqlite_webhook *next = next_waiting(channel, job, number);
        step->last = !next;
        if (!next)
            break;
        number = next->number;
        rc = find_waiting_of(step, number, DUE_AT_START);
    }
    return rc;
}

static int
find_ended(struct step *step)
{
    const enum sqlite_stmt get = STMT_JOB_CALLS_ENDED;
    struct sqlite_store *s = step->s;
    const struct job *job = step->job;
    int rc = 0;

    sqlite_key(s, get, 1, job->channel);
    sqlite_key(s, get, 2, job->at_event);
    sqlite_key(s, get, 3, job->at_webhook);
    sqlite_key(s, get, 4, job->until_key);
    while (!is_full(step) && (rc = sqlite_next(s, get)) == 1) {
        uint64_t event = sqlite_col_key(s, get, 0), webhook = sqlite_col_key(s, get, 1);
        found(step, (struct candidate){event, webhook, event, webhook, 0});
    }
    if (is_full(step))
        sqlite_reset(s, get);
    else
        step->last = true;
    return rc < 0 ? rc : 0;
}

/* The calls of an event behind a webhook. */
static int
find_calls(struct step *step, uint64_t event, uint64_t behind)
{
    const enum sqlite_stmt get = STMT_JOB_CALLS;
    struct sqlite_store *s = step->s;
    int rc = 0;

    sqlite_key(s, get, 1, event);
    sqlite_key(s, get, 2, behind);
    while (!is_full(step) && (rc = sqlite_next(s, get)) == 1) {
        uint64_t webhook = sqlite_col_key(s, get, 0);
        found(step, (struct candidate){event, webhook, event, webhook, 0});
    }
    if (is_full(step))
        sqlite_reset(s, get);
    else
        found(step, (struct candidate){.event = event, .at_event = event + 1});
    return rc < 0 ? rc : 0;
}

static int
find_by_event(struct step *step)
{
    const enum sqlite_stmt get = STMT_JOB_EVENTS;
    struct sqlite_store *s = step->s;
    const struct job *job = step->job;
    int rc = 0;

    sqlite_key(s, get, 1, job->channel);
    sqlite_key(s, get, 2, job->at_event);
    sqlite_key(s, get, 3, job->until_key);
    while (!is_full(step) && (rc = sqlite_next(s, get)) == 1) {
        uint64_t event = sqlite_col_key(s, get, 0);
        rc = 0;
        if (job->webhook)
            found(step, (struct candidate){event, job->webhook, event + 1, 0, 0});
        else
            rc = find_calls(step, event, event == job->at_event ? job->at_webhook : 0);
        if (rc < 0)
            break;
    }
    if (rc < 0 || is_full(step))
        sqlite_reset(s, get);
    else
        step->last = true;
    return rc < 0 ? rc : 0;
}

static int
find_candidates(struct step *step)
{
    const struct job *job = step->job;
    const uint32_t ended = 1u << CALL_FAILED | 1u << CALL_CANCELLED;

    if (job->n_ids) {
        find_named(step);
        return 0;
    }
    if (job->kind == JOB_CANCEL)
        return find_waiting(step);
    return (job->states & ~ended) == 0 ? find_ended(step) : find_by_event(step);
}

/* ---- one of them ---- */

struct target {
    struct sqlite_webhook *webhook;
    bool there; /* the call is */
    enum call_state state;
    int64_t tries;
    uint32_t attempts;
};

static int
get_call(struct sqlite_store *s, const struct candidate *at, struct target *target)
{
    const enum sqlite_stmt get = STMT_CALL_GET;

    sqlite_key(s, get, 1, at->event);
    sqlite_key(s, get, 2, at->webhook);
    int rc = sqlite_next(s, get);
    target->there = rc == 1;
    if (rc <= 0)
        return rc;
    target->state = (enum call_state)sqlite_col(s, get, 0);
    target->tries = sqlite_col(s, get, 2);
    target->attempts = (uint32_t)sqlite_col(s, get, 3);
    sqlite_reset(s, get);
    if (target->state >= CALL_STORED_STATES)
        return sqlite_damaged(s, "a call is in no known state");
    return 0;
}

/* Of the event that STMT_JOB_EVENT is at. */
static bool
row_fits(struct sqlite_store *s, const struct job *job)
{
    const enum sqlite_stmt get = STMT_JOB_EVENT;
    int64_t type = sqlite_col(s, get, 0);
    char about[ID_MAX + 1];

    if (type < 0 || type >= EVENT_TYPES || !(job->types & 1u << type))
        return false;
    if (job->subscription[0] &&
        !slice_is(sqlite_col_bytes(s, get, 1), job->subscription))
        return false;
    return !job->notification[0] ||
           (event_notification(sqlite_col_bytes(s, get, 2), about) &&
            strcmp(about, job->notification) == 0);
}

/* Whether the event is there and one that is meant. */
static int
event_fits(struct step *step, uint64_t event, bool *fits)
{
    const enum sqlite_stmt get = STMT_JOB_EVENT;
    struct sqlite_store *s = step->s;
    const struct job *job = step->job;

    *fits = false;
    if (!job->n_ids && (event < job->since_key || event >= job->until_key))
        return 0;
    sqlite_key(s, get, 1, event);
    sqlite_key(s, get, 2, job->channel);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    *fits = row_fits(s, job);
    sqlite_reset(s, get);
    return 0;
}

static int
error_fits(struct step *step, const struct candidate *at, const struct target *target,
           bool *fits)
{
    const enum sqlite_stmt get = STMT_ATTEMPT_GET;
    struct sqlite_store *s = step->s;

    *fits = !step->job->error[0];
    if (*fits || !target->there || target->attempts == 0)
        return 0;
    sqlite_key(s, get, 1, at->event);
    sqlite_key(s, get, 2, at->webhook);
    sqlite_int(s, get, 3, target->attempts);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    *fits = store_text_has(sqlite_col_bytes(s, get, 5), slice_of(step->job->error));
    sqlite_reset(s, get);
    return 0;
}

static bool
state_fits(const struct step *step, const struct target *target)
{
    if (!target->there)
        return (step->job->states & JOB_MISSING) != 0;
    enum call_state shown = sqlite_shown(step->s, target->webhook, target->state);
    return (step->job->states & 1u << shown) != 0;
}

static int
look(struct step *step, const struct candidate *at, struct target *target, bool *fits)
{
    struct sqlite_store *s = step->s;
    const struct job *job = step->job;

    *target = (struct target){.webhook = map_get(&s->webhooks, at->webhook, 0)};
    *fits = false;
    if (!target->webhook || target->webhook->channel->number != job->channel ||
        (job->webhook && job->webhook != at->webhook))
        return 0;
    int rc = event_fits(step, at->event, fits);
    if (rc == 0 && *fits)
        rc = get_call(s, at, target);
    if (rc < 0 || !*fits)
        return rc;
    *fits = state_fits(step, target);
    return *fits ? error_fits(step, at, target, fits) : 0;
}

/* ---- what is done with it ---- */

static void
note_place(struct step *step, uint64_t webhook, struct due_at from)
{
    struct store_step_jobs *op = step->op;

    for (size_t i = op->n_places; i-- > 0;)
        if (op->places[i].webhook == webhook)
            return; /* from there on, and the earlier came first */
    assert(op->n_places < JOB_STEP_CALLS);
    op->places[op->n_places++] = (struct store_job_place){webhook, from};
}

static int
act(struct step *step, const struct candidate *at, const struct target *target)
{
    struct sqlite_store *s = step->s;
    struct due_at from = {step->now_ms, at->event};
    int rc;

    if (step->job->kind == JOB_CANCEL) {
        from = DUE_AT_END;
        rc = sqlite_call_cancel(s, target->webhook, at->event, target->tries);
    } else if (target->there) {
        rc = sqlite_call_again(s, target->webhook, at->event, step->now_ms,
                               target->state, target->tries);
    } else {
        rc = sqlite_call_add(s, target->webhook, at->event, step->now_ms);
    }
    note_place(step, at->webhook, from);
    return rc;
}

/* 1 = dealt with, 0 = not now. */
static int
deal_with(struct step *step, const struct candidate *at)
{
    struct job *job = step->job;
    struct target target;
    bool fits;

    int rc = look(step, at, &target, &fits);
    if (rc < 0)
        return rc;
    if (!fits) {
        job->skipped += job->n_ids > 0; /* what was named and cannot be done */
        return 1;
    }
    if (job->dry_run || (job->kind != JOB_CANCEL && target.webhook->deleted)) {
        job->matched++;
        job->skipped += !job->dry_run;
        return 1;
    }
    step->blocked = job->kind != JOB_CANCEL &&
                    target.webhook->calls[CALL_WAITING] >= JOB_CROWD &&
                    !(target.there && target.state == CALL_WAITING);
    if (step->blocked || step->budget == 0)
        return 0;
    job->matched++;
    job->done++;
    step->budget--;
    step->acted++;
    rc = act(step, at, &target);
    return rc < 0 ? rc : 1;
}

static int
deal_with_all(struct step *step)
{
    struct job *job = step->job;

    for (size_t i = 0; i < step->n; i++) {
        const struct candidate *at = &step->found[i];
        int rc = at->webhook ? deal_with(step, at) : 1;
        if (rc < 0)
            return rc;
        if (rc == 0) {
            step->last = false;
            return 0;
        }
        job->at_event = at->at_event;
        job->at_webhook = at->at_webhook;
        job->at_due_ms = at->at_due_ms;
        job->seen += at->webhook != 0;
    }
    return 0;
}

/* ---- the step ---- */

static size_t
budget_of(const struct job *job)
{
    size_t calls = (size_t)job->pace * STEP_MS / 1000;
    return calls < 1 ? 1 : calls > JOB_STEP_CALLS ? JOB_STEP_CALLS : calls;
}

static void
end_job(struct step *step, enum job_state state, enum job_reason reason)
{
    step->job->state = state;
    step->job->reason = reason;
    step->job->finished_ms = step->now_ms;
}

static int
go_on(struct step *step)
{
    struct job *job = step->job;
    int rc = find_candidates(step);
    if (rc == 0)
        rc = deal_with_all(step);
    if (rc < 0)
        return rc;
    if (step->last)
        end_job(step, JOB_DONE, JOB_NO_REASON);
    assert(job->pace > 0);
    job->next_ms = step->now_ms;
    if (step->blocked)
        job->next_ms += BLOCKED_MS;
    else
        job->next_ms += (msec_t)step->acted * 1000 / (msec_t)job->pace;
    return 0;
}

static int
step_job(struct sqlite_store *s, struct store_step_jobs *op, struct job *job,
         msec_t now_ms)
{
    const struct sqlite_webhook *webhook = map_get(&s->webhooks, job->webhook, 0);
    struct step step = {
        .s = s,
        .op = op,
        .job = job,
        .now_ms = now_ms,
        .budget = budget_of(job),
    };

    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    job->updated_ms = now_ms;
    if (!sqlite_live_channel(s, job->channel))
        end_job(&step, JOB_FAILED, JOB_CHANNEL_DELETED);
    else if (job->webhook && (!webhook || webhook->deleted))
        end_job(&step, JOB_FAILED, JOB_WEBHOOK_DELETED);
    else
        rc = go_on(&step);
    s->group.rows += step.n / 8; /* reading costs less */
    return rc < 0 ? rc : sqlite_job_set(s, job);
}

/* The turn of the next one: 1 = it is in *job. */
static int
next_job(struct sqlite_store *s, struct job *job)
{
    *job = (struct job){.next_ms = MSEC_NEVER};
    sqlite_int(s, STMT_JOB_NEXT, 1, MSEC_NEVER);
    int rc = sqlite_next(s, STMT_JOB_NEXT);
    if (rc == 1)
        rc = sqlite_job_at(s, STMT_JOB_NEXT, job) < 0 ? E_IO : 1;
    return rc;
}

int
sqlite_step_jobs(struct sqlite_store *s, struct store_op *op)
{
    struct store_step_jobs *step = container_of(op, struct store_step_jobs, op);
    msec_t now_ms = clock_steady_ms(s->clock);
    struct job job;

    op->result = 0;
    step->n_places = 0;
    step->next_ms = MSEC_NEVER;
    int rc = sqlite_drop_jobs(s);
    if (rc < 0)
        return rc;
    rc = next_job(s, &job);
    if (rc == 1 && job.next_ms <= now_ms) {
        rc = step_job(s, step, &job, now_ms);
        job_fini(&job);
        if (rc == 0)
            rc = next_job(s, &job);
    }
    if (rc == 1) {
        step->next_ms = job.next_ms;
        job_fini(&job);
    }
    return rc < 0 ? rc : 0;
}
