/* pushwire subscription …, one or a list of them. */
#include "cli/client.h"
#include "cli/resource.h"

static int
add_filters(const struct command_line *line, struct buf *path)
{
    static const struct {
        const char *name;
        enum option_id id;
    } texts[] = {
        {"topic", OPTION_TOPIC},       {"tag", OPTION_TAG},
        {"platform", OPTION_PLATFORM}, {"language", OPTION_LANGUAGE},
        {"country", OPTION_COUNTRY},   {"attribute", OPTION_ATTRIBUTE},
        {"value", OPTION_VALUE},
    };
    const struct options *options = &line->options;
    bool active = option_on(options, OPTION_ACTIVE);
    bool inactive = option_on(options, OPTION_INACTIVE);

    if (active && inactive)
        return command_misused(line, "--active and --inactive exclude each other");
    if (option_given(options, OPTION_ATTRIBUTE) != option_given(options, OPTION_VALUE))
        return command_misused(line, "--attribute ID and --value TEXT go together");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        path_add_query(path, texts[i].name, option_text(options, texts[i].id));
    if (active || inactive)
        path_add_query(path, "inactive", inactive ? "true" : "false");
    path_add_time(path, "syncedSince", line, OPTION_SYNCED_SINCE);
    return DONE;
}

int
subscription_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"PLATFORM", true}, "platformName"},
        {{"BROWSER", true}, "browserType"},
        {{"LANGUAGE", false}, "language"},
        {{"COUNTRY", false}, "country"},
        {{"TOPICS", true}, "topics"},
        {{"SYNCED", false}, "syncedAt"},
    };
    struct buf path = channel_path(line, "/subscriptions");

    int status = add_filters(line, &path);
    if (status == DONE)
        return resource_list(line, path, columns, ARRAY_LEN(columns));
    buf_fini(&path);
    return status;
}

int
subscription_show_one(const struct command_line *line)
{
    return resource_show(line, "GET",
                         channel_path(line, "/subscriptions/%s", line->args[0]), NULL);
}

int
subscription_put(const struct command_line *line)
{
    return resource_show_with_data(
        line, "PUT", channel_path(line, "/subscriptions/%s", line->args[0]));
}

int
subscription_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE",
                       channel_path(line, "/subscriptions/%s", line->args[0]), NULL,
                       "opted out: its push tokens and topics are forgotten");
}
