#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>

#define CACHE_LINE 64

struct counter_row {
    const char *name;
    const char *help;
    const char *label;                     /* NULL: one series without a label */
    const char *values[METRIC_LABELS_MAX]; /* series, in the order of their index */
};

static const struct counter_row counter_rows[METRIC_COUNTERS] = {
    [METRIC_EVENTS] = {"pushwire_events_total",
                       "Events accepted and durable, by type.",
                       "type",
                       {"optIn", "optOut", "delivery", "click", "updateTopics",
                        "topicAdded", "attributeUpdate"}},
    [METRIC_ATTEMPTS] = {"pushwire_attempts_total",
                         "Attempts ended, by verdict.",
                         "verdict",
                         {"ok", "temporary", "gone"}},
    [METRIC_REQUESTS] = {"pushwire_requests_total",
                         "HTTP requests answered, by class of status.",
                         "code",
                         {"2xx", "4xx", "5xx"}},
    [METRIC_DISABLED] = {"pushwire_webhooks_disabled_total",
                         "Webhooks that were disabled by what came back, by reason.",
                         "reason",
                         {"gone", "failing"}},
    [METRIC_RETENTION] = {"pushwire_retention_rows_total",
                          "Rows that went because their time was over.",
                          "rows",
                          {"events", "calls", "attempts", "reports"}},
    [METRIC_NOTICES] = {"pushwire_notices_total",
                        "Notices to operators, by kind.",
                        "kind",
                        {"webhookDisabled", "callExhausted", "backlogHigh",
                         "backlogCleared", "oldestDueHigh", "oldestDueCleared",
                         "diskLow", "diskCleared", "trialEnded"}},
    [METRIC_NOTICE_ATTEMPTS] = {"pushwire_notice_attempts_total",
                                "Attempts to send a notice, by verdict.",
                                "verdict",
                                {"ok", "temporary", "gone"}},
    [METRIC_COMMITS] = {"pushwire_commits_total", "Group commits.", NULL, {NULL}},
};

struct histogram_row {
    const char *name;
    const char *help;
};

static const struct histogram_row histogram_rows[METRIC_HISTOGRAMS] = {
    [METRIC_INGEST_SECONDS] = {"pushwire_ingest_seconds",
                               "Time from a request with events to its answer."},
    [METRIC_COMMIT_SECONDS] = {"pushwire_commit_seconds", "Time of a group commit."},
    [METRIC_ATTEMPT_SECONDS] = {"pushwire_attempt_seconds", "Time of an attempt."},
    [METRIC_DELIVERY_SECONDS] = {"pushwire_delivery_seconds",
                                 "Time from an accepted event to the receiver's 2xx."},
};

struct bound {
    usec_t us;
    const char *seconds;
};

static const struct bound bounds[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
    {30000000, "30"}, {60000000, "60"},
};

#define BOUNDS ARRAY_LEN(bounds)

/* A line of its own: threads that bump neighbours do not slow each other. */
struct cell {
    _Alignas(CACHE_LINE) atomic_uint_fast64_t value;
};

struct histogram {
    _Alignas(CACHE_LINE)
        atomic_uint_fast64_t buckets[BOUNDS + 1]; /* last: beyond all */
    atomic_uint_fast64_t sum_us;
};

static struct cell counters[METRIC_COUNTERS][METRIC_LABELS_MAX];
static struct histogram histograms[METRIC_HISTOGRAMS];

void
metric_add(enum metric_counter counter, unsigned label, uint64_t by)
{
    assert(counter < METRIC_COUNTERS && label < METRIC_LABELS_MAX);
    assert(counter_rows[counter].label ? counter_rows[counter].values[label] != NULL
                                       : label == 0);
    atomic_fetch_add_explicit(&counters[counter][label].value, by,
                              memory_order_relaxed);
}

void
metric_observe(enum metric_histogram histogram, usec_t value)
{
    assert(histogram < METRIC_HISTOGRAMS);
    if (value < 0)
        value = 0;

    size_t bucket = 0;
    while (bucket < BOUNDS && value > bounds[bucket].us)
        bucket++;

    struct histogram *h = &histograms[histogram];
    atomic_fetch_add_explicit(&h->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, (uint64_t)value, memory_order_relaxed);
}

static void
write_head(struct buf *out, const char *name, const char *help, const char *type)
{
    buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
write_counter(struct buf *out, size_t counter)
{
    const struct counter_row *row = &counter_rows[counter];

    write_head(out, row->name, row->help, "counter");
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        uint64_t n =
            atomic_load_explicit(&counters[counter][i].value, memory_order_relaxed);
        if (row->label && row->values[i])
            buf_addf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", row->name, row->label,
                     row->values[i], n);
        else if (!row->label && i == 0)
            buf_addf(out, "%s %" PRIu64 "\n", row->name, n);
    }
}

static void
write_histogram(struct buf *out, size_t histogram)
{
    const struct histogram_row *row = &histogram_rows[histogram];
    struct histogram *h = &histograms[histogram];
    /* The count is added up from the buckets, so that it equals the last of them
     * whatever other threads do meanwhile. */
    uint64_t below = 0;

    write_head(out, row->name, row->help, "histogram");
    for (size_t i = 0; i < BOUNDS; i++) {
        below += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        buf_addf(out, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", row->name,
                 bounds[i].seconds, below);
    }
    below += atomic_load_explicit(&h->buckets[BOUNDS], memory_order_relaxed);
    uint64_t sum = atomic_load_explicit(&h->sum_us, memory_order_relaxed);
    buf_addf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", row->name, below);
    buf_addf(out, "%s_sum %" PRIu64 ".%06" PRIu64 "\n", row->name, sum / 1000000,
             sum % 1000000);
    buf_addf(out, "%s_count %" PRIu64 "\n", row->name, below);
}

uint64_t
metric_total(enum metric_counter counter)
{
    uint64_t total = 0;

    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        total +=
            atomic_load_explicit(&counters[counter][i].value, memory_order_relaxed);
    return total;
}

void
metrics_write(struct buf *out)
{
    for (size_t i = 0; i < METRIC_COUNTERS; i++)
        write_counter(out, i);
    for (size_t i = 0; i < METRIC_HISTOGRAMS; i++)
        write_histogram(out, i);
}

void
metrics_gauge_head(struct buf *out, const char *name, const char *help)
{
    write_head(out, name, help, "gauge");
}
