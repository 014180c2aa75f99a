#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/json.h"
#include "cli/value.h"

#define GAP       2
#define CUT       "\xe2\x80\xa6" /* … */
#define CELLS_MAX ((size_t)64 << 20)

bool
is_terminal(FILE *out)
{
    return isatty(fileno(out)) == 1;
}

size_t
screen_columns(FILE *out)
{
    struct winsize size;
    const char *given = getenv("COLUMNS");
    int64_t columns;

    if (!is_terminal(out))
        return 0;
    if (given && value_int(given, &columns) && columns >= 20 && columns <= 10000)
        return (size_t)columns;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

/* Of the character of `length` bytes at p. */
static size_t
char_columns(const char *p, size_t length)
{
    mbstate_t state = {0};
    wchar_t wide;

    /* Without a locale of UTF-8 it is not read as a whole. */
    if (length < 2 || mbrtowc(&wide, p, length, &state) != length)
        return 1;
    int width = wcwidth(wide);
    return width < 0 ? 1 : (size_t)width;
}

/* The whole character at p; a byte that is none counts as one. */
static size_t
char_length(const char *p, size_t n)
{
    size_t length = utf8_length(p, n);
    return length ? length : 1;
}

size_t
text_columns(struct slice text)
{
    size_t width = 0;

    for (size_t i = 0; i < text.n;) {
        size_t length = char_length(text.p + i, text.n - i);
        width += char_columns(text.p + i, length);
        i += length;
    }
    return width;
}

/* Whether the character would steer a terminal: C0, DEL, C1 (U+0080 to U+009F), and the
 * ones that turn the direction of text. */
static bool
steers(const char *p, size_t length)
{
    const unsigned char *c = (const unsigned char *)p;

    if (length == 1)
        return c[0] < 0x20 || c[0] == 0x7f;
    if (length == 2)
        return c[0] == 0xc2 && c[1] < 0xa0;
    return length == 3 && c[0] == 0xe2 &&
           ((c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae) ||
            (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9));
}

void
text_add_clean(struct buf *out, struct slice text, const char *indent)
{
    for (size_t i = 0; i < text.n;) {
        size_t length = utf8_length(text.p + i, text.n - i);
        if (indent && text.p[i] == '\n') {
            buf_addf(out, "\n%s", indent);
        } else if (indent && text.p[i] == '\t') {
            buf_addc(out, '\t');
        } else if (length == 0 || steers(text.p + i, length)) {
            length = length ? length : 1;
            for (size_t j = 0; j < length; j++)
                buf_addf(out, "\\x%02x", (unsigned)(unsigned char)text.p[i + j]);
        } else {
            buf_add(out, text.p + i, length);
        }
        i += length ? length : 1;
    }
}

/* ---- tables ---- */

void
table_init(struct table *table, FILE *out, const struct table_column *columns,
           size_t n_columns)
{
    assert(n_columns <= TABLE_COLUMNS_MAX);
    *table = (struct table){
        .out = out,
        .columns = columns,
        .n_columns = n_columns,
        .screen = screen_columns(out),
    };
    for (size_t i = 0; i < n_columns; i++)
        table->widths[i] = text_columns(slice_of(columns[i].title));
    buf_init(&table->cells, CELLS_MAX);
}

void
table_fini(struct table *table)
{
    buf_fini(&table->cells);
}

void
table_cell(struct table *table, struct slice text)
{
    size_t column = table->n_cells++ % table->n_columns;
    size_t from = table->cells.n;

    text_add_clean(&table->cells, text, NULL);
    size_t width =
        text_columns((struct slice){table->cells.p + from, table->cells.n - from});
    if (width > table->widths[column])
        table->widths[column] = width;
    buf_addc(&table->cells, '\0');
}

/* Takes what is too much off the widest column that may be cut, again and again. */
static void
fit(const struct table *table, size_t *widths)
{
    size_t total = GAP * (table->n_columns - 1);

    for (size_t i = 0; i < table->n_columns; i++)
        total += widths[i] = table->widths[i];
    while (table->screen && total > table->screen) {
        size_t widest = table->n_columns;
        for (size_t i = 0; i < table->n_columns; i++) {
            size_t least = text_columns(slice_of(table->columns[i].title));
            if (table->columns[i].may_cut && widths[i] > least &&
                (widest == table->n_columns || widths[i] > widths[widest]))
                widest = i;
        }
        if (widest == table->n_columns)
            return;
        widths[widest]--;
        total--;
    }
}

static void
put_cell(FILE *out, const char *text, size_t width, bool last)
{
    size_t n = strlen(text);
    size_t columns = text_columns((struct slice){text, n});

    if (columns > width) {
        size_t kept = 0;
        columns = 1; /* the sign that it is cut */
        while (kept < n) {
            size_t length = char_length(text + kept, n - kept);
            size_t more = char_columns(text + kept, length);
            if (columns + more > width)
                break;
            columns += more;
            kept += length;
        }
        fwrite(text, 1, kept, out);
        fputs(CUT, out);
    } else {
        fwrite(text, 1, n, out);
    }
    if (!last)
        fprintf(out, "%*s", (int)(width - columns + GAP), "");
}

void
table_flush(struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];
    const char *cell = table->cells.p;

    assert(table->n_columns > 0);
    fit(table, widths);
    for (size_t i = 0; !table->headed && i < table->n_columns; i++)
        put_cell(table->out, table->columns[i].title, widths[i],
                 i + 1 == table->n_columns);
    if (!table->headed)
        fputc('\n', table->out);
    table->headed = true;
    for (size_t i = 0; i < table->n_cells && !table->cells.failed; i++) {
        bool last = (i + 1) % table->n_columns == 0;
        put_cell(table->out, cell, widths[i % table->n_columns], last);
        if (last)
            fputc('\n', table->out);
        cell += strlen(cell) + 1;
    }
    buf_reset(&table->cells);
    table->n_cells = 0;
}
