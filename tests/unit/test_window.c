#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "send/window.h"

static void
nobody_wants_and_nobody_is_taken(void **state)
{
    (void)state;
    struct window_pool pool;
    struct window a;
    window_pool_init(&pool, 10);
    window_init(&a, 5);
    assert_null(window_take(&pool));
    window_want(&pool, &a, false);
    assert_null(window_take(&pool));
    window_fini(&pool, &a);
}

static void
turns_go_round(void **state)
{
    (void)state;
    struct window_pool pool;
    struct window w[3];
    window_pool_init(&pool, 100);
    for (size_t i = 0; i < 3; i++) {
        window_init(&w[i], 10);
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
    struct window_pool pool;
    struct window a, b;
    window_pool_init(&pool, 100);
    window_init(&a, 1);
    window_init(&b, 3);
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
    struct window_pool pool;
    struct window a, b;
    window_pool_init(&pool, 100);
    window_init(&a, 10);
    window_init(&b, 10);
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
    struct window_pool pool;
    struct window a, b;
    window_pool_init(&pool, 100);
    window_init(&a, 2);
    window_init(&b, 2);
    window_want(&pool, &a, true);
    window_take(&pool);
    window_take(&pool);
    window_fini(&pool, &a);
    assert_null(window_take(&pool));
    window_give(&pool, &a);
    window_give(&pool, &a);
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
    struct window_pool pool;
    struct window hogs[HOGS], late;
    window_pool_init(&pool, SIZE);
    for (size_t i = 0; i < HOGS; i++) {
        window_init(&hogs[i], SIZE);
        window_want(&pool, &hogs[i], true);
    }
    while (window_take(&pool))
        ;
    for (size_t i = 0; i < HOGS; i++)
        assert_in_range(hogs[i].in_flight, 99, 101);
    assert_in_range(pool.in_flight, SIZE - 101, SIZE - 99);

    window_init(&late, 32); /* starts at once, up to its own window */
    window_want(&pool, &late, true);
    for (size_t i = 0; i < 32; i++)
        assert_ptr_equal(window_take(&pool), &late);
    assert_null(window_take(&pool));
}

static void
more_slow_ones_than_slots_leave_an_eighth_to_the_others(void **state)
{
    (void)state;
    struct window_pool pool;
    struct window slow[100], quick;
    window_pool_init(&pool, 64);
    for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
        window_init(&slow[i], 8);
        window_slow(&pool, &slow[i], true);
        window_want(&pool, &slow[i], true);
    }
    while (window_take(&pool))
        ;
    assert_int_equal(pool.in_flight, 64 - 8);

    window_init(&quick, 8);
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
    struct window_pool pool;
    struct window hog, b, c;
    window_pool_init(&pool, 8);
    window_init(&hog, 8);
    window_init(&b, 8);
    window_init(&c, 8);
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
    struct window_pool pool;
    struct window w[5];
    window_pool_init(&pool, 1);
    for (size_t i = 0; i < 5; i++) {
        window_init(&w[i], 4);
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
    struct window_pool pool;
    struct window a;
    window_pool_init(&pool, 4 * WINDOW_MAX);
    window_init(&a, 3 * WINDOW_MAX);
    window_want(&pool, &a, true);
    for (unsigned i = 0; i < WINDOW_MAX; i++)
        assert_ptr_equal(window_take(&pool), &a);
    assert_null(window_take(&pool));
}

/* ---- against the rule itself, at random ---- */

enum { CROWD = 40, CROWD_SIZE = 64 };

static bool
may_start(const struct window_pool *pool, const struct window *window)
{
    return window->wants && window->in_flight < window->max &&
           window->in_flight < pool->size - pool->in_flight;
}

static bool
anybody_may_start(const struct window_pool *pool, const struct window *w)
{
    for (size_t i = 0; i < CROWD; i++) {
        if (may_start(pool, &w[i]))
            return true;
    }
    return false;
}

static void
step(struct window_pool *pool, struct window *w, struct rng *rng)
{
    size_t i = rng_below(rng, CROWD);
    switch (rng_below(rng, 4)) {
    case 0:
        window_want(pool, &w[i], rng_below(rng, 3) != 0);
        break;
    case 1:
        if (w[i].in_flight > 0)
            window_give(pool, &w[i]);
        break;
    default: {
        struct window before[CROWD];
        memcpy(before, w, sizeof(before));
        unsigned in_flight = pool->in_flight;
        bool expected = anybody_may_start(pool, w);
        struct window *taken = window_take(pool);
        assert_int_equal(taken != NULL, expected);
        if (!taken)
            break;
        size_t at = (size_t)(taken - w);
        assert_true(before[at].wants);
        assert_true(before[at].in_flight < before[at].max);
        assert_true(before[at].in_flight < CROWD_SIZE - in_flight);
        break;
    }
    }
}

static void
at_random_the_rule_holds_after_every_step(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct window_pool pool;
        struct window w[CROWD];
        struct rng_seeded seeded;

        rng_seeded_init(&seeded, seed);
        window_pool_init(&pool, CROWD_SIZE);
        for (size_t i = 0; i < CROWD; i++)
            window_init(&w[i], 1 + (unsigned)rng_below(&seeded.rng, 12));
        for (int n = 0; n < 4000; n++) {
            step(&pool, w, &seeded.rng);
            unsigned sum = 0;
            for (size_t i = 0; i < CROWD; i++)
                sum += w[i].in_flight;
            assert_int_equal(sum, pool.in_flight);
            assert_true(sum <= CROWD_SIZE);
        }
    }
}

/* Everybody is busy, each for another while: nobody waits for more than a few rounds.
 */
static void
nobody_starves(void **state)
{
    (void)state;
    struct window_pool pool;
    struct window w[CROWD];
    unsigned starts[CROWD] = {0};
    struct rng_seeded seeded;

    rng_seeded_init(&seeded, 11);
    window_pool_init(&pool, CROWD_SIZE);
    for (size_t i = 0; i < CROWD; i++) {
        window_init(&w[i], 32);
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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_wants_and_nobody_is_taken),
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(a_shut_window_is_passed_over_until_it_opens),
        cmocka_unit_test(one_without_work_gets_no_turn),
        cmocka_unit_test(slots_come_back_after_the_end),
        cmocka_unit_test(hogs_leave_a_share_free),
        cmocka_unit_test(more_slow_ones_than_slots_leave_an_eighth_to_the_others),
        cmocka_unit_test(one_that_was_passed_over_has_not_lost_its_turn),
        cmocka_unit_test(a_pool_of_one_slot_serves_everybody_in_turn),
        cmocka_unit_test(a_window_beyond_the_greatest_is_cut),
        cmocka_unit_test(at_random_the_rule_holds_after_every_step),
        cmocka_unit_test(nobody_starves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
