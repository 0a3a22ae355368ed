#include "manage.h"
#include "rows.h"

#include "sluice/admit/scope.h"
#include "sluice/base/log.h"
#include "sluice/config/pipeline.h"

#include <stdio.h>

static const struct exchange_kind chat = {.api = API_CHAT, .label = "chat"};
static const struct exchange_kind completions = {.api = API_COMPLETIONS, .label = "completions"};
static const struct exchange_kind messages = {.api = API_MESSAGES, .label = "messages"};
static const struct exchange_kind count_tokens = {.api = API_COUNT_TOKENS, .label = "count_tokens"};
static const struct exchange_kind responses = {.api = API_RESPONSES, .label = "responses"};
static const struct exchange_kind embeddings = {.api = API_EMBEDDINGS, .label = "embeddings"};
static const struct exchange_kind explain = {.api = API_CHAT, .label = "explain", .explains = true};
static const struct exchange_kind tokens = {
    .api = API_INFRAI, .label = "tokens", .estimates = ESTIMATES_TOKENS};
static const struct exchange_kind cost = {
    .api = API_INFRAI, .label = "cost", .estimates = ESTIMATES_COST};
static const struct exchange_kind costs = {
    .api = API_INFRAI, .label = "cost", .estimates = ESTIMATES_COSTS};
static const struct exchange_kind images = {.api = API_IMAGES, .label = "images"};
static const struct exchange_kind speech = {.api = API_SPEECH, .label = "speech"};
static const struct exchange_kind transcriptions = {.api = API_TRANSCRIPTIONS,
                                                    .label = "transcriptions"};
static const struct exchange_kind translations = {.api = API_TRANSLATIONS, .label = "translations"};
static const struct exchange_kind models = {.api = API_OTHER, .label = "models"};
static const struct exchange_kind providers = {.api = API_OTHER, .label = "providers"};
static const struct exchange_kind logs = {.api = API_OTHER, .label = "logs"};
static const struct exchange_kind activity = {.api = API_OTHER, .label = "activity"};
static const struct exchange_kind nothing = {.api = API_OTHER, .label = "none"};

/* Health is offered on api listeners too, so that one port is enough. */
static const unsigned PROBES = SERVES_HEALTH | SERVES_API | SERVES_ADMIN;

static const unsigned MANAGES = SERVES_API | SERVES_ADMIN;

