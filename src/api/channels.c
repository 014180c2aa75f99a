/* Channels: made, changed and deleted by admins. */
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"
#include "base/timefmt.h"

struct channel_body {
    char id[ID_MAX + 1]; /* "" = make one */
    char *name;          /* NULL = not given */
    bool has_trial;
    msec_t trial_ends_ms; /* steady; MSEC_NEVER = no trial */
};

static void
body_free(void *own)
{
    struct channel_body *body = own;
    free(body->name);
    free(body);
}

static int
read_name(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_body *body = out;
    struct slice name;
    int rc = reader_text(rd, value, 1, CHANNEL_NAME_MAX, &name);
    if (rc == 0)
        body->name = xstrndup(name.p, name.n);
    return rc;
}

static int
read_id(struct reader *rd, const struct json_token *value, void *out)
{
    struct channel_body *body = out;
    return reader_id(rd, value, body->id);
}

static int
set_trial(struct reader *rd, struct channel_body *body, msec_t ends_ms)
{
    if (body->has_trial)
        return reader_fail(rd, "is given twice: as trial and as trialEndsAt");
    body->has_trial = true;
    body->trial_ends_ms = ends_ms;
    return 0;
}

static int
read_trial(struct reader *rd, const struct json_token *value, void *out)
{
    bool trial;
    int rc = reader_bool(rd, value, &trial);
    if (rc != 0)
        return rc;
    return set_trial(rd, out,
                     trial ? api_now(rd->request) + CHANNEL_TRIAL_MS : MSEC_NEVER);
}

/* A time that is past ends the trial now. */
static int
read_trial_ends(struct reader *rd, const struct json_token *value, void *out)
{
    struct slice text;
    msec_t ends_ms;
    if (value->type == JSON_NULL)
        return set_trial(rd, out, MSEC_NEVER);
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &text);
    if (rc != 0)
        return rc;
    if (!time_parse(text, &ends_ms))
        return reader_fail(rd, "must be null or a time as in 2024-03-04T09:50:51Z");
    return set_trial(rd, out, ends_ms);
}

/* The id last: a change does not know it. */
static const struct field fields[] = {
    {"name", read_name},
    {"trial", read_trial},
    {"trialEndsAt", read_trial_ends},
    {"_id", read_id},
};
#define FIELDS ARRAY_LEN(fields)

static int
read_body(struct api_request *r, size_t n_fields)
{
    struct channel_body *body = xcalloc(1, sizeof(*body));
    r->own = body;
    r->own_free = body_free;

    struct reader rd;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, n_fields, body);
    if (rc == 0 && n_fields == FIELDS && !body->name)
        rc = reader_missing(&rd, "name");
    reader_fini(&rd);
    return rc;
}

static void
write_channel(struct api_request *r, const struct channel *channel)
{
    struct json_out *json = &r->json;
    json_str(json, "_id", channel->id);
    json_str(json, "name", channel->name);
    json_time(json, "createdAt", channel->created_ms);
    json_time(json, "updatedAt", channel->updated_ms);
    json_time(json, "trialEndsAt", channel->trial_ends_ms);
    json_bool(json, "trialEnded", trial_is_over(channel->trial_ends_ms, api_now(r)));
}

static void
answer_channel(struct api_request *r, const struct channel *channel, unsigned status)
{
    api_json_begin(r);
    write_channel(r, channel);
    api_json_end(r, status);
}

static bool
id_taken(struct engine *engine, const char *id)
{
    struct channel *channel = engine_channel(engine, slice_of(id));
    if (!channel)
        return false;
    channel_unref(channel);
    return true;
}

/* ---- make ---- */

static int
create_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    const struct channel_body *body = r->own;
    char id[ID_MAX + 1];

    memcpy(id, body->id, sizeof(id));
    if (!id[0])
        do
            id_make(id, engine_rng(engine));
        while (id_taken(engine, id));
    else if (id_taken(engine, id))
        return err_set(&change->err, E_CONFLICT, "there is a channel \"%s\" already",
                       id);

    struct channel *channel = channel_new();
    memcpy(channel->id, id, sizeof(id));
    free(channel->name);
    channel->name = xstrdup(body->name);
    channel->created_ms = clock_wall_us(engine_clock(engine)) / 1000;
    channel->updated_ms = channel->created_ms;
    if (body->has_trial)
        channel->trial_ends_ms = body->trial_ends_ms;
    change->channel = channel;
    return 0;
}

static void
create_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        answer_channel(r, change->channel, 201);
}

void
channels_create(struct api_request *r)
{
    if (read_body(r, FIELDS) != 0)
        return;
    r->op.change = (struct engine_change){.apply = create_apply, .done = create_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

/* ---- look ---- */

size_t
channels_seen(struct api_request *r, uint64_t after, struct channel **page,
              size_t limit)
{
    struct engine *engine = r->api->engine;
    uint64_t own = r->key.channel;

    if (own == 0)
        return engine_channels(engine, after, page, limit);
    if (after >= own || engine_channels(engine, own - 1, page, 1) == 0)
        return 0;
    if (page[0]->number == own)
        return 1;
    channel_unref(page[0]); /* the own one has just been deleted */
    return 0;
}

void
channels_list(struct api_request *r)
{
    struct channel *page[QUERY_LIMIT_MAX + 1];
    char cursor[CURSOR_TEXT];
    uint64_t after = 0;

    if (r->query.cursor[0] && !cursor_number_parse(r->query.cursor, &after)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    size_t n = channels_seen(r, after, page, r->query.limit + 1);
    bool more = n > r->query.limit;
    size_t shown = more ? r->query.limit : n;
    api_page_begin(r);
    for (size_t i = 0; i < shown; i++) {
        json_object(&r->json, NULL);
        write_channel(r, page[i]);
        json_object_end(&r->json);
    }
    if (more)
        cursor_number_format(cursor, page[shown - 1]->number);
    for (size_t i = 0; i < n; i++)
        channel_unref(page[i]);
    api_page_end(r, more ? cursor : NULL);
}

void
channels_show(struct api_request *r)
{
    answer_channel(r, r->channel, 200);
}

/* ---- change and delete ---- */

struct channel *
channel_copy_now(struct engine *engine, struct api_request *r)
{
    struct channel *now = engine_channel(engine, slice_of(r->channel->id));
    struct channel *copy = NULL;
    if (now && now->number == r->channel->number)
        copy = channel_copy(now);
    else
        err_set(&r->op.change.err, E_NOT_FOUND, "no such channel");
    channel_unref(now);
    if (copy)
        copy->updated_ms = clock_wall_us(engine_clock(engine)) / 1000;
    return copy;
}

static int
edit_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    const struct channel_body *body = r->own;
    struct channel *channel = channel_copy_now(engine, r);
    if (!channel)
        return E_NOT_FOUND;
    if (body->name) {
        free(channel->name);
        channel->name = xstrdup(body->name);
    }
    if (body->has_trial)
        channel->trial_ends_ms = body->trial_ends_ms;
    change->channel = channel;
    return 0;
}

static void
edit_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        api_refuse(r, change->result, change->err.text);
    else
        answer_channel(r, change->channel, 200);
}

void
channels_change(struct api_request *r)
{
    if (read_body(r, FIELDS - 1) != 0)
        return;
    r->op.change = (struct engine_change){.apply = edit_apply, .done = edit_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

static int
delete_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct channel *channel = channel_copy_now(engine, r);
    if (!channel)
        return E_NOT_FOUND;
    channel->deleted = true;
    change->channel = channel;
    return 0;
}

void
channels_delete(struct api_request *r)
{
    api_delete(r, delete_apply);
}
