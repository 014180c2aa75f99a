#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/geoip.h"
#include "base/iofd.h"
#include "mmdb.h"

static char folder[64];
static char path[100];

static int
make_folder(void **state)
{
    (void)state;
    memcpy(folder, "/tmp/test-geoip-XXXXXX", sizeof("/tmp/test-geoip-XXXXXX"));
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/country.mmdb", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct geoip *
open_saved(const struct mmdb *db)
{
    struct geoip *geoip = NULL;
    struct err err;

    mmdb_save(db, path);
    if (geoip_open(&geoip, path, &err) != 0)
        fail_msg("%s", err.text);
    return geoip;
}

/* want NULL = unknown. */
static void
check_country(const struct geoip *geoip, const char *address, const char *want)
{
    struct sockaddr_storage sa;
    char out[3] = "??";

    assert_true(addr_parse_ip(slice_of(address), &sa));
    bool found = geoip_country(geoip, (struct sockaddr *)&sa, out);
    if (found != (want != NULL) || strcmp(out, want ? want : "??") != 0)
        fail_msg("%s is in %s, not %s", address, found ? out : "no country",
                 want ? want : "none");
}

/* ---- countries ---- */

static void
fill_v4(struct mmdb *db)
{
    size_t de = mmdb_put_country(db, "country", "DE");
    size_t fr = mmdb_put_country(db, "country", "FR");

    mmdb_add(db, "192.0.2.0/24", de);
    mmdb_add(db, "198.51.100.0/24", fr);
    mmdb_add(db, "198.51.100.64/26", de);
    mmdb_add(db, "203.0.113.7/32", fr);
}

static void
check_v4(const struct geoip *geoip, const char *before)
{
    static const struct {
        const char *address, *want;
    } rows[] = {
        {"192.0.2.0", "DE"},      {"192.0.2.255", "DE"},    {"192.0.1.255", NULL},
        {"192.0.3.0", NULL},      {"198.51.100.63", "FR"},  {"198.51.100.64", "DE"},
        {"198.51.100.127", "DE"}, {"198.51.100.128", "FR"}, {"203.0.113.7", "FR"},
        {"203.0.113.6", NULL},    {"0.0.0.0", NULL},        {"255.255.255.255", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char address[64];

        snprintf(address, sizeof(address), "%s%s", before, rows[i].address);
        check_country(geoip, address, rows[i].want);
    }
}

static void
an_address_has_the_country_of_its_longest_prefix(void **state)
{
    (void)state;
    for (unsigned version = 4; version <= 6; version += 2) {
        for (unsigned bits = 24; bits <= 32; bits += 4) {
            struct mmdb db;

            mmdb_init(&db, version, bits);
            fill_v4(&db);
            struct geoip *geoip = open_saved(&db);
            check_v4(geoip, "");
            check_v4(geoip, "::ffff:"); /* as a listener on [::] sees them */
            geoip_close(geoip);
        }
    }
}

static void
an_ipv6_address_has_a_country(void **state)
{
    (void)state;
    for (unsigned bits = 24; bits <= 32; bits += 4) {
        struct mmdb db;

        mmdb_init(&db, 6, bits);
        fill_v4(&db);
        mmdb_add(&db, "2001:db8::/32", mmdb_put_country(&db, "country", "NL"));
        mmdb_add(&db, "2001:db8:5::/48", mmdb_put_country(&db, "country", "BE"));
        struct geoip *geoip = open_saved(&db);
        check_country(geoip, "2001:db8::1", "NL");
        check_country(geoip, "2001:db8:5::1", "BE");
        check_country(geoip, "2001:db8:5:ffff:ffff:ffff:ffff:ffff", "BE");
        check_country(geoip, "2001:db8:6::", "NL");
        check_country(geoip, "2001:db9::", NULL);
        check_country(geoip, "::1", NULL);
        check_v4(geoip, "");
        geoip_close(geoip);
    }
}

static void
a_database_of_ipv4_knows_no_ipv6(void **state)
{
    struct mmdb db;

    (void)state;
    mmdb_init(&db, 4, 24);
    mmdb_add(&db, "0.0.0.0/1", mmdb_put_country(&db, "country", "DE"));
    struct geoip *geoip = open_saved(&db);
    check_country(geoip, "32.1.13.184", "DE");
    check_country(geoip, "2001:db8::1", NULL);
    geoip_close(geoip);
}

static void
an_address_of_another_family_has_no_country(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    struct mmdb db;
    char out[3];

    (void)state;
    mmdb_init(&db, 4, 24);
    mmdb_add(&db, "0.0.0.0/1", mmdb_put_country(&db, "country", "DE"));
    struct geoip *geoip = open_saved(&db);
    assert_false(geoip_country(geoip, (struct sockaddr *)&sa, out));
    geoip_close(geoip);
}

static void
where_an_address_is_counts_before_where_it_is_registered(void **state)
{
    struct mmdb db;

    (void)state;
    mmdb_init(&db, 4, 24);
    mmdb_add(&db, "192.0.2.0/24", mmdb_put_country(&db, "registered_country", "SE"));

    size_t both = db.values.n;
    mmdb_put_type(&db.values, MMDB_MAP, 2);
    mmdb_put_text(&db.values, "registered_country");
    mmdb_put_type(&db.values, MMDB_MAP, 1);
    mmdb_put_text(&db.values, "iso_code");
    mmdb_put_text(&db.values, "SE");
    mmdb_put_text(&db.values, "country");
    mmdb_put_type(&db.values, MMDB_MAP, 2);
    mmdb_put_text(&db.values, "geoname_id");
    mmdb_put_uint(&db.values, MMDB_U32, 3144096);
    mmdb_put_text(&db.values, "iso_code");
    mmdb_put_text(&db.values, "NO");
    mmdb_add(&db, "198.51.100.0/24", both);

    struct geoip *geoip = open_saved(&db);
    check_country(geoip, "192.0.2.1", "SE");
    check_country(geoip, "198.51.100.1", "NO");
    geoip_close(geoip);
}

/* Real databases hold each country once. */
static void
a_country_behind_pointers_is_found(void **state)
{
    struct mmdb db;

    (void)state;
    mmdb_init(&db, 4, 24);
    size_t key = db.values.n;
    mmdb_put_text(&db.values, "iso_code");
    size_t country = db.values.n;
    mmdb_put_type(&db.values, MMDB_MAP, 1);
    mmdb_put_pointer(&db.values, key);
    mmdb_put_text(&db.values, "DK");
    size_t value = db.values.n;
    mmdb_put_type(&db.values, MMDB_MAP, 1);
    mmdb_put_text(&db.values, "country");
    mmdb_put_pointer(&db.values, country);
    mmdb_add(&db, "192.0.2.0/24", value);

    struct geoip *geoip = open_saved(&db);
    check_country(geoip, "192.0.2.1", "DK");
    geoip_close(geoip);
}

/* ---- broken databases ---- */

static void
a_code_is_two_letters_and_comes_in_capitals(void **state)
{
    static const struct {
        const char *code, *want;
    } rows[] = {
        {"DE", "DE"},  {"de", "DE"}, {"zA", "ZA"}, {"", NULL},         {"D", NULL},
        {"DEU", NULL}, {"D1", NULL}, {"--", NULL}, {"\xc3\xa4", NULL}, {"{}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mmdb db;

        mmdb_init(&db, 4, 24);
        mmdb_add(&db, "0.0.0.0/1", mmdb_put_country(&db, "country", rows[i].code));
        struct geoip *geoip = open_saved(&db);
        check_country(geoip, "1.2.3.4", rows[i].want);
        geoip_close(geoip);
    }
}

static size_t
put_value_that_is_no_map(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_text(&db->values, "country");
    return at;
}

static size_t
put_country_that_is_no_map(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "country");
    mmdb_put_text(&db->values, "DE");
    return at;
}

static size_t
put_code_that_is_a_number(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "country");
    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "iso_code");
    mmdb_put_uint(&db->values, MMDB_U16, 'D' << 8 | 'E');
    return at;
}

