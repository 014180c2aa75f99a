/*
 * Jobs: requests about them, and their steps. A step is an operation of the store's;
 * between two of them the store rests from jobs for several times as long as the last
 * one took, so that nobody else's commit waits for much of them.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

#define REST        4
#define REST_MAX_US (100 * 1000)

#define REFUSED_MS 1000                  /* the disk is full: asked again */
#define LOOK_MS    ((msec_t)3600 * 1000) /* when none runs: old ones go */

void
jobs_init(struct jobs *jobs)
{
    atomic_init(&jobs->asked, false);
    atomic_init(&jobs->under_way, false);
    atomic_init(&jobs->next_ms, INT64_MIN); /* those of the last run of the program */
}

static void
wake(struct engine *engine)
{
    struct transport *transport = dispatch_transport(engine->senders[0].dispatch);
    transport->wake(transport);
}

/* A job is there that may want a step at once. */
static void
ask(struct engine *engine)
{
    atomic_store(&engine->jobs.asked, true);
    wake(engine);
}

/* ---- steps ---- */

static void
tell_senders(struct engine *engine)
{
    const struct store_step_jobs *step = &engine->jobs.step;

    for (size_t i = 0; i < step->n_places; i++) {
        uint64_t webhook = step->places[i].webhook;
        struct dispatch *dispatch = engine_dispatch_of(engine, webhook);
        if (due_before(step->places[i].from, DUE_AT_END))
            dispatch_post_due(dispatch, webhook, step->places[i].from);
        else
            dispatch_post_taken(dispatch, webhook);
    }
}

/* When to ask again. */
static msec_t
next_of(struct engine *engine)
{
    const struct jobs *jobs = &engine->jobs;
    msec_t now_ms = clock_steady_ms(engine->clock);

    switch (jobs->step.op.result) {
    case 0:
        break;
    case E_FULL:
        return now_ms + REFUSED_MS;
    default:
        return MSEC_NEVER; /* closed or broken */
    }
    usec_t rest_us = (clock_mono_us(engine->clock) - jobs->began_us) * REST;
    msec_t earliest_ms =
        now_ms + (rest_us < REST_MAX_US ? rest_us : REST_MAX_US) / 1000;
    msec_t next_ms = jobs->step.next_ms;
    if (next_ms > now_ms + LOOK_MS)
        next_ms = now_ms + LOOK_MS;
    return next_ms > earliest_ms ? next_ms : earliest_ms;
}

/* On the store's thread. */
static void
step_done(struct store_op *op)
{
    struct engine *engine = container_of(op, struct engine, jobs.step.op);

    if (op->result == 0)
        tell_senders(engine);
    atomic_store(&engine->jobs.next_ms, next_of(engine));
    atomic_store_explicit(&engine->jobs.under_way, false, memory_order_release);
    wake(engine);
}

msec_t
jobs_turn(struct engine *engine)
{
    struct jobs *jobs = &engine->jobs;
    msec_t now_ms = clock_steady_ms(engine->clock);

    if (atomic_load_explicit(&jobs->under_way, memory_order_acquire))
        return MSEC_NEVER;
    msec_t next_ms = atomic_load(&jobs->next_ms);
    if (!atomic_exchange(&jobs->asked, false) && now_ms < next_ms)
        return next_ms;
    atomic_store(&jobs->under_way, true);
    jobs->began_us = clock_mono_us(engine->clock);
    jobs->step.op = (struct store_op){.kind = STORE_STEP_JOBS, .done = step_done};
    store_submit(engine->store, &jobs->step.op);
    return MSEC_NEVER;
}

/* ---- make ---- */

struct put_work {
    struct store_put_job store;
    struct engine *engine;
    struct engine_job *put;
};

static void
put_done(struct store_op *op)
{
    struct put_work *work = container_of(op, struct put_work, store.op);
    struct engine_job *put = work->put;
    struct engine *engine = work->engine;

    put->result = op->result;
    put->why = op->why;
    free(work);
    if (put->result == 0)
        ask(engine);
    put->done(put);
}

void
engine_put_job(struct engine *engine, struct engine_job *put)
{
    struct put_work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->put = put;
    work->store = (struct store_put_job){
        .op = {.kind = STORE_PUT_JOB, .done = put_done},
        .job = put->job,
    };
    store_submit(engine->store, &work->store.op);
}

/* ---- steer ---- */

struct steer_work {
    struct store_steer_job store;
    struct engine *engine;
    struct engine_steer *steer;
};

static void
steer_after(struct store_steer_job *store, const struct job *job)
{
    struct engine_steer *steer = container_of(store, struct steer_work, store)->steer;
    steer->after(steer, job);
}

static void
steer_done(struct store_op *op)
{
    struct steer_work *work = container_of(op, struct steer_work, store.op);
    struct engine_steer *steer = work->steer;
    struct engine *engine = work->engine;

    steer->result = op->result;
    steer->why = op->why;
    free(work);
    if (steer->result == 0)
        ask(engine);
    steer->done(steer);
}

void
engine_steer_job(struct engine *engine, struct engine_steer *steer)
{
    struct steer_work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->steer = steer;
    work->store = (struct store_steer_job){
        .op = {.kind = STORE_STEER_JOB, .done = steer_done},
        .channel = steer->channel,
        .number = steer->number,
        .to = steer->to,
        .after = steer_after,
    };
    store_submit(engine->store, &work->store.op);
}

/* ---- look ---- */

struct jobs_work {
    struct store_jobs store;
    struct engine_jobs *list;
};

static void
jobs_each(struct store_jobs *store, const struct job *job)
{
    struct engine_jobs *list = container_of(store, struct jobs_work, store)->list;
    list->each(list, job);
}

static void
jobs_done(struct store_op *op)
{
    struct jobs_work *work = container_of(op, struct jobs_work, store.op);
    struct engine_jobs *list = work->list;

    list->result = op->result;
    list->next = work->store.next;
    free(work);
    list->done(list);
}

void
engine_jobs(struct engine *engine, struct engine_jobs *list)
{
    struct jobs_work *work = xcalloc(1, sizeof(*work));
    work->list = list;
    work->store = (struct store_jobs){
        .op = {.kind = STORE_JOBS, .done = jobs_done},
        .channel = list->channel,
        .number = list->number,
        .before = list->before,
        .limit = list->limit,
        .each = jobs_each,
    };
    store_submit(engine->store, &work->store.op);
}
