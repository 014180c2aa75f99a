#include "store/sqlite_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* An account is added to its rows when it is so old, or when there are more than so
 * many. */
#define WRITE_AFTER_MS ((msec_t)10 * 1000)
#define ACCOUNTS_MAX   4096

/* Rows whose time is over are looked for this often. */
#define PURGE_EVERY_MS ((msec_t)60 * 1000)

/* After a step of its own the store rests for this many times as long as it took. */
#define REST        4
#define REST_MAX_US 1000000

/* ---- what the open group does ---- */

void
sqlite_figures_came(struct sqlite_store *s, struct sqlite_channel *channel, size_t n)
{
    assert(s->group.open);
    if (channel->came == 0) {
        channel->next_came = s->figures.came;
        s->figures.came = channel;
    }
    channel->came += n;
}

void
sqlite_figures_made(struct sqlite_webhook *webhook)
{
    webhook->made++;
}

void
sqlite_figures_ended(struct sqlite_webhook *webhook, enum call_state state)
{
    webhook->exhausted += state == CALL_FAILED;
}

void
sqlite_figures_wait(struct sqlite_store *s, struct sqlite_webhook *webhook, int64_t by)
{
    if (webhook->deleted)
        return;
    webhook->channel->waiting.now += by;
    s->figures.waiting.now += by;
}

void
sqlite_figures_attempt(struct sqlite_store *s, const struct sqlite_webhook *webhook,
                       const struct attempt_record *attempt)
{
    struct sqlite_figures *f = &s->figures;
    usec_t took_us = attempt->duration_us < 0 ? 0 : attempt->duration_us;
    assert(s->group.open);
    if (f->n_attempts == f->room) { /* as many as one group has results at most */
        f->room = f->room ? 2 * f->room : 512;
        f->attempts = xrealloc(f->attempts, f->room * sizeof(f->attempts[0]));
    }
    f->attempts[f->n_attempts++] = (struct sqlite_attempt_note){
        .webhook = webhook->number,
        .took_us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX,
        .ok = attempt->verdict == VERDICT_OK,
    };
}

static void
forget_notes(struct sqlite_store *s)
{
    struct sqlite_figures *f = &s->figures;
    for (; f->came; f->came = f->came->next_came)
        f->came->came = 0;
    for (struct sqlite_webhook *w = s->group.touched; w; w = w->next_touched)
        w->made = w->exhausted = 0;
    f->n_attempts = 0;
}

/* ---- accounts ---- */

static void
disown(struct sqlite_account *account)
{
    if (account->owner)
        *account->owner = NULL;
    account->owner = NULL;
}

static struct figures *
figures_of(struct sqlite_store *s, struct sqlite_account **owner,
           enum figures_whose whose, uint64_t number, int64_t waited, msec_t now_ms)
{
    struct sqlite_figures *f = &s->figures;
    msec_t minute_ms = figures_begin(FIGURES_MINUTE, now_ms);
    if (*owner && (*owner)->minute_ms != minute_ms)
        disown(*owner);
    if (!*owner) {
        struct sqlite_account *account = xcalloc(1, sizeof(*account));
        account->owner = owner;
        account->whose = whose;
        account->number = number;
        account->minute_ms = minute_ms;
        account->since_ms = now_ms;
        figures_wait(&account->figures, (uint64_t)waited, (uint64_t)waited);
        *(f->head ? &f->last->next : &f->head) = account;
        f->last = account;
        f->n++;
        *owner = account;
    }
    return &(*owner)->figures;
}

static struct figures *
figures_of_webhook(struct sqlite_store *s, struct sqlite_webhook *w, msec_t now_ms)
{
    return figures_of(s, &w->account, OF_WEBHOOK, w->number, w->waited, now_ms);
}

static struct figures *
figures_of_channel(struct sqlite_store *s, struct sqlite_channel *c, msec_t now_ms)
{
    return figures_of(s, &c->account, OF_CHANNEL, c->number, c->waiting.then, now_ms);
}

static struct figures *
figures_of_all(struct sqlite_store *s, msec_t now_ms)
{
    struct sqlite_figures *f = &s->figures;
    return figures_of(s, &f->all, OF_ALL, 0, f->waiting.then, now_ms);
}

/* Of a webhook, of its channel, and of all. */
struct figures_of_each {
    struct figures *webhook, *channel, *all;
};

static struct figures_of_each
figures_of_each(struct sqlite_store *s, uint64_t webhook, msec_t now_ms)
{
    struct sqlite_webhook *w = map_get(&s->webhooks, webhook, 0);
    return (struct figures_of_each){
        figures_of_webhook(s, w, now_ms),
        figures_of_channel(s, w->channel, now_ms),
        figures_of_all(s, now_ms),
    };
}

