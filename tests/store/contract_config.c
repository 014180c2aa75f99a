#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"

static int
try_channel(struct world *world, struct channel *channel, uint64_t config)
{
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = config, .channel = channel};
    int rc = world_run(world, &put.op);
    if (rc == 0)
        world->config = put.config_after;
    else
        assert_non_null(put.op.why);
    return rc;
}

static int
try_webhook(struct world *world, struct webhook *webhook)
{
    struct store_put_webhook put = {
        .op.kind = STORE_PUT_WEBHOOK, .config = world->config, .webhook = webhook};
    int rc = world_run(world, &put.op);
    if (rc == 0)
        world->config = put.config_after;
    return rc;
}

static int
drop_key(struct world *world, uint64_t number, uint64_t config)
{
    struct store_drop_key drop = {
        .op.kind = STORE_DROP_KEY, .config = config, .number = number};
    int rc = world_run(world, &drop.op);
    if (rc == 0)
        world->config = drop.config_after;
    return rc;
}

static struct channel *
channel_named(const char *id)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "%s", id);
    free(channel->name);
    channel->name = xstrdup("name");
    return channel;
}

static void
a_new_store_is_empty(void **state)
{
    struct world *world = *state;
    assert_int_equal(world->n_channels + world->n_webhooks + world->n_keys, 0);
    assert_int_equal(world->latest_steady_ms, 0);
    struct store_counts counts = counts_of(world);
    for (int i = 0; i < CALL_STATES; i++)
        assert_int_equal(counts.calls[i], 0);
}

static void
a_webhook_without_a_description_has_none_when_it_is_loaded_again(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    for (int i = 0; i < 2; i++) {
        struct webhook *put = webhook_new();
        put->channel = shop;
        put->url = xstrdup("https://example.com/");
        webhook_set_secret(put, SLICE("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"));
        if (i == 1)
            put->description = xstrdup("");
        assert_int_equal(try_webhook(world, put), 0);
        webhook_unref(put);
    }
    world_reopen(world);
    assert_int_equal(world->n_webhooks, 2);
    assert_null(world->webhooks[0]->description);
    assert_string_equal(world->webhooks[1]->description, "");
}

static void
what_is_put_is_loaded_again(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t key = put_key(world, shop, "key_1");
    struct webhook *put = webhook_new();
    put->channel = shop;
    put->url = xstrdup("https://example.com/a?b=c");
    put->types = 1u << EVENT_CLICK | 1u << EVENT_OPT_IN;
    put->description = xstrdup("two\nlines, \xc3\xa4");
    webhook_set_secret(put, SLICE("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"));
    webhook_add_secret(put, SLICE("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"), 90000);
    webhook_add_secret(put, SLICE("whsk_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"), 80000);
    webhook_add_header(put, SLICE("X-One"), SLICE("a: b:c"));
    webhook_add_header(put, SLICE("X-Empty"), SLICE(""));
    put->enabled = false;
    put->disabled_reason = xstrdup("410 Gone");
    put->own_retry = true;
    put->retry = (struct retry_policy){3, 1500, 1.75, 90000};
    put->created_ms = 11;
    put->updated_ms = 12;
    assert_int_equal(try_webhook(world, put), 0);
    uint64_t config = world->config;

    world_reopen(world);
    assert_int_equal(world->config, config);
    assert_int_equal(world->n_channels, 1);
    assert_int_equal(world->n_webhooks, 1);
    assert_int_equal(world->n_keys, 1);
    const struct channel *channel = world->channels[0];
    assert_int_equal(channel->number, shop);
    assert_string_equal(channel->id, "shop");
    assert_string_equal(channel->name, "a shop");
    assert_int_equal(channel->created_ms, START_MS);

    const struct webhook *got = world->webhooks[0];
    char id[ID_TEXT];
    webhook_id_format(id, got->number);
    assert_string_equal(got->id, id);
    assert_string_equal(put->id, id);
    assert_int_equal(got->number, put->number);
    assert_int_equal(got->channel, shop);
    assert_string_equal(got->url, put->url);
    assert_int_equal(got->types, put->types);
    assert_string_equal(got->description, put->description);
    assert_int_equal(got->n_secrets, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(got->secrets[i].text, put->secrets[i].text);
        assert_int_equal(got->secrets[i].until_ms, put->secrets[i].until_ms);
    }
    assert_int_equal(got->n_headers, 2);
    assert_string_equal(got->headers[0].name, "X-One");
    assert_string_equal(got->headers[0].value, "a: b:c");
    assert_string_equal(got->headers[1].name, "X-Empty");
    assert_string_equal(got->headers[1].value, "");
    assert_false(got->enabled);
    assert_string_equal(got->disabled_reason, "410 Gone");
    assert_true(got->own_retry);
    assert_int_equal(got->retry.max_retries, 3);
    assert_int_equal(got->retry.initial_delay_ms, 1500);
    assert_true(got->retry.factor > 1.7499 && got->retry.factor < 1.7501);
    assert_int_equal(got->retry.max_delay_ms, 90000);
    assert_int_equal(got->created_ms, 11);
    assert_int_equal(got->updated_ms, 12);
    webhook_unref(put);

    assert_int_equal(world->keys[0].number, key);
    assert_string_equal(world->keys[0].id, "key_1");
    assert_int_equal(world->keys[0].role, ROLE_INGEST);
    assert_int_equal(world->keys[0].channel, shop);
    assert_int_equal(world->keys[0].hash[31], 0xa5);
    assert_int_equal(world->keys[0].expires_ms, START_MS + 7);
}

