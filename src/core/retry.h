/*
 * The retry schedule, pure. Attempt n+1 comes initial·factor^(n-1) after attempt n
 * ended, at most `max_delay`, plus 0-10 % jitter, never early: 2, 4, 8 … 256 minutes by
 * default. A receiver's Retry-After may lengthen a wait (to 24 h at most), never
 * shorten it.
 */
#pragma once

#include "base/rng.h"
#include "base/types.h"

struct retry_policy {
    uint32_t max_retries;    /* 0-20; attempts in all = this + 1 */
    msec_t initial_delay_ms; /* 1 s - 24 h */
    double factor;           /* 1-10 */
    msec_t max_delay_ms;     /* initial delay - 7 days */
};

extern const struct retry_policy retry_default; /* 8, 2 min, 2, 24 h */

#define RETRY_AFTER_MAX_MS ((msec_t)24 * 3600 * 1000)

/* When to try again after the attempt numbered `tries` (1 = first) of the current round
 * ended at `ended_ms`; MSEC_NEVER when none is left. `retry_after_ms` 0 = the receiver
 * said nothing. */
msec_t retry_next(const struct retry_policy *policy, uint32_t tries, msec_t ended_ms,
                  msec_t retry_after_ms, struct rng *rng);

/* A Retry-After value (RFC 9110 10.2.3: seconds or an HTTP date, judged against
 * `now_ms`) as a delay, cut to 24 h. 0 for anything else: negative, garbage, past. */
msec_t retry_after_parse(struct slice value, msec_t now_ms);
