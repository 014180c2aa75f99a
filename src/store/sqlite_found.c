/* The index by which events are found: its pairs, its runs, and searching them. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "store/sqlite_private.h"

#define PAIRS_AN_EVENT 2 /* a subscription's and a notification's */

/* ---- tokens ---- */

uint32_t
sqlite_found_token(const struct sqlite_store *s, enum sqlite_found_by by,
                   uint64_t channel, struct slice id)
{
    char text[1 + sizeof(channel) + ID_MAX];
    size_t n = id.n < ID_MAX ? id.n : ID_MAX;

    text[0] = (char)by;
    memcpy(text + 1, &channel, sizeof(channel));
    memcpy(text + 1 + sizeof(channel), id.p, n);
    return (uint32_t)hash_keyed(s->found.secret, text, 1 + sizeof(channel) + n);
}

bool
sqlite_found_by(const struct sqlite_store *s, uint64_t channel,
                struct slice subscription, struct slice notification, uint32_t *token)
{
    if (subscription.n)
        *token = sqlite_found_token(s, FOUND_SUBSCRIPTION, channel, subscription);
    else if (notification.n)
        *token = sqlite_found_token(s, FOUND_NOTIFICATION, channel, notification);
    return subscription.n || notification.n;
}

/* ---- pairs on disk ---- */

static void
pair_write(uint8_t *out, const struct found_pair *pair)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(pair->token >> 8 * i);
    for (int i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(pair->key >> 8 * i);
}

struct found_pair
sqlite_found_pair(const uint8_t *block, size_t at)
{
    const uint8_t *in = block + at * FOUND_PAIR;
    struct found_pair pair = {0};

    for (int i = 0; i < 4; i++)
        pair.token |= (uint32_t)in[i] << 8 * i;
    for (int i = 0; i < 8; i++)
        pair.key |= (uint64_t)in[4 + i] << 8 * i;
    return pair;
}

bool
sqlite_found_before(const struct found_pair *a, const struct found_pair *b)
{
    return a->token < b->token || (a->token == b->token && a->key < b->key);
}

/* Inside the group. */
int
sqlite_found_block(struct sqlite_store *s, uint64_t run, const struct found_pair *pairs,
                   size_t n)
{
    const enum sqlite_stmt add = STMT_FOUND_ADD;
    uint8_t block[FOUND_BLOCK * FOUND_PAIR];

    for (size_t i = 0; i < n; i++)
        pair_write(block + i * FOUND_PAIR, &pairs[i]);
    sqlite_key(s, add, 1, run);
    sqlite_int(s, add, 2, pairs[0].token);
    sqlite_key(s, add, 3, pairs[0].key);
    sqlite_blob(s, add, 4, (struct slice){(const char *)block, n * FOUND_PAIR});
    s->group.rows++;
    s->group.bytes += n * FOUND_PAIR;
    return sqlite_run(s, add);
}

int
sqlite_found_run_add(struct sqlite_store *s, const struct found_run *run)
{
    const enum sqlite_stmt add = STMT_FOUND_RUN_ADD;
    sqlite_key(s, add, 1, run->number);
    sqlite_int(s, add, 2, run->level);
    sqlite_key(s, add, 3, run->low);
    sqlite_key(s, add, 4, run->high);
    return sqlite_run(s, add);
}

/* ---- open ---- */

static int
load_secret(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_prepare_once(s,
                                 "SELECT a.value, b.value FROM meta a, meta b WHERE"
                                 " a.name = 'found_a' AND b.name = 'found_b'",
                                 &stmt);
    if (rc == 0)
        rc = sqlite_row_of(s, stmt);
    if (rc == 1) {
        found->secret[0] = sqlite_key_at(stmt, 0);
        found->secret[1] = sqlite_key_at(stmt, 1);
    } else if (rc == 0) {
        rng_system.fill(&rng_system, found->secret, sizeof(found->secret));
        found->secret_new = true;
    }
    sqlite3_finalize(stmt);
    return rc < 0 ? rc : 0;
}

