/* Jobs: many calls replayed, tried again or cancelled, by what they are or by name. */
#include <stdio.h>
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "api/router.h"
#include "base/mem.h"

/* ---- JSON ---- */

static const char *
state_name(unsigned i)
{
    return 1u << i == JOB_MISSING ? "missing" : call_state_name((enum call_state)i);
}

static void
write_range(struct json_out *json, const struct job *job)
{
    bool by_time = job->n_ids == 0;

    json_time(json, "since",
              by_time && job->since_key ? event_key_ms(job->since_key) : MSEC_NEVER);
    json_time(json, "until",
              by_time && job->until_key ? event_key_ms(job->until_key) : MSEC_NEVER);
    json_array(json, "states");
    for (unsigned i = 0; i < CALL_STATES; i++)
        if (job->states & 1u << i)
            json_str(json, NULL, state_name(i));
    json_array_end(json);
    json_array(json, "types");
    for (unsigned i = 0; i < EVENT_TYPES; i++)
        if (job->types & 1u << i)
            json_str(json, NULL, event_type_name((enum event_type)i));
    json_array_end(json);
    json_str(json, "subscription", job->subscription[0] ? job->subscription : NULL);
    json_str(json, "notification", job->notification[0] ? job->notification : NULL);
    json_str(json, "error", job->error[0] ? job->error : NULL);
}

static void
write_job(struct json_out *json, const struct job *job)
{
    char id[ID_TEXT], webhook[ID_TEXT];

    job_id_format(id, job->number);
    webhook_id_format(webhook, job->webhook);
    json_str(json, "_id", id);
    json_str(json, "kind", job_kind_name(job->kind));
    json_str(json, "webhook", job->webhook ? webhook : NULL);
    json_str(json, "state", job_state_name(job->state));
    json_bool(json, "dryRun", job->dry_run);
    write_range(json, job);
    json_i64(json, "pace", job->pace);
    json_i64(json, "matched", job->matched);
    json_i64(json, "done", job->done);
    json_i64(json, "skipped", job->skipped);
    json_f64(json, "progress", job_progress(job));
    json_time(json, "position", job_position(job));
    json_str(json, "reason", job_reason_text(job->reason));
    json_time(json, "createdAt", job->created_ms);
    json_time(json, "updatedAt", job->updated_ms);
    json_time(json, "finishedAt", job->finished_ms ? job->finished_ms : MSEC_NEVER);
}

/* ---- a body that asks for one ---- */

enum { GIVEN_IDS = 1 << 0, GIVEN_OTHER = 1 << 1, GIVEN_SINCE = 1 << 2 };

struct job_body {
    struct job job;
    enum job_kind kind;
    unsigned given; /* GIVEN_* */
};

static void
body_free(void *own)
{
    struct job_body *body = own;
    job_fini(&body->job);
    free(body);
}

static int
read_webhook(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    struct slice id;
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &id);
    if (rc != 0)
        return rc;
    if (!webhook_id_parse(id, &body->job.webhook) || body->job.webhook == 0)
        return reader_fail(rd, "must be the id of a webhook");
    body->given |= GIVEN_OTHER;
    return 0;
}

/* The states that a job of this kind may look for. */
static uint32_t
states_of(enum job_kind kind)
{
    const uint32_t ended =
        1u << CALL_SUCCEEDED | 1u << CALL_FAILED | 1u << CALL_CANCELLED;
    const uint32_t waiting = 1u << CALL_WAITING | 1u << CALL_HELD;

    switch (kind) {
    case JOB_REPLAY:
        return ended | 1u << CALL_WAITING | JOB_MISSING;
    case JOB_RETRY:
        return ended | waiting;
    case JOB_CANCEL:
    case JOB_KINDS:
        break;
    }
    return waiting;
}

static int
refuse_state(struct reader *rd, uint32_t known)
{
    char list[120] = "";
    size_t n = 0;

    for (unsigned i = 0; i < CALL_STATES; i++)
        if (known & 1u << i)
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
                                  state_name(i));
    return reader_fail(rd, "must be one of %s", list);
}