static const struct row rows[] = {
    {METHOD_POST, "/v1/chat/completions", SERVES_API, &chat, NULL, "Answers a chat", "ChatRequest",
     "ChatAnswer", "ChatChunk"},
    {METHOD_POST, "/v1/completions", SERVES_API, &completions, NULL, "Completes a text",
     "CompletionRequest", "CompletionAnswer", "CompletionAnswer"},
    {METHOD_POST, "/v1/messages", SERVES_API, &messages, NULL, "Answers Anthropic's Messages",
     "MessagesRequest", "MessagesAnswer", "MessagesEvent"},
    {METHOD_POST, "/v1/messages/count_tokens", SERVES_API, &count_tokens, NULL,
     "Counts the tokens of a Messages request", "CountTokensRequest", "CountTokensAnswer"},
    {METHOD_POST, "/v1/responses", SERVES_API, &responses, NULL, "Answers OpenAI's Responses",
     "ResponsesRequest", "ResponsesAnswer", "ResponsesEvent"},
    {METHOD_POST, "/v1/embeddings", SERVES_API, &embeddings, NULL, "Makes vectors of texts",
     "EmbeddingsRequest", "EmbeddingsAnswer"},
    {METHOD_POST, "/v1/images/generations", SERVES_API, &images, NULL,
     "Makes pictures out of words", "ImageRequest", "ImageAnswer"},
    {METHOD_POST, "/v1/audio/speech", SERVES_API, &speech, NULL, "Speaks a text", "SpeechRequest",
     "audio/mpeg"},
    {METHOD_POST, "/v1/audio/transcriptions", SERVES_API, &transcriptions, NULL,
     "Writes down what is said", "multipart/form-data TranscriptionRequest", "TranscriptionAnswer"},
    {METHOD_POST, "/v1/audio/translations", SERVES_API, &translations, NULL,
     "Writes down in English what is said", "multipart/form-data TranscriptionRequest",
     "TranscriptionAnswer"},
    {METHOD_POST, "/v1/route/explain", SERVES_API, &explain, NULL,
     "Tells how a request would be routed, without asking anybody", "ExplainRequest",
     "Explanation"},
    {METHOD_POST, "/v1/ai/tokens/count", SERVES_API, &tokens, NULL,
     "Counts the tokens of a prompt, without asking anybody", "TokensRequest", "TokensAnswer"},
    {METHOD_POST, "/v1/ai/cost/estimate", SERVES_API, &cost, NULL,
     "Tells what a request would cost, without asking anybody", "CostRequest", "CostEstimate"},
    {METHOD_POST, "/v1/ai/cost/compare", SERVES_API, &costs, NULL,
     "Tells what a request would cost with each of several models", "CostsRequest",
     "CostEstimates"},
    {METHOD_GET, "/v1/models", SERVES_API, &models, models_list,
     "Lists the models the key may call", NULL, "ModelList", .takes_pipeline = true},
    {METHOD_GET, "/v1/models/*/endpoints", SERVES_API, &models, models_endpoints,
     "Lists who answers for a model, and how they do", NULL, "EndpointList"},
    {METHOD_GET, "/v1/models/*", SERVES_API, &models, models_one, "Tells what a model can do", NULL,
     "Model"},
    {METHOD_GET, "/v1/providers", SERVES_API, &providers, providers_list,
     "Lists the providers by the names requests use", NULL, "ProviderList"},
    {METHOD_GET, "/v1/openapi.json", SERVES_API, NULL, openapi_document, "This document"},
    {METHOD_POST, "/v1/keys", MANAGES, &key_add, NULL, "Makes a key, and shows it once",
     "KeyRequest", "KeyMade", .manages = true},
    {METHOD_GET, "/v1/keys", MANAGES, &key_add, keys_list, "Lists the keys, the newest first", NULL,
     "KeyList", .manages = true},
    {METHOD_POST, "/v1/keys/*/rotate", MANAGES, &key_rotate, NULL,
     "Replaces a key's secret, and shows the new one once", "KeyRotation", "KeyMade",
     .manages = true},
    {METHOD_GET, "/v1/keys/*", MANAGES, &key_add, keys_one, "Tells what a key may do", NULL, "Key",
     .manages = true},
    {METHOD_PATCH, "/v1/keys/*", MANAGES, &key_change, NULL, "Changes a key", "KeyChange", "Key",
     .manages = true},
    {METHOD_DELETE, "/v1/keys/*", MANAGES, &key_remove, NULL, "Ends a key", NULL, "KeyRemoved",
     .manages = true},
    {METHOD_POST, "/v1/byok", MANAGES, &byok_add, NULL, "Adds a credential of callers' own",
     "CredentialRequest", "Credential", .manages = true},
    {METHOD_GET, "/v1/byok", MANAGES, &byok_add, byok_list, "Lists credentials, masked", NULL,
     "CredentialList", .manages = true},
    {METHOD_POST, "/v1/byok/*/test", MANAGES, &byok_test, NULL,
     "Tries a credential with a live call", NULL, "CredentialTest", .manages = true},
    {METHOD_PATCH, "/v1/byok/*", MANAGES, &byok_change, NULL, "Changes a credential",
     "CredentialChange", "Credential", .manages = true},
    {METHOD_DELETE, "/v1/byok/*", MANAGES, &byok_remove, NULL, "Removes a credential", NULL,
     "CredentialRemoved", .manages = true},
    {METHOD_GET, "/v1/balance", MANAGES, &account_balance, NULL, "Tells what credit is left", NULL,
     "Balance", .tells_of_account = true},
    {METHOD_GET, "/v1/quota", MANAGES, &account_quota, NULL,
     "Tells the limits of the key and of the account, and what is used of them", NULL, "Quota",
     .tells_of_account = true},
    {METHOD_POST, "/v1/account/topup", MANAGES, &account_topup, NULL,
     "Tells where to pay for more credit", "TopupRequest", "Topup", .tells_of_account = true},
    {METHOD_POST, "/v1/account/credit", MANAGES, &account_credit, NULL,
     "Credits the account, or takes credit away", "CreditRequest", "Credit", .manages = true},
    {METHOD_GET, "/v1/logs/export", MANAGES, &logs, logs_export,
     "Streams all records of calls, as JSON lines or CSV", NULL, "application/x-ndjson",
     .manages = true},
    {METHOD_GET, "/v1/logs/*", MANAGES, &logs, logs_one, "Tells what became of a call", NULL,
     "LogRecord", .manages = true},
    {METHOD_GET, "/v1/logs", MANAGES, &logs, logs_list, "Lists the records of calls, newest first",
     NULL, "LogList", .manages = true},
    {METHOD_GET, "/v1/activity/export", MANAGES, &activity, activity_export,
     "The same figures, as CSV", NULL, "text/csv", .manages = true},
    {METHOD_GET, "/v1/activity", MANAGES, &activity, activity_show,
     "Adds calls up over time: tokens, spend, latency, errors", NULL, "Activity", .manages = true},
    {METHOD_GET, "/healthz", PROBES, NULL, operate_live, "Does the process turn?"},
    {METHOD_GET, "/livez", PROBES, NULL, operate_live, "Does the process turn?"},
    {METHOD_GET, "/readyz", PROBES, NULL, operate_ready, "Does it serve?"},
    {METHOD_GET, "/metrics", SERVES_METRICS, NULL, operate_metrics, "Metrics for Prometheus", NULL,
     "text/plain"},
    {METHOD_POST, "/admin/v1/reload", SERVES_ADMIN, NULL, operate_reload,
     "Reads the configuration again"},
    {METHOD_GET, "/admin/v1/status", SERVES_ADMIN, NULL, operate_status, "What it is doing"},
    {METHOD_GET, "/admin/v1/config", SERVES_ADMIN, NULL, operate_config,
     "The configuration in force, secrets masked", NULL, "application/yaml"},
};

