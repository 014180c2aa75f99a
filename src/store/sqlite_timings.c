/*
 * How long the steps of an attempt took, as bytes of one column: five of them would
 * cost a third of what an attempt's row costs. First whether the connection was kept,
 * then each step in microseconds and one more, 0 being unknown, seven bits to a byte,
 * the lowest first.
 */
#include "store/sqlite_private.h"

_Static_assert(SQLITE_TIMINGS >= 1 + 4 * 10, "ten bytes hold any number");

struct slice
sqlite_timings_write(const struct attempt_timings *timings, char room[SQLITE_TIMINGS])
{
    const usec_t steps[] = {timings->dns_us, timings->connect_us, timings->tls_us,
                            timings->first_byte_us};
    size_t n = 0;

    room[n++] = (char)(timings->reused + 1);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        uint64_t left = steps[i] < 0 ? 0 : (uint64_t)steps[i] + 1;
        for (; left > 0x7f; left >>= 7)
            room[n++] = (char)(left | 0x80);
        room[n++] = (char)left;
    }
    return (struct slice){room, n};
}

static usec_t
read_step(struct slice bytes, size_t *at)
{
    uint64_t value = 0;
    unsigned shift = 0;

    while (*at < bytes.n && shift < 63) {
        uint8_t byte = (uint8_t)bytes.p[(*at)++];
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
        if (!(byte & 0x80))
            break;
    }
    return (usec_t)(value & INT64_MAX) - 1;
}

struct attempt_timings
sqlite_timings_read(struct slice bytes)
{
    size_t at = 1;
    if (bytes.n == 0)
        return TIMINGS_UNKNOWN;
    struct attempt_timings timings = {.reused = bytes.p[0] - 1};
    timings.dns_us = read_step(bytes, &at);
    timings.connect_us = read_step(bytes, &at);
    timings.tls_us = read_step(bytes, &at);
    timings.first_byte_us = read_step(bytes, &at);
    return timings;
}
