#include "registry_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "registry_private.h"
#include "world_private.h"

#define TEXT_BYTES 8192

/* Every receiver is tried until it is well. */
static const struct retry_policy patient = {.max_retries = 1000000,
                                            .initial_delay_ms = 1000,
                                            .factor = 2,
                                            .max_delay_ms = 60000};

unsigned
run_dice(struct run *run, unsigned sides)
{
    return (unsigned)rng_below(&run->sim.script.rng, sides);
}

/* ---- begin and end ---- */

static void
add_webhook(struct run *run)
{
    run->webhooks[run->n_webhooks++] = (struct run_webhook){
        .number = sim_webhook_with(&run->sim, &patient),
        .types = EVENT_ALL_TYPES,
        .enabled = true,
    };
}

static void
put_notification(struct run *run, const char *id)
{
    struct run_notification put = {
        .row = {.channel = run->sim.channel->number,
                .id = slice_of(id),
                .feed_guid = SLICE("[\"feed\"]"),
                .body = SLICE("\"title\":\"t\"")},
        .put = {.row = &put.row, .done = run_notification_done},
    };
    engine_put_notification(run->sim.engine, &put.put);
    sim_await(&run->sim, &put.done);
    assert_int_equal(put.put.result, 0);
}

void
run_init(struct run *run, uint64_t seed)
{
    sim_init(&run->sim, seed);
    run->sim.policy = &patient;
    run->sim.disk_latency_ms = seed % 2 ? 0 : (msec_t)(seed % 300);
    for (size_t i = 0; i < RUN_QUEUE; i++) {
        buf_init(&run->steps[i].text, TEXT_BYTES);
        assert_int_equal(buf_reserve(&run->steps[i].text, TEXT_BYTES), 0);
    }
    add_webhook(run);
    add_webhook(run);
    put_notification(run, model_pushes[0]); /* the other ones are not known */
    run_draw_receiver(run);
}

void
run_fini(struct run *run)
{
    for (size_t i = 0; i < RUN_QUEUE; i++)
        buf_fini(&run->steps[i].text);
    sim_fini(&run->sim);
}

void
run_draw_receiver(struct run *run)
{
    run->sim.receiver = (struct sim_receiver){
        .ok_percent = 30 + run_dice(run, 71),
        .timeout_percent = run_dice(run, 20),
        .latency_max_ms = run_dice(run, 3000),
    };
}

void
run_change_webhooks(struct run *run)
{
    struct run_webhook *webhook =
        &run->webhooks[run_dice(run, (unsigned)run->n_webhooks)];

    if (run->n_webhooks < RUN_WEBHOOKS && run_dice(run, 4) == 0) {
        add_webhook(run);
    } else if (!webhook->deleted && run_dice(run, 8) == 0) {
        sim_delete(&run->sim, webhook->number);
        webhook->deleted = true;
    } else if (!webhook->deleted) {
        webhook->enabled = !webhook->enabled;
        sim_enable(&run->sim, webhook->number, webhook->enabled);
    }
}

void
run_let_all_end(struct run *run)
{
    run->sim.receiver = (struct sim_receiver){.ok_percent = 100};
    for (size_t i = 0; i < run->n_webhooks; i++)
        if (!run->webhooks[i].deleted)
            sim_enable(&run->sim, run->webhooks[i].number, true);
    sim_run(&run->sim, (msec_t)24 * 3600 * 1000);
    assert_int_equal(run->sim.in_flight, 0);
}

/* ---- requests ---- */

int
run_pick_active(struct run *run)
{
    int n = run->model.n;
    int first = n ? (int)run_dice(run, (unsigned)n) : 0;

    for (int i = 0; i < n; i++)
        if (run->model.subscriptions[(first + i) % n].now.active)
            return (first + i) % n;
    return -1;
}

static struct model_value
draw_value(struct run *run, unsigned attribute)
{
    struct model_value value = {.set = true};
    unsigned n = attribute < MODEL_FIRST_LIST ? 1 : run_dice(run, MODEL_VALUES + 1);
    unsigned first = run_dice(run, MODEL_VALUES);

    for (; value.n < n; value.n++)
        value.at[value.n] = (uint8_t)((first + value.n) % MODEL_VALUES);
    return value;
}

static void
draw_attributes(struct run *run, struct model_request *request)
{
    for (unsigned i = 0; i < MODEL_ATTRIBUTES; i++)
        if (run_dice(run, 3) == 0)
            request->attributes[i] = draw_value(run, i);
}

