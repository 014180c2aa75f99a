#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "faulty_vfs.h"
#include "world.h"

/* ---- the clock ---- */

static usec_t
now_us(struct clock *clock)
{
    return atomic_load(&container_of(clock, struct world_clock, clock)->now_us);
}

void
world_advance(struct world *world, msec_t by)
{
    atomic_fetch_add(&world->time.now_us, by * 1000);
}

msec_t
world_now(struct world *world)
{
    return clock_steady_ms(&world->time.clock);
}

/* ---- backends ---- */

static int
memory_open(struct world *world, msec_t *latest_steady_ms, struct err *err)
{
    *latest_steady_ms = 0;
    if (world->store) {
        store_memory_keep(world->store, &world->keep);
        return 0; /* what a crash left */
    }
    int rc = store_memory_open(&world->store, &world->time.clock, err);
    if (rc == 0)
        store_memory_keep(world->store, &world->keep);
    return rc;
}

static void
memory_leave(struct world *world)
{
    store_memory_crash(world->store);
}

static void
memory_step(struct world *world)
{
    store_memory_step(world->store);
}

static void
memory_fill_disk(struct world *world)
{
    store_memory_fail(world->store, 1, E_FULL);
}

static void
memory_clean_up(struct world *world)
{
    world->store->backend->close(world->store);
}

struct world_backend world_memory = {
    "memory", memory_open, memory_leave, memory_step, memory_fill_disk, memory_clean_up,
};

static uint64_t
free_bytes(void *ctx)
{
    return atomic_load(&((struct world *)ctx)->free_bytes);
}

static int
sqlite_open(struct world *world, msec_t *latest_steady_ms, struct err *err)
{
    if (!world->dir[0]) {
        const char *tmp = getenv("TMPDIR");
        snprintf(world->dir, sizeof(world->dir), "%s/pushwire-store-XXXXXX",
                 tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(world->dir));
    }
    struct store_sqlite_options options = {
        .dir = world->dir,
        .clock = &world->time.clock,
        .vfs = world->vfs,
        .reserve_bytes = world->reserve_bytes,
        .max_bytes = world->max_bytes,
        .accept_loss = world->accept_loss,
        .keep = world->keep,
        .disk_free = free_bytes,
        .disk_ctx = world,
    };
    return store_sqlite_open(&world->store, &options, latest_steady_ms, err);
}

static void
sqlite_leave(struct world *world)
{
    if (!world->store)
        return;
    world->store->backend->stop(world->store);
    world->store->backend->close(world->store);
    world->store = NULL;
}

static void
sqlite_step(struct world *world)
{
    (void)world;
}

static void
sqlite_fill_disk(struct world *world)
{
    (void)world;
    faulty_vfs_fail(FAULT_FULL, FAULT_ON_WRITE, 1);
}

static void
sqlite_clean_up(struct world *world)
{
    char path[400];
    sqlite_leave(world);
    DIR *dir = opendir(world->dir);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", world->dir, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(world->dir);
}

struct world_backend world_sqlite = {
    "sqlite", sqlite_open, sqlite_leave, sqlite_step, sqlite_fill_disk, sqlite_clean_up,
};

/* ---- open, leave ---- */

static void
keep_channel(void *ctx, struct channel *channel)
{
    struct world *world = ctx;
    world->channels[world->n_channels++] = channel;
}

static void
keep_webhook(void *ctx, struct webhook *webhook)
{
    struct world *world = ctx;
    world->webhooks[world->n_webhooks++] = webhook;
}

static void
keep_key(void *ctx, const struct key *key)
{
    struct world *world = ctx;
    world->keys[world->n_keys++] = *key;
}

static void
note_lease(void *ctx, uint64_t webhook, uint64_t lease)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    if (world->n_leases < ARRAY_LEN(world->leases)) { /* of the first ones */
        world->leases[world->n_leases][0] = webhook;
        world->leases[world->n_leases++][1] = lease;
    }
    pthread_mutex_unlock(&world->mutex);
}

static void
note_fed(void *ctx, uint64_t channel)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    if (world->n_fed < ARRAY_LEN(world->fed))
        world->fed[world->n_fed++] = channel;
    pthread_mutex_unlock(&world->mutex);
}

static void
note_room(void *ctx, enum disk_room room, uint64_t left)
{
    struct world *world = ctx;
    (void)left;
    pthread_mutex_lock(&world->mutex);
    world->room = room;
    world->rooms++;
    pthread_cond_broadcast(&world->changed);
    pthread_mutex_unlock(&world->mutex);
}

void
world_await_room(struct world *world, enum disk_room room)
{
    pthread_mutex_lock(&world->mutex);
    while (world->room != room)
        pthread_cond_wait(&world->changed, &world->mutex);
    pthread_mutex_unlock(&world->mutex);
}

static void
note_broken(void *ctx, const char *why)
{
    struct world *world = ctx;
    pthread_mutex_lock(&world->mutex);
    if (why && why[0])
        world->broken++;
    pthread_mutex_unlock(&world->mutex);
}

static void
forget_loaded(struct world *world)
{
    for (size_t i = 0; i < world->n_channels; i++)
        channel_unref(world->channels[i]);
    for (size_t i = 0; i < world->n_webhooks; i++)
        webhook_unref(world->webhooks[i]);
    world->n_channels = world->n_webhooks = world->n_keys = world->n_leases = 0;
}

/* One world at a time: an operation has no room for whose it is. */
static struct world *current;

