/* Every part of the contract, on every backend. */
#include <stdio.h>

#include "contract.h"

static const struct world_backend *const backends[] = {&world_memory, &world_sqlite};
static const struct contract_part *const parts[] = {&contract_config, &contract_calls,
                                                    &contract_order, &contract_lists};

#define TESTS_MAX 200

int
contract_setup(void **state)
{
    const struct world_backend *const *backend = *state;
    struct world *world = world_new(*backend);
    world_open(world);
    *state = world;
    return 0;
}

int
contract_teardown(void **state)
{
    world_free(*state);
    return 0;
}

int
main(void)
{
    static struct CMUnitTest tests[TESTS_MAX];
    static char names[TESTS_MAX][120];
    static const struct world_backend *of[TESTS_MAX];
    size_t n = 0;
    for (size_t b = 0; b < ARRAY_LEN(backends); b++)
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            for (size_t t = 0; t < parts[p]->n && n < TESTS_MAX; t++, n++) {
                tests[n] = parts[p]->tests[t];
                snprintf(names[n], sizeof(names[n]), "%s: %s", backends[b]->name,
                         tests[n].name);
                tests[n].name = names[n];
                of[n] = backends[b];
                tests[n].initial_state = &of[n];
            }
    return _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
}
