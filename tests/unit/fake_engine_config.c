/* Channels, webhooks and keys. */
#include "fake_engine_private.h"

/* ---- views ---- */

struct channel *
fake_find_channel(struct engine *engine, uint64_t number)
{
    for (size_t i = 0; i < engine->n_channels; i++)
        if (engine->channels[i]->number == number)
            return engine->channels[i];
    return NULL;
}

struct channel *
engine_channel(struct engine *engine, struct slice id)
{
    struct channel *found = NULL;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_channels && !found; i++)
        if (slice_is(id, engine->channels[i]->id))
            found = channel_ref(engine->channels[i]);
    pthread_mutex_unlock(&engine->lock);
    return found;
}

struct channel *
engine_channel_of_bundle(struct engine *engine, struct slice bundle)
{
    struct channel *found = NULL;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_channels && !found; i++)
        if (settings_have_bundle(&engine->channels[i]->settings, bundle))
            found = channel_ref(engine->channels[i]);
    pthread_mutex_unlock(&engine->lock);
    return found;
}

bool
engine_origin_known(struct engine *engine, struct slice origin)
{
    bool known = false;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_channels && !known; i++)
        known = settings_allow_origin(&engine->channels[i]->settings, origin);
    pthread_mutex_unlock(&engine->lock);
    return known;
}

bool
engine_channel_id(struct engine *engine, uint64_t number, char out[ID_MAX + 1])
{
    pthread_mutex_lock(&engine->lock);
    struct channel *channel = fake_find_channel(engine, number);
    if (channel)
        memcpy(out, channel->id, ID_MAX + 1);
    pthread_mutex_unlock(&engine->lock);
    return channel != NULL;
}

size_t
engine_channels(struct engine *engine, uint64_t after, struct channel **out,
                size_t limit)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_channels && n < limit; i++)
        if (engine->channels[i]->number > after)
            out[n++] = channel_ref(engine->channels[i]);
    pthread_mutex_unlock(&engine->lock);
    return n;
}

struct webhook *
engine_webhook_numbered(struct engine *engine, uint64_t number)
{
    struct webhook *found = NULL;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_webhooks && !found; i++)
        if (engine->webhooks[i]->number == number)
            found = webhook_ref(engine->webhooks[i]);
    pthread_mutex_unlock(&engine->lock);
    return found;
}

struct webhook *
engine_webhook(struct engine *engine, uint64_t channel, struct slice id)
{
    uint64_t number;
    if (!webhook_id_parse(id, &number))
        return NULL;
    struct webhook *webhook = engine_webhook_numbered(engine, number);
    if (webhook && webhook->channel != channel) {
        webhook_unref(webhook);
        return NULL;
    }
    return webhook;
}

size_t
engine_webhooks(struct engine *engine, uint64_t channel, uint64_t after,
                struct webhook **out, size_t limit)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_webhooks && n < limit; i++)
        if (engine->webhooks[i]->channel == channel &&
            engine->webhooks[i]->number > after)
            out[n++] = webhook_ref(engine->webhooks[i]);
    pthread_mutex_unlock(&engine->lock);
    return n;
}

bool
engine_key(struct engine *engine, struct slice key_id, struct key *out)
{
    bool found = false;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_keys && !found; i++)
        if (slice_is(key_id, engine->keys[i].id)) {
            *out = engine->keys[i];
            found = true;
        }
    pthread_mutex_unlock(&engine->lock);
    return found;
}

size_t
engine_keys(struct engine *engine, uint64_t after, struct key *out, size_t limit)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->n_keys && n < limit; i++)
        if (engine->keys[i].number > after)
            out[n++] = engine->keys[i];
    pthread_mutex_unlock(&engine->lock);
    return n;
}

int
engine_url_read(struct engine *engine, const char *url, char out[WEBHOOK_URL_MAX + 1],
                struct err *err)
{
    (void)engine;
    if (strncmp(url, "https://", 8) != 0)
        return err_set(err, E_INVALID, "the URL must begin with https://");
    memcpy(out, url, strlen(url) + 1);
    return 0;
}

void
fake_engine_set_gauges(struct engine *engine, struct engine_gauges gauges)
{
    pthread_mutex_lock(&engine->lock);
    engine->gauges = gauges;
    pthread_mutex_unlock(&engine->lock);
}

void
engine_gauges(struct engine *engine, struct engine_gauges *out)
{
    pthread_mutex_lock(&engine->lock);
    *out = engine->gauges;
    pthread_mutex_unlock(&engine->lock);
}

/* ---- changes ---- */

static void
drop_webhook(struct engine *engine, size_t i)
{
    for (size_t c = 0; c < engine->n_calls; c++) {
        struct fake_call *call = &engine->calls[c];
        if (call->webhook == engine->webhooks[i]->number && call->state == CALL_WAITING)
            call->state = CALL_CANCELLED;
    }
    webhook_unref(engine->webhooks[i]);
    memmove(&engine->webhooks[i], &engine->webhooks[i + 1],
            (--engine->n_webhooks - i) * sizeof(engine->webhooks[0]));
}

static void
drop_key(struct engine *engine, size_t i)
{
    memmove(&engine->keys[i], &engine->keys[i + 1],
            (--engine->n_keys - i) * sizeof(engine->keys[0]));
}

static void
drop_channel(struct engine *engine, size_t i)
{
    uint64_t number = engine->channels[i]->number;
    for (size_t w = engine->n_webhooks; w-- > 0;)
        if (engine->webhooks[w]->channel == number)
            drop_webhook(engine, w);
    for (size_t k = engine->n_keys; k-- > 0;)
        if (engine->keys[k].channel == number)
            drop_key(engine, k);
    channel_unref(engine->channels[i]);
    memmove(&engine->channels[i], &engine->channels[i + 1],
            (--engine->n_channels - i) * sizeof(engine->channels[0]));
}

