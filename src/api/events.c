/* Events: in (the hot path), a sample on request, and the reads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"
#include "base/metrics.h"

#define IDEMPOTENCY_KEY_MAX 255

/* ---- in ---- */

static void
refuse_events(struct api_request *r, int code, const struct event_error *error)
{
    if (code == E_NO_MEMORY) {
        api_refuse(r, code, NULL);
        return;
    }
    struct problem_place place = {error->index, slice_of(error->pointer)};
    problem_answer(r->req, error->too_large ? 413 : 400, place, error->reason);
}

/* {"data":[{"_id":"evt_…"},…]}: all ids are of one length, so the place is known. */
static void
answer_ids(struct api_request *r, uint64_t first_key, size_t n)
{
    static const char head[] = "{\"data\":[", item[] = "{\"_id\":\"", end[] = "\"},";
    size_t room = sizeof(head) + n * (sizeof(item) + ID_TEXT + sizeof(end)) + 3;
    char *body = xmalloc(room);
    char *at = body;

    memcpy(at, head, sizeof(head) - 1);
    at += sizeof(head) - 1;
    for (size_t i = 0; i < n; i++) {
        char id[ID_TEXT];
        event_id_format(id, first_key + i);
        size_t id_n = strlen(id);
        memcpy(at, item, sizeof(item) - 1);
        at += sizeof(item) - 1;
        memcpy(at, id, id_n);
        at += id_n;
        memcpy(at, end, sizeof(end) - 1);
        at += sizeof(end) - 1;
    }
    memcpy(at - 1, "]}", 2); /* over the last comma */
    at += 1;
    api_answer(r->req, 202, "application/json", body, (size_t)(at - body));
}

uint64_t
events_count(const uint32_t by_type[EVENT_TYPES])
{
    uint64_t n = 0;
    for (unsigned type = 0; type < EVENT_TYPES; type++) {
        if (by_type[type])
            metric_add(METRIC_EVENTS, type, by_type[type]);
        n += by_type[type];
    }
    return n;
}

static void
refuse_ingest(struct api_request *r, int code)
{
    char why[160];
    if (code == E_CONFLICT) {
        api_problem(r, 409,
                    "this Idempotency-Key was used with another body in the last 24 h");
    } else if (code == E_TOO_LARGE) {
        snprintf(why, sizeof(why),
                 "these events make more than %d calls: send fewer at once",
                 ENGINE_CALLS_MAX);
        api_refuse(r, code, why);
    } else if (code == E_ENDED) {
        trial_write_ended(why, r->channel->trial_ends_ms);
        api_problem(r, 403, "%s: it takes no events until its end is moved", why);
    } else if (code == E_NOT_FOUND) {
        api_refuse(r, code, r->webhook ? "no such webhook" : "no such channel");
    } else {
        api_refuse(r, code, NULL);
    }
}

static void
ingest_done(struct engine_ingest *ingest)
{
    struct api_request *r = container_of(ingest, struct api_request, op.ingest);
    if (ingest->result != 0) {
        refuse_ingest(r, ingest->result);
        return;
    }
    if (!ingest->repeated)
        events_count(r->events_by_type);
    metric_observe(METRIC_INGEST_SECONDS, clock_mono_us(engine_clock(r->api->engine)) -
                                              httpd_started_us(r->req));
    answer_ids(r, ingest->first_key, ingest->n_events);
}

/* n 0 = none was given. */
static int
read_idempotency_key(struct api_request *r, struct slice *key)
{
    const char *text = httpd_header(r->req, "Idempotency-Key");
    if (!text)
        return 0;
    struct slice value = slice_of(text);
    bool ok = value.n >= 1 && value.n <= IDEMPOTENCY_KEY_MAX &&
              httpd_header_count(r->req, "Idempotency-Key") == 1;
    for (size_t i = 0; ok && i < value.n; i++)
        ok = value.p[i] > ' ' && value.p[i] < 0x7f;
    if (!ok) {
        api_problem(r, 400,
                    "Idempotency-Key must be given once, with 1 to %d visible ASCII "
                    "characters",
                    IDEMPOTENCY_KEY_MAX);
        return E_INVALID;
    }
    *key = value;
    return 0;
}

