/* What SDKs call: each request becomes one change, or is answered quietly. */
#include "api/sdk.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/resources.h"
#include "api/router.h"
#include "base/mem.h"
#include "base/metrics.h"

/* ---- the body ---- */

/* The longest that a byte becomes in canonical JSON: DEL as \u007f. */
#define GROWTH 6

int
sdk_body_init(struct sdk_body *body, struct api_request *r)
{
    struct slice bytes = httpd_body(r->req);
    size_t room = bytes.n * GROWTH + 1024;
    struct json_error error;

    json_init(&body->doc);
    buf_init(&body->text, room);
    if (buf_reserve(&body->text, room) != 0) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    int rc = json_parse(&body->doc, bytes.n ? bytes.p : "", bytes.n, &error);
    if (rc == E_NO_MEMORY) {
        api_refuse(r, rc, NULL);
    } else if (rc != 0) {
        api_problem(r, 400, "the body is not JSON: byte %zu: %s", error.offset,
                    error.reason);
    } else if (body->doc.tokens[0].type != JSON_OBJECT) {
        rc = E_INVALID;
        api_problem(r, 400, "the body must be an object, not %s",
                    json_type_name(body->doc.tokens[0].type));
    }
    return rc;
}

void
sdk_body_fini(struct sdk_body *body)
{
    json_fini(&body->doc);
    buf_fini(&body->text);
}

const struct json_token *
sdk_member(const struct sdk_body *body, const char *name)
{
    const struct json_token *value =
        json_member(&body->doc, &body->doc.tokens[0], name);
    return value && value->type != JSON_NULL ? value : NULL;
}

int
sdk_id(struct sdk_body *body, struct api_request *r, const char *name,
       struct slice *out)
{
    const struct json_token *value = sdk_member(body, name);
    size_t at = body->text.n;

    if (!value)
        return E_NOT_FOUND;
    if (value->type == JSON_STRING &&
        json_string_add(&body->doc, value, &body->text) == 0) {
        *out = (struct slice){body->text.p + at, body->text.n - at};
        if (id_valid(*out))
            return 0;
    }
    api_problem(r, 400, "%s must be an id: 1 to 64 characters of A-Z a-z 0-9 _ . -",
                name);
    return E_INVALID;
}

int
sdk_needed_id(struct sdk_body *body, struct api_request *r, const char *name,
              struct slice *out)
{
    int rc = sdk_id(body, r, name, out);
    if (rc != E_NOT_FOUND)
        return rc;
    api_problem(r, 400, "%s is missing", name);
    return E_INVALID;
}

/* ---- a change ---- */

/* What a change's body must have beside the subscription, and what may guard it. */
static const struct {
    const char *item; /* NULL = nothing */
    bool value;
    bool gated;
    enum gated_route gate;
} forms[CHANGES] = {
    [CHANGE_SYNC] = {NULL, false, true, GATED_SYNC},
    [CHANGE_OPT_OUT] = {NULL, false, true, GATED_UNSUBSCRIBE},
    [CHANGE_TOPIC_ADD] = {"topicId", false, true, GATED_TOPIC_ADD},
    [CHANGE_TOPIC_REMOVE] = {"topicId", false, true, GATED_TOPIC_REMOVE},
    [CHANGE_TAG_ADD] = {"tagId", false, true, GATED_TAG},
    [CHANGE_TAG_REMOVE] = {"tagId", false, true, GATED_UNTAG},
    [CHANGE_ATTRIBUTE_SET] = {"attributeId", true, true, GATED_ATTRIBUTE},
    [CHANGE_ATTRIBUTE_PUSH] = {"attributeId", true, true, GATED_ATTRIBUTE_PUSH},
    [CHANGE_ATTRIBUTE_PULL] = {"attributeId", true, true, GATED_ATTRIBUTE_PULL},
    [CHANGE_ATTRIBUTE_CLEAR] = {"attributeId", false, true, GATED_ATTRIBUTE_CLEAR},
};

struct sdk {
    struct api_request *r;
    struct sdk_body body;
    struct change change;
    struct engine_gate gate;
    struct buf gate_body, token;
    char language[4], country[3];
};

static void
sdk_free(void *own)
{
    struct sdk *sdk = own;
    if (sdk->token.p)
        explicit_bzero(sdk->token.p, sdk->token.n);
    if (sdk->gate_body.p)
        explicit_bzero(sdk->gate_body.p, sdk->gate_body.n);
    buf_fini(&sdk->token);
    buf_fini(&sdk->gate_body);
    sdk_body_fini(&sdk->body);
    free(sdk);
}

