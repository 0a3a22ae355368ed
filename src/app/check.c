#include "cli.h"
#include "connect.h"
#include "loaded.h"
#include "terminal.h"
#include "verbs.h"

#include <stdlib.h>

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

/* ── people: findings on stderr, results on stdout ───────────────────────────────────────────── */

static void print_connection(const struct connect_result *r)
{
    printf("%s: ", r->provider);
    if (r->reached)
        printf("%sreached%s, %s%s, %u ms\n", terminal_style(stdout, STYLE_GREEN),
               terminal_style(stdout, STYLE_NONE), r->address, r->is_tls ? ", TLS verified" : "",
               r->took_ms);
    else
        printf("%snot reached%s: %s: %s\n", terminal_style(stdout, STYLE_RED),
               terminal_style(stdout, STYLE_NONE), r->stage, r->problem);
}

static unsigned connect_and_print(const struct snapshot *s)
{
    struct connect_result *results;
    unsigned failures = connect_all(s, &results);
    for (unsigned i = 0; i < s->nproviders; i++)
        if (results[i].provider != NULL)
            print_connection(&results[i]);
    free(results);
    return failures;
}

/* ── programs: one JSON value on stdout ──────────────────────────────────────────────────────── */

static void add_member(struct buf *out, const char *name, const char *text)
{
    must(buf_addf(out, ",\"%s\":\"", name));
    must(buf_add_json(out, span_text(text)));
    must(buf_add_byte(out, '"'));
}

static void add_connection(struct buf *out, const struct connect_result *r)
{
    must(buf_addf(out, "{\"reached\":%s", r->reached ? "true" : "false"));
    add_member(out, "provider", r->provider);
    if (r->reached) {
        add_member(out, "address", r->address);
        must(buf_addf(out, ",\"tls\":%s,\"took_ms\":%u", r->is_tls ? "true" : "false", r->took_ms));
    } else {
        add_member(out, "stage", r->stage);
        add_member(out, "problem", r->problem);
    }
    must(buf_add_byte(out, '}'));
}

static unsigned connect_and_add(const struct snapshot *s, struct buf *out)
{
    struct connect_result *results;
    unsigned failures = connect_all(s, &results);
    const char *between = "";
    for (unsigned i = 0; i < s->nproviders; i++) {
        if (results[i].provider == NULL)
            continue;
        must(buf_add_text(out, between));
        add_connection(out, &results[i]);
        between = ",\n ";
    }
    free(results);
    return failures;
}

/* Findings are an array; with --connect they are a member beside the providers. */
static unsigned print_json(const struct findings *f, const struct snapshot *connect_to,
                           bool with_providers)
{
    struct buf out = {0};
    unsigned failures = 0;
    if (with_providers)
        must(buf_add_text(&out, "{\"findings\":"));
    must(findings_write(f, true, &out));
    if (with_providers) {
        must(buf_add_text(&out, ",\"providers\":["));
        if (connect_to != NULL)
            failures = connect_and_add(connect_to, &out);
        must(buf_add_text(&out, "]}\n"));
    }
    fwrite(out.at, 1, buf_len(&out), stdout);
    buf_fini(&out);
    return failures;
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
    bool connect = cli_flag(&cli, "connect");
    unsigned failures = 0;
    if (cli_flag(&cli, "json")) {
        failures = print_json(&findings, is_good ? s : NULL, connect);
    } else {
        if (findings.n > 0)
            findings_print(&findings);
        if (is_good)
            printf("%s: good\n", load.path != NULL ? load.path : "environment");
        if (is_good && connect)
            failures = connect_and_print(s);
    }
    findings_fini(&findings);
    snapshot_unref(s);
    int rc = terminal_finish();
    if (!is_good)
        return EXIT_BAD_CONFIG;
    return failures > 0 ? EXIT_UNREACHABLE : rc;
}
