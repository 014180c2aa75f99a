/* What nobody reports is looked at: backlogs, the oldest due call, ends of trials. A
 * limit that is passed is told once, and cleared at half of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"
#include "engine/notices.h"

#define WATCH_MS         ((msec_t)10 * 1000)
#define WATCH_IDLE_MS    ((msec_t)60 * 1000) /* while nothing waits */
#define TRIALS_AT_A_TIME 32
#define DAY_MS           ((msec_t)24 * 3600 * 1000)

/* ---- backlogs; on the store's thread ---- */

static void
tell_backlog(struct notices *notices, uint64_t number, uint64_t waiting, bool high)
{
    struct webhook *webhook = engine_webhook_numbered(notices->engine, number);
    char data[120];
    uint64_t limit = notices->engine->options.notify.backlog;

    if (!webhook)
        return; /* it was deleted, and so was what waited */
    snprintf(data, sizeof(data), "\"waiting\":%llu,\"limit\":%llu",
             (unsigned long long)waiting, (unsigned long long)limit);
    if (high)
        notices_raise(notices, NOTICE_BACKLOG_HIGH, webhook->channel, number, data,
                      "%llu calls of %s wait, more than %llu",
                      (unsigned long long)waiting, webhook->id,
                      (unsigned long long)limit);
    else
        notices_raise(notices, NOTICE_BACKLOG_CLEARED, webhook->channel, number, data,
                      "fewer than half of %llu calls of %s wait",
                      (unsigned long long)limit, webhook->id);
    webhook_unref(webhook);
}

static void
backlogs_each(struct store_backlogs *list, uint64_t webhook, uint64_t waiting)
{
    struct notices *notices = container_of(list, struct notices, backlogs);
    struct high_backlog *high = map_get(&notices->high, webhook, 0);

    if (!high && waiting > notices->engine->options.notify.backlog) {
        high = xmalloc(sizeof(*high));
        high->webhook = webhook;
        map_put(&notices->high, webhook, 0, high);
        tell_backlog(notices, webhook, waiting, true);
    }
    if (high)
        high->seen = notices->look;
}

/* Those that were high and were not listed this time; some of many at the next look. */
static void
clear_backlogs(struct notices *notices)
{
    struct high_backlog *gone[64];
    size_t n = 0, at = 0;

    for (struct high_backlog *high;
         n < ARRAY_LEN(gone) && (high = map_next(&notices->high, &at)) != NULL;)
        if (high->seen != notices->look)
            gone[n++] = high;
    for (size_t i = 0; i < n; i++) {
        map_remove(&notices->high, gone[i]->webhook, 0);
        tell_backlog(notices, gone[i]->webhook, 0, false);
        free(gone[i]);
    }
}

static void
backlogs_done(struct store_op *op)
{
    struct store_backlogs *list = container_of(op, struct store_backlogs, op);
    struct notices *notices = container_of(list, struct notices, backlogs);

    if (op->result == 0)
        clear_backlogs(notices);
    atomic_store(&notices->looking, false);
}

static void
look_at_backlogs(struct notices *notices)
{
    uint64_t limit = notices->engine->options.notify.backlog;
    if (limit == 0 || atomic_exchange(&notices->looking, true))
        return;
    notices->look++;
    notices->backlogs = (struct store_backlogs){
        .op = {.kind = STORE_BACKLOGS, .done = backlogs_done},
        .least = limit / 2 + 1,
        .each = backlogs_each,
    };
    store_submit(notices->engine->store, &notices->backlogs.op);
}

/* ---- the oldest due call ---- */

static void
look_at_oldest(struct notices *notices, msec_t now_ms)
{
    msec_t limit_ms = notices->engine->options.notify.oldest_due_ms;
    struct engine_gauges gauges;
    char data[80];

    if (limit_ms == 0)
        return;
    engine_gauges(notices->engine, &gauges);
    msec_t late_ms =
        gauges.oldest_due_ms == MSEC_NEVER ? 0 : now_ms - gauges.oldest_due_ms;
    snprintf(data, sizeof(data), "\"seconds\":%lld,\"limit\":%lld",
             (long long)late_ms / 1000, (long long)limit_ms / 1000);
    if (late_ms > limit_ms && !notices->oldest_is_high) {
        notices->oldest_is_high = true;
        notices_raise(notices, NOTICE_OLDEST_DUE_HIGH, 0, 0, data,
                      "a call has been due for %lld s, longer than %lld s",
                      (long long)late_ms / 1000, (long long)limit_ms / 1000);
    } else if (late_ms < limit_ms / 2 && notices->oldest_is_high) {
        notices->oldest_is_high = false;
        notices_raise(notices, NOTICE_OLDEST_DUE_CLEARED, 0, 0, data,
                      "no call has been due for longer than half of %lld s",
                      (long long)limit_ms / 1000);
    }
}

/* ---- trials ---- */

struct ended {
    uint64_t channel;
    msec_t ends_ms;
};

static size_t
find_ended(struct notices *notices, msec_t now_ms, struct ended ended[TRIALS_AT_A_TIME])
{
    struct config *config = &notices->engine->config;
    size_t n = 0;

    pthread_rwlock_rdlock(&config->lock);
    for (size_t i = 0; i < config->n_channels && n < TRIALS_AT_A_TIME; i++) {
        const struct channel *channel = config->channels[i]->channel;
        /* What ended long before this start was told before it. */
        if (trial_is_over(channel->trial_ends_ms, now_ms) &&
            channel->trial_ends_ms > notices->start_ms - DAY_MS &&
            !map_get(&notices->trials, channel->number,
                     (uint64_t)channel->trial_ends_ms))
            ended[n++] = (struct ended){channel->number, channel->trial_ends_ms};
    }
    pthread_rwlock_unlock(&config->lock);
    return n;
}

static void
look_at_trials(struct notices *notices, msec_t now_ms)
{
    struct ended ended[TRIALS_AT_A_TIME];
    size_t n = find_ended(notices, now_ms, ended);
    for (size_t i = 0; i < n; i++) {
        char text[TRIAL_TEXT];
        map_put(&notices->trials, ended[i].channel, (uint64_t)ended[i].ends_ms,
                notices);
        trial_write_ended(text, ended[i].ends_ms);
        notices_raise(notices, NOTICE_TRIAL_ENDED, ended[i].channel, 0, "",
                      "%s: its events are refused and its calls held", text);
    }
}

static bool
nothing_waits(struct engine *engine)
{
    struct engine_gauges gauges;
    engine_gauges(engine, &gauges);
    return gauges.oldest_due_ms == MSEC_NEVER && gauges.sender_queue == 0 &&
           gauges.in_flight == 0;
}

msec_t
notices_watch(struct notices *notices, msec_t now_ms)
{
    look_at_backlogs(notices);
    look_at_oldest(notices, now_ms);
    look_at_trials(notices, now_ms);
    return now_ms + (nothing_waits(notices->engine) ? WATCH_IDLE_MS : WATCH_MS);
}
