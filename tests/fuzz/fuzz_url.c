/* Where calls may go. The first three lines are an operator's --allow, --deny and
 * --ports, the fourth is a URL, and what follows are addresses: 4 or 16 bytes behind
 * each other. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "send/guard.h"
#include "send/url.h"

#define LINES 4

static const uint16_t ports[] = {443, 8443, 80, 25, 1};

static struct sockaddr_storage
v6(const uint8_t bytes[16], uint16_t port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, bytes, 16);
    return storage;
}

static struct sockaddr_storage
v4(const uint8_t bytes[4], uint16_t port)
{
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&storage;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    memcpy(&in->sin_addr, bytes, 4);
    return storage;
}

static bool
allowed(const struct guard *guard, const struct sockaddr_storage *sa)
{
    struct guard_verdict verdict = guard_judge(guard, (const struct sockaddr *)sa);
    char text[GUARD_NET_TEXT];

    assert(verdict.why && verdict.why[0]);
    if (verdict.by.family != 0) {
        guard_net_text(&verdict.by, text);
        assert(memchr(text, '\0', sizeof(text)));
    }
    return verdict.allowed;
}

/* An IPv4 address is judged alike in every form in which it may come. */
static void
check_v4(const struct guard *guard, const uint8_t bytes[4], uint16_t port)
{
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    uint8_t nat64[16] = {0x00, 0x64, 0xff, 0x9b};

    memcpy(mapped + 12, bytes, 4);
    memcpy(nat64 + 12, bytes, 4);
    struct sockaddr_storage plain = v4(bytes, port), a = v6(mapped, port),
                            b = v6(nat64, port);
    bool verdict = allowed(guard, &plain);
    assert(allowed(guard, &a) == verdict);
    if (guard->nat64 && guard->allow.n == 0 && guard->deny.n == 0)
        assert(allowed(guard, &b) == verdict);
    else if (guard->allow.n == 0)
        assert(!allowed(guard, &b));
}

/* Nothing that the rule has no place for, and no metadata, whatever an operator said.
 */
static void
check_never(const struct guard *guard, uint16_t port)
{
    static const uint8_t metadata[][4] = {{169, 254, 169, 254}, {168, 63, 129, 16}};
    struct sockaddr_storage other = {.ss_family = AF_UNIX};

    for (size_t i = 0; i < ARRAY_LEN(metadata); i++) {
        struct sockaddr_storage sa = v4(metadata[i], port);
        assert(!allowed(guard, &sa));
    }
    assert(!allowed(guard, &other));
}

static void
check_addresses(const struct guard *guard, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        for (size_t at = 0; at + 4 <= n && at < 64; at += 4)
            check_v4(guard, bytes + at, ports[i]);
        for (size_t at = 0; at + 16 <= n && at < 64; at += 16) {
            struct sockaddr_storage sa = v6(bytes + at, ports[i]);
            bool global = (bytes[at] & 0xe0) == 0x20;
            bool verdict = allowed(guard, &sa);
            uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
            uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
            if (guard->allow.n == 0 && !global && memcmp(bytes + at, mapped, 12) != 0 &&
                memcmp(bytes + at, nat64, 12) != 0)
                assert(!verdict);
        }
        check_never(guard, ports[i]);
    }
}

/* What is kept reads as itself, and is what will be called. */
static void
check_url(const struct guard *guard, const char *text)
{
    struct url first, again;
    struct err err = {0};

    if (url_read(&first, text, guard, &err) != 0) {
        assert(err.text[0]);
        return;
    }
    int rc = url_read(&again, first.text, guard, &err);
    assert(rc == 0 && strcmp(first.text, again.text) == 0);
    assert(strcmp(first.host, again.host) == 0 && first.port == again.port);
    assert(strlen(first.text) <= WEBHOOK_URL_MAX && first.host[0] && first.port);
    for (const char *p = first.text; *p; p++)
        assert(*p > ' ' && *p < 0x7f && *p != '#' && *p != '\\');
    if (first.literal.ss_family != 0)
        assert(allowed(guard, &first.literal));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *lines[LINES] = {0};
    struct guard guard, strict, nat64;
    struct err err;
    size_t at = 0;

    for (size_t i = 0; i < LINES; i++) {
        const uint8_t *end = n > at ? memchr(bytes + at, '\n', n - at) : NULL;
        size_t length = end ? (size_t)(end - bytes) - at : n - at;
        lines[i] = xstrndup((const char *)bytes + at, length);
        at += length + (end != NULL);
    }
    guard_init(&guard);
    guard_init(&strict);
    guard_init(&nat64);
    nat64.nat64 = true;
    (void)!guard_allow(&guard, lines[0], &err);
    (void)!guard_deny(&guard, lines[1], &err);
    (void)!guard_set_ports(&guard, lines[2], &err);
    check_url(&guard, lines[3]);
    check_url(&strict, lines[3]);
    check_addresses(&guard, bytes + at, n - at);
    check_addresses(&strict, bytes + at, n - at);
    check_addresses(&nat64, bytes + at, n - at);
    guard_fini(&guard);
    guard_fini(&strict);
    guard_fini(&nat64);
    for (size_t i = 0; i < LINES; i++)
        free(lines[i]);
    return 0;
}
