/* A channel's settings: read, and changed member by member. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/map.h"
#include "base/mem.h"

#define FCM_ID_MAX 20 /* digits */

enum {
    GIVEN_FCM_ID = 1 << 0,
    GIVEN_TOPICS = 1 << 1,
    GIVEN_TAGS = 1 << 2,
    GIVEN_ATTRIBUTES = 1 << 3,
    GIVEN_SDK = 1 << 4,
    GIVEN_ORIGINS = 1 << 5,
    GIVEN_BUNDLES = 1 << 6,
    GIVEN_AUTHORIZER = 1 << 7
};

struct settings_body {
    unsigned given;         /* GIVEN_* */
    struct channel *holder; /* of the values: nobody else's channel */
};

static void
body_free(void *own)
{
    struct settings_body *body = own;
    channel_unref(body->holder);
    free(body);
}

static struct channel_settings *
take(void *out, unsigned given)
{
    struct settings_body *body = out;
    body->given |= given;
    return &body->holder->settings;
}

/* ---- what is JSON stays it, without its white space ---- */

static int
take_compact(struct reader *rd, const struct json_token *value, char **text)
{
    struct slice raw = json_raw(&rd->doc, value);
    struct buf compact;

    buf_init(&compact, raw.n);
    json_compact(&compact, raw);
    int rc = compact.failed;
    if (rc == 0)
        settings_set(text, buf_slice(&compact));
    else
        api_refuse(rd->request, rc, NULL);
    buf_fini(&compact);
    return rc;
}

struct elements {
    unsigned what;
    struct smap seen;
    size_t n;
    char ids[CHANNEL_LIST_MAX][ID_MAX + 1];
};

static int
read_element(struct reader *rd, const struct json_token *value, void *out)
{
    struct elements *elements = out;
    char *id = elements->ids[elements->n++];

    int rc =
        channel_element_read(rd, value, elements->what, ELEMENT_ID | ELEMENT_NAME, id);
    if (rc != 0)
        return rc;
    if (smap_get(&elements->seen, slice_of(id))) {
        reader_enter(rd, slice_of(channel_element_id(elements->what)));
        return reader_fail(rd, "is given twice");
    }
    smap_put(&elements->seen, slice_of(id), id);
    return 0;
}

static int
read_elements(struct reader *rd, const struct json_token *value, unsigned what,
              char **text)
{
    struct elements *elements = xcalloc(1, sizeof(*elements));

    elements->what = what;
    smap_init(&elements->seen);
    int rc = reader_array(rd, value, CHANNEL_LIST_MAX, read_element, elements);
    smap_fini(&elements->seen);
    free(elements);
    return rc == 0 ? take_compact(rd, value, text) : rc;
}

static int
read_topics(struct reader *rd, const struct json_token *value, void *out)
{
    return read_elements(rd, value, LIST_TOPICS, &take(out, GIVEN_TOPICS)->topics);
}

static int
read_tags(struct reader *rd, const struct json_token *value, void *out)
{
    return read_elements(rd, value, LIST_TAGS, &take(out, GIVEN_TAGS)->tags);
}

static int
read_attributes(struct reader *rd, const struct json_token *value, void *out)
{
    return read_elements(rd, value, LIST_ATTRIBUTES,
                         &take(out, GIVEN_ATTRIBUTES)->attributes);
}

/* What the config route answers from elsewhere is no free member of it. */
static int
read_sdk(struct reader *rd, const struct json_token *value, void *out)
{
    static const char *const elsewhere[][2] = {
        {"channelId", "it is the channel's _id"},
        {"fcmId", "set fcmId beside sdk"},
        {"channelTopics", "set topics beside sdk"},
        {"channelTags", "set tags beside sdk"},
        {"customAttributes", "set attributes beside sdk"},
    };
    struct channel_settings *settings = take(out, GIVEN_SDK);

    if (value->type == JSON_NULL) {
        settings_set(&settings->sdk, SLICE("{}"));
        return 0;
    }
    if (value->type != JSON_OBJECT)
        return reader_fail(rd, "must be an object or null, not %s",
                           json_type_name(value->type));
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
        if (!json_member(&rd->doc, value, elsewhere[i][0]))
            continue;
        reader_enter(rd, slice_of(elsewhere[i][0]));
        return reader_fail(rd, "is no free member: %s", elsewhere[i][1]);
    }
    return take_compact(rd, value, &settings->sdk);
}