const struct row *row_at(unsigned i)
{
    return i < sizeof rows / sizeof rows[0] ? &rows[i] : NULL;
}

/* --- answers without an exchange ----------------------------------------------------------------- */

void reply(struct sink *sink, unsigned status, const char *content_type, struct span fields,
           struct span body)
{
    char lines[1024];
    int n = snprintf(lines, sizeof lines, "Content-Type: %s\r\n%.*s", content_type,
                     (int)(fields.len < 800 ? fields.len : 0), (const char *)fields.at);
    struct response_head head = {
        .status = status,
        .fields = span_of(lines, (size_t)n),
        .content_length = LENGTH_UNKNOWN,
    };
    sink_head(sink, &head);
    sink_end(sink, &body, 1);
}

struct exchange *call_open(const struct row *row, const struct call *call)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    return exchange_authenticate(x, call->head) ? x : NULL;
}

/* --- paths ---------------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes what stands for one path parameter; SPAN_NONE when it cannot be one. */
static struct span decode(struct span s, uint8_t out[512])
{
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        if (c == '%') {
            if (i + 2 >= s.len || hex_digit(s.at[i + 1]) < 0 || hex_digit(s.at[i + 2]) < 0)
                return SPAN_NONE;
            c = (uint8_t)(hex_digit(s.at[i + 1]) << 4 | hex_digit(s.at[i + 2]));
            i += 2;
        }
        if (c == '\0' || len == 512)
            return SPAN_NONE;
        out[len++] = c;
    }
    return span_of(out, len);
}

