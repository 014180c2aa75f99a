/* A binary heap of pointers that writes each element's place back into it, so that any
 * element can be moved or removed in O(log n). */
#pragma once

#include "base/types.h"

#define HEAP_NOWHERE SIZE_MAX

struct heap_node {
    int64_t key; /* smallest first */
    size_t at;   /* the heap's; HEAP_NOWHERE when in none */
};

struct heap {
    struct heap_node **nodes;
    size_t n;
    size_t cap;
};

void heap_init(struct heap *heap);
void heap_fini(struct heap *heap);
void heap_node_init(struct heap_node *node);
void heap_set(struct heap *heap, struct heap_node *node,
              int64_t key);                                  /* inserts or moves */
void heap_remove(struct heap *heap, struct heap_node *node); /* nothing if in none */
struct heap_node *heap_top(const struct heap *heap);         /* NULL when empty */
