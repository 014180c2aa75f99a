#include "core/payload.h"

#include <assert.h>

#include "base/json_out.h"

#define ON(type) (1u << EVENT_##type)
#define LOCALE   (ON(OPT_IN) | ON(UPDATE_TOPICS) | ON(TOPIC_ADDED) | ON(ATTRIBUTE_UPDATE))

/* The members behind the times, in the order of the product page, and the types that
 * show them. optIn alone names the channel inside, before them. */
static const struct {
    enum member member;
    unsigned types;
} shown[] = {
    {MEMBER_BROWSER_TYPE, LOCALE | ON(OPT_OUT)},
    {MEMBER_PLATFORM_NAME, LOCALE | ON(OPT_OUT)},
    {MEMBER_LANGUAGE, LOCALE},
    {MEMBER_COUNTRY, LOCALE},
    {MEMBER_TIMEZONE, LOCALE},
    {MEMBER_TOPICS,
     ON(OPT_OUT) | ON(UPDATE_TOPICS) | ON(TOPIC_ADDED) | ON(ATTRIBUTE_UPDATE)},
    {MEMBER_ATTRIBUTES, ON(ATTRIBUTE_UPDATE)},
};

static void
write_id(struct json_out *json, const char *name, struct slice id)
{
    json_object(json, name);
    json_strn(json, "_id", id);
    json_object_end(json);
}

static void
write_subscription(struct json_out *json, const struct payload *payload)
{
    const struct subscription *subscription = payload->subscription;

    json_object(json, "subscription");
    json_str(json, "_id", subscription->id);
    json_time(json, "createdAt", subscription->created_ms);
    json_time(json, "syncedAt", subscription->synced_ms);
    if (payload->type == EVENT_OPT_IN)
        json_str(json, "channel", payload->channel);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        enum member member = shown[i].member;
        struct slice value = subscription->member[member];
        if (!(shown[i].types & 1u << payload->type))
            continue;
        if (member == MEMBER_TOPICS)
            value = payload->topics;
        else if (member == MEMBER_ATTRIBUTES && !value.p)
            value = SLICE("{}");
        if (value.p)
            json_raw_out(json, member_name(member), value);
    }
    json_object_end(json);
}

void
payload_write(struct buf *out, const struct payload *payload)
{
    struct json_out json;

    assert(payload->type != EVENT_DELIVERY && payload->type != EVENT_CLICK);
    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "type", event_type_name(payload->type));
    write_subscription(&json, payload);
    write_id(&json, "channel", slice_of(payload->channel));
    if (payload->type == EVENT_TOPIC_ADDED)
        json_raw_out(&json, "newTopicsIds", payload->new_topics);
    json_object_end(&json);
}

void
payload_write_push(struct buf *out, const struct push_payload *push)
{
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "type", event_type_name(push->type));
    json_time(&json, "date", push->date_ms);
    write_id(&json, "subscription", slice_of(push->subscription));
    json_object(&json, "notification");
    json_strn(&json, "_id", push->notification);
    if (push->feed_guid.n)
        json_raw_out(&json, "feedGuid", push->feed_guid);
    json_object_end(&json);
    write_id(&json, "channel", slice_of(push->channel));
    json_object_end(&json);
}

struct slice
payload_subscription(struct slice body, const char *subscription)
{
    static const char before[] = "\"subscription\":{\"_id\":\"";
    const char *at = memmem(body.p, body.n, before, sizeof(before) - 1);

    assert(at); /* nothing that others chose stands before it */
    return (struct slice){at + sizeof(before) - 1, strlen(subscription)};
}
