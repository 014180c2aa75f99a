/*
 * The contract of the only durable thing. A backend keeps channels, webhooks, keys,
 * events, calls and attempts; nothing above this header knows which backend it is.
 *
 * Everything is asynchronous: fill an operation, submit it, get its `done`. The
 * operation's memory (and all it points at) is the caller's and must stay until `done`,
 * which runs exactly once, on the store's thread, after the commit that covers the
 * operation (reads: after the read). `done` may submit again; it must not block.
 *
 * Order: operations submitted by one thread take effect in that order. They are
 * grouped: one commit, one fsync, then all `done`s of the group in order. A read runs
 * when its turn to be done comes: it sees all writes submitted before it, and nothing
 * that is not committed. STORE_DUE comes last in its group: of a call that it shows,
 * the append's `done` has run before. Lists that may look at much (STORE_SUBSCRIPTIONS,
 * STORE_FEED, those of figures, filtered STORE_EVENTS and STORE_CALLS) and STORE_BACKUP
 * may come later than all that was submitted after them: the store gives them a share
 * of its time, in steps, so that nobody who changes something waits for somebody who
 * reads everything.
 *
 * result: 0, or
 *   E_FULL       the disk is full, or so nearly that nothing new is taken
 *                (store_needs_room); nothing of this operation happened; try again
 * later E_STALE      `config` is not the current configuration version; compute again
 * and submit again E_NOT_FOUND  there is no such thing in this channel; lists of a
 * channel that does not exist, appends to a channel or webhook that does not E_CONFLICT
 * as each operation says E_IO         the store is broken: this and every later
 * operation fails; what was acknowledged before is safe. The program must end; the next
 * start recovers E_CLOSED     submitted after stop; `done` then runs on the submitter's
 * thread
 *
 * Several nodes: a backend that is shared gives each webhook to one node at a time, by
 * lease. The holder alone reads what is due and sends. A result that comes in under a
 * lease that has passed on is refused (`lost`). A backend for one process grants every
 * webhook, with lease 1, for ever.
 */
#pragma once

#include "base/clock.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/types.h"
#include "core/channel.h"
#include "core/key.h"
#include "core/record.h"
#include "core/webhook.h"

enum store_kind {
    STORE_APPEND,
    STORE_SETTLE,
    STORE_DUE,
    STORE_RETRY,
    STORE_PUT_CHANNEL,
    STORE_PUT_WEBHOOK,
    STORE_PUT_KEY,
    STORE_DROP_KEY,
    STORE_EVENTS,
    STORE_EVENT,
    STORE_CALLS,
    STORE_CALL,
    STORE_COUNTS,
    STORE_TOUCH,
    STORE_SUBSCRIPTIONS,
    STORE_SUBSCRIPTION_COUNT,
    STORE_PUT_NOTIFICATION,
    STORE_NOTIFICATIONS,
    STORE_FEED,       /* store_feed.h */
    STORE_PUT_NOTICE, /* store_notice.h; likewise the next three */
    STORE_NOTICES,
    STORE_SETTLE_NOTICE,
    STORE_BACKLOGS,
    STORE_BACKUP,
    STORE_CANCEL, /* store_job.h, likewise below */
    STORE_PUT_JOB,
    STORE_STEER_JOB,
    STORE_JOBS,
    STORE_STEP_JOBS,
    STORE_STATS, /* store_figures.h */
    STORE_WEBHOOK_STATS,
    STORE_KINDS
};

/* First member of every operation. */
struct store_op {
    enum store_kind kind;
    int result;
    const char *why; /* a constant sentence when result is not 0; may be NULL */
    void (*done)(struct store_op *op);
    struct store_op *next; /* the store's between submit and done, then the caller's */
};

/* ---- writes ---- */

struct store_event {
    enum event_type type;
    struct slice subscription;
    struct slice body;
};

struct store_new_call {
    uint32_t event; /* index in `events` */
    uint64_t webhook;
};

/* Events and all their calls, all or nothing. The events get consecutive keys
 * first_key, first_key+1, …; their time is the key's. Calls are waiting, due at the
 * event's time. With an idempotency key (unique per channel for 24 h): the same key and
 * hash again changes nothing and returns the first one's first_key with repeated =
 * true; another hash is E_CONFLICT. A repeat is answered even when `config` is stale.
 */
