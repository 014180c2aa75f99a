/*
 * What has ended goes when its time is over, a few rows at a time.
 *
 * Events are passed in the order of their keys, which is that of their times, each pass
 * from where it came to last: so an event is looked at once when it is as old as what
 * has succeeded is kept, and once more when it is as old as what has failed is. What
 * cannot go then, because it waits or ended late, is found by the next round, which
 * begins at the oldest event again, once a day. So there is no index for this, and
 * nothing that a commit would have to pay for.
 *
 * With a limit of bytes two further passes go as far as the newest event while more is
 * stored than that.
 */
#include "store/sqlite_private.h"

#include "base/metrics.h"

#define ROUND_MS  ((msec_t)24 * 3600 * 1000)
#define LOOK_MS   1000                     /* between two looks that find nothing */
#define REWIND_MS ((msec_t)10 * 60 * 1000) /* of a pass by bytes */
#define TELL_MS   ((msec_t)3600 * 1000)

/* What was given a key so lately may be what the next start knows the time by. */
#define YOUNG_MS 2000

/* Of a time in which the server did not run, or seemed not to: more may be a clock that
 * was set, and would take everything at once. */
#define GAP_MS ((msec_t)24 * 3600 * 1000)

/* After a step, others have the store for this many times as long. */
#define REST 4
/* But no longer than this: the machine may have slept in the middle of a step. */
#define REST_MAX_US (1000 * 1000)

#define CALLS_AT_ONCE 32

/* ---- ages ---- */

static bool
is_on(const struct sqlite_retention *r)
{
    return r->keep.succeeded_ms || r->keep.failed_ms || r->keep.bytes;
}

static msec_t
age_of(const struct sqlite_retention *r, msec_t now_ms, msec_t then_ms)
{
    return now_ms - then_ms - (then_ms <= r->gap_at_ms ? r->gap_ms : 0);
}

static uint64_t
key_bound(msec_t then_ms)
{
    uint64_t key = event_key_at(then_ms);
    return key < INT64_MAX ? key : INT64_MAX;
}

/* Events that are so old have keys below this. */
static uint64_t
bound_of(const struct sqlite_retention *r, msec_t now_ms, msec_t age_ms)
{
    msec_t then_ms = now_ms - age_ms;
    return key_bound(then_ms <= r->gap_at_ms ? then_ms - r->gap_ms : then_ms);
}

/* A call ends some time after its event came: passes come later by a bit, so that most
 * events can go when they are looked at first. */
static msec_t
looked_at_ms(msec_t keep_ms)
{
    return keep_ms + keep_ms / 24;
}

/* ---- one event ---- */

/* Whether it may go. The rows that it takes are added to *rows. */
static int
judge(struct sqlite_store *s, enum sqlite_pass pass, uint64_t key, bool *goes,
      int *rows)
{
    const struct sqlite_retention *r = &s->retention;
    const enum sqlite_stmt get = STMT_EVENT_CALLS;
    msec_t now_ms = clock_steady_ms(s->clock);
    msec_t came_ms = event_key_ms(key);
    int calls = 0, rc;

    *goes = true;
    sqlite_key(s, get, 1, key);
    while ((rc = sqlite_next(s, get)) == 1) {
        enum call_state state = (enum call_state)sqlite_col(s, get, 1);
        msec_t ended_ms = sqlite_col(s, get, 2);
        msec_t keep_ms =
            state == CALL_SUCCEEDED ? r->keep.succeeded_ms : r->keep.failed_ms;
        calls++;
        *rows += 1 + (int)sqlite_col(s, get, 3);
        if (state == CALL_WAITING)
            *goes = false;
        else if (pass == PASS_BYTES_SUCCEEDED)
            *goes = state == CALL_SUCCEEDED;
        else if (pass != PASS_BYTES_ENDED) /* ended_ms 0: before it was noted */
            *goes =
                keep_ms && age_of(r, now_ms, ended_ms ? ended_ms : came_ms) >= keep_ms;
        if (!*goes) {
            sqlite_reset(s, get);
            return 0;
        }
    }
    if (calls == 0 && pass < PASS_BYTES_SUCCEEDED) /* nobody wanted it */
        *goes =
            r->keep.succeeded_ms && age_of(r, now_ms, came_ms) >= r->keep.succeeded_ms;
    return rc;
}

static int
run_for(struct sqlite_store *s, enum sqlite_stmt stmt, uint64_t event, uint64_t webhook)
{
    sqlite_key(s, stmt, 1, event);
    if (webhook)
        sqlite_key(s, stmt, 2, webhook);
    return sqlite_run(s, stmt);
}

struct ended_call {
    uint64_t webhook;
    enum call_state state;
    int attempts;
};

