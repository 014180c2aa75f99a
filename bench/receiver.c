/* The receiver of every run: one thread, one epoll, as little work per POST as HTTP
 * allows, because its speed under wrk is the 1.00 of all ratios.
 *
 *   bench-receiver BOARD [STATUS]
 *
 * Prints `receiving on 127.0.0.1:PORT`, answers every POST with STATUS (200) and an
 * empty body, keeps connections open, and notes arrivals on the board. It trusts its
 * clients to be wrk, libcurl or curl: Content-Length only, no chunks, no Expect. */
#include "board.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (32 * 1024)
#define ANSWER_BYTES (16 * 1024)
#define EVENTS_MAX   256

struct conn {
    int fd;
    size_t have; /* bytes in buf */
    size_t skip; /* bytes of a long body that are still to be thrown away */
    char buf[BUFFER_BYTES];
};

struct receiver {
    int epoll_fd;
    int listen_fd;
    struct board *board;
    uint64_t now_ns; /* read once per wake-up of a connection */
    char answer[128];
    size_t answer_len;
    size_t out_len;
    char out[ANSWER_BYTES];
};

static void
die(const char *what)
{
    fprintf(stderr, "bench-receiver: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
watch(struct receiver *r, int fd, void *tag)
{
    struct epoll_event ev = {.events = EPOLLIN, .data = {.ptr = tag}};

    if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
        die("epoll_ctl");
}

static void
conn_free(struct conn *c)
{
    close(c->fd);
    free(c);
}

static void
accept_all(struct receiver *r)
{
    for (;;) {
        int one = 1;
        int fd = accept4(r->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct conn *c;

        if (fd < 0)
            return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c = malloc(sizeof(*c));
        if (!c)
            die("malloc");
        c->fd = fd;
        c->have = 0;
        c->skip = 0;
        watch(r, fd, c);
    }
}

/* The value of Content-Length, or 0 where there is none. */
static size_t
content_length(const char *head, size_t len)
{
    static const char name[] = "\ncontent-length:";
    const char *end = head + len;

    for (const char *p = head; (p = memchr(p, '\n', (size_t)(end - p))); p++) {
        if ((size_t)(end - p) > sizeof(name) &&
            strncasecmp(p, name, sizeof(name) - 1) == 0)
            return strtoul(p + sizeof(name) - 1, NULL, 10);
    }
    return 0;
}

/* The sequence number stands in the first "_id" of the body, if it is one of ours. */
static void
note_body(struct receiver *r, const char *body, size_t len)
{
    static const char mark[] = "\"_id\":\"S";
    const char *p = memmem(body, len < 128 ? len : 128, mark, sizeof(mark) - 1);
    uint64_t seq = 0;

    if (!p || (size_t)(body + len - p) < sizeof(mark) - 1 + SEQ_DIGITS)
        return;
    p += sizeof(mark) - 1;
    for (int i = 0; i < SEQ_DIGITS; i++) {
        if (p[i] < '0' || p[i] > '9')
            return;
        seq = seq * 10 + (uint64_t)(p[i] - '0');
    }
    board_note(r->board, seq, r->now_ns);
}

static bool
flush_answers(struct receiver *r, struct conn *c)
{
    ssize_t n = 0;

    if (r->out_len > 0)
        n = send(c->fd, r->out, r->out_len, MSG_NOSIGNAL);
    /* A client that lets answers pile up is none of ours: it loses its connection. */
    if (n != (ssize_t)r->out_len)
        return false;
    r->out_len = 0;
    return true;
}

static bool
answer(struct receiver *r, struct conn *c)
{
    uint64_t done = atomic_load_explicit(&r->board->requests, memory_order_relaxed);

    atomic_store_explicit(&r->board->requests, done + 1, memory_order_relaxed);
    if (r->out_len + r->answer_len > sizeof(r->out) && !flush_answers(r, c))
        return false;
    memcpy(r->out + r->out_len, r->answer, r->answer_len);
    r->out_len += r->answer_len;
    return true;
}

/* Takes one request from the bytes at `head`. Returns how many it used; 0: not all
 * there yet; -1: not for us. */
static ssize_t
take_request(struct receiver *r, struct conn *c, const char *head, size_t have)
{
    const char *end;
    size_t head_len, body_len;

    assert(head); /* or gcc 12 warns of the NULL that UBSan checks for */
    end = memmem(head, have, "\r\n\r\n", 4);
    if (!end)
        return have == sizeof(c->buf) ? -1 : 0;
    head_len = (size_t)(end - head) + 4;
    body_len = content_length(head, head_len);
    if (have - head_len < body_len && head_len + body_len <= sizeof(c->buf))
        return 0;
    if (have - head_len < body_len) { /* longer than the buffer: answered early */
        c->skip = body_len - (have - head_len);
        body_len = have - head_len;
    }
    note_body(r, head + head_len, body_len);
    if (!answer(r, c))
        return -1;
    return (ssize_t)(head_len + body_len);
}

static bool
take_all(struct receiver *r, struct conn *c)
{
    size_t at = 0;

    if (c->skip > 0) {
        at = c->skip < c->have ? c->skip : c->have;
        c->skip -= at;
    }
    while (at < c->have) {
        ssize_t used = take_request(r, c, c->buf + at, c->have - at);

        if (used < 0)
            return false;
        if (used == 0)
            break;
        at += (size_t)used;
    }
    c->have -= at;
    memmove(c->buf, c->buf + at, c->have);
    return flush_answers(r, c);
}

static void
on_readable(struct receiver *r, struct conn *c)
{
    ssize_t n = recv(c->fd, c->buf + c->have, sizeof(c->buf) - c->have, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        conn_free(c);
        return;
    }
    r->now_ns = board_now_ns();
    r->out_len = 0;
    c->have += (size_t)n;
    if (!take_all(r, c))
        conn_free(c);
}

static void
receiver_listen(struct receiver *r)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);

    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (r->listen_fd < 0 || bind(r->listen_fd, (void *)&sa, sizeof(sa)) != 0 ||
        listen(r->listen_fd, 1024) != 0 ||
        getsockname(r->listen_fd, (void *)&sa, &len) != 0)
        die("listen");
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll_fd < 0)
        die("epoll_create1");
    watch(r, r->listen_fd, NULL);
    printf("receiving on 127.0.0.1:%u\n", (unsigned)ntohs(sa.sin_port));
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    static struct receiver r;
    struct epoll_event events[EVENTS_MAX];
    unsigned long status = argc > 2 ? strtoul(argv[2], NULL, 10) : 200;

    if (argc < 2 || argc > 3 || status < 200 || status > 599) {
        fprintf(stderr, "usage: bench-receiver BOARD [STATUS]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    r.board = board_open(argv[1]);
    if (!r.board)
        die(argv[1]);
    r.answer_len = (size_t)snprintf(r.answer, sizeof(r.answer),
                                    "HTTP/1.1 %lu %s\r\nContent-Length: 0\r\n\r\n",
                                    status, status < 300 ? "OK" : "No");
    receiver_listen(&r);
    for (;;) {
        int n = epoll_wait(r.epoll_fd, events, EVENTS_MAX, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_readable(&r, events[i].data.ptr);
            else
                accept_all(&r);
        }
    }
}
