/* table.c: every option there is, with table_keys.c and table_routing.c. The order of the rows is the
 * order of the reference page, and of a configuration that is written back. */
#include "object.h"
#include "table_row.h"

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

static const struct word serves_words[] = {{"api", SERVES_API},         {"admin", SERVES_ADMIN},
                                           {"ui", SERVES_UI},           {"health", SERVES_HEALTH},
                                           {"metrics", SERVES_METRICS}, {0}};
static const struct word tls_words[] = {{"1.2", 0}, {"1.3", 1}, {0}};

static const struct option listener_tls_rows[] = {
    {"cert", &type_text, MEMBER(struct tls_options, cert),
     .doc = "PEM file with the certificate and its chain. Read again on reload."},
    {"key", &type_text, MEMBER(struct tls_options, key),
     .doc = "PEM file with the private key. Left out: the same file as `cert`."},
    {"min_version", &type_word, MEMBER(struct tls_options, tls13_min), .words = tls_words,
     .fallback = "1.2", .doc = "Oldest TLS version that is accepted."},
};
static const struct object listener_tls = {
    "listeners[].tls", "TLS for everybody who connects.", ROWS(listener_tls_rows),
    .size = sizeof(struct tls_options), .finish = listener_tls_finish};

static const struct option cors_rows[] = {
    {"origins", &type_texts, MEMBER(struct listener_options, cors_origins), .may_be_empty = true,
     .doc = "Origins whose pages may call, as `https://chat.example.org`, or `\"*\"`."},
};
static const struct object cors_object = {
    "listeners[].cors", "Which browsers' pages may call. Left out: none.", ROWS(cors_rows),
    .size = sizeof(struct listener_options), .finish = cors_finish};

static const struct option listener_rows[] = {
    {"name", &type_text, MEMBER(struct listener_options, name),
     .doc = "What logs call it. Left out: its address."},
    {"address", &type_text, MEMBER(struct listener_options, address), .required = true,
     .doc = "`127.0.0.1:4000`, `[::1]:4000`, `0.0.0.0:4000`, `unix:/path`, or `fd:NAME` for a "
            "socket that systemd passes."},
    {"serves", &type_words, MEMBER(struct listener_options, serves), .words = serves_words,
     .fallback = "api health",
     .doc = "What is answered here. `api` always answers health checks, too."},
    {"tls", &type_group, MEMBER(struct listener_options, tls), .object = &listener_tls,
     .doc = "Certificate and key. Left out: no TLS."},
    {"cors", &type_group, .object = &cors_object, .doc = "Browsers' cross-origin requests."},
    {"trusted_proxies", &type_texts, MEMBER(struct listener_options, trusted_proxies),
     .inert = true,
     .doc = "Addresses or networks (`10.0.0.0/8`) whose X-Forwarded-For is believed. Left out: "
            "nobody's."},
    {"reuse_port", &type_bool, MEMBER(struct listener_options, reuse_port), .fallback = "false",
     .restart = "listeners[].reuse_port",
     .doc = "SO_REUSEPORT: several processes share one address, one core each."},
    {"mode", &type_mode, MEMBER(struct listener_options, mode), .fallback = "0660",
     .restart = "listeners[].mode", .doc = "Permissions of a unix socket."},
};
const struct object listener_object = {
    "listeners[]",
    "Where clients connect. Without any: `127.0.0.1:4000` for everything a client "
    "needs, that is `serves: [api, health, metrics]`.",
    ROWS(listener_rows), .size = sizeof(struct listener_options), .finish = listener_finish};

/* ── server ──────────────────────────────────────────────────────────────────────────────────── */

static const struct option drain_rows[] = {
    {"delay", &type_duration, MEMBER(struct server_options, drain_delay_ms), .fallback = "0s",
     .max = DAY_MS,
     .doc = "How long to go on accepting after SIGTERM, while `/readyz` already says 503."},
    {"timeout", &type_duration, MEMBER(struct server_options, drain_timeout_ms), .fallback = "25s",
     .max = DAY_MS, .doc = "How long running requests may take to finish after that."},
};
static const struct object drain_object = {"server.drain", "What happens on SIGTERM.",
                                           ROWS(drain_rows), .size = sizeof(struct server_options)};

static const struct option fetch_rows[] = {
    {"enabled", &type_bool, MEMBER(struct server_fetch_options, enabled), .fallback = "true",
     .doc = "Off, such a request is refused with 400 (Gemini is given the URL)."},
    {"max_size", &type_size, MEMBER(struct server_fetch_options, max_bytes), .fallback = "20MB",
     .min = 1024, .max = 1 << 30, .doc = "Largest file."},
    {"timeout", &type_duration, MEMBER(struct server_fetch_options, timeout_ms), .fallback = "15s",
     .min = 1, .max = DAY_MS, .doc = "By when all files of a request must be there."},
    {"allow", &type_texts, MEMBER(struct server_fetch_options, allow), .may_be_empty = true,
     .doc = "Networks beside the public Internet that files may come from: `10.1.0.0/16`. Whoever "
            "may call can then read what answers a GET there."},
    {"ca", &type_text, MEMBER(struct server_fetch_options, ca),
     .doc = "PEM file with the authorities to trust instead of the system's."},
};
static const struct object fetch_object = {
    "server.fetch",
    "Pictures, PDFs and videos that a request names by URL, for providers that take no URLs: the "
    "gateway gets them and sends them along.",
    ROWS(fetch_rows), .size = sizeof(struct server_fetch_options), .finish = fetch_finish};

