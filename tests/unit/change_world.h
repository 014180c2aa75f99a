/*
 * A store in miniature around change_apply: finds what a request is about, and keeps
 * what follows from it, each row in a block of its own size, so that reading on is
 * noticed.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "core/change.h"

#define WORLD_SUBSCRIPTIONS 8
#define WORLD_REPORTS       64
#define WORLD_CHANNEL       6
#define WORLD_BEGIN         INT64_C(1709545851375) /* 2024-03-04T09:50:51.375Z */

/* A request as it comes in: texts are plain, JSON is what a client would send. */
struct ask {
    enum change_kind kind;
    const char *id;
    const char *members; /* a JSON object */
    const char *cleared[2];
    const char *item;
    const char *value; /* JSON */
    const char *notification;
    const char *action;
    const char *language, *country;
    msec_t created_ms, synced_ms;
    bool inactive, silent;
};

struct world_row {
    bool used;
    char id[ID_MAX + 1];
    struct subscription_row row;
};

struct world_report {
    size_t at; /* of the subscription */
    char text[ID_MAX + REPORT_TEXT + 2];
    msec_t reported_ms;
};

struct world {
    struct world_row rows[WORLD_SUBSCRIPTIONS];
    struct world_report reports[WORLD_REPORTS];
    size_t n_reports;
    struct rng_seeded rng;
    msec_t now_ms;
    const char *feed_guid;
    /* of the last request */
    struct outcome outcome;
    const char *why;
    size_t at; /* of its subscription */
    /* scratch */
    struct json_doc doc, row_doc;
    struct event_batch batch;
    struct subscription before;
    struct slice cleared[2];
    struct buf values, members, told, text;
};

static int
world_setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    if (!w)
        return -1;
    rng_seeded_init(&w->rng, 1);
    w->now_ms = WORLD_BEGIN;
    outcome_init(&w->outcome);
    json_init(&w->doc);
    json_init(&w->row_doc);
    event_batch_init(&w->batch);
    buf_init(&w->values, 1 << 20);
    buf_init(&w->members, 1 << 20);
    buf_init(&w->told, 1 << 20);
    buf_init(&w->text, 1 << 20);
    *state = w;
    return buf_reserve(&w->values,
                       w->values.max_bytes); /* values stay where they are */
}

static void
world_drop(struct world *w, size_t at)
{
    struct world_report *reports = w->reports;
    size_t n = 0;

    free((void *)(uintptr_t)w->rows[at].row.members.p);
    w->rows[at] = (struct world_row){0};
    for (size_t i = 0; i < w->n_reports; i++)
        if (reports[i].at != at)
            reports[n++] = reports[i];
    w->n_reports = n;
}

static int
world_teardown(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < WORLD_SUBSCRIPTIONS; i++)
        world_drop(w, i);
    outcome_fini(&w->outcome);
    json_fini(&w->doc);
    json_fini(&w->row_doc);
    event_batch_fini(&w->batch);
    buf_fini(&w->values);
    buf_fini(&w->members);
    buf_fini(&w->told);
    buf_fini(&w->text);
    free(w);
    return 0;
}

/* ---- the request ---- */

static const struct json_token *
world_parse(struct world *w, struct slice json)
{
    struct json_error error;
    if (json_parse(&w->doc, json.p, json.n, &error) != 0)
        fail_msg("%.*s: %s", (int)json.n, json.p, error.reason);
    return &w->doc.tokens[0];
}

static struct slice
world_value(struct world *w, enum member_given given, size_t at, const char *reason)
{
    if (given == MEMBER_REFUSED)
        fail_msg("the request: %s", reason);
    assert_int_equal(w->values.failed, 0);
    return given == MEMBER_GIVEN ? (struct slice){w->values.p + at, w->values.n - at}
                                 : (struct slice){NULL, 0};
}

static void
world_read_members(struct world *w, const char *json, struct slice given[MEMBERS])
{
    const struct json_token *object = world_parse(w, slice_of(json));
    const struct json_token *key = json_first(&w->doc, object);
    const char *reason = NULL;

    while (key) {
        const struct json_token *value = json_after(&w->doc, object, key);
        enum member member = MEMBERS;
        size_t at = w->values.n;
        if (!member_find(json_string_raw(&w->doc, key), &member))
            fail_msg("%s has an unknown member", json);
        given[member] = world_value(
            w, member_canonical(member, &w->doc, value, &w->values, &reason), at,
            reason);
        key = json_after(&w->doc, object, value);
    }
}

