/* Every part of the contract, on every backend. */
#include <stdio.h>

#include "contract.h"

static struct world_backend *const backends[] = {&world_memory, &world_sqlite};
static const struct contract_part *const parts[] = {
    &contract_config, &contract_calls,    &contract_order,          &contract_lists,
    &contract_touch,  &contract_registry, &contract_registry_lists, &contract_retention,
    &contract_feed,   &contract_jobs,     &contract_stats,          &contract_notices};

#define TESTS_MAX 400

int
main(void)
{
    static struct CMUnitTest tests[TESTS_MAX];
    static char names[TESTS_MAX][120];
    size_t n = 0;
    for (size_t b = 0; b < ARRAY_LEN(backends); b++)
        for (size_t p = 0; p < ARRAY_LEN(parts); p++)
            for (size_t t = 0; t < parts[p]->n && n < TESTS_MAX; t++, n++) {
                tests[n] = parts[p]->tests[t];
                snprintf(names[n], sizeof(names[n]), "%s: %s", backends[b]->name,
                         tests[n].name);
                tests[n].name = names[n];
                tests[n].initial_state = backends[b];
            }
    return _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
}
