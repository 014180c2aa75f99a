/*
 * Where calls may go: a judgement of the binary socket address, made before every
 * connection and before every request. The rule is a table (docs/sending.md); what an
 * operator adds to it stands in a struct guard, which is filled once at start and then
 * read by any thread.
 */
#pragma once

#include <stdatomic.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"

#define GUARD_NETS_MAX  256 /* rows of --allow, and of --deny */
#define GUARD_PORTS_MAX 64
#define GUARD_OWN_MAX   1024 /* addresses of this machine */
#define GUARD_OWN_PORTS 4

struct guard_net {
    int family;
    uint8_t prefix[16];
    unsigned bits;
    uint16_t port; /* 0 = those that any call may go to */
};

struct guard_nets {
    struct guard_net *nets;
    size_t n;
};

struct guard {
    bool development; /* any address, any port, http too; only the grammar holds */
    bool http;        /* http:// besides https:// */
    bool nat64;       /* 64:ff9b::/96 stands for the IPv4 address inside */
    bool metadata;    /* the allow list may open the clouds' metadata addresses, too */
    uint16_t ports[GUARD_PORTS_MAX];
    size_t n_ports;
    struct guard_nets allow, deny;
    struct guard_nets own; /* this machine's addresses */
    _Atomic uint16_t own_ports[GUARD_OWN_PORTS];
};

/* The rule alone: https, ports 443 and 8443, global unicast addresses. */
void guard_init(struct guard *guard);
void guard_fini(struct guard *guard);

/* What an operator says; lists with commas, 0 or E_INVALID with a sentence.
 * ADDRESS[/BITS][:PORT], an IPv6 one in brackets when a port follows. */
int guard_allow(struct guard *guard, const char *nets, struct err *err) must_check;
int guard_deny(struct guard *guard, const char *nets, struct err *err) must_check;
int guard_set_ports(struct guard *guard, const char *ports, struct err *err) must_check;
/* Takes down this machine's addresses as they are now. */
int guard_read_own(struct guard *guard, struct err *err) must_check;
/* This program listens on that port: never called on an own address. Any thread. */
void guard_own_port(struct guard *guard, uint16_t port);

struct guard_verdict {
    bool allowed;
    const char *why;     /* "loopback", "on the allow list"; never NULL */
    struct guard_net by; /* the row that decided; family 0 = none */
};

/* May a call go to this address and port? */
struct guard_verdict guard_judge(const struct guard *guard, const struct sockaddr *sa);

/* Whether some address may be called on this port: early feedback on a URL. */
bool guard_port_known(const struct guard *guard, uint16_t port);

/* "10.0.0.0/8", "[fd00::]/8:8443" */
#define GUARD_NET_TEXT 64
void guard_net_text(const struct guard_net *net, char out[GUARD_NET_TEXT]);
