/* The engine's inside. Private to engine/. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "engine/config.h"
#include "engine/dispatch.h"
#include "engine/engine.h"
#include "engine/notices.h"
#include "store/store.h"
#include "store/store_job.h"

struct sender {
    struct engine *engine;
    struct dispatch *dispatch;
    pthread_t thread;
    bool running;
};

struct watches {
    pthread_mutex_t lock;
    struct map channels; /* the first of each, by its number */
    atomic_size_t n;     /* in all; so that without any nobody takes the lock */
};

/* jobs.c: who sees to it that jobs go on. The first sender's thread asks the store for
 * a step when its time has come; one at a time. */
struct jobs {
    atomic_bool asked; /* somebody made a job or resumed one: look now */
    atomic_bool under_way;
    atomic_int_fast64_t next_ms; /* steady */
    usec_t began_us;             /* mono */
    struct store_step_jobs step;
};

struct engine {
    struct engine_options options;
    struct store *store;
    struct clock *clock;
    struct config config;
    struct sender *senders; /* at least one; without threads in a simulation */
    size_t n_senders;
    bool threads;
    bool stopped;
    atomic_bool stopping;
    atomic_int_fast64_t abort_at_us; /* mono; when stopping */
    atomic_int room;                 /* enum disk_room, as the store said last */
    struct jobs jobs;

    /* registry.c: what a change needs while it is applied; the store's thread's */
    struct outcome outcome;
    struct json_doc row;
    struct buf members;

    struct watches watches;
    struct notices notices;

    pthread_mutex_t gate_lock; /* dispatch_gate.c: nothing is asked once it is closed */
    bool gates_closed;
};

static inline struct dispatch *
engine_dispatch_of(struct engine *engine, uint64_t webhook)
{
    return engine->senders[webhook % engine->n_senders].dispatch;
}

/* sender.c */
int sender_start(struct sender *sender, struct err *err) must_check;
void sender_join(struct sender *sender);

/* feed.c */
void watches_init(struct watches *watches);
void watches_fini(struct watches *watches);
void watches_wake(struct watches *watches, uint64_t channel);

/* dispatch_gate.c */
void gates_close(struct engine *engine);

/* jobs.c */
void jobs_init(struct jobs *jobs);
/* On the first sender's thread: the next step, if it is due. Returns when that is
 * (steady ms; MSEC_NEVER = when something happens). */
msec_t jobs_turn(struct engine *engine);

/* change.c */
/* Posts the webhook with this number as it is now, if there is one. */
void engine_tell_what_is(struct engine *engine, uint64_t number);
void engine_disable(void *ctx, struct webhook *was, enum disable_reason reason);
