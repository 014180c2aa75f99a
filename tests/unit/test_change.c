#include "change_world.h"

/* ---- limits ---- */

/* {"topics":["t0000", …]} of `n`, or the tags. */
static const char *
numbered(struct world *w, const char *name, size_t n)
{
    buf_reset(&w->members);
    buf_addf(&w->members, "{\"%s\":[", name);
    for (size_t i = 0; i < n; i++)
        buf_addf(&w->members, "%s\"t%04zu\"", i ? "," : "", i);
    assert_int_equal(buf_adds(&w->members, "]}"), 0);
    return w->members.p;
}

static void
there_are_at_most_500_topics_and_500_tags(void **state)
{
    static const struct {
        const char *name, *why;
        enum change_kind add, remove;
    } rows[] = {
        {"topics", "a subscription may have at most 500 topics", CHANGE_TOPIC_ADD,
         CHANGE_TOPIC_REMOVE},
        {"tags", "a subscription may have at most 500 tags", CHANGE_TAG_ADD,
         CHANGE_TAG_REMOVE},
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ask add = {.kind = rows[i].add, .id = "one"};
        world_begin_with(w, numbered(w, rows[i].name, 499));
        add.item = "t0499";
        assert_int_equal(world_ask(w, &add), 0);
        add.item = "t0500";
        assert_int_equal(world_ask(w, &add), E_TOO_LARGE);
        assert_string_equal(w->why, rows[i].why);
        add.item = "t0000"; /* is there already */
        assert_int_equal(world_ask(w, &add), 0);
        struct ask remove = {.kind = rows[i].remove, .id = "one", .item = "t0100"};
        assert_int_equal(world_ask(w, &remove), 0);
        add.item = "t0500";
        assert_int_equal(world_ask(w, &add), 0);
        world_drop(w, w->at);
    }
}

