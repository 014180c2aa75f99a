#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/rng.h"
#include "send/guard.h"

/* What a guard says of an address and a port. */
static struct guard_verdict
judged(const struct guard *guard, const char *text, uint16_t port)
{
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *in = (void *)&sa;
    struct sockaddr_in6 *in6 = (void *)&sa;

    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
    }
    return guard_judge(guard, (const struct sockaddr *)&sa);
}

static bool
opens(const struct guard *guard, const char *text, uint16_t port)
{
    return judged(guard, text, port).allowed;
}

/* By the rule alone. */
static bool
allowed(const char *text)
{
    struct guard strict;
    guard_init(&strict);
    return opens(&strict, text, 443);
}

static bool
sa_allowed(const void *sa)
{
    struct guard strict;
    guard_init(&strict);
    return guard_judge(&strict, sa).allowed;
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
        struct sockaddr_in in = {
            .sin_family = AF_INET, .sin_port = htons(443), .sin_addr = {bits}};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
        in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(in6.sin6_addr.s6_addr + 12, &bits, 4);
        assert_int_equal(sa_allowed(&in), sa_allowed(&in6));
        memcpy(in6.sin6_addr.s6_addr, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
        assert_false(sa_allowed(&in6));
    }
    assert_false(allowed("::ffff:127.0.0.1"));
    assert_true(allowed("::ffff:8.8.8.8"));
}

static void
other_families_are_denied(void **state)
{
    (void)state;
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    assert_false(sa_allowed(&un));
    struct sockaddr_storage unspecified = {0};
    assert_false(sa_allowed(&unspecified));
}

/* ---- what an operator says ---- */

static void
the_allow_list_opens_by_address_and_port(void **state)
{
    (void)state;
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    assert_int_equal(guard_allow(&guard, "10.0.0.0/8,192.168.1.7:9000", &err), 0);
    assert_int_equal(guard_allow(&guard, "[fd00::]/8:8080", &err), 0);
    assert_true(opens(&guard, "10.255.0.1", 443));
    assert_true(opens(&guard, "::ffff:10.255.0.1", 8443));
    assert_false(opens(&guard, "10.255.0.1", 80));
    assert_false(opens(&guard, "11.0.0.1", 80));
    assert_false(opens(&guard, "172.16.0.1", 443));
    assert_true(opens(&guard, "192.168.1.7", 9000));
    assert_false(opens(&guard, "192.168.1.7", 443));
    assert_false(opens(&guard, "192.168.1.8", 9000));
    assert_true(opens(&guard, "fd12::1", 8080));
    assert_false(opens(&guard, "fd12::1", 443));
    assert_false(opens(&guard, "fe80::1", 8080));
    assert_string_equal(judged(&guard, "10.1.1.1", 443).why, "on the allow list");
    guard_fini(&guard);
}

static void
the_deny_list_wins_over_everything(void **state)
{
    (void)state;
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    assert_int_equal(guard_allow(&guard, "10.0.0.0/8", &err), 0);
    assert_int_equal(guard_deny(&guard, "10.1.0.0/16,8.8.8.8,2606::/16", &err), 0);
    assert_true(opens(&guard, "10.2.0.1", 443));
    assert_false(opens(&guard, "10.1.0.1", 443));
    assert_false(opens(&guard, "8.8.8.8", 443));
    assert_true(opens(&guard, "8.8.4.4", 443));
    assert_false(opens(&guard, "2606:4700:4700::1111", 443));
    guard_fini(&guard);
}

static void
an_allow_list_alone_does_not_open_cloud_metadata(void **state)
{
    (void)state;
    static const char *const addresses[] = {"169.254.169.254", "fd00:ec2::254",
                                            "168.63.129.16", "::ffff:169.254.169.254"};
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    assert_int_equal(guard_allow(&guard, "0.0.0.0/0,::/0", &err), 0);
    assert_true(opens(&guard, "169.254.169.253", 443));
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        assert_false(opens(&guard, addresses[i], 443));
    guard.metadata = true;
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        assert_true(opens(&guard, addresses[i], 443));
    guard_fini(&guard);

    guard_init(&guard);
    guard.metadata = true; /* without an allow list it opens nothing */
    for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
        assert_false(opens(&guard, addresses[i], 443));
    guard_fini(&guard);
}

static void
a_nat64_network_is_judged_by_the_address_inside(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    struct guard guard, strict;
    guard_init(&guard);
    guard_init(&strict);
    guard.nat64 = true;
    rng_seeded_init(&seeded, 6);
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)rng_u64(&seeded.rng);
        struct sockaddr_in in = {
            .sin_family = AF_INET, .sin_port = htons(443), .sin_addr = {bits}};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
        memcpy(in6.sin6_addr.s6_addr, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12);
        memcpy(in6.sin6_addr.s6_addr + 12, &bits, 4);
        assert_int_equal(guard_judge(&strict, (const void *)&in).allowed,
                         guard_judge(&guard, (const void *)&in6).allowed);
        assert_false(guard_judge(&strict, (const void *)&in6).allowed);
    }
    assert_false(opens(&guard, "64:ff9b::127.0.0.1", 443));
    assert_false(opens(&guard, "64:ff9b:1::8.8.8.8", 443));
    assert_true(opens(&guard, "64:ff9b::8.8.8.8", 443));
    guard_fini(&guard);
}

