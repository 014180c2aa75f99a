#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define DAY_US ((usec_t)86400 * 1000000)

static void
steady_time_starts_as_wall_time(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1800000000000);
    clock_anchor(&manual.clock, 0);
    assert_int_equal(clock_steady_ms(&manual.clock), 1800000000000);
}

static void
setting_the_wall_clock_moves_no_steady_time(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1800000000000);
    clock_anchor(&manual.clock, 0);
    manual.wall += DAY_US;
    clock_manual_advance(&manual, 5000);
    assert_int_equal(clock_steady_ms(&manual.clock), 1800000000005);
    manual.wall -= 2 * DAY_US;
    clock_manual_advance(&manual, 5000);
    assert_int_equal(clock_steady_ms(&manual.clock), 1800000000010);
}

static void
a_start_after_the_clock_went_back_goes_on_from_the_latest_time_on_disk(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 1800000000000);
    clock_anchor(&manual.clock, 1800000086400);
    assert_int_equal(clock_steady_ms(&manual.clock), 1800000086400);
    clock_manual_advance(&manual, 1000000);
    assert_int_equal(clock_steady_ms(&manual.clock), 1800000087400);
}

static void
the_systems_clock_goes_forward(void **state)
{
    (void)state;
    usec_t a = clock_mono_us(&clock_system);
    usec_t b = clock_mono_us(&clock_system);
    assert_true(b >= a && a > 0);
    assert_true(clock_wall_us(&clock_system) > (usec_t)1700000000 * 1000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steady_time_starts_as_wall_time),
        cmocka_unit_test(setting_the_wall_clock_moves_no_steady_time),
        cmocka_unit_test(
            a_start_after_the_clock_went_back_goes_on_from_the_latest_time_on_disk),
        cmocka_unit_test(the_systems_clock_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
