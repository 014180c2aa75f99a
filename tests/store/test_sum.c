/* Bytes on the disk that are not the ones that were written: found, and never shown. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "sqlite_world.h"
#include "store/sqlite_sum.h"

#define EVENTS 12

static void
path_of(struct world *world, const char *name, char path[400])
{
    snprintf(path, 400, "%s/%s", world->dir, name);
}

static uint8_t *
read_whole(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *n = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = xmalloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static void
write_at(const char *path, const void *bytes, size_t n, size_t at)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
    close(fd);
}

static void
flip(const char *path, const uint8_t *bytes, size_t at, uint8_t bits)
{
    uint8_t other = bytes[at] ^ bits;
    write_at(path, &other, 1, at);
}

/* ---- a store with a history ---- */

struct history {
    struct world *world;
    uint64_t channel, hook;
    uint64_t keys[EVENTS];
    char path[400];
    uint8_t *bytes; /* of the database */
    size_t n;
};

/* Bodies of several pages, so that most pages hold nothing but them. */
static void
body_of(size_t i, char body[20000])
{
    for (size_t at = 0; at < 20000; at++)
        body[at] = (char)('a' + (i * 31 + at / 7) % 26);
}

static void
history_begin(struct history *history)
{
    static char body[20000];
    struct world *world = history->world = world_new(&world_sqlite);
    world_open(world);
    history->channel = put_channel(world, "shop");
    history->hook = put_webhook(world, history->channel);
    for (size_t i = 0; i < EVENTS; i++) {
        body_of(i, body);
        struct store_event event = {EVENT_CLICK, SLICE("s"), {body, sizeof(body)}};
        struct store_new_call call = {0, history->hook};
        struct store_append append = {
            .op.kind = STORE_APPEND,
            .channel = history->channel,
            .config = world->config,
            .events = &event,
            .n_events = 1,
            .calls = &call,
            .n_calls = 1,
        };
        assert_int_equal(world_run(world, &append.op), 0);
        history->keys[i] = append.first_key;
    }
    world_leave(world);
    path_of(world, "pushwire.db", history->path);
    history->bytes = read_whole(history->path, &history->n);
}

static void
history_end(struct history *history)
{
    write_at(history->path, history->bytes, history->n, 0);
    free(history->bytes);
    world_free(history->world);
}

struct due_bodies {
    struct store_due due;
    const struct history *history;
    size_t n;
};

static bool
body_is_right(struct store_due *due, const struct store_due_call *call)
{
    static char body[20000];
    struct due_bodies *bodies = container_of(due, struct due_bodies, due);
    size_t i = 0;
    while (i < EVENTS && bodies->history->keys[i] != call->event)
        i++;
    assert_true(i < EVENTS);
    body_of(i, body);
    assert_int_equal(call->body.n, sizeof(body));
    assert_memory_equal(call->body.p, body, sizeof(body));
    bodies->n++;
    return true;
}

/* What would be sent. True when all of it can be read; what can be is right. */
static bool
all_is_due(struct history *history)
{
    struct due_bodies bodies = {
        .due = {.op.kind = STORE_DUE,
                .webhook = history->hook,
                .from = DUE_AT_START,
                .until_ms = INT64_MAX - 1,
                .max_calls = EVENTS,
                .each = body_is_right},
        .history = history,
    };
    int rc = world_run(history->world, &bodies.due.op);
    assert_true(rc == 0 || rc == E_IO);
    return rc == 0 && bodies.n == EVENTS;
}

/* Opens what was damaged. Gives whether the damage was found. */
static bool
finds(struct history *history, unsigned page)
{
    struct world *world = history->world;
    struct err err = {0};
    char expected[80];
    snprintf(expected, sizeof(expected), "pushwire.db: page %u is damaged", page);
    if (try_open(world, &err) < 0) {
        if (!strstr(err.text, expected))
            fail_msg("page %u: %s", page, err.text);
        return true;
    }
    world_open(world);
    bool all = all_is_due(history);
    pthread_mutex_lock(&world->mutex);
    bool broken = world->broken > 0;
    pthread_mutex_unlock(&world->mutex);
    world_leave(world);
    /* What the store does by itself, when it is idle, may find it as well. */
    assert_true(all || broken);
    return broken;
}

/* ---- tests ---- */

