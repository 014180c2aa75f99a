/*
 * The only place that reads a clock.
 *
 * Three times, and each has its use:
 *   mono    never jumps; durations, deadlines, everything in memory
 *   wall    what the world says now; the signature's timestamp, log lines
 *   steady  Unix time that never goes backwards, not even over a restart, and never
 *           jumps while the program runs: wall time read once (or the latest steady
 *           time on disk, if that is later) and moved on by mono
 *
 * Due times and event keys are steady times, so a clock that is set moves no retry.
 */
#pragma once

#include "base/types.h"

struct clock {
    usec_t (*mono_us)(struct clock *clock);
    usec_t (*wall_us)(struct clock *clock); /* since 1970 UTC */
    usec_t steady_offset_us; /* steady = mono + this; set once by clock_anchor */
};

/* CLOCK_BOOTTIME, which counts while the machine sleeps, and CLOCK_REALTIME. */
extern struct clock clock_system;

/* Fixes steady time: now = max(wall, not_before). Call once, before other threads
 * start. */
void clock_anchor(struct clock *clock, msec_t not_before_ms);

static inline usec_t
clock_mono_us(struct clock *clock)
{
    return clock->mono_us(clock);
}

static inline usec_t
clock_wall_us(struct clock *clock)
{
    return clock->wall_us(clock);
}

static inline msec_t
clock_steady_ms(struct clock *clock)
{
    return (clock->mono_us(clock) + clock->steady_offset_us) / 1000;
}

/* A clock turned by hand, for simulations and tests. Jumping the wall does not move
 * mono. */
struct clock_manual {
    struct clock clock;
    usec_t mono;
    usec_t wall;
};

void clock_manual_init(struct clock_manual *manual, msec_t wall_ms);
void clock_manual_advance(struct clock_manual *manual, usec_t by); /* mono and wall */
