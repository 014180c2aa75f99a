/* Reading what a client wants a webhook to be. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"
#include "core/signature.h"

static void
body_free(void *own)
{
    struct webhook_body *body = own;
    webhook_unref(body->values);
    free(body);
}

static void
replace_text(char **text, struct slice value)
{
    free(*text);
    *text = xstrndup(value.p, value.n);
}

static int
read_url(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->given |= WEBHOOK_URL;
    return reader_url(rd, value, &body->values->url);
}

/* ---- events ---- */

static int
refuse_type(struct reader *rd)
{
    char list[200] = "";
    struct buf names;
    buf_init(&names, sizeof(list) - 1);
    for (int type = 0; type < EVENT_TYPES; type++)
        buf_addf(&names, "%s%s", type ? ", " : "",
                 event_type_name((enum event_type)type));
    memcpy(list, names.p, names.n);
    buf_fini(&names);
    return reader_fail(rd, "unknown event: there are %s", list);
}

int
webhook_read_type(struct reader *rd, const struct json_token *value,
                  enum event_type *type)
{
    struct slice name;
    int rc = reader_text(rd, value, 0, API_CONFIG_BODY_MAX, &name);
    if (rc != 0)
        return rc;
    return event_type_parse(name, type) ? 0 : refuse_type(rd);
}

static int
read_types(struct reader *rd, const struct json_token *value, uint32_t *types)
{
    const struct json_token *name = json_first(&rd->doc, value);
    int rc = 0;

    for (size_t i = 0; name && rc == 0; i++) {
        enum event_type type = EVENT_TYPES;
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        size_t mark = reader_enter(rd, slice_of(index));
        rc = webhook_read_type(rd, name, &type);
        if (rc == 0)
            *types |= 1u << type;
        reader_leave(rd, mark);
        name = json_after(&rd->doc, value, name);
    }
    return rc;
}

static int
read_events(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    uint32_t types = 0;

    if (value->type != JSON_ARRAY && value->type != JSON_NULL)
        return reader_fail(rd,
                           "must be an array of event names, or null for all, not %s",
                           json_type_name(value->type));
    if (value->type == JSON_ARRAY && value->count == 0)
        return reader_fail(rd, "must name at least one event; null is all");
    int rc = value->type == JSON_ARRAY ? read_types(rd, value, &types) : 0;
    if (value->type == JSON_NULL)
        types = EVENT_ALL_TYPES;
    if (rc == 0) {
        body->values->types = types;
        body->given |= WEBHOOK_EVENTS;
    }
    return rc;
}

static int
read_description(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    struct slice text;
    body->given |= WEBHOOK_DESCRIPTION;
    if (value->type == JSON_NULL)
        return 0;
    int rc = reader_text(rd, value, 0, WEBHOOK_DESCRIPTION_MAX, &text);
    if (rc == 0)
        replace_text(&body->values->description, text);
    return rc;
}

/* ---- headers ---- */

static bool
has_header(const struct webhook *webhook, const char *name)
{
    for (size_t i = 0; i < webhook->n_headers; i++)
        if (strcasecmp(webhook->headers[i].name, name) == 0)
            return true;
    return false;
}

static int
read_header(struct reader *rd, struct slice name, const struct json_token *value,
            struct webhook *webhook)
{
    struct slice text;
    struct err err = {0};
    int rc = reader_text(rd, value, 0, WEBHOOK_HEADER_VALUE_MAX, &text);
    if (rc != 0)
        return rc;
    if (webhook_header_check(name, text, &err) != 0)
        return reader_fail(rd, "%s", err.text);
    if (has_header(webhook, name.p))
        return reader_fail(rd, "is given twice: case makes no difference");
    webhook_add_header(webhook, name, text);
    return 0;
}

