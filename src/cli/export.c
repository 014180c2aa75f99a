/* pushwire subscription export: all of a channel's subscriptions, page by page. */
#include <stdio.h>

#include "cli/output.h"
#include "cli/resource.h"
#include "cli/transfer.h"

#define NDJSON_TYPE "application/x-ndjson"

struct export
{
    struct transfer transfer;
    struct output output;
    const struct buf *path;
    struct buf cursor; /* of the next page; empty: the first, or none */
    int64_t rows;
};

static int64_t
count_lines(struct slice text)
{
    int64_t lines = 0;

    for (const char *at = text.p, *end = text.p + text.n; at < end; lines++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at++)
            break;
    }
    return lines;
}

/* Another server's page must not become the file. */
static int
check_type(struct export *export, struct err *err)
{
    const char *type = client_header(export->transfer.client, "Content-Type");

    if (type && strncmp(type, NDJSON_TYPE, strlen(NDJSON_TYPE)) == 0)
        return 0;
    return err_set(err, E_INVALID,
                   "this does not look like a Pushwire server: its answer is %s, not "
                   "subscriptions",
                   type ? type : "without a type");
}

static int
note_cursor(struct export *export, struct err *err)
{
    const char *next = client_header(export->transfer.client, "Next-Cursor");

    if (next && slice_is(buf_slice(&export->cursor), next))
        return err_set(err, E_INVALID,
                       "the server's pages do not end: each is followed by itself");
    buf_reset(&export->cursor);
    buf_adds(&export->cursor, next ? next : "");
    return export->cursor.failed
               ? err_set(err, E_TOO_LARGE, "the server's Next-Cursor is too long")
               : 0;
}

static int
export_page(struct export *export, struct err *err)
{
    struct transfer *transfer = &export->transfer;
    struct buf path;

    buf_init(&path, CLIENT_PATH_MAX);
    buf_add(&path, export->path->p, export->path->n);
    path_add_query(&path, "cursor", export->cursor.n ? export->cursor.p : NULL);
    int rc = path.failed
                 ? err_set(err, path.failed, "what was given is too long")
                 : transfer_call(transfer, "GET", path.p, NULL, (struct slice){0}, err);
    buf_fini(&path);
    if (rc == 0)
        rc = check_type(export, err);
    if (rc == 0)
        rc = output_write(&export->output, buf_slice(&transfer->answer.body), err);
    if (rc != 0)
        return rc;
    export->rows += count_lines(buf_slice(&transfer->answer.body));
    progress_show(&transfer->progress, export->rows, PROGRESS_UNKNOWN);
    return note_cursor(export, err);
}

static int
export_all(struct export *export, struct err *err)
{
    int rc;

    do {
        rc = export_page(export, err);
    } while (rc == 0 && export->cursor.n);
    return rc == 0 ? output_commit(&export->output, err) : rc;
}

static void
put_end(const struct command_line *line, const struct export *export, const char *path)
{
    if (strcmp(path, "-") == 0)
        return;
    if (option_on(&line->options, OPTION_JSON))
        printf("{\"exported\":%lld}\n", (long long)export->rows);
    else
        printf("%lld subscription%s in %s, with push tokens\n", (long long)export->rows,
               export->rows == 1 ? "" : "s", path);
}

int
subscription_export(const struct command_line *line)
{
    const char *to = option_text(&line->options, OPTION_OUTPUT);
    struct buf path = channel_path(line, "/subscriptions/export");
    struct export export = {.path = &path};
    struct err err = {0};

    buf_init(&export.cursor, CLIENT_PATH_MAX);
    int rc = transfer_open(&export.transfer, line, &err);
    if (rc == 0)
        rc = output_open(&export.output, to, &err);
    if (rc == 0) {
        rc = export_all(&export, &err);
        output_close(&export.output);
    }
    transfer_close(&export.transfer);
    buf_fini(&export.cursor);
    buf_fini(&path);
    if (rc != 0)
        return command_fail(line, &err);
    put_end(line, &export, to);
    return DONE;
}