static void
there_are_at_most_200_attributes(void **state)
{
    struct world *w = *state;
    const char *why = "a subscription may have at most 200 attributes";
    struct buf members;

    buf_init(&members, 10000);
    for (int i = 0; i < 199; i++)
        buf_addf(&members, "%s\"a%d\":1", i ? "," : "{\"customAttributes\":{", i);
    buf_adds(&members, "}}");
    world_begin_with(w, members.p);
    buf_fini(&members);

    assert_int_equal(world_ask(w, &(struct ask){.kind = CHANGE_ATTRIBUTE_SET,
                                                .id = "one",
                                                .item = "x",
                                                .value = "1"}),
                     0);
    static const struct ask more[] = {
        {.kind = CHANGE_ATTRIBUTE_SET, .item = "y", .value = "1"},
        {.kind = CHANGE_ATTRIBUTE_PUSH, .item = "y", .value = "1"},
        {.kind = CHANGE_SYNC, .members = "{\"customAttributes\":{\"y\":1}}"},
        {.kind = CHANGE_EDIT, .members = "{\"customAttributes\":{\"y\":1}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        struct ask ask = more[i];
        ask.id = "one";
        assert_int_equal(world_ask(w, &ask), E_TOO_LARGE);
        assert_string_equal(w->why, why);
    }
    /* Others, in place of others. */
    assert_int_equal(world_ask(w, &(struct ask){.kind = CHANGE_ATTRIBUTE_SET,
                                                .id = "one",
                                                .item = "x",
                                                .value = "2"}),
                     0);
    assert_int_equal(world_ask(w, &(struct ask){.kind = CHANGE_EDIT,
                                                .id = "one",
                                                .members = "{\"customAttributes\":"
                                                           "{\"y\":1}}",
                                                .cleared = {"x"}}),
                     0);
}

/* Attributes of `n` bytes of JSON, as few as there can be. */
static void
fill(struct buf *out, size_t n, char filling)
{
    size_t end = out->n + n;

    buf_addc(out, '{');
    for (int i = 0; out->n < end - 1; i++) {
        buf_addf(out, "%s\"a%02d\":\"", i ? "," : "", i);
        size_t text = end - 2 - out->n; /* the quote and the brace behind it */
        if (text + 2 > ATTRIBUTE_VALUE_MAX)
            text = 16000; /* and leave enough for another one */
        assert_int_equal(buf_reserve(out, text), 0);
        memset(out->p + out->n, filling, text);
        out->n += text;
        buf_addc(out, '"');
    }
    assert_int_equal(buf_addc(out, '}'), 0);
    assert_int_equal(out->n, end);
}

static const char *
filled(struct buf *out, size_t n, char filling)
{
    buf_reset(out);
    buf_adds(out, "{\"customAttributes\":");
    fill(out, n, filling);
    assert_int_equal(buf_adds(out, "}"), 0);
    return out->p;
}

static void
a_subscription_holds_at_most_96_kib(void **state)
{
    static const enum change_kind kinds[] = {CHANGE_SYNC, CHANGE_EDIT};
    struct world *w = *state;
    size_t most = SUBSCRIPTION_BYTES_MAX - 2; /* the topics' brackets */
    struct buf members;

    buf_init(&members, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        world_begin_with(w, "{}");
        assert_int_equal(
            world_ask(w, &(struct ask){.kind = kinds[i],
                                       .id = "one",
                                       .members = filled(&members, most + 1, 'x')}),
            E_TOO_LARGE);
        assert_string_equal(w->why, "a subscription may hold at most 96 KiB");
        assert_int_equal(
            world_ask(w, &(struct ask){.kind = kinds[i],
                                       .id = "one",
                                       .members = filled(&members, most, 'x')}),
            0);
        assert_int_equal(w->outcome.n_events, 1);
        assert_int_equal(
            world_ask(w,
                      &(struct ask){.kind = CHANGE_TAG_ADD, .id = "one", .item = "g"}),
            E_TOO_LARGE);
        assert_string_equal(w->why, "a subscription may hold at most 96 KiB");
        world_drop(w, w->at);
    }
    buf_fini(&members);
}

static void
a_full_subscription_is_still_heard(void **state)
{
    struct world *w = *state;
    struct buf members;

    buf_init(&members, 1 << 20);
    world_begin_with(w, filled(&members, SUBSCRIPTION_BYTES_MAX - 2, 'x'));
    buf_fini(&members);
    SYNC(w, "", .id = "one", .members = "{}");
    ASK(w, 0, "delivery \"n\"", .kind = CHANGE_DELIVERED, .id = "one",
        .notification = "n");
    ASK(w, 0, "click \"n\"", .kind = CHANGE_CLICKED, .id = "one", .notification = "n");
    w->now_ms += 1000;
    SYNC(w, "", .id = "one", .members = "{}");
    ASK(w, 0, "optOut []", .kind = CHANGE_OPT_OUT, .id = "one");
}

/* Whoever hands it in bounds it, so that it fits with the secrets that stay. */
static void
a_replacement_is_never_refused(void **state)
{
    struct world *w = *state;
    struct buf members;

    buf_init(&members, 1 << 20);
    buf_adds(&members, "{\"region\":\"r\"");
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (!member_is_secret((enum member)i))
            continue;
        bool key = i == MEMBER_PUBLIC_KEY || i == MEMBER_AUTH_SECRET;
        buf_addf(&members, ",\"%s\":\"%0*d\"", member_name((enum member)i),
                 key ? 1024 : 4096, 7);
    }
    assert_int_equal(buf_adds(&members, "}"), 0);
    world_begin_with(w, members.p);
    ASK(w, 0, "", .kind = CHANGE_REPLACE, .id = "one", .silent = true,
        .members = filled(&members, CHANGE_GIVEN_MAX, 'x'));
    buf_fini(&members);
    assert_int_equal(strlen(world_member(w, MEMBER_ATTRIBUTES)), CHANGE_GIVEN_MAX);
    assert_int_equal(strlen(world_member(w, MEMBER_ENDPOINT)), 4098);
    HAS(w, MEMBER_REGION, "-");
    SYNC(w, "", .id = "one");
}

