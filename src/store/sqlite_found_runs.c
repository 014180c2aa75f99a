/* What becomes of runs: eight become one, those of events that are gone go. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/sqlite_private.h"

#define EVENTS_A_STEP 256
#define SWEEP_BLOCKS  64
#define LOOK_MS       (60 * 1000)

/* After a step, others have the store for this many times as long. */
#define REST 4
/* But no longer than this: the machine may have slept in the middle of a step. */
#define REST_MAX_US (1000 * 1000)

static void
forget_runs(struct sqlite_found *found, size_t at, size_t n)
{
    memmove(found->runs + at, found->runs + at + n,
            (found->n_runs - at - n) * sizeof(found->runs[0]));
    found->n_runs -= n;
}

static int
drop_rows(struct sqlite_store *s, const struct found_run *runs, size_t n)
{
    int rc = sqlite_group_begin(s);
    for (size_t i = 0; i < n && rc == 0; i++) {
        sqlite_key(s, STMT_FOUND_RUN_DROP, 1, runs[i].number);
        rc = sqlite_run(s, STMT_FOUND_RUN_DROP);
    }
    return rc;
}

/* ---- eight become one ---- */

/* The oldest runs of a size stand side by side: what is older is greater. */
static bool
find_eight(const struct sqlite_found *found, size_t *first)
{
    for (size_t i = 0; i + FOUND_FAN <= found->n_runs; i++) {
        int level = found->runs[i].level;
        if (level < FOUND_LEVELS - 1 && found->runs[i + FOUND_FAN - 1].level == level) {
            *first = i;
            return true;
        }
    }
    return false;
}

static bool
merge_begin(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    size_t first;

    if (!find_eight(found, &first))
        return false;
    found->merge = xcalloc(1, sizeof(*found->merge));
    found->merge->number = ++found->last_number;
    found->merge->first = first;
    for (size_t i = 0; i < FOUND_FAN; i++)
        found->merge->sources[i].run = found->runs[first + i].number;
    return true;
}

/* The next block of a source; n 0 = there is none. */
static int
source_read(struct sqlite_store *s, struct found_source *source)
{
    enum sqlite_stmt get = source->read ? STMT_FOUND_NEXT : STMT_FOUND_FIRST;

    sqlite_key(s, get, 1, source->run);
    if (source->read) {
        struct found_pair last = sqlite_found_pair(source->block, source->n - 1);
        sqlite_int(s, get, 2, last.token);
        sqlite_key(s, get, 3, last.key);
    }
    source->n = source->at = 0;
    source->read = true;
    int rc = sqlite_next(s, get);
    if (rc != 1)
        return rc;
    struct slice bytes = sqlite_col_bytes(s, get, 0);
    bool fits =
        bytes.n > 0 && bytes.n <= sizeof(source->block) && bytes.n % FOUND_PAIR == 0;
    if (fits)
        memcpy(source->block, bytes.p, bytes.n);
    source->n = bytes.n / FOUND_PAIR;
    sqlite_reset(s, get);
    return fits ? 0 : sqlite_damaged(s, "a block of pairs is of no right size");
}

/* The least pair of all sources; false = there is none. */
static int
take_least(struct sqlite_store *s, struct found_merge *merge, struct found_pair *least,
           bool *any)
{
    struct found_source *from = NULL;

    *any = false;
    for (size_t i = 0; i < FOUND_FAN; i++) {
        struct found_source *source = &merge->sources[i];
        if (source->at == source->n && (source->n || !source->read)) {
            int rc = source_read(s, source);
            if (rc < 0)
                return rc;
        }
        if (source->at == source->n)
            continue;
        struct found_pair pair = sqlite_found_pair(source->block, source->at);
        if (!from || sqlite_found_before(&pair, least)) {
            *least = pair;
            from = source;
        }
    }
    if (from)
        from->at++;
    *any = from != NULL;
    return 0;
}

/* The run is complete: it counts from this commit on, and the eight do not. */
static int
merge_end(struct sqlite_store *s, struct found_run *run)
{
    const struct found_run *runs = s->found.runs + s->found.merge->first;
    *run = (struct found_run){
        .number = s->found.merge->number,
        .level = runs[0].level + 1,
        .low = runs[0].low,
        .high = runs[FOUND_FAN - 1].high,
    };
    int rc = sqlite_found_run_add(s, run);
    return rc == 0 ? drop_rows(s, runs, FOUND_FAN) : rc;
}