/* ---- texts ---- */

static int
read_fcm_id(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_settings *settings = take(out, GIVEN_FCM_ID);
    struct slice text = {NULL, 0};

    if (value->type != JSON_NULL) {
        int rc = reader_text(rd, value, 1, FCM_ID_MAX, &text);
        if (rc != 0)
            return rc;
        if (strspn(text.p, "0123456789") != text.n)
            return reader_fail(rd, "must be a string of digits, or null");
    }
    settings_set(&settings->fcm_id, text);
    return 0;
}

static bool
has_text(char *const *texts, size_t n, struct slice text)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(text, texts[i]))
            return true;
    return false;
}

static void
to_lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text + ('a' - 'A'));
}

static bool
is_port(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 5 && text[n] == '\0' && strtoul(text, NULL, 10) <= 65535 &&
           text[0] != '0';
}

#define DIGITS  "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* scheme://host, or scheme://host:port; *port is where its colon stands, or the end. */
static bool
is_origin(char *text, char **port)
{
    size_t scheme = strspn(text, LETTERS DIGITS "+-.");

    if (scheme == 0 || !strchr(LETTERS, text[0]) ||
        strncmp(text + scheme, "://", 3) != 0)
        return false;
    char *host = text + scheme + 3;
    if (*host == '[') {
        size_t n = strspn(host + 1, DIGITS "abcdef:.");
        *port = host + n + 2;
        if (n == 0 || host[n + 1] != ']')
            return false;
    } else {
        *port = host + strspn(host, LETTERS DIGITS "-._");
        if (*port == host)
            return false;
    }
    return **port == '\0' || (**port == ':' && is_port(*port + 1));
}

/* As browsers write it: in small letters, and without the port that the scheme has
 * anyway (RFC 6454 6.2). */
static bool
make_origin(char *text)
{
    char *port;

    to_lower(text);
    if (!is_origin(text, &port))
        return false;
    if ((strncmp(text, "https://", 8) == 0 && strcmp(port, ":443") == 0) ||
        (strncmp(text, "http://", 7) == 0 && strcmp(port, ":80") == 0))
        *port = '\0';
    return true;
}

static int
read_origin(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_settings *settings = out;
    char origin[CHANNEL_ORIGIN_MAX + 1];
    struct slice text;

    int rc = reader_text(rd, value, 1, CHANNEL_ORIGIN_MAX, &text);
    if (rc != 0)
        return rc;
    memcpy(origin, text.p, text.n);
    origin[text.n] = '\0';
    if (strcmp(origin, "*") != 0 && !make_origin(origin))
        return reader_fail(rd, "must be an origin like https://www.example.com, "
                               "without a path, or \"*\" for all");
    if (has_text(settings->origins, settings->n_origins, slice_of(origin)))
        return reader_fail(rd, "is given twice");
    settings_add_origin(settings, slice_of(origin));
    return 0;
}

static int
read_origins(struct reader *rd, const struct json_token *value, void *out)
{
    return reader_array(rd, value, CHANNEL_ORIGINS_MAX, read_origin,
                        take(out, GIVEN_ORIGINS));
}

static int
read_bundle(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_settings *settings = out;
    struct slice text;

    int rc = reader_text(rd, value, 1, CHANNEL_ORIGIN_MAX, &text);
    if (rc != 0)
        return rc;
    if (has_text(settings->bundles, settings->n_bundles, text))
        return reader_fail(rd, "is given twice");
    settings_add_bundle(settings, text);
    return 0;
}

static int
read_bundles(struct reader *rd, const struct json_token *value, void *out)
{
    return reader_array(rd, value, CHANNEL_BUNDLES_MAX, read_bundle,
                        take(out, GIVEN_BUNDLES));
}

/* ---- the authorizer ---- */

struct authorizer_body {
    char *url, *authorization; /* NULL = not given */
    uint32_t routes;           /* 0 likewise */
};

static int
read_url(struct reader *rd, const struct json_token *value, void *out)
{
    struct authorizer_body *body = out;
    return reader_url(rd, value, &body->url);
}