static const struct option server_rows[] = {
    {"body_max", &type_size, MEMBER(struct server_options, body_max_bytes), .fallback = "64MiB",
     .min = 1024, .max = (uint64_t)1 << 32, .doc = "Largest request body."},
    {"file_max", &type_size, MEMBER(struct server_options, file_max_bytes), .fallback = "50MiB",
     .min = 1024, .max = (uint64_t)1 << 32,
     .doc = "Largest file in a body that is a form, as sound to be transcribed."},
    {"bodies_in_flight_max", &type_size, MEMBER(struct server_options, bodies_in_flight_max_bytes),
     .fallback = "512MiB", .min = 1024, .max = (uint64_t)1 << 40,
     .doc = "All request bodies in memory together; beyond that requests are refused with 503."},
    {"header_max", &type_size, MEMBER(struct server_options, header_max_bytes), .fallback = "64KiB",
     .min = 1024, .max = 1 << 20, .doc = "Largest request head."},
    {"headers_max", &type_number, MEMBER(struct server_options, headers_max), .fallback = "128",
     .min = 8, .max = 1024, .doc = "Most header lines of one request."},
    {"connections_max", &type_number, MEMBER(struct server_options, connections_max),
     .fallback = "20000", .min = 1, .max = 1000000,
     .doc = "Most client connections; further ones are answered 503 and closed."},
    {"header_timeout", &type_duration, MEMBER(struct server_options, header_timeout_ms),
     .fallback = "10s", .max = DAY_MS, .doc = "A request's head must be complete by then."},
    {"body_timeout", &type_duration, MEMBER(struct server_options, body_timeout_ms),
     .fallback = "60s", .max = DAY_MS, .doc = "Longest pause inside a request's body."},
    {"idle_timeout", &type_duration, MEMBER(struct server_options, idle_timeout_ms),
     .fallback = "75s", .max = DAY_MS, .doc = "How long a connection is kept between requests."},
    {"write_timeout", &type_duration, MEMBER(struct server_options, write_timeout_ms),
     .fallback = "60s", .max = DAY_MS,
     .doc = "How long a client may take to accept any of what was written to it."},
    {"request_timeout", &type_duration, MEMBER(struct server_options, request_timeout_ms),
     .fallback = "30m", .max = DAY_MS,
     .doc = "Deadline of a whole request, all its attempts included; then 408. `0`: none."},
    {"sse_keepalive", &type_duration, MEMBER(struct server_options, sse_keepalive_ms),
     .fallback = "10s", .max = DAY_MS,
     .doc = "Silence in a stream after which a comment is sent, so that nothing in between hangs "
            "up. `0`: never."},
    {"fetch", &type_group, MEMBER(struct server_options, fetch), .object = &fetch_object,
     .doc = "Files that requests name by URL."},
    {"drain", &type_group, .object = &drain_object, .doc = "Shutting down."},
};
static const struct object server_object = {
    "server", "Limits and deadlines towards clients. A timeout of `0` means none.",
    ROWS(server_rows), .size = sizeof(struct server_options)};

/* ── providers ───────────────────────────────────────────────────────────────────────────────── */

static const struct word protocol_words[] = {
    {"openai", PROTOCOL_OPENAI},       {"responses", PROTOCOL_RESPONSES},
    {"anthropic", PROTOCOL_ANTHROPIC}, {"gemini", PROTOCOL_GEMINI},
    {"bedrock", PROTOCOL_BEDROCK},     {"vertex", PROTOCOL_VERTEX},
    {"demo", PROTOCOL_DEMO},           {0}};

const char *protocol_name(enum protocol p)
{
    unsigned i = 0;
    while (protocol_words[i].value != (uint64_t)p)
        i++;
    return protocol_words[i].text;
}

static const struct option provider_tls_rows[] = {
    {"ca", &type_text, MEMBER(struct tls_options, ca),
     .doc = "PEM file with the authorities to trust instead of the system's."},
    {"server_name", &type_text, MEMBER(struct tls_options, server_name),
     .doc = "Name to ask for and to verify. Left out: the host of the URL."},
    {"min_version", &type_word, MEMBER(struct tls_options, tls13_min), .words = tls_words,
     .fallback = "1.2", .doc = "Oldest TLS version that is accepted."},
    {"insecure", &type_bool, MEMBER(struct tls_options, insecure), .fallback = "false",
     .doc = "Do not verify the certificate. Warned about at every load."},
};
static const struct object provider_tls = {
    "providers.NAME.tls",
    "How an `https://` provider is verified. The same keys under `store.tls`.",
    ROWS(provider_tls_rows), .size = sizeof(struct tls_options), .finish = upstream_tls_finish};

static const struct option timeouts_rows[] = {
    {"connect", &type_duration, MEMBER(struct provider_options, connect_timeout_ms),
     .fallback = "5s", .max = DAY_MS, .doc = "Name lookup, TCP and TLS together."},
    {"first_byte", &type_duration, MEMBER(struct provider_options, first_byte_timeout_ms),
     .fallback = "5m", .max = DAY_MS,
     .doc = "From the request sent to the first byte of the answer. Without streaming that is the "
            "whole time a model thinks, so it is long."},
    {"idle", &type_duration, MEMBER(struct provider_options, idle_timeout_ms), .fallback = "120s",
     .max = DAY_MS, .doc = "Longest silence inside an answer."},
    {"total", &type_duration, MEMBER(struct provider_options, total_timeout_ms), .fallback = "20m",
     .max = DAY_MS, .doc = "One attempt from beginning to end."},
};
static const struct object timeouts_object = {
    "providers.NAME.timeouts",
    "Deadlines of one attempt, each named in the error it causes. `0`: "
    "none.",
    ROWS(timeouts_rows), .size = sizeof(struct provider_options)};

