/*
 * The only place where store, schedule and send meet. For `api` it is the whole world
 * behind HTTP: a view of the configuration, and requests that complete later.
 *
 * A request is a struct that the caller fills and keeps until its `done`, which runs
 * exactly once, on the store's thread or, for what is refused at once, on the caller's
 * before the call returns. done must not block.
 */
#pragma once

#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/rng.h"
#include "base/types.h"
#include "core/change.h"
#include "core/channel.h"
#include "core/event.h"
#include "core/explain.h"
#include "core/figures.h"
#include "core/job.h"
#include "core/key.h"
#include "core/notice.h"
#include "core/record.h"
#include "core/webhook.h"

struct engine;
struct guard;
struct store;
struct transport;

/* What operators are told (core/notice.h), and where. */
struct engine_notify {
    bool on;              /* off: nothing is told, stored or looked at */
    struct webhook *to;   /* URL and secret; a reference is taken. NULL = not sent */
    uint64_t backlog;     /* of a webhook, in calls; 0 = never told */
    msec_t oldest_due_ms; /* likewise */
};

struct engine_options {
    struct store *store; /* open, not started; the engine starts and stops it, the
                            caller closes it */
    struct clock *clock; /* anchored */
    struct rng *rng;
    unsigned senders; /* sender threads; 0 = none: the caller turns them by hand
                         (simulation) */
    /* Makes one transport per sender; ownership moves to the engine. */
    int (*transport_open)(void *ctx, struct transport **out, struct err *err);
    void *transport_ctx;
    const struct guard *guard; /* where calls may go */
    unsigned window;           /* in flight per webhook */
    unsigned slots;            /* in flight per sender, all webhooks */
    unsigned drain_rate;       /* calls a second of what waited, per webhook; 0 = any */
    unsigned drain_total;      /* and in all */
    unsigned host_window;      /* in flight to one host and port; 0 = any number */
    msec_t disable_after;      /* of nothing but failures, a webhook; 0 = never */
    struct engine_notify notify;
    size_t sender_bytes; /* event bytes held in memory per sender */
    void (*broken)(
        void *ctx,
        const char *why); /* the store failed: end the program. On the store's thread */
    void *broken_ctx;
};

int engine_open(struct engine **out, const struct engine_options *options,
                struct err *err) must_check;

/* Stops starting attempts, waits up to `grace_ms` for those under way, gives back the
 * rest (they stay waiting), records what ended, stops the store. No request may be
 * submitted after. */
void engine_stop(struct engine *engine, msec_t grace_ms);
/* One turn of an engine without threads (senders 0): what a sender thread does between
 * two waits for the network. Returns when the next is due by itself (steady ms;
 * MSEC_NEVER = when something happens). */
msec_t engine_turn(struct engine *engine);
void engine_close(struct engine *engine); /* after engine_stop; NULL is fine */

struct clock *engine_clock(struct engine *engine);
struct rng *engine_rng(struct engine *engine);

/* ---- configuration: views are references to immutable objects; give each back with
 * its _unref ---- */

struct channel *engine_channel(struct engine *engine, struct slice id); /* NULL: none */
/* Channels by number, those after `after`, at most `limit`; returns how many were
 * filled. */
size_t engine_channels(struct engine *engine, uint64_t after, struct channel **out,
                       size_t limit);
struct webhook *engine_webhook(struct engine *engine, uint64_t channel,
                               struct slice id);
struct webhook *
engine_webhook_numbered(struct engine *engine,
                        uint64_t number); /* also for showing calls; NULL if deleted */
size_t engine_webhooks(struct engine *engine, uint64_t channel, uint64_t after,
                       struct webhook **out, size_t limit);
bool engine_key(struct engine *engine, struct slice key_id, struct key *out);
/* A channel's id by its number into out; false if gone. */
bool engine_channel_id(struct engine *engine, uint64_t channel, char out[ID_MAX + 1]);
size_t engine_keys(struct engine *engine, uint64_t after, struct key *out,
                   size_t limit);

