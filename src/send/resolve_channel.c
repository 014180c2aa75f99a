#include "send/resolve_channel.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "send/resolve.h"

#define CONF "/etc/resolv.conf"

/* Two rounds over all servers, the second twice as long, inside the limit of a lookup.
 */
#define TRIES          2
#define FIRST_ROUND_MS 1500
#define TRY_MIN_MS     300

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static int library_status;

static void
init_library(void)
{
    library_status = ares_library_init(ARES_LIB_INIT_ALL);
}

static void
on_socket(void *ctx, ares_socket_t fd, int readable, int writable)
{
    int epoll_fd = (int)(intptr_t)ctx;
    struct epoll_event event = {.data.fd = fd};

    if (readable)
        event.events |= EPOLLIN;
    if (writable)
        event.events |= EPOLLOUT;
    if (!event.events)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0)
        /* Without memory it is not watched: its lookups run into their limit. */
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static unsigned
count_servers(ares_channel channel)
{
    struct ares_addr_port_node *servers = NULL;
    unsigned n = 0;

    if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS)
        return 1;
    for (const struct ares_addr_port_node *at = servers; at; at = at->next)
        n++;
    ares_free_data(servers);
    return n;
}

static int
open_with(ares_channel *out, int epoll_fd, const char *servers, int timeout_ms)
{
    static char lookups[] = "fb"; /* /etc/hosts, then DNS */
    struct ares_options options = {
        /* Names are whole: no search list (which the flag alone does not prevent), and
         * no aliases of the environment. */
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .domains = NULL,
        .ndomains = 0,
        .ndots = 0,
        .timeout = timeout_ms,
        .tries = TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = (void *)(intptr_t)epoll_fd,
    };
    int status = ares_init_options(
        out, &options,
        ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
            ARES_OPT_DOMAINS | ARES_OPT_NDOTS | ARES_OPT_SOCK_STATE_CB);

    if (status != ARES_SUCCESS || !servers)
        return status;
    status = ares_set_servers_ports_csv(*out, servers);
    if (status != ARES_SUCCESS)
        ares_destroy(*out);
    return status;
}

/* Twice: how many servers there are decides how long each may take. */
static int
open_twice(ares_channel *out, int epoll_fd, const char *servers)
{
    ares_channel first;
    int status = open_with(&first, epoll_fd, servers, FIRST_ROUND_MS);

    if (status != ARES_SUCCESS)
        return status;
    unsigned n = count_servers(first);
    ares_destroy(first);
    if (n == 0)
        return ARES_EBADSTR;
    int timeout_ms =
        FIRST_ROUND_MS / (int)(n < RESOLVE_SERVERS_MAX ? n : RESOLVE_SERVERS_MAX);
    return open_with(out, epoll_fd, servers,
                     timeout_ms > TRY_MIN_MS ? timeout_ms : TRY_MIN_MS);
}

int
channel_open(ares_channel *out, int epoll_fd, const char *servers, struct err *err)
{
    ares_channel channel;
    int rc = pthread_once(&library_once, init_library);
    assert(rc == 0);

    int status = library_status;
    if (status == ARES_SUCCESS)
        status = open_twice(&channel, epoll_fd, servers);
    if (status != ARES_SUCCESS)
        return err_set(err, E_INVALID, "DNS servers: %s", ares_strerror(status));
    *out = channel;
    return 0;
}

bool
channel_conf_changed(struct channel_conf *conf)
{
    struct stat st;
    int fd = open(CONF, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    int rc = fstat(fd, &st);
    close(fd);
    if (rc != 0)
        return false;
    bool same = st.st_dev == conf->device && st.st_ino == conf->file &&
                st.st_size == conf->size && st.st_mtim.tv_sec == conf->changed.tv_sec &&
                st.st_mtim.tv_nsec == conf->changed.tv_nsec;
    *conf = (struct channel_conf){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
    return !same;
}
