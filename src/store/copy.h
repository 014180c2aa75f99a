/*
 * A copy of a store in a file: what a backup is, and what a restore makes a store of.
 * Nothing here needs a running store.
 */
#pragma once

#include "base/clock.h"
#include "base/err.h"
#include "base/types.h"

struct store_copy {
    int schema;
    uint64_t bytes;
    msec_t taken_ms; /* wall; 0 = nobody noted it: it was not made by a backup */
    uint64_t channels, webhooks, events;
    uint64_t waiting; /* calls */
};

/* Reads all of it. E_NOT_FOUND: no such file; E_INVALID: it is no copy of a store, or
 * damaged, and where; E_CONFLICT: of a newer version. */
int store_copy_check(const char *path, struct store_copy *copy,
                     struct err *err) must_check;

/* What becomes of calls that wait in a copy: some of them may have been delivered since
 * it was taken. */
enum restore_waiting {
    RESTORE_HOLD,  /* all webhooks are disabled, so that their calls are held */
    RESTORE_SEND,  /* they are tried when they are due */
    RESTORE_CANCEL /* they are cancelled, held ones too */
};

#define RESTORE_REASON "restored from a backup"

struct store_restore {
    const char *file;
    const char *dir; /* made if missing; E_CONFLICT if there is a store in it */
    enum restore_waiting waiting;
    struct clock *clock;
    /* out */
    struct store_copy copy;
    uint64_t disabled;  /* webhooks that this has disabled */
    uint64_t held;      /* calls that wait and are held */
    uint64_t cancelled; /* calls that this has cancelled */
};

/* The store is in the folder with all of it, on stable storage, or not at all. Nothing
 * that was given out since the copy was taken is given out again: event keys go on from
 * now, and numbers far behind the copy's last ones. E_STALE: that cannot be promised,
 * since the clock stands before the moment at which the copy was taken. */
int store_copy_restore(struct store_restore *restore, struct err *err) must_check;
