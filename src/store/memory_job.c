/* Jobs: made, steered, listed, and done a step at a time. */
#include "store/memory_private.h"

#include <stdlib.h>

#include "base/mem.h"

/* A job that can do nothing now is looked at again after this; calls of a step: as many
 * as its pace allows in that time. */
#define BLOCKED_MS 2000
#define STEP_MS    100

void
memory_jobs_free(struct memory_store *m)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        job_fini(&m->jobs[i]);
    free(m->jobs);
}

static struct job *
find_job(const struct memory_store *m, uint64_t channel, uint64_t number)
{
    if (number == 0 || number > m->n_jobs)
        return NULL;
    struct job *job = &m->jobs[number - 1];
    return job->number && job->channel == channel ? job : NULL;
}

static uint64_t
count_waiting(const struct memory_store *m, uint64_t channel, uint64_t webhook)
{
    uint64_t n = 0;
    for (size_t i = 0; i < m->n_events; i++)
        for (size_t c = 0; c < m->events[i]->n_calls; c++) {
            const struct memory_call *call = &m->events[i]->calls[c];
            n += m->events[i]->channel == channel && call->state == CALL_WAITING &&
                 (webhook == 0 || webhook == call->webhook);
        }
    return n;
}

/* What a running job waits for. */
static enum job_reason
waits_for(const struct memory_store *m, const struct job *job)
{
    const struct webhook *webhook = memory_webhook(m, job->webhook);

    if (job->state != JOB_RUNNING)
        return job->reason;
    if (m->room != DISK_ROOM)
        return JOB_NO_ROOM;
    if (job->kind == JOB_CANCEL || job->dry_run || !webhook)
        return JOB_NO_REASON;
    if (!webhook->enabled)
        return JOB_HELD;
    if (memory_shown(m, webhook, CALL_WAITING) == CALL_HELD)
        return JOB_TRIAL_OVER;
    return count_waiting(m, job->channel, job->webhook) >= JOB_CROWD ? JOB_CROWDED
                                                                     : JOB_NO_REASON;
}

/* ---- make ---- */

static void
count_jobs(const struct memory_store *m, uint64_t channel, size_t *running,
           size_t *kept, struct job **ended)
{
    *running = *kept = 0;
    *ended = NULL;
    for (size_t i = 0; i < m->n_jobs; i++) {
        struct job *job = &m->jobs[i];
        if (job->number == 0 || job->channel != channel)
            continue;
        ++*kept;
        *running += job->state == JOB_RUNNING;
        if (job_has_ended(job) && !*ended)
            *ended = job;
    }
}

static void
job_begin(const struct memory_store *m, struct job *job)
{
    uint64_t last = m->n_events ? m->events[m->n_events - 1]->record.key : 0;

    if (job->until_key > last + 1)
        job->until_key = last + 1;
    if (job->until_key < job->since_key)
        job->until_key = job->since_key;
    job->at_event = job->n_ids ? 0 : job->since_key;
    job->at_due_ms = INT64_MIN;
    job->first_key = job->since_key;
    for (size_t i = m->n_events; i-- > 0;)
        if (m->events[i]->channel == job->channel &&
            m->events[i]->record.key >= job->since_key &&
            m->events[i]->record.key < job->until_key)
            job->first_key = m->events[i]->record.key;
    job->expected = (int64_t)job->n_ids;
    if (job->kind == JOB_CANCEL && !job->n_ids)
        job->expected = (int64_t)count_waiting(m, job->channel, job->webhook);
}

static void
job_add(struct memory_store *m, struct job *job)
{
    MEMORY_GROW(m->jobs, m->n_jobs);
    struct job *kept = &m->jobs[m->n_jobs++];
    job->number = m->n_jobs;
    *kept = *job;
    if (job->n_ids) {
        kept->ids = xmalloc(job->n_ids * sizeof(job->ids[0]));
        memcpy(kept->ids, job->ids, job->n_ids * sizeof(job->ids[0]));
    }
}

