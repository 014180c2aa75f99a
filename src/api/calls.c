/* Calls: looked at, and tried again by hand. */
#include "api/fields.h"
#include "api/resources.h"

/* ---- JSON ---- */

void
attempt_write(struct json_out *json, const struct attempt_record *attempt)
{
    json_i64(json, "n", attempt->n);
    json_time(json, "at", attempt->at_ms);
    json_f64(json, "durationMs", (double)attempt->duration_us / 1000);
    json_str(json, "verdict", verdict_name(attempt->verdict));
    if (attempt->status)
        json_i64(json, "status", attempt->status);
    else
        json_null(json, "status");
    if (attempt->reason.n)
        json_strn(json, "reason", attempt->reason);
    else
        json_null(json, "reason");
}

void
call_write(struct json_out *json, const struct call_record *call)
{
    char id[ID_TEXT];

    call_id_format(id, call->event, call->webhook);
    json_str(json, "_id", id);
    event_id_format(id, call->event);
    json_str(json, "event", id);
    webhook_id_format(id, call->webhook);
    json_str(json, "webhook", id);
    json_str(json, "type", event_type_name(call->type));
    json_strn(json, "subscription", call->subscription);
    if (call->notification.n)
        json_strn(json, "notification", call->notification);
    else
        json_null(json, "notification");
    json_str(json, "state", call_state_name(call->state));
    json_i64(json, "attempts", call->attempts);
    json_time(json, "nextAttemptAt",
              call->state == CALL_WAITING ? call->due_ms : MSEC_NEVER);
    if (call->state == CALL_HELD)
        json_strn(json, "heldReason", call->held_reason);
    if (call->attempts > 0) {
        json_object(json, "lastAttempt");
        attempt_write(json, &call->last);
        json_object_end(json);
    } else {
        json_null(json, "lastAttempt");
    }
    json_time(json, "createdAt", call->created_ms);
}

static void
write_step(struct json_out *json, const char *name, usec_t us)
{
    if (us < 0)
        json_null(json, name);
    else
        json_f64(json, name, (double)us / 1000);
}

static void
write_timings(struct json_out *json, const struct attempt_record *attempt)
{
    const struct attempt_timings *timings = &attempt->timings;

    json_object(json, "timings");
    write_step(json, "dnsMs", timings->dns_us);
    write_step(json, "connectMs", timings->connect_us);
    write_step(json, "tlsMs", timings->tls_us);
    write_step(json, "firstByteMs", timings->first_byte_us);
    write_step(json, "totalMs", attempt->duration_us);
    if (timings->reused < 0)
        json_null(json, "reused");
    else
        json_bool(json, "reused", timings->reused > 0);
    json_object_end(json);
}

void
call_explain_write(struct json_out *json, const struct explain *explain)
{
    json_object(json, "explain");
    json_str(json, "code", explain_code_name(explain->code));
    json_str(json, "text", explain->text);
    json_time(json, "at", explain->at_ms);
    json_object_end(json);
}

/* ---- list ---- */

static void
list_each(struct engine_calls *list, const struct call_record *call)
{
    struct api_request *r = container_of(list, struct api_request, op.calls);
    if (!api_row_begin(r))
        return;
    call_write(&r->json, call);
    json_object_end(&r->json);
    r->last_event = call->event;
    r->last_webhook = call->webhook;
}

static void
list_done(struct engine_calls *list)
{
    struct api_request *r = container_of(list, struct api_request, op.calls);
    if (list->result != 0) {
        api_refuse(r, list->result, NULL);
        return;
    }
    uint64_t event = r->cut ? r->last_event : list->next_event;
    uint64_t webhook = r->cut ? r->last_webhook : list->next_webhook;
    char cursor[ID_TEXT];
    call_id_format(cursor, event, webhook);
    api_history_end(r, event || webhook ? cursor : NULL, event);
}

