#include "core/channel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/timefmt.h"

static const char *const gated_paths[GATED_ROUTES] = {
    [GATED_SYNC] = "/subscription/sync",
    [GATED_UNSUBSCRIBE] = "/subscription/unsubscribe",
    [GATED_TOPIC_ADD] = "/subscription/topic/add",
    [GATED_TOPIC_REMOVE] = "/subscription/topic/remove",
    [GATED_TAG] = "/subscription/tag",
    [GATED_UNTAG] = "/subscription/untag",
    [GATED_ATTRIBUTE] = "/subscription/attribute",
    [GATED_ATTRIBUTE_PUSH] = "/subscription/attribute/push-value",
    [GATED_ATTRIBUTE_PULL] = "/subscription/attribute/pull-value",
    [GATED_ATTRIBUTE_CLEAR] = "/subscription/attribute/clear",
};

const char *
gated_route_path(enum gated_route route)
{
    assert((unsigned)route < GATED_ROUTES);
    return gated_paths[route];
}

bool
gated_route_parse(struct slice path, enum gated_route *route)
{
    for (unsigned i = 0; i < GATED_ROUTES; i++) {
        if (slice_is(path, gated_paths[i])) {
            *route = (enum gated_route)i;
            return true;
        }
    }
    return false;
}

/* ---- the settings' parts ---- */

void
settings_set(char **text, struct slice value)
{
    char *copy = value.p ? xstrndup(value.p, value.n) : NULL;
    free(*text);
    *text = copy;
}

static void
texts_add(char ***texts, size_t *n, struct slice text)
{
    *texts = xrealloc(*texts, (*n + 1) * sizeof(**texts));
    (*texts)[(*n)++] = xstrndup(text.p ? text.p : "", text.n);
}

static void
texts_clear(char ***texts, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        free((*texts)[i]);
    free(*texts);
    *texts = NULL;
    *n = 0;
}

void
settings_add_origin(struct channel_settings *settings, struct slice origin)
{
    texts_add(&settings->origins, &settings->n_origins, origin);
}

void
settings_clear_origins(struct channel_settings *settings)
{
    texts_clear(&settings->origins, &settings->n_origins);
}

void
settings_add_bundle(struct channel_settings *settings, struct slice bundle)
{
    texts_add(&settings->bundles, &settings->n_bundles, bundle);
}

void
settings_clear_bundles(struct channel_settings *settings)
{
    texts_clear(&settings->bundles, &settings->n_bundles);
}

void
settings_clear_authorizer(struct channel_settings *settings)
{
    struct authorizer *authorizer = settings->authorizer;
    if (!authorizer)
        return;
    explicit_bzero(authorizer->authorization, strlen(authorizer->authorization));
    free(authorizer->authorization);
    free(authorizer->url);
    free(authorizer);
    settings->authorizer = NULL;
}

void
settings_set_authorizer(struct channel_settings *settings, const char *url,
                        const char *authorization, uint32_t routes)
{
    struct authorizer *authorizer = xcalloc(1, sizeof(*authorizer));
    authorizer->url = xstrdup(url);
    authorizer->authorization = xstrdup(authorization);
    authorizer->routes = routes;
    settings_clear_authorizer(settings);
    settings->authorizer = authorizer;
}

static void
settings_fini(struct channel_settings *settings)
{
    free(settings->fcm_id);
    free(settings->topics);
    free(settings->tags);
    free(settings->attributes);
    free(settings->sdk);
    settings_clear_origins(settings);
    settings_clear_bundles(settings);
    settings_clear_authorizer(settings);
}

static void
settings_init(struct channel_settings *settings)
{
    *settings = (struct channel_settings){
        .topics = xstrdup("[]"),
        .tags = xstrdup("[]"),
        .attributes = xstrdup("[]"),
        .sdk = xstrdup("{}"),
    };
}

static void
settings_copy(struct channel_settings *to, const struct channel_settings *from)
{
    *to = (struct channel_settings){
        .fcm_id = from->fcm_id ? xstrdup(from->fcm_id) : NULL,
        .topics = xstrdup(from->topics),
        .tags = xstrdup(from->tags),
        .attributes = xstrdup(from->attributes),
        .sdk = xstrdup(from->sdk),
    };
    for (size_t i = 0; i < from->n_origins; i++)
        settings_add_origin(to, slice_of(from->origins[i]));
    for (size_t i = 0; i < from->n_bundles; i++)
        settings_add_bundle(to, slice_of(from->bundles[i]));
    if (from->authorizer)
        settings_set_authorizer(to, from->authorizer->url,
                                from->authorizer->authorization,
                                from->authorizer->routes);
}

