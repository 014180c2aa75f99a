/* Secrets at rest: what the database's files hold of them, and what becomes of that
 * when the master key changes, or is not there. */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iofd.h"
#include "base/mem.h"
#include "core/vault.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"

#define SECRET     "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX" /* of put_webhook */
#define OWN        "X-Token"
#define AUTHORIZER "a fixed secret"

static void
path_of(const struct world *world, const char *name, char path[400])
{
    snprintf(path, 400, "%s/%s", world->dir, name);
}

/* How many of the data folder's files hold this. */
static unsigned
files_with(const struct world *world, const char *text)
{
    DIR *dir = opendir(world->dir);
    unsigned n = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[400], *bytes;
        size_t length;
        struct err err;
        if (entry->d_name[0] == '.')
            continue;
        path_of(world, entry->d_name, path);
        assert_int_equal(file_read(path, (size_t)64 << 20, &bytes, &length, &err), 0);
        n += memmem(bytes, length, text, strlen(text)) != NULL;
        free(bytes);
    }
    closedir(dir);
    return n;
}

/* A webhook with headers and an old secret, in a channel with an authorizer. */
static uint64_t
put_secrets(struct world *world)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "guarded");
    free(channel->name);
    channel->name = xstrdup("name");
    settings_set_authorizer(&channel->settings, "https://example.com/", AUTHORIZER, 1);
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    assert_int_equal(world_run(world, &put.op), 0);

    struct webhook *webhook = webhook_new();
    webhook->channel = channel->number;
    webhook->url = xstrdup("https://example.com/");
    webhook_set_secret(webhook, SLICE(SECRET));
    webhook_add_secret(webhook, SLICE("whsk_b2xk"), 5);
    webhook_add_header(webhook, SLICE(OWN), SLICE("1234"));
    struct store_put_webhook put_webhook = {
        .op.kind = STORE_PUT_WEBHOOK, .config = put.config_after, .webhook = webhook};
    assert_int_equal(world_run(world, &put_webhook.op), 0);
    world->config = put_webhook.config_after;
    uint64_t number = webhook->number;
    webhook_unref(webhook);
    channel_unref(channel);
    return number;
}

static void
check_secrets(const struct world *world)
{
    const struct webhook *webhook = world->webhooks[0];
    assert_int_equal(world->n_webhooks, 1);
    assert_int_equal(webhook->n_secrets, 2);
    assert_string_equal(webhook->secrets[0].text, SECRET);
    assert_string_equal(webhook->secrets[1].text, "whsk_b2xk");
    assert_string_equal(webhook->headers[0].name, OWN);
    assert_string_equal(world->channels[0]->settings.authorizer->authorization,
                        AUTHORIZER);
}

static void
no_file_holds_a_secret(void **state)
{
    struct world *world = *state;
    static const char *const secrets[] = {SECRET, "whsk_", OWN, AUTHORIZER};
    put_secrets(world);
    assert_true(files_with(world, "guarded") > 0);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        assert_int_equal(files_with(world, secrets[i]), 0);
    world_reopen(world);
    check_secrets(world);
    world_leave(world);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        assert_int_equal(files_with(world, secrets[i]), 0);
}

/* ---- what was changed behind our back ---- */

static void
drop_channel(void *ctx, struct channel *channel)
{
    (void)ctx;
    channel_unref(channel);
}

static void
drop_webhook(void *ctx, struct webhook *webhook)
{
    (void)ctx;
    webhook_unref(webhook);
}

static int
try_load(struct world *world, struct err *err)
{
    const struct store_loader loader = {NULL, drop_channel, drop_webhook, NULL};
    uint64_t config;
    msec_t latest;

    *err = (struct err){0};
    assert_int_equal(world->backend->open(world, &latest, err), 0);
    int rc = world->store->backend->load(world->store, &loader, &config, err);
    world->store->backend->close(world->store);
    world->store = NULL;
    return rc;
}

static void
change(const struct world *world, const char *sql)
{
    sqlite3 *db = open_file(world);
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s", why);
    sqlite3_close(db);
}