struct store_append {
    struct store_op op;
    uint64_t channel;
    uint64_t config; /* the version that `calls` was computed from */
    const struct store_event *events;
    size_t n_events;
    const struct store_new_call *calls; /* by ascending event */
    size_t n_calls;
    struct slice idempotency_key; /* n 0 = none */
    uint8_t body_hash[SHA256_BYTES];
    /* out */
    uint64_t first_key;
    bool repeated;
};

#define STORE_IDEMPOTENCY_MS ((msec_t)24 * 3600 * 1000)

/* The outcome of an attempt. The attempt is recorded in any case; the call moves only
 * if it is (stored as) waiting. */
struct store_result {
    uint64_t event;
    uint64_t webhook;
    uint64_t lease;
    struct attempt_record attempt;
    enum call_state state; /* CALL_WAITING, CALL_SUCCEEDED or CALL_FAILED */
    /* Attempts of this round, this one included; a retry by hand starts a new round. */
    uint32_t tries;
    msec_t due_ms;     /* steady; when CALL_WAITING */
    msec_t was_due_ms; /* steady; what the attempt was started for */
    /* Since when the webhook has been failing, for webhook_failing_since after the next
     * start; MSEC_NEVER = it has not. Forgotten when it is put and enabled. */
    msec_t failing_since_ms;
    /* out. When the call was made due by hand during the attempt and the attempt did
     * not succeed, it stays waiting for that: state, tries and due_ms say so. */
    bool lost; /* the lease has passed on: nothing was recorded */
};

struct store_settle {
    struct store_op op;
    struct store_result *results;
    size_t n;
};

/* By hand: waiting now, whatever it was (waiting: due now, the round goes on; ended: a
 * new round). E_NOT_FOUND: no such call in this channel. E_CONFLICT: its webhook is
 * deleted. */
struct store_retry {
    struct store_op op;
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
    msec_t due_ms;
};

/* Configuration. Each is computed from version `config` (else E_STALE) and makes a new
 * one, `config_after`. Number 0 creates: the store sets `number` (and a webhook's id)
 * in the given object before `done`. The object is the caller's and is not touched by
 * others until done. */
struct store_put_channel {
    struct store_op op;
    uint64_t config;
    struct channel *channel; /* deleted = true: its webhooks are deleted and its keys
                                dropped in the same commit */
    /* out */
    uint64_t config_after;
};

struct store_put_webhook {
    struct store_op op;
    uint64_t config;
    struct webhook *webhook; /* deleted = true: what waits for it is cancelled */
    /* out */
    uint64_t config_after;
};

struct store_put_key {
    struct store_op op;
    uint64_t config;
    struct key *key; /* created only; keys do not change */
    uint64_t config_after;
};

struct store_drop_key {
    struct store_op op;
    uint64_t config;
    uint64_t number; /* E_NOT_FOUND if there is none */
    uint64_t config_after;
};

/* ---- subscriptions ---- */

/* What an item of a touch is about, as far as it is known when its turn comes. Valid
 * until what is decided of it is written: so a decision may point into it. */
struct store_found {
    uint64_t channel; /* the item's, or the one that was found; 0 = none was */
    const struct subscription_row *subscription; /* NULL = there is none */
    const struct notification_row *notification; /* NULL = there is none */
    msec_t reported_ms; /* steady: when the item's report was last remembered;
                           MSEC_NEVER = never */
};

/* An attribute's value by which its subscription is found. */
struct store_attribute {
    struct slice name;
    struct slice value; /* canonical JSON of one value, as it will be asked for */
};

/* What is to be written for it. Everything stays the caller's, and valid until the next
 * decide or done. */
struct store_decision {
    const struct subscription_row *put; /* NULL = the subscription stays as it is */
    const struct store_attribute *gone; /* with put: no longer found by these, */
    size_t n_gone;
    const struct store_attribute *come; /* and now by these */
    size_t n_come;
    bool report;                      /* remember the item's report, now */
    const struct store_event *events; /* likewise to be appended */
    size_t n_events;
    const struct store_new_call *calls; /* as in store_append; their `event` counts over
                                           all items of the operation */
    size_t n_calls;
};

struct store_touch_item {
    /* Which subscription: by its id; else by its push identity, among those that have
     * not opted out. */
    struct slice id;           /* n 0 = none */
    uint64_t token;            /* 0 = none */
    struct slice notification; /* the id of one that is involved; n 0 = none */
    struct slice report; /* what is remembered of it and the subscription; n 0 = none */
};

