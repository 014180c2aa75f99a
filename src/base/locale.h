/* What HTTP headers tell about a person's language and country. */
#pragma once

#include "base/types.h"

#define LOCALE_LANGUAGE 3 /* letters of a language, at most */

/* The language that an Accept-Language header prefers, without script or region: 2 or 3
 * letters in lower case ("zh" of "zh-Hant-TW"). What is malformed is passed over, and
 * so is what does not end within the first 1000 bytes. False if there is none. */
bool locale_from_accept_language(struct slice header, char out[LOCALE_LANGUAGE + 1]);

/* Is this the shape of a country's code (ISO 3166-1 alpha-2, in either case)? Proxies
 * write XX for unknown and T1 for Tor: those are none. */
bool locale_country_ok(struct slice text);
