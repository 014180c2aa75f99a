/*
 * A data folder that others wrote. Lines of SQL change a database of schema 1; after a
 * line that says "now" it has been opened, and so brought to the schema of today, once.
 * Then it is opened, read and written as the program would: it is refused, it breaks
 * with a reason, or it works; nothing else.
 */
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuzz.h"
#include "store/sqlite_sum.h"
#include "store/store.h"

#define STEPS_MAX  20000
#define LENGTH_MAX (64 * 1024)
#define SEEN_MAX   16
#define NUMBER_MAX 4 /* channels and webhooks that are asked for */

struct folder {
    char dir[64];
    char file[80];
};

struct world {
    struct store *store;
    sem_t done;
    struct due_at due[SEEN_MAX];
    uint64_t events[SEEN_MAX];
    size_t n_due, n_events;
};

/* ---- the folder ---- */

static void
folder_make(struct folder *folder)
{
    snprintf(folder->dir, sizeof(folder->dir), "/dev/shm/fuzz-store-XXXXXX");
    if (!mkdtemp(folder->dir)) {
        snprintf(folder->dir, sizeof(folder->dir), "/tmp/fuzz-store-XXXXXX");
        char *made = mkdtemp(folder->dir);
        assert(made);
    }
    snprintf(folder->file, sizeof(folder->file), "%s/pushwire.db", folder->dir);
}

static void
folder_remove(const struct folder *folder)
{
    DIR *dir = opendir(folder->dir);
    const struct dirent *entry;

    assert(dir);
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(folder->dir);
}

