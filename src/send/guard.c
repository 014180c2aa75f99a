#include "send/guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>

#include "core/webhook.h"

/* ---- addresses ---- */

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
    {AF_INET, {0}, 0, true, NULL},

    {AF_INET6, {0x20, 0x01, 0x00}, 23, false, "protocol assignments, Teredo"},
    {AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32, false, "documentation"},
    {AF_INET6, {0x20, 0x02}, 16, false, "6to4"},
    {AF_INET6, {0x26, 0x20, 0x00, 0x4f, 0x80}, 48, false, "AS112"},
    {AF_INET6, {0x3f, 0xff, 0x00}, 20, false, "documentation"},
    {AF_INET6, {0x20}, 3, true, NULL},
    {AF_INET6, {0}, 0, false, "not global unicast"},
};

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool
covers(const struct rule *rule, int family, const uint8_t *address)
{
    if (rule->family != family)
        return false;
    unsigned whole = rule->bits / 8, rest = rule->bits % 8;
    if (memcmp(rule->prefix, address, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned mask = 0xff00u >> rest & 0xff;
    return ((rule->prefix[whole] ^ address[whole]) & mask) == 0;
}

/* NULL = allowed, else why not. */
static const char *
judge(int family, const uint8_t *address)
{
    if (family == AF_INET6 &&
        memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        family = AF_INET;
        address += sizeof(mapped_prefix);
    }
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        if (covers(&rules[i], family, address))
            return rules[i].allowed ? NULL : rules[i].why;
    }
    return "of an unknown family";
}

bool
guard_address_allowed(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        return judge(AF_INET, (const uint8_t *)&in->sin_addr) == NULL;
    }
    if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)sa;
        return judge(AF_INET6, in6->sin6_addr.s6_addr) == NULL;
    }
    return false;
}

/* ---- URLs ---- */

#define HOST_MAX  253
#define LABEL_MAX 63

/* Ports that a receiver in earnest listens on; others would make a port scanner. */
static const unsigned public_ports[] = {443, 8443};

struct url_check {
    bool allow_private;
    struct err *err;
};

static bool
starts_with(const char *text, const char *lower)
{
    return strncasecmp(text, lower, strlen(lower)) == 0;
}

static bool
ends_with(const char *text, const char *lower)
{
    size_t n = strlen(text), m = strlen(lower);
    return n >= m && strcasecmp(text + n - m, lower) == 0;
}

static int
check_characters(const struct url_check *check, const char *url)
{
    if (strnlen(url, WEBHOOK_URL_MAX + 1) > WEBHOOK_URL_MAX)
        return err_set(check->err, E_INVALID, "a URL has at most %d characters",
                       WEBHOOK_URL_MAX);
    for (const char *at = url; *at; at++) {
        if (*at <= ' ' || *at > '~')
            return err_set(check->err, E_INVALID,
                           "a URL is made of visible ASCII: write the rest"
                           " percent-encoded, and a host as xn--");
        if (strchr("\\\"<>^`{|}", *at))
            return err_set(check->err, E_INVALID, "a URL has no %c: write it as %%%02X",
                           *at, (unsigned)*at);
        if (*at == '#')
            return err_set(check->err, E_INVALID,
                           "a URL for calls has no fragment (#): it is never sent");
    }
    return 0;
}

static int
check_port(const struct url_check *check, const char *text)
{
    unsigned port = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9' && n < 6; n++)
        port = port * 10 + (unsigned)(text[n] - '0');
    if (n == 0 || text[n] || port == 0 || port > 65535)
        return err_set(check->err, E_INVALID, "a port is a number from 1 to 65535");
    if (check->allow_private)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(public_ports); i++) {
        if (port == public_ports[i])
            return 0;
    }
    return err_set(check->err, E_INVALID, "port %u is not one for calls: 443 or 8443",
                   port);
}

static int
check_literal(const struct url_check *check, int family, const uint8_t *address)
{
    const char *why = check->allow_private ? NULL : judge(family, address);
    if (why)
        return err_set(check->err, E_INVALID, "calls may not go to this address (%s)",
                       why);
    return 0;
}

