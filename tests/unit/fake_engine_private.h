/* The inside of the fake engine. Private to fake_engine*.c. */
#pragma once

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "fake_engine.h"

#define ROWS_MAX     8192
#define ATTEMPTS_MAX 512
#define JOBS_MAX     64

struct fake_event {
    uint64_t channel;
    uint64_t key;
    enum event_type type;
    char *subscription;
    char *body;
    size_t body_n;
};

struct fake_attempt {
    struct attempt_record row;
    char *reason, *response;
};

struct fake_call {
    uint64_t channel;
    const struct fake_event *event;
    uint64_t webhook;
    enum call_state state; /* stored */
    msec_t due_ms;
    struct fake_attempt *attempts;
    size_t n_attempts;
};

struct fake_once { /* an idempotency key */
    uint64_t channel;
    char *key;
    uint8_t hash[SHA256_BYTES];
    uint64_t first_key;
};

struct task {
    struct task *next;
    void (*run)(struct engine *engine, void *request);
    void *request;
    /* of an ingest: its events, copied */
    struct fake_event *events;
    size_t n_events;
};

struct engine {
    struct clock_manual clock;
    pthread_mutex_t lock; /* rows; never held while a request's function runs */
    struct channel *channels[ROWS_MAX];
    struct webhook *webhooks[ROWS_MAX];
    struct key keys[ROWS_MAX];
    struct fake_event *events[ROWS_MAX]; /* oldest first */
    struct fake_call calls[ROWS_MAX];    /* by event, then webhook */
    struct fake_once once[64];
    struct job jobs[JOBS_MAX]; /* number n is element n - 1 */
    size_t n_jobs;
    size_t n_channels, n_webhooks, n_keys, n_events, n_calls, n_once;
    uint64_t numbers, webhook_numbers, key_count;
    struct engine_gauges gauges;
    struct engine_watch *watches; /* under the lock */
    int watch_fails;              /* the next watch; 0 = it does not */

    pthread_mutex_t queue_lock;
    pthread_cond_t changed;
    struct task *head, **tail;
    size_t queued;
    bool stopped, ending;
    int fail;
    void (*meanwhile)(struct engine *engine, void *ctx);
    void *meanwhile_ctx;
    struct task *running;
    pthread_t thread;
};

void fake_submit(struct engine *engine, struct task *task);
void fake_submit_request(struct engine *engine, void (*run)(struct engine *, void *),
                         void *request);
int fake_take_failure(struct engine *engine);
void fake_wake(struct engine *engine, uint64_t channel);
/* Under the lock. */
struct channel *fake_find_channel(struct engine *engine, uint64_t number);
struct fake_call *fake_find_call(struct engine *engine, uint64_t channel,
                                 uint64_t event, uint64_t webhook);
