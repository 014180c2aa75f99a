#include "cli/record.h"

#include "base/clock.h"
#include "base/timefmt.h"
#include "cli/color.h"
#include "cli/table.h"

#define INDENT   "    "
#define TEXT_MAX ((size_t)4 << 20)

/* Columns of the lists that stand inside records: a call's attempts, an event's calls,
 * a channel's topics. */
static const char *const inner_columns[] = {
    "n",        "_id",      "id",     "name",          "webhook",
    "state",    "attempts", "at",     "nextAttemptAt", "durationMs",
    "verdict",  "status",   "reason", "keyType",       "publicKey",
    "expiresAt"};

/* Of each attempt in its object `timings`, as a table of its own. */
static const char *const timing_columns[] = {"dnsMs",       "connectMs", "tlsMs",
                                             "firstByteMs", "totalMs",   "reused"};

/* ---- one value ---- */

static void
add_list(struct buf *out, const struct json_doc *doc, const struct json_token *list)
{
    const struct json_token *element = json_first(doc, list);

    for (bool first = true; element; first = false) {
        buf_adds(out, first ? "" : ", ");
        record_value(out, doc, element);
        element = json_after(doc, list, element);
    }
}

void
record_value(struct buf *out, const struct json_doc *doc,
             const struct json_token *value)
{
    if (!value || value->type == JSON_NULL)
        return;
    if (value->type == JSON_STRING) {
        (void)json_string_add(doc, value, out);
    } else if (value->type == JSON_ARRAY) {
        add_list(out, doc, value);
    } else {
        struct slice raw = json_raw(doc, value);
        buf_add(out, raw.p, raw.n);
    }
}

void
record_member(struct buf *out, const struct json_doc *doc, struct slice name,
              const struct json_token *value)
{
    msec_t at_ms;

    if (slice_is(name, "nextAttemptAt") && value && value->type == JSON_STRING &&
        time_parse(json_string_raw(doc, value), &at_ms) &&
        at_ms <= clock_wall_us(&clock_system) / 1000)
        buf_adds(out, "now");
    else
        record_value(out, doc, value);
}

/* ---- lists of objects ---- */

static bool
is_table(const struct json_doc *doc, const struct json_token *value)
{
    const struct json_token *first =
        value->type == JSON_ARRAY ? json_first(doc, value) : NULL;
    return first && first->type == JSON_OBJECT;
}

static enum column_on
how_shown(const char *column)
{
    if (strcmp(column, "reason") == 0 || strcmp(column, "name") == 0)
        return COLUMN_CUT;
    return strcmp(column, "durationMs") == 0 ? COLUMN_LESS : COLUMN_WHOLE;
}

/* A member of a row, or of the object `inside` that the row has. */
static const struct json_token *
cell_of(const struct json_doc *doc, const struct json_token *row, const char *inside,
        const char *name)
{
    const struct json_token *object = inside ? json_member(doc, row, inside) : row;
    return object ? json_member(doc, object, name) : NULL;
}

/* Those of the columns that the first row has. */
static void
put_table(FILE *out, const struct json_doc *doc, const struct json_token *list,
          const char *inside, const char *const *names, size_t n_names)
{
    struct table_column columns[ARRAY_LEN(inner_columns)];
    const struct json_token *first = json_first(doc, list);
    struct table table;
    struct buf text;
    size_t n = 0;

    for (size_t i = 0; i < n_names; i++) {
        if (cell_of(doc, first, inside, names[i]))
            columns[n++] = (struct table_column){names[i], how_shown(names[i])};
    }
    buf_init(&text, TEXT_MAX);
    table_init(&table, out, columns, n);
    for (const struct json_token *row = first; row && n;
         row = json_after(doc, list, row)) {
        for (size_t i = 0; i < n; i++) {
            buf_reset(&text);
            record_member(&text, doc, slice_of(columns[i].title),
                          cell_of(doc, row, inside, columns[i].title));
            table_cell(&table, text.n ? buf_slice(&text) : SLICE("-"));
        }
    }
    if (n)
        table_flush(&table);
    table_fini(&table);
    buf_fini(&text);
}

static void
put_heading(FILE *out, struct slice name)
{
    fprintf(out, "\n%s%.*s:%s\n", color_begin(out, PAINT_HEADING), (int)name.n, name.p,
            color_end(out, PAINT_HEADING));
}

/* How long each step of an attempt took: in the same order as the attempts. */
static void
put_timings(FILE *out, const struct json_doc *doc, const struct json_token *list)
{
    if (!json_member(doc, json_first(doc, list), "timings"))
        return;
    put_heading(out, SLICE("timings"));
    put_table(out, doc, list, "timings", timing_columns, ARRAY_LEN(timing_columns));
}

/* Why a call of the table is where it is, or why there is none. */
static void
put_reasons(FILE *out, const struct json_doc *doc, const struct json_token *list)
{
    struct buf raw;
    struct buf clean;

    buf_init(&raw, TEXT_MAX);
    buf_init(&clean, TEXT_MAX);
    for (const struct json_token *row = json_first(doc, list); row;
         row = json_after(doc, list, row)) {
        const struct json_token *text = cell_of(doc, row, "explain", "text");
        const struct json_token *of = json_member(doc, row, "webhook");
        if (!text) {
            text = json_member(doc, row, "text");
            of = json_member(doc, row, "url");
        }
        if (!text || !of)
            continue;
        buf_reset(&raw);
        buf_reset(&clean);
        record_value(&raw, doc, of);
        buf_adds(&raw, ": ");
        record_value(&raw, doc, text);
        text_add_clean(&clean, buf_slice(&raw), NULL);
        fprintf(out, INDENT "%s\n", clean.p);
    }
    buf_fini(&clean);
    buf_fini(&raw);
}

