/* Command lines as rows, bad ones first: read with the table the program has. */
#include "unit.h"

#include "../../src/app/cli.h"

enum { WORDS_MAX = 8 };

struct command_line {
    const char *verb;
    const char *words;   /* separated by blanks, the verb's own left out */
    const char *problem; /* part of what is said, NULL: it is accepted */
};

/* What cli_read keeps points into the words: `held` has to outlive it. */
static int read_line(struct cli *cli, const char *verb, const char *words, char held[256],
                     struct err *why)
{
    char *argv[WORDS_MAX + 1] = {held};
    int argc = 1;
    snprintf(held, 256, "x %s", words);
    for (char *at = held; (at = strchr(at, ' ')) != NULL && at[1] != '\0';) {
        *at++ = '\0';
        argv[argc++] = at;
    }
    int rc = cli_read(cli, verb_find(verb), argc, argv, why);
    /* argv goes with this function; its strings stay */
    static char *kept[WORDS_MAX];
    for (unsigned i = 0; i < cli->nargs; i++)
        kept[i] = cli->args[i];
    cli->args = kept;
    return rc;
}

static void command_lines_are_accepted_or_explained(void **state)
{
    (void)state;
    static const struct command_line rows[] = {
        {"serve", "--no-such", "no option --no-such"},
        {"serve", "--lisen :1", "did you mean --listen"},
        {"serve", "--hepl", "did you mean --help"},
        {"serve", "-x", "no option -x"},
        {"serve", "--config", "needs a value"},
        {"serve", "--config=", "needs a value"},
        {"serve", "-c", "needs a value"},
        {"serve", "--watch=yes", "takes no value"},
        {"serve", "--watch --watch", "given twice"},
        {"serve", "-ca -cb", "given twice"},
        {"serve", "now", "one argument too many: \"now\""},
        {"serve", "--conf file", "no option --conf"},
        {"chat", "", "sluice chat MODEL [TEXT]"},
        {"chat", "a b c", "one argument too many: \"c\""},
        {"completion", "tcsh", "not one of: bash zsh fish"},
        {"completion", "ba", "not one of"},
        {"serve", "", NULL},
        {"serve", "-c file --watch", NULL},
        {"serve", "--config=file --listen=[::1]:4000", NULL},
        {"chat", "model -q text -s system", NULL},
        {"chat", "-- -model --text", NULL},
        {"chat", "model -", NULL},
        {"credit", "-12.50 --json", NULL},
        {"credit", "", "sluice credit AMOUNT"},
        {"credit", "-x", "no option -x"},
        {"credit", "5 --id", "needs a value"},
        {"completion", "zsh", NULL},
        {"chat", "-h", NULL}, /* help needs no argument */
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct cli cli;
        struct err why = {0};
        char held[256];
        int rc = read_line(&cli, rows[i].verb, rows[i].words, held, &why);
        if (rows[i].problem == NULL)
            assert_string_equal(why.text, "");
        else if (strstr(why.text, rows[i].problem) == NULL)
            fail_msg("%s %s: \"%s\"", rows[i].verb, rows[i].words, why.text);
        assert_int_equal(rc < 0, rows[i].problem != NULL);
    }
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    static const char *const rows[] = {"-q -s be-kind m text", "m -s be-kind text -q",
                                       "m text -qs be-kind", "m text -qsbe-kind",
                                       "--system=be-kind m --quiet text"};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct cli cli;
        struct err why = {0};
        char held[256];
        assert_int_equal(read_line(&cli, "chat", rows[i], held, &why), 0);
        assert_true(cli_flag(&cli, "quiet"));
        assert_string_equal(cli_text(&cli, "system"), "be-kind");
        assert_int_equal(cli.nargs, 2);
        assert_string_equal(cli.args[0], "m");
        assert_string_equal(cli.args[1], "text");
    }
}

static void flag_beats_variable_and_empty_variable_is_none(void **state)
{
    (void)state;
    struct cli cli;
    struct err why = {0};
    char held[256];
    setenv("SLUICE_BASE_URL", "http://variable/v1", 1);
    assert_int_equal(read_line(&cli, "chat", "m", held, &why), 0);
    assert_string_equal(cli_text(&cli, "url"), "http://variable/v1");
    assert_int_equal(read_line(&cli, "chat", "m --url http://flag/v1", held, &why), 0);
    assert_string_equal(cli_text(&cli, "url"), "http://flag/v1");
    setenv("SLUICE_BASE_URL", "", 1);
    assert_int_equal(read_line(&cli, "chat", "m", held, &why), 0);
    assert_null(cli_text(&cli, "url"));
    unsetenv("SLUICE_BASE_URL");
}

static void near_words_are_suggested_and_far_ones_are_not(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"srve", "serve"},
        {"chekc", "check"},
        {"confg", "config"},
        {"key", "keys"},
        {"versoin", "version"},
        {"xyzzy", NULL},
        {"", NULL},
        {"a", NULL},
        {"an-argument-longer-than-any-verb-there-is", NULL},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const char *meant = verb_suggest(rows[i][0]);
        if (rows[i][1] == NULL)
            assert_null(meant);
        else
            assert_string_equal(meant, rows[i][1]);
    }
}

static void verbs_of_two_words_are_found(void **state)
{
    (void)state;
    char program[] = "sluice", keys[] = "keys", hash[] = "hash", other[] = "nothing", ke[] = "ke";
    int words;
    const struct verb *v = verb_match(3, (char *[]){program, keys, hash}, &words);
    assert_string_equal(v->name, "keys hash");
    assert_int_equal(words, 2);
    assert_null(verb_match(3, (char *[]){program, keys, other}, &words));
    assert_int_equal(words, 1);
    assert_null(verb_match(2, (char *[]){program, keys}, &words));
    assert_int_equal(words, 1);
    assert_null(verb_match(2, (char *[]){program, ke}, &words));
    assert_int_equal(words, 0);
}

/* What other code relies on when it walks the table. */
static void table_is_well_formed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < nverbs; i++) {
        const struct verb *v = &verbs[i];
        assert_ptr_equal(verb_find(v->name), v);
        assert_non_null(v->run);
        assert_true(strlen(v->summary) > 0 && strlen(v->examples) > 0);
        assert_true(v->arguments_min <= v->arguments_max);
        for (const char *line = v->examples; *line != '\0'; line = strchr(line, '\n') + 1) {
            assert_true(strcspn(line, "\t") < strcspn(line, "\n"));
            assert_true(strcspn(line, "\t") <= 78 &&
                        strcspn(line, "\n") - strcspn(line, "\t") <= 75);
        }
        for (unsigned k = 0; v->options[k] != NULL; k++) {
            assert_true(k < CLI_OPTIONS_MAX - 1); /* the last one stays NULL */
            assert_true(v->options[k]->letter != cli_help_option.letter);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_are_accepted_or_explained),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(flag_beats_variable_and_empty_variable_is_none),
        cmocka_unit_test(near_words_are_suggested_and_far_ones_are_not),
        cmocka_unit_test(verbs_of_two_words_are_found),
        cmocka_unit_test(table_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
