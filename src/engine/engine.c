#include "engine/engine.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/engine_private.h"
#include "send/url.h"

/* ---- what the store hands out when it is loaded ---- */

static void
load_channel(void *ctx, struct channel *channel)
{
    struct engine *engine = ctx;
    config_set_channel(&engine->config, channel, 0);
    channel_unref(channel);
}

static void
load_webhook(void *ctx, struct webhook *webhook)
{
    struct engine *engine = ctx;
    config_set_webhook(&engine->config, webhook, 0);
    webhook_unref(webhook);
}

static void
load_key(void *ctx, const struct key *key)
{
    struct engine *engine = ctx;
    config_set_key(&engine->config, key, 0);
}

static int
load(struct engine *engine, struct err *err)
{
    const struct store_loader loader = {
        .ctx = engine,
        .channel = load_channel,
        .webhook = load_webhook,
        .key = load_key,
    };
    uint64_t version;
    int rc = engine->store->backend->load(engine->store, &loader, &version, err);
    if (rc == 0)
        engine->config.version = version;
    return rc;
}

/* ---- what the store tells ---- */

static void
on_lease(void *ctx, uint64_t number, uint64_t lease)
{
    struct engine *engine = ctx;
    struct dispatch *dispatch = engine_dispatch_of(engine, number);
    dispatch_post_lease(dispatch, number, lease);
    engine_tell_what_is(engine, number);
}

static void
on_due(void *ctx, uint64_t number, struct due_at from)
{
    struct engine *engine = ctx;
    dispatch_post_due(engine_dispatch_of(engine, number), number, from);
}

static void
on_fed(void *ctx, uint64_t channel)
{
    struct engine *engine = ctx;
    watches_wake(&engine->watches, channel);
}

static void
on_room(void *ctx, enum disk_room room, uint64_t left)
{
    static const char *const what[DISK_ROOMS] = {
        [DISK_ROOM] = "new events are taken again",
        [DISK_LOW] = "new events are refused, outcomes are recorded",
        [DISK_FULL] = "new events are refused and no attempt is started",
    };
    struct engine *engine = ctx;
    log_line(room == DISK_ROOM ? LOG_INFO : LOG_WARN, "disk",
             LOG_S("room", disk_room_name(room)), LOG_I("left", (int64_t)left),
             LOG_S("so", what[room]));
    if (atomic_exchange(&engine->room, room) != (int)room)
        notices_room(&engine->notices, room, left);
    for (size_t i = 0; i < engine->n_senders; i++) {
        struct transport *transport = dispatch_transport(engine->senders[i].dispatch);
        transport->wake(transport);
    }
}

static void
on_dropped(void *ctx, uint64_t rows)
{
    (void)ctx;
    log_line(LOG_INFO, "retention", LOG_I("dropped", (int64_t)rows));
}

static void
on_gap(void *ctx, msec_t by_ms)
{
    (void)ctx;
    log_line(LOG_WARN, "retention.gap", LOG_I("hours", by_ms / 3600000),
             LOG_S("so", "the clock is so much later than when the store was last "
                         "used: one day of it counts as age"));
}

static void
on_broken(void *ctx, const char *why)
{
    struct engine *engine = ctx;
    log_line(LOG_ERROR, "store.broken", LOG_S("why", why));
    engine->options.broken(engine->options.broken_ctx, why);
}

/* ---- open, stop, close ---- */

static void
on_exhausted(void *ctx, const struct webhook *webhook, uint64_t event,
             uint32_t attempts, struct slice reason)
{
    struct engine *engine = ctx;
    notices_exhausted(&engine->notices, webhook, event, attempts, reason);
}

/* Of a rate for all, rounded up; 0 stays 0. */
static unsigned
share(unsigned total, size_t n)
{
    return (unsigned)((total + n - 1) / n);
}

static int
make_senders(struct engine *engine, struct err *err)
{
    const struct engine_options *options = &engine->options;
    for (size_t i = 0; i < engine->n_senders; i++) {
        struct transport *transport;
        int rc = options->transport_open(options->transport_ctx, &transport, err);
        if (rc != 0)
            return rc;
        engine->senders[i].engine = engine;
        engine->senders[i].dispatch = dispatch_new(&(struct dispatch_options){
            .store = engine->store,
            .clock = engine->clock,
            .rng = options->rng,
            .transport = transport,
            .window = options->window,
            .slots = options->slots,
            .host_window = share(options->host_window, engine->n_senders),
            .drain_rate = options->drain_rate,
            .drain_total = share(options->drain_total, engine->n_senders),
            .max_bytes = options->sender_bytes,
            .room = &engine->room,
            .disable_after = options->disable_after,
            .disable = engine_disable,
            .exhausted = on_exhausted,
            .ctx = engine,
            .also = i == 0 ? notices_turn : NULL,
            .also_ctx = &engine->notices,
        });
    }
    return 0;
}

