/*
 * A touch: finds what there is, asks what follows, and writes it, item by item, inside
 * its group's transaction. Nobody comes between.
 */
#include "store/sqlite_private.h"

#include <assert.h>

/* ---- finding ---- */

struct finding {
    struct sqlite_store *s;
    const struct store_touch_item *item;
    struct store_found found;
    struct subscription_row subscription;
    struct notification_row notification;
};

static void
finding_end(struct finding *finding)
{
    static const enum sqlite_stmt used[] = {
        STMT_SUBSCRIPTION_BY_ID, STMT_SUBSCRIPTION_BY_TOKEN, STMT_NOTIFICATION_BY_ID};
    for (size_t i = 0; i < ARRAY_LEN(used); i++)
        sqlite_reset(finding->s, used[i]);
}

static int
find_subscription(struct finding *finding, enum sqlite_stmt stmt, uint64_t channel)
{
    struct sqlite_store *s = finding->s;
    sqlite_key(s, stmt, 2, channel);
    int rc = sqlite_next(s, stmt);
    if (rc <= 0)
        return rc;
    finding->subscription = sqlite_subscription_at(s, stmt);
    finding->found.subscription = &finding->subscription;
    return 1;
}

static int
find_notification(struct finding *finding, uint64_t channel)
{
    const enum sqlite_stmt get = STMT_NOTIFICATION_BY_ID;
    struct sqlite_store *s = finding->s;

    if (!finding->item->notification.n)
        return 0;
    sqlite_text(s, get, 1, finding->item->notification);
    sqlite_key(s, get, 2, channel);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    finding->notification = sqlite_notification_at(s, get);
    finding->found.notification = &finding->notification;
    return 0;
}

/* Ids are one channel's own, but made so that two are hardly ever the same. Whoever
 * names no channel gets the one where the notification is; if that leaves several, the
 * one that had the subscription first: a stranger can only come later. */
static int
find_channel(struct finding *finding, uint64_t *channel)
{
    const enum sqlite_stmt get = STMT_SUBSCRIPTION_ANYWHERE;
    const enum sqlite_stmt has = STMT_NOTIFICATION_HAS;
    struct sqlite_store *s = finding->s;
    uint64_t first = UINT64_MAX; /* subscription of the best one so far */
    bool has_both = false;
    int rc;

    *channel = 0;
    sqlite_text(s, get, 1, finding->item->id);
    while ((rc = sqlite_next(s, get)) == 1) {
        uint64_t one = sqlite_col_key(s, get, 0), number = sqlite_col_key(s, get, 1);
        if (!sqlite_live_channel(s, one))
            continue;
        sqlite_text(s, has, 1, finding->item->notification);
        sqlite_key(s, has, 2, one);
        int both = sqlite_next(s, has);
        if (both < 0) {
            sqlite_reset(s, get);
            return both;
        }
        if (both)
            sqlite_reset(s, has);
        bool better = both && !has_both, as_good = (both == 1) == has_both;
        if (better || (as_good && number < first)) {
            has_both = both == 1;
            first = number;
            *channel = one;
        }
    }
    return rc;
}

static int
find_report(struct finding *finding)
{
    const enum sqlite_stmt get = STMT_REPORT_GET;
    const struct store_touch_item *item = finding->item;
    struct sqlite_store *s = finding->s;

    if (!item->report.n || !finding->found.subscription)
        return 0;
    sqlite_text(s, get, 1, item->notification);
    sqlite_key(s, get, 2, finding->subscription.number);
    sqlite_text(s, get, 3, item->report);
    int rc = sqlite_next(s, get);
    if (rc == 1) {
        finding->found.reported_ms = sqlite_col(s, get, 0);
        sqlite_reset(s, get);
        rc = 0;
    }
    return rc;
}

static int
find(struct finding *finding, uint64_t channel)
{
    const struct store_touch_item *item = finding->item;
    struct sqlite_store *s = finding->s;
    int rc = 0;

    if (!channel)
        rc = find_channel(finding, &channel);
    if (rc < 0 || !channel)
        return rc;
    finding->found.channel = channel;
    if (item->id.n) {
        sqlite_text(s, STMT_SUBSCRIPTION_BY_ID, 1, item->id);
        rc = find_subscription(finding, STMT_SUBSCRIPTION_BY_ID, channel);
    }
    if (rc == 0 && item->token) {
        sqlite_key(s, STMT_SUBSCRIPTION_BY_TOKEN, 1, item->token);
        rc = find_subscription(finding, STMT_SUBSCRIPTION_BY_TOKEN, channel);
    }
    if (rc >= 0)
        rc = find_notification(finding, channel);
    return rc < 0 ? rc : find_report(finding);
}

