/* Jobs among everything else: live events go past a replay, and a crash at any moment
 * neither loses nor repeats a part of one. */
#include "fixture.h"

/* ---- jobs ---- */

struct put {
    struct engine_job put;
    bool done;
};

static void
put_done(struct engine_job *put)
{
    container_of(put, struct put, put)->done = true;
}

/* Starts a replay of everything that the webhook has no call for. */
static uint64_t
replay(uint64_t webhook, uint32_t pace)
{
    struct job job = {
        .channel = sim.channel->number,
        .kind = JOB_REPLAY,
        .webhook = webhook,
        .until_key = INT64_MAX,
        .states = JOB_MISSING,
        .types = EVENT_ALL_TYPES,
        .pace = pace,
    };
    struct put put = {.put = {.job = &job, .done = put_done}};
    engine_put_job(sim.engine, &put.put);
    sim_await(&sim, &put.done);
    assert_int_equal(put.put.result, 0);
    return job.number;
}

struct look {
    struct engine_jobs list;
    struct job job;
    bool done;
};

static void
look_each(struct engine_jobs *list, const struct job *job)
{
    container_of(list, struct look, list)->job = *job;
}

static void
look_done(struct engine_jobs *list)
{
    container_of(list, struct look, list)->done = true;
}

static struct job
job_now(uint64_t number)
{
    struct look look = {.list = {.channel = sim.channel->number,
                                 .number = number,
                                 .limit = 1,
                                 .each = look_each,
                                 .done = look_done}};
    engine_jobs(sim.engine, &look.list);
    sim_await(&sim, &look.done);
    assert_int_equal(look.list.result, 0);
    return look.job;
}

/* ---- tests ---- */

enum { OLD = 3000, LIVE = 50 };

/* Returns how many calls of a replay under way begin before the last of those that come
 * live meanwhile. */
static unsigned
replayed_before_live(size_t sender_bytes)
{
    uint64_t live;
    sim.drain_rate = sim.drain_total = 0; /* nothing else holds the replay back */
    sim.sender_bytes = sender_bytes;
    sim_crash(&sim);
    for (int n = 0; n < OLD; n += 500)
        assert_int_equal(sim_post(&sim, 500, NULL), 0);
    uint64_t webhook = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 100, .latency_max_ms = 200};
    sim_run(&sim, SECOND);
    uint64_t number = replay(webhook, JOB_PACE_MAX);
    sim_run(&sim, 5 * SECOND);
    assert_in_range(sim.attempts, 50, OLD / 2);
    assert_true(sim_count(&sim, CALL_WAITING) > JOB_CROWD / 2);

    unsigned before = sim.attempts;
    assert_int_equal(sim_post(&sim, LIVE, &live), 0);
    for (uint64_t left = LIVE; left > 0;) {
        assert_true(sim_step(&sim, sim_now(&sim) + SECOND));
        left = 0;
        for (uint64_t i = 0; i < LIVE; i++)
            left += sim_call(&sim, live + i, webhook) == NULL;
    }
    unsigned replayed = sim.attempts - before - LIVE;
    sim_run(&sim, DAY);
    assert_int_equal(job_now(number).done, OLD);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), OLD + LIVE);
    return replayed;
}

static void
live_events_go_past_a_replay(void **state)
{
    (void)state;
    /* Turn by turn with it. */
    assert_in_range(replayed_before_live((size_t)32 << 20), 1, LIVE + SIM_WINDOW);
}

static void
live_events_without_room_in_memory_wait_for_no_more_than_a_crowd(void **state)
{
    (void)state;
    assert_in_range(replayed_before_live(1), 1, JOB_CROWD + SIM_WINDOW);
}

static void
a_replay_keeps_its_pace(void **state)
{
    (void)state;
    for (int n = 0; n < 6; n++)
        assert_int_equal(sim_post(&sim, 500, NULL), 0);
    uint64_t number = replay(sim_webhook(&sim), 100);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, 10 * SECOND);
    assert_in_range(job_now(number).done, 950, 1020);
    assert_in_range(sim.attempts, 900, 1020);
}

static void
a_replay_does_not_fill_the_disk_for_a_receiver_that_is_dead(void **state)
{
    (void)state;
    for (int n = 0; n < 12; n++)
        assert_int_equal(sim_post(&sim, 500, NULL), 0);
    uint64_t number = replay(sim_webhook(&sim), JOB_PACE_MAX);
    sim.receiver = (struct sim_receiver){.timeout_percent = 100};
    sim_run(&sim, 10 * MINUTE);
    struct job job = job_now(number);
    assert_int_equal(job.state, JOB_RUNNING);
    assert_int_equal(job.reason, JOB_CROWDED);
    assert_in_range(sim_count(&sim, CALL_WAITING), JOB_CROWD - 1, JOB_CROWD);
    sim.receiver = (struct sim_receiver){.ok_percent = 100};
    sim_run(&sim, 2 * DAY);
    assert_int_equal(job_now(number).state, JOB_DONE);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), 6000);
}

/* Whatever had been submitted and not committed is forgotten by the crash; that no call
 * comes twice that was not under way then is what the world checks at each attempt. */
static bool
replay_with_crash(unsigned after, msec_t disk_latency_ms)
{
    enum { EVENTS = 40 };
    uint64_t key;
    bool crashed = false;

    sim_init(&sim, after + 1);
    assert_int_equal(sim_post(&sim, EVENTS, &key), 0);
    uint64_t webhook = sim_webhook(&sim);
    sim.receiver = (struct sim_receiver){.ok_percent = 80, .latency_max_ms = 50};
    sim.disk_latency_ms = disk_latency_ms;
    uint64_t number = replay(webhook, 10); /* one a step */
    int64_t done = 0;
    for (unsigned n = 0; job_now(number).state == JOB_RUNNING && !crashed; n++) {
        done = job_now(number).done;
        sim_step(&sim, sim_now(&sim) + SECOND);
        crashed = n == after;
    }
    sim_crash(&sim);
    assert_true(job_now(number).done >= done);
    sim_run(&sim, DAY);
    struct job job = job_now(number);
    assert_int_equal(job.state, JOB_DONE);
    assert_int_equal(job.done, EVENTS);
    assert_int_equal(sim_count(&sim, CALL_SUCCEEDED), EVENTS);
    for (uint64_t i = 0; i < EVENTS; i++)
        assert_true(sim_call(&sim, key + i, webhook)->delivered > 0);
    sim_fini(&sim);
    return crashed;
}

static void
a_crash_at_any_step_neither_loses_nor_repeats(void **state)
{
    (void)state;
    for (msec_t latency_ms = 0; latency_ms <= 20; latency_ms += 20) {
        unsigned after = 0;
        while (replay_with_crash(after, latency_ms))
            after++;
        assert_true(after > 20);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(live_events_go_past_a_replay),
        SIM_TEST(live_events_without_room_in_memory_wait_for_no_more_than_a_crowd),
        SIM_TEST(a_replay_keeps_its_pace),
        SIM_TEST(a_replay_does_not_fill_the_disk_for_a_receiver_that_is_dead),
        cmocka_unit_test(a_crash_at_any_step_neither_loses_nor_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
