/* The handlers, by resource, and the JSON forms that more than one of them writes. */
#pragma once

#include "api/request.h"
#include "core/secret.h"

/* channels.c */
void channels_create(struct api_request *r);
void channels_list(struct api_request *r);
void channels_show(struct api_request *r);
void channels_change(struct api_request *r);
void channels_delete(struct api_request *r);
/* Those that the key may see: all, or its own alone. */
size_t channels_seen(struct api_request *r, uint64_t after, struct channel **page,
                     size_t limit);
/* For a change: a copy of the channel as it is now, not as it was when the request
 * came; NULL, with the reason set, if it is gone. */
struct channel *channel_copy_now(struct engine *engine, struct api_request *r);

/* webhooks.c */
void webhooks_create(struct api_request *r);
void webhooks_list(struct api_request *r);
void webhooks_show(struct api_request *r);
void webhooks_change(struct api_request *r);
void webhooks_delete(struct api_request *r);
/* For a change: a copy of the webhook as it is now, not as it was when the request
 * came; NULL, with the reason set, if it is gone. */
struct webhook *webhook_copy_now(struct engine *engine, struct api_request *r);

/* webhook_secret.c */
void webhooks_secret(struct api_request *r);
void webhooks_rotate(struct api_request *r);
/* keyType and publicKey of a secret, into an open object. */
void webhook_secret_write(struct json_out *json, const char *secret);

/* events.c */
void events_ingest(struct api_request *r);
void events_test(struct api_request *r);
void events_list(struct api_request *r);
void events_show(struct api_request *r);

/* The members of an event, into an open object. */
void event_write(struct json_out *json, const struct event_record *event);
/* Counts them in the metrics; returns how many. */
uint64_t events_count(const uint32_t by_type[EVENT_TYPES]);

/* calls.c */
void calls_list(struct api_request *r);
void calls_show(struct api_request *r);
void calls_retry(struct api_request *r);
void calls_cancel(struct api_request *r);
/* The members of a call, into an open object. */
void call_write(struct json_out *json, const struct call_record *call);
/* "explain": why it is where it is, likewise. */
void call_explain_write(struct json_out *json, const struct explain *explain);

/* The members of an attempt but its answer, into an open object. */
void attempt_write(struct json_out *json, const struct attempt_record *attempt);

/* stream.c */
void stream_open(struct api_request *r);
/* The next piece of a stream; for httpd_handler.more. */
void stream_continue(void *ctx, struct httpd_req *req, bool beat);

/* jobs.c; the routes' `what` is an enum job_kind, or the enum job_state that a job is
 * to have */
void jobs_create(struct api_request *r);
void jobs_list(struct api_request *r);
void jobs_show(struct api_request *r);
void jobs_steer(struct api_request *r);

/* keys.c */
void keys_create(struct api_request *r);
void keys_list(struct api_request *r);
void keys_delete(struct api_request *r);

/* stats.c */
void stats_show(struct api_request *r); /* of a channel, or of all */
void stats_webhooks(struct api_request *r);

/* backup.c */
void backup_make(struct api_request *r);

/* me.c: who asks */
void me_show(struct api_request *r);

/* dashboard.c: the pages for people, and what they load */
void dashboard_file(struct api_request *r);

/* health.c */
void health_live(struct api_request *r);
void health_ready(struct api_request *r);
void health_metrics(struct api_request *r);

/* subscriptions.c */
void subscriptions_create(struct api_request *r);
void subscriptions_put(struct api_request *r);
void subscriptions_show(struct api_request *r);
void subscriptions_delete(struct api_request *r);
enum { PART_TOPICS, PART_TAGS, PART_ATTRIBUTES }; /* the routes' `what` */
void subscriptions_part(struct api_request *r);
void subscriptions_change_part(struct api_request *r);

/* subscription_lists.c */
void subscriptions_list(struct api_request *r);
void subscriptions_export(struct api_request *r);

/* subscription_import.c */
void subscriptions_import(struct api_request *r);

/* settings.c */
void settings_show(struct api_request *r);
void settings_change(struct api_request *r);
/* Whether they may be stored: 0, E_TOO_LARGE with a sentence, or E_NO_MEMORY. */
int settings_fit(const struct channel_settings *settings, struct err *err) must_check;

