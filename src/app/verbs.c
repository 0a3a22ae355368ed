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
static const struct cli_option connect_too = {
    "connect", 0, NULL, NULL,
    "then resolve, connect and verify TLS to each provider; sends nothing that could be billed"};
static const struct cli_option key_env = {"key-env", 0, "NAME", NULL,
                                          "the variable that holds the key, instead of stdin"};
static const struct cli_option key_name = {"name", 'n', "NAME", NULL,
                                           "what the log calls it; otherwise default"};
static const struct cli_option key_pipeline = {
    "pipeline", 0, "NAME", NULL, "for a key that calls this model or alias and nothing else"};
static const struct cli_option key_admin = {"admin", 0, NULL, NULL,
                                            "for a key that manages, and calls no models"};
static const struct cli_option key_url = {
    "url", 0, "URL", "SLUICE_BASE_URL",
    "the gateway that makes the key, and keeps it; otherwise lines for a file are printed"};
static const struct cli_option key_offline = {"offline", 0, NULL, NULL,
                                              "lines for a file, although a gateway is named"};
static const struct cli_option key_rate = {"rate-limit", 0, "N", NULL, "requests a minute"};
static const struct cli_option key_models = {"models", 0, "NAMES", NULL,
                                             "the models it may call, with commas between"};
static const struct cli_option key_expires = {"expires", 0, "TIME", NULL,
                                              "when it ends: 2030-12-31, 2030-12-31T18:00:00Z"};
static const struct cli_option key_budget = {"budget", 0, "USD", NULL, "what it may spend"};
static const struct cli_option key_period = {
    "budget-period", 0, "PERIOD", NULL, "in a day, week, month, or in total; otherwise a month"};
static const struct cli_option key_overlap = {
    "overlap", 0, "TIME", NULL,
    "how long the replaced secret works on: 30s, 15m, 24h; otherwise not at all"};
static const struct cli_option strict = {"strict", 0, NULL, NULL, "warnings are errors"};

static const struct cli_option one_provider = {"provider", 'p', "NAME", NULL,
                                               "only this one, configured or not"};
static const struct cli_option all_providers = {
    "all", 'a', NULL, NULL, "all that need no more than a key, configured or not"};
static const struct cli_option output = {"output", 'o', "FILE", NULL,
                                         "write here instead of to stdout"};
static const struct cli_option force = {"force", 0, NULL, NULL, "overwrite that file"};

static const struct cli_option url = {
    "url", 0, "URL", "SLUICE_BASE_URL",
    "the gateway's base URL, http(s)://host:port/v1 or unix:/path; otherwise "
    "http://127.0.0.1:4000/v1"};
static const struct cli_option ca = {
    "ca", 0, "FILE", "SLUICE_CA",
    "PEM file to verify the gateway's certificate with; otherwise the system's"};
static const struct cli_option asked_url = {
    "url", 0, "URL", NULL,
    "ask the gateway that runs there, which knows figures, circuits and what your key may use"};
static const struct cli_option wishes = {"prefs", 0, "JSON", NULL,
                                         "the request's `provider` object: {\"sort\":\"price\"}"};
static const struct cli_option tokens = {"tokens", 0, "N", NULL,
                                         "how long the prompt is; otherwise 1000 tokens"};
static const struct cli_option max_tokens = {"max-tokens", 0, "N", NULL,
                                             "how long the answer may be"};
static const struct cli_option tools = {"tools", 0, NULL, NULL, "the request has tools"};
static const struct cli_option summary = {"summary", 's', NULL, NULL,
                                          "the numbers at the end, and no line a difference"};
static const struct cli_option live = {"live", 0, NULL, NULL,
                                       "ask whether it runs, not whether it is ready"};
static const struct cli_option system_text = {"system", 's', "TEXT", NULL,
                                              "what the model is told beforehand"};
static const struct cli_option credit_note = {"note", 0, "TEXT", NULL,
                                              "what the gateway's log says of it"};
static const struct cli_option credit_id = {
    "id", 0, "ID", NULL,
    "credit once under this id, however often it is asked; otherwise a new one"};
static const struct cli_option quiet = {"quiet", 'q', NULL, NULL, "no line of figures at the end"};

static const struct cli_option follow = {"follow", 'f', NULL, NULL, "and whatever comes, until ^C"};
static const struct cli_option since = {"since", 0, "TIME", NULL,
                                        "how far back: 90m, 36h, 7d, or a date: 2026-01-31"};
static const struct cli_option of_model = {"model", 0, "NAME", NULL, "only calls of this model"};
static const struct cli_option of_provider = {"provider", 'p', "NAME", NULL,
                                              "only calls this provider got"};
static const struct cli_option of_key = {"key", 0, "NAME", NULL,
                                         "only calls with this key: its name or id"};
static const struct cli_option of_status = {
    "status", 0, "WORD", NULL, "only those that ended so: success, failure, timeout, cancelled"};
static const struct cli_option limit = {"limit", 'n', "N", NULL,
                                        "how many; otherwise the last 20, or all since then"};
static const struct cli_option by = {
    "by", 0, "WORD", NULL,
    "one row for each model (as otherwise), key, provider, status, error_type"};
