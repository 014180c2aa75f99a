/*
 * Counters and histograms that any thread may bump without a lock, each a row in
 * metrics.c (name, help, label values). Exposed in Prometheus text format by
 * api/health.c. The number of series is fixed.
 */
#pragma once

#include "base/buf.h"
#include "base/types.h"

enum metric_counter {
    METRIC_EVENTS,   /* label type, by enum event_type order */
    METRIC_ATTEMPTS, /* label verdict */
    METRIC_REQUESTS, /* label code: 2xx, 4xx, 5xx */
    METRIC_COMMITS,
    METRIC_DISABLED,        /* label reason, by enum disable_reason order */
    METRIC_RETENTION,       /* label rows: events, calls, attempts, reports */
    METRIC_NOTICES,         /* label kind, by enum notice_kind order */
    METRIC_NOTICE_ATTEMPTS, /* label verdict */
    METRIC_COUNTERS
};
#define METRIC_LABELS_MAX 9

enum metric_histogram {
    METRIC_INGEST_SECONDS,   /* request in → answer */
    METRIC_COMMIT_SECONDS,   /* one group commit */
    METRIC_ATTEMPT_SECONDS,  /* one attempt */
    METRIC_DELIVERY_SECONDS, /* event accepted → receiver's 2xx */
    METRIC_HISTOGRAMS
};

void metric_add(enum metric_counter counter, unsigned label, uint64_t by);
void metric_observe(enum metric_histogram histogram, usec_t value);
uint64_t metric_total(enum metric_counter counter); /* all labels */
void metrics_write(struct buf *out); /* all rows, Prometheus text format 0.0.4 */
/* One gauge line with its HELP and TYPE. */
void metrics_gauge_head(struct buf *out, const char *name, const char *help);
