#include "api/subscription_body.h"

#include <stdio.h>

#include "base/timefmt.h"

struct body {
    struct change *change;
    struct buf *text;
    const struct json_doc *doc;
    const char *channel;
    struct subscription_error *error;
};

static int
fail(struct body *body, const char *name, const char *reason)
{
    struct subscription_error *error = body->error;
    snprintf(error->pointer, sizeof(error->pointer), "/%s", name);
    snprintf(error->reason, sizeof(error->reason), "%s", reason);
    return E_INVALID;
}

/* ---- what is no member of the table ---- */

static int
read_id(struct body *body, const struct json_token *value)
{
    size_t at = body->text->n;

    if (value->type == JSON_STRING &&
        json_string_add(body->doc, value, body->text) == 0) {
        struct slice id = {body->text->p + at, body->text->n - at};
        body->change->id = id;
        if (id_valid(id) && !slice_is(id, ".") && !slice_is(id, ".."))
            return 0;
    }
    return fail(body, "_id", "must be an id: 1 to 64 of A-Z a-z 0-9 _ . -");
}

static int
read_channel(struct body *body, const struct json_token *value)
{
    if (value->type == JSON_STRING && json_string_is(body->doc, value, body->channel))
        return 0;
    return fail(body, "channel", "must be the channel of the path");
}

static int
read_inactive(struct body *body, const struct json_token *value)
{
    if (value->type != JSON_TRUE && value->type != JSON_FALSE)
        return fail(body, "inactive", "must be true or false");
    body->change->inactive = value->type == JSON_TRUE;
    return 0;
}

static int
read_time(struct body *body, const struct json_token *value, const char *name,
          msec_t *ms)
{
    if (value->type == JSON_STRING && !value->escaped &&
        time_parse(json_string_raw(body->doc, value), ms))
        return 0;
    return fail(body, name, "must be a time like 2024-03-04T09:50:51.375Z");
}

static int
read_created(struct body *body, const struct json_token *value)
{
    return read_time(body, value, "createdAt", &body->change->created_ms);
}

static int
read_synced(struct body *body, const struct json_token *value)
{
    return read_time(body, value, "syncedAt", &body->change->synced_ms);
}

static const struct {
    const char *name;
    int (*read)(struct body *body, const struct json_token *value);
} own[] = {
    {"_id", read_id},
    {"channel", read_channel},
    {"inactive", read_inactive},
    {"createdAt", read_created},
    {"syncedAt", read_synced},
};

/* ---- members ---- */

static int
read_member(struct body *body, enum member member, const struct json_token *value)
{
    struct buf *text = body->text;
    const char *reason = NULL;
    size_t at = text->n;

    switch (member_canonical(member, body->doc, value, text, &reason)) {
    case MEMBER_GIVEN:
        body->change->given[member] = (struct slice){text->p + at, text->n - at};
        break;
    case MEMBER_LEFT:
        break;
    case MEMBER_REFUSED:
        return fail(body, member_name(member), reason);
    case MEMBER_NO_MEMORY:
        return E_NO_MEMORY;
    }
    return 0;
}

static int
read_any(struct body *body, const struct json_token *key,
         const struct json_token *value)
{
    struct slice name = json_string_raw(body->doc, key);
    char shown[80];
    enum member member;

    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (slice_is(name, own[i].name))
            return value->type == JSON_NULL ? 0 : own[i].read(body, value);
    if (member_find(name, &member))
        return read_member(body, member, value);
    snprintf(shown, sizeof(shown), "%.*s", (int)(name.n < 64 ? name.n : 64), name.p);
    return fail(body, shown, "unknown member: docs/registry.md has those there are");
}

int
subscription_body_read(struct change *change, struct buf *text,
                       const struct json_doc *doc, const struct json_token *object,
                       const char *channel, struct subscription_error *error)
{
    struct body body = {change, text, doc, channel, error};
    size_t begin = text->n;

    *change = (struct change){.kind = CHANGE_REPLACE};
    error->pointer[0] = '\0';
    if (object->type != JSON_OBJECT) {
        snprintf(error->reason, sizeof(error->reason), "must be an object, not %s",
                 json_type_name(object->type));
        return E_INVALID;
    }
    const struct json_token *key = json_first(doc, object);
    while (key) {
        const struct json_token *value = json_after(doc, object, key);
        int rc = read_any(&body, key, value);
        if (rc != 0)
            return rc;
        key = json_after(doc, object, value);
    }
    if (text->n - begin <= CHANGE_GIVEN_MAX)
        return 0;
    snprintf(error->reason, sizeof(error->reason), "may have at most 100 KiB");
    return E_INVALID;
}
