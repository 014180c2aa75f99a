/*
 * A change of a subscription, as an app, a browser or the customer asks for it, and
 * what follows from it: the subscription's new state and the events that tell of it.
 * Pure: the store hands in what there is, and writes both in one commit.
 *
 *   only a real change emits   a list that is the same set, a value that is the same,
 *                              a device that merely syncs: no event
 *   a topic is announced once  a list that has grown is topicAdded with what came to
 *                              it, however it came: so of the two calls that an SDK
 *                              makes for one topic the first tells, the second is no
 *                              change. Any other new list is updateTopics
 *   a new subscription         is optIn, then updateTopics and attributeUpdate when it
 *                              has topics and attributes already: optIn shows neither
 *   nothing is nulled          what a request does not mention stays
 */
#pragma once

#include "base/buf.h"
#include "base/rng.h"
#include "base/types.h"
#include "core/event.h"
#include "core/subscription.h"

enum change_kind {
    /* What a device says of itself: makes the subscription when there is none. */
    CHANGE_SYNC,
    /* The customer's word on what there is: given members, topics, attributes. */
    CHANGE_EDIT,
    /* The customer's whole description of one: made, or replaced. */
    CHANGE_REPLACE,
    CHANGE_OPT_OUT,
    CHANGE_TOPIC_ADD,
    CHANGE_TOPIC_REMOVE,
    CHANGE_TAG_ADD,
    CHANGE_TAG_REMOVE,
    CHANGE_ATTRIBUTE_SET,
    CHANGE_ATTRIBUTE_PUSH, /* one more element of an array, as a set */
    CHANGE_ATTRIBUTE_PULL,
    CHANGE_ATTRIBUTE_CLEAR,
    CHANGE_DELIVERED,
    CHANGE_CLICKED,
    CHANGES
};

/* A click that is reported again within this is the same click. */
#define CLICK_REPEAT_MS ((msec_t)10 * 1000)
/* The dates that clickedDates keeps. */
#define CLICKED_DATES_MAX 20
/* SDKs report what the chat shows under this id: no notification of its own. */
#define NOTIFICATION_CHAT "chat"

#define ACTION_MAX 200 /* bytes of a click's action */

/* Bytes of a REPLACE's members: as many as a subscription may hold, the dates of its
 * clicks included, so that what was exported can be imported. */
#define CHANGE_GIVEN_MAX (SUBSCRIPTION_BYTES_MAX + (size_t)4096)

struct change {
    enum change_kind kind;
    struct slice id; /* of the subscription; n 0 = a new one, or by its push identity */
    /* The rest belongs to some kinds. All JSON is canonical. */
    struct slice given[MEMBERS];
    const struct slice *cleared; /* EDIT: ids of attributes that go */
    size_t n_cleared;
    struct slice item;         /* a topic's, tag's or attribute's id, plain */
    struct slice value;        /* of an attribute */
    struct slice notification; /* its id, plain */
    struct slice action;       /* of a click; n 0 = the notification itself */
    /* SYNC: what the request's circumstances tell, as plain text; n 0 = nothing. Taken
     * when the body says nothing about it. */
    struct slice language, country;
    /* REPLACE; 0 = now, or as it was */
    msec_t created_ms, synced_ms;
    bool inactive;
    bool silent; /* REPLACE: no events */
};

/* What there is. */
struct change_scene {
    const char *channel; /* id */
    uint64_t channel_number;
    const struct subscription *before; /* NULL = no such subscription */
    struct slice feed_guid;            /* of the notification; n 0 = not known */
    msec_t reported_ms; /* when the same was last reported; MSEC_NEVER = never */
    msec_t now_ms;      /* steady */
    struct rng *rng;
};

#define OUTCOME_EVENTS_MAX 4

/* What follows. Its memory is used again by the next one. */
struct outcome {
    struct subscription after; /* its slices point into before, the change, and here */
    bool write;                /* `after` is to be stored */
    bool report;               /* the delivery or click is to be remembered */
    struct {
        enum event_type type;
        size_t at, n; /* its body in `bodies` */
    } events[OUTCOME_EVENTS_MAX];
    size_t n_events;
    struct buf bodies;
    /* scratch */
    struct buf topics, added, tags, attributes[2], dates, language, country, version;
};

void outcome_init(struct outcome *outcome);
void outcome_fini(struct outcome *outcome);
struct slice outcome_body(const struct outcome *outcome, size_t i);

/* 0; E_NOT_FOUND: no such subscription (or it has opted out, for what only a living
 * one can do); E_TOO_LARGE: it would hold more than it may, `why` says of what (not of
 * REPLACE, whose given members the caller bounds to CHANGE_GIVEN_MAX in all);
 * E_NO_MEMORY. */
int change_apply(struct outcome *outcome, const struct change *change,
                 const struct change_scene *scene, const char **why) must_check;

/* Whether events may come of it that are more than the end of a subscription: that is
 * taken from a channel whose trial has ended, too. */
bool change_is_news(const struct change *change);

/* Whether this kind is about a push, and is remembered as a report. */
bool change_is_report(enum change_kind kind);
/* Under what it is remembered beside its notification: "delivery", "click", "click:0".
 */
#define REPORT_TEXT (ACTION_MAX + 16)
struct slice change_report(const struct change *change, char room[REPORT_TEXT]);
