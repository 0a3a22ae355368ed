/* cli.h: the command line, from one table.
 *
 * verbs.c holds the table: every verb with its arguments, options and examples. Parsing, --help and
 * shell completion come from it, so they cannot disagree. An option's value is the flag's, else the
 * environment variable's; what neither says is the file's business, or a default's.
 *
 * Secrets are never options: a process list shows them to everybody. */
#ifndef SLUICE_APP_CLI_H
#define SLUICE_APP_CLI_H

#include "sluice/base/err.h"

#include <stdbool.h>

/* What a process says with its end. 69, 77 and 78 are those of <sysexits.h>. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 69, /* nobody answers there */
    EXIT_REFUSED = 77,     /* somebody does, and it says no: 401 and 403 */
    EXIT_BAD_CONFIG = 78,  /* service managers should not try again */
};

enum { CLI_OPTIONS_MAX = 12 };

struct cli_option {
    const char *name;     /* without the dashes */
    char letter;          /* 0: none */
    const char *argument; /* "FILE"; NULL: a flag */
    const char *env;      /* variable that stands in for the flag, NULL: none */
    const char *help;
};

struct verb {
    const char *name;      /* "serve", "keys hash" */
    const char *arguments; /* "MODEL [TEXT]", "" for none */
    unsigned arguments_min, arguments_max;
    const char *words;    /* all values the first argument may have, blank between; NULL: any */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs, wrapped when shown; NULL: none */
    const char *examples; /* lines "command\tmeaning\n" */
    const struct cli_option *options[CLI_OPTIONS_MAX]; /* ended by NULL; --help is everybody's */
    int (*run)(int argc, char **argv); /* argv[1] is what follows the verb; returns the exit code */
};

extern const struct verb verbs[];
extern const unsigned nverbs;
extern const struct cli_option cli_help_option;

struct cli {
    const struct verb *verb;
    const char *values[CLI_OPTIONS_MAX]; /* in the order of verb->options; NULL: not given */
    bool wants_help;
    char **args; /* the positional arguments: argv, rearranged */
    unsigned nargs;
    int status; /* when cli_parse says no: the exit code */
};

/* The whole program: finds the verb and runs it. */
int cli_run(int argc, char **argv);

/* Reads what follows a verb. False when the verb has nothing left to do, because help was asked for
 * and given, or wrong usage was explained: it returns cli->status. Strings are those of argv. */
bool cli_parse(struct cli *cli, const char *verb, int argc, char **argv)
    __attribute__((warn_unused_result));

/* The same without a word printed: 0, or -EINVAL and *why. */
int cli_read(struct cli *cli, const struct verb *verb, int argc, char **argv, struct err *why)
    __attribute__((warn_unused_result));

/* An option of the verb's by its long name: the flag's value, the variable's, or NULL. */
const char *cli_text(const struct cli *cli, const char *option);
bool cli_flag(const struct cli *cli, const char *option);

/* The verb with that name ("keys hash"), or NULL. */
const struct verb *verb_find(const char *name);
/* The verb that the words from argv[1] on begin with, and how many they are; NULL and 0, or NULL
 * and 1 when the first word is that of a group ("keys") and the second is none of it. */
const struct verb *verb_match(int argc, char **argv, int *words);
/* The name (of a verb, or the first word of some) that `word` was probably meant to be, or NULL. */
const char *verb_suggest(const char *word);

#endif
