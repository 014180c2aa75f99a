/* Sample events, as the product page shows them. */

#include "base/json_out.h"
#include "core/event.h"

/* How the types' samples differ. */
struct sample {
    bool about_push; /* date and notification, and of the subscription only its id */
    bool names_channel;
    bool no_topics; /* an empty list */
    bool topic;
    bool attributes;
    bool new_topics;
    bool locale;
    const char *browser;
    const char *platform;
};

static const struct sample samples[EVENT_TYPES] = {
    [EVENT_OPT_IN] = {.names_channel = true,
                      .locale = true,
                      .browser = "SDK",
                      .platform = "iOS"},
    [EVENT_OPT_OUT] = {.no_topics = true, .browser = "SDK", .platform = "iOS"},
    [EVENT_DELIVERY] = {.about_push = true},
    [EVENT_CLICK] = {.about_push = true},
    [EVENT_UPDATE_TOPICS] = {.locale = true,
                             .topic = true,
                             .browser = "SDK",
                             .platform = "iOS"},
    [EVENT_TOPIC_ADDED] = {.locale = true,
                           .topic = true,
                           .new_topics = true,
                           .browser = "SDK",
                           .platform = "iOS"},
    [EVENT_ATTRIBUTE_UPDATE] = {.locale = true,
                                .topic = true,
                                .attributes = true,
                                .browser = "Chrome",
                                .platform = "Mac OS"},
};

static void
list(struct json_out *out, const char *name, const char *element)
{
    json_array(out, name);
    if (element)
        json_str(out, NULL, element);
    json_array_end(out);
}

static void
id_object(struct json_out *out, const char *name, struct slice id)
{
    json_object(out, name);
    json_strn(out, "_id", id);
    json_object_end(out);
}

static void
subscription_write(struct json_out *out, const struct sample *sample,
                   struct slice channel, struct slice subscription, msec_t now_ms)
{
    json_object(out, "subscription");
    json_strn(out, "_id", subscription);
    json_time(out, "createdAt", now_ms);
    json_time(out, "syncedAt", now_ms);
    if (sample->names_channel)
        json_strn(out, "channel", channel);
    json_str(out, "browserType", sample->browser);
    json_str(out, "platformName", sample->platform);
    if (sample->locale) {
        json_str(out, "language", "en");
        json_str(out, "country", "DE");
        json_str(out, "timezone", "Europe/Berlin");
    }
    if (sample->topic || sample->no_topics)
        list(out, "topics", sample->topic ? "TOPIC_ID_1" : NULL);
    if (sample->attributes) {
        json_object(out, "customAttributes");
        json_str(out, "user_id", "test123");
        json_object_end(out);
    }
    json_object_end(out);
}

int
event_sample(struct buf *out, enum event_type type, struct slice channel,
             struct slice subscription, msec_t now_ms)
{
    const struct sample *sample = &samples[type];
    struct json_out json;

    json_out_init(&json, out);
    json_object(&json, NULL);
    json_str(&json, "type", event_type_name(type));
    if (sample->about_push) {
        json_time(&json, "date", now_ms);
        id_object(&json, "subscription", subscription);
        json_object(&json, "notification");
        json_str(&json, "_id", "NOTIFICATION_ID");
        list(&json, "feedGuid", "https://www.cnn.com/123456");
        json_object_end(&json);
    } else {
        subscription_write(&json, sample, channel, subscription, now_ms);
    }
    id_object(&json, "channel", channel);
    if (sample->new_topics)
        list(&json, "newTopicsIds", "TOPIC_ID_2");
    json_object_end(&json);
    return out->failed;
}
