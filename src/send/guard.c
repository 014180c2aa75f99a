#include "send/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* The first row that covers an address decides. */
struct rule {
    int family;
    uint8_t prefix[16];
    unsigned bits;
    bool allowed;
    const char *why;
};

static const struct rule rules[] = {
    {AF_INET, {0}, 8, false, "\"this\" network"},
    {AF_INET, {10}, 8, false, "private"},
    {AF_INET, {100, 64}, 10, false, "carrier-grade NAT"},
    {AF_INET, {127}, 8, false, "loopback"},
    {AF_INET, {169, 254}, 16, false, "link-local, cloud metadata"},
    {AF_INET, {172, 16}, 12, false, "private"},
    {AF_INET, {192, 0, 0}, 24, false, "protocol assignments"},
    {AF_INET, {192, 0, 2}, 24, false, "documentation"},
    {AF_INET, {192, 31, 196}, 24, false, "AS112"},
    {AF_INET, {192, 52, 193}, 24, false, "AMT"},
    {AF_INET, {192, 88, 99}, 24, false, "6to4 relays"},
    {AF_INET, {192, 168}, 16, false, "private"},
    {AF_INET, {192, 175, 48}, 24, false, "AS112"},
    {AF_INET, {198, 18}, 15, false, "benchmarks"},
    {AF_INET, {198, 51, 100}, 24, false, "documentation"},
    {AF_INET, {203, 0, 113}, 24, false, "documentation"},
    {AF_INET, {224}, 4, false, "multicast"},
    {AF_INET, {240}, 4, false, "reserved"},
    {AF_INET, {168, 63, 129, 16}, 32, false, "a cloud's host, public only in form"},
    {AF_INET, {0}, 0, true, "global unicast"},

    {AF_INET6, {0x20, 0x01, 0x00}, 23, false, "protocol assignments, Teredo"},
    {AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32, false, "documentation"},
    {AF_INET6, {0x20, 0x02}, 16, false, "6to4"},
    {AF_INET6, {0x26, 0x20, 0x00, 0x4f, 0x80}, 48, false, "AS112"},
    {AF_INET6, {0x3f, 0xff, 0x00}, 20, false, "documentation"},
    {AF_INET6, {0x20}, 3, true, "global unicast"},
    {AF_INET6, {0}, 0, false, "not global unicast"},
};

/* Where clouds hand out credentials to whoever asks from inside: an allow list opens
 * them only with a second word for it. */
static const struct guard_net metadata[] = {
    {AF_INET, {169, 254, 169, 254}, 32, 0},
    {AF_INET, {168, 63, 129, 16}, 32, 0},
    {AF_INET6, {0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}, 128, 0},
};

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t nat64_prefix[12] = {0x00, 0x64, 0xff, 0x9b};

/* An address as it is judged: without what IPv6 wraps around an IPv4 one. */
struct bare {
    int family;
    const uint8_t *bytes;
    uint16_t port;
};

static bool
covers(int family, const uint8_t *prefix, unsigned bits, const struct bare *bare)
{
    if (family != bare->family)
        return false;
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(prefix, bare->bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xff00u >> rest & 0xff;
    return ((prefix[whole] ^ bare->bytes[whole]) & mask) == 0;
}

static bool
has_port(const struct guard *guard, uint16_t port)
{
    for (size_t i = 0; i < guard->n_ports; i++) {
        if (guard->ports[i] == port)
            return true;
    }
    return guard->http && port == 80; /* its own, where it is allowed at all */
}

/* The row of an operator's list that covers the address and its port. */
static const struct guard_net *
find(const struct guard_net *nets, size_t n, const struct bare *bare)
{
    for (size_t i = 0; i < n; i++) {
        const struct guard_net *net = &nets[i];
        if ((net->port == 0 || net->port == bare->port) &&
            covers(net->family, net->prefix, net->bits, bare))
            return net;
    }
    return NULL;
}

/* As find, but a row without a port opens only the ports that any call may go to. */
static const struct guard_net *
find_allowed(const struct guard *guard, const struct bare *bare)
{
    for (size_t i = 0; i < guard->allow.n; i++) {
        const struct guard_net *net = &guard->allow.nets[i];
        if (find(net, 1, bare) && (net->port != 0 || has_port(guard, bare->port)))
            return net;
    }
    return NULL;
}

static bool
is_own(const struct guard *guard, const struct bare *bare)
{
    static const uint8_t loopback6[16] = {[15] = 1}, any6[16];
    static const uint8_t loopback[1] = {127}, any[4];
    bool port = false;

    for (size_t i = 0; i < GUARD_OWN_PORTS; i++)
        port = port || atomic_load_explicit(&guard->own_ports[i],
                                            memory_order_relaxed) == bare->port;
    return port &&
           (find(guard->own.nets, guard->own.n, bare) ||
            covers(AF_INET, loopback, 8, bare) || covers(AF_INET, any, 32, bare) ||
            covers(AF_INET6, loopback6, 128, bare) ||
            covers(AF_INET6, any6, 128, bare));
}

static bool
unwrap(const struct guard *guard, const struct sockaddr *sa, struct bare *bare)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        *bare =
            (struct bare){AF_INET, (const uint8_t *)&in->sin_addr, ntohs(in->sin_port)};
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const void *)sa;
    const uint8_t *bytes = in6->sin6_addr.s6_addr;
    *bare = (struct bare){AF_INET6, bytes, ntohs(in6->sin6_port)};
    if (memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0 ||
        (guard->nat64 && memcmp(bytes, nat64_prefix, sizeof(nat64_prefix)) == 0)) {
        bare->family = AF_INET;
        bare->bytes += sizeof(mapped_prefix);
    }
    return true;
}

static struct guard_verdict
say(bool allowed, const char *why, const struct guard_net *by)
{
    struct guard_verdict verdict = {.allowed = allowed, .why = why};

    if (by)
        verdict.by = *by;
    return verdict;
}

static struct guard_verdict
judge_by_table(const struct guard *guard, const struct bare *bare)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const struct rule *rule = &rules[i];
        if (!covers(rule->family, rule->prefix, rule->bits, bare))
            continue;
        struct guard_net by = {rule->family, {0}, rule->bits, 0};
        memcpy(by.prefix, rule->prefix, sizeof(by.prefix));
        if (rule->allowed && !has_port(guard, bare->port))
            return say(false, "not a port for calls", NULL);
        return say(rule->allowed, rule->why, &by);
    }
    return say(false, "of an unknown family", NULL);
}

struct guard_verdict
guard_judge(const struct guard *guard, const struct sockaddr *sa)
{
    const struct guard_net *row;
    struct bare bare;

    if (guard->development)
        return say(true, "any address in development", NULL);
    if (!unwrap(guard, sa, &bare))
        return say(false, "of an unknown family", NULL);
    if (is_own(guard, &bare))
        return say(false, "this server itself", NULL);
    row = find(guard->deny.nets, guard->deny.n, &bare);
    if (row)
        return say(false, "on the deny list", row);
    row = guard->metadata ? NULL : find(metadata, ARRAY_LEN(metadata), &bare);
    if (row)
        return say(false, "cloud metadata", row);
    row = find_allowed(guard, &bare);
    if (row)
        return say(true, "on the allow list", row);
    return judge_by_table(guard, &bare);
}

bool
guard_port_known(const struct guard *guard, uint16_t port)
{
    if (guard->development || has_port(guard, port))
        return true;
    for (size_t i = 0; i < guard->allow.n; i++) {
        if (guard->allow.nets[i].port == port)
            return true;
    }
    return false;
}
