/* A disk with little room, or none: what is new is refused, what is under way is
 * recorded, and it ends by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "faulty_vfs.h"
#include "sqlite_world.h"

#define MIB      ((uint64_t)1 << 20)
#define RESERVE  (8 * MIB)
#define BALLAST  (RESERVE / 4)
#define LOOK_MS  100
#define BIG_BODY 20000

static struct world *
watched_world(uint64_t reserve, uint64_t max)
{
    struct world *world = world_new(&world_sqlite);
    world->reserve_bytes = reserve;
    world->max_bytes = max;
    world->free_bytes = 100 * MIB;
    world_open(world);
    return world;
}

/* The store looks again from then on. */
static void
set_free(struct world *world, uint64_t bytes)
{
    world->free_bytes = bytes;
    world_advance(world, LOOK_MS);
}

static int
try_event(struct world *world, uint64_t channel, uint64_t hook, const char *idempotency,
          uint64_t *key)
{
    static char body[BIG_BODY];
    memset(body, 'x', sizeof(body));
    struct store_event event = {EVENT_CLICK, SLICE("s"), {body, sizeof(body)}};
    struct store_new_call call = {0, hook};
    struct store_append append = {
        .op.kind = STORE_APPEND,
        .channel = channel,
        .config = world->config,
        .events = &event,
        .n_events = 1,
        .calls = &call,
        .n_calls = 1,
        .idempotency_key = {idempotency, idempotency ? strlen(idempotency) : 0},
    };
    int rc = world_run(world, &append.op);
    if (rc == 0 && key)
        *key = append.first_key;
    return rc;
}

static int
try_settle(struct world *world, uint64_t key, uint64_t hook)
{
    struct store_result result = result_of(key, hook, 1, CALL_SUCCEEDED, 0);
    struct store_settle settle = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    return world_run(world, &settle.op);
}

static int
try_channel(struct world *world, const char *id)
{
    struct channel *channel = channel_new();
    snprintf(channel->id, sizeof(channel->id), "%s", id);
    struct store_put_channel put = {
        .op.kind = STORE_PUT_CHANNEL, .config = world->config, .channel = channel};
    int rc = world_run(world, &put.op);
    if (rc == 0)
        world->config = put.config_after;
    channel_unref(channel);
    return rc;
}

static uint64_t
file_bytes(struct world *world, const char *name)
{
    char path[400];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", world->dir, name);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void
what_is_new_is_refused_while_little_is_free(void **state)
{
    (void)state;
    struct world *world = watched_world(RESERVE, 0);
    uint64_t shop = put_channel(world, "shop"), key, first;
    uint64_t hook = put_webhook(world, shop), other = put_webhook(world, shop);
    assert_int_equal(try_event(world, shop, hook, "once", &first), 0);
    assert_int_equal(try_event(world, shop, hook, NULL, &key), 0);

    set_free(world, RESERVE - 1);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
    assert_int_equal(try_channel(world, "second"), E_FULL);
    assert_int_equal(retry(world, shop, key, hook, world_now(world)), E_FULL);
    assert_int_equal(world->room, DISK_LOW);

    assert_int_equal(try_settle(world, key, hook), 0);
    assert_int_equal(state_of(world, shop, key, hook), CALL_SUCCEEDED);
    change_webhook(world, shop, other, DISABLE);
    change_webhook(world, shop, other, DELETE);
    uint64_t again;
    assert_int_equal(try_event(world, shop, hook, "once", &again), 0);
    assert_int_equal(again, first); /* nothing new */

    set_free(world, 100 * MIB);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), 0);
    assert_int_equal(try_channel(world, "second"), 0);
    assert_int_equal(world->room, DISK_ROOM);
    assert_int_equal(world->rooms, 2); /* told once each, not for each request */
    world_free(world);
}

static void
a_little_more_is_asked_for_than_was_missing(void **state)
{
    (void)state;
    struct world *world = watched_world(RESERVE, 0);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    set_free(world, RESERVE - 1);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
    set_free(world, RESERVE + RESERVE / 8 - 1);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
    set_free(world, RESERVE + RESERVE / 8);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), 0);
    world_free(world);
}

static void
a_start_with_little_free_tells_and_refuses(void **state)
{
    (void)state;
    struct world *world = watched_world(RESERVE, 0);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    world_leave(world);
    world->free_bytes = RESERVE / 2;
    world_open(world);
    assert_int_equal(world->room, DISK_LOW);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
    world_free(world);
}

