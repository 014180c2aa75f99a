/* A thousand worlds in which subscriptions change: devices, browsers and the customer
 * ask for anything, twice, late and all at once, while webhooks change, receivers fail,
 * disks are full and the program crashes. A model (registry_model.h) says what must
 * come of it. In the end, whoever was told all events in their order knows what there
 * is, and every event has been delivered to each webhook that wanted it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "registry_run.h"

#define SEEDS   1000
#define ACTIONS 100

/* ---- what devices do ---- */

/* Android: topic/add and a sync with the whole list, at once and in any order. iOS: the
 * sync after the answer. Whatever happens in between, the topic is announced once. */
static void
add_a_topic_twice(struct run *run, bool at_once)
{
    int at = run_pick_active(run);
    if (at < 0)
        return;
    const struct model_subscription *it = &run->model.subscriptions[at];
    unsigned topic = run_dice(run, MODEL_TOPICS);
    bool had = it->now.topics & 1u << topic;
    const struct model_request add = {
        .kind = CHANGE_TOPIC_ADD, .at = at, .item = topic};
    const struct model_request sync = {
        .kind = CHANGE_SYNC,
        .at = at,
        .has_topics = true,
        .topics = it->now.topics | 1u << topic,
        .version = it->version + at_once,
    };
    bool add_first = !at_once || run_dice(run, 2);

    run_ask(run, add_first ? &add : &sync, 1);
    if (!at_once)
        run_answer(run);
    run_ask(run, add_first ? &sync : &add, 1);
    run_answer(run);
    assert_int_equal(run->told[EVENT_TOPIC_ADDED], !had);
}

/* The answer to its first sync was lost: it comes once more, and does not know that it
 * has an id. */
static void
subscribe_twice(struct run *run)
{
    const struct model_request sync = {
        .kind = CHANGE_SYNC,
        .at = run_dice(run, 2) ? MODEL_NONE : MODEL_UNKNOWN,
        .device = 1 + run_dice(run, RUN_DEVICES),
        .has_topics = true,
        .topics = run_dice(run, 1u << MODEL_TOPICS),
        .version = 1,
    };
    int before = run->model.n;
    run_ask(run, &sync, 1);
    run_ask(run, &sync, 1);
    run_answer(run);
    assert_true(run->model.n <= before + 1);
}

/* ---- what happens at all ---- */

static void
ask_at_once(struct run *run)
{
    struct model_request requests[RUN_ITEMS];
    unsigned changes = run_dice(run, 4); /* 3: the configuration does not */
    size_t n = 1 + run_dice(run, RUN_ASKED);

    for (size_t i = 0; i < n; i++) {
        size_t items = 1;
        if (i == changes)
            run_change_types(run);
        if (run_dice(run, 8) == 0) /* an import */
            for (items = 0; items < 1 + run_dice(run, RUN_ITEMS); items++)
                run_draw_replace(run, &requests[items]);
        else
            run_draw_request(run, &requests[0]);
        run_ask(run, requests, items);
    }
}

static void
crash(struct run *run)
{
    if (run_dice(run, 2)) {
        ask_at_once(run);
        for (uint64_t steps = run_dice(run, 3); steps > 0; steps--)
            sim_step(&run->sim, sim_now(&run->sim) + 10);
    }
    run->crashed = true;
    sim_crash(&run->sim);
    run_answer(run);
}

/* Outcomes that it refuses are kept and submitted again; only then is all on disk that
 * the world takes to be. */
static void
fill_disk(struct run *run)
{
    run->full = true;
    store_memory_fail(run->sim.store, 1 + (unsigned)run_dice(run, 2), E_FULL);
    ask_at_once(run);
    run_answer(run);
    store_memory_fail(run->sim.store, 0, 0);
    sim_run(&run->sim, 5000);
    run->full = false;
}

static void
something_happens(struct run *run)
{
    memset(run->told, 0, sizeof(run->told));
    switch (run_dice(run, 14)) {
    case 0:
        add_a_topic_twice(run, true);
        break;
    case 1:
        add_a_topic_twice(run, false);
        break;
    case 2:
        subscribe_twice(run);
        break;
    case 3:
        crash(run);
        break;
    case 4:
        fill_disk(run);
        break;
    case 5:
        run_draw_receiver(run);
        break;
    case 6:
        run_change_webhooks(run);
        break;
    case 7:
        sim_run(&run->sim, (msec_t)run_dice(run, 30000));
        break;
    default:
        ask_at_once(run);
        run_answer(run);
        break;
    }
    for (uint64_t steps = run_dice(run, 10); steps > 0; steps--)
        sim_step(&run->sim, sim_now(&run->sim) + 1000);
}

static void
run_seed(uint64_t seed)
{
    struct run *run = xcalloc(1, sizeof(*run));

    run_init(run, seed);
    for (int i = 0; i < ACTIONS; i++)
        something_happens(run);
    run_let_all_end(run);
    run_check_subscriptions(run);
    run_check_found(run);
    run_check_notifications(run);
    run_check_events(run);
    run_fini(run);
    free(run);
}

static void
whoever_is_told_every_event_knows_what_there_is(void **state)
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
        cmocka_unit_test(whoever_is_told_every_event_knows_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
