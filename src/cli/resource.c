#include "cli/resource.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/timefmt.h"
#include "cli/client.h"
#include "cli/input.h"
#include "cli/record.h"
#include "cli/value.h"

#define PAGE_MAX 200 /* the server's */

/* ---- asking ---- */

static void
add_path(struct buf *path, const char *fmt, va_list args)
{
    for (; *fmt; fmt++) {
        if (fmt[0] == '%' && fmt[1] == 's') {
            path_add_escaped(path, va_arg(args, const char *));
            fmt++;
        } else {
            buf_addc(path, *fmt);
        }
    }
}

struct buf
resource_path(const char *fmt, ...)
{
    struct buf path;
    va_list args;

    buf_init(&path, CLIENT_PATH_MAX);
    va_start(args, fmt);
    add_path(&path, fmt, args);
    va_end(args);
    return path;
}

struct buf
channel_path(const struct command_line *line, const char *fmt, ...)
{
    struct buf path =
        resource_path("/v1/channels/%s", option_text(&line->options, OPTION_CHANNEL));
    va_list args;

    va_start(args, fmt);
    add_path(&path, fmt, args);
    va_end(args);
    return path;
}

const char *
resource_time(const struct command_line *line, enum option_id id, char room[TIME_TEXT])
{
    const char *text = option_text(&line->options, id);
    msec_t ago;

    if (!text || !value_duration(text, 1000, &ago))
        return text;
    msec_t now_ms = clock_wall_us(&clock_system) / 1000;
    time_format(room, ago < now_ms ? now_ms - ago : 0);
    return room;
}

void
path_add_time(struct buf *path, const char *name, const struct command_line *line,
              enum option_id id)
{
    char room[TIME_TEXT];
    path_add_query(path, name, resource_time(line, id, room));
}

void
resource_filter(const struct command_line *line, struct buf *path)
{
    const struct options *options = &line->options;

    path_add_query(path, "type", option_text(options, OPTION_TYPE));
    path_add_query(path, "subscription", option_text(options, OPTION_SUBSCRIPTION));
    path_add_query(path, "notification", option_text(options, OPTION_NOTIFICATION));
    path_add_time(path, "since", line, OPTION_SINCE);
    path_add_time(path, "until", line, OPTION_UNTIL);
}

/* One request on a connection of its own. */
static int
ask(const struct command_line *line, const char *method, const struct buf *path,
    const struct buf *body, struct reply *answer, struct err *err)
{
    struct client *client;

    if (path->failed || (body && body->failed))
        return err_set(err, E_TOO_LARGE, "what was given is too long");
    int rc = client_open(&client, line, err);
    if (rc != 0)
        return rc;
    rc = client_call(client, method, path->p, body ? "application/json" : NULL,
                     body ? buf_slice(body) : (struct slice){0}, answer, err);
    client_close(client);
    return rc;
}

/* What the server sent, with a line end behind it. */
static void
put_json(const struct reply *answer)
{
    fwrite(answer->body.p, 1, answer->body.n, stdout);
    if (answer->body.n && answer->body.p[answer->body.n - 1] != '\n')
        fputc('\n', stdout);
}

static int
put_record(const struct reply *answer, const char *name, struct err *err)
{
    struct json_doc doc;
    struct buf text;

    json_init(&doc);
    buf_init(&text, RESOURCE_BODY_MAX);
    int rc = reply_parse(answer, &doc, err);
    if (rc == 0 && !name) {
        record_print(stdout, &doc, &doc.tokens[0]);
    } else if (rc == 0) {
        record_value(&text, &doc, json_member(&doc, &doc.tokens[0], name));
        puts(text.p ? text.p : "");
    }
    buf_fini(&text);
    json_fini(&doc);
    return rc;
}

/* Asks and prints: a sentence, or the member with this name, or the whole record. */
static int
ask_and_print(const struct command_line *line, const char *method, struct buf *path,
              const struct buf *body, const char *sentence, const char *name)
{
    struct reply answer;
    struct err err = {0};

    reply_init(&answer);
    int rc = ask(line, method, path, body, &answer, &err);
    if (rc == 0 && option_on(&line->options, OPTION_JSON))
        put_json(&answer);
    else if (rc == 0 && sentence)
        puts(sentence);
    else if (rc == 0)
        rc = put_record(&answer, name, &err);
    reply_fini(&answer);
    buf_fini(path);
    return rc == 0 ? DONE : command_fail(line, &err);
}