static int
read_authorization(struct reader *rd, const struct json_token *value, void *out)
{
    struct authorizer_body *body = out;
    struct slice text;
    struct err err = {0};

    int rc = reader_text(rd, value, 1, WEBHOOK_HEADER_VALUE_MAX, &text);
    if (rc != 0)
        return rc;
    if (webhook_header_check(SLICE("authorization"), text, &err) != 0)
        return reader_fail(rd, "%s", err.text);
    body->authorization = xstrndup(text.p, text.n);
    return 0;
}

static int
refuse_route(struct reader *rd)
{
    char list[500] = "";
    size_t used = 0;

    for (unsigned i = 0; i < GATED_ROUTES && used < sizeof(list); i++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
                                 i ? ", " : "", gated_route_path((enum gated_route)i));
    return reader_fail(rd, "unknown route: there are %s", list);
}

static int
read_route(struct reader *rd, const struct json_token *value, void *out)
{
    struct authorizer_body *body = out;
    enum gated_route route;
    struct slice path;

    int rc = reader_text(rd, value, 0, API_CONFIG_BODY_MAX, &path);
    if (rc != 0)
        return rc;
    if (!gated_route_parse(path, &route))
        return refuse_route(rd);
    body->routes |= 1u << route;
    return 0;
}

static int
read_routes(struct reader *rd, const struct json_token *value, void *out)
{
    if (value->type == JSON_ARRAY && value->count == 0)
        return reader_fail(rd, "must name at least one route");
    return reader_array(rd, value, GATED_ROUTES, read_route, out);
}

static const struct field authorizer_fields[] = {
    {"url", read_url},
    {"authorization", read_authorization},
    {"routes", read_routes},
};

static int
read_authorizer_body(struct reader *rd, const struct json_token *value,
                     struct authorizer_body *body)
{
    int rc =
        reader_object(rd, value, authorizer_fields, ARRAY_LEN(authorizer_fields), body);
    if (rc != 0)
        return rc;
    if (!body->url)
        return reader_missing(rd, "url");
    if (!body->authorization)
        return reader_missing(rd, "authorization");
    return body->routes ? 0 : reader_missing(rd, "routes");
}

static int
read_authorizer(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_settings *settings = take(out, GIVEN_AUTHORIZER);
    struct authorizer_body body = {0};

    if (value->type == JSON_NULL)
        return 0;
    int rc = read_authorizer_body(rd, value, &body);
    if (rc == 0)
        settings_set_authorizer(settings, body.url, body.authorization, body.routes);
    if (body.authorization)
        explicit_bzero(body.authorization, strlen(body.authorization));
    free(body.authorization);
    free(body.url);
    return rc;
}

/* ---- the whole body ---- */

static const struct field fields[] = {
    {"fcmId", read_fcm_id},      {"topics", read_topics},
    {"tags", read_tags},         {"attributes", read_attributes},
    {"sdk", read_sdk},           {"allowedOrigins", read_origins},
    {"bundleIds", read_bundles}, {"authorizer", read_authorizer},
};

static int
read_body(struct api_request *r)
{
    struct settings_body *body = xcalloc(1, sizeof(*body));
    body->holder = channel_new();
    r->own = body;
    r->own_free = body_free;

    struct reader rd;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, ARRAY_LEN(fields), body);
    reader_fini(&rd);
    return rc;
}

static void
apply_lists(struct channel_settings *to, const struct channel_settings *from,
            unsigned given)
{
    if (given & GIVEN_ORIGINS) {
        settings_clear_origins(to);
        for (size_t i = 0; i < from->n_origins; i++)
            settings_add_origin(to, slice_of(from->origins[i]));
    }
    if (given & GIVEN_BUNDLES) {
        settings_clear_bundles(to);
        for (size_t i = 0; i < from->n_bundles; i++)
            settings_add_bundle(to, slice_of(from->bundles[i]));
    }
}

