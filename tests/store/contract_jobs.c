/* Jobs: what a step does, and that it is done once, wherever it is cut off. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"
#include "store/store_job.h"

#define DAY_MS (24 * HOUR_MS)

#define EVENTS 40

static struct job
job_of(enum job_kind kind, uint64_t channel, uint64_t webhook, uint32_t states)
{
    return (struct job){
        .channel = channel,
        .kind = kind,
        .webhook = webhook,
        .until_key = INT64_MAX,
        .states = states,
        .types = EVENT_ALL_TYPES,
        .pace = JOB_PACE_DEFAULT,
    };
}

static int
try_put(struct world *world, struct job *job)
{
    struct store_put_job put = {.op.kind = STORE_PUT_JOB, .job = job};
    return world_run(world, &put.op);
}

static uint64_t
put_job(struct world *world, struct job job)
{
    assert_int_equal(try_put(world, &job), 0);
    assert_true(job.number > 0);
    assert_int_equal(job.state, JOB_RUNNING);
    return job.number;
}

static struct store_step_jobs
step(struct world *world)
{
    struct store_step_jobs step = {.op.kind = STORE_STEP_JOBS};
    assert_int_equal(world_run(world, &step.op), 0);
    return step;
}

/* Steps until no job runs; returns how many it took. */
static size_t
run_jobs(struct world *world)
{
    for (size_t n = 1;; n++) {
        struct store_step_jobs one = step(world);
        if (one.next_ms == MSEC_NEVER)
            return n;
        assert_true(n < 2000);
        if (one.next_ms > world_now(world))
            world_advance(world, one.next_ms - world_now(world));
    }
}

struct job_look {
    struct store_jobs list;
    struct job job;
    uint64_t numbers[64];
    size_t n;
};

static void
see_job(struct store_jobs *list, const struct job *job)
{
    struct job_look *look = container_of(list, struct job_look, list);
    look->job = *job;
    look->job.ids = NULL; /* not ours */
    look->numbers[look->n++ % 64] = job->number;
}

static int
try_look(struct world *world, struct job_look *look, uint64_t channel, uint64_t number)
{
    *look = (struct job_look){.list = {
                                  .op.kind = STORE_JOBS,
                                  .channel = channel,
                                  .number = number,
                                  .before = UINT64_MAX,
                                  .limit = 64,
                                  .each = see_job,
                              }};
    return world_run(world, &look->list.op);
}

static struct job
look_at_job(struct world *world, uint64_t channel, uint64_t number)
{
    struct job_look look;
    assert_int_equal(try_look(world, &look, channel, number), 0);
    assert_int_equal(look.n, 1);
    return look.job;
}

static struct job
run_job(struct world *world, struct job job)
{
    uint64_t number = put_job(world, job);
    run_jobs(world);
    return look_at_job(world, job.channel, number);
}

static void
no_after(struct store_steer_job *steer, const struct job *job)
{
    (void)steer;
    (void)job;
}

static int
steer(struct world *world, uint64_t channel, uint64_t number, enum job_state to)
{
    struct store_steer_job op = {.op.kind = STORE_STEER_JOB,
                                 .channel = channel,
                                 .number = number,
                                 .to = to,
                                 .after = no_after};
    return world_run(world, &op.op);
}

static int
cancel(struct world *world, uint64_t channel, uint64_t event, uint64_t webhook)
{
    struct store_cancel op = {.op.kind = STORE_CANCEL,
                              .channel = channel,
                              .event = event,
                              .webhook = webhook};
    return world_run(world, &op.op);
}

static uint64_t
count(struct world *world, enum call_state state)
{
    return counts_of(world).calls[state];
}

static const uint32_t ended =
    1u << CALL_SUCCEEDED | 1u << CALL_FAILED | 1u << CALL_CANCELLED;

/* ---- replay ---- */