static const struct option pool_rows[] = {
    {"max", &type_number, MEMBER(struct provider_options, pool_max), .fallback = "10000", .min = 1,
     .max = 65535,
     .doc =
         "Most connections to this provider, busy and idle; a request beyond that waits for one, "
         "as long as `timeouts.connect` allows."},
    {"idle_timeout", &type_duration, MEMBER(struct provider_options, pool_idle_timeout_ms),
     .fallback = "60s", .max = DAY_MS, .doc = "How long an idle connection is kept."},
};
static const struct object pool_object = {"providers.NAME.pool",
                                          "Connections, kept open to be used again.",
                                          ROWS(pool_rows), .size = sizeof(struct provider_options)};

static const struct option data_policy_rows[] = {
    {"zdr", &type_bool, MEMBER(struct data_policy_options, zdr), .fallback = "false",
     .known_bit = POLICY_ZDR, .doc = "The provider keeps nothing (zero data retention)."},
    {"training", &type_bool, MEMBER(struct data_policy_options, training), .fallback = "true",
     .known_bit = POLICY_TRAINING, .doc = "The provider may train on what it is sent."},
    {"retention", &type_duration, MEMBER(struct data_policy_options, retention_ms),
     .max = (uint64_t)3650 * DAY_MS, .known_bit = POLICY_RETENTION,
     .doc = "How long the provider keeps requests: `30d`, or `0s`."},
    {"region", &type_text, MEMBER(struct data_policy_options, region),
     .doc = "Where the provider works: `eu`, `us`."},
};
static const struct object data_policy_object = {
    "providers.NAME.data_policy", "What this provider does with prompts, for routing to choose by.",
    ROWS(data_policy_rows), .size = sizeof(struct data_policy_options),
    .known_offset = offsetof(struct data_policy_options, known)};

static const struct option aws_rows[] = {
    {"region", &type_text, MEMBER(struct aws_options, region),
     .doc = "As `us-east-1`. Left out: the one in the URL's host."},
    {"access_key", &type_text, MEMBER(struct aws_options, access_key),
     .doc = "The key's id. Left out: requests are not signed, and `api_key` is sent instead."},
    {"secret_key", &type_secret, MEMBER(struct aws_options, secret_key), .doc = "The key."},
    {"session_token", &type_secret, MEMBER(struct aws_options, session_token),
     .doc = "What makes a temporary key whole."},
};
static const struct object aws_object = {
    "providers.NAME.aws", "How requests to Amazon Bedrock are signed (Signature Version 4).",
    ROWS(aws_rows), .size = sizeof(struct aws_options)};

static const struct option google_rows[] = {
    {"credentials", &type_secret_document, MEMBER(struct google_options, credentials),
     .doc = "The key of a service account, the JSON file Google makes: `{ file: key.json }`. Left "
            "out: `api_key` is sent instead."},
    {"project", &type_text, MEMBER(struct google_options, project),
     .doc = "Left out: the one the credentials name."},
    {"region", &type_text, MEMBER(struct google_options, region), .fallback = "global",
     .doc = "As `europe-west1`, `us` or `eu`."},
};
static const struct object google_object = {
    "providers.NAME.google",
    "Who asks Vertex AI, and where. Access tokens are bought with the key and renewed before they "
    "expire.",
    ROWS(google_rows), .size = sizeof(struct google_options), .finish = google_finish};

#define FACT(key, bit, text) \
    {key, &type_fact, MEMBER(struct fact_options, yes), .known_bit = (bit), .doc = text}

static const struct option fact_rows[] = {
    FACT("reasoning", FACT_REASONING, "It can be told how hard to think."),
    FACT("thinking_budget", FACT_THINKING_BUDGET, "By a number of tokens, not by a word."),
    FACT("thinking_off", FACT_THINKING_OFF, "And not to think at all."),
    FACT("effort_minimal", FACT_EFFORT_MINIMAL,
         "It knows the word `minimal`; otherwise it gets `low`."),
    FACT("effort_xhigh", FACT_EFFORT_XHIGH, "It knows the word `xhigh`; otherwise it gets `high`."),
    FACT("effort_max", FACT_EFFORT_MAX, "It knows the word `max`; otherwise the one below."),
    FACT("sampling", FACT_SAMPLING, "It takes `temperature` and `top_p`."),
    FACT("top_k", FACT_TOP_K, "Chat, Converse: it takes `top_k`."),
    FACT("system_anywhere", FACT_SYSTEM_ANYWHERE,
         "Messages: system messages may stand in the middle."),
    FACT("replays_reasoning", FACT_REPLAYS_REASONING,
         "Chat: it wants `reasoning_content` of earlier turns back."),
    FACT("web_search", FACT_WEB_SEARCH,
         "Chat: it takes `web_search_options`. Messages: it has Anthropic's search."),
    FACT("custom_tools", FACT_CUSTOM_TOOLS, "Chat: it knows tools that take free text."),
    FACT("max_completion_tokens", FACT_COMPLETION_TOKENS, "Chat: what it calls `max_tokens`."),
    FACT("short_call_ids", FACT_SHORT_CALL_IDS,
         "Chat: ids of calls must have nine letters and digits."),
    FACT("prompt_cache_key", FACT_CACHE_KEY, "Chat: it takes `prompt_cache_key`."),
    FACT("encrypted_reasoning", FACT_ENCRYPTED_REASONING,
         "Responses: it gives its reasoning encrypted, to be sent back."),
    FACT("thought_signatures", FACT_THOUGHT_SIGNATURES,
         "Chat: it wants Gemini's signatures back on their calls, as `extra_content`."),
    FACT("cache_prefix", FACT_CACHE_PREFIX,
         "Messages: ask for prompt caching when the client does not."),
    FACT("json_schema", FACT_JSON_SCHEMA, "Its answers can be held to a JSON schema."),
    FACT("prefill", FACT_PREFILL,
         "Chat, Messages: it goes on with an answer that was begun, the last message of the "
         "conversation. For `routing.continue_streams`."),
    FACT("prefill_prefix", FACT_PREFILL_MARK, "Chat: that message has to say `prefix: true`."),
    FACT("prefill_continue", FACT_PREFILL_SWITCH,
         "Chat: the request has to say `continue_final_message: true`."),
    FACT("prefill_echo", FACT_PREFILL_ECHO, "Chat: its answer repeats the beginning."),
};
_Static_assert(sizeof fact_rows / sizeof fact_rows[0] == MODEL_FACTS, "each has a name");