static int
check_label(const struct url_check *check, const char *label, size_t n)
{
    if (n == 0)
        return err_set(check->err, E_INVALID, "the host has an empty label");
    if (n > LABEL_MAX)
        return err_set(check->err, E_INVALID,
                       "a label of the host has more than %d"
                       " characters",
                       LABEL_MAX);
    for (size_t i = 0; i < n; i++) {
        char c = label[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!ok)
            return err_set(check->err, E_INVALID, "a host has no %c", c);
    }
    if (label[0] == '-' || label[n - 1] == '-')
        return err_set(check->err, E_INVALID,
                       "a label of the host neither begins nor ends with -");
    return 0;
}

/* Would libc read it as an address: 127.1, 0x7f000001, 017700000001? */
static bool
looks_numeric(const char *host)
{
    struct in_addr unused;
    const char *last = strrchr(host, '.');

    last = last ? last + 1 : host;
    return last[strspn(last, "0123456789")] == '\0' || inet_aton(host, &unused) != 0;
}

static int
check_name(const struct url_check *check, const char *host)
{
    if (strlen(host) > HOST_MAX)
        return err_set(check->err, E_INVALID, "a host has at most %d characters",
                       HOST_MAX);
    for (const char *label = host;; label++) {
        size_t n = strcspn(label, ".");
        int rc = check_label(check, label, n);
        if (rc != 0)
            return rc;
        label += n;
        if (!*label)
            break;
    }
    if (looks_numeric(host)) {
        uint8_t address[4];
        if (inet_pton(AF_INET, host, address) != 1)
            return err_set(check->err, E_INVALID,
                           "an IPv4 address is written as four decimal numbers");
        return check_literal(check, AF_INET, address);
    }
    if (check->allow_private)
        return 0;
    if (!strchr(host, '.') || ends_with(host, ".localhost") ||
        ends_with(host, ".local"))
        return err_set(check->err, E_INVALID,
                       "calls go to public hosts: %.60s is a local name", host);
    return 0;
}

/* "[address]" or "[address]:port" */
static int
check_bracketed(const struct url_check *check, char *authority)
{
    uint8_t address[16];
    char *end = strchr(authority, ']');

    if (!end)
        return err_set(check->err, E_INVALID, "the host's bracket is not closed");
    *end = '\0';
    if (inet_pton(AF_INET6, authority + 1, address) != 1)
        return err_set(check->err, E_INVALID,
                       "in brackets stands an IPv6 address, without a zone");
    int rc = check_literal(check, AF_INET6, address);
    if (rc != 0 || end[1] == '\0')
        return rc;
    if (end[1] != ':')
        return err_set(check->err, E_INVALID,
                       "after the host comes : and a port, or /");
    return check_port(check, end + 2);
}

static int
check_authority(const struct url_check *check, char *authority)
{
    if (*authority == '\0')
        return err_set(check->err, E_INVALID, "the URL has no host");
    if (strchr(authority, '@'))
        return err_set(check->err, E_INVALID,
                       "a URL for calls has no user and no password");
    if (*authority == '[')
        return check_bracketed(check, authority);

    char *colon = strchr(authority, ':');
    if (colon)
        *colon = '\0';
    int rc = check_name(check, authority);
    if (rc != 0 || !colon)
        return rc;
    return check_port(check, colon + 1);
}

int
guard_url_check(const char *url, bool allow_private, struct err *err)
{
    const struct url_check check = {allow_private, err};
    char authority[WEBHOOK_URL_MAX + 1];

    int rc = check_characters(&check, url);
    if (rc != 0)
        return rc;
    if (starts_with(url, "https://"))
        url += strlen("https://");
    else if (allow_private && starts_with(url, "http://"))
        url += strlen("http://");
    else
        return err_set(err, E_INVALID,
                       allow_private ? "a URL begins with https:// or http://"
                                     : "a URL begins with https://");
    size_t n = strcspn(url, "/?");
    memcpy(authority, url, n);
    authority[n] = '\0';
    return check_authority(&check, authority);
}
