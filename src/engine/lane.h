/* The lane of one webhook in its dispatch. Private to engine/dispatch*.c. */
#pragma once

#include "base/heap.h"
#include "engine/dispatch.h"
#include "send/pace.h"

/* Calls ready in memory per lane. Turns go round its queues, so that none waits behind
 * all of another. */
enum lane_queue {
    LANE_FRESH,   /* from ingest */
    LANE_SPILLED, /* likewise, but there was no room: read from disk */
    LANE_BACKLOG, /* retries, and what waited through an outage, a restart, a hold: goes
                     at a bounded rate (lane_drain.c) */
    LANE_QUEUES
};

#define LANE_FRESH_MAX  4096
#define LANE_READ_MAX   256 /* calls a read */
#define LANE_READ_BELOW 64  /* read on when fewer than this are left of them */

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
    struct live_queue ready[LANE_QUEUES];
    unsigned turn; /* the queue's whose turn it is */
    size_t bytes;  /* of its calls in memory */
    size_t calls;  /* in memory, in any state */
    bool shut;     /* answered 410: nothing is started until its webhook is told anew */
    bool reading;
    bool full; /* a call of it found no room: read on when one of its calls has left */
    struct host *host;                  /* NULL = hosts have no limit */
    struct lane *line_next, *line_prev; /* the host's; NULL = in none */
    unsigned failures;                  /* since then, as far as this server has seen */
    msec_t failing_since_ms; /* the first failure since a success; MSEC_NEVER = none */
    msec_t since_ms;         /* events from before this are its backlog */
    struct pace pace;        /* of the backlog */
    bool has_turn;           /* taken for its next call, which may start at turn_us */
    bool drains;             /* that has come */
    usec_t turn_us;
    struct heap_node paced; /* while it has not */
    usec_t quiet_us;        /* in flight: nothing has been heard since then */
    bool has_probe;         /* taken while it is in doubt: may start at probe_us */
    usec_t probe_us;
    struct heap_node probe; /* until then */
    msec_t held_from_ms;    /* steady; MSEC_NEVER = its channel's trial has no end */
    struct heap_node holds; /* until that has come */
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
    struct pace pace;    /* of all backlogs */
    struct heap paced;   /* lanes whose backlog has its turn later */
    struct heap probes;  /* likewise lanes in doubt */
    usec_t probe_us;     /* whose next turn is not before this, mono */
    struct heap holds;   /* lanes whose channel's trial will end */
    struct map channels; /* channel number → struct window_group */
    struct smap hosts;   /* host and port → struct host */
    struct map lanes;    /* webhook number → struct lane */
    struct map calls;    /* (event, webhook) → struct live_call */
    _Atomic(struct mail *) mailbox;
    atomic_size_t mail_bytes;
    size_t bytes;             /* of calls in memory */
    size_t ready;             /* calls */
    size_t unrecorded;        /* outcomes collected or submitted */
    size_t reads;             /* under way */
    struct gate *gates;       /* authorizers that are being asked */
    size_t others;            /* attempts of no lane and no gate */
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
                 enum lane_queue queue);
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

/* lane_host.c */
void lane_join_host(struct dispatch *dispatch, struct lane *lane); /* its webhook's */
void lane_leave_host(struct dispatch *dispatch, struct lane *lane);
/* Whether it may want a turn, given that it has work or not; if not for its host, it
 * stands in line there. */
bool lane_asks_host(struct dispatch *dispatch, struct lane *lane, bool has_work);
bool lane_host_is_full(const struct dispatch *dispatch, const struct lane *lane);
void host_take(struct live_call *call); /* its attempt begins */
void host_give(struct dispatch *dispatch, struct live_call *call); /* and has ended */

/* lane_probe.c */
/* Was its last attempt a failure? */
bool lane_is_failing(const struct lane *lane);
void lane_probe_init(struct lane *lane);
void lane_probe_fini(struct dispatch *dispatch, struct lane *lane);
void lane_probe_started(struct dispatch *dispatch, struct lane *lane); /* an attempt */
/* May it want a turn, given that it has work or not? If it is in doubt only when its
 * probe's time has come; until then lanes_probe looks again in time. */
bool lane_may_probe(struct dispatch *dispatch, struct lane *lane, bool has_work);
void lanes_probe(struct dispatch *dispatch);
msec_t lanes_probe_due(const struct dispatch *dispatch); /* steady; MSEC_NEVER */

/* When the first of a heap of lanes that wait for a time (mono) is due. */
msec_t lanes_due(const struct dispatch *dispatch, const struct heap *heap);

/* lane_drain.c */
void lane_drain_init(struct dispatch *dispatch, struct lane *lane);
void lane_drain_fini(struct dispatch *dispatch, struct lane *lane);
/* Where a call belongs that was read from disk. */
enum lane_queue lane_queue_of(const struct lane *lane, const struct live_call *call);
/* May its backlog's next call start? If not yet, lanes_drain looks again in time. */
bool lane_may_drain(struct dispatch *dispatch, struct lane *lane);
void lanes_drain(struct dispatch *dispatch);
msec_t lanes_drain_due(const struct dispatch *dispatch); /* steady; MSEC_NEVER */
/* All that waits now is backlog. lane_update must follow. */
void lane_begin_backlog(struct dispatch *dispatch, struct lane *lane);
/* An attempt ended so; before its window is told. */
void lane_heard(struct dispatch *dispatch, struct lane *lane, bool ok);
/* For the store: since when it has been failing; of an outage only. */
msec_t lane_failing_since(const struct dispatch *dispatch, const struct lane *lane);
/* Nothing but failures for too long? */
bool lane_is_given_up(const struct dispatch *dispatch, const struct lane *lane);
/* Its webhook is told; `old` is what it was, NULL = nothing yet. lane_update must
 * follow. */
void lane_new_webhook(struct dispatch *dispatch, struct lane *lane,
                      const struct webhook *old);
size_t lane_fresh_max(const struct lane *lane);
size_t lane_read_max(const struct lane *lane);
size_t lane_read_below(const struct lane *lane);

/* lane_hold.c */
void lane_hold_init(struct lane *lane);
void lane_hold_fini(struct dispatch *dispatch, struct lane *lane);
/* lane_update must follow. */
void lane_hold_from(struct dispatch *dispatch, struct lane *lane, msec_t from_ms);
bool lane_is_held(const struct dispatch *dispatch, const struct lane *lane);
/* Holds those whose time has come. */
void lanes_hold(struct dispatch *dispatch);
msec_t lanes_hold_due(const struct dispatch *dispatch); /* steady; MSEC_NEVER */

/* dispatch_outcome.c */
void outcome_note(struct attempt *attempt);
void outcomes_submit(struct dispatch *dispatch, msec_t now_ms);
