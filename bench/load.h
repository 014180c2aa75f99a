/* What the parts of the load generator share. */
#pragma once
#include "board.h"
#include "client.h"

struct load {
    struct target target;
    struct board *board;
    const char *dir; /* where `floor` syncs its file */
    unsigned connections;
    unsigned rate;   /* events a second, `pace` only */
    uint64_t events; /* 0: until `seconds` are over */
    unsigned seconds;
    bool await; /* `post` only: stay until all events have arrived */

    int epoll_fd;
    struct client *clients;
    uint64_t next_seq; /* `post` only: from --first on */
    uint64_t accepted; /* events of requests answered 2xx */
    uint64_t refused;  /* requests answered 503 or 429, and sent again */
    uint64_t broken;   /* connections lost under a request, which was sent again */
    uint64_t first_ns; /* first request started */
    uint64_t last_ns;  /* last 2xx received */
};

/* Opens all connections and watches them. They exit(1) with a message on failure. */
void load_open(struct load *load);
void load_close(struct load *load);

/* Waits at most timeout_ns, then lets every ready connection go on; `done` gets those
 * that were answered 2xx (refused and broken ones are dealt with here). */
void load_turn(struct load *load, uint64_t timeout_ns,
               void (*done)(struct load *load, struct client *client, void *ctx),
               void *ctx);

/* Waits until the board has `distinct` events. False: nothing came for 20 seconds. */
bool load_await(struct load *load, uint64_t distinct);

/* The middle of n samples and the one that `per_mille` of them do not exceed; sorts. */
uint64_t load_quantile(uint64_t *samples, size_t n, unsigned per_mille);

_Noreturn void load_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The commands; each prints one line of JSON. */
void load_post(struct load *load);  /* closed loop: as fast as answers come */
void load_pace(struct load *load);  /* open loop: a fixed rate, latencies */
void load_floor(struct load *load); /* the bare parts: fdatasync, POST round trip */
void load_read(struct load *load);  /* page after page of a list, until SIGTERM */
