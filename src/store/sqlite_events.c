/*
 * The list of events, newest first: it walks the channel's events, and where the index
 * by which events are found knows what is asked for, goes from one hit to the next.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite_private.h"

#define HITS_AT_ONCE 64

struct walk {
    struct sqlite_store *s;
    struct store_events *list;
    size_t n;
    size_t examined;
    size_t budget; /* rows that this step may look at */
    uint64_t last; /* examined; what follows begins behind it */
    bool full;     /* there is more than this page holds */
    bool paused;   /* more than this step may look at */
};

/* Counts one row; false when the page, or the step, ends before it. */
static bool
examine(struct walk *walk, uint64_t key)
{
    if (walk->n == walk->list->limit || walk->examined == STORE_SCAN_MAX)
        walk->full = true;
    else if (walk->budget == 0)
        walk->paused = true;
    if (walk->full || walk->paused)
        return false;
    walk->budget--;
    walk->examined++;
    walk->last = key;
    return true;
}

static bool
listed(const struct store_events *list, const struct event_record *event)
{
    char about[ID_MAX + 1];
    if (!(list->types & 1u << event->type) ||
        (list->subscription.n && !slice_eq(event->subscription, list->subscription)))
        return false;
    return list->notification.n == 0 || (event_notification(event->body, about) &&
                                         slice_is(list->notification, about));
}

/* The row that a statement is at: type, subscription and body from `col` on. */
static int
emit(struct walk *walk, enum sqlite_stmt get, int col, uint64_t key)
{
    struct sqlite_store *s = walk->s;
    struct event_record event = {
        .key = key,
        .type = (enum event_type)sqlite_col(s, get, col),
        .created_ms = event_key_ms(key),
        .subscription = sqlite_col_bytes(s, get, col + 1),
        .body = sqlite_col_bytes(s, get, col + 2),
    };
    if (event.type >= EVENT_TYPES)
        return sqlite_damaged(s, "an event is of no known type");
    if (listed(walk->list, &event)) {
        walk->list->each(walk->list, &event);
        walk->n++;
    }
    return 0;
}

/* Down to `floor`. */
static int
walk_all(struct walk *walk, uint64_t floor)
{
    const enum sqlite_stmt get = STMT_EVENT_LIST;
    struct sqlite_store *s = walk->s;
    int rc;

    sqlite_key(s, get, 1, walk->list->channel);
    sqlite_key(s, get, 2, walk->last);
    sqlite_key(s, get, 3, floor);
    while ((rc = sqlite_next(s, get)) == 1) {
        uint64_t key = sqlite_col_key(s, get, 0);
        rc = examine(walk, key) ? emit(walk, get, 1, key) : 0;
        if (rc < 0 || walk->full || walk->paused) {
            sqlite_reset(s, get);
            return rc;
        }
    }
    return rc;
}

static int
look_at(struct walk *walk, uint64_t key)
{
    const enum sqlite_stmt get = STMT_EVENT_GET;
    struct sqlite_store *s = walk->s;

    if (!examine(walk, key))
        return 0;
    sqlite_key(s, get, 1, key);
    sqlite_key(s, get, 2, walk->list->channel);
    int rc = sqlite_next(s, get);
    if (rc == 1) {
        rc = emit(walk, get, 0, key);
        sqlite_reset(s, get);
    }
    return rc;
}

static int
walk_hits(struct walk *walk, uint32_t token)
{
    uint64_t hits[HITS_AT_ONCE];
    size_t n = HITS_AT_ONCE;
    int rc = 0;

    while (rc == 0 && n == HITS_AT_ONCE) {
        rc = sqlite_found_search(walk->s, token, walk->last, hits, HITS_AT_ONCE, &n);
        for (size_t i = 0; i < n && rc == 0; i++) {
            if (hits[i] < walk->list->since_key)
                return 0;
            rc = look_at(walk, hits[i]);
            if (walk->full || walk->paused)
                return rc;
        }
    }
    return rc;
}

static int
walk_on(struct walk *walk)
{
    const struct store_events *list = walk->list;
    uint64_t upto = walk->s->found.upto;
    uint32_t token;

    if (!sqlite_found_by(walk->s, list->channel, list->subscription, list->notification,
                         &token))
        return walk_all(walk, list->since_key);
    int rc = 0;
    if (walk->last > upto + 1)
        rc = walk_all(walk, list->since_key > upto ? list->since_key : upto + 1);
    if (rc < 0 || walk->full || walk->paused)
        return rc;
    if (walk->last > upto + 1)
        walk->last = upto + 1;
    return walk_hits(walk, token);
}

bool
sqlite_events_is_scan(struct store_op *op)
{
    const struct store_events *list = container_of(op, struct store_events, op);
    return list->types != EVENT_ALL_TYPES || list->subscription.n ||
           list->notification.n;
}

static struct walk *
walk_of(struct sqlite_store *s, struct store_events *list)
{
    struct walk *walk = list->private;
    if (!walk) {
        walk = list->private = xcalloc(1, sizeof(*walk));
        walk->s = s;
        walk->list = list;
        walk->last = list->before_key;
    }
    walk->budget = SQLITE_LIST_STEP;
    walk->paused = false;
    return walk;
}

void
sqlite_events_forget(struct store_op *op)
{
    struct store_events *list = container_of(op, struct store_events, op);
    free(list->private);
    list->private = NULL;
}

int
sqlite_events(struct sqlite_store *s, struct store_op *op)
{
    struct store_events *list = container_of(op, struct store_events, op);
    struct walk *walk = walk_of(s, list);
    int rc;

    op->result = 0;
    list->next_key = 0;
    if (sqlite_live_channel(s, list->channel))
        rc = walk_on(walk);
    else
        rc = sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    if (rc == 0 && walk->paused)
        return 1;
    if (rc == 0 && walk->full)
        list->next_key = walk->last;
    sqlite_events_forget(op);
    return rc;
}
