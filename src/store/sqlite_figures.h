/*
 * Figures of webhooks, channels and of all: how they come from what a group does into
 * rows of `rollup`. Part of the SQLite backend's inside (sqlite_private.h).
 *
 *   while a group is open   what it adds is noted beside: webhook->made, channel->came,
 *                           attempts; a group that is rolled back just forgets it
 *   after its commit        the notes are added up in memory, by minute: an account
 * each ten seconds later       an account is added to its rows, of the minute and of
 * the hour, with whatever group comes, a few with each
 *
 * What waits is a height: each commit that moves it notes it in the accounts, so what
 * stands still costs nothing.
 *
 * So the figures of the last ten seconds are lost when the process is killed, and no
 * commit waits for them.
 */
#pragma once

#include "core/figures.h"
#include "store/store.h"

struct sqlite_store;
struct sqlite_webhook;
struct sqlite_channel;

/* Whose figures; the numbers are on disk. */
enum figures_whose { OF_ALL, OF_CHANNEL, OF_WEBHOOK };

/* What has been counted in one minute and is not in the rows yet. */
struct sqlite_account {
    struct sqlite_account *next;   /* newer */
    struct sqlite_account **owner; /* where it is added to; NULL = no more */
    struct sqlite_account *same;   /* while a read looks: the next one of its own */
    enum figures_whose whose;
    uint64_t number;
    msec_t minute_ms; /* steady, when it began */
    msec_t since_ms;  /* steady */
    struct figures figures;
};

/* How much there is of something. */
struct sqlite_height {
    int64_t now;  /* the open group included */
    int64_t then; /* at the last commit */
};

struct sqlite_attempt_note {
    uint64_t webhook;
    uint32_t took_us;
    bool ok;
};

/* What is a step further when its group is committed. */
struct sqlite_figures_at {
    msec_t purge_ms[FIGURES_STEPS]; /* steady: not before, unless there is more */
    bool purge_more[FIGURES_STEPS];
    bool gone; /* somebody's rows are to go */
    /* whose are going, and of which step next; gone_number 0 = nobody's yet */
    enum figures_whose gone_whose;
    uint64_t gone_number;
    enum figures_step gone_step;
    msec_t gone_ms;
};

struct sqlite_figures {
    struct sqlite_account *head, *last; /* by age */
    size_t n;
    struct sqlite_account *written; /* by the open group, newest first */
    struct sqlite_account *all;     /* of everything, of this minute; may be NULL */
    struct sqlite_height waiting;   /* calls, of webhooks that are not deleted */
    struct sqlite_figures_at at;
    usec_t rest_us; /* mono: nothing by itself before */

    /* the open group's notes */
    struct sqlite_attempt_note *attempts;
    size_t n_attempts, room;
    struct sqlite_channel *came;
};

/* ---- in an open group ---- */

/* Events of a channel; calls of a webhook, made or ended, which sqlite_count has
 * counted. */
void sqlite_figures_came(struct sqlite_store *s, struct sqlite_channel *channel,
                         size_t n);
void sqlite_figures_made(struct sqlite_webhook *webhook);
void sqlite_figures_ended(struct sqlite_webhook *webhook, enum call_state state);
/* So many more calls wait for a webhook, or fewer; also while counts are read or taken
 * back. Those of a deleted one wait no more. */
void sqlite_figures_wait(struct sqlite_store *s, struct sqlite_webhook *webhook,
                         int64_t by);
void sqlite_figures_attempt(struct sqlite_store *s,
                            const struct sqlite_webhook *webhook,
                            const struct attempt_record *attempt);
/* A webhook, or a channel with all its webhooks, is being deleted: their rows will go.
 */
int sqlite_figures_drop_webhook(struct sqlite_store *s, uint64_t number) must_check;
int sqlite_figures_drop_channel(struct sqlite_store *s, uint64_t number) must_check;
/* What is due, in a step of about so many rows. */
int sqlite_figures_ride(struct sqlite_store *s, int rows) must_check;

/* ---- between groups ---- */

int sqlite_figures_load(struct sqlite_store *s) must_check; /* what is still to go */
void sqlite_figures_committed(struct sqlite_store *s); /* before counts are forgotten */
void sqlite_figures_rolled_back(struct sqlite_store *s);
/* A step in a group of its own, when one is due; returns how long to rest before the
 * next one, USEC_NEVER when nothing is to come. */
usec_t sqlite_figures_idle(struct sqlite_store *s, int rows);
void sqlite_figures_stop(struct sqlite_store *s); /* writes out what there is */
/* Channels and webhooks are read anew: accounts are nobody's any more. */
void sqlite_figures_detach(struct sqlite_store *s);
void sqlite_figures_free(struct sqlite_store *s);

/* ---- sqlite_stats.c ---- */

/* 1 = there is such a row, which is read into *figures. */
int sqlite_figures_get(struct sqlite_store *s, enum figures_step step, msec_t at_ms,
                       enum figures_whose whose, uint64_t number,
                       struct figures *figures) must_check;
/* Read in pieces, or in the lists' share of the time. */
bool sqlite_stats_are_long(const struct sqlite_store *s, struct store_op *op);
/* The next piece; false when it was the last one. */
bool sqlite_stats_step(struct sqlite_store *s, struct store_op *op);
int sqlite_stats(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_webhook_stats(struct sqlite_store *s, struct store_op *op) must_check;
