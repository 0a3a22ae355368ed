#include "cli.h"
#include "terminal.h"
#include "verbs.h"

#include <string.h>

/* Three shells, one idea: complete the verb (two words for groups such as `keys`), then its options
 * and the words its first argument may be; FILE arguments are the shell's own business. */

/* First words of verbs, each once: verbs of a group stand together in the table. */
static const char *next_first(unsigned *i, char out[32])
{
    if (*i >= nverbs)
        return NULL;
    size_t len = strcspn(verbs[*i].name, " ");
    snprintf(out, 32, "%.*s", (int)len, verbs[*i].name);
    do
        ++*i;
    while (*i < nverbs && strcspn(verbs[*i].name, " ") == len &&
           memcmp(verbs[*i].name, out, len) == 0);
    return out;
}

static bool is_group(const char *first)
{
    return verb_find(first) == NULL;
}

static const char *second_word(const struct verb *v, const char *group)
{
    size_t len = strlen(group);
    return strncmp(v->name, group, len) == 0 && v->name[len] == ' ' ? v->name + len + 1 : NULL;
}

/* A group's second words, separated by blanks. */
static void print_group(const char *group)
{
    const char *between = "";
    for (unsigned i = 0; i < nverbs; i++) {
        const char *word = second_word(&verbs[i], group);
        if (word != NULL) {
            printf("%s%s", between, word);
            between = " ";
        }
    }
}

/* ── bash ────────────────────────────────────────────────────────────────────────────────────── */

static void bash_firsts(void)
{
    char first[32];
    for (unsigned i = 0; next_first(&i, first) != NULL;)
        printf("%s ", first);
}

static void bash_groups(void)
{
    char first[32];
    for (unsigned i = 0; next_first(&i, first) != NULL;) {
        if (!is_group(first))
            continue;
        printf("        %s) words=\"", first);
        print_group(first);
        printf("\" ;;\n");
    }
}

static void bash_verb(const struct verb *v)
{
    printf("        \"%s\") words=\"%s%s", v->name, v->words != NULL ? v->words : "",
           v->words != NULL ? " " : "");
    for (unsigned i = 0; v->options[i] != NULL; i++)
        printf("--%s ", v->options[i]->name);
    printf("--%s\" ;;\n", cli_help_option.name);
}

static void bash(void)
{
    printf("# bash completion for sluice: source <(sluice completion bash)\n"
           "_sluice() {\n"
           "    local word=${COMP_WORDS[COMP_CWORD]} words=\"\" verb=${COMP_WORDS[1]}\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        words=\"");
    bash_firsts();
    printf("help --help --version\"\n"
           "    elif [ \"$COMP_CWORD\" = 2 ]; then\n"
           "        case $verb in\n");
    bash_groups();
    printf(
        "        esac\n"
        "    else\n"
        "        case ${COMP_WORDS[COMP_CWORD-1]} in\n"
        "        -c|--config|--ca) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
        "        esac\n"
        "    fi\n"
        "    if [ -z \"$words\" ] && [ \"$COMP_CWORD\" -gt 1 ]; then\n"
        "        case \"$verb ${COMP_WORDS[2]}\" in\n");
    char first[32];
    for (unsigned i = 0; next_first(&i, first) != NULL;) {
        if (!is_group(first))
            continue;
        for (unsigned k = 0; k < nverbs; k++)
            if (second_word(&verbs[k], first) != NULL)
                bash_verb(&verbs[k]);
    }
    printf("        *) case $verb in\n");
    for (unsigned i = 0; i < nverbs; i++)
        if (strchr(verbs[i].name, ' ') == NULL)
            bash_verb(&verbs[i]);
    printf("        esac ;;\n"
           "        esac\n"
           "    fi\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "}\n"
           "complete -o default -F _sluice sluice\n");
}

/* ── zsh ─────────────────────────────────────────────────────────────────────────────────────── */

