/*
 * The configuration in memory: every channel, webhook and key, as immutable objects
 * with counted references. Read by any thread, changed only when the store has
 * committed the change.
 */
#pragma once

#include <pthread.h>

#include "base/map.h"
#include "base/types.h"
#include "core/channel.h"
#include "core/key.h"
#include "core/webhook.h"

struct config_channel {
    struct channel *channel;
    struct webhook **webhooks; /* by number */
    size_t n, cap;
};

struct config {
    pthread_rwlock_t lock;
    uint64_t version;                 /* of the store's configuration that this is */
    struct config_channel **channels; /* by number */
    size_t n_channels, cap_channels;
    struct smap channel_ids; /* → struct config_channel */
    struct map webhooks; /* by number → struct webhook (borrowed from its channel) */
    struct key **keys;   /* by number */
    size_t n_keys, cap_keys;
    struct smap key_ids; /* → struct key */
};

void config_init(struct config *config);
void config_fini(struct config *config);

/* Each takes a reference of its own, replaces what has the same number, and drops what
 * is marked deleted (a channel with its webhooks and keys). `version` is the
 * configuration's version from then on. */
void config_set_channel(struct config *config, struct channel *channel,
                        uint64_t version);
void config_set_webhook(struct config *config, struct webhook *webhook,
                        uint64_t version);
void config_set_key(struct config *config, const struct key *key, uint64_t version);
void config_drop_key(struct config *config, uint64_t number, uint64_t version);

uint64_t config_version(struct config *config);

/* For readers that need several things of one version: take the lock for reading around
 * them. */
const struct config_channel *config_find_channel(const struct config *config,
                                                 uint64_t number);

/* The place of the first element whose number is greater than `after`. */
size_t config_channels_after(const struct config *config, uint64_t after);
size_t config_webhooks_after(const struct config_channel *entry, uint64_t after);
size_t config_keys_after(const struct config *config, uint64_t after);
