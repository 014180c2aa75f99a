#include "engine/config.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void
config_init(struct config *config)
{
    *config = (struct config){0};
    int rc = pthread_rwlock_init(&config->lock, NULL);
    assert(rc == 0);
    smap_init(&config->channel_ids);
    map_init(&config->webhooks);
    smap_init(&config->key_ids);
}

static void
channel_entry_free(struct config_channel *entry)
{
    for (size_t i = 0; i < entry->n; i++)
        webhook_unref(entry->webhooks[i]);
    free(entry->webhooks);
    channel_unref(entry->channel);
    free(entry);
}

void
config_fini(struct config *config)
{
    for (size_t i = 0; i < config->n_channels; i++)
        channel_entry_free(config->channels[i]);
    free(config->channels);
    for (size_t i = 0; i < config->n_keys; i++)
        free(config->keys[i]);
    free(config->keys);
    smap_fini(&config->channel_ids);
    map_fini(&config->webhooks);
    smap_fini(&config->key_ids);
    pthread_rwlock_destroy(&config->lock);
}

/* ---- arrays of pointers, ordered by number ---- */

typedef uint64_t number_fn(const void *element);

static uint64_t
channel_entry_number(const void *element)
{
    return ((const struct config_channel *)element)->channel->number;
}

static uint64_t
webhook_number(const void *element)
{
    return ((const struct webhook *)element)->number;
}

static uint64_t
key_number(const void *element)
{
    return ((const struct key *)element)->number;
}

/* The place of the first element whose number is not below `number`. */
static size_t
lower_bound(void *const *array, size_t n, uint64_t number, number_fn *number_of)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (number_of(array[middle]) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void
insert_at(void ***array, size_t *n, size_t *cap, size_t at, void *element)
{
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        *array = xrealloc(*array, *cap * sizeof(**array));
    }
    memmove(*array + at + 1, *array + at, (*n - at) * sizeof(**array));
    (*array)[at] = element;
    (*n)++;
}

static void
remove_at(void **array, size_t *n, size_t at)
{
    memmove(array + at, array + at + 1, (*n - at - 1) * sizeof(*array));
    (*n)--;
}

/* ---- channels ---- */

static size_t
channel_place(const struct config *config, uint64_t number)
{
    return lower_bound((void *const *)config->channels, config->n_channels, number,
                       channel_entry_number);
}

static struct config_channel *
find_channel(const struct config *config, uint64_t number)
{
    size_t at = channel_place(config, number);
    if (at == config->n_channels || config->channels[at]->channel->number != number)
        return NULL;
    return config->channels[at];
}

const struct config_channel *
config_find_channel(const struct config *config, uint64_t number)
{
    return find_channel(config, number);
}

static void
drop_key_at(struct config *config, size_t at)
{
    struct key *key = config->keys[at];
    smap_remove(&config->key_ids, slice_of(key->id));
    remove_at((void **)config->keys, &config->n_keys, at);
    free(key);
}

static void
drop_channel(struct config *config, struct config_channel *entry)
{
    uint64_t number = entry->channel->number;
    for (size_t i = 0; i < entry->n; i++)
        map_remove(&config->webhooks, entry->webhooks[i]->number, 0);
    for (size_t i = config->n_keys; i-- > 0;)
        if (config->keys[i]->channel == number)
            drop_key_at(config, i);
    remove_at((void **)config->channels, &config->n_channels,
              channel_place(config, number));
    channel_entry_free(entry);
}

static void
put_channel(struct config *config, struct channel *channel)
{
    struct config_channel *entry = find_channel(config, channel->number);
    if (entry)
        smap_remove(&config->channel_ids, slice_of(entry->channel->id));
    if (channel->deleted) {
        if (entry)
            drop_channel(config, entry);
        return;
    }
    if (!entry) {
        entry = xcalloc(1, sizeof(*entry));
        entry->channel = channel_ref(channel);
        insert_at((void ***)&config->channels, &config->n_channels,
                  &config->cap_channels, channel_place(config, channel->number), entry);
    } else {
        channel_unref(entry->channel);
        entry->channel = channel_ref(channel);
    }
    smap_put(&config->channel_ids, slice_of(channel->id), entry);
}

void
config_set_channel(struct config *config, struct channel *channel, uint64_t version)
{
    pthread_rwlock_wrlock(&config->lock);
    put_channel(config, channel);
    config->version = version;
    pthread_rwlock_unlock(&config->lock);
}

/* ---- webhooks ---- */

static void
put_webhook(struct config *config, struct webhook *webhook)
{
    struct config_channel *entry = find_channel(config, webhook->channel);
    if (!entry)
        return; /* its channel went first */

    size_t at = lower_bound((void *const *)entry->webhooks, entry->n, webhook->number,
                            webhook_number);
    struct webhook *old = NULL;
    if (at < entry->n && entry->webhooks[at]->number == webhook->number)
        old = entry->webhooks[at];

    if (webhook->deleted) {
        if (old)
            remove_at((void **)entry->webhooks, &entry->n, at);
        map_remove(&config->webhooks, webhook->number, 0);
    } else {
        if (old)
            entry->webhooks[at] = webhook_ref(webhook);
        else
            insert_at((void ***)&entry->webhooks, &entry->n, &entry->cap, at,
                      webhook_ref(webhook));
        map_put(&config->webhooks, webhook->number, 0, webhook);
    }
    webhook_unref(old);
}

void
config_set_webhook(struct config *config, struct webhook *webhook, uint64_t version)
{
    pthread_rwlock_wrlock(&config->lock);
    put_webhook(config, webhook);
    config->version = version;
    pthread_rwlock_unlock(&config->lock);
}

/* ---- keys ---- */

static size_t
key_place(const struct config *config, uint64_t number)
{
    return lower_bound((void *const *)config->keys, config->n_keys, number, key_number);
}

void
config_set_key(struct config *config, const struct key *key, uint64_t version)
{
    struct key *copy = xmalloc(sizeof(*copy));
    *copy = *key;

    pthread_rwlock_wrlock(&config->lock);
    insert_at((void ***)&config->keys, &config->n_keys, &config->cap_keys,
              key_place(config, key->number), copy);
    smap_put(&config->key_ids, slice_of(copy->id), copy);
    config->version = version;
    pthread_rwlock_unlock(&config->lock);
}

void
config_drop_key(struct config *config, uint64_t number, uint64_t version)
{
    pthread_rwlock_wrlock(&config->lock);
    size_t at = key_place(config, number);
    if (at < config->n_keys && config->keys[at]->number == number)
        drop_key_at(config, at);
    config->version = version;
    pthread_rwlock_unlock(&config->lock);
}

uint64_t
config_version(struct config *config)
{
    pthread_rwlock_rdlock(&config->lock);
    uint64_t version = config->version;
    pthread_rwlock_unlock(&config->lock);
    return version;
}

/* ---- pages ---- */

size_t
config_channels_after(const struct config *config, uint64_t after)
{
    return channel_place(config, after + 1);
}

size_t
config_webhooks_after(const struct config_channel *entry, uint64_t after)
{
    return lower_bound((void *const *)entry->webhooks, entry->n, after + 1,
                       webhook_number);
}

size_t
config_keys_after(const struct config *config, uint64_t after)
{
    return key_place(config, after + 1);
}
