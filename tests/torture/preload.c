/*
 * Faults inside the C library, for a program that is preloaded with this; tests/torture
 * compiles it when it is needed. PUSHWIRE_PRELOAD says which, words with spaces
 * between:
 *
 *   count=FILE   at the end, writes how many allocations and writes there were
 *   malloc=N     the N-th allocation fails; malloc=N+ and every later one
 *   torn=N:K     of the N-th write to a file at a place only K bytes come, then it dies
 *   short=N      of the N-th write half is written, and that is what it says
 *   halved=N     from the N-th on only half of each comes, and all is said to have come
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t n);

static atomic_ulong allocations, writes;
static unsigned long malloc_at, torn_at, torn_bytes, short_at, halved_at;
static int malloc_always;
static const char *count_file;
static _Thread_local int inside; /* what this itself allocates does not count */

static unsigned long
number_after(const char *words, const char *name, const char **end)
{
    const char *at = words ? strstr(words, name) : NULL;
    char *stop = NULL;
    if (!at)
        return 0;
    unsigned long value = strtoul(at + strlen(name), &stop, 10);
    *end = stop;
    return value;
}

__attribute__((constructor)) static void
begin(void)
{
    const char *words = getenv("PUSHWIRE_PRELOAD");
    const char *end = "";

    torn_at = number_after(words, "torn=", &end);
    torn_bytes = torn_at && *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
    short_at = number_after(words, "short=", &end);
    halved_at = number_after(words, "halved=", &end);
    count_file = words ? strstr(words, "count=") : NULL;
    unsigned long at = number_after(words, "malloc=", &end);
    malloc_always = at && *end == '+';
    atomic_store(&allocations, 0);
    malloc_at = at; /* last: from here on it counts */
}

__attribute__((destructor)) static void
finish(void)
{
    char path[256], text[80];

    if (!count_file)
        return;
    inside = 1;
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(count_file + 6, " "),
             count_file + 6);
    int n = snprintf(text, sizeof(text), "%lu %lu\n", atomic_load(&allocations),
                     atomic_load(&writes));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        _exit(3);
}

static int
refused(void)
{
    if (inside)
        return 0;
    unsigned long n = atomic_fetch_add(&allocations, 1) + 1;
    if (malloc_at == 0 || n < malloc_at || (n > malloc_at && !malloc_always))
        return 0;
    errno = ENOMEM;
    return 1;
}

void *
malloc(size_t n)
{
    return refused() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    return refused() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *old, size_t n)
{
    return refused() ? NULL : __libc_realloc(old, n);
}

static ssize_t
whole_write(int fd, const void *bytes, size_t n, off_t at)
{
    return syscall(SYS_pwrite64, fd, bytes, n, at);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t n, off_t at)
{
    unsigned long nth = atomic_fetch_add(&writes, 1) + 1;

    if (torn_at && nth == torn_at) {
        (void)!whole_write(fd, bytes, torn_bytes < n ? torn_bytes : n, at);
        raise(SIGKILL);
    }
    if (short_at && nth == short_at && n > 1)
        return whole_write(fd, bytes, n / 2, at);
    if (halved_at && nth >= halved_at) {
        (void)!whole_write(fd, bytes, n / 2, at);
        return (ssize_t)n;
    }
    return whole_write(fd, bytes, n, at);
}

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    return pwrite64(fd, bytes, n, at);
}