/* The path of any request target form, without what /v1 may be called besides (contract 0.1). */
static void split_target(struct call *call)
{
    struct span rest = call->head->target;
    if (span_starts(rest, SPAN_LIT("http://")) || span_starts(rest, SPAN_LIT("https://"))) {
        size_t authority = span_find(rest, SPAN_LIT("//")) + 2;
        size_t slash = span_find(span_skip(rest, authority), SPAN_LIT("/"));
        rest = slash == SIZE_MAX ? SPAN_LIT("/") : span_skip(rest, authority + slash);
    }
    struct span path = span_cut(&rest, '?');
    call->query = rest;
    if (span_starts(path, SPAN_LIT("/api/v1/")))
        path = span_skip(path, 4);
    if (path.len > 1 && path.at[path.len - 1] == '/')
        path.len--;
    call->path = path;
}

static bool matches(const struct row *row, struct span path, struct span *rest)
{
    struct span behind = span_text(row->path);
    struct span before = span_cut(&behind, '*');
    if (before.len == strlen(row->path))
        return span_eq(before, path);
    if (path.len <= before.len + behind.len || !span_starts(path, before) ||
        !span_eq(span_skip(path, path.len - behind.len), behind))
        return false;
    *rest = span_sub(path, before.len, path.len - before.len - behind.len);
    return true;
}

static bool is_offered(const struct row *row, const struct call *call)
{
    bool is_at_path = call->pipeline.len == 0 || row->takes_pipeline || row_reaches_models(row);
    return (row->serves & call->api->serves) && is_at_path;
}

/* The row for path and method; NULL with `*allowed` set (a comma list) when only the path is known. */
static const struct row *find_row_of(struct call *call, char allowed[64])
{
    enum http_method method = call->head->method;
    if (method == METHOD_HEAD)
        method = METHOD_GET;
    allowed[0] = '\0';
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (!is_offered(row, call) || !matches(row, call->path, &call->rest))
            continue;
        if (row->method == method)
            return row;
        size_t len = strlen(allowed);
        snprintf(allowed + len, 64 - len, "%s%s%s", len > 0 ? ", " : "",
                 http_method_name(row->method), row->method == METHOD_GET ? ", HEAD" : "");
    }
    return NULL;
}

/* /v1/{pipeline}/rest becomes /v1/rest, in `path`. */
static bool take_pipeline(struct call *call, char path[96])
{
    struct span rest = call->path;
    if (!span_starts(rest, SPAN_LIT("/v1/")))
        return false;
    rest = span_skip(rest, 4);
    struct span id = span_cut(&rest, '/');
    if (!pipeline_is_id(id) || rest.len == 0 || rest.len > 64)
        return false;
    int n = snprintf(path, 96, "/v1/%.*s", SPAN_FMT(rest));
    call->pipeline = id;
    call->path = span_of(path, (size_t)n);
    return true;
}

/* The row of a path that fixes the model, as far as models answer there. */
static const struct row *find_pipeline_row(struct call *call, char allowed[64])
{
    char path[96];
    struct span whole = call->path;
    if (!take_pipeline(call, path))
        return NULL;
    const struct row *row = find_row_of(call, allowed);
    call->path = whole;
    return row;
}

static const struct row *find_row(struct call *call, char allowed[64])
{
    const struct row *row = find_row_of(call, allowed);
    return row != NULL || allowed[0] != '\0' ? row : find_pipeline_row(call, allowed);
}

/* --- CORS ----------------------------------------------------------------------------------------- */

static bool origin_allowed(const struct api *api, struct span origin)
{
    for (unsigned i = 0; i < api->cors_origins.n; i++) {
        struct span allowed = span_text(api->cors_origins.at[i]);
        if (span_eq(allowed, SPAN_LIT("*")) || span_eq(allowed, origin))
            return true;
    }
    return false;
}

/* Lines for an answer to a browser page of an allowed origin; the requested headers are granted
 * as they are asked for, because SDKs add their own (x-stainless-*). */
