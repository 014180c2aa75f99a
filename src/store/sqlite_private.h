/*
 * The inside of the SQLite backend; only src/store/sqlite*.c and its own test include
 * this. One connection, one thread that owns it: everything here but the queue belongs
 * to that thread (before store_start and after store_stop: to the caller's).
 *
 *   sqlite.c         open, close, the statements' small helpers
 *   sqlite_queue.c   how operations come to the thread
 *   sqlite_thread.c  the thread, groups: begin, commit, roll back, done
 *   sqlite_scan.c    the line of those who read much
 *   sqlite_log.c     looks at the log before SQLite recovers from it
 *   sqlite_sum.c     checksums: what is between SQLite and the disk
 *   sqlite_damage.c  what becomes of a damaged page at the next start
 *   sqlite_space.c   how much room the disk has; the ballast
 *   sqlite_schema.c  tables, migrations, the text of every statement
 *   sqlite_write.c   append, settle, retry; what rides along with a commit
 *   sqlite_config.c  channels, webhooks, keys; what of them is kept in memory
 *   sqlite_load.c    the whole of that, at start
 *   sqlite_secret.c  what of a webhook is secret, as text
 *   sqlite_vault.c   master keys, and how secrets stand in the rows
 *   sqlite_read.c    due calls, events, single calls, counts
 *   sqlite_events.c  the list of events
 *   sqlite_calls.c   the list of calls
 *   sqlite_found.c, sqlite_found_runs.c  by what events are found: sqlite_found.h
 *   sqlite_touch.c   changes of subscriptions and their events
 *   sqlite_registry.c  lists of subscriptions; notifications
 *   sqlite_retention.c  what has ended goes when its time is over
 *   sqlite_feed.c    what happens in a channel, in its order
 *   sqlite_figures.c  what is counted, and how it comes into rows
 *   sqlite_stats.c   how that is read
 *   sqlite_notice.c  what operators are told
 *   sqlite_backup.c  a copy of everything while the store runs
 *   sqlite_job.c     jobs as rows
 *   sqlite_step.c    what jobs do, a step at a time
 */
#pragma once

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "base/map.h"
#include "core/change.h"
#include "core/vault.h"
#include "store/sqlite_figures.h"
#include "store/sqlite_found.h"
#include "store/sqlite_stmt.h"
#include "store/sqlite_sum.h"
#include "store/store.h"

/* What is kept in memory of a channel and of a webhook, deleted ones included: their
 * calls are still listed. */
struct sqlite_channel {
    uint64_t number;
    bool deleted;
    msec_t trial_ends_ms; /* MSEC_NEVER = it is no trial */
    struct sqlite_webhook *webhooks;
    int64_t subscriptions[2]; /* by inactive; the open group included */
    int64_t delta[2];         /* by the open group */
    bool touched;
    struct sqlite_channel *next_touched;
    struct sqlite_channel *next_unswept; /* deleted, with rows of the registry left */
    bool fed;                            /* by the open group */
    struct sqlite_channel *next_fed;
    size_t first_told, last_told; /* its outcomes in the open group; 0 = none */
    uint64_t came;                /* events, by the open group */
    struct sqlite_height waiting; /* calls, of webhooks that are not deleted */
    struct sqlite_channel *next_came;
    struct sqlite_account *account; /* of this minute; NULL = nothing yet */
};

struct sqlite_webhook {
    uint64_t number;
    struct sqlite_channel *channel;
    struct sqlite_webhook *next; /* of the channel */
    bool enabled;
    bool deleted;
    bool leased; /* the listener was told */
    char *reason;
    msec_t failing_since_ms;           /* MSEC_NEVER = it is not */
    int64_t calls[CALL_STORED_STATES]; /* the open group included */
    int64_t delta[CALL_STORED_STATES]; /* by the open group */
    bool touched;
    struct sqlite_webhook *next_touched;
    struct sqlite_webhook *next_unswept; /* deleted, with calls stored as waiting */
    uint64_t made, exhausted;            /* calls, by the open group */
    int64_t waited;                      /* calls[CALL_WAITING] at the last commit */
    struct sqlite_account *account;      /* of this minute; NULL = nothing yet */
};

enum sqlite_wait { AWAKE, ASLEEP, LINGERING };

