#include "core/notice.h"

#include <assert.h>

static const char *const names[NOTICE_KINDS] = {
    [NOTICE_WEBHOOK_DISABLED] = "webhookDisabled",
    [NOTICE_CALL_EXHAUSTED] = "callExhausted",
    [NOTICE_BACKLOG_HIGH] = "backlogHigh",
    [NOTICE_BACKLOG_CLEARED] = "backlogCleared",
    [NOTICE_OLDEST_DUE_HIGH] = "oldestDueHigh",
    [NOTICE_OLDEST_DUE_CLEARED] = "oldestDueCleared",
    [NOTICE_DISK_LOW] = "diskLow",
    [NOTICE_DISK_CLEARED] = "diskCleared",
    [NOTICE_TRIAL_ENDED] = "trialEnded",
};

const char *
notice_kind_name(enum notice_kind kind)
{
    assert((unsigned)kind < NOTICE_KINDS);
    return names[kind];
}

static void
write_data(struct json_out *json, const struct notice_row *row)
{
    json_object(json, "data");
    if (row->data.n)
        json_raw_out(json, NULL, row->data);
    json_object_end(json);
}

static void
write_about(struct json_out *json, const struct notice_row *row)
{
    char id[ID_TEXT];
    if (row->channel)
        json_strn(json, "channel", row->channel_id);
    else
        json_null(json, "channel");
    if (row->webhook)
        webhook_id_format(id, row->webhook);
    json_str(json, "webhook", row->webhook ? id : NULL);
    json_strn(json, "text", row->text);
}

void
notice_write(struct json_out *json, const struct notice_row *row)
{
    char id[ID_TEXT];
    notice_id_format(id, row->number);
    json_str(json, "_id", id);
    json_time(json, "at", event_key_ms(row->number));
    json_str(json, "kind", notice_kind_name(row->kind));
    write_about(json, row);
    write_data(json, row);
}

void
notice_write_body(struct buf *out, const struct notice_row *row)
{
    struct json_out json;
    char id[ID_TEXT];

    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "type", notice_kind_name(row->kind));
    json_time(&json, "timestamp", event_key_ms(row->number));
    json_object(&json, "data");
    notice_id_format(id, row->number);
    json_str(&json, "_id", id);
    write_about(&json, row);
    if (row->data.n)
        json_raw_out(&json, NULL, row->data);
    json_object_end(&json);
    json_object_end(&json);
}
