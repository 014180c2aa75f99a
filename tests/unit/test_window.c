#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/rng.h"
#include "send/window.h"

#define GROUPS_MAX 128

static struct window_group groups[GROUPS_MAX];
static size_t n_groups;
static struct window_pool pool;

static int
begin(void **state)
{
    (void)state;
    n_groups = 0;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    window_pool_fini(&pool);
    while (n_groups > 0)
        free(groups[--n_groups].parked);
    return 0;
}

static struct window_group *
group_new(void)
{
    assert_true(n_groups < GROUPS_MAX);
    window_group_init(&groups[n_groups]);
    return &groups[n_groups++];
}

/* A window that is wide open, the only one of its channel. */
static void
open_window(struct window *window, unsigned max)
{
    window_init(window, group_new(), max, max);
}

static void
nobody_wants_and_nobody_is_taken(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 10, WINDOW_MAX);
    open_window(&a, 5);
    assert_null(window_take(&pool));
    window_want(&pool, &a, false);
    assert_null(window_take(&pool));
    window_fini(&pool, &a);
}

static void
turns_go_round(void **state)
{
    (void)state;
    struct window w[3];
    window_pool_init(&pool, 100, WINDOW_MAX);
    for (size_t i = 0; i < 3; i++) {
        open_window(&w[i], 10);
        window_want(&pool, &w[i], true);
        window_want(&pool, &w[i], true); /* saying it twice changes nothing */
    }
    for (size_t i = 0; i < 12; i++)
        assert_ptr_equal(window_take(&pool), &w[i % 3]);
    assert_int_equal(pool.in_flight, 12);
    assert_int_equal(w[1].in_flight, 4);
}

static void
a_shut_window_is_passed_over_until_it_opens(void **state)
{
    (void)state;
    struct window a, b;
    window_pool_init(&pool, 100, WINDOW_MAX);
    open_window(&a, 1);
    open_window(&b, 3);
    window_want(&pool, &a, true);
    window_want(&pool, &b, true);

    assert_ptr_equal(window_take(&pool), &a);
    assert_ptr_equal(window_take(&pool), &b);
    assert_ptr_equal(window_take(&pool), &b);
    assert_ptr_equal(window_take(&pool), &b);
    assert_null(window_take(&pool));
    window_give(&pool, &a);
    assert_ptr_equal(window_take(&pool), &a);
    assert_null(window_take(&pool));
}

static void
one_without_work_gets_no_turn(void **state)
{
    (void)state;
    struct window a, b;
    window_pool_init(&pool, 100, WINDOW_MAX);
    open_window(&a, 10);
    open_window(&b, 10);
    window_want(&pool, &a, true);
    window_want(&pool, &b, true);

    assert_ptr_equal(window_take(&pool), &a);
    window_want(&pool, &b, false);
    assert_ptr_equal(window_take(&pool), &a);
    window_want(&pool, &b, true);
    assert_ptr_equal(window_take(&pool), &a);
    assert_ptr_equal(window_take(&pool), &b);
    window_want(&pool, &a, false);
    window_give(&pool, &a); /* ends without wanting more */
    assert_ptr_equal(window_take(&pool), &b);
}

static void
slots_come_back_after_the_end(void **state)
{
    (void)state;
    struct window a, b;
    window_pool_init(&pool, 100, WINDOW_MAX);
    open_window(&a, 2);
    open_window(&b, 2);
    window_want(&pool, &a, true);
    window_take(&pool);
    window_take(&pool);
    window_want(&pool, &a, false);
    assert_null(window_take(&pool));
    window_give(&pool, &a);
    window_give(&pool, &a);
    window_fini(&pool, &a);
    assert_int_equal(pool.in_flight, 0);
    assert_null(window_take(&pool));
    window_want(&pool, &b, true);
    assert_ptr_equal(window_take(&pool), &b);
}

/* n hogs level out at size / (n + 1) and leave as much free. */
static void
hogs_leave_a_share_free(void **state)
{
    (void)state;
    enum { HOGS = 7, SIZE = 800 };
    struct window hogs[HOGS], late;
    window_pool_init(&pool, SIZE, WINDOW_MAX);
    for (size_t i = 0; i < HOGS; i++) {
        open_window(&hogs[i], SIZE);
        window_want(&pool, &hogs[i], true);
    }
    while (window_take(&pool))
        ;
    for (size_t i = 0; i < HOGS; i++)
        assert_in_range(hogs[i].in_flight, 99, 101);
    assert_in_range(pool.in_flight, SIZE - 101, SIZE - 99);

    open_window(&late, 32); /* starts at once, up to its own window */
    window_want(&pool, &late, true);
    for (size_t i = 0; i < 32; i++)
        assert_ptr_equal(window_take(&pool), &late);
    assert_null(window_take(&pool));
}

