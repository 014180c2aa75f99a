/* What an operator adds to the rule, read from text and from the machine. */
#include "send/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define ITEM_MAX 80 /* an address, its bits and a port */

/* Ports that a receiver in earnest listens on; others would make a port scanner. */
static const uint16_t default_ports[] = {443, 8443};

void
guard_init(struct guard *guard)
{
    *guard = (struct guard){.n_ports = ARRAY_LEN(default_ports)};
    memcpy(guard->ports, default_ports, sizeof(default_ports));
}

void
guard_fini(struct guard *guard)
{
    free(guard->allow.nets);
    free(guard->deny.nets);
    free(guard->own.nets);
}

/* A decimal number up to `max` that ends the text; false otherwise. */
static bool
read_number(const char *text, unsigned max, unsigned *out)
{
    unsigned value = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        value = value * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || text[n] || value > max)
        return false;
    *out = value;
    return true;
}

static int
read_port(const char *text, uint16_t *out, struct err *err)
{
    unsigned port;

    if (!read_number(text, 65535, &port) || port == 0)
        return err_set(err, E_INVALID, "a port is a number from 1 to 65535, not %.20s",
                       text);
    *out = (uint16_t)port;
    return 0;
}

/* Whether there is nothing after the prefix's bits: 10.0.0.1/8 is a mistake. */
static bool
ends_with_prefix(const struct guard_net *net)
{
    for (unsigned bit = net->bits; bit < 128; bit++) {
        if (net->prefix[bit / 8] & 0x80u >> bit % 8)
            return false;
    }
    return true;
}

/* Cuts "[ADDR]/BITS:PORT", "ADDR/BITS:PORT", "ADDR6/BITS" into its three parts; those
 * that are missing are NULL. */
static int
cut_net(char *text, char **bits, char **port, struct err *err)
{
    char *address_end = text;

    *bits = *port = NULL;
    if (*text == '[') {
        address_end = strchr(text, ']');
        if (!address_end)
            return err_set(err, E_INVALID, "the bracket is not closed");
        *address_end++ = '\0';
        if (*address_end && *address_end != '/' && *address_end != ':')
            return err_set(err, E_INVALID, "after the bracket comes / or : or nothing");
    }
    *bits = strchr(address_end, '/');
    char *after = *bits ? *bits : address_end;
    char *colon = strchr(after, ':');
    /* Colons of a bare IPv6 address are its own. */
    if (colon && !(after == text && strchr(colon + 1, ':')))
        *port = colon + 1;
    if (*port)
        *colon = '\0';
    if (*bits)
        *(*bits)++ = '\0';
    return 0;
}

static int
read_net(char *text, struct guard_net *net, struct err *err)
{
    char *bits, *port;

    *net = (struct guard_net){0};
    int rc = cut_net(text, &bits, &port, err);
    if (rc != 0)
        return rc;
    const char *address = text + (*text == '[');
    if (inet_pton(AF_INET, address, net->prefix) == 1)
        net->family = AF_INET;
    else if (inet_pton(AF_INET6, address, net->prefix) == 1)
        net->family = AF_INET6;
    else
        return err_set(err, E_INVALID,
                       "expected ADDRESS/BITS or ADDRESS/BITS:PORT, not a name: %.60s",
                       address);
    net->bits = net->family == AF_INET ? 32 : 128;
    if (bits && !read_number(bits, net->bits, &net->bits))
        return err_set(err, E_INVALID, "after / come the prefix's bits, 0 to %u",
                       net->bits);
    if (!ends_with_prefix(net))
        return err_set(err, E_INVALID, "%s/%u: the address has bits after its prefix",
                       address, net->bits);
    return port ? read_port(port, &net->port, err) : 0;
}

static int
add_net(struct guard_nets *nets, const struct guard_net *net, size_t max,
        struct err *err)
{
    if (nets->n == max)
        return err_set(err, E_INVALID, "there are more than %zu addresses", max);
    nets->nets = xrealloc(nets->nets, (nets->n + 1) * sizeof(nets->nets[0]));
    nets->nets[nets->n++] = *net;
    return 0;
}

