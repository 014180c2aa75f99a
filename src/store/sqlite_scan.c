/*
 * Whoever reads much: lists that may look at many rows, figures, backups. They wait in
 * a line of their own and have a share of the store's time, a step at a time, so that
 * nobody who changes something waits for them.
 */
#include "store/sqlite_private.h"
#include "store/store_figures.h"

/* After a list has had the store's time for so long, others have it for this many times
 * as long. */
#define SCAN_REST 4
/* But no longer than this: the machine may have slept in the middle of it. */
#define SCAN_REST_MAX_US (1000 * 1000)

/* Whoever reads much waits in a line of their own. */
bool
sqlite_is_scan(const struct sqlite_store *s, struct store_op *op)
{
    if (op->kind == STORE_BACKUP || op->kind == STORE_FEED)
        return true;
    if (op->kind == STORE_STATS || op->kind == STORE_WEBHOOK_STATS)
        return sqlite_stats_are_long(s, op);
    if (op->kind == STORE_EVENTS)
        return sqlite_events_is_scan(op);
    if (op->kind == STORE_CALLS)
        return sqlite_calls_is_scan(op);
    return op->kind == STORE_SUBSCRIPTIONS &&
           container_of(op, struct store_subscriptions, op)->id.n == 0;
}

static void
add_scan_first(struct sqlite_store *s, struct store_op *op)
{
    op->next = s->scans;
    if (!s->scans)
        s->last_scan = &op->next;
    s->scans = op;
}

void
sqlite_add_scan(struct sqlite_store *s, struct store_op *op)
{
    op->next = NULL;
    if (!s->scans)
        s->last_scan = &s->scans;
    *s->last_scan = op;
    s->last_scan = &op->next;
}

/* How long lists have to rest; 0 = not. When the store closes they wait for nobody. */
usec_t
sqlite_scan_rest(const struct sqlite_store *s)
{
    usec_t left = s->scan_at_us - clock_mono_us(s->clock);
    return s->worked && !s->closing && left > 0 ? left : 0;
}

/* What is newer than the index by which events are found is taken in first, up to so
 * many events; then it is walked. */
#define CATCH_UP_STEP 250

static bool
catches_up(struct sqlite_store *s)
{
    if (!sqlite_found_behind(s) || s->found.caught_up >= STORE_SCAN_MAX ||
        s->space.room == DISK_FULL)
        return false;
    s->found.caught_up += CATCH_UP_STEP;
    return sqlite_found_step(s, CATCH_UP_STEP) == 0;
}

static bool
is_list(const struct store_op *op)
{
    return op->kind == STORE_EVENTS || op->kind == STORE_CALLS;
}

/* By what that index knows. */
static bool
is_found(struct store_op *op)
{
    const struct store_events *events = container_of(op, struct store_events, op);
    const struct store_calls *calls = container_of(op, struct store_calls, op);
    return op->kind == STORE_EVENTS ? events->subscription.n || events->notification.n
                                    : calls->subscription.n || calls->notification.n;
}

static void
forget_list(struct store_op *op)
{
    if (op->kind == STORE_EVENTS)
        sqlite_events_forget(op);
    else
        sqlite_calls_forget(op);
}

/* True: there is more to do. Else the operation is over. */
static bool
list_step(struct sqlite_store *s, struct store_op *op)
{
    if (!s->broken && is_found(op) && catches_up(s))
        return true;
    if (!s->broken) {
        int rc = op->kind == STORE_EVENTS ? sqlite_events(s, op) : sqlite_calls(s, op);
        if (rc == 1)
            return true;
        if (rc < 0)
            sqlite_break_down(s);
    }
    s->found.caught_up = 0;
    if (s->broken) {
        forget_list(op);
        sqlite_fail_op(op, E_IO);
    }
    sqlite_tell_done(s, op);
    return false;
}

/* The next list, when its time has come. */
void
sqlite_scan_step(struct sqlite_store *s)
{
    if (!s->scans || sqlite_scan_rest(s) > 0)
        return;
    struct store_op *op = s->scans;
    s->scans = op->next;
    usec_t begin_us = clock_mono_us(s->clock);
    s->scan_silent = true;
    if (is_list(op)) {
        if (list_step(s, op))
            add_scan_first(s, op); /* it is not long, and holds memory meanwhile */
    } else if ((op->kind == STORE_BACKUP && sqlite_backup_step(s, op)) ||
               (op->kind == STORE_STATS && sqlite_stats_step(s, op))) {
        sqlite_add_scan(s, op); /* behind the others: there is more of it */
    } else {
        sqlite_complete(s, op);
    }
    /* Whoever was told may have done much since, and turned the clock by hand. */
    usec_t end_us = s->scan_silent ? clock_mono_us(s->clock) : s->scan_end_us;
    s->scan_silent = false;
    usec_t rest_us = (end_us - begin_us) * SCAN_REST;
    s->scan_at_us = end_us + (rest_us < SCAN_REST_MAX_US ? rest_us : SCAN_REST_MAX_US);
    s->worked = false;
}