/* Changes of subscriptions and the events that tell of them, in one commit: for each
 * item in turn the store finds what there is, `decide` says what follows, and the store
 * writes that before it looks for the next one. All or nothing.
 *
 * channel 0: one that has such a subscription, and the item's notification if any has
 * both; of several the one that had the subscription first. E_NOT_FOUND when there is
 * none (one item only).
 *
 * `decide` runs on the store's thread and only when `config` is current. It returns 0
 * with the decision filled in, or an error, which is the operation's result; only for
 * the first item, since nothing has been written then. */
struct store_touch {
    struct store_op op;
    uint64_t channel; /* E_NOT_FOUND if there is none; 0 = see above */
    uint64_t config;
    const struct store_touch_item *items;
    size_t n;
    int (*decide)(struct store_touch *touch, size_t item,
                  const struct store_found *found, struct store_decision *decision);
    /* out: the events' keys are first_key, first_key + 1, … over all items */
    uint64_t first_key;
    size_t n_events;
};

/* Adds a notification, or replaces the one with its id. */
struct store_put_notification {
    struct store_op op;
    struct notification_row *row; /* number, created_ms and counts are set by the store
                                     when it is known already */
    bool known;                   /* out: it was */
};

/* ---- what is due ---- */

/* A place in a webhook's waiting calls, which are ordered by due time, then event. */
struct due_at {
    msec_t due_ms; /* MSEC_NEVER = behind the last one */
    uint64_t event;
};

#define DUE_AT_START ((struct due_at){INT64_MIN, 0})
#define DUE_AT_END   ((struct due_at){MSEC_NEVER, UINT64_MAX})

static inline bool
due_before(struct due_at a, struct due_at b)
{
    return a.due_ms < b.due_ms || (a.due_ms == b.due_ms && a.event < b.event);
}

struct store_due_call {
    uint64_t event;
    msec_t due_ms;
    uint32_t attempts; /* made so far, over all rounds */
    uint32_t tries;    /* made in this round */
    enum event_type type;
    struct slice body; /* valid during `each` */
};

/* Reads waiting calls of a webhook from a place on, with due_ms <= until_ms, until
 * `each` says enough. */
struct store_due {
    struct store_op op;
    uint64_t webhook;
    struct due_at from;
    msec_t until_ms;
    /* On the store's thread, in order; false = this one was not taken, stop here. */
    bool (*each)(struct store_due *due, const struct store_due_call *call);
    size_t max_calls;
    /* out: the first waiting call that was not handed over, due or not; DUE_AT_END if
     * there is none */
    struct due_at next;
};

/* ---- reads for people: bounded; newest first ---- */

/* Lists examine at most this many rows a read; a page may therefore be short, or empty,
 * and still have a next. */
#define STORE_SCAN_MAX 10000

struct store_events {
    struct store_op op;
    uint64_t channel;
    uint32_t types;            /* bit set; EVENT_ALL_TYPES for all */
    struct slice subscription; /* n 0 = any; likewise below */
    struct slice notification; /* an id */
    uint64_t since_key;        /* keys >= */
    uint64_t before_key; /* keys <  (cursor or `until`); UINT64_MAX = from the newest */
    size_t limit;
    void (*each)(struct store_events *list, const struct event_record *event);
    /* out: pass as before_key for the next page; 0 = that was all */
    uint64_t next_key;
    void *private; /* the store's; NULL at submit */
};

/* One event and its calls. E_NOT_FOUND if the channel has no such event. */
struct store_event_read {
    struct store_op op;
    uint64_t channel;
    uint64_t key;
    void (*event)(struct store_event_read *read, const struct event_record *event);
    void (*call)(struct store_event_read *read, const struct call_record *call);
};

/* A place in the list of calls: by event descending, then webhook descending. */
struct call_at {
    uint64_t event;
    uint64_t webhook;
};

struct store_calls {
    struct store_op op;
    uint64_t channel;
    uint32_t states;  /* bit per shown call_state; CALL_IN_FLIGHT never matches */
    uint64_t webhook; /* 0 = any */
    uint32_t types;
    struct slice subscription;
    struct slice notification;
    struct slice error; /* in the last attempt's reason: store_text_has; n 0 = any */
    uint64_t since_key;
    struct call_at before; /* {UINT64_MAX, UINT64_MAX} = from the newest */
    size_t limit;
    void (*each)(struct store_calls *list, const struct call_record *call);
    /* out: {0, 0} = that was all */
    struct call_at next;
    void *private; /* the store's; NULL at submit */
};

