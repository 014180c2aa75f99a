/* pushwire channel … */
#include "cli/resource.h"

#include "base/clock.h"

static void
write_trial(struct json_out *json, const struct options *options)
{
    if (option_given(options, OPTION_TRIAL))
        json_time(json, "trialEndsAt",
                  clock_wall_us(&clock_system) / 1000 +
                      option_number(options, OPTION_TRIAL));
}

int
channel_create(const struct command_line *line)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    json_str(&json, "name", line->args[0]);
    if (option_given(&line->options, OPTION_ID))
        json_str(&json, "_id", option_text(&line->options, OPTION_ID));
    write_trial(&json, &line->options);
    json_object_end(&json);
    int status = resource_show(line, "POST", resource_path("/v1/channels"), &body);
    buf_fini(&body);
    return status;
}

int
channel_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"NAME", true}, "name"},
        {{"CREATED", COLUMN_LESS}, "createdAt"},
        {{"TRIAL ENDS", false}, "trialEndsAt"},
    };
    return resource_list(line, resource_path("/v1/channels"), columns,
                         ARRAY_LEN(columns));
}

int
channel_show(const struct command_line *line)
{
    return resource_show(line, "GET", resource_path("/v1/channels/%s", line->args[0]),
                         NULL);
}

int
channel_change(const struct command_line *line)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    if (option_given(&line->options, OPTION_NAME))
        json_str(&json, "name", option_text(&line->options, OPTION_NAME));
    write_trial(&json, &line->options);
    if (option_on(&line->options, OPTION_NO_TRIAL))
        json_null(&json, "trialEndsAt");
    json_object_end(&json);
    int status = resource_show(line, "PATCH",
                               resource_path("/v1/channels/%s", line->args[0]), &body);
    buf_fini(&body);
    return status;
}

int
channel_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE", resource_path("/v1/channels/%s", line->args[0]),
                       NULL, "deleted");
}
