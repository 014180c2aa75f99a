/* The thread, and failures on demand. */
#include "fake_engine_private.h"

static void
task_free(struct task *task)
{
    for (size_t i = 0; i < task->n_events; i++) {
        free(task->events[i].subscription);
        free(task->events[i].body);
    }
    free(task->events);
    free(task);
}

static void *
work(void *arg)
{
    struct engine *engine = arg;
    pthread_mutex_lock(&engine->queue_lock);
    for (;;) {
        while (!engine->ending && (!engine->head || engine->stopped))
            pthread_cond_wait(&engine->changed, &engine->queue_lock);
        struct task *task = engine->head;
        if (!task)
            break;
        engine->head = task->next;
        if (!engine->head)
            engine->tail = &engine->head;
        engine->queued--;
        engine->running = task;
        pthread_mutex_unlock(&engine->queue_lock);
        task->run(engine, task->request);
        task_free(task);
        pthread_mutex_lock(&engine->queue_lock);
    }
    pthread_mutex_unlock(&engine->queue_lock);
    return NULL;
}

void
fake_submit(struct engine *engine, struct task *task)
{
    pthread_mutex_lock(&engine->queue_lock);
    *engine->tail = task;
    engine->tail = &task->next;
    engine->queued++;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->queue_lock);
}

void
fake_submit_request(struct engine *engine, void (*run)(struct engine *, void *),
                    void *request)
{
    struct task *task = xcalloc(1, sizeof(*task));
    task->run = run;
    task->request = request;
    fake_submit(engine, task);
}

int
fake_take_failure(struct engine *engine)
{
    pthread_mutex_lock(&engine->queue_lock);
    int fail = engine->fail;
    engine->fail = 0;
    pthread_mutex_unlock(&engine->queue_lock);
    return fail;
}

void
fake_engine_fail(struct engine *engine, int result)
{
    pthread_mutex_lock(&engine->queue_lock);
    engine->fail = result;
    pthread_mutex_unlock(&engine->queue_lock);
}

void
fake_engine_stale(struct engine *engine, void (*meanwhile)(struct engine *, void *),
                  void *ctx)
{
    pthread_mutex_lock(&engine->queue_lock);
    engine->meanwhile = meanwhile;
    engine->meanwhile_ctx = ctx;
    pthread_mutex_unlock(&engine->queue_lock);
}

void
fake_engine_stop(struct engine *engine)
{
    pthread_mutex_lock(&engine->queue_lock);
    engine->stopped = true;
    pthread_mutex_unlock(&engine->queue_lock);
}

void
fake_engine_go(struct engine *engine)
{
    pthread_mutex_lock(&engine->queue_lock);
    engine->stopped = false;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->queue_lock);
}

void
fake_engine_wait(struct engine *engine, size_t n)
{
    pthread_mutex_lock(&engine->queue_lock);
    while (engine->queued < n)
        pthread_cond_wait(&engine->changed, &engine->queue_lock);
    pthread_mutex_unlock(&engine->queue_lock);
}

struct engine *
fake_engine_new(void)
{
    struct engine *engine = xcalloc(1, sizeof(*engine));
    clock_manual_init(&engine->clock, INT64_C(1709545851375)); /* 4 March 2024 */
    clock_anchor(&engine->clock.clock, 0);
    pthread_mutex_init(&engine->lock, NULL);
    pthread_mutex_init(&engine->queue_lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    engine->tail = &engine->head;
    engine->gauges.oldest_due_ms = MSEC_NEVER;
    if (pthread_create(&engine->thread, NULL, work, engine) != 0)
        abort();
    return engine;
}

static void
fake_call_clear(struct fake_call *call)
{
    for (size_t i = 0; i < call->n_attempts; i++) {
        free(call->attempts[i].reason);
        free(call->attempts[i].response);
    }
    free(call->attempts);
}

void
fake_engine_free(struct engine *engine)
{
    pthread_mutex_lock(&engine->queue_lock);
    engine->ending = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->queue_lock);
    pthread_join(engine->thread, NULL);
    assert(!engine->head);
    for (size_t i = 0; i < engine->n_channels; i++)
        channel_unref(engine->channels[i]);
    for (size_t i = 0; i < engine->n_webhooks; i++)
        webhook_unref(engine->webhooks[i]);
    for (size_t i = 0; i < engine->n_calls; i++)
        fake_call_clear(&engine->calls[i]);
    for (size_t i = 0; i < engine->n_events; i++) {
        free(engine->events[i]->subscription);
        free(engine->events[i]->body);
        free(engine->events[i]);
    }
    for (size_t i = 0; i < engine->n_once; i++)
        free(engine->once[i].key);
    pthread_mutex_destroy(&engine->lock);
    pthread_mutex_destroy(&engine->queue_lock);
    pthread_cond_destroy(&engine->changed);
    free(engine);
}

struct clock_manual *
fake_engine_clock(struct engine *engine)
{
    return &engine->clock;
}

struct clock *
engine_clock(struct engine *engine)
{
    return &engine->clock.clock;
}

struct rng *
engine_rng(struct engine *engine)
{
    (void)engine;
    return &rng_system;
}
