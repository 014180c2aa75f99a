/* The handlers, by resource, and the JSON forms that more than one of them writes. */
#pragma once

#include "api/request.h"

/* channels.c */
void channels_create(struct api_request *r);
void channels_list(struct api_request *r);
void channels_show(struct api_request *r);
void channels_change(struct api_request *r);
void channels_delete(struct api_request *r);

/* webhooks.c */
void webhooks_create(struct api_request *r);
void webhooks_list(struct api_request *r);
void webhooks_show(struct api_request *r);
void webhooks_change(struct api_request *r);
void webhooks_delete(struct api_request *r);
void webhooks_secret(struct api_request *r);

/* events.c */
void events_ingest(struct api_request *r);
void events_test(struct api_request *r);
void events_list(struct api_request *r);
void events_show(struct api_request *r);

/* calls.c */
void calls_list(struct api_request *r);
void calls_show(struct api_request *r);
void calls_retry(struct api_request *r);
/* The members of a call, into an open object. */
void call_write(struct json_out *json, const struct call_record *call);

/* keys.c */
void keys_create(struct api_request *r);
void keys_list(struct api_request *r);
void keys_delete(struct api_request *r);

/* health.c */
void health_live(struct api_request *r);
void health_ready(struct api_request *r);
void health_metrics(struct api_request *r);

/* webhook_body.c: a request body that makes or changes a webhook */

enum {
    WEBHOOK_URL = 1 << 0,
    WEBHOOK_EVENTS = 1 << 1,
    WEBHOOK_DESCRIPTION = 1 << 2,
    WEBHOOK_HEADERS = 1 << 3,
    WEBHOOK_SECRET = 1 << 4,
    WEBHOOK_ENABLED = 1 << 5,
    WEBHOOK_RETRY = 1 << 6
};

enum {
    RETRY_MAX_RETRIES = 1 << 0,
    RETRY_INITIAL_DELAY = 1 << 1,
    RETRY_FACTOR = 1 << 2,
    RETRY_MAX_DELAY = 1 << 3
};

struct webhook_body {
    unsigned given;       /* WEBHOOK_* */
    bool default_retry;   /* retry: null */
    unsigned retry_given; /* RETRY_*: these members of values->retry, no others */
    struct webhook *values;
};

/* Reads r's body into r->own. Answers and returns an error when it is not right. */
int webhook_body_read(struct api_request *r, bool url_needed) must_check;
/* Puts what was given onto a webhook that nobody else sees yet. E_INVALID with a
 * sentence about /retry/maxDelay when its delays do not fit each other then. */
int webhook_body_apply(const struct webhook_body *body, struct webhook *webhook,
                       struct err *err) must_check;

struct reader;
struct json_token;
/* The name of an event type; any other is answered with those that there are. */
int webhook_read_type(struct reader *rd, const struct json_token *value,
                      enum event_type *type) must_check;
