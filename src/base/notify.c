#include "base/notify.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager = -1;
static unsigned watchdog_s;

static bool
number_of(const char *variable, unsigned long long *out)
{
    const char *text = getenv(variable);
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static void
find_watchdog(void)
{
    unsigned long long us = 0;
    unsigned long long pid;

    if (number_of("WATCHDOG_PID", &pid) && pid != (unsigned long long)getpid())
        return;
    if (number_of("WATCHDOG_USEC", &us) && us / 1000000 <= UINT_MAX)
        watchdog_s = (unsigned)(us / 1000000);
}

int
notify_open(struct err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!path)
        return 0;
    size_t n = strlen(path);
    if (n < 2 || n >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
        return err_set(err, E_INVALID,
                       "NOTIFY_SOCKET: expected a path, or @ and a name, of at most "
                       "%zu bytes",
                       sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, n);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, len) != 0) {
        int rc = err_set(err, E_IO, "NOTIFY_SOCKET %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    manager = fd;
    find_watchdog();
    return 0;
}

void
notify_send(const char *lines)
{
    if (manager < 0)
        return;
    ssize_t n = send(manager, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* lost: the next one comes */
}

unsigned
notify_watchdog_s(void)
{
    return watchdog_s;
}