static int
drop_call(struct sqlite_store *s, uint64_t event, const struct ended_call *call)
{
    struct sqlite_webhook *webhook = map_get(&s->webhooks, call->webhook, 0);
    if (!webhook || webhook->calls[call->state] <= 0)
        return sqlite_damaged(s, "a call that has ended is not counted");
    int rc = run_for(s, STMT_ATTEMPTS_DROP, event, call->webhook);
    if (rc == 0)
        rc = run_for(s, STMT_CALL_DROP, event, call->webhook);
    if (rc < 0)
        return rc;
    sqlite_count(s, webhook, call->state, -1);
    s->retention.gone[KEEP_CALLS]++;
    s->retention.gone[KEEP_ATTEMPTS] += (uint64_t)call->attempts;
    return 0;
}

static int
some_calls(struct sqlite_store *s, uint64_t event, struct ended_call *calls, int *n)
{
    const enum sqlite_stmt get = STMT_EVENT_CALLS;
    int rc = 0;
    *n = 0;
    sqlite_key(s, get, 1, event);
    while (*n < CALLS_AT_ONCE && (rc = sqlite_next(s, get)) == 1)
        calls[(*n)++] = (struct ended_call){
            .webhook = sqlite_col_key(s, get, 0),
            .state = (enum call_state)sqlite_col(s, get, 1),
            .attempts = (int)sqlite_col(s, get, 3),
        };
    sqlite_reset(s, get);
    return rc < 0 ? rc : 0;
}

/* A call goes with its attempts, or stays: whoever reads finds either. *left is what
 * may still be done; the event is there until all its calls are gone. */
static int
drop_event(struct sqlite_store *s, uint64_t event, int *left, bool *gone)
{
    struct ended_call calls[CALLS_AT_ONCE];
    int n, rc = sqlite_group_begin(s);

    *gone = false;
    while (rc == 0) {
        rc = some_calls(s, event, calls, &n);
        for (int i = 0; i < n && rc == 0; i++) {
            if (*left <= 0)
                return 0;
            *left -= 1 + calls[i].attempts;
            rc = drop_call(s, event, &calls[i]);
        }
        if (rc == 0 && n < CALLS_AT_ONCE)
            break;
    }
    if (rc == 0)
        rc = run_for(s, STMT_EVENT_DROP, event, 0);
    if (rc < 0)
        return rc;
    *left -= 1;
    *gone = true;
    s->retention.gone[KEEP_EVENTS]++;
    if (event > s->retention.gone_key)
        s->retention.gone_key = event;
    return 0;
}

/* ---- passes ---- */

static int
keys_from(struct sqlite_store *s, uint64_t from, uint64_t bound, uint64_t *keys,
          int most, int *n)
{
    const enum sqlite_stmt walk = STMT_EVENT_WALK;
    int rc = 0;
    *n = 0;
    sqlite_key(s, walk, 1, from);
    sqlite_key(s, walk, 2, bound);
    while (*n < most && (rc = sqlite_next(s, walk)) == 1)
        keys[(*n)++] = sqlite_col_key(s, walk, 0);
    sqlite_reset(s, walk);
    return rc < 0 ? rc : 0;
}

static int
is_over(struct sqlite_store *s, bool *over)
{
    uint64_t used = 0;
    *over = false;
    if (!s->retention.keep.bytes)
        return 0;
    int rc = sqlite_used_bytes(s, &used, NULL);
    *over = used > s->retention.keep.bytes;
    return rc;
}

/* From where the pass came to last, as far as the bound, or until *left is used up. */
static int
walk(struct sqlite_store *s, enum sqlite_pass pass, uint64_t bound, int *left)
{
    uint64_t *at = &s->retention.at[pass];
    uint64_t keys[CALLS_AT_ONCE];
    int n = 1, rc = 0;

    while (rc == 0 && n > 0 && *left > 0 && *at < bound) {
        rc = keys_from(s, *at, bound, keys, CALLS_AT_ONCE, &n);
        for (int i = 0; i < n && rc == 0 && *left > 0; i++) {
            bool goes = false, gone = true, over = true;
            int rows = 0;
            if (pass >= PASS_BYTES_SUCCEEDED)
                rc = is_over(s, &over);
            if (rc == 0 && !over)
                return 0;
            if (rc == 0)
                rc = judge(s, pass, keys[i], &goes, &rows);
            if (rc == 0 && goes)
                rc = drop_event(s, keys[i], left, &gone);
            else
                *left -= 1 + rows / 8; /* reading costs less */
            if (rc == 0 && gone)
                *at = keys[i] + 1;
        }
        if (rc == 0 && n == 0)
            *at = bound;
    }
    return rc;
}

