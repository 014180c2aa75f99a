#include "store/sqlite_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/store_figures.h"

/* Webhooks of a channel that are asked for what is due in one piece. */
#define PIECE 500
/* Steps of webhooks that are read at once. */
#define LONG_STEPS 1000

/* ---- figures ---- */

int
sqlite_figures_get(struct sqlite_store *s, enum figures_step step, msec_t at_ms,
                   enum figures_whose whose, uint64_t number, struct figures *figures)
{
    const enum sqlite_stmt get = STMT_ROLLUP_GET;
    sqlite_int(s, get, 1, step);
    sqlite_int(s, get, 2, at_ms);
    sqlite_int(s, get, 3, whose);
    sqlite_key(s, get, 4, number);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    for (int col = 0; col < 5; col++)
        if (sqlite_col(s, get, col) < 0)
            rc = -1;
    figures->events = sqlite_col_key(s, get, 0);
    figures->succeeded = sqlite_col_key(s, get, 1);
    figures->failed = sqlite_col_key(s, get, 2);
    figures->exhausted = sqlite_col_key(s, get, 3);
    figures->max_us = sqlite_col(s, get, 4);
    if (!figures_unpack(figures, sqlite_col_bytes(s, get, 5)))
        rc = -1;
    int64_t first = sqlite_col(s, get, 6), highest = sqlite_col(s, get, 7);
    if (first >= 0 && highest >= first)
        figures->backlog =
            (struct figures_backlog){true, (uint64_t)first, (uint64_t)highest};
    else if (first != -1 || highest != -1)
        rc = -1;
    sqlite_reset(s, get);
    return rc < 0 ? sqlite_damaged(s, "figures are none") : 1;
}

/* What is not in the rows yet, of one, by age. */
static struct sqlite_account *
accounts_of(const struct sqlite_store *s, enum figures_whose whose, uint64_t number)
{
    struct sqlite_account *found = NULL, **end = &found;
    for (struct sqlite_account *a = s->figures.head; a; a = a->next)
        if (a->whose == whose && a->number == number) {
            *end = a;
            end = &a->same;
        }
    *end = NULL;
    return found;
}

/* 1 = there are some. */
static int
step_figures(struct sqlite_store *s, enum figures_step step, msec_t at_ms,
             enum figures_whose whose, uint64_t number,
             const struct sqlite_account *accounts, struct figures *figures)
{
    *figures = (struct figures){0};
    int rc = sqlite_figures_get(s, step, at_ms, whose, number, figures);
    for (const struct sqlite_account *a = accounts; a && rc >= 0; a = a->same)
        if (figures_begin(step, a->minute_ms) == at_ms) {
            figures_add(figures, &a->figures);
            rc = 1;
        }
    return rc;
}

/* ---- what waits ---- */

static void
add_waiting(const struct sqlite_store *s, struct store_backlog *backlog,
            const struct sqlite_webhook *w)
{
    enum call_state shown = sqlite_shown(s, w, CALL_WAITING);
    if (shown == CALL_WAITING)
        backlog->waiting += (uint64_t)w->calls[CALL_WAITING];
    else if (shown == CALL_HELD)
        backlog->held += (uint64_t)w->calls[CALL_WAITING];
}

static int
add_oldest(struct sqlite_store *s, struct store_backlog *backlog,
           const struct sqlite_webhook *w)
{
    const enum sqlite_stmt get = STMT_OLDEST_DUE;
    if (w->calls[CALL_WAITING] == 0 || sqlite_shown(s, w, CALL_WAITING) != CALL_WAITING)
        return 0;
    sqlite_key(s, get, 1, w->number);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    msec_t due_ms = sqlite_col(s, get, 0);
    sqlite_reset(s, get);
    if (due_ms <= clock_steady_ms(s->clock) && due_ms < backlog->oldest_due_ms)
        backlog->oldest_due_ms = due_ms;
    return 0;
}

static void
add_all_waiting(struct sqlite_store *s, struct store_backlog *backlog)
{
    size_t at = 0;
    for (const struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;)
        add_waiting(s, backlog, w);
}

