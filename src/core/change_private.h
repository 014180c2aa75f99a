/* One change under way: what the files of core/change*.c share. */
#pragma once

#include "core/change.h"

struct change_work {
    struct outcome *out;
    const struct change *change;
    const struct change_scene *scene;
    struct subscription *after;
    const char **why;
    unsigned spare; /* which of out->attributes is free */
    bool attributes_changed;
    struct slice topics_before;
    struct slice added; /* p NULL: the topics did not merely grow */
    bool topics_changed;
};

/* Tells of the subscription as it is now, with these topics. */
void change_emit(struct change_work *work, enum event_type type, struct slice topics);

/* ---- change_parts.c ---- */

/* False when this is the same set. */
bool change_set_topics(struct change_work *work, struct slice list);
void change_set_version(struct change_work *work, int64_t version);
/* A device's list: not when it has heard less than we know. */
void change_sync_topics(struct change_work *work);
void change_edit_topics(struct change_work *work); /* the customer's list */
struct slice change_attributes_now(const struct change_work *work);
void change_merge_attributes(struct change_work *work);
bool change_has_own_rule(enum member member); /* topics, their version, attributes */
void change_merge_members(struct change_work *work);
void change_take_hint(struct change_work *work, enum member member, struct slice hint,
                      struct buf *room);
/* Events for what has changed of an active subscription. */
void change_tell_topics(struct change_work *work);
void change_tell_attributes(struct change_work *work);
bool change_differs(const struct subscription *after,
                    const struct subscription *before);
/* Kinds that change one topic, tag or attribute. */
int change_topic(struct change_work *work) must_check;
int change_tag(struct change_work *work) must_check;
int change_attribute(struct change_work *work) must_check;

/* ---- change_whole.c: kinds that describe a subscription, or end it ---- */

int change_sync(struct change_work *work) must_check;
int change_edit(struct change_work *work) must_check;
int change_opt_out(struct change_work *work) must_check;
int change_replace(struct change_work *work) must_check;

/* ---- change_push.c: what is reported of pushes ---- */

int change_push(struct change_work *work) must_check;

/* Android counts topicsVersion up with every list that it sends, even an old one; so a
 * list that the customer set must be two ahead to be newer than any that a device had
 * before it heard of it. */
#define CHANGE_VERSION_STEP 2
