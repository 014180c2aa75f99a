/*
 * The listening socket and the one thread that accepts on it, for httpd*.c: limits of
 * connections in all and of one address need one place that counts them. When there are
 * too many, or the process has no descriptor left, it asks for connections that do
 * nothing to make room; it never spins, and what waits meanwhile waits in the kernel.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/map.h"
#include "base/types.h"

struct acceptor {
    int listen_fd;
    int wake_fd;
    int reserve_fd; /* given up to take and refuse one when there is no other left */
    size_t max_connections;
    size_t max_per_address; /* 0: any number; loopback has no limit */
    atomic_size_t connections;
    atomic_bool stopping;
    atomic_bool full; /* the thread waits for a connection to end */
    bool is_short;    /* the thread's: the last accept found no descriptor or memory */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    struct map of_address; /* under the lock: how many connections an address has */
    char address[64];
    /* Takes a connected socket over. */
    void (*take)(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len);
    /* Asks for about so many connections that do nothing to be closed. */
    void (*make_room)(void *ctx, unsigned n);
    void *ctx;
};

/* Binds and listens, or listens on a socket that is bound; accepts nothing yet.
 * acceptor_fini is fine after a failure too. */
int acceptor_init(struct acceptor *acceptor, const char *listen, int listen_fd,
                  struct err *err) must_check;
int acceptor_start(struct acceptor *acceptor, struct err *err) must_check;
/* Ends the thread and closes the listening socket. Twice is fine. */
void acceptor_stop(struct acceptor *acceptor);
void acceptor_fini(struct acceptor *acceptor);
/* One connection that was taken has ended. Any thread. */
void acceptor_left(struct acceptor *acceptor, const struct sockaddr *peer);
