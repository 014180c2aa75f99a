#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void
heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void
heap_fini(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap);
}

void
heap_node_init(struct heap_node *node)
{
    node->key = 0;
    node->at = HEAP_NOWHERE;
}

static void
place(struct heap *heap, struct heap_node *node, size_t at)
{
    heap->nodes[at] = node;
    node->at = at;
}

static void
sift_up(struct heap *heap, struct heap_node *node)
{
    size_t at = node->at;
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (heap->nodes[parent]->key <= node->key)
            break;
        place(heap, heap->nodes[parent], at);
        at = parent;
    }
    place(heap, node, at);
}

static void
sift_down(struct heap *heap, struct heap_node *node)
{
    size_t at = node->at;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= heap->n)
            break;
        if (child + 1 < heap->n &&
            heap->nodes[child + 1]->key < heap->nodes[child]->key)
            child++;
        if (heap->nodes[child]->key >= node->key)
            break;
        place(heap, heap->nodes[child], at);
        at = child;
    }
    place(heap, node, at);
}

void
heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
    node->key = key;
    if (node->at == HEAP_NOWHERE) {
        if (heap->n == heap->cap) {
            heap->cap = heap->cap ? heap->cap * 2 : 16;
            heap->nodes = xrealloc(heap->nodes, heap->cap * sizeof(heap->nodes[0]));
        }
        place(heap, node, heap->n++);
    }
    assert(heap->nodes[node->at] == node);
    sift_up(heap, node);
    sift_down(heap, node);
}

void
heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->at == HEAP_NOWHERE)
        return;
    size_t at = node->at;
    assert(heap->nodes[at] == node);
    struct heap_node *last = heap->nodes[--heap->n];
    node->at = HEAP_NOWHERE;
    if (last == node)
        return;
    place(heap, last, at);
    sift_up(heap, last);
    sift_down(heap, last);
}

struct heap_node *
heap_top(const struct heap *heap)
{
    return heap->n ? heap->nodes[0] : NULL;
}