static size_t
put_code_that_is_two_codes(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "country");
    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "iso_code");
    mmdb_put_type(&db->values, MMDB_ARRAY, 2);
    mmdb_put_text(&db->values, "DE");
    mmdb_put_text(&db->values, "FR");
    return at;
}

static size_t
put_pointer_to_itself(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_pointer(&db->values, at);
    return at;
}

static size_t
put_pointer_beyond_the_file(struct mmdb *db)
{
    size_t at = db->values.n;

    mmdb_put_type(&db->values, MMDB_MAP, 1);
    mmdb_put_text(&db->values, "country");
    mmdb_put_pointer(&db->values, 2000);
    return at;
}

static size_t
put_nothing_beyond_the_file(struct mmdb *db)
{
    (void)db;
    return 100000;
}

static void
a_value_that_makes_no_sense_is_no_country(void **state)
{
    static size_t (*const rows[])(struct mmdb *) = {
        put_value_that_is_no_map,    put_country_that_is_no_map,
        put_code_that_is_a_number,   put_code_that_is_two_codes,
        put_pointer_to_itself,       put_pointer_beyond_the_file,
        put_nothing_beyond_the_file,
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mmdb db;

        mmdb_init(&db, 4, 24);
        mmdb_add(&db, "192.0.2.0/24", rows[i](&db));
        mmdb_add(&db, "198.51.100.0/24", mmdb_put_country(&db, "country", "DE"));
        struct geoip *geoip = open_saved(&db);
        check_country(geoip, "192.0.2.1", NULL);
        check_country(geoip, "198.51.100.1", "DE");
        geoip_close(geoip);
    }
}