static void
more_slow_ones_than_slots_leave_an_eighth_to_the_others(void **state)
{
    (void)state;
    struct window slow[100], quick;
    window_pool_init(&pool, 64, WINDOW_MAX);
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        open_window(&slow[i], 8);
        window_slow(&pool, &slow[i], true);
        window_want(&pool, &slow[i], true);
    }
    while (window_take(&pool))
        ;
    assert_int_equal(pool.in_flight, 64 - 8);

    open_window(&quick, 8);
    window_want(&pool, &quick, true);
    assert_ptr_equal(window_take(&pool), &quick);
    assert_ptr_equal(window_take(&pool), &quick);

    /* Those that become quick again are held back no longer. */
    size_t parked = 0;
    while (!slow[parked].parked)
        parked++;
    window_want(&pool, &quick, false);
    window_slow(&pool, &slow[parked], false);
    assert_ptr_equal(window_take(&pool), &slow[parked]);
    window_slow(&pool, &slow[parked], true);
    window_give(&pool, &slow[parked]);
    assert_null(window_take(&pool));
}

static void
one_that_was_passed_over_has_not_lost_its_turn(void **state)
{
    (void)state;
    struct window hog, b, c;
    window_pool_init(&pool, 8, WINDOW_MAX);
    open_window(&hog, 8);
    open_window(&b, 8);
    open_window(&c, 8);
    window_want(&pool, &hog, true);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(window_take(&pool), &hog);
    assert_null(window_take(&pool)); /* holds 4, and 4 are free */

    window_want(&pool, &b, true);
    window_want(&pool, &c, true);
    assert_ptr_equal(window_take(&pool), &b);
    assert_ptr_equal(window_take(&pool), &c);
    window_give(&pool, &b);
    window_give(&pool, &c);
    window_give(&pool, &hog); /* 3 held, 5 free: before the others in the ring */
    assert_ptr_equal(window_take(&pool), &hog);
    assert_ptr_equal(window_take(&pool), &b);
    assert_ptr_equal(window_take(&pool), &c);
}

static void
a_pool_of_one_slot_serves_everybody_in_turn(void **state)
{
    (void)state;
    struct window w[5];
    window_pool_init(&pool, 1, WINDOW_MAX);
    for (size_t i = 0; i < 5; i++) {
        open_window(&w[i], 4);
        window_want(&pool, &w[i], true);
    }
    for (size_t i = 0; i < 20; i++) {
        struct window *window = window_take(&pool);
        assert_ptr_equal(window, &w[i % 5]);
        assert_null(window_take(&pool));
        window_give(&pool, window);
    }
}

static void
a_window_beyond_the_greatest_is_cut(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 4 * WINDOW_MAX, WINDOW_MAX);
    open_window(&a, 3 * WINDOW_MAX);
    window_want(&pool, &a, true);
    for (unsigned i = 0; i < WINDOW_MAX; i++)
        assert_ptr_equal(window_take(&pool), &a);
    assert_null(window_take(&pool));
}

/* ---- against the rule itself, at random ---- */

enum { CROWD = 40, CROWD_SIZE = 64, CROWD_CHANNELS = 5 };

static bool
may_start(const struct window *window)
{
    unsigned free_slots = pool.size - pool.in_flight;
    unsigned slow = window->slow ? pool.reserved : 0;
    return window->wants && window->in_flight < window->limit &&
           window->in_flight + slow < free_slots &&
           window->group->in_flight < WINDOW_GROUP_SHARE * free_slots;
}

static bool
anybody_may_start(const struct window *w)
{
    for (size_t i = 0; i < CROWD; i++) {
        if (may_start(&w[i]))
            return true;
    }
    return false;
}

static void
take_one(const struct window *w)
{
    bool could[CROWD];
    for (size_t i = 0; i < CROWD; i++)
        could[i] = may_start(&w[i]);
    bool expected = anybody_may_start(w);
    const struct window *taken = window_take(&pool);
    assert_int_equal(taken != NULL, expected);
    assert_true(!taken || could[taken - w]);
}

static void
step(struct window *w, struct rng *rng)
{
    struct window *window = &w[rng_below(rng, CROWD)];
    switch (rng_below(rng, 7)) {
    case 0:
        window_want(&pool, window, rng_below(rng, 3) != 0);
        break;
    case 1:
    case 2:
        if (window->in_flight > 0)
            window_give(&pool, window);
        break;
    case 3:
        if (rng_below(rng, 4) == 0)
            window_cut(&pool, window, window->starts);
        else
            window_grow(&pool, window);
        break;
    case 4:
        window_slow(&pool, window, rng_below(rng, 3) == 0);
        break;
    default:
        take_one(w);
        break;
    }
}

