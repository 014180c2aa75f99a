/* Keys: made (and shown once), listed and dropped by admins. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"

struct key_body {
    bool has_role;
    enum role role;
    char channel[ID_MAX + 1]; /* "" = none */
    msec_t expires_ms;        /* 0 = never */
    char text[KEY_TEXT];      /* the key that was made */
};

static void
body_free(void *own)
{
    crypto_wipe(own, sizeof(struct key_body));
    free(own);
}

static int
read_role(struct reader *rd, const struct json_token *value, void *out)
{
    struct key_body *body = out;
    struct slice name;
    int rc = reader_text(rd, value, 0, API_CONFIG_BODY_MAX, &name);
    if (rc != 0)
        return rc;
    if (!role_parse(name, &body->role))
        return reader_fail(rd, "must be admin, manage, ingest or read");
    body->has_role = true;
    return 0;
}

static int
read_channel(struct reader *rd, const struct json_token *value, void *out)
{
    struct key_body *body = out;
    struct slice id;
    if (value->type == JSON_NULL)
        return 0;
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &id);
    if (rc != 0)
        return rc;
    struct channel *channel = engine_channel(rd->request->api->engine, id);
    if (!channel)
        return reader_fail(rd, "no such channel");
    memcpy(body->channel, channel->id, sizeof(body->channel));
    channel_unref(channel);
    return 0;
}

/* Steady time, as it is compared, so that a clock that is set opens or shuts nothing.
 */
static int
read_expires(struct reader *rd, const struct json_token *value, void *out)
{
    struct key_body *body = out;
    if (value->type == JSON_NULL)
        return 0;
    int rc = reader_time(rd, value, &body->expires_ms);
    if (rc != 0)
        return rc;
    if (key_expired(&(struct key){.expires_ms = body->expires_ms},
                    api_now(rd->request)))
        return reader_fail(rd, "must be in the future");
    return 0;
}

static const struct field fields[] = {
    {"role", read_role},
    {"channel", read_channel},
    {"expiresAt", read_expires},
};

static int
read_body(struct reader *rd, struct key_body *body)
{
    int rc = reader_object(rd, &rd->doc.tokens[0], fields, ARRAY_LEN(fields), body);
    if (rc != 0)
        return rc;
    if (!body->has_role)
        return reader_missing(rd, "role");
    bool may_be_global = body->role == ROLE_ADMIN || body->role == ROLE_READ;
    if (!may_be_global && !body->channel[0]) {
        reader_enter(rd, SLICE("channel"));
        return reader_fail(rd, "is missing: a key with the role %s is for one channel",
                           role_name(body->role));
    }
    if (body->role == ROLE_ADMIN && body->channel[0]) {
        reader_enter(rd, SLICE("channel"));
        return reader_fail(rd, "an admin key is for all channels");
    }
    return 0;
}

static void
write_key(struct api_request *r, const struct key *key)
{
    char channel[ID_MAX + 1];
    json_str(&r->json, "_id", key->id);
    json_str(&r->json, "role", role_name(key->role));
    bool scoped =
        key->channel && engine_channel_id(r->api->engine, key->channel, channel);
    json_str(&r->json, "channel", scoped ? channel : NULL);
    json_time(&r->json, "createdAt", key->created_ms);
    if (key->expires_ms)
        json_time(&r->json, "expiresAt", key->expires_ms);
    else
        json_null(&r->json, "expiresAt");
}

/* ---- make ---- */

static int
create_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct key_body *body = r->own;
    struct key key = {.role = body->role, .expires_ms = body->expires_ms};

    if (body->channel[0]) {
        struct channel *channel = engine_channel(engine, slice_of(body->channel));
        if (!channel)
            return err_set(&change->err, E_CONFLICT,
                           "the channel has just been deleted");
        key.channel = channel->number;
        channel_unref(channel);
    }
    key.created_ms = clock_wall_us(engine_clock(engine)) / 1000;
    key_make(&key, body->text, engine_rng(engine));
    change->key = key;
    change->put_key = true;
    return 0;
}

static void
create_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    const struct key_body *body = r->own;
    if (change->result != 0) {
        api_refuse(r, change->result, change->err.text);
        return;
    }
    api_json_begin(r);
    write_key(r, &change->key);
    json_str(&r->json, "key", body->text);
    api_json_end(r, 201);
}

void
keys_create(struct api_request *r)
{
    struct key_body *body = xcalloc(1, sizeof(*body));
    r->own = body;
    r->own_free = body_free;

    struct reader rd;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = read_body(&rd, body);
    reader_fini(&rd);
    if (rc != 0)
        return;
    r->op.change = (struct engine_change){.apply = create_apply, .done = create_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

/* ---- look ---- */

void
keys_list(struct api_request *r)
{
    struct key page[QUERY_LIMIT_MAX + 1];
    char cursor[CURSOR_TEXT];
    uint64_t after = 0;

    if (r->query.cursor[0] && !cursor_number_parse(r->query.cursor, &after)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    size_t n = engine_keys(r->api->engine, after, page, r->query.limit + 1);
    bool more = n > r->query.limit;
    size_t shown = more ? r->query.limit : n;
    api_page_begin(r);
    for (size_t i = 0; i < shown; i++) {
        json_object(&r->json, NULL);
        write_key(r, &page[i]);
        json_object_end(&r->json);
    }
    if (more)
        cursor_number_format(cursor, page[shown - 1].number);
    api_page_end(r, more ? cursor : NULL);
}

/* ---- drop ---- */

/* Is there an admin key besides this one, that will always be there? */
static bool
other_admin(struct engine *engine, uint64_t number)
{
    struct key page[QUERY_LIMIT_MAX];
    uint64_t after = 0;
    size_t n;
    while ((n = engine_keys(engine, after, page, ARRAY_LEN(page))) > 0) {
        for (size_t i = 0; i < n; i++)
            if (page[i].role == ROLE_ADMIN && page[i].number != number &&
                !page[i].expires_ms)
                return true;
        after = page[n - 1].number;
    }
    return false;
}

static int
delete_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct key key;
    if (!engine_key(engine, r->id, &key))
        return err_set(&change->err, E_NOT_FOUND, "no such key");
    if (key.role == ROLE_ADMIN && !key.expires_ms && !other_admin(engine, key.number))
        return err_set(&change->err, E_CONFLICT,
                       "this is the last admin key that does not expire: make another "
                       "one first");
    change->drop_key = key.number;
    return 0;
}

void
keys_delete(struct api_request *r)
{
    api_delete(r, delete_apply);
}
