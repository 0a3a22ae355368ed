#include "cli.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/config/snapshot.h"

#include <stdlib.h>

/* Findings go to stderr, as a compiler's do; JSON is the output itself and goes to stdout. */
static void print_findings(const struct findings *f, bool as_json)
{
    struct buf out = {0};
    if (findings_write(f, as_json, &out) < 0)
        abort(); /* bounded by how many findings are kept */
    FILE *to = as_json ? stdout : stderr;
    if (as_json || f->n > 0)
        fwrite(out.at, 1, buf_len(&out), to);
    buf_fini(&out);
}

int verb_check(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "check", argc, argv))
        return cli.status;
    const struct load_options load = {
        .path = snapshot_find(cli_text(&cli, "config")),
        .no_secrets = cli_flag(&cli, "no-secrets"),
    };
    struct snapshot *s = NULL;
    struct findings findings = {0};
    bool is_good = snapshot_load(&load, &s, &findings) == 0 &&
                   !(cli_flag(&cli, "strict") && findings.warnings > 0);
    print_findings(&findings, cli_flag(&cli, "json"));
    if (is_good && !cli_flag(&cli, "json"))
        printf("%s: good\n", load.path != NULL ? load.path : "environment");
    findings_fini(&findings);
    snapshot_unref(s);
    int rc = terminal_finish();
    return is_good ? rc : EXIT_BAD_CONFIG;
}
