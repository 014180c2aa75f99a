/* The load generator of the benchmarks. All commands need --to PORT, all but `read`
 * --body FILE.
 *
 *   bench-load post  --path P [--key K] [--board FILE] [--batch N] [--lines]
 *                    [--first N] [--among N] [--connections N]
 *                    (--events N | --seconds T) [--await]
 *   bench-load pace  --path P [--key K] --board FILE [--connections N]
 *                    --rate N --seconds T
 *   bench-load floor --dir DIR --events N
 *   bench-load read  --path P [--key K]
 */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

#define EVENTS_MAX     256
#define AGAIN_AFTER_NS 20000000u    /* a refused request waits 20 ms */
#define STALLED_NS     20000000000u /* no arrival for 20 s: give up */

void
load_die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("bench-load: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void
watch(struct load *load, struct client *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                             .data = {.ptr = c}};

    if (epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
        load_die("epoll_ctl: %s", strerror(errno));
}

void
load_open(struct load *load)
{
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->clients = calloc(load->connections, sizeof(*load->clients));
    if (load->epoll_fd < 0 || !load->clients)
        load_die("%s", strerror(errno));
    for (unsigned i = 0; i < load->connections; i++) {
        if (client_open(&load->clients[i], &load->target) != 0)
            load_die("connect: %s", strerror(errno));
        watch(load, &load->clients[i]);
    }
    if (load->board)
        board_reset(load->board);
}

void
load_close(struct load *load)
{
    for (unsigned i = 0; i < load->connections; i++)
        client_close(&load->clients[i]);
    free(load->clients);
    board_close(load->board);
}

static void
start_again(struct load *load, struct client *c)
{
    c->not_before_ns = 0;
    if (c->state == CLIENT_BROKEN) {
        if (client_reopen(c) != 0)
            load_die("connect again: %s", strerror(errno));
        watch(load, c);
    }
    client_start(c, c->first_seq);
}

static void
look_at(struct load *load, struct client *c,
        void (*done)(struct load *, struct client *, void *), void *ctx)
{
    if (c->state == CLIENT_BROKEN) {
        load->broken++;
        c->not_before_ns = board_now_ns() + AGAIN_AFTER_NS;
        return;
    }
    if (c->status == 503 || c->status == 429) {
        load->refused++;
        c->not_before_ns = board_now_ns() + AGAIN_AFTER_NS;
        return;
    }
    if (c->status / 100 != 2)
        load_die("answer %u: %.*s", c->status,
                 (int)(c->in_have < 500 ? c->in_have : 500), c->in);
    load->accepted += load->target.batch;
    load->last_ns = board_now_ns();
    c->state = CLIENT_IDLE;
    done(load, c, ctx);
}

static void
restart_refused(struct load *load)
{
    uint64_t now = board_now_ns();

    for (unsigned i = 0; i < load->connections; i++) {
        struct client *c = &load->clients[i];

        if (c->not_before_ns != 0 && c->not_before_ns <= now)
            start_again(load, c);
    }
}

void
load_turn(struct load *load, uint64_t timeout_ns,
          void (*done)(struct load *load, struct client *client, void *ctx), void *ctx)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec ts = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                          .tv_nsec = (long)(timeout_ns % 1000000000u)};
    int n = epoll_pwait2(load->epoll_fd, events, EVENTS_MAX, &ts, NULL);

    if (n < 0 && errno != EINTR)
        load_die("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct client *c = events[i].data.ptr;

        if (c->state != CLIENT_BUSY)
            continue;
        if (client_continue(c) != CLIENT_BUSY)
            look_at(load, c, done, ctx);
    }
    if (load->refused + load->broken > 0)
        restart_refused(load);
}