/* What receivers said, below the table of attempts. */
static void
put_responses(FILE *out, const struct json_doc *doc, const struct json_token *list)
{
    struct buf raw;
    struct buf clean;

    buf_init(&raw, TEXT_MAX);
    buf_init(&clean, TEXT_MAX);
    for (const struct json_token *row = json_first(doc, list); row;
         row = json_after(doc, list, row)) {
        const struct json_token *response = json_member(doc, row, "response");
        const struct json_token *number = json_member(doc, row, "n");
        buf_reset(&raw);
        buf_reset(&clean);
        record_value(&raw, doc, response);
        while (raw.n && strchr("\r\n", raw.p[raw.n - 1]))
            raw.n--;
        if (!raw.n || !number)
            continue;
        text_add_clean(&clean, buf_slice(&raw), INDENT);
        struct slice n = json_raw(doc, number);
        fprintf(out, "\nanswer to attempt %.*s:\n" INDENT "%s\n", (int)n.n, n.p,
                clean.p);
    }
    buf_fini(&clean);
    buf_fini(&raw);
}

/* ---- records ---- */

/* The last attempt is in the list of all, if that is there. */
static bool
is_said_twice(const struct json_doc *doc, const struct json_token *object,
              const struct json_token *key)
{
    return json_string_is(doc, key, "lastAttempt") &&
           json_member(doc, object, "attemptLog");
}

/* What goes below its name, behind all that fits on a line. */
static bool
is_block(const struct json_doc *doc, const struct json_token *key,
         const struct json_token *value)
{
    return json_string_is(doc, key, "payload") || is_table(doc, value);
}

static void
put_block(FILE *out, const struct json_doc *doc, const struct json_token *key,
          const struct json_token *value)
{
    struct slice name = json_string_raw(doc, key);
    struct buf text;

    put_heading(out, name);
    if (is_table(doc, value)) {
        put_table(out, doc, value, NULL, inner_columns, ARRAY_LEN(inner_columns));
        put_timings(out, doc, value);
        put_reasons(out, doc, value);
        put_responses(out, doc, value);
        return;
    }
    buf_init(&text, TEXT_MAX);
    buf_adds(&text, INDENT);
    text_add_clean(&text, json_raw(doc, value), INDENT);
    fprintf(out, "%s\n", text.p);
    buf_fini(&text);
}

static size_t
widest_name(const struct json_doc *doc, const struct json_token *object)
{
    size_t widest = 0;

    for (const struct json_token *key = json_first(doc, object); key;
         key = json_after(doc, object, key)) {
        const struct json_token *value = json_after(doc, object, key);
        size_t width = text_columns(json_string_raw(doc, key));
        if (width > widest && !is_block(doc, key, value))
            widest = width;
        key = value;
    }
    return widest;
}

/* An object inside a record: name value, name value; headers as they are sent. */
static void
add_members(struct buf *out, const struct json_doc *doc,
            const struct json_token *object, bool headers)
{
    bool first = true;

    for (const struct json_token *key = json_first(doc, object); key;
         key = json_after(doc, object, key)) {
        buf_adds(out, first ? "" : ", ");
        first = false;
        record_value(out, doc, key);
        buf_adds(out, headers ? ": " : " ");
        key = json_after(doc, object, key);
        if (key->type == JSON_NULL)
            buf_addc(out, '-');
        record_value(out, doc, key);
    }
}

static void
put_line(FILE *out, const struct json_doc *doc, const struct json_token *key,
         const struct json_token *value, size_t width)
{
    struct slice name = json_string_raw(doc, key);
    struct buf text;
    struct buf clean;

    buf_init(&text, TEXT_MAX);
    buf_init(&clean, TEXT_MAX);
    const struct json_token *sentence =
        slice_is(name, "explain") ? json_member(doc, value, "text") : NULL;

    if (sentence)
        record_value(&text, doc, sentence);
    else if (value->type == JSON_OBJECT)
        add_members(&text, doc, value, slice_is(name, "headers"));
    else
        record_member(&text, doc, name, value);
    text_add_clean(&clean, buf_slice(&text), NULL);
    enum paint paint =
        slice_is(name, "state") ? color_of_word(buf_slice(&clean)) : PAINT_NONE;
    fprintf(out, "%s%.*s:%s%*s%s%s%s\n", color_begin(out, PAINT_HEADING), (int)name.n,
            name.p, color_end(out, PAINT_HEADING),
            (int)(width + 2 - text_columns(name) - 1), "", color_begin(out, paint),
            clean.n ? clean.p : "-", color_end(out, paint));
    buf_fini(&clean);
    buf_fini(&text);
}

void
record_print(FILE *out, const struct json_doc *doc, const struct json_token *object)
{
    size_t width = widest_name(doc, object) + 1;

    for (int blocks = 0; blocks < 2; blocks++) {
        for (const struct json_token *key = json_first(doc, object); key;
             key = json_after(doc, object, key)) {
            const struct json_token *value = json_after(doc, object, key);
            bool block = is_block(doc, key, value);
            if (block && blocks)
                put_block(out, doc, key, value);
            else if (!block && !blocks && !is_said_twice(doc, object, key))
                put_line(out, doc, key, value, width);
            key = value;
        }
    }
}
