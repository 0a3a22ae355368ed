/* table.c: every option there is, with table_keys.c, table_providers.c and table_routing.c. The order of the rows is the
 * order of the reference page, and of a configuration that is written back. */
#include "object.h"
#include "table_row.h"

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

static const struct word serves_words[] = {{"api", SERVES_API},         {"admin", SERVES_ADMIN},
                                           {"ui", SERVES_UI},           {"health", SERVES_HEALTH},
                                           {"metrics", SERVES_METRICS}, {0}};
const struct word tls_words[] = {{"1.2", 0}, {"1.3", 1}, {0}};

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
