#include "store/sqlite_job.h"

/* Numbers that are on disk: an enum whose values move would read old data wrong. */
_Static_assert(CALL_WAITING == 0 && CALL_SUCCEEDED == 1 && CALL_FAILED == 2 &&
                   CALL_CANCELLED == 3 && CALL_STORED_STATES == 4,
               "the states' numbers are on disk and in the indexes below");
_Static_assert(EVENT_OPT_IN == 0 && EVENT_OPT_OUT == 1 && EVENT_DELIVERY == 2 &&
                   EVENT_CLICK == 3 && EVENT_UPDATE_TOPICS == 4 &&
                   EVENT_TOPIC_ADDED == 5 && EVENT_ATTRIBUTE_UPDATE == 6,
               "the event types' numbers are on disk");
_Static_assert(VERDICT_OK == 0 && VERDICT_TEMPORARY == 1 && VERDICT_GONE == 2,
               "the verdicts' numbers are on disk");
_Static_assert(ROLE_ADMIN == 0 && ROLE_MANAGE == 1 && ROLE_INGEST == 2 &&
                   ROLE_READ == 3,
               "the roles' numbers are on disk");
_Static_assert(FIGURES_MINUTE == 0 && FIGURES_HOUR == 1 && OF_ALL == 0 &&
                   OF_CHANNEL == 1 && OF_WEBHOOK == 2,
               "the numbers of figures' steps, and of whose they are, are on disk");

/* Step n leads from schema n to n + 1. Steps are only ever added.
 *
 * An index on event(channel) holds (channel, key), since the key is the rowid. call_due
 * and call_ended hold only what they are for, so that a call that succeeded, which is
 * what nearly all do, is in the primary tree alone; state stands in call_due so that
 * SQLite sees that the index is enough to collect what waits. Sequences (AUTOINCREMENT)
 * see to it that numbers are never used twice. */
