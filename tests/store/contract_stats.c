/* Figures: what is counted when, for whom, and what waits. */
#include <stdlib.h>

#include "contract.h"
#include "store/store_figures.h"

#define STEPS 180

struct stats_look {
    struct store_stats stats;
    struct figures steps[STEPS];
    struct figures sum;
    size_t n; /* steps in which there was something */
    uint64_t heights[STEPS];
    bool known[STEPS]; /* which of them are */
};

static void
see_step(struct store_stats *stats, msec_t at_ms, const struct figures *figures)
{
    struct stats_look *look = container_of(stats, struct stats_look, stats);
    msec_t i = (at_ms - stats->steps.since_ms) / figures_step_ms(stats->steps.step);
    assert_true(i >= 0 && i < (msec_t)stats->steps.n);
    assert_true(figures_none(&look->steps[i]));
    look->steps[i] = *figures;
    figures_add(&look->sum, figures);
    look->n++;
}

static void
see_height(struct store_stats *stats, msec_t at_ms, uint64_t highest)
{
    struct stats_look *look = container_of(stats, struct stats_look, stats);
    msec_t i = (at_ms - stats->steps.since_ms) / figures_step_ms(stats->steps.step);
    assert_true(i >= 0 && i < (msec_t)stats->steps.n);
    assert_false(look->known[i]);
    look->known[i] = true;
    look->heights[i] = highest;
}

/* The last n steps, the one that is under way included. */
static struct store_steps
last_steps(struct world *world, enum figures_step step, size_t n)
{
    return (struct store_steps){
        .step = step,
        .since_ms = figures_begin(step, world_now(world)) -
                    (msec_t)(n - 1) * figures_step_ms(step),
        .n = n,
    };
}

static int
look_at_stats(struct world *world, struct stats_look *look, uint64_t channel,
              uint64_t webhook, struct store_steps steps)
{
    *look = (struct stats_look){.stats = {.op.kind = STORE_STATS,
                                          .channel = channel,
                                          .webhook = webhook,
                                          .steps = steps,
                                          .each = see_step,
                                          .each_backlog = see_height}};
    return world_run(world, &look->stats.op);
}

static void
check(const struct figures *figures, uint64_t events, uint64_t succeeded,
      uint64_t failed, uint64_t exhausted)
{
    assert_int_equal(figures->events, events);
    assert_int_equal(figures->succeeded, succeeded);
    assert_int_equal(figures->failed, failed);
    assert_int_equal(figures->exhausted, exhausted);
}

static void
check_minute(struct world *world, uint64_t channel, uint64_t webhook, uint64_t events,
             uint64_t succeeded, uint64_t failed, uint64_t exhausted)
{
    struct stats_look look;
    assert_int_equal(look_at_stats(world, &look, channel, webhook,
                                   last_steps(world, FIGURES_MINUTE, 60)),
                     0);
    check(&look.sum, events, succeeded, failed, exhausted);
    assert_int_equal(look_at_stats(world, &look, channel, webhook,
                                   last_steps(world, FIGURES_HOUR, 24)),
                     0);
    check(&look.sum, events, succeeded, failed, exhausted);
}

/* What waited in the last n steps. */
static void
check_heights(struct world *world, uint64_t channel, uint64_t webhook,
              enum figures_step step, const uint64_t *heights, size_t n)
{
    struct stats_look look;
    assert_int_equal(
        look_at_stats(world, &look, channel, webhook, last_steps(world, step, n)), 0);
    for (size_t i = 0; i < n; i++) {
        assert_true(look.known[i]);
        assert_int_equal(look.heights[i], heights[i]);
    }
}

