/* The disk fails, is full, or is gone while a job runs: what it has done and where it
 * is agree afterwards, so every call is put in order once. */
#include <stdlib.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/store_job.h"

#define EVENTS 12
#define STEPS  40

struct life {
    uint64_t channel, hook, first;
    uint64_t jobs; /* that there are */
    enum job_state state;
    int64_t done;
    size_t refused;
};

static bool
went(struct life *life, int result)
{
    assert_true(result == 0 || result == E_FULL || result == E_IO);
    life->refused += result != 0;
    return result == 0;
}

/* A replay that would take a call again and again, were it to come to it again. */
static void
life_put(struct world *world, struct life *life)
{
    struct job job = {
        .channel = life->channel,
        .kind = JOB_REPLAY,
        .webhook = life->hook,
        .until_key = INT64_MAX,
        .states = JOB_MISSING | 1u << CALL_SUCCEEDED,
        .types = EVENT_ALL_TYPES,
        .pace = 30, /* three calls a step */
    };
    struct store_put_job put = {.op.kind = STORE_PUT_JOB, .job = &job};
    (void)went(life, world_run(world, &put.op));
}

struct look {
    struct store_jobs list;
    struct life *life;
};

static void
note_job(struct store_jobs *list, const struct job *job)
{
    struct life *life = container_of(list, struct look, list)->life;
    life->jobs++;
    life->state = job->state;
    life->done = job->done;
}

/* Whether the store still answers. */
static bool
life_look(struct world *world, struct life *life)
{
    struct look look = {.list = {.op.kind = STORE_JOBS,
                                 .channel = life->channel,
                                 .before = UINT64_MAX,
                                 .limit = 10,
                                 .each = note_job},
                        .life = life};
    life->jobs = 0;
    int rc = world_run(world, &look.list.op);
    assert_true(rc == 0 || rc == E_IO);
    return rc == 0;
}

/* All that wait succeed. */
static void
life_settle(struct world *world, struct life *life)
{
    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    read_due(world, due, life->hook, DUE_AT_START, MSEC_NEVER, EVENTS);
    for (size_t i = 0; i < due->n; i++) {
        struct store_result result = result_of(due->events[i], life->hook,
                                               due->attempts[i] + 1, CALL_SUCCEEDED, 0);
        result.was_due_ms = due->due_ms[i];
        struct store_settle settle = {
            .op.kind = STORE_SETTLE, .results = &result, .n = 1};
        if (!went(life, world_run(world, &settle.op)))
            break;
    }
    free(due);
}

static void
life_live(struct world *world, struct life *life)
{
    for (int i = 0; i < STEPS && life_look(world, life); i++) {
        struct store_step_jobs step = {.op.kind = STORE_STEP_JOBS};
        if (life->jobs == 0)
            life_put(world, life);
        else if (life->state != JOB_RUNNING)
            break;
        (void)went(life, world_run(world, &step.op));
        if (!life_look(world, life))
            break;
        life_settle(world, life);
        world_advance(world, 100);
    }
}

/* Returns false when the job had ended before the n-th write. */
static bool
live_with_fault(enum fault fault, enum fault_on on, unsigned n)
{
    struct world *world = world_new(&world_sqlite);
    struct life life = {0};
    world_open(world);
    life.channel = put_channel(world, "shop");
    life.hook = put_webhook(world, life.channel);
    life.first = append(world, life.channel, EVENT_CLICK, EVENTS, NULL, 0);

    faulty_vfs_fail(fault, on, n);
    life_live(world, &life);
    bool hit = faulty_vfs_failures() > 0;
    world->backend->leave(world); /* with the fault still there */
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);

    int64_t done = life.done;
    world_open(world);
    assert_true(life_look(world, &life));
    assert_true(life.done >= done);
    assert_true(life.jobs <= 1);
    life_live(world, &life);
    life_settle(world, &life);
    assert_int_equal(life.state, JOB_DONE);
    assert_int_equal(life.done, EVENTS);
    for (uint64_t i = 0; i < EVENTS; i++) {
        struct call_look look;
        assert_int_equal(
            look_at_call(world, &look, life.channel, life.first + i, life.hook), 0);
        assert_int_equal(look.call.record.state, CALL_SUCCEEDED);
        assert_int_equal(look.n_attempts, 1);
    }
    check_rows(world);
    world_free(world);
    return hit;
}

static void
no_fault_makes_a_job_do_anything_twice_or_not_at_all(void **state)
{
    static const struct {
        enum fault fault;
        enum fault_on on;
    } faults[] = {{FAULT_IO, FAULT_ON_WRITE},
                  {FAULT_IO, FAULT_ON_SYNC},
                  {FAULT_FULL, FAULT_ON_WRITE}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        unsigned n = 1;
        while (live_with_fault(faults[i].fault, faults[i].on, n))
            n += 4;
        assert_true(n > 10);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_fault_makes_a_job_do_anything_twice_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
