#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/rng.h"

#define N 1000

static void
the_smallest_key_is_on_top(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node nodes[N];
    struct rng_seeded rng;
    rng_seeded_init(&rng, 7);
    heap_init(&heap);
    for (size_t i = 0; i < N; i++) {
        heap_node_init(&nodes[i]);
        heap_set(&heap, &nodes[i], (int64_t)rng_below(&rng.rng, 500));
    }
    int64_t last = -1;
    for (size_t i = 0; i < N; i++) {
        struct heap_node *top = heap_top(&heap);
        assert_true(top->key >= last);
        last = top->key;
        heap_remove(&heap, top);
        assert_true(top->at == HEAP_NOWHERE);
    }
    assert_null(heap_top(&heap));
    heap_fini(&heap);
}

static void
a_node_can_be_moved_from_anywhere(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node nodes[N];
    struct rng_seeded rng;
    rng_seeded_init(&rng, 8);
    heap_init(&heap);
    for (size_t i = 0; i < N; i++) {
        heap_node_init(&nodes[i]);
        heap_set(&heap, &nodes[i], (int64_t)i);
    }
    for (size_t i = 0; i < 10 * N; i++) {
        heap_set(&heap, &nodes[rng_below(&rng.rng, N)],
                 (int64_t)rng_below(&rng.rng, 10 * N));
        int64_t least = nodes[0].key;
        if (i % 100 == 0) {
            for (size_t j = 0; j < N; j++)
                if (nodes[j].key < least)
                    least = nodes[j].key;
            assert_int_equal(heap_top(&heap)->key, least);
        }
    }
    assert_int_equal(heap.n, N);
    heap_fini(&heap);
}

static void
removing_what_is_in_no_heap_does_nothing(void **state)
{
    (void)state;
    struct heap heap;
    struct heap_node node;
    heap_init(&heap);
    heap_node_init(&node);
    heap_remove(&heap, &node);
    assert_null(heap_top(&heap));
    heap_fini(&heap);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_key_is_on_top),
        cmocka_unit_test(a_node_can_be_moved_from_anywhere),
        cmocka_unit_test(removing_what_is_in_no_heap_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
