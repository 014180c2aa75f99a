#include "store/sqlite_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- what is kept in memory ---- */

void
sqlite_cache_free(struct sqlite_store *s)
{
    size_t at = 0;
    sqlite_figures_detach(s);
    for (struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;) {
        free(w->reason);
        free(w);
    }
    at = 0;
    for (struct sqlite_channel *c; (c = map_next(&s->channels, &at)) != NULL;)
        free(c);
    map_fini(&s->webhooks);
    map_fini(&s->channels);
    s->figures.waiting = (struct sqlite_height){0};
    s->unswept = NULL;
    s->unswept_channels = NULL;
}

struct sqlite_channel *
sqlite_live_channel(const struct sqlite_store *s, uint64_t number)
{
    struct sqlite_channel *channel = map_get(&s->channels, number, 0);
    return channel && !channel->deleted ? channel : NULL;
}

static struct sqlite_channel *
keep_channel(struct sqlite_store *s, uint64_t number)
{
    struct sqlite_channel *channel = xcalloc(1, sizeof(*channel));
    channel->number = number;
    channel->trial_ends_ms = MSEC_NEVER;
    map_put(&s->channels, number, 0, channel);
    return channel;
}

static struct sqlite_webhook *
keep_webhook(struct sqlite_store *s, uint64_t number, struct sqlite_channel *channel)
{
    struct sqlite_webhook *webhook = xcalloc(1, sizeof(*webhook));
    webhook->number = number;
    webhook->failing_since_ms = MSEC_NEVER;
    webhook->channel = channel;
    webhook->next = channel->webhooks;
    channel->webhooks = webhook;
    map_put(&s->webhooks, number, 0, webhook);
    return webhook;
}

static void
note_deleted(struct sqlite_store *s, struct sqlite_webhook *webhook)
{
    if (webhook->deleted)
        return;
    sqlite_figures_wait(s, webhook, -webhook->calls[CALL_WAITING]);
    webhook->deleted = true;
    if (webhook->calls[CALL_WAITING]) {
        webhook->next_unswept = s->unswept;
        s->unswept = webhook;
    }
}

static void
note_deleted_channel(struct sqlite_store *s, struct sqlite_channel *channel)
{
    channel->deleted = true;
    channel->next_unswept = s->unswept_channels;
    s->unswept_channels = channel;
}

int
sqlite_row_of(struct sqlite_store *s, sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_failed(s, rc);
}

int
sqlite_prepare_once(struct sqlite_store *s, const char *sql, sqlite3_stmt **stmt)
{
    int rc = sqlite3_prepare_v2(s->db, sql, -1, stmt, NULL);
    return rc == SQLITE_OK ? 0 : sqlite_failed(s, rc);
}

static int
cache_channels(struct sqlite_store *s)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_prepare_once(
        s,
        "SELECT number, deleted, coalesce(active, 0), coalesce(inactive, 0), deleted"
        " AND (EXISTS(SELECT 1 FROM subscription s WHERE s.channel = c.number)"
        " OR EXISTS(SELECT 1 FROM attribute a WHERE a.channel = c.number)"
        " OR EXISTS(SELECT 1 FROM notification n WHERE n.channel = c.number)),"
        " trial_ends_ms"
        " FROM channel c LEFT JOIN population p ON p.channel = c.number",
        &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct sqlite_channel *channel = keep_channel(s, sqlite_key_at(stmt, 0));
        channel->deleted = sqlite3_column_int(stmt, 1);
        channel->subscriptions[false] = sqlite3_column_int64(stmt, 2);
        channel->subscriptions[true] = sqlite3_column_int64(stmt, 3);
        if (sqlite3_column_int(stmt, 4))
            note_deleted_channel(s, channel);
        channel->trial_ends_ms = sqlite_time_or_never(stmt, 5);
        rc = 0;
        if (channel->subscriptions[false] < 0 || channel->subscriptions[true] < 0)
            rc = sqlite_damaged(s, "a channel has less than no subscriptions");
    }
    sqlite3_finalize(stmt);
    return rc;
}

