#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timefmt.h"

#define DAY_MS INT64_C(86400000)

static void
check_format(msec_t unix_ms, const char *want)
{
    char text[TIME_TEXT];
    time_format(text, unix_ms);
    assert_string_equal(text, want);
}

static void
times_have_milliseconds_and_z(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000Z");
    check_format(1709545851375, "2024-03-04T09:50:51.375Z");
    check_format(951782400000, "2000-02-29T00:00:00.000Z");
    check_format(-1, "1969-12-31T23:59:59.999Z");
    check_format(253402300799999, "9999-12-31T23:59:59.999Z");
    check_format(-62167219200000, "0000-01-01T00:00:00.000Z");
}

static void
a_time_without_a_four_digit_year_shows_the_nearest(void **state)
{
    (void)state;
    check_format(INT64_MAX, "9999-12-31T23:59:59.999Z");
    check_format(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

static void
every_day_to_9999_is_written_and_read_back(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1970, month = 1, day = 1;
    for (msec_t ms = DAY_MS / 2; year < 10000; ms += DAY_MS) {
        char text[TIME_TEXT];
        msec_t back = -1;
        time_format(text, ms);
        int y = (text[0] - '0') * 1000 + (text[1] - '0') * 100 + (text[2] - '0') * 10 +
                (text[3] - '0');
        int m = (text[5] - '0') * 10 + (text[6] - '0');
        int d = (text[8] - '0') * 10 + (text[9] - '0');
        if (y != year || m != month || d != day)
            fail_msg("%s is not %d-%d-%d", text, year, month, day);
        if (!time_parse(slice_of(text), &back) || back != ms)
            fail_msg("%s is not read back", text);

        bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
        if (day++ == lengths[month - 1] + (month == 2 && leap)) {
            day = 1;
            month++;
        }
        if (month == 13) {
            month = 1;
            year++;
        }
    }
}

struct row {
    const char *text;
    msec_t ms;
};

static void
iso_times_are_read_in_any_zone(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2024-03-04T09:50:51.375Z", 1709545851375},
        {"2024-03-04T09:50:51Z", 1709545851000},
        {"2024-03-04T09:50:51.3Z", 1709545851300},
        {"2024-03-04T09:50:51.37Z", 1709545851370},
        {"2024-03-04T09:50:51.375999999999999999Z", 1709545851375},
        {"2024-03-04T10:50:51.375+01:00", 1709545851375},
        {"2024-03-04T15:20:51.375+05:30", 1709545851375},
        {"2024-03-03T23:50:51.375-10:00", 1709545851375},
        {"2024-03-04T09:50:51.375+00:00", 1709545851375},
        {"2024-03-04T09:50:51.375-00:00", 1709545851375},
        {"2024-02-29T23:59:59.999Z", 1709251199999},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"1969-12-31T23:30:00-00:30", 0},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        msec_t ms = -1;
        if (!time_parse(slice_of(rows[i].text), &ms) || ms != rows[i].ms)
            fail_msg("%s gives %lld", rows[i].text, (long long)ms);
    }
}

static void
what_is_no_iso_time_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "2024",
        "2024-03-04",
        "2024-03-04T09:50Z",
        "2024-03-04T09:50:51",
        "2024-03-04 09:50:51Z",
        "2024-03-04t09:50:51z",
        "2024-03-04T09:50:51.Z",
        "2024-03-04T09:50:51,5Z",
        "2024-03-04T09:50:51Z ",
        " 2024-03-04T09:50:51Z",
        "2024-03-04T09:50:51ZZ",
        "2024-03-04T09:50:51+01",
        "2024-03-04T09:50:51+0100",
        "2024-03-04T09:50:51+24:00",
        "2024-03-04T09:50:51+01:60",
        "2024-03-04T09:50:51 01:00",
        "2024-00-04T09:50:51Z",
        "2024-13-04T09:50:51Z",
        "2024-03-00T09:50:51Z",
        "2024-03-32T09:50:51Z",
        "2024-04-31T09:50:51Z",
        "2024-02-30T09:50:51Z",
        "2023-02-29T09:50:51Z",
        "1900-02-29T09:50:51Z",
        "2100-02-29T09:50:51Z",
        "2024-03-04T24:00:00Z",
        "2024-03-04T09:60:51Z",
        "2024-03-04T09:50:60Z",
        "2016-12-31T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "24-03-04T09:50:51Z",
        "02024-03-04T09:50:51Z",
        "2024-3-4T9:50:51Z",
        "+2024-03-04T09:50:51Z",
        "2024-W10-1T09:50:51Z",
        "1709545851375",
        "yesterday",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        msec_t ms = 7;
        if (time_parse(slice_of(rows[i]), &ms))
            fail_msg("%s was read", rows[i]);
        assert_int_equal(ms, 7);
    }
}

static void
http_dates_are_read_in_all_three_forms(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777000},
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777000},
        {"Sun Nov  6 08:49:37 1994", 784111777000},
        {"Wed Nov 16 08:49:37 1994", 784975777000},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Fri, 31 Dec 1999 23:59:59 GMT", 946684799000},
        {"Tuesday, 29-Feb-00 12:00:00 GMT", 951825600000},
        {"Wednesday, 31-Dec-69 00:00:00 GMT", 3155673600000},
        {"Mon, 04 Mar 2024 09:50:51 GMT", 1709545851000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        msec_t ms = -1;
        if (!time_parse_http(slice_of(rows[i].text), &ms) || ms != rows[i].ms)
            fail_msg("%s gives %lld", rows[i].text, (long long)ms);
    }
}

static void
what_is_no_http_date_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "120",
        "abc",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Foo 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1894 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 006 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "1994-11-06T08:49:37Z",
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        msec_t ms = 7;
        if (time_parse_http(slice_of(rows[i]), &ms))
            fail_msg("%s was read", rows[i]);
        assert_int_equal(ms, 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_milliseconds_and_z),
        cmocka_unit_test(a_time_without_a_four_digit_year_shows_the_nearest),
        cmocka_unit_test(every_day_to_9999_is_written_and_read_back),
        cmocka_unit_test(iso_times_are_read_in_any_zone),
        cmocka_unit_test(what_is_no_iso_time_is_refused),
        cmocka_unit_test(http_dates_are_read_in_all_three_forms),
        cmocka_unit_test(what_is_no_http_date_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
