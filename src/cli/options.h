/*
 * Options. One table (options_table.c) says for each its flag, its variable, whether
 * the config file may set it, what values it takes, its default and its help; commands
 * name the ones they take as a set. Flag before variable before config file before
 * default. Whatever is unknown or malformed is refused with where it stood, what was
 * expected and the nearest name that there is.
 */
#pragma once

#include "base/err.h"
#include "base/types.h"

enum option_id {
    /* serve, and others that work on its data */
    OPTION_DATA,
    OPTION_MASTER_KEY,
    /* serve alone: they share a bit of a set */
    OPTION_LISTEN,
    OPTION_SERVE_FIRST = OPTION_LISTEN,
    OPTION_CONFIG,
    OPTION_DEV,
    OPTION_LOG,
    OPTION_LOG_LEVEL,
    OPTION_SENDERS,
    OPTION_API_THREADS,
    OPTION_WINDOW,
    OPTION_SLOTS,
    OPTION_HOST_WINDOW,
    OPTION_DRAIN_RATE,
    OPTION_DRAIN_TOTAL,
    OPTION_DISABLE_AFTER,
    OPTION_NOTIFY_URL,
    OPTION_NOTIFY_SECRET_FILE,
    OPTION_NOTIFY_BACKLOG,
    OPTION_NOTIFY_OLDEST_DUE,
    OPTION_CHANNEL_RATE,
    OPTION_DEADLINE,
    OPTION_MAX_EVENTS,
    OPTION_MAX_REQUEST,
    OPTION_MAX_CONNECTIONS,
    OPTION_MAX_PER_ADDRESS,
    OPTION_TLS_CERTIFICATE,
    OPTION_TLS_KEY,
    OPTION_METRICS_LISTEN,
    OPTION_INGEST_MEMORY,
    OPTION_SENDER_MEMORY,
    OPTION_CACHE,
    OPTION_DISK_RESERVE,
    OPTION_MAX_DISK,
    OPTION_DRAIN,
    OPTION_KEEP_SUCCEEDED,
    OPTION_KEEP_FAILED,
    OPTION_KEEP_BYTES,
    OPTION_PUBLIC_METRICS,
    OPTION_CA_FILE,
    OPTION_ALLOW,
    OPTION_DENY,
    OPTION_PORTS,
    OPTION_ALLOW_HTTP,
    OPTION_NAT64,
    OPTION_ALLOW_METADATA,
    OPTION_DNS,
    OPTION_EGRESS_PROXY,
    OPTION_SDK_ADDRESS_RATE,
    OPTION_SDK_ADDRESS_BURST,
    OPTION_SDK_CHANNEL_RATE,
    OPTION_SDK_CHANNEL_BURST,
    OPTION_KEY_RATE,
    OPTION_KEY_BURST,
    OPTION_ADDRESS_HEADER,
    OPTION_COUNTRY_HEADER,
    OPTION_GEOIP,
    OPTION_NEW_KEY,
    OPTION_ACCEPT_LOSS,
    OPTION_USER,
    OPTION_MAX_MEMORY,
    OPTION_SANDBOX,
    OPTION_SERVE_LAST = OPTION_SANDBOX, /* a new one stands before it */
    /* restore */
    OPTION_SEND_WAITING,
    OPTION_CANCEL_WAITING,
    /* listen */
    OPTION_RECEIVE_AT,
    OPTION_CHECK_SECRET,
    OPTION_CHECK_SECRET_FILE,
    OPTION_STATUS,
    OPTION_FAIL,
    OPTION_DELAY,
    OPTION_CALLS,
    OPTION_QUIET,
    /* what is sent, asked for or changed */
    OPTION_CHANNEL,
    OPTION_PAYLOAD,
    OPTION_COUNT,
    OPTION_SUBSCRIPTION,
    OPTION_ID,
    OPTION_NAME,
    OPTION_TRIAL,
    OPTION_NO_TRIAL,
    OPTION_TARGET,
    OPTION_EVENTS,
    OPTION_DESCRIPTION,
    OPTION_HEADER,
    OPTION_NO_HEADERS,
    OPTION_SECRET,
    OPTION_SECRET_FILE,
    OPTION_KEY_TYPE,
    OPTION_OVERLAP,
    OPTION_DISABLED,
    OPTION_MAX_RETRIES,
    OPTION_INITIAL_DELAY,
    OPTION_FACTOR,
    OPTION_MAX_DELAY,
    OPTION_DEFAULT_RETRY,
    OPTION_STATE,
    OPTION_REPLAY_STATE,
    OPTION_WEBHOOK,
    OPTION_TYPE,
    OPTION_SAMPLE_TYPE,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_KIND,
    OPTION_AFTER,
    OPTION_NO_FOLLOW,
    OPTION_NOTIFICATION,
    OPTION_ERROR,
    OPTION_ALL_FAILED,
    OPTION_DRY_RUN,
    OPTION_PACE,
    OPTION_WAIT,
    OPTION_ROLE,
    OPTION_EXPIRES,
    OPTION_TOPIC,
    OPTION_TAG,
    OPTION_PLATFORM,
    OPTION_LANGUAGE,
    OPTION_COUNTRY,
    OPTION_ATTRIBUTE,
    OPTION_VALUE,
    OPTION_ACTIVE,
    OPTION_INACTIVE,
    OPTION_SYNCED_SINCE,
    OPTION_OBJECT,
    OPTION_OUTPUT,
    OPTION_EMIT,
    OPTION_TITLE,
    OPTION_LINK,
    OPTION_FEED_GUID,
    OPTION_RANGE,
    OPTION_LIMIT,
    OPTION_JSON,
    OPTION_COLOR,
    /* the way to the server */
    OPTION_URL,
    OPTION_KEY,
    OPTION_SERVER_CA,
    OPTION_KEY_FILE,
    OPTION_KEY_DATA,
    OPTION_DATA_DIR,
    OPTIONS
};

