/* The table of options: a new one is a row here, its id in options.h, and its bit in
 * the set of each command that takes it. */
#include "cli/options.h"

#include "cli/color.h"
#include "core/call.h"
#include "core/event.h"
#include "core/key.h"
#include "core/secret.h"

static const char *
log_format(unsigned at)
{
    static const char *const names[] = {"text", "json"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

/* In the order of enum log_level. */
static const char *
log_level(unsigned at)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

/* In the order of serve_sandbox.c's enum how. */
static const char *
sandbox(unsigned at)
{
    static const char *const names[] = {"on", "strict", "off"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

static const char *
role(unsigned at)
{
    return at < ROLES ? role_name((enum role)at) : NULL;
}

static const char *
key_type(unsigned at)
{
    return at < SECRET_KINDS ? secret_kind_name((enum secret_kind)at) : NULL;
}

static const char *
type(unsigned at)
{
    return at < EVENT_TYPES ? event_type_name((enum event_type)at) : NULL;
}

static const char *
type_or_all(unsigned at)
{
    return at == EVENT_TYPES ? "all" : type(at);
}

static const char *
kind(unsigned at)
{
    static const char *const names[] = {"event", "attempt"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

static const char *
range(unsigned at)
{
    static const char *const names[] = {"hour", "day", "week"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

static const char *
shown_state(unsigned at)
{
    static const enum call_state shown[] = {CALL_WAITING, CALL_HELD, CALL_SUCCEEDED,
                                            CALL_FAILED, CALL_CANCELLED};
    return at < ARRAY_LEN(shown) ? call_state_name(shown[at]) : NULL;
}

/* What is held goes out when its webhook is enabled. */
static const char *
replay_state(unsigned at)
{
    static const char *const names[] = {"waiting", "succeeded", "failed", "cancelled",
                                        "missing"};
    return at < ARRAY_LEN(names) ? names[at] : NULL;
}

#define KIB(n)     ((int64_t)(n) << 10)
#define MIB(n)     ((int64_t)(n) << 20)
#define GIB(n)     ((int64_t)(n) << 30)
#define SECONDS(n) ((int64_t)(n)*1000)
#define HOURS(n)   ((int64_t)(n)*3600000)

/* What the server takes: each also as a variable and in the config file. */
#define SERVER(option, env) .name = option, .variable = "PUSHWIRE_" env, .in_file = true
#define FLAG(option)        .name = option
#define TEXT(what)          .type = OPTION_STRING, .value = what, .min = 1
#define INT(from, to)       .type = OPTION_INT, .value = "N", .min = from, .max = to
#define SIZE(from, to)      .type = OPTION_SIZE, .value = "SIZE", .min = from, .max = to
#define DURATION(from, to, bare)                                                       \
    .type = OPTION_DURATION, .value = "TIME", .min = from, .max = to, .unit_ms = bare
#define WORD(what, names) .type = OPTION_WORD, .value = what, .word = names

const struct option option_table[OPTIONS] = {
    [OPTION_LISTEN] = {SERVER("listen", "LISTEN"), .type = OPTION_ADDRESS,
                       .value = "ADDR:PORT", .fallback = "127.0.0.1:8420",
                       .help = "where to accept requests; port 0 picks a free one"},
    [OPTION_DATA] = {SERVER("data", "DATA"), TEXT("DIR"), .fallback = "./pushwire-data",
                     .help = "where everything is kept; made if missing"},
    [OPTION_CONFIG] = {FLAG("config"), .variable = "PUSHWIRE_CONFIG", TEXT("FILE"),
                       .help = "read options from FILE, in lines NAME = VALUE"},
    [OPTION_DEV] = {SERVER("dev", "DEV"), .type = OPTION_BOOL,
                    .help = "for development: webhooks may be http and on private or "
                            "loopback addresses"},
    [OPTION_LOG] = {SERVER("log", "LOG"), WORD("FORMAT", log_format),
                    .fallback = "text", .help = "log lines for people or for programs"},
    [OPTION_LOG_LEVEL] = {SERVER("log-level", "LOG_LEVEL"), WORD("LEVEL", log_level),
                          .fallback = "info", .help = "least level that is logged"},
    [OPTION_SENDERS] = {SERVER("senders", "SENDERS"), INT(1, 256),
                        .help = "threads that send calls; default: one per core"},
    [OPTION_API_THREADS] = {SERVER("api-threads", "API_THREADS"), INT(1, 256),
                            .help = "threads that take requests; default: one per "
                                    "core, at most 4"},
    [OPTION_WINDOW] = {SERVER("window", "WINDOW"), INT(1, 1024), .fallback = "32",
                       .help = "calls in flight per webhook, at most"},
    [OPTION_SLOTS] = {SERVER("slots", "SLOTS"), INT(1, 100000), .fallback = "2048",
                      .help = "calls in flight per sender thread, at most"},
    [OPTION_HOST_WINDOW] = {SERVER("host-window", "HOST_WINDOW"), INT(0, 100000),
                            .fallback = "512",
                            .help = "calls in flight to one host and port, of all "
                                    "webhooks, at most; 0 = any number"},
    [OPTION_DRAIN_RATE] = {SERVER("drain-rate", "DRAIN_RATE"), INT(0, 100000),
                           .fallback = "250",
                           .help = "calls a second, per webhook, of what waited for an "
                                   "outage to end, and of retries; 0 = any number"},
    [OPTION_DRAIN_TOTAL] = {SERVER("drain-total", "DRAIN_TOTAL"), INT(0, 1000000),
                            .fallback = "2500", .help = "and of all webhooks together"},
    [OPTION_DISABLE_AFTER] = {SERVER("disable-after", "DISABLE_AFTER"),
                              DURATION(0, HOURS(24 * 365), 1000), .fallback = "5d",
                              .help = "disable a webhook after so long nothing but "
                                      "failures; 0 = never"},
    [OPTION_NOTIFY_URL] = {SERVER("notify-url", "NOTIFY_URL"), TEXT("URL"),
                           .help =
                               "where operators are told, as a webhook: of disabled "
                               "webhooks, exhausted calls, backlogs, a full disk"},
    [OPTION_NOTIFY_SECRET_FILE] = {SERVER("notify-secret-file", "NOTIFY_SECRET_FILE"),
                                   TEXT("FILE"),
                                   .help = "what that is signed with; made if missing; "
                                           "default: DIR/notify.secret"},
    [OPTION_NOTIFY_BACKLOG] = {SERVER("notify-backlog", "NOTIFY_BACKLOG"),
                               INT(0, INT64_MAX / 2), .fallback = "100000",
                               .help = "tell when more calls of one webhook wait; 0 = "
                                       "never"},
    [OPTION_NOTIFY_OLDEST_DUE] = {SERVER("notify-oldest-due", "NOTIFY_OLDEST_DUE"),
                                  DURATION(0, HOURS(24 * 365), 1000), .fallback = "1h",
                                  .help = "tell when a call has been due for longer; 0 "
                                          "= never"},
    [OPTION_CHANNEL_RATE] = {SERVER("channel-rate", "CHANNEL_RATE"), INT(0, 1000000),
                             .fallback = "0",
                             .help = "events a second that one channel takes in, and "
                                     "ten seconds' worth at once; beyond it clients "
                                     "are told to come again (429); 0 = any number"},
    [OPTION_DEADLINE] = {SERVER("deadline", "DEADLINE"),
                         DURATION(100, SECONDS(300), 1000), .fallback = "15s",
                         .help = "total time of one attempt"},
    [OPTION_MAX_EVENTS] = {SERVER("max-events", "MAX_EVENTS"), INT(1, 100000),
                           .fallback = "1000", .help = "events per request, at most"},
    [OPTION_MAX_REQUEST] = {SERVER("max-request", "MAX_REQUEST"), SIZE(KIB(1), GIB(1)),
                            .fallback = "1MiB",
                            .help = "bytes of a request with events, at most"},
    [OPTION_MAX_CONNECTIONS] = {SERVER("max-connections", "MAX_CONNECTIONS"),
                                INT(1, 100000), .fallback = "4096",
                                .help = "connections of clients, at most"},
    [OPTION_MAX_PER_ADDRESS] = {SERVER("max-connections-per-address",
                                       "MAX_CONNECTIONS_PER_ADDRESS"),
                                INT(0, 100000), .fallback = "0",
                                .help = "connections of one address but loopback, at "
                                        "most; 0 = a quarter of all, or any number "
                                        "behind a proxy that is named"},
    [OPTION_TLS_CERTIFICATE] = {SERVER("tls-certificate", "TLS_CERTIFICATE"),
                                TEXT("FILE"),
                                .help = "accept TLS instead of plain HTTP, with the "
                                        "certificate chain in FILE (PEM); read again "
                                        "on SIGHUP"},
    [OPTION_TLS_KEY] = {SERVER("tls-key", "TLS_KEY"), TEXT("FILE"),
                        .help = "the certificate's private key (PEM)"},
    [OPTION_METRICS_LISTEN] = {SERVER("metrics-listen", "METRICS_LISTEN"),
                               .type = OPTION_ADDRESS, .value = "ADDR:PORT",
                               .help = "serve /healthz, /readyz and /metrics there, to "
                                       "whoever reaches it, and no more at --listen"},
    [OPTION_INGEST_MEMORY] = {SERVER("ingest-memory", "INGEST_MEMORY"),
                              SIZE(MIB(1), GIB(1024)), .fallback = "64MiB",
                              .help =
                                  "memory for request bodies; beyond it clients are "
                                  "told to come again (503)"},
    [OPTION_SENDER_MEMORY] = {SERVER("sender-memory", "SENDER_MEMORY"),
                              SIZE(MIB(1), GIB(1024)), .fallback = "32MiB",
                              .help = "memory for events that are being sent, per "
                                      "sender thread"},
    [OPTION_CACHE] = {SERVER("cache", "CACHE"), SIZE(MIB(1), GIB(1024)),
                      .fallback = "32MiB", .help = "memory for pages of the database"},
    [OPTION_DISK_RESERVE] = {SERVER("disk-reserve", "DISK_RESERVE"), SIZE(0, GIB(1024)),
                             .fallback = "64MiB",
                             .help = "refuse new events (503) while the disk has less "
                                     "free space, so that outcomes of calls can still "
                                     "be recorded; 0 = until it is full"},
    [OPTION_MAX_DISK] = {SERVER("max-disk", "MAX_DISK"), SIZE(MIB(16), GIB(1 << 20)),
                         .help = "likewise when the data takes nearly so much space; "
                                 "default: any"},
    [OPTION_DRAIN] = {SERVER("drain", "DRAIN"), DURATION(0, HOURS(1), 1000),
                      .fallback = "30s",
                      .help = "how long calls in flight may take to end after SIGTERM"},
    [OPTION_KEEP_SUCCEEDED] = {SERVER("keep-succeeded", "KEEP_SUCCEEDED"),
                               DURATION(0, HOURS(24 * 36500), HOURS(24)),
                               .fallback = "7d",
                               .help = "how long an event is kept when its calls have "
                                       "succeeded; 0 = for ever"},
    [OPTION_KEEP_FAILED] = {SERVER("keep-failed", "KEEP_FAILED"),
                            DURATION(0, HOURS(24 * 36500), HOURS(24)),
                            .fallback = "30d",
                            .help =
                                "how long when one has failed or was cancelled; 0 = "
                                "for ever"},
    [OPTION_KEEP_BYTES] = {SERVER("keep-bytes", "KEEP_BYTES"), SIZE(0, GIB(1048576)),
                           .fallback = "0",
                           .help = "when more is stored, the oldest events go though "
                                   "their time is not over, never one that waits; 0 = "
                                   "any amount"},
    [OPTION_PUBLIC_METRICS] = {SERVER("public-metrics", "PUBLIC_METRICS"),
                               .type = OPTION_BOOL,
                               .help = "serve /healthz, /readyz and /metrics to other "
                                       "machines, too"},
    [OPTION_CA_FILE] = {SERVER("ca-file", "CA_FILE"), TEXT("FILE"),
                        .help = "trust the certificates in FILE instead of the "
                                "system's"},
    [OPTION_ALLOW] = {SERVER("allow", "ALLOW"), TEXT("NET,…"), .repeated = true,
                      .help = "open addresses that the rule shuts to calls: "
                              "ADDRESS/BITS, or ADDRESS/BITS:PORT for a port of its "
                              "own; may be given several times"},
    [OPTION_DENY] = {SERVER("deny", "DENY"), TEXT("NET,…"), .repeated = true,
                     .help = "addresses that calls never go to, whatever else is said"},
    [OPTION_PORTS] = {SERVER("ports", "PORTS"), TEXT("PORT,…"), .fallback = "443,8443",
                      .help = "ports that calls may go to"},
    [OPTION_ALLOW_HTTP] = {SERVER("allow-http", "ALLOW_HTTP"), .type = OPTION_BOOL,
                           .help = "webhooks may be http: anybody on the way reads and "
                                   "changes what is sent"},
    [OPTION_NAT64] = {SERVER("nat64", "NAT64"), .type = OPTION_BOOL,
                      .help = "64:ff9b::/96 leads to the IPv4 address inside: judge "
                              "that"},
    [OPTION_ALLOW_METADATA] = {SERVER("allow-cloud-metadata-i-know-what-this-does",
                                      "ALLOW_CLOUD_METADATA_I_KNOW_WHAT_THIS_DOES"),
                               .type = OPTION_BOOL,
                               .help = "let --allow open the addresses where clouds "
                                       "hand out their credentials"},
    [OPTION_DNS] = {SERVER("dns", "DNS"), TEXT("ADDR:PORT,…"), .repeated = true,
                    .help = "ask these name servers instead of the system's; may be "
                            "given several times"},
    [OPTION_EGRESS_PROXY] = {SERVER("egress-proxy", "EGRESS_PROXY"), TEXT("URL"),
                             .help = "make all calls through this proxy, "
                                     "http://HOST:PORT or socks5://HOST:PORT; where "
                                     "names lead is then its business"},
    [OPTION_SDK_ADDRESS_RATE] = {SERVER("sdk-address-rate", "SDK_ADDRESS_RATE"),
                                 INT(0, 1000000), .fallback = "500",
                                 .help = "requests a second that one client address "
                                         "may make of the public routes; 0 = any "
                                         "number"},
    [OPTION_SDK_ADDRESS_BURST] = {SERVER("sdk-address-burst", "SDK_ADDRESS_BURST"),
                                  INT(1, 10000000), .fallback = "10000",
                                  .help = "and so many at once"},
    [OPTION_SDK_CHANNEL_RATE] = {SERVER("sdk-channel-rate", "SDK_CHANNEL_RATE"),
                                 INT(0, 1000000), .fallback = "20000",
                                 .help = "the same for all requests about one channel"},
    [OPTION_SDK_CHANNEL_BURST] = {SERVER("sdk-channel-burst", "SDK_CHANNEL_BURST"),
                                  INT(1, 10000000), .fallback = "100000",
                                  .help = "and so many at once"},
    [OPTION_KEY_RATE] = {SERVER("key-rate", "KEY_RATE"), INT(0, 1000000),
                         .fallback = "0",
                         .help = "requests a second that may be made with one key; 0 = "
                                 "any number"},
    [OPTION_KEY_BURST] = {SERVER("key-burst", "KEY_BURST"), INT(1, 10000000),
                          .fallback = "1000", .help = "and so many at once"},
    [OPTION_ADDRESS_HEADER] = {SERVER("address-header", "ADDRESS_HEADER"), TEXT("NAME"),
                               .help = "the header in which a proxy or CDN in front "
                                       "puts the client's address; clients must not be "
                                       "able to reach the server past it"},
    [OPTION_COUNTRY_HEADER] = {SERVER("country-header", "COUNTRY_HEADER"), TEXT("NAME"),
                               .help = "the header in which it puts the client's "
                                       "country"},
    [OPTION_GEOIP] = {SERVER("geoip", "GEOIP"), TEXT("FILE"),
                      .help = "a database of countries by address, in MaxMind's "
                              "format"},
    [OPTION_ACCEPT_LOSS] = {FLAG("accept-loss"), .type = OPTION_BOOL,
                            .help = "start though the log of the database is damaged, "
                                    "without what it held from there on"},
    [OPTION_NEW_KEY] = {FLAG("new-key"), .type = OPTION_BOOL,
                        .help = "make one more admin key and put it into "
                                "DIR/admin.key, for when that file is lost"},
    [OPTION_MASTER_KEY] = {SERVER("master-key", "MASTER_KEY"), TEXT("FILE"),
                           .help = "the key that secrets are encrypted with in the "
                                   "database; made if missing; default: master.key "
                                   "of systemd's credentials, or DIR/master.key"},

    [OPTION_SEND_WAITING] = {FLAG("send-waiting"), .type = OPTION_BOOL,
                             .help = "leave webhooks as they are: what waits goes out, "
                                     "also what has been delivered since the backup"},
    [OPTION_CANCEL_WAITING] = {FLAG("cancel-waiting"), .type = OPTION_BOOL,
                               .help = "leave webhooks as they are, and cancel what "
                                       "waits"},
    [OPTION_USER] = {SERVER("user", "USER"), TEXT("NAME"),
                     .help = "when started as root, become this user for good"},
    [OPTION_MAX_MEMORY] = {SERVER("max-memory", "MAX_MEMORY"), SIZE(MIB(32), GIB(1024)),
                           .help = "memory for all of it; what the parts get follows, "
                                   "unless they are given one by one"},
    [OPTION_SANDBOX] = {SERVER("sandbox", "SANDBOX"), WORD("HOW", sandbox),
                        .fallback = "on",
                        .help = "what the process gives up once it runs: all that the "
                                "system can take; strict refuses to start if that is "
                                "less than everything; off is for debuggers"},

    [OPTION_RECEIVE_AT] = {FLAG("listen"), .type = OPTION_ADDRESS, .value = "ADDR:PORT",
                           .fallback = "127.0.0.1:8421",
                           .help = "where to receive; port 0 picks a free one"},
    [OPTION_CHECK_SECRET] = {FLAG("secret"), TEXT("WHSEC"),
                             .help =
                                 "check signatures with this secret of the webhook, "
                                 "or with its public key, whpk_..."},
    [OPTION_CHECK_SECRET_FILE] = {FLAG("secret-file"), TEXT("FILE"),
                                  .help = "likewise, from the first line of FILE; - is "
                                          "standard input"},
    [OPTION_STATUS] = {FLAG("status"), INT(200, 599), .fallback = "200",
                       .help = "answer calls with this status"},
    [OPTION_FAIL] = {FLAG("fail"), INT(1, 1000000000),
                     .help = "answer 503 to the first N calls"},
    [OPTION_DELAY] = {FLAG("delay"), DURATION(0, HOURS(1), 1),
                      .help = "answer so much later; a bare number is milliseconds"},
    [OPTION_CALLS] = {FLAG("count"), INT(1, 1000000000),
                      .help = "end after N calls have been answered"},
    [OPTION_QUIET] = {FLAG("quiet"), .type = OPTION_BOOL,
                      .help = "one line per call, without the body"},

    [OPTION_CHANNEL] = {FLAG("channel"), .variable = "PUSHWIRE_CHANNEL", TEXT("ID"),
                        .help = "the channel"},
    [OPTION_PAYLOAD] = {FLAG("data"), TEXT("FILE"),
                        .help =
                            "send what FILE holds, byte for byte: an event, an array "
                            "or one event a line; - is standard input"},
    [OPTION_COUNT] = {FLAG("count"), INT(1, 1000000000), .fallback = "1",
                      .help = "send the event N times"},
    [OPTION_SUBSCRIPTION] = {FLAG("subscription"), TEXT("ID"),
                             .help = "the subscription"},
    [OPTION_ID] = {FLAG("id"), TEXT("ID"), .help = "its id; default: one is made"},
    [OPTION_NAME] = {FLAG("name"), TEXT("NAME"), .help = "its name"},
    [OPTION_TRIAL] = {FLAG("trial"), DURATION(0, HOURS(87600), 1000),
                      .help = "make it a trial that ends in this time, as 30d: then it "
                              "takes no events and its calls are held"},
    [OPTION_NO_TRIAL] = {FLAG("no-trial"), .type = OPTION_BOOL,
                         .help = "it is no trial any more: what was held goes out"},
    [OPTION_TARGET] = {FLAG("target"), TEXT("URL"), .help = "where its calls go"},
    [OPTION_EVENTS] = {FLAG("events"), .type = OPTION_WORDS, .value = "TYPE,…",
                       .word = type_or_all, .help = "what it wants"},
    [OPTION_DESCRIPTION] = {FLAG("description"), .type = OPTION_STRING, .value = "TEXT",
                            .help = "what it is for"},
    [OPTION_HEADER] = {FLAG("header"), TEXT("'NAME: VALUE'"), .repeated = true,
                       .help = "a header for its calls; may be given several times and "
                               "replaces all that were there"},
    [OPTION_NO_HEADERS] = {FLAG("no-headers"), .type = OPTION_BOOL,
                           .help = "no headers of its own any more"},
    [OPTION_SECRET] = {FLAG("secret"), TEXT("WHSEC"),
                       .help = "its secret, whsec_... or whsk_...; one is made if none "
                               "is given"},
    [OPTION_SECRET_FILE] = {FLAG("secret-file"), TEXT("FILE"),
                            .help = "likewise, from the first line of FILE, so that it "
                                    "is on no command line; - is standard input"},
    [OPTION_KEY_TYPE] = {FLAG("key-type"), WORD("TYPE", key_type),
                         .help = "what is made if no secret is given: a shared secret "
                                 "(the default), or a key whose public half receivers "
                                 "get"},
    [OPTION_OVERLAP] = {FLAG("overlap"), DURATION(0, HOURS(168), 1000),
                        .fallback = "24h",
                        .help = "how long the old secrets sign beside the new one; 0 = "
                                "not at all"},
    [OPTION_DISABLED] = {FLAG("disabled"), .type = OPTION_BOOL,
                         .help = "hold its calls until it is enabled"},
    [OPTION_MAX_RETRIES] = {FLAG("max-retries"), INT(0, 20),
                            .help = "retries after the first attempt"},
    [OPTION_INITIAL_DELAY] = {FLAG("initial-delay"), DURATION(1000, HOURS(24), 1000),
                              .help = "wait before the first retry"},
    [OPTION_FACTOR] = {FLAG("factor"), .type = OPTION_DECIMAL, .value = "X", .min = 1,
                       .max = 10, .help = "each further wait is X times as long"},
    [OPTION_MAX_DELAY] = {FLAG("max-delay"), DURATION(1000, HOURS(168), 1000),
                          .help = "longest wait"},
    [OPTION_DEFAULT_RETRY] = {FLAG("default-retry"), .type = OPTION_BOOL,
                              .help = "back to the default schedule"},
    [OPTION_STATE] = {FLAG("state"), .type = OPTION_WORDS, .value = "STATE,…",
                      .word = shown_state, .help = "only calls in these states"},
    [OPTION_REPLAY_STATE] = {FLAG("state"), .type = OPTION_WORDS, .value = "STATE,…",
                             .word = replay_state,
                             .help = "only events whose call is in these states, or "
                                     "missing: that have none; default: all of them"},
    [OPTION_RANGE] = {FLAG("range"), WORD("RANGE", range), .fallback = "day",
                      .help = "the last hour, day or week"},
    [OPTION_WEBHOOK] = {FLAG("webhook"), TEXT("ID"), .help = "only this webhook's"},
    [OPTION_TYPE] = {FLAG("type"), .type = OPTION_WORDS, .value = "TYPE,…",
                     .word = type, .help = "only events of these types"},
    [OPTION_SAMPLE_TYPE] = {FLAG("type"), WORD("TYPE", type),
                            .help =
                                "the sample's type, if not the first that it wants"},
    [OPTION_SINCE] = {FLAG("since"), .type = OPTION_TIME, .value = "TIME",
                      .help = "from then on: 2024-03-04T09:50:51Z, or 2h for two hours "
                              "ago"},
    [OPTION_UNTIL] = {FLAG("until"), .type = OPTION_TIME, .value = "TIME",
                      .help = "before then"},
    [OPTION_KIND] = {FLAG("kind"), .type = OPTION_WORDS, .value = "KIND,…",
                     .word = kind, .help = "only events, or only attempts"},
    [OPTION_AFTER] = {FLAG("after"), TEXT("CURSOR"),
                      .help = "from behind the line with this cursor (see --json)"},
    [OPTION_NO_FOLLOW] = {FLAG("no-follow"), .type = OPTION_BOOL,
                          .help = "end when all that there is has been shown"},
    [OPTION_NOTIFICATION] = {FLAG("notification"), TEXT("ID"),
                             .help = "only those about this notification"},
    [OPTION_ERROR] = {FLAG("error"), TEXT("TEXT"),
                      .help = "only calls whose last attempt's reason contains TEXT"},
    [OPTION_ALL_FAILED] = {FLAG("failed"), .type = OPTION_BOOL,
                           .help = "only those that have failed, as without --state; "
                                   "alone, all of the channel"},
    [OPTION_DRY_RUN] = {FLAG("dry-run"), .type = OPTION_BOOL,
                        .help = "only count what it would be done with"},
    [OPTION_PACE] = {FLAG("pace"), INT(1, 10000),
                     .help = "calls a second; default: 250"},
    [OPTION_WAIT] = {FLAG("wait"), .type = OPTION_BOOL,
                     .help = "wait until it has ended, and show how far it is"},
    [OPTION_ROLE] = {FLAG("role"), WORD("ROLE", role),
                     .help = "what its bearer may do"},
    [OPTION_EXPIRES] = {FLAG("expires"), DURATION(1000, HOURS(87600), 1000),
                        .help = "after this time it opens nothing any more; default: "
                                "never"},
    [OPTION_TOPIC] = {FLAG("topic"), TEXT("ID"),
                      .help = "only subscriptions with this topic"},
    [OPTION_TAG] = {FLAG("tag"), TEXT("ID"), .help = "only those with this tag"},
    [OPTION_PLATFORM] = {FLAG("platform"), TEXT("NAME"),
                         .help = "only those on this platform: Android, iOS, …"},
    [OPTION_LANGUAGE] = {FLAG("language"), TEXT("CODE"),
                         .help = "only those with this language: en, de, …"},
    [OPTION_COUNTRY] = {FLAG("country"), TEXT("CODE"),
                        .help = "only those in this country: DE, AT, …"},
    [OPTION_ATTRIBUTE] = {FLAG("attribute"), TEXT("ID"),
                          .help = "only those whose attribute ID is --value, or has it "
                                  "among its values"},
    [OPTION_VALUE] = {FLAG("value"), TEXT("TEXT"), .help = "see --attribute"},
    [OPTION_ACTIVE] = {FLAG("active"), .type = OPTION_BOOL,
                       .help = "only those that have not opted out"},
    [OPTION_INACTIVE] = {FLAG("inactive"), .type = OPTION_BOOL,
                         .help = "only those that have opted out"},
    [OPTION_SYNCED_SINCE] = {FLAG("synced-since"), .type = OPTION_TIME, .value = "TIME",
                             .help = "only those that were heard of since then: "
                                     "2024-03-04T09:50:51Z, or 2h for two hours ago"},
    [OPTION_OBJECT] = {FLAG("data"), TEXT("FILE"),
                       .help = "the file with the JSON object; - is standard input"},
    [OPTION_OUTPUT] = {FLAG("output"), TEXT("FILE"), .fallback = "-",
                       .help = "where to; - is standard output. A file is there when "
                               "all of it is, for its owner alone"},
    [OPTION_EMIT] = {FLAG("emit"), .type = OPTION_BOOL,
                     .help = "make events of what changes, and call webhooks"},
    [OPTION_TITLE] = {FLAG("title"), TEXT("TEXT"), .help = "its title"},
    [OPTION_LINK] = {FLAG("link"), TEXT("URL"), .help = "where a click on it leads"},
    [OPTION_FEED_GUID] = {FLAG("feed-guid"), TEXT("GUID"), .repeated = true,
                          .help = "what it is in a feed; may be given several times"},
    [OPTION_LIMIT] = {FLAG("limit"), INT(1, 100000000), .fallback = "100",
                      .help = "at most N rows"},
    [OPTION_JSON] = {FLAG("json"), .type = OPTION_BOOL,
                     .help = "print the server's JSON"},
    [OPTION_COLOR] = {FLAG("color"), WORD("WHEN", color_when_name), .fallback = "auto",
                      .help = "colours; auto is on a terminal, without NO_COLOR"},

    [OPTION_URL] = {FLAG("url"), .variable = "PUSHWIRE_URL", .type = OPTION_SERVER,
                    .value = "URL", .fallback = "http://127.0.0.1:8420",
                    .help = "the server"},
    [OPTION_SERVER_CA] = {FLAG("ca-file"), .variable = "PUSHWIRE_CA_FILE", TEXT("FILE"),
                          .help = "trust the certificates in FILE instead of the "
                                  "system's"},
    [OPTION_KEY] = {FLAG("key"), .variable = "PUSHWIRE_KEY", TEXT("KEY"),
                    .help = "the API key; default: the one in DIR/admin.key"},
    [OPTION_KEY_FILE] = {FLAG("key-file"), .variable = "PUSHWIRE_KEY_FILE",
                         TEXT("FILE"),
                         .help = "likewise, from the first line of FILE; - is standard "
                                 "input"},
    [OPTION_KEY_DATA] = {FLAG("data"), .variable = "PUSHWIRE_DATA", TEXT("DIR"),
                         .fallback = "./pushwire-data",
                         .help = "the server's data, on its own machine"},
    /* where --data is what is sent */
    [OPTION_DATA_DIR] = {FLAG("data-dir"), .variable = "PUSHWIRE_DATA", TEXT("DIR"),
                         .fallback = "./pushwire-data",
                         .help = "the server's data, on its own machine"},
};
