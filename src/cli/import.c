/*
 * pushwire subscription import: a file's lines in requests that the server takes, each
 * of them all or nothing. A subscription that is stored already is replaced by the
 * same, so a run that ended in the middle is simply repeated.
 */
#include <stdio.h>

#include "cli/input.h"
#include "cli/resource.h"
#include "cli/table.h"
#include "cli/transfer.h"

#define NDJSON_TYPE   "application/x-ndjson"
#define REQUEST_LINES ((size_t)1000) /* the server's --max-events, unless told */
#define REQUEST_BYTES ((size_t)1 << 20)

struct import {
    const struct command_line *line;
    struct transfer transfer;
    struct input input;
    struct buf path;
    struct json_doc doc;
    size_t max_bytes; /* of a request; less when the server says that it is too much */
    /* the lines that are read and not yet stored, none of them blank */
    struct buf text;
    size_t n;
    size_t begins[REQUEST_LINES + 1];  /* in text, also of what comes next */
    int64_t numbers[REQUEST_LINES];    /* in the file */
    int64_t stored;                    /* lines that are stored */
    int64_t created, replaced, events; /* of them */
    bool unsure;                       /* nobody knows whether the last request is */
};

/* ---- reading ---- */

static bool
is_blank(struct slice line)
{
    return json_skip_space(line.p, line.n, 0) == line.n;
}

static void
add_line(struct import *import, struct slice line)
{
    import->numbers[import->n] = import->input.line;
    buf_add(&import->text, line.p, line.n);
    buf_addc(&import->text, '\n');
    import->begins[++import->n] = import->text.n;
}

/* As many lines as one request takes; none at the end of the file. */
static int
read_lines(struct import *import, struct err *err)
{
    struct slice line;

    buf_reset(&import->text);
    import->n = 0;
    while (import->n < REQUEST_LINES) {
        int rc = input_peek(&import->input, &line, err);
        if (rc != 0)
            return rc;
        bool blank = line.p && is_blank(line);
        bool room = import->n == 0 || import->text.n + line.n + 1 <= import->max_bytes;
        if (!line.p || (!blank && !room))
            break;
        if (!blank)
            add_line(import, line);
        input_next(&import->input, line);
    }
    return import->text.failed
               ? err_set(err, import->text.failed, "no memory for a request")
               : 0;
}

/* ---- what the server says ---- */

static void
add_sum(const struct import *import, const char *name, int64_t *sum)
{
    const struct json_token *value =
        json_member(&import->doc, &import->doc.tokens[0], name);
    int64_t number;

    if (value && json_int(&import->doc, value, &number))
        *sum += number;
}

static double
share_passed(const struct import *import)
{
    const struct input *input = &import->input;
    return input->size > 0 ? (double)input->passed / (double)input->size
                           : PROGRESS_UNKNOWN;
}

static int
note_stored(struct import *import, size_t lines, struct err *err)
{
    int rc = reply_parse(&import->transfer.answer, &import->doc, err);
    if (rc != 0)
        return rc;
    add_sum(import, "created", &import->created);
    add_sum(import, "replaced", &import->replaced);
    add_sum(import, "events", &import->events);
    import->stored += (int64_t)lines;
    progress_show(&import->transfer.progress, import->stored, share_passed(import));
    return 0;
}

static void
add_text(struct buf *out, const struct json_doc *doc, const char *name,
         const char *after)
{
    const struct json_token *value = json_member(doc, &doc->tokens[0], name);
    struct buf raw;

    buf_init(&raw, RESOURCE_BODY_MAX);
    if (value && value->type == JSON_STRING && value->end > value->start + 2 &&
        json_string_add(doc, value, &raw) == 0) {
        text_add_clean(out, buf_slice(&raw), NULL);
        buf_adds(out, after);
    }
    buf_fini(&raw);
}

/* The line that the server names in its refusal: its place in the request. */
static bool
named_line(struct import *import, size_t lines, size_t *at)
{
    const struct reply *answer = &import->transfer.answer;
    const struct json_token *value = NULL;
    struct err not_json;
    int64_t index;

    if (answer->status == 400 && reply_parse(answer, &import->doc, &not_json) == 0)
        value = json_member(&import->doc, &import->doc.tokens[0], "index");
    if (!value || !json_int(&import->doc, value, &index) || index < 0 ||
        index >= (int64_t)lines)
        return false;
    *at = (size_t)index;
    return true;
}