static bool
is_report(const struct sdk *sdk)
{
    return change_is_report(sdk->change.kind);
}

/* The path's, or the body's. Reports may leave it out. */
static int
find_channel(struct sdk *sdk)
{
    struct api_request *r = sdk->r;
    struct slice id = r->channel_id;
    int rc = 0;

    if (!id.p)
        rc = is_report(sdk) ? sdk_id(&sdk->body, r, "channelId", &id)
                            : sdk_needed_id(&sdk->body, r, "channelId", &id);
    if (rc != 0)
        return is_report(sdk) && rc == E_NOT_FOUND ? 0 : rc;
    r->channel = engine_channel(r->api->engine, id);
    if (r->channel)
        return public_channel(r, r->channel);
    api_problem(r, 404, "channel not found");
    return E_NOT_FOUND;
}

static int
refuse_member(struct api_request *r, enum member_given given, const char *name,
              const char *reason)
{
    if (given == MEMBER_NO_MEMORY) {
        api_refuse(r, E_NO_MEMORY, NULL);
        return E_NO_MEMORY;
    }
    api_problem(r, 400, "%s %s", name, reason);
    return E_INVALID;
}

/* What the device says of itself; anything that is no member is not for us. */
static int
read_members(struct sdk *sdk)
{
    const struct json_doc *doc = &sdk->body.doc;
    const struct json_token *root = &doc->tokens[0];
    struct buf *text = &sdk->body.text;

    const struct json_token *key = json_first(doc, root);
    while (key) {
        const struct json_token *value = json_after(doc, root, key);
        const char *reason = NULL;
        enum member member;
        if (member_find(json_string_raw(doc, key), &member) && member_is_told(member)) {
            size_t at = text->n;
            enum member_given given =
                member_canonical(member, doc, value, text, &reason);
            if (given == MEMBER_GIVEN)
                sdk->change.given[member] = (struct slice){text->p + at, text->n - at};
            else if (given != MEMBER_LEFT)
                return refuse_member(sdk->r, given, member_name(member), reason);
        }
        key = json_after(doc, root, value);
    }
    return 0;
}

static int
read_value(struct sdk *sdk)
{
    const struct json_token *value = sdk_member(&sdk->body, "value");
    struct buf *text = &sdk->body.text;
    const char *reason = "is missing";
    enum member_given given = MEMBER_REFUSED;
    size_t at = text->n;
    bool one = sdk->change.kind != CHANGE_ATTRIBUTE_SET;

    if (value && one && value->type == JSON_ARRAY)
        reason = "must be one value";
    else if (value)
        given = attribute_canonical(&sdk->body.doc, value, text, &reason);
    if (given != MEMBER_GIVEN)
        return refuse_member(sdk->r, given, "value", reason);
    sdk->change.value = (struct slice){text->p + at, text->n - at};
    return 0;
}

static int
read_action(struct sdk *sdk)
{
    const struct json_token *value = sdk_member(&sdk->body, "action");
    struct buf *text = &sdk->body.text;
    size_t at = text->n;

    if (!value)
        return 0;
    if (value->type == JSON_STRING)
        (void)json_string_add(&sdk->body.doc, value, text);
    else if (value->type == JSON_NUMBER)
        buf_add(text, json_raw(&sdk->body.doc, value).p,
                json_raw(&sdk->body.doc, value).n);
    struct slice action = {text->p + at, text->n - at};
    if ((value->type != JSON_STRING && value->type != JSON_NUMBER) ||
        action.n > ACTION_MAX || (action.n && memchr(action.p, '\0', action.n))) {
        api_problem(sdk->r, 400, "action must be a string of at most %d bytes",
                    ACTION_MAX);
        return E_INVALID;
    }
    sdk->change.action = action;
    return 0;
}

static int
read_report(struct sdk *sdk)
{
    int rc =
        sdk_needed_id(&sdk->body, sdk->r, "notificationId", &sdk->change.notification);
    if (rc == 0 && sdk->change.kind == CHANGE_CLICKED)
        rc = read_action(sdk);
    return rc;
}

static int
read_sync(struct sdk *sdk)
{
    int rc = sdk_id(&sdk->body, sdk->r, "subscriptionId", &sdk->change.id);
    if (rc != 0 && rc != E_NOT_FOUND)
        return rc;
    sdk->change.language = public_language(sdk->r, sdk->language);
    sdk->change.country = public_country(sdk->r, sdk->country);
    return read_members(sdk);
}

