#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

#define BUF_FIRST 64

void
buf_init_mem(struct buf *buf, size_t max_bytes, struct mem *mem)
{
    *buf = (struct buf){.max_bytes = max_bytes, .mem = mem};
}

void
buf_init(struct buf *buf, size_t max_bytes)
{
    buf_init_mem(buf, max_bytes, &mem_heap);
}

void
buf_fini(struct buf *buf)
{
    if (buf->p)
        buf->mem->resize(buf->mem, buf->p, buf->cap, 0);
    buf->p = NULL;
    buf->n = 0;
    buf->cap = 0;
}

void
buf_reset(struct buf *buf)
{
    buf->n = 0;
    buf->failed = 0;
    if (buf->p)
        buf->p[0] = '\0';
}

int
buf_reserve(struct buf *buf, size_t more)
{
    if (buf->failed)
        return buf->failed;
    if (more > buf->max_bytes - buf->n)
        return buf->failed = E_TOO_LARGE;

    size_t need = buf->n + more + 1;
    if (need <= buf->cap)
        return 0;

    size_t cap = buf->cap ? buf->cap * 2 : BUF_FIRST;
    if (cap < need)
        cap = need;
    if (cap > buf->max_bytes + 1)
        cap = buf->max_bytes + 1;

    char *p = buf->mem->resize(buf->mem, buf->p, buf->cap, cap);
    if (!p)
        return buf->failed = E_NO_MEMORY;
    buf->p = p;
    buf->cap = cap;
    return 0;
}

int
buf_add(struct buf *buf, const void *bytes, size_t n)
{
    if (buf_reserve(buf, n) != 0)
        return buf->failed;
    if (n)
        memcpy(buf->p + buf->n, bytes, n);
    buf->n += n;
    buf->p[buf->n] = '\0';
    return 0;
}

int
buf_adds(struct buf *buf, const char *s)
{
    return buf_add(buf, s, strlen(s));
}

int
buf_addc(struct buf *buf, char c)
{
    return buf_add(buf, &c, 1);
}

int
buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(n >= 0);

    if (buf_reserve(buf, (size_t)n) != 0)
        return buf->failed;
    va_start(args, fmt);
    vsnprintf(buf->p + buf->n, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->n += (size_t)n;
    return 0;
}

char *
buf_take(struct buf *buf)
{
    assert(buf->mem == &mem_heap);
    if (buf->failed || buf_reserve(buf, 0) != 0)
        return NULL;
    char *p = buf->p;
    p[buf->n] = '\0';
    buf_init(buf, buf->max_bytes);
    return p;
}
