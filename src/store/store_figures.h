/* Operations that read figures; see store.h for how operations go. */
#pragma once

#include "core/figures.h"
#include "store/store.h"

/* ---- figures: what was counted, in steps of time ---- */

/* Steps one after the other, the first of which begins at since_ms (steady). Figures
 * are of when events came and attempts were recorded; those that are older than is kept
 * are not there any more. After a crash the last ten seconds may be missing. */
struct store_steps {
    enum figures_step step;
    msec_t since_ms;
    size_t n;
};

/* What waits for a webhook, or for those of a channel, now. */
struct store_backlog {
    uint64_t waiting;
    uint64_t held;
    msec_t oldest_due_ms; /* steady: since when a call is due, of those that are not
                             held; MSEC_NEVER = none is */
};

/* Figures of a webhook, of a channel or of all channels; of the last oldest_due_ms is
 * not looked for (engine_gauges has it). E_NOT_FOUND: no such channel, or webhook in
 * it. */
struct store_stats {
    struct store_op op;
    uint64_t channel; /* 0 = all */
    uint64_t webhook; /* 0 = the channel's own */
    struct store_steps steps;
    /* By time; only for steps in which there was something. */
    void (*each)(struct store_stats *stats, msec_t at_ms,
                 const struct figures *figures);
    /* By time, after them: the most calls that waited at once, those that were held
     * included. For each step up to now in which it is known: it is not in those of a
     * version that did not note it. NULL = nobody asks. */
    void (*each_backlog)(struct store_stats *stats, msec_t at_ms, uint64_t highest);
    /* out */
    struct store_backlog backlog;
    /* the store's; 0 at submit */
    uint64_t at;
    bool counted;
};

/* Figures of webhooks of a channel, each of all steps together. One op reads at most
 * STORE_STATS_MAX steps, and those of one webhook in any case. */
#define STORE_STATS_MAX 8192

struct store_webhook_stats {
    struct store_op op;
    uint64_t channel;         /* E_NOT_FOUND if there is none */
    const uint64_t *webhooks; /* ascending; what is none of the channel's has nothing */
    size_t n;
    struct store_steps steps;
    void (*each)(struct store_webhook_stats *stats, size_t i,
                 const struct figures *figures, const struct store_backlog *backlog);
    /* out: so many of them were read */
    size_t n_done;
};
