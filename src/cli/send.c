/* pushwire send: a sample event of a type, or what a file holds, once or many times. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/table.h"
#include "cli/value.h"
#include "core/event.h"

#define DATA_MAX    ((size_t)64 << 20)
#define BATCH_MAX   1000                /* events of a request */
#define BATCH_BYTES ((size_t)900 << 10) /* of a request, unless one event is larger */
#define LINES_BYTES ((size_t)1 << 20)   /* the same, when they are lines already */
#define IDS_SHOWN   10 /* of more events only their number is printed */

#define JSON_TYPE   "application/json"
#define NDJSON_TYPE "application/x-ndjson"

struct sending {
    const struct command_line *line;
    struct client *client;
    struct buf path;
    int64_t count;
    struct reply answer;
    struct json_doc doc;
    int64_t sent;
    int64_t requests;
    bool progress;
    bool summary; /* instead of each id */
};

/* ---- what came back ---- */

static void
put_id(struct sending *sending, const struct json_token *event)
{
    const struct json_token *id = json_member(&sending->doc, event, "_id");

    if (option_on(&sending->line->options, OPTION_JSON)) {
        struct slice raw = json_raw(&sending->doc, event);
        printf("%s%.*s", sending->sent ? "," : "", (int)raw.n, raw.p);
    } else if (!sending->summary && id) {
        struct slice text = json_string_raw(&sending->doc, id);
        printf("%.*s\n", (int)text.n, text.p);
    }
    sending->sent++;
}

static int
post(struct sending *sending, const char *type, struct slice body, struct err *err)
{
    int rc = client_call(sending->client, "POST", sending->path.p, type, body,
                         &sending->answer, err);
    if (rc == 0)
        rc = reply_parse(&sending->answer, &sending->doc, err);
    if (rc != 0)
        return rc;
    const struct json_token *data =
        json_member(&sending->doc, &sending->doc.tokens[0], "data");
    const struct json_token *event = data ? json_first(&sending->doc, data) : NULL;
    for (; event; event = json_after(&sending->doc, data, event))
        put_id(sending, event);
    sending->requests++;
    return 0;
}

/* ---- one event many times ---- */

static void
put_progress(const struct sending *sending)
{
    if (sending->progress)
        fprintf(stderr, "\r%lld of %lld", (long long)sending->sent,
                (long long)sending->count);
}

static int
post_many(struct sending *sending, struct slice event, struct err *err)
{
    int64_t each = (int64_t)(BATCH_BYTES / (event.n + 1));
    struct buf body;
    int rc = 0;

    each = each < 1 ? 1 : each > BATCH_MAX ? BATCH_MAX : each;
    buf_init(&body, BATCH_BYTES + EVENT_MAX_BYTES + BATCH_MAX + 2);
    for (int64_t left = sending->count; rc == 0 && left > 0; left -= each) {
        buf_reset(&body);
        buf_addc(&body, '[');
        for (int64_t i = 0; i < each && i < left; i++) {
            buf_adds(&body, i ? "," : "");
            buf_add(&body, event.p, event.n);
        }
        buf_addc(&body, ']');
        rc = body.failed ? err_set(err, body.failed, "the event is too large")
                         : post(sending, JSON_TYPE, buf_slice(&body), err);
        put_progress(sending);
    }
    if (sending->progress)
        fputc('\n', stderr);
    buf_fini(&body);
    return rc;
}

static int
post_event(struct sending *sending, struct slice event, struct err *err)
{
    return sending->count == 1 ? post(sending, JSON_TYPE, event, err)
                               : post_many(sending, event, err);
}

static int
send_sample(struct sending *sending, enum event_type type, struct err *err)
{
    const struct options *options = &sending->line->options;
    const char *subscription = option_text(options, OPTION_SUBSCRIPTION);
    struct buf event;

    buf_init(&event, EVENT_MAX_BYTES);
    int rc =
        event_sample(&event, type, slice_of(option_text(options, OPTION_CHANNEL)),
                     slice_of(subscription ? subscription : EVENT_SAMPLE_SUBSCRIPTION),
                     clock_wall_us(&clock_system) / 1000);
    rc = rc != 0 ? err_set(err, rc, "the ids are too long")
                 : post_event(sending, buf_slice(&event), err);
    buf_fini(&event);
    return rc;
}

/* ---- what somebody wrote ---- */

/* Whether the text is one JSON value; the event's own bytes, if it is one object. */
static bool
is_json(struct sending *sending, struct slice text, struct slice *object)
{
    struct json_error error;

    *object = (struct slice){0};
    if (json_parse(&sending->doc, text.p, text.n, &error) != 0)
        return false;
    if (sending->doc.tokens[0].type == JSON_OBJECT)
        *object = json_raw(&sending->doc, &sending->doc.tokens[0]);
    return true;
}

/* Several lines that each begin an object are NDJSON. Everything else is called JSON,
 * so that the server says what is wrong with it. */
static bool
is_ndjson(struct sending *sending, struct slice text)
{
    struct json_error error;
    size_t at = 0;

    return json_parse_value(&sending->doc, text.p, text.n, &at, &error) == 0 &&
           sending->doc.tokens[0].type == JSON_OBJECT;
}

/* The lines at the start of a text that go into one request: BATCH_MAX with something
 * in them and LINES_BYTES, at least one. *lines counts them all. */
static size_t
lines_of_request(struct slice text, int64_t *lines)
{
    size_t n = 0;
    int64_t events = 0;

    while (n < text.n) {
        const char *line = text.p + n;
        const char *end = memchr(line, '\n', text.n - n);
        size_t line_n = end ? (size_t)(end - line) + 1 : text.n - n;
        bool event = json_skip_space(line, line_n, 0) < line_n;
        if (n > 0 && (events + event > BATCH_MAX || n + line_n > LINES_BYTES))
            break;
        events += event;
        n += line_n;
        ++*lines;
    }
    return n;
}

