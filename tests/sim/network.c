/* The network of the simulation: receivers that follow a script, and what every attempt
 * must obey. */
#include "world_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/ids.h"
#include "base/mem.h"

struct target {
    uint64_t webhook;
};

static struct sim *
sim_of(struct transport *transport)
{
    return container_of(transport, struct sim, transport);
}

static struct target *
net_target_open(struct transport *transport, struct webhook *webhook)
{
    (void)transport;
    struct target *target = xmalloc(sizeof(*target));
    target->webhook = webhook->number;
    return target;
}

static void
net_target_close(struct transport *transport, struct target *target)
{
    (void)transport;
    free(target);
}

static struct sim_call *
call_seen(struct sim *sim, uint64_t event, uint64_t webhook)
{
    struct sim_call *call = map_get(&sim->calls, event, webhook);
    if (!call) {
        call = xcalloc(1, sizeof(*call));
        call->event = event;
        call->webhook = webhook;
        map_put(&sim->calls, event, webhook, call);
    }
    return call;
}

/* The schedule, stated a second time: attempt n+1 comes initial * factor^(n-1) after
 * attempt n ended, plus at most 10 %. */
static msec_t
expected_wait(const struct sim *sim, const struct sim_call *call)
{
    double wait = (double)sim->policy->initial_delay_ms;
    for (unsigned i = 1; i < call->attempts; i++)
        wait *= sim->policy->factor;
    if (wait > (double)sim->policy->max_delay_ms)
        wait = (double)sim->policy->max_delay_ms;
    return (msec_t)wait;
}

static void
check_start(struct sim *sim, const struct sim_call *call, msec_t now_ms)
{
    CHECK(!call->in_flight);
    if (call->attempts == 0 || call->excused)
        return;
    CHECK(!call->ok);
    CHECK(call->attempts <= sim->policy->max_retries);
    msec_t wait = expected_wait(sim, call);
    if (call->retry_after_ms > wait)
        wait = call->retry_after_ms;
    CHECK(now_ms >= call->ended_ms + wait);
    if (sim->exact)
        CHECK(now_ms <= call->ended_ms + wait + wait / 10 + 2);
}

/* ---- what operators are told ---- */

static bool
is_notice(const struct attempt *attempt)
{
    return strncmp(attempt->event_id, "ntc_", 4) == 0;
}

static void
start_notice(struct sim *sim, struct attempt *attempt)
{
    struct sim_attempt *running = xcalloc(1, sizeof(*running));
    bool taken = rng_below(&sim->script.rng, 100) < sim->told_percent;
    sim->tellings++;
    attempt->verdict = taken ? VERDICT_OK : VERDICT_TEMPORARY;
    attempt->status = taken ? 200 : 503;
    attempt->retry_after_ms = 0;
    snprintf(attempt->reason, sizeof(attempt->reason), "%s", taken ? "" : "status 503");
    running->attempt = attempt;
    running->ends_us = clock_mono_us(&sim->clock.clock) + 1000;
    running->next = sim->under_way;
    sim->under_way = running;
}

static void
end_notice(struct sim *sim, struct sim_attempt *running)
{
    struct attempt *attempt = running->attempt;
    if (sim->aborting) {
        attempt->verdict = VERDICT_TEMPORARY;
        attempt->status = 0;
    } else if (attempt->verdict == VERDICT_OK) {
        buf_addf(&sim->told, "%.*s\n", (int)attempt->body.n, attempt->body.p);
    }
    attempt->done(attempt);
    free(running);
}

