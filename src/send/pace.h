/*
 * A rate: so many turns a second, one after the other. Who takes one is told when it
 * is, and keeps it: turns that were not used come back only as far as a few
 * milliseconds, so that a rate is never made up for.
 */
#pragma once

#include "base/types.h"

#define PACE_LATE_US 20000

struct pace {
    usec_t every_us; /* 0 = no limit */
    usec_t next_us;  /* the next turn, mono */
};

void pace_init(struct pace *pace, unsigned per_second); /* 0 = no limit */
/* Takes the next turn; says when it is (mono): not later than now_us = at once. */
usec_t pace_take(struct pace *pace, usec_t now_us);
