/* The disk fails, is full, or the process is killed: nothing acknowledged is lost. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "faulty_vfs.h"
#include "sqlite_world.h"

/* A little life that writes in every way. What was acknowledged is noted; after a
 * fault everything may be refused, but all is answered. */
struct life {
    uint64_t channel;
    uint64_t hook;
    uint64_t keys[40]; /* acknowledged events */
    bool settled[40];
    size_t n;
    size_t refused;
    int last_refusal;
};

static bool
went(struct life *life, int result)
{
    assert_true(result == 0 || result == E_FULL || result == E_IO);
    if (result == 0)
        return true;
    life->refused++;
    life->last_refusal = result;
    return false;
}

static void
life_append(struct world *world, struct life *life)
{
    static char body[20000];
    memset(body, 'x', sizeof(body)); /* several pages */
    struct store_event events[2] = {
        {EVENT_CLICK, SLICE("s"), {body, sizeof(body)}},
        {EVENT_CLICK, SLICE("s"), SLICE("{}")},
    };
    struct store_new_call calls[2] = {{0, life->hook}, {1, life->hook}};
    struct store_append append = {
        .op.kind = STORE_APPEND,
        .channel = life->channel,
        .config = world->config,
        .events = events,
        .n_events = 2,
        .calls = calls,
        .n_calls = 2,
    };
    if (!went(life, world_run(world, &append.op)))
        return;
    life->keys[life->n++] = append.first_key;
    life->keys[life->n++] = append.first_key + 1;
}

static void
life_settle(struct world *world, struct life *life)
{
    if (life->n == 0 || life->settled[life->n - 1])
        return;
    struct store_result result =
        result_of(life->keys[life->n - 1], life->hook, 1, CALL_SUCCEEDED, 0);
    struct store_settle settle = {.op.kind = STORE_SETTLE, .results = &result, .n = 1};
    if (went(life, world_run(world, &settle.op)))
        life->settled[life->n - 1] = true;
}

static void
life_live(struct world *world, struct life *life)
{
    for (int i = 0; i < 6; i++) {
        life_append(world, life);
        life_settle(world, life);
        world_advance(world, 700);
    }
}

static void
check_life(struct world *world, const struct life *life)
{
    for (size_t i = 0; i < life->n; i++) {
        enum call_state now = state_of(world, life->channel, life->keys[i], life->hook);
        if (life->settled[i])
            assert_int_equal(now, CALL_SUCCEEDED);
    }
}

typedef void fault_arm(enum fault fault, enum fault_on on, unsigned n);

/* Returns false when the life was over before the n-th write. */
static bool
live_with_fault(fault_arm *arm, enum fault fault, enum fault_on on, unsigned n)
{
    struct world *world = world_new(&world_sqlite);
    struct life life = {0};
    world_open(world);
    life.channel = put_channel(world, "shop");
    life.hook = put_webhook(world, life.channel);

    arm(fault, on, n);
    life_live(world, &life);
    bool hit = faulty_vfs_failures() > 0;
    pthread_mutex_lock(&world->mutex);
    unsigned broken = world->broken;
    pthread_mutex_unlock(&world->mutex);
    assert_int_equal(broken, hit && fault == FAULT_IO ? 1 : 0);
    if (life.refused)
        assert_int_equal(life.last_refusal, fault == FAULT_IO ? E_IO : E_FULL);
    if (hit)
        assert_true(life.refused > 0);
    struct store_counts counts = {.op.kind = STORE_COUNTS};
    assert_int_equal(world_run(world, &counts.op), broken ? E_IO : 0);
    world->backend->leave(world); /* with the fault still there */
    faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);

    world_open(world);
    check_life(world, &life);
    uint64_t key = append(world, life.channel, EVENT_CLICK, 1, &life.hook, 1);
    assert_int_equal(state_of(world, life.channel, key, life.hook), CALL_WAITING);
    check_rows(world);
    world_free(world);
    return hit;
}

static void
no_fault_loses_what_was_acknowledged(fault_arm *arm, enum fault fault, enum fault_on on,
                                     unsigned least)
{
    unsigned n = 1;
    while (live_with_fault(arm, fault, on, n))
        n++;
    assert_true(n > least); /* there was something to fail */
}

static void
a_failed_write_loses_nothing_acknowledged(void **state)
{
    (void)state;
    no_fault_loses_what_was_acknowledged(faulty_vfs_fail, FAULT_IO, FAULT_ON_WRITE, 40);
    no_fault_loses_what_was_acknowledged(faulty_vfs_die, FAULT_IO, FAULT_ON_ALL, 40);
}

static void
a_failed_sync_loses_nothing_acknowledged(void **state)
{
    (void)state;
    no_fault_loses_what_was_acknowledged(faulty_vfs_fail, FAULT_IO, FAULT_ON_SYNC, 10);
    no_fault_loses_what_was_acknowledged(faulty_vfs_die, FAULT_IO, FAULT_ON_SYNC, 10);
}

