/* What the store hands out when it is read: plain rows of the domain. Slices are valid
 * only during the callback that hands them over. */
#pragma once

#include "base/types.h"
#include "core/call.h"
#include "core/event.h"

#define RESPONSE_KEPT_BYTES 4096 /* of a receiver's answer, per attempt */

struct event_record {
    uint64_t key;
    enum event_type type;
    msec_t created_ms; /* steady */
    struct slice subscription;
    struct slice body;
};

struct attempt_record {
    uint32_t n;   /* from 1, over the whole life of the call */
    msec_t at_ms; /* wall, when it began */
    usec_t duration_us;
    enum verdict verdict;
    int status;            /* of the HTTP answer; 0 = none */
    struct slice reason;   /* why it is not ok: "timeout", "connection refused", "status
                              503"; empty when ok */
    struct slice response; /* at most RESPONSE_KEPT_BYTES, any bytes */
};

struct call_record {
    uint64_t event;
    uint64_t webhook;
    enum event_type type;
    struct slice subscription;
    msec_t created_ms;     /* of the event */
    enum call_state state; /* as shown: waiting, held, succeeded, failed, cancelled */
    uint32_t attempts;     /* made so far */
    msec_t due_ms;         /* steady; when waiting or held */
    struct slice held_reason;   /* when held */
    struct attempt_record last; /* when attempts > 0, without its response */
};

/* A subscription as it is stored; core/subscription.h knows what is in `members`. */
struct subscription_row {
    uint64_t number; /* 0 = to be made */
    uint64_t channel;
    struct slice id;
    msec_t created_ms; /* steady */
    msec_t synced_ms;
    bool inactive;
    uint64_t token;       /* by which its push identity is found; 0 = none */
    struct slice members; /* a JSON object */
};

/* How much room the disk has for more. */
enum disk_room {
    DISK_ROOM,
    DISK_LOW,  /* what is new is refused; outcomes are still recorded */
    DISK_FULL, /* a write found no room: no attempt is started either */
    DISK_ROOMS
};

static inline const char *
disk_room_name(enum disk_room room)
{
    static const char *const names[DISK_ROOMS] = {"ok", "low", "full"};
    return names[room];
}

/* A push message of a channel, as it was told to us. */
struct notification_row {
    uint64_t number; /* 0 = to be made */
    uint64_t channel;
    struct slice id;
    msec_t created_ms;           /* steady */
    struct slice feed_guid;      /* a JSON array of strings; n 0 = none was given */
    struct slice body;           /* JSON members, without braces: title, url … */
    uint64_t delivered, clicked; /* events so far */
};