static int
start(struct engine *engine, struct err *err)
{
    const struct store_listener listener = {
        .ctx = engine,
        .lease = on_lease,
        .due = on_due,
        .fed = on_fed,
        .room = on_room,
        .dropped = on_dropped,
        .gap = on_gap,
        .broken = on_broken,
    };
    int rc = engine->store->backend->start(engine->store, &listener, err);
    for (size_t i = 0; rc == 0 && engine->threads && i < engine->n_senders; i++)
        rc = sender_start(&engine->senders[i], err);
    return rc;
}

int
engine_open(struct engine **out, const struct engine_options *options, struct err *err)
{
    struct engine *engine = xcalloc(1, sizeof(*engine));
    engine->options = *options;
    engine->store = options->store;
    engine->clock = options->clock;
    engine->threads = options->senders > 0;
    engine->n_senders = engine->threads ? options->senders : 1;
    engine->senders = xcalloc(engine->n_senders, sizeof(engine->senders[0]));
    config_init(&engine->config);
    outcome_init(&engine->outcome);
    json_init(&engine->row);
    buf_init(&engine->members, SUBSCRIPTION_ROOM_MAX);
    watches_init(&engine->watches);
    notices_init(&engine->notices, engine);
    pthread_mutex_init(&engine->gate_lock, NULL);
    atomic_init(&engine->stopping, false);
    atomic_init(&engine->abort_at_us, 0);
    atomic_init(&engine->room, DISK_ROOM);
    jobs_init(&engine->jobs);

    int rc = load(engine, err);
    if (rc == 0)
        rc = make_senders(engine, err);
    if (rc == 0)
        rc = start(engine, err);
    if (rc != 0) {
        engine_stop(engine, 0);
        engine_close(engine);
        return rc;
    }
    *out = engine;
    return 0;
}

/* Without threads there is nobody to wait for: what is in flight goes back at once. */
static void
give_back(struct dispatch *dispatch)
{
    if (!dispatch)
        return;
    struct transport *transport = dispatch_transport(dispatch);
    dispatch_stop(dispatch);
    dispatch_abort(dispatch);
    transport->run(transport, 0);
}

void
engine_stop(struct engine *engine, msec_t grace_ms)
{
    if (engine->stopped)
        return;
    engine->stopped = true;
    atomic_store(&engine->abort_at_us, clock_mono_us(engine->clock) + grace_ms * 1000);
    atomic_store_explicit(&engine->stopping, true, memory_order_release);
    for (size_t i = 0; i < engine->n_senders; i++)
        if (engine->threads)
            sender_join(&engine->senders[i]);
        else
            give_back(engine->senders[i].dispatch);
    gates_close(engine);
    engine->store->backend->stop(engine->store);
}

void
engine_close(struct engine *engine)
{
    if (!engine)
        return;
    assert(engine->stopped);
    notices_fini(&engine->notices);
    for (size_t i = 0; i < engine->n_senders; i++)
        dispatch_free(engine->senders[i].dispatch);
    free(engine->senders);
    config_fini(&engine->config);
    outcome_fini(&engine->outcome);
    json_fini(&engine->row);
    buf_fini(&engine->members);
    watches_fini(&engine->watches);
    pthread_mutex_destroy(&engine->gate_lock);
    free(engine);
}

msec_t
engine_turn(struct engine *engine)
{
    assert(!engine->threads);
    msec_t jobs_ms = jobs_turn(engine);
    msec_t next_ms = dispatch_turn(engine->senders[0].dispatch);
    return jobs_ms < next_ms ? jobs_ms : next_ms;
}

struct clock *
engine_clock(struct engine *engine)
{
    return engine->clock;
}

struct rng *
engine_rng(struct engine *engine)
{
    return engine->options.rng;
}

int
engine_url_read(struct engine *engine, const char *text, char out[WEBHOOK_URL_MAX + 1],
                struct err *err)
{
    struct url url;
    int rc = url_read(&url, text, engine->options.guard, err);

    if (rc == 0)
        memcpy(out, url.text, sizeof(url.text));
    return rc;
}

void
engine_gauges(struct engine *engine, struct engine_gauges *out)
{
    *out = (struct engine_gauges){
        .store_queue = engine->store->backend->depth(engine->store),
        .watches = atomic_load_explicit(&engine->watches.n, memory_order_relaxed),
        .oldest_due_ms = MSEC_NEVER,
        .room = (enum disk_room)atomic_load(&engine->room),
    };
    for (size_t i = 0; i < engine->n_senders; i++) {
        const struct dispatch_gauges *gauges =
            dispatch_gauges(engine->senders[i].dispatch);
        out->sender_queue += atomic_load_explicit(&gauges->ready, memory_order_relaxed);
        out->in_flight +=
            atomic_load_explicit(&gauges->in_flight, memory_order_relaxed);
        msec_t oldest =
            atomic_load_explicit(&gauges->oldest_due_ms, memory_order_relaxed);
        if (oldest < out->oldest_due_ms)
            out->oldest_due_ms = oldest;
    }
}
