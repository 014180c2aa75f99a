/*
 * Whether the threads that must not stop still turn. Each says when it is at work and
 * when it waits for something to do; one that is at the same piece of work for too long
 * has stalled. The watch counts its own looks, a second apart, and reads no clock: a
 * machine that slept, or a process that was stopped, has not stalled.
 */
#pragma once

#include <stdatomic.h>

#include "base/types.h"

/* How long one piece of work may take, in looks. A thread that waits for a disk has to
 * be given longer than others. */
#define PULSE_PATIENCE      20
#define PULSE_PATIENCE_DISK 60

struct pulse {
    const char *name;
    unsigned patience;
    atomic_uint beats; /* odd: it waits */
    /* the watch's */
    unsigned seen, still;
    struct pulse *next;
};

/* From here to pulse_end the calling thread is watched, at work. */
void pulse_begin(struct pulse *pulse, const char *name, unsigned patience);
void pulse_end(void);

/* Of the calling thread; nothing where it is not watched. It waits: for as long as it
 * likes. It is at work again, on something new. */
void pulse_rest(void);
void pulse_work(void);

/* One look at all of them: the name of one that has stalled, or NULL. One thread alone
 * looks. */
const char *pulse_look(void);

/* What has stalled, for whoever asks; NULL = nothing. Any thread. */
void pulse_say(const char *stalled);
const char *pulse_said(void);
