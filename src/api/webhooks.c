/* Webhooks of a channel: made, listed, changed, deleted. */
#include <stdlib.h>

#include "api/resources.h"
#include "base/mem.h"

static void
write_retry(struct json_out *json, const struct retry_policy *retry)
{
    json_object(json, "retry");
    json_i64(json, "maxRetries", retry->max_retries);
    json_f64(json, "initialDelay", (double)retry->initial_delay_ms / 1000);
    json_f64(json, "factor", retry->factor);
    json_f64(json, "maxDelay", (double)retry->max_delay_ms / 1000);
    json_object_end(json);
}

static void
write_events(struct json_out *json, uint32_t types)
{
    json_array(json, "events");
    for (int type = 0; type < EVENT_TYPES; type++)
        if (types & (1u << type))
            json_str(json, NULL, event_type_name((enum event_type)type));
    json_array_end(json);
}

static void
write_webhook(struct json_out *json, const struct webhook *webhook,
              const struct channel *channel)
{
    json_str(json, "_id", webhook->id);
    json_str(json, "channel", channel->id);
    json_str(json, "url", webhook->url);
    write_events(json, webhook->types);
    json_str(json, "description", webhook->description);
    json_object(json, "headers");
    for (size_t i = 0; i < webhook->n_headers; i++)
        json_name_str(json, slice_of(webhook->headers[i].name),
                      slice_of(webhook->headers[i].value));
    json_object_end(json);
    webhook_secret_write(json, webhook_secret_text(webhook));
    json_bool(json, "enabled", webhook->enabled);
    json_str(json, "disabledReason", webhook->disabled_reason);
    json_time(json, "failingSince", webhook_failing_since(webhook));
    write_retry(json, &webhook->retry);
    json_time(json, "createdAt", webhook->created_ms);
    json_time(json, "updatedAt", webhook->updated_ms);
}

static void
answer_webhook(struct api_request *r, const struct webhook *webhook)
{
    api_json_begin(r);
    write_webhook(&r->json, webhook, r->channel);
    api_json_end(r, 200);
}

static struct webhook *
find_or_refuse(struct api_request *r)
{
    struct webhook *webhook = engine_webhook(r->api->engine, r->channel->number, r->id);
    if (!webhook)
        api_problem(r, 404, "no such webhook");
    return webhook;
}

/* What was given may be wrong only together with what is there, so that it is found out
 * late: webhook_body_apply. */
static void
refuse_change(struct api_request *r, const struct engine_change *change)
{
    if (change->result == E_INVALID)
        problem_answer(r->req, 400,
                       (struct problem_place){-1, SLICE("/retry/maxDelay")},
                       change->err.text);
    else
        api_refuse(r, change->result, change->err.text);
}

/* ---- make ---- */

static int
create_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    char id[ID_MAX + 1];
    if (!engine_channel_id(engine, r->channel->number, id))
        return err_set(&change->err, E_NOT_FOUND, "no such channel");

    struct webhook *webhook = webhook_new();
    webhook->channel = r->channel->number;
    webhook->created_ms = clock_wall_us(engine_clock(engine)) / 1000;
    webhook->updated_ms = webhook->created_ms;
    const struct webhook_body *body = r->own;
    int rc = webhook_body_apply(body, webhook, &change->err);
    if (rc != 0) {
        webhook_unref(webhook);
        return rc;
    }
    if (!webhook_secret_text(webhook)) {
        char secret[SECRET_TEXT];
        secret_make(secret, body->key_type, engine_rng(engine));
        webhook_set_secret(webhook, slice_of(secret));
        crypto_wipe(secret, sizeof(secret));
    }
    change->webhook = webhook;
    return 0;
}

static void
create_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0) {
        refuse_change(r, change);
        return;
    }
    api_json_begin(r);
    write_webhook(&r->json, change->webhook, r->channel);
    json_str(&r->json, "secret", webhook_secret_text(change->webhook));
    api_json_end(r, 201);
}

void
webhooks_create(struct api_request *r)
{
    if (webhook_body_read(r, true) != 0)
        return;
    r->op.change = (struct engine_change){.apply = create_apply, .done = create_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

/* ---- look ---- */

void
webhooks_list(struct api_request *r)
{
    struct webhook *page[QUERY_LIMIT_MAX + 1];
    struct slice cursor = slice_of(r->query.cursor);
    uint64_t after = 0;
    char next[ID_TEXT];

    if (cursor.n && !webhook_id_parse(cursor, &after)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    size_t n = engine_webhooks(r->api->engine, r->channel->number, after, page,
                               r->query.limit + 1);
    size_t shown = 0;
    api_page_begin(r);
    while (shown < n && shown < r->query.limit && r->out.n < API_PAGE_BYTES) {
        json_object(&r->json, NULL);
        write_webhook(&r->json, page[shown++], r->channel);
        json_object_end(&r->json);
    }
    bool more = shown < n;
    if (more)
        memcpy(next, page[shown - 1]->id, sizeof(next));
    for (size_t i = 0; i < n; i++)
        webhook_unref(page[i]);
    api_page_end(r, more ? next : NULL);
}

void
webhooks_show(struct api_request *r)
{
    r->webhook = find_or_refuse(r);
    if (r->webhook)
        answer_webhook(r, r->webhook);
}

/* ---- change and delete ---- */

struct webhook *
webhook_copy_now(struct engine *engine, struct api_request *r)
{
    struct webhook *now = engine_webhook(engine, r->channel->number, r->id);
    if (!now) {
        err_set(&r->op.change.err, E_NOT_FOUND, "no such webhook");
        return NULL;
    }
    struct webhook *copy = webhook_copy(now);
    webhook_unref(now);
    copy->updated_ms = clock_wall_us(engine_clock(engine)) / 1000;
    return copy;
}

static int
edit_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct webhook *webhook = webhook_copy_now(engine, r);
    if (!webhook)
        return E_NOT_FOUND;
    int rc = webhook_body_apply(r->own, webhook, &change->err);
    if (rc == 0)
        change->webhook = webhook;
    else
        webhook_unref(webhook);
    return rc;
}

static void
edit_done(struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    if (change->result != 0)
        refuse_change(r, change);
    else
        answer_webhook(r, change->webhook);
}

void
webhooks_change(struct api_request *r)
{
    if (webhook_body_read(r, false) != 0)
        return;
    r->op.change = (struct engine_change){.apply = edit_apply, .done = edit_done};
    httpd_hold(r->req);
    engine_change(r->api->engine, &r->op.change);
}

static int
delete_apply(struct engine *engine, struct engine_change *change)
{
    struct api_request *r = container_of(change, struct api_request, op.change);
    struct webhook *webhook = webhook_copy_now(engine, r);
    if (!webhook)
        return E_NOT_FOUND;
    webhook->deleted = true;
    change->webhook = webhook;
    return 0;
}

void
webhooks_delete(struct api_request *r)
{
    api_delete(r, delete_apply);
}
