/* How the log is copied into the database: in time, so that it stays small whatever is
 * read meanwhile; and what follows when the database's file has no room for it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/sqlite_private.h"
#include "world_registry.h"

#define MIB      ((uint64_t)1 << 20)
#define RESERVE  (8 * MIB)
#define BIG_BODY 20000
/* More pages than an idle store leaves in its log. */
#define MANY_EVENTS 300

/* As docs/store.md says. */
#define LOG_MAX (24 * MIB)

static uint64_t
file_bytes(struct world *world, const char *name)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", world->dir, name);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Events of 20 kB, so many in one operation, which is the caller's to run once. */
struct load {
    struct store_append append;
    struct store_event events[MANY_EVENTS];
    struct store_new_call calls[MANY_EVENTS];
};

static void
load_init(struct load *load, struct world *world, uint64_t channel, uint64_t hook,
          size_t n)
{
    static char body[BIG_BODY];
    memset(body, 'x', sizeof(body));
    for (unsigned i = 0; i < n; i++) {
        load->events[i] =
            (struct store_event){EVENT_CLICK, SLICE("s"), {body, sizeof(body)}};
        load->calls[i] = (struct store_new_call){i, hook};
    }
    load->append = (struct store_append){
        .op.kind = STORE_APPEND,
        .channel = channel,
        .config = world->config,
        .events = load->events,
        .n_events = n,
        .calls = load->calls,
        .n_calls = n,
    };
}

static int
try_events(struct world *world, uint64_t channel, uint64_t hook, size_t n,
           uint64_t *first)
{
    struct load *load = xcalloc(1, sizeof(*load));
    load_init(load, world, channel, hook, n);
    int rc = world_run(world, &load->append.op);
    if (rc == 0)
        *first = load->append.first_key;
    free(load);
    return rc;
}

static int
try_settle(struct world *world, uint64_t key, uint64_t hook)
{
    struct store_result result = result_of(key, hook, 1, CALL_SUCCEEDED, 0);
    struct store_settle settle = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    return world_run(world, &settle.op);
}

/* Until the store's thread has been there once more. */
static void
take_a_turn(struct world *world)
{
    struct store_counts counts = {.op.kind = STORE_COUNTS};
    assert_int_equal(world_run(world, &counts.op), 0);
}

/* ---- how large the log becomes ---- */

/* Somebody who reads all the time: pages of a list of subscriptions, one after the
 * other, and a copy of everything. */
struct reader {
    struct world *world;
    struct store_subscriptions list;
    struct store_backup copy;
    atomic_size_t pages;
    atomic_bool enough, listed, copied;
};

static bool
read_row(struct store_subscriptions *list, const struct subscription_row *row)
{
    (void)list;
    (void)row;
    return true;
}

static void
page_read(struct store_op *op)
{
    struct reader *reader = container_of(op, struct reader, list.op);
    atomic_fetch_add(&reader->pages, 1);
    if (op->result != 0 || atomic_load(&reader->enough)) {
        atomic_store(&reader->listed, true);
        return;
    }
    reader->list.after = reader->list.next; /* 0: from the first again */
    store_submit(reader->world->store, op);
}

static void
copy_made(struct store_op *op)
{
    atomic_store(&container_of(op, struct reader, copy.op)->copied, true);
}

static void
reader_start(struct reader *reader, struct world *world, uint64_t channel)
{
    *reader = (struct reader){
        .world = world,
        .list = {.op = {.kind = STORE_SUBSCRIPTIONS, .done = page_read},
                 .channel = channel,
                 .max_rows = 10,
                 .each = read_row},
        .copy.op = {.kind = STORE_BACKUP, .done = copy_made},
    };
    store_submit(world->store, &reader->list.op);
    store_submit(world->store, &reader->copy.op);
}

static void
reader_end(struct reader *reader)
{
    atomic_store(&reader->enough, true);
    while (!atomic_load(&reader->listed) || !atomic_load(&reader->copied)) {
        world_advance(reader->world, 1000); /* whatever they rest for is over */
        take_a_turn(reader->world);
    }
    assert_int_equal(reader->list.op.result, 0);
    assert_int_equal(reader->copy.op.result, 0);
    close(reader->copy.fd);
}

/* 64 MiB of events, of which a quarter is there at once, a megabyte in each operation;
 * every group changes pages of the copy that is being made. The file does not shrink
 * below what this is about, so its size is the largest that it had. */