static void
a_full_disk_gets_the_ballast_and_records_what_was_under_way(void **state)
{
    (void)state;
    struct world *world = watched_world(RESERVE, 0);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop), key;
    assert_int_equal(file_bytes(world, "pushwire.ballast"), BALLAST);
    assert_int_equal(try_event(world, shop, hook, NULL, &key), 0);

    set_free(world, RESERVE / 2); /* another program has taken the rest */
    faulty_vfs_fail(FAULT_FULL, FAULT_ON_WRITE, 1);
    assert_int_equal(try_settle(world, key, hook), E_FULL);
    assert_int_equal(world->room, DISK_FULL);
    assert_int_equal(file_bytes(world, "pushwire.ballast"), 0);
    assert_int_equal(try_settle(world, key, hook), 0);
    assert_int_equal(state_of(world, shop, key, hook), CALL_SUCCEEDED);

    world_advance(world, LOOK_MS);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
    assert_int_equal(world->room, DISK_FULL); /* a write that went well is not enough */

    set_free(world, 100 * MIB);
    world_await_room(world, DISK_ROOM); /* by itself */
    assert_int_equal(file_bytes(world, "pushwire.ballast"), BALLAST);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), 0);
    world_free(world);
}

static void
a_disk_without_quota_or_that_turns_read_only_refuses_until_that_is_over(void **state)
{
    (void)state;
    static const enum fault faults[] = {FAULT_QUOTA, FAULT_READ_ONLY};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
        struct world *world = watched_world(RESERVE, 0);
        uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop),
                 key;
        assert_int_equal(try_event(world, shop, hook, NULL, &key), 0);
        faulty_vfs_die(faults[i], FAULT_ON_WRITE, 1); /* though much is free */
        assert_int_equal(try_event(world, shop, hook, NULL, NULL), E_FULL);
        assert_int_equal(world->room, DISK_FULL);
        assert_int_equal(try_settle(world, key, hook), E_FULL);
        assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
        assert_int_equal(world->broken, 0);

        faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
        assert_int_equal(try_settle(world, key, hook), 0);
        world_advance(world, LOOK_MS);
        world_await_room(world, DISK_ROOM); /* by itself */
        assert_int_equal(try_event(world, shop, hook, NULL, NULL), 0);
        check_rows(world);
        world_free(world);
    }
}

static void
a_ballast_that_was_given_up_is_made_again_by_a_start(void **state)
{
    (void)state;
    struct world *world = watched_world(RESERVE, 0);
    put_channel(world, "shop");
    faulty_vfs_fail(FAULT_FULL, FAULT_ON_WRITE, 1);
    assert_int_equal(try_channel(world, "second"), E_FULL);
    assert_int_equal(file_bytes(world, "pushwire.ballast"), 0);
    world_reopen(world);
    assert_int_equal(file_bytes(world, "pushwire.ballast"), BALLAST);
    world_free(world);
}

static void
the_folder_stays_below_its_ceiling(void **state)
{
    (void)state;
    const uint64_t ceiling = 16 * MIB;
    struct world *world = watched_world(RESERVE, ceiling);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop),
             key = 0;
    int rc, n = 0;
    while ((rc = try_event(world, shop, hook, NULL, &key)) == 0) {
        world_advance(world, LOOK_MS);
        n++;
    }
    assert_int_equal(rc, E_FULL);
    assert_true(n > 100);
    uint64_t used = file_bytes(world, "pushwire.db") +
                    file_bytes(world, "pushwire.db-wal") +
                    file_bytes(world, "pushwire.ballast");
    assert_true(used < ceiling);
    assert_int_equal(try_settle(world, key, hook), 0);
    world_free(world);
}

static void
a_disk_that_is_not_watched_has_no_ballast_and_refuses_nothing(void **state)
{
    (void)state;
    struct world *world = watched_world(0, 0);
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    set_free(world, 0);
    assert_int_equal(try_event(world, shop, hook, NULL, NULL), 0);
    assert_int_equal(file_bytes(world, "pushwire.ballast"), 0);
    assert_int_equal(world->rooms, 0);
    world_free(world);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_is_refused_while_little_is_free),
        cmocka_unit_test(a_little_more_is_asked_for_than_was_missing),
        cmocka_unit_test(a_start_with_little_free_tells_and_refuses),
        cmocka_unit_test(a_full_disk_gets_the_ballast_and_records_what_was_under_way),
        cmocka_unit_test(
            a_disk_without_quota_or_that_turns_read_only_refuses_until_that_is_over),
        cmocka_unit_test(a_ballast_that_was_given_up_is_made_again_by_a_start),
        cmocka_unit_test(the_folder_stays_below_its_ceiling),
        cmocka_unit_test(a_disk_that_is_not_watched_has_no_ballast_and_refuses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