/* Escapes make more of a request than its bytes. */
static void
far_too_much_is_refused_too(void **state)
{
    static const enum change_kind kinds[] = {CHANGE_SYNC, CHANGE_EDIT};
    struct world *w = *state;
    struct buf members;

    buf_init(&members, 1 << 20);
    for (size_t n = 100000; n <= 900000; n += 50001) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
            world_begin_with(w, "{\"customAttributes\":{\"old\":\"x\"}}");
            assert_int_equal(
                world_ask(w, &(struct ask){.kind = kinds[i],
                                           .id = "one",
                                           .members = filled(&members, n, 'y')}),
                E_TOO_LARGE);
            HAS(w, MEMBER_ATTRIBUTES, "{\"old\":\"x\"}");
        }
    }
    buf_fini(&members);
}

/* Wherever the room ends that there is to put attributes together: in a name too. */
static void
far_too_much_is_refused_wherever_it_ends(void **state)
{
    struct world *w = *state;
    size_t room = SUBSCRIPTION_ROOM_MAX;
    struct buf members;

    buf_init(&members, 1 << 20);
    world_begin_with(w, "{}");
    for (size_t before_end = 0; before_end < ID_MAX + 20; before_end++) {
        filled(&members, room - before_end + 1, 'z');
        members.n -= 2; /* the braces */
        buf_addf(&members, ",\"%0*d\":\"v\",\"last\":1}}", ID_MAX, 7);
        assert_int_equal(members.failed, 0);
        assert_int_equal(world_ask(w, &(struct ask){.kind = CHANGE_EDIT,
                                                    .id = "one",
                                                    .members = members.p}),
                         E_TOO_LARGE);
        assert_string_equal(w->why, "a subscription may hold at most 96 KiB");
        HAS(w, MEMBER_ATTRIBUTES, "-");
    }
    buf_fini(&members);
}

static void
an_array_that_is_pushed_to_has_an_attributes_limits(void **state)
{
    struct world *w = *state;
    struct ask push = {.kind = CHANGE_ATTRIBUTE_PUSH, .id = "one", .item = "a"};
    char value[300];

    world_begin_with(w, "{}");
    for (int i = 0; i < 500; i++) {
        snprintf(value, sizeof(value), "%d", i);
        push.value = value;
        assert_int_equal(world_ask(w, &push), 0);
    }
    push.value = "500";
    assert_int_equal(world_ask(w, &push), E_TOO_LARGE);
    assert_string_equal(w->why, "an attribute may have at most 500 elements");
    push.value = "499"; /* is there already */
    assert_int_equal(world_ask(w, &push), 0);

    /* 63 × (256 bytes and a comma) and a bracket, as JSON; then what is left of 16 KiB.
     */
    push.item = "b";
    for (int i = 0; i < 63; i++) {
        snprintf(value, sizeof(value), "\"%0254d\"", i);
        push.value = value;
        assert_int_equal(world_ask(w, &push), 0);
    }
    snprintf(value, sizeof(value), "\"%0*d\"", 16384 - 63 * 257 - 1 - 3 + 1, 1);
    assert_int_equal(world_ask(w, &push), E_TOO_LARGE);
    assert_string_equal(w->why, "an attribute may have at most 16 KiB");
    snprintf(value, sizeof(value), "\"%0*d\"", 16384 - 63 * 257 - 1 - 3, 1);
    assert_int_equal(world_ask(w, &push), 0);
    struct subscription subscription;
    world_read(w, w->at, &subscription);
    assert_int_equal(attribute_of(subscription.member[MEMBER_ATTRIBUTES], SLICE("b")).n,
                     16384);
}

/* ---- memory ---- */

/* Grants `left` requests for memory. */
struct failing {
    struct mem mem;
    size_t left;
    bool refused;
};