static int
merge_write(struct sqlite_store *s, struct found_run *run, bool *ended)
{
    struct found_merge *merge = s->found.merge;
    struct found_pair pairs[FOUND_BLOCK];
    int rc = sqlite_group_begin(s);

    *ended = false;
    for (int blocks = 0; rc == 0 && blocks < s->found.blocks && !*ended; blocks++) {
        size_t n = 0;
        bool any = true;
        while (rc == 0 && n < s->found.block && any) {
            rc = take_least(s, merge, &pairs[n], &any);
            n += any;
        }
        *ended = !any;
        if (rc == 0 && n > 0)
            rc = sqlite_found_block(s, merge->number, pairs, n);
    }
    return rc == 0 && *ended ? merge_end(s, run) : rc;
}

static void
merge_replace(struct sqlite_store *s, const struct found_run *run)
{
    struct sqlite_found *found = &s->found;
    size_t first = found->merge->first;
    for (size_t i = 0; i < FOUND_FAN; i++)
        sqlite_found_doom(s, found->runs[first + i].number);
    found->runs[first] = *run;
    forget_runs(found, first + 1, FOUND_FAN - 1);
}

static int
merge_step(struct sqlite_store *s)
{
    struct found_run run;
    bool ended;
    int rc = sqlite_commit_own(s, merge_write(s, &run, &ended));
    if (rc == 0 && !ended)
        return 0;
    if (rc == 0)
        merge_replace(s, &run);
    else
        sqlite_found_doom(s, s->found.merge->number); /* and again from the first */
    free(s->found.merge);
    s->found.merge = NULL;
    return rc;
}

/* ---- what goes ---- */

static int
sweep(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    int rc = sqlite_group_begin(s), gone = 0;

    if (rc == 0) {
        sqlite_key(s, STMT_FOUND_DROP, 1, found->doomed[found->n_doomed - 1]);
        sqlite_int(s, STMT_FOUND_DROP, 2, SWEEP_BLOCKS);
        rc = sqlite_run(s, STMT_FOUND_DROP);
        gone = sqlite3_changes(s->db);
    }
    rc = sqlite_commit_own(s, rc);
    if (rc == 0 && gone < SWEEP_BLOCKS)
        found->n_doomed--;
    return rc;
}

/* Runs whose events have all gone; while a merge has hold of them, later. */
static int
drop_old(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    uint64_t oldest = UINT64_MAX;
    size_t n = 0;

    found->look_ms = clock_steady_ms(s->clock) + LOOK_MS;
    int rc = sqlite_next(s, STMT_EVENT_OLDEST);
    if (rc == 1) {
        oldest = sqlite_col_key(s, STMT_EVENT_OLDEST, 0);
        sqlite_reset(s, STMT_EVENT_OLDEST);
    }
    while (rc >= 0 && n < found->n_runs && found->runs[n].high < oldest)
        n++;
    if (rc >= 0 && n == 0)
        return 0;
    rc = sqlite_commit_own(s, rc < 0 ? rc : drop_rows(s, found->runs, n));
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        sqlite_found_doom(s, found->runs[i].number);
    forget_runs(found, 0, n);
    return 0;
}

/* ---- steps ---- */

/* 1 = there was something to do. */
static int
step(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    int rc;

    if (sqlite_found_behind(s) || found->events >= found->run_events)
        rc = sqlite_found_step(s, EVENTS_A_STEP);
    else if (found->merge || merge_begin(s))
        rc = merge_step(s);
    else if (found->n_doomed > 0)
        rc = sweep(s);
    else if (found->n_runs > 0 && clock_steady_ms(s->clock) >= found->look_ms)
        rc = drop_old(s);
    else
        return 0;
    return rc < 0 ? rc : 1;
}

usec_t
sqlite_found_idle(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    usec_t begin_us = clock_mono_us(s->clock);

    if (s->space.room == DISK_FULL)
        return USEC_NEVER;
    if (begin_us < found->rest_us)
        return found->rest_us - begin_us;
    int rc = step(s);
    usec_t end_us = clock_mono_us(s->clock);
    usec_t rest_us = (end_us - begin_us) * REST;
    if (rc < 0) /* full: later; broken: never */
        rest_us = REST_MAX_US;
    found->rest_us = end_us + (rest_us < REST_MAX_US ? rest_us : REST_MAX_US);
    return rc == 0 ? USEC_NEVER : found->rest_us - end_us;
}