static int
read_change(struct sdk *sdk)
{
    enum change_kind kind = sdk->change.kind;

    if (kind == CHANGE_SYNC)
        return read_sync(sdk);
    int rc = sdk_needed_id(&sdk->body, sdk->r, "subscriptionId", &sdk->change.id);
    if (rc == 0 && is_report(sdk))
        rc = read_report(sdk);
    if (rc == 0 && forms[kind].item)
        rc = sdk_needed_id(&sdk->body, sdk->r, forms[kind].item, &sdk->change.item);
    if (rc == 0 && forms[kind].value)
        rc = read_value(sdk);
    return rc;
}

/* ---- what comes of it ---- */

static void
applied(struct engine_touch *touch, size_t i, const struct subscription *after,
        const struct channel *channel)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    struct slice version = after->member[MEMBER_TOPICS_VERSION];
    struct slice tags = after->member[MEMBER_TAGS];

    (void)i;
    (void)channel;
    if (touch->changes[0].kind != CHANGE_SYNC)
        return;
    api_json_begin(r);
    json_str(&r->json, "id", after->id);
    json_raw_out(&r->json, "topics", after->member[MEMBER_TOPICS]);
    if (version.p)
        json_raw_out(&r->json, "topicsVersion", version);
    json_raw_out(&r->json, "tags", tags.p ? tags : SLICE("[]"));
    if (touch->changes[0].given[MEMBER_EMAIL].p)
        json_bool(&r->json, "emailConfirmationNeeded", false);
}

static void
touch_done(struct engine_touch *touch)
{
    struct api_request *r = container_of(touch, struct api_request, op.touch);
    enum change_kind kind = touch->changes[0].kind;
    bool gone = touch->result == E_NOT_FOUND;

    if (touch->result == 0)
        events_count(touch->events_by_type);
    if (touch->result != 0 && !(gone && kind == CHANGE_OPT_OUT)) {
        api_refuse(r, touch->result, gone ? "subscription not found" : touch->why);
        return;
    }
    metric_observe(METRIC_INGEST_SECONDS, clock_mono_us(engine_clock(r->api->engine)) -
                                              httpd_started_us(r->req));
    if (kind != CHANGE_SYNC)
        api_json_begin(r);
    api_json_end(r, 200);
}

static void
touch(struct sdk *sdk)
{
    struct api_request *r = sdk->r;

    r->op.touch = (struct engine_touch){
        .channel = r->channel,
        .changes = &sdk->change,
        .n = 1,
        .applied = applied,
        .done = touch_done,
    };
    engine_touch(r->api->engine, &r->op.touch);
}

/* ---- the authorizer ---- */

#define TOKEN_MAX ((size_t)4096)

static bool
token_ok(struct slice token)
{
    for (size_t i = 0; i < token.n; i++)
        if (token.p[i] <= ' ' || token.p[i] >= 0x7f)
            return false;
    return token.n > 0;
}

static bool
read_token(struct sdk *sdk)
{
    const struct json_token *value = sdk_member(&sdk->body, "authorizationToken");
    const char *query = httpd_query(sdk->r->req, "authorizationToken");

    buf_init(&sdk->token, TOKEN_MAX);
    if (value && value->type == JSON_STRING)
        (void)json_string_add(&sdk->body.doc, value, &sdk->token);
    else if (query)
        buf_adds(&sdk->token, query);
    return !sdk->token.failed && token_ok(buf_slice(&sdk->token));
}

/* The request as it came, but for the token. */
static void
write_request(struct sdk *sdk)
{
    const struct json_doc *doc = &sdk->body.doc;
    const struct json_token *root = &doc->tokens[0];
    struct buf *out = &sdk->gate_body;
    struct json_out json;
    bool any = false;

    buf_init(out, API_SDK_BODY_MAX * 2 + TOKEN_MAX * GROWTH);
    json_out_init(&json, out);
    json_object(&json, NULL);
    json_strn(&json, "subscriptionToken", buf_slice(&sdk->token));
    json_object(&json, "request");
    buf_adds(out, "\"path\":\"");
    buf_adds(out, gated_route_path(forms[sdk->change.kind].gate));
    if (sdk->change.kind == CHANGE_SYNC)
        buf_addf(out, "/%s", sdk->r->channel->id);
    buf_adds(out, "\",\"body\":{");
    const struct json_token *key = json_first(doc, root);
    while (key) {
        const struct json_token *value = json_after(doc, root, key);
        if (!json_string_is(doc, key, "authorizationToken")) {
            struct slice name = json_raw(doc, key), raw = json_raw(doc, value);
            buf_addf(out, "%s%.*s:", any ? "," : "", (int)name.n, name.p);
            buf_add(out, raw.p, raw.n);
            any = true;
        }
        key = json_after(doc, root, value);
    }
    buf_addc(out, '}');
    json_object_end(&json);
    json_object_end(&json);
}