/* A set of options: a bit for each, but for those of serve, which are there all or
 * none: there are more options than bits. */
typedef unsigned __int128 option_set;
#define OPT(id) ((option_set)1 << OPTION_BIT(OPTION_##id))
#define OPTION_BIT(id)                                                                 \
    ((id) < OPTION_SERVE_FIRST   ? (id)                                                \
     : (id) <= OPTION_SERVE_LAST ? OPTION_SERVE_FIRST                                  \
                                 : (id)-OPTION_SERVE_LAST + OPTION_SERVE_FIRST)
_Static_assert(OPTION_BIT(OPTIONS) <= 128, "a set of options has 128 bits");

static inline bool
option_in(option_set set, size_t id)
{
    return set >> OPTION_BIT(id) & 1;
}

enum option_type {
    OPTION_BOOL,    /* a flag without a value */
    OPTION_STRING,  /* at least min bytes */
    OPTION_ADDRESS, /* ADDR:PORT */
    OPTION_SERVER,  /* a server's URL */
    OPTION_TIME,    /* ISO 8601, or a duration: so long ago */
    OPTION_INT,     /* min to max; so the next three */
    OPTION_DECIMAL,
    OPTION_SIZE,     /* bytes */
    OPTION_DURATION, /* milliseconds */
    OPTION_WORD,     /* one of the words */
    OPTION_WORDS     /* some of them, with commas between */
};

struct option {
    const char *name;     /* --name, or `name = value` in the config file */
    const char *variable; /* NULL: not from the environment */
    bool in_file;         /* the config file may set it */
    bool repeated;        /* the flag may be given several times */
    enum option_type type;
    const char *value;    /* what help calls it */
    const char *fallback; /* the default as text; NULL = none */
    int64_t min, max;
    msec_t unit_ms;                   /* of a bare number, for durations */
    const char *(*word)(unsigned at); /* NULL at the end */
    const char *help;
};

extern const struct option option_table[OPTIONS];

enum option_source { OPTION_BY_DEFAULT, OPTION_BY_FILE, OPTION_BY_ENV, OPTION_BY_FLAG };

struct option_value {
    enum option_source source;
    char **texts; /* as given */
    size_t n;
    int64_t number; /* of bool, int, size, duration, word (its place) */
    double decimal;
};

struct options {
    struct option_value values[OPTIONS];
};

void options_init(struct options *options); /* all defaults */
void options_fini(struct options *options);

/* Flags until the end or `--`. What is neither goes to args (room for argc, borrowed).
 */
int options_from_flags(struct options *options, option_set taken, int argc, char **argv,
                       char **args, size_t *n_args, struct err *err) must_check;
/* Variables. With `strict` one that is nearly the name of a known one is refused and
 * any other unknown PUSHWIRE_* is handed to `unknown` (which may be NULL). */
int options_from_env(struct options *options, option_set taken, char *const *env,
                     bool strict, void (*unknown)(const char *name),
                     struct err *err) must_check;
/* One `name = value`; for config_file.c. */
int options_from_pair(struct options *options, option_set taken, const char *name,
                      const char *value, struct err *err) must_check;

/* The last text given, or the default; NULL = neither. */
const char *option_text(const struct options *options, enum option_id id);
int64_t option_number(const struct options *options, enum option_id id);
double option_decimal(const struct options *options, enum option_id id);
bool option_on(const struct options *options, enum option_id id);
bool option_given(const struct options *options, enum option_id id);
enum option_source option_source(const struct options *options, enum option_id id);