static void
a_webhook_its_channel_and_all_are_counted(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), blog = put_channel(world, "blog");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t first = append(world, shop, EVENT_CLICK, 3, hooks, 2);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    append(world, blog, EVENT_CLICK, 2, NULL, 0);
    settle(world, first, hooks[0], 1, CALL_SUCCEEDED, 0);
    settle(world, first, hooks[1], 1, CALL_WAITING, START_MS + HOUR_MS);
    settle(world, first + 1, hooks[1], 1, CALL_FAILED, 0);
    for (int i = 0; i < 2; i++) { /* and it outlives the process */
        check_minute(world, shop, hooks[0], 3, 1, 0, 0);
        check_minute(world, shop, hooks[1], 3, 0, 2, 1);
        check_minute(world, shop, 0, 4, 1, 2, 1);
        check_minute(world, blog, 0, 2, 0, 0, 0);
        check_minute(world, 0, 0, 6, 1, 2, 1);
        world_reopen(world);
    }
}

static void
each_minute_and_each_hour_has_its_own(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct stats_look look;
    world_advance(world, HOUR_MS - START_MS % HOUR_MS); /* a whole hour */
    for (int minute = 0; minute < 3; minute++) {
        uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
        settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
        if (minute < 2)
            world_advance(world, MINUTE_MS);
    }
    world_advance(world, HOUR_MS);
    append(world, shop, EVENT_CLICK, 5, &hook, 1);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(look_at_stats(world, &look, shop, hook,
                                       last_steps(world, FIGURES_MINUTE, 63)),
                         0);
        assert_int_equal(look.n, 4);
        for (int minute = 0; minute < 3; minute++)
            check(&look.steps[minute], 1, 1, 0, 0);
        check(&look.steps[62], 5, 0, 0, 0);
        assert_int_equal(
            look_at_stats(world, &look, shop, hook, last_steps(world, FIGURES_HOUR, 2)),
            0);
        assert_int_equal(look.n, 2);
        check(&look.steps[0], 3, 3, 0, 0);
        check(&look.steps[1], 5, 0, 0, 0);
        world_reopen(world);
    }
}

static void
how_long_attempts_took_is_known(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 100, &hook, 1);
    for (uint64_t i = 0; i < 100; i++) {
        struct store_result result = result_of(key + i, hook, 1, CALL_SUCCEEDED, 0);
        result.attempt.duration_us = i < 95 ? 20000 : 3000000;
        struct store_settle op = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
        assert_int_equal(world_run(world, &op.op), 0);
        if (i == 50)
            world_reopen(world);
    }
    struct stats_look look;
    assert_int_equal(
        look_at_stats(world, &look, shop, 0, last_steps(world, FIGURES_MINUTE, 60)), 0);
    assert_in_range(figures_percentile(&look.sum, 500), 18000, 22000);
    assert_in_range(figures_percentile(&look.sum, 950), 18000, 22000);
    assert_in_range(figures_percentile(&look.sum, 990), 2700000, 3300000);
    assert_int_equal(look.sum.max_us, 3000000);
}

static void
what_was_refused_counts_nothing(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    const struct store_event event = {EVENT_CLICK, SLICE("s"), SLICE("{}")};
    struct store_event events[] = {event, event, event};
    struct store_new_call calls[] = {{0, hook}, {1, hook}, {2, hook}};
    struct store_append op = {
        .op.kind = STORE_APPEND,
        .channel = shop,
        .config = world->config,
        .events = events,
        .n_events = ARRAY_LEN(events),
        .calls = calls,
        .n_calls = ARRAY_LEN(calls),
    };
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    world->backend->fill_disk(world);
    assert_int_equal(world_run(world, &op.op), E_FULL);
    world->backend->fill_disk(world);
    struct store_result result = result_of(key, hook, 1, CALL_SUCCEEDED, 0);
    struct store_settle settle_op = {
        .op.kind = STORE_SETTLE, .results = &result, .n = 1};
    assert_int_equal(world_run(world, &settle_op.op), E_FULL);
    check_minute(world, shop, hook, 1, 0, 0, 0);
    check_heights(world, shop, hook, FIGURES_MINUTE, (uint64_t[]){0, 1}, 2);
    world_await_room(world, DISK_ROOM);
    world_advance(world, MINUTE_MS);
    check_heights(world, shop, 0, FIGURES_MINUTE, (uint64_t[]){0, 1, 1}, 3);
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, MINUTE_MS);
    check_heights(world, 0, 0, FIGURES_MINUTE, (uint64_t[]){0, 1, 1, 0}, 4);
    check_minute(world, shop, hook, 1, 1, 0, 0);
    check_minute(world, shop, 0, 1, 1, 0, 0);
}

