/* A copy while the store runs, and what becomes of it. */
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/iofd.h"
#include "base/mem.h"
#include "faulty_vfs.h"
#include "sqlite_world.h"
#include "store/copy.h"
#include "store/sqlite_private.h"
#include "store/store_job.h"

/* ---- copies ---- */

static void
path_of(char out[400], const struct world *world, const char *name)
{
    snprintf(out, 400, "%s/%s", world->dir, name);
}

static void
write_file(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static char *
bytes_of(int fd, size_t n)
{
    char *bytes = xmalloc(n + 1);
    assert_int_equal(pread(fd, bytes, n, 0), n);
    return bytes;
}

static void
submit_backup(struct world *world, struct store_backup *backup)
{
    *backup = (struct store_backup){.op.kind = STORE_BACKUP};
    world_submit(world, &backup->op);
}

/* Ends it in a file, whose path is `to` then. */
static void
keep(struct world *world, struct store_backup *backup, char to[400])
{
    uint8_t sum[SHA256_BYTES];
    assert_int_equal(backup->op.result, 0);
    char *bytes = bytes_of(backup->fd, backup->bytes);
    struct stat st;
    assert_int_equal(fstat(backup->fd, &st), 0);
    assert_int_equal(st.st_size, backup->bytes);
    assert_int_equal(st.st_nlink, 0);
    sha256(sum, bytes, backup->bytes);
    assert_memory_equal(sum, backup->sha256, sizeof(sum));
    path_of(to, world, "copy");
    write_file(to, bytes, backup->bytes);
    free(bytes);
    close(backup->fd);
}

static void
back_up(struct world *world, char to[400])
{
    struct store_backup backup;
    submit_backup(world, &backup);
    world_wait(world, 1);
    keep(world, &backup, to);
}

static bool
has_entry(const char *dir, const char *start)
{
    DIR *open_dir = opendir(dir);
    bool found = false;
    assert_non_null(open_dir);
    for (struct dirent *entry; (entry = readdir(open_dir)) != NULL;)
        found = found || strncmp(entry->d_name, start, strlen(start)) == 0;
    closedir(open_dir);
    return found;
}

static void
a_copy_holds_all_that_was_committed_before_it_was_asked_for(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop");
    uint64_t hooks[] = {put_webhook(world, shop), put_webhook(world, shop)};
    uint64_t key = append(world, shop, EVENT_CLICK, 3000, hooks, 2);
    settle(world, key, hooks[0], 1, CALL_SUCCEEDED, 0);
    struct store_copy copy;
    struct err err;
    char path[400];

    back_up(world, path);
    assert_int_equal(store_copy_check(path, &copy, &err), 0);
    assert_int_equal(copy.events, 3000);
    assert_int_equal(copy.waiting, 5999);
    assert_int_equal(copy.channels, 1);
    assert_int_equal(copy.webhooks, 2);
    assert_int_equal(copy.taken_ms, START_MS);
    assert_false(has_entry(world->dir, "pushwire.copy"));
    append(world, shop, EVENT_CLICK, 1, hooks, 2);
    check_rows(world);
}

/* One append after the other, each as soon as the last one is done, until the copy is.
 */
struct chain {
    struct world *world;
    struct store_event event;
    struct store_append append;
    struct store_backup backup;
    size_t n;
    bool copied;
};

static void
chain_backup_done(struct store_op *op)
{
    container_of(op, struct chain, backup.op)->copied = true;
    world_done(op);
}

static void
chain_append_done(struct store_op *op)
{
    struct chain *chain = container_of(op, struct chain, append.op);
    assert_int_equal(op->result, 0);
    chain->n++;
    if (chain->copied)
        world_done(op);
    else
        store_submit(chain->world->store, op);
}

static void
commits_go_on_while_a_copy_is_made_and_are_in_it(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct chain chain = {.world = world,
                          .event = {EVENT_CLICK, SLICE("s"), SLICE("{}")}};
    struct store_copy copy;
    struct err err;
    char path[400];
    for (size_t i = 0; i < 40; i++)
        append(world, shop, EVENT_CLICK, 1000, &hook, 1);

    chain.append = (struct store_append){
        .op = {.kind = STORE_APPEND, .done = chain_append_done},
        .channel = shop,
        .config = world->config,
        .events = &chain.event,
        .n_events = 1,
    };
    chain.backup.op =
        (struct store_op){.kind = STORE_BACKUP, .done = chain_backup_done};
    store_submit(world->store, &chain.append.op);
    store_submit(world->store, &chain.backup.op);
    world_wait(world, 2);
    keep(world, &chain.backup, path);

    assert_true(chain.n > 10); /* in the meantime */
    assert_int_equal(store_copy_check(path, &copy, &err), 0);
    assert_in_range(copy.events, 40 * 1000 + 10, 40 * 1000 + chain.n);
    check_rows(world);
}

static void
two_copies_at_once_are_both_whole(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct store_backup backups[2];
    struct store_copy copy;
    struct err err;
    char path[400];
    append(world, shop, EVENT_CLICK, 4000, &hook, 1);
    submit_backup(world, &backups[0]);
    submit_backup(world, &backups[1]);
    world_wait(world, 2);
    for (size_t i = 0; i < 2; i++) {
        keep(world, &backups[i], path);
        assert_int_equal(store_copy_check(path, &copy, &err), 0);
        assert_int_equal(copy.events, 4000);
    }
}

static void *
stop_store(void *store)
{
    ((struct store *)store)->backend->stop(store);
    return NULL;
}

static void
wait_until_closing(struct sqlite_store *s)
{
    for (bool closing = false; !closing;) {
        pthread_mutex_lock(&s->queue.mutex);
        closing = s->queue.closing;
        pthread_mutex_unlock(&s->queue.mutex);
    }
}

static void
a_store_that_is_stopped_does_not_wait_for_a_copy(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct store_backup backup;
    struct hold hold;
    append(world, shop, EVENT_CLICK, 1000, &hook, 1);
    hold_submit(world, &hold);
    hold_wait(&hold);
    submit_backup(world, &backup);
    pthread_t stopper;
    assert_int_equal(pthread_create(&stopper, NULL, stop_store, world->store), 0);
    wait_until_closing(sqlite_of(world->store));
    hold_release(&hold);
    pthread_join(stopper, NULL);
    world_wait(world, 1);
    assert_int_equal(backup.op.result, E_CLOSED);
    assert_false(has_entry(world->dir, "pushwire.copy"));
}

/* Every write of the copy and of what goes on beside it. */
static void
a_copy_that_finds_the_disk_full_leaves_the_store_as_it_is(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    struct store_copy copy;
    struct err err;
    char path[400];
    uint64_t key = append(world, shop, EVENT_CLICK, 2000, &hook, 1);
    unsigned full = 0;
    for (unsigned n = 1;; n += 7) {
        struct store_backup backup;
        faulty_vfs_fail(FAULT_FULL, FAULT_ON_WRITE, n);
        submit_backup(world, &backup);
        world_wait(world, 1);
        bool hit = faulty_vfs_failures() > 0;
        faulty_vfs_fail(FAULT_NONE, FAULT_ON_WRITE, 0);
        if (backup.op.result == 0) {
            keep(world, &backup, path);
            assert_int_equal(store_copy_check(path, &copy, &err), 0);
        } else {
            assert_int_equal(backup.op.result, E_FULL);
            full++;
        }
        assert_false(has_entry(world->dir, "pushwire.copy"));
        assert_int_equal(state_of(world, shop, key, hook), CALL_WAITING);
        if (!hit)
            break;
    }
    assert_true(full > 5);
    assert_int_equal(world->broken, 0);
    append(world, shop, EVENT_CLICK, 1, &hook, 1);
    check_rows(world);
}

/* ---- what is no copy ---- */

static void
expect_refusal(const char *path, int code, const char *words)
{
    struct store_copy copy;
    struct err err = {0};
    assert_int_equal(store_copy_check(path, &copy, &err), code);
    if (!strstr(err.text, words))
        fail_msg("%s\nwanted: %s", err.text, words);
}

static void
change_copy(const char *path, const char *sql)
{
    sqlite3 *db = open_summed(path);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
a_damaged_copy_is_told_from_a_whole_one(void **state)
{
    struct world *world = *state;
    uint64_t shop = put_channel(world, "shop"), hook = put_webhook(world, shop);
    char path[400];
    append(world, shop, EVENT_CLICK, 3000, &hook, 1);
    struct store_backup backup;
    submit_backup(world, &backup);
    world_wait(world, 1);
    char *bytes = bytes_of(backup.fd, backup.bytes);
    size_t n = backup.bytes;
    keep(world, &backup, path);

    write_file(path, bytes, n / 2);
    expect_refusal(path, E_INVALID, path);
    write_file(path, bytes, 50);
    expect_refusal(path, E_INVALID, path);
    write_file(path, bytes, 0);
    expect_refusal(path, E_INVALID, "it is empty");
    write_file(path, "#!/bin/sh\n", 10);
    expect_refusal(path, E_INVALID, "no copy of a store");
    for (size_t at = 4096; at < n; at += 37 * 4096) {
        char *broken = xmalloc(n);
        memcpy(broken, bytes, n);
        memset(broken + at, 0xff, 16); /* a page's header */
        write_file(path, broken, n);
        expect_refusal(path, E_INVALID, "is damaged");
        free(broken);
    }
    path_of(path, world, "nothing");
    expect_refusal(path, E_NOT_FOUND, "No such file");
    expect_refusal(world->dir, E_INVALID, "is no file");
    free(bytes);
}

static void
a_copy_of_a_newer_version_or_another_program_is_refused(void **state)
{
    struct world *world = *state;
    char path[400], log[420];
    put_channel(world, "shop");
    back_up(world, path);
    change_copy(path, "PRAGMA user_version = 99");
    expect_refusal(path, E_CONFLICT, "newer pushwire (schema 99; ");
    change_copy(path, "PRAGMA user_version = 1; PRAGMA application_id = 5");
    expect_refusal(path, E_CONFLICT, "another program");
    snprintf(log, sizeof(log), "%s-wal", path);
    write_file(log, "x", 1);
    expect_refusal(path, E_INVALID, "a store that was in use");
    unlink(log);
}

/* ---- restore ---- */

/* Leaves the world's store and goes on with one that was restored from the copy. */
static int
restore_into_world(struct world *world, const char *path, enum restore_waiting waiting,
                   struct store_restore *restore, struct err *err)
{
    static char dir[sizeof(world->dir)];
    *restore = (struct store_restore){
        .file = path, .waiting = waiting, .clock = &world->time.clock};
    world_leave(world);
    snprintf(dir, sizeof(dir), "%.50s/again", world->dir);
    restore->dir = dir;
    return store_copy_restore(restore, err);
}

/* A copy does not hold the key that its secrets are encrypted with. */
static void
go_on_in(struct world *world, const char *dir)
{
    char from[400], to[400], *key;
    size_t n;
    struct err err;
    path_of(from, world, "master.key");
    assert_int_equal(file_read(from, 1000, &key, &n, &err), 0);
    snprintf(to, sizeof(to), "%s/master.key", dir);
    assert_int_equal(file_write(to, key, n, 0600, &err), 0);
    free(key);
    snprintf(world->dir, sizeof(world->dir), "%.60s", dir);
    world_open(world);
}

static void
back_to(struct world *world, const char *dir)
{
    world_leave(world);
    world->backend->clean_up(world);
    snprintf(world->dir, sizeof(world->dir), "%s", dir);
}

struct before {
    uint64_t shop, hooks[3], keys[2];
    uint64_t job;
    char dir[64], path[400];
};

static uint64_t
put_job(struct world *world, uint64_t channel, uint64_t webhook)
{
    struct job job = {
        .channel = channel,
        .kind = JOB_REPLAY,
        .webhook = webhook,
        .until_key = INT64_MAX,
        .states = 1u << CALL_SUCCEEDED,
        .types = EVENT_ALL_TYPES,
        .pace = 1,
    };
    struct store_put_job put = {.op.kind = STORE_PUT_JOB, .job = &job};
    assert_int_equal(world_run(world, &put.op), 0);
    return job.number;
}

/* Something of everything, and a copy of it. */
static struct before
make_before(struct world *world)
{
    struct before b = {.shop = put_channel(world, "shop")};
    for (size_t i = 0; i < 3; i++)
        b.hooks[i] = put_webhook(world, b.shop);
    put_key(world, b.shop, "key1");
    b.keys[0] = append(world, b.shop, EVENT_CLICK, 10, b.hooks, 3);
    settle(world, b.keys[0], b.hooks[0], 1, CALL_SUCCEEDED, 0);
    settle(world, b.keys[0] + 1, b.hooks[0], 1, CALL_FAILED, 0);
    change_webhook(world, b.shop, b.hooks[1], DISABLE);
    change_webhook(world, b.shop, b.hooks[2], DELETE);
    b.job = put_job(world, b.shop, b.hooks[0]);
    memcpy(b.dir, world->dir, sizeof(b.dir));
    back_up(world, b.path);
    world_advance(world, 6 * HOUR_MS);
    /* What is lost. */
    b.keys[1] = append(world, b.shop, EVENT_CLICK, 10, b.hooks, 1);
    return b;
}

static struct seen_call
call_in(struct world *world, uint64_t channel, uint64_t key, uint64_t hook)
{
    struct call_look *look = xcalloc(1, sizeof(*look));
    assert_int_equal(look_at_call(world, look, channel, key, hook), 0);
    struct seen_call call = look->call;
    free(look);
    return call;
}

static void
what_waited_in_a_copy_is_held_until_somebody_enables_its_webhook(void **state)
{
    struct world *world = *state;
    struct before b = make_before(world);
    struct store_restore restore;
    struct err err;
    assert_int_equal(restore_into_world(world, b.path, RESTORE_HOLD, &restore, &err),
                     0);
    assert_int_equal(restore.disabled, 1);
    assert_int_equal(restore.held, 18);
    assert_int_equal(restore.cancelled, 0);
    assert_false(has_entry(restore.dir, "pushwire.restore"));

    go_on_in(world, restore.dir);
    assert_int_equal(world->n_webhooks, 2);
    assert_string_equal(world->webhooks[0]->disabled_reason, RESTORE_REASON);
    assert_false(world->webhooks[1]->enabled);
    assert_string_not_equal(world->webhooks[1]->disabled_reason, RESTORE_REASON);
    assert_int_equal(world->n_keys, 1);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 0);
    assert_int_equal(counts_of(world).calls[CALL_HELD], 18);
    assert_int_equal(state_of(world, b.shop, b.keys[0], b.hooks[0]), CALL_SUCCEEDED);
    assert_int_equal(state_of(world, b.shop, b.keys[0] + 1, b.hooks[0]), CALL_FAILED);
    struct seen_call held = call_in(world, b.shop, b.keys[0] + 2, b.hooks[0]);
    assert_int_equal(held.record.state, CALL_HELD);
    assert_string_equal(held.held_reason, RESTORE_REASON);
    change_webhook(world, b.shop, b.hooks[0], ENABLE);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 8);
    check_rows(world);
    back_to(world, b.dir);
}