static struct sqlite_account *
take_head(struct sqlite_figures *f)
{
    struct sqlite_account *account = f->head;
    f->head = account->next;
    f->n--;
    disown(account);
    return account;
}

/* Without room on the disk nothing is written out: then the oldest are forgotten. */
static void
keep_to_the_maximum(struct sqlite_store *s)
{
    while (s->space.room == DISK_FULL && s->figures.n > ACCOUNTS_MAX)
        free(take_head(&s->figures));
}

static void
forget_written(struct sqlite_figures *f)
{
    while (f->written) {
        struct sqlite_account *account = f->written;
        f->written = account->next;
        free(account);
    }
}

static void
add_attempt(struct sqlite_store *s, const struct sqlite_attempt_note *note,
            msec_t now_ms)
{
    struct figures_of_each of = figures_of_each(s, note->webhook, now_ms);
    figures_attempt(of.webhook, note->ok, note->took_us);
    figures_attempt(of.channel, note->ok, note->took_us);
    figures_attempt(of.all, note->ok, note->took_us);
}

static void
add_calls(struct sqlite_store *s, const struct sqlite_webhook *w, msec_t now_ms)
{
    if (w->made == 0 && w->exhausted == 0)
        return;
    struct figures_of_each of = figures_of_each(s, w->number, now_ms);
    of.webhook->events += w->made;
    of.webhook->exhausted += w->exhausted;
    of.channel->exhausted += w->exhausted;
    of.all->exhausted += w->exhausted;
}

static void
add_height(struct figures *figures, struct sqlite_height *height)
{
    figures_wait(figures, (uint64_t)height->then, (uint64_t)height->now);
    height->then = height->now;
}

/* Calls of a deleted webhook are cancelled after it, with which its channel's height is
 * noted. */
static void
add_waiting(struct sqlite_store *s, struct sqlite_webhook *w, msec_t now_ms)
{
    struct sqlite_height *of_channel = &w->channel->waiting, *all = &s->figures.waiting;
    struct sqlite_height own = {w->deleted ? 0 : w->calls[CALL_WAITING], w->waited};
    if (own.now != own.then)
        add_height(figures_of_webhook(s, w, now_ms), &own);
    w->waited = own.then;
    if (of_channel->now != of_channel->then)
        add_height(figures_of_channel(s, w->channel, now_ms), of_channel);
    if (all->now != all->then)
        add_height(figures_of_all(s, now_ms), all);
}

void
sqlite_figures_committed(struct sqlite_store *s)
{
    struct sqlite_figures *f = &s->figures;
    msec_t now_ms = clock_steady_ms(s->clock);
    for (struct sqlite_channel *c = f->came; c; c = c->next_came) {
        figures_of_channel(s, c, now_ms)->events += c->came;
        figures_of_all(s, now_ms)->events += c->came;
    }
    for (struct sqlite_webhook *w = s->group.touched; w; w = w->next_touched) {
        add_calls(s, w, now_ms);
        add_waiting(s, w, now_ms);
    }
    for (size_t i = 0; i < f->n_attempts; i++)
        add_attempt(s, &f->attempts[i], now_ms);
    forget_notes(s);
    forget_written(f);
    keep_to_the_maximum(s);
}

/* What the group had written out is the oldest again. */
void
sqlite_figures_rolled_back(struct sqlite_store *s)
{
    struct sqlite_figures *f = &s->figures;
    forget_notes(s);
    while (f->written) {
        struct sqlite_account *account = f->written;
        f->written = account->next;
        if (!f->head)
            f->last = account;
        account->next = f->head;
        f->head = account;
        f->n++;
    }
}

void
sqlite_figures_detach(struct sqlite_store *s)
{
    for (struct sqlite_account *a = s->figures.head; a; a = a->next)
        disown(a);
}

void
sqlite_figures_free(struct sqlite_store *s)
{
    struct sqlite_figures *f = &s->figures;
    sqlite_figures_rolled_back(s);
    while (f->head)
        free(take_head(f));
    free(f->attempts);
}

/* ---- writing out ---- */

