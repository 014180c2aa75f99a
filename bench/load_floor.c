/* The bare parts that no durable delivery can do without, one at a time: a write of
 * 512 bytes with its fdatasync, and a POST with its answer. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
time_syncs(const struct load *load, uint64_t *took_ns, size_t n)
{
    char path[4096];
    char block[512];
    int fd, len = snprintf(path, sizeof(path), "%s/floor", load->dir);

    memset(block, 'x', sizeof(block));
    fd = len > 0 && (size_t)len < sizeof(path)
             ? open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)
             : -1;
    if (fd < 0)
        load_die("%s: %s", path, strerror(errno));
    for (size_t i = 0; i < n; i++) {
        uint64_t from = board_now_ns();

        if (write(fd, block, sizeof(block)) != sizeof(block) || fdatasync(fd) != 0)
            load_die("%s: %s", path, strerror(errno));
        took_ns[i] = board_now_ns() - from;
    }
    close(fd);
    unlink(path);
}

static void
note_answer(struct load *load, struct client *c, void *ctx)
{
    uint64_t *took_ns = ctx;

    *took_ns = load->last_ns - c->started_ns;
}

static void
time_posts(struct load *load, uint64_t *took_ns, size_t n)
{
    load->connections = 1;
    load_open(load);
    for (size_t i = 0; i < n; i++) {
        took_ns[i] = 0;
        client_start(&load->clients[0], i);
        while (took_ns[i] == 0)
            load_turn(load, 10000000, note_answer, &took_ns[i]);
    }
}

void
load_floor(struct load *load)
{
    size_t n = load->events;
    uint64_t *syncs = calloc(n, sizeof(*syncs));
    uint64_t *posts = calloc(n, sizeof(*posts));

    if (!syncs || !posts)
        load_die("%s", strerror(errno));
    time_syncs(load, syncs, n);
    time_posts(load, posts, n);
    printf("{\"samples\":%zu,\"syncP50Us\":%.1f,\"syncP99Us\":%.1f,"
           "\"postP50Us\":%.1f,\"postP99Us\":%.1f}\n",
           n, (double)load_quantile(syncs, n, 500) / 1e3,
           (double)load_quantile(syncs, n, 990) / 1e3,
           (double)load_quantile(posts, n, 500) / 1e3,
           (double)load_quantile(posts, n, 990) / 1e3);
    free(syncs);
    free(posts);
}
