/* An error is a negative code and a sentence, wrapped on the way up: "open store:
 * migrate to 3: disk full". */
#pragma once

#include "base/types.h"

enum {
    E_OK = 0,
    E_INVALID = -1,   /* the input is wrong: say what, where and what instead */
    E_NOT_FOUND = -2, /* no such thing, or not yours: the two look the same */
    E_CONFLICT = -3,  /* it exists already, or it is in a state that forbids this */
    E_TOO_LARGE = -4,
    E_NO_MEMORY = -5,
    E_FULL = -6,  /* disk full: nothing changed; try again later */
    E_STALE = -7, /* computed from an older configuration: compute again */
    E_IO = -8,   /* the disk or the database failed: nothing may be believed any more */
    E_BUSY = -9, /* held by another process */
    E_CLOSED = -10, /* shutting down */
    E_ENDED = -11   /* of the right form, and its time is over */
};

struct err {
    int code;
    char text[400];
};

/* Sets the sentence and returns `code`, so that `return err_set(err, E_IO, "...")`
 * reads well. `err` may be NULL. */
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "what: " before the sentence; returns the code that was set. `err` may be NULL
 * (returns E_INVALID then). */
int err_wrap(struct err *err, const char *fmt, ...) printf_like(2, 3);
