#include <stdio.h>

#include "base/err.h"
#include "core/change_private.h"

/* ---- topics ---- */

bool
change_set_topics(struct change_work *work, struct slice list)
{
    struct slice before = work->topics_before;
    struct outcome *out = work->out;

    if (list_within(list, before) && list_within(before, list))
        return false;
    work->topics_changed = true;
    if (list_within(before, list)) {
        list_without(&out->added, list, before);
        work->added = buf_slice(&out->added);
    }
    work->after->member[MEMBER_TOPICS] = list;
    return true;
}

void
change_set_version(struct change_work *work, int64_t version)
{
    if (version > TOPICS_VERSION_MAX)
        version = TOPICS_VERSION_MAX;
    buf_addf(&work->out->version, "%lld", (long long)version);
    work->after->member[MEMBER_TOPICS_VERSION] = buf_slice(&work->out->version);
}

/* A device's list: not when it has heard less than we know. */
void
change_sync_topics(struct change_work *work)
{
    struct slice list = work->change->given[MEMBER_TOPICS];
    struct slice version = work->change->given[MEMBER_TOPICS_VERSION];
    const struct subscription *before = work->scene->before;

    if (!list.p)
        return;
    if (version.p) {
        struct subscription said = {.member[MEMBER_TOPICS_VERSION] = version};
        if (before && !before->inactive &&
            subscription_topics_version(&said) < subscription_topics_version(before))
            return;
        work->after->member[MEMBER_TOPICS_VERSION] = version;
    }
    change_set_topics(work, list);
}

/* The customer's list. */
void
change_edit_topics(struct change_work *work)
{
    struct slice list = work->change->given[MEMBER_TOPICS];
    if (list.p && change_set_topics(work, list))
        change_set_version(work, subscription_topics_version(work->after) +
                                     CHANGE_VERSION_STEP);
}

/* ---- attributes ---- */

struct slice
change_attributes_now(const struct change_work *work)
{
    struct slice now = work->after->member[MEMBER_ATTRIBUTES];
    return now.p ? now : SLICE("{}");
}

/* p NULL clears it. */
static void
set_attribute(struct change_work *work, struct slice name, struct slice value)
{
    struct slice now = change_attributes_now(work);
    struct buf *next = &work->out->attributes[work->spare];

    /* What did not fit stays failed, and nobody looks into it. */
    if (work->out->attributes[!work->spare].failed)
        return;
    struct slice old = attribute_of(now, name);
    if (old.p ? slice_eq(old, value) : !value.p)
        return;
    buf_reset(next);
    attributes_with(next, now, name, value);
    work->spare = !work->spare;
    work->after->member[MEMBER_ATTRIBUTES] = buf_slice(next);
    work->attributes_changed = true;
}

void
change_merge_attributes(struct change_work *work)
{
    struct slice rest = work->change->given[MEMBER_ATTRIBUTES];
    struct slice name, value;

    while (rest.p && canonical_member(&rest, &name, &value))
        set_attribute(work, name, value);
    for (size_t i = 0; i < work->change->n_cleared; i++)
        set_attribute(work, work->change->cleared[i], (struct slice){NULL, 0});
}

static bool
is_list(struct slice value)
{
    return value.p && value.n && value.p[0] == '[';
}

/* What is no array yet becomes one with what was there. */
static int
push_value(struct change_work *work)
{
    struct slice name = work->change->item, value = work->change->value;
    struct slice old = attribute_of(change_attributes_now(work), name);
    struct buf *list = &work->out->dates; /* no other use in this change */
    struct buf *first = &work->out->tags;

    if (old.p && (is_list(old) ? list_has(old, value) : slice_eq(old, value)))
        return 0;
    if (!is_list(old)) {
        buf_addc(first, '[');
        buf_add(first, old.p, old.n);
        if (buf_addc(first, ']') != 0)
            return first->failed;
        old = buf_slice(first);
    }
    list_with(list, old, value);
    if (list_count(old) >= SUBSCRIPTION_LIST_MAX) {
        *work->why = "an attribute may have at most 500 elements";
        return E_TOO_LARGE;
    }
    if (list->n > ATTRIBUTE_VALUE_MAX) {
        *work->why = "an attribute may have at most 16 KiB";
        return E_TOO_LARGE;
    }
    set_attribute(work, name, buf_slice(list));
    return 0;
}

/* The only value there was goes with its attribute's value, not with the attribute. */
static void
pull_value(struct change_work *work)
{
    struct slice name = work->change->item, value = work->change->value;
    struct slice old = attribute_of(change_attributes_now(work), name);
    struct buf *list = &work->out->dates;

    if (!old.p)
        return;
    if (!is_list(old)) {
        if (slice_eq(old, value))
            set_attribute(work, name, (struct slice){NULL, 0});
        return;
    }
    buf_addc(&work->out->tags, '[');
    buf_add(&work->out->tags, value.p, value.n);
    if (buf_addc(&work->out->tags, ']') != 0)
        return;
    list_without(list, old, buf_slice(&work->out->tags));
    set_attribute(work, name, buf_slice(list));
}