static void
what_waits_and_since_when_is_told(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    struct store_steps steps = last_steps(world, FIGURES_MINUTE, 1);
    struct stats_look look;
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    assert_int_equal(look.stats.backlog.waiting, 0);
    assert_int_equal(look.stats.backlog.oldest_due_ms, MSEC_NEVER);

    uint64_t key = append(world, shop, EVENT_CLICK, 2, &hooks[0], 1);
    world_advance(world, 5);
    append(world, shop, EVENT_CLICK, 1, &hooks[1], 1);
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    assert_int_equal(look.stats.backlog.waiting, 3);
    assert_int_equal(look.stats.backlog.oldest_due_ms, START_MS);
    assert_int_equal(look_at_stats(world, &look, shop, hooks[1], steps), 0);
    assert_int_equal(look.stats.backlog.waiting, 1);
    assert_int_equal(look.stats.backlog.oldest_due_ms, START_MS + 5);
    assert_int_equal(look_at_stats(world, &look, 0, 0, steps), 0);
    assert_int_equal(look.stats.backlog.waiting, 3);

    /* What is to be tried later is not due; what is held neither. */
    settle(world, key, hooks[0], 1, CALL_WAITING, START_MS + HOUR_MS);
    settle(world, key + 1, hooks[0], 1, CALL_WAITING, START_MS + HOUR_MS);
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    assert_int_equal(look.stats.backlog.oldest_due_ms, START_MS + 5);
    change_webhook(world, shop, hooks[1], DISABLE);
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    assert_int_equal(look.stats.backlog.waiting, 2);
    assert_int_equal(look.stats.backlog.held, 1);
    assert_int_equal(look.stats.backlog.oldest_due_ms, MSEC_NEVER);
    world_advance(world, HOUR_MS);
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    assert_int_equal(look.stats.backlog.oldest_due_ms, START_MS + HOUR_MS);
}

static void
the_backlog_of_a_step_is_the_most_that_waited_in_it(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), blog = put_channel(world, "blog");
    uint64_t hook = put_webhook(world, shop), other = put_webhook(world, blog);
    world_advance(world, HOUR_MS - START_MS % HOUR_MS + MINUTE_MS);
    append(world, blog, EVENT_CLICK, 1, &other, 1);
    uint64_t key = append(world, shop, EVENT_CLICK, 5, &hook, 1);
    world_advance(world, 3 * MINUTE_MS); /* in which nothing moves it */
    settle(world, key, hook, 1, CALL_SUCCEEDED, 0);
    settle(world, key + 1, hook, 1, CALL_FAILED, 0);
    settle(world, key + 2, hook, 1, CALL_WAITING, world_now(world) + HOUR_MS);
    world_advance(world, MINUTE_MS);
    change_webhook(world, shop, hook, DISABLE); /* what is held is behind, too */
    world_advance(world, MINUTE_MS);
    assert_int_equal(retry(world, shop, key + 1, hook, world_now(world)), 0);
    settle(world, key + 3, hook, 1, CALL_SUCCEEDED, 0);
    world_advance(world, MINUTE_MS);
    for (int i = 0; i < 2; i++) { /* and it outlives the process */
        check_heights(world, shop, hook, FIGURES_MINUTE,
                      (uint64_t[]){0, 5, 5, 5, 5, 3, 4, 3}, 8);
        check_heights(world, shop, 0, FIGURES_MINUTE,
                      (uint64_t[]){0, 5, 5, 5, 5, 3, 4, 3}, 8);
        check_heights(world, blog, 0, FIGURES_MINUTE,
                      (uint64_t[]){0, 1, 1, 1, 1, 1, 1, 1}, 8);
        check_heights(world, 0, 0, FIGURES_MINUTE, (uint64_t[]){0, 6, 6, 6, 6, 4, 5, 4},
                      8);
        check_heights(world, 0, 0, FIGURES_HOUR, (uint64_t[]){0, 6}, 2);
        world_reopen(world);
    }
}