msec_t
sqlite_time_or_never(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return MSEC_NEVER;
    return sqlite3_column_int64(stmt, column);
}

static int
check_tally(struct sqlite_store *s, const struct sqlite_webhook *w)
{
    for (int state = 0; state < CALL_STORED_STATES; state++)
        if (w->calls[state] < 0)
            return sqlite_damaged(s, "a webhook has less than no calls");
    return 0;
}

static int
cache_webhooks(struct sqlite_store *s)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite_prepare_once(s,
                            "SELECT number, channel, enabled, disabled_reason,"
                            " coalesce(waiting, 0), coalesce(succeeded, 0),"
                            " coalesce(failed, 0), coalesce(cancelled, 0), deleted,"
                            " failing_since_ms"
                            " FROM webhook LEFT JOIN tally ON webhook = number",
                            &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct sqlite_channel *channel =
            map_get(&s->channels, sqlite_key_at(stmt, 1), 0);
        if (!channel) {
            rc = sqlite_damaged(s, "a webhook is of no channel");
            break;
        }
        struct sqlite_webhook *w = keep_webhook(s, sqlite_key_at(stmt, 0), channel);
        w->enabled = sqlite3_column_int(stmt, 2);
        if (!w->enabled)
            w->reason = sqlite_string_at(stmt, 3);
        for (int state = 0; state < CALL_STORED_STATES; state++)
            w->calls[state] = sqlite3_column_int64(stmt, 4 + state);
        sqlite_figures_wait(s, w, w->calls[CALL_WAITING]);
        w->failing_since_ms = sqlite_time_or_never(stmt, 9);
        w->leased = s->started;
        if (sqlite3_column_int(stmt, 8))
            note_deleted(s, w);
        rc = check_tally(s, w);
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
cache_numbers(struct sqlite_store *s)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite_prepare_once(s,
                            "SELECT (SELECT value FROM meta WHERE name = 'config'),"
                            " (SELECT value FROM meta WHERE name = 'steady_ms'),"
                            " max((SELECT coalesce(max(key), 0) FROM event),"
                            "  (SELECT value FROM meta WHERE name = 'feed_key')),"
                            " (SELECT at_ms FROM idempotency ORDER BY number LIMIT 1),"
                            " (SELECT value FROM meta WHERE name = 'gap_at_ms'),"
                            " (SELECT value FROM meta WHERE name = 'gap_ms'),"
                            " (SELECT value FROM meta WHERE name = 'gone_key')",
                            &stmt);
    if (rc == 0)
        rc = sqlite_row_of(s, stmt);
    if (rc == 1) {
        s->config = sqlite_key_at(stmt, 0);
        msec_t noted_ms = sqlite3_column_int64(stmt, 1);
        if (noted_ms > s->steady_ms) /* also read again after a full disk */
            s->steady_ms = noted_ms;
        s->last_key = sqlite_key_at(stmt, 2);
        s->idempotency_oldest_ms = sqlite3_column_type(stmt, 3) == SQLITE_NULL
                                       ? MSEC_NEVER
                                       : sqlite3_column_int64(stmt, 3);
        if (!s->started) {
            s->retention.gap_at_ms = sqlite3_column_int64(stmt, 4);
            s->retention.gap_ms = sqlite3_column_int64(stmt, 5);
            s->retention.gone_key = s->retention.gone_noted = sqlite_key_at(stmt, 6);
        }
        rc = 0;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* What waits is what waited at the last commit. */
static void
cache_waiting(struct sqlite_store *s)
{
    size_t at = 0;
    for (struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;)
        w->waited = w->deleted ? 0 : w->calls[CALL_WAITING];
    at = 0;
    for (struct sqlite_channel *c; (c = map_next(&s->channels, &at)) != NULL;)
        c->waiting.then = c->waiting.now;
    s->figures.waiting.then = s->figures.waiting.now;
}

int
sqlite_cache_load(struct sqlite_store *s)
{
    sqlite_cache_free(s);
    int rc = cache_numbers(s);
    if (rc == 0)
        rc = cache_channels(s);
    if (rc == 0)
        rc = cache_webhooks(s);
    cache_waiting(s);
    if (rc == 0)
        rc = sqlite_figures_load(s);
    return rc;
}

/* ---- changes ---- */

/* Every change makes a new version; returns it by *after. */
static int
config_advance(struct sqlite_store *s, uint64_t *after)
{
    s->group.config_changed = true;
    s->group.rows++;
    *after = ++s->config;
    return sqlite_note(s, "config", (int64_t)s->config);
}

static int
refuse_stale(struct store_op *op)
{
    return sqlite_refuse(op, E_STALE, "the configuration has changed");
}

static uint64_t
last_number(struct sqlite_store *s)
{
    return (uint64_t)sqlite3_last_insert_rowid(s->db);
}

/* 1 = there is such a row. */
static int
exists(struct sqlite_store *s, enum sqlite_stmt stmt, struct slice id)
{
    sqlite_text(s, stmt, 1, id);
    int rc = sqlite_next(s, stmt);
    if (rc == 1)
        sqlite_reset(s, stmt);
    return rc;
}

/* A deleted channel's secrets do not outlive it. */
static int
run_with_settings(struct sqlite_store *s, const struct channel *channel)
{
    const enum sqlite_stmt set = STMT_CHANNEL_SET;
    struct buf text, sealed;

    buf_init_mem(&text, SQLITE_SEALED_MAX, &mem_secret);
    buf_init(&sealed, SQLITE_SEALED_MAX);
    int rc = channel->deleted ? 0 : settings_write(&text, &channel->settings);
    assert(rc == 0);
    sqlite_seal(s, SQLITE_SETTINGS, channel->number, buf_slice(&text), &sealed);
    sqlite_key(s, set, 1, channel->number);
    sqlite_text(s, set, 2, slice_of(channel->name));
    sqlite_int(s, set, 3, channel->updated_ms);
    sqlite_int(s, set, 4, channel->deleted);
    sqlite_text(s, set, 5, buf_slice(&sealed));
    if (channel->trial_ends_ms != MSEC_NEVER) /* what is not bound is NULL */
        sqlite_int(s, set, 6, channel->trial_ends_ms);
    rc = sqlite_run(s, set);
    buf_fini(&text);
    buf_fini(&sealed);
    return rc;
}

/* What is sealed is sealed for its row, whose number the row has only once it is there.
 */
static int
channel_add(struct sqlite_store *s, struct channel *channel)
{
    const enum sqlite_stmt add = STMT_CHANNEL_ADD;
    sqlite_text(s, add, 1, slice_of(channel->id));
    sqlite_text(s, add, 2, slice_of(channel->name));
    sqlite_int(s, add, 3, channel->created_ms);
    sqlite_int(s, add, 4, channel->updated_ms);
    int rc = sqlite_run(s, add);
    if (rc < 0)
        return rc;
    channel->number = last_number(s);
    keep_channel(s, channel->number)->trial_ends_ms = channel->trial_ends_ms;
    return run_with_settings(s, channel);
}

static int
channel_set(struct sqlite_store *s, const struct channel *channel)
{
    struct sqlite_channel *kept = sqlite_live_channel(s, channel->number);
    int rc = run_with_settings(s, channel);
    kept->trial_ends_ms = channel->trial_ends_ms;
    if (rc < 0 || !channel->deleted)
        return rc;
    rc = sqlite_figures_drop_channel(s, channel->number);
    if (rc < 0)
        return rc;

    sqlite_key(s, STMT_CHANNEL_WEBHOOKS_DELETE, 1, channel->number);
    sqlite_key(s, STMT_CHANNEL_KEYS_DROP, 1, channel->number);
    rc = sqlite_run(s, STMT_CHANNEL_WEBHOOKS_DELETE);
    if (rc == 0)
        rc = sqlite_run(s, STMT_CHANNEL_KEYS_DROP);
    if (rc < 0)
        return rc;
    note_deleted_channel(s, kept);
    for (struct sqlite_webhook *w = kept->webhooks; w; w = w->next)
        note_deleted(s, w);
    return 0;
}

int
sqlite_put_channel(struct sqlite_store *s, struct store_op *op)
{
    struct store_put_channel *put = container_of(op, struct store_put_channel, op);
    struct channel *channel = put->channel;
    int rc;

    op->result = 0;
    if (put->config != s->config)
        return refuse_stale(op);
    if (channel->number) {
        if (!sqlite_live_channel(s, channel->number))
            return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    } else {
        rc = exists(s, STMT_CHANNEL_BY_ID, slice_of(channel->id));
        if (rc < 0)
            return rc;
        if (rc == 1)
            return sqlite_refuse(op, E_CONFLICT, "there is a channel with this id");
    }
    rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = config_advance(s, &put->config_after);
    if (rc == 0)
        rc = channel->number ? channel_set(s, channel) : channel_add(s, channel);
    return rc;
}

static int
webhook_add(struct sqlite_store *s, struct webhook *w)
{
    sqlite_key(s, STMT_WEBHOOK_ADD, 1, w->channel);
    int rc = sqlite_run(s, STMT_WEBHOOK_ADD);
    if (rc < 0)
        return rc;
    w->number = last_number(s);
    webhook_id_format(w->id, w->number);
    return 0;
}

/* Binds what is secret of it, sealed. */
static void
seal_secrets(struct sqlite_store *s, const struct webhook *w, struct buf *headers,
             struct buf *secrets)
{
    struct buf text;

    buf_init_mem(&text, SQLITE_SEALED_MAX, &mem_secret);
    sqlite_headers_write(&text, w);
    sqlite_seal(s, SQLITE_HEADERS, w->number, buf_slice(&text), headers);
    buf_reset(&text);
    sqlite_secrets_write(&text, w);
    sqlite_seal(s, SQLITE_SECRET, w->number, buf_slice(&text), secrets);
    buf_fini(&text);
}

static int
webhook_set(struct sqlite_store *s, const struct webhook *w)
{
    const enum sqlite_stmt stmt = STMT_WEBHOOK_SET;
    struct buf headers, secrets;
    buf_init(&headers, SQLITE_SEALED_MAX);
    buf_init(&secrets, SQLITE_SEALED_MAX);
    if (!w->deleted) /* what is secret does not outlive its use */
        seal_secrets(s, w, &headers, &secrets);
    sqlite_key(s, stmt, 1, w->number);
    sqlite_key(s, stmt, 2, w->channel);
    sqlite_text(s, stmt, 3, slice_of(w->url));
    sqlite_int(s, stmt, 4, w->types);
    sqlite_text_or_null(s, stmt, 5, slice_of(w->description));
    sqlite_text(s, stmt, 6, buf_slice(&headers));
    sqlite_text(s, stmt, 7, buf_slice(&secrets));
    sqlite_int(s, stmt, 8, w->enabled);
    sqlite_text(s, stmt, 9, w->enabled ? SLICE("") : slice_of(w->disabled_reason));
    sqlite_int(s, stmt, 10, w->deleted);
    sqlite_int(s, stmt, 11, w->own_retry);
    sqlite_int(s, stmt, 12, w->retry.max_retries);
    sqlite_int(s, stmt, 13, w->retry.initial_delay_ms);
    int rc = sqlite3_bind_double(s->stmt[stmt], 14, w->retry.factor);
    assert(rc == SQLITE_OK);
    sqlite_int(s, stmt, 15, w->retry.max_delay_ms);
    sqlite_int(s, stmt, 16, w->created_ms);
    sqlite_int(s, stmt, 17, w->updated_ms);
    rc = sqlite_run(s, stmt);
    buf_fini(&headers);
    buf_fini(&secrets);
    return rc;
}

static void
webhook_keep(struct sqlite_webhook *kept, const struct webhook *webhook)
{
    kept->enabled = webhook->enabled;
    free(kept->reason);
    kept->reason = NULL;
    if (!webhook->enabled)
        kept->reason =
            xstrdup(webhook->disabled_reason ? webhook->disabled_reason : "");
}

int
sqlite_put_webhook(struct sqlite_store *s, struct store_op *op)
{
    struct store_put_webhook *put = container_of(op, struct store_put_webhook, op);
    struct webhook *webhook = put->webhook;
    struct sqlite_channel *channel = sqlite_live_channel(s, webhook->channel);
    struct sqlite_webhook *kept = map_get(&s->webhooks, webhook->number, 0);

    op->result = 0;
    if (put->config != s->config)
        return refuse_stale(op);
    if (!channel)
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (webhook->number && (!kept || kept->deleted || kept->channel != channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such webhook");

    int rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = config_advance(s, &put->config_after);
    if (rc == 0 && !kept)
        rc = webhook_add(s, webhook);
    if (rc == 0)
        rc = webhook_set(s, webhook);
    if (rc == 0 && webhook->deleted)
        rc = sqlite_figures_drop_webhook(s, webhook->number);
    if (rc < 0)
        return rc;
    if (!kept)
        kept = keep_webhook(s, webhook->number, channel);
    webhook_keep(kept, webhook);
    if (webhook->deleted)
        note_deleted(s, kept);
    return webhook->enabled ? sqlite_note_failing(s, kept, MSEC_NEVER) : 0;
}

int
sqlite_put_key(struct sqlite_store *s, struct store_op *op)
{
    struct store_put_key *put = container_of(op, struct store_put_key, op);
    struct key *key = put->key;
    const enum sqlite_stmt add = STMT_KEY_ADD;

    assert(key->number == 0);
    op->result = 0;
    if (put->config != s->config)
        return refuse_stale(op);
    if (key->channel && !sqlite_live_channel(s, key->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    int rc = exists(s, STMT_KEY_BY_ID, slice_of(key->id));
    if (rc < 0)
        return rc;
    if (rc == 1)
        return sqlite_refuse(op, E_CONFLICT, "there is a key with this id");

    rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = config_advance(s, &put->config_after);
    sqlite_text(s, add, 1, slice_of(key->id));
    sqlite_int(s, add, 2, key->role);
    sqlite_key(s, add, 3, key->channel);
    sqlite_blob(s, add, 4, (struct slice){(const char *)key->hash, SHA256_BYTES});
    sqlite_int(s, add, 5, key->created_ms);
    sqlite_int(s, add, 6, key->expires_ms);
    if (rc == 0)
        rc = sqlite_run(s, add);
    if (rc == 0)
        key->number = last_number(s);
    return rc;
}

int
sqlite_drop_key(struct sqlite_store *s, struct store_op *op)
{
    struct store_drop_key *drop = container_of(op, struct store_drop_key, op);
    op->result = 0;
    if (drop->config != s->config)
        return refuse_stale(op);
    /* That there is none shows only in trying, which writes nothing then. */
    int rc = sqlite_group_begin(s);
    sqlite_key(s, STMT_KEY_DROP, 1, drop->number);
    if (rc == 0)
        rc = sqlite_run(s, STMT_KEY_DROP);
    if (rc < 0)
        return rc;
    if (sqlite3_changes(s->db) == 0)
        return sqlite_refuse(op, E_NOT_FOUND, "no such key");
    return config_advance(s, &drop->config_after);
}

/* The cache has been read anew; an object of a rolled back group that is not in it was
 * not created. Keys are only ever created. */
void
sqlite_put_undone(struct sqlite_store *s, struct store_op *op)
{
    if (op->kind == STORE_PUT_CHANNEL) {
        struct channel *c = container_of(op, struct store_put_channel, op)->channel;
        if (!map_get(&s->channels, c->number, 0))
            c->number = 0;
    } else if (op->kind == STORE_PUT_WEBHOOK) {
        struct webhook *w = container_of(op, struct store_put_webhook, op)->webhook;
        if (!map_get(&s->webhooks, w->number, 0)) {
            w->number = 0;
            w->id[0] = '\0';
        }
    } else if (op->kind == STORE_PUT_KEY) {
        container_of(op, struct store_put_key, op)->key->number = 0;
    }
}
