#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *
heap_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    (void)mem;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return realloc(old, new_size);
}

struct mem mem_heap = {heap_resize};

static void *
secret_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    (void)mem;
    void *p = new_size ? malloc(new_size) : NULL;
    if (new_size && !p)
        return NULL;
    if (old) {
        if (p)
            memcpy(p, old, old_size < new_size ? old_size : new_size);
        explicit_bzero(old, old_size);
        free(old);
    }
    return p;
}

struct mem mem_secret = {secret_resize};

static void *
budget_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    struct mem_budget *budget = container_of(mem, struct mem_budget, mem);

    if (new_size > old_size) {
        size_t more = new_size - old_size;
        size_t used = atomic_fetch_add(&budget->used_bytes, more);
        if (used + more > budget->max_bytes) {
            atomic_fetch_sub(&budget->used_bytes, more);
            return NULL;
        }
    }

    void *p = heap_resize(mem, old, old_size, new_size);
    if (new_size > old_size && !p)
        atomic_fetch_sub(&budget->used_bytes, new_size - old_size);
    else if (new_size < old_size && (p || new_size == 0))
        atomic_fetch_sub(&budget->used_bytes, old_size - new_size);
    return p;
}

void
mem_budget_init(struct mem_budget *budget, size_t max_bytes)
{
    budget->mem.resize = budget_resize;
    budget->max_bytes = max_bytes;
    atomic_init(&budget->used_bytes, 0);
}

static void *
or_stop(void *p, size_t size)
{
    if (!p) {
        fprintf(stderr, "pushwire: no memory for %zu bytes\n", size);
        abort();
    }
    return p;
}

void *
xmalloc(size_t size)
{
    return or_stop(malloc(size ? size : 1), size);
}

void *
xcalloc(size_t n, size_t size)
{
    return or_stop(calloc(n ? n : 1, size ? size : 1), size);
}

void *
xrealloc(void *old, size_t size)
{
    return or_stop(realloc(old, size ? size : 1), size);
}

char *
xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *
xstrndup(const char *s, size_t n)
{
    char *copy = xmalloc(n + 1);
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

void
xfree_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}
