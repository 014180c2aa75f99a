/* Figures: each request carries the store's operation through and back. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"
#include "store/store_figures.h"

/* ---- of a webhook, a channel, or all ---- */

struct stats_read {
    struct store_stats store;
    struct engine *engine;
    struct engine_stats *stats;
};

static void
stats_each(struct store_stats *store, msec_t at_ms, const struct figures *figures)
{
    struct engine_stats *stats = container_of(store, struct stats_read, store)->stats;
    stats->each(stats, at_ms, figures);
}

static void
stats_each_backlog(struct store_stats *store, msec_t at_ms, uint64_t highest)
{
    struct engine_stats *stats = container_of(store, struct stats_read, store)->stats;
    stats->each_backlog(stats, at_ms, highest);
}

static struct engine_backlog
backlog_of(const struct store_backlog *backlog)
{
    return (struct engine_backlog){
        .waiting = backlog->waiting,
        .held = backlog->held,
        .oldest_due_ms = backlog->oldest_due_ms,
    };
}

/* Of all channels the senders know it. */
static msec_t
oldest_of_all(struct engine *engine)
{
    struct engine_gauges gauges;
    engine_gauges(engine, &gauges);
    return gauges.oldest_due_ms <= clock_steady_ms(engine->clock) ? gauges.oldest_due_ms
                                                                  : MSEC_NEVER;
}

static void
stats_done(struct store_op *op)
{
    struct stats_read *read = container_of(op, struct stats_read, store.op);
    struct engine_stats *stats = read->stats;
    stats->result = op->result;
    stats->backlog = backlog_of(&read->store.backlog);
    if (!stats->channel)
        stats->backlog.oldest_due_ms = oldest_of_all(read->engine);
    free(read);
    stats->done(stats);
}

void
engine_stats(struct engine *engine, struct engine_stats *stats)
{
    struct stats_read *read = xcalloc(1, sizeof(*read));
    read->engine = engine;
    read->stats = stats;
    read->store = (struct store_stats){
        .op = {.kind = STORE_STATS, .done = stats_done},
        .channel = stats->channel,
        .webhook = stats->webhook,
        .steps = {stats->step, stats->since_ms, stats->n_steps},
        .each = stats_each,
        .each_backlog = stats_each_backlog,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- of webhooks, each ---- */

struct webhook_stats_read {
    struct store_webhook_stats store;
    struct engine_webhook_stats *stats;
};

static void
webhook_stats_each(struct store_webhook_stats *store, size_t i,
                   const struct figures *figures, const struct store_backlog *backlog)
{
    struct engine_webhook_stats *stats =
        container_of(store, struct webhook_stats_read, store)->stats;
    struct engine_backlog shown = backlog_of(backlog);
    stats->each(stats, i, figures, &shown);
}

static void
webhook_stats_done(struct store_op *op)
{
    struct webhook_stats_read *read =
        container_of(op, struct webhook_stats_read, store.op);
    struct engine_webhook_stats *stats = read->stats;
    stats->result = op->result;
    stats->n_done = read->store.n_done;
    free(read);
    stats->done(stats);
}

void
engine_webhook_stats(struct engine *engine, struct engine_webhook_stats *stats)
{
    struct webhook_stats_read *read = xcalloc(1, sizeof(*read));
    read->stats = stats;
    read->store = (struct store_webhook_stats){
        .op = {.kind = STORE_WEBHOOK_STATS, .done = webhook_stats_done},
        .channel = stats->channel,
        .webhooks = stats->webhooks,
        .n = stats->n,
        .steps = {stats->step, stats->since_ms, stats->n_steps},
        .each = webhook_stats_each,
    };
    store_submit(engine->store, &read->store.op);
}
