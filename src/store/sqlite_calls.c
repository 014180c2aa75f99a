/*
 * The list of calls, newest first. Most calls have succeeded, so a list without these
 * takes the others where they are: what waits from the index of what is due (in another
 * order, hence collected and sorted; at most STORE_SCAN_MAX), what failed or was
 * cancelled from its own index, merged. A list with succeeded ones, or of too much that
 * waits, walks the channel's events and looks at their calls; where the index by which
 * events are found knows what is asked for, it goes from one hit to the next.
 *
 * What looks at many rows does so in steps. Between two of them calls move, and events
 * may go: a list shows each call where it is when it is looked at.
 */
#include "store/sqlite_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

#define HITS_AT_ONCE 64

/* What waits, in the order of the list. */
struct waiting {
    bool collected;
    struct call_at *at;
    size_t n;
    size_t next;
};

struct walk {
    struct sqlite_store *s;
    struct store_calls *list;
    size_t n;
    size_t examined;
    size_t budget;       /* rows that this step may look at */
    struct call_at from; /* this step begins behind it */
    struct call_at last; /* examined; what follows begins behind it */
    bool full;           /* there is more than this page holds */
    bool paused;         /* more than this step may look at */
    bool stepped;        /* this is not the first step */
    bool by_events;      /* and not by the indexes of what waits and has ended */
    size_t n_waiting;
    struct waiting waiting;
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

static bool
is_over(const struct walk *walk)
{
    return walk->full || walk->paused;
}

/* Counts one row; false when the page, or the step, ends before it. */
static bool
examine(struct walk *walk, struct call_at at)
{
    if (walk->n == walk->list->limit || walk->examined == STORE_SCAN_MAX)
        walk->full = true;
    else if (walk->budget == 0)
        walk->paused = true;
    if (is_over(walk))
        return false;
    walk->budget--;
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
    uint64_t below = event == walk->from.event ? walk->from.webhook : UINT64_MAX;
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
        if (rc < 0 || is_over(walk)) {
            sqlite_reset(s, get);
            return rc;
        }
    }
    return rc;
}

/* The event itself is a row as well, before its calls. */
static int
look_at_event(struct walk *walk, uint64_t event, enum event_type type,
              struct slice subscription)
{
    struct call_at at = {event, UINT64_MAX};
    int rc = 0;

    if (type >= EVENT_TYPES)
        return sqlite_damaged(walk->s, "an event is of no known type");
    if (examine(walk, before(at, walk->from) ? at : walk->from) &&
        event_matches(walk->list, type, subscription))
        rc = about_matches(walk, event);
    return rc == 1 ? walk_event(walk, event, type, subscription) : rc;
}

/* Down to `floor`. */
static int
walk_events(struct walk *walk, uint64_t floor)
{
    struct sqlite_store *s = walk->s;
    const enum sqlite_stmt get = STMT_EVENT_HEADS;
    int rc;

    sqlite_key(s, get, 1, walk->list->channel);
    sqlite_key(s, get, 2, walk->from.event);
    sqlite_key(s, get, 3, floor);
    while ((rc = sqlite_next(s, get)) == 1) {
        rc = look_at_event(walk, sqlite_col_key(s, get, 0),
                           (enum event_type)sqlite_col(s, get, 1),
                           sqlite_col_bytes(s, get, 2));
        if (rc < 0 || is_over(walk)) {
            sqlite_reset(s, get);
            break;
        }
    }
    return rc;
}

/* ---- by what its event is found by ---- */

static int
look_at_hit(struct walk *walk, uint64_t event)
{
    const enum sqlite_stmt get = STMT_EVENT_GET;
    struct sqlite_store *s = walk->s;

    sqlite_key(s, get, 1, event);
    sqlite_key(s, get, 2, walk->list->channel);
    int rc = sqlite_next(s, get);
    if (rc == 1) {
        walk->about_event = event;
        walk->is_about = event_notification(sqlite_col_bytes(s, get, 2), walk->about);
        rc = look_at_event(walk, event, (enum event_type)sqlite_col(s, get, 0),
                           sqlite_col_bytes(s, get, 1));
        sqlite_reset(s, get);
    } else if (rc == 0) { /* a hint that was wrong: a row as well */
        (void)examine(walk, (struct call_at){event, 0});
    }
    return rc;
}