static void
gate_done(struct engine_gate *gate)
{
    struct sdk *sdk = container_of(gate, struct sdk, gate);

    if (gate->result == 0)
        touch(sdk);
    else if (gate->result == E_INVALID)
        api_problem(sdk->r, 403, "not authorized");
    else
        api_refuse(sdk->r, gate->result, NULL);
}

/* The last thing that is done with the request: it may be answered on return. */
static void
ask_authorizer(struct sdk *sdk)
{
    if (!read_token(sdk)) {
        api_problem(sdk->r, 403,
                    "not authorized: authorizationToken is missing or "
                    "not one");
        return;
    }
    write_request(sdk);
    if (sdk->gate_body.failed) {
        api_refuse(sdk->r, E_NO_MEMORY, NULL);
        return;
    }
    sdk->gate = (struct engine_gate){
        .channel = sdk->r->channel,
        .token = buf_slice(&sdk->token),
        .body = buf_slice(&sdk->gate_body),
        .done = gate_done,
    };
    httpd_hold(sdk->r->req);
    engine_gate(sdk->r->api->engine, &sdk->gate);
}

void
sdk_change(struct api_request *r)
{
    struct sdk *sdk = xcalloc(1, sizeof(*sdk));

    sdk->r = r;
    sdk->change.kind = (enum change_kind)r->route->what;
    r->own = sdk;
    r->own_free = sdk_free;
    int rc = sdk_body_init(&sdk->body, r);
    if (rc == 0)
        rc = find_channel(sdk);
    if (rc == 0)
        rc = read_change(sdk);
    if (rc != 0)
        return; /* it is answered */
    bool gated = forms[sdk->change.kind].gated &&
                 settings_gate(&r->channel->settings, forms[sdk->change.kind].gate);
    if (gated) {
        ask_authorizer(sdk);
        return;
    }
    httpd_hold(r->req);
    touch(sdk);
}

/* ---- config ---- */

void
sdk_config(struct api_request *r)
{
    const char *bundle = httpd_query(r->req, "bundleId");
    struct engine *engine = r->api->engine;

    if (r->channel_id.p)
        r->channel = engine_channel(engine, r->channel_id);
    else if (bundle)
        r->channel = engine_channel_of_bundle(engine, slice_of(bundle));
    if (!r->channel) {
        api_problem(r, 404, "channel not found");
        return;
    }
    if (public_channel(r, r->channel) != 0)
        return;
    buf_init(&r->out, API_ANSWER_MAX);
    channel_write_config(&r->out, r->channel);
    if (r->out.failed)
        api_refuse(r, E_NO_MEMORY, NULL);
    else
        api_answer_buf(r, 200, "application/json", &r->out);
}

/* ---- what has no event ---- */

/* A web page may read the answer when its channel, which stands in the path or the
 * body, allows it. */
static int
find_quiet_channel(struct api_request *r)
{
    struct sdk_body body;
    struct json_error error;
    struct slice bytes = httpd_body(r->req);

    if (!httpd_header(r->req, "Origin"))
        return 0;
    if (r->channel_id.p) {
        r->channel = engine_channel(r->api->engine, r->channel_id);
    } else if (bytes.n) {
        json_init(&body.doc);
        if (json_parse(&body.doc, bytes.p, bytes.n, &error) == 0) {
            const struct json_token *id = sdk_member(&body, "channelId");
            if (id && id->type == JSON_STRING)
                r->channel =
                    engine_channel(r->api->engine, json_string_raw(&body.doc, id));
        }
        json_fini(&body.doc);
    }
    return r->channel ? public_channel(r, r->channel) : 0;
}

void
sdk_quiet(struct api_request *r)
{
    static const char *const answers[] = {
        [SDK_NOTHING] = "{}",
        [SDK_BANNERS] = "{\"banners\":[]}",
        [SDK_NOTIFICATIONS] = "{\"notifications\":[]}",
    };

    if (find_quiet_channel(r) != 0)
        return;
    buf_init(&r->out, API_ANSWER_MAX);
    buf_adds(&r->out, answers[r->route->what]);
    if (r->out.failed)
        api_refuse(r, E_NO_MEMORY, NULL);
    else
        api_answer_buf(r, 200, "application/json", &r->out);
}
