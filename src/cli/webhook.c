/* pushwire webhook … */
#include "base/mem.h"
#include "cli/client.h"
#include "cli/resource.h"
#include "cli/secret_option.h"
#include "core/event.h"

/* ---- the body that makes or changes one ---- */

static void
put_events(struct json_out *json, const char *list)
{
    bool all = false;

    json_array(json, "events");
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        all |= n == 3 && memcmp(at, "all", 3) == 0;
        at += n + (at[n] == ',');
    }
    for (int type = 0; all && type < EVENT_TYPES; type++)
        json_str(json, NULL, event_type_name((enum event_type)type));
    for (const char *at = list; *at && !all;) {
        size_t n = strcspn(at, ",");
        json_strn(json, NULL, (struct slice){at, n});
        at += n + (at[n] == ',');
    }
    json_array_end(json);
}

/* False for a header without a colon. */
static bool
put_headers(struct json_out *json, const struct option_value *headers)
{
    json_object(json, "headers");
    for (size_t i = 0; i < headers->n; i++) {
        const char *text = headers->texts[i];
        size_t n = strcspn(text, ":");
        if (!text[n])
            return false;
        const char *value = text + n + 1;
        value += strspn(value, " \t");
        json_name_str(json, (struct slice){text, n}, slice_of(value));
    }
    json_object_end(json);
    return true;
}

static const enum option_id retry_ids[] = {OPTION_MAX_RETRIES, OPTION_INITIAL_DELAY,
                                           OPTION_FACTOR, OPTION_MAX_DELAY};

static bool
retry_given(const struct options *options)
{
    for (size_t i = 0; i < ARRAY_LEN(retry_ids); i++) {
        if (option_given(options, retry_ids[i]))
            return true;
    }
    return false;
}

static void
put_retry(struct json_out *json, const struct options *options)
{
    static const char *const names[] = {"maxRetries", "initialDelay", "factor",
                                        "maxDelay"};

    if (option_on(options, OPTION_DEFAULT_RETRY)) {
        json_null(json, "retry");
        return;
    }
    if (!retry_given(options))
        return;
    json_object(json, "retry");
    for (size_t i = 0; i < ARRAY_LEN(retry_ids); i++) {
        enum option_id id = retry_ids[i];
        if (!option_given(options, id))
            continue;
        int64_t number = option_number(options, id);
        if (id == OPTION_MAX_RETRIES)
            json_i64(json, names[i], number);
        else if (id == OPTION_FACTOR)
            json_f64(json, names[i], option_decimal(options, id));
        else
            json_f64(json, names[i], (double)number / 1000);
    }
    json_object_end(json);
}

static void
put_text(struct json_out *json, const char *name, const struct options *options,
         enum option_id id)
{
    if (option_given(options, id))
        json_str(json, name, option_text(options, id));
}

/* DONE, or what is wrong with the options was said. */
static int
put_secret(struct json_out *json, const struct command_line *line)
{
    char *secret;
    struct err err = {0};

    if (secret_option(&line->options, OPTION_SECRET, OPTION_SECRET_FILE, &secret,
                      &err) != 0)
        return command_misused(line, "%s", err.text);
    if (secret)
        json_str(json, "secret", secret);
    xfree_secret(secret);
    put_text(json, "keyType", &line->options, OPTION_KEY_TYPE);
    return DONE;
}

/* The members that the options name, into an open object. DONE, or what is wrong with
 * them was said. */
static int
put_members(struct json_out *json, const struct command_line *line)
{
    const struct options *options = &line->options;

    put_text(json, "url", options, OPTION_TARGET);
    if (option_given(options, OPTION_EVENTS))
        put_events(json, option_text(options, OPTION_EVENTS));
    put_text(json, "description", options, OPTION_DESCRIPTION);
    put_retry(json, options);
    if ((option_given(options, OPTION_HEADER) ||
         option_on(options, OPTION_NO_HEADERS)) &&
        !put_headers(json, &options->values[OPTION_HEADER]))
        return command_misused(line, "--header: expected 'NAME: VALUE'");
    return put_secret(json, line);
}

