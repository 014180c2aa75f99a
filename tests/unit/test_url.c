/* The grammar of URLs that calls may go to, and the form in which they are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "send/guard.h"
#include "send/url.h"

static int
check(const char *text, bool development, struct err *err)
{
    struct guard guard;
    struct url url;
    guard_init(&guard);
    guard.development = development;
    int rc = url_read(&url, text, &guard, err);
    if (rc == 0) { /* what is kept is read as the same again */
        struct url again;
        assert_int_equal(url_read(&again, url.text, &guard, err), 0);
        assert_string_equal(again.text, url.text);
        assert_string_equal(again.host, url.host);
        assert_int_equal(again.port, url.port);
        assert_int_equal(again.https, url.https);
        assert_memory_equal(&again.literal, &url.literal, sizeof(url.literal));
    }
    return rc;
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
        char *says = strchr(url, '\t');
        assert_non_null(says);
        *says++ = '\0';
        struct err err = {0, ""};
        struct url read = {0};
        struct guard guard;
        guard_init(&guard);
        int rc = url_read(&read, url, &guard, &err);
        bool refused = strcmp(line, "refused") == 0;
        if (check(url, false, &err) != rc || (rc != 0) != refused ||
            strcmp(says, refused ? err.text : read.text) != 0) {
            print_error("%s\t%s\t%s\n", line, url, refused ? err.text : read.text);
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
        assert_int_equal(check(good[i], true, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(check(bad[i], true, &err), E_INVALID);
}

static void
every_byte_that_is_not_visible_ascii_is_refused(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char url[] = "https://good.example.com/x";
        url[sizeof(url) - 2] = (char)c;
        bool fine = c > ' ' && c < 0x7f && !strchr("#\\\"<>^`{|}", c);
        assert_int_equal(check(url, false, NULL), fine ? 0 : E_INVALID);
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
    assert_int_equal(check(url, false, NULL), E_INVALID);
    url[WEBHOOK_URL_MAX] = '\0';
    assert_int_equal(check(url, false, NULL), 0);

    char host[300] = "https://";
    for (int i = 0; i < 254; i++)
        host[8 + i] = i % 2 ? '.' : 'a';
    host[8 + 253] = '\0';
    assert_int_equal(check(host, false, NULL), 0);
    memcpy(host + 8 + 253, "aa", 3);
    assert_int_equal(check(host, false, NULL), E_INVALID);
}

static void
what_is_kept_is_normal_up_to_the_path(void **state)
{
    (void)state;
    static const struct {
        const char *given, *kept;
    } rows[] = {
        {"HTTPS://Good.Example.COM:443/Hook?x=1", "https://good.example.com/Hook?x=1"},
        {"hTTp://A.Example:80/%7E/../b//c?A=%2f&",
         "http://a.example/%7E/../b//c?A=%2f&"},
        {"https://a.example", "https://a.example"},
        {"https://a.example?X", "https://a.example?X"},
        {"https://a.example:0443/", "https://a.example/"},
        {"https://a.example:80/", "https://a.example:80/"},
        {"http://a.example:443/", "http://a.example:443/"},
        {"https://[2606:4700:4700::ABCD]:443/", "https://[2606:4700:4700::abcd]/"},
        {"https://8.8.8.8:8443/", "https://8.8.8.8:8443/"},
    };
    static const struct guard open = {.development = true};
    struct url url;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(url_read(&url, rows[i].given, &open, &err), 0);
        assert_string_equal(url.text, rows[i].kept);
    }
}

static void
a_literal_is_known_with_its_port(void **state)
{
    (void)state;
    struct guard guard;
    struct url url;
    struct err err;
    guard_init(&guard);
    assert_int_equal(url_read(&url, "https://8.8.4.4:8443/", &guard, &err), 0);
    const struct sockaddr_in *in = (const void *)&url.literal;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 8443);
    assert_int_equal(ntohl(in->sin_addr.s_addr), 0x08080404);
    assert_int_equal(url_read(&url, "https://[2606::1]/", &guard, &err), 0);
    const struct sockaddr_in6 *in6 = (const void *)&url.literal;
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 443);
    assert_int_equal(url_read(&url, "https://a.example/", &guard, &err), 0);
    assert_int_equal(url.literal.ss_family, 0);
}

static void
an_operator_can_open_http_ports_and_local_addresses(void **state)
{
    (void)state;
    struct guard guard;
    struct url url;
    struct err err;
    guard_init(&guard);
    guard.http = true;
    assert_int_equal(url_read(&url, "http://a.example/", &guard, &err), 0);
    assert_int_equal(url_read(&url, "http://a.example:8443/", &guard, &err), 0);
    assert_int_equal(url_read(&url, "http://a.example:81/", &guard, &err), E_INVALID);
    assert_int_equal(url_read(&url, "https://hook/", &guard, &err), E_INVALID);
    assert_int_equal(guard_allow(&guard, "10.0.0.0/8:8080", &err), 0);
    assert_int_equal(url_read(&url, "https://hook/", &guard, &err), 0);
    assert_int_equal(url_read(&url, "http://10.1.2.3:8080/", &guard, &err), 0);
    assert_int_equal(url_read(&url, "http://10.1.2.3/", &guard, &err), E_INVALID);
    assert_int_equal(url_read(&url, "http://127.0.0.1:8080/", &guard, &err), E_INVALID);
    guard_fini(&guard);
}

static void
a_refused_address_has_one_sentence(void **state)
{
    (void)state;
    static const char *const urls[] = {"https://127.0.0.1/", "https://10.0.0.1:8443/",
                                       "https://[::1]/", "https://169.254.169.254/",
                                       "https://8.8.8.8/"};
    struct guard guard;
    struct url url;
    struct err err;
    guard_init(&guard);
    assert_int_equal(guard_deny(&guard, "8.8.8.8", &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        assert_int_equal(url_read(&url, urls[i], &guard, &err), E_INVALID);
        assert_string_equal(err.text,
                            "target not allowed: calls may not go to this address");
    }
    guard_fini(&guard);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hostile_urls_are_judged_as_listed),
        cmocka_unit_test(development_allows_private_targets_but_no_bad_grammar),
        cmocka_unit_test(every_byte_that_is_not_visible_ascii_is_refused),
        cmocka_unit_test(a_url_has_a_greatest_length),
        cmocka_unit_test(what_is_kept_is_normal_up_to_the_path),
        cmocka_unit_test(a_literal_is_known_with_its_port),
        cmocka_unit_test(an_operator_can_open_http_ports_and_local_addresses),
        cmocka_unit_test(a_refused_address_has_one_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
