/* Subscriptions, notifications and reports, as plain arrays that are searched from the
 * front. */
#include "store/memory_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- finding ---- */

static struct memory_subscription *
find_subscription(const struct memory_store *m, uint64_t channel, struct slice id,
                  uint64_t token)
{
    for (size_t i = 0; i < m->n_subscriptions; i++) {
        struct memory_subscription *s = &m->subscriptions[i];
        if (s->row.channel == channel && id.n && slice_eq(s->row.id, id))
            return s;
    }
    for (size_t i = 0; token && i < m->n_subscriptions; i++) {
        struct memory_subscription *s = &m->subscriptions[i];
        if (s->row.channel == channel && s->row.token == token && !s->row.inactive)
            return s;
    }
    return NULL;
}

static struct notification_row *
find_notification(const struct memory_store *m, uint64_t channel, struct slice id)
{
    for (size_t i = 0; i < m->n_notifications; i++)
        if (m->notifications[i].channel == channel &&
            slice_eq(m->notifications[i].id, id))
            return &m->notifications[i];
    return NULL;
}

static struct memory_report *
find_report(const struct memory_store *m, uint64_t subscription,
            const struct store_touch_item *item)
{
    for (size_t i = 0; i < m->n_reports; i++) {
        struct memory_report *r = &m->reports[i];
        if (r->subscription == subscription &&
            slice_eq(r->notification, item->notification) &&
            slice_eq(r->what, item->report))
            return r;
    }
    return NULL;
}

static uint64_t
find_channel(const struct memory_store *m, const struct store_touch_item *item)
{
    uint64_t first = 0;

    for (size_t i = 0; i < m->n_subscriptions; i++) { /* in the order of their making */
        const struct subscription_row *row = &m->subscriptions[i].row;
        if (!memory_channel(m, row->channel) || !slice_eq(row->id, item->id))
            continue;
        if (find_notification(m, row->channel, item->notification))
            return row->channel;
        first = first ? first : row->channel;
    }
    return first;
}

/* ---- writing ---- */

static void
row_own(struct subscription_row *row)
{
    row->id = memory_own(row->id);
    row->members = memory_own(row->members);
}

static void
row_disown(struct subscription_row *row)
{
    memory_disown(row->id);
    memory_disown(row->members);
}

/* *was: what it replaces, the caller's from then on. */
static uint64_t
put_subscription(struct memory_store *m, const struct subscription_row *row,
                 struct subscription_row *was)
{
    struct subscription_row copy = *row;

    row_own(&copy);
    if (row->number) {
        assert(row->number <= m->n_subscriptions);
        struct memory_subscription *kept = &m->subscriptions[row->number - 1];
        *was = kept->row;
        kept->row = copy;
        return row->number;
    }
    MEMORY_GROW(m->subscriptions, m->n_subscriptions);
    copy.number = m->n_subscriptions + 1;
    m->subscriptions[m->n_subscriptions++].row = copy;
    return copy.number;
}

static struct memory_attribute *
find_attribute(const struct memory_store *m, uint64_t subscription,
               const struct store_attribute *wanted)
{
    for (size_t i = 0; i < m->n_attributes; i++) {
        struct memory_attribute *a = &m->attributes[i];
        if (a->subscription == subscription && slice_eq(a->name, wanted->name) &&
            slice_eq(a->value, wanted->value))
            return a;
    }
    return NULL;
}

static void
put_attributes(struct memory_store *m, const struct store_decision *decision,
               uint64_t number)
{
    for (size_t i = 0; i < decision->n_gone; i++) {
        struct memory_attribute *a = find_attribute(m, number, &decision->gone[i]);
        if (a)
            a->subscription = 0;
    }
    for (size_t i = 0; i < decision->n_come; i++) {
        if (find_attribute(m, number, &decision->come[i]))
            continue;
        MEMORY_GROW(m->attributes, m->n_attributes);
        m->attributes[m->n_attributes++] = (struct memory_attribute){
            .subscription = number,
            .name = memory_own(decision->come[i].name),
            .value = memory_own(decision->come[i].value),
        };
    }
}

