/* Colours for people at a terminal. They only stress what the words say already. */
#pragma once

#include <stdio.h>

#include "base/types.h"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum paint {
    PAINT_NONE,
    PAINT_HEADING,
    PAINT_GOOD,
    PAINT_UNSURE, /* it may still come good, or somebody should look */
    PAINT_BAD,
    PAINT_OVER, /* of no more interest */
    PAINTS
};

const char *color_when_name(unsigned at); /* NULL at the end */
/* For the whole program; without it COLOR_AUTO: on a terminal, unless NO_COLOR is set
 * or TERM is dumb. */
void color_set(enum color_when when);
/* How a state or a verdict is stressed: of calls, attempts, jobs and checks. */
enum paint color_of_word(struct slice word);
/* Around what is painted; both are nothing where there are no colours. */
const char *color_begin(FILE *out, enum paint paint);
const char *color_end(FILE *out, enum paint paint);
