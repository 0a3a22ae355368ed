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

static const struct cli_option url = {
    "url", 0, "URL", "SLUICE_BASE_URL",
    "the gateway's base URL, http(s)://host:port/v1 or unix:/path; otherwise "
    "http://127.0.0.1:4000/v1"};
static const struct cli_option ca = {
    "ca", 0, "FILE", "SLUICE_CA",
    "PEM file to verify the gateway's certificate with; otherwise the system's"};
static const struct cli_option live = {"live", 0, NULL, NULL,
                                       "ask whether it runs, not whether it is ready"};
static const struct cli_option system_text = {"system", 's', "TEXT", NULL,
                                              "what the model is told beforehand"};
static const struct cli_option quiet = {"quiet", 'q', NULL, NULL, "no line of figures at the end"};

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
        .name = "chat",
        .arguments = "MODEL [TEXT]",
        .arguments_min = 1,
        .arguments_max = 2,
        .summary = "Asks a model through a running gateway and streams its answer.",
        .examples = "sluice chat sluice/demo \"hello\"\tone question\n"
                    "sluice chat openai/gpt-5-mini < letter.txt\tthe question from a file\n"
                    "sluice chat openai/gpt-5-mini\ta conversation, on a terminal\n",
        .details =
            "The answer is on stdout; time to first token, tokens per second and cost are on "
            "stderr. The key is taken from $SLUICE_API_KEY. Exit code 69: nobody answers "
            "there; 77: the key is not accepted.",
        .options = {&url, &ca, &system_text, &quiet},
        .run = verb_chat,
    },
    {
        .name = "status",
        .arguments = "",
        .summary = "Shows what a running gateway is doing.",
        .examples = "sluice status --url http://127.0.0.1:4001\tasks its admin listener\n"
                    "sluice status --json | jq .inflight\tone number\n",
        .details = "Asks a listener that serves `admin`. Where the file sets an admin token it is "
                   "taken from $SLUICE_ADMIN_TOKEN.",
        .options = {&url, &ca, &json},
        .run = verb_status,
    },
    {
        .name = "healthcheck",
        .arguments = "",
        .summary = "Exits with 0 when a running gateway is ready, with 1 otherwise.",
        .examples = "HEALTHCHECK CMD [\"/sluice\", \"healthcheck\"]\tin a Dockerfile\n"
                    "sluice healthcheck --live\twhether it runs at all, for a liveness probe\n",
        .options = {&url, &ca, &live},
        .run = verb_healthcheck,
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