static void
a_seal_that_is_not_its_row_s_is_noticed(void **state)
{
    struct world *world = *state;
    static const char *const changes[] = {
        ("UPDATE webhook SET secret = (SELECT secret FROM kept w WHERE"
         " w.number <> webhook.number)"),
        "UPDATE webhook SET secret = headers WHERE number = 1",
        "UPDATE webhook SET headers = secret WHERE number = 1",
        "UPDATE webhook SET secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'",
        "UPDATE webhook SET secret = substr(secret, 1, length(secret) - 4)",
        "UPDATE channel SET settings = '{}'",
    };
    struct err err;
    put_secrets(world);
    put_webhook(world, 1);
    world_leave(world);
    change(world, "CREATE TABLE kept AS SELECT * FROM webhook");
    assert_int_equal(try_load(world, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        change(world, changes[i]);
        assert_int_equal(try_load(world, &err), E_IO);
        assert_null(strstr(err.text, "whsec_"));
        change(world, "UPDATE webhook SET (secret, headers) = (SELECT secret, headers"
                      " FROM kept k WHERE k.number = webhook.number);"
                      "UPDATE channel SET settings = '' WHERE settings = '{}'");
    }
    assert_int_equal(try_load(world, &err), 0);
}

/* ---- the key file ---- */

static void
write_file(const char *path, const char *text)
{
    struct err err;
    assert_int_equal(file_write(path, text, strlen(text), 0600, &err), 0);
}

static void
without_its_key_a_store_is_refused_and_no_other_key_is_made(void **state)
{
    struct world *world = *state;
    struct err err;
    char path[400], aside[400];
    put_secrets(world);
    world_leave(world);
    path_of(world, "master.key", path);
    path_of(world, "aside", aside);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(try_open(world, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "master.key"));
    assert_non_null(strstr(err.text, "put the file back"));
    assert_int_equal(access(path, F_OK), -1);

    write_file(path, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    assert_int_equal(try_open(world, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "not in the key file"));
    write_file(path, "garbage\n");
    assert_int_equal(try_open(world, &err), E_INVALID);
    assert_null(strstr(err.text, "garbage"));

    assert_int_equal(rename(aside, path), 0);
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(try_open(world, &err), E_INVALID);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(chmod(path, 0440), 0);
    world_open(world);
    check_secrets(world);
}

/* Whoever puts a key before the others has everything sealed with it at the next start,
 * and may take the others away then. */
static void
a_key_that_is_put_first_takes_over(void **state)
{
    struct world *world = *state;
    static const char new_key[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    char path[400], *old, both[200];
    size_t n;
    struct err err;
    put_secrets(world);
    world_leave(world);
    path_of(world, "master.key", path);
    assert_int_equal(file_read(path, 1000, &old, &n, &err), 0);
    snprintf(both, sizeof(both), "%s%s", new_key, old);
    free(old);
    write_file(path, both);
    world_open(world);
    check_secrets(world);
    world_leave(world);
    write_file(path, new_key);
    world_open(world);
    check_secrets(world);
}

/* ---- a new master key ---- */

static struct store_sqlite_options
options_of(struct world *world)
{
    return (struct store_sqlite_options){
        .dir = world->dir, .clock = &world->time.clock, .vfs = world->vfs};
}

static void
after_a_rotation_the_old_key_is_gone_and_not_needed(void **state)
{
    struct world *world = *state;
    char path[400], *old, *new, key[64], seal[400];
    size_t n;
    struct err err;
    put_secrets(world);
    struct store_sqlite_options options = options_of(world);
    assert_int_equal(store_sqlite_rotate_key(&options, key, &err), E_BUSY);
    world_leave(world);
    path_of(world, "master.key", path);
    assert_int_equal(file_read(path, 1000, &old, &n, &err), 0);
    struct vault vault;
    assert_int_equal(vault_read(&vault, slice_of(old), &err), 0);
    snprintf(seal, sizeof(seal), VAULT_PREFIX "%s", vault.keys[0].id);
    assert_int_equal(files_with(world, seal), 1);

    assert_int_equal(store_sqlite_rotate_key(&options, key, &err), 0);
    assert_string_not_equal(key, vault.keys[0].id);
    assert_int_equal(files_with(world, seal), 0);
    assert_int_equal(file_read(path, 1000, &new, &n, &err), 0);
    assert_int_equal(n, 45);
    assert_null(strstr(new, old));
    free(old);
    free(new);
    world_open(world);
    check_secrets(world);
    check_rows(world);
}

static void
a_rotation_that_the_disk_cuts_off_anywhere_loses_no_secret(void **state)
{
    struct world *world = *state;
    struct store_sqlite_options options = options_of(world);
    struct err err;
    char key[64];
    unsigned n = 1;
    put_secrets(world);
    for (bool hit = true; hit; n++) {
        world_leave(world);
        faulty_vfs_die(n % 2 ? FAULT_IO : FAULT_FULL, FAULT_ON_ALL, (n + 1) / 2);
        int rc = store_sqlite_rotate_key(&options, key, &err);
        hit = faulty_vfs_failures() > 0;
        assert_true(rc == 0 || hit);
        faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
        world_open(world);
        check_secrets(world);
        world_leave(world);
        assert_int_equal(store_sqlite_rotate_key(&options, key, &err), 0);
        world_open(world);
        check_secrets(world);
    }
    assert_true(n > 10);
}

/* ---- from before secrets were sealed ---- */

/* Rows that grew, shrank and went have left what they held all over the file. */
static void
what_an_older_version_wrote_leaves_the_files(void **state)
{
    struct world *world = *state;
    world_leave(world);
    make_schema_1(world);
    change(world,
           "PRAGMA secure_delete = OFF;"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE"
           " i < 2000) INSERT INTO webhook SELECT NULL, channel, url, types,"
           " description, 'X-Old:' || hex(randomblob(i)) || char(10), secret, enabled,"
           " disabled_reason, deleted, own_retry, max_retries, initial_delay_ms,"
           " factor, max_delay_ms, created_ms, updated_ms FROM webhook, n;"
           "UPDATE webhook SET secret = 'whsec_gone0wQFBgcICQoLDA0ODxAREhMUFRYX'"
           " WHERE number > 20;"
           "DELETE FROM webhook WHERE number > 40;"
           "UPDATE webhook SET secret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX'");
    assert_int_equal(files_with(world, "whsec_gone"), 1);
    world_open(world);
    assert_int_equal(files_with(world, "whsec_"), 0);
    assert_int_equal(files_with(world, "X-O"), 0);
    assert_int_equal(world->n_webhooks, 40);
    for (size_t i = 0; i < world->n_webhooks; i++)
        assert_string_equal(world->webhooks[i]->secrets[0].text, SECRET);
    uint64_t number = put_webhook(world, 1);
    assert_int_equal(number, 2002);
    world_reopen(world);
    assert_int_equal(world->n_webhooks, 41);
    check_rows(world);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_file_holds_a_secret),
        TEST(a_seal_that_is_not_its_row_s_is_noticed),
        TEST(without_its_key_a_store_is_refused_and_no_other_key_is_made),
        TEST(a_key_that_is_put_first_takes_over),
        TEST(after_a_rotation_the_old_key_is_gone_and_not_needed),
        TEST(a_rotation_that_the_disk_cuts_off_anywhere_loses_no_secret),
        TEST(what_an_older_version_wrote_leaves_the_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