static void
put_channel(struct engine *engine, struct channel *channel)
{
    if (channel->number == 0) {
        channel->number = ++engine->numbers;
        assert(engine->n_channels < ROWS_MAX);
        engine->channels[engine->n_channels++] = channel_ref(channel);
        return;
    }
    for (size_t i = 0; i < engine->n_channels; i++) {
        if (engine->channels[i]->number != channel->number)
            continue;
        if (channel->deleted) {
            drop_channel(engine, i);
            return;
        }
        channel_unref(engine->channels[i]);
        engine->channels[i] = channel_ref(channel);
    }
}

static void
put_webhook(struct engine *engine, struct webhook *webhook)
{
    if (webhook->number == 0) {
        webhook->number = ++engine->webhook_numbers;
        webhook_id_format(webhook->id, webhook->number);
        assert(engine->n_webhooks < ROWS_MAX);
        engine->webhooks[engine->n_webhooks++] = webhook_ref(webhook);
        return;
    }
    for (size_t i = 0; i < engine->n_webhooks; i++) {
        if (engine->webhooks[i]->number != webhook->number)
            continue;
        if (webhook->deleted) {
            drop_webhook(engine, i);
            return;
        }
        webhook_unref(engine->webhooks[i]);
        engine->webhooks[i] = webhook_ref(webhook);
    }
}

static void
put_key(struct engine *engine, struct key *key)
{
    key->number = ++engine->numbers;
    assert(engine->n_keys < ROWS_MAX);
    engine->keys[engine->n_keys++] = *key;
}

static void
commit(struct engine *engine, struct engine_change *change)
{
    pthread_mutex_lock(&engine->lock);
    if (change->channel) {
        put_channel(engine, change->channel);
    } else if (change->webhook) {
        put_webhook(engine, change->webhook);
    } else if (change->put_key) {
        put_key(engine, &change->key);
    } else {
        for (size_t i = engine->n_keys; i-- > 0;)
            if (engine->keys[i].number == change->drop_key)
                drop_key(engine, i);
    }
    pthread_mutex_unlock(&engine->lock);
}

static void
forget(struct engine_change *change)
{
    if (change->channel)
        channel_unref(change->channel);
    webhook_unref(change->webhook);
    change->channel = NULL;
    change->webhook = NULL;
    change->put_key = false;
    change->drop_key = 0;
}

static void
run_change(struct engine *engine, void *request)
{
    struct engine_change *change = request;
    pthread_mutex_lock(&engine->queue_lock);
    void (*meanwhile)(struct engine *, void *) = engine->meanwhile;
    void *ctx = engine->meanwhile_ctx;
    engine->meanwhile = NULL;
    pthread_mutex_unlock(&engine->queue_lock);

    int rc = fake_take_failure(engine);
    if (rc == 0 && meanwhile && change->apply(engine, change) == 0) {
        forget(change);
        meanwhile(engine, ctx);
    }
    if (rc == 0)
        rc = change->apply(engine, change);
    else
        err_set(&change->err, rc, "words of the store, not for clients");
    if (rc == 0)
        commit(engine, change);
    else
        forget(change);
    change->result = rc;
    struct channel *channel = change->channel;
    struct webhook *webhook = change->webhook;
    change->done(change);
    if (channel)
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
    fake_submit_request(engine, run_change, change);
}

/* ---- rows from nowhere ---- */

void
fake_engine_add_channel(struct engine *engine, const char *id)
{
    struct channel *channel = channel_new();
    memcpy(channel->id, id, strlen(id) + 1);
    free(channel->name);
    channel->name = xstrdup(id);
    channel->created_ms = clock_wall_us(&engine->clock.clock) / 1000;
    channel->updated_ms = channel->created_ms;
    pthread_mutex_lock(&engine->lock);
    put_channel(engine, channel);
    pthread_mutex_unlock(&engine->lock);
    channel_unref(channel);
}

void
fake_engine_delete_channel(struct engine *engine, const char *id)
{
    pthread_mutex_lock(&engine->lock);
    for (size_t i = engine->n_channels; i-- > 0;)
        if (strcmp(engine->channels[i]->id, id) == 0)
            drop_channel(engine, i);
    pthread_mutex_unlock(&engine->lock);
}

void
fake_engine_add_key(struct engine *engine, enum role role, const char *channel,
                    char text[KEY_TEXT])
{
    struct key key = {.role = role};
    if (channel) {
        struct channel *own = engine_channel(engine, slice_of(channel));
        assert(own);
        key.channel = own->number;
        channel_unref(own);
    }
    key.created_ms = clock_wall_us(&engine->clock.clock) / 1000;
    key_make(&key, text, &rng_system);
    pthread_mutex_lock(&engine->lock);
    put_key(engine, &key);
    pthread_mutex_unlock(&engine->lock);
}

void
fake_engine_disable(struct engine *engine, const char *id, const char *reason)
{
    uint64_t number;
    bool ok = webhook_id_parse(slice_of(id), &number);
    struct webhook *now = ok ? engine_webhook_numbered(engine, number) : NULL;
    assert(now);
    struct webhook *webhook = webhook_copy(now);
    webhook->enabled = false;
    free(webhook->disabled_reason);
    webhook->disabled_reason = xstrdup(reason);
    pthread_mutex_lock(&engine->lock);
    put_webhook(engine, webhook);
    pthread_mutex_unlock(&engine->lock);
    webhook_unref(webhook);
    webhook_unref(now);
}