static void
a_change_replaces_the_whole_webhook(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct webhook *webhook = webhook_new();
    webhook->channel = shop;
    webhook->url = xstrdup("https://example.com/1");
    webhook_add_header(webhook, SLICE("X-One"), SLICE("1"));
    webhook->enabled = false;
    webhook->disabled_reason = xstrdup("by request");
    assert_int_equal(try_webhook(world, webhook), 0);
    uint64_t number = webhook->number;

    free(webhook->url);
    webhook->url = xstrdup("https://example.com/2");
    webhook_clear_headers(webhook);
    webhook->enabled = true;
    free(webhook->disabled_reason);
    webhook->disabled_reason = NULL;
    assert_int_equal(try_webhook(world, webhook), 0);
    assert_int_equal(webhook->number, number);
    webhook_unref(webhook);

    world_reopen(world);
    assert_int_equal(world->n_webhooks, 1);
    assert_string_equal(world->webhooks[0]->url, "https://example.com/2");
    assert_int_equal(world->webhooks[0]->n_headers, 0);
    assert_true(world->webhooks[0]->enabled);
    assert_null(world->webhooks[0]->disabled_reason);
}

static void
what_was_computed_from_an_old_configuration_is_refused(void **state)
{
    struct world *world = *state;
    uint64_t old = world->config;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hook = put_webhook(world, shop);
    struct channel *channel = channel_named("other");
    assert_int_equal(try_channel(world, channel, old), E_STALE);
    assert_int_equal(channel->number, 0);
    channel_unref(channel);
    assert_int_equal(drop_key(world, 1, old), E_STALE);

    struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    struct store_new_call call = {0, hook};
    struct store_append append = {
        .op.kind = STORE_APPEND,
        .channel = shop,
        .config = old,
        .events = &event,
        .n_events = 1,
        .calls = &call,
        .n_calls = 1,
    };
    assert_int_equal(world_run(world, &append.op), E_STALE);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 0);
    append.config = world->config;
    assert_int_equal(world_run(world, &append.op), 0);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 1);
}

static void
a_channel_id_is_used_once_at_a_time_and_a_number_once_for_ever(void **state)
{
    struct world *world = *state;
    uint64_t first = put_channel(world, "shop");
    struct channel *channel = channel_named("shop");
    assert_int_equal(try_channel(world, channel, world->config), E_CONFLICT);
    assert_int_equal(channel->number, 0);
    delete_channel(world, first, "shop");
    world_reopen(world);
    assert_int_equal(try_channel(world, channel, world->config), 0);
    assert_true(channel->number > first);
    channel_unref(channel);
}

static void
a_deleted_channel_takes_its_webhooks_and_keys_along(void **state)
{
    struct world *world = *state;
    uint64_t gone = put_channel(world, "gone"), kept = put_channel(world, "kept");
    put_webhook(world, gone);
    uint64_t hook = put_webhook(world, kept);
    put_key(world, gone, "key_gone");
    uint64_t key = put_key(world, kept, "key_kept");
    delete_channel(world, gone, "gone");
    world_reopen(world);
    assert_int_equal(world->n_channels, 1);
    assert_int_equal(world->channels[0]->number, kept);
    assert_int_equal(world->n_webhooks, 1);
    assert_int_equal(world->webhooks[0]->number, hook);
    assert_int_equal(world->n_keys, 1);
    assert_int_equal(world->keys[0].number, key);
}

