/*
 * The list of calls, newest first. Most calls have succeeded, so a list without these
 * takes the others where they are: what waits from the index of what is due (in another
 * order, hence collected and sorted; at most STORE_SCAN_MAX), what failed or was
 * cancelled from its own index, merged. A list with succeeded ones, or of too much that
 * waits, walks the channel's events and looks at their calls.
 */
#include "store/sqlite_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

struct walk {
    struct sqlite_store *s;
    struct store_calls *list;
    size_t n;
    size_t examined;
    struct call_at last; /* examined; the next page begins behind it */
    bool full;           /* there is more than this page holds */
    /* Of the event that was looked at last; 0 = of none. */
    uint64_t about_event;
    bool is_about;
    char about[ID_MAX + 1];
};

static bool
before(struct call_at a, struct call_at b)
{
    return a.event < b.event || (a.event == b.event && a.webhook < b.webhook);
}

static uint32_t
bit(enum call_state state)
{
    return 1u << state;
}

static uint32_t
shown_bit(const struct walk *walk, const struct sqlite_webhook *webhook,
          enum call_state stored)
{
    return bit(sqlite_shown(walk->s, webhook, stored));
}

/* Counts one row; false when the page ends before it. */
static bool
examine(struct walk *walk, struct call_at at)
{
    if (walk->n == walk->list->limit || walk->examined == STORE_SCAN_MAX) {
        walk->full = true;
        return false;
    }
    walk->examined++;
    walk->last = at;
    return true;
}

static bool
event_matches(const struct store_calls *list, enum event_type type,
              struct slice subscription)
{
    return list->types & 1u << type &&
           (list->subscription.n == 0 || slice_eq(list->subscription, subscription));
}

/* Which notification an event is about; it is read when it is needed first. */
static int
find_about(struct walk *walk, uint64_t event)
{
    if (walk->about_event == event)
        return 0;
    int rc = sqlite_notification_of(walk->s, event, walk->about);
    if (rc < 0)
        return rc;
    walk->about_event = event;
    walk->is_about = rc == 1;
    return 0;
}

/* 1 = its event is about what is asked for. */
static int
about_matches(struct walk *walk, uint64_t event)
{
    struct slice wanted = walk->list->notification;
    int rc = wanted.n ? find_about(walk, event) : 0;
    if (rc < 0)
        return rc;
    return wanted.n == 0 || (walk->is_about && slice_is(wanted, walk->about));
}

static bool
error_matches(const struct store_calls *list, const struct call_record *call)
{
    return list->error.n == 0 ||
           (call->attempts && store_text_has(call->last.reason, list->error));
}

/* Hands the call over if it matches. Its event is known to. */
static int
emit(struct walk *walk, struct call_record *call, enum call_state stored)
{
    const struct sqlite_webhook *webhook =
        map_get(&walk->s->webhooks, call->webhook, 0);
    if (!webhook || stored >= CALL_STORED_STATES)
        return sqlite_damaged(walk->s, "a call is of no webhook, or in no known state");
    if (!(walk->list->states & shown_bit(walk, webhook, stored)))
        return 0;
    int rc = sqlite_call_fill(walk->s, call, stored);
    if (rc == 0 && error_matches(walk->list, call)) {
        rc = find_about(walk, call->event);
        if (rc == 0 && walk->is_about)
            call->notification = slice_of(walk->about);
        if (rc == 0) {
            walk->list->each(walk->list, call);
            walk->n++;
        }
    }
    sqlite_reset(walk->s, STMT_ATTEMPT_GET);
    return rc;
}

/* ---- by event ---- */

static int
walk_event(struct walk *walk, uint64_t event, enum event_type type,
           struct slice subscription)
{
    struct sqlite_store *s = walk->s;
    const struct store_calls *list = walk->list;
    const enum sqlite_stmt get = STMT_EVENT_CALLS_DOWN;
    uint64_t below = event == list->before.event ? list->before.webhook : UINT64_MAX;
    if (list->webhook && below > list->webhook)
        below = list->webhook + 1;
    int rc;