/* A change of configuration. `apply` computes the new object from the configuration as
 * it is now; it may be called several times (when another change came first), on any
 * thread, and must not keep state but in the change itself. It sets exactly one of
 * channel, webhook, key or drop_key and returns 0, or refuses with a negative error and
 * a sentence in change->err. The engine owns the objects that apply set. At `done`
 * result is 0 and the object is the committed one and already in every view (borrowed
 * until done returns), or result is negative and err says why. */
struct engine_change {
    int (*apply)(struct engine *engine, struct engine_change *change);
    void (*done)(struct engine_change *change);
    /* set by apply */
    struct channel *channel;
    struct webhook *webhook;
    struct key key;
    bool put_key;
    uint64_t drop_key; /* number */
    /* out */
    int result;
    struct err err;
    /* the engine's */
    void *private;
};

void engine_change(struct engine *engine, struct engine_change *change);

/* ---- events in ---- */

/* Calls that one request may make: events times webhooks. */
#define ENGINE_CALLS_MAX 200000

struct engine_ingest {
    struct channel *channel; /* a reference that the caller keeps until done */
    /* They and their bytes: only until engine_ingest returns. */
    const struct event_ref *events;
    size_t n_events;
    struct webhook *only; /* a test event: to this webhook alone; NULL = to all that
                             want it. Caller's reference */
    struct slice idempotency_key; /* n 0 = none; bytes until done */
    uint8_t body_hash[SHA256_BYTES];
    void (*done)(struct engine_ingest *ingest);
    /* out */
    int result; /* 0, E_CONFLICT (idempotency key used with another body), E_FULL,
                   E_NOT_FOUND (channel gone), E_ENDED (its trial), E_IO, E_CLOSED */
    uint64_t first_key; /* the events' keys are first_key, first_key + 1, … */
    bool repeated;
    /* the engine's */
    void *private;
};

void engine_ingest(struct engine *engine, struct engine_ingest *ingest);

/* ---- subscriptions ---- */

/* Changes of subscriptions and the events that follow, in one commit, in this order,
 * all or nothing. */
struct engine_touch {
    struct channel *channel; /* a reference that the caller keeps until done; NULL =
                                the one that has the subscription */
    const struct change *changes; /* they and their bytes: until done */
    size_t n;
    /* What each has led to, on the store's thread and before the commit: nothing of it
     * may be told before done says 0. NULL is fine. `channel` is where it is. */
    void (*applied)(struct engine_touch *touch, size_t i,
                    const struct subscription *after, const struct channel *channel);
    void (*done)(struct engine_touch *touch);
    /* out */
    int result;      /* 0, E_NOT_FOUND, E_TOO_LARGE, E_ENDED (the channel's trial; what
                        only opts out is taken all the same), E_FULL, E_IO, E_CLOSED */
    const char *why; /* a constant sentence, or NULL */
    uint32_t events_by_type[EVENT_TYPES];
    /* the engine's */
    void *private;
};

void engine_touch(struct engine *engine, struct engine_touch *touch);

/* Subscriptions of a channel in the order in which they were made; see
 * store_subscriptions. */
struct engine_subscriptions {
    uint64_t channel;
    uint64_t after;
    struct slice after_id; /* bytes until done, likewise id */
    struct slice id;
    struct slice name, values[2]; /* of an attribute; bytes until done */
    size_t max_rows;
    /* On the store's thread; false = that is enough. */
    bool (*each)(struct engine_subscriptions *list,
                 const struct subscription *subscription);
    void (*done)(struct engine_subscriptions *list);
    int result;
    uint64_t next; /* 0 = that was all */
    void *private;
};

struct engine_subscription_count {
    uint64_t channel;
    void (*done)(struct engine_subscription_count *count);
    int result;
    uint64_t active, inactive;
    void *private;
};

