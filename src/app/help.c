#include "help.h"

#include "terminal.h"

#include <string.h>

enum { COLUMNS = 80, NAMES = 22, INDENT = 2 };

static void heading(FILE *to, const char *text)
{
    fprintf(to, "\n%s%s%s\n", terminal_style(to, STYLE_BOLD), text, terminal_style(to, STYLE_NONE));
}

/* Words from column `column` (where the line already is) to the right edge. */
static void wrapped(FILE *to, const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int len = (int)strcspn(text, " \n");
        if (at > column && at + 1 + len > COLUMNS) {
            fprintf(to, "\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putc(' ', to);
            at++;
        }
        fprintf(to, "%.*s", len, text);
        at += len;
        text += len;
        if (*text == '\n') {
            fprintf(to, "\n%*s", text[1] == '\n' ? 0 : column, "");
            at = column;
        }
        text += *text != '\0';
    }
    putc('\n', to);
}

/* A name on the left, what it means on the right, or below it when the name is long. */
static void row(FILE *to, const char *name, const char *meaning)
{
    int width = fprintf(to, "%*s%s", INDENT, "", name);
    if (width > INDENT + NAMES - 2)
        fprintf(to, "\n%*s", INDENT + NAMES, "");
    else
        fprintf(to, "%*s", INDENT + NAMES - width, "");
    wrapped(to, meaning, INDENT + NAMES);
}

static void option_row(FILE *to, const struct cli_option *o)
{
    char name[64], meaning[320];
    char letter[8] = "    ";
    if (o->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(name, sizeof name, "%s--%s%s%s", letter, o->name, o->argument != NULL ? " " : "",
             o->argument != NULL ? o->argument : "");
    snprintf(meaning, sizeof meaning, "%s%s%s%s", o->help, o->env != NULL ? " [$" : "",
             o->env != NULL ? o->env : "", o->env != NULL ? "]" : "");
    row(to, name, meaning);
}

/* Lines "command\tmeaning". */
static void examples(FILE *to, const char *lines)
{
    heading(to, "Examples");
    while (*lines != '\0') {
        int command = (int)strcspn(lines, "\t");
        const char *meaning = lines + command + 1;
        int len = (int)strcspn(meaning, "\n");
        fprintf(to, "%*s%.*s\n", INDENT, "", command, lines);
        fprintf(to, "%*s%s%.*s%s\n", 2 * INDENT + 2, "", terminal_style(to, STYLE_DIM), len,
                meaning, terminal_style(to, STYLE_NONE));
        lines = meaning + len + 1;
    }
}

static void verb_row(FILE *to, const struct verb *v)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s", v->name, v->arguments[0] != '\0' ? " " : "",
             v->arguments);
    row(to, name, v->summary);
}

void help_program(FILE *to)
{
    fprintf(to, "sluice: one gateway in front of every model provider.\n");
    examples(to, "sluice serve\tserves on 127.0.0.1:4000, with providers found in the environment\n"
                 "sluice chat sluice/demo hello\tasks the demo model, which needs no account\n"
                 "sluice config init > sluice.yaml\twrites the file that means the same\n"
                 "sluice check\tlooks a file over, all mistakes at once\n");
    heading(to, "Commands");
    for (unsigned i = 0; i < nverbs; i++)
        verb_row(to, &verbs[i]);
    heading(to, "Options");
    option_row(to, &cli_help_option);
    option_row(to, &(struct cli_option){"version", 'V', NULL, NULL, "the same as sluice version"});
    fprintf(to, "\nsluice COMMAND --help tells more. Exit codes: 0 done, 1 failed, 2 wrong usage,\n"
                "69 cannot reach, 77 refused, 78 bad configuration.\n");
}

void help_group(FILE *to, const char *group)
{
    size_t len = strlen(group);
    fprintf(to, "sluice %s:\n\n", group);
    for (unsigned i = 0; i < nverbs; i++)
        if (strncmp(verbs[i].name, group, len) == 0 && verbs[i].name[len] == ' ')
            verb_row(to, &verbs[i]);
    fprintf(to, "\nsluice %s COMMAND --help tells more.\n", group);
}

void help_verb(const struct verb *v)
{
    printf("sluice %s%s%s%s\n\n%*s", v->name, v->arguments[0] != '\0' ? " " : "", v->arguments,
           v->options[0] != NULL ? " [options]" : "", INDENT, "");
    wrapped(stdout, v->summary, INDENT);
    examples(stdout, v->examples);
    if (v->details != NULL) {
        printf("\n%*s", INDENT, "");
        wrapped(stdout, v->details, INDENT);
    }
    heading(stdout, "Options");
    for (unsigned i = 0; v->options[i] != NULL; i++)
        option_row(stdout, v->options[i]);
    option_row(stdout, &cli_help_option);
}
