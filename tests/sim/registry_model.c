#include "registry_model.h"

#include "base/err.h"
#include "world_private.h"

const char *const model_values[MODEL_VALUES] = {
    "\"\"", "\"x\"", "\"y, z]}\\\"\"", "7", "true",
};
const char *const model_pushes[MODEL_PUSHES] = {"push-0", "push-1", NOTIFICATION_CHAT};
const char *const model_actions[MODEL_ACTIONS] = {"", "0", "1"};

/* ---- values ---- */

static bool
value_eq(const struct model_value *a, const struct model_value *b)
{
    return a->set == b->set &&
           (!a->set || (a->n == b->n && !memcmp(a->at, b->at, a->n)));
}

static bool
attributes_eq(const struct model_value *a, const struct model_value *b)
{
    for (unsigned i = 0; i < MODEL_ATTRIBUTES; i++)
        if (!value_eq(&a[i], &b[i]))
            return false;
    return true;
}

static bool
has_attributes(const struct model_view *view)
{
    static const struct model_value none[MODEL_ATTRIBUTES];
    return !attributes_eq(view->attributes, none);
}

bool
model_view_eq(const struct model_view *a, const struct model_view *b)
{
    return a->active == b->active && a->topics == b->topics &&
           attributes_eq(a->attributes, b->attributes);
}

static bool
value_has(const struct model_value *value, unsigned one)
{
    return value->n && memchr(value->at, (int)one, value->n);
}

static void
value_push(struct model_value *value, unsigned one)
{
    value->set = true;
    if (!value_has(value, one))
        value->at[value->n++] = (uint8_t)one;
}

static void
value_pull(struct model_value *value, unsigned one)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < value->n; i++)
        if (value->at[i] != one)
            value->at[n++] = value->at[i];
    value->n = n;
}

/* ---- one request under way ---- */

struct work {
    struct model *model;
    const struct model_request *request;
    struct model_subscription *it;
    struct model_view before;
    msec_t now_ms;
    bool is_new;
};

static void
tell(struct work *work, enum event_type type)
{
    struct model *model = work->model;
    CHECK(model->n_events < MODEL_EVENTS);
    model->events[model->n_events++] = (struct model_event){
        .at = (int)(work->it - model->subscriptions), .type = type};
}

static bool
attributes_changed(const struct work *work)
{
    return !attributes_eq(work->before.attributes, work->it->now.attributes);
}

static void
tell_topics(struct work *work)
{
    unsigned was = work->before.topics, now = work->it->now.topics;
    if (was == now)
        return;
    tell(work, (was & now) == was ? EVENT_TOPIC_ADDED : EVENT_UPDATE_TOPICS);
    work->it->untold_topics = false;
}

static void
tell_attributes(struct work *work)
{
    tell(work, EVENT_ATTRIBUTE_UPDATE);
    work->it->untold_attributes = false;
}

/* One that comes, or comes back, with what it has; and with what it has no more. */
static void
tell_opt_in(struct work *work)
{
    tell(work, EVENT_OPT_IN);
    if (work->it->now.topics)
        tell(work, EVENT_UPDATE_TOPICS);
    if (has_attributes(&work->it->now) || attributes_changed(work))
        tell_attributes(work);
    work->it->untold_active = work->it->untold_topics = false;
}

static void
tell_opt_out(struct work *work)
{
    tell(work, EVENT_OPT_OUT);
    work->it->untold_active = work->it->untold_topics = false;
}

static void
give_attributes(struct work *work)
{
    for (unsigned i = 0; i < MODEL_ATTRIBUTES; i++) {
        if (work->request->attributes[i].set)
            work->it->now.attributes[i] = work->request->attributes[i];
        if (work->request->cleared & 1u << i)
            work->it->now.attributes[i] = (struct model_value){0};
    }
}

static void
forget(struct model_subscription *it)
{
    it->now.active = false;
    it->now.topics = 0;
    it->device = 0;
}

/* ---- the kinds ---- */

static void
apply_sync(struct work *work)
{
    const struct model_request *request = work->request;
    struct model_subscription *it = work->it;
    bool old =
        request->version && work->before.active && request->version < it->version;

    it->now.active = true;
    if (request->device)
        it->device = request->device;
    if (request->has_topics && !old) {
        it->now.topics = request->topics;
        if (request->version)
            it->version = request->version;
    }
    give_attributes(work);
    if (!work->before.active) {
        tell_opt_in(work);
        return;
    }
    tell_topics(work);
    if (attributes_changed(work))
        tell_attributes(work);
}

static void
apply_edit(struct work *work)
{
    if (work->request->has_topics && work->request->topics != work->it->now.topics) {
        work->it->now.topics = work->request->topics;
        work->it->version += 2;
    }
    give_attributes(work);
    tell_topics(work);
    if (attributes_changed(work))
        tell_attributes(work);
}