struct engine_notification {
    struct notification_row *row; /* see store_put_notification */
    void (*done)(struct engine_notification *put);
    int result;
    bool known; /* it was there already, and has been replaced */
    void *private;
};

struct engine_notifications {
    uint64_t channel;
    uint64_t before; /* UINT64_MAX = from the newest */
    struct slice id; /* n 0 = all; bytes until done */
    size_t limit;
    void (*each)(struct engine_notifications *list, const struct notification_row *row);
    void (*done)(struct engine_notifications *list);
    int result;
    uint64_t next; /* 0 = that was all */
    void *private;
};

void engine_subscriptions(struct engine *engine, struct engine_subscriptions *list);
void engine_subscription_count(struct engine *engine,
                               struct engine_subscription_count *count);
void engine_put_notification(struct engine *engine, struct engine_notification *put);
void engine_notifications(struct engine *engine, struct engine_notifications *list);

/* The channel whose apps ask by this bundle id; NULL: none. Whether any channel allows
 * this origin. */
struct channel *engine_channel_of_bundle(struct engine *engine, struct slice bundle);
bool engine_origin_known(struct engine *engine, struct slice origin);

/* Asks a channel's authorizer. */
struct engine_gate {
    struct channel *channel; /* has one; a reference that the caller keeps until done */
    struct slice token;      /* visible ASCII; bytes until done, likewise body */
    struct slice body;
    void (*done)(struct engine_gate *gate); /* any thread */
    int result; /* 0 = it lets the request pass; E_INVALID = it does not, or did not
                   answer; E_NO_MEMORY = too many wait for it; E_CLOSED */
    void *private;
};

#define ENGINE_GATE_MS         5000
#define ENGINE_GATES_MAX       1024 /* asked at a time, by each sender */
#define ENGINE_GATES_A_CHANNEL 256

void engine_gate(struct engine *engine, struct engine_gate *gate);

/* ---- what happens in a channel, as it happens ---- */

/* A read from a place on; see store_feed. */
struct engine_feed {
    uint64_t channel;
    bool events, outcomes;
    uint32_t types;
    struct slice subscription; /* bytes until done */
    uint64_t webhook;
    struct feed_at from;
    size_t limit;
    bool (*event)(struct engine_feed *feed, const struct event_record *event,
                  struct feed_at next);
    bool (*outcome)(struct engine_feed *feed, const struct outcome_record *outcome,
                    struct feed_at next);
    void (*done)(struct engine_feed *feed);
    int result;    /* 0, E_NOT_FOUND (channel gone), E_IO, E_CLOSED */
    uint64_t gone; /* set before the first entry */
    struct feed_at next;
    bool more;
    void *private;
};

void engine_feed(struct engine *engine, struct engine_feed *feed);

/* Whoever follows a channel is woken when something has been committed that a feed will
 * show: once a commit, until engine_unwatch returns. On the store's thread and under a
 * lock: woken must not block, nor call these. */
struct engine_watch {
    uint64_t channel;
    void (*woken)(struct engine_watch *watch);
    struct engine_watch *next; /* the engine's */
};

#define ENGINE_WATCHES_MAX       512
#define ENGINE_WATCHES_A_CHANNEL 32

/* E_BUSY: as many as there may be follow this channel; E_FULL: in all. */
int engine_watch(struct engine *engine, struct engine_watch *watch) must_check;
void engine_unwatch(struct engine *engine, struct engine_watch *watch);

/* ---- reading and repair: thin forms of the store's operations ---- */

struct engine_events {
    uint64_t channel;
    uint32_t types;
    struct slice subscription; /* bytes until done; likewise below */
    struct slice notification;
    uint64_t since_key;  /* keys >= */
    uint64_t before_key; /* keys <; UINT64_MAX = from the newest */
    size_t limit;
    void (*each)(struct engine_events *list,
                 const struct event_record *event); /* on the store's thread */
    void (*done)(struct engine_events *list);
    int result;
    uint64_t next_key; /* 0 = that was all */
    void *private;
};

