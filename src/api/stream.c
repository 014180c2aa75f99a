/*
 * A channel's events and attempts as they happen, as server-sent events. The stream
 * pulls: when the client has taken a piece, the next one is read from the store, from
 * where the last one ended; so nothing is kept for a client, and one that comes again
 * with the id of the last message it has goes on there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api/fields.h"
#include "api/resources.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define PIECE_ENTRIES 100
#define PIECE_BYTES   ((size_t)64 * 1024) /* and the entry that went beyond */
/* While nothing of much matches, the place is told this often. */
#define TELL_PLACE_US ((usec_t)10 * 1000000)
#define OLD_MS        ((msec_t)3600 * 1000)
/* A place in a time that is so far off is none of ours. */
#define AHEAD_MS ((msec_t)24 * 3600 * 1000)

#define CURSOR_DIGITS 24

struct stream {
    struct api_request *r;
    struct engine_watch watch;
    bool watched;
    struct feed_at at;   /* of what comes next */
    struct feed_at told; /* as the client knows it */
    usec_t told_us;      /* mono */
    uint64_t gone;       /* of what was dropped, as the client knows it */
    bool begun;
};

/* ---- cursors ---- */

static void
cursor_format(char out[CURSOR_TEXT], struct feed_at at)
{
    snprintf(out, CURSOR_TEXT, "%016llx%08x", (unsigned long long)at.key, at.index);
}

static bool
cursor_parse(const char *text, struct feed_at *at)
{
    uint64_t index = 0;
    at->key = 0;
    for (size_t i = 0; i < CURSOR_DIGITS; i++) {
        int value = hex_value(text[i]);
        if (value < 0 || (text[i] >= 'A' && text[i] <= 'F'))
            return false;
        uint64_t *part = i < 16 ? &at->key : &index;
        *part = *part << 4 | (uint64_t)value;
    }
    at->index = (uint32_t)index;
    return text[CURSOR_DIGITS] == '\0';
}

/* ---- messages ---- */

static void
write_place(struct stream *s)
{
    char cursor[CURSOR_TEXT];
    cursor_format(cursor, s->at);
    buf_addf(&s->r->out, "id: %s\n", cursor);
    s->told = s->at;
    s->told_us = clock_mono_us(engine_clock(s->r->api->engine));
}

static void
message_begin(struct stream *s, const char *event, struct feed_at next)
{
    s->at = next;
    write_place(s);
    buf_addf(&s->r->out, "event: %s\ndata: ", event);
    json_out_init(&s->r->json, &s->r->out);
    json_object(&s->r->json, NULL);
}

static void
message_end(struct stream *s)
{
    json_object_end(&s->r->json);
    buf_adds(&s->r->out, "\n\n");
}

static struct stream *
stream_of(struct engine_feed *feed)
{
    return container_of(feed, struct api_request, op.feed)->own;
}

static void
write_gap(struct stream *s, msec_t from_ms, msec_t to_ms, struct feed_at next)
{
    message_begin(s, "gap", next);
    json_time(&s->r->json, "from", from_ms);
    json_time(&s->r->json, "to", to_ms);
    message_end(s);
}

/* What was dropped between the place and what comes now is not told of either. */
static void
tell_gone(struct stream *s, uint64_t gone)
{
    uint64_t from = s->at.key > s->gone ? s->at.key : s->gone;

    if (gone <= from)
        return;
    s->gone = gone;
    write_gap(s, event_key_ms(from), event_key_ms(gone), s->at);
}

/* A message's data is one line. */
static bool
has_lines(struct slice json)
{
    return memchr(json.p, '\n', json.n) || memchr(json.p, '\r', json.n);
}

static bool
on_event(struct engine_feed *feed, const struct event_record *event,
         struct feed_at next)
{
    struct stream *s = stream_of(feed);
    struct event_record shown = *event;
    struct buf compact;

    buf_init(&compact, EVENT_MAX_BYTES);
    if (has_lines(event->body)) {
        json_compact(&compact, event->body);
        shown.body = buf_slice(&compact);
    }
    tell_gone(s, feed->gone);
    message_begin(s, "event", next);
    event_write(&s->r->json, &shown);
    message_end(s);
    buf_fini(&compact);
    return s->r->out.n < PIECE_BYTES;
}