static void
what_is_not_there_cannot_be_changed(void **state)
{
    struct world *world = *state;
    uint64_t one = put_channel(world, "one"), two = put_channel(world, "two");
    uint64_t hook = put_webhook(world, one);

    struct channel *channel = channel_named("none");
    channel->number = 77;
    assert_int_equal(try_channel(world, channel, world->config), E_NOT_FOUND);
    channel_unref(channel);

    struct webhook *webhook = webhook_new();
    webhook->channel = 77;
    assert_int_equal(try_webhook(world, webhook), E_NOT_FOUND);
    webhook->channel = two; /* the webhook is one's */
    webhook->number = hook;
    assert_int_equal(try_webhook(world, webhook), E_NOT_FOUND);
    webhook->channel = one;
    webhook->number = 77;
    assert_int_equal(try_webhook(world, webhook), E_NOT_FOUND);
    change_webhook(world, one, hook, DELETE);
    webhook->number = hook;
    assert_int_equal(try_webhook(world, webhook), E_NOT_FOUND);
    webhook_unref(webhook);
}

static void
a_key_is_put_once_and_dropped_once(void **state)
{
    struct world *world = *state;
    uint64_t number = put_key(world, 0, "key_a");
    struct key same = {.role = ROLE_READ};
    snprintf(same.id, sizeof(same.id), "key_a");
    struct store_put_key put = {
        .op.kind = STORE_PUT_KEY, .config = world->config, .key = &same};
    assert_int_equal(world_run(world, &put.op), E_CONFLICT);
    assert_int_equal(same.number, 0);
    same.id[4] = 'b';
    same.channel = 77;
    assert_int_equal(world_run(world, &put.op), E_NOT_FOUND);

    assert_int_equal(drop_key(world, number + 1, world->config), E_NOT_FOUND);
    assert_int_equal(drop_key(world, number, world->config), 0);
    assert_int_equal(drop_key(world, number, world->config), E_NOT_FOUND);
    world_reopen(world);
    assert_int_equal(world->n_keys, 0);
    assert_true(put_key(world, 0, "key_c") > number);
}

static void
every_live_webhook_is_leased(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t one = put_webhook(world, shop);
    assert_int_equal(world->n_leases, 1); /* before its put was done */
    assert_int_equal(world->leases[0][0], one);
    assert_int_equal(world->leases[0][1], 1);
    uint64_t two = put_webhook(world, shop);
    change_webhook(world, shop, one, DISABLE);
    assert_int_equal(world->n_leases, 2);
    uint64_t three = put_webhook(world, shop);
    change_webhook(world, shop, three, DELETE);

    world_reopen(world);
    assert_int_equal(world->n_leases, 2);
    assert_int_equal(world->leases[0][0] + world->leases[1][0], one + two);
    assert_int_equal(world->leases[0][1], 1);
    assert_int_equal(world->leases[1][1], 1);
}

/* ---- a channel's settings ---- */

static void
set_up(struct channel_settings *settings)
{
    settings_set(&settings->fcm_id, SLICE("123456789012"));
    settings_set(&settings->topics,
                 SLICE("[{\"_id\":\"t\",\"name\":\"\xc3\xa4 \\\"\"}]"));
    settings_set(&settings->tags, SLICE("[{\"_id\":\"g\"}]"));
    settings_set(&settings->attributes, SLICE("[{\"id\":\"a\"}]"));
    settings_set(&settings->sdk, SLICE("{\"trackAppStatistics\":true}"));
    settings_add_origin(settings, SLICE("https://www.example.com"));
    settings_add_origin(settings, SLICE("*"));
    settings_add_bundle(settings, SLICE("com.example.app"));
    settings_set_authorizer(settings, "https://example.com/allow?a=\"b\"", "se\\cret",
                            1u << GATED_ATTRIBUTE | 1u << GATED_SYNC);
}

static void
assert_settings(const struct channel_settings *got, const struct channel_settings *want)
{
    struct buf a, b;
    buf_init(&a, CHANNEL_SETTINGS_MAX);
    buf_init(&b, CHANNEL_SETTINGS_MAX);
    assert_int_equal(settings_write(&a, got), 0);
    assert_int_equal(settings_write(&b, want), 0);
    assert_string_equal(a.p, b.p);
    buf_fini(&a);
    buf_fini(&b);
}

