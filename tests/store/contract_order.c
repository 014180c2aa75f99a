#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "contract.h"

static struct due_list *
due_new(void)
{
    struct due_list *due = xcalloc(1, sizeof(*due));
    due->refuse_at = SIZE_MAX;
    return due;
}

static void
due_calls_come_by_time_and_event_page_by_page(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t first = append(world, shop, EVENT_CLICK, 1000, hooks, 2); /* one ms */
    world_advance(world, 1);
    uint64_t later = append(world, shop, EVENT_CLICK, 10, hooks, 2);
    settle(world, first + 3, hooks[0], 1, CALL_WAITING, START_MS - 50); /* the first */
    settle(world, later, hooks[0], 1, CALL_WAITING, START_MS);          /* among ties */
    world_reopen(world);

    struct due_list *due = due_new();
    struct due_at at = DUE_AT_START, last = DUE_AT_START;
    size_t n = 0, pages = 0;
    do {
        read_due(world, due, hooks[0], at, START_MS, 7);
        assert_true(due->n <= 7);
        for (size_t i = 0; i < due->n; i++) {
            struct due_at here = {due->due_ms[i], due->events[i]};
            assert_true(n == 0 || due_before(last, here));
            assert_true(here.due_ms <= START_MS);
            last = here;
            if (n++ == 0)
                assert_int_equal(here.event, first + 3);
        }
        at = due->due.next;
        assert_true(++pages < 1000);
    } while (at.due_ms <= START_MS);
    assert_int_equal(n, 1001);
    assert_int_equal(last.event, later);
    assert_int_equal(at.due_ms, START_MS + 1); /* not due, but known */
    assert_int_equal(at.event, later + 1);

    read_due(world, due, hooks[0], at, MSEC_NEVER - 1, MANY);
    assert_int_equal(due->n, 9);
    assert_int_equal(due->due.next.due_ms, MSEC_NEVER);
    assert_int_equal(due->due.next.event, UINT64_MAX);
    free(due);
}

static void
a_call_that_is_not_taken_is_the_next(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t first = append(world, shop, EVENT_CLICK, 5, &hook, 1);
    struct due_list *due = due_new();
    due->refuse_at = 2;
    read_due(world, due, hook, DUE_AT_START, START_MS, 10);
    assert_int_equal(due->n, 2);
    assert_int_equal(due->due.next.event, first + 2);
    read_due(world, due, hook, due->due.next, START_MS, 10);
    assert_int_equal(due->n, 2);
    assert_int_equal(due->events[0], first + 2);
    read_due(world, due, hook, DUE_AT_START, START_MS, 0);
    assert_int_equal(due->n, 0);
    assert_int_equal(due->due.next.event, first);
    read_due(world, due, hook + 7, DUE_AT_START, START_MS, 10);
    assert_int_equal(due->n, 0);
    assert_int_equal(due->due.next.due_ms, MSEC_NEVER);
    free(due);
}

/* ---- who learns what when ---- */

static struct {
    char log[200];
    struct world *world;
} story;

static void
tell(const char *what)
{
    size_t n = strlen(story.log);
    snprintf(story.log + n, sizeof(story.log) - n, "%s ", what);
}

static void
told(struct store_op *op)
{
    tell(op->kind == STORE_APPEND ? "appended" : op->kind == STORE_DUE ? "read" : "?");
    pthread_mutex_lock(&story.world->mutex);
    story.world->done++;
    pthread_cond_broadcast(&story.world->changed);
    pthread_mutex_unlock(&story.world->mutex);
}

static bool
tell_due(struct store_due *due, const struct store_due_call *call)
{
    (void)due;
    (void)call;
    tell("call");
    return true;
}

/* An append's call is known by its done. A read of what is due sees at least what was
 * submitted before it, and never shows a call before the done of its append. */
static void
due_calls_are_read_after_the_done_of_their_append(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    static const struct store_event event = {EVENT_CLICK, {"s", 1}, {"{}", 2}};
    struct store_new_call call = {0, hook};
    struct store_append appends[2];
    struct store_due dues[3];

    for (size_t i = 0; i < 3; i++)
        dues[i] = (struct store_due){
            .op = {.kind = STORE_DUE, .done = told},
            .webhook = hook,
            .from = DUE_AT_START,
            .until_ms = MSEC_NEVER - 1,
            .each = tell_due,
            .max_calls = 10,
        };
    for (size_t i = 0; i < 2; i++)
        appends[i] = (struct store_append){
            .op = {.kind = STORE_APPEND, .done = told},
            .channel = shop,
            .config = world->config,
            .events = &event,
            .n_events = 1,
            .calls = &call,
            .n_calls = 1,
        };
    story.log[0] = '\0';
    story.world = world;
    store_submit(world->store, &dues[0].op);
    store_submit(world->store, &appends[0].op);
    store_submit(world->store, &dues[1].op);
    store_submit(world->store, &appends[1].op);
    store_submit(world->store, &dues[2].op);
    world_wait(world, 5);

    size_t appended = 0, shown = 0, reads = 0, least = 0;
    for (char *at = story.log, *word; (word = strsep(&at, " ")) && *word;) {
        if (strcmp(word, "appended") == 0) {
            appended++;
        } else if (strcmp(word, "call") == 0) {
            shown++;
            assert_true(shown <= appended);
        } else {
            assert_true(shown >= least); /* as many as were submitted before it */
            least++;
            shown = 0;
            reads++;
        }
    }
    assert_int_equal(appended, 2);
    assert_int_equal(reads, 3);
}

static void
a_read_sees_every_write_submitted_before_it(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    uint64_t key = append(world, shop, EVENT_CLICK, 1, &hook, 1);
    struct store_result result = result_of(key, hook, 1, CALL_FAILED, 0);
    struct store_settle late = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    struct store_counts counts = {.op.kind = STORE_COUNTS};
    struct call_list *list = xcalloc(1, sizeof(*list));
    calls_of(list, shop);
    world_submit(world, &late.op);
    world_submit(world, &counts.op);
    world_submit(world, &list->list.op);
    world_wait(world, 3);
    assert_int_equal(counts.calls[CALL_FAILED], 1);
    assert_int_equal(list->n, 1);
    assert_int_equal(list->calls[0].record.state, CALL_FAILED);
    assert_int_equal(world->store->backend->depth(world->store), 0);
    free(list);
}

static void
what_is_submitted_after_the_stop_is_refused(void **state)
{
    struct world *world = *state;
    struct store_counts before = {.op.kind = STORE_COUNTS};
    struct store_counts after = {.op.kind = STORE_COUNTS};
    world_submit(world, &before.op);
    world->store->backend->stop(world->store);
    world_submit(world, &after.op);
    assert_int_equal(world->done, 2);
    assert_int_equal(before.op.result, 0);
    assert_int_equal(after.op.result, E_CLOSED);
}

static const struct CMUnitTest tests[] = {
    TEST(due_calls_come_by_time_and_event_page_by_page),
    TEST(a_call_that_is_not_taken_is_the_next),
    TEST(due_calls_are_read_after_the_done_of_their_append),
    TEST(a_read_sees_every_write_submitted_before_it),
    TEST(what_is_submitted_after_the_stop_is_refused),
};

const struct contract_part contract_order = {tests, ARRAY_LEN(tests)};
