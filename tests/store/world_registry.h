/*
 * Short forms for subscriptions and notifications. What a touch decides is written down
 * before it is submitted, and what it found is looked at when it is done.
 */
#pragma once

#include "world.h"

#define SEEN_BYTES 1000

/* A row that outlives its callback. Not to be copied: its slices point into itself. */
struct seen_subscription {
    bool there;
    struct subscription_row row;
    char id[SEEN_BYTES], members[SEEN_BYTES];
};

struct seen_notification {
    bool there;
    struct notification_row row;
    char id[SEEN_BYTES], feed_guid[SEEN_BYTES], body[SEEN_BYTES];
};

void see_subscription(struct seen_subscription *seen,
                      const struct subscription_row *row);
void see_notification(struct seen_notification *seen,
                      const struct notification_row *row);
/* All but the number, of which both must have one. */
void assert_subscription(const struct seen_subscription *seen,
                         const struct subscription_row *want);

/* ---- touches ---- */

#define TOUCH_ITEMS      16
#define TOUCH_EVENTS     4 /* of an item */
#define TOUCH_CALLS      4 /* of an event */
#define TOUCH_ATTRIBUTES 4

struct touch_item {
    struct store_touch_item find;
    /* what is decided */
    const struct subscription_row *put; /* number and channel are those that were found;
                                           NULL = it stays as it is */
    struct store_attribute gone[TOUCH_ATTRIBUTES], come[TOUCH_ATTRIBUTES];
    size_t n_gone, n_come;
    bool report;
    size_t n_events;
    enum event_type type;           /* of all of them */
    uint64_t webhooks[TOUCH_CALLS]; /* that each of them is owed to */
    size_t n_webhooks;
    int refuse;      /* what decide returns */
    msec_t takes_ms; /* how long it thinks */
    /* what it saw */
    unsigned asked; /* how often decide ran */
    uint64_t channel;
    msec_t reported_ms;
    struct seen_subscription subscription;
    struct seen_notification notification;
};

struct touch {
    struct store_touch store;
    struct world *world;
    struct touch_item *items;
    struct store_touch_item finds[TOUCH_ITEMS];
    struct subscription_row put;
    struct store_event events[TOUCH_ITEMS * TOUCH_EVENTS];
    char bodies[TOUCH_ITEMS * TOUCH_EVENTS][64]; /* {"item":0,"event":1} … */
    struct store_new_call calls[TOUCH_ITEMS * TOUCH_EVENTS * TOUCH_CALLS];
    size_t n_events, n_calls;
};

/* Under the world's configuration; then world_submit(world, &touch->store.op). */
void touch_init(struct touch *touch, struct world *world, uint64_t channel,
                struct touch_item *items, size_t n);
int touch_run(struct touch *touch, struct world *world, uint64_t channel,
              struct touch_item *items, size_t n);
/* One item; the rest of the touch is of no interest. */
int touch_one(struct world *world, uint64_t channel, struct touch_item *item);

/* ---- short forms; they fail the test when the store refuses ---- */

/* Makes one, or replaces the one with this id; returns its number. */
uint64_t put_subscription(struct world *world, uint64_t channel, const char *id,
                          uint64_t token, bool inactive);
/* Items that name one subscription. */
struct touch_item by_id(const char *id);
struct touch_item by_token(uint64_t token);
/* A report of a notification by a subscription. */
struct touch_item report_of(const char *id, const char *notification, const char *what);
/* When the same was reported last. */
msec_t reported_ms(struct world *world, uint64_t channel, struct touch_item item);
/* Fails the test unless the item finds the one with this id; NULL = none. */
void assert_finds(struct world *world, uint64_t channel, struct touch_item item,
                  const char *id);

/* A subscription by its id; false if the channel has none. */
bool look_at_subscription(struct world *world, struct seen_subscription *seen,
                          uint64_t channel, const char *id);
/* Fails the test unless there are so many. */
void assert_population(struct world *world, uint64_t channel, uint64_t active,
                       uint64_t inactive);
/* Adds a notification, or replaces the one with this id; true if it was known. */
bool put_notification(struct world *world, struct notification_row *row);
/* False if the channel has none with this id. */
bool look_at_notification(struct world *world, struct seen_notification *seen,
                          uint64_t channel, const char *id);

/* ---- lists ---- */

struct subscription_list {
    struct store_subscriptions list;
    char ids[MANY][32];
    uint64_t numbers[MANY];
    size_t n;
    size_t enough; /* `each` says so when it has so many in all */
};

/* A list of everything of the channel; change `list` before list_subscriptions. */
void subscriptions_of(struct subscription_list *list, uint64_t channel);
int list_subscriptions(struct world *world, struct subscription_list *list);

/* How many are found by an attribute's value. */
size_t found_by(struct world *world, uint64_t channel, struct slice name,
                struct slice value);

struct notification_list {
    struct store_notifications list;
    char ids[MANY][32];
    uint64_t numbers[MANY];
    size_t n;
};

void notifications_of(struct notification_list *list, uint64_t channel);
int list_notifications(struct world *world, struct notification_list *list);
