#include "send/resolve.h"

#include <ares.h>
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "send/resolve_channel.h"

#define RESERVED     (RESOLVE_UNDER_WAY_MAX / 4) /* for names that were answered before */
#define EVENTS_A_RUN 64

/* How often it is looked whether the system has other servers, at most. */
#define LOOK_EVERY_US ((usec_t)5 * 1000000)

enum name_state {
    NAME_IDLE,   /* remembered, nobody waits */
    NAME_QUEUED, /* until fewer lookups are under way */
    NAME_ASKED
};

/* A name is in the map from the first that asks until it is forgotten. */
struct name {
    struct resolver *resolver;
    enum name_state state;
    struct lookup *waiting;
    bool proven;              /* its last lookup gave addresses */
    usec_t fresh_until_us;    /* 0 = ask again */
    struct name *next, *prev; /* in the queue, or among those that are idle */
    size_t n;
    struct address addresses[RESOLVE_ADDRESSES_MAX];
    char host[];
};

/* First in, first out. */
struct name_list {
    struct name *head, *tail;
    size_t n;
};

struct resolver {
    struct clock *clock;
    ares_channel channel;
    int epoll_fd;
    struct smap names;
    struct name_list proven, unproven; /* the two queues */
    struct name_list idle;             /* the longest unused first */
    unsigned under_way;
    struct lookup *answered; /* done is to be called */
    struct heap deadlines;   /* of lookups that wait */
    bool closing;
    bool changing;  /* what was asked is asked again */
    bool of_system; /* its servers are the system's */
    struct channel_conf conf;
    usec_t looked_us; /* when for others, the last time */
};

/* ---- lists ---- */

static void
list_add(struct name_list *list, struct name *name)
{
    name->next = NULL;
    name->prev = list->tail;
    if (list->tail)
        list->tail->next = name;
    else
        list->head = name;
    list->tail = name;
    list->n++;
}

static void
list_remove(struct name_list *list, struct name *name)
{
    if (name->prev)
        name->prev->next = name->next;
    else
        list->head = name->next;
    if (name->next)
        name->next->prev = name->prev;
    else
        list->tail = name->prev;
    list->n--;
}

static void
lookup_push(struct lookup **list, struct lookup *lookup)
{
    lookup->list = list;
    lookup->prev = NULL;
    lookup->next = *list;
    if (*list)
        (*list)->prev = lookup;
    *list = lookup;
}

static void
lookup_unlink(struct lookup *lookup)
{
    if (lookup->prev)
        lookup->prev->next = lookup->next;
    else
        *lookup->list = lookup->next;
    if (lookup->next)
        lookup->next->prev = lookup->prev;
    lookup->list = NULL;
}

/* ---- names ---- */

static struct name *
name_get(struct resolver *resolver, const char *host)
{
    struct name *name = smap_get(&resolver->names, slice_of(host));
    size_t n = strlen(host) + 1;

    if (name)
        return name;
    name = xcalloc(1, sizeof(*name) + n);
    memcpy(name->host, host, n);
    name->resolver = resolver;
    list_add(&resolver->idle, name);
    smap_put(&resolver->names, slice_of(name->host), name);
    return name;
}

static void
forget(struct resolver *resolver, struct name *name)
{
    assert(name->state == NAME_IDLE && !name->waiting);
    list_remove(&resolver->idle, name);
    smap_remove(&resolver->names, slice_of(name->host));
    free(name);
}

/* Nobody asks for it any more: it is remembered if it is worth it. */
static void
rest(struct resolver *resolver, struct name *name)
{
    name->state = NAME_IDLE;
    list_add(&resolver->idle, name);
    if (!name->proven)
        forget(resolver, name);
    while (resolver->idle.n > RESOLVE_NAMES_MAX)
        forget(resolver, resolver->idle.head);
}

static void
give(struct lookup *lookup, const struct name *name)
{
    lookup->n = name->n;
    memcpy(lookup->addresses, name->addresses, name->n * sizeof(name->addresses[0]));
}

/* Ends a lookup that waits; done is called in the run. */
static void
answer(struct resolver *resolver, struct lookup *lookup)
{
    heap_remove(&resolver->deadlines, &lookup->at);
    lookup_unlink(lookup);
    lookup->name = NULL;
    lookup_push(&resolver->answered, lookup);
}

static void
answer_all(struct resolver *resolver, struct name *name)
{
    while (name->waiting) {
        struct lookup *lookup = name->waiting;
        give(lookup, name);
        answer(resolver, lookup);
    }
}

static void
queue_up(struct resolver *resolver, struct name *name)
{
    name->state = NAME_QUEUED;
    list_add(name->proven ? &resolver->proven : &resolver->unproven, name);
}

/* ---- answers ---- */

/* Whether this machine can reach IPv6 addresses at all: no packet is sent. */
static bool
has_ipv6(void)
{
    struct sockaddr_in6 somewhere = {.sin6_family = AF_INET6,
                                     .sin6_port = htons(53),
                                     .sin6_addr.s6_addr = {0x20, [15] = 1}};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool can = connect(fd, (const struct sockaddr *)&somewhere, sizeof(somewhere)) == 0;
    close(fd);
    return can;
}