static void
a_replay_makes_what_is_missing_and_repeats_what_has_ended(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other");
    uint64_t bare = append(world, shop, EVENT_CLICK, 5, NULL, 0);
    uint64_t key = append(world, shop, EVENT_CLICK, 4, &hook, 1);
    uint64_t foreign = append(world, other, EVENT_CLICK, 1, NULL, 0);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    settle(world, key + 1, hook, 9, CALL_FAILED, 0);
    assert_int_equal(cancel(world, shop, key + 2, hook), 0);
    world_advance(world, 1000);

    struct job job =
        run_job(world, job_of(JOB_REPLAY, shop, hook, ended | JOB_MISSING));
    assert_int_equal(job.state, JOB_DONE);
    assert_int_equal(job.matched, 8);
    assert_int_equal(job.done, 8);
    assert_int_equal(job.skipped, 0);
    assert_true(job.finished_ms >= job.created_ms);
    assert_int_equal(count(world, CALL_WAITING), 9);

    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    read_due(world, due, hook, DUE_AT_START, MSEC_NEVER, MANY);
    assert_int_equal(due->n, 9);
    assert_int_equal(due->events[0], key + 3); /* it was left as it was */
    for (size_t i = 0; i < 5; i++) {           /* and oldest first */
        assert_int_equal(due->events[1 + i], bare + i);
        assert_int_equal(due->attempts[1 + i], 0);
    }
    assert_int_equal(due->events[7], key + 1);
    assert_int_equal(due->attempts[7], 9);
    assert_int_equal(due->tries[7], 0); /* a new round */
    free(due);
    struct event_look look;
    assert_int_equal(look_at_event(world, &look, other, foreign), 0);
    assert_int_equal(look.n, 0);
}

static void
a_replay_takes_the_states_types_and_times_that_it_is_for(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 3, NULL, 0);
    world_advance(world, 1000);
    uint64_t key = append(world, shop, EVENT_CLICK, 4, NULL, 0);
    append(world, shop, EVENT_OPT_IN, 2, NULL, 0);
    uint64_t sent = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, sent, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, 1000);
    append(world, shop, EVENT_CLICK, 8, NULL, 0);

    struct job job = job_of(JOB_REPLAY, shop, hook, JOB_MISSING);
    job.types = 1u << EVENT_CLICK;
    job.since_key = event_key_at(START_MS + 1000);
    job.until_key = event_key_at(START_MS + 2000);
    job.dry_run = true;
    struct job dry = run_job(world, job);
    assert_int_equal(dry.state, JOB_DONE);
    assert_int_equal(dry.matched, 4);
    assert_int_equal(dry.done, 0);
    assert_int_equal(count(world, CALL_WAITING), 0);
    job.dry_run = false;
    assert_int_equal(run_job(world, job).done, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(state_of(world, shop, key + i, hook), CALL_WAITING);
    assert_int_equal(count(world, CALL_WAITING), 4);
    assert_int_equal(run_job(world, job).matched, 0); /* they wait now */
}

static void
what_comes_while_a_job_runs_is_none_of_its_business(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 3, NULL, 0);
    uint64_t number = put_job(world, job_of(JOB_REPLAY, shop, hook, JOB_MISSING));
    append(world, shop, EVENT_CLICK, 3, NULL, 0);
    run_jobs(world);
    assert_int_equal(look_at_job(world, shop, number).done, 3);
}

/* Every call that is put in order is settled at once: were it put in order twice, it
 * would be done twice. */
