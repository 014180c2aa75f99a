#include "cli/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- numbers with a unit ---- */

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit sizes[] = {
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
    {"B", 1},
};

static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000},
    {"min", 60000}, /* how it is shown; "m" is only read */
    {"m", 60000},    {"s", 1000},
    {"ms", 1},
};

/* Decimal digits at *at; false when there are none or they do not fit. */
static bool
digits(const char **at, int64_t *out)
{
    int64_t value = 0;
    const char *p = *at;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return false;
    }
    *at = p;
    *out = value;
    return true;
}

bool
value_int(const char *text, int64_t *out)
{
    bool minus = *text == '-';
    int64_t value;

    text += minus;
    if (!digits(&text, &value) || *text)
        return false;
    *out = minus ? -value : value;
    return true;
}

bool
value_decimal(const char *text, double *out)
{
    size_t n = strlen(text);
    char *end;

    if (n == 0 || n > 30 || strspn(text, "0123456789.") != n || text[0] == '.' ||
        text[n - 1] == '.')
        return false;
    double value = strtod(text, &end);
    if (*end || !isfinite(value))
        return false;
    *out = value;
    return true;
}

static bool
with_unit(const char *text, const struct unit *units, size_t n, int64_t bare,
          int64_t *out)
{
    int64_t value;
    int64_t factor = 0;

    if (!digits(&text, &value))
        return false;
    while (*text == ' ')
        text++;
    if (!*text)
        factor = bare;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, units[i].name) == 0)
            factor = units[i].factor;
    }
    if (factor == 0 || __builtin_mul_overflow(value, factor, &value))
        return false;
    *out = value;
    return true;
}

bool
value_size(const char *text, int64_t *bytes)
{
    return with_unit(text, sizes, ARRAY_LEN(sizes), 1, bytes);
}

bool
value_duration(const char *text, msec_t unit_ms, msec_t *ms)
{
    return with_unit(text, durations, ARRAY_LEN(durations), unit_ms, ms);
}

/* In the largest unit that shows it exactly. */
static void
format_with_unit(char out[VALUE_TEXT], const struct unit *units, size_t n,
                 int64_t value)
{
    size_t i = 0;

    while (i + 1 < n && (value < units[i].factor || value % units[i].factor != 0))
        i++;
    snprintf(out, VALUE_TEXT, "%lld %s", (long long)(value / units[i].factor),
             units[i].name);
}

void
value_format_size(char out[VALUE_TEXT], int64_t bytes)
{
    format_with_unit(out, sizes, ARRAY_LEN(sizes), bytes);
}

void
value_format_duration(char out[VALUE_TEXT], msec_t ms)
{
    format_with_unit(out, durations, ARRAY_LEN(durations), ms);
}

bool
value_bool(const char *text, bool *out)
{
    static const char *const on[] = {"true", "yes", "on", "1"};
    static const char *const off[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < ARRAY_LEN(on); i++) {
        if (strcmp(text, on[i]) == 0 || strcmp(text, off[i]) == 0) {
            *out = strcmp(text, on[i]) == 0;
            return true;
        }
    }
    return false;
}

/* ---- the nearest word ---- */

#define WORD_MAX 40 /* longer ones are not compared */

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
edit_distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];

    for (size_t j = 0; j <= m; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(row[j], least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

void
nearest_init(struct nearest *nearest, const char *given)
{
    /* One change in three letters is a slip; more is another word. */
    size_t n = strlen(given);
    *nearest = (struct nearest){given, NULL, n < 3 ? 2 : n / 3 + 1};
}

void
nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t n = strlen(nearest->given);
    size_t m = strlen(candidate);

    if (n > WORD_MAX || m > WORD_MAX)
        return;
    size_t distance = edit_distance(nearest->given, n, candidate, m);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = candidate;
    }
}
