/* What must be there in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "registry_private.h"

void
run_notification_done(struct engine_notification *put)
{
    container_of(put, struct run_notification, put)->done = true;
}

void
run_check_same(const struct model_subscription *want,
               const struct model_subscription *got)
{
    assert_string_equal(got->id, want->id);
    assert_true(model_view_eq(&got->now, &want->now));
    assert_int_equal(got->tags, want->tags);
    assert_int_equal(got->version, want->version);
    assert_int_equal(got->device, want->device);
}

/* ---- subscriptions ---- */

struct list {
    struct engine_subscriptions list;
    struct model_subscription seen[MODEL_SUBSCRIPTIONS];
    int n;
    bool done;
};

static bool
list_each(struct engine_subscriptions *base, const struct subscription *subscription)
{
    struct list *list = container_of(base, struct list, list);
    assert_true(list->n < MODEL_SUBSCRIPTIONS);
    run_see(&list->seen[list->n++], subscription);
    return true;
}

static void
list_done(struct engine_subscriptions *list)
{
    container_of(list, struct list, list)->done = true;
}

/* All pages. */
static void
read_list(struct run *run, struct list *list, size_t page)
{
    list->n = 0;
    list->list.channel = run->sim.channel->number;
    list->list.after = 0;
    list->list.max_rows = page;
    list->list.each = list_each;
    list->list.done = list_done;
    do {
        list->done = false;
        engine_subscriptions(run->sim.engine, &list->list);
        sim_await(&run->sim, &list->done);
        assert_int_equal(list->list.result, 0);
        list->list.after = list->list.next;
    } while (list->list.next);
}

struct count {
    struct engine_subscription_count count;
    bool done;
};

static void
count_done(struct engine_subscription_count *count)
{
    container_of(count, struct count, count)->done = true;
}

void
run_check_subscriptions(struct run *run)
{
    struct count count = {
        .count = {.channel = run->sim.channel->number, .done = count_done}};
    struct list *list = xcalloc(1, sizeof(*list));
    uint64_t active = 0;

    read_list(run, list, 7);
    assert_int_equal(list->n, run->model.n);
    for (int i = 0; i < list->n; i++) {
        run_check_same(&run->model.subscriptions[i], &list->seen[i]);
        active += list->seen[i].now.active;
    }
    engine_subscription_count(run->sim.engine, &count.count);
    sim_await(&run->sim, &count.done);
    assert_int_equal(count.count.result, 0);
    assert_int_equal(count.count.active, active);
    assert_int_equal(count.count.inactive, (uint64_t)list->n - active);
    free(list);
}

static bool
has_value(const struct model_subscription *it, unsigned attribute, unsigned value)
{
    const struct model_value *all = &it->now.attributes[attribute];
    for (unsigned i = 0; i < all->n; i++)
        if (all->at[i] == value)
            return true;
    return false;
}

void
run_check_found(struct run *run)
{
    struct list *list = xcalloc(1, sizeof(*list));
    char name[8];

    list->list.name = (struct slice){name, 2};
    for (unsigned pair = 0; pair < MODEL_ATTRIBUTES * MODEL_VALUES; pair++) {
        unsigned attribute = pair % MODEL_ATTRIBUTES, value = pair / MODEL_ATTRIBUTES;
        int n = 0;
        snprintf(name, sizeof(name), "a%u", attribute);
        list->list.values[0] = slice_of(model_values[value]);
        read_list(run, list, 3);
        for (int i = 0; i < run->model.n; i++) {
            const struct model_subscription *it = &run->model.subscriptions[i];
            if (!has_value(it, attribute, value))
                continue;
            assert_true(n < list->n);
            assert_string_equal(list->seen[n++].id, it->id);
        }
        assert_int_equal(list->n, n);
    }
    free(list);
}

/* ---- notifications ---- */

struct pushes {
    struct engine_notifications list;
    uint64_t delivered, clicked;
    size_t n;
    bool done;
};

static void
push_each(struct engine_notifications *list, const struct notification_row *row)
{
    struct pushes *pushes = container_of(list, struct pushes, list);
    assert_true(slice_is(row->id, model_pushes[0]));
    pushes->delivered = row->delivered;
    pushes->clicked = row->clicked;
    pushes->n++;
}

