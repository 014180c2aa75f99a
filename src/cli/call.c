/* pushwire call … */
#include "cli/client.h"
#include "cli/resource.h"

int
call_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"TYPE", false}, "type"},
        {{"STATE", false}, "state"},
        {{"ATTEMPTS", COLUMN_LESS}, "attempts"},
        {{"NEXT ATTEMPT", COLUMN_LESS}, "nextAttemptAt"},
        {{"LAST", true}, "lastAttempt.reason|lastAttempt.status"},
    };
    const struct options *options = &line->options;
    struct buf path = channel_path(line, "/calls");
    resource_filter(line, &path);
    path_add_query(&path, "state", option_text(options, OPTION_STATE));
    path_add_query(&path, "error", option_text(options, OPTION_ERROR));
    path_add_query(&path, "webhook", option_text(options, OPTION_WEBHOOK));
    return resource_list(line, path, columns, ARRAY_LEN(columns));
}

int
call_show(const struct command_line *line)
{
    return resource_show(line, "GET", channel_path(line, "/calls/%s", line->args[0]),
                         NULL);
}