static void
what_waited_for_a_deleted_webhook_waits_no_more(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    append(world, shop, EVENT_CLICK, 3, hooks, 2);
    world_advance(world, MINUTE_MS);
    change_webhook(world, shop, hooks[0], DELETE);
    append(world, shop, EVENT_CLICK, 1, NULL, 0); /* with which the deletion ends */
    world_advance(world, MINUTE_MS);
    for (int i = 0; i < 2; i++) {
        check_heights(world, shop, 0, FIGURES_MINUTE, (uint64_t[]){0, 6, 6, 3}, 4);
        check_heights(world, 0, 0, FIGURES_MINUTE, (uint64_t[]){0, 6, 6, 3}, 4);
        world_reopen(world);
    }
    delete_channel(world, shop, "shop");
    put_channel(world, "blog");
    world_advance(world, MINUTE_MS);
    world_reopen(world);
    check_heights(world, 0, 0, FIGURES_MINUTE, (uint64_t[]){0}, 1);
}

static void
what_is_deleted_has_no_figures(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), blog = put_channel(world, "blog");
    uint64_t hook = put_webhook(world, shop), other = put_webhook(world, blog);
    struct store_steps steps = last_steps(world, FIGURES_HOUR, 2);
    struct stats_look look;
    append(world, shop, EVENT_CLICK, 2, &hook, 1);
    append(world, blog, EVENT_CLICK, 1, &other, 1);
    assert_int_equal(look_at_stats(world, &look, shop, other, steps), E_NOT_FOUND);
    assert_int_equal(look_at_stats(world, &look, shop, 77, steps), E_NOT_FOUND);
    assert_int_equal(look_at_stats(world, &look, 77, 0, steps), E_NOT_FOUND);
    change_webhook(world, shop, hook, DELETE);
    assert_int_equal(look_at_stats(world, &look, shop, hook, steps), E_NOT_FOUND);
    assert_int_equal(look_at_stats(world, &look, shop, 0, steps), 0);
    check(&look.sum, 2, 0, 0, 0); /* that they came stays true */
    delete_channel(world, blog, "blog");
    assert_int_equal(look_at_stats(world, &look, blog, 0, steps), E_NOT_FOUND);
    assert_int_equal(look_at_stats(world, &look, blog, other, steps), E_NOT_FOUND);
    assert_int_equal(look_at_stats(world, &look, 0, 0, steps), 0);
    check(&look.sum, 3, 0, 0, 0);
}

static void
minutes_are_kept_for_hours_and_hours_for_weeks(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct stats_look look;
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    struct store_steps minutes = last_steps(world, FIGURES_MINUTE, 2);
    struct store_steps hours = last_steps(world, FIGURES_HOUR, 2);
    world_advance(world, FIGURES_MINUTES_MS - MINUTE_MS);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(look_at_stats(world, &look, shop, hook, minutes), 0);
    check(&look.sum, 1, 0, 0, 0);
    world_advance(world, 3 * MINUTE_MS);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(look_at_stats(world, &look, shop, hook, minutes), 0);
    assert_int_equal(look.n, 0);
    assert_int_equal(look_at_stats(world, &look, shop, hook, hours), 0);
    check(&look.sum, 1, 0, 0, 0);
    world_advance(world, FIGURES_HOURS_MS);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    assert_int_equal(look_at_stats(world, &look, shop, hook, hours), 0);
    assert_int_equal(look.n, 0);
}

/* ---- of each webhook ---- */

struct each_look {
    struct store_webhook_stats stats;
    struct figures figures[64];
    struct store_backlog backlogs[64];
    size_t n;
};

static void
see_webhook(struct store_webhook_stats *stats, size_t i, const struct figures *figures,
            const struct store_backlog *backlog)
{
    struct each_look *look = container_of(stats, struct each_look, stats);
    assert_int_equal(i, look->n);
    look->figures[look->n] = *figures;
    look->backlogs[look->n++] = *backlog;
}