static uint64_t
largest_log(struct world *world, uint64_t channel, uint64_t hook)
{
    enum { QUEUED = 16, EACH = 1048576 / BIG_BODY };
    struct load *loads = xcalloc(QUEUED, sizeof(*loads));
    for (int i = 0; i < 4; i++) {
        struct hold hold;
        hold_submit(world, &hold);
        hold_wait(&hold);
        for (size_t j = 0; j < QUEUED; j++) {
            load_init(&loads[j], world, channel, hook, EACH);
            world_submit(world, &loads[j].append.op);
        }
        hold_release(&hold);
        world_wait(world, QUEUED);
        for (size_t j = 0; j < QUEUED; j++) {
            assert_int_equal(loads[j].append.op.result, 0);
            assert_int_equal(try_settle(world, loads[j].append.first_key, hook), 0);
            world_advance(world, 100);
        }
    }
    free(loads);
    return file_bytes(world, "pushwire.db-wal");
}

static void
the_log_stays_small_while_lists_and_a_copy_are_read(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct reader reader;
    char id[16];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(id, sizeof(id), "s%u", i);
        put_subscription(world, shop, id, i, false);
    }
    reader_start(&reader, world, shop);
    uint64_t largest = largest_log(world, shop, hook);
    reader_end(&reader);
    assert_true(atomic_load(&reader.pages) > 20);
    assert_in_range(largest, 12 * MIB, LOG_MAX);
}

/* The measure itself: what happens when nothing is copied. */
static void
a_log_that_cannot_be_copied_grows_beyond_that(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    faulty_vfs_die(FAULT_FULL, FAULT_ON_DATABASE, 1);
    assert_true(largest_log(world, shop, hook) > LOG_MAX);
    assert_true(faulty_vfs_failures() > 0);
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
    check_rows(world);
}

/* A reader of the store's own that is left open holds the log, and with it what is
 * read: it is found at the next checkpoint, not when the disk is full. */
static void
a_snapshot_that_is_left_open_is_noticed_at_the_next_checkpoint(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop), key;
    struct hold hold;
    sqlite3_stmt *stmt;
    hold_submit(world, &hold);
    hold_wait(&hold); /* the store's thread stands still */
    assert_int_equal(sqlite3_prepare_v2(sqlite_of(world->store)->db,
                                        "SELECT 1 FROM sqlite_schema", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    hold_release(&hold);
    int rc = 0;
    for (int i = 0; i < 64 && rc == 0; i++)
        rc = try_events(world, shop, hook, 50, &key);
    assert_int_equal(rc, E_IO);
    assert_int_equal(world->broken, 1);
    assert_true(file_bytes(world, "pushwire.db-wal") <= LOG_MAX);
    sqlite3_finalize(stmt);
}

/* ---- a full disk, just then ---- */

static void
a_disk_that_is_full_at_a_checkpoint_loses_nothing_and_is_copied_later(void **state)
{
    (void)state;
    struct world *world = world_new(&world_sqlite);
    world->reserve_bytes = RESERVE;
    world->free_bytes = 100 * MIB;
    world_open(world);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop),
             first = 0, key;
    uint64_t before = file_bytes(world, "pushwire.db");

    world->free_bytes = RESERVE / 2; /* another program takes the rest */
    faulty_vfs_die(FAULT_FULL, FAULT_ON_DATABASE, 1);
    assert_int_equal(try_events(world, shop, hook, MANY_EVENTS, &first), 0);
    world_await_room(world, DISK_FULL);
    assert_int_equal(faulty_vfs_failures(), 1);
    assert_int_equal(try_events(world, shop, hook, 1, &key), E_FULL);
    assert_int_equal(try_settle(world, first, hook), 0);
    assert_int_equal(file_bytes(world, "pushwire.db"), before);

    world_reopen(
        world); /* it starts on the full disk, with all that it has in the log */
    assert_int_equal(state_of(world, shop, first, hook), CALL_SUCCEEDED);
    for (uint64_t i = 1; i < MANY_EVENTS; i++)
        assert_int_equal(state_of(world, shop, first + i, hook), CALL_WAITING);
    assert_int_equal(world->broken, 0);

    faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
    world->free_bytes = 100 * MIB;
    world_advance(world, 2000);
    world_await_room(world, DISK_ROOM); /* by itself */
    assert_int_equal(try_events(world, shop, hook, MANY_EVENTS, &key), 0);
    while (file_bytes(world, "pushwire.db") < before + MANY_EVENTS * BIG_BODY)
        take_a_turn(world);
    check_rows(world);
    world_free(world);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_log_stays_small_while_lists_and_a_copy_are_read),
        TEST(a_log_that_cannot_be_copied_grows_beyond_that),
        TEST(a_snapshot_that_is_left_open_is_noticed_at_the_next_checkpoint),
        cmocka_unit_test(
            a_disk_that_is_full_at_a_checkpoint_loses_nothing_and_is_copied_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