static void
a_disk_that_is_full_once_or_stays_full_loses_nothing(void **state)
{
    (void)state;
    no_fault_loses_what_was_acknowledged(faulty_vfs_fail, FAULT_FULL, FAULT_ON_WRITE,
                                         40);
    no_fault_loses_what_was_acknowledged(faulty_vfs_die, FAULT_FULL, FAULT_ON_WRITE,
                                         40);
}

static void
nothing_is_tried_again_after_a_failed_sync(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct life life = {.channel = shop, .hook = hook};
    faulty_vfs_fail(FAULT_IO, FAULT_ON_SYNC, 1); /* the disk is well again after it */
    life_append(world, &life);
    assert_int_equal(life.last_refusal, E_IO);
    unsigned writes = faulty_vfs_writes();
    for (int i = 0; i < 3; i++)
        life_append(world, &life);
    assert_int_equal(life.refused, 4);
    assert_int_equal(world->broken, 1);
    world_leave(world);
    assert_int_equal(faulty_vfs_writes(), writes); /* not even by the close */
}

static void
an_open_that_fails_can_be_tried_again(void **state)
{
    (void)state;
    struct world *world = world_new(&world_sqlite);
    struct err err;
    unsigned n = 1;
    for (;; n++) {
        faulty_vfs_fail(n % 2 ? FAULT_IO : FAULT_FULL, FAULT_ON_ALL, (n + 1) / 2);
        int rc = try_open(world, &err);
        bool hit = faulty_vfs_failures() > 0;
        if (rc < 0) {
            assert_true(hit && (rc == E_IO || rc == E_FULL));
            assert_true(strncmp(err.text, "open store: ", 12) == 0);
        }
        faulty_vfs_fail(FAULT_NONE, FAULT_ON_ALL, 0);
        if (!hit)
            break;
    }
    assert_true(n > 1);
    world_open(world);
    put_channel(world, "shop");
    world_free(world);
}

/* ---- a killed process ---- */

#define LIVES 40

static struct {
    struct store_append appends[LIVES];
    struct store_result results[LIVES];
    struct store_settle settles[LIVES];
    int fd;
    size_t acknowledged;
    size_t die_after;
    struct world *world;
} doomed;

static void
doomed_settled(struct store_op *op)
{
    (void)op;
}

static void
doomed_done(struct store_op *op)
{
    struct store_append *append = container_of(op, struct store_append, op);
    size_t i = (size_t)(append - doomed.appends);
    if (op->result != 0 ||
        write(doomed.fd, &append->first_key, sizeof(append->first_key)) < 0)
        _exit(3);
    if (++doomed.acknowledged == doomed.die_after)
        raise(SIGKILL);
    doomed.results[i] = result_of(append->first_key, 1, 1, CALL_SUCCEEDED, 0);
    doomed.settles[i].op =
        (struct store_op){.kind = STORE_SETTLE, .done = doomed_settled};
    doomed.settles[i].results = &doomed.results[i];
    doomed.settles[i].n = 1;
    store_submit(doomed.world->store, &doomed.settles[i].op);
}

static void
doomed_main(struct world *world, int fd, size_t die_after)
{
    static const struct store_event event = {EVENT_CLICK, {"s", 1}, {"{}", 2}};
    static const struct store_new_call call = {0, 1};
    doomed.fd = fd;
    doomed.die_after = die_after;
    doomed.world = world;
    world_open(world);
    for (size_t i = 0; i < LIVES; i++) {
        doomed.appends[i] = (struct store_append){
            .op = {.kind = STORE_APPEND, .done = doomed_done},
            .channel = 1,
            .config = world->config,
            .events = &event,
            .n_events = 1,
            .calls = &call,
            .n_calls = 1,
        };
        store_submit(world->store, &doomed.appends[i].op);
        if (i % 7 == 0)
            usleep(1); /* so that there are several groups */
    }
    for (;;)
        pause(); /* the last acknowledgement kills */
}

static void
a_killed_process_has_kept_what_it_acknowledged(void **state)
{
    struct world *world = *state;
    assert_int_equal(put_channel(world, "shop"), 1);
    assert_int_equal(put_webhook(world, 1), 1);
    for (size_t round = 1; round <= LIVES; round += 3) {
        int fds[2];
        world_leave(world);
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            doomed_main(world, fds[1], round);
        close(fds[1]);
        uint64_t keys[LIVES];
        size_t n = 0;
        while (n < LIVES && read(fds[0], &keys[n], sizeof(keys[n])) == sizeof(keys[n]))
            n++;
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        assert_int_equal(n, round);

        world_open(world); /* a stale lock is in nobody's way */
        for (size_t i = 0; i < n; i++) {
            enum call_state now = state_of(world, 1, keys[i], 1);
            assert_true(now == CALL_WAITING || now == CALL_SUCCEEDED);
        }
    }
    check_rows(world);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_write_loses_nothing_acknowledged),
        cmocka_unit_test(a_failed_sync_loses_nothing_acknowledged),
        cmocka_unit_test(a_disk_that_is_full_once_or_stays_full_loses_nothing),
        TEST(nothing_is_tried_again_after_a_failed_sync),
        cmocka_unit_test(an_open_that_fails_can_be_tried_again),
        TEST(a_killed_process_has_kept_what_it_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
