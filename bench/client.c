#include "client.h"
#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 1024

int
target_find_marks(struct target *t)
{
    const char *end = t->body + t->body_len;
    const char *at = t->body;
    char *placeholder =
        memmem(t->body, t->body_len, SEQ_PLACEHOLDER, sizeof(SEQ_PLACEHOLDER) - 1);

    if (placeholder)
        memcpy(placeholder, "S" SEQ_MARK, sizeof(SEQ_PLACEHOLDER) - 1);
    while ((at = memmem(at, (size_t)(end - at), SEQ_MARK, SEQ_DIGITS))) {
        if (t->n_marks == MARKS_MAX)
            return -1;
        t->marks[t->n_marks++] = (size_t)(at - t->body);
        at += SEQ_DIGITS;
    }
    return t->n_marks > 0 ? 0 : -1;
}

static void
fill_batch(struct client *c)
{
    const struct target *t = c->target;
    bool is_array = !t->lines && t->batch > 1;

    c->events_at = c->out_len + is_array;
    for (unsigned i = 0; i < t->batch; i++) {
        if (is_array)
            c->out[c->out_len++] = i == 0 ? '[' : ',';
        memcpy(c->out + c->out_len, t->body, t->body_len);
        c->out_len += t->body_len;
        if (t->lines)
            c->out[c->out_len++] = '\n';
    }
    if (is_array)
        c->out[c->out_len++] = ']';
}

static int
build_request(struct client *c)
{
    const struct target *t = c->target;
    size_t body_len = t->body_len;
    int head;

    if (t->lines || t->batch > 1)
        body_len = t->batch * (t->body_len + 1) + !t->lines;
    c->out = malloc(HEAD_BYTES + body_len);
    if (!c->out)
        return -1;
    head =
        snprintf(c->out, HEAD_BYTES,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s"
                 "Content-Type: application/%s\r\nContent-Length: %zu\r\n\r\n",
                 t->path, t->key ? "Authorization: Bearer " : "", t->key ? t->key : "",
                 t->key ? "\r\n" : "", t->lines ? "x-ndjson" : "json", body_len);
    if (head < 0 || head >= HEAD_BYTES) {
        errno = EINVAL;
        return -1;
    }
    c->out_len = (size_t)head;
    fill_batch(c);
    return 0;
}

static int
connect_to(const struct sockaddr_in *addr)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (const void *)addr, sizeof(*addr)) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

int
client_open(struct client *c, const struct target *target)
{
    memset(c, 0, sizeof(*c));
    c->target = target;
    c->fd = connect_to(&target->addr);
    if (c->fd < 0)
        return -1;
    if (build_request(c) == 0)
        return 0;
    client_close(c);
    return -1;
}

void
client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->out);
    c->out = NULL;
}

int
client_reopen(struct client *c)
{
    close(c->fd);
    c->fd = connect_to(&c->target->addr);
    c->state = CLIENT_IDLE;
    return c->fd < 0 ? -1 : 0;
}

/* A permutation of the numbers below n without any pattern that a cache could use: of
 * the next power of two, and what falls outside is sent on until it falls inside. */
static uint64_t
scatter(uint64_t v, uint64_t n)
{
    unsigned bits = n > 2 ? 64 - (unsigned)__builtin_clzll(n - 1) : 1;
    uint64_t mask = (UINT64_C(1) << bits) - 1;

    do {
        v = v * UINT64_C(0x9e3779b97f4a7c15) & mask;
        v ^= v >> (bits / 2 + 1);
        v = v * UINT64_C(0xbf58476d1ce4e5b9) & mask;
        v ^= v >> (bits / 2 + 1);
        v = (v + 1) & mask; /* or 0 would stay 0 */
    } while (v >= n);
    return v;
}

static void
write_digits(char *at, uint64_t number)
{
    for (int i = SEQ_DIGITS - 1; i >= 0; i--) {
        at[i] = (char)('0' + number % 10);
        number /= 10;
    }
}

static void
number_event(struct client *c, unsigned i)
{
    const struct target *t = c->target;
    uint64_t number = c->first_seq + i;
    char *event = c->out + c->events_at + i * (t->body_len + 1);

    if (t->among > 0)
        number = scatter(number % t->among, t->among);
    for (unsigned m = 0; m < t->n_marks; m++)
        write_digits(event + t->marks[m], number);
}

static void
send_more(struct client *c)
{
    while (c->out_done < c->out_len) {
        ssize_t n =
            send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            c->state = CLIENT_BROKEN;
            return;
        }
        c->out_done += (size_t)n;
    }
}

void
client_start(struct client *c, uint64_t first_seq)
{
    c->first_seq = first_seq;
    for (unsigned i = 0; i < c->target->batch; i++)
        number_event(c, i);
    c->out_done = 0;
    c->in_have = 0;
    c->in_body = false;
    c->status = 0;
    c->state = CLIENT_BUSY;
    c->started_ns = board_now_ns();
    send_more(c);
}

/* True once the head is complete and understood. */
static bool
read_head(struct client *c)
{
    const char *end = memmem(c->in, c->in_have, "\r\n\r\n", 4);
    const char *p = c->in;
    size_t head_len;

    if (!end)
        return false;
    head_len = (size_t)(end - c->in) + 4;
    c->status = c->in_have > 12 ? (unsigned)strtoul(c->in + 9, NULL, 10) : 0;
    c->body_left = 0;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        p++;
        if (strncasecmp(p, "content-length:", 15) == 0)
            c->body_left = strtoul(p + 15, NULL, 10);
    }
    c->in_body = true;
    c->in_have -= head_len;
    memmove(c->in, c->in + head_len, c->in_have);
    c->body_left -= c->in_have < c->body_left ? c->in_have : c->body_left;
    return true;
}

static void
receive_more(struct client *c)
{
    while (c->state == CLIENT_BUSY) {
        /* Of a long answer, the first bytes stay in `in` (for messages). */
        size_t keep = c->in_body ? 1024 : c->in_have;
        size_t at = c->in_have < keep ? c->in_have : keep;
        ssize_t n = recv(c->fd, c->in + at, sizeof(c->in) - at - 1, 0);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            c->state = CLIENT_BROKEN;
            return;
        }
        c->in_have = at + (size_t)n;
        if (c->in_body)
            c->body_left -= (size_t)n < c->body_left ? (size_t)n : c->body_left;
        else if (!read_head(c) && c->in_have >= sizeof(c->in) - 1)
            c->state = CLIENT_BROKEN;
        if (c->in_body && c->body_left == 0)
            c->state = CLIENT_ANSWERED;
    }
}

enum client_state
client_continue(struct client *c)
{
    if (c->state != CLIENT_BUSY)
        return c->state;
    send_more(c);
    if (c->state == CLIENT_BUSY)
        receive_more(c);
    return c->state;
}