/* Webhooks stay where they are in their channel's list, new ones come at its head. */
static const struct sqlite_webhook *
webhook_from(const struct sqlite_store *s, const struct sqlite_channel *channel,
             uint64_t number)
{
    const struct sqlite_webhook *w = number ? map_get(&s->webhooks, number, 0) : NULL;
    return w ? w : channel->webhooks;
}

/* ---- of a webhook, a channel, or all ---- */

static bool
end(struct store_stats *stats, int result, const char *why)
{
    sqlite_refuse(&stats->op, result, why);
    stats->counted = true;
    return false;
}

/* A piece of the channel's webhooks: what waits for them, and since when. */
static bool
channel_step(struct sqlite_store *s, struct store_stats *stats)
{
    const struct sqlite_channel *channel = sqlite_live_channel(s, stats->channel);
    if (!channel)
        return end(stats, E_NOT_FOUND, "no such channel");
    const struct sqlite_webhook *w = webhook_from(s, channel, stats->at);
    for (int n = 0; w; w = w->next, n++) {
        stats->at = w->number;
        if (n == PIECE)
            return true;
        add_waiting(s, &stats->backlog, w);
        if (add_oldest(s, &stats->backlog, w) < 0)
            return end(stats, E_IO, NULL);
    }
    return end(stats, 0, NULL);
}

static bool
webhook_step(struct sqlite_store *s, struct store_stats *stats)
{
    const struct sqlite_webhook *w = map_get(&s->webhooks, stats->webhook, 0);
    if (!w || w->deleted || w->channel->deleted || w->channel->number != stats->channel)
        return end(stats, E_NOT_FOUND, "no such webhook");
    add_waiting(s, &stats->backlog, w);
    return end(stats, add_oldest(s, &stats->backlog, w), NULL);
}

bool
sqlite_stats_step(struct sqlite_store *s, struct store_op *op)
{
    struct store_stats *stats = container_of(op, struct store_stats, op);
    if (s->broken)
        return end(stats, E_IO, NULL);
    if (stats->at == 0)
        stats->backlog = (struct store_backlog){.oldest_due_ms = MSEC_NEVER};
    if (stats->webhook)
        return webhook_step(s, stats);
    if (stats->channel)
        return channel_step(s, stats);
    add_all_waiting(s, &stats->backlog);
    return end(stats, 0, NULL);
}

bool
sqlite_stats_are_long(const struct sqlite_store *s, struct store_op *op)
{
    if (op->kind == STORE_WEBHOOK_STATS) {
        const struct store_webhook_stats *each =
            container_of(op, struct store_webhook_stats, op);
        return each->n * each->steps.n > LONG_STEPS;
    }
    const struct store_stats *stats = container_of(op, struct store_stats, op);
    const struct sqlite_channel *channel =
        stats->webhook ? NULL : map_get(&s->channels, stats->channel, 0);
    const struct sqlite_webhook *w = channel ? channel->webhooks : NULL;
    for (int n = 0; w && n < PIECE; n++)
        w = w->next;
    return w != NULL;
}

/* How many steps there are up to now; what was purged is nothing's. */
static void
tell_backlog(const struct sqlite_store *s, struct store_stats *stats,
             struct figures_trace *trace)
{
    const struct store_steps *steps = &stats->steps;
    msec_t step_ms = figures_step_ms(steps->step), now_ms = clock_steady_ms(s->clock);
    msec_t kept_ms = figures_begin(steps->step, now_ms) - figures_kept_ms(steps->step);
    size_t n = 0;

    while (n < steps->n && steps->since_ms + (msec_t)n * step_ms <= now_ms)
        n++;
    figures_trace(trace, n, stats->backlog.waiting + stats->backlog.held);
    for (size_t i = 0; i < n && stats->each_backlog; i++) {
        msec_t at_ms = steps->since_ms + (msec_t)i * step_ms;
        if (trace[i].backlog.known && at_ms >= kept_ms)
            stats->each_backlog(stats, at_ms, trace[i].backlog.highest);
    }
}