static void
draw_topics(struct run *run, struct model_request *request)
{
    request->has_topics = run_dice(run, 4) > 0;
    request->topics = run_dice(run, 1u << MODEL_TOPICS);
}

void
run_draw_replace(struct run *run, struct model_request *request)
{
    *request = (struct model_request){.kind = CHANGE_REPLACE, .at = MODEL_NONE};
    if (run->model.n && run_dice(run, 2))
        request->at = (int)run_dice(run, (unsigned)run->model.n);
    snprintf(request->id, sizeof(request->id), "own-%u", run_dice(run, 4));
    draw_topics(run, request);
    draw_attributes(run, request);
    request->tags = run_dice(run, 1u << MODEL_TAGS);
    request->device = run_dice(run, RUN_DEVICES + 1);
    request->version = run_dice(run, 2) ? 0 : 1 + run_dice(run, 20);
    request->inactive = run_dice(run, 4) == 0;
    request->silent = run_dice(run, 4) == 0;
}

static void
draw_sync(struct run *run, struct model_request *request)
{
    int64_t version = 0;

    if (request->at >= 0)
        version = run->model.subscriptions[request->at].version;
    if (request->at < 0 && run_dice(run, 4) > 0) /* so that not too many are made */
        request->device = 1 + run_dice(run, RUN_DEVICES);
    else
        request->device = run_dice(run, RUN_DEVICES + 1);
    draw_topics(run, request);
    if (request->at >= 0 && run_dice(run, 2)) /* often a little more, or the same */
        request->topics |= run->model.subscriptions[request->at].now.topics;
    version += (int64_t)run_dice(run, 5) - 2;
    request->version = version > 0 && request->has_topics ? version : 0;
    if (run_dice(run, 3) == 0)
        draw_attributes(run, request);
}

static void
draw_edit(struct run *run, struct model_request *request)
{
    draw_topics(run, request);
    draw_attributes(run, request);
    for (unsigned i = 0; i < MODEL_ATTRIBUTES; i++)
        if (!request->attributes[i].set && run_dice(run, 4) == 0)
            request->cleared |= 1u << i;
}

static void
draw_attribute(struct run *run, struct model_request *request)
{
    bool list = request->kind == CHANGE_ATTRIBUTE_PUSH ||
                request->kind == CHANGE_ATTRIBUTE_PULL;
    request->item =
        list ? MODEL_FIRST_LIST + run_dice(run, 2) : run_dice(run, MODEL_ATTRIBUTES);
    request->value = draw_value(run, list ? 0 : request->item);
}

void
run_draw_request(struct run *run, struct model_request *request)
{
    *request =
        (struct model_request){.kind = run_dice(run, CHANGES), .at = MODEL_UNKNOWN};
    if (run->model.n && run_dice(run, 10) > 0)
        request->at = (int)run_dice(run, (unsigned)run->model.n);
    switch (request->kind) {
    case CHANGE_REPLACE:
        run_draw_replace(run, request);
        break;
    case CHANGE_SYNC:
        draw_sync(run, request);
        break;
    case CHANGE_EDIT:
        draw_edit(run, request);
        break;
    case CHANGE_OPT_OUT:
        break;
    case CHANGE_TOPIC_ADD:
    case CHANGE_TOPIC_REMOVE:
        request->item = run_dice(run, MODEL_TOPICS);
        break;
    case CHANGE_TAG_ADD:
    case CHANGE_TAG_REMOVE:
        request->item = run_dice(run, MODEL_TAGS);
        break;
    case CHANGE_ATTRIBUTE_SET:
    case CHANGE_ATTRIBUTE_PUSH:
    case CHANGE_ATTRIBUTE_PULL:
    case CHANGE_ATTRIBUTE_CLEAR:
        draw_attribute(run, request);
        break;
    case CHANGE_DELIVERED:
    case CHANGE_CLICKED:
        request->push = run_dice(run, MODEL_PUSHES);
        request->action = run_dice(run, MODEL_ACTIONS);
        break;
    case CHANGES:
        abort();
    }
}

/* ---- as a change ---- */

/* What was added to the text since `begin`. */
static struct slice
text_since(const struct run_step *step, size_t begin)
{
    assert_int_equal(step->text.failed, 0);
    return (struct slice){step->text.p + begin, step->text.n - begin};
}

