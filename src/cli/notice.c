/* pushwire notice list */
#include "cli/resource.h"

int
notice_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"AT", false}, "at"},
        {{"KIND", false}, "kind"},
        {{"CHANNEL", false}, "channel"},
        {{"TEXT", true}, "text"},
    };
    struct buf path = option_given(&line->options, OPTION_CHANNEL)
                          ? resource_path("/v1/channels/%s/notices",
                                          option_text(&line->options, OPTION_CHANNEL))
                          : resource_path("/v1/notices");
    return resource_list(line, path, columns, ARRAY_LEN(columns));
}
