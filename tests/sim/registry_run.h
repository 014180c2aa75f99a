/*
 * One world and its model: requests that are asked at once, their answers held against
 * the model's, and what must be there in the end.
 */
#pragma once

#include "registry_model.h"
#include "world.h"

#define RUN_ASKED    4 /* requests at once that something_happens makes */
#define RUN_ITEMS    3 /* changes in one request */
#define RUN_QUEUE    8 /* steps that wait for their answers */
#define RUN_DEVICES  5
#define RUN_WEBHOOKS 6

/* What a change has led to, as the engine showed it before the commit. */
struct run_seen {
    bool there;
    msec_t at_ms;
    struct model_subscription after;
};

/* A request that changes subscriptions, or a webhook's types. */
struct run_step {
    struct run *run;
    bool done;
    struct sim_touch touch;
    struct model_request requests[RUN_ITEMS];
    struct change changes[RUN_ITEMS];
    struct slice cleared[MODEL_ATTRIBUTES];
    struct buf text; /* what the changes point into */
    struct run_seen seen[RUN_ITEMS];
    struct engine_change config; /* when there is no touch */
    size_t webhook;
    unsigned types;
};

struct run_webhook {
    uint64_t number;
    unsigned types;
    bool deleted, enabled;
};

struct run {
    struct sim sim;
    struct model model;
    struct run_webhook webhooks[RUN_WEBHOOKS];
    size_t n_webhooks;
    struct run_step steps[RUN_QUEUE];
    size_t n_steps;
    unsigned told[EVENT_TYPES]; /* since the test cleared it */
    bool crashed, full;         /* answers may say so */
};

void run_init(struct run *run, uint64_t seed);
void run_fini(struct run *run);
unsigned run_dice(struct run *run, unsigned sides);
int run_pick_active(struct run *run); /* -1: there is none */

/* Something that anybody could ask for. */
void run_draw_request(struct run *run, struct model_request *request);
void run_draw_replace(struct run *run, struct model_request *request);
void run_draw_receiver(struct run *run);
void run_change_webhooks(struct run *run); /* a new one, or one on, off or gone */

/* Submits n changes in one request; the configuration's change of a webhook's types. */
void run_ask(struct run *run, const struct model_request *requests, size_t n);
void run_change_types(struct run *run);
/* Waits for the answers to all of it and compares them with the model's. */
void run_answer(struct run *run);

/* Every receiver is well and every webhook is on, for long enough. */
void run_let_all_end(struct run *run);
/* Each fails the test when something is not as the model says. */
void run_check_subscriptions(struct run *run);
void run_check_found(struct run *run); /* by their attributes */
void run_check_notifications(struct run *run);
void run_check_events(struct run *run);
