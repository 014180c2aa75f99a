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

/* How long each step of an attempt took; -1 = it did not happen, or is not known. */
struct attempt_timings {
    usec_t dns_us, connect_us, tls_us;
    usec_t first_byte_us; /* from when the connection was there to the answer */
    int reused;           /* 1 = a connection that was kept, 0 = a new one, -1 */
};

#define TIMINGS_UNKNOWN ((struct attempt_timings){-1, -1, -1, -1, -1})

struct attempt_record {
    uint32_t n;   /* from 1, over the whole life of the call */
    msec_t at_ms; /* wall, when it began */
    usec_t duration_us;
    struct attempt_timings timings; /* not in a call's `last` */
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
    struct slice notification; /* n 0 = the event is about none */
    msec_t created_ms;         /* of the event */
    enum call_state state; /* as shown: waiting, held, succeeded, failed, cancelled */
    uint32_t attempts;     /* made so far */
    uint32_t tries;        /* of those in this round; not in lists */
    msec_t due_ms;         /* steady; when waiting or held */
    struct slice held_reason;   /* when held */
    struct attempt_record last; /* when attempts > 0, without its response */
};

/* What an attempt has led to, as it was when that was written down. */
struct outcome_record {
    uint64_t event;
    uint64_t webhook;
    enum event_type type;
    struct slice subscription;
    struct attempt_record attempt; /* without its response */
    enum call_state state;         /* of the call after it */
    msec_t due_ms; /* steady: of the next attempt; MSEC_NEVER = none is to come */
};

/* A place in what has happened in a channel, which is in the order of its commits:
 * behind all that has a smaller key, and so many entries of what has this one. */
struct feed_at {
    uint64_t key;
    uint32_t index;
};

#define FEED_AT_END ((struct feed_at){UINT64_MAX, 0})

/* How far back it is told; and kept, so that whoever reads at that border does not lose
 * it all the time. */
#define FEED_TOLD_MS ((msec_t)7 * 24 * 3600 * 1000)
#define FEED_KEPT_MS (FEED_TOLD_MS + (msec_t)2 * 3600 * 1000)

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
