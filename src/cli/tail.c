/* pushwire tail: what happens in a channel, as it happens. The server's stream may end
 * at any time; then it is asked for again, from behind the last line. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ids.h"
#include "cli/client.h"
#include "cli/resource.h"
#include "cli/table.h"

#define LINE_MAX_BYTES ((size_t)8 << 20)
#define CURSOR_MAX     80
#define NAME_MAX_BYTES 16

/* Between two tries, from the first to the last. */
#define AGAIN_MS      1000
#define AGAIN_MOST_MS 30000

enum column { TIME, ID, STATE, RESULT, COLUMNS };

struct tail {
    const struct command_line *line;
    bool json;
    struct table table;
    struct json_doc doc;
    struct buf text; /* a line that is not whole yet */
    /* of the message so far */
    char event[NAME_MAX_BYTES];
    char cursor[CURSOR_MAX];
    struct buf data;
    struct buf cell;
    bool came; /* something has, since the last try */
};

/* ---- ctrl-C ---- */

static void
on_end(int number)
{
    (void)number;
    _exit(DONE); /* between messages: all that was shown has left */
}

static void
end_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

static void
watch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_end};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- one message ---- */

static const struct json_token *
member(const struct tail *tail, const char *name)
{
    const struct json_token *value =
        json_member(&tail->doc, &tail->doc.tokens[0], name);
    return value && value->type != JSON_NULL ? value : NULL;
}

/* A member's text behind what is in tail->cell; nothing if there is none. */
static void
add_member(struct tail *tail, const char *before, const char *name, const char *after)
{
    const struct json_token *value = member(tail, name);

    if (!value)
        return;
    buf_adds(&tail->cell, before);
    if (value->type == JSON_STRING) {
        (void)json_string_add(&tail->doc, value, &tail->cell);
    } else {
        struct slice raw = json_raw(&tail->doc, value);
        buf_add(&tail->cell, raw.p, raw.n);
    }
    buf_adds(&tail->cell, after);
}

static void
end_cell(struct tail *tail)
{
    table_cell(&tail->table, buf_slice(&tail->cell));
    buf_reset(&tail->cell);
}

/* 11-24 12:39:24 */
static void
add_time(struct tail *tail, const char *before, const char *name)
{
    struct buf whole = tail->cell;

    buf_init(&tail->cell, RESOURCE_BODY_MAX);
    add_member(tail, "", name, "");
    struct buf time = tail->cell;
    tail->cell = whole;
    if (time.n >= 19)
        buf_addf(&tail->cell, "%s%.5s %.8s", before, time.p + 5, time.p + 11);
    buf_fini(&time);
}

static void
add_result(struct tail *tail)
{
    add_member(tail, "", "type", ": ");
    if (member(tail, "reason"))
        add_member(tail, "", "reason", "");
    else
        add_member(tail, "", "status", "");
    add_member(tail, " in ", "durationMs", " ms");
    add_member(tail, ", attempt ", "n", "");
    add_time(tail, ", next ", "nextAttemptAt");
}

static void
put_row(struct tail *tail)
{
    bool attempt = strcmp(tail->event, "attempt") == 0;

    add_time(tail, "", attempt ? "at" : "createdAt");
    end_cell(tail);
    add_member(tail, "", attempt ? "call" : "_id", "");
    end_cell(tail);
    add_member(tail, "", "state", "");
    end_cell(tail);
    if (attempt)
        add_result(tail);
    else
        add_member(tail, "", "type", " of ");
    if (!attempt)
        add_member(tail, "", "subscription", "");
    end_cell(tail);
    table_flush(&tail->table);
}

static void
put_gap(struct tail *tail)
{
    struct buf clean;

    add_member(tail, "from ", "from", "");
    add_member(tail, " to ", "to", " is too long ago: the server does not tell of it");
    buf_init(&clean, RESOURCE_BODY_MAX);
    text_add_clean(&clean, buf_slice(&tail->cell), NULL);
    fprintf(stderr, "%s\n", clean.p ? clean.p : "");
    buf_fini(&clean);
    buf_reset(&tail->cell);
}

