/* A thousand worlds, each from its own seed: random receivers, crashes, clock jumps,
 * disabling, retries by hand; receivers that die and return, reboots with another
 * wall clock. The invariants are checked at every attempt (world.c);
 * here, that everything comes to its end and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "world.h"

#define SEEDS      1000
#define WEBHOOKS   3
#define EVENTS_MAX 64

struct run {
    struct sim sim;
    uint64_t webhooks[WEBHOOKS];
    struct sim_receiver receivers[WEBHOOKS];
    bool enabled[WEBHOOKS];
    uint64_t events[EVENTS_MAX];
    size_t n_events;
};

static uint64_t
dice(struct run *run, uint64_t sides)
{
    return rng_below(&run->sim.script.rng, sides);
}

/* One in four is dead: refuses, or hangs. Another one may be drawn later: it returns.
 */
static void
draw_receiver(struct run *run, size_t i)
{
    if (dice(run, 4) == 0)
        run->receivers[i] =
            (struct sim_receiver){.timeout_percent = dice(run, 2) ? 100 : 0};
    else
        run->receivers[i] = (struct sim_receiver){
            .ok_percent = (unsigned)dice(run, 101),
            .timeout_percent = (unsigned)dice(run, 40),
            .retry_after_ms = dice(run, 4) == 0 ? (msec_t)dice(run, 3600000) : 0,
            .latency_max_ms = (msec_t)dice(run, 15000),
        };
    map_put(&run->sim.receivers, run->webhooks[i], 0, &run->receivers[i]);
}

static void
post(struct run *run)
{
    size_t n = 1 + dice(run, 5);
    uint64_t key;
    if (run->n_events + n > EVENTS_MAX || sim_post(&run->sim, n, &key) != 0)
        return;
    for (size_t i = 0; i < n; i++)
        run->events[run->n_events++] = key + i;
}

static void
retry_some(struct run *run)
{
    if (run->n_events == 0)
        return;
    uint64_t event = run->events[dice(run, run->n_events)];
    uint64_t webhook = run->webhooks[dice(run, WEBHOOKS)];
    struct sim_call *call = sim_call(&run->sim, event, webhook);
    if (!call || !call->in_flight) /* one in flight is being tried already */
        assert_int_equal(sim_retry(&run->sim, event, webhook), 0);
}

static void
something_happens(struct run *run)
{
    size_t i = dice(run, WEBHOOKS);
    switch (dice(run, 8)) {
    case 0:
    case 1:
        post(run);
        break;
    case 2:
        if (dice(run, 2))
            sim_crash(&run->sim);
        else
            sim_reboot(&run->sim, (msec_t)dice(run, 2 * DAY) - DAY);
        break;
    case 3:
        run->sim.clock.wall += ((msec_t)dice(run, 2 * DAY) - DAY) * 1000;
        break;
    case 4:
        run->enabled[i] = !run->enabled[i];
        sim_enable(&run->sim, run->webhooks[i], run->enabled[i]);
        break;
    case 5:
        retry_some(run);
        break;
    case 6:
        draw_receiver(run, i);
        break;
    default:
        sim_run(&run->sim, (msec_t)dice(run, 60 * MINUTE));
        break;
    }
    for (uint64_t steps = dice(run, 20); steps > 0; steps--)
        sim_step(&run->sim, sim_now(&run->sim) + MINUTE);
}

static void
everything_came_to_its_end(struct run *run)
{
    for (size_t e = 0; e < run->n_events; e++) {
        for (size_t w = 0; w < WEBHOOKS; w++) {
            struct call_record stored =
                sim_stored(&run->sim, run->events[e], run->webhooks[w]);
            struct sim_call *seen =
                sim_call(&run->sim, run->events[e], run->webhooks[w]);
            assert_true(stored.state == CALL_SUCCEEDED || stored.state == CALL_FAILED);
            assert_non_null(seen);
            assert_int_equal(stored.state == CALL_SUCCEEDED, seen->ok);
        }
    }
}

static void
run_seed(uint64_t seed)
{
    struct run *run = calloc(1, sizeof(*run));
    assert_non_null(run);
    sim_init(&run->sim, seed);
    run->sim.host_window = seed % 3 == 0 ? 1 + (unsigned)seed % 5 : 0;
    run->sim.drain_rate = seed % 5 == 0 ? 1 : 250;
    sim_crash(&run->sim);
    run->sim.disk_latency_ms = seed % 2 ? 0 : (msec_t)(seed % 500);
    for (size_t i = 0; i < WEBHOOKS; i++) {
        run->webhooks[i] = sim_webhook(&run->sim);
        run->enabled[i] = true;
        draw_receiver(run, i);
    }
    for (int i = 0; i < 30; i++)
        something_happens(run);

    for (size_t i = 0; i < WEBHOOKS; i++)
        sim_enable(&run->sim, run->webhooks[i], true);
    sim_run(&run->sim, 10 * DAY);
    everything_came_to_its_end(run);
    assert_int_equal(run->sim.in_flight, 0);
    sim_fini(&run->sim);
    free(run);
}

static void
a_thousand_seeds_keep_every_invariant(void **state)
{
    (void)state;
    const char *one = getenv("SIM_SEED");
    if (one) {
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        fprintf(stderr, "\rseed %llu ", (unsigned long long)seed);
        run_seed(seed);
    }
    fprintf(stderr, "\r");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_seeds_keep_every_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
