/* Somebody who reads a whole list: page after page, one at a time, and from the first
 * again after the last. What leads on is `nextCursor` at the end of a page, or the
 * header Next-Cursor where pages are lines. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAGE_BYTES_MAX (64 * 1024 * 1024)
#define CURSOR_MAX     512

struct reading {
    const struct target *target;
    int fd;
    char *page; /* head and body of one answer */
    size_t have;
    size_t head_len;
    char cursor[CURSOR_MAX]; /* empty: the first page is next */
    uint64_t pages;
    uint64_t bytes;
    uint64_t times; /* that the last page was reached */
};

static volatile sig_atomic_t is_over;

static void
on_term(int signal)
{
    (void)signal;
    is_over = 1;
}

static void
ask(struct reading *r)
{
    const struct target *t = r->target;
    char request[2048];
    int n = snprintf(request, sizeof(request),
                     "GET %s%s%s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                     "Authorization: Bearer %s\r\n\r\n",
                     t->path, r->cursor[0] ? strchr(t->path, '?') ? "&" : "?" : "",
                     r->cursor[0] ? "cursor=" : "", r->cursor, t->key ? t->key : "");

    if (n < 0 || (size_t)n >= sizeof(request))
        load_die("read: the request is too long");
    if (send(r->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        load_die("read: send: %s", strerror(errno));
}

static void
receive(struct reading *r)
{
    ssize_t n = 0;

    if (r->have < PAGE_BYTES_MAX)
        n = recv(r->fd, r->page + r->have, PAGE_BYTES_MAX - r->have, 0);
    if (n <= 0)
        load_die("read: %s", n < 0 ? strerror(errno) : "closed, or more than a page");
    r->have += (size_t)n;
    r->page[r->have] = '\0';
}

/* The value of a header, or NULL; it ends with the line. */
static const char *
header(const struct reading *r, const char *name)
{
    const char *end = r->page + r->head_len;
    size_t len = strlen(name);

    for (const char *p = r->page; (p = memchr(p, '\n', (size_t)(end - p)));) {
        p++;
        if (strncasecmp(p, name, len) == 0 && p[len] == ':')
            return p + len + 1 + strspn(p + len + 1, " ");
    }
    return NULL;
}

static void
receive_page(struct reading *r)
{
    const char *end, *length;
    size_t whole;

    r->have = 0;
    do {
        receive(r);
        end = strstr(r->page, "\r\n\r\n");
    } while (!end);
    r->head_len = (size_t)(end - r->page) + 4;
    length = header(r, "Content-Length");
    if (!length || strncmp(r->page, "HTTP/1.1 200", 12) != 0)
        load_die("read: %.300s", r->page);
    whole = r->head_len + strtoul(length, NULL, 10);
    while (r->have < whole)
        receive(r);
}

static void
take_cursor(struct reading *r)
{
    static const char mark[] = "\"nextCursor\":\"";
    size_t tail = CURSOR_MAX + sizeof(mark);
    size_t from = r->have - r->head_len > tail ? r->have - tail : r->head_len;
    const char *next = header(r, "Next-Cursor");
    size_t len;

    if (!next && (next = strstr(r->page + from, mark)))
        next += sizeof(mark) - 1;
    len = next ? strcspn(next, "\"\r\n") : 0;
    if (len >= CURSOR_MAX)
        load_die("read: the cursor is too long");
    memcpy(r->cursor, next ? next : "", len);
    r->cursor[len] = '\0';
}

void
load_read(struct load *load)
{
    struct reading r = {.target = &load->target, .page = malloc(PAGE_BYTES_MAX + 1)};
    const struct sockaddr_in *addr = &load->target.addr;

    load->connections = 0;
    signal(SIGTERM, on_term);
    r.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!r.page || r.fd < 0 || connect(r.fd, (const void *)addr, sizeof(*addr)) != 0)
        load_die("read: %s", strerror(errno));
    while (!is_over) {
        ask(&r);
        receive_page(&r);
        take_cursor(&r);
        r.pages++;
        r.bytes += r.have;
        r.times += r.cursor[0] == '\0';
    }
    printf("{\"pages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"times\":%" PRIu64 "}\n",
           r.pages, r.bytes, r.times);
    close(r.fd);
    free(r.page);
}