/* One call and its attempts, oldest first (with responses). E_NOT_FOUND if the channel
 * has no such call. */
struct store_call_read {
    struct store_op op;
    uint64_t channel;
    uint64_t event;
    uint64_t webhook;
    void (*call)(struct store_call_read *read, const struct call_record *call);
    void (*attempt)(struct store_call_read *read, const struct attempt_record *attempt);
};

/* Subscriptions of a channel, in the order in which they were made. */
struct store_subscriptions {
    struct store_op op;
    uint64_t channel;
    uint64_t after;        /* numbers >; 0 = from the first */
    struct slice after_id; /* n 0 = `after` counts; E_NOT_FOUND if there is none */
    struct slice id;       /* n 0 = all; else this one alone */
    /* name n 0 = all; else those that are found by it and one of the values */
    struct slice name, values[2];
    size_t max_rows; /* that are looked at in one go */
    /* On the store's thread; false = that is enough, go on behind this one. */
    bool (*each)(struct store_subscriptions *list, const struct subscription_row *row);
    /* out: pass as `after` for what follows; 0 = that was all */
    uint64_t next;
};

/* How many there are in a channel; cheap at any size. */
struct store_subscription_count {
    struct store_op op;
    uint64_t channel;
    uint64_t active, inactive;
};

/* Notifications of a channel, newest first. */
struct store_notifications {
    struct store_op op;
    uint64_t channel;
    uint64_t before; /* numbers <; UINT64_MAX = from the newest */
    struct slice id; /* n 0 = all; else this one alone */
    size_t limit;
    void (*each)(struct store_notifications *list, const struct notification_row *row);
    uint64_t next; /* 0 = that was all */
};

/* Calls by shown state, over all channels; cheap at any size. */
struct store_counts {
    struct store_op op;
    uint64_t calls[CALL_STATES];
    uint64_t disk_bytes;
    uint64_t disk_left; /* bytes that may still be written; UINT64_MAX = not watched */
};

/* A copy of everything, made while others go on, in the lists' share of the time: the
 * store as it was when the copy was complete. E_FULL: no room for it; E_BUSY: its file
 * could not be made; E_INVALID: this backend has nothing to copy; E_CLOSED also when
 * the store is stopped before the copy is complete. */
struct store_backup {
    struct store_op op;
    /* out */
    int fd; /* of a file in the data folder without a name; the caller's to close */
    uint64_t bytes;
    uint8_t sha256[SHA256_BYTES];
    /* the store's; NULL at submit */
    void *private;
};

/* ---- the store itself ---- */

/* What the store tells its user, on its own thread (during store_start: on the
 * caller's). */
struct store_listener {
    void *ctx;
    /* This node sends for the webhook from now on (lease > 0), or no longer does (0).
     * After store_load's webhooks, and for each new webhook before its put is done. */
    void (*lease)(void *ctx, uint64_t webhook, uint64_t lease);
    /* Calls of a webhook of ours are waiting from this place on that were staged by
     * another node. */
    void (*due)(void *ctx, uint64_t webhook, struct due_at from);
    /* Something was committed that a STORE_FEED of this channel will show. Once a
     * commit, and before its operations are done. */
    void (*fed)(void *ctx, uint64_t channel);
    /* The disk has another amount of room than before (first: DISK_ROOM), and so many
     * bytes are left. */
    void (*room)(void *ctx, enum disk_room room, uint64_t left);
    /* So many events and reports have gone since this was said last, because their time
     * was over; at most once an hour. */
    void (*dropped)(void *ctx, uint64_t rows);
    /* During store_start: the clock is so much later than when the store was last used
     * that no more than a day of it counts as age. */
    void (*gap)(void *ctx, msec_t by_ms);
    /* The store is broken (E_IO): end the program. Once. */
    void (*broken)(void *ctx, const char *why);
};

/* Hands out the whole configuration, deleted webhooks and channels left out. References
 * move to the callee. */
struct store_loader {
    void *ctx;
    void (*channel)(void *ctx, struct channel *channel);
    void (*webhook)(void *ctx, struct webhook *webhook);
    void (*key)(void *ctx, const struct key *key);
};

struct store {
    const struct store_backend *backend;
};

