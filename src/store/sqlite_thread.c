#include "store/sqlite_job.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/metrics.h"
#include "base/pulse.h"

/* A group ends at the first of these. Rows bound how long the first of a group waits
 * for the last. */
#define GROUP_OPS   1000
#define GROUP_ROWS  8192
#define GROUP_BYTES ((size_t)4 << 20)

/* Nobody waits for results: they ride along with the next operation of another kind,
 * unless none comes in this time or they become many (SQLITE_LINGER_RESULTS). */
#define LINGER_NS (2 * 1000 * 1000)

/* The log is copied into the database when it has this many pages, after the group's
 * answers have left; sooner when nobody waits. */
#define CHECKPOINT_PAGES      4000
#define CHECKPOINT_IDLE_PAGES 1000

/* While nobody asks for anything, the time is noted this often. */
#define IDLE_S 60
/* While the disk is full, it is looked at this often. */
#define IDLE_FULL_S 1

/* Rows whose time is over, likewise; with a group, and a quarter of its own. */
#define RETAIN_IDLE 200
#define RETAIN_BUSY 16

/* After such a step of the feed the disk has time for others. */
#define FEED_REST_US 10000

/* Rows of deleted webhooks and channels that are dealt with at a time. */
#define SWEEP_IDLE 500
#define SWEEP_BUSY 50

/* Accounts of figures that are written out, likewise. */
#define FIGURES_IDLE 128
#define FIGURES_BUSY 16

/* ---- groups ---- */

int
sqlite_group_begin(struct sqlite_store *s)
{
    if (s->group.open)
        return 0;
    int rc = sqlite_run(s, STMT_BEGIN);
    if (rc < 0)
        return rc;
    s->group.open = true;
    s->group.config_changed = false;
    s->group.rows = 0;
    s->group.bytes = 0;
    s->group.unswept = s->unswept;
    s->group.unswept_channels = s->unswept_channels;
    s->group.config = s->config;
    s->group.last_key = s->last_key;
    s->group.steady_ms = s->steady_ms;
    s->group.idempotency_oldest_ms = s->idempotency_oldest_ms;
    s->group.retention = s->retention;
    s->group.figures = s->figures.at;
    return 0;
}

static void
group_forget_counts(struct sqlite_store *s, bool undo)
{
    for (struct sqlite_webhook *w = s->group.touched; w; w = w->next_touched) {
        for (int state = 0; undo && state < CALL_STORED_STATES; state++)
            w->calls[state] -= w->delta[state];
        if (undo)
            sqlite_figures_wait(s, w, -w->delta[CALL_WAITING]);
        memset(w->delta, 0, sizeof(w->delta));
        w->touched = false;
    }
    s->group.touched = NULL;
    for (struct sqlite_channel *c = s->group.touched_channels; c; c = c->next_touched) {
        for (int inactive = 0; undo && inactive < 2; inactive++)
            c->subscriptions[inactive] -= c->delta[inactive];
        memset(c->delta, 0, sizeof(c->delta));
        c->touched = false;
    }
    s->group.touched_channels = NULL;
}

static int
group_commit(struct sqlite_store *s)
{
    static unsigned asked;

    int rc = sqlite_group_finish(s);
    if (rc < 0 || (fault_on("acked-early") && ++asked % 8 != 0))
        return rc;
    usec_t begin = clock_mono_us(s->clock);
    rc = sqlite_run(s, STMT_COMMIT);
    if (rc < 0)
        return rc;
    metric_observe(METRIC_COMMIT_SECONDS, clock_mono_us(s->clock) - begin);
    metric_add(METRIC_COMMITS, 0, 1);
    sqlite_figures_committed(s);
    group_forget_counts(s, false);
    s->group.open = false;
    sqlite_feed_end(s, true);
    sqlite_retention_committed(s);
    sqlite_space_wrote(s);
    return 0;
}

/* Returns the reason again, or E_IO when not even this works. */
static int
group_roll_back(struct sqlite_store *s, int reason)
{
    if (!s->group.open)
        return reason;
    s->group.open = false;
    sqlite_figures_rolled_back(s);
    group_forget_counts(s, true);
    sqlite_feed_end(s, false);
    s->unswept = s->group.unswept;
    s->unswept_channels = s->group.unswept_channels;
    s->config = s->group.config;
    s->last_key = s->group.last_key;
    s->steady_ms = s->group.steady_ms;
    s->idempotency_oldest_ms = s->group.idempotency_oldest_ms;
    s->retention = s->group.retention;
    s->figures.at = s->group.figures;
    if (reason != E_FULL)
        return reason; /* what is broken is not touched again */

    /* SQLite may have rolled back by itself. */
    if (!sqlite3_get_autocommit(s->db)) {
        int rc = sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            sqlite_failed(s, rc);
            return E_IO;
        }
    }
    if (s->group.config_changed && sqlite_cache_load(s) < 0)
        return E_IO;
    return reason;
}

