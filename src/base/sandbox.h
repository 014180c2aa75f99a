/*
 * What the process gives up before it listens to anybody, so that whoever takes it over
 * can do nothing with it: its user, its capabilities, the files that it does not need,
 * the system calls that it does not make.
 *
 * All of it is of the calling thread and of those that it starts, so it comes before
 * the first of them; and after what needs the rights has been opened.
 */
#pragma once

#include "base/err.h"
#include "base/types.h"

/* Closes what was inherited beside the three standard descriptors, which are there
 * afterwards, and keeps new files for their owner. First of all. */
void sandbox_clean(void);

/* No descriptor that is open now outlives an exec: libraries open some without saying
 * so. */
void sandbox_close_on_exec(void);

/* Becomes this user for good, with its first group alone. `dir` has to be its own; if
 * it is missing it is made. Root can do that, and the user itself (then nothing
 * changes).
 */
int sandbox_become(const char *user, const char *dir, struct err *err) must_check;

enum sandbox_layer {
    SANDBOX_CAPABILITIES, /* none, none to be had again, and no core dumps */
    SANDBOX_FILES,        /* Landlock */
    SANDBOX_CALLS,        /* seccomp */
    SANDBOX_LAYERS
};

struct sandbox {
    const char *writable; /* the one folder whose files may be changed */
    /* Files and folders that may be read besides what every program reads (libraries,
     * resolver, certificates, time zones). What is not there is left out. */
    const char *const *readable;
    size_t n_readable;
    bool all_layers; /* else the system may lack some: see `held` */
    /* out: what holds each layer ("landlock 7"), or why it does not hold */
    bool held[SANDBOX_LAYERS];
    char how[SANDBOX_LAYERS][64];
};

/* Goes in; there is no way out. Fails where a layer cannot be had and all are wanted,
 * or when one is refused half-way. */
int sandbox_enter(struct sandbox *sandbox, struct err *err) must_check;

/* ---- for sandbox.c: each layer is a file ---- */

/* 0; E_NOT_FOUND = the system does not have it, and err says so. `how` has room for one
 * of struct sandbox's. */
int sandbox_files(const struct sandbox *sandbox, char *how, size_t room,
                  struct err *err) must_check;
int sandbox_calls(char *how, size_t room, struct err *err) must_check;