int
resource_show(const struct command_line *line, const char *method, struct buf path,
              const struct buf *body)
{
    return ask_and_print(line, method, &path, body, NULL, NULL);
}

int
resource_member(const struct command_line *line, const char *method, struct buf path,
                const char *name)
{
    return ask_and_print(line, method, &path, NULL, NULL, name);
}

int
resource_do(const struct command_line *line, const char *method, struct buf path,
            const struct buf *body, const char *sentence)
{
    return ask_and_print(line, method, &path, body, sentence, NULL);
}

/* The server would refuse it, too, but does not know which file it is. */
static int
read_object(struct buf *out, const char *path, struct err *err)
{
    const char *name = input_name(path);
    struct json_error error;
    struct json_doc doc;

    int rc = input_read(out, path, err);
    if (rc != 0)
        return rc;
    json_init(&doc);
    rc = json_parse(&doc, out->p ? out->p : "", out->n, &error);
    if (rc == E_INVALID)
        err_set(err, rc, "%s is not valid JSON at byte %zu: %s", name, error.offset,
                error.reason);
    else if (rc != 0)
        err_set(err, rc, "%s: no memory for it", name);
    else if (doc.tokens[0].type != JSON_OBJECT)
        rc = err_set(err, E_INVALID, "%s must hold a JSON object, not %s", name,
                     json_type_name(doc.tokens[0].type));
    json_fini(&doc);
    return rc;
}

int
resource_show_with_data(const struct command_line *line, const char *method,
                        struct buf path)
{
    struct err err = {0};
    struct buf body;
    int status;

    buf_init(&body, RESOURCE_BODY_MAX);
    if (read_object(&body, option_text(&line->options, OPTION_OBJECT), &err) == 0) {
        status = resource_show(line, method, path, &body);
    } else {
        buf_fini(&path);
        status = command_fail(line, &err);
    }
    buf_fini(&body);
    return status;
}

/* ---- lists, page by page ---- */

struct listing {
    const struct buf *path;
    const struct resource_column *columns;
    struct table table; /* when not json */
    bool json;
    bool limited;
    size_t left;
    size_t shown;
    struct buf cursor; /* of the next page; empty: there is none */
    struct json_doc doc;
    struct reply answer;
    struct buf text;
};

/* The value of a path like "lastAttempt.status"; NULL when missing or null. */
static const struct json_token *
find_member(const struct json_doc *doc, const struct json_token *row, const char *path,
            size_t n)
{
    while (n && row) {
        char name[64];
        size_t part = 0;
        while (part < n && path[part] != '.')
            part++;
        snprintf(name, sizeof(name), "%.*s", (int)part, path);
        row = json_member(doc, row, name);
        part += part < n;
        path += part;
        n -= part;
    }
    return row && row->type != JSON_NULL ? row : NULL;
}

/* What people want to know of it at a terminal, and short. */
static void
add_wait(struct buf *out, msec_t wait_ms)
{
    int64_t seconds = (wait_ms + 999) / 1000;

    if (seconds >= 3600)
        buf_addf(out, "in %" PRId64 "h %" PRId64 "min", seconds / 3600,
                 seconds / 60 % 60);
    else if (seconds >= 60)
        buf_addf(out, "in %" PRId64 "min %" PRId64 "s", seconds / 60, seconds % 60);
    else
        buf_addf(out, "in %" PRId64 "s", seconds);
}

static void
add_cell(struct listing *listing, const char *member, const struct json_token *value)
{
    msec_t now_ms = clock_wall_us(&clock_system) / 1000;
    msec_t at_ms;

    if (listing->table.screen && strcmp(member, "nextAttemptAt") == 0 && value &&
        value->type == JSON_STRING &&
        time_parse(json_string_raw(&listing->doc, value), &at_ms) && at_ms > now_ms)
        add_wait(&listing->text, at_ms - now_ms);
    else
        record_member(&listing->text, &listing->doc, slice_of(member), value);
}

static void
put_row(struct listing *listing, const struct json_token *row)
{
    for (size_t i = 0; i < listing->table.n_columns; i++) {
        const struct json_token *value = NULL;
        const char *path = listing->columns[i].member;
        while (!value && *path) {
            size_t n = strcspn(path, "|");
            value = find_member(&listing->doc, row, path, n);
            path += n + (path[n] == '|');
        }
        buf_reset(&listing->text);
        add_cell(listing, listing->columns[i].member, value);
        table_cell(&listing->table,
                   listing->text.n ? buf_slice(&listing->text) : SLICE("-"));
    }
}

