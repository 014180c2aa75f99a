/* Figures of the fake engine: the same for everybody, but that their events say whose
 * they are. */
#include "fake_engine_private.h"

static void
run_stats(struct engine *engine, void *request)
{
    struct engine_stats *stats = request;
    struct figures first = {.events = 1}, last = {.exhausted = 1};
    stats->result = fake_take_failure(engine);
    if (stats->result == 0 && stats->webhook == 77)
        stats->result = E_NOT_FOUND;
    stats->backlog = (struct engine_backlog){4, 2, INT64_C(1709545850000)};
    last.events = stats->webhook ? stats->webhook : stats->channel;
    for (int i = 0; i < 999; i++)
        figures_attempt(&first, true, 10000);
    figures_attempt(&last, false, 15000000);
    if (stats->result == 0) {
        stats->each(stats, stats->since_ms, &first);
        stats->each(stats,
                    stats->since_ms +
                        (msec_t)(stats->n_steps - 1) * figures_step_ms(stats->step),
                    &last);
        stats->each_backlog(stats, stats->since_ms, 7);
    }
    stats->done(stats);
}

void
engine_stats(struct engine *engine, struct engine_stats *stats)
{
    fake_submit_request(engine, run_stats, stats);
}

/* No more than three at a time. */
static void
run_webhook_stats(struct engine *engine, void *request)
{
    struct engine_webhook_stats *stats = request;
    const struct engine_backlog backlog = {0, 3, MSEC_NEVER};
    stats->result = fake_take_failure(engine);
    stats->n_done = 0;
    for (size_t i = 0; stats->result == 0 && i < stats->n && i < 3; i++) {
        struct figures figures = {.events = stats->webhooks[i]};
        figures_attempt(&figures, true, 10000);
        stats->each(stats, i, &figures, &backlog);
        stats->n_done++;
    }
    stats->done(stats);
}

void
engine_webhook_stats(struct engine *engine, struct engine_webhook_stats *stats)
{
    fake_submit_request(engine, run_webhook_stats, stats);
}