static int
write_row(struct sqlite_store *s, enum figures_step step,
          const struct sqlite_account *account)
{
    const enum sqlite_stmt put = STMT_ROLLUP_PUT;
    struct figures figures = {0};
    char packed[FIGURES_PACKED_MAX];
    msec_t at_ms = figures_begin(step, account->minute_ms);
    int rc =
        sqlite_figures_get(s, step, at_ms, account->whose, account->number, &figures);
    if (rc < 0)
        return rc;
    figures_add(&figures, &account->figures);
    size_t n = figures_pack(&figures, packed);
    sqlite_int(s, put, 1, step);
    sqlite_int(s, put, 2, at_ms);
    sqlite_int(s, put, 3, account->whose);
    sqlite_key(s, put, 4, account->number);
    sqlite_key(s, put, 5, figures.events);
    sqlite_key(s, put, 6, figures.succeeded);
    sqlite_key(s, put, 7, figures.failed);
    sqlite_key(s, put, 8, figures.exhausted);
    sqlite_int(s, put, 9, figures.max_us);
    sqlite_blob(s, put, 10, (struct slice){packed, n});
    assert(figures.backlog.known); /* as it is in each account */
    sqlite_key(s, put, 11, figures.backlog.first);
    sqlite_key(s, put, 12, figures.backlog.highest);
    return sqlite_run(s, put);
}

/* What is of a deleted one is not written any more. */
static bool
is_wanted(const struct sqlite_store *s, const struct sqlite_account *account)
{
    if (account->whose == OF_WEBHOOK) {
        const struct sqlite_webhook *w = map_get(&s->webhooks, account->number, 0);
        return w && !w->deleted;
    }
    return account->whose == OF_ALL || sqlite_live_channel(s, account->number);
}

static int
write_out(struct sqlite_store *s, size_t max)
{
    struct sqlite_figures *f = &s->figures;
    int rc = 0;
    for (size_t n = 0; f->head && n < max && rc == 0; n++) {
        struct sqlite_account *account = take_head(f);
        account->next = f->written;
        f->written = account;
        for (int step = 0; step < FIGURES_STEPS && rc == 0; step++)
            if (is_wanted(s, account))
                rc = write_row(s, (enum figures_step)step, account);
    }
    return rc;
}

static bool
is_write_due(const struct sqlite_store *s, msec_t now_ms)
{
    const struct sqlite_account *head = s->figures.head;
    return head && now_ms - head->since_ms >= WRITE_AFTER_MS;
}

/* ---- rows that go ---- */

static bool
is_purge_due(const struct sqlite_store *s, enum figures_step step, msec_t now_ms)
{
    const struct sqlite_figures_at *at = &s->figures.at;
    return at->purge_more[step] || now_ms >= at->purge_ms[step];
}

static int
purge(struct sqlite_store *s, enum figures_step step, msec_t now_ms, int rows)
{
    const enum sqlite_stmt drop = STMT_ROLLUP_PURGE;
    struct sqlite_figures_at *at = &s->figures.at;
    sqlite_int(s, drop, 1, step);
    sqlite_int(s, drop, 2, figures_begin(step, now_ms) - figures_kept_ms(step));
    sqlite_int(s, drop, 3, rows);
    int rc = sqlite_run(s, drop);
    if (rc < 0)
        return rc;
    at->purge_more[step] = sqlite3_changes(s->db) >= rows;
    at->purge_ms[step] = now_ms + PURGE_EVERY_MS;
    return 0;
}

static int
drop(struct sqlite_store *s, enum figures_whose whose, uint64_t number)
{
    const enum sqlite_stmt add = STMT_ROLLUP_GONE_ADD;
    sqlite_int(s, add, 1, whose);
    sqlite_key(s, add, 2, number);
    s->figures.at.gone = true;
    return sqlite_run(s, add);
}

int
sqlite_figures_drop_webhook(struct sqlite_store *s, uint64_t number)
{
    return drop(s, OF_WEBHOOK, number);
}

int
sqlite_figures_drop_channel(struct sqlite_store *s, uint64_t number)
{
    const enum sqlite_stmt all = STMT_ROLLUP_GONE_ADD_ALL;
    int rc = drop(s, OF_CHANNEL, number);
    sqlite_int(s, all, 1, OF_WEBHOOK);
    sqlite_key(s, all, 2, number);
    return rc == 0 ? sqlite_run(s, all) : rc;
}

static void
begin_at(struct sqlite_figures_at *at, enum figures_step step, msec_t now_ms)
{
    at->gone_step = step;
    if (step < FIGURES_STEPS)
        at->gone_ms = figures_begin(step, now_ms) - figures_kept_ms(step);
}

/* 1 = there is somebody whose rows are to go. */
static int
next_gone(struct sqlite_store *s, msec_t now_ms)
{
    const enum sqlite_stmt get = STMT_ROLLUP_GONE_GET;
    struct sqlite_figures_at *at = &s->figures.at;
    int rc = sqlite_next(s, get);
    at->gone = rc == 1;
    if (rc != 1)
        return rc;
    enum figures_whose whose = (enum figures_whose)sqlite_col(s, get, 0);
    uint64_t number = sqlite_col_key(s, get, 1);
    sqlite_reset(s, get);
    if (at->gone_number != number || at->gone_whose != whose) {
        at->gone_whose = whose;
        at->gone_number = number;
        begin_at(at, 0, now_ms);
    }
    return 1;
}

