/* Query parameters, read strictly: what a route does not know it refuses. */
#pragma once

#include "base/err.h"
#include "base/httpd.h"
#include "base/ids.h"
#include "base/types.h"

enum {
    QUERY_LIMIT = 1 << 0,
    QUERY_CURSOR = 1 << 1,
    QUERY_TYPE = 1 << 2,
    QUERY_SUBSCRIPTION = 1 << 3,
    QUERY_SINCE = 1 << 4,
    QUERY_UNTIL = 1 << 5,
    QUERY_STATE = 1 << 6,
    QUERY_WEBHOOK = 1 << 7,
    QUERY_INACTIVE = 1 << 8,
    QUERY_TOPIC = 1 << 9,
    QUERY_TAG = 1 << 10,
    QUERY_PLATFORM = 1 << 11,
    QUERY_LANGUAGE = 1 << 12,
    QUERY_COUNTRY = 1 << 13,
    QUERY_ATTRIBUTE = 1 << 14,
    QUERY_VALUE = 1 << 15,
    QUERY_SYNCED_SINCE = 1 << 16,
    QUERY_EMIT = 1 << 17,
    QUERY_NOTIFICATION = 1 << 18,
    QUERY_ERROR = 1 << 19,
    QUERY_KIND = 1 << 20,
    QUERY_AFTER = 1 << 21,
    QUERY_FOLLOW = 1 << 22,
    QUERY_RANGE = 1 << 23,
    QUERY_FREE = 1 << 30, /* whatever it is: the handler looks for itself */
    QUERY_PAGE = QUERY_LIMIT | QUERY_CURSOR,
    QUERY_EVENTS = QUERY_PAGE | QUERY_TYPE | QUERY_SUBSCRIPTION | QUERY_NOTIFICATION |
                   QUERY_SINCE | QUERY_UNTIL,
    QUERY_CALLS = QUERY_EVENTS | QUERY_STATE | QUERY_WEBHOOK | QUERY_ERROR,
    QUERY_STREAM = QUERY_KIND | QUERY_TYPE | QUERY_WEBHOOK | QUERY_SUBSCRIPTION |
                   QUERY_SINCE | QUERY_AFTER | QUERY_FOLLOW,
    QUERY_SUBSCRIPTIONS = QUERY_PAGE | QUERY_INACTIVE | QUERY_TOPIC | QUERY_TAG |
                          QUERY_PLATFORM | QUERY_LANGUAGE | QUERY_COUNTRY |
                          QUERY_ATTRIBUTE | QUERY_VALUE | QUERY_SYNCED_SINCE
};

enum { KIND_EVENT = 1 << 0, KIND_ATTEMPT = 1 << 1 };

/* Of figures. */
enum query_range { RANGE_HOUR, RANGE_DAY, RANGE_WEEK, RANGES };
const char *query_range_name(enum query_range range);

#define QUERY_LIMIT_DEFAULT 50
#define QUERY_LIMIT_MAX     200
#define QUERY_ERROR_MAX     200 /* bytes */
#define CURSOR_TEXT         80  /* room for a cursor and its NUL */

struct query {
    uint32_t given;
    size_t limit;
    char cursor[CURSOR_TEXT];
    uint32_t types;  /* bit per event_type */
    uint32_t states; /* bit per call_state */
    char subscription[ID_MAX + 1];
    char notification[ID_MAX + 1];
    char error[QUERY_ERROR_MAX + 1]; /* "" = any */
    uint64_t since_key;              /* since: keys >= */
    uint64_t before_key;             /* until: keys <; UINT64_MAX = no end */
    uint64_t webhook;                /* 0 = any */
    /* of a stream */
    uint32_t kinds;    /* KIND_* */
    const char *after; /* NULL = not given */
    bool follow;
    enum query_range range;
    /* of subscriptions; their texts are the request's */
    bool inactive; /* when given */
    bool emit;     /* events=true: make events */
    const char *topic, *tag, *platform, *language, *country; /* NULL = any */
    const char *attribute, *value;
    msec_t synced_since_ms; /* syncedAt >= */
};

/* `allowed` is a set of QUERY_*. 0, or E_INVALID with a sentence. */
int query_read(struct query *query, const struct httpd_req *req, uint32_t allowed,
               struct err *err) must_check;

/* Cursors are the place of the last row: a number here, an id where ids stand for
 * places. */
void cursor_number_format(char out[CURSOR_TEXT], uint64_t number);
bool cursor_number_parse(const char *text, uint64_t *number);