static struct slice
add_numbered(struct run_step *step, const char *before, int64_t number,
             const char *after)
{
    size_t begin = step->text.n;
    buf_addf(&step->text, "%s%lld%s", before, (long long)number, after);
    return text_since(step, begin);
}

static void
give(struct run_step *step, const struct model_request *request, struct change *change)
{
    size_t begin;

    if (request->has_topics) {
        begin = step->text.n;
        model_write_bits(&step->text, 't', request->topics);
        change->given[MEMBER_TOPICS] = text_since(step, begin);
    }
    if (request->version)
        change->given[MEMBER_TOPICS_VERSION] =
            add_numbered(step, "", request->version, "");
    if (request->device)
        change->given[MEMBER_FCM_TOKEN] =
            add_numbered(step, "\"d", request->device, "\"");
    if (request->kind == CHANGE_REPLACE) {
        begin = step->text.n;
        model_write_bits(&step->text, 'g', request->tags);
        change->given[MEMBER_TAGS] = text_since(step, begin);
    }
    begin = step->text.n;
    model_write_attributes(&step->text, request->attributes);
    if (step->text.n - begin > 2)
        change->given[MEMBER_ATTRIBUTES] = text_since(step, begin);
}

static struct slice
item_of(struct run_step *step, const struct model_request *request)
{
    bool topic =
        request->kind == CHANGE_TOPIC_ADD || request->kind == CHANGE_TOPIC_REMOVE;
    bool tag = request->kind == CHANGE_TAG_ADD || request->kind == CHANGE_TAG_REMOVE;
    return add_numbered(step, topic ? "t" : tag ? "g" : "a", request->item, "");
}

static struct change
change_of(struct run_step *step, const struct model_request *request)
{
    const struct model *model = &step->run->model;
    struct change change = {
        .kind = request->kind,
        .notification = slice_of(
            change_is_report(request->kind) ? model_pushes[request->push] : ""),
        .action = slice_of(
            request->kind == CHANGE_CLICKED ? model_actions[request->action] : ""),
        .cleared = step->cleared,
        .inactive = request->inactive,
        .silent = request->silent,
    };
    if (request->at >= 0)
        change.id = slice_of(model->subscriptions[request->at].id);
    else if (request->kind == CHANGE_REPLACE)
        change.id = slice_of(request->id);
    else if (request->at == MODEL_UNKNOWN)
        change.id = SLICE("nobody");
    change.item = item_of(step, request);
    give(step, request, &change);
    for (unsigned i = 0; i < MODEL_ATTRIBUTES; i++)
        if (request->cleared & 1u << i)
            step->cleared[change.n_cleared++] = add_numbered(step, "a", i, "");
    if (request->value.set) {
        bool one = request->kind == CHANGE_ATTRIBUTE_PUSH ||
                   request->kind == CHANGE_ATTRIBUTE_PULL;
        size_t begin = step->text.n;
        model_write_value(&step->text, one ? 0 : request->item, &request->value);
        change.value = text_since(step, begin);
    }
    return change;
}

void
run_see(struct model_subscription *out, const struct subscription *subscription)
{
    static const struct slice none = {"[]", 2};
    struct slice tags = subscription->member[MEMBER_TAGS];
    struct slice attributes = subscription->member[MEMBER_ATTRIBUTES];
    struct slice device = subscription->member[MEMBER_FCM_TOKEN];

    *out = (struct model_subscription){
        .now.active = !subscription->inactive,
        .version = subscription_topics_version(subscription),
    };
    memcpy(out->id, subscription->id, sizeof(out->id));
    assert_true(
        model_read_bits(subscription->member[MEMBER_TOPICS], 't', &out->now.topics));
    assert_true(model_read_bits(tags.p ? tags : none, 'g', &out->tags));
    if (attributes.p)
        assert_true(model_read_attributes(attributes, out->now.attributes));
    if (device.p)
        out->device = (unsigned)(device.p[2] - '0');
}

static void
applied(struct engine_touch *touch, size_t i, const struct subscription *after,
        const struct channel *channel)
{
    struct run_step *step = container_of(touch, struct run_step, touch.touch);
    struct run_seen *seen = &step->seen[i];

    assert_string_equal(channel->id, step->run->sim.channel->id);
    assert_false(seen->there);
    seen->there = true;
    seen->at_ms = sim_now(&step->run->sim);
    run_see(&seen->after, after);
}

static struct run_step *
next_step(struct run *run)
{
    assert_true(run->n_steps < RUN_QUEUE);
    struct run_step *step = &run->steps[run->n_steps++];
    struct buf text = step->text;
    buf_reset(&text);
    *step = (struct run_step){.run = run, .text = text};
    return step;
}