const char *model_fact_name(enum model_fact fact)
{
    unsigned i = 0;
    while (fact_rows[i].known_bit != fact)
        i++;
    return fact_rows[i].name;
}

static const struct object facts_object = {
    "facts",
    "What models take and what they do not, of a provider (`providers.NAME.facts`) or of one "
    "endpoint, which overrules it. Only requests that are translated depend on it. Left out: what "
    "sluice knows of the model.",
    ROWS(fact_rows), .size = sizeof(struct fact_options),
    .known_offset = offsetof(struct fact_options, known)};

static const struct option provider_rows[] = {
    {"preset", &type_text, MEMBER(struct provider_options, preset),
     .doc = "Take the facts of this known provider. Left out: those of the name itself."},
    {"protocol", &type_word, MEMBER(struct provider_options, protocol), .words = protocol_words,
     .doc =
         "What it speaks: `openai` (Chat Completions), `responses`, `anthropic` (Messages), "
         "`gemini` (generateContent), `bedrock` (Amazon's, by the model's maker), `vertex` (Google's, by the model's maker) or `demo`. Clients of another protocol are translated. Left out: the preset's, otherwise "
         "`openai`."},
    {"responses", &type_bool, MEMBER(struct provider_options, has_responses),
     .doc =
         "An `openai` provider that answers `/responses` too: Responses clients reach it as they "
         "are, untranslated. On for the presets openai, azure and xai."},
    {"stores_responses", &type_bool, MEMBER(struct provider_options, stores_responses),
     .fallback = "false",
     .doc =
         "A Responses request that does not say `store` is kept by the provider, as OpenAI does. "
         "Off: sluice adds `store: false`, and asks for the reasoning encrypted, so that the "
         "client can send it back."},
    {"base_url", &type_text, MEMBER(struct provider_options, base_url),
     .doc =
         "`https://host/v1`, `http://host:8000/v1` or `unix:/path:/v1`. Left out: the preset's."},
    {"api_key", &type_secret, MEMBER(struct provider_options, credential),
     .doc = "Its credential. Left out: the preset's environment variable."},
    {"auth", &type_provider_auth, MEMBER(struct provider_options, auth),
     .doc = "How the credential is sent: `bearer`, `none`, or `{ header: x-api-key }`."},
    {"aws", &type_group, MEMBER(struct provider_options, aws), .object = &aws_object,
     .doc = "Keys of Amazon's, for the protocol `bedrock`."},
    {"google", &type_group, MEMBER(struct provider_options, google), .object = &google_object,
     .doc = "A service account of Google's, for the protocol `vertex`."},
    {"api_version", &type_text, MEMBER(struct provider_options, api_version),
     .doc =
         "For the older of Azure OpenAI's two URL forms, as `2024-10-21`: `base_url` is then the "
         "resource (`https://NAME.openai.azure.com`), and models are deployments."},
    {"headers", &type_headers, MEMBER(struct provider_options, headers),
     COUNT(struct provider_options, nheaders), .doc = "Sent with every request."},
    {"tls", &type_group, MEMBER(struct provider_options, tls), .object = &provider_tls,
     .doc = "Verification."},
    {"timeouts", &type_group, .object = &timeouts_object, .doc = "Deadlines."},
    {"pool", &type_group, .object = &pool_object, .doc = "Connections."},
    {"facts", &type_group, MEMBER(struct provider_options, facts), .object = &facts_object,
     .doc = "What its models take, where sluice does not know or is wrong."},
    {"any_model", &type_bool, MEMBER(struct provider_options, any_model), .fallback = "false",
     .doc = "Offer every model of this provider as `NAME/model`, without listing it."},
    {"data_policy", &type_group, MEMBER(struct provider_options, data_policy),
     .object = &data_policy_object,
     .doc = "What happens to prompts there. What is not said is taken to be the worst."},
};
const struct object provider_object = {
    "providers.NAME",
    "Where models are, and how to sign in. Names are lowercase letters, digits "
    "and dashes.",
    ROWS(provider_rows),
    .size = sizeof(struct provider_options),
    .begin = provider_begin,
    .finish = provider_finish};

/* ── translation ───────────────────────────────────────────────────────────────────────────────── */

static const struct word unknown_tools_words[] = {{"reject", 0}, {"drop", 1}, {0}};

static const struct word deferred_tools_words[] = {{"offer", 0}, {"reject", 1}, {0}};
static const struct word custom_tools_words[] = {{"wrap", 0}, {"reject", 1}, {0}};

static const struct word json_object_words[] = {{"reject", 0}, {"instruct", 1}, {0}};
static const struct word schemas_words[] = {{"reject", 0}, {"tool", 1}, {0}};

