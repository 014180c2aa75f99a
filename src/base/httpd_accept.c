#include "base/httpd_accept.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/iofd.h"
#include "base/log.h"

#define SHORTAGE_PAUSE_MS 100
#define ACCEPTS_A_TURN    64

static int
open_listener(const char *listen_text, int *out, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;

    int rc = addr_parse(listen_text, &address, &len, err);
    if (rc != 0)
        return rc;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(err, E_IO, "socket: %s", strerror(errno));
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, SOMAXCONN) != 0) {
        rc = err_set(err, errno == EADDRINUSE ? E_BUSY : E_IO, "%s: %s", listen_text,
                     strerror(errno));
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

int
acceptor_init(struct acceptor *acceptor, const char *listen, int listen_fd,
              size_t max_connections, struct err *err)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);

    *acceptor = (struct acceptor){
        .listen_fd = listen_fd, .wake_fd = -1, .max_connections = max_connections};
    if (listen_fd < 0) {
        int rc = open_listener(listen, &acceptor->listen_fd, err);
        if (rc != 0)
            return rc;
    }

    int flags = fcntl(acceptor->listen_fd, F_GETFL);
    if (flags < 0 || fcntl(acceptor->listen_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        getsockname(acceptor->listen_fd, (struct sockaddr *)&bound, &len) != 0)
        return err_set(err, E_IO, "listening socket: %s", strerror(errno));
    addr_format(acceptor->address, sizeof(acceptor->address),
                (struct sockaddr *)&bound);

    acceptor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->wake_fd < 0)
        return err_set(err, E_IO, "eventfd: %s", strerror(errno));
    return 0;
}

/* False when the system is short of descriptors or memory: no use to ask again at once.
 */
static bool
accept_some(struct acceptor *acceptor)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);

        if (atomic_load(&acceptor->connections) >= acceptor->max_connections)
            return true;
        int fd = accept4(acceptor->listen_fd, (struct sockaddr *)&peer, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                       errno == ENOMEM)) {
            log_msg(LOG_WARN, "accept: %s", strerror(errno));
            return false;
        }
        if (fd < 0)
            return true;

        atomic_fetch_add(&acceptor->connections, 1);
        if (!acceptor->take(acceptor->ctx, fd, (struct sockaddr *)&peer, len))
            atomic_fetch_sub(&acceptor->connections, 1);
    }
    return true;
}

static bool
has_room(struct acceptor *acceptor)
{
    if (atomic_load(&acceptor->connections) < acceptor->max_connections)
        return true;
    /* Said before looking again: whoever ends a connection after this look wakes us. */
    atomic_store(&acceptor->full, true);
    return atomic_load(&acceptor->connections) < acceptor->max_connections;
}

static void *
accept_loop(void *arg)
{
    struct acceptor *acceptor = arg;
    bool short_of_means = false;

    while (!atomic_load(&acceptor->stopping)) {
        bool listening = !short_of_means && has_room(acceptor);
        struct pollfd fds[] = {
            {acceptor->wake_fd, POLLIN, 0},
            {listening ? acceptor->listen_fd : -1, POLLIN, 0},
        };
        if (poll(fds, ARRAY_LEN(fds), short_of_means ? SHORTAGE_PAUSE_MS : -1) < 0)
            continue;
        short_of_means = false;
        if (fds[0].revents) {
            eventfd_t count;
            eventfd_read(acceptor->wake_fd, &count);
        }
        if (fds[1].revents)
            short_of_means = !accept_some(acceptor);
    }
    return NULL;
}

int
acceptor_start(struct acceptor *acceptor, struct err *err)
{
    int rc = pthread_create(&acceptor->thread, NULL, accept_loop, acceptor);

    if (rc != 0)
        return err_set(err, E_NO_MEMORY, "thread: %s", strerror(rc));
    acceptor->running = true;
    return 0;
}

void
acceptor_stop(struct acceptor *acceptor)
{
    if (acceptor->running) {
        atomic_store(&acceptor->stopping, true);
        eventfd_write(acceptor->wake_fd, 1);
        pthread_join(acceptor->thread, NULL);
        acceptor->running = false;
    }
    if (acceptor->listen_fd >= 0)
        close(acceptor->listen_fd);
    acceptor->listen_fd = -1;
}

void
acceptor_fini(struct acceptor *acceptor)
{
    acceptor_stop(acceptor);
    if (acceptor->wake_fd >= 0)
        close(acceptor->wake_fd);
    acceptor->wake_fd = -1;
}

void
acceptor_left(struct acceptor *acceptor)
{
    atomic_fetch_sub(&acceptor->connections, 1);
    if (atomic_exchange(&acceptor->full, false))
        eventfd_write(acceptor->wake_fd, 1);
}