static void
pushes_done(struct engine_notifications *list)
{
    container_of(list, struct pushes, list)->done = true;
}

void
run_check_notifications(struct run *run)
{
    struct pushes pushes = {.list = {.channel = run->sim.channel->number,
                                     .before = UINT64_MAX,
                                     .limit = 10,
                                     .each = push_each,
                                     .done = pushes_done}};
    engine_notifications(run->sim.engine, &pushes.list);
    sim_await(&run->sim, &pushes.done);
    assert_int_equal(pushes.list.result, 0);
    assert_int_equal(pushes.n, 1);
    assert_int_equal(pushes.delivered, run->model.reports[0][0]);
    assert_int_equal(pushes.clicked, run->model.reports[1][0]);
}

/* ---- events ---- */

struct told {
    uint64_t key;
    enum event_type type;
    struct buf body;
};

struct reading {
    struct engine_events list;
    struct told *told; /* newest first */
    size_t n;
    bool done;
};

static void
event_each(struct engine_events *list, const struct event_record *event)
{
    struct reading *reading = container_of(list, struct reading, list);
    assert_true(reading->n < MODEL_EVENTS);
    struct told *told = &reading->told[reading->n++];
    told->key = event->key;
    told->type = event->type;
    buf_init(&told->body, EVENT_MAX_BYTES);
    assert_int_equal(buf_add(&told->body, event->body.p, event->body.n), 0);
}

static void
events_done(struct engine_events *list)
{
    container_of(list, struct reading, list)->done = true;
}

static void
read_events(struct run *run, struct reading *reading)
{
    reading->list = (struct engine_events){.channel = run->sim.channel->number,
                                           .types = EVENT_ALL_TYPES,
                                           .before_key = UINT64_MAX,
                                           .limit = 50,
                                           .each = event_each,
                                           .done = events_done};
    do {
        reading->done = false;
        engine_events(run->sim.engine, &reading->list);
        sim_await(&run->sim, &reading->done);
        assert_int_equal(reading->list.result, 0);
        reading->list.before_key = reading->list.next_key;
    } while (reading->list.next_key);
}

/* ---- whoever is told them ---- */

/* The payload is one that others could have sent. */
static void
check_form(struct run *run, struct event_batch *batch, const struct told *told,
           const char *id)
{
    const struct event_limits limits = {.max_events = 1,
                                        .max_event_bytes = EVENT_MAX_BYTES};
    struct event_error error;
    int rc = event_batch_parse(batch, buf_slice(&told->body), EVENT_FORMAT_JSON,
                               slice_of(run->sim.channel->id), &limits, &error);
    if (rc != 0)
        fail_msg("%s: %s: %s", told->body.p, error.pointer, error.reason);
    assert_int_equal(batch->n, 1);
    assert_int_equal(batch->events[0].type, told->type);
    assert_true(slice_is(batch->events[0].subscription, id));
}

static struct slice
member_of(const struct json_doc *doc, const char *object, const char *name)
{
    const struct json_token *of = &doc->tokens[0];
    if (object)
        of = json_member(doc, of, object);
    const struct json_token *member = of ? json_member(doc, of, name) : NULL;
    return member ? json_raw(doc, member) : (struct slice){NULL, 0};
}

static unsigned
topics_of(const struct json_doc *doc, const char *object, const char *name)
{
    unsigned topics;
    assert_true(model_read_bits(member_of(doc, object, name), 't', &topics));
    return topics;
}

static void
hear(struct model_view *view, const struct json_doc *doc,
     const struct model_event *event)
{
    unsigned added;

    switch (event->type) {
    case EVENT_OPT_IN:
        view->active = true;
        view->topics = 0;
        break;
    case EVENT_OPT_OUT:
        view->active = false;
        view->topics = topics_of(doc, "subscription", "topics");
        assert_int_equal(view->topics, 0);
        break;
    case EVENT_UPDATE_TOPICS:
        view->topics = topics_of(doc, "subscription", "topics");
        break;
    case EVENT_TOPIC_ADDED:
        view->topics = topics_of(doc, "subscription", "topics");
        assert_int_equal(view->topics, event->topics_before);
        added = topics_of(doc, NULL, "newTopicsIds");
        assert_true(added && !(view->topics & added));
        view->topics |= added;
        break;
    case EVENT_ATTRIBUTE_UPDATE:
        assert_int_equal(topics_of(doc, "subscription", "topics"),
                         event->after.now.topics);
        assert_true(model_read_attributes(
            member_of(doc, "subscription", "customAttributes"), view->attributes));
        break;
    case EVENT_DELIVERY:
    case EVENT_CLICK:
    case EVENT_TYPES:
        break;
    }
}