    sqlite_key(s, get, 1, event);
    sqlite_key(s, get, 2, below);
    sqlite_key(s, get, 3, list->webhook);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct call_record call = {
            .event = event,
            .webhook = sqlite_col_key(s, get, 0),
            .type = type,
            .subscription = subscription,
            .due_ms = sqlite_col(s, get, 2),
            .attempts = (uint32_t)sqlite_col(s, get, 3),
        };
        rc = 0;
        if (examine(walk, (struct call_at){event, call.webhook}))
            rc = emit(walk, &call, (enum call_state)sqlite_col(s, get, 1));
        if (rc < 0 || walk->full) {
            sqlite_reset(s, get);
            return rc;
        }
    }
    return rc;
}

static int
walk_events(struct walk *walk)
{
    struct sqlite_store *s = walk->s;
    const struct store_calls *list = walk->list;
    const enum sqlite_stmt get = STMT_EVENT_HEADS;
    int rc;

    sqlite_key(s, get, 1, list->channel);
    sqlite_key(s, get, 2, list->before.event);
    sqlite_key(s, get, 3, list->since_key);
    while ((rc = sqlite_next(s, get)) == 1) {
        uint64_t event = sqlite_col_key(s, get, 0);
        enum event_type type = (enum event_type)sqlite_col(s, get, 1);
        struct slice subscription = sqlite_col_bytes(s, get, 2);
        struct call_at at = {event, UINT64_MAX}; /* a row as well, before its calls */
        if (type >= EVENT_TYPES) {
            rc = sqlite_damaged(s, "an event is of no known type");
            break;
        }
        rc = 0;
        if (examine(walk, before(at, list->before) ? at : list->before) &&
            event_matches(list, type, subscription))
            rc = about_matches(walk, event);
        if (rc == 1)
            rc = walk_event(walk, event, type, subscription);
        if (rc < 0 || walk->full) {
            sqlite_reset(s, get);
            break;
        }
    }
    return rc;
}

/* ---- by index ---- */

/* What waits, in the order of the list. */
struct waiting {
    struct call_at *at;
    size_t n;
    size_t next;
};

static bool
wanted(const struct walk *walk, const struct sqlite_webhook *webhook)
{
    const struct store_calls *list = walk->list;
    return (!list->webhook || list->webhook == webhook->number) &&
           webhook->calls[CALL_WAITING] &&
           (list->states & shown_bit(walk, webhook, CALL_WAITING));
}

static int
newest_first(const void *a, const void *b)
{
    const struct call_at *x = a, *y = b;
    return before(*x, *y) ? 1 : before(*y, *x) ? -1 : 0;
}

static int
collect(struct walk *walk, struct waiting *waiting, size_t max)
{
    struct sqlite_store *s = walk->s;
    const struct sqlite_channel *channel = sqlite_live_channel(s, walk->list->channel);
    const enum sqlite_stmt get = STMT_WAITING_OF;

    waiting->at = xmalloc((max + 1) * sizeof(waiting->at[0]));
    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next) {
        int rc = 0;
        if (!wanted(walk, w))
            continue;
        sqlite_key(s, get, 1, w->number);
        while ((rc = sqlite_next(s, get)) == 1) {
            struct call_at at = {sqlite_col_key(s, get, 0), w->number};
            if (waiting->n >= max)
                return sqlite_damaged(s, "more calls wait than are counted");
            if (before(at, walk->list->before) && at.event >= walk->list->since_key)
                waiting->at[waiting->n++] = at;
        }
        if (rc < 0)
            return rc;
    }
    qsort(waiting->at, waiting->n, sizeof(waiting->at[0]), newest_first);
    return 0;
}