void
sqlite_break_down(struct sqlite_store *s)
{
    if (s->broken)
        return;
    s->broken = true;
    if (!s->broken_why[0])
        snprintf(s->broken_why, sizeof(s->broken_why), "database: cannot go on");
    sqlite_damage_note(s);
    if (s->listener.broken)
        s->listener.broken(s->listener.ctx, s->broken_why);
}

static void
group_failed(struct sqlite_store *s, int reason)
{
    if (reason == E_FULL)
        sqlite_space_full(s);
    else
        sqlite_break_down(s);
}

/* ---- operations ---- */

/* Writes run inside a group's transaction. Reads run between groups, when their turn
 * to be done comes: so none of them ever shows what is not committed. */
static const struct {
    bool write;
    int (*perform)(struct sqlite_store *s, struct store_op *op);
} kinds[STORE_KINDS] = {
    [STORE_APPEND] = {true, sqlite_append},
    [STORE_SETTLE] = {true, sqlite_settle},
    [STORE_DUE] = {false, sqlite_due},
    [STORE_RETRY] = {true, sqlite_retry},
    [STORE_PUT_CHANNEL] = {true, sqlite_put_channel},
    [STORE_PUT_WEBHOOK] = {true, sqlite_put_webhook},
    [STORE_PUT_KEY] = {true, sqlite_put_key},
    [STORE_DROP_KEY] = {true, sqlite_drop_key},
    [STORE_EVENTS] = {false, sqlite_events},
    [STORE_EVENT] = {false, sqlite_event},
    [STORE_CALLS] = {false, sqlite_calls},
    [STORE_CALL] = {false, sqlite_call},
    [STORE_COUNTS] = {false, sqlite_counts},
    [STORE_TOUCH] = {true, sqlite_touch},
    [STORE_SUBSCRIPTIONS] = {false, sqlite_subscriptions},
    [STORE_SUBSCRIPTION_COUNT] = {false, sqlite_subscription_count},
    [STORE_PUT_NOTIFICATION] = {true, sqlite_put_notification},
    [STORE_NOTIFICATIONS] = {false, sqlite_notifications},
    [STORE_FEED] = {false, sqlite_feed},
    [STORE_PUT_NOTICE] = {true, sqlite_put_notice},
    [STORE_NOTICES] = {false, sqlite_notices},
    [STORE_SETTLE_NOTICE] = {true, sqlite_settle_notice},
    [STORE_BACKLOGS] = {false, sqlite_backlogs},
    [STORE_BACKUP] = {false, sqlite_backup},
    [STORE_CANCEL] = {true, sqlite_cancel},
    [STORE_PUT_JOB] = {true, sqlite_put_job},
    [STORE_STEER_JOB] = {true, sqlite_steer_job},
    [STORE_JOBS] = {false, sqlite_jobs},
    [STORE_STEP_JOBS] = {true, sqlite_step_jobs},
    [STORE_STATS] = {false, sqlite_stats},
    [STORE_WEBHOOK_STATS] = {false, sqlite_webhook_stats},
};

void
sqlite_fail_op(struct store_op *op, int result)
{
    op->result = result;
    op->why =
        result == E_FULL ? "the disk is full or read-only" : "the store is broken";
}

/* A new webhook is this node's before anybody hears that it exists. */
static void
grant_lease(struct sqlite_store *s, struct store_op *op)
{
    const struct store_put_webhook *put =
        container_of(op, struct store_put_webhook, op);
    struct sqlite_webhook *w = map_get(&s->webhooks, put->webhook->number, 0);
    if (!w || w->leased || w->deleted)
        return;
    w->leased = true;
    if (s->listener.lease)
        s->listener.lease(s->listener.ctx, w->number, 1);
}

static void
leave_pending(struct sqlite_store *s, const struct store_op *op, size_t results)
{
    if (op->kind == STORE_SETTLE)
        s->pending_results -= results;
    else
        s->pending_others--;
}

void
sqlite_tell_done(struct sqlite_store *s, struct store_op *op)
{
    atomic_fetch_sub_explicit(&s->depth, 1, memory_order_relaxed);
    if (s->scan_silent) {
        s->scan_silent = false;
        s->scan_end_us = clock_mono_us(s->clock);
    }
    op->done(op);
}