struct world *
world_new(const struct world_backend *backend)
{
    struct world *world = xcalloc(1, sizeof(*world));
    world->backend = backend;
    current = world;
    world->time.clock = (struct clock){now_us, now_us, 0};
    world->time.now_us = START_MS * 1000;
    world->vfs = FAULTY_VFS;
    world->free_bytes = UINT64_MAX;
    pthread_mutex_init(&world->mutex, NULL);
    pthread_cond_init(&world->changed, NULL);
    faulty_vfs_register();
    return world;
}

void
world_free(struct world *world)
{
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);
    world->backend->clean_up(world);
    forget_loaded(world);
    pthread_mutex_destroy(&world->mutex);
    pthread_cond_destroy(&world->changed);
    free(world);
}

void
world_open(struct world *world)
{
    struct err err = {0};
    const struct store_loader loader = {world, keep_channel, keep_webhook, keep_key};
    const struct store_listener listener = {.ctx = world,
                                            .lease = note_lease,
                                            .fed = note_fed,
                                            .room = note_room,
                                            .broken = note_broken};

    if (world->backend->open(world, &world->latest_steady_ms, &err) < 0)
        fail_msg("%s", err.text);
    clock_anchor(&world->time.clock, world->latest_steady_ms);
    forget_loaded(world);
    world->broken = 0;
    assert_int_equal(
        world->store->backend->load(world->store, &loader, &world->config, &err), 0);
    assert_int_equal(world->store->backend->start(world->store, &listener, &err), 0);
}

void
world_leave(struct world *world)
{
    world->backend->leave(world);
}

void
world_reopen(struct world *world)
{
    world_leave(world);
    world_open(world);
}

int
world_setup(void **state)
{
    const struct world_backend *backend = *state ? *state : &world_sqlite;
    struct world *world = world_new(backend);
    world_open(world);
    *state = world;
    return 0;
}

int
world_teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* ---- operations ---- */

void
world_done(struct store_op *op)
{
    (void)op;
    pthread_mutex_lock(&current->mutex);
    current->done++;
    pthread_cond_broadcast(&current->changed);
    pthread_mutex_unlock(&current->mutex);
}

void
world_submit(struct world *world, struct store_op *op)
{
    op->done = world_done;
    op->result = 1; /* no result of any operation */
    store_submit(world->store, op);
}

void
world_wait(struct world *world, size_t n)
{
    world->backend->step(world);
    pthread_mutex_lock(&world->mutex);
    while (world->done < n)
        pthread_cond_wait(&world->changed, &world->mutex);
    world->done -= n;
    pthread_mutex_unlock(&world->mutex);
}

int
world_run(struct world *world, struct store_op *op)
{
    world_submit(world, op);
    world_wait(world, 1);
    return op->result;
}

/* ---- configuration ---- */

uint64_t
put_channel(struct world *world, const char *id)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "%s", id);
    free(channel->name);
    channel->name = xstrdup("a shop");
    channel->created_ms = channel->updated_ms = world_now(world);
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    assert_int_equal(world_run(world, &put.op), 0);
    uint64_t number = channel->number;
    assert_true(number > 0);
    assert_true(put.config_after > world->config);
    world->config = put.config_after;
    channel_unref(channel);
    return number;
}

void
delete_channel(struct world *world, uint64_t number, const char *id)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "%s", id);
    if (!channel->name)
        channel->name = xstrdup("a shop");
    channel->number = number;
    channel->deleted = true;
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    assert_int_equal(world_run(world, &put.op), 0);
    world->config = put.config_after;
    channel_unref(channel);
}

static struct webhook *
webhook_for(uint64_t channel)
{
    struct webhook *webhook = webhook_new();
    webhook->channel = channel;
    free(webhook->url);
    webhook->url = xstrdup("https://example.com/hook");
    free(webhook->description);
    webhook->description = xstrdup("for the warehouse");
    webhook_set_secret(webhook, SLICE("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"));
    return webhook;
}

uint64_t
put_webhook(struct world *world, uint64_t channel)
{
    struct webhook *webhook = webhook_for(channel);
    struct store_put_webhook put = {
        .op.kind = STORE_PUT_WEBHOOK, .config = world->config, .webhook = webhook};
    assert_int_equal(world_run(world, &put.op), 0);
    uint64_t number = webhook->number;
    assert_true(number > 0);
    world->config = put.config_after;
    webhook_unref(webhook);
    return number;
}

void
change_webhook(struct world *world, uint64_t channel, uint64_t number,
               enum webhook_change change)
{
    struct webhook *webhook = webhook_for(channel);
    webhook->number = number;
    webhook_id_format(webhook->id, number);
    webhook->deleted = change == DELETE;
    webhook->enabled = change == ENABLE;
    if (!webhook->enabled)
        webhook->disabled_reason = xstrdup("by request");
    struct store_put_webhook put = {
        .op.kind = STORE_PUT_WEBHOOK, .config = world->config, .webhook = webhook};
    assert_int_equal(world_run(world, &put.op), 0);
    world->config = put.config_after;
    webhook_unref(webhook);
}

uint64_t
put_key(struct world *world, uint64_t channel, const char *id)
{
    struct key key = {.role = ROLE_INGEST,
                      .channel = channel,
                      .created_ms = START_MS,
                      .expires_ms = START_MS + 7};
    snprintf(key.id, sizeof(key.id), "%s", id);
    memset(key.hash, 0xa5, sizeof(key.hash));
    struct store_put_key put = {
        .op.kind = STORE_PUT_KEY, .config = world->config, .key = &key};
    assert_int_equal(world_run(world, &put.op), 0);
    assert_true(key.number > 0);
    world->config = put.config_after;
    return key.number;
}
