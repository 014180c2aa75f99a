/*
 * A subscription: one device or browser that opted in to a channel's push messages.
 * What is known of it is a table of members (subscription.c), each kept as JSON in
 * canonical form: no white space, strings with only the escapes that they need. So two
 * values are equal when their bytes are, and a value goes into a payload as it is.
 * What is not known is not there; it is never null.
 */
#pragma once

#include "base/buf.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/types.h"
#include "core/canonical.h"
#include "core/record.h"

enum member {
    MEMBER_TYPE,
    MEMBER_BROWSER_TYPE,
    MEMBER_BROWSER_VERSION,
    MEMBER_PLATFORM_NAME,
    MEMBER_PLATFORM_VERSION,
    MEMBER_APP_VERSION,
    MEMBER_SDK_VERSION,
    MEMBER_LANGUAGE,
    MEMBER_COUNTRY,
    MEMBER_REGION,
    MEMBER_TIMEZONE,
    MEMBER_TOPICS, /* always there: "[]" when there are none */
    MEMBER_TOPICS_VERSION,
    MEMBER_TAGS,
    MEMBER_SEGMENTS,
    MEMBER_ATTRIBUTES, /* customAttributes: {id: string, number, boolean or array} */
    MEMBER_DEVICE_ID,
    MEMBER_PERMISSION,
    MEMBER_IS_TEST,
    MEMBER_PIANO_SEGMENTS,
    MEMBER_PIANO_USER_ID,
    MEMBER_EMAIL,
    MEMBER_REFERRER,
    MEMBER_PATHNAME,
    MEMBER_VISITS,
    MEMBER_CLICKED_DATES, /* of the latest clicks */
    MEMBER_FCM_ID,
    MEMBER_HMS_ID,
    MEMBER_LIVE_ACTIVITY_ID,
    /* from here on secret: where pushes to the device go */
    MEMBER_FCM_TOKEN,
    MEMBER_HMS_TOKEN,
    MEMBER_ADM_TOKEN,
    MEMBER_APNS_TOKEN,
    MEMBER_ENDPOINT,
    MEMBER_PUBLIC_KEY,
    MEMBER_AUTH_SECRET,
    MEMBER_LIVE_ACTIVITY_TOKEN,
    MEMBERS
};

#define MEMBER_FIRST_SECRET MEMBER_FCM_TOKEN

#define SUBSCRIPTION_LIST_MAX       500   /* topics, tags, segments: of each */
#define SUBSCRIPTION_ATTRIBUTES_MAX 200   /* different ones */
#define ATTRIBUTE_VALUE_MAX         16384 /* bytes of one, as JSON */
#define SUBSCRIPTION_BYTES_MAX      ((size_t)96 * 1024) /* of all members, as JSON */
/* What it may be in between, and with secrets that a replacement keeps. */
#define SUBSCRIPTION_ROOM_MAX (SUBSCRIPTION_BYTES_MAX * 4)

struct subscription {
    uint64_t number;  /* its key in the store; 0 = not stored yet */
    uint64_t channel; /* the channel's number */
    char id[ID_MAX + 1];
    msec_t created_ms;            /* steady */
    msec_t synced_ms;             /* steady; the last time it was heard of */
    bool inactive;                /* opted out */
    struct slice member[MEMBERS]; /* p NULL = not known */
};

const char *member_name(enum member member); /* "platformName" … */
bool member_is_secret(enum member member);
/* A device may say it of itself. */
bool member_is_told(enum member member);
bool member_find(struct slice name, enum member *member);

/* ---- values that come in ---- */

enum member_given {
    MEMBER_GIVEN,   /* the canonical form was appended to out */
    MEMBER_LEFT,    /* null: as if it had not been there */
    MEMBER_REFUSED, /* *reason says what it must be */
    MEMBER_NO_MEMORY
};

/* Appends a value's canonical form. Clients are forgiven a number or a boolean where a
 * string is expected, and a whole number in a string where a number is. */
enum member_given member_canonical(enum member member, const struct json_doc *doc,
                                   const struct json_token *value, struct buf *out,
                                   const char **reason);
/* The same for the value of one attribute: a string, a number, a boolean, or an array
 * of these. */
enum member_given attribute_canonical(const struct json_doc *doc,
                                      const struct json_token *value, struct buf *out,
                                      const char **reason);

/* ---- the whole ---- */

/* From and to the store's row. The slices point into row->members. False: these are
 * not members as subscription_write wrote them. */
bool subscription_read(struct subscription *subscription, struct json_doc *scratch,
                       const struct subscription_row *row) must_check;
/* row->members points into `members`, row->id into the subscription. */
int subscription_write(struct subscription_row *row, struct buf *members,
                       const struct subscription *subscription) must_check;

/* A number by which its push identity can be found again; 0 = it has none. The store
 * knows nothing else of it. */
uint64_t subscription_token(const struct subscription *subscription);

#define TOPICS_VERSION_MAX INT64_C(2000000000)

/* topicsVersion; 0 = not known. */
int64_t subscription_topics_version(const struct subscription *subscription);

/* Its members, _id and times first, into an open object; secrets only when asked. */
void subscription_show(struct json_out *json, const struct subscription *subscription,
                       const char *channel, bool secrets);