static void
put_rows(struct listing *listing, const struct json_token *data)
{
    const struct json_doc *doc = &listing->doc;
    const struct json_token *row = json_first(doc, data);

    for (; row && listing->left > 0; row = json_after(doc, data, row)) {
        if (listing->json) {
            struct slice raw = json_raw(doc, row);
            printf("%s%.*s", listing->shown ? "," : "", (int)raw.n, raw.p);
        } else {
            put_row(listing, row);
        }
        listing->left--;
        listing->shown++;
    }
    if (!listing->json)
        table_flush(&listing->table);
}

static int
read_page(struct listing *listing, struct client *client, struct err *err)
{
    char limit[24];
    struct buf path;

    buf_init(&path, CLIENT_PATH_MAX);
    buf_add(&path, listing->path->p, listing->path->n);
    snprintf(limit, sizeof(limit), "%zu",
             listing->left < PAGE_MAX ? listing->left : (size_t)PAGE_MAX);
    path_add_query(&path, "limit", listing->limited ? limit : NULL);
    path_add_query(&path, "cursor", listing->cursor.n ? listing->cursor.p : NULL);
    int rc = path.failed ? err_set(err, path.failed, "what was given is too long")
                         : client_call(client, "GET", path.p, NULL, (struct slice){0},
                                       &listing->answer, err);
    buf_fini(&path);
    if (rc != 0)
        return rc;

    rc = reply_parse(&listing->answer, &listing->doc, err);
    if (rc != 0)
        return rc;
    const struct json_token *root = &listing->doc.tokens[0];
    const struct json_token *data = json_member(&listing->doc, root, "data");
    const struct json_token *next = json_member(&listing->doc, root, "nextCursor");
    if (!data || data->type != JSON_ARRAY)
        return err_set(err, E_INVALID,
                       "this does not look like a Pushwire server: its answer has no "
                       "\"data\"");
    put_rows(listing, data);
    buf_reset(&listing->cursor);
    if (next && next->type == JSON_STRING)
        rc = json_string_add(&listing->doc, next, &listing->cursor);
    return rc;
}

static void
put_end(struct listing *listing)
{
    const char *next = listing->cursor.n ? listing->cursor.p : NULL;

    if (listing->json) {
        struct buf text;
        struct json_out json;
        buf_init(&text, CLIENT_PATH_MAX);
        json_out_init(&json, &text);
        json_str(&json, "nextCursor", next);
        printf("],%s}\n", text.p);
        buf_fini(&text);
        return;
    }
    buf_reset(&listing->text);
    if (table_left_out(&listing->table, &listing->text))
        fprintf(stderr, "Too narrow for %s: --json shows all.\n", listing->text.p);
    if (next)
        fprintf(stderr, "There is more: --limit N shows more than %zu.\n",
                listing->shown);
}

static int
list_pages(struct listing *listing, struct client *client, struct err *err)
{
    int rc;

    if (listing->json)
        fputs("{\"data\":[", stdout);
    do {
        rc = read_page(listing, client, err);
    } while (rc == 0 && listing->cursor.n && listing->left > 0);
    if (rc == 0)
        put_end(listing);
    return rc;
}

int
resource_list(const struct command_line *line, struct buf path,
              const struct resource_column *columns, size_t n_columns)
{
    struct table_column heads[TABLE_COLUMNS_MAX];
    struct client *client = NULL;
    struct err err = {0};
    struct listing listing = {
        .path = &path,
        .columns = columns,
        .json = option_on(&line->options, OPTION_JSON),
        .limited = line->command->options & OPT(LIMIT),
        .left = SIZE_MAX,
    };

    if (listing.limited)
        listing.left = (size_t)option_number(&line->options, OPTION_LIMIT);
    for (size_t i = 0; i < n_columns; i++)
        heads[i] = columns[i].column;
    table_init(&listing.table, stdout, heads, n_columns);
    buf_init(&listing.cursor, CLIENT_PATH_MAX);
    buf_init(&listing.text, RESOURCE_BODY_MAX);
    json_init(&listing.doc);
    reply_init(&listing.answer);

    int rc = path.failed ? err_set(&err, path.failed, "what was given is too long")
                         : client_open(&client, line, &err);
    if (rc == 0)
        rc = list_pages(&listing, client, &err);

    client_close(client);
    reply_fini(&listing.answer);
    json_fini(&listing.doc);
    buf_fini(&listing.text);
    buf_fini(&listing.cursor);
    table_fini(&listing.table);
    buf_fini(&path);
    return rc == 0 ? DONE : command_fail(line, &err);
}
