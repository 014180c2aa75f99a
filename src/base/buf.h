/*
 * A growable byte buffer with a maximum. There is no buffer without one. A failed
 * append leaves the buffer as it was and marks it failed: append many things, check
 * once.
 */
#pragma once

#include "base/mem.h"
#include "base/types.h"

struct buf {
    char *p; /* n bytes, followed by a NUL that does not count */
    size_t n;
    size_t cap;
    size_t max_bytes;
    struct mem *mem;
    int failed; /* 0, E_TOO_LARGE or E_NO_MEMORY: sticky */
};

void buf_init(struct buf *buf, size_t max_bytes); /* memory from mem_heap */
void buf_init_mem(struct buf *buf, size_t max_bytes, struct mem *mem);
void buf_fini(struct buf *buf);
void buf_reset(struct buf *buf); /* empty, not failed; keeps its memory */

/* Each returns 0, E_TOO_LARGE or E_NO_MEMORY; the same stays in buf->failed. */
int buf_add(struct buf *buf, const void *bytes, size_t n);
int buf_adds(struct buf *buf, const char *s);
int buf_addc(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *fmt, ...) printf_like(2, 3);
int buf_reserve(struct buf *buf,
                size_t more); /* room for `more` bytes at buf->p + buf->n */

static inline struct slice
buf_slice(const struct buf *buf)
{
    return (struct slice){buf->p, buf->n};
}

/* Gives the heap string (NUL-terminated, free()) to the caller and empties the buffer.
 * mem_heap buffers only; NULL if the buffer failed. */
char *buf_take(struct buf *buf);