static int
read_state(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    uint32_t known = states_of(body->kind);
    struct slice name;
    int rc = reader_text(rd, value, 0, API_CONFIG_BODY_MAX, &name);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < CALL_STATES; i++) {
        if (!(known & 1u << i) || !slice_is(name, state_name(i)))
            continue;
        body->job.states |= 1u << i;
        return 0;
    }
    return refuse_state(rd, known);
}

static int
read_states(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    body->job.states = 0;
    int rc = reader_array(rd, value, CALL_STATES, read_state, out);
    if (rc == 0 && !body->job.states)
        rc = reader_fail(rd, "must not be empty");
    body->given |= GIVEN_OTHER;
    return rc;
}

static int
read_type(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    enum event_type type;
    int rc = webhook_read_type(rd, value, &type);
    if (rc == 0)
        body->job.types |= 1u << type;
    return rc;
}

static int
read_types(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    body->job.types = 0;
    int rc = reader_array(rd, value, EVENT_TYPES, read_type, out);
    if (rc == 0 && !body->job.types)
        rc = reader_fail(rd, "must not be empty");
    body->given |= GIVEN_OTHER;
    return rc;
}

static int
read_subscription(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    body->given |= GIVEN_OTHER;
    return reader_id(rd, value, body->job.subscription);
}

static int
read_notification(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    body->given |= GIVEN_OTHER;
    return reader_id(rd, value, body->job.notification);
}

static int
read_error(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    struct slice text;
    int rc = reader_text(rd, value, 1, JOB_ERROR_MAX, &text);
    if (rc != 0)
        return rc;
    memcpy(body->job.error, text.p, text.n);
    body->given |= GIVEN_OTHER;
    return 0;
}

static int
read_since(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    msec_t at_ms;
    int rc = reader_time(rd, value, &at_ms);
    if (rc == 0)
        body->job.since_key = event_key_at(at_ms);
    body->given |= GIVEN_OTHER | GIVEN_SINCE;
    return rc;
}

static int
read_until(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    msec_t at_ms;
    int rc = reader_time(rd, value, &at_ms);
    if (rc == 0)
        body->job.until_key = event_key_at(at_ms);
    body->given |= GIVEN_OTHER;
    return rc;
}

static int
read_one_id(struct reader *rd, const struct json_token *value, void *out)
{
    struct job *job = &((struct job_body *)out)->job;
    struct job_call *id = &job->ids[job->n_ids];
    struct slice text;
    int rc = reader_text(rd, value, 1, API_CONFIG_BODY_MAX, &text);
    if (rc != 0)
        return rc;
    if (!call_id_parse(text, &id->event, &id->webhook))
        return reader_fail(rd, "must be the id of a call");
    job->n_ids++;
    return 0;
}

static int
compare_ids(const void *a, const void *b)
{
    const struct job_call *x = a, *y = b;
    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    return x->webhook < y->webhook ? -1 : x->webhook > y->webhook;
}

/* Oldest first, and each once. */
static void
order_ids(struct job *job)
{
    size_t n = 0;

    qsort(job->ids, job->n_ids, sizeof(job->ids[0]), compare_ids);
    for (size_t i = 0; i < job->n_ids; i++)
        if (i == 0 || compare_ids(&job->ids[i], &job->ids[n - 1]) != 0)
            job->ids[n++] = job->ids[i];
    job->n_ids = n;
}

static int
read_ids(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    free(body->job.ids);
    body->job.ids = xcalloc(JOB_IDS_MAX, sizeof(body->job.ids[0]));
    body->job.n_ids = 0;
    int rc = reader_array(rd, value, JOB_IDS_MAX, read_one_id, out);
    if (rc == 0 && body->job.n_ids == 0)
        rc = reader_fail(rd, "must not be empty");
    if (rc == 0)
        order_ids(&body->job);
    body->job.states = states_of(body->kind); /* whatever they are, they are meant */
    body->given |= GIVEN_IDS;
    return rc;
}

