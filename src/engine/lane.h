/* The lane of one webhook in its dispatch. Private to engine/dispatch*.c. */
#pragma once

#include "engine/dispatch.h"

/* Calls ready in memory per lane: fresh ones from ingest, and a backlog read from disk.
 * Turns alternate between the two, so that neither waits behind all of the other. */
#define LANE_FRESH_MAX  4096
#define LANE_READ_MAX   256 /* calls a read */
#define LANE_READ_BELOW 64  /* read on when fewer than this are left of the backlog */

/* A read of what is due. Its calls collect on the store's thread and come back as mail.
 */
struct lane_read {
    struct store_due due;
    struct mail mail;
    struct dispatch *dispatch;
    uint64_t webhook;
    struct live_queue calls;
    size_t bytes;
    size_t max_bytes;
};

struct lane {
    struct dispatch *dispatch;
    struct window window; /* of no channel until its webhook is told */
    struct schedule_entry entry;
    uint64_t webhook_number;
    uint64_t lease;
    struct webhook *webhook; /* NULL until it is told */
    struct target *target;   /* NULL until first needed */
    struct live_queue fresh, backlog;
    bool backlog_turn;
    size_t bytes; /* of its calls in memory */
    size_t calls; /* in memory, in any state */
    bool shut;    /* answered 410: nothing is started until its webhook is told anew */
    bool reading;
    bool full; /* a call of it found no room: read on when one of its calls has left */
    struct schedule_place noted; /* while reading: the earliest place that came up */
};

/* Outcomes that go to the store together. */
#define OUTCOMES_MAX 256

struct outcomes {
    struct store_settle settle;
    struct mail mail;
    struct dispatch *dispatch;
    struct outcomes *next; /* to be submitted again */
    struct live_call *calls[OUTCOMES_MAX];
    struct store_result results[OUTCOMES_MAX];
};

struct dispatch {
    struct dispatch_options options;
    struct clock *clock;
    struct schedule schedule;
    struct window_pool pool;
    struct map channels; /* channel number → struct window_group */
    struct map lanes;    /* webhook number → struct lane */
    struct map calls;    /* (event, webhook) → struct live_call */
    _Atomic(struct mail *) mailbox;
    atomic_size_t mail_bytes;
    size_t bytes;             /* of calls in memory */
    size_t ready;             /* calls */
    size_t unrecorded;        /* outcomes collected or submitted */
    size_t reads;             /* under way */
    struct gate *gates;       /* authorizers that are being asked */
    struct outcomes *open;    /* being filled; NULL when empty */
    struct outcomes *refused; /* the disk was full: submit again at refused_at */
    msec_t refused_at_ms;
    bool unrecordable; /* the last outcomes were refused */
    msec_t gauge_at_ms;
    bool stopping;
    bool aborting;
    struct dispatch_gauges gauges;
};

struct lane *lane_get(struct dispatch *dispatch, uint64_t webhook);
struct lane *lane_get_or_new(struct dispatch *dispatch, uint64_t webhook);
/* After anything that changes what the lane may do: asks for turns, pauses or resumes
 * its reads, and frees it when it is over. The lane may be gone afterwards. */
void lane_update(struct dispatch *dispatch, struct lane *lane);
/* Forgets what is ready (it is on disk, too). */
void lane_drop_ready(struct dispatch *dispatch, struct lane *lane);
/* Puts a call among the ready ones; false: it is in memory already or there is no room,
 * and it was freed. */
bool lane_accept(struct dispatch *dispatch, struct lane *lane, struct live_call *call,
                 bool fresh);
void lane_note(struct dispatch *dispatch, struct lane *lane,
               struct schedule_place place);
void lane_read_start(struct dispatch *dispatch, struct lane *lane, msec_t now_ms);
void lane_free(struct dispatch *dispatch, struct lane *lane);
/* Its webhook is told for the first time; and its end. */
void lane_join_channel(struct dispatch *dispatch, struct lane *lane);
void lane_leave_channel(struct dispatch *dispatch, struct lane *lane);

/* The lane's next ready call; NULL if none. */
struct live_call *lane_take(struct dispatch *dispatch, struct lane *lane);
/* A call leaves memory. */
void lane_forget(struct dispatch *dispatch, struct live_call *call);

/* dispatch_outcome.c */
void outcome_note(struct attempt *attempt);
void outcomes_submit(struct dispatch *dispatch, msec_t now_ms);
