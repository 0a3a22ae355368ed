#include "cli.h"

#include "help.h"
#include "terminal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* getopt_long is not used: it keeps its place in globals, takes any unique beginning for an option
 * (so that a new option breaks old scripts), and words its complaints itself. */

enum { NEAR_ENOUGH = 2, WORD_MAX = 24 };

/* ── words that were meant ───────────────────────────────────────────────────────────────────── */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, over two rows; words that are too long are far from everything. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(b);
    unsigned row[WORD_MAX + 1];
    if (strlen(a) > WORD_MAX || n > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned substituted = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(substituted, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[n];
}

/* Keeps in *best the nearest of all words it is called with. */
static void consider(const char *word, const char *candidate, const char **best, unsigned *nearest)
{
    unsigned d = distance(word, candidate);
    if (d <= NEAR_ENOUGH && d < *nearest && d < strlen(candidate)) {
        *best = candidate;
        *nearest = d;
    }
}

const char *verb_suggest(const char *word)
{
    const char *best = NULL;
    unsigned nearest = NEAR_ENOUGH + 1;
    for (unsigned i = 0; i < nverbs; i++) {
        static char group[WORD_MAX + 1]; /* what `best` points to outlives the call */
        char first[WORD_MAX + 1];
        const char *before = best;
        snprintf(first, sizeof first, "%.*s", (int)strcspn(verbs[i].name, " "), verbs[i].name);
        consider(word, first, &best, &nearest);
        if (best != before) {
            memcpy(group, first, sizeof group);
            best = group;
        }
    }
    return best;
}

static const char *suggest_second(const char *group, const char *word)
{
    const char *best = NULL;
    unsigned nearest = NEAR_ENOUGH + 1;
    size_t len = strlen(group);
    for (unsigned i = 0; i < nverbs; i++)
        if (strncmp(verbs[i].name, group, len) == 0 && verbs[i].name[len] == ' ')
            consider(word, verbs[i].name + len + 1, &best, &nearest);
    return best;
}

static int unknown_option(const struct verb *v, const char *name, struct err *why)
{
    const char *best = NULL;
    unsigned nearest = NEAR_ENOUGH + 1;
    consider(name, cli_help_option.name, &best, &nearest);
    for (unsigned i = 0; v->options[i] != NULL; i++)
        consider(name, v->options[i]->name, &best, &nearest);
    if (best != NULL)
        return err_set(why, "there is no option --%.80s (did you mean --%s?)", name, best);
    return err_set(why, "there is no option --%.80s", name);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────── */

/* Where the reading is: options may stand before, between and behind arguments. */
struct reading {
    struct cli *cli;
    int argc, at;
    char **argv;
    struct err *why;
};

static int find_long(const struct verb *v, const char *name, size_t len)
{
    for (int i = 0; v->options[i] != NULL; i++)
        if (strlen(v->options[i]->name) == len && memcmp(v->options[i]->name, name, len) == 0)
            return i;
    return -1;
}

static int find_letter(const struct verb *v, char letter)
{
    for (int i = 0; v->options[i] != NULL; i++)
        if (v->options[i]->letter == letter)
            return i;
    return -1;
}

/* `attached` is the value that came in the same word, NULL when there was none. */
static int take_option(struct reading *r, int index, const char *attached)
{
    const struct cli_option *o = r->cli->verb->options[index];
    if (r->cli->values[index] != NULL)
        return err_set(r->why, "--%s is given twice", o->name);
    if (o->argument == NULL) {
        if (attached != NULL)
            return err_set(r->why, "--%s takes no value", o->name);
        r->cli->values[index] = "";
        return 0;
    }
    if (attached == NULL && r->at + 1 < r->argc)
        attached = r->argv[++r->at];
    if (attached == NULL || attached[0] == '\0')
        return err_set(r->why, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
    r->cli->values[index] = attached;
    return 0;
}

static int read_long(struct reading *r, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    int index = find_long(r->cli->verb, word, len);
    if (index >= 0)
        return take_option(r, index, equals != NULL ? equals + 1 : NULL);
    if (strcmp(word, cli_help_option.name) == 0) {
        r->cli->wants_help = true;
        return 0;
    }
    char name[WORD_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), word);
    return unknown_option(r->cli->verb, name, r->why);
}

/* "-c FILE", "-cFILE", and flags in one word. */
static int read_letters(struct reading *r, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        if (*letters == cli_help_option.letter) {
            r->cli->wants_help = true;
            continue;
        }
        int index = find_letter(r->cli->verb, *letters);
        if (index < 0)
            return err_set(r->why, "there is no option -%c", *letters);
        bool takes_value = r->cli->verb->options[index]->argument != NULL;
        int rc = take_option(r, index, takes_value && letters[1] != '\0' ? letters + 1 : NULL);
        if (rc < 0 || takes_value)
            return rc;
    }
    return 0;
}

static int read_words(struct reading *r)
{
    bool only_arguments = false;
    int rc = 0;
    for (r->at = 1; r->at < r->argc && rc == 0; r->at++) {
        char *word = r->argv[r->at];
        bool is_amount = word[0] == '-' && word[1] >= '0' &&
                         word[1] <= '9'; /* no letter is a digit */
        if (only_arguments || word[0] != '-' || word[1] == '\0' || is_amount)
            r->cli->args[r->cli->nargs++] = word; /* never ahead of the word being read */
        else if (strcmp(word, "--") == 0)
            only_arguments = true;
        else
            rc = word[1] == '-' ? read_long(r, word + 2) : read_letters(r, word + 1);
    }
    return rc;
}

static bool is_one_of(const char *word, const char *words)
{
    size_t len = strlen(word);
    while (*words != '\0') {
        size_t n = strcspn(words, " ");
        if (n == len && memcmp(word, words, n) == 0)
            return true;
        words += n + (words[n] == ' ');
    }
    return false;
}

static int check_arguments(const struct cli *cli, struct err *why)
{
    const struct verb *v = cli->verb;
    if (cli->nargs < v->arguments_min)
        return err_set(why, "something is missing: sluice %s %s", v->name, v->arguments);
    if (cli->nargs > v->arguments_max)
        return err_set(why, "one argument too many: \"%.80s\"", cli->args[v->arguments_max]);
    if (v->words != NULL && cli->nargs > 0 && !is_one_of(cli->args[0], v->words))
        return err_set(why, "\"%.80s\" is not one of: %s", cli->args[0], v->words);
    return 0;
}

int cli_read(struct cli *cli, const struct verb *verb, int argc, char **argv, struct err *why)
{
    *cli = (struct cli){.verb = verb, .args = argv + (argc > 0)};
    struct reading r = {.cli = cli, .argc = argc, .argv = argv, .why = why};
    int rc = read_words(&r);
    if (rc < 0 || cli->wants_help)
        return rc;
    return check_arguments(cli, why);
}

bool cli_parse(struct cli *cli, const char *verb, int argc, char **argv)
{
    const struct verb *v = verb_find(verb);
    struct err why = {0};
    assert(v != NULL);
    if (cli_read(cli, v, argc, argv, &why) < 0) {
        terminal_error("%s\nSee: sluice %s --help", why.text, v->name);
        cli->status = EXIT_USAGE;
        return false;
    }
    if (cli->wants_help) {
        help_verb(v);
        cli->status = EXIT_OK;
        return false;
    }
    return true;
}

const char *cli_text(const struct cli *cli, const char *option)
{
    int index = find_long(cli->verb, option, strlen(option));
    assert(index >= 0);
    if (cli->values[index] != NULL)
        return cli->values[index];
    const char *variable = cli->verb->options[index]->env;
    const char *value = variable != NULL ? getenv(variable) : NULL;
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool cli_flag(const struct cli *cli, const char *option)
{
    return cli_text(cli, option) != NULL;
}

/* ── which verb ──────────────────────────────────────────────────────────────────────────────── */

const struct verb *verb_find(const char *name)
{
    for (unsigned i = 0; i < nverbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

const struct verb *verb_match(int argc, char **argv, int *words)
{
    *words = 0;
    if (argc < 2)
        return NULL;
    size_t len = strlen(argv[1]);
    for (unsigned i = 0; i < nverbs; i++) {
        const char *name = verbs[i].name;
        if (strncmp(name, argv[1], len) != 0 || len == 0)
            continue;
        if (name[len] == '\0') {
            *words = 1;
            return &verbs[i];
        }
        if (name[len] != ' ')
            continue;
        *words = 1;
        if (argc > 2 && strcmp(name + len + 1, argv[2]) == 0) {
            *words = 2;
            return &verbs[i];
        }
    }
    return NULL;
}

/* "keys" alone, "keys --help" and "keys nothing". */
static int run_group(int argc, char **argv)
{
    const char *group = argv[1];
    bool asked = argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
    if (asked || argc == 2) {
        help_group(asked ? stdout : stderr, group);
        return asked ? EXIT_OK : EXIT_USAGE;
    }
    const char *meant = suggest_second(group, argv[2]);
    if (meant != NULL)
        terminal_error("sluice %s has no \"%.80s\" (did you mean \"%s\"?)", group, argv[2], meant);
    else
        terminal_error("sluice %s has no \"%.80s\"\nSee: sluice %s --help", group, argv[2], group);
    return EXIT_USAGE;
}

static int run_unknown(const char *word)
{
    const char *meant = verb_suggest(word);
    if (meant != NULL)
        terminal_error("there is no command \"%.80s\" (did you mean \"%s\"?)", word, meant);
    else
        terminal_error("there is no %s \"%.80s\"\nSee: sluice --help",
                       word[0] == '-' ? "option" : "command", word);
    return EXIT_USAGE;
}

static int run_help(int argc, char **argv)
{
    int words;
    const struct verb *v = verb_match(argc, argv, &words);
    if (v != NULL)
        help_verb(v);
    else if (words > 0)
        help_group(stdout, argv[1]);
    else if (argc > 1)
        return run_unknown(argv[1]);
    else
        help_program(stdout);
    return EXIT_OK;
}

int cli_run(int argc, char **argv)
{
    static char version[] = "version";
    if (argc < 2) { /* a container without arguments must not look as if it had served */
        help_program(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        argv[1] = version;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return run_help(argc - 1, argv + 1);
    int words;
    const struct verb *v = verb_match(argc, argv, &words);
    if (v != NULL)
        return v->run(argc - words, argv + words);
    return words > 0 ? run_group(argc, argv) : run_unknown(argv[1]);
}
