/*
 * Fills a data folder with events that have been sent, through the store's own
 * operations: the way through HTTP would take an hour for ten million.
 *
 *   bench-fill DIR EVENTS
 *
 * DIR holds one channel with two webhooks, which a server has made. The first gets each
 * event, the second each hundredth. Of a thousand calls one fails with a timeout, of a
 * hundred one with status 503. Each subscription has 20 events, spread over all; each
 * notification has a thousand, one behind the other.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store.h"

#define BATCH          1000
#define AT_ONCE        8 /* batches under way */
#define A_SUBSCRIPTION 20
#define BODY_MAX       400

struct filling {
    struct store *store;
    uint64_t channel;
    uint64_t webhooks[2];
    size_t n_webhooks;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t under_way;
};

struct batch {
    struct store_append append;
    struct store_settle settle;
    struct filling *filling;
    size_t first; /* event's number */
    struct store_event events[BATCH];
    struct store_new_call calls[2 * BATCH];
    struct store_result results[2 * BATCH];
    char bodies[BATCH][BODY_MAX];
    char subscriptions[BATCH][32];
};

static void
take_channel(void *ctx, struct channel *channel)
{
    struct filling *filling = ctx;
    filling->channel = channel->number;
    channel_unref(channel);
}

static void
take_webhook(void *ctx, struct webhook *webhook)
{
    struct filling *filling = ctx;
    if (filling->n_webhooks < ARRAY_LEN(filling->webhooks))
        filling->webhooks[filling->n_webhooks++] = webhook->number;
    webhook_unref(webhook);
}

static void
take_key(void *ctx, const struct key *key)
{
    (void)ctx;
    (void)key;
}

static void
end(const char *what)
{
    fprintf(stderr, "bench-fill: %s\n", what);
    exit(1);
}

static void
settled(struct store_op *op)
{
    struct batch *batch = container_of(op, struct batch, settle.op);
    struct filling *filling = batch->filling;
    if (op->result != 0)
        end("the store takes no outcomes");
    free(batch);
    pthread_mutex_lock(&filling->mutex);
    filling->under_way--;
    pthread_cond_signal(&filling->changed);
    pthread_mutex_unlock(&filling->mutex);
}

static struct store_result
result_of(const struct batch *batch, size_t call, uint64_t event, uint64_t webhook)
{
    size_t number = batch->first + call;
    bool slow = number % 1000 == 0, fails = slow || number % 100 == 1;
    return (struct store_result){
        .event = event,
        .webhook = webhook,
        .lease = 1,
        .attempt = {.n = 1,
                    .at_ms = event_key_ms(event),
                    .duration_us = 1234,
                    .timings = {-1, -1, -1, 1100, 1},
                    .verdict = fails ? VERDICT_TEMPORARY : VERDICT_OK,
                    .status = slow    ? 0
                              : fails ? 503
                                      : 200,
                    .reason = slow    ? SLICE("timeout")
                              : fails ? SLICE("status 503")
                                      : SLICE("")},
        .state = fails ? CALL_FAILED : CALL_SUCCEEDED,
        .tries = 1,
        .was_due_ms = event_key_ms(event),
        .failing_since_ms = MSEC_NEVER,
    };
}

static void
appended(struct store_op *op)
{
    struct batch *batch = container_of(op, struct batch, append.op);
    if (op->result != 0)
        end("the store takes no events");
    for (size_t i = 0; i < batch->append.n_calls; i++)
        batch->results[i] =
            result_of(batch, i, batch->append.first_key + batch->calls[i].event,
                      batch->calls[i].webhook);
    batch->settle = (struct store_settle){
        .op = {.kind = STORE_SETTLE, .done = settled},
        .results = batch->results,
        .n = batch->append.n_calls,
    };
    store_submit(batch->filling->store, &batch->settle.op);
}

static void
make_event(struct batch *batch, size_t i, size_t events)
{
    size_t number = batch->first + i;
    size_t subscriptions = events / A_SUBSCRIPTION ? events / A_SUBSCRIPTION : 1;
    snprintf(batch->subscriptions[i], sizeof(batch->subscriptions[i]), "s-%zu",
             number % subscriptions);
    snprintf(batch->bodies[i], BODY_MAX,
             "{\"type\":\"click\",\"date\":\"2024-03-04T10:10:40.136Z\","
             "\"subscription\":{\"_id\":\"%s\"},\"notification\":{\"_id\":\"n-%zu\","
             "\"feedGuid\":[\"https://news.example.com/articles/2024/03/04/%zu\"]},"
             "\"channel\":{\"_id\":\"CHANNEL_ID\"}}",
             batch->subscriptions[i], number / BATCH, number);
    batch->events[i] = (struct store_event){
        EVENT_CLICK, slice_of(batch->subscriptions[i]), slice_of(batch->bodies[i])};
}

/* Then `more` of them begin. */
static void
wait_for_fewer(struct filling *filling, size_t than, size_t more)
{
    pthread_mutex_lock(&filling->mutex);
    while (filling->under_way >= than)
        pthread_cond_wait(&filling->changed, &filling->mutex);
    filling->under_way += more;
    pthread_mutex_unlock(&filling->mutex);
}

static void
submit(struct filling *filling, uint64_t config, size_t first, size_t events)
{
    struct batch *batch = xmalloc(sizeof(*batch));
    size_t n_calls = 0;

    batch->filling = filling;
    batch->first = first;
    for (size_t i = 0; i < BATCH; i++) {
        make_event(batch, i, events);
        for (size_t w = 0; w < (i % 100 ? 1 : filling->n_webhooks); w++)
            batch->calls[n_calls++] =
                (struct store_new_call){(uint32_t)i, filling->webhooks[w]};
    }
    batch->append = (struct store_append){
        .op = {.kind = STORE_APPEND, .done = appended},
        .channel = filling->channel,
        .config = config,
        .events = batch->events,
        .n_events = BATCH,
        .calls = batch->calls,
        .n_calls = n_calls,
    };
    wait_for_fewer(filling, AT_ONCE, 1);
    store_submit(filling->store, &batch->append.op);
}

int
main(int argc, char **argv)
{
    struct filling filling = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    const struct store_loader loader = {&filling, take_channel, take_webhook, take_key};
    const struct store_listener listener = {0};
    struct err err = {0};
    uint64_t config;
    msec_t latest_ms;

    if (argc != 3)
        end("usage: bench-fill DIR EVENTS");
    size_t events = strtoull(argv[2], NULL, 10);
    const struct store_sqlite_options options = {.dir = argv[1],
                                                 .clock = &clock_system};
    if (store_sqlite_open(&filling.store, &options, &latest_ms, &err) != 0)
        end(err.text);
    clock_anchor(&clock_system, latest_ms);
    if (filling.store->backend->load(filling.store, &loader, &config, &err) != 0 ||
        filling.store->backend->start(filling.store, &listener, &err) != 0)
        end(err.text);
    if (!filling.channel || filling.n_webhooks == 0)
        end("there is no channel with a webhook");
    for (size_t first = 0; first + BATCH <= events; first += BATCH)
        submit(&filling, config, first, events);
    wait_for_fewer(&filling, 1, 0);
    filling.store->backend->stop(filling.store);
    filling.store->backend->close(filling.store);
    return 0;
}