static bool
is_blank(struct slice text)
{
    return json_skip_space(text.p, text.n, 0) == text.n;
}

static int
post_lines(struct sending *sending, struct slice text, struct err *err)
{
    int64_t line = 1;
    int rc = 0;

    while (rc == 0 && !is_blank(text)) {
        int64_t lines = 0;
        struct slice part = {text.p, lines_of_request(text, &lines)};
        if (!is_blank(part))
            rc = post(sending, NDJSON_TYPE, part, err);
        if (rc != 0 && (line > 1 || part.n < text.n))
            err_wrap(err, "lines %lld to %lld", (long long)line,
                     (long long)(line + lines - 1));
        line += lines;
        text = (struct slice){text.p + part.n, text.n - part.n};
    }
    return rc;
}

static int
check_type(struct sending *sending, const char *wanted, struct err *err)
{
    const struct json_token *type =
        json_member(&sending->doc, &sending->doc.tokens[0], "type");

    if (!wanted || (type && json_string_is(&sending->doc, type, wanted)))
        return 0;
    return err_set(err, E_INVALID, "the data is not an event of type %s", wanted);
}

static int
send_data(struct sending *sending, const char *path, const char *wanted,
          struct err *err)
{
    struct buf text;
    struct slice object = {0};

    buf_init(&text, DATA_MAX);
    int rc = input_read(&text, path, err);
    if (rc != 0)
        goto out;
    if (!text.n || is_blank(buf_slice(&text))) {
        rc = err_set(err, E_INVALID, "there is nothing in the data");
        goto out;
    }
    bool json = is_json(sending, buf_slice(&text), &object);
    bool lines = !json && is_ndjson(sending, buf_slice(&text));
    if (object.p) {
        rc = check_type(sending, wanted, err);
        if (rc == 0)
            rc = post_event(sending, object, err);
    } else if ((json || lines) && (sending->count > 1 || wanted)) {
        rc = err_set(err, E_INVALID, "%s goes with one event, not with several",
                     wanted ? wanted : "--count");
    } else if (lines) {
        rc = post_lines(sending, buf_slice(&text), err);
    } else {
        rc = post(sending, JSON_TYPE, buf_slice(&text), err);
    }
out:
    buf_fini(&text);
    return rc;
}

/* ---- the command ---- */

static int
wrong_type(const struct command_line *line, const char *name)
{
    struct nearest nearest;
    struct buf names;
    int status;

    buf_init(&names, 200);
    nearest_init(&nearest, name ? name : "");
    for (int type = 0; type < EVENT_TYPES; type++) {
        const char *known = event_type_name((enum event_type)type);
        buf_addf(&names, "%s%s", type ? ", " : "", known);
        nearest_try(&nearest, known);
    }
    if (!name)
        status = command_misused(line, "which type? There are %s", names.p);
    else if (nearest.best)
        status = command_misused(line, "unknown type %s; did you mean %s?", name,
                                 nearest.best);
    else
        status = command_misused(line, "unknown type %s; there are %s", name, names.p);
    buf_fini(&names);
    return status;
}

static int
send_all(struct sending *sending, const char *data, const char *type_name,
         enum event_type type, struct err *err)
{
    const struct options *options = &sending->line->options;
    bool json = option_on(options, OPTION_JSON);

    int rc = client_open(&sending->client, sending->line, err);
    if (rc != 0)
        return rc;
    if (json)
        fputs("{\"data\":[", stdout);
    rc = data ? send_data(sending, data, type_name, err)
              : send_sample(sending, type, err);
    if (json)
        fputs("]}\n", stdout);
    else if (sending->sent && (rc != 0 || sending->summary))
        printf("sent %lld events in %lld request%s\n", (long long)sending->sent,
               (long long)sending->requests, sending->requests == 1 ? "" : "s");
    return rc;
}

int
send_run(const struct command_line *line)
{
    const struct options *options = &line->options;
    const char *data = option_text(options, OPTION_PAYLOAD);
    const char *type_name = line->n_args ? line->args[0] : NULL;
    enum event_type type = EVENT_OPT_IN;
    struct err err = {0};

    if (type_name ? !event_type_parse(slice_of(type_name), &type) : !data)
        return wrong_type(line, type_name);
    if (data && option_given(options, OPTION_SUBSCRIPTION))
        return command_misused(line, "--subscription goes with a sample, not with "
                                     "--data");

    struct sending sending = {
        .line = line,
        .count = option_number(options, OPTION_COUNT),
    };
    sending.summary = sending.count > IDS_SHOWN;
    sending.progress = sending.count > BATCH_MAX && is_terminal(stderr);
    buf_init(&sending.path, CLIENT_PATH_MAX);
    buf_adds(&sending.path, "/v1/channels/");
    path_add_escaped(&sending.path, option_text(options, OPTION_CHANNEL));
    buf_adds(&sending.path, "/events");
    json_init(&sending.doc);
    sending.doc.max_depth = JSON_DEPTH_WRAPPED;
    reply_init(&sending.answer);

    int rc = sending.path.failed ? err_set(&err, E_TOO_LARGE, "--channel is too long")
                                 : send_all(&sending, data, type_name, type, &err);

    reply_fini(&sending.answer);
    json_fini(&sending.doc);
    client_close(sending.client);
    buf_fini(&sending.path);
    return rc == 0 ? DONE : command_fail(line, &err);
}