static int
read_dry_run(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    return reader_bool(rd, value, &body->job.dry_run);
}

static int
read_pace(struct reader *rd, const struct json_token *value, void *out)
{
    struct job_body *body = out;
    int64_t pace = JOB_PACE_DEFAULT;
    int rc = reader_int(rd, value, 1, JOB_PACE_MAX, &pace);
    body->job.pace = (uint32_t)pace;
    return rc;
}

/* Those of a replay come first. */
static const struct field fields[] = {
    {"since", read_since},
    {"until", read_until},
    {"states", read_states},
    {"types", read_types},
    {"dryRun", read_dry_run},
    {"pace", read_pace},
    {"webhook", read_webhook},
    {"subscription", read_subscription},
    {"notification", read_notification},
    {"error", read_error},
    {"ids", read_ids},
};

#define REPLAY_FIELDS 6

static int
check_whole(struct reader *rd, const struct job_body *body)
{
    const struct job *job = &body->job;

    if (body->kind == JOB_REPLAY && !(body->given & GIVEN_SINCE))
        return reader_missing(rd, "since");
    if (body->given == 0 || (!(body->given & (GIVEN_IDS | GIVEN_SINCE)) &&
                             body->kind != JOB_REPLAY && !job->webhook))
        return reader_fail(rd, "needs ids, or at least one of webhook and since");
    if ((body->given & GIVEN_IDS) && (body->given & GIVEN_OTHER))
        return reader_fail(rd, "has ids: then there is nothing else to choose by");
    if (job->until_key <= job->since_key && !job->n_ids) {
        reader_enter(rd, SLICE("until"));
        return reader_fail(rd, "must be after since");
    }
    return 0;
}

static uint32_t
default_states(enum job_kind kind)
{
    return kind == JOB_RETRY ? 1u << CALL_FAILED : states_of(kind);
}

static int
read_body(struct api_request *r, struct job_body *body)
{
    struct reader rd;
    size_t n = body->kind == JOB_REPLAY ? REPLAY_FIELDS : ARRAY_LEN(fields);

    int rc = reader_init(&rd, r);
    if (rc == 0)
        rc = reader_object(&rd, &rd.doc.tokens[0], fields, n, body);
    if (rc == 0)
        rc = check_whole(&rd, body);
    reader_fini(&rd);
    return rc;
}

/* ---- make ---- */

static void
refuse_job(struct api_request *r, int result, const char *why)
{
    if (result == E_BUSY) {
        httpd_answer_header(r->req, "Retry-After", "60");
        api_problem(r, 429,
                    "%d jobs of this channel are running, which is the most there may "
                    "be: wait until one has ended, or pause or cancel one",
                    JOBS_RUNNING_MAX);
    } else {
        api_refuse(r, result, why);
    }
}

static void
create_done(struct engine_job *put)
{
    struct api_request *r = container_of(put, struct api_request, op.job);
    if (put->result == E_CONFLICT) {
        api_problem(r, 409,
                    "this channel has %d jobs that have not ended, which is the most "
                    "there may be: cancel some that are paused",
                    JOBS_KEPT_MAX);
        return;
    }
    if (put->result != 0) {
        refuse_job(r, put->result, put->why);
        return;
    }
    api_json_begin(r);
    write_job(&r->json, put->job);
    api_json_end(r, 202);
}

/* A replay is for the webhook of the path, and what that wants unless told otherwise.
 */
static bool
take_webhook(struct api_request *r, struct job *job)
{
    struct webhook *webhook = engine_webhook(r->api->engine, r->channel->number, r->id);
    if (!webhook) {
        api_problem(r, 404, "no such webhook");
        return false;
    }
    job->webhook = webhook->number;
    job->types = webhook->types;
    webhook_unref(webhook);
    return true;
}

