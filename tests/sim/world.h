/*
 * A world in which time is turned by hand: the real engine on the memory store, with a
 * transport whose receivers follow a script. After every step the invariants of
 * docs/guarantees.md are checked for every call; one seed reproduces a run.
 */
#pragma once

#include "base/clock.h"
#include "base/map.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "send/transport.h"
#include "store/store.h"

#define SIM_WINDOW 4
/* Spans of time, in ms. */
#define SECOND ((msec_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define SIM_EPOCH_MS INT64_C(1800000000000) /* some day in 2027 */

/* How a receiver behaves; drawn anew for each attempt. */
struct sim_receiver {
    unsigned ok_percent;      /* 2xx */
    unsigned gone_percent;    /* 410 */
    unsigned timeout_percent; /* silence until the deadline; the rest is 503 */
    msec_t retry_after_ms;    /* with each 503 */
    msec_t latency_max_ms;
};

struct sim_attempt {
    struct sim_attempt *next;
    struct attempt *attempt;
    uint64_t webhook;
    usec_t ends_us;
};

/* What the world saw of one call. */
struct sim_call {
    uint64_t event, webhook;
    unsigned attempts;  /* of this round, as far as they are recorded or about to be */
    unsigned delivered; /* 2xx answers: more than one only after a crash or a retry by
                           hand */
    msec_t ended_ms;    /* the last of them; steady */
    msec_t retry_after_ms;
    bool in_flight;
    bool ok;
    bool unrecorded; /* ended, and its outcome not committed yet */
    bool by_hand;    /* retried: if it was under way then, it comes again at once */
    bool excused;    /* crashed in flight or unrecorded, or retried by hand: may start
                        again at once */
    struct sim_call *next_unrecorded;
};

struct sim {
    struct clock_manual clock;
    struct rng_seeded rng;    /* the engine's */
    struct rng_seeded script; /* the world's */
    struct store *store;
    struct engine *engine;
    struct transport transport;
    struct sim_receiver receiver; /* of every webhook without its own */
    struct map receivers;         /* webhook number → struct sim_receiver */
    struct sim_attempt *under_way;
    struct map calls; /* (event, webhook) → struct sim_call */
    struct channel *channel;
    const struct retry_policy *policy; /* what invariants expect */
    unsigned attempts;
    unsigned in_flight;
    unsigned most_in_flight;
    struct sim_call *unrecorded;
    struct buf told;        /* bodies of notices that were taken, a line each */
    unsigned tellings;      /* attempts to tell one */
    unsigned told_percent;  /* of them that are taken */
    msec_t disk_latency_ms; /* a group commits up to this late; 0 = at once */
    msec_t disk_ms;         /* when the disk has the next group */
    msec_t next_ms;         /* when the engine wants its next turn */
    bool happened;          /* something did, since it was last looked at */
    /* of the engine; changed ones count after sim_crash */
    unsigned window, slots, host_window, drain_rate, drain_total;
    size_t sender_bytes;
    msec_t disable_after;
    struct engine_notify notify; /* `to` is the world's */
    bool aborting;
    bool exact; /* no other load: a retry must come when it is due, not only after */
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);

/* A crash and a start on the same disk: what was not committed is forgotten. */
void sim_crash(struct sim *sim);

/* The same, of the whole machine: mono begins anew, and the wall clock was set by so
 * much meanwhile. */
void sim_reboot(struct sim *sim, msec_t wall_jump_ms);

uint64_t
sim_webhook(struct sim *sim); /* a new one of the world's channel; its number */
uint64_t sim_webhook_with(struct sim *sim, const struct retry_policy *policy);
void sim_enable(struct sim *sim, uint64_t webhook, bool enabled);
void sim_delete(struct sim *sim, uint64_t webhook);
/* Operators are told from now on, of these limits too (0 = not). A crash on the way. */
#define SIM_TOLD_MAX ((size_t)1 << 20)
void sim_notify(struct sim *sim, uint64_t backlog, msec_t oldest_due_ms);
/* When the channel's trial ends (steady); MSEC_NEVER = it is none. */
void sim_trial(struct sim *sim, msec_t ends_ms);
/* Posts n sample events at once; returns the result, and the first key in *key. */
int sim_post(struct sim *sim, size_t n, uint64_t *key);
int sim_retry(struct sim *sim, uint64_t event, uint64_t webhook);

/* A request that changes subscriptions; answered some time later, in a crash with
 * E_CLOSED. */
struct sim_touch {
    struct engine_touch touch; /* changes, n and applied; the rest is filled in */
    bool anywhere;             /* the request names no channel */
    bool done;
};

void sim_touch_start(struct sim *sim, struct sim_touch *touch);
/* Lets time pass until a request is answered that sets *done. */
void sim_await(struct sim *sim, const bool *done);

/* Lets everything happen that can happen now. */
void sim_settle(struct sim *sim);
/* Jumps to the next thing that happens, at most to `until_ms` (steady); false when
 * nothing happens before. */
bool sim_step(struct sim *sim, msec_t until_ms);
void sim_run(struct sim *sim, msec_t for_ms);

msec_t sim_now(struct sim *sim); /* steady */
struct sim_call *sim_call(struct sim *sim, uint64_t event,
                          uint64_t webhook); /* NULL: never attempted */
/* As the store shows it. */
struct call_record sim_stored(struct sim *sim, uint64_t event, uint64_t webhook);
/* Why it is where it is. */
struct explain sim_explain(struct sim *sim, uint64_t event, uint64_t webhook);
uint64_t sim_count(struct sim *sim, enum call_state state);
