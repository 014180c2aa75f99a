/* Shared by the simulation's own files. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "world.h"

#define CHECK(what)                                                                    \
    do {                                                                               \
        if (!(what)) {                                                                 \
            fprintf(stderr, "invariant broken: %s (%s:%d)\n", #what, __FILE__,         \
                    __LINE__);                                                         \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* transport_open for the engine: a network whose receivers follow the script. */
int net_open(void *ctx, struct transport **out, struct err *err);
