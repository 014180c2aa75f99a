#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/rng.h"
#include "core/webhook.h"
#include "send/guard.h"

static bool
allowed(const char *text)
{
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *in = (void *)&sa;
    struct sockaddr_in6 *in6 = (void *)&sa;

    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        sa.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        sa.ss_family = AF_INET6;
    }
    return guard_address_allowed((const struct sockaddr *)&sa);
}

/* For every denied block: its first and last address, and the neighbours that are
 * allowed (NULL where the next block is denied, too). */
static const struct {
    const char *before, *first, *last, *after;
} blocks[] = {
    {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
    {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
    {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
    {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
    {"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
    {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
    {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
    {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
    {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
    {"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
    {"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
    {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
    {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
    {"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
    {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
    {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
    {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
    {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
    {NULL, "240.0.0.0", "255.255.255.255", NULL},
    {NULL, "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    {"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
     "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
    {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    {NULL, "::1", "::1", NULL},
    {NULL, "::127.0.0.1", "::8.8.8.8", NULL},
    {NULL, "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", NULL},
    {NULL, "::ffff:0:8.8.8.8", "::5efe:808:808", NULL},
    {NULL, "fc00::", "fdff::", NULL},
    {NULL, "fe80::1", "fec0::1", NULL},
    {NULL, "ff02::1", "ff0e::1", NULL},
    {NULL, "100::", "5f00::", NULL},
};

static void
every_block_is_denied_up_to_its_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        if (allowed(blocks[i].first) || allowed(blocks[i].last))
            fail_msg("%s - %s is open", blocks[i].first, blocks[i].last);
        if ((blocks[i].before && !allowed(blocks[i].before)) ||
            (blocks[i].after && !allowed(blocks[i].after)))
            fail_msg("beside %s - %s is shut", blocks[i].first, blocks[i].last);
    }
}

static void
a_mapped_address_is_judged_as_the_address_inside(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 5);

    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)rng_u64(&seeded.rng);
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {bits}};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(in6.sin6_addr.s6_addr + 12, &bits, 4);
        assert_int_equal(guard_address_allowed((const struct sockaddr *)&in),
                         guard_address_allowed((const struct sockaddr *)&in6));
        memcpy(in6.sin6_addr.s6_addr, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
        assert_false(guard_address_allowed((const struct sockaddr *)&in6));
    }
    assert_false(allowed("::ffff:127.0.0.1"));
    assert_true(allowed("::ffff:8.8.8.8"));
}

static void
other_families_are_denied(void **state)
{
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    assert_false(guard_address_allowed((const struct sockaddr *)&un));
    struct sockaddr_storage unspecified = {0};
    assert_false(guard_address_allowed((const struct sockaddr *)&unspecified));
}

static void
the_hostile_urls_are_judged_as_listed(void **state)
{
    (void)state;
    FILE *file = fopen(FIXTURES "/urls.tsv", "re");
    char line[1000];
    int rows = 0, wrong = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        char *tab = strchr(line, '\t');
        if (line[0] == '#' || !tab)
            continue;
        *tab = '\0';
        char *url = tab + 1;
        url[strcspn(url, "\n")] = '\0';
        struct err err = {0, ""};
        int rc = guard_url_check(url, false, &err);
        int expected = strcmp(line, "refused") == 0 ? E_INVALID : 0;
        if (rc != expected || (rc != 0) != (err.text[0] != '\0')) {
            print_error("%s: %s: %d %s\n", line, url, rc, err.text);
            wrong++;
        }
        rows++;
    }
    fclose(file);
    assert_int_equal(wrong, 0);
    assert_true(rows > 150);
}

static void
development_allows_private_targets_but_no_bad_grammar(void **state)
{
    (void)state;
    static const char *const good[] = {
        "http://127.0.0.1:8080/", "http://localhost/hook", "https://localhost:9/",
        "http://[::1]:65535/",    "http://10.0.0.5",       "http://receiver:1/",
        "https://printer.local/", "http://a.localhost?x",  "HTTP://169.254.169.254/",
    };
    static const char *const bad[] = {
        "ftp://127.0.0.1/",    "http://127.1/",      "http://user@localhost/",
        "http://localhost:0/", "http://localhost/#", "http://localhost:99999/",
        "http:///localhost/",  "http://2130706433/", "http://a..b/",
        "http://local host/",  "file:///etc/passwd", "http://[fe80::1%25eth0]/",
    };
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(guard_url_check(good[i], true, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(guard_url_check(bad[i], true, &err), E_INVALID);
}

static void
every_byte_that_is_not_visible_ascii_is_refused(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char url[] = "https://good.example.com/x";
        url[sizeof(url) - 2] = (char)c;
        bool fine = c > ' ' && c < 0x7f && !strchr("#\\\"<>^`{|}", c);
        assert_int_equal(guard_url_check(url, false, NULL), fine ? 0 : E_INVALID);
    }
}

static void
a_url_has_a_greatest_length(void **state)
{
    (void)state;
    char url[WEBHOOK_URL_MAX + 2];
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://good.example.com/", 25);
    url[WEBHOOK_URL_MAX + 1] = '\0';
    assert_int_equal(guard_url_check(url, false, NULL), E_INVALID);
    url[WEBHOOK_URL_MAX] = '\0';
    assert_int_equal(guard_url_check(url, false, NULL), 0);

    char host[300] = "https://";
    for (int i = 0; i < 254; i++)
        host[8 + i] = i % 2 ? '.' : 'a';
    host[8 + 253] = '\0';
    assert_int_equal(guard_url_check(host, false, NULL), 0);
    memcpy(host + 8 + 253, "aa", 3);
    assert_int_equal(guard_url_check(host, false, NULL), E_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_denied_up_to_its_edges),
        cmocka_unit_test(a_mapped_address_is_judged_as_the_address_inside),
        cmocka_unit_test(other_families_are_denied),
        cmocka_unit_test(the_hostile_urls_are_judged_as_listed),
        cmocka_unit_test(development_allows_private_targets_but_no_bad_grammar),
        cmocka_unit_test(every_byte_that_is_not_visible_ascii_is_refused),
        cmocka_unit_test(a_url_has_a_greatest_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