/* Of an event no more calls than this are handed over. */
#define ENGINE_EVENT_CALLS_MAX 10000

/* One event, its calls, and the webhooks of its channel that have none, each with why.
 * The senders are asked as well: what follows `event` comes on the thread of one of
 * them, or on the store's, one after the other. */
struct engine_event {
    uint64_t channel;
    uint64_t key;
    void (*event)(struct engine_event *read, const struct event_record *event);
    void (*call)(struct engine_event *read, const struct call_record *call,
                 const struct explain *explain);
    void (*webhook)(struct engine_event *read, const struct webhook *webhook,
                    const struct explain *explain); /* without a call; NULL = not */
    void (*done)(struct engine_event *read);
    int result; /* 0, E_NOT_FOUND, E_IO, E_CLOSED */
    bool more;  /* there are more calls */
    void *private;
};

struct engine_calls {
    uint64_t channel;
    uint32_t states;  /* bit per shown call_state */
    uint64_t webhook; /* 0 = any */
    uint32_t types;
    struct slice subscription; /* bytes until done; likewise below */
    struct slice notification;
    struct slice error; /* see store_calls */
    uint64_t since_key;
    uint64_t before_event, before_webhook; /* both UINT64_MAX = from the newest */
    size_t limit;
    void (*each)(struct engine_calls *list, const struct call_record *call);
    void (*done)(struct engine_calls *list);
    int result;
    uint64_t next_event, next_webhook; /* 0, 0 = that was all */
    void *private;
};

/* One call. `done` may come on a sender's thread: why it is where it is, its sender
 * knows. */
struct engine_call {
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
    void (*call)(struct engine_call *read, const struct call_record *call);
    void (*attempt)(struct engine_call *read, const struct attempt_record *attempt);
    void (*done)(struct engine_call *read);
    int result;
    struct explain explain;
    void *private;
};

/* Now, whatever its state. */
struct engine_retry {
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
    void (*done)(struct engine_retry *retry);
    int result; /* 0, E_NOT_FOUND, E_CONFLICT (its webhook is deleted), E_IO … */
    void *private;
};

/* Not to be tried any more; what is under way is recorded. */
struct engine_cancel {
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
    void (*done)(struct engine_cancel *cancel);
    int result; /* 0, E_NOT_FOUND, E_CONFLICT (it has ended), E_IO … */
    void *private;
};

/* Notices, newest first; see store_notices. */
struct engine_notices {
    uint64_t channel; /* 0 = all, the server's own included */
    uint64_t before;
    size_t limit;
    void (*each)(struct engine_notices *list, const struct notice_row *row);
    void (*done)(struct engine_notices *list);
    int result;
    uint64_t next; /* 0 = that was all */
    void *private;
};

struct engine_counts {
    uint64_t calls[CALL_STATES];
    uint64_t disk_bytes;
    uint64_t disk_left; /* UINT64_MAX = not known */
    void (*done)(struct engine_counts *counts);
    int result;
    void *private;
};

/* A copy of everything; see store_backup. */
struct engine_backup {
    void (*done)(struct engine_backup *backup);
    int result;
    const char *why; /* a constant sentence, or NULL */
    int fd;          /* the caller's to close */
    uint64_t bytes;
    uint8_t sha256[SHA256_BYTES];
    void *private;
};

void engine_events(struct engine *engine, struct engine_events *list);
void engine_event(struct engine *engine, struct engine_event *read);
void engine_calls(struct engine *engine, struct engine_calls *list);
void engine_call(struct engine *engine, struct engine_call *read);
void engine_retry(struct engine *engine, struct engine_retry *retry);
void engine_cancel(struct engine *engine, struct engine_cancel *cancel);
void engine_counts(struct engine *engine, struct engine_counts *counts);
void engine_backup(struct engine *engine, struct engine_backup *backup);
void engine_notices(struct engine *engine, struct engine_notices *list);

