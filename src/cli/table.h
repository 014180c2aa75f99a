/* Tables of text that fit the terminal, and text of strangers made safe to print. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/types.h"

#define TABLE_COLUMNS_MAX 12

/* What becomes of a column on a terminal that is too narrow. */
enum column_on {
    COLUMN_WHOLE, /* as it is, or left out: what is copied, as ids */
    COLUMN_CUT,   /* cut first */
    COLUMN_LESS   /* as it is, and left out before others */
};

struct table_column {
    const char *title;
    enum column_on on;
};

struct table {
    FILE *out;
    const struct table_column *columns;
    size_t n_columns;
    size_t screen; /* columns of the terminal; 0: not one, nothing is cut */
    size_t widths[TABLE_COLUMNS_MAX];
    bool left_out[TABLE_COLUMNS_MAX];
    struct buf cells; /* each with a NUL behind it */
    size_t n_cells;
    bool headed;
};

void table_init(struct table *table, FILE *out, const struct table_column *columns,
                size_t n_columns);
void table_fini(struct table *table);
/* The next cell, from left to right, row by row. */
void table_cell(struct table *table, struct slice text);
/* Prints the rows so far (and the titles, once) and forgets them; widths only grow. On
 * a terminal no row is wider than that: what may be cut is cut to a few characters,
 * then columns are left out, those that matter less first and from the right; the first
 * is whole and always there. Which columns there are is settled by the first rows. */
void table_flush(struct table *table);
/* The titles of what was left out, with commas between; false if it is nothing. */
bool table_left_out(const struct table *table, struct buf *out);

/* Columns of the terminal behind `out`: COLUMNS, or what the terminal says; 0 when it
 * is none. */
size_t screen_columns(FILE *out);
bool is_terminal(FILE *out);
/* Columns on the screen: a wide character counts two, one that joins another none; each
 * counts one where the locale does not know it. */
size_t text_columns(struct slice text);
/* Appends text without what would steer a terminal: controls become \xNN. `indent`,
 * when not NULL, lets lines stay lines and stands before each but the first. */
void text_add_clean(struct buf *out, struct slice text, const char *indent);