void
sqlite_complete(struct sqlite_store *s, struct store_op *op)
{
    if (!kinds[op->kind].write) {
        while (!s->broken) {
            int rc = kinds[op->kind].perform(s, op);
            if (rc == 0)
                break;
            if (rc < 0) /* a read needs no space: whatever this is, it is worse */
                sqlite_break_down(s);
        }
        if (s->broken)
            sqlite_fail_op(op, E_IO);
    } else if (op->kind == STORE_PUT_WEBHOOK && op->result == 0) {
        grant_lease(s, op);
    }
    sqlite_tell_done(s, op);
}

static void
finish_op(struct sqlite_store *s, struct store_op *op)
{
    leave_pending(s, op, sqlite_results_of(op));
    sqlite_complete(s, op);
}

/* What is left of deleted things goes with every group, a little at a time. */
static int
sweep_and_commit(struct sqlite_store *s)
{
    int rc = 0;
    if (s->unswept)
        rc = sqlite_sweep(s, SWEEP_BUSY);
    if (rc == 0 && s->unswept_channels)
        rc = sqlite_sweep_channel(s, SWEEP_BUSY);
    if (rc == 0)
        rc = sqlite_retention_ride(s, RETAIN_BUSY + (int)s->group.rows / 4);
    if (rc == 0)
        rc = sqlite_feed_trim(s, RETAIN_BUSY);
    if (rc == 0)
        rc = sqlite_figures_ride(s, FIGURES_BUSY + (int)s->group.rows / 4);
    return rc == 0 ? group_commit(s) : rc;
}

/* Performs the writes among the first pending operations in one transaction; *end is
 * the first operation that is not of this group. */
static int
write_group(struct sqlite_store *s, struct store_op **end)
{
    struct store_op *op = s->pending;
    int rc = 0;
    size_t n = 0;
    for (; op && n < GROUP_OPS && rc == 0; op = op->next, n++) {
        if (s->group.open &&
            (s->group.rows >= GROUP_ROWS || s->group.bytes >= GROUP_BYTES))
            break;
        if (!kinds[op->kind].write)
            continue;
        if (s->broken)
            rc = E_IO;
        else if (op->kind == STORE_APPEND || !store_needs_room(op) ||
                 !sqlite_space_refuses(s, op))
            rc = kinds[op->kind].perform(s, op);
    }
    *end = op;
    if (rc == 0 && s->group.open)
        rc = sweep_and_commit(s);
    if (rc < 0)
        rc = group_roll_back(s, rc);
    return rc;
}

/* Due calls are read after everything else of the group is done: whoever learns of a
 * call by its append, or by reading what is due, hears of the append first. Ending the
 * group at such a read instead would cost an fsync for each of them. */
static void
perform_group(struct sqlite_store *s)
{
    struct store_op *end, *dues = NULL, **last_due = &dues;
    int rc = write_group(s, &end);
    if (rc < 0)
        group_failed(s, rc);

    while (s->pending != end) {
        struct store_op *op = s->pending;
        s->pending = op->next;
        if (sqlite_is_scan(s, op)) {
            leave_pending(s, op, 0);
            sqlite_add_scan(s, op);
            continue;
        }
        s->worked = true;
        if (op->kind == STORE_DUE) {
            op->next = NULL;
            *last_due = op;
            last_due = &op->next;
            continue;
        }
        if (rc < 0 && kinds[op->kind].write) {
            sqlite_put_undone(s, op);
            sqlite_fail_op(op, rc);
        }
        finish_op(s, op);
    }
    while (dues) {
        struct store_op *op = dues;
        dues = op->next;
        finish_op(s, op);
    }
}

/* ---- between groups ---- */

static void
checkpoint(struct sqlite_store *s, int pages)
{
    if (s->broken || s->wal_pages < pages)
        return;
    int rc =
        sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->wal_pages = 0; /* of what is not copied yet; the hook counts on if it was not */
    /* Full: the log just goes on growing until there is room again. */
    if (rc != SQLITE_OK)
        group_failed(s, sqlite_failed(s, rc));
}

int
sqlite_commit_own(struct sqlite_store *s, int rc)
{
    if (rc == 0 && s->group.open)
        rc = group_commit(s);
    if (rc < 0)
        rc = group_roll_back(s, rc);
    if (rc < 0)
        group_failed(s, rc);
    return rc;
}

/* Every group notes the time, by which the next start knows a clock that was set back.
 * When none comes, this does. */
