#include "store/memory_private.h"

#include <assert.h>

#include "base/mem.h"

static bool
is_stale(const struct memory_store *m, struct store_op *op, uint64_t config)
{
    if (config == m->config)
        return false;
    memory_refuse(op, E_STALE, "the configuration has changed");
    return true;
}

static void
cancel_waiting(struct memory_store *m, uint64_t webhook)
{
    for (size_t i = 0; i < m->n_events; i++) {
        struct memory_call *call = memory_call(m->events[i], webhook);
        if (call && call->state == CALL_WAITING) {
            call->state = call_move(CALL_WAITING, CALL_CANCELLED);
            call->ended_ms = clock_steady_ms(m->clock);
            memory_note_waiting(m, m->webhooks[webhook - 1]->channel, webhook, -1);
        }
    }
}

static void
channel_drop_parts(struct memory_store *m, uint64_t channel)
{
    for (size_t i = 0; i < m->n_webhooks; i++) {
        struct webhook *w = m->webhooks[i];
        if (w->channel != channel || w->deleted)
            continue;
        w->deleted = true;
        cancel_waiting(m, w->number);
    }
    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i].channel == channel)
            m->keys[i].number = 0;
}

static bool
channel_id_taken(const struct memory_store *m, const char *id)
{
    for (size_t i = 0; i < m->n_channels; i++)
        if (!m->channels[i]->deleted && strcmp(m->channels[i]->id, id) == 0)
            return true;
    return false;
}

void
memory_put_channel(struct memory_store *m, struct store_op *op)
{
    struct store_put_channel *put = container_of(op, struct store_put_channel, op);
    struct channel *channel = put->channel;

    if (is_stale(m, op, put->config))
        return;
    if (channel->number && !memory_channel(m, channel->number)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (!channel->number && channel_id_taken(m, channel->id)) {
        memory_refuse(op, E_CONFLICT, "there is a channel with this id");
        return;
    }
    if (!channel->number) {
        MEMORY_GROW(m->channels, m->n_channels);
        channel->number = m->n_channels + 1;
        m->channels[m->n_channels++] = NULL;
    }
    struct channel **kept = &m->channels[channel->number - 1];
    channel_unref(*kept);
    *kept = channel_copy(channel);
    if (channel->deleted)
        channel_drop_parts(m, channel->number);
    put->config_after = ++m->config;
}

void
memory_put_webhook(struct memory_store *m, struct store_op *op)
{
    struct store_put_webhook *put = container_of(op, struct store_put_webhook, op);
    struct webhook *webhook = put->webhook;
    const struct webhook *old = memory_webhook(m, webhook->number);

    if (is_stale(m, op, put->config))
        return;
    if (!memory_channel(m, webhook->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (webhook->number && (!old || old->channel != webhook->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such webhook");
        return;
    }
    bool is_new = !webhook->number;
    if (is_new) {
        MEMORY_GROW(m->webhooks, m->n_webhooks);
        webhook->number = m->n_webhooks + 1;
        webhook_id_format(webhook->id, webhook->number);
        m->webhooks[m->n_webhooks++] = NULL;
    }
    struct webhook **kept = &m->webhooks[webhook->number - 1];
    msec_t since_ms = *kept ? webhook_failing_since(*kept) : MSEC_NEVER;
    webhook_unref(*kept);
    *kept = webhook_copy(webhook);
    webhook_part_health(*kept); /* what is not committed is not known here */
    webhook_set_failing_since(*kept, webhook->enabled ? MSEC_NEVER : since_ms);
    if (webhook->deleted)
        cancel_waiting(m, webhook->number);
    put->config_after = ++m->config;
    if (is_new && !webhook->deleted && m->listener.lease)
        m->listener.lease(m->listener.ctx, webhook->number, 1);
}

void
memory_put_key(struct memory_store *m, struct store_op *op)
{
    struct store_put_key *put = container_of(op, struct store_put_key, op);

    assert(put->key->number == 0);
    if (is_stale(m, op, put->config))
        return;
    if (put->key->channel && !memory_channel(m, put->key->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i].number && strcmp(m->keys[i].id, put->key->id) == 0) {
            memory_refuse(op, E_CONFLICT, "there is a key with this id");
            return;
        }
    MEMORY_GROW(m->keys, m->n_keys);
    put->key->number = m->n_keys + 1;
    m->keys[m->n_keys++] = *put->key;
    put->config_after = ++m->config;
}

void
memory_drop_key(struct memory_store *m, struct store_op *op)
{
    struct store_drop_key *drop = container_of(op, struct store_drop_key, op);

    if (is_stale(m, op, drop->config))
        return;
    if (drop->number == 0 || drop->number > m->n_keys ||
        m->keys[drop->number - 1].number == 0) {
        memory_refuse(op, E_NOT_FOUND, "no such key");
        return;
    }
    m->keys[drop->number - 1].number = 0;
    drop->config_after = ++m->config;
}

int
memory_load(struct store *store, const struct store_loader *loader, uint64_t *config,
            struct err *err)
{
    struct memory_store *m = memory_of(store);
    (void)err;
    for (size_t i = 0; i < m->n_channels; i++)
        if (!m->channels[i]->deleted)
            loader->channel(loader->ctx, channel_copy(m->channels[i]));
    for (size_t i = 0; i < m->n_webhooks; i++)
        if (!m->webhooks[i]->deleted) {
            struct webhook *copy = webhook_copy(m->webhooks[i]);
            webhook_part_health(copy);
            loader->webhook(loader->ctx, copy);
        }
    for (size_t i = 0; i < m->n_keys; i++)
        if (m->keys[i].number)
            loader->key(loader->ctx, &m->keys[i]);
    *config = m->config;
    return 0;
}
