/* The table of commands, and what a command's function gets and says. */
#pragma once

#include "cli/options.h"

/* Exit statuses. */
enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2 };

struct command_line;

struct command {
    const char *name; /* "serve", "channel" */
    const char *verb; /* "create"; NULL for a command without verbs */
    const char *args; /* what follows, for help; NULL = nothing */
    size_t min_args, max_args;
    int (*run)(const struct command_line *line); /* returns an exit status */
    option_set options;
    option_set needed; /* of these, the ones that must be given */
    const char *help;
};

/* A command with its options read and its words counted. */
struct command_line {
    const struct command *command;
    struct options options;
    char **args;
    size_t n_args;
    char *const *env;
};

/* One row per command that has verbs, and per command without. */
struct command_group {
    const char *name;
    const char *help;
};

extern const struct command_group command_groups[];
extern const struct command command_table[];
extern const size_t command_group_count;
extern const size_t command_count;

/* The row with this name and verb; for a name without verbs `verb` may be anything, and
 * NULL. NULL = there is none. */
const struct command *command_find(const char *name, const char *verb);

/* Runs what the words of the command line say; returns the exit status. */
int command_main(int argc, char **argv, char *const *env);

/* Says on stderr why the command failed; returns FAILED or WRONG_USAGE. */
int command_fail(const struct command_line *line, const struct err *err);
int command_misused(const struct command_line *line, const char *fmt, ...)
    printf_like(2, 3);

/* ---- the commands, one file each ---- */

int serve_run(const struct command_line *line);
int backup_run(const struct command_line *line);
int restore_run(const struct command_line *line);
int check_run(const struct command_line *line);
int listen_run(const struct command_line *line);
int send_run(const struct command_line *line);
int doctor_run(const struct command_line *line);
int completion_run(const struct command_line *line);
int help_run(const struct command_line *line);
int whoami_run(const struct command_line *line);

int channel_create(const struct command_line *line);
int channel_list(const struct command_line *line);
int channel_show(const struct command_line *line);
int channel_change(const struct command_line *line);
int channel_delete(const struct command_line *line);

int webhook_create(const struct command_line *line);
int webhook_list(const struct command_line *line);
int webhook_show(const struct command_line *line);
int webhook_change(const struct command_line *line);
int webhook_delete(const struct command_line *line);
int webhook_enable(const struct command_line *line);
int webhook_disable(const struct command_line *line);
int webhook_secret(const struct command_line *line);
int webhook_rotate(const struct command_line *line);
int webhook_test(const struct command_line *line);
int webhook_replay(const struct command_line *line);

int stats_run(const struct command_line *line);
int webhook_stats(const struct command_line *line);

int event_list(const struct command_line *line);
int event_show(const struct command_line *line);

int call_list(const struct command_line *line);
int call_show(const struct command_line *line);
int call_retry(const struct command_line *line);
int call_cancel(const struct command_line *line);

int job_list(const struct command_line *line);
int job_show(const struct command_line *line);
int job_pause(const struct command_line *line);
int job_resume(const struct command_line *line);
int job_cancel(const struct command_line *line);
int job_wait(const struct command_line *line);

int tail_run(const struct command_line *line);

int subscription_list(const struct command_line *line);
int subscription_show_one(const struct command_line *line);
int subscription_put(const struct command_line *line);
int subscription_delete(const struct command_line *line);
int subscription_export(const struct command_line *line);
int subscription_import(const struct command_line *line);

int notification_list(const struct command_line *line);
int notice_list(const struct command_line *line);
int notification_show(const struct command_line *line);
int notification_create(const struct command_line *line);

int topic_list(const struct command_line *line);
int topic_create(const struct command_line *line);
int topic_change(const struct command_line *line);
int topic_delete(const struct command_line *line);
int tag_list(const struct command_line *line);
int tag_create(const struct command_line *line);
int tag_change(const struct command_line *line);
int tag_delete(const struct command_line *line);
int attribute_list(const struct command_line *line);
int attribute_create(const struct command_line *line);
int attribute_change(const struct command_line *line);
int attribute_delete(const struct command_line *line);

int config_show(const struct command_line *line);
int config_change(const struct command_line *line);

int key_create(const struct command_line *line);
int key_list(const struct command_line *line);
int key_delete(const struct command_line *line);
int key_rotate_master(const struct command_line *line);