bool
load_await(struct load *load, uint64_t distinct)
{
    struct timespec pause = {.tv_nsec = 2000000};
    uint64_t seen = 0;
    uint64_t seen_ns = board_now_ns();

    for (;;) {
        uint64_t now = board_now_ns();
        uint64_t have = atomic_load(&load->board->distinct);

        if (have >= distinct)
            return true;
        if (have > seen) {
            seen = have;
            seen_ns = now;
        } else if (now - seen_ns > STALLED_NS) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

uint64_t
load_quantile(uint64_t *samples, size_t n, unsigned per_mille)
{
    if (n == 0)
        return 0;
    qsort(samples, n, sizeof(*samples), compare);
    return samples[(n - 1) * per_mille / 1000];
}

static void
read_body(struct target *target, const char *path)
{
    static char body[256 * 1024];
    FILE *file = fopen(path, "rb");

    if (!file)
        load_die("%s: %s", path, strerror(errno));
    target->body = body;
    target->body_len = fread(body, 1, sizeof(body), file);
    fclose(file);
    if (target_find_marks(target) != 0)
        load_die("%s: no place for a number, or too many", path);
}

static unsigned
number(const char *text)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || v > 1000000000u)
        load_die("not a number: %s", text);
    return (unsigned)v;
}

static const struct option options[] = {{"to", required_argument, NULL, 't'},
                                        {"path", required_argument, NULL, 'p'},
                                        {"key", required_argument, NULL, 'k'},
                                        {"body", required_argument, NULL, 'b'},
                                        {"board", required_argument, NULL, 'o'},
                                        {"batch", required_argument, NULL, 'n'},
                                        {"lines", no_argument, NULL, 'l'},
                                        {"first", required_argument, NULL, 'f'},
                                        {"among", required_argument, NULL, 'm'},
                                        {"connections", required_argument, NULL, 'c'},
                                        {"events", required_argument, NULL, 'e'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"await", no_argument, NULL, 'a'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {"dir", required_argument, NULL, 'd'},
                                        {NULL, 0, NULL, 0}};

static void
take_option(struct load *load, int which, const char *value)
{
    switch (which) {
    case 't':
        load->target.addr.sin_port = htons((uint16_t)number(value));
        break;
    case 'p':
        load->target.path = value;
        break;
    case 'k':
        load->target.key = value;
        break;
    case 'b':
        read_body(&load->target, value);
        break;
    case 'o':
        load->board = board_open(value);
        if (!load->board)
            load_die("%s: %s", value, strerror(errno));
        break;
    case 'n':
        load->target.batch = number(value);
        break;
    case 'l':
        load->target.lines = true;
        break;
    case 'f':
        load->next_seq = number(value);
        break;
    case 'm':
        load->target.among = number(value);
        break;
    case 'c':
        load->connections = number(value);
        break;
    case 'e':
        load->events = number(value);
        break;
    case 's':
        load->seconds = number(value);
        break;
    case 'a':
        load->await = true;
        break;
    case 'r':
        load->rate = number(value);
        break;
    case 'd':
        load->dir = value;
        break;
    default:
        exit(2);
    }
}

static bool
can_post(const struct load *load)
{
    return load->target.body && (load->events > 0 || load->seconds > 0) &&
           (load->board || !load->await);
}

static bool
can_pace(const struct load *load)
{
    return load->target.body && load->board && load->seconds > 0 && load->rate > 0;
}

static bool
can_floor(const struct load *load)
{
    return load->target.body && load->dir && load->events > 0;
}

static bool
can_read(const struct load *load)
{
    return load->target.path[1] != '\0';
}

static const struct command {
    const char *name;
    void (*run)(struct load *load);
    bool (*is_complete)(const struct load *load);
} commands[] = {{"post", load_post, can_post},
                {"pace", load_pace, can_pace},
                {"floor", load_floor, can_floor},
                {"read", load_read, can_read}};

static const struct command *
find_command(const char *name)
{
    for (size_t i = 0; name && i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    load_die("usage: bench-load post|pace|floor|read OPTIONS");
}

int
main(int argc, char **argv)
{
    static struct load load = {.connections = 1, .target = {.path = "/", .batch = 1}};
    const struct command *command = find_command(argc > 1 ? argv[1] : NULL);
    int which;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    prctl(PR_SET_TIMERSLACK, 1); /* the default of 50 us would show in the pace */
    load.target.addr.sin_family = AF_INET;
    load.target.addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while ((which = getopt_long(argc - 1, argv + 1, "", options, NULL)) != -1)
        take_option(&load, which, optarg);
    if (load.target.addr.sin_port == 0 || load.connections == 0 ||
        load.target.batch == 0 || !command->is_complete(&load))
        load_die("%s: an option is missing", command->name);
    command->run(&load);
    load_close(&load);
    return 0;
}