static struct span cors_lines(const struct call *call, struct span origin, bool preflight,
                              char out[768])
{
    struct span wanted = head_value(call->head, "access-control-request-headers");
    int n = snprintf(out, 768, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n",
                     (int)(origin.len < 200 ? origin.len : 0), (const char *)origin.at);
    if (preflight)
        n += snprintf(out + n, 768 - (size_t)n,
                      "Access-Control-Allow-Methods: GET, POST, PATCH, DELETE\r\n"
                      "Access-Control-Allow-Headers: %.*s\r\nAccess-Control-Max-Age: 600\r\n",
                      (int)(wanted.len < 400 ? wanted.len : 0), (const char *)wanted.at);
    else
        n += snprintf(out + n, 768 - (size_t)n,
                      "Access-Control-Expose-Headers: X-Request-Id, X-Sluice-Model, "
                      "X-Sluice-Provider, X-Sluice-Attempts, X-Sluice-Dropped, "
                      "X-Sluice-Warning, X-Sluice-Explain, "
                      "Server-Timing, Request-Id, Retry-After, Retry-After-Ms, X-Should-Retry, "
                      "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Tier, "
                      "Idempotency-Replayed, X-Sluice-Cache\r\n");
    return span_of(out, (size_t)n);
}

static void fail_call(const struct call *call, const struct exchange_kind *kind,
                      const struct fault *why, struct span fields)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink,
                                       kind != NULL ? kind : &nothing, call->head);
    if (fields.len > 0)
        exchange_add_fields(x, fields);
    exchange_fail(x, why);
}

/* Did CORS answer the request? Otherwise call->fields holds what the answer has to carry. */
static bool handle_cors(struct call *call, char lines[768])
{
    struct span origin = head_get(call->head, FIELD_ORIGIN);
    bool preflight = call->head->method == METHOD_OPTIONS && origin.len > 0 &&
                     head_find(call->head, "access-control-request-method") != NULL;
    if (origin.len == 0)
        return false;
    if (origin_allowed(call->api, origin)) {
        call->fields = cors_lines(call, origin, preflight, lines);
        if (preflight)
            reply(call->sink, 204, "text/plain", call->fields, SPAN_NONE);
        return preflight;
    }
    if (!preflight)
        return false; /* the browser will keep the answer from the page */
    struct fault why = {.kind = FAULT_INVALID_REQUEST};
    snprintf(why.message, sizeof why.message,
             "the origin %.*s may not call this gateway; list it under the listener's cors.origins",
             (int)(origin.len < 120 ? origin.len : 120), (const char *)origin.at);
    fail_call(call, NULL, &why, SPAN_NONE);
    return true;
}

/* --- the two moments of a request -------------------------------------------------------------------- */

static bool is_json(struct span content_type)
{
    struct span type = span_trim(span_cut(&content_type, ';'));
    if (type.len == 0 || span_ieq(type, SPAN_LIT("application/json")))
        return true;
    return type.len > 5 && span_ieq(span_skip(type, type.len - 5), SPAN_LIT("+json"));
}

/* Said twice, who reads it after us could take the other one, and with it another boundary. */
static bool is_form(const struct http_head *head)
{
    unsigned said = 0;
    for (unsigned i = 0; i < head->nfields; i++)
        said += head->fields[i].id == FIELD_CONTENT_TYPE;
    return said == 1 && head_has_type(head, SPAN_LIT("multipart/form-data"));
}

static bool check_body_type(struct exchange *x, const struct row *row, const struct http_head *head)
{
    struct fault why = {.kind = FAULT_UNSUPPORTED_MEDIA_TYPE};
    struct span type = head_get(head, FIELD_CONTENT_TYPE);
    struct span coding = head_get(head, FIELD_CONTENT_ENCODING);
    bool wants_form = api_takes_form(row->kind->api);
    if (wants_form && !is_form(head))
        snprintf(why.message, sizeof why.message,
                 "the body must be a form: send one \"Content-Type: multipart/form-data\"");
    else if (!wants_form && !is_json(type))
        snprintf(why.message, sizeof why.message,
                 "the body must be JSON: send \"Content-Type: application/json\"");
    else if (coding.len > 0 && !span_ieq(coding, SPAN_LIT("identity")))
        snprintf(why.message, sizeof why.message,
                 "compressed request bodies are not read here: send it without Content-Encoding");
    else
        return true;
    exchange_fail(x, &why);
    return false;
}

