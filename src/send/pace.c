#include "send/pace.h"

void
pace_init(struct pace *pace, unsigned per_second)
{
    *pace = (struct pace){0};
    if (per_second > 0) /* rounded up: never faster */
        pace->every_us = (1000000 + (usec_t)per_second - 1) / per_second;
}

usec_t
pace_take(struct pace *pace, usec_t now_us)
{
    if (pace->every_us == 0)
        return now_us;
    usec_t turn_us = now_us - PACE_LATE_US;
    if (pace->next_us == 0) /* the first */
        turn_us = now_us;
    else if (turn_us < pace->next_us)
        turn_us = pace->next_us;
    pace->next_us = turn_us + pace->every_us;
    return turn_us;
}