static void
add_family(struct name *name, const struct ares_addrinfo *info, int family)
{
    const struct ares_addrinfo_node *node = info->nodes;

    for (; node && name->n < RESOLVE_ADDRESSES_MAX; node = node->ai_next) {
        struct address *address = &name->addresses[name->n];
        if (node->ai_family != family)
            continue;
        *address = (struct address){.family = (sa_family_t)family};
        if (family == AF_INET) {
            const struct sockaddr_in *in = (const void *)node->ai_addr;
            memcpy(address->bytes, &in->sin_addr, sizeof(in->sin_addr));
        } else {
            const struct sockaddr_in6 *in6 = (const void *)node->ai_addr;
            memcpy(address->bytes, &in6->sin6_addr, sizeof(in6->sin6_addr));
        }
        name->n++;
    }
}

/* For how long the answer is good. */
static int
ttl_s(const struct ares_addrinfo *info)
{
    int ttl = RESOLVE_TTL_MAX_S;

    for (const struct ares_addrinfo_node *at = info->nodes; at; at = at->ai_next) {
        if (at->ai_ttl < ttl)
            ttl = at->ai_ttl;
    }
    for (const struct ares_addrinfo_cname *at = info->cnames; at; at = at->next) {
        if (at->ttl < ttl)
            ttl = at->ttl;
    }
    return ttl > 0 ? ttl : 0;
}

static bool
has_family(const struct ares_addrinfo *info, int family)
{
    const struct ares_addrinfo_node *node = info->nodes;

    while (node && node->ai_family != family)
        node = node->ai_next;
    return node != NULL;
}

static void
keep(struct name *name, const struct ares_addrinfo *info)
{
    bool both = has_family(info, AF_INET6) && has_family(info, AF_INET);
    int first = both && !has_ipv6() ? AF_INET : AF_INET6;

    name->n = 0;
    add_family(name, info, first);
    add_family(name, info, first == AF_INET6 ? AF_INET : AF_INET6);
    int ttl = ttl_s(info);
    name->fresh_until_us =
        ttl ? clock_mono_us(name->resolver->clock) + (usec_t)ttl * 1000000 : 0;
}

static void
on_answer(void *ctx, int status, int timeouts, struct ares_addrinfo *info)
{
    struct name *name = ctx;
    struct resolver *resolver = name->resolver;

    (void)timeouts;
    name->n = 0;
    name->fresh_until_us = 0;
    if (status == ARES_SUCCESS && info)
        keep(name, info);
    if (info)
        ares_freeaddrinfo(info);
    name->proven = name->n > 0;
    resolver->under_way--;
    if (resolver->closing)
        return;
    if (resolver->changing) {
        queue_up(resolver, name);
        return;
    }
    answer_all(resolver, name);
    rest(resolver, name);
}

/* ---- questions ---- */

static void
ask(struct resolver *resolver, struct name *name)
{
    static const struct ares_addrinfo_hints hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        /* Sorting would open a socket for every address of the answer. */
        .ai_flags = ARES_AI_NOSORT,
    };

    name->state = NAME_ASKED;
    resolver->under_way++;
    ares_getaddrinfo(resolver->channel, name->host, NULL, &hints, on_answer, name);
}

static bool
take_next(struct resolver *resolver)
{
    struct name_list *queue = NULL;

    if (resolver->proven.head && resolver->under_way < RESOLVE_UNDER_WAY_MAX)
        queue = &resolver->proven;
    else if (resolver->unproven.head &&
             resolver->under_way < RESOLVE_UNDER_WAY_MAX - RESERVED)
        queue = &resolver->unproven;
    if (!queue)
        return false;
    struct name *name = queue->head;
    list_remove(queue, name);
    if (name->waiting)
        ask(resolver, name);
    else
        rest(resolver, name); /* all have given up */
    return true;
}

bool
resolver_ask(struct resolver *resolver, struct lookup *lookup)
{
    struct name *name = name_get(resolver, lookup->host);

    lookup->n = 0;
    lookup->list = NULL;
    heap_node_init(&lookup->at);
    if (name->state == NAME_IDLE) {
        list_remove(&resolver->idle, name);
        if (name->fresh_until_us > clock_mono_us(resolver->clock)) {
            list_add(&resolver->idle, name); /* used just now */
            give(lookup, name);
            return true;
        }
        queue_up(resolver, name);
    }
    usec_t limit_us = clock_mono_us(resolver->clock) + (usec_t)RESOLVE_LIMIT_MS * 1000;
    lookup->name = name;
    lookup_push(&name->waiting, lookup);
    heap_set(&resolver->deadlines, &lookup->at,
             lookup->give_up_us < limit_us ? lookup->give_up_us : limit_us);
    return false;
}

void
resolver_cancel(struct resolver *resolver, struct lookup *lookup)
{
    if (!lookup->list)
        return;
    heap_remove(&resolver->deadlines, &lookup->at);
    lookup_unlink(lookup);
}

/* ---- the loop ---- */

