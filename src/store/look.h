/* What can be said of a store from outside, without opening it: nothing of it is read
 * but its header, nothing written. */
#pragma once

#include "base/err.h"
#include "base/types.h"

struct store_look {
    bool in_use;  /* a process has its lock */
    bool exists;  /* there is a database */
    int schema;   /* of the database; 0 = it is in its log still */
    int newest;   /* the one that this program makes */
    bool damaged; /* a page was found that is not what was written */
};

/* E_INVALID: what is there is no database of Pushwire's, and why; E_IO: it cannot be
 * read. `out` is then filled as far as it is known. */
int store_look(const char *dir, struct store_look *out, struct err *err) must_check;