static bool
is_found_by(const struct memory_store *m, uint64_t number,
            const struct store_subscriptions *list)
{
    if (!list->name.n)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(list->values); i++) {
        const struct store_attribute wanted = {list->name, list->values[i]};
        if (find_attribute(m, number, &wanted))
            return true;
    }
    return false;
}

static void
put_report(struct memory_store *m, const struct store_touch_item *item,
           uint64_t subscription)
{
    struct memory_report *report = find_report(m, subscription, item);

    if (!report) {
        MEMORY_GROW(m->reports, m->n_reports);
        report = &m->reports[m->n_reports++];
        *report = (struct memory_report){
            .subscription = subscription,
            .notification = memory_own(item->notification),
            .what = memory_own(item->report),
        };
    }
    report->at_ms = clock_steady_ms(m->clock);
}

static void
write_item(struct memory_store *m, struct store_touch *touch,
           const struct store_touch_item *item, const struct store_decision *decision,
           const struct store_found *found)
{
    uint64_t number = found->subscription ? found->subscription->number : 0;
    struct notification_row *notification =
        found->notification ? &m->notifications[found->notification->number - 1] : NULL;
    struct subscription_row was = {0};

    if (decision->put) {
        number = put_subscription(m, decision->put, &was);
        put_attributes(m, decision, number);
    }
    if (decision->n_events) {
        uint64_t first =
            memory_append_rows(m, found->channel, decision->events, decision->n_events,
                               decision->calls, decision->n_calls, touch->n_events);
        if (touch->n_events == 0)
            touch->first_key = first;
        assert(touch->first_key + touch->n_events == first);
        touch->n_events += decision->n_events;
    }
    if (decision->report)
        put_report(m, item, number);
    for (size_t i = 0; decision->report && notification && i < decision->n_events;
         i++) {
        notification->delivered += decision->events[i].type == EVENT_DELIVERY;
        notification->clicked += decision->events[i].type == EVENT_CLICK;
    }
    row_disown(&was); /* only now: what is decided may point into it */
}

static void
touch_item(struct memory_store *m, struct store_touch *touch, size_t i)
{
    const struct store_touch_item *item = &touch->items[i];
    uint64_t channel = touch->channel ? touch->channel : find_channel(m, item);
    struct store_decision decision = {0};

    if (!channel) {
        memory_refuse(&touch->op, E_NOT_FOUND, "no such subscription");
        return;
    }
    const struct memory_subscription *s =
        find_subscription(m, channel, item->id, item->token);
    struct notification_row *n =
        item->notification.n ? find_notification(m, channel, item->notification) : NULL;
    struct memory_report *report =
        item->report.n && s ? find_report(m, s->row.number, item) : NULL;
    struct subscription_row subscription = {0};
    if (s)
        subscription = s->row;
    const struct store_found found = {
        .channel = channel,
        .subscription = s ? &subscription : NULL,
        .notification = n,
        .reported_ms = report ? report->at_ms : MSEC_NEVER,
    };
    touch->op.result = touch->decide(touch, i, &found, &decision);
    if (touch->op.result == 0)
        write_item(m, touch, item, &decision, &found);
    else
        assert(i == 0);
}