static int
load_runs(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite_prepare_once(
        s, "SELECT number, level, low, high FROM found_run ORDER BY high", &stmt);
    while (rc == 0 && (rc = sqlite_row_of(s, stmt)) == 1) {
        struct found_run run = {
            .number = sqlite_key_at(stmt, 0),
            .level = sqlite3_column_int(stmt, 1),
            .low = sqlite_key_at(stmt, 2),
            .high = sqlite_key_at(stmt, 3),
        };
        rc = 0;
        if (run.low > run.high || run.low <= found->upto)
            rc = sqlite_damaged(s, "two runs are of the same events");
        sqlite_found_keep(s, &run);
        found->upto = run.high;
    }
    sqlite3_finalize(stmt);
    return rc;
}

static bool
is_run(const struct sqlite_found *found, uint64_t number)
{
    for (size_t i = 0; i < found->n_runs; i++)
        if (found->runs[i].number == number)
            return true;
    return false;
}

/* Blocks of a run that was not complete, or counts no more. */
static int
load_doomed(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    const enum sqlite_stmt get = STMT_FOUND_NEXT_RUN;
    uint64_t number = 0;
    int rc;

    for (;;) {
        sqlite_key(s, get, 1, number);
        rc = sqlite_next(s, get);
        if (rc != 1)
            return rc;
        number = sqlite_col_key(s, get, 0);
        sqlite_reset(s, get);
        if (number > found->last_number)
            found->last_number = number;
        if (!is_run(found, number))
            sqlite_found_doom(s, number);
    }
}

int
sqlite_found_open(struct sqlite_store *s)
{
    s->found.run_events = FOUND_RUN_EVENTS;
    s->found.block = FOUND_BLOCK;
    s->found.blocks = FOUND_STEP;
    int rc = load_secret(s);
    if (rc == 0)
        rc = load_runs(s);
    if (rc == 0)
        rc = load_doomed(s);
    return rc;
}

void
sqlite_found_close(struct sqlite_store *s)
{
    free(s->found.pairs);
    free(s->found.runs);
    free(s->found.doomed);
    free(s->found.merge);
}

/* ---- lists of runs ---- */

void
sqlite_found_keep(struct sqlite_store *s, const struct found_run *run)
{
    struct sqlite_found *found = &s->found;
    found->runs = xrealloc(found->runs, (found->n_runs + 1) * sizeof(found->runs[0]));
    found->runs[found->n_runs++] = *run;
    if (run->number > found->last_number)
        found->last_number = run->number;
}

void
sqlite_found_doom(struct sqlite_store *s, uint64_t number)
{
    struct sqlite_found *found = &s->found;
    found->doomed =
        xrealloc(found->doomed, (found->n_doomed + 1) * sizeof(found->doomed[0]));
    found->doomed[found->n_doomed++] = number;
}

/* ---- events become pairs ---- */

bool
sqlite_found_behind(const struct sqlite_store *s)
{
    return s->found.upto < s->last_key;
}

static void
add_pair(struct sqlite_found *found, uint32_t token, uint64_t key)
{
    if (found->n == found->cap) {
        found->cap = found->cap ? found->cap * 2 : 256;
        found->pairs = xrealloc(found->pairs, found->cap * sizeof(found->pairs[0]));
    }
    found->pairs[found->n++] = (struct found_pair){key, token};
}

/* The row that the statement is at. */
static void
add_event(struct sqlite_store *s, enum sqlite_stmt get)
{
    struct sqlite_found *found = &s->found;
    uint64_t key = sqlite_col_key(s, get, 0), channel = sqlite_col_key(s, get, 1);
    char id[ID_MAX + 1];

    add_pair(
        found,
        sqlite_found_token(s, FOUND_SUBSCRIPTION, channel, sqlite_col_bytes(s, get, 2)),
        key);
    if (event_notification(sqlite_col_bytes(s, get, 3), id))
        add_pair(found,
                 sqlite_found_token(s, FOUND_NOTIFICATION, channel, slice_of(id)), key);
    if (!found->events)
        found->first = key;
    found->events++;
    found->upto = key;
}

static int
by_token(const void *a, const void *b)
{
    return sqlite_found_before(a, b) ? -1 : sqlite_found_before(b, a) ? 1 : 0;
}