static int
read_headers(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    struct buf name;
    int rc = 0;

    if (value->type != JSON_OBJECT)
        return reader_fail(rd, "must be an object of strings, not %s",
                           json_type_name(value->type));
    if (value->count > WEBHOOK_HEADERS_MAX)
        return reader_fail(rd, "may have at most %d headers", WEBHOOK_HEADERS_MAX);
    buf_init(&name, API_CONFIG_BODY_MAX);
    const struct json_token *key = json_first(&rd->doc, value);
    while (key && rc == 0) {
        const struct json_token *text = json_after(&rd->doc, value, key);
        buf_reset(&name);
        buf_add(&name, "", 0); /* a name may be empty, and has its NUL even then */
        json_string_add(&rd->doc, key, &name);
        if (name.failed) {
            api_refuse(rd->request, E_NO_MEMORY, NULL);
            rc = E_NO_MEMORY;
            break;
        }
        size_t mark = reader_enter(rd, buf_slice(&name));
        rc = read_header(rd, buf_slice(&name), text, body->values);
        reader_leave(rd, mark);
        key = json_after(&rd->doc, value, text);
    }
    buf_fini(&name);
    body->given |= WEBHOOK_HEADERS;
    return rc;
}

int
webhook_read_secret(struct reader *rd, const struct json_token *value,
                    char out[SECRET_TEXT])
{
    struct slice secret;
    struct err err = {0};
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &secret);
    if (rc != 0)
        return rc;
    return secret_read(secret, out, &err) == 0 ? 0 : reader_fail(rd, "%s", err.text);
}

int
webhook_read_key_type(struct reader *rd, const struct json_token *value,
                      enum secret_kind *kind)
{
    struct slice name;
    int rc = reader_text(rd, value, 0, API_CONFIG_BODY_MAX, &name);
    if (rc != 0 || secret_kind_parse(name, kind))
        return rc;
    return reader_fail(rd, "must be %s or %s", secret_kind_name(SECRET_HMAC),
                       secret_kind_name(SECRET_ED25519));
}

int
webhook_check_key_type(struct reader *rd, const char *secret, enum secret_kind kind)
{
    if (secret_kind(slice_of(secret)) == kind)
        return 0;
    reader_enter(rd, SLICE("keyType"));
    return reader_fail(rd,
                       "the secret is of the type %s; leave keyType out, or have a "
                       "secret made",
                       secret_kind_name(secret_kind(slice_of(secret))));
}

static int
read_secret(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    char secret[SECRET_TEXT] = "";
    int rc = webhook_read_secret(rd, value, secret);
    if (rc == 0) {
        webhook_set_secret(body->values, slice_of(secret));
        body->given |= WEBHOOK_SECRET;
    }
    crypto_wipe(secret, sizeof(secret));
    return rc;
}

static int
read_key_type(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->given |= WEBHOOK_KEY_TYPE;
    if (!body->is_new)
        return reader_fail(rd,
                           "is of the secret: give another secret, or have one made "
                           "by POST .../secret/rotate");
    return webhook_read_key_type(rd, value, &body->key_type);
}

static int
read_enabled(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->given |= WEBHOOK_ENABLED;
    return reader_bool(rd, value, &body->values->enabled);
}

/* ---- retry ---- */

#define DAY_S 86400.0

static int
read_max_retries(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    int64_t n;
    int rc = reader_int(rd, value, 0, 20, &n);
    body->retry_given |= RETRY_MAX_RETRIES;
    if (rc == 0)
        body->values->retry.max_retries = (uint32_t)n;
    return rc;
}

static int
read_seconds(struct reader *rd, const struct json_token *value, double max, msec_t *out)
{
    double seconds;
    int rc = reader_number(rd, value, 1, max, &seconds);
    if (rc == 0)
        *out = (msec_t)(seconds * 1000 + 0.5);
    return rc;
}

static int
read_initial_delay(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->retry_given |= RETRY_INITIAL_DELAY;
    return read_seconds(rd, value, DAY_S, &body->values->retry.initial_delay_ms);
}

static int
read_factor(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->retry_given |= RETRY_FACTOR;
    return reader_number(rd, value, 1, 10, &body->values->retry.factor);
}

static int
read_max_delay(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;
    body->retry_given |= RETRY_MAX_DELAY;
    return read_seconds(rd, value, 7 * DAY_S, &body->values->retry.max_delay_ms);
}

static const struct field retry_fields[] = {
    {"maxRetries", read_max_retries},
    {"initialDelay", read_initial_delay},
    {"factor", read_factor},
    {"maxDelay", read_max_delay},
};