int
resolver_fd(const struct resolver *resolver)
{
    return resolver->epoll_fd;
}

static bool
may_take_next(const struct resolver *resolver)
{
    return (resolver->proven.head && resolver->under_way < RESOLVE_UNDER_WAY_MAX) ||
           (resolver->unproven.head &&
            resolver->under_way < RESOLVE_UNDER_WAY_MAX - RESERVED);
}

usec_t
resolver_next_us(struct resolver *resolver)
{
    const struct heap_node *top = heap_top(&resolver->deadlines);
    struct timeval left;
    usec_t next = top ? top->key : -1;

    if (resolver->answered || may_take_next(resolver))
        return 0;
    if (resolver->under_way > 0 && ares_timeout(resolver->channel, NULL, &left)) {
        usec_t theirs = clock_mono_us(resolver->clock) + (usec_t)left.tv_sec * 1000000 +
                        left.tv_usec;
        if (next < 0 || theirs < next)
            next = theirs;
    }
    return next;
}

static void
end_late(struct resolver *resolver)
{
    struct heap_node *top = heap_top(&resolver->deadlines);
    usec_t now_us = top ? clock_mono_us(resolver->clock) : 0;

    for (; top && top->key <= now_us; top = heap_top(&resolver->deadlines))
        answer(resolver, container_of(top, struct lookup, at));
}

/* Goes on with the system's servers of now; those of before if that cannot be. */
static void
follow_system(struct resolver *resolver)
{
    ares_channel channel;
    usec_t now_us = clock_mono_us(resolver->clock);

    if (!resolver->of_system || now_us - resolver->looked_us < LOOK_EVERY_US)
        return;
    resolver->looked_us = now_us;
    if (!channel_conf_changed(&resolver->conf) ||
        channel_open(&channel, resolver->epoll_fd, NULL, NULL) != 0)
        return;
    resolver->changing = true;
    ares_destroy(resolver->channel); /* ends all that is under way: on_answer */
    resolver->changing = false;
    resolver->channel = channel;
}

void
resolver_run(struct resolver *resolver)
{
    struct epoll_event events[EVENTS_A_RUN];

    if (resolver->under_way > 0) {
        int n = epoll_wait(resolver->epoll_fd, events, EVENTS_A_RUN, 0);
        for (int i = 0; i < n; i++) {
            bool in = events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP);
            bool out = events[i].events & EPOLLOUT;
            ares_process_fd(resolver->channel, in ? events[i].data.fd : ARES_SOCKET_BAD,
                            out ? events[i].data.fd : ARES_SOCKET_BAD);
        }
        ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    end_late(resolver);
    if (may_take_next(resolver))
        follow_system(resolver);
    while (take_next(resolver))
        continue;
    while (resolver->answered) {
        struct lookup *lookup = resolver->answered;
        lookup_unlink(lookup);
        lookup->done(lookup);
    }
}

/* ---- open and close ---- */

int
resolver_servers_check(const char *servers, struct err *err)
{
    struct resolver *resolver;
    struct clock *clock = &clock_system;
    int rc = resolver_open(&resolver, clock, servers, err);

    if (rc == 0)
        resolver_close(resolver);
    return rc;
}

int
resolver_open(struct resolver **out, struct clock *clock, const char *servers,
              struct err *err)
{
    struct resolver *resolver = xcalloc(1, sizeof(*resolver));
    int rc = 0;

    resolver->clock = clock;
    resolver->of_system = !servers;
    resolver->looked_us = clock_mono_us(clock);
    smap_init(&resolver->names);
    heap_init(&resolver->deadlines);
    channel_conf_changed(&resolver->conf); /* from now on */
    resolver->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (resolver->epoll_fd < 0)
        rc = err_set(err, E_IO, "epoll: %s", strerror(errno));
    if (rc == 0)
        rc = channel_open(&resolver->channel, resolver->epoll_fd, servers, err);
    if (rc != 0) {
        resolver_close(resolver);
        return rc;
    }
    *out = resolver;
    return 0;
}

void
resolver_close(struct resolver *resolver)
{
    size_t at = 0;
    struct name *name;

    if (!resolver)
        return;
    resolver->closing = true;
    if (resolver->channel)
        ares_destroy(resolver->channel); /* answers all: on_answer */
    while ((name = smap_next(&resolver->names, &at)) != NULL)
        free(name);
    smap_fini(&resolver->names);
    heap_fini(&resolver->deadlines);
    if (resolver->epoll_fd >= 0)
        close(resolver->epoll_fd);
    free(resolver);
}

bool
address_equal(const struct address *a, const struct address *b)
{
    size_t n = a->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    return a->family == b->family && memcmp(a->bytes, b->bytes, n) == 0;
}

socklen_t
address_fill(const struct address *address, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (void *)out;
    struct sockaddr_in6 *in6 = (void *)out;

    *out = (struct sockaddr_storage){.ss_family = address->family};
    if (address->family == AF_INET) {
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, address->bytes, sizeof(in->sin_addr));
        return sizeof(*in);
    }
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, address->bytes, sizeof(in6->sin6_addr));
    return sizeof(*in6);
}