static const char *const steps[] = {
    "CREATE TABLE meta("
    "  name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID, STRICT;"
    "INSERT INTO meta VALUES('config', 1), ('steady_ms', 0);"

    "CREATE TABLE channel("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, name TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
    "  deleted INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE UNIQUE INDEX channel_id ON channel(id) WHERE deleted = 0;"

    "CREATE TABLE webhook("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL,"
    "  url TEXT NOT NULL, types INTEGER NOT NULL, description TEXT,"
    "  headers TEXT NOT NULL, secret TEXT NOT NULL, enabled INTEGER NOT NULL,"
    "  disabled_reason TEXT, deleted INTEGER NOT NULL, own_retry INTEGER NOT NULL,"
    "  max_retries INTEGER NOT NULL, initial_delay_ms INTEGER NOT NULL,"
    "  factor REAL NOT NULL, max_delay_ms INTEGER NOT NULL,"
    "  created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX webhook_channel ON webhook(channel);"

    "CREATE TABLE key("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    "  role INTEGER NOT NULL, channel INTEGER NOT NULL, hash BLOB NOT NULL,"
    "  created_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX key_channel ON key(channel);"

    "CREATE TABLE event("
    "  key INTEGER PRIMARY KEY, channel INTEGER NOT NULL, type INTEGER NOT NULL,"
    "  subscription TEXT NOT NULL, body BLOB NOT NULL) STRICT;"
    "CREATE INDEX event_channel ON event(channel);"

    "CREATE TABLE call("
    "  event INTEGER NOT NULL, webhook INTEGER NOT NULL, channel INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, due_ms INTEGER NOT NULL, tries INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL, PRIMARY KEY(event, webhook)) WITHOUT ROWID, STRICT;"
    "CREATE INDEX call_due ON call(webhook, due_ms, event, state) WHERE state = 0;"
    "CREATE INDEX call_ended ON call(channel, event, webhook) WHERE state >= 2;"

    "CREATE TABLE attempt("
    "  event INTEGER NOT NULL, webhook INTEGER NOT NULL, n INTEGER NOT NULL,"
    "  at_ms INTEGER NOT NULL, duration_us INTEGER NOT NULL, verdict INTEGER NOT NULL,"
    "  status INTEGER NOT NULL, reason TEXT NOT NULL, response BLOB NOT NULL,"
    "  PRIMARY KEY(event, webhook, n)) WITHOUT ROWID, STRICT;"

    "CREATE TABLE idempotency("
    "  number INTEGER PRIMARY KEY, channel INTEGER NOT NULL, key TEXT NOT NULL,"
    "  hash BLOB NOT NULL, first_key INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    "  UNIQUE(channel, key)) STRICT;"

    "CREATE TABLE tally("
    "  webhook INTEGER PRIMARY KEY, waiting INTEGER NOT NULL,"
    "  succeeded INTEGER NOT NULL, failed INTEGER NOT NULL,"
    "  cancelled INTEGER NOT NULL) STRICT;",

    /* A subscription's id leads its index, so that it is found without its channel; the
     * index on the channel lists them in the order in which they were made. Reports are
     * ordered by notification: those of a push come together, and land together. */
    "ALTER TABLE channel ADD COLUMN settings TEXT NOT NULL DEFAULT '';"

    "CREATE TABLE subscription("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL,"
    "  id TEXT NOT NULL, created_ms INTEGER NOT NULL, synced_ms INTEGER NOT NULL,"
    "  inactive INTEGER NOT NULL, token INTEGER NOT NULL,"
    "  members TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX subscription_id ON subscription(id, channel);"
    "CREATE INDEX subscription_channel ON subscription(channel);"
    "CREATE INDEX subscription_token ON subscription(token, channel)"
    " WHERE token <> 0;"

    "CREATE TABLE attribute("
    "  channel INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,"
    "  subscription INTEGER NOT NULL,"
    "  PRIMARY KEY(channel, name, value, subscription)) WITHOUT ROWID, STRICT;"

    "CREATE TABLE population("
    "  channel INTEGER PRIMARY KEY, active INTEGER NOT NULL,"
    "  inactive INTEGER NOT NULL) STRICT;"

    "CREATE TABLE notification("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL,"
    "  id TEXT NOT NULL, created_ms INTEGER NOT NULL, feed_guid TEXT NOT NULL,"
    "  body TEXT NOT NULL, delivered INTEGER NOT NULL,"
    "  clicked INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX notification_id ON notification(id, channel);"
    "CREATE INDEX notification_channel ON notification(channel);"

    "CREATE TABLE report("
    "  notification TEXT NOT NULL, subscription INTEGER NOT NULL, what TEXT NOT NULL,"
    "  at_ms INTEGER NOT NULL, PRIMARY KEY(notification, subscription, what))"
    " WITHOUT ROWID, STRICT;",

    /* Which master keys rows may be sealed with. Those of before are not sealed yet:
     * that takes a key, so it comes when the store has one (sqlite_vault.c). */
    ("CREATE TABLE master_key(id TEXT PRIMARY KEY) WITHOUT ROWID, STRICT;"
     "INSERT INTO meta VALUES('plain_secrets', 1);"),

    "ALTER TABLE webhook ADD COLUMN failing_since_ms INTEGER;",

    "ALTER TABLE key ADD COLUMN expires_ms INTEGER NOT NULL DEFAULT 0;",

    /* How long each step of an attempt took (sqlite_timings.c); NULL: it is from
     * before it was noted. */
    "ALTER TABLE attempt ADD COLUMN timings BLOB;",
    /* NULL = the channel is no trial. */
    "ALTER TABLE channel ADD COLUMN trial_ends_ms INTEGER;",

    /* Attempts have no order among calls: here is the one of their commits. Keys are of
     * the same sequence as events'. A row is all that a group has settled of a channel,
     * which costs far less than an index on attempts. */
    "CREATE TABLE feed("
    "  channel INTEGER NOT NULL, key INTEGER NOT NULL, outcomes BLOB NOT NULL,"
    "  PRIMARY KEY(channel, key)) WITHOUT ROWID, STRICT;"
    "INSERT INTO meta VALUES('feed_key', 0);",

    /* Running ones by their next turn, ended ones by their age: see core/job.h for what
     * the rest says. `ids` are pairs of event and webhook, as this machine writes them.
     */
    "CREATE TABLE job("
    "  number INTEGER PRIMARY KEY AUTOINCREMENT, channel INTEGER NOT NULL,"
    "  kind INTEGER NOT NULL, webhook INTEGER NOT NULL, state INTEGER NOT NULL,"
    "  reason INTEGER NOT NULL, dry_run INTEGER NOT NULL, since_key INTEGER NOT NULL,"
    "  until_key INTEGER NOT NULL, states INTEGER NOT NULL, types INTEGER NOT NULL,"
    "  subscription TEXT NOT NULL, notification TEXT NOT NULL, ids BLOB NOT NULL,"
    "  error TEXT NOT NULL, pace INTEGER NOT NULL, matched INTEGER NOT NULL,"
    "  done INTEGER NOT NULL, skipped INTEGER NOT NULL, at_event INTEGER NOT NULL,"
    "  at_webhook INTEGER NOT NULL, at_due_ms INTEGER NOT NULL,"
    "  first_key INTEGER NOT NULL, seen INTEGER NOT NULL, expected INTEGER NOT NULL,"
    "  next_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    "  updated_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX job_channel ON job(channel);"
    "CREATE INDEX job_running ON job(next_ms) WHERE state = 0;"
    "CREATE INDEX job_finished ON job(finished_ms) WHERE state >= 2;",
    /* Time comes first: what is written at a time lies together, and so does what goes.
     * A step, or one webhook's row of it, is found by its key. rollup_gone says whose
     * rows are still to go. */
    "CREATE TABLE rollup("
    "  step INTEGER NOT NULL, at_ms INTEGER NOT NULL, whose INTEGER NOT NULL,"
    "  number INTEGER NOT NULL, events INTEGER NOT NULL, succeeded INTEGER NOT NULL,"
    "  failed INTEGER NOT NULL, exhausted INTEGER NOT NULL, max_us INTEGER NOT NULL,"
    "  took BLOB NOT NULL, PRIMARY KEY(step, at_ms, whose, number))"
    " WITHOUT ROWID, STRICT;"

    "CREATE TABLE rollup_gone("
    "  whose INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(whose, number))"
    " WITHOUT ROWID, STRICT;",
    /* By what events are found (sqlite_found.h); of old ones, too, when there is time.
     */
    ("CREATE TABLE found_run("
     "  number INTEGER PRIMARY KEY, level INTEGER NOT NULL, low INTEGER NOT NULL,"
     "  high INTEGER NOT NULL) STRICT;"
     "CREATE TABLE found("
     "  number INTEGER PRIMARY KEY, run INTEGER NOT NULL, token INTEGER NOT NULL,"
     "  key INTEGER NOT NULL, pairs BLOB NOT NULL) STRICT;"
     "CREATE UNIQUE INDEX found_place ON found(run, token, key);"),
    /* What waits to be sent, by its due time, is few. */
    "CREATE TABLE notice("
    "  number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, channel INTEGER NOT NULL,"
    "  channel_id TEXT NOT NULL, webhook INTEGER NOT NULL, text TEXT NOT NULL,"
    "  data TEXT NOT NULL, waits INTEGER NOT NULL, tries INTEGER NOT NULL,"
    "  due_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX notice_channel ON notice(channel);"
    "CREATE INDEX notice_due ON notice(due_ms) WHERE waits = 1;",
    /* NULL: it is from before it was noted. */
    "ALTER TABLE rollup ADD COLUMN backlog_first INTEGER;"
    "ALTER TABLE rollup ADD COLUMN backlog_highest INTEGER;",
};

