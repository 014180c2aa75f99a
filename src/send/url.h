/* The URLs that calls may go to: one reader for what is checked when a webhook is made
 * and for what is sent. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"
#include "core/webhook.h"

#define URL_HOST_MAX 253

struct guard;

struct url {
    char text[WEBHOOK_URL_MAX + 1]; /* the form that is kept: scheme and host in lower
                                       case, no default port; path and query byte for
                                       byte. Reading it gives the same again */
    bool https;
    uint16_t port;
    char host[URL_HOST_MAX + 1];     /* lower case, without brackets */
    struct sockaddr_storage literal; /* with the port; family 0: the host is a name */
};

/* http(s), visible ASCII, a host, no userinfo, no fragment; what else it may be is the
 * guard's: http, its port, an address, a local name. 0, or E_INVALID with a sentence
 * that says nothing of what is behind a refused address. */
int url_read(struct url *out, const char *text, const struct guard *guard,
             struct err *err) must_check;

/* An egress proxy: http:// or socks5://HOST:PORT, wherever it is; no path, no user. */
int url_read_proxy(struct url *out, const char *text, bool *socks,
                   struct err *err) must_check;
