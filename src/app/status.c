#include "caller.h"
#include "terminal.h"
#include "verbs.h"

#include "sluice/format/json_scan.h"

enum { TIMEOUT_MS = 10000 };

static void print_provider(struct span provider)
{
    char name[128];
    struct span connections = json_find(provider, "connections");
    printf("  %-20s", caller_text(json_find(provider, "name"), name, sizeof name));
    if (connections.len > 0)
        printf(" %.*s busy, %.*s idle, %.*s connecting, %.*s waiting",
               SPAN_FMT(json_find(connections, "busy")), SPAN_FMT(json_find(connections, "idle")),
               SPAN_FMT(json_find(connections, "connecting")),
               SPAN_FMT(json_find(connections, "waiting")));
    else
        printf(" built in");
    putchar('\n');
}

static void print_status(struct span status)
{
    char hash[80], name[64], detail[256];
    struct span config = json_find(status, "config"), store = json_find(status, "store");
    caller_text(json_find(config, "hash"), hash, sizeof hash);
    printf("configuration  generation %.*s, %.12s\n", SPAN_FMT(json_find(config, "generation")),
           hash);
    printf("requests       %.*s running, %.*s of them streams, over %.*s connections%s\n",
           SPAN_FMT(json_find(status, "inflight")), SPAN_FMT(json_find(status, "streams")),
           SPAN_FMT(json_find(status, "client_connections")),
           json_is_true(json_find(status, "draining")) ? "; draining" : "");
    bool usable = json_is_true(json_find(store, "usable"));
    printf("store          %s, %s%s%s%s\n",
           caller_text(json_find(store, "name"), name, sizeof name),
           terminal_style(stdout, usable ? STYLE_GREEN : STYLE_RED),
           usable ? "usable" : "not usable ", terminal_style(stdout, STYLE_NONE),
           caller_text(json_find(store, "detail"), detail, sizeof detail));
    printf("providers\n");
    struct span providers = json_find(status, "providers"), provider;
    for (size_t cursor = 0; json_each(providers, &cursor, &provider);)
        print_provider(provider);
}

static int explain(unsigned status)
{
    if (status == 404)
        terminal_error(
            "this listener serves no administration: let one of the file's listeners have "
            "`serves: [admin]` and name its address with --url");
    else if (status == 401 || status == 403)
        terminal_error("the admin token is missing or wrong: set SLUICE_ADMIN_TOKEN");
    else
        terminal_error("the gateway answered %u", status);
    return caller_exit_code(status);
}

int verb_status(int argc, char **argv)
{
    struct cli cli;
    const char *token;
    int code;
    if (!cli_parse(&cli, "status", argc, argv))
        return cli.status;
    if (!caller_key("SLUICE_ADMIN_TOKEN", &token))
        return EXIT_USAGE;
    struct caller *c = caller_open(&cli, &code);
    if (c == NULL)
        return code;

    char path[300];
    struct buf body = {0};
    struct err why = {0};
    unsigned status;
    snprintf(path, sizeof path, "%s/admin/v1/status", caller_url(c)->root);
    const struct caller_request request = {"GET", path, token, .timeout_ms = TIMEOUT_MS};
    enum call_end end = caller_fetch(c, &request, &status, &body, &why);
    if (end != CALL_ANSWERED) {
        terminal_error("%s: %s", caller_url_text(c), why.text);
        code = end == CALL_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_FAILED;
    } else if (status != 200) {
        code = explain(status);
    } else {
        if (cli_flag(&cli, "json"))
            terminal_write(stdout, buf_span(&body));
        else
            print_status(buf_span(&body));
        code = terminal_finish();
    }
    buf_fini(&body);
    caller_close(c);
    return code;
}