/* As it was then, but for what a webhook that is gone, or that 410 disables, holds. */
static enum call_state
state_of(const struct outcome_record *outcome)
{
    bool held =
        outcome->state == CALL_WAITING && outcome->attempt.verdict == VERDICT_GONE;
    return held ? CALL_HELD : outcome->state;
}

static bool
on_outcome(struct engine_feed *feed, const struct outcome_record *outcome,
           struct feed_at next)
{
    struct stream *s = stream_of(feed);
    struct json_out *json = &s->r->json;
    enum call_state state = state_of(outcome);
    char id[ID_TEXT];

    tell_gone(s, feed->gone);
    message_begin(s, "attempt", next);
    call_id_format(id, outcome->event, outcome->webhook);
    json_str(json, "call", id);
    event_id_format(id, outcome->event);
    json_str(json, "event", id);
    webhook_id_format(id, outcome->webhook);
    json_str(json, "webhook", id);
    json_str(json, "type", event_type_name(outcome->type));
    json_strn(json, "subscription", outcome->subscription);
    attempt_write(json, &outcome->attempt);
    json_str(json, "state", call_state_name(state));
    json_time(json, "nextAttemptAt",
              state == CALL_WAITING ? outcome->due_ms : MSEC_NEVER);
    message_end(s);
    return s->r->out.n < PIECE_BYTES;
}

/* What is older than what is kept is not told of: only that it was. */
static void
skip_gap(struct stream *s)
{
    msec_t now_ms = api_now(s->r);
    struct feed_at first = {event_key_at(now_ms - FEED_TOLD_MS), 0};
    msec_t from_ms = event_key_ms(s->at.key);

    /* Once begun, it may fall behind by as much as is kept: else it would be told of
     * ever more gaps of nothing. */
    if (s->at.key >= first.key ||
        (s->begun && s->at.key >= event_key_at(now_ms - FEED_KEPT_MS)))
        return;
    write_gap(s, from_ms, event_key_ms(first.key), first);
}

/* ---- pieces ---- */

/* The request is over, or somebody else's, after this. */
static void
put_piece(struct stream *s, enum httpd_then then)
{
    struct buf *out = &s->r->out;
    size_t n = out->n;

    /* Too much at once, or no memory: the client goes on from what it has. */
    if (out->failed)
        httpd_stream_put(s->r->req, NULL, 0, HTTPD_END);
    else
        httpd_stream_put(s->r->req, n ? buf_take(out) : NULL, n, then);
}

/* And nothing of what was read. */
static void
put_end(struct stream *s, const char *why)
{
    buf_reset(&s->r->out);
    buf_addf(&s->r->out, ": %s\n\n", why);
    put_piece(s, HTTPD_END);
}

/* A key that is dropped or over ends what was begun with it. NULL: all is well. */
static const char *
why_end(const struct stream *s)
{
    const struct api_request *r = s->r;
    struct key now;

    if (atomic_load(&r->api->quiesced))
        return "the server is shutting down";
    if (!engine_key(r->api->engine, slice_of(r->key.id), &now) ||
        now.number != r->key.number || key_expired(&now, api_now(r)))
        return "the key is gone";
    return NULL;
}

static void
feed_done(struct engine_feed *feed)
{
    struct stream *s = stream_of(feed);
    struct buf *out = &s->r->out;
    enum httpd_then then = HTTPD_WAIT;

    const char *why = why_end(s); /* anew: the read may have waited for its turn */
    if (!why && feed->result != 0)
        why = feed->result == E_NOT_FOUND ? "the channel is gone"
                                          : "the server is shutting down";
    if (why) {
        put_end(s, why);
        return;
    }
    tell_gone(s, feed->gone);
    s->at = feed->next;
    if (feed->more)
        then = HTTPD_MORE;
    else if (!s->r->query.follow)
        then = HTTPD_END;
    bool moved = s->at.key != s->told.key || s->at.index != s->told.index;
    usec_t now_us = clock_mono_us(engine_clock(s->r->api->engine));
    if (moved && (then == HTTPD_END || now_us - s->told_us > TELL_PLACE_US)) {
        write_place(s);
        buf_adds(out, ": ping\n\n");
    }
    put_piece(s, then);
}

