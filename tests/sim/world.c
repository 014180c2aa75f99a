#include "world_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/signature.h"
#include "send/guard.h"

/* ---- the world ---- */

static void
broken(void *ctx, const char *why)
{
    (void)ctx;
    fprintf(stderr, "the store broke: %s\n", why);
    abort();
}

static const struct guard anywhere = {.development = true};

static void
start_engine(struct sim *sim)
{
    struct err err;
    sim->aborting = false;
    const struct engine_options options = {
        .store = sim->store,
        .clock = &sim->clock.clock,
        .rng = &sim->rng.rng,
        .senders = 0,
        .transport_open = net_open,
        .transport_ctx = sim,
        .window = sim->window,
        .slots = sim->slots,
        .guard = &anywhere,
        .host_window = sim->host_window,
        .drain_rate = sim->drain_rate,
        .drain_total = sim->drain_total,
        .disable_after = sim->disable_after,
        .sender_bytes = sim->sender_bytes,
        .notify = sim->notify,
        .broken = broken,
        .broken_ctx = sim,
    };
    int rc = engine_open(&sim->engine, &options, &err);
    CHECK(rc == 0);
}

static void make_channel(struct sim *sim);

void
sim_init(struct sim *sim, uint64_t seed)
{
    struct err err;
    log_setup(&clock_system, STDERR_FILENO, LOG_ERROR, false);
    *sim = (struct sim){
        .receiver = {.ok_percent = 100},
        .told_percent = 100,
        .policy = &retry_default,
        .window = SIM_WINDOW,
        .slots = 64,
        .sender_bytes = 256 * 1024,
        .drain_rate = 250,
        .drain_total = 2500,
    };
    clock_manual_init(&sim->clock, SIM_EPOCH_MS);
    clock_anchor(&sim->clock.clock, 0);
    rng_seeded_init(&sim->rng, seed);
    rng_seeded_init(&sim->script, seed ^ UINT64_C(0xabcdef));
    map_init(&sim->receivers);
    map_init(&sim->calls);
    buf_init(&sim->told, SIM_TOLD_MAX);
    int rc = store_memory_open(&sim->store, &sim->clock.clock, &err);
    CHECK(rc == 0);
    start_engine(sim);
    make_channel(sim);
}

static void
stop_engine(struct sim *sim)
{
    engine_stop(sim->engine, 0);
    engine_close(sim->engine);
    sim->engine = NULL;
}

void
sim_fini(struct sim *sim)
{
    stop_engine(sim);
    channel_unref(sim->channel);
    sim->store->backend->close(sim->store);
    size_t at = 0;
    struct sim_call *call;
    while ((call = map_next(&sim->calls, &at)) != NULL)
        free(call);
    map_fini(&sim->calls);
    map_fini(&sim->receivers);
    buf_fini(&sim->told);
    webhook_unref(sim->notify.to);
}

void
sim_notify(struct sim *sim, uint64_t backlog, msec_t oldest_due_ms)
{
    sim->notify = (struct engine_notify){true, webhook_new(), backlog, oldest_due_ms};
    sim->notify.to->url = xstrdup("http://operators.example/");
    sim_crash(sim);
}

/* What ended before this commit is on disk. */
static void
all_recorded(struct sim *sim)
{
    while (sim->unrecorded) {
        sim->unrecorded->unrecorded = false;
        sim->unrecorded = sim->unrecorded->next_unrecorded;
    }
}

/* What was submitted and not committed is forgotten, as if it had never been; the
 * attempt is due again. */
static void
forget_unrecorded(struct sim *sim)
{
    while (sim->unrecorded) {
        struct sim_call *call = sim->unrecorded;
        call->unrecorded = false;
        call->excused = true;
        if (call->attempts > 0)
            call->attempts--;
        call->ok = false;
        sim->unrecorded = call->next_unrecorded;
    }
}

static void
die(struct sim *sim)
{
    store_memory_fail(sim->store, 1, E_CLOSED);
    store_memory_step(sim->store);
    store_memory_fail(sim->store, 0, 0);
    forget_unrecorded(sim);
    stop_engine(sim);
}

void
sim_crash(struct sim *sim)
{
    die(sim);
    start_engine(sim);
    sim_settle(sim);
}

void
sim_reboot(struct sim *sim, msec_t wall_jump_ms)
{
    msec_t latest_ms = sim_now(sim);
    die(sim);
    sim->clock.mono = 5000000;
    sim->clock.wall += wall_jump_ms * 1000;
    clock_anchor(&sim->clock.clock, latest_ms);
    sim->disk_ms = 0;
    start_engine(sim);
    sim_settle(sim);
}

/* One group commits, when the disk is so far. */
static void
step_disk(struct sim *sim)
{
    if (sim_now(sim) < sim->disk_ms || sim->store->backend->depth(sim->store) == 0)
        return;
    store_memory_step(sim->store);
    all_recorded(sim);
    sim->happened = true;
    if (sim->disk_latency_ms > 0)
        sim->disk_ms =
            sim_now(sim) + 1 +
            (msec_t)rng_below(&sim->script.rng, (uint64_t)sim->disk_latency_ms);
}