static int
by_key(const void *a, const void *b)
{
    const struct found_pair *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static int
write_run(struct sqlite_store *s, const struct found_run *run)
{
    struct sqlite_found *found = &s->found;
    int rc = sqlite_group_begin(s);

    if (rc == 0 && found->secret_new)
        rc = sqlite_note(s, "found_a", (int64_t)found->secret[0]);
    if (rc == 0 && found->secret_new)
        rc = sqlite_note(s, "found_b", (int64_t)found->secret[1]);
    for (size_t at = 0; at < found->n && rc == 0; at += found->block) {
        size_t n = found->n - at < found->block ? found->n - at : found->block;
        rc = sqlite_found_block(s, run->number, found->pairs + at, n);
    }
    return rc == 0 ? sqlite_found_run_add(s, run) : rc;
}

/* What is in memory becomes a run, in a group of its own. */
static int
spill(struct sqlite_store *s)
{
    struct sqlite_found *found = &s->found;
    const struct found_run run = {
        .number = found->last_number + 1, .low = found->first, .high = found->upto};

    qsort(found->pairs, found->n, sizeof(found->pairs[0]), by_token);
    int rc = sqlite_commit_own(s, write_run(s, &run));
    if (rc < 0) {
        qsort(found->pairs, found->n, sizeof(found->pairs[0]), by_key);
        return rc;
    }
    found->secret_new = false;
    sqlite_found_keep(s, &run);
    found->n = found->events = 0;
    return 0;
}

int
sqlite_found_step(struct sqlite_store *s, int rows)
{
    struct sqlite_found *found = &s->found;
    const enum sqlite_stmt get = STMT_FOUND_READ;
    int n = 0, rc;

    if (found->events >= found->run_events)
        return s->space.room == DISK_FULL ? E_FULL : spill(s);
    if ((size_t)rows > found->run_events - found->events)
        rows = (int)(found->run_events - found->events);
    sqlite_key(s, get, 1, found->upto);
    sqlite_int(s, get, 2, rows);
    while ((rc = sqlite_next(s, get)) == 1) {
        add_event(s, get);
        n++;
    }
    if (rc == 0 && n < rows && found->upto < s->last_key)
        found->upto = s->last_key; /* of the last ones there are none any more */
    return rc < 0 ? sqlite_commit_own(s, rc) : 0;
}

/* ---- searching ---- */

/* How many pairs of a block are before the one that is sought. */
static size_t
count_before(const uint8_t *block, size_t n, const struct found_pair *sought)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        struct found_pair pair = sqlite_found_pair(block, middle);
        if (sqlite_found_before(&pair, sought))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Appends keys of a run, from the newest. */
static int
search_run(struct sqlite_store *s, uint64_t run, const struct found_pair *sought,
           uint64_t *keys, size_t max, size_t *n)
{
    const enum sqlite_stmt get = STMT_FOUND_SEEK;
    bool more = true;
    int rc = 0;

    sqlite_key(s, get, 1, run);
    sqlite_int(s, get, 2, sought->token);
    sqlite_key(s, get, 3, sought->key);
    while (more && *n < max && (rc = sqlite_next(s, get)) == 1) {
        struct slice bytes = sqlite_col_bytes(s, get, 0);
        const uint8_t *block = (const uint8_t *)bytes.p;
        size_t at = count_before(block, bytes.n / FOUND_PAIR, sought);
        while (more && at > 0 && *n < max) {
            struct found_pair pair = sqlite_found_pair(block, --at);
            more = pair.token == sought->token;
            if (more)
                keys[(*n)++] = pair.key;
        }
    }
    sqlite_reset(s, get);
    return rc < 0 ? rc : 0;
}

int
sqlite_found_search(struct sqlite_store *s, uint32_t token, uint64_t below,
                    uint64_t *keys, size_t max, size_t *n)
{
    const struct sqlite_found *found = &s->found;
    const struct found_pair sought = {below, token};
    int rc = 0;

    *n = 0;
    for (size_t i = found->n; i-- > 0 && *n < max;)
        if (found->pairs[i].token == token && found->pairs[i].key < below)
            keys[(*n)++] = found->pairs[i].key;
    for (size_t i = found->n_runs; i-- > 0 && *n < max && rc == 0;)
        if (found->runs[i].low < below)
            rc = search_run(s, found->runs[i].number, &sought, keys, max, n);
    return rc;
}
