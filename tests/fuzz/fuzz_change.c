/* What devices and customers say of a subscription: whatever is taken is canonical, is
 * stored and read back the same, and makes events that are events. A line is a request:
 * its first character says what kind, the rest is its body. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/locale.h"
#include "core/change.h"
#include "fuzz.h"

#define CHANNEL   "CHANNEL_ID"
#define TEXT_ROOM ((size_t)1 << 20)

struct world {
    struct json_doc doc, row_doc;
    struct buf text;
    struct buf members[2]; /* what is stored, and what will be */
    unsigned spare;
    struct outcome outcome;
    struct subscription now;
    struct subscription_row row;
    struct rng_seeded rng;
    bool known;
    msec_t now_ms;
};

static const enum change_kind kinds[] = {
    CHANGE_SYNC,           CHANGE_EDIT,           CHANGE_REPLACE,
    CHANGE_OPT_OUT,        CHANGE_TOPIC_ADD,      CHANGE_TOPIC_REMOVE,
    CHANGE_TAG_ADD,        CHANGE_TAG_REMOVE,     CHANGE_ATTRIBUTE_SET,
    CHANGE_ATTRIBUTE_PUSH, CHANGE_ATTRIBUTE_PULL, CHANGE_ATTRIBUTE_CLEAR,
    CHANGE_DELIVERED,      CHANGE_CLICKED};

/* Canonical text read again is the same text. */
static void
check_canonical(enum member member, struct slice canonical)
{
    struct json_doc doc;
    struct json_error error;
    struct buf again;
    const char *reason = NULL;

    json_init(&doc);
    buf_init(&again, TEXT_ROOM);
    int rc = json_parse(&doc, canonical.p, canonical.n, &error);
    assert(rc == 0);
    enum member_given given =
        member_canonical(member, &doc, &doc.tokens[0], &again, &reason);
    assert(given == MEMBER_GIVEN && slice_eq(buf_slice(&again), canonical));
    buf_fini(&again);
    json_fini(&doc);
}

static bool
read_given(struct world *world, struct change *change, const struct json_token *root)
{
    struct buf *text = &world->text;
    const struct json_token *key = json_first(&world->doc, root);

    while (key) {
        const struct json_token *value = json_after(&world->doc, root, key);
        const char *reason = NULL;
        enum member member;
        if (member_find(json_string_raw(&world->doc, key), &member)) {
            size_t at = text->n;
            switch (member_canonical(member, &world->doc, value, text, &reason)) {
            case MEMBER_GIVEN:
                change->given[member] = (struct slice){text->p + at, text->n - at};
                check_canonical(member, change->given[member]);
                break;
            case MEMBER_REFUSED:
                assert(reason && *reason);
                return false;
            case MEMBER_LEFT:
                break;
            case MEMBER_NO_MEMORY:
                return false;
            }
        }
        key = json_after(&world->doc, root, value);
    }
    return true;
}

static struct slice
id_of(struct world *world, const struct json_token *root, const char *name)
{
    const struct json_token *value = json_member(&world->doc, root, name);
    if (!value || value->type != JSON_STRING || value->escaped ||
        !id_valid(json_string_raw(&world->doc, value)))
        return SLICE("some-id");
    return json_string_raw(&world->doc, value);
}

static bool
read_change(struct world *world, struct change *change, struct slice body)
{
    struct json_error error;
    const char *reason = NULL;

    if (json_parse(&world->doc, body.p, body.n, &error) != 0 ||
        world->doc.tokens[0].type != JSON_OBJECT ||
        !read_given(world, change, &world->doc.tokens[0]))
        return false;
    const struct json_token *root = &world->doc.tokens[0];
    const struct json_token *value = json_member(&world->doc, root, "value");
    change->id = SLICE("subscription-1");
    change->item = id_of(world, root, "item");
    change->notification = id_of(world, root, "notification");
    change->value = SLICE("\"v\"");
    size_t at = world->text.n;
    if (value && value->type != JSON_ARRAY &&
        attribute_canonical(&world->doc, value, &world->text, &reason) == MEMBER_GIVEN)
        change->value = (struct slice){world->text.p + at, world->text.n - at};
    return true;
}