void
sim_settle(struct sim *sim)
{
    do {
        sim->happened = false;
        sim->next_ms = engine_turn(sim->engine);
        step_disk(sim);
        sim->transport.run(&sim->transport, 0);
    } while (sim->happened);
}

msec_t
sim_now(struct sim *sim)
{
    return clock_steady_ms(&sim->clock.clock);
}

bool
sim_step(struct sim *sim, msec_t until_ms)
{
    usec_t now_us = clock_mono_us(&sim->clock.clock);
    usec_t offset_us = sim->clock.clock.steady_offset_us;
    usec_t next_us = until_ms * 1000 - offset_us;
    bool found = false;

    if (sim->next_ms != MSEC_NEVER && sim->next_ms * 1000 - offset_us <= next_us) {
        next_us = sim->next_ms * 1000 - offset_us;
        found = true;
    }
    if (sim->store->backend->depth(sim->store) > 0 &&
        sim->disk_ms * 1000 - offset_us <= next_us) {
        next_us = sim->disk_ms * 1000 - offset_us;
        found = true;
    }
    for (struct sim_attempt *at = sim->under_way; at; at = at->next) {
        if (at->ends_us <= next_us) {
            next_us = at->ends_us;
            found = true;
        }
    }
    if (next_us > now_us)
        clock_manual_advance(&sim->clock, next_us - now_us);
    sim_settle(sim);
    return found;
}

void
sim_run(struct sim *sim, msec_t for_ms)
{
    msec_t until_ms = sim_now(sim) + for_ms;
    while (sim_step(sim, until_ms) && sim_now(sim) < until_ms)
        ;
}

/* ---- what people do ---- */

void
sim_await(struct sim *sim, const bool *done)
{
    sim_settle(sim);
    while (!*done)
        CHECK(sim_step(sim, sim_now(sim) + 60000));
}

struct config_change {
    struct engine_change change;
    struct sim *sim;
    uint64_t webhook;
    const struct retry_policy *policy;
    const char *url;
    bool enabled;
    bool deleted;
    msec_t trial_ends_ms;
    bool done;
    uint64_t number;
};

static void
change_done(struct engine_change *base)
{
    struct config_change *change = container_of(base, struct config_change, change);
    CHECK(base->result == 0);
    change->done = true;
    if (base->channel)
        change->sim->channel = channel_ref(base->channel);
    if (base->webhook)
        change->number = base->webhook->number;
}

static void
apply_change(struct sim *sim, struct config_change *change)
{
    change->sim = sim;
    change->change.done = change_done;
    engine_change(sim->engine, &change->change);
    sim_await(sim, &change->done);
}

static int
apply_channel(struct engine *engine, struct engine_change *change)
{
    (void)engine;
    change->channel = channel_new();
    snprintf(change->channel->id, sizeof(change->channel->id), "CHANNEL_ID");
    change->channel->name = xstrdup("sim");
    return 0;
}

static void
make_channel(struct sim *sim)
{
    struct config_change change = {.change.apply = apply_channel};
    apply_change(sim, &change);
}

static int
apply_new_webhook(struct engine *engine, struct engine_change *base)
{
    (void)engine;
    struct config_change *change = container_of(base, struct config_change, change);
    char secret[SECRET_TEXT];
    secret_make(secret, SECRET_HMAC, &change->sim->rng.rng);
    base->webhook = webhook_new();
    base->webhook->channel = change->sim->channel->number;
    base->webhook->url = xstrdup("http://receiver.example/");
    webhook_set_secret(base->webhook, slice_of(secret));
    if (change->policy)
        base->webhook->retry = *change->policy;
    return 0;
}

uint64_t
sim_webhook_with(struct sim *sim, const struct retry_policy *policy)
{
    struct config_change change = {.change.apply = apply_new_webhook, .policy = policy};
    apply_change(sim, &change);
    return change.number;
}

uint64_t
sim_webhook(struct sim *sim)
{
    return sim_webhook_with(sim, NULL);
}

static int
apply_state(struct engine *engine, struct engine_change *base)
{
    struct config_change *change = container_of(base, struct config_change, change);
    struct webhook *now = engine_webhook_numbered(engine, change->webhook);
    CHECK(now);
    base->webhook = webhook_copy(now);
    webhook_unref(now);
    base->webhook->enabled = change->enabled;
    free(base->webhook->disabled_reason);
    base->webhook->disabled_reason = change->enabled ? NULL : xstrdup("by request");
    base->webhook->deleted = change->deleted;
    return 0;
}

void
sim_enable(struct sim *sim, uint64_t webhook, bool enabled)
{
    struct config_change change = {
        .change.apply = apply_state, .webhook = webhook, .enabled = enabled};
    apply_change(sim, &change);
}

void
sim_delete(struct sim *sim, uint64_t webhook)
{
    struct config_change change = {
        .change.apply = apply_state, .webhook = webhook, .deleted = true};
    apply_change(sim, &change);
}

