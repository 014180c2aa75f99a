/* Events in: which webhooks want them, one append, and after the commit the calls go to
 * their senders. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"
#include "engine/outgoing.h"

struct work {
    struct store_append append;
    struct engine *engine;
    struct engine_ingest *ingest;
    struct outgoing out;
};

static struct work *
work_new(struct engine *engine, struct engine_ingest *ingest)
{
    struct work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->ingest = ingest;
    outgoing_init(&work->out, engine);
    for (size_t i = 0; i < ingest->n_events; i++)
        outgoing_add(&work->out, &ingest->events[i]);
    return work;
}

/* Pure, from the configuration as it is now. */
static int
match(struct work *work)
{
    struct config *config = &work->engine->config;
    const struct webhook *only = work->ingest->only;
    int rc = E_NOT_FOUND;
    msec_t now_ms = clock_steady_ms(work->engine->clock);

    outgoing_forget_calls(&work->out);
    pthread_rwlock_rdlock(&config->lock);
    work->append.config = config->version;
    const struct config_channel *entry =
        config_find_channel(config, work->ingest->channel->number);
    if (entry && trial_is_over(entry->channel->trial_ends_ms, now_ms))
        rc = E_ENDED;
    else if (entry)
        rc = outgoing_match(&work->out, entry, 0, only);
    pthread_rwlock_unlock(&config->lock);
    return rc == 0 && only && work->out.n_calls == 0 ? E_NOT_FOUND : rc;
}

/* ---- submit, and what comes back ---- */

static void append_done(struct store_op *op);

static void
finish(struct work *work, int result)
{
    struct engine_ingest *ingest = work->ingest;
    ingest->result = result;
    if (result == 0) {
        ingest->first_key = work->append.first_key;
        ingest->repeated = work->append.repeated;
    }
    outgoing_fini(&work->out);
    free(work);
    ingest->done(ingest);
}

static void
submit(struct work *work)
{
    int rc = match(work);
    if (rc != 0) {
        finish(work, rc);
        return;
    }
    outgoing_ready(&work->out);
    uint64_t config = work->append.config;
    work->append = (struct store_append){
        .op = {.kind = STORE_APPEND, .done = append_done},
        .channel = work->ingest->channel->number,
        .config = config,
        .events = work->out.events,
        .n_events = work->out.n_events,
        .calls = work->out.calls,
        .n_calls = work->out.n_calls,
        .idempotency_key = work->ingest->idempotency_key,
    };
    memcpy(work->append.body_hash, work->ingest->body_hash, SHA256_BYTES);
    store_submit(work->engine->store, &work->append.op);
}

/* On the store's thread. */
static void
append_done(struct store_op *op)
{
    struct work *work = container_of(op, struct work, append.op);
    if (op->result == 0 && !work->append.repeated)
        outgoing_send(&work->out, work->append.first_key);
    else
        outgoing_take_back(&work->out);

    if (op->result == E_STALE)
        submit(work);
    else
        finish(work, op->result);
}

void
engine_ingest(struct engine *engine, struct engine_ingest *ingest)
{
    submit(work_new(engine, ingest));
}