static void
the_settings_of_a_channel_are_loaded_again(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    struct channel *channel = channel_new();
    world_reopen(world);
    assert_settings(&world->channels[0]->settings, &channel->settings);
    snprintf(channel->id, sizeof(channel->id), "shop");
    channel->name = xstrdup("a shop");
    channel->number = shop;
    set_up(&channel->settings);
    assert_int_equal(try_channel(world, channel, world->config), 0);
    for (int i = 0; i < 2; i++) {
        world_reopen(world);
        const struct channel_settings *got = &world->channels[0]->settings;
        assert_settings(got, &channel->settings);
        assert_string_equal(got->fcm_id, "123456789012");
        assert_string_equal(got->topics,
                            "[{\"_id\":\"t\",\"name\":\"\xc3\xa4 \\\"\"}]");
        assert_int_equal(got->n_origins, 2);
        assert_true(settings_have_bundle(got, SLICE("com.example.app")));
        assert_non_null(got->authorizer);
        assert_string_equal(got->authorizer->url, "https://example.com/allow?a=\"b\"");
        assert_string_equal(got->authorizer->authorization, "se\\cret");
        assert_int_equal(got->authorizer->routes,
                         1u << GATED_ATTRIBUTE | 1u << GATED_SYNC);
    }

    settings_clear_authorizer(&channel->settings);
    settings_clear_origins(&channel->settings);
    settings_set(&channel->settings.fcm_id, (struct slice){NULL, 0});
    assert_int_equal(try_channel(world, channel, world->config), 0);
    world_reopen(world);
    assert_settings(&world->channels[0]->settings, &channel->settings);
    assert_null(world->channels[0]->settings.authorizer);
    assert_null(world->channels[0]->settings.fcm_id);
    channel_unref(channel);
}

/* ---- trials ---- */

static void
the_calls_of_a_channel_whose_trial_has_ended_are_held(void **state)
{
    struct world *world = *state;
    struct channel *channel = channel_named("shop");
    channel->trial_ends_ms = world_now(world) + 1000;
    assert_int_equal(try_channel(world, channel, world->config), 0);
    uint64_t hook = put_webhook(world, channel->number);
    uint64_t event = append(world, channel->number, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(state_of(world, channel->number, event, hook), CALL_WAITING);

    world_advance(world, 1000);
    for (int i = 0; i < 2; i++) { /* also after a start */
        struct call_list list;
        calls_of(&list, channel->number);
        list.list.states = 1u << CALL_HELD;
        assert_int_equal(list_calls(world, &list), 0);
        assert_int_equal(list.n, 1);
        assert_memory_equal(list.calls[0].held_reason, "the channel's trial ended", 25);
        assert_int_equal(counts_of(world).calls[CALL_HELD], 1);
        world_reopen(world);
        assert_int_equal(world->channels[0]->trial_ends_ms, channel->trial_ends_ms);
    }

    change_webhook(world, channel->number, hook, DISABLE);
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, channel->number, event, hook), 0);
    assert_int_not_equal(look.call.held_reason[0], 't'); /* its own reason first */
    change_webhook(world, channel->number, hook, ENABLE);

    channel->trial_ends_ms = MSEC_NEVER;
    assert_int_equal(try_channel(world, channel, world->config), 0);
    assert_int_equal(state_of(world, channel->number, event, hook), CALL_WAITING);
    assert_int_equal(counts_of(world).calls[CALL_HELD], 0);
    world_reopen(world);
    assert_true(world->channels[0]->trial_ends_ms == MSEC_NEVER);
    channel_unref(channel);
}

/* ---- a full disk ---- */

static void
a_full_disk_refuses_and_changes_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hook = put_webhook(world, shop);
    struct channel *channel = channel_named("second");
    struct webhook *webhook = webhook_new();
    webhook->channel = shop;

    world->backend->fill_disk(world);
    assert_int_equal(try_channel(world, channel, world->config), E_FULL);
    assert_int_equal(channel->number, 0);
    world->backend->fill_disk(world);
    assert_int_equal(try_webhook(world, webhook), E_FULL);
    assert_int_equal(webhook->number, 0);
    assert_int_equal(world->n_leases, 1);
    assert_int_equal(world->broken, 0);

    assert_int_equal(try_channel(world, channel, world->config), 0);
    assert_int_equal(try_webhook(world, webhook), 0);
    assert_int_equal(world->n_leases, 2);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    world_reopen(world);
    assert_int_equal(world->n_channels, 2);
    assert_int_equal(world->n_webhooks, 2);
    channel_unref(channel);
    webhook_unref(webhook);
}

static const struct CMUnitTest tests[] = {
    TEST(a_new_store_is_empty),
    TEST(what_is_put_is_loaded_again),
    TEST(a_webhook_without_a_description_has_none_when_it_is_loaded_again),
    TEST(a_change_replaces_the_whole_webhook),
    TEST(what_was_computed_from_an_old_configuration_is_refused),
    TEST(a_channel_id_is_used_once_at_a_time_and_a_number_once_for_ever),
    TEST(a_deleted_channel_takes_its_webhooks_and_keys_along),
    TEST(what_is_not_there_cannot_be_changed),
    TEST(a_key_is_put_once_and_dropped_once),
    TEST(every_live_webhook_is_leased),
    TEST(the_settings_of_a_channel_are_loaded_again),
    TEST(the_calls_of_a_channel_whose_trial_has_ended_are_held),
    TEST(a_full_disk_refuses_and_changes_nothing),
};

const struct contract_part contract_config = {tests, ARRAY_LEN(tests)};