void
jobs_create(struct api_request *r)
{
    struct job_body *body = xcalloc(1, sizeof(*body));

    r->own = body;
    r->own_free = body_free;
    body->kind = (enum job_kind)r->route->what;
    body->job = (struct job){
        .channel = r->channel->number,
        .kind = body->kind,
        .until_key = INT64_MAX,
        .states = default_states(body->kind),
        .types = EVENT_ALL_TYPES,
        .pace = JOB_PACE_DEFAULT,
    };
    if (body->kind == JOB_REPLAY && !take_webhook(r, &body->job))
        return;
    if (read_body(r, body) != 0)
        return;
    r->op.job = (struct engine_job){.job = &body->job, .done = create_done};
    httpd_hold(r->req);
    engine_put_job(r->api->engine, &r->op.job);
}

/* ---- look ---- */

static void
list_each(struct engine_jobs *list, const struct job *job)
{
    struct api_request *r = container_of(list, struct api_request, op.jobs);
    json_object(&r->json, NULL);
    write_job(&r->json, job);
    json_object_end(&r->json);
}

static void
list_done(struct engine_jobs *list)
{
    struct api_request *r = container_of(list, struct api_request, op.jobs);
    char cursor[ID_TEXT];

    if (list->result != 0) {
        api_refuse(r, list->result, NULL);
        return;
    }
    job_id_format(cursor, list->next);
    api_page_end(r, list->next ? cursor : NULL);
}

void
jobs_list(struct api_request *r)
{
    uint64_t before = UINT64_MAX;

    if (r->query.cursor[0] && !job_id_parse(slice_of(r->query.cursor), &before)) {
        api_problem(r, 400, "cursor must be a nextCursor of this list");
        return;
    }
    r->op.jobs = (struct engine_jobs){
        .channel = r->channel->number,
        .before = before,
        .limit = r->query.limit,
        .each = list_each,
        .done = list_done,
    };
    api_page_begin(r);
    httpd_hold(r->req);
    engine_jobs(r->api->engine, &r->op.jobs);
}

static void
show_each(struct engine_jobs *list, const struct job *job)
{
    struct api_request *r = container_of(list, struct api_request, op.jobs);
    api_json_begin(r);
    write_job(&r->json, job);
}

static void
show_done(struct engine_jobs *list)
{
    struct api_request *r = container_of(list, struct api_request, op.jobs);
    if (list->result != 0)
        api_refuse(r, list->result, "no such job");
    else
        api_json_end(r, 200);
}

static bool
parse_id(struct api_request *r, uint64_t *number)
{
    if (job_id_parse(r->id, number) && *number != 0)
        return true;
    api_problem(r, 404, "no such job");
    return false;
}

void
jobs_show(struct api_request *r)
{
    struct engine_jobs *list = &r->op.jobs;

    *list = (struct engine_jobs){
        .channel = r->channel->number,
        .limit = 1,
        .each = show_each,
        .done = show_done,
    };
    if (!parse_id(r, &list->number))
        return;
    httpd_hold(r->req);
    engine_jobs(r->api->engine, list);
}

/* ---- pause, resume, cancel ---- */

static void
steer_after(struct engine_steer *steer, const struct job *job)
{
    struct api_request *r = container_of(steer, struct api_request, op.steer);
    api_json_begin(r);
    write_job(&r->json, job);
}

static void
steer_done(struct engine_steer *steer)
{
    struct api_request *r = container_of(steer, struct api_request, op.steer);
    if (steer->result == 0)
        api_json_end(r, 200);
    else
        refuse_job(r, steer->result, steer->why);
}

void
jobs_steer(struct api_request *r)
{
    struct engine_steer *steer = &r->op.steer;

    *steer = (struct engine_steer){
        .channel = r->channel->number,
        .to = (enum job_state)r->route->what,
        .after = steer_after,
        .done = steer_done,
    };
    if (!parse_id(r, &steer->number) || reader_nothing(r) != 0)
        return;
    httpd_hold(r->req);
    engine_steer_job(r->api->engine, steer);
}
