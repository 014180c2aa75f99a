/* Values of options as people write them: numbers, sizes, durations; and the nearest
 * known word to one that is not known. */
#pragma once

#include "base/types.h"

/* Each is false for anything that is not exactly such a value. */
bool value_int(const char *text, int64_t *out);
bool value_decimal(const char *text, double *out); /* finite, no exponent */
bool value_size(const char *text, int64_t *bytes); /* 1048576, 64KiB, 1 MiB, 2GiB */
/* 250ms, 15s, 2min, 1h; a bare number counts in units of unit_ms. */
bool value_duration(const char *text, msec_t unit_ms, msec_t *ms);
bool value_bool(const char *text, bool *out); /* true, yes, on, 1 and their opposites */

#define VALUE_TEXT 32 /* room for a formatted value and its NUL */
void value_format_size(char out[VALUE_TEXT], int64_t bytes);
void value_format_duration(char out[VALUE_TEXT], msec_t ms);

/* The candidate that needs the fewest changes (a letter more, less or other, or two
 * exchanged) to become `given`; only one that is near enough to be meant. */
struct nearest {
    const char *given;
    const char *best; /* NULL: none is near */
    size_t distance;
};

void nearest_init(struct nearest *nearest, const char *given);
void nearest_try(struct nearest *nearest, const char *candidate);
