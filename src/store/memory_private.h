/* The inside of the memory backend: what is durable, as plain arrays. Only
 * src/store/memory*.c include this. */
#pragma once

#include "core/notice.h"
#include "store/store.h"
#include "store/store_job.h"

struct memory_call {
    uint64_t webhook;
    enum call_state state; /* as stored */
    msec_t due_ms;
    msec_t ended_ms; /* steady; when it waits no more */
    uint32_t tries;
    struct attempt_record *log; /* their reason and response are owned */
    size_t n_log;
};

struct memory_event {
    struct event_record record; /* subscription and body are owned */
    uint64_t channel;
    struct memory_call *calls; /* by ascending webhook */
    size_t n_calls;
};

struct memory_idempotency {
    uint64_t channel;
    struct slice key; /* owned */
    uint8_t hash[SHA256_BYTES];
    uint64_t first_key;
    msec_t at_ms;
};

struct memory_subscription {
    struct subscription_row row; /* id and members are owned */
};

struct memory_attribute {
    uint64_t subscription;    /* 0 = gone */
    struct slice name, value; /* owned */
};

struct memory_report {
    uint64_t subscription;
    struct slice notification, what; /* owned */
    msec_t at_ms;
};

struct memory_outcome {
    uint64_t key; /* 0 = of the group under way */
    uint64_t channel, event, webhook;
    uint32_t n;
    enum call_state state;
    msec_t due_ms;
};

/* Something that figures count. */
struct memory_note {
    msec_t at_ms; /* steady */
    uint32_t channel;
    uint32_t webhook; /* 0 = events that came in */
    uint32_t n;       /* events; calls that were made */
    int8_t waits;     /* one more call that waits, or one less */
    bool attempt;
    uint32_t took_us;
    bool ok;
    bool exhausted;
};

struct memory_store {
    struct store store;
    struct clock *clock;
    struct store_keep keep;
    struct store_listener listener;

    uint64_t config;
    struct channel **channels; /* number n is element n - 1; likewise below */
    size_t n_channels;
    struct webhook **webhooks;
    size_t n_webhooks;
    struct key *keys; /* number 0 = dropped */
    size_t n_keys;
    struct memory_event **events; /* by ascending key */
    size_t n_events;
    uint64_t last_key;
    uint64_t gone_key;               /* the largest of an event that was dropped */
    struct memory_outcome *outcomes; /* by ascending key */
    size_t n_outcomes;
    uint64_t *fed; /* channels, by the group under way */
    size_t n_fed;
    struct memory_idempotency *idempotency;
    size_t n_idempotency;
    struct memory_subscription *subscriptions; /* number n is element n - 1 */
    size_t n_subscriptions;
    struct memory_attribute *attributes;
    size_t n_attributes;
    struct notification_row *notifications; /* likewise; their slices are owned */
    size_t n_notifications;
    struct memory_report *reports;
    size_t n_reports;
    struct job *jobs; /* likewise by number; 0 = gone */
    size_t n_jobs;
    struct memory_note *notes; /* by time */
    size_t n_notes;
    struct notice_row *notices; /* by ascending number; their slices are owned */
    size_t n_notices;

    struct store_op *head;
    struct store_op *tail;
    size_t depth;
    unsigned fail_in; /* groups; 0 = never */
    int fail_with;
    enum disk_room room;
    unsigned crashes;
    bool broken;
    bool closed;
    char held_reason[TRIAL_TEXT]; /* of the call that is being handed over */
};

static inline struct memory_store *
memory_of(struct store *store)
{
    return container_of(store, struct memory_store, store);
}

/* Room for one more element: their number is doubled whenever it is a power of two. */
#define MEMORY_GROW(array, n)                                                          \
    do {                                                                               \
        if (((n) & ((n)-1)) == 0)                                                      \
            (array) = xrealloc((array), ((n) ? 2 * (n) : 1) * sizeof((array)[0]));     \
    } while (0)

