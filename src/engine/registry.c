/* Changes of subscriptions: what follows from each is worked out on the store's thread,
 * between finding and writing, and after the commit the calls go to their senders. */
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/payload.h"
#include "engine/engine_private.h"
#include "engine/outgoing.h"

struct touch_job {
    struct store_touch store;
    struct engine *engine;
    struct engine_touch *touch;
    struct outgoing out;
    struct subscription_row put; /* of the item under way */
    struct store_touch_item *items;
    char report[REPORT_TEXT]; /* of a touch that is one report */
    /* of the item under way: what it is not found by any more, then what it is now */
    struct store_attribute *attributes;
    size_t n_attributes, cap_attributes;
};

static uint64_t
token_of(const struct change *change)
{
    struct subscription given = {0};
    if (change->kind != CHANGE_SYNC)
        return 0;
    memcpy(given.member, change->given, sizeof(given.member));
    return subscription_token(&given);
}

static struct touch_job *
job_new(struct engine *engine, struct engine_touch *touch)
{
    struct touch_job *job = xcalloc(1, sizeof(*job));

    job->engine = engine;
    job->touch = touch;
    job->items = xcalloc(touch->n, sizeof(job->items[0]));
    outgoing_init(&job->out, engine);
    for (size_t i = 0; i < touch->n; i++) {
        const struct change *change = &touch->changes[i];
        job->items[i] = (struct store_touch_item){
            .id = change->id,
            .token = token_of(change),
            .notification = change->notification,
        };
        if (change_is_report(change->kind)) {
            assert(touch->n == 1);
            job->items[i].report = change_report(change, job->report);
        }
    }
    return job;
}

static void
job_free(struct touch_job *job)
{
    outgoing_fini(&job->out);
    free(job->attributes);
    free(job->items);
    free(job);
}

/* ---- what follows ---- */

/* What is stored is ours and can be read; if the disk has changed it all the same, a
 * description that replaces it is the way out. */
static int
read_before(struct engine *engine, const struct change *change,
            const struct subscription_row *row, struct subscription *before)
{
    if (subscription_read(before, &engine->row, row))
        return 0;
    log_line(LOG_ERROR, "subscription.unreadable", LOG_SL("subscription", row->id));
    if (change->kind != CHANGE_REPLACE)
        return E_IO;
    for (unsigned i = 0; i < MEMBERS; i++)
        before->member[i] = (struct slice){NULL, 0};
    before->member[MEMBER_TOPICS] = SLICE("[]");
    memcpy(before->id, row->id.p, row->id.n < ID_MAX ? row->id.n : ID_MAX);
    return 0;
}

static void
add_events(struct touch_job *job)
{
    const struct outcome *outcome = &job->engine->outcome;

    for (size_t i = 0; i < outcome->n_events; i++) {
        struct slice body = outcome_body(outcome, i);
        struct event_ref ref = {
            .type = outcome->events[i].type,
            .body = body,
            .subscription = payload_subscription(body, outcome->after.id),
        };
        outgoing_add(&job->out, &ref);
        job->touch->events_by_type[ref.type]++;
    }
}

/* Adds the values of `attributes` that `other` does not have; returns how many. */
static size_t
add_attributes(struct touch_job *job, struct slice attributes, struct slice other)
{
    struct attribute_walk walk = {0};
    struct store_attribute found;
    size_t before = job->n_attributes;

    while (attributes.p &&
           attribute_next(&walk, attributes, other, &found.name, &found.value)) {
        if (job->n_attributes == job->cap_attributes) {
            job->cap_attributes = job->cap_attributes ? job->cap_attributes * 2 : 8;
            job->attributes = xrealloc(job->attributes, job->cap_attributes *
                                                            sizeof(job->attributes[0]));
        }
        job->attributes[job->n_attributes++] = found;
    }
    return job->n_attributes - before;
}

static void
fill_attributes(struct touch_job *job, const struct subscription *before,
                struct store_decision *decision)
{
    struct slice now = job->engine->outcome.after.member[MEMBER_ATTRIBUTES];
    struct slice was = {NULL, 0};

    if (before)
        was = before->member[MEMBER_ATTRIBUTES];
    job->n_attributes = 0;
    if (slice_eq(now, was))
        return;
    decision->n_gone = add_attributes(job, was, now);
    decision->n_come = add_attributes(job, now, was);
    decision->gone = job->attributes;
    decision->come = job->attributes + decision->n_gone;
}