/* The last thing that is done with r: it may be answered and gone on return. */
static void
ingest_batch(struct api_request *r, const struct event_batch *batch)
{
    struct engine_ingest *ingest = &r->op.ingest;

    if (limit_events(r, batch->n) != 0)
        return;
    for (size_t i = 0; i < batch->n; i++)
        r->events_by_type[batch->events[i].type]++;
    ingest->channel = r->channel;
    ingest->events = batch->events;
    ingest->n_events = batch->n;
    ingest->done = ingest_done;
    httpd_hold(r->req);
    engine_ingest(r->api->engine, ingest);
}

void
events_ingest(struct api_request *r)
{
    const struct event_limits limits = {r->api->options.max_events, EVENT_MAX_BYTES};
    struct event_batch *batch = api_batch(r->api);
    struct engine_ingest *ingest = &r->op.ingest;
    struct slice body = httpd_body(r->req);
    struct event_error error;

    if (read_idempotency_key(r, &ingest->idempotency_key) != 0)
        return;
    if (!body.p)
        body = SLICE("");
    int rc = event_batch_parse(batch, body, r->format, slice_of(r->channel->id),
                               &limits, &error);
    if (rc != 0) {
        refuse_events(r, rc, &error);
        return;
    }
    if (ingest->idempotency_key.n)
        sha256(ingest->body_hash, body.p, body.n);
    ingest_batch(r, batch);
}

/* ---- a sample ---- */

struct sample_body {
    bool given;
    enum event_type type;
};

static int
read_sample_type(struct reader *rd, const struct json_token *value, void *out)
{
    struct sample_body *sample = out;
    sample->given = true;
    return webhook_read_type(rd, value, &sample->type);
}

static int
read_sample(struct api_request *r, struct sample_body *sample)
{
    static const struct field fields[] = {{"type", read_sample_type}};
    struct reader rd;

    if (httpd_body(r->req).n == 0)
        return 0;
    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, ARRAY_LEN(fields), sample);
    reader_fini(&rd);
    return rc;
}

/* The first kind that the webhook asks for. */
static enum event_type
first_type(const struct webhook *webhook)
{
    int type = 0;
    while (type < EVENT_TYPES - 1 && !webhook_wants(webhook, (enum event_type)type))
        type++;
    return (enum event_type)type;
}

static void
test_done(struct engine_ingest *ingest)
{
    struct api_request *r = container_of(ingest, struct api_request, op.ingest);
    char id[ID_TEXT];
    if (ingest->result != 0) {
        refuse_ingest(r, ingest->result);
        return;
    }
    events_count(r->events_by_type);
    event_id_format(id, ingest->first_key);
    api_json_begin(r);
    json_str(&r->json, "_id", id);
    api_json_end(r, 202);
}

static void
ingest_sample(struct api_request *r, enum event_type type)
{
    struct event_batch *batch = api_batch(r->api);
    const struct event_limits limits = {1, EVENT_MAX_BYTES};
    struct slice channel = slice_of(r->channel->id);
    struct event_error error;
    struct buf sample;

    buf_init(&sample, EVENT_MAX_BYTES);
    msec_t now_ms = clock_wall_us(engine_clock(r->api->engine)) / 1000;
    int rc =
        event_sample(&sample, type, channel, SLICE(EVENT_SAMPLE_SUBSCRIPTION), now_ms);
    if (rc == 0)
        rc = event_batch_parse(batch, buf_slice(&sample), EVENT_FORMAT_JSON, channel,
                               &limits, &error);
    if (rc != 0) {
        /* A sample is valid by its contract: only memory can be short. */
        api_refuse(r, rc == E_NO_MEMORY ? rc : E_OK, NULL);
    } else {
        struct engine_ingest *ingest = &r->op.ingest;
        r->events_by_type[type]++;
        ingest->channel = r->channel;
        ingest->only = r->webhook;
        ingest->events = batch->events;
        ingest->n_events = batch->n;
        ingest->done = test_done;
        httpd_hold(r->req);
        engine_ingest(r->api->engine, ingest);
    }
    buf_fini(&sample);
}

void
events_test(struct api_request *r)
{
    struct sample_body sample = {0};
    if (read_sample(r, &sample) != 0)
        return;
    r->webhook = engine_webhook(r->api->engine, r->channel->number, r->id);
    if (!r->webhook)
        api_problem(r, 404, "no such webhook");
    else if (!r->webhook->enabled)
        api_problem(r, 409, "the webhook is disabled: enable it first");
    else
        ingest_sample(r, sample.given ? sample.type : first_type(r->webhook));
}

