/*
 * By what events are found: pairs of a token, which is a keyed hash of a subscription's
 * or a notification's id in its channel, and the event's key.
 *
 * An index in the usual sense would dirty a page for each event that comes in, wherever
 * its token belongs. Here the pairs of the newest events stand in memory in the order
 * of their keys, read from the events when there is time; when they are of `run_events`
 * events they are sorted and written as a run, one block behind the other. Eight runs
 * of a size become one of the next size. So 10 million events are some twenty runs,
 * each searched by one seek, newest first; a hit is a hint, and the event's row says
 * whether it is right. What is newer than all of that is walked.
 *
 * A run counts from when its row is there, which is written with its last block. Blocks
 * of no run are swept away.
 */
#pragma once

#include "base/types.h"

#define FOUND_RUN_EVENTS 16384 /* of a run of the first size */
#define FOUND_FAN        8     /* runs of a size that become one */
#define FOUND_LEVELS     4     /* sizes: the greatest is of 8 million events */
#define FOUND_STEP       64    /* blocks that a step of a merge writes */
#define FOUND_PAIR       12    /* bytes on disk: four of the token, eight of the key */
#define FOUND_BLOCK      333   /* pairs: with them a row fills a page */

struct found_pair {
    uint64_t key;
    uint32_t token;
};

struct found_run {
    uint64_t number;
    int level;
    uint64_t low, high; /* keys of its first event and of its last */
};

/* Where the merge is in one of the runs that it reads. */
struct found_source {
    uint64_t run;
    uint8_t block[FOUND_BLOCK * FOUND_PAIR];
    size_t n, at; /* pairs */
    bool read;    /* the first block has been */
};

struct found_merge {
    uint64_t number; /* of the run that is being written */
    size_t first;    /* of the eight, among the runs */
    struct found_source sources[FOUND_FAN];
};

struct sqlite_found {
    uint64_t secret[2];
    bool secret_new;   /* and not on disk yet */
    size_t run_events; /* FOUND_RUN_EVENTS; tests take fewer, */
    size_t block;      /* likewise FOUND_BLOCK */
    int blocks;        /* likewise FOUND_STEP */
    uint64_t upto;     /* events with keys up to this are in runs, or in `pairs` */
    uint64_t first;    /* event in `pairs`; 0 = none */
    size_t events;     /* in `pairs` */
    struct found_pair *pairs;
    size_t n, cap;
    struct found_run *runs; /* by their events, the oldest first */
    size_t n_runs;
    uint64_t last_number; /* of a run that there is or was */
    uint64_t *doomed;     /* numbers of runs that count no more, with blocks left */
    size_t n_doomed;
    struct found_merge *merge; /* under way; NULL = none is */
    msec_t look_ms;            /* steady: no look for old runs, no failed step before */
    usec_t rest_us;            /* mono: no step by itself before */
    size_t caught_up;          /* events, for the search that is waiting for it */
};

struct sqlite_store;

/* sqlite_found.c */
enum sqlite_found_by { FOUND_SUBSCRIPTION = 's', FOUND_NOTIFICATION = 'n' };
int sqlite_found_open(struct sqlite_store *s) must_check;
void sqlite_found_close(struct sqlite_store *s);
uint32_t sqlite_found_token(const struct sqlite_store *s, enum sqlite_found_by by,
                            uint64_t channel, struct slice id);
/* The one by which a list of what has these ids is found: by a subscription's sooner
 * than by a notification's, which has many. False: neither is asked for (n 0). */
bool sqlite_found_by(const struct sqlite_store *s, uint64_t channel,
                     struct slice subscription, struct slice notification,
                     uint32_t *token);
/* There are events that it does not know yet. */
bool sqlite_found_behind(const struct sqlite_store *s);
/* Takes in some more of them, outside a group. */
int sqlite_found_step(struct sqlite_store *s, int rows) must_check;
/* Keys below `below` of events that have the token, or seem to; the newest first. Fewer
 * than `max`: that is all. */
int sqlite_found_search(struct sqlite_store *s, uint32_t token, uint64_t below,
                        uint64_t *keys, size_t max, size_t *n) must_check;
struct found_pair sqlite_found_pair(const uint8_t *block, size_t at);
bool sqlite_found_before(const struct found_pair *a, const struct found_pair *b);
/* Inside the group. */
int sqlite_found_block(struct sqlite_store *s, uint64_t run,
                       const struct found_pair *pairs, size_t n) must_check;
int sqlite_found_run_add(struct sqlite_store *s,
                         const struct found_run *run) must_check;
/* Among the runs that there are; among those that are no more. */
void sqlite_found_keep(struct sqlite_store *s, const struct found_run *run);
void sqlite_found_doom(struct sqlite_store *s, uint64_t number);

/* sqlite_found_runs.c */
/* A step by itself, when there is something to do; as sqlite_retention_idle. */
usec_t sqlite_found_idle(struct sqlite_store *s);
