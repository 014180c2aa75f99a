#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/locale.h"

static void
check_language(struct slice header, const char *want)
{
    char out[LOCALE_LANGUAGE + 1] = "???";
    char *bytes = malloc(header.n + 1); /* so that a look beyond is seen */

    assert_non_null(bytes);
    if (header.n)
        memcpy(bytes + 1, header.p, header.n);
    bool found = locale_from_accept_language((struct slice){bytes + 1, header.n}, out);
    free(bytes);
    if (found != (want != NULL) || strcmp(out, want ? want : "???") != 0)
        fail_msg("\"%.*s\" is \"%s\", not %s", (int)header.n, header.p, out,
                 want ? want : "refused");
}

static void
the_language_is_the_one_most_wanted(void **state)
{
    static const struct {
        const char *header, *want;
    } rows[] = {
        {"de", "de"},
        {"DE", "de"},
        {"gsw", "gsw"},
        {"de-DE", "de"},
        {"zh-Hant-TW", "zh"},
        {"sl-rozaj-1994", "sl"},
        {"de-DE,de;q=0.9,en;q=0.8", "de"},
        {"en;q=0.5, fr", "fr"},
        {"en;q=0.5, fr;q=0.501", "fr"},
        {"en;q=0.51, fr;q=0.5", "en"},
        {"en;q=0.15, fr;q=0.2", "fr"},
        {"en;q=0.029, fr;q=0.03", "fr"},
        {"fr;q=0, en;q=0.001", "en"},
        {"fr;q=0.000, en;q=0.1", "en"},
        {"en;q=1.000, fr", "en"}, /* the first of equals */
        {"en;q=0.8, fr;q=0.80", "en"},
        {"it;q=1.", "it"},
        {"it;q=0., en;q=0.1", "en"},
        {"en;Q=0.3", "en"},
        {"*, en;q=0.1", "en"},
        {"en, *;q=0.5", "en"},
        {" \tde \t;\t q=0.2 , ", "de"},
        {",,de,,", "de"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_language(slice_of(rows[i].header), rows[i].want);
}

static void
a_header_without_a_language_has_none(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        ",",
        ";",
        "*",
        "*;q=0.5",
        "en;q=0",
        "de;q=0.0, fr;q=0.00",
        "c",
        "i-klingon",
        "x-pig-latin",
        "deutsch",
        "german-DE",
        "123",
        "12-en",
        "{}",
        "\xff\xfe\xfd",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_language(slice_of(rows[i]), NULL);
    assert_false(locale_from_accept_language((struct slice){0}, NULL));
}

static void
a_malformed_entry_is_passed_over(void **state)
{
    static const char *const rows[] = {
        "en_US",    "en-",        "-en",        "en--US",       "en US",
        "e n",      "en-*",       "*-US",       "en-abcdefghi", "en-\xc3\xa4",
        "d3",       "d\xc3\xa4",  "en;",        "en;q",         "en;q=",
        "en;q=2",   "en;q=1.001", "en;q=1.1",   "en;q=.5",      "en;q=0.1234",
        "en;q=-1",  "en;q=0,5",   "en;q=0x1",   "en;q=00.1",    "en;q =1",
        "en;q= 1",  "en;q=0.5;",  "en;q=1;a=b", "en;level=1",   "en;q=0.a",
        "en;q=1 1", "en;r=1",     "en/fr",      "\"en\"",       "en;q=1e0",
        ";q=1",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char header[64];
        size_t n = strlen(rows[i]);

        check_language(slice_of(rows[i]), NULL);
        memcpy(header, rows[i], n);
        memcpy(header + n, ",fr;q=0.001", sizeof(",fr;q=0.001"));
        check_language(slice_of(header), "fr");
    }
    check_language(SLICE("en\0, fr;q=0.1"), "fr");
}

static void
a_long_header_counts_up_to_a_thousand_bytes(void **state)
{
    static char header[3000];

    (void)state;
    memset(header, ' ', sizeof(header));
    memcpy(header + 989, "fr;q=0.9,en", 11);
    check_language((struct slice){header, 1000}, "en");
    check_language((struct slice){header, 1001}, "fr"); /* who knows what en became */
    check_language((struct slice){header, sizeof(header)}, "fr");
    memset(header, 'a', sizeof(header));
    check_language((struct slice){header, sizeof(header)}, NULL);
}

static void
a_country_is_two_letters_that_stand_for_one(void **state)
{
    static const struct {
        const char *text;
        bool ok;
    } rows[] = {
        {"DE", true},  {"US", true},   {"de", true},  {"AX", true},
        {"XK", true},  {"XX", false},  {"xx", false}, {"xX", false},
        {"T1", false}, {"A1", false},  {"1A", false}, {"", false},
        {"D", false},  {"DEU", false}, {"D ", false}, {" DE", false},
        {"--", false}, {"@A", false},  {"[A", false}, {"\xc3\xa4", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (locale_country_ok(slice_of(rows[i].text)) != rows[i].ok)
            fail_msg("\"%s\"", rows[i].text);
    assert_false(locale_country_ok((struct slice){NULL, 0}));
    assert_false(locale_country_ok((struct slice){"D\0", 2}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_language_is_the_one_most_wanted),
        cmocka_unit_test(a_header_without_a_language_has_none),
        cmocka_unit_test(a_malformed_entry_is_passed_over),
        cmocka_unit_test(a_long_header_counts_up_to_a_thousand_bytes),
        cmocka_unit_test(a_country_is_two_letters_that_stand_for_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