static int
may(void *arg, int action, const char *a, const char *b, const char *c, const char *d)
{
    (void)arg, (void)a, (void)c, (void)d;
    switch (action) {
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
    case SQLITE_READ:
    case SQLITE_SELECT:
        return a && strncmp(a, "sqlite_", 7) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && strcmp(b, "char") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int
enough(void *arg)
{
    (void)arg;
    return 1;
}

static sqlite3 *
open_file(const struct folder *folder)
{
    sqlite3 *db;
    int rc =
        sqlite3_open_v2(folder->file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        sqlite_sum_vfs(NULL));
    assert(rc == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL);
    sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
    return db;
}

static void
make_first(const struct folder *folder)
{
    static char sql[LENGTH_MAX];

    if (!sql[0]) {
        FILE *file = fopen(FIXTURES "/schema/1.sql", "re");
        assert(file);
        size_t n = fread(sql, 1, sizeof(sql) - 1, file);
        assert(n > 0);
        fclose(file);
    }
    sqlite3 *db = open_file(folder);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    assert(rc == SQLITE_OK);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(db);
}

static void
change(const struct folder *folder, const char *sql)
{
    sqlite3 *db = open_file(folder);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
    sqlite3_progress_handler(db, STEPS_MAX, enough, NULL);
    sqlite3_set_authorizer(db, may, NULL);
    (void)sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_close(db);
}

/* ---- what the program does with it ---- */

static struct world *current;

static void
wake(struct store_op *op)
{
    (void)op;
    sem_post(&current->done);
}

static void
run(struct world *world, struct store_op *op)
{
    op->done = wake;
    store_submit(world->store, op);
    while (sem_wait(&world->done) != 0)
        continue;
}

static void
on_channel(void *ctx, struct channel *channel)
{
    (void)ctx;
    assert(strlen(channel->id) <= ID_MAX && channel->name);
    channel_unref(channel);
}

static void
on_webhook(void *ctx, struct webhook *webhook)
{
    (void)ctx;
    assert(webhook->url && webhook->number);
    webhook_unref(webhook);
}

static void
on_key(void *ctx, const struct key *key)
{
    (void)ctx;
    assert(memchr(key->id, '\0', sizeof(key->id)));
}

static bool
on_due(struct store_due *due, const struct store_due_call *call)
{
    (void)due;
    assert(call->body.p || call->body.n == 0);
    assert(call->type < EVENT_TYPES);
    if (current->n_due < SEEN_MAX)
        current->due[current->n_due++] = (struct due_at){call->due_ms, call->event};
    return true;
}

static void
on_event(struct store_events *list, const struct event_record *event)
{
    (void)list;
    assert(event->type < EVENT_TYPES);
    if (current->n_events < SEEN_MAX)
        current->events[current->n_events++] = event->key;
}

static void
on_call(struct store_calls *list, const struct call_record *call)
{
    (void)list;
    assert(call->type < EVENT_TYPES && call->state < CALL_STATES);
    (void)call_state_name(call->state);
}

static void
on_one_event(struct store_event_read *read, const struct event_record *event)
{
    (void)read;
    assert(event->type < EVENT_TYPES);
}

static void
on_its_call(struct store_event_read *read, const struct call_record *call)
{
    (void)read;
    assert(call->state < CALL_STATES);
}

static void
on_one_call(struct store_call_read *read, const struct call_record *call)
{
    (void)read;
    assert(call->state < CALL_STATES);
}

static void
on_attempt(struct store_call_read *read, const struct attempt_record *attempt)
{
    (void)read;
    (void)verdict_name(attempt->verdict);
    assert(attempt->response.n <= RESPONSE_KEPT_BYTES);
}

static bool
on_subscription(struct store_subscriptions *list, const struct subscription_row *row)
{
    (void)list;
    assert(row->number && row->id.n <= ID_MAX);
    return true;
}

static void
on_notification(struct store_notifications *list, const struct notification_row *row)
{
    (void)list;
    assert(row->number && row->id.n <= ID_MAX);
}

static void
read_lists(struct world *world, uint64_t channel)
{
    struct store_events events = {.op.kind = STORE_EVENTS,
                                  .channel = channel,
                                  .types = EVENT_ALL_TYPES,
                                  .before_key = UINT64_MAX,
                                  .limit = SEEN_MAX,
                                  .each = on_event};
    struct store_calls calls = {.op.kind = STORE_CALLS,
                                .channel = channel,
                                .states = (1u << CALL_STATES) - 1,
                                .types = EVENT_ALL_TYPES,
                                .before = {UINT64_MAX, UINT64_MAX},
                                .limit = SEEN_MAX,
                                .each = on_call};
    struct store_subscriptions subscriptions = {.op.kind = STORE_SUBSCRIPTIONS,
                                                .channel = channel,
                                                .max_rows = SEEN_MAX,
                                                .each = on_subscription};
    struct store_notifications notifications = {.op.kind = STORE_NOTIFICATIONS,
                                                .channel = channel,
                                                .before = UINT64_MAX,
                                                .limit = SEEN_MAX,
                                                .each = on_notification};
    run(world, &events.op);
    run(world, &calls.op);
    run(world, &subscriptions.op);
    run(world, &notifications.op);
}

static void
read_one(struct world *world, uint64_t channel, uint64_t event, uint64_t webhook)
{
    struct store_event_read read = {.op.kind = STORE_EVENT,
                                    .channel = channel,
                                    .key = event,
                                    .event = on_one_event,
                                    .call = on_its_call};
    struct store_call_read call = {.op.kind = STORE_CALL,
                                   .channel = channel,
                                   .event = event,
                                   .webhook = webhook,
                                   .call = on_one_call,
                                   .attempt = on_attempt};
    run(world, &read.op);
    run(world, &call.op);
}

static void
settle_due(struct world *world, uint64_t webhook)
{
    struct store_due due = {.op.kind = STORE_DUE,
                            .webhook = webhook,
                            .from = DUE_AT_START,
                            .until_ms = MSEC_NEVER - 1,
                            .each = on_due,
                            .max_calls = SEEN_MAX};
    world->n_due = 0;
    run(world, &due.op);
    for (size_t i = 0; i < world->n_due; i++) {
        struct store_result result = {
            .event = world->due[i].event,
            .webhook = webhook,
            .lease = 1,
            .attempt = {.n = 1, .verdict = VERDICT_TEMPORARY, .reason = SLICE("x")},
            .state = i % 2 ? CALL_WAITING : CALL_FAILED,
            .tries = 1,
            .due_ms = world->due[i].due_ms,
            .was_due_ms = world->due[i].due_ms,
        };
        struct store_settle settle = {
            .op.kind = STORE_SETTLE, .results = &result, .n = 1};
        run(world, &settle.op);
    }
}

static void
live(struct world *world)
{
    struct store_counts counts = {.op.kind = STORE_COUNTS};

    for (uint64_t number = 1; number <= NUMBER_MAX; number++) {
        struct store_subscription_count count = {.op.kind = STORE_SUBSCRIPTION_COUNT,
                                                 .channel = number};
        read_lists(world, number);
        settle_due(world, number);
        for (size_t i = 0; i < world->n_events; i++)
            read_one(world, number, world->events[i], 1);
        run(world, &count.op);
    }
    for (size_t i = 0; i < world->n_events; i++) {
        struct store_retry retry = {.op.kind = STORE_RETRY,
                                    .channel = 1,
                                    .event = world->events[i],
                                    .webhook = 1,
                                    .due_ms = 1};
        run(world, &retry.op);
    }
    run(world, &counts.op);
}

static void
open_and_live(const struct folder *folder, bool use)
{
    const struct store_sqlite_options options = {.dir = folder->dir,
                                                 .clock = &clock_system};
    const struct store_loader loader = {
        .channel = on_channel, .webhook = on_webhook, .key = on_key};
    const struct store_listener listener = {.ctx = NULL};
    struct world world = {0};
    struct err err = {0};
    msec_t latest_ms;
    uint64_t config;

    if (store_sqlite_open(&world.store, &options, &latest_ms, &err) != 0) {
        assert(err.text[0]);
        return;
    }
    current = &world;
    sem_init(&world.done, 0, 0);
    const struct store_backend *backend = world.store->backend;
    if (backend->load(world.store, &loader, &config, &err) == 0 &&
        backend->start(world.store, &listener, &err) == 0) {
        if (use)
            live(&world);
        backend->stop(world.store);
    }
    backend->close(world.store);
    sem_destroy(&world.done);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct folder folder;

    /* Whole lines only: what a cut one says is said by another input. */
    if (n > 0 && bytes[n - 1] != '\n')
        return 0;
    folder_make(&folder);
    make_first(&folder);
    for (size_t at = 0; at < n;) {
        const uint8_t *end = memchr(bytes + at, '\n', n - at);
        size_t length = (size_t)(end - bytes) - at;
        char *line = xstrndup((const char *)bytes + at, length);
        if (strcmp(line, "now") == 0)
            open_and_live(&folder, false);
        else
            change(&folder, line);
        free(line);
        at += length + 1;
    }
    open_and_live(&folder, true);
    folder_remove(&folder);
    return 0;
}