static void
apply_replace(struct work *work)
{
    const struct model_request *request = work->request;
    struct model_subscription *it = work->it;
    unsigned topics = request->has_topics ? request->topics : 0;

    if (request->version)
        it->version = request->version;
    else if (topics != it->now.topics && !work->is_new)
        it->version += 2;
    it->now.topics = topics;
    it->now.active = true;
    it->tags = request->tags;
    if (request->device)
        it->device = request->device;
    memcpy(it->now.attributes, request->attributes, sizeof(it->now.attributes));
    if (request->inactive)
        forget(it);

    if (request->silent) {
        it->untold_active = it->untold_topics = it->untold_attributes = true;
    } else if (it->now.active && work->before.active) {
        tell_topics(work);
        if (attributes_changed(work))
            tell_attributes(work);
    } else if (it->now.active) {
        tell_opt_in(work);
    } else {
        if (work->before.active)
            tell_opt_out(work);
        if (attributes_changed(work)) /* nobody hears of it before it is back */
            it->untold_attributes = true;
    }
}

static void
apply_opt_out(struct work *work)
{
    if (!work->before.active)
        return;
    forget(work->it);
    tell_opt_out(work);
}

static void
apply_topic(struct work *work)
{
    unsigned bit = 1u << work->request->item;
    if (work->request->kind == CHANGE_TOPIC_ADD)
        work->it->now.topics |= bit;
    else
        work->it->now.topics &= ~bit;
    tell_topics(work);
}

static void
apply_tag(struct work *work)
{
    unsigned bit = 1u << work->request->item;
    if (work->request->kind == CHANGE_TAG_ADD)
        work->it->tags |= bit;
    else
        work->it->tags &= ~bit;
}

static void
apply_attribute(struct work *work)
{
    struct model_value *value = &work->it->now.attributes[work->request->item];
    switch ((int)work->request->kind) { /* an int: the other kinds do not come here */
    case CHANGE_ATTRIBUTE_SET:
        *value = work->request->value;
        break;
    case CHANGE_ATTRIBUTE_PUSH:
        value_push(value, work->request->value.at[0]);
        break;
    case CHANGE_ATTRIBUTE_PULL:
        value_pull(value, work->request->value.at[0]);
        break;
    default:
        *value = (struct model_value){0};
        break;
    }
    if (attributes_changed(work))
        tell_attributes(work);
}

static void
apply_report(struct work *work)
{
    bool click = work->request->kind == CHANGE_CLICKED;
    unsigned push = work->request->push;
    bool once = !click && push != MODEL_PUSHES - 1;
    msec_t *reported_ms =
        &work->it->reported_ms[click][push][click ? work->request->action : 0];

    if (*reported_ms && (once || work->now_ms - *reported_ms < 10000))
        return;
    *reported_ms = work->now_ms;
    work->model->reports[click][push]++;
    tell(work, click ? EVENT_CLICK : EVENT_DELIVERY);
}

/* ---- which one, and what becomes of it ---- */

static struct model_subscription *
find(struct model *model, const struct model_request *request)
{
    struct model_subscription *all = model->subscriptions;

    if (request->at >= 0)
        return &all[request->at];
    for (int i = 0; i < model->n; i++) {
        if (request->kind == CHANGE_SYNC && request->device &&
            all[i].device == request->device && all[i].now.active)
            return &all[i];
        if (request->kind == CHANGE_REPLACE && strcmp(all[i].id, request->id) == 0)
            return &all[i];
    }
    return NULL;
}

static void (*const kinds[CHANGES])(struct work *work) = {
    [CHANGE_SYNC] = apply_sync,
    [CHANGE_EDIT] = apply_edit,
    [CHANGE_REPLACE] = apply_replace,
    [CHANGE_OPT_OUT] = apply_opt_out,
    [CHANGE_TOPIC_ADD] = apply_topic,
    [CHANGE_TOPIC_REMOVE] = apply_topic,
    [CHANGE_TAG_ADD] = apply_tag,
    [CHANGE_TAG_REMOVE] = apply_tag,
    [CHANGE_ATTRIBUTE_SET] = apply_attribute,
    [CHANGE_ATTRIBUTE_PUSH] = apply_attribute,
    [CHANGE_ATTRIBUTE_PULL] = apply_attribute,
    [CHANGE_ATTRIBUTE_CLEAR] = apply_attribute,
    [CHANGE_DELIVERED] = apply_report,
    [CHANGE_CLICKED] = apply_report,
};

static bool
is_refused(const struct model_request *request, const struct model_subscription *it)
{
    if (request->kind == CHANGE_SYNC || request->kind == CHANGE_REPLACE)
        return false;
    if (!it)
        return true;
    return !it->now.active && request->kind != CHANGE_OPT_OUT &&
           !change_is_report(request->kind);
}