static void
check_heard(const struct model_view *heard, const struct model_subscription *it)
{
    struct model_view want = it->now;
    if (it->untold_active)
        want.active = heard->active;
    if (it->untold_topics)
        want.topics = heard->topics;
    if (it->untold_attributes)
        memcpy(want.attributes, heard->attributes, sizeof(want.attributes));
    assert_true(model_view_eq(heard, &want));
}

static void
replay(struct run *run, const struct reading *reading)
{
    struct model *model = &run->model;
    struct model_view *views = xcalloc(MODEL_SUBSCRIPTIONS, sizeof(*views));
    struct event_batch batch;
    struct json_doc doc;
    struct json_error error;

    event_batch_init(&batch);
    json_init(&doc);
    for (size_t i = 0; i < model->n_events; i++) {
        const struct told *told = &reading->told[model->n_events - 1 - i];
        const struct model_event *event = &model->events[i];
        assert_int_equal(told->type, event->type);
        check_form(run, &batch, told, model->subscriptions[event->at].id);
        assert_int_equal(json_parse(&doc, told->body.p, told->body.n, &error), 0);
        hear(&views[event->at], &doc, event);
        if (event->last)
            check_heard(&views[event->at], &event->after);
    }
    for (int i = 0; i < model->n; i++)
        check_heard(&views[i], &model->subscriptions[i]);
    event_batch_fini(&batch);
    json_fini(&doc);
    free(views);
}

/* ---- their calls ---- */

struct calls {
    struct engine_event read;
    struct run *run;
    unsigned webhooks; /* that there are calls to */
    bool done;
};

static void
look_event(struct engine_event *read, const struct event_record *event)
{
    (void)read;
    (void)event;
}

static void
look_call(struct engine_event *read, const struct call_record *call,
          const struct explain *explain)
{
    struct calls *calls = container_of(read, struct calls, read);
    const struct run *run = calls->run;
    size_t at = 0;

    (void)explain;
    while (run->webhooks[at].number != call->webhook)
        assert_true(++at < run->n_webhooks);
    calls->webhooks |= 1u << at;
    if (call->state == CALL_CANCELLED)
        assert_true(run->webhooks[at].deleted);
    else
        assert_int_equal(call->state, CALL_SUCCEEDED);
    if (call->state == CALL_SUCCEEDED)
        assert_true(sim_call(&calls->run->sim, call->event, call->webhook)->delivered >
                    0);
}

static void
calls_done(struct engine_event *read)
{
    container_of(read, struct calls, read)->done = true;
}

static void
check_calls(struct run *run, uint64_t key, unsigned webhooks)
{
    struct calls calls = {.read = {.channel = run->sim.channel->number,
                                   .key = key,
                                   .event = look_event,
                                   .call = look_call,
                                   .done = calls_done},
                          .run = run};
    engine_event(run->sim.engine, &calls.read);
    sim_await(&run->sim, &calls.done);
    assert_int_equal(calls.read.result, 0);
    assert_int_equal(calls.webhooks, webhooks);
}

void
run_check_events(struct run *run)
{
    struct reading reading = {.told = xcalloc(MODEL_EVENTS, sizeof(*reading.told))};
    size_t n = run->model.n_events;

    read_events(run, &reading);
    assert_int_equal(reading.n, n);
    replay(run, &reading);
    for (size_t i = 0; i < n; i++)
        check_calls(run, reading.told[n - 1 - i].key, run->model.events[i].webhooks);
    for (size_t i = 0; i < n; i++)
        buf_fini(&reading.told[i].body);
    free(reading.told);
}
