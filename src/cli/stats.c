/* pushwire stats: figures of a webhook, a channel or all, with a bar for each step. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/client.h"
#include "cli/record.h"
#include "cli/resource.h"

#define STEPS_MAX  200
#define BARS_MAX   60 /* steps are taken together until there are no more */
#define BARS_LEAST 12
#define BESIDE     32 /* columns of what stands before the bars */
#define TEXT_MAX   1000

/* ---- bars ---- */

/* Whether the terminal shows more than ASCII, as whoever sits there has set it. */
static bool
speaks_utf8(void)
{
    locale_t theirs = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    if (!theirs)
        return false;
    bool utf8 = strcmp(nl_langinfo_l(CODESET, theirs), "UTF-8") == 0;
    freelocale(theirs);
    return utf8;
}

static void
add_bars(struct buf *out, const double *values, size_t n)
{
    static const char *const blocks[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {".", "_", "-", "~", "=", "+", "*", "%", "#"};
    const char *const *heights = speaks_utf8() ? blocks : plain;
    const size_t highest = ARRAY_LEN(blocks) - 1;
    double max = 0;

    for (size_t i = 0; i < n; i++)
        max = values[i] > max ? values[i] : max;
    for (size_t i = 0; i < n; i++)
        buf_adds(out, heights[values[i] > 0 ? 1 + (size_t)(values[i] / max *
                                                           (double)(highest - 1))
                                            : 0]);
}

/* As many bars as there is room for: each is of as many steps. */
static size_t
steps_a_bar(size_t n_steps, size_t screen)
{
    size_t room = screen > BESIDE + BARS_LEAST ? screen - BESIDE : BARS_LEAST;
    if (screen == 0 || room > BARS_MAX)
        room = BARS_MAX;
    return (n_steps + room - 1) / room;
}

/* ---- what is shown ---- */

struct row {
    const char *title;
    const char *member; /* of the answer */
    const char *each;   /* of a step; NULL = there is none */
    bool highest;       /* steps together are the highest of them, not their sum */
    const char *unit;
};

static const struct row rows[] = {
    {"events", "totals.events", "events", false, ""},
    {"attempts", "totals.attempts", "attempts", false, ""},
    {"failed", "totals.failed", "failed", false, ""},
    {"exhausted", "totals.exhausted", "exhausted", false, ""},
    {"success rate", "totals.successRate", NULL, false, ""},
    {"p50", "totals.latencyMs.p50", "p50", true, " ms"},
    {"p95", "totals.latencyMs.p95", "p95", true, " ms"},
    {"p99", "totals.latencyMs.p99", "p99", true, " ms"},
    {"longest", "totals.latencyMs.max", NULL, false, " ms"},
    {"backlog", "backlog", "backlog", true, ""},
    {"held", "held", NULL, false, ""},
    {"oldest due", "oldestDue", NULL, false, ""},
};

static const struct json_token *
member_at(const struct json_doc *doc, const char *path)
{
    const struct json_token *at = &doc->tokens[0];
    char name[64];
    while (at && *path) {
        size_t n = strcspn(path, ".");
        snprintf(name, sizeof(name), "%.*s", (int)n, path);
        at = json_member(doc, at, name);
        path += n + (path[n] == '.');
    }
    return at && at->type != JSON_NULL ? at : NULL;
}

static size_t
read_steps(const struct json_doc *doc, const struct row *row, size_t together,
           double bars[STEPS_MAX])
{
    const struct json_token *series = member_at(doc, "series");
    size_t n = 0;
    memset(bars, 0, STEPS_MAX * sizeof(bars[0]));
    if (!series || series->type != JSON_ARRAY || !row->each)
        return 0;
    for (const struct json_token *step = json_first(doc, series);
         step && n / together < STEPS_MAX; step = json_after(doc, series, step), n++) {
        const struct json_token *member = json_member(doc, step, row->each);
        double value = 0;
        if (!member || !json_double(doc, member, &value))
            value = 0; /* there was none */
        double *bar = &bars[n / together];
        if (!row->highest)
            *bar += value;
        else if (value > *bar)
            *bar = value;
    }
    return (n + together - 1) / together;
}

static void
put_row(struct table *table, const struct json_doc *doc, const struct row *row,
        size_t together)
{
    const struct json_token *value = member_at(doc, row->member);
    double bars[STEPS_MAX], share = 0;
    struct buf text;

    buf_init(&text, TEXT_MAX);
    table_cell(table, slice_of(row->title));
    if (value && strcmp(row->title, "success rate") == 0 &&
        json_double(doc, value, &share))
        buf_addf(&text, "%.6g %%", share * 100);
    else
        record_value(&text, doc, value);
    if (text.n)
        buf_adds(&text, row->unit);
    table_cell(table, text.n ? buf_slice(&text) : SLICE("-"));
    buf_reset(&text);
    size_t n = read_steps(doc, row, together, bars);
    add_bars(&text, bars, n);
    table_cell(table, buf_slice(&text));
    buf_fini(&text);
}

static void
add_length(struct buf *out, int64_t seconds)
{
    int64_t minutes = seconds / 60;
    if (minutes < 60)
        buf_addf(out, "EACH %lld min", (long long)minutes);
    else
        buf_addf(out, "EACH %lld h", (long long)(minutes / 60));
}

static void
put_stats(const struct json_doc *doc)
{
    const struct json_token *step = member_at(doc, "step");
    const struct json_token *series = member_at(doc, "series");
    int64_t seconds = 0;
    struct buf title;
    struct table table;

    size_t together =
        steps_a_bar(series && series->type == JSON_ARRAY ? series->count : 0,
                    screen_columns(stdout));
    if (together == 0 || !step || !json_int(doc, step, &seconds))
        together = 1;
    buf_init(&title, TEXT_MAX);
    add_length(&title, seconds * (int64_t)together);
    const struct table_column columns[] = {
        {"", COLUMN_WHOLE}, {"", COLUMN_WHOLE}, {title.p, COLUMN_LESS}};
    table_init(&table, stdout, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        put_row(&table, doc, &rows[i], together);
    table_flush(&table);
    table_fini(&table);
    buf_fini(&title);
}

static int
show(const struct reply *answer, struct err *err)
{
    struct json_doc doc;
    json_init(&doc);
    int rc = reply_parse(answer, &doc, err);
    if (rc == 0)
        put_stats(&doc);
    json_fini(&doc);
    return rc;
}

int
stats_run(const struct command_line *line)
{
    const struct options *options = &line->options;
    bool of_channel = option_given(options, OPTION_CHANNEL);
    struct client *client = NULL;
    struct reply answer;
    struct err err = {0};

    if (option_given(options, OPTION_WEBHOOK) && !of_channel)
        return command_misused(line, "--webhook needs --channel ID");
    struct buf path =
        of_channel ? channel_path(line, "/stats") : resource_path("/v1/stats");
    path_add_query(&path, "range", option_text(options, OPTION_RANGE));
    path_add_query(&path, "webhook", option_text(options, OPTION_WEBHOOK));
    if (option_on(options, OPTION_JSON))
        return resource_show(line, "GET", path, NULL);
    reply_init(&answer);
    int rc = path.failed ? err_set(&err, path.failed, "what was given is too long")
                         : client_open(&client, line, &err);
    if (rc == 0)
        rc = client_call(client, "GET", path.p, NULL, (struct slice){0}, &answer, &err);
    if (rc == 0)
        rc = show(&answer, &err);
    client_close(client);
    reply_fini(&answer);
    buf_fini(&path);
    return rc == 0 ? DONE : command_fail(line, &err);
}

/* ---- webhook stats ---- */

int
webhook_stats(const struct command_line *line)
{
    static const struct resource_column columns[] = {
        {{"WEBHOOK", COLUMN_WHOLE}, "webhook"},
        {{"EVENTS", COLUMN_WHOLE}, "events"},
        {{"ATTEMPTS", COLUMN_LESS}, "attempts"},
        {{"SUCCESS", COLUMN_WHOLE}, "successRate"},
        {{"P95 MS", COLUMN_WHOLE}, "p95"},
        {{"EXHAUSTED", COLUMN_LESS}, "exhausted"},
        {{"BACKLOG", COLUMN_WHOLE}, "backlog"},
        {{"HELD", COLUMN_LESS}, "held"},
        {{"OLDEST DUE", COLUMN_LESS}, "oldestDue"},
        {{"URL", COLUMN_CUT}, "url"},
    };
    struct buf path = channel_path(line, "/webhooks/stats");
    path_add_query(&path, "range", option_text(&line->options, OPTION_RANGE));
    return resource_list(line, path, columns, ARRAY_LEN(columns));
}
