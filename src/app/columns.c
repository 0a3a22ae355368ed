#include "columns.h"

#include "terminal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { GAP = 2, FIRST_MIN = 16 };

struct layout {
    unsigned width[COLUMNS_MAX];
    bool is_shown[COLUMNS_MAX];
};

static struct column_row *next_row(struct columns *c)
{
    if (c->nrows == c->room) {
        unsigned room = c->room > 0 ? 2 * c->room : 64;
        struct column_row *wider = ARENA_ARRAY(c->a, struct column_row, room);
        if (c->nrows > 0)
            memcpy(wider, c->rows, c->nrows * sizeof *wider);
        c->rows = wider;
        c->room = room;
    }
    return &c->rows[c->nrows++];
}

void columns_add(struct columns *c, const char *const *cells)
{
    struct column_row *row = next_row(c);
    for (unsigned i = 0; i < c->n; i++)
        row->cells[i] = cells[i];
}

void columns_add_prose(struct columns *c, const char *first, const char *text)
{
    *next_row(c) = (struct column_row){.cells = {first, text}, .is_prose = true};
}

static unsigned total_of(const struct columns *c, const struct layout *l)
{
    unsigned total = 0;
    for (unsigned i = 0; i < c->n; i++)
        total += l->is_shown[i] ? l->width[i] + GAP : 0;
    return total - GAP;
}

static struct layout measure(const struct columns *c)
{
    struct layout l = {.width = {0}};
    for (unsigned i = 0; i < c->n; i++) {
        l.is_shown[i] = true;
        l.width[i] = (unsigned)strlen(c->columns[i].title);
        for (unsigned row = 0; row < c->nrows; row++) {
            bool counts = i == 0 || !c->rows[row].is_prose;
            unsigned len = counts ? (unsigned)strlen(c->rows[row].cells[i]) : 0;
            l.width[i] = len > l.width[i] ? len : l.width[i];
        }
    }
    return l;
}

static void fit(const struct columns *c, unsigned width, struct layout *l)
{
    for (unsigned i = c->n; i-- > 1 && total_of(c, l) > width;)
        l->is_shown[i] = !c->columns[i].may_go;
    unsigned total = total_of(c, l);
    if (total <= width)
        return;
    unsigned excess = total - width;
    unsigned least = l->width[0] < FIRST_MIN ? l->width[0] : FIRST_MIN;
    l->width[0] = l->width[0] > least + excess ? l->width[0] - excess : least;
}

static void print_cell(const char *text, unsigned width, bool is_number, bool is_last, FILE *to)
{
    size_t len = strlen(text);
    if (len > width)
        fprintf(to, "%.*s…", (int)width - 1, text);
    else if (is_last && !is_number)
        fputs(text, to);
    else
        fprintf(to, is_number ? "%*s" : "%-*s", (int)width, text);
    if (!is_last)
        fprintf(to, "%*s", GAP, "");
}

static void print_row(const struct columns *c, const struct layout *l, const char *const *cells,
                      FILE *to)
{
    unsigned last = c->n - 1;
    while (last > 0 && !(l->is_shown[last] && cells[last][0] != '\0'))
        last--;
    for (unsigned i = 0; i <= last; i++) {
        if (l->is_shown[i])
            print_cell(cells[i], l->width[i], c->columns[i].is_number, i == last, to);
    }
}

static void print_prose(const struct layout *l, const struct column_row *row, unsigned width,
                        FILE *to)
{
    enum { LEAST = 8 };
    unsigned len = (unsigned)strlen(row->cells[1]), before = l->width[0] + GAP;
    unsigned room = width > before + LEAST ? width - before : LEAST;
    print_cell(row->cells[0], l->width[0], false, false, to);
    print_cell(row->cells[1], width == 0 || len < room ? len : room, false, true, to);
}

void columns_print(const struct columns *c, unsigned width, FILE *to)
{
    struct layout l = measure(c);
    const char *titles[COLUMNS_MAX];
    if (width > 0)
        fit(c, width, &l);
    for (unsigned i = 0; i < c->n; i++)
        titles[i] = c->columns[i].title;
    fputs(terminal_style(to, STYLE_BOLD), to);
    print_row(c, &l, titles, to);
    fprintf(to, "%s\n", terminal_style(to, STYLE_NONE));
    for (unsigned row = 0; row < c->nrows; row++) {
        if (c->rows[row].is_prose)
            print_prose(&l, &c->rows[row], width, to);
        else
            print_row(c, &l, c->rows[row].cells, to);
        fputc('\n', to);
    }
}

unsigned columns_of_terminal(FILE *to)
{
    struct winsize size;
    if (!isatty(fileno(to)) || ioctl(fileno(to), TIOCGWINSZ, &size) < 0)
        return 0;
    return size.ws_col;
}
