/* What happens in a channel, in the order of its commits. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/memory_private.h"
#include "store/store_feed.h"

/* ---- the group under way ---- */

void
memory_feed_event(struct memory_store *m, uint64_t channel)
{
    for (size_t i = 0; i < m->n_fed; i++)
        if (m->fed[i] == channel)
            return;
    MEMORY_GROW(m->fed, m->n_fed);
    m->fed[m->n_fed++] = channel;
}

void
memory_feed_outcome(struct memory_store *m, const struct memory_event *event,
                    const struct memory_call *call)
{
    bool gone = m->webhooks[call->webhook - 1]->deleted;

    memory_feed_event(m, event->channel);
    MEMORY_GROW(m->outcomes, m->n_outcomes);
    m->outcomes[m->n_outcomes++] = (struct memory_outcome){
        .channel = event->channel,
        .event = event->record.key,
        .webhook = call->webhook,
        .n = call->log[call->n_log - 1].n,
        .state = gone ? CALL_CANCELLED : call->state,
        .due_ms = !gone && call->state == CALL_WAITING ? call->due_ms : MSEC_NEVER,
    };
}

void
memory_feed_commit(struct memory_store *m)
{
    uint64_t key = event_key_at(clock_steady_ms(m->clock));
    size_t n_fed = m->n_fed;

    if (key <= m->last_key)
        key = m->last_key + 1;
    for (size_t i = m->n_outcomes; i-- > 0 && m->outcomes[i].key == 0;)
        m->outcomes[i].key = m->last_key = key;
    m->n_fed = 0;
    for (size_t i = 0; i < n_fed && m->listener.fed; i++)
        m->listener.fed(m->listener.ctx, m->fed[i]);
}

void
memory_feed_free(struct memory_store *m)
{
    free(m->outcomes);
    free(m->fed);
}

/* ---- reading ---- */

static bool
matches(const struct store_feed *feed, const struct event_record *event)
{
    return feed->types & 1u << event->type &&
           (feed->subscription.n == 0 ||
            slice_eq(feed->subscription, event->subscription));
}

/* False when that was enough. */
static bool
show_event(struct store_feed *feed, const struct memory_event *event, size_t *shown)
{
    feed->next = (struct feed_at){event->record.key + 1, 0};
    if (!matches(feed, &event->record) ||
        (feed->webhook && !memory_call(event, feed->webhook)))
        return true;
    ++*shown;
    return feed->event(feed, &event->record, feed->next);
}

static bool
show_outcome(struct memory_store *m, struct store_feed *feed,
             const struct memory_outcome *told, size_t *shown)
{
    const struct memory_event *event = memory_event(m, told->event);
    const struct memory_call *call = memory_call(event, told->webhook);

    if (!call || !matches(feed, &event->record) ||
        (feed->webhook && feed->webhook != told->webhook))
        return true;
    struct outcome_record outcome = {
        .event = told->event,
        .webhook = told->webhook,
        .type = event->record.type,
        .subscription = event->record.subscription,
        .state = told->state,
        .due_ms = told->due_ms,
    };
    for (size_t i = 0; i < call->n_log; i++)
        if (call->log[i].n == told->n)
            outcome.attempt = call->log[i];
    outcome.attempt.response = (struct slice){0};
    ++*shown;
    return feed->outcome(feed, &outcome, feed->next);
}

/* The first one in the channel that is not before the place, and then the place that is
 * its own; NULL: there is none. */
static const struct memory_event *
find_event(const struct memory_store *m, const struct store_feed *feed)
{
    for (size_t i = 0; feed->events && i < m->n_events; i++)
        if (m->events[i]->channel == feed->channel &&
            m->events[i]->record.key >= feed->next.key)
            return m->events[i];
    return NULL;
}

static const struct memory_outcome *
find_outcome(const struct memory_store *m, const struct store_feed *feed,
             struct feed_at *at)
{
    uint64_t oldest = event_key_at(clock_steady_ms(m->clock) - FEED_KEPT_MS);

    *at = (struct feed_at){0};
    for (size_t i = 0; feed->outcomes && i < m->n_outcomes; i++) {
        const struct memory_outcome *told = &m->outcomes[i];
        if (told->channel != feed->channel || told->key < oldest)
            continue;
        at->index = told->key == at->key ? at->index + 1 : 0;
        at->key = told->key;
        if (at->key > feed->next.key ||
            (at->key == feed->next.key && at->index >= feed->next.index))
            return told;
    }
    return NULL;
}

void
memory_feed(struct memory_store *m, struct store_op *op)
{
    struct store_feed *feed = container_of(op, struct store_feed, op);
    size_t shown = 0;
    bool on = true;

    feed->gone = m->gone_key;
    feed->next = feed->from;
    feed->more = true;
    if (!memory_channel(m, feed->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    while (on && shown < feed->limit) {
        struct feed_at at;
        const struct memory_event *event = find_event(m, feed);
        const struct memory_outcome *told = find_outcome(m, feed, &at);
        if (!event && !told)
            break;
        if (event && (!told || event->record.key < told->key)) {
            on = show_event(feed, event, &shown);
        } else {
            feed->next = (struct feed_at){at.key, at.index + 1};
            on = show_outcome(m, feed, told, &shown);
        }
    }
    if (!on || shown == feed->limit)
        return;
    feed->more = false;
    uint64_t end = event_key_at(clock_steady_ms(m->clock));
    if (end <= m->last_key)
        end = m->last_key + 1;
    if (feed->from.key == UINT64_MAX || feed->next.key < end)
        feed->next = (struct feed_at){end, 0};
}
