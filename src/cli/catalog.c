/* pushwire topic, tag, attribute and config …: what a channel says to its apps. */
#include "cli/resource.h"

/* A new element: its id, where one is given, and its name. */
static int
create(const struct command_line *line, const char *list, const char *id_name,
       const char *id, const char *name)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    if (id)
        json_str(&json, id_name, id);
    json_str(&json, "name", name);
    json_object_end(&json);
    int status = resource_show(line, "POST", channel_path(line, list), &body);
    buf_fini(&body);
    return status;
}

static int
rename_to(const struct command_line *line, struct buf path)
{
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    json_str(&json, "name", option_text(&line->options, OPTION_NAME));
    json_object_end(&json);
    int status = resource_show(line, "PATCH", path, &body);
    buf_fini(&body);
    return status;
}

/* ---- topics and tags ---- */

static const struct resource_column named[] = {
    {{"ID", false}, "_id"},
    {{"NAME", true}, "name"},
};

int
topic_list(const struct command_line *line)
{
    return resource_list(line, channel_path(line, "/topics"), named, ARRAY_LEN(named));
}

int
topic_create(const struct command_line *line)
{
    return create(line, "/topics", "_id", option_text(&line->options, OPTION_ID),
                  line->args[0]);
}

int
topic_change(const struct command_line *line)
{
    return rename_to(line, channel_path(line, "/topics/%s", line->args[0]));
}

int
topic_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE", channel_path(line, "/topics/%s", line->args[0]),
                       NULL, "deleted; subscriptions that have it keep it");
}

int
tag_list(const struct command_line *line)
{
    return resource_list(line, channel_path(line, "/tags"), named, ARRAY_LEN(named));
}

int
tag_create(const struct command_line *line)
{
    return create(line, "/tags", "_id", option_text(&line->options, OPTION_ID),
                  line->args[0]);
}

int
tag_change(const struct command_line *line)
{
    return rename_to(line, channel_path(line, "/tags/%s", line->args[0]));
}

int
tag_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE", channel_path(line, "/tags/%s", line->args[0]),
                       NULL, "deleted; subscriptions that have it keep it");
}

/* ---- attributes: people choose their ids ---- */

int
attribute_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "id"},
        {{"NAME", true}, "name"},
    };
    return resource_list(line, channel_path(line, "/attributes"), columns,
                         ARRAY_LEN(columns));
}

int
attribute_create(const struct command_line *line)
{
    const char *name = option_text(&line->options, OPTION_NAME);
    return create(line, "/attributes", "id", line->args[0],
                  name ? name : line->args[0]);
}

int
attribute_change(const struct command_line *line)
{
    return rename_to(line, channel_path(line, "/attributes/%s", line->args[0]));
}

int
attribute_delete(const struct command_line *line)
{
    return resource_do(line, "DELETE",
                       channel_path(line, "/attributes/%s", line->args[0]), NULL,
                       "deleted; subscriptions that have it keep it");
}

/* ---- all settings ---- */

int
config_show(const struct command_line *line)
{
    return resource_show(line, "GET", channel_path(line, "/config"), NULL);
}

int
config_change(const struct command_line *line)
{
    return resource_show_with_data(line, "PATCH", channel_path(line, "/config"));
}