static void
a_flipped_bit_in_any_page_is_found_and_never_sent(void **state)
{
    (void)state;
    struct history history;
    struct rng_seeded rng;
    rng_seeded_init(&rng, 4);
    history_begin(&history);
    size_t found = 0, pages = history.n / SUM_PAGE;
    for (size_t page = 0; page < pages; page++) {
        size_t in = (size_t)rng_below(&rng.rng, SUM_PAGE);
        uint8_t bit = (uint8_t)(1u << rng_below(&rng.rng, 8));
        flip(history.path, history.bytes, page * SUM_PAGE + in, bit);
        found += finds(&history, (unsigned)page + 1);
        write_at(history.path, history.bytes, history.n, 0);
        char path[400];
        path_of(history.world, "pushwire.damaged", path);
        unlink(path);
    }
    assert_true(found > pages / 2); /* not each is read by what is due */
    history_end(&history);
}

/* Damages the first page that no start reads, but what is due: one of a body's. */
static size_t
find_late(struct history *history)
{
    struct err err;
    for (size_t page = 0; page < history->n / SUM_PAGE; page++) {
        flip(history->path, history->bytes, page * SUM_PAGE + 2000, 1);
        if (try_open(history->world, &err) == 0 && finds(history, (unsigned)page + 1))
            return page;
        write_at(history->path, history->bytes, history->n, 0);
    }
    fail();
    return 0;
}

/* A start that would read other pages first, and send, is refused; until the page is
 * what was written. */
static void
a_page_that_was_found_damaged_stops_the_next_start(void **state)
{
    (void)state;
    struct history history;
    struct err err;
    history_begin(&history);
    size_t page = find_late(&history);
    assert_int_equal(try_open(history.world, &err), E_IO);
    char expected[80];
    snprintf(expected, sizeof(expected), "page %zu is damaged", page + 1);
    assert_non_null(strstr(err.text, expected));
    assert_non_null(strstr(err.text, "restore a backup"));

    write_at(history.path, history.bytes, history.n, 0);
    world_open(history.world);
    assert_true(all_is_due(&history));
    world_leave(history.world);
    history_end(&history);
}

/* Where the header of the file says how pages are laid out, and that they have sums. */
static void
any_flipped_byte_of_the_header_is_found(void **state)
{
    (void)state;
    struct history history;
    history_begin(&history);
    for (size_t at = 0; at < 100; at++) {
        struct err err;
        flip(history.path, history.bytes, at, 0x08);
        assert_true(try_open(history.world, &err) < 0);
        write_at(history.path, history.bytes, history.n, 0);
    }
    history_end(&history);
}

static void
a_page_in_anothers_place_is_found(void **state)
{
    (void)state;
    struct history history;
    history_begin(&history);
    size_t last = history.n / SUM_PAGE - 1;
    write_at(history.path, history.bytes + (last - 1) * SUM_PAGE, SUM_PAGE,
             last * SUM_PAGE);
    assert_true(finds(&history, (unsigned)last + 1));
    history_end(&history);
}

static void
every_page_carries_its_checksum(void **state)
{
    (void)state;
    struct history history;
    history_begin(&history);
    assert_true(history.n >= 30 * SUM_PAGE);
    for (size_t at = 0; at < history.n; at += SUM_PAGE)
        assert_true(
            sqlite_sum_holds(history.bytes + at, (uint32_t)(at / SUM_PAGE) + 1));
    history_end(&history);
}

/* ---- the log, while it is written ---- */

static void
run_sql(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
}

static void
what_is_read_back_from_the_log_is_what_was_written(void **state)
{
    struct world *world = *state;
    char path[400], log[400];
    sqlite3 *db;
    size_t n;
    world_leave(world);
    path_of(world, "other.db", path);
    path_of(world, "other.db-wal", log);
    assert_int_equal(sqlite3_open_v2(path, &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                         SQLITE_OPEN_EXRESCODE,
                                     sqlite_sum_vfs(NULL)),
                     SQLITE_OK);
    run_sql(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 1;"
                "CREATE TABLE t(x); INSERT INTO t VALUES(randomblob(30000));"
                "SELECT count(*) FROM t WHERE length(hex(x)) > 0");
    uint8_t *bytes = read_whole(log, &n);
    flip(log, bytes, n - 2000, 1); /* in the last frame's page */
    assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint", NULL, NULL, NULL),
                     SQLITE_IOERR_DATA);
    assert_non_null(strstr(sqlite_sum_of(db)->why, "other.db-wal: frame "));
    write_at(log, bytes, n, 0);
    run_sql(db, "PRAGMA wal_checkpoint");
    free(bytes);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flipped_bit_in_any_page_is_found_and_never_sent),
        cmocka_unit_test(a_page_that_was_found_damaged_stops_the_next_start),
        cmocka_unit_test(any_flipped_byte_of_the_header_is_found),
        cmocka_unit_test(a_page_in_anothers_place_is_found),
        cmocka_unit_test(every_page_carries_its_checksum),
        TEST(what_is_read_back_from_the_log_is_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
