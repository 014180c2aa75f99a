/* Where calls may go: a judgement of the binary socket address, and early feedback on a
 * URL. */
#pragma once

#include <sys/socket.h>

#include "base/err.h"
#include "base/types.h"

/* The rule of docs/sending.md as a table: only global unicast, minus what only looks
 * global. */
bool guard_address_allowed(const struct sockaddr *sa);

/* Is this a URL a webhook may have? https only (http too when `allow_private`), ASCII,
 * a host, no userinfo, no fragment, no control or space, ports 443 and 8443 (any when
 * `allow_private`), address literals judged. 0 or E_INVALID with a sentence. */
int guard_url_check(const char *url, bool allow_private, struct err *err) must_check;