static int
apply_trial(struct engine *engine, struct engine_change *base)
{
    struct config_change *change = container_of(base, struct config_change, change);
    (void)engine;
    base->channel = channel_copy(change->sim->channel);
    base->channel->trial_ends_ms = change->trial_ends_ms;
    return 0;
}

void
sim_trial(struct sim *sim, msec_t ends_ms)
{
    struct config_change change = {.change.apply = apply_trial,
                                   .trial_ends_ms = ends_ms};
    struct channel *old = sim->channel;
    apply_change(sim, &change);
    channel_unref(old);
}

struct post {
    struct engine_ingest ingest;
    bool done;
};

static void
post_done(struct engine_ingest *ingest)
{
    container_of(ingest, struct post, ingest)->done = true;
}

int
sim_post(struct sim *sim, size_t n, uint64_t *key)
{
    struct buf body;
    buf_init(&body, 4096);
    int rc = event_sample(&body, EVENT_OPT_IN, slice_of("CHANNEL_ID"), slice_of("SUB"),
                          SIM_EPOCH_MS);
    CHECK(rc == 0);
    const char *subscription = strstr(body.p, "SUB");
    CHECK(subscription);
    struct event_ref *events = xcalloc(n, sizeof(*events));
    for (size_t i = 0; i < n; i++)
        events[i] =
            (struct event_ref){EVENT_OPT_IN, buf_slice(&body), {subscription, 3}};

    struct post post = {.ingest = {.channel = sim->channel,
                                   .events = events,
                                   .n_events = n,
                                   .done = post_done}};
    engine_ingest(sim->engine, &post.ingest);
    free(events);
    buf_fini(&body);
    sim_await(sim, &post.done);
    if (post.ingest.result == 0 && key)
        *key = post.ingest.first_key;
    return post.ingest.result;
}

static void
touch_done(struct engine_touch *touch)
{
    container_of(touch, struct sim_touch, touch)->done = true;
}

void
sim_touch_start(struct sim *sim, struct sim_touch *touch)
{
    touch->done = false;
    touch->touch.channel = touch->anywhere ? NULL : sim->channel;
    touch->touch.done = touch_done;
    engine_touch(sim->engine, &touch->touch);
}

struct retry {
    struct engine_retry retry;
    struct sim *sim;
    bool done;
};

static void
retry_done(struct engine_retry *base)
{
    struct retry *retry = container_of(base, struct retry, retry);
    struct sim_call *call = sim_call(retry->sim, base->event, base->webhook);
    if (call && base->result == 0) {
        call->excused = true;
        call->by_hand = true;
        if (call->ok || call->attempts > retry->sim->policy->max_retries)
            call->attempts = 0; /* it had come to its end: a new round */
    }
    retry->done = true;
}

int
sim_retry(struct sim *sim, uint64_t event, uint64_t webhook)
{
    struct retry retry = {
        .retry = {.channel = sim->channel->number,
                  .event = event,
                  .webhook = webhook,
                  .done = retry_done},
        .sim = sim,
    };
    engine_retry(sim->engine, &retry.retry);
    sim_await(sim, &retry.done);
    sim_settle(sim);
    return retry.retry.result;
}

/* ---- looking ---- */

struct sim_call *
sim_call(struct sim *sim, uint64_t event, uint64_t webhook)
{
    return map_get(&sim->calls, event, webhook);
}

struct look {
    struct engine_call call;
    struct call_record record;
    bool done;
};

static void
look_call(struct engine_call *read, const struct call_record *record)
{
    struct look *look = container_of(read, struct look, call);
    look->record = *record;
}

static void
look_attempt(struct engine_call *read, const struct attempt_record *record)
{
    (void)read;
    (void)record;
}

static void
look_done(struct engine_call *read)
{
    CHECK(read->result == 0);
    container_of(read, struct look, call)->done = true;
}

static struct look
look_at(struct sim *sim, uint64_t event, uint64_t webhook)
{
    struct look look = {.call = {
                            .channel = sim->channel->number,
                            .event = event,
                            .webhook = webhook,
                            .call = look_call,
                            .attempt = look_attempt,
                            .done = look_done,
                        }};
    engine_call(sim->engine, &look.call);
    sim_await(sim, &look.done);
    return look;
}

struct call_record
sim_stored(struct sim *sim, uint64_t event, uint64_t webhook)
{
    return look_at(sim, event, webhook).record;
}

struct explain
sim_explain(struct sim *sim, uint64_t event, uint64_t webhook)
{
    return look_at(sim, event, webhook).call.explain;
}

struct count {
    struct engine_counts counts;
    bool done;
};

static void
counts_done(struct engine_counts *counts)
{
    CHECK(counts->result == 0);
    container_of(counts, struct count, counts)->done = true;
}

uint64_t
sim_count(struct sim *sim, enum call_state state)
{
    struct count count = {.counts.done = counts_done};
    engine_counts(sim->engine, &count.counts);
    sim_await(sim, &count.done);
    return count.counts.calls[state];
}