/* ---- writing ---- */

static void
count_subscription(struct sqlite_store *s, struct sqlite_channel *channel,
                   bool inactive, int by)
{
    assert(s->group.open);
    channel->subscriptions[inactive] += by;
    channel->delta[inactive] += by;
    if (!channel->touched) {
        channel->touched = true;
        channel->next_touched = s->group.touched_channels;
        s->group.touched_channels = channel;
    }
}

static int
subscription_add(struct sqlite_store *s, const struct subscription_row *row,
                 uint64_t *number)
{
    const enum sqlite_stmt add = STMT_SUBSCRIPTION_ADD;
    sqlite_key(s, add, 1, row->channel);
    sqlite_text(s, add, 2, row->id);
    sqlite_int(s, add, 3, row->created_ms);
    sqlite_int(s, add, 4, row->synced_ms);
    sqlite_int(s, add, 5, row->inactive);
    sqlite_key(s, add, 6, row->token);
    sqlite_text(s, add, 7, row->members);
    int rc = sqlite_run(s, add);
    *number = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return rc;
}

/* A statement of its own for the push identity: it alone is in an index, which SQLite
 * writes anew whenever the column is named. */
static int
subscription_set(struct sqlite_store *s, const struct subscription_row *row,
                 const struct subscription_row *was)
{
    const enum sqlite_stmt set = STMT_SUBSCRIPTION_SET;
    const enum sqlite_stmt set_token = STMT_SUBSCRIPTION_SET_TOKEN;
    sqlite_key(s, set, 1, row->number);
    sqlite_int(s, set, 2, row->created_ms);
    sqlite_int(s, set, 3, row->synced_ms);
    sqlite_int(s, set, 4, row->inactive);
    sqlite_text(s, set, 5, row->members);
    int rc = sqlite_run(s, set);
    if (rc < 0 || row->token == was->token)
        return rc;
    sqlite_key(s, set_token, 1, row->number);
    sqlite_key(s, set_token, 2, row->token);
    return sqlite_run(s, set_token);
}

static int
write_attributes(struct sqlite_store *s, enum sqlite_stmt stmt,
                 const struct subscription_row *row, uint64_t number,
                 const struct store_attribute *attributes, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite_key(s, stmt, 1, row->channel);
        sqlite_text(s, stmt, 2, attributes[i].name);
        sqlite_text(s, stmt, 3, attributes[i].value);
        sqlite_key(s, stmt, 4, number);
        s->group.rows++;
        rc = sqlite_run(s, stmt);
    }
    return rc;
}

static int
put_attributes(struct sqlite_store *s, const struct store_decision *decision,
               uint64_t number)
{
    int rc = write_attributes(s, STMT_ATTRIBUTE_DROP, decision->put, number,
                              decision->gone, decision->n_gone);
    if (rc == 0)
        rc = write_attributes(s, STMT_ATTRIBUTE_PUT, decision->put, number,
                              decision->come, decision->n_come);
    return rc;
}

static int
put_subscription(struct sqlite_store *s, const struct subscription_row *row,
                 const struct subscription_row *was, uint64_t *number)
{
    struct sqlite_channel *channel = sqlite_live_channel(s, row->channel);
    int rc;

    assert(channel && (!was || was->number == row->number));
    s->group.rows += 2;
    s->group.bytes += row->members.n;
    if (!was) {
        rc = subscription_add(s, row, number);
    } else {
        *number = row->number;
        rc = subscription_set(s, row, was);
    }
    if (rc < 0 || (was && was->inactive == row->inactive))
        return rc;
    count_subscription(s, channel, row->inactive, 1);
    if (was)
        count_subscription(s, channel, was->inactive, -1);
    return 0;
}

static int
count_reports(struct sqlite_store *s, const struct store_decision *decision,
              uint64_t notification)
{
    const enum sqlite_stmt count = STMT_NOTIFICATION_COUNT;
    int64_t delivered = 0, clicked = 0;

    for (size_t i = 0; i < decision->n_events; i++) {
        delivered += decision->events[i].type == EVENT_DELIVERY;
        clicked += decision->events[i].type == EVENT_CLICK;
    }
    sqlite_key(s, count, 1, notification);
    sqlite_int(s, count, 2, delivered);
    sqlite_int(s, count, 3, clicked);
    return sqlite_run(s, count);
}