static const struct word bad_arguments_words[] = {{"reject", 0}, {"wrap", 1}, {0}};
static const struct word missing_results_words[] = {{"reject", 0}, {"synthesise", 1}, {0}};
static const struct word citations_words[] = {{"drop", 0}, {"reject", 1}, {0}};

static const struct word reasoning_text_words[] = {{"summary", 0}, {"raw", 1}, {0}};

static const struct option translation_rows[] = {
    {"unknown_tools", &type_word, MEMBER(struct translation_options, drops_unknown_tools),
     .words = unknown_tools_words, .fallback = "reject",
     .doc = "A tool that only the client's own protocol has, as a provider's code interpreter: "
            "refuse the request, or leave the tool out."},
    {"deferred_tools", &type_word, MEMBER(struct translation_options, rejects_deferred_tools),
     .words = deferred_tools_words, .fallback = "offer",
     .doc = "Tools that the provider's own tool search would find (`defer_loading`) or its code "
            "would call (`allowed_callers`): offer them to the model like any other, or refuse."},
    {"custom_tools", &type_word, MEMBER(struct translation_options, rejects_grammars),
     .words = custom_tools_words, .fallback = "wrap",
     .doc =
         "A custom tool's grammar, where the model cannot be held to one: put it into the tool's "
         "description, or refuse. Codex needs `wrap`."},
    {"json_object", &type_word, MEMBER(struct translation_options, instructs_json),
     .words = json_object_words, .fallback = "reject",
     .doc = "An answer that must be one JSON object, from Messages and Bedrock, which know schemas "
            "only: refuse the request, or ask the model for it in words."},
    {"schemas", &type_word, MEMBER(struct translation_options, forces_schemas),
     .words = schemas_words, .fallback = "reject",
     .doc = "A JSON schema for a model that cannot be held to one: refuse the request, or make the "
            "model call a tool with that schema, and its arguments the answer. It does not think "
            "then, and can call no other tool."},
    {"bad_arguments", &type_word, MEMBER(struct translation_options, wraps_bad_arguments),
     .words = bad_arguments_words, .fallback = "reject",
     .doc = "A call in the conversation whose arguments are no JSON object, as models sometimes "
            "write them: refuse the request, or send them on as `{\"_raw\": \"…\"}`."},
    {"missing_results", &type_word, MEMBER(struct translation_options, makes_missing_results),
     .words = missing_results_words, .fallback = "reject",
     .doc = "A call in the conversation that was never answered: refuse the request, or answer it "
            "with an error that says so."},
    {"citations", &type_word, MEMBER(struct translation_options, rejects_citations),
     .words = citations_words, .fallback = "drop",
     .doc = "Documents that a Messages client wants to see cited, which nobody else does: answer "
            "without citations, or refuse."},
    {"reasoning_text", &type_word, MEMBER(struct translation_options, shows_raw_reasoning),
     .words = reasoning_text_words, .fallback = "summary",
     .doc = "Where a Responses client finds what a model of another protocol shows of its "
            "reasoning: in the `summary` of the item, or in its `content`, as `reasoning_text`."},
};
static const struct object translation_object = {
    "translation",
    "What becomes of a request that is translated, where its provider has no word for what it says "
    "and two answers are right. What is left out is told in `X-Sluice-Dropped`. "
    "[protocols.md](protocols.md#your-choice) shows what each does.",
    ROWS(translation_rows), .size = sizeof(struct translation_options)};

/* ── models ──────────────────────────────────────────────────────────────────────────────────── */

