/* The whole configuration, at start. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite_private.h"

static struct slice
text_at(sqlite3_stmt *stmt, int col)
{
    const char *text = (const char *)sqlite3_column_text(stmt, col);
    return (struct slice){text, (size_t)sqlite3_column_bytes(stmt, col)};
}

/* '' = from before there were any. */
static int
load_settings(struct sqlite_store *s, struct channel *channel, struct slice sealed)
{
    struct buf text;

    buf_init_mem(&text, SQLITE_SEALED_MAX, &mem_secret);
    int rc = sqlite_unseal(s, SQLITE_SETTINGS, channel->number, sealed, &text);
    if (rc == 0 && text.n && !settings_read(&channel->settings, buf_slice(&text))) {
        sqlite3_snprintf((int)sizeof(s->broken_why), s->broken_why,
                         "database: the settings of channel %s cannot be read",
                         channel->id);
        rc = E_IO;
    }
    buf_fini(&text);
    return rc;
}

static int
load_channels(struct sqlite_store *s, const struct store_loader *loader)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite_prepare_once(s,
                            "SELECT number, id, name, created_ms, updated_ms, settings,"
                            " trial_ends_ms"
                            " FROM channel WHERE deleted = 0 ORDER BY number",
                            &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct channel *channel = channel_new();
        channel->number = sqlite_key_at(stmt, 0);
        sqlite3_snprintf((int)sizeof(channel->id), channel->id, "%s",
                         sqlite3_column_text(stmt, 1));
        free(channel->name);
        channel->name = sqlite_string_at(stmt, 2);
        channel->created_ms = sqlite3_column_int64(stmt, 3);
        channel->updated_ms = sqlite3_column_int64(stmt, 4);
        channel->trial_ends_ms = sqlite_time_or_never(stmt, 6);
        rc = load_settings(s, channel, text_at(stmt, 5));
        if (rc == 0)
            loader->channel(loader->ctx, channel);
        else
            channel_unref(channel);
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
load_secrets(struct sqlite_store *s, struct webhook *w, sqlite3_stmt *stmt)
{
    struct buf headers, secrets;

    buf_init_mem(&headers, SQLITE_SEALED_MAX, &mem_secret);
    buf_init_mem(&secrets, SQLITE_SEALED_MAX, &mem_secret);
    int rc = sqlite_unseal(s, SQLITE_HEADERS, w->number, text_at(stmt, 5), &headers);
    if (rc == 0)
        rc = sqlite_unseal(s, SQLITE_SECRET, w->number, text_at(stmt, 6), &secrets);
    if (rc == 0 && (!sqlite_headers_read(w, buf_slice(&headers)) ||
                    !sqlite_secrets_read(w, buf_slice(&secrets)))) {
        sqlite3_snprintf((int)sizeof(s->broken_why), s->broken_why,
                         "database: the secrets of webhook %s cannot be read", w->id);
        rc = E_IO;
    }
    buf_fini(&headers);
    buf_fini(&secrets);
    return rc;
}

static struct webhook *
webhook_at(sqlite3_stmt *stmt)
{
    struct webhook *w = webhook_new();
    w->number = sqlite_key_at(stmt, 0);
    w->channel = sqlite_key_at(stmt, 1);
    webhook_id_format(w->id, w->number);
    free(w->url);
    w->url = sqlite_string_at(stmt, 2);
    w->types = (uint32_t)sqlite3_column_int64(stmt, 3);
    free(w->description);
    w->description =
        sqlite3_column_type(stmt, 4) == SQLITE_NULL ? NULL : sqlite_string_at(stmt, 4);
    w->enabled = sqlite3_column_int(stmt, 7);
    if (!w->enabled) {
        free(w->disabled_reason);
        w->disabled_reason = sqlite_string_at(stmt, 8);
    }
    w->own_retry = sqlite3_column_int(stmt, 9);
    w->retry.max_retries = (uint32_t)sqlite3_column_int64(stmt, 10);
    w->retry.initial_delay_ms = sqlite3_column_int64(stmt, 11);
    w->retry.factor = sqlite3_column_double(stmt, 12);
    w->retry.max_delay_ms = sqlite3_column_int64(stmt, 13);
    w->created_ms = sqlite3_column_int64(stmt, 14);
    w->updated_ms = sqlite3_column_int64(stmt, 15);
    webhook_set_failing_since(w, sqlite_time_or_never(stmt, 16));
    return w;
}

static int
load_webhooks(struct sqlite_store *s, const struct store_loader *loader)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_prepare_once(
        s,
        "SELECT number, channel, url, types, description, headers,"
        " secret, enabled, disabled_reason, own_retry, max_retries,"
        " initial_delay_ms, factor, max_delay_ms, created_ms,"
        " updated_ms, failing_since_ms FROM webhook WHERE deleted = 0 ORDER BY number",
        &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct webhook *webhook = webhook_at(stmt);
        rc = load_secrets(s, webhook, stmt);
        if (rc == 0)
            loader->webhook(loader->ctx, webhook);
        else
            webhook_unref(webhook);
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
load_keys(struct sqlite_store *s, const struct store_loader *loader)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_prepare_once(s,
                                 "SELECT number, id, role, channel, created_ms, hash,"
                                 " expires_ms FROM key"
                                 " ORDER BY number",
                                 &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct key key = {
            .number = sqlite_key_at(stmt, 0),
            .role = (enum role)sqlite3_column_int(stmt, 2),
            .channel = sqlite_key_at(stmt, 3),
            .created_ms = sqlite3_column_int64(stmt, 4),
            .expires_ms = sqlite3_column_int64(stmt, 6),
        };
        sqlite3_snprintf((int)sizeof(key.id), key.id, "%s",
                         sqlite3_column_text(stmt, 1));
        if (key.role >= ROLES || sqlite3_column_bytes(stmt, 5) != SHA256_BYTES) {
            rc = sqlite_damaged(s, "a key has no role, or no hash");
            break;
        }
        memcpy(key.hash, sqlite3_column_blob(stmt, 5), SHA256_BYTES);
        loader->key(loader->ctx, &key);
        rc = 0;
    }
    sqlite3_finalize(stmt);
    return rc;
}

int
sqlite_load(struct store *store, const struct store_loader *loader, uint64_t *config,
            struct err *err)
{
    struct sqlite_store *s = sqlite_of(store);
    int rc = load_channels(s, loader);
    if (rc == 0)
        rc = load_webhooks(s, loader);
    if (rc == 0)
        rc = load_keys(s, loader);
    if (rc < 0)
        return err_set(err, rc, "load the configuration: %s", s->broken_why);
    *config = s->config;
    return 0;
}