int
webhook_create(const struct command_line *line)
{
    struct buf body;
    struct json_out json;

    buf_init_mem(&body, RESOURCE_BODY_MAX, &mem_secret);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    json_str(&json, "url", line->args[0]);
    int status = put_members(&json, line);
    if (option_on(&line->options, OPTION_DISABLED))
        json_bool(&json, "enabled", false);
    json_object_end(&json);
    if (status == DONE)
        status = resource_show(line, "POST", channel_path(line, "/webhooks"), &body);
    buf_fini(&body);
    return status;
}

int
webhook_change(const struct command_line *line)
{
    const struct options *options = &line->options;
    struct buf body;
    struct json_out json;

    if (option_given(options, OPTION_HEADER) && option_on(options, OPTION_NO_HEADERS))
        return command_misused(line, "--header and --no-headers exclude each other");
    if (option_on(options, OPTION_DEFAULT_RETRY) && retry_given(options))
        return command_misused(line, "--default-retry excludes --max-retries, "
                                     "--initial-delay, --factor and --max-delay");
    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    int status = put_members(&json, line);
    json_object_end(&json);
    if (status == DONE && body.n == strlen("{}"))
        status = command_misused(line, "nothing to change: give an option that says "
                                       "what");
    else if (status == DONE)
        status = resource_show(
            line, "PATCH", channel_path(line, "/webhooks/%s", line->args[0]), &body);
    buf_fini(&body);
    return status;
}

/* ---- the rest ---- */

int
webhook_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"ENABLED", false}, "enabled"},
        {{"URL", true}, "url"},
        {{"EVENTS", true}, "events"},
        {{"DESCRIPTION", true}, "description"},
    };
    return resource_list(line, channel_path(line, "/webhooks"), columns,
                         ARRAY_LEN(columns));
}

int
webhook_show(const struct command_line *line)
{
    return resource_show(line, "GET", channel_path(line, "/webhooks/%s", line->args[0]),
                         NULL);
}

int
webhook_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE",
                       channel_path(line, "/webhooks/%s", line->args[0]), NULL,
                       "deleted");
}

static int
set_enabled(const struct command_line *line, const char *body_text, const char *done)
{
    struct buf body;

    buf_init(&body, RESOURCE_BODY_MAX);
    buf_adds(&body, body_text);
    int status = resource_do(
        line, "PATCH", channel_path(line, "/webhooks/%s", line->args[0]), &body, done);
    buf_fini(&body);
    return status;
}

int
webhook_enable(const struct command_line *line)
{
    return set_enabled(line, "{\"enabled\":true}", "enabled");
}

int
webhook_disable(const struct command_line *line)
{
    return set_enabled(line, "{\"enabled\":false}", "disabled");
}

int
webhook_secret(const struct command_line *line)
{
    return resource_member(line, "GET",
                           channel_path(line, "/webhooks/%s/secret", line->args[0]),
                           "secret");
}

int
webhook_rotate(const struct command_line *line)
{
    struct buf body;
    struct json_out json;

    buf_init_mem(&body, RESOURCE_BODY_MAX, &mem_secret);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    int status = put_secret(&json, line);
    json_f64(&json, "overlap",
             (double)option_number(&line->options, OPTION_OVERLAP) / 1000);
    json_object_end(&json);
    if (status == DONE)
        status = resource_show(
            line, "POST",
            channel_path(line, "/webhooks/%s/secret/rotate", line->args[0]), &body);
    buf_fini(&body);
    return status;
}

int
webhook_test(const struct command_line *line)
{
    const char *type = option_text(&line->options, OPTION_SAMPLE_TYPE);
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    if (type)
        json_str(&json, "type", type);
    json_object_end(&json);
    int status = resource_show(
        line, "POST", channel_path(line, "/webhooks/%s/test", line->args[0]), &body);
    buf_fini(&body);
    return status;
}