static void
net_start(struct transport *transport, struct target *target, struct attempt *attempt)
{
    struct sim *sim = sim_of(transport);
    uint64_t event;
    if (is_notice(attempt)) {
        start_notice(sim, attempt);
        return;
    }
    bool parsed = event_id_parse(slice_of(attempt->event_id), &event);
    CHECK(parsed);
    struct sim_call *call = call_seen(sim, event, target->webhook);
    check_start(sim, call, sim_now(sim));
    call->in_flight = true;
    sim->attempts++;
    if (++sim->in_flight > sim->most_in_flight)
        sim->most_in_flight = sim->in_flight;

    const struct sim_receiver *receiver = map_get(&sim->receivers, target->webhook, 0);
    if (!receiver)
        receiver = &sim->receiver;
    uint64_t dice = rng_below(&sim->script.rng, 100);
    msec_t latency_ms =
        (msec_t)rng_below(&sim->script.rng, (uint64_t)receiver->latency_max_ms + 1);

    attempt->verdict = VERDICT_TEMPORARY;
    attempt->status = 503;
    snprintf(attempt->reason, sizeof(attempt->reason), "status 503");
    attempt->retry_after_ms = receiver->retry_after_ms;
    if (dice < receiver->ok_percent) {
        attempt->verdict = VERDICT_OK;
        attempt->status = 200;
        attempt->reason[0] = '\0';
        attempt->retry_after_ms = 0;
    } else if (dice < receiver->ok_percent + receiver->gone_percent) {
        attempt->verdict = VERDICT_GONE;
        attempt->status = 410;
    } else if (dice < receiver->ok_percent + receiver->gone_percent +
                          receiver->timeout_percent) {
        attempt->status = 0;
        attempt->retry_after_ms = 0;
        snprintf(attempt->reason, sizeof(attempt->reason), "timeout");
        latency_ms = 15000;
    }
    attempt->began_wall_ms = clock_wall_us(&sim->clock.clock) / 1000;
    attempt->duration_us = latency_ms * 1000;

    struct sim_attempt *running = xcalloc(1, sizeof(*running));
    running->attempt = attempt;
    running->ends_us = clock_mono_us(&sim->clock.clock) + latency_ms * 1000;
    running->webhook = target->webhook;
    running->next = sim->under_way;
    sim->under_way = running;
}

static void
end_attempt(struct sim *sim, struct sim_attempt *running)
{
    struct attempt *attempt = running->attempt;
    uint64_t event;
    bool parsed = event_id_parse(slice_of(attempt->event_id), &event);
    CHECK(parsed);
    struct sim_call *call = call_seen(sim, event, running->webhook);
    sim->in_flight--;
    call->in_flight = false;
    if (sim->aborting) {
        attempt->verdict = VERDICT_TEMPORARY;
        attempt->status = 0;
        call->excused = true;
    } else {
        bool ok = attempt->verdict == VERDICT_OK;
        call->attempts++;
        call->excused = call->by_hand && !ok;
        if (call->excused && call->attempts > sim->policy->max_retries)
            call->attempts = 0; /* a new round */
        call->by_hand = false;
        call->ended_ms = sim_now(sim);
        call->retry_after_ms = attempt->retry_after_ms;
        call->ok = ok;
        call->delivered += call->ok;
        call->unrecorded = true;
        call->next_unrecorded = sim->unrecorded;
        sim->unrecorded = call;
    }
    attempt->done(attempt);
    free(running);
}

/* Ends what has ended, one after the other, in the order of their ends. */
static struct sim_attempt *
take_ended(struct sim *sim, usec_t now_us)
{
    struct sim_attempt **first = NULL;
    for (struct sim_attempt **at = &sim->under_way; *at; at = &(*at)->next)
        if ((*at)->ends_us <= now_us && (!first || (*at)->ends_us < (*first)->ends_us))
            first = at;
    if (!first)
        return NULL;
    struct sim_attempt *running = *first;
    *first = running->next;
    return running;
}

static void
net_run(struct transport *transport, usec_t timeout_us)
{
    (void)timeout_us;
    struct sim *sim = sim_of(transport);
    usec_t now_us = sim->aborting ? INT64_MAX : clock_mono_us(&sim->clock.clock);
    struct sim_attempt *running;
    while ((running = take_ended(sim, now_us)) != NULL) {
        sim->happened = true;
        if (is_notice(running->attempt))
            end_notice(sim, running);
        else
            end_attempt(sim, running);
    }
}

static void
net_wake(struct transport *transport)
{
    sim_of(transport)->happened = true;
}

static void
net_abort(struct transport *transport)
{
    sim_of(transport)->aborting = true;
}

static void
net_close(struct transport *transport)
{
    CHECK(sim_of(transport)->under_way == NULL);
}

int
net_open(void *ctx, struct transport **out, struct err *err)
{
    (void)err;
    struct sim *sim = ctx;
    sim->transport = (struct transport){
        .target_open = net_target_open,
        .target_close = net_target_close,
        .start = net_start,
        .run = net_run,
        .wake = net_wake,
        .abort = net_abort,
        .close = net_close,
    };
    *out = &sim->transport;
    return 0;
}