struct job_look {
    struct store_jobs list;
    struct job job;
};

static void
see_job(struct store_jobs *list, const struct job *job)
{
    container_of(list, struct job_look, list)->job = *job;
}

static void
a_job_that_ran_in_a_copy_is_paused(void **state)
{
    struct world *world = *state;
    struct before b = make_before(world);
    struct store_step_jobs step = {.op.kind = STORE_STEP_JOBS};
    struct job_look look = {.list = {.op.kind = STORE_JOBS,
                                     .channel = b.shop,
                                     .number = b.job,
                                     .each = see_job}};
    struct store_restore restore;
    struct err err;
    assert_int_equal(restore_into_world(world, b.path, RESTORE_SEND, &restore, &err),
                     0);
    go_on_in(world, restore.dir);
    assert_int_equal(world_run(world, &look.list.op), 0);
    assert_int_equal(look.job.state, JOB_PAUSED);
    assert_int_equal(look.job.reason, JOB_RESTORED);
    assert_int_equal(world_run(world, &step.op), 0);
    assert_int_equal(step.next_ms, MSEC_NEVER);
    assert_true(put_job(world, b.shop, b.hooks[0]) > b.job + 1);
    back_to(world, b.dir);
}

static void
what_waited_in_a_copy_may_be_sent_or_cancelled_instead(void **state)
{
    struct world *world = *state;
    struct before b = make_before(world);
    struct store_restore restore;
    struct err err;
    assert_int_equal(restore_into_world(world, b.path, RESTORE_SEND, &restore, &err),
                     0);
    assert_int_equal(restore.held, 18);
    go_on_in(world, restore.dir);
    assert_true(world->webhooks[0]->enabled);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 8);
    back_to(world, b.dir);

    assert_int_equal(restore_into_world(world, b.path, RESTORE_CANCEL, &restore, &err),
                     0);
    assert_in_range(restore.cancelled, 18, 28); /* with those of a deleted webhook */
    assert_int_equal(restore.held, 0);
    go_on_in(world, restore.dir);
    assert_true(world->webhooks[0]->enabled);
    assert_int_equal(counts_of(world).calls[CALL_WAITING], 0);
    assert_int_equal(counts_of(world).calls[CALL_HELD], 0);
    assert_int_equal(counts_of(world).calls[CALL_CANCELLED], 28);
    check_rows(world);
    back_to(world, b.dir);
}

