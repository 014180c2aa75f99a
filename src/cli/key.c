/* pushwire key …, and whoami */
#include "core/key.h"
#include "base/clock.h"
#include "cli/resource.h"

int
key_create(const struct command_line *line)
{
    enum role role = (enum role)option_number(&line->options, OPTION_ROLE);
    bool has_channel = option_given(&line->options, OPTION_CHANNEL);
    struct buf body;
    struct json_out json;

    if (!has_channel && (role == ROLE_MANAGE || role == ROLE_INGEST))
        return command_misused(
            line,
            "--channel ID is missing; or set PUSHWIRE_CHANNEL: a key "
            "with the role %s is for one channel",
            role_name(role));
    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    json_str(&json, "role", option_text(&line->options, OPTION_ROLE));
    /* PUSHWIRE_CHANNEL is for other commands, too: it does not narrow an admin. */
    bool of_channel = option_source(&line->options, OPTION_CHANNEL) == OPTION_BY_FLAG ||
                      role != ROLE_ADMIN;
    if (of_channel && has_channel)
        json_str(&json, "channel", option_text(&line->options, OPTION_CHANNEL));
    if (option_given(&line->options, OPTION_EXPIRES))
        json_time(&json, "expiresAt",
                  clock_wall_us(&clock_system) / 1000 +
                      option_number(&line->options, OPTION_EXPIRES));
    json_object_end(&json);
    int status = resource_show(line, "POST", resource_path("/v1/keys"), &body);
    buf_fini(&body);
    if (status == DONE && is_terminal(stdout))
        fputs("Keep the key: it is not shown again.\n", stderr);
    return status;
}

int
key_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"ROLE", false}, "role"},
        {{"CHANNEL", true}, "channel"},
        {{"CREATED", false}, "createdAt"},
        {{"EXPIRES", false}, "expiresAt"},
    };
    return resource_list(line, resource_path("/v1/keys"), columns, ARRAY_LEN(columns));
}

int
key_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE", resource_path("/v1/keys/%s", line->args[0]),
                       NULL, "deleted");
}

int
whoami_run(const struct command_line *line)
{
    return resource_show(line, "GET", resource_path("/v1/me"), NULL);
}