static void
note_time(struct sqlite_store *s, msec_t most_ms)
{
    if (!s->broken && clock_steady_ms(s->clock) >= s->steady_ms + most_ms)
        (void)sqlite_commit_own(s, sqlite_group_begin(s));
}

/* What the store does by itself, when there is nothing else. Returns how long it may
 * sleep then; 0 = not at all. */
static usec_t
idle_step(struct sqlite_store *s)
{
    usec_t sleep_us = (s->space.room == DISK_ROOM ? IDLE_S : IDLE_FULL_S) * 1000000L;
    if (s->broken)
        return sleep_us;
    checkpoint(s, CHECKPOINT_IDLE_PAGES);
    sqlite_space_look(s);
    /* Full: whether a write finds room again is seen by writing. */
    note_time(s, (s->space.room == DISK_FULL ? IDLE_FULL_S : IDLE_S) * 1000);
    if (s->broken)
        return sleep_us;
    if (s->unswept)
        return sqlite_commit_own(s, sqlite_sweep(s, SWEEP_IDLE)) == 0 ? 0 : sleep_us;
    if (s->unswept_channels)
        return sqlite_commit_own(s, sqlite_sweep_channel(s, SWEEP_IDLE)) == 0
                   ? 0
                   : sleep_us;
    if (sqlite_feed_trims(s))
        return sqlite_commit_own(s, sqlite_feed_trim(s, RETAIN_IDLE)) == 0
                   ? FEED_REST_US
                   : sleep_us;
    const usec_t rests_us[] = {sqlite_figures_idle(s, FIGURES_IDLE),
                               sqlite_retention_idle(s, RETAIN_IDLE)};
    for (size_t i = 0; i < ARRAY_LEN(rests_us); i++)
        if (rests_us[i] < sleep_us)
            sleep_us = rests_us[i];
    usec_t found_us = s->broken ? USEC_NEVER : sqlite_found_idle(s);
    return found_us < sleep_us ? found_us : sleep_us;
}

static void
sleep_for(struct sqlite_store *s, usec_t us)
{
    const struct timespec time = {us / 1000000, us % 1000000 * 1000};
    if (us > 0)
        sqlite_wait_for_work(s, ASLEEP, &time);
}

static void
work(struct sqlite_store *s)
{
    const struct timespec linger = {0, LINGER_NS};
    while (sqlite_take(s)) {
        pulse_work();
        sqlite_scan_step(s);
        if (!s->pending) {
            sleep_for(s, s->scans ? sqlite_scan_rest(s) : idle_step(s));
            continue;
        }
        if (s->pending_others == 0 && s->pending_results < SQLITE_LINGER_RESULTS &&
            !s->broken) {
            sqlite_wait_for_work(s, LINGERING, &linger);
            (void)sqlite_take(s);
        }
        perform_group(s);
        checkpoint(s, CHECKPOINT_PAGES);
    }
    sqlite_figures_stop(s);
    note_time(s, 1000);
}

static void *
thread_main(void *arg)
{
    struct pulse pulse;

    pthread_setname_np(pthread_self(), "store");
    pulse_begin(&pulse, "store", PULSE_PATIENCE_DISK);
    work(arg);
    pulse_end();
    return NULL;
}

int
sqlite_start(struct store *store, const struct store_listener *listener,
             struct err *err)
{
    struct sqlite_store *s = sqlite_of(store);
    size_t at = 0;
    assert(!s->started);
    s->listener = *listener;
    msec_t seen_ms = s->last_key ? event_key_ms(s->last_key) : 0;
    sqlite_retention_start(s, seen_ms > s->steady_ms ? seen_ms : s->steady_ms,
                           clock_steady_ms(s->clock));
    s->steady_ms = clock_steady_ms(s->clock); /* to be noted in a while, not at once */
    for (struct sqlite_webhook *w; (w = map_next(&s->webhooks, &at)) != NULL;) {
        if (w->deleted)
            continue;
        w->leased = true;
        if (listener->lease)
            listener->lease(listener->ctx, w->number, 1);
    }

    sqlite_space_look(s);

    /* Signals are the main thread's. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, thread_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0)
        return err_set(err, E_NO_MEMORY, "store thread: %s", strerror(rc));
    s->started = true;
    s->running = true;
    return 0;
}

void
sqlite_stop(struct store *store)
{
    struct sqlite_store *s = sqlite_of(store);
    sqlite_queue_shut(&s->queue);
    if (s->running)
        pthread_join(s->thread, NULL);
    else
        work(s); /* never started: what was submitted is done here */
    s->running = false;
}
