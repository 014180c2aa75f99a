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