/* ---- reads ---- */

void
event_write(struct json_out *json, const struct event_record *event)
{
    char id[ID_TEXT];
    event_id_format(id, event->key);
    json_str(json, "_id", id);
    json_str(json, "type", event_type_name(event->type));
    json_strn(json, "subscription", event->subscription);
    json_time(json, "createdAt", event->created_ms);
    json_raw_out(json, "payload", event->body);
}

static void
list_each(struct engine_events *list, const struct event_record *event)
{
    struct api_request *r = container_of(list, struct api_request, op.events);
    if (!api_row_begin(r))
        return;
    event_write(&r->json, event);
    json_object_end(&r->json);
    r->last_event = event->key;
}

static void
list_done(struct engine_events *list)
{
    struct api_request *r = container_of(list, struct api_request, op.events);
    if (list->result != 0) {
        api_refuse(r, list->result, NULL);
        return;
    }
    uint64_t next = r->cut ? r->last_event : list->next_key;
    char cursor[ID_TEXT];
    event_id_format(cursor, next);
    api_history_end(r, next ? cursor : NULL, next);
}

void
events_list(struct api_request *r)
{
    struct engine_events *list = &r->op.events;
    uint64_t before = UINT64_MAX;

    if (r->query.cursor[0] && !event_id_parse(slice_of(r->query.cursor), &before)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    *list = (struct engine_events){
        .channel = r->channel->number,
        .types = r->query.types,
        .subscription = slice_of(r->query.subscription),
        .notification = slice_of(r->query.notification),
        .since_key = r->query.since_key,
        .before_key = before < r->query.before_key ? before : r->query.before_key,
        .limit = r->query.limit,
        .each = list_each,
        .done = list_done,
    };
    api_page_begin(r);
    if (list->before_key <= list->since_key) {
        api_history_end(r, NULL, 0);
        return;
    }
    httpd_hold(r->req);
    engine_events(r->api->engine, list);
}

static void
show_event(struct engine_event *read, const struct event_record *event)
{
    struct api_request *r = container_of(read, struct api_request, op.event);
    api_json_begin(r);
    event_write(&r->json, event);
    json_array(&r->json, "calls");
}

static void
show_call(struct engine_event *read, const struct call_record *call,
          const struct explain *explain)
{
    struct api_request *r = container_of(read, struct api_request, op.event);
    if (!api_row_begin(r))
        return;
    call_write(&r->json, call);
    call_explain_write(&r->json, explain);
    json_object_end(&r->json);
}

/* Ends the list of calls and begins that of webhooks without one, once. */
static void
begin_webhooks(struct api_request *r, const struct engine_event *read)
{
    if (r->calls_ended)
        return;
    r->calls_ended = true;
    json_array_end(&r->json);
    if (r->cut || read->more)
        json_bool(&r->json, "callsTruncated", true);
    json_array(&r->json, "webhooks");
}

static void
show_webhook(struct engine_event *read, const struct webhook *webhook,
             const struct explain *explain)
{
    struct api_request *r = container_of(read, struct api_request, op.event);
    begin_webhooks(r, read);
    if (!api_row_begin(r))
        return;
    json_str(&r->json, "_id", webhook->id);
    json_str(&r->json, "url", webhook->url);
    json_str(&r->json, "code", explain_code_name(explain->code));
    json_str(&r->json, "text", explain->text);
    json_object_end(&r->json);
}

static void
show_done(struct engine_event *read)
{
    struct api_request *r = container_of(read, struct api_request, op.event);
    if (read->result != 0) {
        api_refuse(r, read->result, "no such event");
        return;
    }
    begin_webhooks(r, read);
    json_array_end(&r->json);
    if (r->cut)
        json_bool(&r->json, "webhooksTruncated", true);
    api_json_end(r, 200);
}

void
events_show(struct api_request *r)
{
    uint64_t key;
    if (!event_id_parse(r->id, &key)) {
        api_problem(r, 404, "no such event");
        return;
    }
    r->op.event = (struct engine_event){
        .channel = r->channel->number,
        .key = key,
        .event = show_event,
        .call = show_call,
        .webhook = show_webhook,
        .done = show_done,
    };
    httpd_hold(r->req);
    engine_event(r->api->engine, &r->op.event);
}
