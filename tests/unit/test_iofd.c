#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iofd.h"

static char folder[64];

static int
make_folder(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/test-iofd-XXXXXX", sizeof("/tmp/test-iofd-XXXXXX"));
    return mkdtemp(folder) ? 0 : -1;
}

static size_t
entries(bool remove)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' &&
            entry->d_name[1 + (entry->d_name[1] == '.')] == 0)
            continue;
        n++;
        if (remove)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return n;
}

static int
remove_folder(void **state)
{
    (void)state;
    entries(true);
    return rmdir(folder);
}

static const char *
in_folder(const char *name)
{
    static char path[200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* ---- addresses ---- */

static void
an_address_is_read_and_printed(void **state)
{
    static const struct {
        const char *in, *out;
        bool loopback;
    } rows[] = {
        {"127.0.0.1:8420", "127.0.0.1:8420", true},
        {"localhost:80", "127.0.0.1:80", true},
        {"127.9.9.9:0", "127.9.9.9:0", true},
        {"0.0.0.0:65535", "0.0.0.0:65535", false},
        {"128.0.0.1:1", "128.0.0.1:1", false},
        {"[::1]:0", "[::1]:0", true},
        {"[::]:8420", "[::]:8420", false},
        {"[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true},
        {"[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage address;
        socklen_t len;
        char text[64];

        assert_int_equal(addr_parse(rows[i].in, &address, &len, NULL), 0);
        assert_int_equal(len, address.ss_family == AF_INET
                                  ? sizeof(struct sockaddr_in)
                                  : sizeof(struct sockaddr_in6));
        addr_format(text, sizeof(text), (struct sockaddr *)&address);
        assert_string_equal(text, rows[i].out);
        assert_int_equal(addr_is_loopback((struct sockaddr *)&address),
                         rows[i].loopback);
    }
}

static void
an_address_that_is_none_is_refused_with_its_text(void **state)
{
    static const char *const rows[] = {
        "",          "8420",     "127.0.0.1", ":8420", "127.0.0.1:", "127.0.0.1:65536",
        "1.2.3.4:x", "::1:8420", "[::1]8420", "[::1",  "[]:1",       "127.0.0.1:-1",
        "1.2.3.4: 1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage address;
        socklen_t len;
        struct err err;
        char quoted[64];

        assert_int_equal(addr_parse(rows[i], &address, &len, &err), E_INVALID);
        snprintf(quoted, sizeof(quoted), "\"%s\"", rows[i]);
        assert_non_null(strstr(err.text, quoted));
    }
}

static void
an_address_alone_is_read(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:0"},
        {"255.255.255.255", "255.255.255.255:0"},
        {"0.0.0.0", "0.0.0.0:0"},
        {"2001:DB8::1", "[2001:db8::1]:0"},
        {"[2001:db8::1]", "[2001:db8::1]:0"},
        {"::", "[::]:0"},
        {"[::]", "[::]:0"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:0"},
        {"1:2:3:4:5:6:255.255.255.255", "[1:2:3:4:5:6:ffff:ffff]:0"},
        {"2001:0db8:0000:0000:0000:0000:0000:0001", "[2001:db8::1]:0"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage address;
        char text[64];

        assert_true(addr_parse_ip(slice_of(rows[i].in), &address));
        addr_format(text, sizeof(text), (struct sockaddr *)&address);
        assert_string_equal(text, rows[i].out);
    }
}

static void
what_is_not_an_address_alone_is_none(void **state)
{
    static const char *const rows[] = {
        "",
        "[",
        "]",
        "[]",
        "[[::1]]",
        "1.2.3.4:80",
        "[::1]:80",
        "[1.2.3.4]",
        "[::1",
        "::1]",
        " 1.2.3.4",
        "1.2.3.4 ",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.256",
        "01.2.3.4",
        "0x1.2.3.4",
        "16909060",
        "localhost",
        "fe80::1%lo",
        "1::2::3",
        "12345::",
        "1:2:3:4:5:6:7:8:9",
        "unknown",
        "_hidden",
        "1.2.3.4,",
        ":",
        ":::",
        "-1.2.3.4",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage address = {.ss_family = 77};

        if (addr_parse_ip(slice_of(rows[i]), &address))
            fail_msg("\"%s\" is read", rows[i]);
        assert_int_equal(address.ss_family, 77);
    }
    assert_false(addr_parse_ip(SLICE("1.2.3.4\0"), &(struct sockaddr_storage){0}));
    assert_false(addr_parse_ip((struct slice){0}, &(struct sockaddr_storage){0}));
}

static void
an_address_is_known_by_what_its_owner_cannot_choose(void **state)
{
    static const struct {
        const char *address;
        uint64_t key;
    } rows[] = {
        {"192.0.2.1:80", 0xc0000201},
        {"192.0.2.1:443", 0xc0000201},
        {"[::ffff:192.0.2.1]:80", 0xc0000201},
        {"255.254.253.252:1", 0xfffefdfc},
        {"[2001:db8:3:4::1]:80", UINT64_C(0x20010db800030004)},
        {"[2001:db8:3:4:ffff:ffff:ffff:ffff]:81", UINT64_C(0x20010db800030004)},
        {"[2001:db8:3:5::1]:80", UINT64_C(0x20010db800030005)},
        {"[fedc::]:80", UINT64_C(0xfedc000000000000)},
    };
    struct sockaddr_storage address;
    struct sockaddr unknown = {.sa_family = AF_UNIX};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        socklen_t len;

        assert_int_equal(addr_parse(rows[i].address, &address, &len, NULL), 0);
        assert_true(addr_key((struct sockaddr *)&address) == rows[i].key);
    }
    assert_true(addr_key(&unknown) == 0);
}

/* ---- files ---- */

static void
a_file_is_written_whole_with_its_mode(void **state)
{
    const char *path = in_folder("a");
    struct stat st;
    struct err err;
    char *bytes;
    size_t n;

    (void)state;
    assert_int_equal(file_write(path, "old and long", 12, 0644, &err), 0);
    assert_int_equal(file_write(path, "n\0w", 3, 0600, &err), 0);
    assert_int_equal(file_read(path, 3, &bytes, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_memory_equal(bytes, "n\0w", 4);
    free(bytes);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(entries(false), 1); /* no temporary is left */
}

static void
a_write_that_fails_leaves_nothing_behind(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(mkdir(in_folder("taken"), 0700), 0);
    assert_int_equal(file_write(in_folder("taken"), "x", 1, 0600, &err), E_IO);
    assert_non_null(strstr(err.text, "taken"));
    assert_int_equal(rmdir(in_folder("taken")), 0);
    assert_int_equal(file_write(in_folder("none/a"), "x", 1, 0600, &err), E_NOT_FOUND);
    assert_int_equal(entries(false), 0);
}

static void
a_file_is_read_up_to_its_maximum(void **state)
{
    static char big[20000];
    struct err err;
    char *bytes = big;
    size_t n = 77;

    (void)state;
    memset(big, 'b', sizeof(big));
    assert_int_equal(file_write(in_folder("big"), big, sizeof(big), 0600, &err), 0);
    assert_int_equal(file_read(in_folder("big"), sizeof(big) - 1, &bytes, &n, &err),
                     E_TOO_LARGE);
    assert_ptr_equal(bytes, big); /* outputs are untouched by a failure */
    assert_int_equal(n, 77);
    assert_int_equal(file_read(in_folder("big"), sizeof(big), &bytes, &n, &err), 0);
    assert_int_equal(n, sizeof(big));
    assert_memory_equal(bytes, big, n);
    free(bytes);

    assert_int_equal(file_write(in_folder("empty"), NULL, 0, 0600, &err), 0);
    assert_int_equal(file_read(in_folder("empty"), 0, &bytes, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_string_equal(bytes, "");
    free(bytes);
}

static void
what_is_no_file_is_said(void **state)
{
    struct err err;
    char *bytes;
    size_t n;

    (void)state;
    assert_int_equal(file_read(in_folder("nothing"), 10, &bytes, &n, &err),
                     E_NOT_FOUND);
    assert_non_null(strstr(err.text, "nothing: No such file"));
    assert_int_equal(file_read(folder, 10, &bytes, &n, &err), E_IO);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_read_and_printed),
        cmocka_unit_test(an_address_that_is_none_is_refused_with_its_text),
        cmocka_unit_test(an_address_alone_is_read),
        cmocka_unit_test(what_is_not_an_address_alone_is_none),
        cmocka_unit_test(an_address_is_known_by_what_its_owner_cannot_choose),
        cmocka_unit_test_setup_teardown(a_file_is_written_whole_with_its_mode,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_write_that_fails_leaves_nothing_behind,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_file_is_read_up_to_its_maximum, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_said, make_folder,
                                        remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
