/*
 * What docs/registry.md says of subscriptions, a second time and in another way: sets
 * of small numbers. A request goes in; out comes what it must answer, which events must
 * tell of it, and what there is then. One channel; topic 3 is "t3", and so on.
 */
#pragma once

#include "base/json.h"
#include "base/types.h"
#include "core/change.h"

#define MODEL_TOPICS        6
#define MODEL_TAGS          3
#define MODEL_ATTRIBUTES    4 /* "a0" and "a1" have one value, "a2" and "a3" a list */
#define MODEL_FIRST_LIST    2
#define MODEL_VALUES        5
#define MODEL_PUSHES        3 /* the last one is the chat's */
#define MODEL_ACTIONS       3 /* none, "0", "1" */
#define MODEL_SUBSCRIPTIONS 400
#define MODEL_EVENTS        4000

extern const char *const model_values[MODEL_VALUES]; /* canonical JSON */
extern const char *const model_pushes[MODEL_PUSHES];
extern const char *const model_actions[MODEL_ACTIONS];

/* Of an attribute: its values in their order. */
struct model_value {
    bool set;
    uint8_t n;
    uint8_t at[MODEL_VALUES];
};

/* What events tell of a subscription. */
struct model_view {
    bool active;
    unsigned topics; /* bit per topic; likewise below */
    struct model_value attributes[MODEL_ATTRIBUTES];
};

struct model_subscription {
    char id[ID_MAX + 1];
    struct model_view now;
    unsigned tags;
    int64_t version;
    unsigned device; /* that pushes go to; 0 = none */
    msec_t reported_ms[2][MODEL_PUSHES][MODEL_ACTIONS]; /* delivered, clicked */
    /* Silent changes: of what events have told, this is not how it is. */
    bool untold_active, untold_topics, untold_attributes;
};

#define MODEL_NONE    (-1) /* the request names no subscription */
#define MODEL_UNKNOWN (-2) /* … one that nobody has */

struct model_request {
    enum change_kind kind;
    int at;     /* which subscription it names */
    char id[8]; /* of REPLACE, when `at` is none */
    unsigned device;
    bool has_topics;
    unsigned topics;
    int64_t version;                                 /* 0 = none */
    unsigned tags;                                   /* REPLACE */
    struct model_value attributes[MODEL_ATTRIBUTES]; /* those that are set are given */
    unsigned cleared;                                /* EDIT: attributes that go */
    unsigned item;                                   /* a topic, tag or attribute */
    struct model_value value;                        /* of the attribute */
    unsigned push, action;
    bool inactive, silent;
};

/* An event that must be told, and what was known of its subscription once its request
 * had told all. */
struct model_event {
    int at;
    enum event_type type;
    unsigned topics_before;
    unsigned webhooks; /* bit per webhook that it is owed to; the caller's */
    bool last;         /* of its request */
    struct model_subscription after;
};

struct model {
    struct model_subscription
        subscriptions[MODEL_SUBSCRIPTIONS]; /* as they were made */
    int n;
    struct model_event events[MODEL_EVENTS];
    size_t n_events;
    uint64_t reports[2][MODEL_PUSHES]; /* deliveries and clicks that were told */
};

/* Returns 0 or E_NOT_FOUND; *at is the subscription then. A new one has no id yet, if
 * the request does not say it. */
int model_apply(struct model *model, const struct model_request *request, msec_t now_ms,
                int *at);

/* What JSON says: a list of topics or tags as bits, an object of attributes. False when
 * it holds what no request has given. */
bool model_read_bits(struct slice json, char letter, unsigned *bits) must_check;
bool model_read_attributes(struct slice json,
                           struct model_value out[MODEL_ATTRIBUTES]) must_check;
bool model_view_eq(const struct model_view *a, const struct model_view *b);

/* And how a request says it. */
void model_write_bits(struct buf *out, char letter, unsigned bits);
void model_write_value(struct buf *out, unsigned attribute,
                       const struct model_value *value);
void model_write_attributes(struct buf *out,
                            const struct model_value attributes[MODEL_ATTRIBUTES]);
