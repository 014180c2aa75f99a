/*
 * Names to addresses: c-ares on an epoll of its own, which the owner's loop watches. No
 * threads, nothing that waits. What others choose is bounded: addresses of a name,
 * lookups under way, names remembered and for how long. Addresses are not judged here.
 *
 * One lookup serves all that ask for the same name at a time. Of the lookups under way
 * a quarter is kept for names that have been answered before, so that many names that
 * nobody answers for do not hold up those that work.
 *
 * Belongs to one thread.
 */
#pragma once

#include <sys/socket.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/types.h"

#define RESOLVE_ADDRESSES_MAX 16 /* kept of an answer */
#define RESOLVE_UNDER_WAY_MAX 1024
#define RESOLVE_NAMES_MAX     4096 /* remembered while nobody asks */
#define RESOLVE_TTL_MAX_S     60
#define RESOLVE_LIMIT_MS      5000 /* of one lookup */
#define RESOLVE_SERVERS_MAX   8

struct resolver;

struct address {
    sa_family_t family;
    uint8_t bytes[16];
};

struct lookup {
    /* in */
    const char *host;                    /* a name in lower case; valid until done */
    usec_t give_up_us;                   /* mono */
    void (*done)(struct lookup *lookup); /* from inside resolver_run */
    /* out; none: there are none, or nobody said so in time */
    size_t n;
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    /* the resolver's */
    struct name *name;
    struct lookup **list, *next, *prev;
    struct heap_node at;
};

/* `servers` are ADDR[:PORT], an IPv6 one with a port in brackets; with commas between;
 * NULL = those of /etc/resolv.conf, read now. */
int resolver_open(struct resolver **out, struct clock *clock, const char *servers,
                  struct err *err) must_check;
void resolver_close(struct resolver *resolver); /* forgets lookups; NULL is fine */

/* True: answered from memory, `done` is not called. False: later, or never when it is
 * cancelled. */
bool resolver_ask(struct resolver *resolver, struct lookup *lookup);
void resolver_cancel(struct resolver *resolver, struct lookup *lookup);

/* Readable when there is something for resolver_run to do. */
int resolver_fd(const struct resolver *resolver);
/* When it wants to run even if nothing is readable, mono; 0 = now, -1 = not at all. */
usec_t resolver_next_us(struct resolver *resolver);
void resolver_run(struct resolver *resolver);

/* 0, or E_INVALID with a sentence. */
int resolver_servers_check(const char *servers, struct err *err) must_check;

bool address_equal(const struct address *a, const struct address *b);

/* Fills a socket address; returns its length. */
socklen_t address_fill(const struct address *address, uint16_t port,
                       struct sockaddr_storage *out);