/* Hands each part between commas, cut out, to `take`. */
static int
each_item(const char *list, struct guard *guard,
          int (*take)(struct guard *guard, char *item, struct err *err),
          struct err *err)
{
    for (;;) {
        char item[ITEM_MAX];
        size_t n = strcspn(list, ",");
        if (n >= sizeof(item))
            return err_set(err, E_INVALID, "too long: %.60s…", list);
        memcpy(item, list, n);
        item[n] = '\0';
        int rc = take(guard, item, err);
        if (rc != 0 || !list[n])
            return rc;
        list += n + 1;
    }
}

static int
take_allowed(struct guard *guard, char *item, struct err *err)
{
    struct guard_net net;
    int rc = read_net(item, &net, err);
    return rc == 0 ? add_net(&guard->allow, &net, GUARD_NETS_MAX, err) : rc;
}

static int
take_denied(struct guard *guard, char *item, struct err *err)
{
    struct guard_net net;
    int rc = read_net(item, &net, err);
    return rc == 0 ? add_net(&guard->deny, &net, GUARD_NETS_MAX, err) : rc;
}

static int
take_port(struct guard *guard, char *item, struct err *err)
{
    if (guard->n_ports == GUARD_PORTS_MAX)
        return err_set(err, E_INVALID, "there are more than %d ports", GUARD_PORTS_MAX);
    int rc = read_port(item, &guard->ports[guard->n_ports], err);
    if (rc == 0)
        guard->n_ports++;
    return rc;
}

int
guard_allow(struct guard *guard, const char *nets, struct err *err)
{
    return each_item(nets, guard, take_allowed, err);
}

int
guard_deny(struct guard *guard, const char *nets, struct err *err)
{
    return each_item(nets, guard, take_denied, err);
}

int
guard_set_ports(struct guard *guard, const char *ports, struct err *err)
{
    guard->n_ports = 0;
    return each_item(ports, guard, take_port, err);
}

/* ---- this machine ---- */

static int
add_own(struct guard *guard, const struct sockaddr *sa, struct err *err)
{
    struct guard_net net = {0};

    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        net.bits = 32;
        memcpy(net.prefix, &in->sin_addr, sizeof(in->sin_addr));
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;
        net.bits = 128;
        memcpy(net.prefix, &in6->sin6_addr, sizeof(in6->sin6_addr));
    } else {
        return 0;
    }
    net.family = sa->sa_family;
    return add_net(&guard->own, &net, GUARD_OWN_MAX, err);
}

int
guard_read_own(struct guard *guard, struct err *err)
{
    struct ifaddrs *all;
    int rc = 0;

    if (getifaddrs(&all) != 0)
        return err_set(err, E_IO, "this machine's addresses: %s", strerror(errno));
    for (struct ifaddrs *at = all; at && rc == 0; at = at->ifa_next) {
        if (at->ifa_addr)
            rc = add_own(guard, at->ifa_addr, err);
    }
    freeifaddrs(all);
    return rc;
}

void
guard_own_port(struct guard *guard, uint16_t port)
{
    for (size_t i = 0; i < GUARD_OWN_PORTS; i++) {
        uint16_t none = 0;
        if (atomic_compare_exchange_strong(&guard->own_ports[i], &none, port) ||
            none == port)
            return;
    }
}

void
guard_net_text(const struct guard_net *net, char out[GUARD_NET_TEXT])
{
    char address[INET6_ADDRSTRLEN] = "?";
    bool bracket = net->family == AF_INET6 && net->port;

    inet_ntop(net->family, net->prefix, address, sizeof(address));
    int n = snprintf(out, GUARD_NET_TEXT, "%s%s%s/%u", bracket ? "[" : "", address,
                     bracket ? "]" : "", net->bits);
    if (net->port && n > 0 && n < GUARD_NET_TEXT)
        snprintf(out + n, GUARD_NET_TEXT - (size_t)n, ":%u", net->port);
}
