/* Events in: which webhooks want them, one append, and after the commit the calls go to
 * their senders. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"

struct job {
    struct store_append append;
    struct engine *engine;
    struct engine_ingest *ingest;
    size_t n_events;
    struct live_event **live; /* the events' bytes; append.events points into them */
    struct store_event *events;
    struct store_new_call *calls;
    size_t n_calls, cap_calls;
    struct handover **handovers; /* one per sender, NULL where nothing goes */
};

static void
handovers_free(struct job *job)
{
    for (size_t i = 0; i < job->engine->n_senders; i++) {
        handover_free(job->handovers[i]);
        job->handovers[i] = NULL;
    }
}

static void
job_free(struct job *job)
{
    handovers_free(job);
    for (size_t i = 0; i < job->n_events; i++)
        live_event_unref(job->live[i]);
    free(job->handovers);
    free(job->live);
    free(job->events);
    free(job->calls);
    free(job);
}

static struct job *
job_new(struct engine *engine, struct engine_ingest *ingest)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->engine = engine;
    job->ingest = ingest;
    job->n_events = ingest->n_events;
    job->live = xmalloc(job->n_events * sizeof(job->live[0]));
    job->events = xmalloc(job->n_events * sizeof(job->events[0]));
    job->handovers = xcalloc(engine->n_senders, sizeof(struct handover *));
    for (size_t i = 0; i < job->n_events; i++) {
        const struct event_ref *ref = &ingest->events[i];
        struct live_event *live = live_event_new(ref->type, ref->body);
        size_t offset = (size_t)(ref->subscription.p - ref->body.p);
        job->live[i] = live;
        job->events[i] = (struct store_event){
            .type = ref->type,
            .subscription = {live->body + offset, ref->subscription.n},
            .body = {live->body, live->len},
        };
    }
    return job;
}

/* ---- who wants it ---- */

static void
add_call(struct job *job, size_t event, uint64_t webhook)
{
    if (job->n_calls == job->cap_calls) {
        job->cap_calls = job->cap_calls ? job->cap_calls * 2 : job->n_events + 8;
        job->calls = xrealloc(job->calls, job->cap_calls * sizeof(job->calls[0]));
    }
    job->calls[job->n_calls++] =
        (struct store_new_call){.event = (uint32_t)event, .webhook = webhook};
}

static int
match_webhooks(struct job *job, const struct config_channel *entry)
{
    const struct webhook *only = job->ingest->only;
    for (size_t e = 0; e < job->n_events; e++) {
        for (size_t w = 0; w < entry->n; w++) {
            const struct webhook *webhook = entry->webhooks[w];
            if (only ? webhook->number == only->number
                     : webhook_wants(webhook, job->events[e].type))
                add_call(job, e, webhook->number);
        }
        if (job->n_calls > ENGINE_CALLS_MAX)
            return E_TOO_LARGE;
    }
    return only && job->n_calls == 0 ? E_NOT_FOUND : 0;
}

/* Pure, from the configuration as it is now. */
static int
match(struct job *job)
{
    struct config *config = &job->engine->config;
    job->n_calls = 0;
    pthread_rwlock_rdlock(&config->lock);
    job->append.config = config->version;
    const struct config_channel *entry =
        config_find_channel(config, job->ingest->channel->number);
    int rc = entry ? match_webhooks(job, entry) : E_NOT_FOUND;
    pthread_rwlock_unlock(&config->lock);
    return rc;
}

/* ---- to the senders ---- */

static void
count_per_sender(const struct job *job, size_t *n, size_t *bytes)
{
    for (size_t i = 0; i < job->n_calls; i++) {
        size_t sender = job->calls[i].webhook % job->engine->n_senders;
        n[sender]++;
        bytes[sender] += sizeof(struct live_call) + job->live[job->calls[i].event]->len;
    }
}

/* Readies one message per sender. A sender whose memory is full gets to know only that
 * something waits on disk. */
static void
make_handovers(struct job *job)
{
    size_t n_senders = job->engine->n_senders;
    size_t *n = xcalloc(n_senders, sizeof(*n));
    size_t *bytes = xcalloc(n_senders, sizeof(*bytes));
    count_per_sender(job, n, bytes);

    for (size_t s = 0; s < n_senders; s++) {
        if (n[s] == 0)
            continue;
        struct handover *handover = job->handovers[s] = handover_new(n[s]);
        bool admitted = dispatch_admit(job->engine->senders[s].dispatch, bytes[s]);
        handover->bytes = admitted ? bytes[s] : 0;
        for (size_t i = 0; i < job->n_calls; i++) {
            const struct store_new_call *call = &job->calls[i];
            if (call->webhook % n_senders != s)
                continue;
            handover->calls[handover->n++] = (struct handover_call){
                .webhook = call->webhook,
                .index = call->event,
                .event = admitted ? live_event_ref(job->live[call->event]) : NULL,
            };
        }
    }
    free(n);
    free(bytes);
}

static void
drop_handovers(struct job *job)
{
    for (size_t s = 0; s < job->engine->n_senders; s++)
        if (job->handovers[s])
            dispatch_take_back(job->engine->senders[s].dispatch,
                               job->handovers[s]->bytes);
    handovers_free(job);
}

static void
hand_over(struct job *job)
{
    for (size_t i = 0; i < job->n_events; i++)
        live_event_set_key(job->live[i], job->append.first_key + i);
    for (size_t s = 0; s < job->engine->n_senders; s++) {
        if (!job->handovers[s])
            continue;
        job->handovers[s]->first_key = job->append.first_key;
        dispatch_post_handover(job->engine->senders[s].dispatch, job->handovers[s]);
        job->handovers[s] = NULL;
    }
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
    job_free(job);
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
    make_handovers(job);
    uint64_t config = job->append.config;
    job->append = (struct store_append){
        .op = {.kind = STORE_APPEND, .done = append_done},
        .channel = job->ingest->channel->number,
        .config = config,
        .events = job->events,
        .n_events = job->n_events,
        .calls = job->calls,
        .n_calls = job->n_calls,
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
        hand_over(job);
    else
        drop_handovers(job);

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