void
calls_list(struct api_request *r)
{
    struct engine_calls *list = &r->op.calls;
    uint64_t event = UINT64_MAX, webhook = UINT64_MAX;

    if (r->query.cursor[0] &&
        !call_id_parse(slice_of(r->query.cursor), &event, &webhook)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    if (r->query.before_key <= event && r->query.before_key != UINT64_MAX) {
        event = r->query.before_key;
        webhook = 0; /* nothing of that event itself */
    }
    *list = (struct engine_calls){
        .channel = r->channel->number,
        .states = r->query.states,
        .webhook = r->query.webhook,
        .types = r->query.types,
        .subscription = slice_of(r->query.subscription),
        .notification = slice_of(r->query.notification),
        .error = slice_of(r->query.error),
        .since_key = r->query.since_key,
        .before_event = event,
        .before_webhook = webhook,
        .limit = r->query.limit,
        .each = list_each,
        .done = list_done,
    };
    api_page_begin(r);
    if (event < list->since_key || event == 0) {
        api_history_end(r, NULL, 0);
        return;
    }
    httpd_hold(r->req);
    engine_calls(r->api->engine, list);
}

/* ---- one ---- */

static void
show_call(struct engine_call *read, const struct call_record *call)
{
    struct api_request *r = container_of(read, struct api_request, op.call);
    api_json_begin(r);
    call_write(&r->json, call);
    json_array(&r->json, "attemptLog");
}

static void
show_attempt(struct engine_call *read, const struct attempt_record *attempt)
{
    struct api_request *r = container_of(read, struct api_request, op.call);
    if (!api_row_begin(r))
        return;
    attempt_write(&r->json, attempt);
    write_timings(&r->json, attempt);
    json_strn(&r->json, "response", attempt->response);
    json_bool(&r->json, "responseTruncated",
              attempt->response.n >= RESPONSE_KEPT_BYTES);
    json_object_end(&r->json);
}

static void
show_done(struct engine_call *read)
{
    struct api_request *r = container_of(read, struct api_request, op.call);
    if (read->result != 0) {
        api_refuse(r, read->result, "no such call");
        return;
    }
    json_array_end(&r->json);
    if (r->cut)
        json_bool(&r->json, "attemptLogTruncated", true);
    call_explain_write(&r->json, &read->explain);
    api_json_end(r, 200);
}

/* Answers 404 when the id in the path cannot be one. */
static bool
parse_id(struct api_request *r, uint64_t *event, uint64_t *webhook)
{
    if (call_id_parse(r->id, event, webhook))
        return true;
    api_problem(r, 404, "no such call");
    return false;
}

void
calls_show(struct api_request *r)
{
    struct engine_call *read = &r->op.call;
    *read = (struct engine_call){
        .channel = r->channel->number,
        .call = show_call,
        .attempt = show_attempt,
        .done = show_done,
    };
    if (!parse_id(r, &read->event, &read->webhook))
        return;
    httpd_hold(r->req);
    engine_call(r->api->engine, read);
}

/* ---- retry ---- */

static void
retry_done(struct engine_retry *retry)
{
    struct api_request *r = container_of(retry, struct api_request, op.retry);
    if (retry->result == E_CONFLICT) {
        api_problem(r, 409,
                    "the call's webhook was deleted: there is nowhere to send it");
        return;
    }
    if (retry->result != 0) {
        api_refuse(r, retry->result, "no such call");
        return;
    }
    char id[ID_TEXT];
    call_id_format(id, retry->event, retry->webhook);
    api_json_begin(r);
    json_str(&r->json, "_id", id);
    json_str(&r->json, "state", call_state_name(CALL_WAITING));
    api_json_end(r, 202);
}

static void
ignore_call(struct engine_call *read, const struct call_record *call)
{
    (void)read;
    (void)call;
}

static void
ignore_attempt(struct engine_call *read, const struct attempt_record *attempt)
{
    (void)read;
    (void)attempt;
}

static void
held_done(struct engine_call *read)
{
    struct api_request *r = container_of(read, struct api_request, op.call);
    char trial[TRIAL_TEXT];
    if (read->result != 0) {
        api_refuse(r, read->result, "no such call");
    } else if (trial_is_over(r->channel->trial_ends_ms, api_now(r))) {
        trial_write_ended(trial, r->channel->trial_ends_ms);
        api_problem(r, 409, "%s: its calls are held until its end is moved", trial);
    } else {
        api_problem(r, 409, "the webhook is disabled: enable it first");
    }
}

/* Nothing is retried, but whether this channel has such a call is asked all the same:
 * what it has not is 404. */
static void
refuse_held(struct api_request *r, uint64_t event, uint64_t webhook)
{
    r->op.call = (struct engine_call){
        .channel = r->channel->number,
        .event = event,
        .webhook = webhook,
        .call = ignore_call,
        .attempt = ignore_attempt,
        .done = held_done,
    };
    httpd_hold(r->req);
    engine_call(r->api->engine, &r->op.call);
}

static bool
is_disabled(struct engine *engine, uint64_t number)
{
    struct webhook *webhook = engine_webhook_numbered(engine, number);
    bool disabled = webhook && !webhook->enabled;
    webhook_unref(webhook);
    return disabled;
}

void
calls_retry(struct api_request *r)
{
    uint64_t event, webhook;
    if (!parse_id(r, &event, &webhook) || reader_nothing(r) != 0)
        return;
    if (is_disabled(r->api->engine, webhook) ||
        trial_is_over(r->channel->trial_ends_ms, api_now(r))) {
        refuse_held(r, event, webhook);
        return;
    }
    r->op.retry = (struct engine_retry){
        .channel = r->channel->number,
        .event = event,
        .webhook = webhook,
        .done = retry_done,
    };
    httpd_hold(r->req);
    engine_retry(r->api->engine, &r->op.retry);
}

/* ---- cancel ---- */

static void
cancel_done(struct engine_cancel *cancel)
{
    struct api_request *r = container_of(cancel, struct api_request, op.cancel);
    if (cancel->result == E_CONFLICT) {
        api_problem(r, 409, "the call has ended, or is cancelled already");
        return;
    }
    if (cancel->result != 0) {
        api_refuse(r, cancel->result, "no such call");
        return;
    }
    char id[ID_TEXT];
    call_id_format(id, cancel->event, cancel->webhook);
    api_json_begin(r);
    json_str(&r->json, "_id", id);
    json_str(&r->json, "state", call_state_name(CALL_CANCELLED));
    api_json_end(r, 200);
}

void
calls_cancel(struct api_request *r)
{
    uint64_t event, webhook;
    if (!parse_id(r, &event, &webhook) || reader_nothing(r) != 0)
        return;
    r->op.cancel = (struct engine_cancel){
        .channel = r->channel->number,
        .event = event,
        .webhook = webhook,
        .done = cancel_done,
    };
    httpd_hold(r->req);
    engine_cancel(r->api->engine, &r->op.cancel);
}
