/* Changes of configuration: computed from one version, committed, then shown to
 * everybody. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "engine/engine_private.h"

struct work {
    struct engine *engine;
    struct engine_change *change;
    union {
        struct store_op op;
        struct store_put_channel channel;
        struct store_put_webhook webhook;
        struct store_put_key key;
        struct store_drop_key drop_key;
    } store;
};

static void change_done(struct store_op *op);

static void
forget_objects(struct engine_change *change)
{
    channel_unref(change->channel);
    webhook_unref(change->webhook);
    change->channel = NULL;
    change->webhook = NULL;
    change->put_key = false;
    change->drop_key = 0;
}

static void
finish(struct work *work, int result)
{
    struct engine_change *change = work->change;
    change->result = result;
    free(work);
    change->done(change);
    /* `change` may be gone; its objects were dropped by whoever held them, see below */
}

static void
fill_op(struct work *work, uint64_t version)
{
    struct engine_change *change = work->change;
    if (change->channel)
        work->store.channel = (struct store_put_channel){
            .op = {.kind = STORE_PUT_CHANNEL},
            .config = version,
            .channel = change->channel,
        };
    else if (change->webhook)
        work->store.webhook = (struct store_put_webhook){
            .op = {.kind = STORE_PUT_WEBHOOK},
            .config = version,
            .webhook = change->webhook,
        };
    else if (change->put_key)
        work->store.key = (struct store_put_key){
            .op = {.kind = STORE_PUT_KEY},
            .config = version,
            .key = &change->key,
        };
    else
        work->store.drop_key = (struct store_drop_key){
            .op = {.kind = STORE_DROP_KEY},
            .config = version,
            .number = change->drop_key,
        };
    work->store.op.done = change_done;
}

static void
submit(struct work *work)
{
    struct engine_change *change = work->change;
    /* The version first: what apply sees is at least as new, so an older look cannot
     * pass as a newer one. */
    uint64_t version = config_version(&work->engine->config);
    int rc = change->apply(work->engine, change);
    if (rc != 0) {
        forget_objects(change);
        finish(work, rc);
        return;
    }
    fill_op(work, version);
    store_submit(work->engine->store, &work->store.op);
}

static void
tell_webhook(struct engine *engine, struct webhook *webhook)
{
    const struct config_channel *entry =
        config_find_channel(&engine->config, webhook->channel);
    dispatch_post_webhook(engine_dispatch_of(engine, webhook->number), webhook,
                          entry ? entry->channel->trial_ends_ms : MSEC_NEVER);
}

/* Under the lock, so that what is posted cannot be overtaken by what comes after it. */
void
engine_tell_what_is(struct engine *engine, uint64_t number)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    struct webhook *now = map_get(&config->webhooks, number, 0);
    if (now)
        tell_webhook(engine, now);
    pthread_rwlock_unlock(&config->lock);
}

static void
tell_webhooks_of_deleted_channel(struct engine *engine, uint64_t channel)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, channel);
    for (size_t i = 0; entry && i < entry->n; i++) {
        struct webhook *gone = webhook_copy(entry->webhooks[i]);
        gone->deleted = true;
        dispatch_post_webhook(engine_dispatch_of(engine, gone->number), gone,
                              MSEC_NEVER);
        webhook_unref(gone);
    }
    pthread_rwlock_unlock(&config->lock);
}

/* Under the lock, so that what is posted cannot be overtaken by what comes after it. */
static void
tell_of_trial(struct engine *engine, const struct channel *channel)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, channel->number);
    for (size_t i = 0; entry && i < entry->n; i++)
        dispatch_post_webhook(engine_dispatch_of(engine, entry->webhooks[i]->number),
                              entry->webhooks[i], channel->trial_ends_ms);
    pthread_rwlock_unlock(&config->lock);
}

static bool
changes_trial(struct engine *engine, const struct channel *channel)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, channel->number);
    bool changes = entry && entry->channel->trial_ends_ms != channel->trial_ends_ms;
    pthread_rwlock_unlock(&config->lock);
    return changes;
}

static void
show_channel(struct engine *engine, struct channel *channel, uint64_t version)
{
    bool trial = !channel->deleted && changes_trial(engine, channel);
    if (channel->deleted)
        tell_webhooks_of_deleted_channel(engine, channel->number);
    config_set_channel(&engine->config, channel, version);
    if (trial)
        tell_of_trial(engine, channel);
}

