#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include <stdlib.h>

static int print(int rc, struct buf *text)
{
    if (rc < 0)
        abort(); /* as large as the configuration, or the table of options */
    fwrite(text->at, 1, buf_len(text), stdout);
    buf_fini(text);
    return terminal_finish();
}

/* What serve does without a file, as a file. */
int verb_config_init(int argc, char **argv)
{
    struct cli cli;
    struct snapshot *s = NULL;
    struct findings findings = {0};
    struct buf text = {0};
    if (!cli_parse(&cli, "config init", argc, argv))
        return cli.status;
    const struct load_options load = {.path = NULL};
    int code = EXIT_BAD_CONFIG;
    if (snapshot_load(&load, &s, &findings) < 0)
        findings_print(&findings);
    else
        code = print(snapshot_write_yaml(s, &text), &text);
    findings_fini(&findings);
    snapshot_unref(s);
    return code;
}

int verb_config_show(int argc, char **argv)
{
    struct cli cli;
    struct buf text = {0};
    if (!cli_parse(&cli, "config show", argc, argv))
        return cli.status;
    struct snapshot *s = snapshot_for_verb(&cli, cli_flag(&cli, "no-secrets"));
    if (s == NULL)
        return EXIT_BAD_CONFIG;
    int code = print(snapshot_write_yaml(s, &text), &text);
    snapshot_unref(s);
    return code;
}

int verb_config_schema(int argc, char **argv)
{
    struct cli cli;
    struct buf text = {0};
    if (!cli_parse(&cli, "config schema", argc, argv))
        return cli.status;
    return print(options_write_schema(&text), &text);
}

int verb_config_reference(int argc, char **argv)
{
    struct cli cli;
    struct buf text = {0};
    if (!cli_parse(&cli, "config reference", argc, argv))
        return cli.status;
    return print(options_write_reference(&text), &text);
}
