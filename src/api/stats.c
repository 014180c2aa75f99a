/* Figures of a webhook, a channel, or all channels, over the last hour, day or week. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/resources.h"
#include "base/mem.h"

/* Of the hour each minute, of the day and the week each hour. */
static const struct {
    enum figures_step step;
    size_t n;
} ranges[RANGES] = {
    [RANGE_HOUR] = {FIGURES_MINUTE, 60},
    [RANGE_DAY] = {FIGURES_HOUR, 24},
    [RANGE_WEEK] = {FIGURES_HOUR, 168},
};

#define STEPS_MAX 168

/* What a request has come to know when it is answered. */
struct stats {
    enum query_range range;
    msec_t since_ms, until_ms;
    struct figures total;
    struct {
        uint64_t events, succeeded, failed, exhausted;
        usec_t p50_us, p95_us, p99_us;
        bool waited; /* whether it is known what did */
        uint64_t backlog;
    } steps[STEPS_MAX];
};

static msec_t
step_ms(const struct stats *stats)
{
    return figures_step_ms(ranges[stats->range].step);
}

/* The step that is under way is the last one. */
static void
stats_init(struct stats *stats, struct api_request *r)
{
    *stats = (struct stats){.range = r->query.range};
    stats->until_ms = api_now(r);
    stats->since_ms = figures_begin(ranges[stats->range].step, stats->until_ms) -
                      (msec_t)(ranges[stats->range].n - 1) * step_ms(stats);
}

/* ---- what is written ---- */

/* Six digits, and 1 only when nothing failed. */
static void
write_rate(struct json_out *json, const char *name, uint64_t part, uint64_t all)
{
    char text[32];
    if (all == 0) {
        json_null(json, name);
        return;
    }
    uint64_t millionths = part / all * 1000000 + part % all * 1000000 / all;
    int n = snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64, millionths / 1000000,
                     millionths % 1000000);
    while (text[n - 1] == '0')
        n--;
    if (text[n - 1] == '.')
        n--;
    json_raw_out(json, name, (struct slice){text, (size_t)n});
}

static void
write_took(struct json_out *json, const char *name, usec_t took_us)
{
    if (took_us < 0)
        json_null(json, name);
    else
        json_f64(json, name, (double)took_us / 1000);
}

static void
write_latency(struct json_out *json, const struct figures *figures)
{
    static const struct {
        const char *name;
        unsigned per_mille;
    } shown[] = {{"p50", 500}, {"p90", 900}, {"p95", 950}, {"p99", 990}};
    if (figures_percentile(figures, 500) < 0) {
        json_null(json, "latencyMs");
        return;
    }
    json_object(json, "latencyMs");
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        write_took(json, shown[i].name,
                   figures_percentile(figures, shown[i].per_mille));
    write_took(json, "max", figures->max_us);
    json_object_end(json);
}

static void
write_counts(struct json_out *json, uint64_t events, uint64_t succeeded,
             uint64_t failed, uint64_t exhausted)
{
    json_i64(json, "events", (int64_t)events);
    json_i64(json, "attempts", (int64_t)(succeeded + failed));
    json_i64(json, "succeeded", (int64_t)succeeded);
    json_i64(json, "failed", (int64_t)failed);
    json_i64(json, "exhausted", (int64_t)exhausted);
}

static void
write_totals(struct json_out *json, const struct figures *total)
{
    json_object(json, "totals");
    write_counts(json, total->events, total->succeeded, total->failed,
                 total->exhausted);
    write_rate(json, "successRate", total->succeeded, total->succeeded + total->failed);
    write_latency(json, total);
    json_object_end(json);
}

static void
write_backlog(struct json_out *json, const struct engine_backlog *backlog)
{
    json_i64(json, "backlog", (int64_t)backlog->waiting);
    json_i64(json, "held", (int64_t)backlog->held);
    json_time(json, "oldestDue", backlog->oldest_due_ms);
}

static void
write_series(struct json_out *json, const struct stats *stats)
{
    json_array(json, "series");
    for (size_t i = 0; i < ranges[stats->range].n; i++) {
        json_object(json, NULL);
        json_time(json, "at", stats->since_ms + (msec_t)i * step_ms(stats));
        write_counts(json, stats->steps[i].events, stats->steps[i].succeeded,
                     stats->steps[i].failed, stats->steps[i].exhausted);
        bool any = stats->steps[i].succeeded + stats->steps[i].failed > 0;
        write_took(json, "p50", any ? stats->steps[i].p50_us : -1);
        write_took(json, "p95", any ? stats->steps[i].p95_us : -1);
        write_took(json, "p99", any ? stats->steps[i].p99_us : -1);
        if (stats->steps[i].waited)
            json_i64(json, "backlog", (int64_t)stats->steps[i].backlog);
        else
            json_null(json, "backlog");
        json_object_end(json);
    }
    json_array_end(json);
}

/* ---- of a webhook, a channel, or all ---- */

