/* pushwire job …, and what makes jobs: call retry, call cancel, webhook replay. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/timefmt.h"
#include "cli/resource.h"
#include "cli/transfer.h"

/* Between two looks at a job that is waited for. */
#define LOOK_MS 500

/* ---- waiting ---- */

struct wait {
    const struct command_line *line;
    struct transfer transfer;
    struct json_doc doc;
    struct buf path; /* of the job */
    struct buf text;
};

static const char *
text_of(struct wait *wait, const char *name)
{
    const struct json_token *value =
        json_member(&wait->doc, &wait->doc.tokens[0], name);

    buf_reset(&wait->text);
    if (value && value->type == JSON_STRING)
        (void)json_string_add(&wait->doc, value, &wait->text);
    return wait->text.n ? wait->text.p : "";
}

static double
number_of(const struct wait *wait, const char *name)
{
    const struct json_token *value =
        json_member(&wait->doc, &wait->doc.tokens[0], name);
    double number = 0;

    if (!value || !json_double(&wait->doc, value, &number))
        return 0;
    return number;
}

static bool
is_true(const struct wait *wait, const char *name)
{
    const struct json_token *value =
        json_member(&wait->doc, &wait->doc.tokens[0], name);
    return value && value->type == JSON_TRUE;
}

static int
read_job(struct wait *wait, struct err *err)
{
    int rc = reply_parse(&wait->transfer.answer, &wait->doc, err);
    if (rc != 0)
        return rc;
    const char *id = text_of(wait, "_id");
    if (!*id)
        return err_set(err, E_INVALID,
                       "this does not look like a Pushwire server: its job has no id");
    if (!wait->path.n)
        wait->path = channel_path(wait->line, "/jobs/%s", id);
    return wait->path.failed ? err_set(err, wait->path.failed, "the id is too long")
                             : 0;
}

static bool
has_ended(struct wait *wait)
{
    const char *state = text_of(wait, "state");
    return strcmp(state, "running") != 0 && strcmp(state, "paused") != 0;
}

static int
look(struct wait *wait, struct err *err)
{
    int rc = transfer_call(&wait->transfer, "GET", wait->path.p, NULL,
                           (struct slice){0}, err);
    return rc == 0 ? read_job(wait, err) : rc;
}

static void
show(struct wait *wait)
{
    struct progress *progress = &wait->transfer.progress;
    const char *n = is_true(wait, "dryRun") ? "matched" : "done";

    if (strcmp(text_of(wait, "state"), "paused") == 0)
        progress_say(progress, "paused at %.0f calls: job resume goes on",
                     number_of(wait, n));
    else
        progress_show(progress, (int64_t)number_of(wait, n),
                      number_of(wait, "progress"));
}

static int
wait_for_end(struct wait *wait, struct err *err)
{
    while (!has_ended(wait)) {
        show(wait);
        poll(NULL, 0, LOOK_MS);
        int rc = look(wait, err);
        if (rc != 0)
            return err_wrap(err, "the job goes on, but it is not known how far it is");
    }
    show(wait);
    return 0;
}

/* ---- what is said of it ---- */

static const char *
calls(double n)
{
    return n == 1 ? "call" : "calls";
}

static void
put_running(struct wait *wait)
{
    const char *channel = option_text(&wait->line->options, OPTION_CHANNEL);
    struct slice reason;

    printf("%s is running.\n", text_of(wait, "_id"));
    reason = slice_of(text_of(wait, "reason"));
    if (reason.n)
        printf("For now: %.*s.\n", (int)reason.n, reason.p);
    if (is_terminal(stdout))
        fprintf(stderr, "pushwire job wait %s --channel %s follows it.\n",
                text_of(wait, "_id"), channel);
}

static int
put_ended(struct wait *wait)
{
    double done = number_of(wait, "done"), skipped = number_of(wait, "skipped");
    double matched = number_of(wait, "matched");
    bool cancels = strcmp(text_of(wait, "kind"), "cancel") == 0;
    const char *state = text_of(wait, "state");
    bool ok = strcmp(state, "done") == 0;

    if (!ok)
        printf("The job is %s. ", state);
    if (is_true(wait, "dryRun")) {
        printf("%.0f %s fit; nothing was done.\n", matched, calls(matched));
    } else {
        printf("%.0f %s %s", done, calls(done), cancels ? "cancelled" : "put in order");
        if (skipped > 0)
            printf(", %.0f skipped", skipped);
        printf(".\n");
    }
    const char *reason = text_of(wait, "reason");
    if (*reason)
        fprintf(stderr, "%s\n", reason);
    return ok ? DONE : FAILED;
}