static const struct cli_option tolerance = {
    "tolerance", 0, "SHARE", NULL, "differences that are none: 0.5%, or 0.005; otherwise 0"};
static const struct cli_option records_file = {
    "records", 0, "FILE", NULL, "our side from an export (/v1/logs/export), instead of a gateway"};

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
        .details = "Opens no socket without --connect. Exit code 78: serve would refuse the file; "
                   "69: a provider cannot be reached.",
        .options = {&config, &no_secrets, &connect_too, &strict, &json},
        .run = verb_check,
    },
    {
        .name = "config init",
        .arguments = "",
        .summary = "Prints the file that means what serve does without one.",
        .examples = "sluice config init > sluice.yaml\tthe start of a configuration\n",
        .details = "Providers found in the environment are in it, their keys by reference.",
        .run = verb_config_init,
    },
    {
        .name = "config show",
        .arguments = "",
        .summary = "Prints the configuration in force, secrets masked.",
        .examples =
            "sluice config show -c sluice.yaml\tvariables expanded, short forms written out\n",
        .options = {&config, &no_secrets},
        .run = verb_config_show,
    },
    {
        .name = "config schema",
        .arguments = "",
        .summary = "Prints the JSON Schema of the file.",
        .examples = "sluice config schema > sluice.schema.json\tfor an editor's completion\n",
        .run = verb_config_schema,
    },
    {
        .name = "config reference",
        .arguments = "",
        .summary = "Prints what every key of the file means, as Markdown.",
        .examples = "sluice config reference | less\tall of it\n",
        .run = verb_config_reference,
    },
    {
        .name = "keys create",
        .arguments = "",
        .summary = "Makes up a client key and prints it, once.",
        .examples =
            "sluice keys create -n ci\tthe lines for the file are on stderr\n"
            "sluice keys create -n ci --url http://127.0.0.1:4000/v1\tat a running gateway\n"
            "KEY=$(sluice keys create -n ci)\tthe key, and nothing else, in a variable\n"
            "sluice keys create -n bot --pipeline my-bot\tfor one model\n"
            "sluice keys create -n job --rate-limit 60 --expires 2030-12-31 --url $URL\twith "
            "limits\n",
        .details = "A gateway that is named by --url or $SLUICE_BASE_URL makes the key and keeps "
                   "its hash; it asks for $SLUICE_ADMIN_TOKEN (a listener that serves `admin`) or "
                   "for $SLUICE_API_KEY (a key with `scope: admin`). Otherwise put the printed "
                   "lines into the file.",
        .options = {&key_name, &key_pipeline, &key_admin, &key_rate, &key_models, &key_expires,
                    &key_budget, &key_period, &key_url, &key_offline, &ca, &json},
        .run = verb_keys_create,
    },
    {
        .name = "keys list",
        .arguments = "",
        .summary = "Lists the keys of a running gateway, masked.",
        .examples = "sluice keys list\tthe newest first, those of the file last\n"
                    "sluice keys list --json | jq -r '.data[].id'\ttheir ids\n",
        .details = "Asks as keys create does.",
        .options = {&url, &ca, &json},
        .run = verb_keys_list,
    },
    {
        .name = "keys show",
        .arguments = "ID",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Tells what a key of a running gateway may do.",
        .examples = "sluice keys show key_0199…\tlimits, models, when it was used\n",
        .options = {&url, &ca, &json},
        .run = verb_keys_show,
    },
    {
        .name = "keys rotate",
        .arguments = "ID",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Gives a key another secret and prints that, once.",
        .examples = "sluice keys rotate key_0199… --overlap 24h\tthe old one works for a day\n"
                    "sluice keys rotate key_0199…\tit leaked: none but the new one works\n",
        .details = "Its id, limits and counters stay.",
        .options = {&key_overlap, &url, &ca, &json},
        .run = verb_keys_rotate,
    },
    {
        .name = "keys revoke",
        .arguments = "ID",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Ends a key, at once and for good.",
        .examples = "sluice keys revoke key_0199…\tits next request gets a 401\n",
        .options = {&url, &ca, &json},
        .run = verb_keys_revoke,
    },
    {
        .name = "keys hash",
        .arguments = "",
        .summary = "Prints the hash of a key, for the file.",
        .examples = "sluice keys hash\tasks for the key without showing it\n"
                    "pass show ci-key | sluice keys hash\tfrom stdin\n"
                    "sluice keys hash --key-env CI_KEY\tfrom a variable\n",
        .details = "A key is never an argument: other users could read it in the process list.",
        .options = {&key_env},
        .run = verb_keys_hash,
    },
    {
        .name = "models",
        .arguments = "[NAME]",
        .arguments_max = 1,
        .summary = "Lists the configured models, who answers for them, and their prices.",
        .examples = "sluice models\tUSD per million tokens; the context window in tokens\n"
                    "sluice models claude\tthose with that in their name, or in a provider's\n"
                    "sluice models --json | jq -r '.models[].id'\tthe names\n",
        .options = {&config, &json},
        .run = verb_models,
    },
    {
        .name = "catalog import",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Makes `models:` of LiteLLM's list of models and prices.",
        .examples =
            "sluice catalog import model_prices_and_context_window.json\tof the providers configured\n"
            "sluice catalog import -p groq prices.json -o groq.yaml\tof one, into a file\n"
            "curl -s $URL | sluice catalog import --all -\tof everybody who needs only a key\n",
        .details =
            "Models that the configuration has are left as they are. What is made of the list "
            "is on stdout, what is not is counted on stderr; look it over before it is "
            "served.",
        .options = {&config, &one_provider, &all_providers, &output, &force},
        .run = verb_catalog_import,
    },
    {
        .name = "import litellm",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "The same as catalog import.",
        .examples = "sluice import litellm model_prices_and_context_window.json\tof the providers "
                    "configured\n",
        .options = {&config, &one_provider, &all_providers, &output, &force},
        .run = verb_import_litellm,
    },
    {
        .name = "route explain",
        .arguments = "MODEL",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Tells which endpoints a request would be given, in which order, and why.",
        .examples =
            "sluice route explain deepseek/deepseek-v3.2\twhat the file says, prices for 1000 "
            "tokens\n"
            "sluice route explain fast --prefs '{\"sort\":\"latency\"}' --tools\tof such a "
            "request\n"
            "sluice route explain fast --url http://127.0.0.1:4000/v1\twith the figures of now\n",
        .details =
            "Asks no provider. Without --url nothing is known but the file: no figures, no "
            "circuits, no conversations. With it the key is taken from $SLUICE_API_KEY. Exit "
            "code 1: such a request would get an error.",
        .options = {&config, &wishes, &tokens, &max_tokens, &tools, &asked_url, &ca, &json},
        .run = verb_route_explain,
    },
    {
        .name = "replay",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Makes recorded decisions again and tells which come out another way.",
        .examples = "sluice replay decisions.jsonl\tunder the configuration they were made under\n"
                    "sluice replay decisions.jsonl -c new.yaml --summary\twhat another one would "
                    "change\n"
                    "zcat decisions.*.gz | sluice replay -\tfrom stdin\n",
        .details = "`routing.record` makes the gateway write them. Exit code 1: something differs, "
                   "or a line is damaged.",
        .options = {&config, &summary},
        .run = verb_replay,
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
        .name = "credit",
        .arguments = "AMOUNT",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Credits the account of a running gateway with US dollars.",
        .examples = "sluice credit 50 --note \"invoice 7\"\tprints the new balance\n"
                    "sluice credit -12.50\ttakes some away again\n"
                    "sluice credit 50 --id invoice-7\tonce, however often it is run\n",
        .details =
            "Where `account.prepaid` is set, requests are refused once the credit is spent. The "
            "admin token is taken from $SLUICE_ADMIN_TOKEN, or the key of an admin from "
            "$SLUICE_API_KEY.",
        .options = {&url, &ca, &credit_note, &credit_id, &json},
        .run = verb_credit,
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
        .name = "usage",
        .arguments = "",
        .summary = "Adds up what was used: calls, tokens, dollars, by model or key, over time.",
        .examples = "sluice usage\tthe last day, by model\n"
                    "sluice usage --since 7d --by key\ta week, by key\n"
                    "sluice usage --json | jq .totals.spend\tone number\n",
        .details = "Asks a running gateway, as whoever manages: $SLUICE_ADMIN_TOKEN, or "
                   "$SLUICE_API_KEY of a key with scope: admin.",
        .options = {&since, &by, &of_model, &of_provider, &of_key, &url, &ca, &json},
        .run = verb_usage,
    },
    {
        .name = "logs",
        .arguments = "",
        .summary = "Shows the records of calls, the newest at the bottom.",
        .examples = "sluice logs\tthe last 20\n"
                    "sluice logs -f --status failure\twhat goes wrong from now on, too\n"
                    "sluice logs --since 1h --json | jq -r .request_id\tfor programs, one a line\n",
        .details = "Asks a running gateway, as whoever manages: $SLUICE_ADMIN_TOKEN, or "
                   "$SLUICE_API_KEY of a key with scope: admin.",
        .options = {&follow, &since, &limit, &of_model, &of_provider, &of_key, &of_status, &url,
                    &ca, &json},
        .run = verb_logs,
    },
    {
        .name = "audit",
        .arguments = "FILE",
        .arguments_min = 1,
        .arguments_max = 1,
        .summary = "Compares our records with a provider's own account of usage or costs.",
        .examples =
            "sluice audit openai-usage.csv -p openai\tper model and day, tokens and dollars\n"
            "sluice audit cost_report.json -p anthropic --tolerance 0.5%\twhat rounding may cost\n"
            "sluice audit usage.json --records logs.jsonl\twithout a gateway\n",
        .details =
            "FILE is what OpenAI's and Anthropic's consoles export as CSV, or their usage and cost "
            "APIs answer as JSON. Calls on callers' own credentials are left out: they are on "
            "another bill. Exit code 1: something differs beyond --tolerance.",
        .options = {&of_provider, &tolerance, &records_file, &url, &ca, &json},
        .run = verb_audit,
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