struct sqlite_queue {
    pthread_mutex_t mutex; /* guards all but wake_fd */
    struct store_op *head;
    struct store_op *tail;
    size_t results;      /* in STORE_SETTLE operations */
    size_t others;       /* operations of any other kind */
    size_t wake_results; /* when LINGERING: this many end it */
    enum sqlite_wait wait;
    bool closing;
    int wake_fd;
};

struct sqlite_space {
    char *dir;
    char *ballast_path;
    uint64_t reserve, max, ballast; /* bytes; 0 = none */
    uint64_t (*disk_free)(void *ctx);
    void *ctx;
    enum disk_room room;
    uint64_t left;
    usec_t looked_us; /* mono; INT64_MIN = never */
    bool ballast_there;
    bool full;  /* a write found no room, */
    bool wrote; /* and one after it did */
};

/* By age, then by bytes. */
enum sqlite_pass {
    PASS_SUCCEEDED,
    PASS_FAILED,
    PASS_BYTES_SUCCEEDED,
    PASS_BYTES_ENDED,
    PASSES
};

/* In the order of METRIC_RETENTION's labels. */
enum { KEEP_EVENTS, KEEP_CALLS, KEEP_ATTEMPTS, KEEP_REPORTS, KEEP_ROWS };

struct sqlite_report_at {
    char notification[ID_MAX + 1];
    uint64_t subscription;
    char what[REPORT_TEXT];
};

struct sqlite_retention {
    struct store_keep keep;
    /* Events that came before gap_at_ms are younger than they seem by gap_ms. */
    msec_t gap_at_ms, gap_ms;
    bool gap_new; /* and not on disk yet */

    uint64_t at[PASSES];            /* events with smaller keys have been looked at */
    msec_t rewind_ms[2];            /* when a pass by bytes may begin again */
    msec_t round_ms;                /* when the next round begins */
    struct sqlite_report_at report; /* likewise looked at */
    bool reports_done;              /* in this round */
    bool more;                      /* the last step did not come to an end */
    msec_t look_ms;                 /* steady: the next step, when there was no more */
    usec_t rest_us;                 /* mono: no step of its own before */
    uint64_t gone[KEEP_ROWS];       /* in the open group */
    uint64_t gone_key;              /* the largest of an event that was dropped, */
    uint64_t gone_noted;            /* and as it is on disk */
    uint64_t untold;
    msec_t tell_ms;
};

/* An outcome in the open group. */
struct sqlite_told {
    uint64_t event, webhook;
    uint32_t n;
    enum call_state state;
    msec_t due_ms;
    size_t next; /* of the same channel; 0 = none */
};

struct sqlite_feed {
    struct sqlite_told *told; /* number n is element n - 1 */
    size_t n, cap;
    struct sqlite_channel *fed; /* by the open group */
    struct buf packed;
    uint64_t trimmed; /* channels up to this one, in this round */
    msec_t look_ms;   /* steady: the next round */
};

struct sqlite_store {
    struct store store;
    sqlite3 *db;
    sqlite3_stmt *stmt[STMTS];
    struct clock *clock;
    char *path;
    char *wal_path;
    char *copy_path;   /* of the file for a backup, for a moment */
    char *damage_path; /* of the file that says which page was found damaged */
    const char *vfs;
    char *key_path;     /* of the master keys' file */
    struct vault vault; /* wiped when the store is closed */
    int lock_fd;

    /* the configuration and the counts, as committed plus the open group */
    struct map channels;
    struct map webhooks;
    struct sqlite_webhook *unswept;
    struct sqlite_channel *unswept_channels;
    struct sqlite_retention retention;
    struct sqlite_feed feed;
    struct sqlite_figures figures;
    uint64_t config;
    uint64_t last_key;            /* of an event, or of a row of the feed */
    msec_t steady_ms;             /* as last written */
    msec_t idempotency_oldest_ms; /* MSEC_NEVER = there is none */

    struct {
        bool open;
        bool config_changed; /* or else something that is cached */
        size_t rows;
        size_t bytes;
        struct sqlite_webhook *touched;
        struct sqlite_channel *touched_channels;
        struct sqlite_webhook *unswept; /* from here on: before the group */
        struct sqlite_channel *unswept_channels;
        uint64_t config;
        uint64_t last_key;
        msec_t steady_ms;
        msec_t idempotency_oldest_ms;
        struct sqlite_retention retention;
        struct sqlite_figures_at figures;
    } group;

