#include "base/timefmt.h"

#define DAY_MS     INT64_C(86400000)
#define DAYS_1970  719528                   /* from 0000-01-01 to 1970-01-01 */
#define UNIX_FIRST (-DAYS_1970 * DAY_MS)    /* 0000-01-01T00:00:00.000Z */
#define UNIX_LAST  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

struct civil {
    int year, month, day; /* month and day from 1 */
    int hour, minute, second, ms;
};

/* ---- calendar: Gregorian, days counted from 0000-01-01 ---- */

static bool
is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_before_year(int year)
{
    return 365 * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static int
days_before_month(int year, int month)
{
    static const int days[] = {0,   31,  59,  90,  120, 151, 181,
                               212, 243, 273, 304, 334, 365};
    return days[month - 1] + (month > 2 && is_leap(year));
}

static int
days_in_month(int year, int month)
{
    int next = month == 12 ? 365 + is_leap(year) : days_before_month(year, month + 1);
    return next - days_before_month(year, month);
}

static bool
is_real(const struct civil *civil)
{
    return civil->month >= 1 && civil->month <= 12 && civil->day >= 1 &&
           civil->day <= days_in_month(civil->year, civil->month) && civil->hour < 24 &&
           civil->minute < 60 && civil->second < 60;
}

static msec_t
to_unix(const struct civil *civil)
{
    int days = days_before_year(civil->year) +
               days_before_month(civil->year, civil->month) + civil->day - 1;
    int seconds = (civil->hour * 60 + civil->minute) * 60 + civil->second;
    return (days - DAYS_1970) * DAY_MS + seconds * INT64_C(1000) + civil->ms;
}

static struct civil
from_unix(msec_t unix_ms)
{
    int days = (int)((unix_ms - UNIX_FIRST) / DAY_MS);
    int ms = (int)((unix_ms - UNIX_FIRST) % DAY_MS);

    /* 400 years have 146097 days; the guess is off by one at most */
    int year = (int)(days * INT64_C(400) / 146097);
    if (days_before_year(year) > days)
        year--;
    else if (days_before_year(year + 1) <= days)
        year++;
    days -= days_before_year(year);

    int month = days / 31 + 1;
    if (month < 12 && days_before_month(year, month + 1) <= days)
        month++;

    return (struct civil){
        .year = year,
        .month = month,
        .day = days - days_before_month(year, month) + 1,
        .hour = ms / 3600000,
        .minute = ms / 60000 % 60,
        .second = ms / 1000 % 60,
        .ms = ms % 1000,
    };
}

/* ---- ISO 8601 ---- */

static char *
put(char *out, int digits, int value, char after)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    out[digits] = after;
    return out + digits + 1;
}

void
time_format(char out[TIME_TEXT], msec_t unix_ms)
{
    /* beyond four digits of year there is no such text: the nearest time that has one
     */
    if (unix_ms < UNIX_FIRST)
        unix_ms = UNIX_FIRST;
    if (unix_ms > UNIX_LAST)
        unix_ms = UNIX_LAST;

    struct civil civil = from_unix(unix_ms);
    char *at = put(out, 4, civil.year, '-');
    at = put(at, 2, civil.month, '-');
    at = put(at, 2, civil.day, 'T');
    at = put(at, 2, civil.hour, ':');
    at = put(at, 2, civil.minute, ':');
    at = put(at, 2, civil.second, '.');
    at = put(at, 3, civil.ms, 'Z');
    *at = '\0';
}

static bool
take_char(struct slice *text, char c)
{
    if (text->n == 0 || text->p[0] != c)
        return false;
    text->p++;
    text->n--;
    return true;
}

static bool
take_digits(struct slice *text, size_t digits, int *value)
{
    int sum = 0;

    if (text->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = text->p[i];
        if (c < '0' || c > '9')
            return false;
        sum = sum * 10 + (c - '0');
    }
    text->p += digits;
    text->n -= digits;
    *value = sum;
    return true;
}

