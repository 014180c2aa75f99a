/* pushwire event … */
#include "cli/resource.h"

int
event_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"TYPE", false}, "type"},
        {{"SUBSCRIPTION", true}, "subscription"},
        {{"CREATED", false}, "createdAt"},
    };
    struct buf path = channel_path(line, "/events");
    resource_filter(line, &path);
    return resource_list(line, path, columns, ARRAY_LEN(columns));
}

int
event_show(const struct command_line *line)
{
    return resource_show(line, "GET", channel_path(line, "/events/%s", line->args[0]),
                         NULL);
}