void
memory_touch(struct memory_store *m, struct store_op *op)
{
    struct store_touch *touch = container_of(op, struct store_touch, op);

    touch->first_key = 0;
    touch->n_events = 0;
    if (touch->channel && !memory_channel(m, touch->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
    } else if (touch->config != m->config) {
        memory_refuse(op, E_STALE, "the configuration has changed");
    } else {
        for (size_t i = 0; i < touch->n && op->result == 0; i++)
            touch_item(m, touch, i);
    }
}

void
memory_put_notification(struct memory_store *m, struct store_op *op)
{
    struct store_put_notification *put =
        container_of(op, struct store_put_notification, op);
    struct notification_row *row = put->row;

    if (!memory_channel(m, row->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    struct notification_row *kept = find_notification(m, row->channel, row->id);
    put->known = kept != NULL;
    if (!kept) {
        MEMORY_GROW(m->notifications, m->n_notifications);
        kept = &m->notifications[m->n_notifications++];
        *kept = (struct notification_row){
            .number = m->n_notifications,
            .channel = row->channel,
            .id = memory_own(row->id),
            .created_ms = row->created_ms,
        };
    } else {
        memory_disown(kept->feed_guid);
        memory_disown(kept->body);
    }
    kept->feed_guid = memory_own(row->feed_guid);
    kept->body = memory_own(row->body);
    row->number = kept->number;
    row->created_ms = kept->created_ms;
    row->delivered = kept->delivered;
    row->clicked = kept->clicked;
}

/* ---- reads ---- */

void
memory_subscriptions(struct memory_store *m, struct store_op *op)
{
    struct store_subscriptions *list = container_of(op, struct store_subscriptions, op);
    struct slice wanted = list->id.n ? list->id : list->after_id;
    uint64_t after = list->after;
    size_t examined = 0;

    list->next = 0;
    if (!memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (wanted.n) {
        struct memory_subscription *one =
            find_subscription(m, list->channel, wanted, 0);
        if (!one) {
            memory_refuse(op, E_NOT_FOUND, "no such subscription");
            return;
        }
        if (list->id.n) {
            (void)list->each(list, &one->row);
            return;
        }
        after = one->row.number;
    }
    for (uint64_t i = after; i < m->n_subscriptions; i++) {
        const struct subscription_row *row = &m->subscriptions[i].row;
        if (row->channel != list->channel || !is_found_by(m, row->number, list))
            continue;
        if (examined++ == list->max_rows) {
            list->next = after;
            return;
        }
        after = row->number;
        if (!list->each(list, row)) {
            list->next = after;
            return;
        }
    }
}

void
memory_subscription_count(struct memory_store *m, struct store_op *op)
{
    struct store_subscription_count *count =
        container_of(op, struct store_subscription_count, op);

    if (!memory_channel(m, count->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    count->active = count->inactive = 0;
    for (size_t i = 0; i < m->n_subscriptions; i++) {
        const struct subscription_row *row = &m->subscriptions[i].row;
        if (row->channel == count->channel)
            *(row->inactive ? &count->inactive : &count->active) += 1;
    }
}

void
memory_notifications(struct memory_store *m, struct store_op *op)
{
    struct store_notifications *list = container_of(op, struct store_notifications, op);
    size_t n = 0;

    list->next = 0;
    if (!memory_channel(m, list->channel)) {
        memory_refuse(op, E_NOT_FOUND, "no such channel");
        return;
    }
    if (list->id.n) {
        const struct notification_row *row =
            find_notification(m, list->channel, list->id);
        if (row)
            list->each(list, row);
        else
            memory_refuse(op, E_NOT_FOUND, "no such notification");
        return;
    }
    uint64_t last = 0;
    for (size_t i = m->n_notifications; i-- > 0;) {
        const struct notification_row *row = &m->notifications[i];
        if (row->channel != list->channel || row->number >= list->before)
            continue;
        if (n++ == list->limit) {
            list->next = last;
            return;
        }
        last = row->number;
        list->each(list, row);
    }
}

void
memory_registry_free(struct memory_store *m)
{
    for (size_t i = 0; i < m->n_subscriptions; i++)
        row_disown(&m->subscriptions[i].row);
    for (size_t i = 0; i < m->n_notifications; i++) {
        memory_disown(m->notifications[i].id);
        memory_disown(m->notifications[i].feed_guid);
        memory_disown(m->notifications[i].body);
    }
    for (size_t i = 0; i < m->n_reports; i++) {
        memory_disown(m->reports[i].notification);
        memory_disown(m->reports[i].what);
    }
    for (size_t i = 0; i < m->n_attributes; i++) {
        memory_disown(m->attributes[i].name);
        memory_disown(m->attributes[i].value);
    }
    free(m->attributes);
    free(m->subscriptions);
    free(m->notifications);
    free(m->reports);
}