/* ---- the other members ---- */

bool
change_has_own_rule(enum member member)
{
    return member == MEMBER_TOPICS || member == MEMBER_TOPICS_VERSION ||
           member == MEMBER_ATTRIBUTES;
}

void
change_merge_members(struct change_work *work)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (work->change->given[i].p && !change_has_own_rule(i))
            work->after->member[i] = work->change->given[i];
}

/* Only when the device describes itself as a whole: then its silence means that the app
 * has not set one. A part, such as a list of topics, says nothing about it. */
void
change_take_hint(struct change_work *work, enum member member, struct slice hint,
                 struct buf *room)
{
    bool whole = work->change->given[MEMBER_PLATFORM_NAME].p != NULL;

    if (!hint.n || !whole || work->change->given[member].p)
        return;
    buf_addc(room, '"');
    json_escape(room, hint);
    buf_addc(room, '"');
    work->after->member[member] = buf_slice(room);
}

bool
change_differs(const struct subscription *after, const struct subscription *before)
{
    if (!before || after->synced_ms != before->synced_ms ||
        after->created_ms != before->created_ms || after->inactive != before->inactive)
        return true;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (!slice_eq(after->member[i], before->member[i]))
            return true;
    return false;
}

/* ---- events ---- */

void
change_tell_topics(struct change_work *work)
{
    if (!work->topics_changed)
        return;
    if (work->added.p)
        change_emit(work, EVENT_TOPIC_ADDED, work->topics_before);
    else
        change_emit(work, EVENT_UPDATE_TOPICS, work->after->member[MEMBER_TOPICS]);
}

void
change_tell_attributes(struct change_work *work)
{
    if (work->attributes_changed)
        change_emit(work, EVENT_ATTRIBUTE_UPDATE, work->after->member[MEMBER_TOPICS]);
}

/* ---- one topic, tag or attribute ---- */

/* The list with the change's item, or without it, in `out`; stays empty when it is so
 * already. */
static int
list_change(struct change_work *work, struct slice list, bool add, struct buf *out,
            const char *too_many)
{
    char room[ID_MAX + 4];
    int n = snprintf(room, sizeof(room), "[\"%.*s\"]", (int)work->change->item.n,
                     work->change->item.p);
    struct slice element = {room + 1, (size_t)n - 2};

    if (list_has(list, element) == add)
        return 0;
    if (add && list_count(list) >= SUBSCRIPTION_LIST_MAX) {
        *work->why = too_many;
        return E_TOO_LARGE;
    }
    if (add)
        list_with(out, list, element);
    else
        list_without(out, list, (struct slice){room, (size_t)n});
    return out->failed;
}

int
change_topic(struct change_work *work)
{
    struct buf *topics = &work->out->topics;
    int rc =
        list_change(work, work->topics_before, work->change->kind == CHANGE_TOPIC_ADD,
                    topics, "a subscription may have at most 500 topics");

    if (rc != 0 || topics->n == 0)
        return rc;
    change_set_topics(work, buf_slice(topics));
    work->after->synced_ms = work->scene->now_ms;
    change_tell_topics(work);
    return 0;
}

int
change_tag(struct change_work *work)
{
    struct slice list = work->after->member[MEMBER_TAGS];
    struct buf *tags = &work->out->tags;
    int rc = list_change(work, list.p ? list : SLICE("[]"),
                         work->change->kind == CHANGE_TAG_ADD, tags,
                         "a subscription may have at most 500 tags");

    if (rc != 0 || tags->n == 0)
        return rc;
    work->after->member[MEMBER_TAGS] = buf_slice(tags);
    work->after->synced_ms = work->scene->now_ms;
    return 0;
}

int
change_attribute(struct change_work *work)
{
    int rc = 0;

    switch ((int)work->change->kind) { /* an int: the other kinds do not come here */
    case CHANGE_ATTRIBUTE_SET:
        set_attribute(work, work->change->item, work->change->value);
        break;
    case CHANGE_ATTRIBUTE_PUSH:
        rc = push_value(work);
        break;
    case CHANGE_ATTRIBUTE_PULL:
        pull_value(work);
        break;
    default:
        set_attribute(work, work->change->item, (struct slice){NULL, 0});
        break;
    }
    if (work->attributes_changed)
        work->after->synced_ms = work->scene->now_ms;
    change_tell_attributes(work);
    return rc;
}
