/*
 * What happens in a channel, in the order of its commits: its events as they are, and
 * for the outcomes of attempts a row for each group and channel, of which this is the
 * form (numbers are LEB128; signed ones zigzag):
 *
 *     event (the first; then the difference to the one before), signed
 *     webhook
 *     n * 4 + state of the call after it
 *     when it is waiting: when it is due, from the row's own time, signed
 *
 * The row takes its key from the events' sequence when the group is about to be
 * committed: so whatever came before has a smaller one, whatever comes later a larger.
 */
#include "store/sqlite_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/store_feed.h"

#define LOOK_MS    ((msec_t)10 * 60 * 1000) /* between two rounds that delete */
#define NUMBER_MAX 10                       /* bytes of a LEB128 */
/* A group's outcomes all fit: see GROUP_ROWS. */
#define PACKED_MAX ((size_t)4 << 20)

_Static_assert(CALL_STORED_STATES == 4, "a state has two bits in what is packed");

void
sqlite_feed_init(struct sqlite_feed *feed)
{
    *feed = (struct sqlite_feed){0};
    buf_init(&feed->packed, PACKED_MAX);
}

void
sqlite_feed_fini(struct sqlite_feed *feed)
{
    free(feed->told);
    buf_fini(&feed->packed);
}

/* ---- numbers ---- */

