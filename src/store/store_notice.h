/* Operations on notices (core/notice.h); see store.h for how operations go. A notice is
 * taken also when the disk is nearly full: it may be what tells of that. */
#pragma once

#include "core/notice.h"
#include "store/store.h"

/* Of the newest so many are kept, and none for longer. */
#define STORE_NOTICES_MAX 10000
#define STORE_NOTICE_MS   ((msec_t)30 * 24 * 3600 * 1000)

/* Adds one; its number is greater than those that there are. */
struct store_put_notice {
    struct store_op op;
    const struct notice_row *row; /* caller's until done */
};

/* Newest first; or, with `waiting`, those to be sent, by due time. */
struct store_notices {
    struct store_op op;
    uint64_t channel; /* 0 = all */
    uint64_t before;  /* numbers <; UINT64_MAX = from the newest */
    bool waiting;
    size_t limit;
    void (*each)(struct store_notices *list, const struct notice_row *row);
    uint64_t next; /* out: pass as `before`; 0 = that was all */
};

/* What became of sending one. One that has gone meanwhile is fine. */
struct store_settle_notice {
    struct store_op op;
    uint64_t number;
    bool waits;
    uint32_t tries;
    msec_t due_ms;
};

/* Webhooks, not deleted, of which at least so many calls wait or are held; cheap. */
struct store_backlogs {
    struct store_op op;
    uint64_t least; /* at least 1 */
    void (*each)(struct store_backlogs *list, uint64_t webhook, uint64_t waiting);
};
