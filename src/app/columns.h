/* columns.h: rows of short texts, shown under each other so that they fit the terminal.
 *
 * On a terminal that is too narrow the columns that may go are left out, the last one first; then the
 * first column is cut, with a mark. What goes to a pipe or a file is always whole. */
#ifndef SLUICE_APP_COLUMNS_H
#define SLUICE_APP_COLUMNS_H

#include "sluice/base/arena.h"

#include <stdio.h>

enum { COLUMNS_MAX = 9 };

struct column {
    const char *title;
    bool is_number; /* to the right */
    bool may_go;
};

struct column_row {
    const char *cells[COLUMNS_MAX];
    bool is_prose; /* behind its first cell stands a text that keeps to no column */
};

struct columns {
    const struct column *columns;
    unsigned n;
    struct arena *a;
    struct column_row *rows;
    unsigned nrows, room;
};

/* `cells`: as many as there are columns; they live as long as the arena. NULL is empty. */
void columns_add(struct columns *c, const char *const *cells);
/* A first cell and a text. */
void columns_add_prose(struct columns *c, const char *first, const char *text);
/* `width`: of the terminal; 0: there is none. */
void columns_print(const struct columns *c, unsigned width, FILE *to);
/* How wide the terminal is that this goes to; 0: it goes to none. */
unsigned columns_of_terminal(FILE *to);

#endif