static void
check_events(const struct outcome *outcome)
{
    const struct event_limits limits = {1, EVENT_MAX_BYTES};
    struct event_batch batch;
    struct event_error error;

    event_batch_init(&batch);
    for (size_t i = 0; i < outcome->n_events; i++) {
        int rc = event_batch_parse(&batch, outcome_body(outcome, i), EVENT_FORMAT_JSON,
                                   SLICE(CHANNEL), &limits, &error);
        assert(rc == 0 && batch.events[0].type == outcome->events[i].type);
        assert(slice_is(batch.events[0].subscription, outcome->after.id));
    }
    event_batch_fini(&batch);
}

/* As the store keeps it, and reads it again. */
static void
store(struct world *world)
{
    struct subscription read;

    struct buf *members = &world->members[world->spare];
    world->spare = !world->spare;
    int rc = subscription_write(&world->row, members, &world->outcome.after);
    assert(rc == 0);
    bool ok = subscription_read(&read, &world->row_doc, &world->row);
    assert(ok);
    for (unsigned i = 0; i < MEMBERS; i++)
        assert(slice_eq(read.member[i], world->outcome.after.member[i]));
    world->row.number = 1;
    memcpy(world->now.id, read.id, sizeof(read.id));
    world->row.id = slice_of(world->now.id);
    world->known = true;
}

static void
apply(struct world *world, const struct change *change)
{
    const char *why = NULL;
    struct subscription before;
    struct change_scene scene = {
        .channel = CHANNEL,
        .channel_number = 1,
        .reported_ms = MSEC_NEVER,
        .now_ms = world->now_ms += 1000,
        .rng = &world->rng.rng,
    };
    if (world->known) {
        bool ok = subscription_read(&before, &world->row_doc, &world->row);
        assert(ok);
        scene.before = &before;
    }
    int rc = change_apply(&world->outcome, change, &scene, &why);
    if (rc != 0) {
        assert((rc == E_NOT_FOUND || rc == E_TOO_LARGE) && why);
        return;
    }
    check_events(&world->outcome);
    if (world->outcome.write)
        store(world);
}

static size_t
given_bytes(const struct change *change)
{
    size_t n = 0;
    for (unsigned i = 0; i < MEMBERS; i++)
        n += change->given[i].n;
    return n;
}

static void
request(struct world *world, struct slice line)
{
    struct change change = {0};

    if (line.n < 2)
        return;
    change.kind = kinds[(unsigned char)line.p[0] % ARRAY_LEN(kinds)];
    buf_reset(&world->text);
    if (read_change(world, &change, (struct slice){line.p + 1, line.n - 1}) &&
        given_bytes(&change) <= CHANGE_GIVEN_MAX)
        apply(world, &change);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice text = {n > 0 ? (const char *)bytes : "", n};
    struct world *world = calloc(1, sizeof(*world));
    char language[LOCALE_LANGUAGE + 1];

    assert(world);
    if (locale_from_accept_language(text, language))
        assert(strlen(language) >= 2 && strlen(language) <= LOCALE_LANGUAGE);
    json_init(&world->doc);
    json_init(&world->row_doc);
    buf_init(&world->text, TEXT_ROOM);
    for (size_t i = 0; i < 2; i++)
        buf_init(&world->members[i], SUBSCRIPTION_ROOM_MAX);
    outcome_init(&world->outcome);
    rng_seeded_init(&world->rng, 1);
    world->now_ms = INT64_C(1709546000000);
    if (buf_reserve(&world->text, n * 6 + 4096) == 0)
        for (size_t at = 0; at < text.n;) {
            const char *newline = memchr(text.p + at, '\n', text.n - at);
            size_t end = newline ? (size_t)(newline - text.p) : text.n;
            request(world, (struct slice){text.p + at, end - at});
            at = end + 1;
        }
    json_fini(&world->doc);
    json_fini(&world->row_doc);
    buf_fini(&world->text);
    for (size_t i = 0; i < 2; i++)
        buf_fini(&world->members[i]);
    outcome_fini(&world->outcome);
    free(world);
    return 0;
}
