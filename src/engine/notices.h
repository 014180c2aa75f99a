/*
 * What operators are told: raised here, stored, and sent to their URL one after the
 * other by the first sender. Private to engine/.
 *
 * A notice is raised right after what it tells is committed; a crash in that moment
 * takes the notice, never the fact. Storms are held down: a webhook's exhausted calls
 * make one in ten minutes, and all notices together a hundred a minute; what was left
 * out is counted in the next one.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "engine/dispatch.h"
#include "store/store_notice.h"

#define NOTICE_EXHAUSTED_MS ((msec_t)10 * 60 * 1000)
#define NOTICES_A_MINUTE    100
/* That could not be stored, for want of room. */
#define NOTICES_HELD_MAX 64

struct engine;
struct notice_put;

/* Of a webhook: told, and not cleared yet. */
struct high_backlog {
    uint64_t webhook;
    uint64_t seen; /* by which look, last */
};

/* What of a notice waits to be sent, as far as it is known. */
struct outbox {
    struct webhook *to;    /* its URL and secret; NULL = nothing is sent */
    struct target *target; /* NULL until first needed */
    atomic_bool look;      /* something new may wait */
    bool busy;             /* looking, sending, or recording */
    msec_t due_ms;         /* of the next that waits */
    struct store_notices list;
    struct store_settle_notice settle;
    struct mail listed, settled;
    bool found; /* by the list: */
    struct notice_row row;
    struct buf body;
    char id[ID_TEXT];
    struct attempt attempt;
};

struct notices {
    struct engine *engine;
    bool on;
    pthread_mutex_t lock; /* guards what follows, to `watch_ms` */
    uint64_t last;        /* number */
    struct map exhausted; /* webhook → struct exhausted */
    msec_t minute_ms;     /* when the minute under way began */
    unsigned in_minute;
    uint64_t left_out;
    struct notice_put *held;
    size_t n_held;
    /* the first sender's */
    msec_t watch_ms; /* when it looks next */
    bool oldest_is_high;
    struct map trials; /* (channel, end) that were told */
    msec_t start_ms;
    /* the store's thread's, one look at a time */
    struct store_backlogs backlogs;
    atomic_bool looking;
    struct map high; /* webhook → struct high_backlog */
    uint64_t look;   /* which one it is */

    struct outbox outbox;
};

void notices_init(struct notices *notices, struct engine *engine);
void notices_fini(struct notices *notices); /* the store has stopped */

/* Any thread. `channel`, `webhook` 0 = about none. `data` = JSON members, "" = none. */
void notices_raise(struct notices *notices, enum notice_kind kind, uint64_t channel,
                   uint64_t webhook, const char *data, const char *fmt, ...)
    printf_like(6, 7);
/* All attempts of a call are used. Any thread. */
void notices_exhausted(struct notices *notices, const struct webhook *webhook,
                       uint64_t event, uint32_t attempts, struct slice reason);
/* The server has disabled it. */
void notices_disabled(struct notices *notices, const struct webhook *webhook);
/* The disk has another amount of room than before. */
void notices_room(struct notices *notices, enum disk_room room, uint64_t left);

/* ---- on the first sender's thread ---- */

/* Looks and sends; returns when it wants to be called next (steady ms). */
msec_t notices_turn(void *ctx, msec_t now_ms);

/* notices_watch.c */
msec_t notices_watch(struct notices *notices, msec_t now_ms);

/* notices_send.c */
void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);
void outbox_wake(struct notices *notices);
msec_t outbox_turn(struct notices *notices, msec_t now_ms);