static void
nothing_that_was_given_out_since_a_copy_is_given_out_again(void **state)
{
    struct world *world = *state;
    struct before b = make_before(world);
    struct store_restore restore;
    struct err err;
    uint64_t lost_hook = put_webhook(world, b.shop), lost = put_channel(world, "lost");
    uint64_t last = append(world, b.shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(restore_into_world(world, b.path, RESTORE_HOLD, &restore, &err),
                     0);
    go_on_in(world, restore.dir);
    assert_true(put_webhook(world, b.shop) > lost_hook);
    assert_true(put_channel(world, "new") > lost);
    assert_true(append(world, b.shop, EVENT_CLICK, 1, NULL, 0) > last);
    back_to(world, b.dir);
}

/* Steady time had run ahead of a clock that was set back: so may what was given out. */
static void
event_ids_do_not_repeat_though_the_clock_had_been_set_back(void **state)
{
    struct world *world = *state;
    struct store_restore restore;
    struct err err;
    char dir[64], path[400];
    uint64_t shop = put_channel(world, "shop");
    memcpy(dir, world->dir, sizeof(dir));
    world_advance(world, 100 * HOUR_MS);
    append(world, shop, EVENT_CLICK, 1, NULL, 0);
    atomic_store(&world->time.now_us, START_MS * 1000);
    world_reopen(world); /* steady is 100 h ahead */
    assert_int_equal(world_now(world), START_MS + 100 * HOUR_MS);
    back_up(world, path);
    world_advance(world, HOUR_MS);
    uint64_t last = append(world, shop, EVENT_CLICK, 1, NULL, 0);
    assert_int_equal(restore_into_world(world, path, RESTORE_HOLD, &restore, &err), 0);
    go_on_in(world, restore.dir);
    assert_true(append(world, shop, EVENT_CLICK, 1, NULL, 0) > last);
    back_to(world, dir);
}

static void
a_restore_refuses_what_would_lose_something(void **state)
{
    struct world *world = *state;
    struct before b = make_before(world);
    struct store_restore restore = {
        .file = b.path, .dir = b.dir, .clock = &world->time.clock};
    struct err err;
    char there[400];
    /* In use. */
    assert_int_equal(store_copy_restore(&restore, &err), E_BUSY);
    world_leave(world);
    assert_int_equal(store_copy_restore(&restore, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "there is a store in "));
    snprintf(there, sizeof(there), "%s/again", b.dir);
    restore.dir = there;
    /* A clock before the copy's. */
    atomic_store(&world->time.now_us, (START_MS - HOUR_MS) * 1000);
    world->time.clock.steady_offset_us = 0;
    assert_int_equal(store_copy_restore(&restore, &err), E_STALE);
    assert_non_null(strstr(err.text, "clock"));
    assert_false(has_entry(there, "pushwire.restore"));
    assert_false(has_entry(there, "pushwire.db"));
    /* A copy that is damaged. */
    assert_int_equal(truncate(b.path, 20000), 0);
    assert_int_equal(store_copy_restore(&restore, &err), E_INVALID);
    assert_false(has_entry(there, "pushwire.db"));
    char path[420];
    snprintf(path, sizeof(path), "%s/pushwire.lock", there);
    unlink(path);
    rmdir(there);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_copy_holds_all_that_was_committed_before_it_was_asked_for),
        TEST(commits_go_on_while_a_copy_is_made_and_are_in_it),
        TEST(two_copies_at_once_are_both_whole),
        TEST(a_store_that_is_stopped_does_not_wait_for_a_copy),
        TEST(a_copy_that_finds_the_disk_full_leaves_the_store_as_it_is),
        TEST(a_damaged_copy_is_told_from_a_whole_one),
        TEST(a_copy_of_a_newer_version_or_another_program_is_refused),
        TEST(what_waited_in_a_copy_is_held_until_somebody_enables_its_webhook),
        TEST(a_job_that_ran_in_a_copy_is_paused),
        TEST(what_waited_in_a_copy_may_be_sent_or_cancelled_instead),
        TEST(nothing_that_was_given_out_since_a_copy_is_given_out_again),
        TEST(event_ids_do_not_repeat_though_the_clock_had_been_set_back),
        TEST(a_restore_refuses_what_would_lose_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