static void
the_server_never_calls_itself(void **state)
{
    (void)state;
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    assert_int_equal(guard_allow(&guard, "0.0.0.0/0,::/0", &err), 0);
    assert_int_equal(guard_set_ports(&guard, "443,8420", &err), 0);
    assert_true(opens(&guard, "127.0.0.1", 8420));
    guard_own_port(&guard, 8420);
    assert_int_equal(guard_read_own(&guard, &err), 0);
    assert_false(opens(&guard, "127.0.0.1", 8420));
    assert_false(opens(&guard, "127.9.9.9", 8420));
    assert_false(opens(&guard, "0.0.0.0", 8420));
    assert_false(opens(&guard, "::1", 8420));
    assert_false(opens(&guard, "::", 8420));
    assert_false(opens(&guard, "::ffff:127.0.0.1", 8420));
    assert_true(opens(&guard, "127.0.0.1", 443));
    assert_true(opens(&guard, "8.8.8.8", 8420));
    for (size_t i = 0; i < guard.own.n; i++) {
        char text[INET6_ADDRSTRLEN];
        const struct guard_net *net = &guard.own.nets[i];
        assert_non_null(inet_ntop(net->family, net->prefix, text, sizeof(text)));
        assert_string_equal(judged(&guard, text, 8420).why, "this server itself");
    }
    assert_true(guard.own.n > 0);
    guard_fini(&guard);
}

static void
the_port_list_holds_for_every_address(void **state)
{
    (void)state;
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    assert_false(opens(&guard, "8.8.8.8", 80));
    assert_int_equal(guard_set_ports(&guard, "8080", &err), 0);
    assert_true(opens(&guard, "8.8.8.8", 8080));
    assert_false(opens(&guard, "8.8.8.8", 443));
    guard.http = true;
    assert_true(opens(&guard, "8.8.8.8", 80));
    guard_fini(&guard);
}

static void
what_is_no_list_of_addresses_or_ports_is_refused(void **state)
{
    (void)state;
    static const char *const nets[] = {
        "",          "localhost",   "10.0.0.0/33", "10.0.0.1/8",       "10.0.0.0/8:0",
        "10.0/8",    "10.0.0.0/",   "10.0.0.0/8:", "10.0.0.0/8:99999", "::1/129",
        "[::1",      "[::1]x",      "10.0.0.0/8,", "example.com:443",  "fe80::1%eth0",
        " 10.0.0.0", "10.0.0.0/8 ", "10.0.0.0/-1", "10.0.0.0:80:80",   "[10.0.0.0/8",
    };
    static const char *const ports[] = {"", "0", "65536", "443,", "x", "+443", "443 "};
    for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
        struct guard guard;
        struct err err = {0};
        guard_init(&guard);
        if (guard_allow(&guard, nets[i], &err) != E_INVALID || !err.text[0])
            fail_msg("\"%s\" was taken", nets[i]);
        guard_fini(&guard);
    }
    for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
        struct guard guard;
        struct err err = {0};
        guard_init(&guard);
        if (guard_set_ports(&guard, ports[i], &err) != E_INVALID || !err.text[0])
            fail_msg("\"%s\" was taken", ports[i]);
        guard_fini(&guard);
    }
}

static void
a_list_has_a_greatest_length(void **state)
{
    (void)state;
    struct guard guard;
    struct err err = {0};
    guard_init(&guard);
    for (int i = 0; i < GUARD_NETS_MAX; i++)
        assert_int_equal(guard_allow(&guard, "10.0.0.0/8", &err), 0);
    assert_int_equal(guard_allow(&guard, "10.0.0.0/8", &err), E_INVALID);
    guard_fini(&guard);
}

static void
a_row_is_written_as_it_was_read(void **state)
{
    (void)state;
    static const char *const rows[] = {"10.0.0.0/8", "10.0.0.0/8:443",
                                       "fd00::/8",   "[fd00::]/8:8080",
                                       "::1/128",    "[::1]/128:80"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct guard guard;
        struct err err = {0};
        char text[GUARD_NET_TEXT];
        guard_init(&guard);
        assert_int_equal(guard_deny(&guard, rows[i], &err), 0);
        guard_net_text(&guard.deny.nets[0], text);
        assert_string_equal(text, rows[i]);
        guard_fini(&guard);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_denied_up_to_its_edges),
        cmocka_unit_test(a_mapped_address_is_judged_as_the_address_inside),
        cmocka_unit_test(other_families_are_denied),
        cmocka_unit_test(the_allow_list_opens_by_address_and_port),
        cmocka_unit_test(the_deny_list_wins_over_everything),
        cmocka_unit_test(an_allow_list_alone_does_not_open_cloud_metadata),
        cmocka_unit_test(a_nat64_network_is_judged_by_the_address_inside),
        cmocka_unit_test(the_server_never_calls_itself),
        cmocka_unit_test(the_port_list_holds_for_every_address),
        cmocka_unit_test(what_is_no_list_of_addresses_or_ports_is_refused),
        cmocka_unit_test(a_list_has_a_greatest_length),
        cmocka_unit_test(a_row_is_written_as_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