static int
put_message(struct tail *tail, struct err *err)
{
    struct json_error error;

    tail->came = true;
    if (tail->json) {
        printf("{\"cursor\":\"%s\",\"kind\":\"%s\",\"data\":%.*s}\n", tail->cursor,
               tail->event, (int)tail->data.n, tail->data.p);
        return 0;
    }
    tail->doc.max_depth = JSON_DEPTH_WRAPPED;
    if (json_parse(&tail->doc, tail->data.p, tail->data.n, &error) != 0 ||
        tail->doc.tokens[0].type != JSON_OBJECT)
        return err_set(err, E_INVALID,
                       "this does not look like a Pushwire server: a message of its "
                       "stream is no JSON object");
    if (strcmp(tail->event, "gap") == 0)
        put_gap(tail);
    else
        put_row(tail);
    return 0;
}

/* ---- the stream's lines ---- */

/* Cursors and kinds are words: what else they might be is not printed. */
static void
take_word(char *out, size_t room, struct slice text)
{
    size_t n = 0;

    while (n < text.n && n < room - 1 && id_valid((struct slice){text.p + n, 1})) {
        out[n] = text.p[n];
        n++;
    }
    out[n] = '\0';
}

static bool
starts(struct slice line, const char *with, struct slice *rest)
{
    size_t n = strlen(with);

    if (line.n < n || memcmp(line.p, with, n) != 0)
        return false;
    *rest = (struct slice){line.p + n, line.n - n};
    return true;
}

static int
take_line(struct tail *tail, struct slice line, struct err *err)
{
    struct slice rest;
    int rc = 0;

    if (starts(line, "id: ", &rest)) {
        take_word(tail->cursor, sizeof(tail->cursor), rest);
    } else if (starts(line, "event: ", &rest)) {
        take_word(tail->event, sizeof(tail->event), rest);
    } else if (starts(line, "data: ", &rest)) {
        buf_add(&tail->data, rest.p, rest.n);
    } else if (line.n == 0) {
        if (tail->data.n)
            rc = put_message(tail, err);
        tail->event[0] = '\0';
        buf_reset(&tail->data);
    }
    return rc;
}

static int
take_lines(struct tail *tail, struct slice bytes, struct err *err)
{
    int rc = 0;

    while (rc == 0 && bytes.n) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        size_t n = end ? (size_t)(end - bytes.p) : bytes.n;
        if (buf_add(&tail->text, bytes.p, n) != 0)
            return err_set(err, E_TOO_LARGE, "a line of the stream is too long");
        if (end) {
            rc = take_line(tail, buf_slice(&tail->text), err);
            buf_reset(&tail->text);
        }
        bytes.p += n + (end != NULL);
        bytes.n -= n + (end != NULL);
    }
    return rc;
}

/* The signals that end it wait until what came has been shown. */
static int
take(void *ctx, struct slice bytes, int64_t size, struct err *err)
{
    sigset_t ends, before;

    (void)size;
    end_signals(&ends);
    sigprocmask(SIG_BLOCK, &ends, &before);
    int rc = take_lines(ctx, bytes, err);
    if (fflush(stdout) != 0 && rc == 0)
        rc = err_set(err, E_IO, "standard output cannot be written");
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc;
}

/* ---- again and again ---- */

static struct buf
path_of(const struct tail *tail)
{
    const struct command_line *line = tail->line;
    const struct options *options = &line->options;
    const char *after = option_text(options, OPTION_AFTER);
    struct buf path = channel_path(line, "/stream");

    path_add_query(&path, "kind", option_text(options, OPTION_KIND));
    path_add_query(&path, "type", option_text(options, OPTION_TYPE));
    path_add_query(&path, "subscription", option_text(options, OPTION_SUBSCRIPTION));
    path_add_query(&path, "webhook", option_text(options, OPTION_WEBHOOK));
    if (tail->cursor[0] || after)
        path_add_query(&path, "after", tail->cursor[0] ? tail->cursor : after);
    else
        path_add_time(&path, "since", line, OPTION_SINCE);
    if (option_on(options, OPTION_NO_FOLLOW))
        path_add_query(&path, "follow", "false");
    return path;
}

