/*
 * Where buffers get their memory. An interface, so that a budget can refuse (a full
 * server answers 503) and a test can fail the n-th request.
 */
#pragma once

#include <stdatomic.h>

#include "base/types.h"

struct mem {
    /* Grows, shrinks or (new_size 0) frees; `old` may be NULL with old_size 0. NULL =
     * refused, `old` untouched. Any thread. */
    void *(*resize)(struct mem *mem, void *old, size_t old_size, size_t new_size);
};

extern struct mem mem_heap; /* the C heap, without a limit of its own */
/* Likewise, for secrets: what is given back is wiped, also when it grows. */
extern struct mem mem_secret;

/* The C heap up to a number of bytes in all. */
struct mem_budget {
    struct mem mem;
    size_t max_bytes;
    atomic_size_t used_bytes;
};

void mem_budget_init(struct mem_budget *budget, size_t max_bytes);

/* For what may not fail: no memory stops the program with a message. */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((returns_nonnull));
/* Wipes a text and frees it; NULL is fine. */
void xfree_secret(char *text);