#define PRICE(key, bit, text) \
    {#key, &type_money, MEMBER(struct price_options, key), .known_bit = (bit), .doc = text}
#define FEE(key, bit, text) \
    {#key, &type_dollars, MEMBER(struct price_options, key), .known_bit = (bit), .doc = text}

static const struct option price_rows[] = {
    /* in the order of enum price_part: price_part_name finds them by their place */
    PRICE(input, PRICE_INPUT, "Prompt tokens."),
    PRICE(output, PRICE_OUTPUT, "Generated tokens."),
    PRICE(cache_read, PRICE_CACHE_READ,
          "Prompt tokens read from the provider's cache. Left out: the share of `input` that the "
          "model's maker asks ([metering](metering.md#multipliers))."),
    PRICE(cache_write, PRICE_CACHE_WRITE, "Prompt tokens written to it. Left out: likewise."),
    PRICE(cache_write_1h, PRICE_CACHE_WRITE_1H,
          "Prompt tokens written to be kept for an hour. Left out: likewise."),
    PRICE(reasoning, PRICE_REASONING, "Reasoning tokens, where they cost other than output."),
    PRICE(audio_input, PRICE_AUDIO_INPUT, "Prompt tokens that are sound, where they cost other."),
    PRICE(audio_output, PRICE_AUDIO_OUTPUT, "Generated tokens that are sound, likewise."),
    PRICE(image_input, PRICE_IMAGE_INPUT, "Prompt tokens that are pictures, likewise."),
    PRICE(image_output, PRICE_IMAGE_OUTPUT, "Generated tokens that are pictures, likewise."),
    PRICE(video_input, PRICE_VIDEO_INPUT, "Prompt tokens that are video, likewise."),
    PRICE(character, PRICE_CHARACTER, "Characters of a text that is spoken."),
    FEE(image, PRICE_IMAGE, "USD for each picture that is made."),
    FEE(second, PRICE_SECOND, "USD for each second of sound that is transcribed."),
    FEE(request, PRICE_REQUEST, "USD for each request, beside all else."),
    FEE(search, PRICE_SEARCH, "USD for each web search the provider does for an answer."),
    FEE(tool_call, PRICE_TOOL_CALL,
        "USD for each call of another tool that the provider runs itself and charges for."),
    {"long_context", &type_bool, MEMBER(struct price_options, long_context), .fallback = "false",
     .doc =
         "`true`: with more than 200,000 prompt tokens, all that is read costs twice as much and "
         "what is written one and a half times."},
};
static const struct object price_object = {
    "models.ID.endpoints[].price",
    "USD per million tokens, as decimal text: `\"0.25\"`. Six "
    "decimals at most, so that every price is a whole number of pico-dollars per token. From `image` "
    "on: USD for one, twelve decimals at most. [Metering](metering.md) tells what is counted.",
    ROWS(price_rows), .size = sizeof(struct price_options),
    .known_offset = offsetof(struct price_options, known)};

const char *price_part_name(unsigned part)
{
    return price_rows[part].name;
}

uint64_t price_part_pd(const struct price_options *p, unsigned part)
{
    uint64_t pd;
    memcpy(&pd, (const uint8_t *)p + price_rows[part].offset, sizeof pd);
    return pd;
}

void price_part_set(struct price_options *p, enum price_part bit, uint64_t pd)
{
    unsigned part = (unsigned)__builtin_ctz(bit);
    memcpy((uint8_t *)p + price_rows[part].offset, &pd, sizeof pd);
    p->known |= (unsigned)bit;
}

bool price_part_is_each(unsigned part)
{
    return price_rows[part].type == &type_dollars;
}

static const struct option endpoint_rows[] = {
    {"provider", &type_provider_name, MEMBER(struct endpoint_options, provider), .required = true,
     .doc = "Which of `providers` answers."},
    {"upstream_model", &type_text, MEMBER(struct endpoint_options, upstream_model),
     .doc = "What that provider calls the model. Left out: the id behind its first slash."},
    {"variant", &type_text, MEMBER(struct endpoint_options, variant),
     .doc = "Tells endpoints of one provider apart: `fp8` makes `provider/fp8`."},
    {"price", &type_group, MEMBER(struct endpoint_options, price), .object = &price_object,
     .doc = "What it costs."},
    {"enabled", &type_bool, MEMBER(struct endpoint_options, enabled), .fallback = "true",
     .doc = "`false` takes it out of every plan without forgetting it."},
    {"context", &type_number, MEMBER(struct endpoint_options, context), .min = 1,
     .doc = "Tokens of prompt and answer together. Left out: the model's."},
    {"max_output", &type_number, MEMBER(struct endpoint_options, max_output), .min = 1,
     .doc = "Most tokens of one answer."},
    {"quantization", &type_word, MEMBER(struct endpoint_options, quantization),
     .words = quantization_words, .fallback = "none", .doc = "Of the weights."},
    {"params", &type_words, MEMBER(struct endpoint_options, params), .words = capability_words,
     .may_be_empty = true, .known_bit = ENDPOINT_PARAMS,
     .doc = "The parameters it takes. Left out: all of them."},
    {"input", &type_words, MEMBER(struct endpoint_options, input), .words = modality_words,
     .known_bit = ENDPOINT_INPUT, .doc = "What it can be shown. Left out: the model's."},
    {"data_policy", &type_group, MEMBER(struct endpoint_options, data_policy),
     .object = &data_policy_object,
     .doc = "What happens to prompts there. Left out: the provider's."},
    {"facts", &type_group, MEMBER(struct endpoint_options, facts), .object = &facts_object,
     .doc = "What the model takes, where sluice does not know or is wrong."},
};
const struct object endpoint_object = {
    "models.ID.endpoints[]",
    "Who can answer for a model. With one endpoint these keys may stand "
    "in the model itself.",
    ROWS(endpoint_rows),
    .size = sizeof(struct endpoint_options),
    .begin = endpoint_begin,
    .known_offset = offsetof(struct endpoint_options, known)};

static const struct option model_rows[] = {
    {"name", &type_text, MEMBER(struct model_options, name),
     .doc = "For people. Left out: the id."},
    {"context", &type_number, MEMBER(struct model_options, context), .min = 1,
     .doc = "Tokens of prompt and answer together."},
    {"created", &type_number, MEMBER(struct model_options, created), .min = 1,
     .doc = "When it came out, in unix seconds, for lists of models."},
    {"category", &type_word, MEMBER(struct model_options, category), .words = category_words,
     .fallback = "llm", .known_bit = MODEL_CATEGORY, .doc = "What it is for."},
    {"input", &type_words, MEMBER(struct model_options, input), .words = modality_words,
     .known_bit = MODEL_INPUT, .doc = "What it can be shown. Left out: anything."},
    {"output", &type_words, MEMBER(struct model_options, output), .words = modality_words,
     .known_bit = MODEL_OUTPUT,
     .doc =
         "What it makes. Left out: what its category is about, and `text` without one. Pictures and "
         "sound are only asked of models that are said to make them, or of which nothing is said."},
    {"distillable", &type_bool, MEMBER(struct model_options, distillable), .fallback = "false",
     .doc = "Its author allows other models to be trained on what it writes."},
    {"endpoints", &type_list, MEMBER(struct model_options, endpoints),
     COUNT(struct model_options, nendpoints), .object = &endpoint_object, .doc = "Who can answer."},
    {"alias", &type_alias, MEMBER(struct model_options, alias), COUNT(struct model_options, nalias),
     .doc = "Instead of endpoints: other models, tried in this order."},
};
const struct object model_object = {"models.ID",
                                    "What a caller names. The id is `author/name`, or any word.",
                                    ROWS(model_rows),
                                    .size = sizeof(struct model_options),
                                    .known_offset = offsetof(struct model_options, known),
                                    .shorthand = &endpoint_object,
                                    .finish = model_finish};

/* ── admin, store, observability ─────────────────────────────────────────────────────────────── */

static const struct option admin_rows[] = {
    {"token", &type_secret, MEMBER(struct snapshot, admin_token),
     .doc = "What `admin` listeners ask for. They need one unless they are on loopback."},
};
static const struct object admin_object = {"admin", "The process's own management.",
                                           ROWS(admin_rows), .size = sizeof(struct snapshot)};

static const struct option secrets_rows[] = {
    {"master_key", &type_master_keys, MEMBER(struct snapshot, master_keys),
     .doc = "32 bytes as base64 or hexadecimal (`openssl rand -base64 32`). A list rotates: the "
            "first encrypts, all decrypt."},
};
static const struct object secrets_object = {
    "secrets",
    "What the store keeps encrypted (AES-256-GCM): credentials that callers bring through "
    "`/v1/byok`, which cannot be managed without a key, and answers kept to be given again, which "
    "stay in memory without one.",
    ROWS(secrets_rows), .size = sizeof(struct snapshot)};

static const struct word on_error_words[] = {{"local", 0}, {"reject", 1}, {0}};

static const struct option store_rows[] = {
    {"url", &type_text, MEMBER(struct store_options, url),
     .fallback = "memory:", .restart = "store.url",
     .doc = "`memory:`, `sqlite:///path`, `redis://user:password@host:6379/0`, `rediss://…` or "
            "`redis+unix:///path?db=0`."},
    {"password", &type_secret, MEMBER(struct store_options, password), .restart = "store.password",
     .doc = "Redis's password, when it is not in the URL."},
    {"tls", &type_group, MEMBER(struct store_options, tls_options), .object = &provider_tls,
     .restart = "store.tls", .doc = "Verification of a `rediss://` server."},
    {"prefix", &type_text, MEMBER(struct store_options, prefix),
     .fallback = "sluice:", .restart = "store.prefix", .doc = "In front of every key in Redis."},
    {"timeout", &type_duration, MEMBER(struct store_options, timeout_ms), .fallback = "50ms",
     .min = 1, .max = 60000, .restart = "store.timeout",
     .doc = "Deadline of one call to the store."},
    {"on_error", &type_word, MEMBER(struct store_options, fail_closed), .words = on_error_words,
     .fallback = "local", .restart = "store.on_error",
     .doc = "Without its store sluice counts by itself (`local`) or refuses requests (`reject`)."},
};
static const struct object store_object = {
    "store", "Where counters and keys live. `memory:` needs nothing and forgets at exit.",
    ROWS(store_rows), .size = sizeof(struct store_options), .finish = store_finish};

static const struct option history_rows[] = {
    {"enabled", &type_bool, MEMBER(struct history_options, enabled), .fallback = "true",
     .doc = "Off, nothing is kept; what was kept before stays until it is too old."},
    {"retention", &type_duration, MEMBER(struct history_options, retention_ms), .fallback = "90d",
     .min = 1000, .max = 3660ull * DAY_MS, .doc = "How long a record is kept."},
    {"max_records", &type_number, MEMBER(struct history_options, max_records),
     .fallback = "1000000", .min = 100, .max = 1000000000,
     .doc = "The oldest go when Redis holds more: a record takes some 350 bytes there. In "
            "memory 10000 are the most; an SQLite file has no such limit."},
};
static const struct object history_object = {
    "history",
    "What was asked of the gateway, and what became of it, call by call: [logs.md](logs.md). Kept "
    "where `store` says; never a word of a prompt or an answer.",
    ROWS(history_rows), .size = sizeof(struct history_options)};

static const struct option cache_rows[] = {
    {"enabled", &type_bool, MEMBER(struct cache_options, enabled), .fallback = "true",
     .doc = "`false`: requests with `cache_strategy: infrai` are answered as all others are."},
    {"ttl", &type_duration, MEMBER(struct cache_options, ttl_ms), .fallback = "5m", .min = 1,
     .max = WEEK_MS, .doc = "How long an answer is given again."},
    {"max_size", &type_size, MEMBER(struct cache_options, max_bytes), .fallback = "512KiB",
     .min = 1024, .max = 512 * 1024, .doc = "Largest answer that is kept."},
};
static const struct object cache_object = {
    "cache",
    "Answers given again to whoever asks for it with `cache_strategy: infrai`: "
    "[idempotency.md](idempotency.md#the-response-cache).",
    ROWS(cache_rows), .size = sizeof(struct cache_options)};

static const struct word level_words[] = {
    {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warn", LOG_WARN}, {"error", LOG_ERROR}, {0}};
static const struct word format_words[] = {
    {"auto", LOG_AUTO}, {"text", LOG_TEXT}, {"json", LOG_JSON}, {0}};

static const struct option log_rows[] = {
    {"level", &type_word, MEMBER(struct observability_options, level), .words = level_words,
     .fallback = "info", .doc = "The least important lines that are written."},
    {"format", &type_word, MEMBER(struct observability_options, format), .words = format_words,
     .fallback = "auto", .restart = "observability.log.format",
     .doc = "`auto` is text on a terminal and JSON elsewhere."},
};
static const struct object log_object = {"observability.log", "What happens, on standard error.",
                                         ROWS(log_rows),
                                         .size = sizeof(struct observability_options)};

static const struct option tracing_rows[] = {
    {"otlp", &type_text, MEMBER(struct tracing_options, otlp),
     .doc =
         "The collector, `http://127.0.0.1:4318`: spans are posted to `/v1/traces` there, as JSON. "
         "Without it there are none."},
    {"headers", &type_secret_headers, MEMBER(struct tracing_options, headers),
     COUNT(struct tracing_options, nheaders),
     .doc = "Sent along: what the collector wants to know its customers by."},
    {"sample", &type_share, MEMBER(struct tracing_options, sample_ppm), .fallback = "1",
     .doc = "How many of the requests are traced that no `traceparent` decides about."},
    {"propagate", &type_bool, MEMBER(struct tracing_options, propagates), .fallback = "true",
     .doc = "Providers get a `traceparent` of their attempt, and the client's `tracestate`."},
    {"service", &type_text, MEMBER(struct tracing_options, service), .fallback = "sluice",
     .doc = "`service.name` of the spans."},
    {"ca", &type_text, MEMBER(struct tracing_options, ca),
     .doc = "PEM file with the authorities to trust instead of the system's."},
};
static const struct object tracing_object = {
    "observability.tracing", "OpenTelemetry spans: [observability.md](observability.md).",
    ROWS(tracing_rows), .size = sizeof(struct tracing_options), .finish = tracing_finish};

static const struct option observability_rows[] = {
    {"log", &type_group, .object = &log_object, .doc = "The log."},
    {"access_log", &type_text, MEMBER(struct observability_options, access_log),
     .fallback = "stdout", .restart = "observability.access_log",
     .doc = "One JSON line a request: `stdout`, `off`, or a file."},
    {"tracing", &type_group, MEMBER(struct observability_options, tracing),
     .object = &tracing_object, .doc = "Spans."},
};
static const struct object observability_object = {
    "observability", "Logs and traces. Metrics are on `/metrics` of listeners that serve them.",
    ROWS(observability_rows), .size = sizeof(struct observability_options)};

/* ── the file ────────────────────────────────────────────────────────────────────────────────── */

static const struct word auth_words[] = {{"none", 0}, {"required", 1}, {0}};

static const struct option root_rows[] = {
    {"version", &type_number, MEMBER(struct snapshot, version), .fallback = "1", .min = 1, .max = 1,
     .doc = "Of this file's form."},
    {"listen", &type_listen,
     .doc = "Short form of `listeners`: one address for everything a "
            "client needs."},
    {"listeners", &type_list, MEMBER(struct snapshot, listeners),
     COUNT(struct snapshot, nlisteners), .object = &listener_object,
     .doc = "Where clients connect."},
    {"server", &type_group, MEMBER(struct snapshot, server), .object = &server_object,
     .doc = "Limits and deadlines towards clients."},
    {"providers", &type_map, MEMBER(struct snapshot, providers), COUNT(struct snapshot, nproviders),
     .object = &provider_object, .doc = "Where models are."},
    {"translation", &type_group, MEMBER(struct snapshot, translation),
     .object = &translation_object,
     .doc = "What becomes of what other protocols have no word for."},
    {"routing", &type_group, MEMBER(struct snapshot, routing), .object = &routing_object,
     .doc = "Which endpoint is asked."},
    {"demo", &type_bool, MEMBER(struct snapshot, demo), .fallback = "true",
     .doc = "Offer `sluice/demo`, a built-in model that needs no account and says it is a demo."},
    {"models", &type_map, MEMBER(struct snapshot, models), COUNT(struct snapshot, nmodels),
     .object = &model_object, .doc = "What callers may name."},
    {"account", &type_group, MEMBER(struct snapshot, account), .object = &account_object,
     .doc = "Whose gateway this is."},
    {"plans", &type_map, MEMBER(struct snapshot, plans), COUNT(struct snapshot, nplans),
     .object = &plan_object, .doc = "What a subscription includes."},
    {"keys", &type_list, MEMBER(struct snapshot, keys), COUNT(struct snapshot, nkeys),
     .object = &key_object, .may_be_empty = true, .doc = "Who may call."},
    {"key_prefix", &type_text, MEMBER(struct snapshot, key_prefix), .fallback = "sl_live_",
     .doc = "What keys begin with that `POST /v1/keys` makes: 2 to 24 letters, digits, dashes and "
            "underscores."},
    {"byok", &type_own_credentials, MEMBER(struct snapshot, byok), COUNT(struct snapshot, nbyok),
     .doc = "The same as a key's `byok`, for everybody's requests: asked before the provider's own "
            "credential."},
    {"auth", &type_word, MEMBER(struct snapshot, auth_required), .words = auth_words,
     .fallback = "required",
     .doc = "`none` lets everybody call, and is accepted on loopback and unix listeners only."},
    {"admin", &type_group, .object = &admin_object, .doc = "The process's own management."},
    {"secrets", &type_group, .object = &secrets_object, .doc = "What encrypts what is kept."},
    {"store", &type_group, MEMBER(struct snapshot, store), .object = &store_object,
     .doc = "Where counters and keys live."},
    {"history", &type_group, MEMBER(struct snapshot, history), .object = &history_object,
     .doc = "Records of calls."},
    {"cache", &type_group, MEMBER(struct snapshot, cache), .object = &cache_object,
     .doc = "Answers given again."},
    {"observability", &type_group, MEMBER(struct snapshot, observability),
     .object = &observability_object, .doc = "Logs and traces."},
};
const struct object root_object = {"The file", "One YAML document (JSON is YAML, too).",
                                   ROWS(root_rows), .size = sizeof(struct snapshot),
                                   .finish = root_finish};