    struct sqlite_space space;
    struct sqlite_found found;
    struct sqlite_queue queue;
    atomic_size_t depth;
    struct store_op *pending; /* taken from the queue, not performed */
    struct store_op *pending_tail;
    size_t pending_results;
    size_t pending_others;
    struct store_op *scans; /* lists that wait for their share of the time */
    struct store_op **last_scan;
    usec_t scan_at_us;  /* mono: not before, while others have work */
    bool worked;        /* others had, since the last scan */
    bool scan_silent;   /* nobody was told by the step under way yet; else: */
    usec_t scan_end_us; /* mono: when that was */
    bool closing;       /* as the queue said when it was looked at last */

    struct store_listener listener;
    bool started;
    bool running; /* the thread has to be joined */
    pthread_t thread;
    bool opened;
    bool broken;
    char broken_why[200];
    char held_reason[TRIAL_TEXT]; /* of the call that is being handed over */
    int wal_pages;
};

static inline struct sqlite_store *
sqlite_of(struct store *store)
{
    return container_of(store, struct sqlite_store, store);
}

/* ---- sqlite.c ---- */

/* What a failed call means for the whole group: E_FULL, or E_IO and the sentence is
 * kept. */
int sqlite_failed(struct sqlite_store *s, int rc);
/* What is read makes no sense: E_IO and the sentence is kept. Whoever wrote the file,
 * this program did not; nothing of it is believed any more. */
int sqlite_damaged(struct sqlite_store *s, const char *what);
/* 1 = a row, 0 = no more (and reset), negative = failed (and reset). */
int sqlite_next(struct sqlite_store *s, enum sqlite_stmt stmt) must_check;
void sqlite_reset(struct sqlite_store *s, enum sqlite_stmt stmt);
/* For statements without rows. */
int sqlite_run(struct sqlite_store *s, enum sqlite_stmt stmt) must_check;
void sqlite_int(struct sqlite_store *s, enum sqlite_stmt stmt, int at, int64_t value);
void sqlite_key(struct sqlite_store *s, enum sqlite_stmt stmt, int at, uint64_t key);
/* The bytes must stay until the statement is reset or bound anew. */
void sqlite_text(struct sqlite_store *s, enum sqlite_stmt stmt, int at,
                 struct slice text);
/* A slice without bytes of its own (p NULL) is NULL, unlike an empty text. */
void sqlite_text_or_null(struct sqlite_store *s, enum sqlite_stmt stmt, int at,
                         struct slice text);
void sqlite_blob(struct sqlite_store *s, enum sqlite_stmt stmt, int at,
                 struct slice bytes);
int64_t sqlite_col(struct sqlite_store *s, enum sqlite_stmt stmt, int col);
uint64_t sqlite_col_key(struct sqlite_store *s, enum sqlite_stmt stmt, int col);
struct slice sqlite_col_bytes(struct sqlite_store *s, enum sqlite_stmt stmt, int col);

/* ---- sqlite_log.c ---- */

/* Before the database is opened. E_CONFLICT: commits would be lost that were
 * acknowledged, and the sentence says what to do. */
int sqlite_log_check(const char *path, struct err *err) must_check;

/* ---- sqlite_damage.c ---- */

/* The store breaks: if it is because of a page, keeps its number for the next start. */
void sqlite_damage_note(struct sqlite_store *s);
/* When the log has been copied. E_IO: the page that was found damaged before is so
 * still. */
int sqlite_damage_check(struct sqlite_store *s, const char *dir,
                        struct err *err) must_check;

/* ---- sqlite_space.c ---- */

void sqlite_space_open(struct sqlite_store *s,
                       const struct store_sqlite_options *options);
/* At most every 100 ms it really looks; tells the listener of a change. */
void sqlite_space_look(struct sqlite_store *s);
/* There is no room for more than is under way: the operation is refused. */
bool sqlite_space_refuses(struct sqlite_store *s, struct store_op *op);
/* A write found the disk full; a commit went through. */
void sqlite_space_full(struct sqlite_store *s);
void sqlite_space_wrote(struct sqlite_store *s);
uint64_t sqlite_file_bytes(const char *path); /* 0 if there is none */