/* Whether the pass has come to its end, or goes back: what it left may have ended
 * since, but to look again and again would find nothing again and again. */
static bool
is_through(struct sqlite_retention *r, enum sqlite_pass pass, uint64_t bound,
           msec_t now_ms)
{
    msec_t *rewind_ms = &r->rewind_ms[pass - PASS_BYTES_SUCCEEDED];
    if (r->at[pass] == 0)
        *rewind_ms = now_ms + REWIND_MS;
    if (r->at[pass] < bound)
        return false;
    if (now_ms < *rewind_ms)
        return true;
    r->at[pass] = 0;
    *rewind_ms = now_ms + REWIND_MS;
    return false;
}

static int
walk_by_bytes(struct sqlite_store *s, msec_t now_ms, int *left)
{
    uint64_t bound = key_bound(now_ms - YOUNG_MS);
    for (enum sqlite_pass pass = PASS_BYTES_SUCCEEDED; pass < PASSES; pass++) {
        bool over;
        int rc = is_over(s, &over);
        if (rc < 0 || !over || *left <= 0)
            return rc;
        if (!is_through(&s->retention, pass, bound, now_ms)) {
            rc = walk(s, pass, bound, left);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static int
walk_by_age(struct sqlite_store *s, msec_t now_ms, int *left)
{
    const struct store_keep *keep = &s->retention.keep;
    const msec_t ages[] = {
        [PASS_SUCCEEDED] = keep->succeeded_ms, [PASS_FAILED] = keep->failed_ms};
    int rc = 0;
    for (enum sqlite_pass pass = PASS_SUCCEEDED; pass <= PASS_FAILED && rc == 0;
         pass++) {
        msec_t age_ms = looked_at_ms(ages[pass]);
        if (ages[pass])
            rc = walk(
                s, pass,
                bound_of(&s->retention, now_ms, age_ms > YOUNG_MS ? age_ms : YOUNG_MS),
                left);
    }
    return rc;
}

/* ---- reports ---- */

static void
bind_place(struct sqlite_store *s, enum sqlite_stmt stmt, int at,
           const struct sqlite_report_at *place)
{
    sqlite_text(s, stmt, at, slice_of(place->notification));
    sqlite_key(s, stmt, at + 1, place->subscription);
    sqlite_text(s, stmt, at + 2, slice_of(place->what));
}

static void
copy_text(char *out, size_t room, struct slice text)
{
    size_t n = text.n < room ? text.n : room - 1;
    memcpy(out, text.p, n);
    out[n] = '\0';
}

/* The place `n` rows further; false = there are fewer. */
static int
place_after(struct sqlite_store *s, const struct sqlite_report_at *from, int n,
            struct sqlite_report_at *to)
{
    const enum sqlite_stmt get = STMT_REPORT_WALK;
    bind_place(s, get, 1, from);
    sqlite_int(s, get, 4, n - 1);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    copy_text(to->notification, sizeof(to->notification), sqlite_col_bytes(s, get, 0));
    to->subscription = sqlite_col_key(s, get, 1);
    copy_text(to->what, sizeof(to->what), sqlite_col_bytes(s, get, 2));
    sqlite_reset(s, get);
    return 1;
}

/* Old ones, and those of subscriptions that are gone; in the order of their keys, once
 * a round. */
static int
walk_reports(struct sqlite_store *s, msec_t now_ms, int *left)
{
    struct sqlite_retention *r = &s->retention;
    const enum sqlite_stmt drop = STMT_REPORT_DROP;
    /* Behind all there are: what comes behind the last one is looked at tomorrow. */
    struct sqlite_report_at to = {"\x7f", INT64_MAX, "\x7f"};
    if (r->reports_done || *left <= 0)
        return 0;
    int rc = place_after(s, &r->report, *left * 4, &to);
    if (rc < 0)
        return rc;
    bool last = rc == 0;
    rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    bind_place(s, drop, 1, &r->report);
    bind_place(s, drop, 4, &to);
    msec_t then_ms = now_ms - STORE_REPORT_MS;
    sqlite_int(s, drop, 7, r->gap_at_ms);
    sqlite_int(s, drop, 8, then_ms - r->gap_ms);
    sqlite_int(s, drop, 9, then_ms);
    rc = sqlite_run(s, drop);
    if (rc < 0)
        return rc;
    int n = sqlite3_changes(s->db);
    r->gone[KEEP_REPORTS] += (uint64_t)n;
    r->report = to;
    r->reports_done = last;
    *left = 0;
    return 0;
}

/* ---- steps ---- */

static void
begin_round(struct sqlite_retention *r, msec_t now_ms)
{
    if (now_ms < r->round_ms)
        return;
    r->round_ms = now_ms + ROUND_MS;
    memset(r->at, 0, sizeof(r->at));
    r->report = (struct sqlite_report_at){0};
    r->reports_done = false;
}

/* In the group that drops it: whoever follows is told what is missing. */
static int
note_gone(struct sqlite_store *s)
{
    struct sqlite_retention *r = &s->retention;
    if (r->gone_key == r->gone_noted)
        return 0;
    r->gone_noted = r->gone_key;
    return sqlite_note(s, "gone_key", (int64_t)r->gone_key);
}

static int
step(struct sqlite_store *s, int rows)
{
    struct sqlite_retention *r = &s->retention;
    msec_t now_ms = clock_steady_ms(s->clock);
    int left = rows;

    begin_round(r, now_ms);
    int rc = walk_by_age(s, now_ms, &left);
    if (rc == 0)
        rc = walk_by_bytes(s, now_ms, &left);
    if (rc == 0)
        rc = walk_reports(s, now_ms, &left);
    if (rc == 0)
        rc = note_gone(s);
    r->more = rc == 0 && left <= 0;
    r->look_ms = now_ms + LOOK_MS;
    return rc;
}

static bool
is_due(const struct sqlite_store *s)
{
    const struct sqlite_retention *r = &s->retention;
    return is_on(r) && (r->more || clock_steady_ms(s->clock) >= r->look_ms);
}

int
sqlite_retention_ride(struct sqlite_store *s, int rows)
{
    return is_due(s) && s->space.room != DISK_FULL ? step(s, rows) : 0;
}

usec_t
sqlite_retention_idle(struct sqlite_store *s, int rows)
{
    struct sqlite_retention *r = &s->retention;
    usec_t begin_us = clock_mono_us(s->clock);

    if (!is_due(s))
        return USEC_NEVER;
    if (begin_us < r->rest_us)
        return r->rest_us - begin_us;
    int rc = sqlite_commit_own(s, step(s, rows));
    if (rc < 0) { /* full: later */
        r->more = false;
        r->look_ms = clock_steady_ms(s->clock) + LOOK_MS;
        return USEC_NEVER;
    }
    usec_t end_us = clock_mono_us(s->clock);
    usec_t rest_us = (end_us - begin_us) * REST;
    r->rest_us = end_us + (rest_us < REST_MAX_US ? rest_us : REST_MAX_US);
    return r->more ? r->rest_us - end_us : USEC_NEVER;
}

static void
tell(struct sqlite_store *s)
{
    struct sqlite_retention *r = &s->retention;
    msec_t now_ms = clock_steady_ms(s->clock);
    if (r->more || r->untold == 0 || now_ms < r->tell_ms)
        return;
    r->tell_ms = now_ms + TELL_MS;
    if (s->listener.dropped)
        s->listener.dropped(s->listener.ctx, r->untold);
    r->untold = 0;
}

void
sqlite_retention_committed(struct sqlite_store *s)
{
    struct sqlite_retention *r = &s->retention;
    for (unsigned i = 0; i < KEEP_ROWS; i++)
        if (r->gone[i])
            metric_add(METRIC_RETENTION, i, r->gone[i]);
    r->untold += r->gone[KEEP_EVENTS] + r->gone[KEEP_REPORTS];
    memset(r->gone, 0, sizeof(r->gone));
    tell(s);
}

/* ---- a clock that jumps between two starts ---- */

void
sqlite_retention_start(struct sqlite_store *s, msec_t seen_ms, msec_t now_ms)
{
    struct sqlite_retention *r = &s->retention;
    msec_t gap_ms = now_ms - seen_ms - GAP_MS;
    const struct store_keep *keep = &r->keep;
    msec_t longest_ms =
        keep->succeeded_ms > keep->failed_ms ? keep->succeeded_ms : keep->failed_ms;

    if (!is_on(r) || seen_ms == 0 || gap_ms <= 0)
        return;
    if (age_of(r, now_ms, r->gap_at_ms) - gap_ms > longest_ms + STORE_REPORT_MS)
        r->gap_ms = 0; /* of nothing that there still is */
    r->gap_at_ms = seen_ms;
    r->gap_ms += gap_ms;
    r->gap_new = true;
    if (s->listener.gap)
        s->listener.gap(s->listener.ctx, now_ms - seen_ms);
}

int
sqlite_retention_note(struct sqlite_store *s)
{
    struct sqlite_retention *r = &s->retention;
    if (!r->gap_new)
        return 0;
    int rc = sqlite_note(s, "gap_at_ms", r->gap_at_ms);
    if (rc == 0)
        rc = sqlite_note(s, "gap_ms", r->gap_ms);
    r->gap_new = rc < 0;
    return rc;
}