static void
read_on(struct stream *s)
{
    struct api_request *r = s->r;

    if (!s->begun) {
        buf_adds(&r->out, "retry: 1000\n");
        write_place(s);
        buf_adds(&r->out, "\n");
    }
    skip_gap(s);
    s->begun = true;
    r->op.feed.from = s->at;
    httpd_hold(r->req);
    engine_feed(r->api->engine, &r->op.feed);
}

/* Where nothing happens the place moves all the same, now and then: a client that has
 * missed nothing is told of no gap when it comes again. */
static bool
is_old(const struct stream *s)
{
    msec_t now_ms = api_now(s->r);
    return event_key_ms(s->at.key) < now_ms - OLD_MS;
}

void
stream_continue(void *ctx, struct httpd_req *req, bool beat)
{
    struct api_request *r = httpd_user(req);
    struct stream *s = r->own;
    const char *why = why_end(s);

    (void)ctx;
    buf_fini(&r->out);
    buf_init(&r->out, API_ANSWER_MAX);
    if (why) {
        put_end(s, why);
    } else if (beat && !is_old(s)) {
        buf_adds(&r->out, ": ping\n\n");
        put_piece(s, HTTPD_WAIT);
    } else {
        read_on(s);
    }
}

/* ---- begin and end ---- */

static void
stream_free(void *own)
{
    struct stream *s = own;

    if (s->watched)
        engine_unwatch(s->r->api->engine, &s->watch);
    free(s);
}

static void
on_woken(struct engine_watch *watch)
{
    struct stream *s = container_of(watch, struct stream, watch);
    httpd_stream_wake(s->r->req);
}

/* Where it begins: behind the last message that the client has, or at a time; else
 * FEED_AT_END. Answers and returns an error when that makes no sense. */
static int
read_place(struct api_request *r, struct feed_at *at)
{
    const char *header = httpd_header(r->req, "Last-Event-ID");
    const char *text = header ? header : r->query.after;
    msec_t now_ms = api_now(r);

    *at = FEED_AT_END;
    if (text) {
        if (cursor_parse(text, at) && at->key <= event_key_at(now_ms + AHEAD_MS))
            return 0;
        api_problem(r, 400, "%s must be the id of a message of such a stream",
                    header ? "Last-Event-ID" : "after");
        return E_INVALID;
    }
    if (r->query.given & QUERY_SINCE)
        *at = (struct feed_at){r->query.since_key, 0};
    return 0;
}

static int
watch(struct api_request *r, struct stream *s)
{
    s->watch = (struct engine_watch){.channel = r->channel->number, .woken = on_woken};
    int rc = engine_watch(r->api->engine, &s->watch);
    s->watched = rc == 0;
    if (rc == 0)
        return 0;
    httpd_answer_header(r->req, "Retry-After", "5");
    if (rc == E_BUSY)
        api_problem(r, 429, "this channel has its %d streams already",
                    ENGINE_WATCHES_A_CHANNEL);
    else
        api_problem(r, 503, "the server has its %d streams already",
                    ENGINE_WATCHES_MAX);
    return rc;
}

/* The end is known: the head goes out only now, so that whoever has seen it misses
 * nothing of what comes then. */
static void
place_done(struct engine_feed *feed)
{
    struct stream *s = stream_of(feed);

    if (feed->result != 0) {
        api_refuse(s->r, feed->result, "no such channel");
        return;
    }
    s->at = feed->next;
    feed->done = feed_done;
    api_stream(s->r);
}

void
stream_open(struct api_request *r)
{
    struct stream *s = xcalloc(1, sizeof(*s));

    s->r = r;
    r->own = s;
    r->own_free = stream_free;
    if (read_place(r, &s->at) != 0)
        return;
    r->op.feed = (struct engine_feed){
        .channel = r->channel->number,
        .events = r->query.kinds & KIND_EVENT,
        .outcomes = r->query.kinds & KIND_ATTEMPT,
        .types = r->query.types,
        .subscription = slice_of(r->query.subscription),
        .webhook = r->query.webhook,
        .from = s->at,
        .limit = PIECE_ENTRIES,
        .event = on_event,
        .outcome = on_outcome,
        .done = place_done,
    };
    httpd_hold(r->req); /* it may be woken from now on */
    if (watch(r, s) != 0)
        return;
    if (s->at.key == UINT64_MAX) {
        engine_feed(r->api->engine, &r->op.feed);
        return;
    }
    r->op.feed.done = feed_done;
    api_stream(r);
}
