/* A subscription as a whole: described by its device or the customer, or ended. */
#include "core/change_private.h"

static void
begin_new(struct change_work *work)
{
    struct subscription *after = work->after;

    *after = (struct subscription){
        .channel = work->scene->channel_number,
        .created_ms = work->scene->now_ms,
        .member[MEMBER_TOPICS] = SLICE("[]"),
    };
    if (work->change->kind == CHANGE_REPLACE && work->change->id.n)
        memcpy(after->id, work->change->id.p, work->change->id.n);
    else
        id_make(after->id, work->scene->rng);
}

/* A device that comes, or comes back: what it has is told after it. Of one that was
 * away nobody may have heard what was set meanwhile. */
static void
tell_new(struct change_work *work)
{
    change_emit(work, EVENT_OPT_IN, work->after->member[MEMBER_TOPICS]);
    if (work->topics_changed)
        change_emit(work, EVENT_UPDATE_TOPICS, work->after->member[MEMBER_TOPICS]);
    if (!slice_is(change_attributes_now(work), "{}"))
        work->attributes_changed = true;
    change_tell_attributes(work);
}

int
change_sync(struct change_work *work)
{
    const struct subscription *before = work->scene->before;
    bool comes = !before || before->inactive;

    if (!before)
        begin_new(work);
    work->after->inactive = false;
    work->after->synced_ms = work->scene->now_ms;
    change_merge_members(work);
    change_take_hint(work, MEMBER_LANGUAGE, work->change->language,
                     &work->out->language);
    change_take_hint(work, MEMBER_COUNTRY, work->change->country, &work->out->country);
    change_sync_topics(work);
    change_merge_attributes(work);
    if (comes) {
        tell_new(work);
    } else {
        change_tell_topics(work);
        change_tell_attributes(work);
    }
    return 0;
}

int
change_edit(struct change_work *work)
{
    change_merge_members(work);
    change_edit_topics(work);
    change_merge_attributes(work);
    if (change_differs(work->after, work->scene->before))
        work->after->synced_ms = work->scene->now_ms;
    change_tell_topics(work);
    change_tell_attributes(work);
    return 0;
}

/* Where pushes go, and what the customer segments by topics: gone with the consent. */
static void
forget(struct change_work *work)
{
    for (unsigned i = MEMBER_FIRST_SECRET; i < MEMBERS; i++)
        work->after->member[i] = (struct slice){NULL, 0};
    work->after->member[MEMBER_TOPICS] = SLICE("[]");
    work->after->inactive = true;
}

int
change_opt_out(struct change_work *work)
{
    if (work->after->inactive)
        return 0;
    forget(work);
    change_emit(work, EVENT_OPT_OUT, SLICE("[]"));
    return 0;
}

/* Secrets are not shown when a subscription is read, so what leaves them out keeps
 * them. */
static void
replace_members(struct change_work *work)
{
    for (unsigned i = 0; i < MEMBERS; i++)
        if (!change_has_own_rule(i) &&
            (work->change->given[i].p || !member_is_secret(i)))
            work->after->member[i] = work->change->given[i];
}

static void
replace_attributes(struct change_work *work)
{
    struct slice given = work->change->given[MEMBER_ATTRIBUTES];
    struct slice now = change_attributes_now(work);
    struct slice rest = now, name, value;
    bool same = true;

    if (!given.p)
        given = SLICE("{}");
    while (same && canonical_member(&rest, &name, &value))
        same = slice_eq(attribute_of(given, name), value);
    rest = given;
    while (same && canonical_member(&rest, &name, &value))
        same = slice_eq(attribute_of(now, name), value);
    if (same)
        return;
    work->after->member[MEMBER_ATTRIBUTES] = given;
    work->attributes_changed = true;
}

static void
replace_topics(struct change_work *work)
{
    struct slice list = work->change->given[MEMBER_TOPICS];
    struct slice version = work->change->given[MEMBER_TOPICS_VERSION];
    const struct subscription *before = work->scene->before;

    if (change_set_topics(work, list.p ? list : SLICE("[]")) && before && !version.p)
        change_set_version(work,
                           subscription_topics_version(before) + CHANGE_VERSION_STEP);
    if (version.p)
        work->after->member[MEMBER_TOPICS_VERSION] = version;
}

int
change_replace(struct change_work *work)
{
    const struct change *change = work->change;
    const struct subscription *before = work->scene->before;
    bool was = before && !before->inactive;

    if (!before)
        begin_new(work);
    if (change->created_ms)
        work->after->created_ms = change->created_ms;
    work->after->synced_ms =
        change->synced_ms ? change->synced_ms : work->scene->now_ms;
    replace_members(work);
    replace_topics(work);
    replace_attributes(work);
    work->after->inactive = change->inactive;
    if (change->inactive)
        forget(work);
    if (was && change->inactive) {
        change_emit(work, EVENT_OPT_OUT, SLICE("[]"));
    } else if (was) {
        change_tell_topics(work);
        change_tell_attributes(work);
    } else if (!change->inactive) {
        tell_new(work);
    }
    return 0;
}