static void
crowd_init(struct window *w, struct rng *rng, unsigned max)
{
    struct window_group *channels[CROWD_CHANNELS];
    window_pool_init(&pool, CROWD_SIZE, WINDOW_MAX);
    for (size_t i = 0; i < CROWD_CHANNELS; i++)
        channels[i] = group_new();
    for (size_t i = 0; i < CROWD; i++) {
        unsigned its_max = 1 + (unsigned)rng_below(rng, max);
        window_init(&w[i], channels[rng_below(rng, CROWD_CHANNELS)], its_max,
                    1 + (unsigned)rng_below(rng, its_max));
    }
}

static void
at_random_the_rule_holds_after_every_step(void **state)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct window w[CROWD];
        struct rng_seeded seeded;

        begin(state);
        rng_seeded_init(&seeded, seed);
        crowd_init(w, &seeded.rng, 12);
        for (int n = 0; n < 4000; n++) {
            step(w, &seeded.rng);
            unsigned sum = 0;
            for (size_t i = 0; i < CROWD; i++) {
                sum += w[i].in_flight;
                assert_in_range(w[i].limit, 1, w[i].max);
            }
            assert_int_equal(sum, pool.in_flight);
            assert_true(sum <= CROWD_SIZE);
        }
        end(state);
    }
    window_pool_init(&pool, 1, 1); /* for the end of the test */
}

/* Everybody is busy, each for another while: nobody waits for more than a few rounds.
 */
static void
nobody_starves(void **state)
{
    (void)state;
    struct window w[CROWD];
    unsigned starts[CROWD] = {0};
    struct rng_seeded seeded;

    rng_seeded_init(&seeded, 11);
    window_pool_init(&pool, CROWD_SIZE, WINDOW_MAX);
    for (size_t i = 0; i < CROWD; i++) {
        open_window(&w[i], 32);
        window_want(&pool, &w[i], true);
    }
    for (int n = 0; n < 40000; n++) {
        struct window *taken;
        while ((taken = window_take(&pool)) != NULL)
            starts[taken - w]++;
        size_t i = rng_below(&seeded.rng, CROWD);
        if (w[i].in_flight > 0)
            window_give(&pool, &w[i]);
    }
    for (size_t i = 0; i < CROWD; i++)
        assert_in_range(starts[i], 500, 2000);
}

/* ---- channels ---- */

static void
a_channel_with_many_webhooks_has_one_turn_in_a_round(void **state)
{
    (void)state;
    struct window many[50], one;
    struct window_group *channel = group_new();
    window_pool_init(&pool, 4096, WINDOW_MAX);
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        window_init(&many[i], channel, 32, 32);
        window_want(&pool, &many[i], true);
    }
    open_window(&one, 32);
    window_want(&pool, &one, true);
    for (size_t i = 0; i < 32; i++) {
        assert_ptr_equal(window_take(&pool), &many[i]);
        assert_ptr_equal(window_take(&pool), &one);
    }
}

/* The pool is full of one channel's calls and each slot that comes free is wanted by
 * all: the channel with one webhook gets as far as its window lets it. */
static void
a_thousand_webhooks_of_a_channel_leave_the_slots_of_another(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static struct window many[MANY];
    struct window one;
    struct window_group *channel = group_new();
    struct rng_seeded seeded;

    rng_seeded_init(&seeded, 5);
    window_pool_init(&pool, 2048, 32);
    for (size_t i = 0; i < MANY; i++) {
        window_init(&many[i], channel, 32, 32);
        window_want(&pool, &many[i], true);
    }
    while (window_take(&pool))
        ;
    assert_in_range(channel->in_flight, 2048 * 8 / 9 - 8, 2048 * 8 / 9 + 8);
    open_window(&one, 32);
    window_want(&pool, &one, true);
    for (int i = 0; i < 32; i++)
        assert_ptr_equal(window_take(&pool), &one);
    assert_null(window_take(&pool));
    for (int n = 0; n < 20000; n++) { /* and keeps them */
        size_t i = rng_below(&seeded.rng, MANY + 1);
        struct window *ends = i == MANY ? &one : &many[i];
        if (ends->in_flight > 0)
            window_give(&pool, ends);
        while (window_take(&pool))
            ;
        assert_int_equal(one.in_flight, 32);
    }
}

/* ---- windows that open and shut ---- */

static unsigned
fill(struct window *window)
{
    while (window_take(&pool))
        ;
    return window->in_flight;
}

static void
drain_all(struct window *window)
{
    while (window->in_flight > 0)
        window_give(&pool, window);
}