bool
settings_allow_origin(const struct channel_settings *settings, struct slice origin)
{
    for (size_t i = 0; i < settings->n_origins; i++) {
        struct slice allowed = slice_of(settings->origins[i]);
        /* Scheme and host are the same in any case (RFC 6454 4). */
        if (slice_is(allowed, "*") ||
            (allowed.n == origin.n && strncasecmp(allowed.p, origin.p, origin.n) == 0))
            return true;
    }
    return false;
}

bool
settings_have_bundle(const struct channel_settings *settings, struct slice bundle)
{
    for (size_t i = 0; i < settings->n_bundles; i++)
        if (slice_is(bundle, settings->bundles[i]))
            return true;
    return false;
}

bool
settings_gate(const struct channel_settings *settings, enum gated_route route)
{
    return settings->authorizer && (settings->authorizer->routes & 1u << route);
}

/* ---- to the store and back ---- */

static void
write_texts(struct json_out *json, const char *name, char **texts, size_t n)
{
    json_array(json, name);
    for (size_t i = 0; i < n; i++)
        json_str(json, NULL, texts[i]);
    json_array_end(json);
}

int
settings_write(struct buf *out, const struct channel_settings *settings)
{
    const struct authorizer *authorizer = settings->authorizer;
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "fcmId", settings->fcm_id);
    json_raw_out(&json, "topics", slice_of(settings->topics));
    json_raw_out(&json, "tags", slice_of(settings->tags));
    json_raw_out(&json, "attributes", slice_of(settings->attributes));
    json_raw_out(&json, "sdk", slice_of(settings->sdk));
    write_texts(&json, "allowedOrigins", settings->origins, settings->n_origins);
    write_texts(&json, "bundleIds", settings->bundles, settings->n_bundles);
    if (authorizer) {
        json_object(&json, "authorizer");
        json_str(&json, "url", authorizer->url);
        json_str(&json, "authorization", authorizer->authorization);
        json_i64(&json, "routes", authorizer->routes);
        json_object_end(&json);
    }
    json_object_end(&json);
    return out->failed;
}

/* A string member into `text`; NULL when it is none. */
static char *
read_text(const struct json_doc *doc, const struct json_token *object, const char *name)
{
    const struct json_token *value = json_member(doc, object, name);
    struct buf text;

    if (!value || value->type != JSON_STRING)
        return NULL;
    buf_init(&text, CHANNEL_SETTINGS_MAX);
    (void)json_string_add(doc, value, &text);
    char *taken = buf_take(&text);
    buf_fini(&text);
    return taken;
}

static bool
read_raw(const struct json_doc *doc, const char *name, enum json_type type, char **out)
{
    const struct json_token *value = json_member(doc, &doc->tokens[0], name);
    if (!value || value->type != type)
        return false;
    settings_set(out, json_raw(doc, value));
    return true;
}

static bool
read_texts(const struct json_doc *doc, const char *name, char ***texts, size_t *n)
{
    const struct json_token *list = json_member(doc, &doc->tokens[0], name);
    struct buf text;

    if (!list || list->type != JSON_ARRAY)
        return false;
    buf_init(&text, CHANNEL_SETTINGS_MAX);
    const struct json_token *element = json_first(doc, list);
    for (; element; element = json_after(doc, list, element)) {
        buf_reset(&text);
        if (element->type != JSON_STRING || json_string_add(doc, element, &text) != 0)
            break;
        texts_add(texts, n, buf_slice(&text));
    }
    buf_fini(&text);
    return !element;
}

static bool
read_authorizer(struct channel_settings *settings, const struct json_doc *doc)
{
    const struct json_token *value = json_member(doc, &doc->tokens[0], "authorizer");
    int64_t routes = 0;

    if (!value)
        return true;
    char *url = read_text(doc, value, "url");
    char *authorization = read_text(doc, value, "authorization");
    const struct json_token *number = json_member(doc, value, "routes");
    bool ok = url && authorization && number && json_int(doc, number, &routes) &&
              routes >= 0 && routes < INT64_C(1) << GATED_ROUTES;
    if (ok)
        settings_set_authorizer(settings, url, authorization, (uint32_t)routes);
    free(url);
    free(authorization);
    return ok;
}

