/* For tests of one world each: `sim`, made before the test and ended after it. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

static struct sim sim;

static int
start(void **state)
{
    (void)state;
    sim_init(&sim, 1);
    return 0;
}

static int
stop(void **state)
{
    (void)state;
    sim_fini(&sim);
    return 0;
}

#define SIM_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