static struct change
world_change(struct world *w, const struct ask *ask)
{
    struct change change = {
        .kind = ask->kind,
        .id = slice_of(ask->id),
        .item = slice_of(ask->item),
        .notification = slice_of(ask->notification),
        .action = slice_of(ask->action),
        .language = slice_of(ask->language),
        .country = slice_of(ask->country),
        .created_ms = ask->created_ms,
        .synced_ms = ask->synced_ms,
        .inactive = ask->inactive,
        .silent = ask->silent,
    };
    const char *reason = NULL;

    buf_reset(&w->values);
    if (ask->members)
        world_read_members(w, ask->members, change.given);
    if (ask->value) {
        const struct json_token *value = world_parse(w, slice_of(ask->value));
        size_t at = w->values.n;
        change.value = world_value(
            w, attribute_canonical(&w->doc, value, &w->values, &reason), at, reason);
    }
    while (change.n_cleared < ARRAY_LEN(ask->cleared) &&
           ask->cleared[change.n_cleared]) {
        w->cleared[change.n_cleared] = slice_of(ask->cleared[change.n_cleared]);
        change.n_cleared++;
    }
    change.cleared = w->cleared;
    return change;
}

/* ---- what there is ---- */

/* By its id, else by its push identity; WORLD_SUBSCRIPTIONS = there is none. */
static size_t
world_find(const struct world *w, struct slice id, uint64_t token)
{
    size_t at = 0;

    while (at < WORLD_SUBSCRIPTIONS &&
           !(id.n && w->rows[at].used && slice_is(id, w->rows[at].id)))
        at++;
    if (at < WORLD_SUBSCRIPTIONS || !token)
        return at;
    at = 0;
    while (at < WORLD_SUBSCRIPTIONS && w->rows[at].row.token != token)
        at++;
    return at;
}

static void
world_read(struct world *w, size_t at, struct subscription *subscription)
{
    assert_true(subscription_read(subscription, &w->row_doc, &w->rows[at].row));
}

static msec_t *
world_report(struct world *w, const struct change *change)
{
    char room[REPORT_TEXT], text[ID_MAX + REPORT_TEXT + 2];
    struct slice what = change_report(change, room);

    snprintf(text, sizeof(text), "%.*s %.*s", (int)change->notification.n,
             change->notification.p, (int)what.n, what.p);
    for (size_t i = 0; i < w->n_reports; i++)
        if (w->reports[i].at == w->at && strcmp(w->reports[i].text, text) == 0)
            return &w->reports[i].reported_ms;
    assert_true(w->n_reports < WORLD_REPORTS);
    struct world_report *report = &w->reports[w->n_reports++];
    report->at = w->at;
    report->reported_ms = MSEC_NEVER;
    memcpy(report->text, text, sizeof(text));
    return &report->reported_ms;
}

static void
world_keep(struct world *w)
{
    struct world_row *row = &w->rows[w->at];
    struct subscription_row written;

    assert_int_equal(w->outcome.after.channel, WORLD_CHANNEL);
    assert_int_equal(subscription_write(&written, &w->members, &w->outcome.after), 0);
    char *members = malloc(written.members.n);
    assert_non_null(members);
    memcpy(members, written.members.p, written.members.n);
    free((void *)(uintptr_t)row->row.members.p);
    memcpy(row->id, w->outcome.after.id, sizeof(row->id));
    row->row = written;
    row->row.id = slice_of(row->id);
    row->row.members.p = members;
    row->row.number = w->at + 1;
    row->used = true;
}

/* ---- the answer ---- */

static struct slice
world_at(struct world *w, const char *object, const char *name)
{
    const struct json_token *at = json_member(&w->doc, &w->doc.tokens[0], object);

    at = at && name ? json_member(&w->doc, at, name) : at;
    return at ? json_raw(&w->doc, at) : (struct slice){NULL, 0};
}

static void
world_check_event(struct world *w, size_t i)
{
    static const struct event_limits limits = {1, EVENT_MAX_BYTES};
    struct slice body = outcome_body(&w->outcome, i);
    enum event_type type = w->outcome.events[i].type;
    struct event_error error;

    if (event_batch_parse(&w->batch, body, EVENT_FORMAT_JSON, SLICE("CHANNEL_ID"),
                          &limits, &error) != 0)
        fail_msg("%.*s: %s %s", (int)body.n, body.p, error.pointer, error.reason);
    assert_int_equal(w->batch.events[0].type, type);
    assert_true(slice_is(w->batch.events[0].subscription, w->outcome.after.id));
    assert_ptr_equal(w->batch.events[0].body.p, body.p);
    assert_int_equal(w->batch.events[0].body.n, body.n);
}

