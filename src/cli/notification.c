/* pushwire notification … */
#include "cli/resource.h"

int
notification_list(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"ID", false}, "_id"},
        {{"TITLE", true}, "title"},
        {{"LINK", true}, "url"},
        {{"CREATED", false}, "createdAt"},
        {{"DELIVERED", false}, "delivered"},
        {{"CLICKED", false}, "clicked"},
    };
    return resource_list(line, channel_path(line, "/notifications"), columns,
                         ARRAY_LEN(columns));
}

int
notification_show(const struct command_line *line)
{
    return resource_show(line, "GET",
                         channel_path(line, "/notifications/%s", line->args[0]), NULL);
}

static void
put_text(struct json_out *json, const char *name, const struct options *options,
         enum option_id id)
{
    if (option_given(options, id))
        json_str(json, name, option_text(options, id));
}

static void
put_guids(struct json_out *json, const struct option_value *guids)
{
    if (!guids->n)
        return;
    json_array(json, "feedGuid");
    for (size_t i = 0; i < guids->n; i++)
        json_str(json, NULL, guids->texts[i]);
    json_array_end(json);
}

int
notification_create(const struct command_line *line)
{
    const struct options *options = &line->options;
    struct buf body;
    struct json_out json;

    buf_init(&body, RESOURCE_BODY_MAX);
    json_out_init(&json, &body);
    json_object(&json, NULL);
    put_text(&json, "_id", options, OPTION_ID);
    put_text(&json, "title", options, OPTION_TITLE);
    put_text(&json, "url", options, OPTION_LINK);
    put_guids(&json, &options->values[OPTION_FEED_GUID]);
    json_object_end(&json);
    int status =
        resource_show(line, "POST", channel_path(line, "/notifications"), &body);
    buf_fini(&body);
    return status;
}
