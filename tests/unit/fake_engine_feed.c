/* What happens in a channel: its events alone. */
#include "fake_engine_private.h"

void
fake_wake(struct engine *engine, uint64_t channel)
{
    pthread_mutex_lock(&engine->lock);
    for (struct engine_watch *watch = engine->watches; watch; watch = watch->next)
        if (watch->channel == channel)
            watch->woken(watch);
    pthread_mutex_unlock(&engine->lock);
}

int
engine_watch(struct engine *engine, struct engine_watch *watch)
{
    pthread_mutex_lock(&engine->lock);
    int rc = engine->watch_fails;
    engine->watch_fails = 0;
    if (rc == 0) {
        watch->next = engine->watches;
        engine->watches = watch;
    }
    pthread_mutex_unlock(&engine->lock);
    return rc;
}

void
engine_unwatch(struct engine *engine, struct engine_watch *watch)
{
    pthread_mutex_lock(&engine->lock);
    struct engine_watch **at = &engine->watches;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
    pthread_mutex_unlock(&engine->lock);
}

void
fake_engine_fail_watch(struct engine *engine, int result)
{
    pthread_mutex_lock(&engine->lock);
    engine->watch_fails = result;
    pthread_mutex_unlock(&engine->lock);
}

size_t
fake_engine_watches(struct engine *engine)
{
    size_t n = 0;
    pthread_mutex_lock(&engine->lock);
    for (struct engine_watch *watch = engine->watches; watch; watch = watch->next)
        n++;
    pthread_mutex_unlock(&engine->lock);
    return n;
}

static void
read_events(struct engine *engine, struct engine_feed *feed)
{
    size_t n = 0;
    bool on = true;

    for (size_t i = 0; i < engine->n_events; i++) {
        const struct fake_event *event = engine->events[i];
        struct event_record row = {
            .key = event->key,
            .type = event->type,
            .created_ms = event_key_ms(event->key),
            .subscription = slice_of(event->subscription),
            .body = {event->body, event->body_n},
        };
        if (event->channel != feed->channel || event->key < feed->next.key)
            continue;
        feed->more = !on || n == feed->limit;
        if (feed->more)
            return;
        feed->next = (struct feed_at){event->key + 1, 0};
        if (feed->events && (feed->types & 1u << event->type)) {
            on = feed->event(feed, &row, feed->next);
            n++;
        }
    }
}

static void
run_feed(struct engine *engine, void *request)
{
    struct engine_feed *feed = request;
    feed->result = fake_take_failure(engine);
    pthread_mutex_lock(&engine->lock);
    feed->next = feed->from;
    feed->more = false;
    if (feed->result == 0 && !fake_find_channel(engine, feed->channel))
        feed->result = E_NOT_FOUND;
    if (feed->result == 0 && feed->from.key == UINT64_MAX)
        feed->next.key =
            engine->n_events ? engine->events[engine->n_events - 1]->key + 1 : 1;
    else if (feed->result == 0)
        read_events(engine, feed);
    pthread_mutex_unlock(&engine->lock);
    feed->done(feed);
}

void
engine_feed(struct engine *engine, struct engine_feed *feed)
{
    fake_submit_request(engine, run_feed, feed);
}