static void
drop_job(struct job *job)
{
    job_fini(job);
    job->number = 0;
}

void
memory_put_job(struct memory_store *m, struct store_op *op)
{
    struct job *job = container_of(op, struct store_put_job, op)->job;
    const struct webhook *webhook = memory_webhook(m, job->webhook);
    struct job *ended;
    size_t running, kept;

    count_jobs(m, job->channel, &running, &kept, &ended);
    if (!memory_channel(m, job->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
    } else if (job->webhook && (!webhook || webhook->channel != job->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such webhook");
    } else if (running >= JOBS_RUNNING_MAX) {
        memory_refuse(op, E_BUSY, "too many jobs of this channel are running");
    } else if (kept >= JOBS_KEPT_MAX && !ended) {
        memory_refuse(op, E_CONFLICT, "too many jobs of this channel are there");
    } else {
        if (kept >= JOBS_KEPT_MAX)
            drop_job(ended);
        job->state = JOB_RUNNING;
        job->reason = JOB_NO_REASON;
        job->created_ms = clock_steady_ms(m->clock);
        job->updated_ms = job->next_ms = job->created_ms;
        job_begin(m, job);
        job_add(m, job);
        job->reason = waits_for(m, job);
    }
}

/* ---- steer, look ---- */

static void
hand_over(const struct memory_store *m, const struct job *job, void *list,
          void (*each)(void *list, const struct job *job))
{
    struct job seen = *job;
    seen.reason = waits_for(m, job);
    each(list, &seen);
}

static void
tell_after(void *steer, const struct job *job)
{
    ((struct store_steer_job *)steer)->after(steer, job);
}

void
memory_steer_job(struct memory_store *m, struct store_op *op)
{
    struct store_steer_job *steer = container_of(op, struct store_steer_job, op);
    struct job *job = find_job(m, steer->channel, steer->number), *ended;
    size_t running, kept;

    count_jobs(m, steer->channel, &running, &kept, &ended);
    if (!memory_channel(m, steer->channel) || !job) {
        memory_refuse(op, E_NOT_FOUND, "no such job");
        return;
    }
    if (!job_may_move(job->state, steer->to)) {
        memory_refuse(op, E_CONFLICT, "the job has ended");
        return;
    }
    if (job->state != steer->to) {
        if (steer->to == JOB_RUNNING && running >= JOBS_RUNNING_MAX) {
            memory_refuse(op, E_BUSY, "too many jobs of this channel are running");
            return;
        }
        job->state = steer->to;
        job->reason = JOB_NO_REASON;
        job->updated_ms = job->next_ms = clock_steady_ms(m->clock);
        if (job_has_ended(job))
            job->finished_ms = job->updated_ms;
    }
    hand_over(m, job, steer, tell_after);
}

static void
tell_each(void *list, const struct job *job)
{
    ((struct store_jobs *)list)->each(list, job);
}

void
memory_jobs(struct memory_store *m, struct store_op *op)
{
    struct store_jobs *list = container_of(op, struct store_jobs, op);
    size_t n = 0;

    list->next = 0;
    if (!memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    for (size_t i = m->n_jobs; i-- > 0;) {
        const struct job *job = &m->jobs[i];
        if (job->number == 0 || job->channel != list->channel ||
            (list->number ? job->number != list->number : job->number >= list->before))
            continue;
        if (n == list->limit && !list->number) {
            list->next = i + 2; /* numbers below this */
            break;
        }
        hand_over(m, job, list, tell_each);
        n++;
    }
    if (list->number && n == 0)
        memory_refuse(op, E_NOT_FOUND, "no such job");
}

/* ---- a step ---- */

struct step {
    struct memory_store *m;
    struct store_step_jobs *op;
    struct job *job;
    msec_t now_ms;
    size_t looked;
    size_t budget;
    size_t acted;
    bool blocked;
};

static bool
fits(const struct step *step, const struct memory_event *event,
     const struct webhook *webhook, const struct memory_call *call)
{
    const struct job *job = step->job;
    const struct attempt_record *last =
        call && call->n_log ? &call->log[call->n_log - 1] : NULL;
    char about[ID_MAX + 1];

    if (!(job->types & 1u << event->record.type))
        return false;
    if (job->subscription[0] &&
        !slice_is(event->record.subscription, job->subscription))
        return false;
    if (job->notification[0] && (!event_notification(event->record.body, about) ||
                                 strcmp(about, job->notification) != 0))
        return false;
    uint32_t state = JOB_MISSING;
    if (call)
        state = 1u << memory_shown(step->m, webhook, call->state);
    if (!(job->states & state))
        return false;
    return !job->error[0] ||
           (last && store_text_has(last->reason, slice_of(job->error)));
}

static void
note_place(struct step *step, uint64_t webhook, struct due_at from)
{
    struct store_step_jobs *op = step->op;

    for (size_t i = 0; i < op->n_places; i++)
        if (op->places[i].webhook == webhook)
            return;
    op->places[op->n_places++] = (struct store_job_place){webhook, from};
}

static void
act(struct step *step, struct memory_event *event, uint64_t webhook,
    struct memory_call *call)
{
    struct due_at from = {step->now_ms, event->record.key};

    if (step->job->kind == JOB_CANCEL) {
        call->state = call_move(CALL_WAITING, CALL_CANCELLED);
        call->ended_ms = step->now_ms;
        memory_note_waiting(step->m, event->channel, webhook, -1);
        from = DUE_AT_END;
    } else {
        if (!call) {
            memory_call_add(event, webhook);
            memory_note_new(step->m, event->channel, webhook, 1);
            call = memory_call(event, webhook);
        } else if (call->state != CALL_WAITING) {
            call->state = call_move(call->state, CALL_WAITING);
            call->tries = 0;
            memory_note_waiting(step->m, event->channel, webhook, 1);
        }
        call->due_ms = step->now_ms;
    }
    note_place(step, webhook, from);
}

/* False: not now. */
static bool
deal_with(struct step *step, struct memory_event *event, uint64_t number)
{
    struct memory_store *m = step->m;
    struct job *job = step->job;
    struct memory_call *call = event ? memory_call(event, number) : NULL;
    const struct webhook *webhook =
        number > 0 && number <= m->n_webhooks ? m->webhooks[number - 1] : NULL;

    if (!event || !webhook || event->channel != job->channel ||
        webhook->channel != job->channel || !fits(step, event, webhook, call)) {
        job->skipped += job->n_ids > 0;
        return true;
    }
    if (job->dry_run || (job->kind != JOB_CANCEL && webhook->deleted)) {
        job->matched++;
        job->skipped += !job->dry_run;
        return true;
    }
    step->blocked = job->kind != JOB_CANCEL &&
                    count_waiting(m, job->channel, number) >= JOB_CROWD &&
                    !(call && call->state == CALL_WAITING);
    if (step->blocked || step->budget == 0)
        return false;
    job->matched++;
    job->done++;
    step->budget--;
    step->acted++;
    act(step, event, number, call);
    return true;
}

/* Each returns whether the job is through. */
static bool
go_through_ids(struct step *step)
{
    struct job *job = step->job;

    for (; job->at_event < job->n_ids; job->at_event++, job->seen++) {
        const struct job_call *id = &job->ids[job->at_event];
        if (step->looked++ == JOB_STEP_LOOK ||
            !deal_with(step, memory_event(step->m, id->event), id->webhook))
            return false;
    }
    return true;
}

static bool
go_through_event(struct step *step, struct memory_event *event)
{
    struct job *job = step->job;

    if (job->webhook) {
        job->seen++;
        return step->looked++ < JOB_STEP_LOOK && deal_with(step, event, job->webhook);
    }
    for (size_t i = 0; i < event->n_calls; i++) {
        uint64_t webhook = event->calls[i].webhook;
        if (event->record.key == job->at_event && webhook <= job->at_webhook)
            continue;
        if (step->looked++ >= JOB_STEP_LOOK || !deal_with(step, event, webhook))
            return false;
        job->at_event = event->record.key;
        job->at_webhook = webhook;
        job->seen++;
    }
    return true;
}

static bool
go_through_events(struct step *step)
{
    struct job *job = step->job;

    for (size_t i = 0; i < step->m->n_events; i++) {
        struct memory_event *event = step->m->events[i];
        if (event->channel != job->channel || event->record.key < job->at_event)
            continue;
        if (event->record.key >= job->until_key)
            break;
        if (!go_through_event(step, event))
            return false;
        job->at_event = event->record.key + 1;
        job->at_webhook = 0;
    }
    return true;
}

static void
end_job(struct step *step, enum job_state state, enum job_reason reason)
{
    step->job->state = state;
    step->job->reason = reason;
    step->job->finished_ms = step->now_ms;
}

static void
step_job(struct memory_store *m, struct store_step_jobs *op, struct job *job,
         msec_t now_ms)
{
    size_t budget = (size_t)job->pace * STEP_MS / 1000;
    struct step step = {
        .m = m,
        .op = op,
        .job = job,
        .now_ms = now_ms,
        .budget = budget < 1                ? 1
                  : budget > JOB_STEP_CALLS ? JOB_STEP_CALLS
                                            : budget,
    };

    job->updated_ms = job->next_ms = now_ms;
    if (!memory_channel(m, job->channel)) {
        end_job(&step, JOB_FAILED, JOB_CHANNEL_DELETED);
    } else if (job->webhook && !memory_webhook(m, job->webhook)) {
        end_job(&step, JOB_FAILED, JOB_WEBHOOK_DELETED);
    } else {
        if (job->n_ids ? go_through_ids(&step) : go_through_events(&step))
            end_job(&step, JOB_DONE, JOB_NO_REASON);
        job->next_ms +=
            step.blocked ? BLOCKED_MS : (msec_t)step.acted * 1000 / (msec_t)job->pace;
    }
}

static struct job *
next_job(const struct memory_store *m)
{
    struct job *next = NULL;
    for (size_t i = 0; i < m->n_jobs; i++) {
        struct job *job = &m->jobs[i];
        if (job->number && job->state == JOB_RUNNING &&
            (!next || job->next_ms < next->next_ms))
            next = job;
    }
    return next;
}

void
memory_step_jobs(struct memory_store *m, struct store_op *op)
{
    struct store_step_jobs *step = container_of(op, struct store_step_jobs, op);
    msec_t now_ms = clock_steady_ms(m->clock);

    for (size_t i = 0; i < m->n_jobs; i++)
        if (m->jobs[i].number && job_has_ended(&m->jobs[i]) &&
            m->jobs[i].finished_ms <= now_ms - JOBS_KEPT_MS)
            drop_job(&m->jobs[i]);
    step->n_places = 0;
    struct job *job = next_job(m);
    if (job && job->next_ms <= now_ms) {
        step_job(m, step, job, now_ms);
        job = next_job(m);
    }
    step->next_ms = job ? job->next_ms : MSEC_NEVER;
}

/* ---- one call ---- */

void
memory_cancel(struct memory_store *m, struct store_op *op)
{
    const struct store_cancel *cancel = container_of(op, struct store_cancel, op);
    const struct memory_event *event = memory_event(m, cancel->event);
    struct memory_call *call = memory_call(event, cancel->webhook);

    if (!call || event->channel != cancel->channel ||
        !memory_channel(m, cancel->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such call");
    } else if (call->state != CALL_WAITING || !memory_webhook(m, cancel->webhook)) {
        memory_refuse(op, E_CONFLICT, "the call has ended");
    } else {
        call->state = call_move(CALL_WAITING, CALL_CANCELLED);
        call->ended_ms = clock_steady_ms(m->clock);
        memory_note_waiting(m, cancel->channel, cancel->webhook, -1);
    }
}