/* ---- jobs (jobs.c); see store_job.h ---- */

struct engine_job {
    struct job *job; /* the caller's, until done; filled as the store keeps it */
    void (*done)(struct engine_job *put);
    int result;      /* 0, E_NOT_FOUND, E_BUSY, E_CONFLICT, E_FULL, E_IO … */
    const char *why; /* a constant sentence, or NULL */
    void *private;
};

struct engine_steer {
    uint64_t channel;
    uint64_t number;
    enum job_state to; /* running, paused, cancelled */
    void (*after)(struct engine_steer *steer, const struct job *job);
    void (*done)(struct engine_steer *steer);
    int result; /* 0, E_NOT_FOUND, E_CONFLICT (it has ended), E_BUSY, E_IO … */
    const char *why;
    void *private;
};

struct engine_jobs {
    uint64_t channel;
    uint64_t number; /* 0 = all; else this one alone */
    uint64_t before; /* UINT64_MAX = from the newest */
    size_t limit;
    void (*each)(struct engine_jobs *list, const struct job *job);
    void (*done)(struct engine_jobs *list);
    int result;
    uint64_t next; /* 0 = that was all */
    void *private;
};

void engine_put_job(struct engine *engine, struct engine_job *put);
void engine_steer_job(struct engine *engine, struct engine_steer *steer);
void engine_jobs(struct engine *engine, struct engine_jobs *list);

/* ---- figures; see store_stats and store_webhook_stats ---- */

struct engine_backlog {
    uint64_t waiting;
    uint64_t held;
    msec_t oldest_due_ms; /* steady: since when a call is due; MSEC_NEVER = none is */
};

struct engine_stats {
    uint64_t channel; /* 0 = all */
    uint64_t webhook; /* 0 = the channel's own */
    enum figures_step step;
    msec_t since_ms; /* steady, when the first step begins */
    size_t n_steps;
    /* By time, on the store's thread; only for steps in which there was something. */
    void (*each)(struct engine_stats *stats, msec_t at_ms,
                 const struct figures *figures);
    /* Likewise, for each step in which it is known: the most that waited at once. */
    void (*each_backlog)(struct engine_stats *stats, msec_t at_ms, uint64_t highest);
    void (*done)(struct engine_stats *stats);
    int result;
    struct engine_backlog backlog;
    void *private;
};

struct engine_webhook_stats {
    uint64_t channel;
    const uint64_t *webhooks; /* ascending; until done */
    size_t n;
    enum figures_step step;
    msec_t since_ms;
    size_t n_steps;
    /* In their order, on the store's thread. */
    void (*each)(struct engine_webhook_stats *stats, size_t i,
                 const struct figures *figures, const struct engine_backlog *backlog);
    void (*done)(struct engine_webhook_stats *stats);
    int result;
    size_t n_done; /* so many of them; the next ones take another request */
    void *private;
};

void engine_stats(struct engine *engine, struct engine_stats *stats);
void engine_webhook_stats(struct engine *engine, struct engine_webhook_stats *stats);

/* May a webhook have this URL? Gives the form in which it is kept; or E_INVALID with a
 * sentence. The rule is send's. */
int engine_url_read(struct engine *engine, const char *url,
                    char out[WEBHOOK_URL_MAX + 1], struct err *err) must_check;

/* Figures that are known without asking the store; any thread. */
struct engine_gauges {
    uint64_t store_queue;  /* operations submitted and not done */
    uint64_t sender_queue; /* calls in memory, ready to be sent */
    uint64_t in_flight;    /* attempts under way */
    uint64_t watches;      /* of whoever follows a channel */
    msec_t oldest_due_ms; /* steady; the due time of the oldest call that is due and not
                             under way; MSEC_NEVER = none */
    enum disk_room room;
};

void engine_gauges(struct engine *engine, struct engine_gauges *out);