static int
follow(struct tail *tail, struct client *client, long *status, struct err *err)
{
    const struct client_sink sink = {take, tail};
    struct buf path = path_of(tail);
    struct reply answer;
    int rc = path.failed;

    reply_init(&answer);
    buf_reset(&tail->text);
    buf_reset(&tail->data);
    tail->event[0] = '\0';
    if (rc != 0)
        err_set(err, rc, "what was given is too long");
    else
        rc = client_follow(client, path.p, &sink, &answer, err);
    *status = answer.status;
    reply_fini(&answer);
    buf_fini(&path);
    return rc;
}

/* Whether the same may go well later: the server went away, or has no room. What never
 * went well is told at once. */
static bool
may_try_again(const struct tail *tail, long status, const struct err *err)
{
    if (err->code == E_INVALID && status == 200)
        return false; /* it is no such server */
    if (status == 0)
        return tail->cursor[0] != '\0';
    return status == 200 || status == 429 || status == 503;
}

static int
follow_on(struct tail *tail, struct client *client, struct err *err)
{
    msec_t wait_ms = AGAIN_MS;

    for (;;) {
        long status;
        tail->came = false;
        int rc = follow(tail, client, &status, err);
        if (rc == 0 && option_on(&tail->line->options, OPTION_NO_FOLLOW))
            return 0;
        if (rc != 0 && (!may_try_again(tail, status, err) || fflush(stdout) != 0))
            return rc;
        if (tail->came || rc == 0)
            wait_ms = AGAIN_MS;
        if (rc != 0 && (tail->came || wait_ms == AGAIN_MS))
            fprintf(stderr, "%s\n(trying again)\n", err->text);
        poll(NULL, 0, (int)wait_ms);
        wait_ms = wait_ms * 2 < AGAIN_MOST_MS ? wait_ms * 2 : AGAIN_MOST_MS;
        *err = (struct err){0};
    }
}

static void
tail_init(struct tail *tail, const struct command_line *line)
{
    static const struct table_column columns[COLUMNS] = {
        [TIME] = {"TIME (UTC)", COLUMN_WHOLE},
        [ID] = {"EVENT OR CALL", COLUMN_WHOLE},
        [STATE] = {"STATE", COLUMN_WHOLE},
        [RESULT] = {"RESULT", COLUMN_CUT},
    };
    static const size_t widths[COLUMNS] = {14, 32, 9, 6};

    *tail = (struct tail){.line = line};
    tail->json = option_on(&line->options, OPTION_JSON);
    table_init(&tail->table, stdout, columns, COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) /* lines come one by one: none moves another */
        tail->table.widths[i] = widths[i];
    json_init(&tail->doc);
    buf_init(&tail->text, LINE_MAX_BYTES);
    buf_init(&tail->data, LINE_MAX_BYTES);
    buf_init(&tail->cell, RESOURCE_BODY_MAX);
    if (!tail->json)
        table_flush(&tail->table); /* the titles */
    fflush(stdout);
}

static void
tail_fini(struct tail *tail)
{
    table_fini(&tail->table);
    json_fini(&tail->doc);
    buf_fini(&tail->text);
    buf_fini(&tail->data);
    buf_fini(&tail->cell);
}

int
tail_run(const struct command_line *line)
{
    struct client *client;
    struct err err = {0};
    struct tail tail;

    int rc = client_open(&client, line, &err);
    if (rc != 0)
        return command_fail(line, &err);
    watch_signals();
    tail_init(&tail, line);
    rc = follow_on(&tail, client, &err);
    tail_fini(&tail);
    client_close(client);
    return rc == 0 ? DONE : command_fail(line, &err);
}