/* The call's own row is read when it is waiting; of an ended one all is known. */
static int
emit_found(struct walk *walk, struct call_at at, bool ended, enum call_state stored,
           uint32_t attempts)
{
    struct sqlite_store *s = walk->s;
    struct call_record call = {
        .event = at.event, .webhook = at.webhook, .attempts = attempts};

    sqlite_key(s, STMT_EVENT_HEAD, 1, at.event);
    int rc = sqlite_next(s, STMT_EVENT_HEAD);
    if (rc < 0)
        return rc;
    if (rc == 0 || sqlite_col_key(s, STMT_EVENT_HEAD, 0) >= EVENT_TYPES)
        return sqlite_damaged(s, "a call is of no event, or of one of no known type");
    call.type = (enum event_type)sqlite_col(s, STMT_EVENT_HEAD, 0);
    call.subscription = sqlite_col_bytes(s, STMT_EVENT_HEAD, 1);
    rc = 0;
    if (event_matches(walk->list, call.type, call.subscription))
        rc = about_matches(walk, at.event);
    if (rc == 1) {
        rc = 0;
        if (!ended) {
            sqlite_key(s, STMT_CALL_GET, 1, at.event);
            sqlite_key(s, STMT_CALL_GET, 2, at.webhook);
            rc = sqlite_next(s, STMT_CALL_GET);
            if (rc == 0)
                rc = sqlite_damaged(s, "a call that waits is not there");
        }
        if (rc == 1) {
            stored = (enum call_state)sqlite_col(s, STMT_CALL_GET, 0);
            call.due_ms = sqlite_col(s, STMT_CALL_GET, 1);
            call.attempts = (uint32_t)sqlite_col(s, STMT_CALL_GET, 3);
            sqlite_reset(s, STMT_CALL_GET);
        }
        if (rc >= 0)
            rc = emit(walk, &call, stored);
    }
    sqlite_reset(s, STMT_EVENT_HEAD);
    return rc;
}

/* Hands over what waits down to `floor`, which stays. */
static int
drain_waiting(struct walk *walk, struct waiting *waiting, struct call_at floor)
{
    while (waiting->next < waiting->n && before(floor, waiting->at[waiting->next])) {
        struct call_at at = waiting->at[waiting->next++];
        if (!examine(walk, at))
            return 0;
        int rc = emit_found(walk, at, false, CALL_WAITING, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
walk_ended(struct walk *walk, struct waiting *waiting)
{
    struct sqlite_store *s = walk->s;
    const struct store_calls *list = walk->list;
    const enum sqlite_stmt get = STMT_ENDED;
    int rc;

    sqlite_key(s, get, 1, list->channel);
    sqlite_key(s, get, 2, list->before.event);
    sqlite_key(s, get, 3, list->before.webhook);
    sqlite_key(s, get, 4, list->since_key);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct call_at at = {sqlite_col_key(s, get, 0), sqlite_col_key(s, get, 1)};
        rc = drain_waiting(walk, waiting, at);
        if (rc == 0 && !walk->full && examine(walk, at) &&
            (!list->webhook || list->webhook == at.webhook))
            rc = emit_found(walk, at, true, (enum call_state)sqlite_col(s, get, 2),
                            (uint32_t)sqlite_col(s, get, 3));
        if (rc < 0 || walk->full) {
            sqlite_reset(s, get);
            break;
        }
    }
    return rc;
}

static int
walk_indexes(struct walk *walk, size_t n_waiting)
{
    struct waiting waiting = {0};
    int rc = 0;
    if (n_waiting)
        rc = collect(walk, &waiting, n_waiting);
    if (rc == 0 && walk->list->states & (bit(CALL_FAILED) | bit(CALL_CANCELLED)))
        rc = walk_ended(walk, &waiting);
    if (rc == 0 && !walk->full)
        rc = drain_waiting(walk, &waiting, (struct call_at){0, 0});
    free(waiting.at);
    return rc;
}

int
sqlite_calls(struct sqlite_store *s, struct store_op *op)
{
    struct store_calls *list = container_of(op, struct store_calls, op);
    const struct sqlite_channel *channel = sqlite_live_channel(s, list->channel);
    struct walk walk = {.s = s, .list = list, .last = list->before};
    uint64_t waiting = 0;

    op->result = 0;
    list->next = (struct call_at){0, 0};
    if (!channel)
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next)
        if (wanted(&walk, w))
            waiting += (uint64_t)w->calls[CALL_WAITING];

    int rc;
    if (list->states & bit(CALL_SUCCEEDED) || waiting > STORE_SCAN_MAX)
        rc = walk_events(&walk);
    else
        rc = walk_indexes(&walk, waiting);
    if (rc == 0 && walk.full)
        list->next = walk.last;
    return rc;
}
