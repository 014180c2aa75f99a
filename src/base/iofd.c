#include "base/iofd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define HOST_MAX  256
#define READ_STEP 4096

/* ---- addresses ---- */

/* Splits "host:port" or "[host]:port". */
static int
split_host_port(const char *text, char host[HOST_MAX], const char **port,
                struct err *err)
{
    bool bracket = text[0] == '[';
    const char *start = bracket ? text + 1 : text;
    const char *end = bracket ? strchr(start, ']') : strrchr(text, ':');
    const char *colon = bracket && end ? end + 1 : end;

    if (!end || *colon != ':')
        return err_set(err, E_INVALID,
                       "\"%s\": expected ADDRESS:PORT, as in 127.0.0.1:8420 or "
                       "[::1]:8420",
                       text);
    size_t n = (size_t)(end - start);
    if (n == 0)
        return err_set(err, E_INVALID,
                       "\"%s\": the address is missing; 0.0.0.0%s means all of them",
                       text, colon);
    if (n >= HOST_MAX || (!bracket && memchr(start, ':', n)))
        return err_set(err, E_INVALID,
                       "\"%s\": an IPv6 address needs brackets, as in [::1]:8420",
                       text);
    memcpy(host, start, n);
    host[n] = '\0';
    *port = colon + 1;
    return 0;
}

static int
parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;

    if (!*text)
        return E_INVALID;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return E_INVALID;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > UINT16_MAX)
            return E_INVALID;
    }
    *port = htons((uint16_t)value);
    return 0;
}

static bool
parse_numeric(const char *host, in_port_t port, struct sockaddr_storage *out,
              socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memset(out, 0, sizeof(*out));
        memcpy(out, &v4, sizeof(v4));
        *len = sizeof(v4);
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memset(out, 0, sizeof(*out));
        memcpy(out, &v6, sizeof(v6));
        *len = sizeof(v6);
        return true;
    }
    return false;
}

int
addr_parse(const char *text, struct sockaddr_storage *out, socklen_t *len,
           struct err *err)
{
    char host[HOST_MAX];
    const char *port_text = "";
    in_port_t port;

    int rc = split_host_port(text, host, &port_text, err);
    if (rc != 0)
        return rc;
    if (parse_port(port_text, &port) != 0)
        return err_set(err, E_INVALID, "\"%s\": the port must be a number up to 65535",
                       text);

    /* Always IPv4, whatever order the machine's resolver prefers: what is printed and
     * what is bound should not depend on it. */
    if (strcmp(host, "localhost") == 0)
        memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
    if (parse_numeric(host, port, out, len))
        return 0;

    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    rc = getaddrinfo(host, port_text, &hints, &found);
    if (rc != 0)
        return err_set(err, E_INVALID, "\"%s\": %s", text, gai_strerror(rc));
    memset(out, 0, sizeof(*out));
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

bool
addr_parse_ip(struct slice text, struct sockaddr_storage *out)
{
    char host[INET6_ADDRSTRLEN];
    socklen_t len;
    bool bracket = text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']';

    if (bracket) {
        text.p++;
        text.n -= 2;
    }
    if (text.n == 0 || text.n >= sizeof(host) || memchr(text.p, '\0', text.n) ||
        (bracket && !memchr(text.p, ':', text.n)))
        return false;
    memcpy(host, text.p, text.n);
    host[text.n] = '\0';
    return parse_numeric(host, 0, out, &len);
}

static uint64_t
read_big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t number = 0;

    for (size_t i = 0; i < n; i++)
        number = number << 8 | bytes[i];
    return number;
}

uint64_t
addr_key(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, sa, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr);
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, sa, sizeof(v6));
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            return read_big_endian(&v6.sin6_addr.s6_addr[12], 4);
        return read_big_endian(v6.sin6_addr.s6_addr, 8);
    }
    return 0;
}

bool
addr_is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, sa, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, sa, sizeof(v6));
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
            return v6.sin6_addr.s6_addr[12] == 127;
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}

void
addr_format(char *out, size_t cap, const struct sockaddr *sa)
{
    char host[INET6_ADDRSTRLEN];

    if (sa->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, sa, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        snprintf(out, cap, "%s:%u", host, (unsigned)ntohs(v4.sin_port));
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, sa, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
        snprintf(out, cap, "[%s]:%u", host, (unsigned)ntohs(v6.sin6_port));
    } else {
        snprintf(out, cap, "?");
    }
}

/* ---- whole files ---- */

static int
io_error(struct err *err, const char *verb, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT ? E_FULL
               : errno == ENOENT                  ? E_NOT_FOUND
                                                  : E_IO;

    return err_set(err, code, "%s %s: %s", verb, path, strerror(errno));
}

int
fd_write_all(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;

    while (n) {
        ssize_t done = write(fd, at, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return E_IO;
        at += done;
        n -= (size_t)done;
    }
    return 0;
}

char *
folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return xstrdup(".");
    return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

int
folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) != 0 ? E_IO : 0;
    int code = errno;

    if (fd >= 0)
        close(fd);
    errno = code;
    return rc;
}

static int
sync_folder_of(const char *path, struct err *err)
{
    char *folder = folder_of(path);
    int rc = folder_sync(folder) == 0 ? 0 : io_error(err, "sync", folder);

    free(folder);
    return rc;
}

int
file_write(const char *path, const void *bytes, size_t n, unsigned mode,
           struct err *err)
{
    size_t path_len = strlen(path);
    char *temporary = xmalloc(path_len + sizeof(".XXXXXX"));
    int rc = 0;

    memcpy(temporary, path, path_len);
    memcpy(temporary + path_len, ".XXXXXX", sizeof(".XXXXXX"));

    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        rc = io_error(err, "create", temporary);
        goto out;
    }
    if (fchmod(fd, (mode_t)mode) != 0 || fd_write_all(fd, bytes, n) != 0 ||
        fsync(fd) != 0)
        rc = io_error(err, "write", temporary);
    if (close(fd) != 0 && rc == 0)
        rc = io_error(err, "write", temporary);
    if (rc == 0 && rename(temporary, path) != 0)
        rc = io_error(err, "rename to", path);
    if (rc != 0)
        unlink(temporary);
    else
        rc = sync_folder_of(path, err);
out:
    free(temporary);
    return rc;
}

/* Reads to the end, or one byte more than max_bytes. */
static int
read_all(int fd, size_t max_bytes, char **out, size_t *n)
{
    struct stat st;
    size_t cap = READ_STEP;
    size_t used = 0;

    if (fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= max_bytes)
        cap = (size_t)st.st_size + 2; /* room for the NUL, and to see the end */
    char *p = xmalloc(cap);
    while (used <= max_bytes) {
        if (used + 1 == cap) {
            cap *= 2;
            p = xrealloc(p, cap);
        }
        ssize_t got = read(fd, p + used, cap - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(p);
            return E_IO;
        }
        if (got == 0)
            break;
        used += (size_t)got;
    }
    p[used] = '\0';
    *out = p;
    *n = used;
    return 0;
}

int
file_read(const char *path, size_t max_bytes, char **out, size_t *n, struct err *err)
{
    char *bytes;
    size_t size;
    int rc = 0;

    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return io_error(err, "open", path);
    if (read_all(fd, max_bytes, &bytes, &size) != 0) {
        rc = io_error(err, "read", path);
    } else if (size > max_bytes) {
        free(bytes);
        rc = err_set(err, E_TOO_LARGE, "read %s: larger than %zu bytes", path,
                     max_bytes);
    } else {
        *out = bytes;
        *n = size;
    }
    close(fd);
    return rc;
}