/* ".5", ".375", ".3751234": what is finer than a millisecond is dropped. */
static bool
take_fraction(struct slice *text, int *ms)
{
    int weight = 100, digit;

    *ms = 0;
    if (!take_char(text, '.'))
        return true;
    if (!take_digits(text, 1, &digit))
        return false;
    do {
        *ms += digit * weight;
        weight /= 10;
    } while (take_digits(text, 1, &digit));
    return true;
}

static bool
take_zone(struct slice *text, int *minutes)
{
    int hours, rest;

    *minutes = 0;
    if (take_char(text, 'Z'))
        return true;
    bool west = take_char(text, '-');
    if (!west && !take_char(text, '+'))
        return false;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') ||
        !take_digits(text, 2, &rest) || hours > 23 || rest > 59)
        return false;
    *minutes = west ? -(hours * 60 + rest) : hours * 60 + rest;
    return true;
}

static bool
take_clock(struct slice *text, struct civil *civil)
{
    return take_digits(text, 2, &civil->hour) && take_char(text, ':') &&
           take_digits(text, 2, &civil->minute) && take_char(text, ':') &&
           take_digits(text, 2, &civil->second);
}

/* A date that exists, and a time that four digits of year can show. */
static bool
finish(const struct civil *civil, int zone_minutes, msec_t *unix_ms)
{
    if (!is_real(civil))
        return false;
    msec_t ms = to_unix(civil) - zone_minutes * INT64_C(60000);
    if (ms < 0 || ms > UNIX_LAST)
        return false;
    *unix_ms = ms;
    return true;
}

bool
time_parse(struct slice text, msec_t *unix_ms)
{
    struct civil civil = {0};
    int zone_minutes;

    return take_digits(&text, 4, &civil.year) && take_char(&text, '-') &&
           take_digits(&text, 2, &civil.month) && take_char(&text, '-') &&
           take_digits(&text, 2, &civil.day) && take_char(&text, 'T') &&
           take_clock(&text, &civil) && take_fraction(&text, &civil.ms) &&
           take_zone(&text, &zone_minutes) && text.n == 0 &&
           finish(&civil, zone_minutes, unix_ms);
}

/* ---- HTTP dates ---- */

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* One of the names, or of their first `letters`; its place from 0, or -1. */
static int
take_name(struct slice *text, const char *const *names, size_t n, size_t letters)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = letters ? letters : strlen(names[i]);
        if (text->n >= length && memcmp(text->p, names[i], length) == 0) {
            text->p += length;
            text->n -= length;
            return (int)i;
        }
    }
    return -1;
}

/* One field of a date form, or the character itself. */
static bool
take_field(struct slice *text, char field, struct civil *civil)
{
    switch (field) {
    case 'a':
        return take_name(text, days, ARRAY_LEN(days), 3) >= 0;
    case 'A':
        return take_name(text, days, ARRAY_LEN(days), 0) >= 0;
    case 'b':
        civil->month = take_name(text, months, ARRAY_LEN(months), 3) + 1;
        return civil->month > 0;
    case 'd':
        return take_digits(text, 2, &civil->day);
    case 'e': /* a day with a space for its first digit */
        return take_digits(text, take_char(text, ' ') ? 1 : 2, &civil->day);
    case 'Y':
        return take_digits(text, 4, &civil->year);
    case 'y': /* a clock is not to be had here, so the century is a fixed one */
        if (!take_digits(text, 2, &civil->year))
            return false;
        civil->year += civil->year < 70 ? 2000 : 1900;
        return true;
    case 't':
        return take_clock(text, civil);
    default:
        return false;
    }
}

static bool
matches(struct slice text, const char *form, struct civil *civil)
{
    for (; *form; form++) {
        bool field = *form == '%';
        form += field;
        if (!(field ? take_field(&text, *form, civil) : take_char(&text, *form)))
            return false;
    }
    return text.n == 0;
}

bool
time_parse_http(struct slice text, msec_t *unix_ms)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %t GMT", /* as senders must */
        "%A, %d-%b-%y %t GMT", /* RFC 850 */
        "%a %b %e %t %Y",      /* asctime */
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct civil civil = {0};
        if (matches(text, forms[i], &civil))
            return finish(&civil, 0, unix_ms);
    }
    return false;
}