static int
put_job(struct wait *wait)
{
    const struct buf *body = &wait->transfer.answer.body;

    if (option_on(&wait->line->options, OPTION_JSON)) {
        printf("%.*s\n", (int)body->n, body->p);
        return has_ended(wait) && strcmp(text_of(wait, "state"), "done") != 0 ? FAILED
                                                                              : DONE;
    }
    if (has_ended(wait))
        return put_ended(wait);
    put_running(wait);
    return DONE;
}

/* Asks, waits when that is wanted, and prints how it is then. */
static int
run_job(const struct command_line *line, const char *method, struct buf *path,
        const struct buf *body, bool waits)
{
    struct wait wait = {.line = line};
    struct err err = {0};
    int status;

    json_init(&wait.doc);
    buf_init(&wait.path, CLIENT_PATH_MAX);
    buf_init(&wait.text, RESOURCE_BODY_MAX);
    int rc = path->failed || (body && body->failed)
                 ? err_set(&err, E_TOO_LARGE, "what was given is too long")
                 : transfer_open(&wait.transfer, line, &err);
    if (rc == 0) {
        wait.transfer.progress.unit = "calls";
        wait.transfer.progress.plain = true;
        rc = transfer_call(&wait.transfer, method, path->p,
                           body ? "application/json" : NULL,
                           body ? buf_slice(body) : (struct slice){0}, &err);
    }
    if (rc == 0)
        rc = read_job(&wait, &err);
    if (rc == 0 && waits)
        rc = wait_for_end(&wait, &err);
    progress_end(&wait.transfer.progress);
    status = rc == 0 ? put_job(&wait) : command_fail(line, &err);
    transfer_close(&wait.transfer);
    buf_fini(&wait.text);
    buf_fini(&wait.path);
    json_fini(&wait.doc);
    return status;
}

/* ---- what makes one ---- */

/* The words of an option that takes some of them. */
static void
put_words(struct json_out *json, const char *name, const struct command_line *line,
          enum option_id id)
{
    const char *at = option_text(&line->options, id);

    if (!at)
        return;
    json_array(json, name);
    for (; *at; at += strspn(at, ",")) {
        size_t n = strcspn(at, ",");
        json_strn(json, NULL, (struct slice){at, n});
        at += n;
    }
    json_array_end(json);
}

static void
put_text(struct json_out *json, const char *name, const struct command_line *line,
         enum option_id id)
{
    const char *text = option_text(&line->options, id);
    if (text)
        json_str(json, name, text);
}

static void
put_time(struct json_out *json, const char *name, const struct command_line *line,
         enum option_id id)
{
    char room[TIME_TEXT];
    const char *text = resource_time(line, id, room);
    if (text)
        json_str(json, name, text);
}

static void
put_how(struct json_out *json, const struct command_line *line)
{
    if (option_on(&line->options, OPTION_DRY_RUN))
        json_bool(json, "dryRun", true);
    if (option_given(&line->options, OPTION_PACE))
        json_i64(json, "pace", option_number(&line->options, OPTION_PACE));
}

/* A dry run is only worth its figure. */
static bool
waits(const struct command_line *line)
{
    return option_on(&line->options, OPTION_WAIT) ||
           option_on(&line->options, OPTION_DRY_RUN);
}

static void
put_ids(struct json_out *json, const struct command_line *line)
{
    json_array(json, "ids");
    for (size_t i = 0; i < line->n_args; i++)
        json_str(json, NULL, line->args[i]);
    json_array_end(json);
}

static void
put_filter(struct json_out *json, const struct command_line *line)
{
    put_text(json, "webhook", line, OPTION_WEBHOOK);
    put_words(json, "states", line, OPTION_STATE);
    if (option_on(&line->options, OPTION_ALL_FAILED) &&
        !option_given(&line->options, OPTION_STATE)) {
        json_array(json, "states");
        json_str(json, NULL, "failed");
        json_array_end(json);
    }
    put_words(json, "types", line, OPTION_TYPE);
    put_text(json, "subscription", line, OPTION_SUBSCRIPTION);
    put_text(json, "notification", line, OPTION_NOTIFICATION);
    put_text(json, "error", line, OPTION_ERROR);
    if (!option_given(&line->options, OPTION_SINCE) &&
        !option_given(&line->options, OPTION_WEBHOOK))
        json_str(json, "since", "1970-01-01T00:00:00Z"); /* --failed alone */
    put_time(json, "since", line, OPTION_SINCE);
    put_time(json, "until", line, OPTION_UNTIL);
}