static void
show_webhook(struct engine *engine, struct webhook *webhook, uint64_t version)
{
    config_set_webhook(&engine->config, webhook, version);
    pthread_rwlock_rdlock(&engine->config.lock);
    tell_webhook(engine, webhook);
    pthread_rwlock_unlock(&engine->config.lock);
}

/* Committed: now everybody sees it. On the store's thread, in the order of the commits.
 */
static void
show(struct work *work)
{
    struct engine *engine = work->engine;
    struct config *config = &engine->config;
    struct engine_change *change = work->change;

    if (change->channel) {
        show_channel(engine, change->channel, work->store.channel.config_after);
    } else if (change->webhook) {
        show_webhook(engine, change->webhook, work->store.webhook.config_after);
    } else if (change->put_key) {
        config_set_key(config, &change->key, work->store.key.config_after);
    } else {
        config_drop_key(config, change->drop_key, work->store.drop_key.config_after);
    }
}

/* On the store's thread. */
static void
change_done(struct store_op *op)
{
    struct work *work = container_of(op, struct work, store.op);
    struct engine_change *change = work->change;
    int result = op->result;

    if (result == E_STALE) {
        forget_objects(change);
        submit(work);
        return;
    }
    if (result == 0)
        show(work);
    else
        err_set(&change->err, result, "%s", op->why ? op->why : "the store refused it");

    /* The objects are borrowed by done; `change` itself may be freed there. */
    struct channel *channel = change->channel;
    struct webhook *webhook = change->webhook;
    finish(work, result);
    channel_unref(channel);
    webhook_unref(webhook);
}

void
engine_change(struct engine *engine, struct engine_change *change)
{
    change->channel = NULL;
    change->webhook = NULL;
    change->put_key = false;
    change->drop_key = 0;
    struct work *work = xcalloc(1, sizeof(*work));
    work->engine = engine;
    work->change = change;
    submit(work);
}

/* ---- webhooks that are disabled by what comes back ---- */

struct disabling {
    struct engine_change change;
    struct engine *engine;
    enum disable_reason reason;
    struct webhook *was; /* a reference: what answered; a changed one is another */
};

static char *
reason_text(const struct disabling *disabling)
{
    static const struct {
        msec_t ms;
        const char *name;
    } units[] = {
        {86400000, "day"}, {3600000, "hour"}, {60000, "minute"}, {1000, "second"}};
    char text[80];

    if (disabling->reason == DISABLE_GONE)
        return xstrdup("the receiver answered 410 Gone");
    msec_t after_ms = disabling->engine->options.disable_after;
    size_t unit = 0;
    while (unit < ARRAY_LEN(units) - 1 && after_ms % units[unit].ms != 0)
        unit++;
    msec_t n = after_ms / units[unit].ms;
    snprintf(text, sizeof(text), "failing for %lld %s%s", (long long)n,
             units[unit].name, n == 1 ? "" : "s");
    return xstrdup(text);
}

static int
disable_apply(struct engine *engine, struct engine_change *change)
{
    const struct disabling *disabling = container_of(change, struct disabling, change);
    struct webhook *now = engine_webhook_numbered(engine, disabling->was->number);
    bool same = now == disabling->was && now->enabled;
    webhook_unref(now);
    if (!same)
        return err_set(&change->err, E_CONFLICT,
                       "changed, disabled or deleted already");
    change->webhook = webhook_copy(disabling->was);
    change->webhook->enabled = false;
    free(change->webhook->disabled_reason);
    change->webhook->disabled_reason = reason_text(disabling);
    change->webhook->updated_ms = clock_wall_us(engine->clock) / 1000;
    return 0;
}

static void
disable_done(struct engine_change *change)
{
    struct disabling *disabling = container_of(change, struct disabling, change);
    if (change->result == 0) {
        metric_add(METRIC_DISABLED, disabling->reason, 1);
        log_line(LOG_WARN, "webhook.disabled", LOG_S("webhook", change->webhook->id),
                 LOG_S("reason", change->webhook->disabled_reason));
        notices_disabled(&disabling->engine->notices, change->webhook);
    } else { /* its lane is shut until it is told anew */
        engine_tell_what_is(disabling->engine, disabling->was->number);
    }
    webhook_unref(disabling->was);
    free(disabling);
}

void
engine_disable(void *ctx, struct webhook *was, enum disable_reason reason)
{
    struct disabling *disabling = xcalloc(1, sizeof(*disabling));
    disabling->engine = ctx;
    disabling->reason = reason;
    disabling->was = webhook_ref(was);
    disabling->change.apply = disable_apply;
    disabling->change.done = disable_done;
    engine_change(ctx, &disabling->change);
}
