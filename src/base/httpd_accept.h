/*
 * The listening socket and the one thread that accepts on it, for httpd.c. The thread
 * is our own because stopping libmicrohttpd 0.9.75 from accepting (MHD_quiesce_daemon)
 * races with its workers over the epoll registration and may end the process; and
 * because a limit of connections in all needs one place that counts them.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"

struct acceptor {
    int listen_fd;
    int wake_fd;
    size_t max_connections;
    atomic_size_t connections;
    atomic_bool stopping;
    atomic_bool full; /* the thread waits for a connection to end */
    pthread_t thread;
    bool running;
    char address[64];
    /* Takes a connected socket over; false: refused, and the socket is closed. */
    bool (*take)(void *ctx, int fd, const struct sockaddr *peer, socklen_t peer_len);
    void *ctx;
};

/* Binds and listens, or takes over a socket that listens already; accepts nothing yet.
 * acceptor_fini is fine after a failure too. */
int acceptor_init(struct acceptor *acceptor, const char *listen, int listen_fd,
                  size_t max_connections, struct err *err) must_check;
int acceptor_start(struct acceptor *acceptor, struct err *err) must_check;
/* Ends the thread and closes the listening socket. Twice is fine. */
void acceptor_stop(struct acceptor *acceptor);
void acceptor_fini(struct acceptor *acceptor);
/* One connection that was taken has ended. Any thread. */
void acceptor_left(struct acceptor *acceptor);