static bool check_scope(struct exchange *x, const struct row *row, const struct call *call)
{
    struct fault why;
    const struct catalog *c = exchange_deployment(x)->catalog;
    if (!row_reaches_models(row) || scope_check_path(exchange_key(x), c, call->pipeline, &why))
        return true;
    exchange_fail(x, &why);
    return false;
}

static void *open_exchange(const struct row *row, const struct call *call, uint64_t *body_max)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    exchange_set_place(x, row->path);
    if (call->pipeline.len > 0)
        exchange_fix_model(x, call->pipeline);
    if (call->rest.len > 0)
        exchange_set_subject(x, call->rest);
    bool may = row->manages            ? manage_admit(call, x)
               : row->tells_of_account ? manage_admit_reader(call, x)
                                       : exchange_authenticate(x, call->head);
    if (!may || !check_scope(x, row, call) || !check_body_type(x, row, call->head))
        return NULL;
    *body_max = exchange_deployment(x)->snapshot->server.body_max_bytes;
    return x;
}

static void fail_unknown(const struct call *call, const char *allowed)
{
    struct fault why = {.kind = FAULT_NOT_FOUND};
    char lines[1024];
    int n = snprintf(lines, sizeof lines, "%.*s", SPAN_FMT(call->fields));
    if (allowed[0] != '\0') {
        why.kind = FAULT_METHOD_NOT_ALLOWED;
        snprintf(why.message, sizeof why.message, "this path answers to %s", allowed);
        n += snprintf(lines + n, sizeof lines - (size_t)n, "Allow: %s\r\n", allowed);
    } else {
        snprintf(why.message, sizeof why.message,
                 "nothing is served at %.*s; an OpenAI client's base_url ends in /v1",
                 (int)(call->path.len < 120 ? call->path.len : 120), (const char *)call->path.at);
    }
    fail_call(call, NULL, &why, span_of(lines, (size_t)n));
}

static void *on_open(void *ctx, struct sink *sink, const struct http_head *head, uint64_t *body_max)
{
    struct call call = {.api = ctx, .sink = sink, .head = head};
    char lines[768], allowed[64];
    uint8_t decoded[512];

    split_target(&call);
    if (handle_cors(&call, lines))
        return NULL;
    const struct row *row = find_row(&call, allowed);
    if (row == NULL) {
        fail_unknown(&call, allowed);
        return NULL;
    }
    call.rest = decode(call.rest, decoded);
    if (row->answer == NULL)
        return open_exchange(row, &call, body_max);
    row->answer(row, &call);
    return NULL;
}

static void on_complete(void *request, struct span body, struct body *kept)
{
    exchange_run(request, body, kept);
}

static enum fault_kind kind_of(const struct parser_problem *why)
{
    switch (why->status) {
    case 408:
        return FAULT_TIMEOUT;
    case 413:
        return FAULT_PAYLOAD_TOO_LARGE;
    case 503:
        return FAULT_OVERLOADED;
    default:
        return FAULT_TRANSPORT;
    }
}

static void on_refuse(void *ctx, void *request, struct sink *sink,
                      const struct parser_problem *problem)
{
    struct api *api = ctx;
    struct fault why = {.kind = kind_of(problem), .status = problem->status};
    snprintf(why.message, sizeof why.message, "%s", problem->what);
    if (request != NULL) {
        exchange_fail(request, &why);
        return;
    }
    char id[33], lines[64];
    struct buf body = {0};
    rng_request_id(&api->gateway->rng, clock_unix_ms(), id);
    log_debug("request refused", "status=%u problem=\"%s\"", problem->status, problem->what);
    if (fault_write_body(&why, API_OTHER, id, NULL, 0, &body) < 0)
        buf_clear(&body);
    int n = snprintf(lines, sizeof lines, "X-Request-Id: %s\r\n", id);
    reply(sink, problem->status, "application/json", span_of(lines, (size_t)n), buf_span(&body));
    buf_fini(&body);
}

const struct server_handler api_handler = {
    .open = on_open,
    .complete = on_complete,
    .refuse = on_refuse,
};