static void
a_window_opens_by_its_successes(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 1000, WINDOW_MAX);
    window_init(&a, group_new(), 32, 4);
    window_want(&pool, &a, true);
    static const unsigned rounds[] = {4, 8, 16, 32, 32};
    for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
        assert_int_equal(fill(&a), rounds[i]);
        for (unsigned n = rounds[i]; n > 0; n--) {
            window_give(&pool, &a);
            window_grow(&pool, &a);
        }
    }
}

static void
failures_of_one_round_trip_halve_it_once(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 1000, WINDOW_MAX);
    open_window(&a, 32);
    window_want(&pool, &a, true);
    static const unsigned rounds[] = {32, 16, 8, 4, 2, 1, 1, 1};
    for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
        uint32_t first = a.starts + 1;
        assert_int_equal(fill(&a), rounds[i]);
        while (a.in_flight > 0) { /* all of them fail */
            window_give(&pool, &a);
            window_want(&pool, &a, false);
            window_cut(&pool, &a, first++);
            window_want(&pool, &a, true);
        }
    }
}

static void
a_late_failure_from_before_the_cut_does_not_count(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 1000, WINDOW_MAX);
    open_window(&a, 32);
    window_want(&pool, &a, true);
    fill(&a);
    window_cut(&pool, &a, 32);
    assert_int_equal(a.limit, 16);
    window_cut(&pool, &a, 1);
    window_cut(&pool, &a, 32);
    assert_int_equal(a.limit, 16);
    drain_all(&a);
    assert_ptr_equal(window_take(&pool), &a);
    window_cut(&pool, &a, 33);
    assert_int_equal(a.limit, 8);
}

static void
above_half_of_what_it_was_a_window_opens_by_one_a_round_trip(void **state)
{
    (void)state;
    struct window a;
    window_pool_init(&pool, 1000, WINDOW_MAX);
    open_window(&a, 32);
    window_want(&pool, &a, true);
    fill(&a);
    window_cut(&pool, &a, a.starts);
    assert_int_equal(a.limit, 16);
    for (unsigned limit = 16; limit < 32; limit++) {
        for (unsigned n = 0; n < limit; n++) {
            assert_int_equal(a.limit, limit);
            window_grow(&pool, &a);
        }
    }
    assert_int_equal(a.limit, 32);
}

static void
a_dead_receiver_costs_one_slot_and_comes_back_by_steps(void **state)
{
    (void)state;
    struct window dead;
    unsigned successes = 0;
    window_pool_init(&pool, 1000, WINDOW_MAX);
    open_window(&dead, 32);
    window_want(&pool, &dead, true);
    for (int i = 0; i < 10; i++) {
        fill(&dead);
        window_cut(&pool, &dead, dead.starts);
        drain_all(&dead);
    }
    assert_int_equal(fill(&dead), 1);
    while (dead.limit < 32) {
        drain_all(&dead);
        unsigned before = dead.limit;
        unsigned n = fill(&dead);
        successes += n;
        for (; n > 0; n--)
            window_grow(&pool, &dead);
        assert_true(dead.limit <= before + 1);
    }
    assert_int_equal(successes, 31 * 32 / 2);
}

#define WINDOW_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WINDOW_TEST(nobody_wants_and_nobody_is_taken),
        WINDOW_TEST(turns_go_round),
        WINDOW_TEST(a_shut_window_is_passed_over_until_it_opens),
        WINDOW_TEST(one_without_work_gets_no_turn),
        WINDOW_TEST(slots_come_back_after_the_end),
        WINDOW_TEST(hogs_leave_a_share_free),
        WINDOW_TEST(more_slow_ones_than_slots_leave_an_eighth_to_the_others),
        WINDOW_TEST(one_that_was_passed_over_has_not_lost_its_turn),
        WINDOW_TEST(a_pool_of_one_slot_serves_everybody_in_turn),
        WINDOW_TEST(a_window_beyond_the_greatest_is_cut),
        WINDOW_TEST(at_random_the_rule_holds_after_every_step),
        WINDOW_TEST(nobody_starves),
        WINDOW_TEST(a_channel_with_many_webhooks_has_one_turn_in_a_round),
        WINDOW_TEST(a_thousand_webhooks_of_a_channel_leave_the_slots_of_another),
        WINDOW_TEST(a_window_opens_by_its_successes),
        WINDOW_TEST(failures_of_one_round_trip_halve_it_once),
        WINDOW_TEST(a_late_failure_from_before_the_cut_does_not_count),
        WINDOW_TEST(above_half_of_what_it_was_a_window_opens_by_one_a_round_trip),
        WINDOW_TEST(a_dead_receiver_costs_one_slot_and_comes_back_by_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