static int
read_retry(struct reader *rd, const struct json_token *value, void *out)
{
    struct webhook_body *body = out;

    body->given |= WEBHOOK_RETRY;
    body->default_retry = value->type == JSON_NULL;
    if (body->default_retry)
        return 0;
    return reader_object(rd, value, retry_fields, ARRAY_LEN(retry_fields), body);
}

/* ---- the whole body ---- */

static const struct field fields[] = {
    {"url", read_url},
    {"events", read_events},
    {"description", read_description},
    {"headers", read_headers},
    {"secret", read_secret},
    {"keyType", read_key_type},
    {"enabled", read_enabled},
    {"retry", read_retry},
};

static int
check_members(struct reader *rd, const struct webhook_body *body)
{
    if (body->is_new && !(body->given & WEBHOOK_URL))
        return reader_missing(rd, "url");
    if ((body->given & WEBHOOK_SECRET) && (body->given & WEBHOOK_KEY_TYPE))
        return webhook_check_key_type(rd, webhook_secret_text(body->values),
                                      body->key_type);
    return 0;
}

int
webhook_body_read(struct api_request *r, bool is_new)
{
    struct webhook_body *body = xcalloc(1, sizeof(*body));
    body->values = webhook_new();
    body->is_new = is_new;
    r->own = body;
    r->own_free = body_free;

    struct reader rd;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, ARRAY_LEN(fields), body);
    if (rc == 0)
        rc = check_members(&rd, body);
    reader_fini(&rd);
    return rc;
}

static void
apply_enabled(struct webhook *webhook, bool enabled)
{
    /* A webhook that is disabled already keeps the reason it has. */
    if (webhook->enabled == enabled)
        return;
    webhook->enabled = enabled;
    free(webhook->disabled_reason);
    webhook->disabled_reason = enabled ? NULL : xstrdup("by request");
}

static void
apply_headers(struct webhook *webhook, const struct webhook *values)
{
    webhook_clear_headers(webhook);
    for (size_t i = 0; i < values->n_headers; i++)
        webhook_add_header(webhook, slice_of(values->headers[i].name),
                           slice_of(values->headers[i].value));
}

static int
apply_retry(const struct webhook_body *body, struct webhook *webhook, struct err *err)
{
    const struct retry_policy *values = &body->values->retry;
    struct retry_policy *retry = &webhook->retry;

    if (body->default_retry) {
        webhook->own_retry = false;
        *retry = retry_default;
        return 0;
    }
    webhook->own_retry = webhook->own_retry || body->retry_given;
    if (body->retry_given & RETRY_MAX_RETRIES)
        retry->max_retries = values->max_retries;
    if (body->retry_given & RETRY_INITIAL_DELAY)
        retry->initial_delay_ms = values->initial_delay_ms;
    if (body->retry_given & RETRY_FACTOR)
        retry->factor = values->factor;
    if (body->retry_given & RETRY_MAX_DELAY)
        retry->max_delay_ms = values->max_delay_ms;
    if (retry->max_delay_ms >= retry->initial_delay_ms)
        return 0;
    return err_set(
        err, E_INVALID, "must be at least initialDelay, which is %g: it is %g",
        (double)retry->initial_delay_ms / 1000, (double)retry->max_delay_ms / 1000);
}

int
webhook_body_apply(const struct webhook_body *body, struct webhook *webhook,
                   struct err *err)
{
    const struct webhook *values = body->values;

    if (body->given & WEBHOOK_URL)
        replace_text(&webhook->url, slice_of(values->url));
    if (body->given & WEBHOOK_EVENTS)
        webhook->types = values->types;
    if (body->given & WEBHOOK_DESCRIPTION) {
        free(webhook->description);
        webhook->description =
            values->description ? xstrdup(values->description) : NULL;
    }
    if (body->given & WEBHOOK_HEADERS)
        apply_headers(webhook, values);
    if (body->given & WEBHOOK_SECRET)
        webhook_set_secret(webhook, slice_of(webhook_secret_text(values)));
    if (body->given & WEBHOOK_ENABLED)
        apply_enabled(webhook, values->enabled);
    return body->given & WEBHOOK_RETRY ? apply_retry(body, webhook, err) : 0;
}
