#include "cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/json.h"
#include "cli/color.h"
#include "cli/value.h"

#define GAP       2
#define FEW       12             /* of a cell say enough */
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

/* Whether the character would steer a terminal: C0, DEL, C1 (U+0080 to U+009F), the
 * ones that turn the direction of text, and other ends of lines. */
static bool
steers(const char *p, size_t length)
{
    const unsigned char *c = (const unsigned char *)p;

    if (length == 1)
        return c[0] < 0x20 || c[0] == 0x7f;
    if (length == 2)
        return (c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xd8 && c[1] == 0x9c);
    return length == 3 && c[0] == 0xe2 &&
           ((c[1] == 0x80 &&
             ((c[2] >= 0xa8 && c[2] <= 0xae) || c[2] == 0x8e || c[2] == 0x8f)) ||
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

/* ---- what of it fits ---- */

static size_t
total_width(const struct table *table, const size_t *widths)
{
    size_t total = 0;

    for (size_t i = 0; i < table->n_columns; i++)
        total += table->left_out[i] ? 0 : widths[i] + GAP;
    return total - GAP;
}

static size_t
least_width(const struct table *table, size_t column, size_t least)
{
    size_t title = text_columns(slice_of(table->columns[column].title));
    size_t width = table->widths[column];

    least = least > title ? least : title;
    return least < width ? least : width;
}

/* Takes what is too much off the widest columns that may be cut, down to `least` or
 * their titles. True if all fits then. */
static bool
shrink(const struct table *table, size_t *widths, size_t least, bool any)
{
    size_t total = total_width(table, widths);

    for (; total > table->screen; total--) {
        size_t widest = 0; /* the first is never cut */
        for (size_t i = 1; i < table->n_columns; i++) {
            bool may = any || table->columns[i].on == COLUMN_CUT;
            size_t end = any ? 1 : least_width(table, i, least);
            if (may && !table->left_out[i] && widths[i] > end &&
                (widest == 0 || widths[i] > widths[widest]))
                widest = i;
        }
        if (widest == 0)
            return false;
        widths[widest]--;
    }
    return true;
}

/* The next to go: from the right, first of those that matter less. */
static bool
leave_one_out(struct table *table)
{
    for (int less = 1; less >= 0; less--) {
        for (size_t i = table->n_columns - 1; i > 0; i--) {
            if (table->left_out[i] || (less && table->columns[i].on != COLUMN_LESS))
                continue;
            table->left_out[i] = true;
            return true;
        }
    }
    return false;
}

static void
fit(struct table *table, size_t *widths)
{
    bool fits;

    do {
        memcpy(widths, table->widths, sizeof(table->widths));
        fits = table->screen == 0 || shrink(table, widths, FEW, false);
    } while (!fits && !table->headed && leave_one_out(table));
    /* The titles stand there already. */
    if (!fits)
        (void)shrink(table, widths, 0, true);
}

bool
table_left_out(const struct table *table, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < table->n_columns; i++) {
        if (!table->left_out[i])
            continue;
        buf_addf(out, "%s%s", any ? ", " : "", table->columns[i].title);
        any = true;
    }
    return any;
}

/* ---- printing ---- */

/* How much of the text is shown; *columns is its width with the sign that it is cut. */
static size_t
cut(const char *text, size_t n, size_t width, size_t *columns)
{
    size_t kept = 0;

    *columns = 1;
    while (kept < n) {
        size_t length = char_length(text + kept, n - kept);
        size_t more = char_columns(text + kept, length);
        if (*columns + more > width)
            break;
        *columns += more;
        kept += length;
    }
    return kept;
}

static void
put_cell(FILE *out, const char *text, size_t width, enum paint paint, bool last)
{
    size_t n = strlen(text);
    size_t columns = text_columns((struct slice){text, n});
    size_t kept = columns > width ? cut(text, n, width, &columns) : n;

    fputs(color_begin(out, paint), out);
    fwrite(text, 1, kept, out);
    fputs(kept < n ? CUT : "", out);
    fputs(color_end(out, paint), out);
    if (!last)
        fprintf(out, "%*s", (int)(width - columns + GAP), "");
}

static bool
is_state(const char *title)
{
    return strcasecmp(title, "state") == 0 || strcasecmp(title, "verdict") == 0;
}

/* A row of cells, each with a NUL behind it; NULL = the titles. */
static const char *
put_row(const struct table *table, const size_t *widths, const char *cell)
{
    size_t last = table->n_columns - 1;

    while (table->left_out[last])
        last--;
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *title = table->columns[i].title;
        enum paint paint = !cell             ? PAINT_HEADING
                           : is_state(title) ? color_of_word(slice_of(cell))
                                             : PAINT_NONE;
        if (!table->left_out[i])
            put_cell(table->out, cell ? cell : title, widths[i], paint, i == last);
        cell = cell ? cell + strlen(cell) + 1 : NULL;
    }
    fputc('\n', table->out);
    return cell;
}

void
table_flush(struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX];
    const char *cell = table->cells.p;

    assert(table->n_columns > 0);
    fit(table, widths);
    if (!table->headed)
        put_row(table, widths, NULL);
    table->headed = true;
    for (size_t i = 0; i < table->n_cells / table->n_columns && !table->cells.failed;
         i++)
        cell = put_row(table, widths, cell);
    buf_reset(&table->cells);
    table->n_cells = 0;
}