_Static_assert(JOB_REPLAY == 0 && JOB_RETRY == 1 && JOB_CANCEL == 2 &&
                   JOB_RUNNING == 0 && JOB_PAUSED == 1 && JOB_DONE == 2 &&
                   JOB_CANCELLED == 3 && JOB_FAILED == 4 && JOB_WEBHOOK_DELETED == 1 &&
                   JOB_CHANNEL_DELETED == 2 && JOB_RESTORED == 3,
               "the jobs' numbers are on disk");

#define SCHEMA_VERSION ((int)ARRAY_LEN(steps))
const int sqlite_schema_version = SCHEMA_VERSION;

static int
pragma_int(sqlite3 *db, const char *sql, int *value)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *value = sqlite3_column_int(stmt, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

static int
migrate_steps(sqlite3 *db, int *version)
{
    char set[80];
    int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    while (rc == SQLITE_OK && *version < SCHEMA_VERSION)
        rc = sqlite3_exec(db, steps[(*version)++], NULL, NULL, NULL);
    sqlite3_snprintf((int)sizeof(set), set,
                     "PRAGMA application_id = %d; PRAGMA user_version = %d",
                     SQLITE_APPLICATION_ID, SCHEMA_VERSION);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, set, NULL, NULL, NULL);
    return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

int
sqlite_check_version(sqlite3 *db, const char *name, int *version, struct err *err)
{
    int application = 0, tables = 0;
    int rc = pragma_int(db, "PRAGMA user_version", version);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (rc != SQLITE_OK)
        return err_set(err, E_IO, "%s: %s", name, sqlite3_errmsg(db));

    if (tables && application != SQLITE_APPLICATION_ID)
        return err_set(err, E_CONFLICT, "%s is a database of another program", name);
    if (*version > SCHEMA_VERSION)
        return err_set(err, E_CONFLICT,
                       "%s was written by a newer pushwire (schema %d; this one knows "
                       "up to %d)",
                       name, *version, SCHEMA_VERSION);
    return 0;
}

/* All steps are one transaction: whatever happens, the file is of the version that it
 * was of, which the program that wrote it goes on with, or of this one. */
int
sqlite_migrate(sqlite3 *db, const char *name, struct err *err)
{
    int version = 0;
    int rc = sqlite_check_version(db, name, &version, err);
    if (rc < 0 || version == SCHEMA_VERSION)
        return rc;
    rc = migrate_steps(db, &version);
    if (rc == SQLITE_OK)
        return 0;
    int code = (rc & 0xff) == SQLITE_FULL ? E_FULL : E_IO;
    return err_set(err, code, "migrate to %d: %s; the data is as it was", version,
                   sqlite3_errmsg(db));
}

/* The two lists that walk back from a place compare row values, which SQLite turns into
 * one seek in the index however many rows are tied on the first column. */
const char *const sqlite_sql[STMTS] = {
    [STMT_BEGIN] = "BEGIN",
    [STMT_COMMIT] = "COMMIT",
    [STMT_META_PUT] = "INSERT INTO meta(name, value) VALUES(?1, ?2)"
                      " ON CONFLICT(name) DO UPDATE SET value = excluded.value",
    [STMT_PAGES] = "PRAGMA page_count",
    [STMT_FREE_PAGES] = "PRAGMA freelist_count",

    [STMT_EVENT_ADD] = "INSERT INTO event(key, channel, type, subscription, body)"
                       " VALUES(?1, ?2, ?3, ?4, ?5)",
    [STMT_CALL_ADD] = "INSERT INTO call(event, webhook, channel, state, due_ms, tries,"
                      " attempts) VALUES(?1, ?2, ?3, 0, ?4, 0, 0)",
    [STMT_IDEMPOTENCY_GET] = "SELECT number, hash, first_key, at_ms FROM idempotency"
                             " WHERE channel = ?1 AND key = ?2",
    [STMT_IDEMPOTENCY_ADD] = "INSERT INTO idempotency(channel, key, hash, first_key,"
                             " at_ms) VALUES(?1, ?2, ?3, ?4, ?5)",
    [STMT_IDEMPOTENCY_DROP] = "DELETE FROM idempotency WHERE number = ?1",
    [STMT_IDEMPOTENCY_OLDEST] = "SELECT at_ms FROM idempotency"
                                " ORDER BY number LIMIT 1",
    [STMT_IDEMPOTENCY_PURGE] =
        "DELETE FROM idempotency WHERE number IN (SELECT number FROM"
        " (SELECT number, at_ms FROM idempotency ORDER BY number LIMIT ?2)"
        " WHERE at_ms <= ?1)",

    [STMT_CALL_SETTLE] =
        "UPDATE call SET state = ?3, due_ms = ?4, tries = ?5, attempts = ?6"
        " WHERE event = ?1 AND webhook = ?2 AND state = 0 AND attempts < ?6"
        " AND due_ms = ?7",
    [STMT_CALL_ATTEMPTS] = "UPDATE call SET attempts = ?3"
                           " WHERE event = ?1 AND webhook = ?2",
    [STMT_ATTEMPT_ADD] =
        "INSERT INTO attempt(event, webhook, n, at_ms, duration_us, verdict, status,"
        " reason, response, timings) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [STMT_CALL_GET] = "SELECT state, due_ms, tries, attempts, channel FROM call"
                      " WHERE event = ?1 AND webhook = ?2",
    [STMT_CALL_RETRY] = "UPDATE call SET state = ?3, due_ms = ?4, tries = ?5"
                        " WHERE event = ?1 AND webhook = ?2",
    [STMT_SWEEP] = "UPDATE call SET state = ?2, due_ms = ?4"
                   " WHERE (event, webhook) IN (SELECT event, webhook FROM call"
                   " WHERE state = 0 AND webhook = ?1 LIMIT ?3)",
    [STMT_EVENT_WALK] = "SELECT key FROM event WHERE key >= ?1 AND key < ?2"
                        " ORDER BY key",
    [STMT_ATTEMPTS_DROP] = "DELETE FROM attempt WHERE event = ?1 AND webhook = ?2",
    [STMT_CALL_DROP] = "DELETE FROM call WHERE event = ?1 AND webhook = ?2",
    [STMT_EVENT_DROP] = "DELETE FROM event WHERE key = ?1",
    [STMT_REPORT_WALK] = "SELECT notification, subscription, what FROM report"
                         " WHERE (notification, subscription, what) > (?1, ?2, ?3)"
                         " ORDER BY notification, subscription, what LIMIT 1 OFFSET ?4",
    [STMT_REPORT_DROP] =
        "DELETE FROM report WHERE (notification, subscription, what) > (?1, ?2, ?3)"
        " AND (notification, subscription, what) <= (?4, ?5, ?6)"
        " AND (at_ms <= CASE WHEN at_ms <= ?7 THEN ?8 ELSE ?9 END OR NOT EXISTS("
        " SELECT 1 FROM subscription s WHERE s.number = subscription))",
    [STMT_TALLY_PUT] = "INSERT OR REPLACE INTO tally(webhook, waiting, succeeded,"
                       " failed, cancelled) VALUES(?1, ?2, ?3, ?4, ?5)",

    [STMT_CHANNEL_BY_ID] = "SELECT number FROM channel WHERE id = ?1 AND deleted = 0",
    [STMT_CHANNEL_ADD] =
        "INSERT INTO channel(id, name, created_ms, updated_ms) VALUES(?1, ?2, ?3, ?4)",
    [STMT_CHANNEL_SET] = "UPDATE channel SET name = ?2, updated_ms = ?3, deleted = ?4,"
                         " settings = ?5, trial_ends_ms = ?6 WHERE number = ?1",
    [STMT_CHANNEL_WEBHOOKS_DELETE] = "UPDATE webhook SET deleted = 1, secret = '',"
                                     " headers = '' WHERE channel = ?1",
    [STMT_CHANNEL_KEYS_DROP] = "DELETE FROM key WHERE channel = ?1",
    /* The rest follows by STMT_WEBHOOK_SET. */
    [STMT_WEBHOOK_ADD] =
        "INSERT INTO webhook(channel, url, types, headers, secret, enabled, deleted,"
        " own_retry, max_retries, initial_delay_ms, factor, max_delay_ms, created_ms,"
        " updated_ms) VALUES(?1, '', 0, '', '', 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    [STMT_WEBHOOK_SET] =
        "UPDATE webhook SET url = ?3, types = ?4, description = ?5, headers = ?6,"
        " secret = ?7, enabled = ?8, disabled_reason = ?9, deleted = ?10,"
        " own_retry = ?11, max_retries = ?12, initial_delay_ms = ?13, factor = ?14,"
        " max_delay_ms = ?15, created_ms = ?16, updated_ms = ?17"
        " WHERE number = ?1 AND channel = ?2",
    [STMT_WEBHOOK_FAILING] = "UPDATE webhook SET failing_since_ms = ?2"
                             " WHERE number = ?1",
    [STMT_KEY_BY_ID] = "SELECT number FROM key WHERE id = ?1",
    [STMT_KEY_ADD] = "INSERT INTO key(id, role, channel, hash, created_ms, expires_ms)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [STMT_KEY_DROP] = "DELETE FROM key WHERE number = ?1",

    [STMT_DUE] =
        "SELECT c.event, c.due_ms, c.attempts, c.tries, e.type, e.body"
        " FROM call c CROSS JOIN event e ON e.key = c.event"
        " WHERE c.state = 0 AND c.webhook = ?1 AND (c.due_ms, c.event) >= (?2, ?3)"
        " ORDER BY c.due_ms, c.event",
    [STMT_EVENT_LIST] =
        "SELECT key, type, subscription, body FROM event"
        " WHERE channel = ?1 AND key < ?2 AND key >= ?3 ORDER BY key DESC",
    [STMT_EVENT_GET] = "SELECT type, subscription, body FROM event"
                       " WHERE key = ?1 AND channel = ?2",
    [STMT_EVENT_CALLS] = "SELECT webhook, state, due_ms, attempts, tries FROM call"
                         " WHERE event = ?1 ORDER BY webhook",
    [STMT_EVENT_CALLS_DOWN] =
        "SELECT webhook, state, due_ms, attempts FROM call"
        " WHERE event = ?1 AND webhook < ?2 AND webhook >= ?3 ORDER BY webhook DESC",
    [STMT_ATTEMPT_GET] = "SELECT n, at_ms, duration_us, verdict, status, reason"
                         " FROM attempt WHERE event = ?1 AND webhook = ?2 AND n = ?3",
    [STMT_ATTEMPT_LIST] =
        "SELECT n, at_ms, duration_us, verdict, status, reason, response, timings"
        " FROM attempt WHERE event = ?1 AND webhook = ?2 ORDER BY n",
    [STMT_EVENT_HEADS] =
        "SELECT key, type, subscription FROM event"
        " WHERE channel = ?1 AND key <= ?2 AND key >= ?3 ORDER BY key DESC",
    [STMT_EVENT_HEAD] = "SELECT type, subscription FROM event WHERE key = ?1",
    [STMT_EVENT_BODY] = "SELECT body FROM event WHERE key = ?1",
    [STMT_EVENT_OLDEST] = "SELECT key FROM event WHERE key > 0 ORDER BY key LIMIT 1",
    [STMT_FOUND_READ] = "SELECT key, channel, subscription, body FROM event"
                        " WHERE key > ?1 ORDER BY key LIMIT ?2",
    [STMT_FOUND_ADD] = "INSERT INTO found(run, token, key, pairs)"
                       " VALUES(?1, ?2, ?3, ?4)",
    [STMT_FOUND_DROP] = "DELETE FROM found WHERE number IN"
                        " (SELECT number FROM found WHERE run = ?1 LIMIT ?2)",
    [STMT_FOUND_FIRST] = "SELECT pairs FROM found WHERE run = ?1"
                         " ORDER BY token, key LIMIT 1",
    [STMT_FOUND_NEXT] = "SELECT pairs FROM found WHERE run = ?1"
                        " AND (token, key) > (?2, ?3) ORDER BY token, key LIMIT 1",
    [STMT_FOUND_SEEK] = "SELECT pairs FROM found WHERE run = ?1"
                        " AND (token, key) <= (?2, ?3)"
                        " ORDER BY token DESC, key DESC",
    [STMT_FOUND_NEXT_RUN] = "SELECT run FROM found WHERE run > ?1 ORDER BY run LIMIT 1",
    [STMT_FOUND_RUN_ADD] = "INSERT INTO found_run(number, level, low, high)"
                           " VALUES(?1, ?2, ?3, ?4)",
    [STMT_FOUND_RUN_DROP] = "DELETE FROM found_run WHERE number = ?1",
    [STMT_WAITING_OF] = "SELECT event FROM call WHERE state = 0 AND webhook = ?1",
    [STMT_ENDED] = "SELECT event, webhook, state, attempts FROM call WHERE state >= 2"
                   " AND channel = ?1 AND (event, webhook) < (?2, ?3) AND event >= ?4"
                   " ORDER BY event DESC, webhook DESC",

#define SUBSCRIPTION_COLUMNS                                                           \
    "number, channel, id, created_ms, synced_ms, inactive, token, members"
    [STMT_SUBSCRIPTION_BY_ID] = "SELECT " SUBSCRIPTION_COLUMNS " FROM subscription"
                                " WHERE id = ?1 AND channel = ?2",
    [STMT_SUBSCRIPTION_BY_TOKEN] = "SELECT " SUBSCRIPTION_COLUMNS " FROM subscription"
                                   " WHERE token = ?1 AND token <> 0 AND channel = ?2"
                                   " AND inactive = 0 ORDER BY number LIMIT 1",
    [STMT_SUBSCRIPTION_ANYWHERE] = "SELECT channel, number FROM subscription"
                                   " WHERE id = ?1",
    [STMT_SUBSCRIPTION_LIST] = "SELECT " SUBSCRIPTION_COLUMNS " FROM subscription"
                               " WHERE channel = ?1 AND number > ?2 ORDER BY number",
/* Of each value no more than one read can show: many may have the same. */
#define FIRST_WITH(value)                                                              \
    "SELECT subscription FROM (SELECT subscription FROM attribute WHERE channel = ?1"  \
    " AND name = ?3 AND value = " value " AND subscription > ?2"                       \
    " ORDER BY subscription LIMIT ?6)"
    [STMT_SUBSCRIPTION_WITH] =
        "SELECT " SUBSCRIPTION_COLUMNS " FROM subscription WHERE number IN"
        " (" FIRST_WITH("?4") " UNION ALL " FIRST_WITH("?5") ") ORDER BY number",
    [STMT_SUBSCRIPTION_ADD] =
        "INSERT INTO subscription(channel, id, created_ms, synced_ms, inactive, token,"
        " members) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STMT_SUBSCRIPTION_SET] = "UPDATE subscription SET created_ms = ?2, synced_ms = ?3,"
                              " inactive = ?4, members = ?5 WHERE number = ?1",
    [STMT_SUBSCRIPTION_SET_TOKEN] = "UPDATE subscription SET token = ?2"
                                    " WHERE number = ?1",
    [STMT_SUBSCRIPTION_SWEEP] = "DELETE FROM subscription WHERE number IN (SELECT"
                                " number FROM subscription WHERE channel = ?1"
                                " LIMIT ?2)",
    [STMT_ATTRIBUTE_PUT] = "INSERT OR IGNORE INTO attribute(channel, name, value,"
                           " subscription) VALUES(?1, ?2, ?3, ?4)",
    [STMT_ATTRIBUTE_DROP] = "DELETE FROM attribute WHERE channel = ?1 AND name = ?2"
                            " AND value = ?3 AND subscription = ?4",
    [STMT_ATTRIBUTE_SWEEP] = "DELETE FROM attribute WHERE (channel, name, value,"
                             " subscription) IN (SELECT channel, name, value,"
                             " subscription FROM attribute WHERE channel = ?1"
                             " LIMIT ?2)",
    [STMT_POPULATION_PUT] = "INSERT OR REPLACE INTO population(channel, active,"
                            " inactive) VALUES(?1, ?2, ?3)",
    [STMT_REPORT_GET] = "SELECT at_ms FROM report WHERE notification = ?1"
                        " AND subscription = ?2 AND what = ?3",
    [STMT_REPORT_PUT] =
        "INSERT OR REPLACE INTO report(notification, subscription, what,"
        " at_ms) VALUES(?1, ?2, ?3, ?4)",

#define NOTICE_COLUMNS                                                                 \
    "number, kind, channel, channel_id, webhook, text, data, waits, tries, due_ms"
    [STMT_NOTICE_ADD] = "INSERT OR IGNORE INTO notice(" NOTICE_COLUMNS
                        ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9)",
    [STMT_NOTICE_PURGE] =
        "DELETE FROM notice WHERE number IN (SELECT number FROM notice"
        " WHERE number < max(?1, coalesce((SELECT number FROM notice"
        " ORDER BY number DESC LIMIT 1 OFFSET ?2), 0)) ORDER BY number LIMIT ?3)",
    [STMT_NOTICES] = "SELECT " NOTICE_COLUMNS " FROM notice WHERE number < ?1"
                     " ORDER BY number DESC",
    [STMT_NOTICES_OF] = "SELECT " NOTICE_COLUMNS " FROM notice WHERE channel = ?2"
                        " AND number < ?1 ORDER BY number DESC",
    [STMT_NOTICES_WAITING] = "SELECT " NOTICE_COLUMNS " FROM notice WHERE waits = 1"
                             " ORDER BY due_ms, number",
    [STMT_NOTICE_SETTLE] = "UPDATE notice SET waits = ?2, tries = ?3, due_ms = ?4"
                           " WHERE number = ?1",

#define NOTIFICATION_COLUMNS                                                           \
    "number, channel, id, created_ms, feed_guid, body, delivered, clicked"
    [STMT_NOTIFICATION_BY_ID] = "SELECT " NOTIFICATION_COLUMNS " FROM notification"
                                " WHERE id = ?1 AND channel = ?2",
    [STMT_NOTIFICATION_HAS] = "SELECT 1 FROM notification WHERE id = ?1"
                              " AND channel = ?2",
    [STMT_NOTIFICATION_LIST] = "SELECT " NOTIFICATION_COLUMNS " FROM notification"
                               " WHERE channel = ?1 AND number < ?2"
                               " ORDER BY number DESC",
    [STMT_NOTIFICATION_ADD] =
        "INSERT INTO notification(channel, feed_guid, body, id, created_ms, delivered,"
        " clicked) VALUES(?1, ?2, ?3, ?4, ?5, 0, 0)",
    [STMT_NOTIFICATION_SET] = "UPDATE notification SET feed_guid = ?2, body = ?3"
                              " WHERE number = ?1",
    [STMT_NOTIFICATION_COUNT] = "UPDATE notification SET delivered = delivered + ?2,"
                                " clicked = clicked + ?3 WHERE number = ?1",
    [STMT_NOTIFICATION_SWEEP] = "DELETE FROM notification WHERE number IN (SELECT"
                                " number FROM notification WHERE channel = ?1"
                                " LIMIT ?2)",

    [STMT_FEED_ADD] = "INSERT INTO feed(channel, key, outcomes) VALUES(?1, ?2, ?3)",
    [STMT_FEED_LIST] = "SELECT key, outcomes FROM feed"
                       " WHERE channel = ?1 AND key >= ?2 ORDER BY key",
    [STMT_FEED_EVENTS] = "SELECT key, type, subscription, body FROM event"
                         " WHERE channel = ?1 AND key >= ?2 ORDER BY key",
    [STMT_FEED_OLDEST] = "SELECT channel, key FROM feed WHERE channel > ?1"
                         " ORDER BY channel, key LIMIT 1",
    [STMT_FEED_TRIM] = "DELETE FROM feed WHERE channel = ?1 AND key IN (SELECT key"
                       " FROM feed WHERE channel = ?1 AND key < ?2"
                       " ORDER BY key LIMIT ?3)",

#define JOB_COLUMNS                                                                    \
    "number, channel, kind, webhook, state, reason, dry_run, since_key, until_key,"    \
    " states, types, subscription, notification, ids, error, pace, matched, done,"     \
    " skipped, at_event, at_webhook, at_due_ms, first_key, seen, expected, next_ms,"   \
    " created_ms, updated_ms, finished_ms"
    [STMT_JOB_ADD] =
        "INSERT INTO job(channel, kind, webhook, state, reason, dry_run, since_key,"
        " until_key, states, types, subscription, notification, ids, error, pace,"
        " matched, done, skipped, at_event, at_webhook, at_due_ms, first_key, seen,"
        " expected, next_ms, created_ms, updated_ms, finished_ms)"
        " VALUES(?1, ?2, ?3, 0, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, 0,"
        " 0, ?14, 0, ?15, ?16, 0, ?17, ?18, ?18, ?18, 0)",
    [STMT_JOB_SET] =
        "UPDATE job SET state = ?2, reason = ?3, matched = ?4, done = ?5, skipped = ?6,"
        " at_event = ?7, at_webhook = ?8, at_due_ms = ?9, seen = ?10, next_ms = ?11,"
        " updated_ms = ?12, finished_ms = ?13 WHERE number = ?1",
    [STMT_JOB_GET] = "SELECT " JOB_COLUMNS " FROM job WHERE channel = ?1"
                     " AND number = ?2",
    [STMT_JOB_LIST] = "SELECT number FROM job WHERE channel = ?1 AND number < ?2"
                      " ORDER BY number DESC",
    [STMT_JOB_NEXT] = "SELECT " JOB_COLUMNS " FROM job WHERE state = 0"
                      " AND next_ms < ?1 ORDER BY next_ms LIMIT 1",
    [STMT_JOB_DROP] = "DELETE FROM job WHERE number = ?1",
    [STMT_JOB_ENDED] = "SELECT number FROM job WHERE channel = ?1 AND state >= 2"
                       " ORDER BY number LIMIT 1",
    [STMT_JOBS_RUNNING] = "SELECT count(*) FROM job WHERE channel = ?1 AND state = 0",
    [STMT_JOBS_KEPT] = "SELECT count(*) FROM job WHERE channel = ?1",
    [STMT_JOBS_OLD] = "SELECT 1 FROM job WHERE state >= 2 AND finished_ms <= ?1"
                      " LIMIT 1",
    [STMT_JOBS_DROP] = "DELETE FROM job WHERE number IN (SELECT number FROM job"
                       " WHERE state >= 2 AND finished_ms <= ?1 LIMIT ?2)",
    [STMT_JOB_EVENT] = "SELECT type, subscription, body FROM event"
                       " WHERE key = ?1 AND channel = ?2",
    [STMT_JOB_EVENTS] = "SELECT key FROM event WHERE channel = ?1 AND key >= ?2"
                        " AND key < ?3 ORDER BY key",
    [STMT_JOB_CALLS] = "SELECT webhook FROM call WHERE event = ?1 AND webhook > ?2"
                       " ORDER BY webhook",
    [STMT_JOB_CALLS_ENDED] =
        "SELECT event, webhook FROM call WHERE state >= 2 AND channel = ?1"
        " AND (event, webhook) > (?2, ?3) AND event < ?4 ORDER BY event, webhook",
    [STMT_JOB_WAITING] = "SELECT due_ms, event FROM call WHERE state = 0"
                         " AND webhook = ?1 AND (due_ms, event) > (?2, ?3)"
                         " ORDER BY due_ms, event",
    [STMT_ROLLUP_GET] =
        "SELECT events, succeeded, failed, exhausted, max_us, took,"
        " coalesce(backlog_first, -1), coalesce(backlog_highest, -1) FROM rollup"
        " WHERE step = ?1 AND at_ms = ?2 AND whose = ?3 AND number = ?4",
    [STMT_ROLLUP_PUT] =
        "INSERT OR REPLACE INTO rollup(step, at_ms, whose, number, events, succeeded,"
        " failed, exhausted, max_us, took, backlog_first, backlog_highest)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [STMT_ROLLUP_PURGE] =
        "DELETE FROM rollup WHERE (step, at_ms, whose, number) IN (SELECT step, at_ms,"
        " whose, number FROM rollup WHERE step = ?1 AND at_ms < ?2 LIMIT ?3)",
    [STMT_ROLLUP_DROP] = "DELETE FROM rollup WHERE step = ?1 AND at_ms = ?2"
                         " AND whose = ?3 AND number = ?4",
    [STMT_ROLLUP_GONE_ADD] = "INSERT OR IGNORE INTO rollup_gone(whose, number)"
                             " VALUES(?1, ?2)",
    [STMT_ROLLUP_GONE_ADD_ALL] =
        "INSERT OR IGNORE INTO rollup_gone(whose, number) SELECT ?1, number"
        " FROM webhook WHERE channel = ?2 AND deleted = 0",
    [STMT_ROLLUP_GONE_GET] = "SELECT whose, number FROM rollup_gone"
                             " WHERE whose >= 0 ORDER BY whose, number LIMIT 1",
    [STMT_ROLLUP_GONE_DONE] = "DELETE FROM rollup_gone WHERE whose = ?1"
                              " AND number = ?2",
    [STMT_OLDEST_DUE] = "SELECT due_ms FROM call WHERE state = 0 AND webhook = ?1"
                        " ORDER BY due_ms LIMIT 1",
};
