/* ISO 8601 / RFC 3339 times, as text people and JSON see. */
#pragma once

#include "base/types.h"

#define TIME_TEXT 32 /* room for a formatted time and its NUL */

void time_format(char out[TIME_TEXT], msec_t unix_ms); /* 2024-03-04T09:50:51.375Z */

/* Accepts YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm), a real date, years 1970-9999. False
 * otherwise. */
bool time_parse(struct slice text, msec_t *unix_ms);

/* An HTTP date (RFC 9110 5.6.7, all three forms). False otherwise. */
bool time_parse_http(struct slice text, msec_t *unix_ms);
