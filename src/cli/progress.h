/*
 * How far long work is, on stderr, so that standard output holds the result alone. On a
 * terminal it is one line that is written again and again: a bar, the share, how many,
 * how many a second, how long it will take. Elsewhere it is nothing, or where `plain`
 * asks for it a line every few seconds.
 */
#pragma once

#include "base/buf.h"
#include "base/types.h"

#define PROGRESS_UNKNOWN (-1.0) /* a share that nobody knows */

struct progress {
    const char *unit; /* "subscriptions"; NULL = what is counted are bytes */
    bool quiet;       /* nothing at all, as with --json */
    bool plain;       /* lines where there is no terminal */
    /* its own */
    bool terminal;
    bool shown; /* something stands in the terminal's line */
    bool begun;
    usec_t began_us; /* mono, when it was shown first; with what it was then */
    int64_t began_n;
    double began_share;
    usec_t shown_us; /* mono */
    int64_t n;       /* by now, and whether that is shown */
    double share;
    bool stale;
};

void progress_init(struct progress *progress, const char *unit);
/* By now it is `n`, which is this share (0 to 1) of all of it. To be called as often as
 * anything changes: what comes too soon is not shown. */
void progress_show(struct progress *progress, int64_t n, double share);
/* Says in words what is waited for, in the bar's place. */
void progress_say(struct progress *progress, const char *fmt, ...) printf_like(2, 3);
/* The terminal's line ends, with the last that was to be shown, or is wiped: other
 * things are said now. */
void progress_end(struct progress *progress);
void progress_wipe(struct progress *progress);

/* The line for a terminal of so many columns (0 = without a bar). `rate` is a second,
 * left_s is what is left; negative = not known. */
void progress_line(struct buf *out, const struct progress *progress, size_t columns,
                   int64_t n, double share, double rate, double left_s);