static bool
has_filter(const struct command_line *line)
{
    static const enum option_id ids[] = {
        OPTION_WEBHOOK,      OPTION_STATE,        OPTION_TYPE,
        OPTION_SUBSCRIPTION, OPTION_NOTIFICATION, OPTION_ERROR,
        OPTION_SINCE,        OPTION_UNTIL,        OPTION_ALL_FAILED};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        if (option_given(&line->options, ids[i]))
            return true;
    return false;
}

/* Whether there is enough of it to choose by. */
static bool
chooses(const struct command_line *line)
{
    return option_given(&line->options, OPTION_WEBHOOK) ||
           option_given(&line->options, OPTION_SINCE) ||
           option_on(&line->options, OPTION_ALL_FAILED);
}

/* Calls that are named, or those that fit. */
static int
run_calls(const struct command_line *line, const char *verb)
{
    struct buf path = channel_path(line, "/calls/%s", verb), body;
    struct json_out json;

    if (line->n_args && has_filter(line)) {
        buf_fini(&path);
        return command_misused(line, "name the calls, or say which by options: not "
                                     "both");
    }
    if (!line->n_args && !chooses(line)) {
        buf_fini(&path);
        return command_misused(line, "name the calls, or say which: at least --webhook "
                                     "or --since");
    }
    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    if (line->n_args)
        put_ids(&json, line);
    else
        put_filter(&json, line);
    put_how(&json, line);
    json_object_end(&json);
    int status = run_job(line, "POST", &path, &body, waits(line));
    buf_fini(&body);
    buf_fini(&path);
    return status;
}

/* One that is named is done with at once: it needs no job. */
static bool
is_single(const struct command_line *line)
{
    return line->n_args == 1 && !has_filter(line) && !waits(line) &&
           !option_given(&line->options, OPTION_PACE);
}

int
call_retry(const struct command_line *line)
{
    if (!is_single(line))
        return run_calls(line, "retry");
    return resource_do(line, "POST",
                       channel_path(line, "/calls/%s/retry", line->args[0]), NULL,
                       "will be tried now");
}

int
call_cancel(const struct command_line *line)
{
    if (!is_single(line))
        return run_calls(line, "cancel");
    return resource_do(line, "POST",
                       channel_path(line, "/calls/%s/cancel", line->args[0]), NULL,
                       "cancelled");
}

int
webhook_replay(const struct command_line *line)
{
    struct buf path = channel_path(line, "/webhooks/%s/replay", line->args[0]), body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    put_time(&json, "since", line, OPTION_SINCE);
    put_time(&json, "until", line, OPTION_UNTIL);
    put_words(&json, "states", line, OPTION_REPLAY_STATE);
    put_words(&json, "types", line, OPTION_TYPE);
    put_how(&json, line);
    json_object_end(&json);
    int status = run_job(line, "POST", &path, &body, waits(line));
    buf_fini(&body);
    buf_fini(&path);
    return status;
}

/* ---- those that there are ---- */

int
job_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},          {{"KIND", false}, "kind"},
        {{"STATE", false}, "state"},     {{"WEBHOOK", true}, "webhook"},
        {{"MATCHED", false}, "matched"}, {{"DONE", false}, "done"},
        {{"CREATED", true}, "createdAt"}};
    return resource_list(line, channel_path(line, "/jobs"), columns,
                         ARRAY_LEN(columns));
}

int
job_show(const struct command_line *line)
{
    return resource_show(line, "GET", channel_path(line, "/jobs/%s", line->args[0]),
                         NULL);
}

static int
steer(const struct command_line *line, const char *verb, const char *sentence)
{
    return resource_do(line, "POST",
                       channel_path(line, "/jobs/%s/%s", line->args[0], verb), NULL,
                       sentence);
}

int
job_pause(const struct command_line *line)
{
    return steer(line, "pause", "paused");
}

int
job_resume(const struct command_line *line)
{
    return steer(line, "resume", "running");
}

int
job_cancel(const struct command_line *line)
{
    return steer(line, "cancel", "cancelled");
}

int
job_wait(const struct command_line *line)
{
    struct buf path = channel_path(line, "/jobs/%s", line->args[0]);
    int status = run_job(line, "GET", &path, NULL, true);
    buf_fini(&path);
    return status;
}
