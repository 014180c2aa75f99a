/* The table of commands: a new one is a row here and a function in its command's file.
 */
#include "cli/command.h"

#define CLIENT                                                                         \
    (OPT(URL) | OPT(KEY) | OPT(KEY_FILE) | OPT(KEY_DATA) | OPT(SERVER_CA) |            \
     OPT(JSON) | OPT(COLOR))
#define CHANNEL (CLIENT | OPT(CHANNEL))
/* Where --data is a file that is sent. */
#define WITH_DATA ((CHANNEL & ~OPT(KEY_DATA)) | OPT(DATA_DIR))
#define RETRY     (OPT(MAX_RETRIES) | OPT(INITIAL_DELAY) | OPT(FACTOR) | OPT(MAX_DELAY))
#define FILTER    (OPT(TYPE) | OPT(SUBSCRIPTION) | OPT(SINCE) | OPT(UNTIL) | OPT(LIMIT))
/* What makes a job of many calls, and which. */
#define JOB (OPT(DRY_RUN) | OPT(PACE) | OPT(WAIT))
#define MANY                                                                           \
    ((FILTER & ~OPT(LIMIT)) | OPT(STATE) | OPT(WEBHOOK) | OPT(NOTIFICATION) |          \
     OPT(ERROR) | JOB)

/* Where calls may go. */
/* What is done when much waits, or fails. */
#define BACKLOGS                                                                       \
    (OPT(HOST_WINDOW) | OPT(DRAIN_RATE) | OPT(DRAIN_TOTAL) | OPT(DISABLE_AFTER) |      \
     OPT(NOTIFY_URL) | OPT(NOTIFY_SECRET_FILE) | OPT(NOTIFY_BACKLOG) |                 \
     OPT(NOTIFY_OLDEST_DUE) | OPT(CHANNEL_RATE))

#define TARGETS                                                                        \
    (OPT(DEV) | OPT(ALLOW) | OPT(DENY) | OPT(PORTS) | OPT(ALLOW_HTTP) | OPT(NAT64) |   \
     OPT(ALLOW_METADATA) | OPT(DNS) | OPT(EGRESS_PROXY))

/* What the process is and gives up. */
#define PROCESS (OPT(USER) | OPT(SANDBOX) | OPT(MAX_MEMORY))

#define SERVE                                                                          \
    (OPT(LISTEN) | OPT(DATA) | OPT(MASTER_KEY) | OPT(CONFIG) | TARGETS | BACKLOGS |    \
     OPT(LOG) | OPT(LOG_LEVEL) | OPT(SENDERS) | OPT(API_THREADS) | OPT(WINDOW) |       \
     OPT(SLOTS) | OPT(DEADLINE) | OPT(MAX_EVENTS) | OPT(MAX_REQUEST) |                 \
     OPT(MAX_CONNECTIONS) | OPT(MAX_PER_ADDRESS) | OPT(TLS_CERTIFICATE) |              \
     OPT(TLS_KEY) | OPT(METRICS_LISTEN) | OPT(INGEST_MEMORY) | OPT(SENDER_MEMORY) |    \
     OPT(CACHE) | OPT(DISK_RESERVE) | OPT(MAX_DISK) | OPT(DRAIN) |                     \
     OPT(KEEP_SUCCEEDED) | OPT(KEEP_FAILED) | OPT(KEEP_BYTES) | OPT(PUBLIC_METRICS) |  \
     OPT(CA_FILE) | OPT(SDK_ADDRESS_RATE) | OPT(SDK_ADDRESS_BURST) |                   \
     OPT(SDK_CHANNEL_RATE) | OPT(SDK_CHANNEL_BURST) | OPT(KEY_RATE) | OPT(KEY_BURST) | \
     OPT(ADDRESS_HEADER) | OPT(COUNTRY_HEADER) | OPT(GEOIP) | OPT(NEW_KEY) |           \
     OPT(ACCEPT_LOSS) | PROCESS)