/* Puts the place in the file before why these lines were not taken. */
static int
refused(struct import *import, size_t from, size_t to, struct err *err)
{
    const char *name = import->input.name;
    long status = import->transfer.answer.status;
    struct buf text;
    size_t at;

    if (named_line(import, to - from, &at)) {
        buf_init(&text, RESOURCE_BODY_MAX);
        add_text(&text, &import->doc, "path", ": ");
        add_text(&text, &import->doc, "detail", "");
        err_set(err, E_INVALID, "%s:%lld: %s", name,
                (long long)import->numbers[from + at],
                text.n ? text.p : "refused without a reason");
        buf_fini(&text);
        return E_INVALID;
    }
    /* Key and channel have nothing to do with the lines. */
    if (status == 401 || status == 403 || status == 404)
        return err->code;
    if (to - from == 1)
        return err_wrap(err, "%s:%lld", name, (long long)import->numbers[from]);
    return err_wrap(err, "%s, lines %lld to %lld", name,
                    (long long)import->numbers[from],
                    (long long)import->numbers[to - 1]);
}

/* ---- sending ---- */

/* Behind the lines from this one on that go into one request. */
static size_t
request_end(const struct import *import, size_t from)
{
    size_t to = from + 1;

    while (to < import->n &&
           import->begins[to + 1] - import->begins[from] <= import->max_bytes)
        to++;
    return to;
}

/* The lines that were read. A server that takes less at once than we thought is given
 * half as much from then on. */
static int
send_lines(struct import *import, struct err *err)
{
    const struct reply *answer = &import->transfer.answer;

    for (size_t from = 0; from < import->n;) {
        size_t to = request_end(import, from);
        struct slice body = {import->text.p + import->begins[from],
                             import->begins[to] - import->begins[from]};
        int rc = transfer_call(&import->transfer, "POST", import->path.p, NDJSON_TYPE,
                               body, err);
        import->unsure = rc != 0 && answer->status < 300;
        if (rc == 0) {
            rc = note_stored(import, to - from, err);
            from = to;
        } else if (answer->status == 413 && to - from > 1) {
            import->max_bytes = body.n / 2;
            rc = 0;
        } else {
            rc = refused(import, from, to, err);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int
import_all(struct import *import, struct err *err)
{
    int rc;

    do {
        rc = read_lines(import, err);
        if (rc == 0)
            rc = send_lines(import, err);
    } while (rc == 0 && import->n > 0);
    return rc;
}

/* ---- the command ---- */

static void
put_sums(const struct import *import)
{
    if (option_on(&import->line->options, OPTION_JSON))
        printf("{\"created\":%lld,\"replaced\":%lld,\"events\":%lld}\n",
               (long long)import->created, (long long)import->replaced,
               (long long)import->events);
    else
        printf("%lld subscription%s: %lld created, %lld replaced, %lld event%s\n",
               (long long)import->stored, import->stored == 1 ? "" : "s",
               (long long)import->created, (long long)import->replaced,
               (long long)import->events, import->events == 1 ? "" : "s");
}

/* Whoever mends what is wrong wants to know how much of it is done. */
static int
stop(struct import *import, const struct err *err)
{
    long long stored = import->stored;

    progress_end(&import->transfer.progress);
    int status = command_fail(import->line, err);
    if (stored == 0 && !import->unsure) {
        fputs("No line is stored.\n", stderr);
        return status;
    }
    if (stored == 0)
        fputs("Nobody knows whether those lines are stored.", stderr);
    else
        fprintf(stderr, "%lld line%s stored%s.", stored, stored == 1 ? " is" : "s are",
                import->unsure ? ", and perhaps those of the last request" : "");
    fputs(" It can be run again: a line that is stored is replaced by the same.\n",
          stderr);
    return status;
}

static int
run(struct import *import)
{
    const struct command_line *line = import->line;
    struct err err = {0};

    int rc = import->path.failed
                 ? err_set(&err, import->path.failed, "what was given is too long")
                 : transfer_open(&import->transfer, line, &err);
    if (rc == 0)
        rc = input_open(&import->input, line->args[0], &err);
    if (rc != 0)
        return command_fail(line, &err);
    rc = import_all(import, &err);
    input_close(&import->input);
    if (rc != 0)
        return stop(import, &err);
    progress_end(&import->transfer.progress);
    put_sums(import);
    return DONE;
}

int
subscription_import(const struct command_line *line)
{
    struct import import = {
        .line = line,
        .path = channel_path(line, "/subscriptions/import"),
        .max_bytes = REQUEST_BYTES,
    };

    if (option_on(&line->options, OPTION_EMIT))
        path_add_query(&import.path, "events", "true");
    json_init(&import.doc);
    buf_init(&import.text, INPUT_LINE_MAX + REQUEST_LINES);
    int status = run(&import);
    transfer_close(&import.transfer);
    buf_fini(&import.text);
    json_fini(&import.doc);
    buf_fini(&import.path);
    return status;
}
