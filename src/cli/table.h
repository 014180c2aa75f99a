/* Tables of text that fit the terminal, and text of strangers made safe to print. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/types.h"

#define TABLE_COLUMNS_MAX 12

struct table_column {
    const char *title;
    bool may_cut; /* on a terminal that is too narrow */
};

struct table {
    FILE *out;
    const struct table_column *columns;
    size_t n_columns;
    size_t screen; /* columns of the terminal; 0: not one, nothing is cut */
    size_t widths[TABLE_COLUMNS_MAX];
    struct buf cells; /* each with a NUL behind it */
    size_t n_cells;
    bool headed;
};

void table_init(struct table *table, FILE *out, const struct table_column *columns,
                size_t n_columns);
void table_fini(struct table *table);
/* The next cell, from left to right, row by row. */
void table_cell(struct table *table, struct slice text);
/* Prints the rows so far (and the titles, once) and forgets them; widths only grow. */
void table_flush(struct table *table);

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
