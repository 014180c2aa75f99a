/*
 * What the commands about channels, webhooks, subscriptions and so on share: a request
 * to the server and its answer as a table, a record, a sentence, or with --json as it
 * is. Each function returns an exit status, having said on stderr what went wrong.
 */
#pragma once

#include "base/buf.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/table.h"

/* A column of a list: the member it shows, by its path with dots; where that is null or
 * missing, the one behind the bar ("lastAttempt.reason|lastAttempt.status"). */
struct resource_column {
    struct table_column column;
    const char *member;
};

/* A path: each %s of `fmt` is an id, which is escaped. */
struct buf resource_path(const char *fmt, ...);
/* The same below the channel of --channel. */
struct buf channel_path(const struct command_line *line, const char *fmt, ...);

/* Each takes the path over. */
/* Page by page; of a command without --limit all there is, which is one page. */
int resource_list(const struct command_line *line, struct buf path,
                  const struct resource_column *columns, size_t n_columns);
/* `body` may be NULL. Prints the object that comes back. */
int resource_show(const struct command_line *line, const char *method, struct buf path,
                  const struct buf *body);
/* The same with the JSON object that the file of --data holds. */
int resource_show_with_data(const struct command_line *line, const char *method,
                            struct buf path);
/* Prints this member's text alone, for scripts. */
int resource_member(const struct command_line *line, const char *method,
                    struct buf path, const char *name);
/* Prints the sentence, or with --json what comes back. */
int resource_do(const struct command_line *line, const char *method, struct buf path,
                const struct buf *body, const char *sentence);

/* Adds --type, --subscription, --notification, --since and --until to a path. */
void resource_filter(const struct command_line *line, struct buf *path);
/* The time of an option as the server takes it: a duration is so long ago. NULL: it is
 * not given. */
const char *resource_time(const struct command_line *line, enum option_id id,
                          char room[TIME_TEXT]);
/* Adds the time of an option, if it is given. */
void path_add_time(struct buf *path, const char *name, const struct command_line *line,
                   enum option_id id);

#define RESOURCE_BODY_MAX ((size_t)256 << 10)
