#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/map.h"
#include "base/rng.h"

#define KEYS 512

static void
a_map_agrees_with_an_array_over_random_changes(void **state)
{
    (void)state;
    static int things[KEYS];
    void *model[KEYS] = {0};
    size_t n = 0;
    struct map map;
    struct rng_seeded rng;
    rng_seeded_init(&rng, 3);
    map_init(&map);
    for (int i = 0; i < 100000; i++) {
        uint64_t key = rng_below(&rng.rng, KEYS);
        if (rng_below(&rng.rng, 2)) {
            n += model[key] == NULL;
            model[key] = &things[key];
            map_put(&map, key, key * 3, &things[key]);
        } else {
            assert_ptr_equal(map_remove(&map, key, key * 3), model[key]);
            n -= model[key] != NULL;
            model[key] = NULL;
        }
        assert_int_equal(map.n, n);
    }
    for (uint64_t key = 0; key < KEYS; key++)
        assert_ptr_equal(map_get(&map, key, key * 3), model[key]);
    size_t at = 0, seen = 0;
    while (map_next(&map, &at))
        seen++;
    assert_int_equal(seen, n);
    map_fini(&map);
}

static void
both_halves_of_a_pair_count(void **state)
{
    (void)state;
    int one, two;
    struct map map;
    map_init(&map);
    assert_null(map_get(&map, 1, 2));
    map_put(&map, 1, 2, &one);
    map_put(&map, 2, 1, &two);
    assert_ptr_equal(map_get(&map, 1, 2), &one);
    assert_ptr_equal(map_get(&map, 2, 1), &two);
    assert_null(map_get(&map, 1, 1));
    map_fini(&map);
}

static void
a_string_map_agrees_with_an_array_over_random_changes(void **state)
{
    (void)state;
    static char names[KEYS][16];
    bool model[KEYS] = {0};
    struct smap map;
    struct rng_seeded rng;
    rng_seeded_init(&rng, 4);
    smap_init(&map);
    for (size_t i = 0; i < KEYS; i++)
        snprintf(names[i], sizeof(names[i]), "%zu", i * i);
    for (int i = 0; i < 100000; i++) {
        size_t key = rng_below(&rng.rng, KEYS);
        struct slice name = slice_of(names[key]);
        if (rng_below(&rng.rng, 2)) {
            smap_put(&map, name, names[key]);
            model[key] = true;
        } else {
            assert_ptr_equal(smap_remove(&map, name), model[key] ? names[key] : NULL);
            model[key] = false;
        }
    }
    for (size_t key = 0; key < KEYS; key++)
        assert_ptr_equal(smap_get(&map, slice_of(names[key])),
                         model[key] ? names[key] : NULL);
    smap_fini(&map);
}

static void
a_hash_depends_on_every_byte(void **state)
{
    (void)state;
    char text[64] = {0};
    for (size_t n = 1; n <= sizeof(text); n++) {
        uint64_t before = hash_bytes(text, n);
        assert_true(before == hash_bytes(text, n));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            assert_true(before != hash_bytes(text, n));
            text[i] ^= 1;
        }
        assert_true(before != hash_bytes(text, n - 1));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_agrees_with_an_array_over_random_changes),
        cmocka_unit_test(both_halves_of_a_pair_count),
        cmocka_unit_test(a_string_map_agrees_with_an_array_over_random_changes),
        cmocka_unit_test(a_hash_depends_on_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