/* Live ones only; NULL if there is none. */
struct channel *memory_channel(const struct memory_store *m, uint64_t number);
struct webhook *memory_webhook(const struct memory_store *m, uint64_t number);
struct memory_event *memory_event(const struct memory_store *m, uint64_t key);
struct memory_call *memory_call(const struct memory_event *event, uint64_t webhook);
void memory_event_free(struct memory_event *event);
void memory_call_add(struct memory_event *event, uint64_t webhook);
void memory_refuse(struct store_op *op, int result, const char *why);
/* A copy, and its end. */
struct slice memory_own(struct slice slice);
void memory_disown(struct slice slice);
/* Returns the first key; calls[].event is `base` for the first event. */
uint64_t memory_append_rows(struct memory_store *m, uint64_t channel,
                            const struct store_event *events, size_t n_events,
                            const struct store_new_call *calls, size_t n_calls,
                            size_t base);

/* memory_config.c */
void memory_put_channel(struct memory_store *m, struct store_op *op);
void memory_put_webhook(struct memory_store *m, struct store_op *op);
void memory_put_key(struct memory_store *m, struct store_op *op);
void memory_drop_key(struct memory_store *m, struct store_op *op);
int memory_load(struct store *store, const struct store_loader *loader,
                uint64_t *config, struct err *err);

/* memory_retention.c */
void memory_retain(struct memory_store *m);

/* memory_job.c */
void memory_cancel(struct memory_store *m, struct store_op *op);
void memory_put_job(struct memory_store *m, struct store_op *op);
void memory_steer_job(struct memory_store *m, struct store_op *op);
void memory_jobs(struct memory_store *m, struct store_op *op);
void memory_step_jobs(struct memory_store *m, struct store_op *op);
void memory_jobs_free(struct memory_store *m);

/* memory_registry.c */
void memory_touch(struct memory_store *m, struct store_op *op);
void memory_put_notification(struct memory_store *m, struct store_op *op);
void memory_subscriptions(struct memory_store *m, struct store_op *op);
void memory_subscription_count(struct memory_store *m, struct store_op *op);
void memory_notifications(struct memory_store *m, struct store_op *op);
void memory_registry_free(struct memory_store *m);

/* memory_feed.c */
void memory_feed_event(struct memory_store *m, uint64_t channel);
/* The call after an attempt, which is the last in its log. */
void memory_feed_outcome(struct memory_store *m, const struct memory_event *event,
                         const struct memory_call *call);
void memory_feed_commit(struct memory_store *m);
void memory_feed(struct memory_store *m, struct store_op *op);
void memory_feed_free(struct memory_store *m);

/* memory_notice.c */
void memory_put_notice(struct memory_store *m, struct store_op *op);
void memory_notices(struct memory_store *m, struct store_op *op);
void memory_settle_notice(struct memory_store *m, struct store_op *op);
void memory_backlogs(struct memory_store *m, struct store_op *op);
void memory_notices_free(struct memory_store *m);

/* memory_read.c */
/* What people see of a stored state. */
enum call_state memory_shown(const struct memory_store *m,
                             const struct webhook *webhook, enum call_state stored);
void memory_due(struct memory_store *m, struct store_op *op);
void memory_events(struct memory_store *m, struct store_op *op);
void memory_event_read(struct memory_store *m, struct store_op *op);
void memory_calls(struct memory_store *m, struct store_op *op);
void memory_call_read(struct memory_store *m, struct store_op *op);
void memory_counts(struct memory_store *m, struct store_op *op);

/* memory_stats.c */
/* Events of a channel (webhook 0), or calls of a webhook. */
void memory_note_new(struct memory_store *m, uint64_t channel, uint64_t webhook,
                     size_t n);
void memory_note_attempt(struct memory_store *m, uint64_t channel, uint64_t webhook,
                         const struct attempt_record *attempt, bool exhausted);
/* A call waits again, 1, or no more, -1; that one was made says so by itself. */
void memory_note_waiting(struct memory_store *m, uint64_t channel, uint64_t webhook,
                         int by);
void memory_stats(struct memory_store *m, struct store_op *op);
void memory_webhook_stats(struct memory_store *m, struct store_op *op);
