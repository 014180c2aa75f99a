/* Events in: which webhooks want them, one append, and after the commit the calls go to
 * their senders. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"
#include "engine/outgoing.h"

struct job {
    struct store_append append;
    struct engine *engine;
    struct engine_ingest *ingest;
    struct outgoing out;
};

static struct job *
job_new(struct engine *engine, struct engine_ingest *ingest)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->engine = engine;
    job->ingest = ingest;
    outgoing_init(&job->out, engine);
    for (size_t i = 0; i < ingest->n_events; i++)
        outgoing_add(&job->out, &ingest->events[i]);
    return job;
}

/* Pure, from the configuration as it is now. */
static int
match(struct job *job)
{
    struct config *config = &job->engine->config;
    const struct webhook *only = job->ingest->only;
    int rc = E_NOT_FOUND;
    msec_t now_ms = clock_steady_ms(job->engine->clock);

    outgoing_forget_calls(&job->out);
    pthread_rwlock_rdlock(&config->lock);
    job->append.config = config->version;
    const struct config_channel *entry =
        config_find_channel(config, job->ingest->channel->number);
    if (entry && trial_is_over(entry->channel->trial_ends_ms, now_ms))
        rc = E_ENDED;
    else if (entry)
        rc = outgoing_match(&job->out, entry, 0, only);
    pthread_rwlock_unlock(&config->lock);
    return rc == 0 && only && job->out.n_calls == 0 ? E_NOT_FOUND : rc;
}

/* ---- submit, and what comes back ---- */

static void append_done(struct store_op *op);

static void
finish(struct job *job, int result)
{
    struct engine_ingest *ingest = job->ingest;
    ingest->result = result;
    if (result == 0) {
        ingest->first_key = job->append.first_key;
        ingest->repeated = job->append.repeated;
    }
    outgoing_fini(&job->out);
    free(job);
    ingest->done(ingest);
}

static void
submit(struct job *job)
{
    int rc = match(job);
    if (rc != 0) {
        finish(job, rc);
        return;
    }
    outgoing_ready(&job->out);
    uint64_t config = job->append.config;
    job->append = (struct store_append){
        .op = {.kind = STORE_APPEND, .done = append_done},
        .channel = job->ingest->channel->number,
        .config = config,
        .events = job->out.events,
        .n_events = job->out.n_events,
        .calls = job->out.calls,
        .n_calls = job->out.n_calls,
        .idempotency_key = job->ingest->idempotency_key,
    };
    memcpy(job->append.body_hash, job->ingest->body_hash, SHA256_BYTES);
    store_submit(job->engine->store, &job->append.op);
}

/* On the store's thread. */
static void
append_done(struct store_op *op)
{
    struct job *job = container_of(op, struct job, append.op);
    if (op->result == 0 && !job->append.repeated)
        outgoing_send(&job->out, job->append.first_key);
    else
        outgoing_take_back(&job->out);

    if (op->result == E_STALE)
        submit(job);
    else
        finish(job, op->result);
}

void
engine_ingest(struct engine *engine, struct engine_ingest *ingest)
{
    submit(job_new(engine, ingest));
}