static void *
failing_resize(struct mem *mem, void *old, size_t old_size, size_t new_size)
{
    struct failing *failing = container_of(mem, struct failing, mem);

    failing->refused = failing->refused || (new_size && failing->left == 0);
    if (new_size && failing->left == 0)
        return NULL;
    failing->left -= new_size != 0;
    return mem_heap.resize(&mem_heap, old, old_size, new_size);
}

/* With memory for a part of it, a request fails as a whole. */
static void
no_memory_changes_nothing(void **state)
{
    static const struct ask asks[] = {
        {.kind = CHANGE_SYNC,
         .members = "{\"platformName\":\"iOS\",\"topics\":[\"t\",\"u\"],"
                    "\"customAttributes\":{\"b\":2,\"c\":3}}",
         .language = "en",
         .country = "US"},
        {.kind = CHANGE_EDIT,
         .members = "{\"topics\":[\"u\"],\"customAttributes\":{\"b\":2}}",
         .cleared = {"a"}},
        {.kind = CHANGE_REPLACE, .members = "{\"topics\":[\"u\"]}"},
        {.kind = CHANGE_OPT_OUT},
        {.kind = CHANGE_TOPIC_ADD, .item = "u"},
        {.kind = CHANGE_TOPIC_REMOVE, .item = "t"},
        {.kind = CHANGE_TAG_ADD, .item = "h"},
        {.kind = CHANGE_TAG_REMOVE, .item = "g"},
        {.kind = CHANGE_ATTRIBUTE_SET, .item = "a", .value = "2"},
        {.kind = CHANGE_ATTRIBUTE_PUSH, .item = "a", .value = "2"},
        {.kind = CHANGE_ATTRIBUTE_PULL, .item = "b", .value = "1"},
        {.kind = CHANGE_ATTRIBUTE_CLEAR, .item = "a"},
        {.kind = CHANGE_DELIVERED, .notification = "n"},
        {.kind = CHANGE_CLICKED, .notification = "n"},
    };
    struct world *w = *state;

    world_begin_with(w, "{\"topics\":[\"t\"],\"tags\":[\"g\"],"
                        "\"customAttributes\":{\"a\":1,\"b\":[1,2]}}");
    world_read(w, w->at, &w->before);
    for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
        struct change change = world_change(w, &asks[i]);
        const struct change_scene scene = {
            .channel = "CHANNEL_ID",
            .channel_number = WORLD_CHANNEL,
            .before = &w->before,
            .reported_ms = MSEC_NEVER,
            .now_ms = w->now_ms,
            .rng = &w->rng.rng,
        };
        struct failing failing = {.mem.resize = failing_resize};
        int rc = E_NO_MEMORY;
        for (size_t granted = 0; rc != 0; granted++) {
            struct outcome outcome;
            outcome_init(&outcome);
            struct buf *const bufs[] = {&outcome.bodies,        &outcome.topics,
                                        &outcome.added,         &outcome.tags,
                                        &outcome.dates,         &outcome.attributes[0],
                                        &outcome.attributes[1], &outcome.language,
                                        &outcome.country,       &outcome.version};
            for (size_t k = 0; k < ARRAY_LEN(bufs); k++)
                bufs[k]->mem = &failing.mem;
            failing.left = granted;
            failing.refused = false;
            rc = change_apply(&outcome, &change, &scene, &w->why);
            assert_int_equal(rc, failing.refused ? E_NO_MEMORY : 0);
            assert_true(rc == 0 || !outcome.write);
            assert_in_range(granted, 0, 50);
            outcome_fini(&outcome);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_are_at_most_500_topics_and_500_tags),
        TEST(there_are_at_most_200_attributes),
        TEST(a_subscription_holds_at_most_96_kib),
        TEST(a_full_subscription_is_still_heard),
        TEST(a_replacement_is_never_refused),
        TEST(far_too_much_is_refused_too),
        TEST(far_too_much_is_refused_wherever_it_ends),
        TEST(an_array_that_is_pushed_to_has_an_attributes_limits),
        TEST(no_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