static void
show_each(struct engine_stats *read, msec_t at_ms, const struct figures *figures)
{
    struct api_request *r = container_of(read, struct api_request, op.stats);
    struct stats *stats = r->own;
    size_t i = (size_t)((at_ms - stats->since_ms) / step_ms(stats));
    figures_add(&stats->total, figures);
    stats->steps[i].events = figures->events;
    stats->steps[i].succeeded = figures->succeeded;
    stats->steps[i].failed = figures->failed;
    stats->steps[i].exhausted = figures->exhausted;
    stats->steps[i].p50_us = figures_percentile(figures, 500);
    stats->steps[i].p95_us = figures_percentile(figures, 950);
    stats->steps[i].p99_us = figures_percentile(figures, 990);
}

static void
show_backlog(struct engine_stats *read, msec_t at_ms, uint64_t highest)
{
    struct api_request *r = container_of(read, struct api_request, op.stats);
    struct stats *stats = r->own;
    size_t i = (size_t)((at_ms - stats->since_ms) / step_ms(stats));
    stats->steps[i].waited = true;
    stats->steps[i].backlog = highest;
}

static void
show_done(struct engine_stats *read)
{
    struct api_request *r = container_of(read, struct api_request, op.stats);
    const struct stats *stats = r->own;
    char webhook[ID_TEXT];
    if (read->result != 0) {
        api_refuse(r, read->result, read->webhook ? "no such webhook" : NULL);
        return;
    }
    if (read->webhook)
        webhook_id_format(webhook, read->webhook);
    api_json_begin(r);
    json_str(&r->json, "range", query_range_name(stats->range));
    json_i64(&r->json, "step", step_ms(stats) / 1000);
    json_time(&r->json, "since", stats->since_ms);
    json_time(&r->json, "until", stats->until_ms);
    json_str(&r->json, "webhook", read->webhook ? webhook : NULL);
    write_totals(&r->json, &stats->total);
    write_backlog(&r->json, &read->backlog);
    write_series(&r->json, stats);
    api_json_end(r, 200);
}

void
stats_show(struct api_request *r)
{
    struct stats *stats = xmalloc(sizeof(*stats));
    stats_init(stats, r);
    r->own = stats;
    r->own_free = free;
    r->op.stats = (struct engine_stats){
        .channel = r->channel ? r->channel->number : r->key.channel,
        .webhook = r->query.webhook,
        .step = ranges[stats->range].step,
        .since_ms = stats->since_ms,
        .n_steps = ranges[stats->range].n,
        .each = show_each,
        .each_backlog = show_backlog,
        .done = show_done,
    };
    httpd_hold(r->req);
    engine_stats(r->api->engine, &r->op.stats);
}

/* ---- of webhooks, each ---- */

struct page {
    struct webhook *webhooks[QUERY_LIMIT_MAX + 1];
    uint64_t numbers[QUERY_LIMIT_MAX + 1];
    size_t n; /* one more than are asked for, when there are more */
};

static void
page_free(void *own)
{
    struct page *page = own;
    for (size_t i = 0; i < page->n; i++)
        webhook_unref(page->webhooks[i]);
    free(page);
}

static void
page_each(struct engine_webhook_stats *read, size_t i, const struct figures *figures,
          const struct engine_backlog *backlog)
{
    struct api_request *r = container_of(read, struct api_request, op.webhook_stats);
    const struct webhook *webhook = ((struct page *)r->own)->webhooks[i];
    struct json_out *json = &r->json;
    uint64_t attempts = figures->succeeded + figures->failed;
    json_object(json, NULL);
    json_str(json, "webhook", webhook->id);
    json_str(json, "url", webhook->url);
    json_bool(json, "enabled", webhook->enabled);
    json_i64(json, "events", (int64_t)figures->events);
    json_i64(json, "attempts", (int64_t)attempts);
    write_rate(json, "successRate", figures->succeeded, attempts);
    write_took(json, "p95", figures_percentile(figures, 950));
    json_i64(json, "exhausted", (int64_t)figures->exhausted);
    write_backlog(json, backlog);
    json_object_end(json);
}

static void
page_done(struct engine_webhook_stats *read)
{
    struct api_request *r = container_of(read, struct api_request, op.webhook_stats);
    const struct page *page = r->own;
    if (read->result != 0) {
        api_refuse(r, read->result, NULL);
        return;
    }
    bool more = read->n_done < page->n;
    api_page_end(r, more ? page->webhooks[read->n_done - 1]->id : NULL);
}

void
stats_webhooks(struct api_request *r)
{
    struct slice cursor = slice_of(r->query.cursor);
    uint64_t after = 0;
    struct stats stats;

    if (cursor.n && !webhook_id_parse(cursor, &after)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    struct page *page = xmalloc(sizeof(*page));
    page->n = engine_webhooks(r->api->engine, r->channel->number, after, page->webhooks,
                              r->query.limit + 1);
    for (size_t i = 0; i < page->n; i++)
        page->numbers[i] = page->webhooks[i]->number;
    r->own = page;
    r->own_free = page_free;
    stats_init(&stats, r);
    r->op.webhook_stats = (struct engine_webhook_stats){
        .channel = r->channel->number,
        .webhooks = page->numbers,
        .n = page->n < r->query.limit ? page->n : r->query.limit,
        .step = ranges[stats.range].step,
        .since_ms = stats.since_ms,
        .n_steps = ranges[stats.range].n,
        .each = page_each,
        .done = page_done,
    };
    api_page_begin(r);
    httpd_hold(r->req);
    engine_webhook_stats(r->api->engine, &r->op.webhook_stats);
}
