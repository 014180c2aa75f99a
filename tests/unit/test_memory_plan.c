/* One number for all the memory: what each part gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/serve_memory.h"

#define MIB(n) ((uint64_t)(n) << 20)

/* More than this may not be taken up by what is counted, at 64 KiB an attempt and 32
 * KiB a client. */
static uint64_t
taken(const struct memory_plan *plan, unsigned senders)
{
    return 2 * plan->ingest + plan->cache + plan->connections * (32 << 10) +
           senders * (plan->sender + plan->slots * (64 << 10));
}

static void
the_parts_stay_a_fifth_below_the_number(void **state)
{
    struct err err;

    (void)state;
    for (uint64_t mib = 64; mib <= 1 << 20; mib = mib * 3 / 2) {
        struct memory_plan plan = {0};
        assert_int_equal(memory_plan_make(&plan, MIB(mib), 7, 2, &err), 0);
        assert_true(taken(&plan, 2) <= MIB(mib) / 5 * 4);
        assert_true(plan.ingest >= MIB(1) && plan.sender >= MIB(1));
        assert_true(plan.slots <= 2048);
    }
}

static void
more_memory_is_never_less_for_a_part(void **state)
{
    struct memory_plan before = {0};
    struct err err;

    (void)state;
    for (uint64_t mib = 64; mib <= 4096; mib += 64) {
        struct memory_plan plan = {0};
        assert_int_equal(memory_plan_make(&plan, MIB(mib), 7, 2, &err), 0);
        assert_true(plan.ingest >= before.ingest && plan.sender >= before.sender);
        assert_true(plan.cache >= before.cache && plan.slots >= before.slots);
        assert_true(plan.connections >= before.connections);
        before = plan;
    }
}

static void
what_was_said_holds(void **state)
{
    struct memory_plan plan = {.ingest = MIB(3), .slots = 11};
    struct err err;

    (void)state;
    assert_int_equal(memory_plan_make(&plan, MIB(256), 7, 2, &err), 0);
    assert_int_equal(plan.ingest, MIB(3));
    assert_int_equal(plan.slots, 11);
}

static void
too_little_is_refused_with_what_would_do(void **state)
{
    struct memory_plan plan = {0};
    struct memory_plan greedy = {.ingest = MIB(1000)};
    struct err err;

    (void)state;
    assert_int_equal(memory_plan_make(&plan, MIB(32), 40, 32, &err), E_INVALID);
    assert_non_null(strstr(err.text, "expected at least"));
    assert_int_equal(memory_plan_make(&greedy, MIB(512), 7, 2, &err), E_INVALID);
    assert_non_null(strstr(err.text, "expected at least 2"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_parts_stay_a_fifth_below_the_number),
        cmocka_unit_test(more_memory_is_never_less_for_a_part),
        cmocka_unit_test(what_was_said_holds),
        cmocka_unit_test(too_little_is_refused_with_what_would_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
