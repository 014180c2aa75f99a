/* Looking at the configuration. */
#include "engine/engine_private.h"

struct channel *
engine_channel(struct engine *engine, struct slice id)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    struct config_channel *entry = smap_get(&config->channel_ids, id);
    struct channel *channel = entry ? channel_ref(entry->channel) : NULL;
    pthread_rwlock_unlock(&config->lock);
    return channel;
}

size_t
engine_channels(struct engine *engine, uint64_t after, struct channel **out,
                size_t limit)
{
    struct config *config = &engine->config;
    size_t n = 0;
    pthread_rwlock_rdlock(&config->lock);
    size_t at = config_channels_after(config, after);
    for (; at < config->n_channels && n < limit; at++)
        out[n++] = channel_ref(config->channels[at]->channel);
    pthread_rwlock_unlock(&config->lock);
    return n;
}

struct channel *
engine_channel_of_bundle(struct engine *engine, struct slice bundle)
{
    struct config *config = &engine->config;
    struct channel *found = NULL;
    pthread_rwlock_rdlock(&config->lock);
    for (size_t i = 0; i < config->n_channels && !found; i++) {
        struct channel *channel = config->channels[i]->channel;
        if (settings_have_bundle(&channel->settings, bundle))
            found = channel_ref(channel);
    }
    pthread_rwlock_unlock(&config->lock);
    return found;
}

bool
engine_origin_known(struct engine *engine, struct slice origin)
{
    struct config *config = &engine->config;
    bool known = false;
    pthread_rwlock_rdlock(&config->lock);
    for (size_t i = 0; i < config->n_channels && !known; i++)
        known = settings_allow_origin(&config->channels[i]->channel->settings, origin);
    pthread_rwlock_unlock(&config->lock);
    return known;
}

bool
engine_channel_id(struct engine *engine, uint64_t number, char out[ID_MAX + 1])
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, number);
    if (entry)
        memcpy(out, entry->channel->id, ID_MAX + 1);
    pthread_rwlock_unlock(&config->lock);
    return entry != NULL;
}

struct webhook *
engine_webhook_numbered(struct engine *engine, uint64_t number)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    struct webhook *webhook = map_get(&config->webhooks, number, 0);
    if (webhook)
        webhook_ref(webhook);
    pthread_rwlock_unlock(&config->lock);
    return webhook;
}

struct webhook *
engine_webhook(struct engine *engine, uint64_t channel, struct slice id)
{
    uint64_t number;
    if (!webhook_id_parse(id, &number))
        return NULL;
    struct webhook *webhook = engine_webhook_numbered(engine, number);
    if (webhook && webhook->channel != channel) { /* another channel's is unknown */
        webhook_unref(webhook);
        webhook = NULL;
    }
    return webhook;
}

size_t
engine_webhooks(struct engine *engine, uint64_t channel, uint64_t after,
                struct webhook **out, size_t limit)
{
    struct config *config = &engine->config;
    size_t n = 0;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, channel);
    size_t at = entry ? config_webhooks_after(entry, after) : 0;
    for (; entry && at < entry->n && n < limit; at++)
        out[n++] = webhook_ref(entry->webhooks[at]);
    pthread_rwlock_unlock(&config->lock);
    return n;
}

bool
engine_key(struct engine *engine, struct slice key_id, struct key *out)
{
    struct config *config = &engine->config;
    pthread_rwlock_rdlock(&config->lock);
    struct key *key = smap_get(&config->key_ids, key_id);
    if (key)
        *out = *key;
    pthread_rwlock_unlock(&config->lock);
    return key != NULL;
}

size_t
engine_keys(struct engine *engine, uint64_t after, struct key *out, size_t limit)
{
    struct config *config = &engine->config;
    size_t n = 0;
    pthread_rwlock_rdlock(&config->lock);
    size_t at = config_keys_after(config, after);
    for (; at < config->n_keys && n < limit; at++)
        out[n++] = *config->keys[at];
    pthread_rwlock_unlock(&config->lock);
    return n;
}