bool
settings_read(struct channel_settings *settings, struct slice json)
{
    struct channel_settings fresh;
    struct json_error error;
    struct json_doc doc;

    settings_init(&fresh);
    json_init(&doc);
    doc.max_depth = JSON_DEPTH_WRAPPED;
    bool ok = json_parse(&doc, json.p, json.n, &error) == 0 &&
              read_raw(&doc, "topics", JSON_ARRAY, &fresh.topics) &&
              read_raw(&doc, "tags", JSON_ARRAY, &fresh.tags) &&
              read_raw(&doc, "attributes", JSON_ARRAY, &fresh.attributes) &&
              read_raw(&doc, "sdk", JSON_OBJECT, &fresh.sdk) &&
              read_texts(&doc, "allowedOrigins", &fresh.origins, &fresh.n_origins) &&
              read_texts(&doc, "bundleIds", &fresh.bundles, &fresh.n_bundles) &&
              read_authorizer(&fresh, &doc);
    if (ok) {
        fresh.fcm_id = read_text(&doc, &doc.tokens[0], "fcmId");
        settings_fini(settings);
        *settings = fresh;
    } else {
        settings_fini(&fresh);
    }
    json_fini(&doc);
    return ok;
}

/* ---- what SDKs are told ---- */

static bool
has_member(struct slice object, const char *name)
{
    struct json_error error;
    struct json_doc doc;

    json_init(&doc);
    bool has = json_parse(&doc, object.p, object.n, &error) == 0 &&
               json_member(&doc, &doc.tokens[0], name);
    json_fini(&doc);
    return has;
}

/* Android takes its channel id from the answer and refuses every later call when there
 * is none; without a number as fcmId it never subscribes. Both platforms look events up
 * in channelEvents, which is no setting: the free members may have it. */
void
channel_write_config(struct buf *out, const struct channel *channel)
{
    const struct channel_settings *settings = &channel->settings;
    struct slice sdk = slice_of(settings->sdk);
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "channelId", channel->id);
    if (settings->fcm_id)
        json_str(&json, "fcmId", settings->fcm_id);
    json_raw_out(&json, "channelTopics", slice_of(settings->topics));
    json_raw_out(&json, "channelTags", slice_of(settings->tags));
    json_raw_out(&json, "customAttributes", slice_of(settings->attributes));
    if (!has_member(sdk, "channelEvents"))
        json_raw_out(&json, "channelEvents", SLICE("[]"));
    if (sdk.n > 2) { /* the object's members, without its braces */
        buf_addc(out, ',');
        buf_add(out, sdk.p + 1, sdk.n - 2);
    }
    json_object_end(&json);
}

/* ---- references ---- */

struct channel *
channel_new(void)
{
    struct channel *channel = xcalloc(1, sizeof(*channel));
    atomic_init(&channel->refs, 1);
    channel->trial_ends_ms = MSEC_NEVER;
    settings_init(&channel->settings);
    return channel;
}

struct channel *
channel_copy(const struct channel *channel)
{
    struct channel *copy = xcalloc(1, sizeof(*copy));

    atomic_init(&copy->refs, 1);
    copy->number = channel->number;
    memcpy(copy->id, channel->id, sizeof(copy->id));
    copy->name = channel->name ? xstrdup(channel->name) : NULL;
    copy->deleted = channel->deleted;
    copy->created_ms = channel->created_ms;
    copy->updated_ms = channel->updated_ms;
    copy->trial_ends_ms = channel->trial_ends_ms;
    settings_copy(&copy->settings, &channel->settings);
    return copy;
}

void
trial_write_ended(char text[TRIAL_TEXT], msec_t ends_ms)
{
    char time[TIME_TEXT];
    time_format(time, ends_ms);
    snprintf(text, TRIAL_TEXT, "the channel's trial ended at %s", time);
}

struct channel *
channel_ref(struct channel *channel)
{
    unsigned before =
        atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
    assert(before > 0);
    return channel;
}

void
channel_unref(struct channel *channel)
{
    if (!channel)
        return;
    unsigned before =
        atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before > 1)
        return;
    settings_fini(&channel->settings);
    free(channel->name);
    free(channel);
}
