#include "options.h"

#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row *row_of(const struct option_row *table, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    for (; table->name != NULL; table++)
        if (strcmp(table->name, word + 2) == 0)
            return table;
    return NULL;
}

static double number(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || value < 0)
        die("--%s %s: not a number", name, text);
    return value;
}

static void take(const struct option_row *row, const char *value)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->into = true;
        return;
    case OPTION_COUNT:
        *(unsigned *)row->into = (unsigned)number(row->name, value);
        return;
    case OPTION_REAL:
        *(double *)row->into = number(row->name, value);
        return;
    case OPTION_TEXT:
        *(const char **)row->into = value;
        return;
    case OPTION_CALL:
        row->call(value);
        return;
    }
}

void options_parse(const struct option_row *table, int argc, char **argv, const char *help)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            exit(0);
        }
        const struct option_row *row = row_of(table, argv[i]);
        const char *value = NULL;
        if (row != NULL && row->kind != OPTION_FLAG)
            value = ++i < argc ? argv[i] : NULL;
        if (row == NULL || (row->kind != OPTION_FLAG && value == NULL)) {
            fputs(help, stderr);
            exit(2);
        }
        take(row, value);
    }
}