static void
a_job_goes_on_from_where_it_was_and_does_nothing_twice(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, EVENTS, NULL, 0);
    struct job job = job_of(JOB_REPLAY, shop, hook, ended | JOB_MISSING);
    job.pace = 30; /* 3 a step */
    uint64_t number = put_job(world, job);
    int64_t done = 0;
    double progress = 0;
    for (size_t n = 0; look_at_job(world, shop, number).state == JOB_RUNNING; n++) {
        assert_true(n < 40);
        struct store_step_jobs one = step(world);
        struct job now = look_at_job(world, shop, number);
        assert_in_range(now.done - done, 0, 3);
        assert_true(job_progress(&now) >= progress);
        for (int64_t i = done; i < now.done; i++) {
            uint64_t event = key + (uint64_t)i;
            assert_int_equal(state_of(world, shop, event, hook), CALL_WAITING);
            struct store_result result = result_of(event, hook, 1, CALL_SUCCEEDED, 0);
            result.was_due_ms = world_now(world);
            struct store_settle op = {
                .op.kind = STORE_SETTLE, .results = &result, .n = 1};
            assert_int_equal(world_run(world, &op.op), 0);
        }
        done = now.done;
        progress = job_progress(&now);
        world_reopen(world);
        if (one.next_ms != MSEC_NEVER) {
            assert_true(one.next_ms - world_now(world) <= 100);
            assert_int_equal(step(world).n_places, 0); /* it is not time yet */
            world_advance(world, one.next_ms - world_now(world));
        }
    }
    assert_int_equal(done, EVENTS);
    assert_int_equal(count(world, CALL_SUCCEEDED), EVENTS);
    assert_int_equal(count(world, CALL_WAITING), 0);
}

static void
a_job_waits_while_too_much_waits_for_its_webhook(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    for (size_t n = 0; n < JOB_CROWD; n += 512)
        append(world, shop, EVENT_CLICK, 512, &hook, 1);
    append(world, shop, EVENT_OPT_IN, 3, NULL, 0);
    uint64_t number = put_job(world, job_of(JOB_REPLAY, shop, hook, JOB_MISSING));
    assert_int_equal(look_at_job(world, shop, number).reason, JOB_CROWDED);
    for (int i = 0; i < 20; i++) {
        struct store_step_jobs one = step(world);
        assert_true(one.next_ms != MSEC_NEVER);
        if (one.next_ms > world_now(world))
            world_advance(world, one.next_ms - world_now(world));
    }
    assert_int_equal(count(world, CALL_WAITING), JOB_CROWD);
    struct job many = job_of(JOB_CANCEL, shop, hook, 1u << CALL_WAITING);
    many.pace = JOB_PACE_MAX;
    put_job(world, many);
    run_jobs(world);
    assert_int_equal(look_at_job(world, shop, number).done, 3);
    assert_int_equal(count(world, CALL_CANCELLED), JOB_CROWD);
}

/* ---- retry and cancel ---- */

static void
a_retry_takes_what_its_filter_says(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t key = append(world, shop, EVENT_CLICK, 4, hooks, 2);
    uint64_t other = append_from(world, shop, EVENT_OPT_IN, "sub-9", hooks[0]);
    for (uint64_t i = 0; i < 4; i++)
        for (size_t w = 0; w < 2; w++)
            settle(world, key + i, hooks[w], 1, i ? CALL_FAILED : CALL_SUCCEEDED, 0);
    settle(world, other, hooks[0], 1, CALL_FAILED, 0);

    struct call_look call;
    assert_int_equal(look_at_call(world, &call, shop, other, hooks[0]), 0);
    struct job job = job_of(JOB_RETRY, shop, 0, 1u << CALL_FAILED);
    job.dry_run = true;
    assert_int_equal(run_job(world, job).matched, 7);
    job.webhook = hooks[1];
    assert_int_equal(run_job(world, job).matched, 3);
    job.webhook = 0;
    snprintf(job.subscription, sizeof(job.subscription), "sub-9");
    assert_int_equal(run_job(world, job).matched, 1);
    job.subscription[0] = '\0';
    job.types = 1u << EVENT_OPT_IN;
    assert_int_equal(run_job(world, job).matched, 1);
    job.types = EVENT_ALL_TYPES;
    snprintf(job.error, sizeof(job.error), "no such reason");
    assert_int_equal(run_job(world, job).matched, 0);
    snprintf(job.error, sizeof(job.error), "%s", call.reasons[0]);
    assert_true(job.error[0] >= 'a' && job.error[0] <= 'z');
    job.error[0] = (char)(job.error[0] - 'a' + 'A');
    assert_int_equal(run_job(world, job).matched, 7);
    job.error[0] = '\0';
    job.states |= 1u << CALL_SUCCEEDED;
    assert_int_equal(run_job(world, job).matched, 9);
    job.dry_run = false;
    assert_int_equal(run_job(world, job).done, 9);
    assert_int_equal(count(world, CALL_WAITING), 9);
}

