/* Small helpers on file descriptors and network addresses. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"

/* "127.0.0.1:8420", "[::1]:0", "localhost:80" → a socket address. Port is required. */
int addr_parse(const char *text, struct sockaddr_storage *out, socklen_t *len,
               struct err *err) must_check;
bool addr_is_loopback(const struct sockaddr *sa);
void addr_format(char *out, size_t cap,
                 const struct sockaddr *sa); /* ADDR:PORT, [ADDR6]:PORT */
/* An IP address alone, as proxies write it: "192.0.2.1", "2001:db8::1",
 * "[2001:db8::1]". Its port is 0. False for anything else: a port, a zone, a name, a
 * space. */
bool addr_parse_ip(struct slice text, struct sockaddr_storage *out);
/* Who it is for a rate limit: an IPv4 address is itself, mapped to IPv6 or not; an IPv6
 * address is its first 64 bits, because people choose the other 64 themselves. The port
 * does not count; 0 for another family. */
uint64_t addr_key(const struct sockaddr *sa);

/* All of it; E_IO with errno set when that cannot be. */
int fd_write_all(int fd, const void *bytes, size_t n) must_check;
/* The folder that a path's last name is in, "." when it says none; free(). */
char *folder_of(const char *path);
/* A new or other name in a folder is on stable storage only once the folder is. E_IO
 * with errno set. */
int folder_sync(const char *folder) must_check;
/* Writes the whole file anew with this mode (write to a temporary beside it, fsync,
 * rename, fsync the folder). */
int file_write(const char *path, const void *bytes, size_t n, unsigned mode,
               struct err *err) must_check;
/* Reads a whole file of at most max_bytes; *out is NUL-terminated, free(). E_NOT_FOUND
 * if there is none. */
int file_read(const char *path, size_t max_bytes, char **out, size_t *n,
              struct err *err) must_check;