static int
look_at_each(struct world *world, struct each_look *look, uint64_t channel,
             const uint64_t *webhooks, size_t n, struct store_steps steps)
{
    *look = (struct each_look){.stats = {.op.kind = STORE_WEBHOOK_STATS,
                                         .channel = channel,
                                         .webhooks = webhooks,
                                         .n = n,
                                         .steps = steps,
                                         .each = see_webhook}};
    return world_run(world, &look->stats.op);
}

static void
each_webhook_has_its_sum_and_its_backlog(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), blog = put_channel(world, "blog");
    uint64_t hooks[4];
    struct each_look look;
    for (size_t i = 0; i < 3; i++)
        hooks[i] = put_webhook(world, shop);
    hooks[3] = put_webhook(world, blog);
    append(world, blog, EVENT_CLICK, 1, &hooks[3], 1);
    uint64_t key = append(world, shop, EVENT_CLICK, 2, hooks, 2);
    settle(world, key, hooks[0], 1, CALL_SUCCEEDED, 0);
    world_advance(world, 2 * MINUTE_MS);
    append(world, shop, EVENT_CLICK, 1, hooks, 2);
    settle(world, key, hooks[1], 1, CALL_FAILED, 0);
    change_webhook(world, shop, hooks[1], DISABLE);

    assert_int_equal(look_at_each(world, &look, shop, hooks, 4,
                                  last_steps(world, FIGURES_MINUTE, 60)),
                     0);
    assert_int_equal(look.stats.n_done, 4);
    assert_int_equal(look.n, 4);
    check(&look.figures[0], 3, 1, 0, 0);
    check(&look.figures[1], 3, 0, 1, 1);
    check(&look.figures[2], 0, 0, 0, 0);
    check(&look.figures[3], 0, 0, 0, 0); /* another channel's */
    assert_int_equal(look.backlogs[0].waiting, 2);
    assert_int_equal(look.backlogs[0].oldest_due_ms, START_MS);
    assert_int_equal(look.backlogs[1].waiting, 0);
    assert_int_equal(look.backlogs[1].held, 2);
    assert_int_equal(look.backlogs[1].oldest_due_ms, MSEC_NEVER);
    assert_int_equal(look.backlogs[3].waiting, 0);
    assert_int_equal(
        look_at_each(world, &look, 77, hooks, 4, last_steps(world, FIGURES_MINUTE, 60)),
        E_NOT_FOUND);
}

static void
one_read_looks_at_so_many_steps_and_no_more(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[40];
    struct each_look look;
    for (size_t i = 0; i < ARRAY_LEN(hooks); i++)
        hooks[i] = put_webhook(world, shop);
    size_t n = STORE_STATS_MAX / 30;
    assert_int_equal(
        look_at_each(world, &look, shop, hooks, 40, last_steps(world, FIGURES_HOUR, n)),
        0);
    assert_int_equal(look.stats.n_done, 30);
    assert_int_equal(look.n, 30);
    assert_int_equal(look_at_each(world, &look, shop, hooks, 40,
                                  last_steps(world, FIGURES_HOUR, STORE_STATS_MAX + 1)),
                     0);
    assert_int_equal(look.n, 1);
}

static const struct CMUnitTest tests[] = {
    TEST(a_webhook_its_channel_and_all_are_counted),
    TEST(each_minute_and_each_hour_has_its_own),
    TEST(how_long_attempts_took_is_known),
    TEST(what_was_refused_counts_nothing),
    TEST(what_waits_and_since_when_is_told),
    TEST(the_backlog_of_a_step_is_the_most_that_waited_in_it),
    TEST(what_waited_for_a_deleted_webhook_waits_no_more),
    TEST(what_is_deleted_has_no_figures),
    TEST(minutes_are_kept_for_hours_and_hours_for_weeks),
    TEST(each_webhook_has_its_sum_and_its_backlog),
    TEST(one_read_looks_at_so_many_steps_and_no_more),
};

const struct contract_part contract_stats = {tests, ARRAY_LEN(tests)};
