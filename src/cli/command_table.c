/* The table of commands: a new one is a row here and a function in its command's file.
 */
#include "cli/command.h"

#define CLIENT  (OPT(URL) | OPT(KEY) | OPT(KEY_DATA) | OPT(JSON))
#define CHANNEL (CLIENT | OPT(CHANNEL))
#define RETRY   (OPT(MAX_RETRIES) | OPT(INITIAL_DELAY) | OPT(FACTOR) | OPT(MAX_DELAY))
#define FILTER  (OPT(TYPE) | OPT(SUBSCRIPTION) | OPT(SINCE) | OPT(UNTIL) | OPT(LIMIT))

const struct command_group command_groups[] = {
    {"serve", "run the server"},
    {"listen", "receive calls, for development: check signatures, misbehave"},
    {"send", "send a sample event, or your own"},
    {"channel", "create, list, show, change, delete channels"},
    {"webhook", "the same for a channel's webhooks; enable, disable, test, secret"},
    {"event", "list and show a channel's events"},
    {"call", "list, show and retry a channel's calls"},
    {"key", "create, list, delete API keys"},
};
const size_t command_group_count = ARRAY_LEN(command_groups);

const struct command command_table[] = {
    {"serve", NULL, NULL, 0, 0, serve_run,
     OPT(LISTEN) | OPT(DATA) | OPT(CONFIG) | OPT(DEV) | OPT(LOG) | OPT(LOG_LEVEL) |
         OPT(SENDERS) | OPT(API_THREADS) | OPT(WINDOW) | OPT(SLOTS) | OPT(DEADLINE) |
         OPT(MAX_EVENTS) | OPT(MAX_REQUEST) | OPT(MAX_CONNECTIONS) |
         OPT(INGEST_MEMORY) | OPT(SENDER_MEMORY) | OPT(CACHE) | OPT(DRAIN) |
         OPT(PUBLIC_METRICS) | OPT(CA_FILE) | OPT(SDK_ADDRESS_RATE) |
         OPT(SDK_ADDRESS_BURST) | OPT(SDK_CHANNEL_RATE) | OPT(SDK_CHANNEL_BURST) |
         OPT(ADDRESS_HEADER) | OPT(COUNTRY_HEADER) | OPT(GEOIP) | OPT(NEW_KEY),
     0, "Runs the server until SIGTERM or SIGINT."},
    {"listen", NULL, NULL, 0, 0, listen_run,
     OPT(RECEIVE_AT) | OPT(CHECK_SECRET) | OPT(STATUS) | OPT(FAIL) | OPT(DELAY) |
         OPT(CALLS) | OPT(QUIET),
     0, "Receives calls and prints each: a webhook's other end, for development."},
    {"send", NULL, "[TYPE]", 0, 1, send_run,
     (CHANNEL & ~OPT(KEY_DATA)) | OPT(DATA_DIR) | OPT(PAYLOAD) | OPT(COUNT) |
         OPT(SUBSCRIPTION),
     OPT(CHANNEL),
     "Sends a sample event of a type, or with --data your own, and prints its id."},

    {"channel", "create", "NAME", 1, 1, channel_create, CLIENT | OPT(ID), 0,
     "Creates a channel."},
    {"channel", "list", NULL, 0, 0, channel_list, CLIENT | OPT(LIMIT), 0,
     "Lists the channels."},
    {"channel", "show", "ID", 1, 1, channel_show, CLIENT, 0, "Shows a channel."},
    {"channel", "change", "ID", 1, 1, channel_change, CLIENT | OPT(NAME), OPT(NAME),
     "Changes a channel."},
    {"channel", "delete", "ID", 1, 1, channel_delete, CLIENT, 0,
     "Deletes a channel with its webhooks and keys; what waits is cancelled."},

    {"webhook", "create", "URL", 1, 1, webhook_create,
     CHANNEL | OPT(EVENTS) | OPT(DESCRIPTION) | OPT(HEADER) | OPT(SECRET) |
         OPT(DISABLED) | RETRY,
     OPT(CHANNEL), "Creates a webhook and shows its secret."},
    {"webhook", "list", NULL, 0, 0, webhook_list, CHANNEL | OPT(LIMIT), OPT(CHANNEL),
     "Lists a channel's webhooks."},
    {"webhook", "show", "ID", 1, 1, webhook_show, CHANNEL, OPT(CHANNEL),
     "Shows a webhook."},
    {"webhook", "change", "ID", 1, 1, webhook_change,
     CHANNEL | OPT(TARGET) | OPT(EVENTS) | OPT(DESCRIPTION) | OPT(HEADER) |
         OPT(NO_HEADERS) | OPT(SECRET) | RETRY | OPT(DEFAULT_RETRY),
     OPT(CHANNEL), "Changes a webhook; what waits for it is kept."},
    {"webhook", "delete", "ID", 1, 1, webhook_delete, CHANNEL, OPT(CHANNEL),
     "Deletes a webhook; what waits for it is cancelled."},
    {"webhook", "enable", "ID", 1, 1, webhook_enable, CHANNEL, OPT(CHANNEL),
     "Enables a webhook; what was held goes out."},
    {"webhook", "disable", "ID", 1, 1, webhook_disable, CHANNEL, OPT(CHANNEL),
     "Disables a webhook; its calls are held."},
    {"webhook", "test", "ID", 1, 1, webhook_test, CHANNEL | OPT(SAMPLE_TYPE),
     OPT(CHANNEL), "Sends a sample event to this webhook alone."},
    {"webhook", "secret", "ID", 1, 1, webhook_secret, CHANNEL, OPT(CHANNEL),
     "Prints a webhook's secret."},

    {"event", "list", NULL, 0, 0, event_list, CHANNEL | FILTER, OPT(CHANNEL),
     "Lists a channel's events, newest first."},
    {"event", "show", "ID", 1, 1, event_show, CHANNEL, OPT(CHANNEL),
     "Shows an event with its payload and its calls."},

    {"call", "list", NULL, 0, 0, call_list,
     CHANNEL | FILTER | OPT(STATE) | OPT(WEBHOOK), OPT(CHANNEL),
     "Lists a channel's calls, newest first."},
    {"call", "show", "ID", 1, 1, call_show, CHANNEL, OPT(CHANNEL),
     "Shows a call with each of its attempts."},
    {"call", "retry", "ID", 1, 1, call_retry, CHANNEL, OPT(CHANNEL),
     "Tries a call again now, also when it has failed or succeeded."},

    {"key", "create", NULL, 0, 0, key_create, CHANNEL | OPT(ROLE), OPT(ROLE),
     "Creates a key and shows it, once."},
    {"key", "list", NULL, 0, 0, key_list, CLIENT | OPT(LIMIT), 0, "Lists the keys."},
    {"key", "delete", "ID", 1, 1, key_delete, CLIENT, 0, "Deletes a key."},
};
const size_t command_count = ARRAY_LEN(command_table);
