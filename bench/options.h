/* bench/options.h: a command line as a table: one row an option, and where its value goes. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

enum option_kind { OPTION_FLAG, OPTION_COUNT, OPTION_REAL, OPTION_TEXT, OPTION_CALL };

struct option_row {
    const char *name; /* without its dashes; the table ends in a row whose name is NULL */
    enum option_kind kind;
    void *into;                 /* bool, unsigned, double or const char *, as the kind says */
    void (*call)(const char *); /* OPTION_CALL: takes the value, dies when it makes no sense */
};

/* Every option but a flag takes the next word. `-h` and `--help` print the help and end the program,
 * what is not understood prints it as an error. */
void options_parse(const struct option_row *table, int argc, char **argv, const char *help);

#endif
