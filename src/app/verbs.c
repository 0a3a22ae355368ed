#include "verbs.h"

#include "cli.h"

#include <stddef.h>

/* The table that parsing, help and completion are made from. Order is the order of help. */

const struct cli_option cli_help_option = {"help", 'h', NULL, NULL, "this text"};

static const struct cli_option config = {
    "config", 'c', "FILE", "SLUICE_CONFIG",
    "the configuration; otherwise ./sluice.yaml, then /etc/sluice/sluice.yaml, then none"};
static const struct cli_option json = {"json", 0, NULL, NULL, "JSON on stdout, for programs"};

static const struct cli_option listen_on = {
    "listen", 0, "ADDR", "SLUICE_LISTEN",
    "serve here instead of where the file says: 127.0.0.1:4000, [::1]:4000, unix:/path"};
static const struct cli_option watch = {"watch", 0, NULL, NULL,
                                        "load the file again whenever it changes"};

static const struct cli_option no_secrets = {
    "no-secrets", 0, NULL, NULL, "do not look for the secrets the file refers to (for CI)"};
static const struct cli_option strict = {"strict", 0, NULL, NULL, "warnings are errors"};

const struct verb verbs[] = {
    {
        .name = "serve",
        .arguments = "",
        .summary = "Runs the gateway in the foreground.",
        .examples = "sluice serve\tno file: providers from the environment, on 127.0.0.1:4000\n"
                    "sluice serve -c sluice.yaml --watch\ta file, and every later version of it\n"
                    "sluice serve --listen 127.0.0.1:8080\tanother address\n",
        .details =
            "Without a file, OPENAI_API_KEY, ANTHROPIC_API_KEY and their like become "
            "providers, and sluice/demo answers without any.\n\nSIGHUP loads the file again; "
            "SIGTERM finishes what is running, then ends; a second SIGTERM ends at once.",
        .options = {&config, &listen_on, &watch},
        .run = verb_serve,
    },
    {
        .name = "check",
        .arguments = "",
        .summary = "Looks the configuration over and tells all mistakes at once.",
        .examples =
            "sluice check\tthe file that serve would take\n"
            "sluice check -c new.yaml --no-secrets --strict\tin CI, before it is deployed\n",
        .details = "Opens no socket. Exit code 78 means that serve would refuse the file.",
        .options = {&config, &no_secrets, &strict, &json},
        .run = verb_check,
    },
    {
        .name = "completion",
        .arguments = "SHELL",
        .arguments_min = 1,
        .arguments_max = 1,
        .words = "bash zsh fish",
        .summary = "Prints a script that completes sluice's commands in bash, zsh or fish.",
        .examples = "source <(sluice completion bash)\tin ~/.bashrc\n"
                    "sluice completion zsh > ~/.zfunc/_sluice\ta directory of $fpath\n"
                    "sluice completion fish > ~/.config/fish/completions/sluice.fish\tfish\n",
        .run = verb_completion,
    },
    {
        .name = "version",
        .arguments = "",
        .summary = "Tells the versions of sluice and of the libraries in it.",
        .examples = "sluice version\tfor a bug report\n",
        .options = {&json},
        .run = verb_version,
    },
};

const unsigned nverbs = sizeof verbs / sizeof verbs[0];