/* Keys up to `from`, whose event may not be through. */
static int
walk_hits(struct walk *walk, uint32_t token, uint64_t from)
{
    uint64_t hits[HITS_AT_ONCE];
    size_t n = HITS_AT_ONCE;
    uint64_t below = from < UINT64_MAX ? from + 1 : from;
    int rc = 0;

    while (rc == 0 && n == HITS_AT_ONCE) {
        rc = sqlite_found_search(walk->s, token, below, hits, HITS_AT_ONCE, &n);
        for (size_t i = 0; i < n && rc == 0; i++) {
            if (hits[i] < walk->list->since_key)
                return 0;
            rc = look_at_hit(walk, hits[i]);
            if (is_over(walk))
                return rc;
            below = hits[i];
        }
    }
    return rc;
}

/* What is newer than what the index knows is walked first. */
static int
walk_found(struct walk *walk, uint32_t token)
{
    uint64_t upto = walk->s->found.upto, since = walk->list->since_key;
    int rc = 0;

    if (walk->from.event > upto)
        rc = walk_events(walk, since > upto ? since : upto + 1);
    if (rc < 0 || is_over(walk))
        return rc;
    return walk_hits(walk, token, walk->from.event < upto ? walk->from.event : upto);
}

/* ---- by index ---- */

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
collect(struct walk *walk, size_t max)
{
    struct waiting *waiting = &walk->waiting;
    struct sqlite_store *s = walk->s;
    const struct sqlite_channel *channel = sqlite_live_channel(s, walk->list->channel);
    const enum sqlite_stmt get = STMT_WAITING_OF;

    waiting->collected = true;
    waiting->at = xmalloc((max + 1) * sizeof(waiting->at[0]));
    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next) {
        int rc = 0;
        if (!wanted(walk, w))
            continue;
        sqlite_key(s, get, 1, w->number);
        while ((rc = sqlite_next(s, get)) == 1) {
            struct call_at at = {sqlite_col_key(s, get, 0), w->number};
            if (waiting->n >= max) {
                sqlite_reset(s, get);
                return sqlite_damaged(s, "more calls wait than are counted");
            }
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
    bool there = true;

    sqlite_key(s, STMT_EVENT_HEAD, 1, at.event);
    int rc = sqlite_next(s, STMT_EVENT_HEAD);
    if (rc < 0 || (rc == 0 && !ended && walk->stepped))
        return rc; /* it has gone since what waits was collected */
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
            if (rc == 0 && !walk->stepped)
                rc = sqlite_damaged(s, "a call that waits is not there");
            there = rc == 1;
        }
        if (rc == 1) {
            stored = (enum call_state)sqlite_col(s, STMT_CALL_GET, 0);
            call.due_ms = sqlite_col(s, STMT_CALL_GET, 1);
            call.attempts = (uint32_t)sqlite_col(s, STMT_CALL_GET, 3);
            sqlite_reset(s, STMT_CALL_GET);
        }
        if (rc >= 0 && there)
            rc = emit(walk, &call, stored);
    }
    sqlite_reset(s, STMT_EVENT_HEAD);
    return rc;
}

