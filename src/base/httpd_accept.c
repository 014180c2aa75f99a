#include "base/httpd_accept.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/httpd.h"
#include "base/iofd.h"
#include "base/log.h"
#include "base/pulse.h"

#define PAUSE_MS       100 /* when there is no room */
#define ACCEPTS_A_TURN 64
#define ROOM_A_TURN    64

int
httpd_bind(const char *listen_text, int *out, struct err *err)
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
        bind(fd, (struct sockaddr *)&address, len) != 0) {
        rc = err_set(err, errno == EADDRINUSE ? E_BUSY : E_IO, "%s: %s", listen_text,
                     strerror(errno));
        close(fd);
        return rc;
    }
    *out = fd;
    return 0;
}

/* On a socket that listens already it changes nothing. */
static int
start_listening(const struct acceptor *acceptor, struct err *err)
{
    if (listen(acceptor->listen_fd, SOMAXCONN) == 0)
        return 0;
    return err_set(err, errno == EADDRINUSE ? E_BUSY : E_IO, "%s: %s",
                   acceptor->address, strerror(errno));
}

/* Of what is open anyway: a sandbox has no say in it. */
static int
open_reserve(const struct acceptor *acceptor)
{
    return fcntl(acceptor->wake_fd, F_DUPFD_CLOEXEC, 0);
}

int
acceptor_init(struct acceptor *acceptor, const char *listen, int listen_fd,
              struct err *err)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof(bound);

    *acceptor =
        (struct acceptor){.listen_fd = listen_fd, .wake_fd = -1, .reserve_fd = -1};
    pthread_mutex_init(&acceptor->lock, NULL);
    map_init(&acceptor->of_address);
    if (listen_fd < 0) {
        int rc = httpd_bind(listen, &acceptor->listen_fd, err);
        if (rc != 0)
            return rc;
    }

    int flags = fcntl(acceptor->listen_fd, F_GETFL);
    if (flags < 0 || fcntl(acceptor->listen_fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        getsockname(acceptor->listen_fd, (struct sockaddr *)&bound, &len) != 0)
        return err_set(err, E_IO, "listening socket: %s", strerror(errno));
    addr_format(acceptor->address, sizeof(acceptor->address),
                (struct sockaddr *)&bound);
    int rc = start_listening(acceptor, err);
    if (rc != 0)
        return rc;

    acceptor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (acceptor->wake_fd < 0)
        return err_set(err, E_IO, "eventfd: %s", strerror(errno));
    acceptor->reserve_fd = open_reserve(acceptor);
    return 0;
}

/* ---- how many an address has ---- */

static uint64_t
counted_as(const struct acceptor *acceptor, const struct sockaddr *peer)
{
    return acceptor->max_per_address == 0 || addr_is_loopback(peer) ? 0
                                                                    : addr_key(peer);
}

/* False: it has as many as it may have already. */
static bool
count_in(struct acceptor *acceptor, const struct sockaddr *peer)
{
    uint64_t key = counted_as(acceptor, peer);

    if (key == 0)
        return true;
    pthread_mutex_lock(&acceptor->lock);
    uintptr_t n = (uintptr_t)map_get(&acceptor->of_address, key, 0);
    bool may = n < acceptor->max_per_address;
    if (may)
        map_put(&acceptor->of_address, key, 0, (void *)(n + 1));
    pthread_mutex_unlock(&acceptor->lock);
    return may;
}

static void
count_out(struct acceptor *acceptor, const struct sockaddr *peer)
{
    uint64_t key = counted_as(acceptor, peer);

    if (key == 0)
        return;
    pthread_mutex_lock(&acceptor->lock);
    uintptr_t n = (uintptr_t)map_get(&acceptor->of_address, key, 0);
    if (n > 1)
        map_put(&acceptor->of_address, key, 0, (void *)(n - 1));
    else
        map_remove(&acceptor->of_address, key, 0);
    pthread_mutex_unlock(&acceptor->lock);
}

/* ---- accepting ---- */

static void
take(struct acceptor *acceptor, int fd, const struct sockaddr *peer, socklen_t len)
{
    if (!count_in(acceptor, peer)) {
        close(fd);
        return;
    }
    atomic_fetch_add(&acceptor->connections, 1);
    acceptor->take(acceptor->ctx, fd, peer, len);
}

/* No descriptor is left: whoever waits gets an end at once instead of silence. */
static void
shed(struct acceptor *acceptor)
{
    if (acceptor->reserve_fd < 0)
        return;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        close(acceptor->reserve_fd);
        int fd = accept4(acceptor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            close(fd);
        acceptor->reserve_fd = open_reserve(acceptor);
        if (fd < 0 || acceptor->reserve_fd < 0)
            return;
    }
}

static void
run_short(struct acceptor *acceptor, int error)
{
    if (!acceptor->is_short)
        log_msg(LOG_WARN, "accept: %s; clients are turned away", strerror(error));
    acceptor->is_short = true;
    acceptor->make_room(acceptor->ctx, ROOM_A_TURN);
    if (acceptor->reserve_fd < 0)
        acceptor->reserve_fd = open_reserve(acceptor);
    if (error == EMFILE || error == ENFILE)
        shed(acceptor);
}

static bool
is_full(const struct acceptor *acceptor)
{
    return atomic_load(&acceptor->connections) >= acceptor->max_connections;
}

/* False when there is no use to ask again at once. */
static bool
accept_some(struct acceptor *acceptor)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(peer);

        if (is_full(acceptor)) {
            /* Said before looking again: whoever ends a connection after this look
             * wakes us. */
            atomic_store(&acceptor->full, true);
            if (is_full(acceptor)) {
                acceptor->make_room(acceptor->ctx, ROOM_A_TURN);
                return false;
            }
        }
        int fd = accept4(acceptor->listen_fd, (struct sockaddr *)&peer, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
                       errno == ENOMEM)) {
            run_short(acceptor, errno);
            return false;
        }
        if (fd < 0)
            return true;
        acceptor->is_short = false;
        take(acceptor, fd, (struct sockaddr *)&peer, len);
    }
    return true;
}

static void *
accept_loop(void *arg)
{
    struct acceptor *acceptor = arg;
    struct pulse pulse;
    bool pause = false;

    pulse_begin(&pulse, "accept", PULSE_PATIENCE);
    while (!atomic_load(&acceptor->stopping)) {
        struct pollfd fds[] = {
            {acceptor->wake_fd, POLLIN, 0},
            {pause ? -1 : acceptor->listen_fd, POLLIN, 0},
        };
        pulse_rest();
        int n = poll(fds, ARRAY_LEN(fds), pause ? PAUSE_MS : -1);
        pulse_work();
        if (n < 0)
            continue;
        pause = false;
        if (fds[0].revents) {
            eventfd_t count;
            eventfd_read(acceptor->wake_fd, &count);
        }
        if (fds[1].revents)
            pause = !accept_some(acceptor);
    }
    pulse_end();
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
    if (acceptor->reserve_fd >= 0)
        close(acceptor->reserve_fd);
    acceptor->wake_fd = acceptor->reserve_fd = -1;
    map_fini(&acceptor->of_address);
    pthread_mutex_destroy(&acceptor->lock);
}

void
acceptor_left(struct acceptor *acceptor, const struct sockaddr *peer)
{
    count_out(acceptor, peer);
    atomic_fetch_sub(&acceptor->connections, 1);
    if (atomic_exchange(&acceptor->full, false))
        eventfd_write(acceptor->wake_fd, 1);
}