static void
calls_are_named_and_those_that_cannot_be_are_counted(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other"), theirs = put_webhook(world, other);
    uint64_t key = append(world, shop, EVENT_CLICK, 3, &hook, 1);
    uint64_t foreign = append(world, other, EVENT_CLICK, 1, &theirs, 1);
    settle(world, key, hook, 1, CALL_FAILED, 0);
    settle(world, foreign, theirs, 1, CALL_FAILED, 0);
    struct job_call ids[] = {
        {key, hook}, {key + 1, hook}, {key + 99, hook}, {foreign, theirs}};
    struct job job = job_of(JOB_RETRY, shop, 0, 1u << CALL_FAILED);
    job.ids = ids;
    job.n_ids = ARRAY_LEN(ids);
    struct job after = run_job(world, job);
    assert_int_equal(after.matched, 1);
    assert_int_equal(after.done, 1);
    assert_int_equal(after.skipped, 3);
    assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
    assert_int_equal(state_of(world, other, foreign, theirs), CALL_FAILED);
}

static void
a_cancellation_takes_what_waits_and_what_is_held(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop),
                        put_webhook(world, shop)};
    uint64_t key = append(world, shop, EVENT_CLICK, 300, hooks, 3);
    settle(world, key, hooks[0], 1, CALL_WAITING, START_MS + DAY_MS);
    change_webhook(world, shop, hooks[1], DISABLE);
    const uint32_t held = 1u << CALL_HELD;
    assert_int_equal(run_job(world, job_of(JOB_CANCEL, shop, 0, held)).done, 300);
    assert_int_equal(state_of(world, shop, key, hooks[1]), CALL_CANCELLED);
    struct job job = job_of(JOB_CANCEL, shop, hooks[0], held | 1u << CALL_WAITING);
    struct job after = run_job(world, job);
    assert_int_equal(after.done, 300);
    assert_int_equal(after.expected, 300);
    job.webhook = 0;
    assert_int_equal(run_job(world, job).done, 300);
    assert_int_equal(count(world, CALL_CANCELLED), 900);
    assert_int_equal(count(world, CALL_WAITING) + count(world, CALL_HELD), 0);
}

static void
one_call_is_cancelled_and_may_be_tried_again(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other");
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(cancel(world, other, key, hook), E_NOT_FOUND);
    assert_int_equal(cancel(world, shop, key + 1, hook), E_NOT_FOUND);
    assert_int_equal(cancel(world, shop, key, hook), 0);
    assert_int_equal(cancel(world, shop, key, hook), E_CONFLICT);

    /* An attempt that was under way is recorded, and moves nothing. */
    settle(world, key, hook, 1, CALL_WAITING, START_MS + MINUTE_MS);
    assert_int_equal(state_of(world, shop, key, hook), CALL_CANCELLED);
    struct call_look look;
    assert_int_equal(look_at_call(world, &look, shop, key, hook), 0);
    assert_int_equal(look.n_attempts, 1);

    world_reopen(world);
    assert_int_equal(retry(world, shop, key, hook, world_now(world)), 0);
    assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
    settle(world, key, hook, 2, CALL_SUCCEEDED, 0);
    assert_int_equal(cancel(world, shop, key, hook), E_CONFLICT);
    change_webhook(world, shop, hook, DELETE);
    assert_int_equal(retry(world, shop, key, hook, world_now(world)), E_CONFLICT);
}

