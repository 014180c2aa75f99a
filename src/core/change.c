#include "core/change.h"

#include <assert.h>
#include <stdio.h>

#include "base/err.h"
#include "core/change_private.h"
#include "core/payload.h"

#define BODIES_MAX ((size_t)OUTCOME_EVENTS_MAX * EVENT_MAX_BYTES)

/* What is built up during a change. */
static const size_t scratch[] = {
    offsetof(struct outcome, topics),        offsetof(struct outcome, added),
    offsetof(struct outcome, tags),          offsetof(struct outcome, attributes[0]),
    offsetof(struct outcome, attributes[1]), offsetof(struct outcome, dates),
    offsetof(struct outcome, language),      offsetof(struct outcome, country),
    offsetof(struct outcome, version),
};

static struct buf *
scratch_at(struct outcome *outcome, size_t i)
{
    return (struct buf *)(void *)((char *)outcome + scratch[i]);
}

void
outcome_init(struct outcome *outcome)
{
    *outcome = (struct outcome){0};
    buf_init(&outcome->bodies, BODIES_MAX);
    for (size_t i = 0; i < ARRAY_LEN(scratch); i++)
        buf_init(scratch_at(outcome, i), SUBSCRIPTION_ROOM_MAX);
}

static void
each_buf(struct outcome *outcome, void (*act)(struct buf *buf))
{
    act(&outcome->bodies);
    for (size_t i = 0; i < ARRAY_LEN(scratch); i++)
        act(scratch_at(outcome, i));
}

static int
failure(struct outcome *outcome)
{
    int failed = outcome->bodies.failed;
    for (size_t i = 0; i < ARRAY_LEN(scratch) && !failed; i++)
        failed = scratch_at(outcome, i)->failed;
    return failed;
}

void
outcome_fini(struct outcome *outcome)
{
    each_buf(outcome, buf_fini);
}

struct slice
outcome_body(const struct outcome *outcome, size_t i)
{
    return (struct slice){outcome->bodies.p + outcome->events[i].at,
                          outcome->events[i].n};
}

bool
change_is_news(const struct change *change)
{
    return change->kind != CHANGE_OPT_OUT && !change->silent;
}

bool
change_is_report(enum change_kind kind)
{
    return kind == CHANGE_DELIVERED || kind == CHANGE_CLICKED;
}

struct slice
change_report(const struct change *change, char room[REPORT_TEXT])
{
    if (change->kind == CHANGE_DELIVERED)
        return SLICE("delivery");
    if (change->action.n == 0)
        return SLICE("click");
    int n = snprintf(room, REPORT_TEXT, "click:%.*s", (int)change->action.n,
                     change->action.p);
    assert(n > 0 && n < REPORT_TEXT);
    return (struct slice){room, (size_t)n};
}

/* ---- one change ---- */

void
change_emit(struct change_work *work, enum event_type type, struct slice topics)
{
    struct outcome *out = work->out;
    size_t at = out->bodies.n;
    const struct payload payload = {
        .type = type,
        .subscription = work->after,
        .channel = work->scene->channel,
        .topics = topics,
        .new_topics = work->added,
    };

    assert(out->n_events < OUTCOME_EVENTS_MAX);
    if (work->change->silent)
        return;
    payload_write(&out->bodies, &payload);
    out->events[out->n_events].type = type;
    out->events[out->n_events].at = at;
    out->events[out->n_events++].n = out->bodies.n - at;
}

/* ---- the table ---- */

enum need { NEED_NOTHING, NEED_KNOWN, NEED_ACTIVE };

static const struct {
    enum need need;
    int (*apply)(struct change_work *work);
} kinds[CHANGES] = {
    [CHANGE_SYNC] = {NEED_NOTHING, change_sync},
    [CHANGE_EDIT] = {NEED_ACTIVE, change_edit},
    [CHANGE_REPLACE] = {NEED_NOTHING, change_replace},
    [CHANGE_OPT_OUT] = {NEED_KNOWN, change_opt_out},
    [CHANGE_TOPIC_ADD] = {NEED_ACTIVE, change_topic},
    [CHANGE_TOPIC_REMOVE] = {NEED_ACTIVE, change_topic},
    [CHANGE_TAG_ADD] = {NEED_ACTIVE, change_tag},
    [CHANGE_TAG_REMOVE] = {NEED_ACTIVE, change_tag},
    [CHANGE_ATTRIBUTE_SET] = {NEED_ACTIVE, change_attribute},
    [CHANGE_ATTRIBUTE_PUSH] = {NEED_ACTIVE, change_attribute},
    [CHANGE_ATTRIBUTE_PULL] = {NEED_ACTIVE, change_attribute},
    [CHANGE_ATTRIBUTE_CLEAR] = {NEED_ACTIVE, change_attribute},
    [CHANGE_DELIVERED] = {NEED_KNOWN, change_push},
    [CHANGE_CLICKED] = {NEED_KNOWN, change_push},
};

static bool
is_there(enum need need, const struct subscription *before)
{
    if (need == NEED_NOTHING)
        return true;
    return before && (need == NEED_KNOWN || !before->inactive);
}

/* The dates of clicks do not count: a click is never refused, and has its own limit. */
static size_t
size_of(const struct subscription *subscription)
{
    size_t n = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        if (i != MEMBER_CLICKED_DATES)
            n += subscription->member[i].n;
    return n;
}

static const char too_large[] = "a subscription may hold at most 96 KiB";

/* A description that replaces is bounded where it comes in, and the secrets that it
 * keeps were bounded before: it is never refused here, since others of the same request
 * have been written already. What it has made larger than others may be is still heard,
 * as long as it does not grow. */
static int
check_size(const struct change_work *work)
{
    struct slice attributes = change_attributes_now(work);
    struct slice name, value;
    size_t n = 0, size = size_of(work->after);
    size_t was = work->scene->before ? size_of(work->scene->before) : 0;

    if (work->change->kind == CHANGE_REPLACE)
        return 0;
    while (canonical_member(&attributes, &name, &value))
        n++;
    if (n > SUBSCRIPTION_ATTRIBUTES_MAX)
        *work->why = "a subscription may have at most 200 attributes";
    else if (size > SUBSCRIPTION_BYTES_MAX && size > was)
        *work->why = too_large;
    else
        return 0;
    return E_TOO_LARGE;
}

int
change_apply(struct outcome *outcome, const struct change *change,
             const struct change_scene *scene, const char **why)
{
    struct change_work work = {
        .out = outcome,
        .change = change,
        .scene = scene,
        .after = &outcome->after,
        .why = why,
        .topics_before = SLICE("[]"),
    };

    each_buf(outcome, buf_reset);
    outcome->write = outcome->report = false;
    outcome->n_events = 0;
    if (!is_there(kinds[change->kind].need, scene->before)) {
        *why = "no such subscription";
        return E_NOT_FOUND;
    }
    if (scene->before) {
        outcome->after = *scene->before;
        work.topics_before = scene->before->member[MEMBER_TOPICS];
    }
    int rc = kinds[change->kind].apply(&work);
    int failed = failure(outcome);
    if (failed == E_TOO_LARGE)
        *why = too_large;
    if (rc == 0)
        rc = failed;
    if (rc == 0) /* what is measured is whole */
        rc = check_size(&work);
    outcome->write = rc == 0 && change_differs(&outcome->after, scene->before);
    return rc;
}
