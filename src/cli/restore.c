/* pushwire restore: a backup becomes a store again, without a server. */
#include <stdio.h>

#include "base/timefmt.h"
#include "cli/command.h"
#include "store/copy.h"

static void
put_calls(const struct store_restore *restore)
{
    unsigned long long held = restore->held, cancelled = restore->cancelled;

    switch (restore->waiting) {
    case RESTORE_HOLD:
        printf("%llu calls wait, and are held: they may have been delivered after the "
               "backup was taken.\n"
               "%llu webhooks are disabled (\"" RESTORE_REASON "\").\n"
               "Next: start the server, look at them with `pushwire call list --state "
               "held`, and\n"
               "enable each webhook with `pushwire webhook enable`: then its calls go "
               "out.\n",
               held, (unsigned long long)restore->disabled);
        break;
    case RESTORE_SEND:
        printf("%llu calls wait; those of enabled webhooks go out as soon as the "
               "server runs, though\n"
               "some may have been delivered after the backup was taken.\n",
               held);
        break;
    case RESTORE_CANCEL:
        printf("%llu calls that waited are cancelled. Webhooks are as they were.\n",
               cancelled);
        break;
    }
}

static void
put_end(const struct store_restore *restore)
{
    const struct store_copy *copy = &restore->copy;
    char taken[TIME_TEXT] = "at a time that nobody noted";

    if (copy->taken_ms)
        time_format(taken, copy->taken_ms);
    printf("%s holds the backup of %s: %llu channels, %llu webhooks, %llu events.\n",
           restore->dir, taken, (unsigned long long)copy->channels,
           (unsigned long long)copy->webhooks, (unsigned long long)copy->events);
    put_calls(restore);
    printf("The master key is not in it: before the start, %s needs the master.key of "
           "the server that was backed up.\n",
           restore->dir);
    puts("The API keys in it go on working; `pushwire serve --new-key` makes another.");
}

int
restore_run(const struct command_line *line)
{
    const struct options *options = &line->options;
    bool send = option_on(options, OPTION_SEND_WAITING);
    bool cancel = option_on(options, OPTION_CANCEL_WAITING);
    struct err err = {0};
    struct store_restore restore = {
        .file = line->args[0],
        .dir = option_text(options, OPTION_DATA),
        .waiting = send     ? RESTORE_SEND
                   : cancel ? RESTORE_CANCEL
                            : RESTORE_HOLD,
        .clock = &clock_system,
    };

    if (send && cancel)
        return command_misused(line, "--send-waiting or --cancel-waiting, not both");
    if (store_copy_restore(&restore, &err) != 0)
        return command_fail(line, &err);
    put_end(&restore);
    return DONE;
}