/* In _describe's and _arguments' words a colon or a bracket ends something; inside '…' a quote does. */
static void zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr(":[]\\", *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_option(const struct cli_option *o)
{
    const char *value = o->argument == NULL                ? ""
                        : strcmp(o->argument, "FILE") == 0 ? "file"
                                                           : "text";
    const char *action = strcmp(value, "file") == 0 ? "_files" : "";
    if (o->letter != 0)
        printf(" \\\n            '(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter, o->name);
    else
        printf(" \\\n            '--%s[", o->name);
    zsh_text(o->help);
    if (value[0] != '\0')
        printf("]:%s:%s'", value, action);
    else
        printf("]'");
}

static void zsh_verb(const struct verb *v)
{
    printf("        '%s') _arguments", v->name);
    for (unsigned i = 0; v->options[i] != NULL; i++)
        zsh_option(v->options[i]);
    zsh_option(&cli_help_option);
    if (v->words != NULL)
        printf(" \\\n            '1:word:(%s)'", v->words);
    else if (v->arguments_max > 0) /* without it _arguments gives up at the first argument */
        printf(" \\\n            '*:text:'");
    printf(" ;;\n");
}

static void zsh_described(const char *name, const char *summary)
{
    printf("            '%s:", name);
    zsh_text(summary);
    printf("'\n");
}

static void zsh_group(const char *group)
{
    printf("    %s)\n        if (( CURRENT == 3 )); then\n            verbs=(\n", group);
    for (unsigned i = 0; i < nverbs; i++) {
        const char *word = second_word(&verbs[i], group);
        if (word != NULL)
            zsh_described(word, verbs[i].summary);
    }
    printf("            )\n            _describe command verbs\n            return\n        fi\n"
           "        verb=\"$verb $words[3]\"; shift 2 words; (( CURRENT -= 2 )) ;;\n");
}

static void zsh(void)
{
    char first[32];
    printf("#compdef sluice\n"
           "_sluice() {\n"
           "    local verb=$words[2]\n"
           "    local -a verbs\n"
           "    if (( CURRENT == 2 )); then\n"
           "        verbs=(\n");
    for (unsigned i = 0; next_first(&i, first) != NULL;) {
        const struct verb *v = verb_find(first);
        zsh_described(first, v != NULL ? v->summary : "a group of commands");
    }
    printf("        )\n"
           "        _describe command verbs\n"
           "        return\n"
           "    fi\n"
           "    case $verb in\n");
    for (unsigned i = 0; next_first(&i, first) != NULL;)
        if (is_group(first))
            zsh_group(first);
    printf("    *) shift words; (( CURRENT -= 1 )) ;;\n"
           "    esac\n"
           "    case $verb in\n");
    for (unsigned i = 0; i < nverbs; i++)
        zsh_verb(&verbs[i]);
    printf(
        "    esac\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _sluice ]; then _sluice \"$@\"; else compdef _sluice sluice; fi\n");
}

/* ── fish ────────────────────────────────────────────────────────────────────────────────────── */

static void fish_text(const char *text)
{
    putchar('\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('\'');
}

/* "when these words were typed": both of a group's verb. */
static void fish_condition(const struct verb *v)
{
    const char *second = strchr(v->name, ' ');
    int first = (int)strcspn(v->name, " ");
    printf("complete -c sluice -n '__fish_seen_subcommand_from %.*s", first, v->name);
    if (second != NULL)
        printf("; and __fish_seen_subcommand_from %s", second + 1);
    printf("' ");
}

static void fish_option(const struct verb *v, const struct cli_option *o)
{
    fish_condition(v);
    printf("-l %s ", o->name);
    if (o->letter != 0)
        printf("-s %c ", o->letter);
    if (o->argument != NULL)
        printf(strcmp(o->argument, "FILE") == 0 ? "-r -F " : "-x ");
    printf("-d ");
    fish_text(o->help);
    putchar('\n');
}

static void fish_verb(const struct verb *v)
{
    for (unsigned i = 0; v->options[i] != NULL; i++)
        fish_option(v, v->options[i]);
    fish_option(v, &cli_help_option);
    if (v->words != NULL) {
        fish_condition(v);
        printf("-a '%s'\n", v->words);
    }
}

static void fish(void)
{
    char first[32];
    printf("# fish completion for sluice\ncomplete -c sluice -f\n");
    for (unsigned i = 0; next_first(&i, first) != NULL;) {
        const struct verb *v = verb_find(first);
        printf("complete -c sluice -n __fish_use_subcommand -a %s -d ", first);
        fish_text(v != NULL ? v->summary : "a group of commands");
        putchar('\n');
        if (v != NULL)
            continue;
        printf("complete -c sluice -n '__fish_seen_subcommand_from %s; and not "
               "__fish_seen_subcommand_from ",
               first);
        print_group(first);
        printf("' -a '");
        print_group(first);
        printf("'\n");
    }
    for (unsigned i = 0; i < nverbs; i++)
        fish_verb(&verbs[i]);
}

int verb_completion(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "completion", argc, argv))
        return cli.status;
    if (strcmp(cli.args[0], "bash") == 0)
        bash();
    else if (strcmp(cli.args[0], "zsh") == 0)
        zsh();
    else
        fish();
    return terminal_finish();
}