static int
fill_decision(struct touch_job *job, const struct config_channel *entry,
              const struct subscription *before, struct store_decision *decision)
{
    struct outcome *outcome = &job->engine->outcome;
    size_t first = job->out.n_events, first_call = job->out.n_calls;

    add_events(job);
    int rc = outgoing_match(&job->out, entry, first, NULL);
    if (rc == 0 && outcome->write) {
        rc = subscription_write(&job->put, &job->engine->members, &outcome->after);
        decision->put = &job->put;
        fill_attributes(job, before, decision);
    }
    decision->report = outcome->report;
    decision->events = job->out.events + first;
    decision->n_events = job->out.n_events - first;
    decision->calls = job->out.calls + first_call;
    decision->n_calls = job->out.n_calls - first_call;
    return rc;
}

static int
apply(struct touch_job *job, size_t i, const struct store_found *found,
      const struct config_channel *entry, struct store_decision *decision)
{
    struct engine *engine = job->engine;
    const struct change *change = &job->touch->changes[i];
    struct subscription before;
    struct change_scene scene = {
        .channel = entry->channel->id,
        .channel_number = found->channel,
        .reported_ms = found->reported_ms,
        .now_ms = clock_steady_ms(engine->clock),
        .rng = engine->options.rng,
    };

    if (found->notification)
        scene.feed_guid = found->notification->feed_guid;
    if (found->subscription) {
        int rc = read_before(engine, change, found->subscription, &before);
        if (rc != 0)
            return rc;
        scene.before = &before;
    }
    if (change_is_news(change) &&
        trial_is_over(entry->channel->trial_ends_ms, scene.now_ms)) {
        job->store.op.why = "the channel's trial has ended";
        return E_ENDED;
    }
    int rc = change_apply(&engine->outcome, change, &scene, &job->store.op.why);
    if (rc == 0)
        rc = fill_decision(job, entry, scene.before, decision);
    if (rc == 0 && job->touch->applied)
        job->touch->applied(job->touch, i, &engine->outcome.after, entry->channel);
    return rc;
}

static int
decide(struct store_touch *store, size_t i, const struct store_found *found,
       struct store_decision *decision)
{
    struct touch_job *job = container_of(store, struct touch_job, store);
    struct config *config = &job->engine->config;

    /* The store's configuration is the one that this was submitted for, and ours cannot
     * be ahead of it, so it is the same. */
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry = config_find_channel(config, found->channel);
    assert(entry && config->version == store->config);
    int rc = apply(job, i, found, entry, decision);
    pthread_rwlock_unlock(&config->lock);
    return rc;
}

/* ---- submit, and what comes back ---- */

static void touch_done(struct store_op *op);

static void
finish(struct touch_job *job, int result, const char *why)
{
    struct engine_touch *touch = job->touch;
    touch->result = result;
    touch->why = why;
    job_free(job);
    touch->done(touch);
}

/* Among many changes none can be refused once the first is written, so whether they
 * could make too many calls is said before. */
static bool
is_too_much(struct touch_job *job)
{
    struct config *config = &job->engine->config;
    const struct engine_touch *touch = job->touch;

    if (touch->n == 1 || touch->changes[0].silent)
        return false;
    pthread_rwlock_rdlock(&config->lock);
    const struct config_channel *entry =
        config_find_channel(config, touch->channel->number);
    size_t webhooks = entry ? entry->n : 0;
    pthread_rwlock_unlock(&config->lock);
    return touch->n * OUTCOME_EVENTS_MAX * webhooks > ENGINE_CALLS_MAX;
}

static void
submit(struct touch_job *job)
{
    /* The version first: a webhook that comes now has not been counted, and makes this
     * stale. */
    uint64_t version = config_version(&job->engine->config);

    if (is_too_much(job)) {
        finish(job, E_TOO_LARGE, "these changes may make too many calls: send fewer");
        return;
    }
    job->store = (struct store_touch){
        .op = {.kind = STORE_TOUCH, .done = touch_done},
        .channel = job->touch->channel ? job->touch->channel->number : 0,
        .config = version,
        .items = job->items,
        .n = job->touch->n,
        .decide = decide,
    };
    store_submit(job->engine->store, &job->store.op);
}

/* On the store's thread. */
static void
touch_done(struct store_op *op)
{
    struct touch_job *job = container_of(op, struct touch_job, store.op);

    if (op->result == E_STALE) { /* nothing has been decided yet */
        submit(job);
        return;
    }
    if (op->result == 0 && job->out.n_calls > 0) {
        outgoing_ready(&job->out);
        outgoing_send(&job->out, job->store.first_key);
    }
    finish(job, op->result, op->why);
}

