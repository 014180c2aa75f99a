/* A log as a crash left it: torn by a power cut it is recovered from, damaged it is
 * not. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "sqlite_world.h"
#include "store/sqlite_sum.h"

#define COMMITS 6
#define HEADER  32
#define FRAME   (24 + SUM_PAGE)

struct image {
    char path[400];
    uint8_t *bytes;
    size_t n;
};

/* The files of a store in the middle of its life. */
struct crash {
    struct world *world;
    uint64_t channel, keys[COMMITS];
    struct image database, log;
    size_t last; /* the first frame of the last commit */
};

static void
image_take(struct image *image, struct world *world, const char *name)
{
    snprintf(image->path, sizeof(image->path), "%s/%s", world->dir, name);
    FILE *file = fopen(image->path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    image->n = (size_t)ftell(file);
    rewind(file);
    image->bytes = xmalloc(image->n + 1);
    assert_int_equal(fread(image->bytes, 1, image->n, file), image->n);
    fclose(file);
}

static void
image_put(const struct image *image)
{
    FILE *file = fopen(image->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(image->bytes, 1, image->n, file), image->n);
    fclose(file);
}

static size_t
frames_of(const struct crash *crash)
{
    return (crash->log.n - HEADER) / FRAME;
}

static bool
is_commit(const struct crash *crash, size_t frame)
{
    static const uint8_t none[4];
    return memcmp(crash->log.bytes + HEADER + frame * FRAME + 4, none, 4) != 0;
}

static int
setup(void **state)
{
    static struct crash crash;
    static char body[20000];
    memset(body, 'x', sizeof(body)); /* so that a commit has several frames */
    struct world *world = crash.world = world_new(&world_sqlite);
    world_open(world);
    crash.channel = put_channel(world, "shop");
    world_reopen(world);
    for (size_t i = 0; i < COMMITS; i++) {
        struct store_event event = {EVENT_CLICK, SLICE("s"), {body, sizeof(body)}};
        struct store_append append = {
            .op.kind = STORE_APPEND,
            .channel = crash.channel,
            .config = world->config,
            .events = &event,
            .n_events = 1,
        };
        assert_int_equal(world_run(world, &append.op), 0);
        crash.keys[i] = append.first_key;
    }
    image_take(&crash.database, world, "pushwire.db");
    image_take(&crash.log, world, "pushwire.db-wal");
    world_leave(world);
    crash.last = frames_of(&crash) - 1;
    assert_true(is_commit(&crash, crash.last));
    while (!is_commit(&crash, crash.last - 1))
        crash.last--;
    assert_true(crash.last > 20 && frames_of(&crash) - crash.last > 4);
    *state = &crash;
    return 0;
}

static int
teardown(void **state)
{
    struct crash *crash = *state;
    free(crash->database.bytes);
    free(crash->log.bytes);
    world_free(crash->world);
    return 0;
}

static int
try_start(struct crash *crash, struct err *err)
{
    image_put(&crash->database);
    image_put(&crash->log);
    return try_open(crash->world, err);
}

/* Opens it, and looks for what every commit but the last few brought. */
static void
starts_with(struct crash *crash, size_t commits)
{
    struct event_look look;
    image_put(&crash->database);
    image_put(&crash->log);
    world_open(crash->world);
    for (size_t i = 0; i < COMMITS; i++)
        assert_int_equal(
            look_at_event(crash->world, &look, crash->channel, crash->keys[i]),
            i < commits ? 0 : E_NOT_FOUND);
    world_leave(crash->world);
}

static void
a_whole_log_is_recovered_from(void **state)
{
    starts_with(*state, COMMITS);
}

/* Any choice of the last commit's frames is there, and some of them in part. */
static void
what_a_power_cut_leaves_of_the_last_commit_is_no_damage(void **state)
{
    struct crash *crash = *state;
    struct rng_seeded rng;
    rng_seeded_init(&rng, 11);
    uint8_t *whole = xmalloc(crash->log.n);
    memcpy(whole, crash->log.bytes, crash->log.n);
    for (int round = 0; round < 60; round++) {
        bool torn = false;
        for (size_t frame = crash->last; frame < frames_of(crash); frame++) {
            size_t at = HEADER + frame * FRAME;
            size_t kept = round % 2 ? 0 : 512 * (size_t)rng_below(&rng.rng, 9);
            if (rng_below(&rng.rng, 3) == 0)
                kept = FRAME;
            torn = torn || kept < FRAME;
            if (kept < FRAME)
                memset(crash->log.bytes + at + kept, round % 3 ? 0 : 0x5a,
                       FRAME - kept);
        }
        starts_with(crash, torn ? COMMITS - 1 : COMMITS);
        memcpy(crash->log.bytes, whole, crash->log.n);
    }
    free(whole);
}

/* In any frame but those of the last commit; in these it is as after a power cut. */
static void
a_flipped_bit_in_the_log_is_damage(void **state)
{
    struct crash *crash = *state;
    struct rng_seeded rng;
    struct err err;
    rng_seeded_init(&rng, 12);
    for (size_t frame = 0; frame < frames_of(crash); frame++) {
        size_t at = HEADER + frame * FRAME + (size_t)rng_below(&rng.rng, FRAME);
        uint8_t bit = (uint8_t)(1u << rng_below(&rng.rng, 8));
        crash->log.bytes[at] ^= bit;
        if (frame >= crash->last) {
            starts_with(crash, COMMITS - 1);
        } else if (frame + 1 < crash->last) {
            char place[40];
            snprintf(place, sizeof(place), "damaged at frame %zu,", frame + 1);
            assert_int_equal(try_start(crash, &err), E_CONFLICT);
            if (!strstr(err.text, place))
                fail_msg("%s: %s", place, err.text);
        }
        crash->log.bytes[at] ^= bit;
    }
}

static void
a_flipped_bit_in_the_header_of_the_log_is_damage(void **state)
{
    struct crash *crash = *state;
    struct err err;
    for (size_t at = 0; at < HEADER; at++) {
        if (at >= 12 && at < 16)
            continue; /* a count that nobody reads; it is summed all the same */
        crash->log.bytes[at] ^= 0x10;
        assert_int_equal(try_start(crash, &err), E_CONFLICT);
        crash->log.bytes[at] ^= 0x10;
    }
}

static void
a_damaged_log_can_be_given_up(void **state)
{
    struct crash *crash = *state;
    struct err err;
    size_t frame = 0;
    for (size_t commits = 0; commits < 3; frame++)
        commits += is_commit(crash, frame);
    crash->log.bytes[HEADER + frame * FRAME + 100] ^= 1;
    assert_int_equal(try_start(crash, &err), E_CONFLICT);
    assert_non_null(strstr(err.text, "2 or more commits"));
    assert_non_null(strstr(err.text, "--accept-loss"));
    crash->world->accept_loss = true;
    starts_with(crash, 3);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        LOG_TEST(a_whole_log_is_recovered_from),
        LOG_TEST(what_a_power_cut_leaves_of_the_last_commit_is_no_damage),
        LOG_TEST(a_flipped_bit_in_the_log_is_damage),
        LOG_TEST(a_flipped_bit_in_the_header_of_the_log_is_damage),
        LOG_TEST(a_damaged_log_can_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
