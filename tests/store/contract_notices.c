#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#include "contract.h"
#include "store/store_notice.h"

struct notice_list {
    struct store_notices list;
    uint64_t numbers[64];
    char texts[64][32];
    uint32_t tries[64];
    size_t n;
};

static void
each(struct store_notices *list, const struct notice_row *row)
{
    struct notice_list *seen = container_of(list, struct notice_list, list);
    seen->numbers[seen->n] = row->number;
    seen->tries[seen->n] = row->tries;
    snprintf(seen->texts[seen->n++], sizeof(seen->texts[0]), "%.*s/%.*s/%.*s",
             (int)row->channel_id.n, row->channel_id.p, (int)row->text.n, row->text.p,
             (int)row->data.n, row->data.p);
}

static int
list(struct world *world, struct notice_list *seen, uint64_t channel, bool waiting,
     uint64_t before, size_t limit)
{
    seen->n = 0;
    seen->list = (struct store_notices){
        .op.kind = STORE_NOTICES,
        .channel = channel,
        .before = before,
        .waiting = waiting,
        .limit = limit,
        .each = each,
    };
    return world_run(world, &seen->list.op);
}

static struct notice_row
row_of(struct world *world, uint64_t channel, const char *text, msec_t due_ms)
{
    static uint64_t count;
    return (struct notice_row){
        .number = event_key_at(world_now(world)) + ++count,
        .kind = NOTICE_CALL_EXHAUSTED,
        .channel = channel,
        .channel_id = channel ? SLICE("shop") : (struct slice){NULL, 0},
        .webhook = 7,
        .text = slice_of(text),
        .data = SLICE("\"a\":1"),
        .waits = due_ms != MSEC_NEVER,
        .due_ms = due_ms,
    };
}

static uint64_t
put(struct world *world, uint64_t channel, const char *text, msec_t due_ms)
{
    const struct notice_row row = row_of(world, channel, text, due_ms);
    struct store_put_notice op = {.op.kind = STORE_PUT_NOTICE, .row = &row};
    assert_int_equal(world_run(world, &op.op), 0);
    return row.number;
}

/* In as few commits as they fit into. */
static void
put_many(struct world *world, size_t n)
{
    struct notice_row *rows = xcalloc(n, sizeof(*rows));
    struct store_put_notice *ops = xcalloc(n, sizeof(*ops));
    for (size_t i = 0; i < n; i++) {
        rows[i] = row_of(world, 0, "many", MSEC_NEVER);
        ops[i] = (struct store_put_notice){
            .op = {.kind = STORE_PUT_NOTICE, .done = world_done}, .row = &rows[i]};
        world_submit(world, &ops[i].op);
    }
    world_wait(world, n);
    free(ops);
    free(rows);
}

static void
notices_are_listed_newest_first_in_pages_of_all_or_of_a_channel(void **state)
{
    struct world *world = *state;
    struct notice_list seen;
    uint64_t shop = put_channel(world, "shop");
    uint64_t one = put(world, shop, "one", MSEC_NEVER);
    uint64_t two = put(world, 0, "two", MSEC_NEVER);
    uint64_t three = put(world, shop, "three", MSEC_NEVER);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(list(world, &seen, 0, false, UINT64_MAX, 2), 0);
        assert_int_equal(seen.n, 2);
        assert_int_equal(seen.numbers[0], three);
        assert_string_equal(seen.texts[0], "shop/three/\"a\":1");
        assert_string_equal(seen.texts[1], "/two/\"a\":1");
        assert_int_equal(list(world, &seen, 0, false, seen.list.next, 2), 0);
        assert_int_equal(seen.n, 1);
        assert_int_equal(seen.numbers[0], one);
        assert_int_equal(seen.list.next, 0);
        assert_int_equal(list(world, &seen, shop, false, UINT64_MAX, 9), 0);
        assert_int_equal(seen.n, 2);
        assert_int_equal(seen.numbers[1], one);
        world_reopen(world);
    }
    assert_int_equal(list(world, &seen, 99, false, UINT64_MAX, 9), E_NOT_FOUND);
    assert_true(two > one);
}

static void
what_waits_comes_by_due_time_until_it_is_settled(void **state)
{
    struct world *world = *state;
    struct notice_list seen;
    uint64_t late = put(world, 0, "late", world_now(world) + 500);
    uint64_t soon = put(world, 0, "soon", world_now(world));
    put(world, 0, "not", MSEC_NEVER);
    assert_int_equal(list(world, &seen, 0, true, 0, 9), 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.numbers[0], soon);
    assert_int_equal(seen.numbers[1], late);

    struct store_settle_notice settle = {.op.kind = STORE_SETTLE_NOTICE,
                                         .number = soon,
                                         .waits = true,
                                         .tries = 1,
                                         .due_ms = world_now(world) + 1000};
    assert_int_equal(world_run(world, &settle.op), 0);
    world_reopen(world);
    assert_int_equal(list(world, &seen, 0, true, 0, 9), 0);
    assert_int_equal(seen.numbers[1], soon);
    assert_int_equal(seen.tries[1], 1);
    settle.waits = false;
    assert_int_equal(world_run(world, &settle.op), 0);
    settle.number = 12345; /* one that has gone */
    assert_int_equal(world_run(world, &settle.op), 0);
    assert_int_equal(list(world, &seen, 0, true, 0, 9), 0);
    assert_int_equal(seen.n, 1);
}

static void
old_notices_go_when_new_ones_come(void **state)
{
    struct world *world = *state;
    struct notice_list seen;
    put(world, 0, "old", MSEC_NEVER);
    world_advance(world, STORE_NOTICE_MS + 1);
    put(world, 0, "new", MSEC_NEVER);
    assert_int_equal(list(world, &seen, 0, false, UINT64_MAX, 9), 0);
    assert_int_equal(seen.n, 1);
    put_many(world, STORE_NOTICES_MAX + 3);
    size_t n = 0;
    uint64_t before = UINT64_MAX;
    do {
        assert_int_equal(list(world, &seen, 0, false, before, 64), 0);
        before = seen.list.next;
        n += seen.n;
    } while (before);
    assert_int_equal(n, STORE_NOTICES_MAX);
}

static size_t n_backlogs;

static void
backlog(struct store_backlogs *list, uint64_t webhook, uint64_t waiting)
{
    (void)list;
    assert_true(webhook > 0 && waiting == 3);
    n_backlogs++;
}

static void
webhooks_for_which_much_waits_are_found(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[2] = {put_webhook(world, shop), put_webhook(world, shop)};
    append(world, shop, EVENT_CLICK, 3, hooks, 1);
    append(world, shop, EVENT_CLICK, 1, hooks + 1, 1);
    change_webhook(world, shop, hooks[0], DISABLE); /* held ones take room, too */
    struct store_backlogs op = {.op.kind = STORE_BACKLOGS, .least = 3, .each = backlog};
    n_backlogs = 0;
    assert_int_equal(world_run(world, &op.op), 0);
    assert_int_equal(n_backlogs, 1);
}

static const struct CMUnitTest tests[] = {
    TEST(notices_are_listed_newest_first_in_pages_of_all_or_of_a_channel),
    TEST(what_waits_comes_by_due_time_until_it_is_settled),
    TEST(old_notices_go_when_new_ones_come),
    TEST(webhooks_for_which_much_waits_are_found),
};

const struct contract_part contract_notices = {tests, ARRAY_LEN(tests)};