/* ---- its life ---- */

static void
a_job_is_steered_until_it_has_ended(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other");
    append(world, shop, EVENT_CLICK, 10, NULL, 0);
    uint64_t number = put_job(world, job_of(JOB_REPLAY, shop, hook, JOB_MISSING));
    assert_int_equal(steer(world, other, number, JOB_PAUSED), E_NOT_FOUND);
    assert_int_equal(steer(world, shop, number + 1, JOB_PAUSED), E_NOT_FOUND);
    assert_int_equal(steer(world, shop, number, JOB_PAUSED), 0);
    assert_int_equal(step(world).next_ms, MSEC_NEVER);
    world_reopen(world);
    assert_int_equal(look_at_job(world, shop, number).state, JOB_PAUSED);
    assert_int_equal(look_at_job(world, shop, number).done, 0);
    assert_int_equal(steer(world, shop, number, JOB_RUNNING), 0);
    run_jobs(world);
    assert_int_equal(look_at_job(world, shop, number).done, 10);
    for (enum job_state to = JOB_RUNNING; to <= JOB_CANCELLED; to++)
        assert_int_equal(steer(world, shop, number, to), E_CONFLICT);
    number = put_job(world, job_of(JOB_REPLAY, shop, hook, ended));
    assert_int_equal(steer(world, shop, number, JOB_CANCELLED), 0);
    assert_true(look_at_job(world, shop, number).finished_ms > 0);
}

static void
a_job_fails_when_what_it_is_for_is_deleted(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t rest = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    settle(world, key, hook, 1, CALL_FAILED, 0);
    uint64_t number = put_job(world, job_of(JOB_REPLAY, shop, hook, ended));
    uint64_t all = put_job(world, job_of(JOB_RETRY, shop, 0, ended));
    change_webhook(world, shop, hook, DELETE);
    run_jobs(world);
    assert_int_equal(look_at_job(world, shop, number).state, JOB_FAILED);
    assert_int_equal(look_at_job(world, shop, number).reason, JOB_WEBHOOK_DELETED);
    assert_int_equal(look_at_job(world, shop, all).state, JOB_DONE);
    assert_int_equal(look_at_job(world, shop, all).skipped, 1);
    struct job gone = job_of(JOB_REPLAY, shop, hook, ended);
    assert_int_equal(try_put(world, &gone), E_NOT_FOUND);

    put_job(world, job_of(JOB_REPLAY, shop, rest, ended));
    delete_channel(world, shop, "shop");
    run_jobs(world); /* and not for ever */
    struct job_look look;
    assert_int_equal(try_look(world, &look, shop, 0), E_NOT_FOUND);
    gone.webhook = 0;
    assert_int_equal(try_put(world, &gone), E_NOT_FOUND);
}

static void
a_channel_has_so_many_jobs_and_no_more(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t other = put_channel(world, "other"), theirs = put_webhook(world, other);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    struct job job = job_of(JOB_REPLAY, shop, hook, JOB_MISSING);
    uint64_t first = 0;
    for (int i = 0; i < JOBS_RUNNING_MAX; i++) {
        uint64_t number = put_job(world, job);
        first = first ? first : number;
    }
    struct job more = job;
    assert_int_equal(try_put(world, &more), E_BUSY);
    put_job(world, job_of(JOB_REPLAY, other, theirs, JOB_MISSING));
    assert_int_equal(steer(world, shop, first, JOB_PAUSED), 0);
    put_job(world, job);
    assert_int_equal(steer(world, shop, first, JOB_RUNNING), E_BUSY);
    run_jobs(world);

    for (int kept = JOBS_RUNNING_MAX + 1; kept < JOBS_KEPT_MAX; kept++)
        assert_int_equal(steer(world, shop, put_job(world, job), JOB_PAUSED), 0);
    struct job_look look;
    assert_int_equal(try_look(world, &look, shop, first + 1), 0);
    for (int i = 0; i < JOBS_RUNNING_MAX; i++) /* those that have ended make room */
        assert_int_equal(steer(world, shop, put_job(world, job), JOB_PAUSED), 0);
    assert_int_equal(try_look(world, &look, shop, first + 1), E_NOT_FOUND);
    assert_int_equal(try_look(world, &look, shop, first), 0); /* it is paused */
    assert_int_equal(try_put(world, &more), E_CONFLICT);
}