const struct command_group command_groups[] = {
    {"serve", "run the server"},
    {"backup", "copy everything into a file, while the server runs"},
    {"restore", "make a data folder from a backup"},
    {"check", "say whether calls may go to a URL, and why"},
    {"doctor", "check a running installation, and say what to do"},
    {"listen", "receive calls, for development: check signatures, misbehave"},
    {"send", "send a sample event, or your own"},
    {"channel", "create, list, show, change, delete channels"},
    {"webhook", "create, list, show, change, delete webhooks; test, replay, secrets"},
    {"event", "list and show a channel's events"},
    {"call", "list, show, retry and cancel a channel's calls"},
    {"job", "list, show, pause, resume, cancel, wait for what is done with many calls"},
    {"tail", "show a channel's events and attempts as they happen"},
    {"stats", "figures of the last hour, day or week: events, failures, times"},
    {"subscription", "list, show, put, delete, export, import subscriptions"},
    {"notification", "list, show and create a channel's notifications"},
    {"notice", "list what operators are told"},
    {"topic", "list, create, change, delete a channel's topics"},
    {"tag", "list, create, change, delete a channel's tags"},
    {"attribute", "list, create, change, delete a channel's attributes"},
    {"config", "show and change what a channel says to its apps"},
    {"key", "create, list, delete API keys; change the master key"},
    {"whoami", "say what the key opens, and which server that is"},
    {"completion", "print a script that completes commands in bash or zsh"},
    {"help", "say what commands there are, and what each takes"},
};
const size_t command_group_count = ARRAY_LEN(command_groups);