int
model_apply(struct model *model, const struct model_request *request, msec_t now_ms,
            int *at)
{
    struct work work = {.model = model, .request = request, .now_ms = now_ms};
    size_t first = model->n_events;

    work.it = find(model, request);
    if (is_refused(request, work.it))
        return E_NOT_FOUND;
    if (!work.it) {
        CHECK(model->n < MODEL_SUBSCRIPTIONS);
        work.it = &model->subscriptions[model->n++];
        work.is_new = true;
        snprintf(work.it->id, sizeof(work.it->id), "%s", request->id);
    }
    work.before = work.it->now;
    kinds[request->kind](&work);
    for (size_t i = first; i < model->n_events; i++) {
        model->events[i].topics_before = work.before.topics;
        model->events[i].after = *work.it;
        model->events[i].last = i == model->n_events - 1;
    }
    *at = (int)(work.it - model->subscriptions);
    return 0;
}

/* ---- from and to JSON ---- */

/* "t3" of 't' is 3; `n` when it is none of them. */
static unsigned
numbered(const struct json_doc *doc, const struct json_token *token, char letter,
         unsigned n)
{
    struct slice raw = json_string_raw(doc, token);
    if (token->type != JSON_STRING || raw.n != 2 || raw.p[0] != letter ||
        raw.p[1] < '0' || raw.p[1] >= '0' + (int)n)
        return n;
    return (unsigned)(raw.p[1] - '0');
}

static bool
parse(struct json_doc *doc, struct slice json, enum json_type type)
{
    struct json_error error;
    json_init(doc);
    return json_parse(doc, json.p, json.n, &error) == 0 && doc->tokens[0].type == type;
}

bool
model_read_bits(struct slice json, char letter, unsigned *bits)
{
    struct json_doc doc;
    unsigned n = letter == 't' ? MODEL_TOPICS : MODEL_TAGS;
    bool ok = parse(&doc, json, JSON_ARRAY);

    *bits = 0;
    const struct json_token *one = ok ? json_first(&doc, &doc.tokens[0]) : NULL;
    for (; one; one = json_after(&doc, &doc.tokens[0], one)) {
        unsigned at = numbered(&doc, one, letter, n);
        ok = ok && at < n && !(*bits & 1u << at); /* and none twice */
        *bits |= 1u << at;
    }
    json_fini(&doc);
    return ok;
}

static bool
read_one(const struct json_doc *doc, const struct json_token *token,
         struct model_value *out)
{
    for (uint8_t i = 0; i < MODEL_VALUES; i++) {
        if (!slice_is(json_raw(doc, token), model_values[i]))
            continue;
        if (value_has(out, i))
            return false;
        out->at[out->n++] = i;
        return true;
    }
    return false;
}

static bool
read_value(const struct json_doc *doc, const struct json_token *token,
           struct model_value *out)
{
    out->set = true;
    if (token->type != JSON_ARRAY)
        return read_one(doc, token, out);
    const struct json_token *one = json_first(doc, token);
    for (; one; one = json_after(doc, token, one))
        if (!read_one(doc, one, out))
            return false;
    return true;
}

bool
model_read_attributes(struct slice json, struct model_value out[MODEL_ATTRIBUTES])
{
    struct json_doc doc;
    bool ok = parse(&doc, json, JSON_OBJECT);

    memset(out, 0, MODEL_ATTRIBUTES * sizeof(out[0]));
    const struct json_token *key = ok ? json_first(&doc, &doc.tokens[0]) : NULL;
    while (key && ok) {
        const struct json_token *value = json_after(&doc, &doc.tokens[0], key);
        unsigned at = numbered(&doc, key, 'a', MODEL_ATTRIBUTES);
        ok = at < MODEL_ATTRIBUTES && read_value(&doc, value, &out[at]) &&
             (value->type == JSON_ARRAY) == (at >= MODEL_FIRST_LIST);
        key = json_after(&doc, &doc.tokens[0], value);
    }
    json_fini(&doc);
    return ok;
}

void
model_write_bits(struct buf *out, char letter, unsigned bits)
{
    buf_addc(out, '[');
    for (unsigned i = 0, n = 0; bits >> i; i++)
        if (bits & 1u << i)
            buf_addf(out, "%s\"%c%u\"", n++ ? "," : "", letter, i);
    buf_addc(out, ']');
}

void
model_write_value(struct buf *out, unsigned attribute, const struct model_value *value)
{
    bool list = attribute >= MODEL_FIRST_LIST;
    buf_adds(out, list ? "[" : "");
    for (unsigned i = 0; i < value->n; i++)
        buf_addf(out, "%s%s", i ? "," : "", model_values[value->at[i]]);
    buf_adds(out, list ? "]" : "");
}

void
model_write_attributes(struct buf *out,
                       const struct model_value attributes[MODEL_ATTRIBUTES])
{
    buf_addc(out, '{');
    for (unsigned i = 0, n = 0; i < MODEL_ATTRIBUTES; i++) {
        if (!attributes[i].set)
            continue;
        buf_addf(out, "%s\"a%u\":", n++ ? "," : "", i);
        model_write_value(out, i, &attributes[i]);
    }
    buf_addc(out, '}');
}