/* ---- the data folder ---- */

/* Makes the folder if it is missing. */
int sqlite_make_dir(const char *dir, struct err *err) must_check;
/* The lock is the descriptor's that is returned, or an error: E_BUSY. */
int sqlite_lock_dir(const char *dir, struct err *err) must_check;
int sqlite_sync_dir(const char *dir, struct err *err) must_check;
char *sqlite_path_in(const char *dir, const char *name); /* free() */

/* How much the database's pages take that hold something, and all of them (may be
 * NULL). */
int sqlite_used_bytes(struct sqlite_store *s, uint64_t *used, uint64_t *all) must_check;
/* A number by its name, inside the group. */
int sqlite_note(struct sqlite_store *s, const char *name, int64_t value) must_check;

/* ---- sqlite_schema.c ---- */

extern const char *const sqlite_sql[STMTS];
#define SQLITE_APPLICATION_ID                                                          \
    1350002802 /* "Pwhr": how the file is told from others                             \
                */
extern const int sqlite_schema_version;
/* `name` is how errors call the file. E_CONFLICT: another program's, or newer. */
int sqlite_check_version(sqlite3 *db, const char *name, int *version,
                         struct err *err) must_check;
int sqlite_migrate(sqlite3 *db, const char *name, struct err *err) must_check;

/* Of a statement that is prepared for once. */
static inline uint64_t
sqlite_key_at(sqlite3_stmt *stmt, int col)
{
    return (uint64_t)sqlite3_column_int64(stmt, col);
}
char *sqlite_string_at(sqlite3_stmt *stmt, int col); /* "" for NULL; free() */

/* ---- sqlite_queue.c ---- */

/* Results that wait for company: so many end the wait. */
#define SQLITE_LINGER_RESULTS 512

int sqlite_queue_init(struct sqlite_queue *queue, struct err *err) must_check;
void sqlite_queue_fini(struct sqlite_queue *queue);
/* Nothing more is taken; wakes the thread. */
void sqlite_queue_shut(struct sqlite_queue *queue);
void sqlite_submit(struct store *store, struct store_op *op);
size_t sqlite_depth(struct store *store);
size_t sqlite_results_of(struct store_op *op);
/* Moves what was submitted behind what is pending. False: nothing is left and nothing
 * can come. */
bool sqlite_take(struct sqlite_store *s);
/* Sleeps until submit finds a reason, or the time is over. A stale wake-up only makes
 * it return early. */
void sqlite_wait_for_work(struct sqlite_store *s, enum sqlite_wait how,
                          const struct timespec *time);

/* ---- sqlite_thread.c ---- */

int sqlite_start(struct store *store, const struct store_listener *listener,
                 struct err *err) must_check;
void sqlite_stop(struct store *store);
/* What is broken stays so; the listener is told, once. */
void sqlite_break_down(struct sqlite_store *s);
void sqlite_fail_op(struct store_op *op, int result);
/* Performs it, if it is a read, and tells that it is over; only the latter. */
void sqlite_complete(struct sqlite_store *s, struct store_op *op);
void sqlite_tell_done(struct sqlite_store *s, struct store_op *op);
/* Before an operation's first write. */
int sqlite_group_begin(struct sqlite_store *s) must_check;
/* Ends a group that holds the store's own work: `rc` is how that went. */
int sqlite_commit_own(struct sqlite_store *s, int rc);

/* ---- sqlite_scan.c ---- */

bool sqlite_is_scan(const struct sqlite_store *s, struct store_op *op);
void sqlite_add_scan(struct sqlite_store *s, struct store_op *op);
/* How long they have to rest; 0 = not. When the store closes they wait for nobody. */
usec_t sqlite_scan_rest(const struct sqlite_store *s);
/* The next step, when its time has come. */
void sqlite_scan_step(struct sqlite_store *s);

/* ---- operations. 0: op->result says how it went. Negative: the group failed. ---- */