static int
put_report(struct sqlite_store *s, const struct store_touch_item *item,
           uint64_t subscription)
{
    const enum sqlite_stmt put = STMT_REPORT_PUT;
    s->group.rows++;
    sqlite_text(s, put, 1, item->notification);
    sqlite_key(s, put, 2, subscription);
    sqlite_text(s, put, 3, item->report);
    sqlite_int(s, put, 4, clock_steady_ms(s->clock));
    return sqlite_run(s, put);
}

static int
write_events(struct sqlite_store *s, struct store_touch *touch,
             const struct store_decision *decision, uint64_t channel)
{
    const struct sqlite_rows rows = {decision->events, decision->n_events,
                                     decision->calls, decision->n_calls,
                                     touch->n_events};
    uint64_t first = 0;
    int rc = sqlite_append_rows(s, channel, &rows, &first);

    if (touch->n_events == 0)
        touch->first_key = first;
    assert(touch->first_key + touch->n_events == first);
    touch->n_events += decision->n_events;
    return rc;
}

static int
write_item(struct sqlite_store *s, struct store_touch *touch, size_t i,
           const struct store_decision *decision, const struct store_found *found)
{
    uint64_t number = found->subscription ? found->subscription->number : 0;
    int rc = sqlite_group_begin(s);

    if (rc == 0 && decision->put)
        rc = put_subscription(s, decision->put, found->subscription, &number);
    if (rc == 0 && decision->put)
        rc = put_attributes(s, decision, number);
    if (rc == 0 && decision->n_events)
        rc = write_events(s, touch, decision, found->channel);
    if (rc == 0 && decision->report)
        rc = put_report(s, &touch->items[i], number);
    if (rc == 0 && decision->report && found->notification)
        rc = count_reports(s, decision, found->notification->number);
    return rc;
}

/* What was found stays valid until its statements are reset, which is why they are only
 * when all is written: what is decided may point into it. */
static int
decide_and_write(struct sqlite_store *s, struct store_touch *touch, size_t i,
                 const struct finding *finding)
{
    const struct store_found *found = &finding->found;
    struct store_decision decision = {0};
    int refused = E_NOT_FOUND;

    if (found->channel)
        refused = touch->decide(touch, i, found, &decision);
    else
        touch->op.why = "no such subscription";
    if (refused) {
        assert(i == 0); /* nothing of this operation has been written */
        touch->op.result = refused;
        return 0;
    }
    if (!decision.put && !decision.n_events && !decision.report)
        return 0;
    return write_item(s, touch, i, &decision, found);
}

static int
touch_item(struct sqlite_store *s, struct store_touch *touch, size_t i)
{
    struct finding finding = {
        .s = s,
        .item = &touch->items[i],
        .found = {.reported_ms = MSEC_NEVER},
    };
    int rc = find(&finding, touch->channel);
    if (rc == 0)
        rc = decide_and_write(s, touch, i, &finding);
    finding_end(&finding);
    return rc;
}

int
sqlite_touch(struct sqlite_store *s, struct store_op *op)
{
    struct store_touch *touch = container_of(op, struct store_touch, op);
    int rc = 0;

    op->result = 0;
    touch->first_key = 0;
    touch->n_events = 0;
    if (touch->channel && !sqlite_live_channel(s, touch->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (touch->config != s->config)
        return sqlite_refuse(op, E_STALE, "the configuration has changed");
    for (size_t i = 0; i < touch->n && rc == 0 && op->result == 0; i++)
        rc = touch_item(s, touch, i);
    return rc;
}

int
sqlite_write_population(struct sqlite_store *s)
{
    const enum sqlite_stmt put = STMT_POPULATION_PUT;
    for (struct sqlite_channel *c = s->group.touched_channels; c; c = c->next_touched) {
        if (c->subscriptions[false] < 0 || c->subscriptions[true] < 0)
            return sqlite_damaged(s, "more subscriptions are gone than were counted");
        sqlite_key(s, put, 1, c->number);
        sqlite_int(s, put, 2, c->subscriptions[false]);
        sqlite_int(s, put, 3, c->subscriptions[true]);
        int rc = sqlite_run(s, put);
        if (rc < 0)
            return rc;
    }
    return 0;
}