static void
put_number(struct buf *out, uint64_t value)
{
    char bytes[NUMBER_MAX];
    size_t n = 0;

    for (; value > 0x7f; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    buf_add(out, bytes, n);
}

static void
put_signed(struct buf *out, uint64_t value)
{
    put_number(out, value << 1 ^ (value >> 63 ? UINT64_MAX : 0));
}

static bool
get_number(struct slice *in, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; in->n > 0 && shift < 64; shift += 7) {
        uint8_t byte = (uint8_t)*in->p++;
        in->n--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool
get_signed(struct slice *in, uint64_t *value)
{
    uint64_t raw;
    if (!get_number(in, &raw))
        return false;
    *value = raw >> 1 ^ (raw & 1 ? UINT64_MAX : 0);
    return true;
}

static void
pack(struct buf *out, const struct sqlite_told *told, uint64_t *event, uint64_t key)
{
    put_signed(out, told->event - *event);
    put_number(out, told->webhook);
    put_number(out, (uint64_t)told->n << 2 | told->state);
    if (told->state == CALL_WAITING)
        put_signed(out, (uint64_t)(told->due_ms - event_key_ms(key)));
    *event = told->event;
}

static bool
unpack(struct slice *in, struct sqlite_told *told, uint64_t key)
{
    uint64_t event, webhook, n, due = 0;
    if (!get_signed(in, &event) || !get_number(in, &webhook) || !get_number(in, &n) ||
        n >> 2 > UINT32_MAX)
        return false;
    enum call_state state = (enum call_state)(n & 3);
    if (state == CALL_WAITING && !get_signed(in, &due))
        return false;
    told->event += event;
    told->webhook = webhook;
    told->n = (uint32_t)(n >> 2);
    told->state = state;
    told->due_ms = state == CALL_WAITING ? event_key_ms(key) + (msec_t)due : MSEC_NEVER;
    return true;
}

/* ---- the open group ---- */

void
sqlite_feed_event(struct sqlite_store *s, struct sqlite_channel *channel)
{
    assert(s->group.open);
    if (channel->fed)
        return;
    channel->fed = true;
    channel->next_fed = s->feed.fed;
    s->feed.fed = channel;
}

void
sqlite_feed_outcome(struct sqlite_store *s, struct sqlite_channel *channel,
                    const struct sqlite_told *told)
{
    struct sqlite_feed *feed = &s->feed;

    sqlite_feed_event(s, channel);
    if (feed->n == feed->cap) {
        feed->cap = feed->cap ? feed->cap * 2 : 64;
        feed->told = xrealloc(feed->told, feed->cap * sizeof(*told));
    }
    feed->told[feed->n++] = *told;
    if (channel->last_told)
        feed->told[channel->last_told - 1].next = feed->n;
    else
        channel->first_told = feed->n;
    channel->last_told = feed->n;
}

static int
write_channel(struct sqlite_store *s, const struct sqlite_channel *channel,
              uint64_t key)
{
    const enum sqlite_stmt add = STMT_FEED_ADD;
    struct sqlite_feed *feed = &s->feed;
    uint64_t event = 0;

    buf_reset(&feed->packed);
    for (size_t at = channel->first_told; at; at = feed->told[at - 1].next)
        pack(&feed->packed, &feed->told[at - 1], &event, key);
    assert(!feed->packed.failed);
    sqlite_key(s, add, 1, channel->number);
    sqlite_key(s, add, 2, key);
    sqlite_blob(s, add, 3, buf_slice(&feed->packed));
    return sqlite_run(s, add);
}

/* The key is noted: it is in no index by which the next start could find it, and must
 * never come twice. */
int
sqlite_feed_write(struct sqlite_store *s)
{
    int rc = 0;
    if (s->feed.n == 0)
        return 0;
    uint64_t key = event_key_at(clock_steady_ms(s->clock));
    if (key <= s->last_key)
        key = s->last_key + 1;
    s->last_key = key;
    for (const struct sqlite_channel *c = s->feed.fed; c && rc == 0; c = c->next_fed)
        if (c->first_told)
            rc = write_channel(s, c, key);
    return rc < 0 ? rc : sqlite_note(s, "feed_key", (int64_t)key);
}

void
sqlite_feed_end(struct sqlite_store *s, bool committed)
{
    struct sqlite_channel *c = s->feed.fed;

    s->feed.fed = NULL;
    s->feed.n = 0;
    for (struct sqlite_channel *next; c; c = next) {
        next = c->next_fed;
        c->fed = false;
        c->first_told = c->last_told = 0;
        if (committed && s->listener.fed)
            s->listener.fed(s->listener.ctx, c->number);
    }
}

/* ---- what is too old ---- */

bool
sqlite_feed_trims(const struct sqlite_store *s)
{
    return clock_steady_ms(s->clock) >= s->feed.look_ms && s->space.room != DISK_FULL;
}

/* Returns how many rows that was. */
static int
trim_channel(struct sqlite_store *s, uint64_t channel, uint64_t bound, int rows)
{
    const enum sqlite_stmt trim = STMT_FEED_TRIM;
    int rc = sqlite_group_begin(s);
    if (rc < 0)
        return rc;
    sqlite_key(s, trim, 1, channel);
    sqlite_key(s, trim, 2, bound);
    sqlite_int(s, trim, 3, rows);
    rc = sqlite_run(s, trim);
    return rc < 0 ? rc : sqlite3_changes(s->db);
}

/* Channel by channel, each from its oldest row on. */
int
sqlite_feed_trim(struct sqlite_store *s, int rows)
{
    const enum sqlite_stmt oldest = STMT_FEED_OLDEST;
    msec_t now_ms = clock_steady_ms(s->clock);
    uint64_t bound = event_key_at(now_ms - FEED_KEPT_MS);

    if (!sqlite_feed_trims(s))
        return 0;
    while (rows > 0) {
        sqlite_key(s, oldest, 1, s->feed.trimmed);
        int rc = sqlite_next(s, oldest);
        if (rc == 0) {
            s->feed.trimmed = 0;
            s->feed.look_ms = now_ms + LOOK_MS;
        }
        if (rc <= 0)
            return rc;
        uint64_t channel = sqlite_col_key(s, oldest, 0);
        uint64_t key = sqlite_col_key(s, oldest, 1);
        sqlite_reset(s, oldest);
        int gone = key < bound ? trim_channel(s, channel, bound, rows) : 0;
        if (gone < 0)
            return gone;
        if (gone < rows)
            s->feed.trimmed = channel;
        rows -= 1 + gone;
    }
    return 0;
}

/* ---- reading ---- */

struct reading {
    struct store_feed *feed;
    size_t examined, shown;
    bool enough;
};

static bool
is_full(const struct reading *r)
{
    return r->enough || r->shown >= r->feed->limit || r->examined >= STORE_FEED_SCAN;
}

static bool
matches(const struct store_feed *feed, enum event_type type, struct slice subscription)
{
    return feed->types & 1u << type &&
           (feed->subscription.n == 0 || slice_eq(subscription, feed->subscription));
}

/* 1 = it is. */
static int
is_owed(struct sqlite_store *s, uint64_t event, uint64_t webhook)
{
    const enum sqlite_stmt get = STMT_CALL_GET;
    sqlite_key(s, get, 1, event);
    sqlite_key(s, get, 2, webhook);
    int rc = sqlite_next(s, get);
    if (rc == 1)
        sqlite_reset(s, get);
    return rc;
}

/* STMT_FEED_EVENTS is at it. */
static int
show_event(struct sqlite_store *s, struct reading *r, uint64_t key)
{
    const enum sqlite_stmt get = STMT_FEED_EVENTS;
    struct store_feed *feed = r->feed;
    enum event_type type = (enum event_type)sqlite_col(s, get, 1);
    struct slice subscription = sqlite_col_bytes(s, get, 2);

    r->examined++;
    feed->next = (struct feed_at){key + 1, 0};
    if (type >= EVENT_TYPES)
        return sqlite_damaged(s, "an event is of no known type");
    if (!matches(feed, type, subscription))
        return 0;
    int rc = feed->webhook ? is_owed(s, key, feed->webhook) : 1;
    if (rc <= 0)
        return rc;
    const struct event_record event = {
        .key = key,
        .type = type,
        .created_ms = event_key_ms(key),
        .subscription = subscription,
        .body = sqlite_col_bytes(s, get, 3),
    };
    r->shown++;
    r->enough = !feed->event(feed, &event, feed->next);
    return 0;
}

/* STMT_EVENT_HEAD is at its event. */
static int
show_attempt(struct sqlite_store *s, struct reading *r, const struct sqlite_told *told)
{
    const enum sqlite_stmt head = STMT_EVENT_HEAD, get = STMT_ATTEMPT_GET;
    struct store_feed *feed = r->feed;
    struct outcome_record outcome = {
        .event = told->event,
        .webhook = told->webhook,
        .type = (enum event_type)sqlite_col(s, head, 0),
        .subscription = sqlite_col_bytes(s, head, 1),
        .state = told->state,
        .due_ms = told->due_ms,
    };
    if (outcome.type >= EVENT_TYPES)
        return sqlite_damaged(s, "an event is of no known type");
    if (!matches(feed, outcome.type, outcome.subscription))
        return 0;
    sqlite_key(s, get, 1, told->event);
    sqlite_key(s, get, 2, told->webhook);
    sqlite_int(s, get, 3, told->n);
    int rc = sqlite_next(s, get);
    if (rc <= 0)
        return rc;
    outcome.attempt = (struct attempt_record){
        .n = told->n,
        .at_ms = sqlite_col(s, get, 1),
        .duration_us = sqlite_col(s, get, 2),
        .verdict = (enum verdict)sqlite_col(s, get, 3),
        .status = (int)sqlite_col(s, get, 4),
        .reason = sqlite_col_bytes(s, get, 5),
    };
    if (outcome.attempt.verdict >= VERDICTS)
        return sqlite_damaged(s, "an attempt has no known verdict");
    r->shown++;
    r->enough = !feed->outcome(feed, &outcome, feed->next);
    return 0;
}

static int
show_outcome(struct sqlite_store *s, struct reading *r, const struct sqlite_told *told)
{
    r->examined++;
    if (r->feed->webhook && told->webhook != r->feed->webhook)
        return 0;
    sqlite_key(s, STMT_EVENT_HEAD, 1, told->event);
    int rc = sqlite_next(s, STMT_EVENT_HEAD);
    if (rc <= 0)
        return rc; /* its time was over */
    rc = show_attempt(s, r, told);
    sqlite_reset(s, STMT_ATTEMPT_GET);
    sqlite_reset(s, STMT_EVENT_HEAD);
    return rc;
}

/* STMT_FEED_LIST is at the row. */
static int
show_row(struct sqlite_store *s, struct reading *r, uint64_t key)
{
    struct store_feed *feed = r->feed;
    struct slice in = sqlite_col_bytes(s, STMT_FEED_LIST, 1);
    struct sqlite_told told = {0};
    uint32_t seen = key == feed->from.key ? feed->from.index : 0;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && in.n > 0; i++) {
        if (i >= seen && is_full(r))
            return 0;
        if (!unpack(&in, &told, key))
            return sqlite_damaged(s, "a row of the feed cannot be read");
        if (i < seen)
            continue;
        feed->next = (struct feed_at){key, i + 1};
        rc = show_outcome(s, r, &told);
    }
    if (rc == 0 && !r->enough)
        feed->next = (struct feed_at){key + 1, 0};
    return rc;
}

/* Of the two the one that comes first; UINT64_MAX: neither has more. */
static int
next_keys(struct sqlite_store *s, const enum sqlite_stmt stmts[2], uint64_t keys[2])
{
    for (int i = 0; i < 2; i++) {
        if (keys[i] != 0)
            continue;
        int rc = sqlite_next(s, stmts[i]);
        if (rc < 0)
            return rc;
        keys[i] = rc ? sqlite_col_key(s, stmts[i], 0) : UINT64_MAX;
    }
    return 0;
}

static int
read_on(struct sqlite_store *s, struct reading *r)
{
    static const enum sqlite_stmt stmts[2] = {STMT_FEED_EVENTS, STMT_FEED_LIST};
    struct store_feed *feed = r->feed;
    uint64_t keys[2] = {feed->events ? 0 : UINT64_MAX, feed->outcomes ? 0 : UINT64_MAX};
    int rc = 0;

    for (int i = 0; i < 2; i++) {
        sqlite_key(s, stmts[i], 1, feed->channel);
        sqlite_key(s, stmts[i], 2, feed->from.key);
    }
    while (rc == 0 && !is_full(r) && (rc = next_keys(s, stmts, keys)) == 0) {
        int first = keys[0] <= keys[1] ? 0 : 1;
        if (keys[first] == UINT64_MAX) {
            feed->more = false;
            break;
        }
        rc = first == 0 ? show_event(s, r, keys[0]) : show_row(s, r, keys[1]);
        keys[first] = 0;
    }
    sqlite_reset(s, STMT_FEED_EVENTS);
    sqlite_reset(s, STMT_FEED_LIST);
    return rc;
}

int
sqlite_feed(struct sqlite_store *s, struct store_op *op)
{
    struct store_feed *feed = container_of(op, struct store_feed, op);
    struct reading reading = {.feed = feed};
    int rc = 0;

    op->result = 0;
    if (!sqlite_live_channel(s, feed->channel))
        return sqlite_refuse(op, E_NOT_FOUND, "no such channel");
    feed->gone = s->retention.gone_key;
    feed->next = feed->from;
    feed->more = feed->from.key <= s->last_key;
    if (feed->more)
        rc = read_on(s, &reading);
    /* Whatever has a key by now has been looked at, and what comes has a later one. */
    uint64_t end = event_key_at(clock_steady_ms(s->clock));
    if (end <= s->last_key)
        end = s->last_key + 1;
    if (!feed->more && (feed->from.key == UINT64_MAX || feed->next.key < end))
        feed->next = (struct feed_at){end, 0};
    return rc;
}
