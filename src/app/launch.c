#include "cli.h"
#include "process.h"
#include "verbs.h"

int verb_serve(int argc, char **argv)
{
    struct cli cli;
    if (!cli_parse(&cli, "serve", argc, argv))
        return cli.status;
    const struct load_options load = {
        .path = snapshot_find(cli_text(&cli, "config")),
        .listen = cli_text(&cli, "listen"),
    };
    return serve(&load, cli_flag(&cli, "watch"));
}
