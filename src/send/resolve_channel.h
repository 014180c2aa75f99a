/* One channel of c-ares, set up as resolve.c wants it. */
#pragma once

#include <ares.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/types.h"

/* `servers` as resolver_open takes them. Its sockets are watched by the epoll. 0, or
 * E_INVALID with a sentence. */
int channel_open(ares_channel *out, int epoll_fd, const char *servers,
                 struct err *err) must_check;

/* Which file of the system's servers that was. */
struct channel_conf {
    dev_t device;
    ino_t file;
    off_t size;
    struct timespec changed;
};

/* Whether the file is another one, or has changed, since the last time; one that cannot
 * be read has not. */
bool channel_conf_changed(struct channel_conf *conf);