int
sqlite_stats(struct sqlite_store *s, struct store_op *op)
{
    struct store_stats *stats = container_of(op, struct store_stats, op);
    const struct store_steps *steps = &stats->steps;
    enum figures_whose whose = stats->webhook   ? OF_WEBHOOK
                               : stats->channel ? OF_CHANNEL
                                                : OF_ALL;
    uint64_t number = stats->webhook ? stats->webhook : stats->channel;
    struct figures figures;
    int rc = 0;

    while (!stats->counted)
        (void)sqlite_stats_step(s, op);
    if (op->result != 0)
        return op->result == E_IO ? E_IO : 0;
    const struct sqlite_account *accounts = accounts_of(s, whose, number);
    struct figures_trace *trace = xcalloc(steps->n + 1, sizeof(*trace));
    for (size_t i = 0; i < steps->n && rc >= 0; i++) {
        msec_t at_ms = steps->since_ms + (msec_t)i * figures_step_ms(steps->step);
        rc = step_figures(s, steps->step, at_ms, whose, number, accounts, &figures);
        trace[i] = (struct figures_trace){rc == 1, figures.backlog};
        if (rc == 1 && !figures_none(&figures))
            stats->each(stats, at_ms, &figures);
    }
    if (rc >= 0)
        tell_backlog(s, stats, trace);
    free(trace);
    return rc < 0 ? rc : 0;
}

/* ---- of webhooks, each ---- */

/* The place of a webhook among those that are asked for; SIZE_MAX = it is not. */
static size_t
place_of(const struct store_webhook_stats *stats, uint64_t number)
{
    size_t low = 0, high = stats->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (stats->webhooks[mid] < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low < stats->n && stats->webhooks[low] == number ? low : SIZE_MAX;
}

/* What is not in the rows yet, of each; the caller's to free. */
static struct sqlite_account **
accounts_of_each(const struct sqlite_store *s, const struct store_webhook_stats *stats)
{
    struct sqlite_account **found =
        xcalloc(stats->n + 1, sizeof(struct sqlite_account *));
    for (struct sqlite_account *a = s->figures.head; a; a = a->next) {
        size_t i = a->whose == OF_WEBHOOK ? place_of(stats, a->number) : SIZE_MAX;
        if (i == SIZE_MAX)
            continue;
        a->same = found[i];
        found[i] = a;
    }
    return found;
}

static int
webhook_sum(struct sqlite_store *s, const struct store_steps *steps,
            const struct sqlite_webhook *w, const struct sqlite_account *accounts,
            struct figures *sum)
{
    struct figures figures;
    for (size_t i = 0; i < steps->n; i++) {
        msec_t at_ms = steps->since_ms + (msec_t)i * figures_step_ms(steps->step);
        int rc = step_figures(s, steps->step, at_ms, OF_WEBHOOK, w->number, accounts,
                              &figures);
        if (rc < 0)
            return rc;
        figures_add(sum, &figures);
    }
    return 0;
}

static int
one_webhook(struct sqlite_store *s, struct store_webhook_stats *stats, size_t i,
            const struct sqlite_account *accounts)
{
    const struct sqlite_webhook *w = map_get(&s->webhooks, stats->webhooks[i], 0);
    struct store_backlog backlog = {.oldest_due_ms = MSEC_NEVER};
    struct figures figures = {0};
    int rc = 0;
    if (w && !w->deleted && w->channel->number == stats->channel) {
        add_waiting(s, &backlog, w);
        rc = webhook_sum(s, &stats->steps, w, accounts, &figures);
        if (rc == 0)
            rc = add_oldest(s, &backlog, w);
    }
    if (rc == 0)
        stats->each(stats, i, &figures, &backlog);
    return rc;
}

int
sqlite_webhook_stats(struct sqlite_store *s, struct store_op *op)
{
    struct store_webhook_stats *stats =
        container_of(op, struct store_webhook_stats, op);
    int rc = 0;

    op->result = 0;
    stats->n_done = 0;
    if (!sqlite_live_channel(s, stats->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    struct sqlite_account **accounts = accounts_of_each(s, stats);
    for (size_t i = 0; i < stats->n && rc == 0; i++) {
        if (i > 0 && (i + 1) * stats->steps.n > STORE_STATS_MAX)
            break;
        rc = one_webhook(s, stats, i, accounts[i]);
        stats->n_done = i + 1;
    }
    free(accounts);
    return rc;
}