/* Hands over what waits down to `floor`, which stays. */
static int
drain_waiting(struct walk *walk, struct call_at floor)
{
    struct waiting *waiting = &walk->waiting;
    while (waiting->next < waiting->n && before(floor, waiting->at[waiting->next])) {
        struct call_at at = waiting->at[waiting->next];
        if (!examine(walk, at))
            return 0;
        waiting->next++;
        int rc = emit_found(walk, at, false, CALL_WAITING, 0);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int
walk_ended(struct walk *walk)
{
    struct sqlite_store *s = walk->s;
    const struct store_calls *list = walk->list;
    const enum sqlite_stmt get = STMT_ENDED;
    int rc;

    sqlite_key(s, get, 1, list->channel);
    sqlite_key(s, get, 2, walk->from.event);
    sqlite_key(s, get, 3, walk->from.webhook);
    sqlite_key(s, get, 4, list->since_key);
    while ((rc = sqlite_next(s, get)) == 1) {
        struct call_at at = {sqlite_col_key(s, get, 0), sqlite_col_key(s, get, 1)};
        rc = drain_waiting(walk, at);
        if (rc == 0 && !is_over(walk) && examine(walk, at) &&
            (!list->webhook || list->webhook == at.webhook))
            rc = emit_found(walk, at, true, (enum call_state)sqlite_col(s, get, 2),
                            (uint32_t)sqlite_col(s, get, 3));
        if (rc < 0 || is_over(walk)) {
            sqlite_reset(s, get);
            break;
        }
    }
    return rc;
}

static int
walk_indexes(struct walk *walk, size_t n_waiting)
{
    int rc = 0;
    if (n_waiting && !walk->waiting.collected)
        rc = collect(walk, n_waiting);
    if (rc == 0 && walk->list->states & (bit(CALL_FAILED) | bit(CALL_CANCELLED)))
        rc = walk_ended(walk);
    if (rc == 0 && !is_over(walk))
        rc = drain_waiting(walk, (struct call_at){0, 0});
    return rc;
}

/* ---- steps ---- */

/* All that is not the newest of everything. */
bool
sqlite_calls_is_scan(struct store_op *op)
{
    const struct store_calls *list = container_of(op, struct store_calls, op);
    return list->types != EVENT_ALL_TYPES || list->webhook || list->subscription.n ||
           list->notification.n || list->error.n ||
           (list->states & SQLITE_SHOWN) != SQLITE_SHOWN;
}

void
sqlite_calls_forget(struct store_op *op)
{
    struct store_calls *list = container_of(op, struct store_calls, op);
    struct walk *walk = list->private;
    if (walk)
        free(walk->waiting.at);
    free(walk);
    list->private = NULL;
}

static struct walk *
walk_of(struct sqlite_store *s, struct store_calls *list)
{
    struct walk *walk = list->private;
    if (walk) {
        walk->stepped = true;
    } else {
        walk = list->private = xcalloc(1, sizeof(*walk));
        walk->s = s;
        walk->list = list;
        walk->last = list->before;
    }
    walk->from = walk->last;
    walk->budget = SQLITE_LIST_STEP;
    walk->paused = false;
    return walk;
}

/* Which way is decided once: what waits may be too much only later. */
static void
choose_way(struct walk *walk, const struct sqlite_channel *channel)
{
    uint64_t waiting = 0;
    if (walk->stepped)
        return;
    for (const struct sqlite_webhook *w = channel->webhooks; w; w = w->next)
        if (wanted(walk, w))
            waiting += (uint64_t)w->calls[CALL_WAITING];
    walk->by_events =
        walk->list->states & bit(CALL_SUCCEEDED) || waiting > STORE_SCAN_MAX;
    walk->n_waiting = waiting;
}

static int
walk_on(struct walk *walk)
{
    const struct store_calls *list = walk->list;
    uint32_t token;
    if (sqlite_found_by(walk->s, list->channel, list->subscription, list->notification,
                        &token))
        return walk_found(walk, token);
    return walk->by_events ? walk_events(walk, list->since_key)
                           : walk_indexes(walk, walk->n_waiting);
}

int
sqlite_calls(struct sqlite_store *s, struct store_op *op)
{
    struct store_calls *list = container_of(op, struct store_calls, op);
    const struct sqlite_channel *channel = sqlite_live_channel(s, list->channel);
    struct walk *walk = walk_of(s, list);
    int rc = 0;

    op->result = 0;
    list->next = (struct call_at){0, 0};
    if (channel) {
        choose_way(walk, channel);
        rc = walk_on(walk);
    } else {
        sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    }
    if (rc == 0 && walk->paused)
        return 1;
    if (rc == 0 && walk->full)
        list->next = walk->last;
    sqlite_calls_forget(op);
    return rc;
}
