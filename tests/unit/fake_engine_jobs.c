/* The fake engine's jobs: kept, steered and shown, and nothing more. */
#include "fake_engine_private.h"

static void
run_cancel(struct engine *engine, void *request)
{
    struct engine_cancel *cancel = request;
    cancel->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    struct fake_call *call =
        fake_find_call(engine, cancel->channel, cancel->event, cancel->webhook);
    if (cancel->result == 0 && !call)
        cancel->result = E_NOT_FOUND;
    else if (cancel->result == 0 && call->state != CALL_WAITING)
        cancel->result = E_CONFLICT;
    else if (cancel->result == 0)
        call->state = CALL_CANCELLED;
    pthread_mutex_unlock(&engine->lock);
    cancel->done(cancel);
}

void
engine_cancel(struct engine *engine, struct engine_cancel *cancel)
{
    fake_submit_request(engine, run_cancel, cancel);
}

static void
run_put_job(struct engine *engine, void *request)
{
    struct engine_job *put = request;
    size_t running = 0;

    put->why = NULL;
    put->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_jobs; i++)
        running += engine->jobs[i].state == JOB_RUNNING;
    if (put->result == 0 && running >= JOBS_RUNNING_MAX)
        put->result = E_BUSY;
    if (put->result == 0) {
        assert(engine->n_jobs < JOBS_MAX);
        put->job->created_ms = clock_steady_ms(&engine->clock.clock);
        put->job->updated_ms = put->job->created_ms;
        put->job->number = engine->n_jobs + 1;
        engine->jobs[engine->n_jobs] = *put->job;
        engine->jobs[engine->n_jobs++].ids = NULL; /* the request's */
    }
    pthread_mutex_unlock(&engine->lock);
    put->done(put);
}

void
engine_put_job(struct engine *engine, struct engine_job *put)
{
    fake_submit_request(engine, run_put_job, put);
}

static struct job *
find_job(struct engine *engine, uint64_t channel, uint64_t number)
{
    if (number == 0 || number > engine->n_jobs ||
        engine->jobs[number - 1].channel != channel)
        return NULL;
    return &engine->jobs[number - 1];
}

static void
run_steer(struct engine *engine, void *request)
{
    struct engine_steer *steer = request;

    steer->why = "the job has ended";
    steer->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    struct job *job = find_job(engine, steer->channel, steer->number);
    if (steer->result == 0 && !job) {
        steer->result = E_NOT_FOUND;
        steer->why = "no such job";
    } else if (steer->result == 0 && !job_may_move(job->state, steer->to)) {
        steer->result = E_CONFLICT;
    } else if (steer->result == 0) {
        job->state = steer->to;
        steer->after(steer, job);
    }
    pthread_mutex_unlock(&engine->lock);
    steer->done(steer);
}

void
engine_steer_job(struct engine *engine, struct engine_steer *steer)
{
    fake_submit_request(engine, run_steer, steer);
}

static void
run_jobs(struct engine *engine, void *request)
{
    struct engine_jobs *list = request;
    size_t n = 0;

    list->next = 0;
    list->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    for (size_t i = engine->n_jobs; list->result == 0 && i-- > 0;) {
        const struct job *job = &engine->jobs[i];
        if (job->channel != list->channel ||
            (list->number ? job->number != list->number : job->number >= list->before))
            continue;
        if (n == list->limit) {
            list->next = job->number + 1;
            break;
        }
        list->each(list, job);
        n++;
    }
    if (list->result == 0 && list->number && n == 0)
        list->result = E_NOT_FOUND;
    pthread_mutex_unlock(&engine->lock);
    list->done(list);
}

void
engine_jobs(struct engine *engine, struct engine_jobs *list)
{
    fake_submit_request(engine, run_jobs, list);
}