void
engine_touch(struct engine *engine, struct engine_touch *touch)
{
    submit(job_new(engine, touch));
}

/* ---- lists ---- */

struct subscriptions_read {
    struct store_subscriptions store;
    struct engine *engine;
    struct engine_subscriptions *list;
};

static bool
subscriptions_each(struct store_subscriptions *store,
                   const struct subscription_row *row)
{
    struct subscriptions_read *read =
        container_of(store, struct subscriptions_read, store);
    struct subscription subscription;

    if (!subscription_read(&subscription, &read->engine->row, row)) {
        log_line(LOG_ERROR, "subscription.unreadable", LOG_SL("subscription", row->id));
        return true;
    }
    return read->list->each(read->list, &subscription);
}

static void
subscriptions_done(struct store_op *op)
{
    struct subscriptions_read *read =
        container_of(op, struct subscriptions_read, store.op);
    struct engine_subscriptions *list = read->list;
    list->result = op->result;
    list->next = read->store.next;
    free(read);
    list->done(list);
}

void
engine_subscriptions(struct engine *engine, struct engine_subscriptions *list)
{
    struct subscriptions_read *read = xcalloc(1, sizeof(*read));
    read->engine = engine;
    read->list = list;
    read->store = (struct store_subscriptions){
        .op = {.kind = STORE_SUBSCRIPTIONS, .done = subscriptions_done},
        .channel = list->channel,
        .after = list->after,
        .after_id = list->after_id,
        .id = list->id,
        .name = list->name,
        .values = {list->values[0], list->values[1]},
        .max_rows = list->max_rows,
        .each = subscriptions_each,
    };
    store_submit(engine->store, &read->store.op);
}

struct count_read {
    struct store_subscription_count store;
    struct engine_subscription_count *count;
};

static void
count_done(struct store_op *op)
{
    struct count_read *read = container_of(op, struct count_read, store.op);
    struct engine_subscription_count *count = read->count;
    count->result = op->result;
    count->active = read->store.active;
    count->inactive = read->store.inactive;
    free(read);
    count->done(count);
}

void
engine_subscription_count(struct engine *engine,
                          struct engine_subscription_count *count)
{
    struct count_read *read = xcalloc(1, sizeof(*read));
    read->count = count;
    read->store = (struct store_subscription_count){
        .op = {.kind = STORE_SUBSCRIPTION_COUNT, .done = count_done},
        .channel = count->channel,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- notifications ---- */

struct notification_put {
    struct store_put_notification store;
    struct engine_notification *put;
};

static void
notification_done(struct store_op *op)
{
    struct notification_put *work = container_of(op, struct notification_put, store.op);
    struct engine_notification *put = work->put;
    put->result = op->result;
    put->known = work->store.known;
    free(work);
    put->done(put);
}

void
engine_put_notification(struct engine *engine, struct engine_notification *put)
{
    struct notification_put *work = xcalloc(1, sizeof(*work));
    work->put = put;
    put->row->created_ms = clock_steady_ms(engine->clock);
    work->store = (struct store_put_notification){
        .op = {.kind = STORE_PUT_NOTIFICATION, .done = notification_done},
        .row = put->row,
    };
    store_submit(engine->store, &work->store.op);
}

struct notifications_read {
    struct store_notifications store;
    struct engine_notifications *list;
};

static void
notifications_each(struct store_notifications *store,
                   const struct notification_row *row)
{
    struct engine_notifications *list =
        container_of(store, struct notifications_read, store)->list;
    list->each(list, row);
}

static void
notifications_done(struct store_op *op)
{
    struct notifications_read *read =
        container_of(op, struct notifications_read, store.op);
    struct engine_notifications *list = read->list;
    list->result = op->result;
    list->next = read->store.next;
    free(read);
    list->done(list);
}

void
engine_notifications(struct engine *engine, struct engine_notifications *list)
{
    struct notifications_read *read = xcalloc(1, sizeof(*read));
    read->list = list;
    read->store = (struct store_notifications){
        .op = {.kind = STORE_NOTIFICATIONS, .done = notifications_done},
        .channel = list->channel,
        .before = list->before,
        .id = list->id,
        .limit = list->limit,
        .each = notifications_each,
    };
    store_submit(engine->store, &read->store.op);
}