/* sqlite_write.c */
int sqlite_append(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_settle(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_retry(struct sqlite_store *s, struct store_op *op) must_check;
/* Events and their calls, inside the group; *first is the first one's key. */
struct sqlite_rows {
    const struct store_event *events;
    size_t n_events;
    const struct store_new_call *calls;
    size_t n_calls;
    size_t base; /* what calls[].event says of the first event */
};
int sqlite_append_rows(struct sqlite_store *s, uint64_t channel,
                       const struct sqlite_rows *rows, uint64_t *first) must_check;
/* Moves up to `limit` calls of deleted webhooks to cancelled. */
int sqlite_sweep(struct sqlite_store *s, int limit) must_check;
/* What rides along with a commit: counts, the time, old idempotency keys. */
int sqlite_group_finish(struct sqlite_store *s) must_check;
/* In an open group. */
int sqlite_note_failing(struct sqlite_store *s, struct sqlite_webhook *webhook,
                        msec_t since_ms) must_check;
void sqlite_count(struct sqlite_store *s, struct sqlite_webhook *webhook,
                  enum call_state state, int by);
int sqlite_refuse(struct store_op *op, int result, const char *why);

/* sqlite_notice.c */
int sqlite_put_notice(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_notices(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_settle_notice(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_backlogs(struct sqlite_store *s, struct store_op *op) must_check;

/* sqlite_config.c */
int sqlite_cache_load(struct sqlite_store *s) must_check;
void sqlite_cache_free(struct sqlite_store *s);
/* Statements that are needed only at open: 1 = a row, 0 = the end. */
int sqlite_prepare_once(struct sqlite_store *s, const char *sql,
                        sqlite3_stmt **stmt) must_check;
int sqlite_row_of(struct sqlite_store *s, sqlite3_stmt *stmt) must_check;
msec_t sqlite_time_or_never(sqlite3_stmt *stmt, int column); /* MSEC_NEVER = NULL */
int sqlite_put_channel(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_put_webhook(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_put_key(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_drop_key(struct sqlite_store *s, struct store_op *op) must_check;
/* Takes back the numbers that a rolled back operation gave. */
void sqlite_put_undone(struct sqlite_store *s, struct store_op *op);
struct sqlite_channel *sqlite_live_channel(const struct sqlite_store *s,
                                           uint64_t number);

/* sqlite_load.c */
int sqlite_load(struct store *store, const struct store_loader *loader,
                uint64_t *config, struct err *err) must_check;

/* sqlite_vault.c */
enum sqlite_sealed { SQLITE_SECRET, SQLITE_HEADERS, SQLITE_SETTINGS, SQLITE_SEALED };
#define SQLITE_SEALED_MAX ((size_t)2 << 20) /* of one text, sealed or not */
/* Reads the master keys, makes the first one of a new store, and sees to it that all
 * rows are sealed with the first. Before anything else reads them. */
int sqlite_vault_open(struct sqlite_store *s, const char *dir,
                      struct err *err) must_check;
/* A new first key, all rows sealed with it, no other key left. After sqlite_vault_open,
 * which has sealed them all with the first. */
int sqlite_vault_rotate(struct sqlite_store *s, const char *dir,
                        struct err *err) must_check;
/* Appends; nothing of an empty text. For the row with this number alone. */
void sqlite_seal(struct sqlite_store *s, enum sqlite_sealed place, uint64_t number,
                 struct slice text, struct buf *out);
/* E_IO with the sentence kept: it is not what was sealed for that row. */
int sqlite_unseal(struct sqlite_store *s, enum sqlite_sealed place, uint64_t number,
                  struct slice sealed, struct buf *out) must_check;

/* sqlite_secret.c */
void sqlite_headers_write(struct buf *out, const struct webhook *webhook);
void sqlite_secrets_write(struct buf *out, const struct webhook *webhook);
/* False when this is not what was written. */
bool sqlite_headers_read(struct webhook *webhook, struct slice text) must_check;
bool sqlite_secrets_read(struct webhook *webhook, struct slice text) must_check;

/* sqlite_read.c */
/* What people see of a stored state of this webhook's calls, now. */
enum call_state sqlite_shown(const struct sqlite_store *s,
                             const struct sqlite_webhook *webhook,
                             enum call_state stored);
int sqlite_due(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_event(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_call(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_counts(struct sqlite_store *s, struct store_op *op) must_check;
/* Fills state, held_reason and last of a record that holds event and webhook;
 * STMT_ATTEMPT_GET must be reset when the record has been used. */
int sqlite_call_fill(struct sqlite_store *s, struct call_record *call,
                     enum call_state stored) must_check;

/* 1 = the event is about this notification, 0 = about none, or there is no event. */
int sqlite_notification_of(struct sqlite_store *s, uint64_t event,
                           char out[ID_MAX + 1]) must_check;

/* sqlite_timings.c */
#define SQLITE_TIMINGS 48 /* bytes at most */
struct slice sqlite_timings_write(const struct attempt_timings *timings,
                                  char room[SQLITE_TIMINGS]);
struct attempt_timings sqlite_timings_read(struct slice bytes); /* n 0 = unknown */

/* sqlite_touch.c */
int sqlite_touch(struct sqlite_store *s, struct store_op *op) must_check;
/* How many subscriptions the channels that the group touched have. */
int sqlite_write_population(struct sqlite_store *s) must_check;

/* sqlite_registry.c */
/* The row that a statement is at; its slices are valid until the statement is reset. */
struct subscription_row sqlite_subscription_at(struct sqlite_store *s,
                                               enum sqlite_stmt stmt);
struct notification_row sqlite_notification_at(struct sqlite_store *s,
                                               enum sqlite_stmt stmt);
int sqlite_put_notification(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_subscriptions(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_subscription_count(struct sqlite_store *s, struct store_op *op) must_check;
int sqlite_notifications(struct sqlite_store *s, struct store_op *op) must_check;
/* Deletes up to `limit` rows of deleted channels. */
int sqlite_sweep_channel(struct sqlite_store *s, int limit) must_check;

/* Lists that may look at many rows go on in steps, in a line of their own: each returns
 * 1 when there is more to do. */
#define SQLITE_LIST_STEP 250 /* rows */
/* Every state that is ever shown. */
#define SQLITE_SHOWN                                                                   \
    (1u << CALL_WAITING | 1u << CALL_HELD | 1u << CALL_SUCCEEDED | 1u << CALL_FAILED | \
     1u << CALL_CANCELLED)

/* sqlite_events.c */
int sqlite_events(struct sqlite_store *s, struct store_op *op) must_check;
bool sqlite_events_is_scan(struct store_op *op);
void sqlite_events_forget(struct store_op *op); /* in the middle of its steps */

/* sqlite_calls.c */
int sqlite_calls(struct sqlite_store *s, struct store_op *op) must_check;
bool sqlite_calls_is_scan(struct store_op *op);
void sqlite_calls_forget(struct store_op *op);

/* sqlite_feed.c */
void sqlite_feed_init(struct sqlite_feed *feed);
void sqlite_feed_fini(struct sqlite_feed *feed);
/* In the open group: the channel has an event; an outcome. */
void sqlite_feed_event(struct sqlite_store *s, struct sqlite_channel *channel);
void sqlite_feed_outcome(struct sqlite_store *s, struct sqlite_channel *channel,
                         const struct sqlite_told *told);
/* Its outcomes as rows, one of each channel; before the commit. */
int sqlite_feed_write(struct sqlite_store *s) must_check;
/* The group is committed, or not: who waits is told, and it is forgotten. */
void sqlite_feed_end(struct sqlite_store *s, bool committed);
/* Deletes about so many rows that are too old, when it is time to look. */
int sqlite_feed_trim(struct sqlite_store *s, int rows) must_check;
bool sqlite_feed_trims(const struct sqlite_store *s); /* it is */
int sqlite_feed(struct sqlite_store *s, struct store_op *op) must_check;

/* sqlite_backup.c */
/* The next piece; false when it was the last one, and the operation is over. */
bool sqlite_backup_step(struct sqlite_store *s, struct store_op *op);
int sqlite_backup(struct sqlite_store *s, struct store_op *op) must_check;

/* sqlite_retention.c */
/* A step of about so many rows inside the group, when there is something to do. */
int sqlite_retention_ride(struct sqlite_store *s, int rows) must_check;
/* Likewise in a group of its own; returns how long to rest before the next one,
 * USEC_NEVER when there is nothing to do. */
usec_t sqlite_retention_idle(struct sqlite_store *s, int rows);
void sqlite_retention_committed(struct sqlite_store *s);
/* The store was used last at `seen_ms`. */
void sqlite_retention_start(struct sqlite_store *s, msec_t seen_ms, msec_t now_ms);
/* What of it must be on disk, inside the group. */
int sqlite_retention_note(struct sqlite_store *s) must_check;
