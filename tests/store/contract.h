/* The contract suite's parts: each a list of tests that any backend passes. */
#pragma once

#include "world.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

struct contract_part {
    const struct CMUnitTest *tests;
    size_t n;
};

extern const struct contract_part contract_config, contract_calls, contract_order,
    contract_lists, contract_touch, contract_registry, contract_registry_lists,
    contract_retention, contract_jobs, contract_feed, contract_stats, contract_notices;
