/*
 * What is counted of a webhook, of a channel or of all of them, in a step of time; and
 * the percentiles that come of it. How long attempts took is kept as counts in buckets
 * whose bounds grow by 22 %, so that figures of several steps, or of several webhooks,
 * can be added up and their percentiles are still right to within 10 %.
 *
 * How many calls waited is no count but a height. It is known at the beginning of a
 * step, and the highest of the step; where nothing moved it there are no figures, and
 * it was all the while what it is when the next ones begin (figures_trace).
 */
#pragma once

#include "base/types.h"

/* The first bucket holds what took less than half a millisecond, the last what took
 * more than 113 seconds. */
#define FIGURES_BUCKETS 64

enum figures_step {
    FIGURES_MINUTE, /* kept for FIGURES_MINUTES_MS */
    FIGURES_HOUR,   /* and FIGURES_HOURS_MS */
    FIGURES_STEPS
};

#define FIGURES_MINUTES_MS ((msec_t)3 * 3600 * 1000)
#define FIGURES_HOURS_MS   ((msec_t)35 * 24 * 3600 * 1000)

/* Calls that waited, those that were held included. */
struct figures_backlog {
    bool known; /* else the rest is 0 */
    uint64_t first, highest;
};

struct figures {
    uint64_t events;    /* that came in; of a webhook: calls that were made for it */
    uint64_t succeeded; /* attempts; likewise failed */
    uint64_t failed;
    uint64_t exhausted;             /* calls whose attempts were all used */
    usec_t max_us;                  /* the longest attempt */
    uint64_t took[FIGURES_BUCKETS]; /* attempts, by how long they took */
    struct figures_backlog backlog;
};

msec_t figures_step_ms(enum figures_step step); /* how long one is */
msec_t figures_kept_ms(enum figures_step step); /* for how long they are kept */
/* When the step began in which this time is. */
msec_t figures_begin(enum figures_step step, msec_t at_ms);

/* Whether nothing was counted, whatever waited. */
bool figures_none(const struct figures *figures);
/* One more attempt. */
void figures_attempt(struct figures *figures, bool ok, usec_t took_us);
/* More of the same, from later on. */
void figures_add(struct figures *to, const struct figures *more);
/* So many wait now; `before`: what it was until then. */
void figures_wait(struct figures *figures, uint64_t before, uint64_t now);

/* What is known of the backlog in a step. */
struct figures_trace {
    bool there; /* there were figures */
    struct figures_backlog backlog;
};

/* Fills in, of steps one after the other, those in which there were no figures; `now`
 * is what waits in the last one. Not known stays what is before figures that do not
 * know it. */
void figures_trace(struct figures_trace *steps, size_t n, uint64_t now);

/* What that share of the attempts took at most, in per mille; -1 = there were none.
 * Right to within 10 %, or a quarter of a millisecond below half a one. */
usec_t figures_percentile(const struct figures *figures, unsigned per_mille);

/* The buckets as bytes: only those that are used. */
#define FIGURES_PACKED_MAX (FIGURES_BUCKETS * 11)
size_t figures_pack(const struct figures *figures, char out[FIGURES_PACKED_MAX]);
/* Sets `took`; false when this is not what was packed. */
bool figures_unpack(struct figures *figures, struct slice packed) must_check;