const struct command command_table[] = {
    {"serve", NULL, NULL, 0, 0, serve_run, SERVE, 0,
     "Runs the server until SIGTERM or SIGINT."},
    {"check", NULL, "URL", 1, 1, check_run, SERVE | OPT(JSON), 0,
     "Says step by step whether a server with these options would call URL."},
    {"backup", NULL, "FILE", 1, 1, backup_run, CLIENT, 0,
     "Copies everything that the server keeps into FILE, and checks the copy."},
    {"restore", NULL, "FILE", 1, 1, restore_run,
     OPT(DATA) | OPT(SEND_WAITING) | OPT(CANCEL_WAITING), 0,
     "Makes a data folder from a backup; what waits in it is held."},
    {"doctor", NULL, NULL, 0, 0, doctor_run, CLIENT, 0,
     "Checks the server, and with --data its folder, a line for each thing."},
    {"listen", NULL, NULL, 0, 0, listen_run,
     OPT(RECEIVE_AT) | OPT(CHECK_SECRET) | OPT(CHECK_SECRET_FILE) | OPT(STATUS) |
         OPT(FAIL) | OPT(DELAY) | OPT(CALLS) | OPT(QUIET),
     0, "Receives calls and prints each: a webhook's other end, for development."},
    {"send", NULL, "[TYPE]", 0, 1, send_run,
     WITH_DATA | OPT(PAYLOAD) | OPT(COUNT) | OPT(SUBSCRIPTION), OPT(CHANNEL),
     "Sends a sample event of a type, or with --data your own, and prints its id."},

    {"channel", "create", "NAME", 1, 1, channel_create, CLIENT | OPT(ID) | OPT(TRIAL),
     0, "Creates a channel."},
    {"channel", "list", NULL, 0, 0, channel_list, CLIENT | OPT(LIMIT), 0,
     "Lists the channels."},
    {"channel", "show", "ID", 1, 1, channel_show, CLIENT, 0, "Shows a channel."},
    {"channel", "change", "ID", 1, 1, channel_change,
     CLIENT | OPT(NAME) | OPT(TRIAL) | OPT(NO_TRIAL), 0, "Changes a channel."},
    {"channel", "delete", "ID", 1, 1, channel_delete, CLIENT, 0,
     "Deletes a channel with its webhooks and keys; what waits is cancelled."},

    {"webhook", "create", "URL", 1, 1, webhook_create,
     CHANNEL | OPT(EVENTS) | OPT(DESCRIPTION) | OPT(HEADER) | OPT(SECRET) |
         OPT(SECRET_FILE) | OPT(KEY_TYPE) | OPT(DISABLED) | RETRY,
     OPT(CHANNEL), "Creates a webhook and shows its secret."},
    {"webhook", "list", NULL, 0, 0, webhook_list, CHANNEL | OPT(LIMIT), OPT(CHANNEL),
     "Lists a channel's webhooks."},
    {"webhook", "show", "ID", 1, 1, webhook_show, CHANNEL, OPT(CHANNEL),
     "Shows a webhook."},
    {"webhook", "change", "ID", 1, 1, webhook_change,
     CHANNEL | OPT(TARGET) | OPT(EVENTS) | OPT(DESCRIPTION) | OPT(HEADER) |
         OPT(NO_HEADERS) | OPT(SECRET) | OPT(SECRET_FILE) | RETRY | OPT(DEFAULT_RETRY),
     OPT(CHANNEL), "Changes a webhook; what waits for it is kept."},
    {"webhook", "delete", "ID", 1, 1, webhook_delete, CHANNEL, OPT(CHANNEL),
     "Deletes a webhook; what waits for it is cancelled."},
    {"webhook", "enable", "ID", 1, 1, webhook_enable, CHANNEL, OPT(CHANNEL),
     "Enables a webhook; what was held goes out."},
    {"webhook", "disable", "ID", 1, 1, webhook_disable, CHANNEL, OPT(CHANNEL),
     "Disables a webhook; its calls are held."},
    {"webhook", "test", "ID", 1, 1, webhook_test, CHANNEL | OPT(SAMPLE_TYPE),
     OPT(CHANNEL), "Sends a sample event to this webhook alone."},
    {"webhook", "replay", "ID", 1, 1, webhook_replay,
     CHANNEL | OPT(SINCE) | OPT(UNTIL) | OPT(TYPE) | OPT(REPLAY_STATE) | JOB,
     OPT(CHANNEL) | OPT(SINCE),
     "Sends the events of a time range to a webhook again, or for the first time."},
    {"webhook", "secret", "ID", 1, 1, webhook_secret, CHANNEL, OPT(CHANNEL),
     "Prints a webhook's secret."},
    {"webhook", "rotate-secret", "ID", 1, 1, webhook_rotate,
     CHANNEL | OPT(OVERLAP) | OPT(SECRET) | OPT(SECRET_FILE) | OPT(KEY_TYPE),
     OPT(CHANNEL), "Gives a webhook a new secret; the old one signs for a while, too."},

    {"webhook", "stats", NULL, 0, 0, webhook_stats, CHANNEL | OPT(RANGE) | OPT(LIMIT),
     OPT(CHANNEL), "Lists a channel's webhooks with their figures."},

    {"stats", NULL, NULL, 0, 0, stats_run, CHANNEL | OPT(WEBHOOK) | OPT(RANGE), 0,
     "Shows figures of all channels, of one, or of one of its webhooks."},

    {"event", "list", NULL, 0, 0, event_list, CHANNEL | FILTER | OPT(NOTIFICATION),
     OPT(CHANNEL), "Lists a channel's events, newest first."},
    {"event", "show", "ID", 1, 1, event_show, CHANNEL, OPT(CHANNEL),
     "Shows an event with its payload and its calls."},

    {"call", "list", NULL, 0, 0, call_list,
     CHANNEL | FILTER | OPT(STATE) | OPT(WEBHOOK) | OPT(NOTIFICATION) | OPT(ERROR),
     OPT(CHANNEL), "Lists a channel's calls, newest first."},
    {"call", "show", "ID", 1, 1, call_show, CHANNEL, OPT(CHANNEL),
     "Shows a call with each of its attempts."},
    {"call", "retry", "[ID...]", 0, 1000, call_retry, CHANNEL | MANY | OPT(ALL_FAILED),
     OPT(CHANNEL),
     "Tries calls again now; without an ID those that failed, by --webhook or "
     "--since."},
    {"call", "cancel", "[ID...]", 0, 1000, call_cancel, CHANNEL | MANY, OPT(CHANNEL),
     "Cancels what waits or is held; without an ID by --webhook or --since."},

    {"job", "list", NULL, 0, 0, job_list, CHANNEL | OPT(LIMIT), OPT(CHANNEL),
     "Lists a channel's jobs, newest first: replays, retries, cancellations."},
    {"job", "show", "ID", 1, 1, job_show, CHANNEL, OPT(CHANNEL),
     "Shows a job and how far it is."},
    {"job", "pause", "ID", 1, 1, job_pause, CHANNEL, OPT(CHANNEL),
     "Pauses a job; what it has put in order goes on."},
    {"job", "resume", "ID", 1, 1, job_resume, CHANNEL, OPT(CHANNEL),
     "Lets a job go on that was paused."},
    {"job", "cancel", "ID", 1, 1, job_cancel, CHANNEL, OPT(CHANNEL),
     "Ends a job; what it has put in order goes on."},
    {"job", "wait", "ID", 1, 1, job_wait, CHANNEL, OPT(CHANNEL),
     "Waits until a job has ended, and shows how far it is."},

    {"tail", NULL, NULL, 0, 0, tail_run,
     CHANNEL | OPT(KIND) | OPT(TYPE) | OPT(SUBSCRIPTION) | OPT(WEBHOOK) | OPT(SINCE) |
         OPT(AFTER) | OPT(NO_FOLLOW),
     OPT(CHANNEL), "Shows a channel's events and attempts as they happen."},

    {"subscription", "list", NULL, 0, 0, subscription_list,
     CHANNEL | OPT(TOPIC) | OPT(TAG) | OPT(PLATFORM) | OPT(LANGUAGE) | OPT(COUNTRY) |
         OPT(ATTRIBUTE) | OPT(VALUE) | OPT(ACTIVE) | OPT(INACTIVE) | OPT(SYNCED_SINCE) |
         OPT(LIMIT),
     OPT(CHANNEL), "Lists a channel's subscriptions, oldest first."},
    {"subscription", "show", "ID", 1, 1, subscription_show_one, CHANNEL, OPT(CHANNEL),
     "Shows a subscription."},
    {"subscription", "put", "ID", 1, 1, subscription_put, WITH_DATA | OPT(OBJECT),
     OPT(CHANNEL) | OPT(OBJECT),
     "Makes or replaces a subscription: with --data a JSON object of all its members."},
    {"subscription", "delete", "ID", 1, 1, subscription_delete, CHANNEL, OPT(CHANNEL),
     "Opts a subscription out; its push tokens and topics are forgotten."},
    {"subscription", "export", NULL, 0, 0, subscription_export, CHANNEL | OPT(OUTPUT),
     OPT(CHANNEL),
     "Writes all of a channel's subscriptions, one a line, with their push tokens."},
    {"subscription", "import", "FILE", 1, 1, subscription_import, CHANNEL | OPT(EMIT),
     OPT(CHANNEL),
     "Makes or replaces subscriptions: a line of FILE each, as exported; - is stdin."},

    {"notification", "list", NULL, 0, 0, notification_list, CHANNEL | OPT(LIMIT),
     OPT(CHANNEL), "Lists a channel's notifications, newest first."},
    {"notification", "show", "ID", 1, 1, notification_show, CHANNEL, OPT(CHANNEL),
     "Shows a notification with how often it was delivered and clicked."},
    {"notification", "create", NULL, 0, 0, notification_create,
     CHANNEL | OPT(ID) | OPT(TITLE) | OPT(LINK) | OPT(FEED_GUID), OPT(CHANNEL),
     "Tells of a notification; one with this id is replaced. It sends no push."},

    {"topic", "create", "NAME", 1, 1, topic_create, CHANNEL | OPT(ID), OPT(CHANNEL),
     "Creates a topic that the channel's apps may offer."},
    {"notice", "list", NULL, 0, 0, notice_list, CHANNEL | OPT(LIMIT), 0,
     "Lists what operators are told, newest first; of all channels, or of one."},

    {"topic", "list", NULL, 0, 0, topic_list, CHANNEL, OPT(CHANNEL),
     "Lists a channel's topics."},
    {"topic", "change", "ID", 1, 1, topic_change, CHANNEL | OPT(NAME),
     OPT(CHANNEL) | OPT(NAME), "Gives a topic another name."},
    {"topic", "delete", "ID", 1, 1, topic_delete, CHANNEL, OPT(CHANNEL),
     "Deletes a topic; subscriptions that have it keep it."},
    {"tag", "create", "NAME", 1, 1, tag_create, CHANNEL | OPT(ID), OPT(CHANNEL),
     "Creates a tag that the channel's apps may set."},
    {"tag", "list", NULL, 0, 0, tag_list, CHANNEL, OPT(CHANNEL),
     "Lists a channel's tags."},
    {"tag", "change", "ID", 1, 1, tag_change, CHANNEL | OPT(NAME),
     OPT(CHANNEL) | OPT(NAME), "Gives a tag another name."},
    {"tag", "delete", "ID", 1, 1, tag_delete, CHANNEL, OPT(CHANNEL),
     "Deletes a tag; subscriptions that have it keep it."},
    {"attribute", "create", "ID", 1, 1, attribute_create, CHANNEL | OPT(NAME),
     OPT(CHANNEL), "Creates an attribute that the channel's apps may set."},
    {"attribute", "list", NULL, 0, 0, attribute_list, CHANNEL, OPT(CHANNEL),
     "Lists a channel's attributes."},
    {"attribute", "change", "ID", 1, 1, attribute_change, CHANNEL | OPT(NAME),
     OPT(CHANNEL) | OPT(NAME), "Gives an attribute another name."},
    {"attribute", "delete", "ID", 1, 1, attribute_delete, CHANNEL, OPT(CHANNEL),
     "Deletes an attribute; subscriptions that have it keep it."},

    {"config", "show", NULL, 0, 0, config_show, CHANNEL, OPT(CHANNEL),
     "Shows a channel's settings."},
    {"config", "change", NULL, 0, 0, config_change, WITH_DATA | OPT(OBJECT),
     OPT(CHANNEL) | OPT(OBJECT),
     "Changes the settings that the JSON object of --data names; the rest stays."},

    {"key", "create", NULL, 0, 0, key_create, CHANNEL | OPT(ROLE) | OPT(EXPIRES),
     OPT(ROLE), "Creates a key and shows it, once."},
    {"key", "list", NULL, 0, 0, key_list, CLIENT | OPT(LIMIT), 0, "Lists the keys."},
    {"key", "delete", "ID", 1, 1, key_delete, CLIENT, 0, "Deletes a key."},
    {"key", "rotate-master", NULL, 0, 0, key_rotate_master, OPT(DATA) | OPT(MASTER_KEY),
     0, "Encrypts all secrets anew, with a new master key, while no server runs."},

    {"whoami", NULL, NULL, 0, 0, whoami_run, CLIENT, 0,
     "Shows the key's role and channel, and the server's version and time."},
    {"completion", NULL, "SHELL", 1, 1, completion_run, 0, 0,
     "Prints a script for bash or zsh: source <(pushwire completion bash)."},
    {"help", NULL, "[COMMAND]", 0, 2, help_run, 0, 0,
     "Shows the commands, or what COMMAND takes, as COMMAND --help does."},
};
const size_t command_count = ARRAY_LEN(command_table);