int
sqlite_figures_load(struct sqlite_store *s)
{
    int rc = next_gone(s, 0);
    s->figures.at.gone_number = 0; /* it is no steady time yet: from the beginning */
    return rc < 0 ? rc : 0;
}

static int
gone_is_done(struct sqlite_store *s)
{
    const enum sqlite_stmt done = STMT_ROLLUP_GONE_DONE;
    struct sqlite_figures_at *at = &s->figures.at;
    sqlite_int(s, done, 1, at->gone_whose);
    sqlite_key(s, done, 2, at->gone_number);
    at->gone_number = 0;
    return sqlite_run(s, done);
}

/* The rows of one that is deleted, step of time by step of time: rows are ordered by
 * time first, so that what is written together lies together. */
static int
drop_gone(struct sqlite_store *s, msec_t now_ms, int rows)
{
    const enum sqlite_stmt drop = STMT_ROLLUP_DROP;
    struct sqlite_figures_at *at = &s->figures.at;
    int rc = next_gone(s, now_ms);
    if (rc <= 0)
        return rc;
    rc = 0;
    for (; rows > 0 && rc == 0 && at->gone_step < FIGURES_STEPS; rows--) {
        sqlite_int(s, drop, 1, at->gone_step);
        sqlite_int(s, drop, 2, at->gone_ms);
        sqlite_int(s, drop, 3, at->gone_whose);
        sqlite_key(s, drop, 4, at->gone_number);
        rc = sqlite_run(s, drop);
        at->gone_ms += figures_step_ms(at->gone_step);
        if (at->gone_ms > now_ms)
            begin_at(at, at->gone_step + 1, now_ms);
    }
    if (rc == 0 && at->gone_step == FIGURES_STEPS)
        rc = gone_is_done(s);
    return rc;
}

/* ---- steps ---- */

static int
step(struct sqlite_store *s, int rows)
{
    struct sqlite_figures *f = &s->figures;
    msec_t now_ms = clock_steady_ms(s->clock);
    size_t max = is_write_due(s, now_ms) ? (size_t)rows : 0;
    if (f->n > ACCOUNTS_MAX + max)
        max = f->n - ACCOUNTS_MAX;
    int rc = write_out(s, max);
    for (int i = 0; i < FIGURES_STEPS && rc == 0; i++)
        if (is_purge_due(s, (enum figures_step)i, now_ms))
            rc = purge(s, (enum figures_step)i, now_ms, 2 * rows);
    if (rc == 0 && f->at.gone)
        rc = drop_gone(s, now_ms, rows);
    return rc;
}

int
sqlite_figures_ride(struct sqlite_store *s, int rows)
{
    return s->space.room == DISK_FULL ? 0 : step(s, rows);
}

/* How long until there is something to do; USEC_NEVER = nothing is there. */
static usec_t
due_in(const struct sqlite_store *s, msec_t now_ms)
{
    const struct sqlite_figures *f = &s->figures;
    if (f->at.gone || f->at.purge_more[FIGURES_MINUTE] ||
        f->at.purge_more[FIGURES_HOUR])
        return 0;
    if (!f->head)
        return USEC_NEVER;
    msec_t left_ms = f->head->since_ms + WRITE_AFTER_MS - now_ms;
    return left_ms > 0 ? left_ms * 1000 : 0;
}

usec_t
sqlite_figures_idle(struct sqlite_store *s, int rows)
{
    struct sqlite_figures *f = &s->figures;
    usec_t begin_us = clock_mono_us(s->clock);
    usec_t left_us = due_in(s, clock_steady_ms(s->clock));
    if (left_us > 0 || s->space.room == DISK_FULL)
        return left_us > 0 ? left_us : USEC_NEVER;
    if (begin_us < f->rest_us)
        return f->rest_us - begin_us;

    int rc = sqlite_group_begin(s);
    if (rc == 0)
        rc = step(s, rows);
    if (sqlite_commit_own(s, rc) < 0) /* full: when there is room again */
        return USEC_NEVER;
    usec_t end_us = clock_mono_us(s->clock);
    usec_t rest_us = (end_us - begin_us) * REST;
    f->rest_us = end_us + (rest_us < REST_MAX_US ? rest_us : REST_MAX_US);
    left_us = due_in(s, clock_steady_ms(s->clock));
    return left_us > 0 ? left_us : f->rest_us - end_us;
}

void
sqlite_figures_stop(struct sqlite_store *s)
{
    while (s->figures.head && !s->broken && s->space.room != DISK_FULL) {
        int rc = sqlite_group_begin(s);
        if (rc == 0)
            rc = write_out(s, 512);
        if (sqlite_commit_own(s, rc) < 0)
            return;
    }
}