/* "topicAdded ["a"] + ["b"]; attributeUpdate {"user_id":"x"}": what the events are and
 * what they show that can change. */
static inline const char *
world_told(struct world *w)
{
    static const char *const shown[][2] = {{"subscription", "topics"},
                                           {"newTopicsIds", NULL},
                                           {"subscription", "customAttributes"},
                                           {"notification", "_id"}};

    buf_reset(&w->told);
    buf_adds(&w->told, "");
    for (size_t i = 0; i < w->outcome.n_events; i++) {
        world_check_event(w, i);
        world_parse(w, outcome_body(&w->outcome, i));
        buf_addf(&w->told, "%s%s", i ? "; " : "",
                 event_type_name(w->outcome.events[i].type));
        for (size_t k = 0; k < ARRAY_LEN(shown); k++) {
            struct slice value = world_at(w, shown[k][0], shown[k][1]);
            bool attributes = w->outcome.events[i].type == EVENT_ATTRIBUTE_UPDATE;
            if (value.p && !(attributes && k == 0))
                buf_addf(&w->told, "%s %.*s", k == 1 ? " +" : "", (int)value.n,
                         value.p);
        }
    }
    return w->told.p;
}

/* The whole way of a request. What it changed is kept, and the events are valid. */
static int
world_ask(struct world *w, const struct ask *ask)
{
    struct change change = world_change(w, ask);
    struct subscription said = {.id = "said"};
    struct change_scene scene = {
        .channel = "CHANNEL_ID",
        .channel_number = WORLD_CHANNEL,
        .feed_guid = slice_of(w->feed_guid),
        .reported_ms = MSEC_NEVER,
        .now_ms = w->now_ms,
        .rng = &w->rng.rng,
    };
    msec_t *reported = NULL;

    memcpy(said.member, change.given, sizeof(said.member));
    w->why = NULL;
    w->at = world_find(w, change.id,
                       change.kind == CHANGE_SYNC ? subscription_token(&said) : 0);
    if (w->at < WORLD_SUBSCRIPTIONS) {
        world_read(w, w->at, &w->before);
        scene.before = &w->before;
        if (change_is_report(change.kind)) {
            reported = world_report(w, &change);
            scene.reported_ms = *reported;
        }
    }
    int rc = change_apply(&w->outcome, &change, &scene, &w->why);
    assert_int_equal(rc == 0, w->why == NULL);
    if (rc != 0) {
        assert_false(w->outcome.write);
        w->outcome.n_events = 0;
        return rc;
    }
    if (w->outcome.report)
        *reported = w->now_ms;
    if (w->at == WORLD_SUBSCRIPTIONS)
        for (w->at = 0; w->at < WORLD_SUBSCRIPTIONS && w->rows[w->at].used;)
            w->at++;
    assert_in_range(w->at, 0, WORLD_SUBSCRIPTIONS - 1);
    assert_true(w->outcome.write || w->rows[w->at].used);
    if (w->outcome.write)
        world_keep(w);
    return 0;
}

/* A member of what the last request was about, as JSON; "-" = it is not known. */
static inline const char *
world_member(struct world *w, enum member member)
{
    struct subscription subscription;
    world_read(w, w->at, &subscription);
    struct slice value = subscription.member[member];
    if (!value.p)
        return "-";
    buf_reset(&w->text);
    assert_int_equal(buf_add(&w->text, value.p, value.n), 0);
    return w->text.p;
}

/* Asks, and compares the result and what is told. */
#define ASK(w, result, want, ...)                                                      \
    do {                                                                               \
        assert_int_equal(world_ask(w, &(struct ask){__VA_ARGS__}), result);            \
        assert_string_equal(world_told(w), want);                                      \
    } while (0)

#define HAS(w, member, want) assert_string_equal(world_member(w, member), want)

#define SYNC(w, want, ...) ASK(w, 0, want, .kind = CHANGE_SYNC, __VA_ARGS__)

/* The id of what the last request was about; valid until it is dropped. */
static inline const char *
world_id(const struct world *w)
{
    return w->rows[w->at].id;
}

static inline const struct subscription *
world_state(struct world *w, size_t at)
{
    world_read(w, at, &w->before);
    return &w->before;
}

/* Puts one there that has this state already. */
static inline void
world_begin_with(struct world *w, const char *members)
{
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .members = members,
        .silent = true);
    w->now_ms += 60000;
}