static void
apply_body(struct channel_settings *to, const struct settings_body *body)
{
    const struct channel_settings *from = &body->holder->settings;
    const struct authorizer *authorizer = from->authorizer;

    if (body->given & GIVEN_FCM_ID)
        settings_set(&to->fcm_id, slice_of(from->fcm_id));
    if (body->given & GIVEN_TOPICS)
        settings_set(&to->topics, slice_of(from->topics));
    if (body->given & GIVEN_TAGS)
        settings_set(&to->tags, slice_of(from->tags));
    if (body->given & GIVEN_ATTRIBUTES)
        settings_set(&to->attributes, slice_of(from->attributes));
    if (body->given & GIVEN_SDK)
        settings_set(&to->sdk, slice_of(from->sdk));
    apply_lists(to, from, body->given);
    if (body->given & GIVEN_AUTHORIZER)
        settings_clear_authorizer(to);
    if (authorizer)
        settings_set_authorizer(to, authorizer->url, authorizer->authorization,
                                authorizer->routes);
}

int
settings_fit(const struct channel_settings *settings, struct err *err)
{
    struct buf written;

    buf_init(&written, CHANNEL_SETTINGS_MAX);
    int rc = settings_write(&written, settings);
    buf_fini(&written);
    if (rc == E_TOO_LARGE)
        err_set(err, rc, "all settings of a channel may have at most %zu bytes",
                CHANNEL_SETTINGS_MAX);
    return rc;
}

/* ---- look and change ---- */

static void
write_texts(struct json_out *json, const char *name, char *const *texts, size_t n)
{
    json_array(json, name);
    for (size_t i = 0; i < n; i++)
        json_str(json, NULL, texts[i]);
    json_array_end(json);
}

/* Without what its header says: it is write-only. */
static void
write_authorizer(struct json_out *json, const struct channel_settings *settings)
{
    if (!settings->authorizer) {
        json_null(json, "authorizer");
        return;
    }
    json_object(json, "authorizer");
    json_str(json, "url", settings->authorizer->url);
    json_array(json, "routes");
    for (unsigned i = 0; i < GATED_ROUTES; i++)
        if (settings_gate(settings, (enum gated_route)i))
            json_str(json, NULL, gated_route_path((enum gated_route)i));
    json_array_end(json);
    json_object_end(json);
}

static void
answer_settings(struct api_request *r, const struct channel *channel)
{
    const struct channel_settings *settings = &channel->settings;

    api_json_begin(r);
    json_str(&r->json, "fcmId", settings->fcm_id);
    json_raw_out(&r->json, "topics", slice_of(settings->topics));
    json_raw_out(&r->json, "tags", slice_of(settings->tags));
    json_raw_out(&r->json, "attributes", slice_of(settings->attributes));
    json_raw_out(&r->json, "sdk", slice_of(settings->sdk));
    write_texts(&r->json, "allowedOrigins", settings->origins, settings->n_origins);
    write_texts(&r->json, "bundleIds", settings->bundles, settings->n_bundles);
    write_authorizer(&r->json, settings);
    api_json_end(r, 200);
}

void
settings_show(struct api_request *r)
{
    answer_settings(r, r->channel);
}

/* An app that asks for its channel by its bundle id must get one answer. */
static int
bundles_check(struct engine *engine, const struct channel *channel, struct err *err)
{
    const struct channel_settings *settings = &channel->settings;
    int rc = 0;

    for (size_t i = 0; i < settings->n_bundles && rc == 0; i++) {
        struct channel *other =
            engine_channel_of_bundle(engine, slice_of(settings->bundles[i]));
        if (other && other->number != channel->number)
            rc = err_set(err, E_CONFLICT, "bundleIds: %s is another channel's",
                         settings->bundles[i]);
        channel_unref(other);
    }
    return rc;
}

static int
edit_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct channel *channel = channel_copy_now(engine, r);
    if (!channel)
        return E_NOT_FOUND;
    apply_body(&channel->settings, r->own);
    int rc = settings_fit(&channel->settings, &change->err);
    if (rc == 0)
        rc = bundles_check(engine, channel, &change->err);
    if (rc == 0)
        change->channel = channel;
    else
        channel_unref(channel);
    return rc;
}

static void
edit_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        answer_settings(r, change->channel);
}

void
settings_change(struct api_request *r)
{
    if (read_body(r) != 0)
        return;
    r->op.change = (struct engine_change){.apply = edit_apply, .done = edit_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}
