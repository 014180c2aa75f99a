#include "core/retry.h"

#include "base/timefmt.h"

const struct retry_policy retry_default = {
    .max_retries = 8,
    .initial_delay_ms = 2 * 60 * 1000,
    .factor = 2,
    .max_delay_ms = (msec_t)24 * 3600 * 1000,
};

/* The wait after attempt `tries`, before jitter. The limit stops the growth long before
 * a number could overflow. */
static msec_t
base_delay(const struct retry_policy *policy, uint32_t tries)
{
    double limit = (double)policy->max_delay_ms;
    double delay = (double)policy->initial_delay_ms;

    for (uint32_t i = 1; i < tries && delay < limit; i++)
        delay *= policy->factor;
    return delay < limit ? (msec_t)delay : policy->max_delay_ms;
}

msec_t
retry_next(const struct retry_policy *policy, uint32_t tries, msec_t ended_ms,
           msec_t retry_after_ms, struct rng *rng)
{
    if (tries > policy->max_retries)
        return MSEC_NEVER;

    msec_t wait_ms = base_delay(policy, tries);
    wait_ms += (msec_t)rng_below(rng, (uint64_t)wait_ms / 10 + 1);
    if (retry_after_ms > RETRY_AFTER_MAX_MS)
        retry_after_ms = RETRY_AFTER_MAX_MS;
    if (wait_ms < retry_after_ms)
        wait_ms = retry_after_ms;
    if (ended_ms > MSEC_NEVER - 1 - wait_ms) /* the end of time, but not never */
        return MSEC_NEVER - 1;
    return ended_ms + wait_ms;
}

/* False when it is not a number, or none that 64 bits hold. */
static bool
parse_seconds(struct slice text, msec_t *seconds)
{
    msec_t sum = 0;

    if (text.n == 0)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || sum > (INT64_MAX - 9) / 10)
            return false;
        sum = sum * 10 + (text.p[i] - '0');
    }
    *seconds = sum;
    return true;
}

msec_t
retry_after_parse(struct slice value, msec_t now_ms)
{
    msec_t seconds, at_ms;

    value = slice_trim(value);
    if (parse_seconds(value, &seconds))
        return seconds < RETRY_AFTER_MAX_MS / 1000 ? seconds * 1000
                                                   : RETRY_AFTER_MAX_MS;
    if (!time_parse_http(value, &at_ms) || at_ms <= now_ms)
        return 0;
    msec_t wait_ms;
    if (__builtin_sub_overflow(at_ms, now_ms, &wait_ms) || wait_ms > RETRY_AFTER_MAX_MS)
        return RETRY_AFTER_MAX_MS;
    return wait_ms;
}