struct store_backend {
    const char *name;
    /* Before store_start; on the caller's thread. Returns the configuration version in
     * *config. */
    int (*load)(struct store *store, const struct store_loader *loader,
                uint64_t *config, struct err *err);
    int (*start)(struct store *store, const struct store_listener *listener,
                 struct err *err);
    void (*submit)(struct store *store,
                   struct store_op *op); /* any thread; never blocks */
    size_t (*depth)(
        struct store *store); /* operations submitted and not done; any thread */
    void (*stop)(struct store *store);  /* completes what was submitted, then returns;
                                           later submits are E_CLOSED */
    void (*close)(struct store *store); /* frees; NULL is fine */
};

static inline void
store_submit(struct store *store, struct store_op *op)
{
    store->backend->submit(store, op);
}

/* Whether an operation brings something new, which is refused (E_FULL) while the disk
 * is not DISK_ROOM: all writes but outcomes, deletions, and disabling a webhook. An
 * append whose idempotency key is known brings nothing new either: backends look at
 * that. */
bool store_needs_room(struct store_op *op);

/* Whether a text contains another one, ASCII letters being the same in both cases. */
bool store_text_has(struct slice text, struct slice part);

/* The latest steady time that the data directory has seen (clock_anchor's not_before);
 * 0 if new. Each backend's open returns it, since the clock must be anchored before the
 * store is used. */

/* ---- what is kept, and for how long ---- */

/* An event with its calls and attempts goes when each of its calls has ended and is
 * past its time, which counts from its end; one that nobody wanted, as if it had
 * succeeded. Not at once then, but within a day, or a 24th of the time if that is more.
 * What waits, or is held, never goes. A server that did not run for more than a day
 * becomes a day older by that. All 0: nothing ever goes. */
struct store_keep {
    msec_t succeeded_ms; /* 0 = for ever; likewise below */
    msec_t failed_ms;    /* also what was cancelled */
    /* Of what is stored. Beyond it the oldest that has ended goes although its time is
     * not over, what succeeded before what did not. */
    uint64_t bytes;
};

/* That a delivery was reported is known for so long, if anything goes at all. */
#define STORE_REPORT_MS ((msec_t)90 * 24 * 3600 * 1000)

/* ---- backends ---- */

struct store_sqlite_options {
    const char *dir; /* made if missing, mode 0700; the file is pushwire.db */
    struct clock *clock;
    size_t cache_bytes; /* page cache; 0 = 32 MiB */
    /* The master keys, with which all that is secret is encrypted in the database; NULL
     * = master.key in dir. Made (mode 0600) if it is missing, unless the database needs
     * a key that was in it. */
    const char *key_file;
    const char *vfs;  /* NULL = the system's; tests put a faulty one here */
    bool accept_loss; /* go on though the log is damaged (E_CONFLICT otherwise) */
    /* DISK_LOW below so many free bytes on the file system; a quarter of it, at most
     * 16 MiB, is held as ballast for when it is full all the same. 0 = not watched. */
    uint64_t reserve_bytes;
    uint64_t max_bytes; /* of the folder's files; DISK_LOW an eighth before; 0 = any */
    struct store_keep keep;
    uint64_t (*disk_free)(
        void *ctx); /* NULL = ask the system; tests answer themselves */
    void *disk_ctx;
};

/* Opens or makes the database, takes its lock (E_BUSY: another process has it),
 * migrates. E_CONFLICT: the key file lacks a key that secrets were encrypted with. */
int store_sqlite_open(struct store **out, const struct store_sqlite_options *options,
                      msec_t *latest_steady_ms, struct err *err) must_check;

/* Encrypts everything anew, with a new master key whose public id goes to `key`; the
 * others leave the key file. With no other process in dir (E_BUSY). Whenever it is cut
 * off, the file has every key that is needed, and the next open or rotation goes on. */
int store_sqlite_rotate_key(const struct store_sqlite_options *options, char key[64],
                            struct err *err) must_check;

/* In memory, for simulations and as the shortest statement of the contract. Nothing
 * runs by itself: store_memory_step performs everything submitted so far as one group
 * and returns how many operations it did. */
int store_memory_open(struct store **out, struct clock *clock,
                      struct err *err) must_check;
size_t store_memory_step(struct store *store);
/* From the next step on; each drops what may go. */
void store_memory_keep(struct store *store, const struct store_keep *keep);
/* The n-th group from now (1 = the next) fails with this result; 0 = none. */
void store_memory_fail(struct store *store, unsigned nth, int result);
/* From now on the disk has this much room. */
void store_memory_room(struct store *store, enum disk_room room);
/* A crash: everything submitted and not yet stepped is forgotten without a done. */
void store_memory_crash(struct store *store);