void
run_ask(struct run *run, const struct model_request *requests, size_t n)
{
    struct run_step *step = next_step(run);
    enum change_kind kind = requests[0].kind;

    for (size_t i = 0; i < n; i++) {
        step->requests[i] = requests[i];
        step->changes[i] = change_of(step, &step->requests[i]);
    }
    step->touch = (struct sim_touch){
        .touch = {.changes = step->changes, .n = n, .applied = applied},
        .anywhere =
            kind != CHANGE_SYNC && kind != CHANGE_REPLACE && run_dice(run, 4) == 0,
    };
    sim_touch_start(&run->sim, &step->touch);
}

/* ---- a webhook's types ---- */

static int
apply_types(struct engine *engine, struct engine_change *change)
{
    struct run_step *step = container_of(change, struct run_step, config);
    struct webhook *now =
        engine_webhook_numbered(engine, step->run->webhooks[step->webhook].number);
    assert_non_null(now);
    change->webhook = webhook_copy(now);
    change->webhook->types = step->types;
    webhook_unref(now);
    return 0;
}

static void
types_done(struct engine_change *change)
{
    container_of(change, struct run_step, config)->done = true;
}

void
run_change_types(struct run *run)
{
    size_t at = run_dice(run, (unsigned)run->n_webhooks);

    if (run->webhooks[at].deleted)
        return;
    struct run_step *step = next_step(run);
    step->webhook = at;
    step->types = run_dice(run, EVENT_ALL_TYPES + 1);
    step->config = (struct engine_change){.apply = apply_types, .done = types_done};
    engine_change(run->sim.engine, &step->config);
}

/* ---- answers ---- */

/* True when nothing of it has happened. */
static bool
is_refused(const struct run *run, int result)
{
    if (result == E_CLOSED)
        assert_true(run->crashed);
    if (result == E_FULL)
        assert_true(run->full);
    return result == E_CLOSED || result == E_FULL;
}

static void
check_seen(struct model_subscription *want, const struct run_seen *seen)
{
    assert_true(seen->there);
    if (!want->id[0]) {
        assert_int_equal(strlen(seen->after.id), ID_MADE);
        memcpy(want->id, seen->after.id, sizeof(want->id));
    }
    run_check_same(want, &seen->after);
}

static unsigned
who_wants(const struct run *run, enum event_type type)
{
    unsigned webhooks = 0;
    for (size_t i = 0; i < run->n_webhooks; i++)
        if (!run->webhooks[i].deleted && run->webhooks[i].types & 1u << type)
            webhooks |= 1u << i;
    return webhooks;
}

static void
answer_touch(struct run *run, struct run_step *step)
{
    const struct engine_touch *touch = &step->touch.touch;
    struct model *model = &run->model;
    uint32_t told[EVENT_TYPES] = {0};
    int result = 0;

    if (is_refused(run, touch->result))
        return;
    for (size_t i = 0; i < touch->n && result == 0; i++) {
        size_t first = model->n_events;
        int at;
        result = model_apply(model, &step->requests[i], step->seen[i].at_ms, &at);
        if (result == 0)
            check_seen(&model->subscriptions[at], &step->seen[i]);
        for (size_t e = first; e < model->n_events; e++) {
            model->events[e].webhooks = who_wants(run, model->events[e].type);
            told[model->events[e].type]++;
        }
    }
    assert_int_equal(touch->result, result);
    for (size_t type = 0; type < EVENT_TYPES && result == 0; type++) {
        assert_int_equal(touch->events_by_type[type], told[type]);
        run->told[type] += told[type];
    }
}

void
run_answer(struct run *run)
{
    for (size_t i = 0; i < run->n_steps; i++) {
        struct run_step *step = &run->steps[i];
        bool *done = step->touch.touch.n ? &step->touch.done : &step->done;
        assert_true(*done || !run->crashed);
        sim_await(&run->sim, done);
    }
    /* In the order in which they were asked: those of an old configuration come later,
     * but all of them do. */
    for (size_t i = 0; i < run->n_steps; i++) {
        struct run_step *step = &run->steps[i];
        if (step->touch.touch.n)
            answer_touch(run, step);
        else if (!is_refused(run, step->config.result))
            run->webhooks[step->webhook].types = step->types;
    }
    run->n_steps = 0;
    run->crashed = false;
}