static void
ask_a_few(const struct geoip *geoip)
{
    static const char *const rows[] = {"192.0.2.1", "198.51.100.70", "203.0.113.7",
                                       "2001:db8::1", "0.0.0.0"};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sockaddr_storage sa;
        char out[3];

        assert_true(addr_parse_ip(slice_of(rows[i]), &sa));
        if (!geoip_country(geoip, (struct sockaddr *)&sa, out))
            continue;
        assert_in_range(out[0], 'A', 'Z');
        assert_in_range(out[1], 'A', 'Z');
        assert_int_equal(out[2], '\0');
    }
}

static bool
opens_with_byte(int fd, size_t at, int byte)
{
    struct geoip *geoip = NULL;

    assert_int_equal(pwrite(fd, &(char){(char)byte}, 1, (off_t)at), 1);
    if (geoip_open(&geoip, path, NULL) != 0)
        return false;
    ask_a_few(geoip);
    geoip_close(geoip);
    return true;
}

static void
a_bit_that_flipped_does_no_harm(void **state)
{
    struct mmdb db;
    char *bytes;
    size_t n, opened = 0;

    (void)state;
    mmdb_init(&db, 6, 24);
    fill_v4(&db);
    mmdb_add(&db, "2001:db8::/32", mmdb_put_country(&db, "registered_country", "NL"));
    mmdb_save(&db, path);
    assert_int_equal(file_read(path, 10000, &bytes, &n, NULL), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);

    /* libmaxminddb 1.7 refuses a file with a broken list, but does not free the list */
    const char *lists = memmem(bytes, n, "languages", 9);
    const char *others = memmem(bytes, n, "node_count", 10);
    for (size_t at = 0; at < n; at++) {
        if (bytes + at >= lists && bytes + at < others)
            continue;
        for (int bit = 0; bit < 8; bit++)
            opened += opens_with_byte(fd, at, bytes[at] ^ 1 << bit);
        assert_true(opens_with_byte(fd, at, bytes[at]));
    }
    assert_in_range(opened, n, 8 * n - 1);
    close(fd);
    free(bytes);
}

/* ---- what is no database ---- */

static void
check_refused(const char *at, const char *reason)
{
    struct geoip *geoip = NULL;
    struct err err = {0};

    assert_int_equal(geoip_open(&geoip, at, &err), E_INVALID);
    assert_null(geoip);
    if (!strstr(err.text, at) || !strstr(err.text, reason))
        fail_msg("\"%s\" lacks %s or \"%s\"", err.text, at, reason);
}

static void
what_is_no_file_is_refused_with_its_name(void **state)
{
    (void)state;
    check_refused(path, "No such file");
    check_refused(folder, "not a file");
    assert_int_equal(mkfifo(path, 0600), 0);
    check_refused(path, "not a file");
    geoip_close(NULL);
}

static void
a_file_that_is_no_database_is_refused_with_its_name(void **state)
{
    static const char *const rows[] = {
        "x",
        "not a database, but longer than a database's marker",
        "\xab\xcd\xefMaxMind.com",
        "\xab\xcd\xefMaxMind.com and then something else",
    };

    (void)state;
    assert_int_equal(file_write(path, NULL, 0, 0600, NULL), 0);
    check_refused(path, "empty");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(file_write(path, rows[i], strlen(rows[i]), 0600, NULL), 0);
        check_refused(path, "not in the MaxMind DB format");
    }
}

static void
a_truncated_database_is_refused_wherever_it_ends(void **state)
{
    struct mmdb db;
    struct stat st;

    (void)state;
    mmdb_init(&db, 6, 28);
    fill_v4(&db);
    mmdb_save(&db, path);
    assert_int_equal(stat(path, &st), 0);
    for (off_t size = st.st_size - 1; size >= 0; size--) {
        assert_int_equal(truncate(path, size), 0);
        check_refused(path, size ? "" : "empty");
    }
}

#define in_folder(test)                                                                \
    cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        in_folder(an_address_has_the_country_of_its_longest_prefix),
        in_folder(an_ipv6_address_has_a_country),
        in_folder(a_database_of_ipv4_knows_no_ipv6),
        in_folder(an_address_of_another_family_has_no_country),
        in_folder(where_an_address_is_counts_before_where_it_is_registered),
        in_folder(a_country_behind_pointers_is_found),
        in_folder(a_code_is_two_letters_and_comes_in_capitals),
        in_folder(a_value_that_makes_no_sense_is_no_country),
        in_folder(a_bit_that_flipped_does_no_harm),
        in_folder(what_is_no_file_is_refused_with_its_name),
        in_folder(a_file_that_is_no_database_is_refused_with_its_name),
        in_folder(a_truncated_database_is_refused_wherever_it_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