static void
jobs_are_listed_newest_first_and_go_after_a_month(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t numbers[5];
    for (size_t i = 0; i < 5; i++)
        numbers[i] = put_job(world, job_of(JOB_REPLAY, shop, hook, ended));
    struct job_look look;
    uint64_t before = UINT64_MAX;
    for (size_t i = 0; i < 5; i += 2) {
        try_look(world, &look, shop, 0);
        look.n = 0;
        look.list.before = before;
        look.list.limit = 2;
        assert_int_equal(world_run(world, &look.list.op), 0);
        assert_int_equal(look.n, i == 4 ? 1 : 2);
        assert_int_equal(look.numbers[0], numbers[4 - i]);
        before = look.list.next;
    }
    assert_int_equal(before, 0);

    assert_int_equal(steer(world, shop, numbers[0], JOB_PAUSED), 0);
    run_jobs(world);
    world_advance(world, JOBS_KEPT_MS - DAY_MS);
    step(world);
    assert_int_equal(try_look(world, &look, shop, 0), 0);
    assert_int_equal(look.n, 5);
    world_advance(world, 2 * DAY_MS);
    step(world);
    assert_int_equal(try_look(world, &look, shop, 0), 0);
    assert_int_equal(look.n, 1);
    assert_int_equal(look.numbers[0], numbers[0]); /* it has not ended */
}

static void
a_full_disk_only_delays_a_job(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    append(world, shop, EVENT_CLICK, 30, NULL, 0);
    uint64_t number = put_job(world, job_of(JOB_REPLAY, shop, hook, JOB_MISSING));
    world->backend->fill_disk(world);
    struct store_step_jobs one = {.op.kind = STORE_STEP_JOBS};
    assert_int_equal(world_run(world, &one.op), E_FULL);
    struct job job = look_at_job(world, shop, number);
    assert_int_equal(job.state, JOB_RUNNING);
    assert_int_equal(job.done, 0);
    assert_int_equal(count(world, CALL_WAITING), 0);
    run_jobs(world);
    assert_int_equal(look_at_job(world, shop, number).done, 30);
}

static const struct CMUnitTest tests[] = {
    TEST(a_replay_makes_what_is_missing_and_repeats_what_has_ended),
    TEST(a_replay_takes_the_states_types_and_times_that_it_is_for),
    TEST(what_comes_while_a_job_runs_is_none_of_its_business),
    TEST(a_job_goes_on_from_where_it_was_and_does_nothing_twice),
    TEST(a_job_waits_while_too_much_waits_for_its_webhook),
    TEST(a_retry_takes_what_its_filter_says),
    TEST(calls_are_named_and_those_that_cannot_be_are_counted),
    TEST(a_cancellation_takes_what_waits_and_what_is_held),
    TEST(one_call_is_cancelled_and_may_be_tried_again),
    TEST(a_job_is_steered_until_it_has_ended),
    TEST(a_job_fails_when_what_it_is_for_is_deleted),
    TEST(a_channel_has_so_many_jobs_and_no_more),
    TEST(jobs_are_listed_newest_first_and_go_after_a_month),
    TEST(a_full_disk_only_delays_a_job),
};

const struct contract_part contract_jobs = {tests, ARRAY_LEN(tests)};
