/* What happens in a channel: reading it, and who is told that there is more. */
#include <stdlib.h>

#include "base/mem.h"
#include "engine/engine_private.h"
#include "store/store_feed.h"

/* ---- reading ---- */

struct feed_read {
    struct store_feed store;
    struct engine_feed *feed;
};

static bool
feed_event(struct store_feed *store, const struct event_record *event,
           struct feed_at next)
{
    struct engine_feed *feed = container_of(store, struct feed_read, store)->feed;
    feed->gone = store->gone;
    return feed->event(feed, event, next);
}

static bool
feed_outcome(struct store_feed *store, const struct outcome_record *outcome,
             struct feed_at next)
{
    struct engine_feed *feed = container_of(store, struct feed_read, store)->feed;
    feed->gone = store->gone;
    return feed->outcome(feed, outcome, next);
}

static void
feed_done(struct store_op *op)
{
    struct feed_read *read = container_of(op, struct feed_read, store.op);
    struct engine_feed *feed = read->feed;
    feed->result = op->result;
    feed->gone = read->store.gone;
    feed->next = read->store.next;
    feed->more = read->store.more;
    free(read);
    feed->done(feed);
}

void
engine_feed(struct engine *engine, struct engine_feed *feed)
{
    struct feed_read *read = xcalloc(1, sizeof(*read));
    read->feed = feed;
    read->store = (struct store_feed){
        .op = {.kind = STORE_FEED, .done = feed_done},
        .channel = feed->channel,
        .events = feed->events,
        .outcomes = feed->outcomes,
        .types = feed->types,
        .subscription = feed->subscription,
        .webhook = feed->webhook,
        .from = feed->from,
        .limit = feed->limit,
        .event = feed_event,
        .outcome = feed_outcome,
    };
    store_submit(engine->store, &read->store.op);
}

/* ---- watching ---- */

void
watches_init(struct watches *watches)
{
    pthread_mutex_init(&watches->lock, NULL);
    map_init(&watches->channels);
    atomic_init(&watches->n, 0);
}

void
watches_fini(struct watches *watches)
{
    map_fini(&watches->channels);
    pthread_mutex_destroy(&watches->lock);
}

static size_t
length_of(const struct engine_watch *first)
{
    size_t n = 0;
    for (; first; first = first->next)
        n++;
    return n;
}

int
engine_watch(struct engine *engine, struct engine_watch *watch)
{
    struct watches *watches = &engine->watches;
    int rc = 0;

    pthread_mutex_lock(&watches->lock);
    watch->next = map_get(&watches->channels, watch->channel, 0);
    if (length_of(watch->next) >= ENGINE_WATCHES_A_CHANNEL) {
        rc = E_BUSY;
    } else if (atomic_load(&watches->n) >= ENGINE_WATCHES_MAX) {
        rc = E_FULL;
    } else {
        map_put(&watches->channels, watch->channel, 0, watch);
        atomic_fetch_add(&watches->n, 1);
    }
    pthread_mutex_unlock(&watches->lock);
    return rc;
}

void
engine_unwatch(struct engine *engine, struct engine_watch *watch)
{
    struct watches *watches = &engine->watches;

    pthread_mutex_lock(&watches->lock);
    struct engine_watch *first = map_get(&watches->channels, watch->channel, 0);
    struct engine_watch **at = &first;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    if (first)
        map_put(&watches->channels, watch->channel, 0, first);
    else
        map_remove(&watches->channels, watch->channel, 0);
    atomic_fetch_sub(&watches->n, 1);
    pthread_mutex_unlock(&watches->lock);
}

void
watches_wake(struct watches *watches, uint64_t channel)
{
    if (atomic_load(&watches->n) == 0)
        return;
    pthread_mutex_lock(&watches->lock);
    struct engine_watch *watch = map_get(&watches->channels, channel, 0);
    for (; watch; watch = watch->next)
        watch->woken(watch);
    pthread_mutex_unlock(&watches->lock);
}
