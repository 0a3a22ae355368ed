#include "manage.h"
#include "rows.h"

#include "sluice/base/log.h"

#include <stdio.h>

static const struct exchange_kind chat = {.api = API_CHAT, .label = "chat"};
static const struct exchange_kind completions = {.api = API_COMPLETIONS, .label = "completions"};
static const struct exchange_kind messages = {.api = API_MESSAGES, .label = "messages"};
static const struct exchange_kind count_tokens = {.api = API_COUNT_TOKENS, .label = "count_tokens"};
static const struct exchange_kind responses = {.api = API_RESPONSES, .label = "responses"};
static const struct exchange_kind embeddings = {.api = API_EMBEDDINGS, .label = "embeddings"};
static const struct exchange_kind models = {.api = API_OTHER, .label = "models"};
static const struct exchange_kind nothing = {.api = API_OTHER, .label = "none"};

/* Health is offered on api listeners too, so that one port is enough. */
static const unsigned PROBES = SERVES_HEALTH | SERVES_API | SERVES_ADMIN;

static const unsigned MANAGES = SERVES_API | SERVES_ADMIN;

static const struct row rows[] = {
    {METHOD_POST, "/v1/chat/completions", SERVES_API, &chat, NULL},
    {METHOD_POST, "/v1/completions", SERVES_API, &completions, NULL},
    {METHOD_POST, "/v1/messages", SERVES_API, &messages, NULL},
    {METHOD_POST, "/v1/messages/count_tokens", SERVES_API, &count_tokens, NULL},
    {METHOD_POST, "/v1/responses", SERVES_API, &responses, NULL},
    {METHOD_POST, "/v1/embeddings", SERVES_API, &embeddings, NULL},
    {METHOD_GET, "/v1/models", SERVES_API, &models, models_list},
    {METHOD_GET, "/v1/models/*", SERVES_API, &models, models_one},
    {METHOD_POST, "/v1/byok", MANAGES, &byok_add, NULL, true},
    {METHOD_GET, "/v1/byok", MANAGES, &byok_add, byok_list, true},
    {METHOD_POST, "/v1/byok/*/test", MANAGES, &byok_test, NULL, true},
    {METHOD_PATCH, "/v1/byok/*", MANAGES, &byok_change, NULL, true},
    {METHOD_DELETE, "/v1/byok/*", MANAGES, &byok_remove, NULL, true},
    {METHOD_GET, "/healthz", PROBES, NULL, operate_live},
    {METHOD_GET, "/livez", PROBES, NULL, operate_live},
    {METHOD_GET, "/readyz", PROBES, NULL, operate_ready},
    {METHOD_GET, "/metrics", SERVES_METRICS, NULL, operate_metrics},
    {METHOD_POST, "/admin/v1/reload", SERVES_ADMIN, NULL, operate_reload},
    {METHOD_GET, "/admin/v1/status", SERVES_ADMIN, NULL, operate_status},
    {METHOD_GET, "/admin/v1/config", SERVES_ADMIN, NULL, operate_config},
};

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

/* The row for path and method; NULL with `*allowed` set (a comma list) when only the path is known. */
static const struct row *find_row_of(struct call *call, char allowed[64])
{
    enum http_method method = call->head->method;
    if (method == METHOD_HEAD)
        method = METHOD_GET;
    allowed[0] = '\0';
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (!(row->serves & call->api->serves) || !matches(row, call->path, &call->rest))
            continue;
        if (row->method == method)
            return row;
        size_t len = strlen(allowed);
        snprintf(allowed + len, 64 - len, "%s%s%s", len > 0 ? ", " : "",
                 http_method_name(row->method), row->method == METHOD_GET ? ", HEAD" : "");
    }
    return NULL;
}

/* Segments that mean something of their own at this place, today or some day (contract D-31). */
static bool is_reserved(struct span id)
{
    static const char *const words[] = {
        "account",   "activity", "ai",        "alerts",     "audio",       "audios", "balance",
        "batches",   "byok",     "chat",      "cloudsway",  "completions", "delete", "embeddings",
        "exa",       "files",    "firecrawl", "images",     "keys",        "list",   "logs",
        "media",     "messages", "models",    "perplexity", "providers",   "quota",  "rerank",
        "responses", "status",   "tavily",    "upload",     "video",       "videos",
    };
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (span_eq(id, span_text(words[i])))
            return true;
    }
    return false;
}

static bool is_pipeline(struct span id)
{
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = id.at[i];
        bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!is_word && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return id.len >= 3 && id.len <= 64 && !is_reserved(id);
}

/* /v1/{pipeline}/rest becomes /v1/rest, in `path`. */
static bool take_pipeline(struct call *call, char path[96])
{
    struct span rest = call->path;
    if (!span_starts(rest, SPAN_LIT("/v1/")))
        return false;
    rest = span_skip(rest, 4);
    struct span id = span_cut(&rest, '/');
    if (!is_pipeline(id) || rest.len == 0 || rest.len > 64)
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
    if (row == NULL || row->answer != NULL || row->kind->take != NULL) {
        allowed[0] = '\0';
        return NULL;
    }
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
                      "X-Sluice-Warning, "
                      "Server-Timing, Request-Id, Retry-After, Retry-After-Ms, X-Should-Retry, "
                      "X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Tier\r\n");
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

static bool check_body_type(struct exchange *x, const struct http_head *head)
{
    struct fault why = {.kind = FAULT_UNSUPPORTED_MEDIA_TYPE};
    struct span type = head_get(head, FIELD_CONTENT_TYPE);
    struct span coding = head_get(head, FIELD_CONTENT_ENCODING);
    if (!is_json(type))
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

static void *open_exchange(const struct row *row, const struct call *call, uint64_t *body_max)
{
    struct exchange *x = exchange_open(call->api->gateway, call->sink, row->kind, call->head);
    if (call->fields.len > 0)
        exchange_add_fields(x, call->fields);
    if (call->pipeline.len > 0)
        exchange_fix_model(x, call->pipeline);
    if (call->rest.len > 0)
        exchange_set_subject(x, call->rest);
    bool may = row->manages ? manage_admit(call, x) : exchange_authenticate(x, call->head);
    if (!may || !check_body_type(x, call->head))
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
