/*
 * What a store test stands on: one store of some backend, a clock turned by hand, and
 * operations that wait for their done. The callbacks collect; tests look afterwards.
 */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

#define MANY      4096
#define START_MS  INT64_C(1750000000000)
#define MINUTE_MS ((msec_t)60 * 1000)
#define HOUR_MS   (60 * MINUTE_MS)

struct world;

struct world_backend {
    const char *name;
    int (*open)(struct world *world, msec_t *latest_steady_ms, struct err *err);
    /* As after a stop or the end of the process: all that is in memory is gone. */
    void (*leave)(struct world *world);
    void (*step)(struct world *world);      /* what was submitted goes on */
    void (*fill_disk)(struct world *world); /* the next group of writes finds it full */
    void (*clean_up)(struct world *world);
};

struct world_clock {
    struct clock clock;
    _Atomic usec_t now_us;
};

struct world_due {
    uint64_t event, webhook;
    msec_t due_ms;
};

struct world {
    const struct world_backend *backend;
    struct store *store;
    struct world_clock time;
    msec_t latest_steady_ms; /* as the last open said */
    char dir[64];
    const char *vfs;
    struct store_keep keep; /* of the next open */
    /* Of SQLite's store: its options, and what the disk has free. */
    uint64_t reserve_bytes, max_bytes;
    bool accept_loss;
    _Atomic uint64_t free_bytes;

    uint64_t config;
    struct channel *channels[64]; /* as loaded */
    size_t n_channels;
    struct webhook *webhooks[64];
    size_t n_webhooks;
    struct key keys[64];
    size_t n_keys;

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    size_t done;
    uint64_t leases[64][2]; /* webhook, lease; in the order of the calls */
    size_t n_leases;
    unsigned broken;
    enum disk_room room; /* as it was told last */
    unsigned rooms;      /* times */
    uint64_t fed[4096];  /* channels, as they were told */
    size_t n_fed;
    struct world_due dues[4096]; /* for settle */
    size_t n_dues;
};

extern struct world_backend world_memory, world_sqlite;

struct world *world_new(const struct world_backend *backend);
void world_free(struct world *world);
/* For cmocka: makes a fresh, open world in *state of the backend that *state pointed to
 * (of SQLite, when to none), and frees it. */
int world_setup(void **state);
int world_teardown(void **state);
void world_open(struct world *world); /* anchors, loads, starts */
void world_leave(struct world *world);
void world_reopen(struct world *world);
void world_advance(struct world *world, msec_t by);
msec_t world_now(struct world *world);
void world_await_room(struct world *world, enum disk_room room);

/* Submits without waiting; world_wait waits until `n` more are done. */
void world_submit(struct world *world, struct store_op *op);
void world_wait(struct world *world, size_t n);
void world_done(struct store_op *op); /* what the `done` of such an operation does */
int world_run(struct world *world, struct store_op *op);

/* ---- short forms; they fail the test when the store refuses ---- */

uint64_t put_channel(struct world *world, const char *id);
void delete_channel(struct world *world, uint64_t number, const char *id);
uint64_t put_webhook(struct world *world, uint64_t channel);
enum webhook_change { ENABLE, DISABLE, DELETE };
void change_webhook(struct world *world, uint64_t channel, uint64_t number,
                    enum webhook_change change);
uint64_t put_key(struct world *world, uint64_t channel, const char *id);

/* n events of a type, each owed to all the webhooks; returns the first key. */
uint64_t append(struct world *world, uint64_t channel, enum event_type type, size_t n,
                const uint64_t *webhooks, size_t n_webhooks);
uint64_t append_from(struct world *world, uint64_t channel, enum event_type type,
                     const char *subscription, uint64_t webhook);

struct store_result result_of(uint64_t event, uint64_t webhook, uint32_t n,
                              enum call_state state, msec_t due_ms);
void settle(struct world *world, uint64_t event, uint64_t webhook, uint32_t n,
            enum call_state state, msec_t due_ms);
int retry(struct world *world, uint64_t channel, uint64_t event, uint64_t webhook,
          msec_t due_ms);

/* ---- reads ---- */

struct due_list {
    struct store_due due;
    uint64_t events[MANY];
    msec_t due_ms[MANY];
    uint32_t attempts[MANY];
    uint32_t tries[MANY];
    enum event_type types[MANY];
    char body[200]; /* the last one's */
    size_t n;
    size_t refuse_at; /* the call that `each` does not take; SIZE_MAX = none */
};

void read_due(struct world *world, struct due_list *list, uint64_t webhook,
              struct due_at from, msec_t until_ms, size_t max);

struct seen_call {
    struct call_record record; /* its slices are not valid any more */
    char subscription[32];
    char notification[32];
    char held_reason[32];
    char last_reason[32];
    bool has_response;
};

struct call_list {
    struct store_calls list;
    struct seen_call calls[MANY];
    size_t n;
};

#define ALL_STATES ((1u << CALL_STATES) - 1)

/* A list of everything of the channel, from the newest; change `list` before
 * list_calls. */
void calls_of(struct call_list *list, uint64_t channel);
int list_calls(struct world *world, struct call_list *list); /* one page */
void list_all_calls(struct world *world, struct call_list *list, size_t page);

struct seen_event {
    uint64_t key;
    enum event_type type;
    msec_t created_ms;
    char subscription[32];
    char body[200];
};

struct event_list {
    struct store_events list;
    struct seen_event events[MANY];
    size_t n;
};

void events_of(struct event_list *list, uint64_t channel);
int list_events(struct world *world, struct event_list *list);
void list_all_events(struct world *world, struct event_list *list, size_t page);

struct call_look {
    struct store_call_read read;
    struct seen_call call;
    uint32_t n_attempts;
    struct attempt_record attempts[32]; /* without their slices */
    char reasons[32][32];
    char responses[32][32];
};

int look_at_call(struct world *world, struct call_look *look, uint64_t channel,
                 uint64_t event, uint64_t webhook);
enum call_state state_of(struct world *world, uint64_t channel, uint64_t event,
                         uint64_t webhook);

struct event_look {
    struct store_event_read read;
    struct seen_event event;
    struct seen_call calls[32];
    size_t n;
};

int look_at_event(struct world *world, struct event_look *look, uint64_t channel,
                  uint64_t key);
struct store_counts counts_of(struct world *world);
