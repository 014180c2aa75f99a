#include "base/clock.h"

#include <assert.h>
#include <time.h>

static usec_t
read_clock(clockid_t id)
{
    struct timespec now;
    int rc = clock_gettime(id, &now);
    assert(rc == 0);
    return (usec_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static usec_t
system_mono(struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_BOOTTIME);
}

static usec_t
system_wall(struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

struct clock clock_system = {system_mono, system_wall, 0};

void
clock_anchor(struct clock *clock, msec_t not_before_ms)
{
    usec_t now = clock->wall_us(clock);
    if (now < not_before_ms * 1000)
        now = not_before_ms * 1000;
    clock->steady_offset_us = now - clock->mono_us(clock);
}

static usec_t
manual_mono(struct clock *clock)
{
    return container_of(clock, struct clock_manual, clock)->mono;
}

static usec_t
manual_wall(struct clock *clock)
{
    return container_of(clock, struct clock_manual, clock)->wall;
}

void
clock_manual_init(struct clock_manual *manual, msec_t wall_ms)
{
    *manual = (struct clock_manual){
        .clock = {manual_mono, manual_wall, 0},
        .mono = 1000000,
        .wall = wall_ms * 1000,
    };
}

void
clock_manual_advance(struct clock_manual *manual, usec_t by)
{
    assert(by >= 0);
    manual->mono += by;
    manual->wall += by;
}