/* channel_lists.c: a channel's topics, tags and attributes */
enum { LIST_TOPICS, LIST_TAGS, LIST_ATTRIBUTES }; /* the routes' `what` */
void channel_list_show(struct api_request *r);
void channel_list_add(struct api_request *r);
void channel_list_change(struct api_request *r);
void channel_list_delete(struct api_request *r);
const char *channel_element_id(unsigned what); /* the name of its id: "_id", "id" */
struct reader;
struct json_token;
enum { ELEMENT_ID = 1 << 0, ELEMENT_NAME = 1 << 1 };
/* Checks an element of such a list, in which what is `needed` must not be missing. Its
 * id, "" if it has none, goes into `id`. */
int channel_element_read(struct reader *rd, const struct json_token *value,
                         unsigned what, unsigned needed,
                         char id[ID_MAX + 1]) must_check;

/* notifications.c */
void notifications_create(struct api_request *r);
void notifications_put(struct api_request *r);
void notifications_list(struct api_request *r);
void notices_list(struct api_request *r);
void notifications_show(struct api_request *r);
/* The members of a notification, into an open object. */
void notification_write(struct json_out *json, const struct notification_row *row);

/* sdk.c: what SDKs call */
enum { SDK_NOTHING, SDK_BANNERS, SDK_NOTIFICATIONS }; /* sdk_quiet's `what` */
void sdk_change(struct api_request *r);               /* `what`: an enum change_kind */
void sdk_config(struct api_request *r);
void sdk_quiet(struct api_request *r);

/* customer.c: the customer's routes in the platform's form */
/* A number of the query; false: it is none, and that is answered. */
bool customer_number(struct api_request *r, const char *name, int64_t otherwise,
                     int64_t *number) must_check;
void customer_channels(struct api_request *r);
void customer_topics(struct api_request *r);
void customer_tags(struct api_request *r);
void customer_notifications(struct api_request *r);
void customer_notification(struct api_request *r);
void customer_statistics(struct api_request *r);
void customer_send(struct api_request *r);
void customer_subscription_count(struct api_request *r);
/* subscription_lists.c */
void customer_subscriptions(struct api_request *r);
void customer_find_subscription(struct api_request *r);

/* webhook_body.c: a request body that makes or changes a webhook */

enum {
    WEBHOOK_URL = 1 << 0,
    WEBHOOK_EVENTS = 1 << 1,
    WEBHOOK_DESCRIPTION = 1 << 2,
    WEBHOOK_HEADERS = 1 << 3,
    WEBHOOK_SECRET = 1 << 4,
    WEBHOOK_ENABLED = 1 << 5,
    WEBHOOK_RETRY = 1 << 6,
    WEBHOOK_KEY_TYPE = 1 << 7
};

enum {
    RETRY_MAX_RETRIES = 1 << 0,
    RETRY_INITIAL_DELAY = 1 << 1,
    RETRY_FACTOR = 1 << 2,
    RETRY_MAX_DELAY = 1 << 3
};

struct webhook_body {
    bool is_new;
    unsigned given; /* WEBHOOK_* */
    enum secret_kind key_type;
    bool default_retry;   /* retry: null */
    unsigned retry_given; /* RETRY_*: these members of values->retry, no others */
    struct webhook *values;
};

/* Reads r's body into r->own. Answers and returns an error when it is not right. */
int webhook_body_read(struct api_request *r, bool is_new) must_check;
/* Puts what was given onto a webhook that nobody else sees yet. E_INVALID with a
 * sentence about /retry/maxDelay when its delays do not fit each other then. */
int webhook_body_apply(const struct webhook_body *body, struct webhook *webhook,
                       struct err *err) must_check;

/* The name of an event type; any other is answered with those that there are. */
int webhook_read_type(struct reader *rd, const struct json_token *value,
                      enum event_type *type) must_check;
/* A secret in the form in which it is kept; its type's name; whether the two agree. */
int webhook_read_secret(struct reader *rd, const struct json_token *value,
                        char out[SECRET_TEXT]) must_check;
int webhook_read_key_type(struct reader *rd, const struct json_token *value,
                          enum secret_kind *kind) must_check;
int webhook_check_key_type(struct reader *rd, const char *secret,
                           enum secret_kind kind) must_check;
