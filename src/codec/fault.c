#include "sluice/codec/fault.h"

#include <stdio.h>

#include "sluice/format/json_walk.h"

struct kind_words {
    unsigned status;
    const char *type, *reason;
    unsigned retry_after_ms; /* when nobody said how long it will take */
};

/* Contract 0.4; where it has no word for what a provider says, protocols.md §9.2. */
static const struct kind_words words[] = {
    [FAULT_INVALID_REQUEST] = {400, "invalid_request_error", "INVALID_REQUEST", 0},
    [FAULT_UNSUPPORTED_PARAMETER] = {400, "unsupported_parameter", "UNSUPPORTED_PARAMETER", 0},
    [FAULT_INVALID_CURSOR] = {400, "invalid_cursor", "INVALID_CURSOR", 0},
    [FAULT_ABOVE_CEILING] = {400, "rate_limit_above_ceiling", "RATE_LIMIT_ABOVE_CEILING", 0},
    [FAULT_CONTEXT_LENGTH] = {400, "context_length_exceeded", "CONTEXT_LENGTH_EXCEEDED", 0},
    [FAULT_INVALID_API_KEY] = {401, "invalid_api_key", "INVALID_API_KEY", 0},
    [FAULT_INSUFFICIENT_CREDIT] = {402, "insufficient_credit", "INSUFFICIENT_CREDIT", 0},
    [FAULT_BUDGET_EXCEEDED] = {402, "budget_exceeded", "BUDGET_EXCEEDED", 0},
    [FAULT_KEY_SCOPE] = {403, "key_scope", "KEY_SCOPE", 0},
    [FAULT_PLAN_REQUIRED] = {403, "plan_required", "PLAN_REQUIRED", 0},
    [FAULT_PERMISSION] = {403, "permission_error", "PERMISSION_ERROR", 0},
    [FAULT_MODERATION] = {403, "moderation_flagged", "MODERATION_FLAGGED", 0},
    [FAULT_MODEL_NOT_FOUND] = {404, "model_not_found", "MODEL_NOT_FOUND", 0},
    [FAULT_NOT_FOUND] = {404, "not_found", "NOT_FOUND", 0},
    [FAULT_METHOD_NOT_ALLOWED] = {405, "method_not_allowed", "METHOD_NOT_ALLOWED", 0},
    [FAULT_TIMEOUT] = {408, "timeout", "TIMEOUT", 0},
    [FAULT_STATE_CONFLICT] = {409, "state_conflict", "STATE_CONFLICT", 0},
    [FAULT_IDEMPOTENCY_CONFLICT] = {409, "idempotency_conflict", "IDEMPOTENCY_CONFLICT", 0},
    [FAULT_IDEMPOTENCY_IN_FLIGHT] = {409, "idempotency_in_flight", "IDEMPOTENCY_IN_FLIGHT", 1000},
    [FAULT_PAYLOAD_TOO_LARGE] = {413, "payload_too_large", "PAYLOAD_TOO_LARGE", 0},
    [FAULT_UNSUPPORTED_MEDIA_TYPE] = {415, "unsupported_media_type", "UNSUPPORTED_MEDIA_TYPE", 0},
    [FAULT_UNPROCESSABLE] = {422, "unprocessable_entity", "UNPROCESSABLE_ENTITY", 0},
    [FAULT_RATE_LIMIT] = {429, "rate_limit_exceeded", "RATE_LIMIT_EXCEEDED", 1000},
    [FAULT_CONCURRENT_TASKS] = {429, "concurrent_tasks", "CONCURRENT_TASKS", 1000},
    [FAULT_UPSTREAM_RATE_LIMITED] = {429, "upstream_rate_limited", "UPSTREAM_RATE_LIMITED", 1000},
    [FAULT_INTERNAL] = {500, "internal_error", "INTERNAL_ERROR", 0},
    [FAULT_UPSTREAM] = {502, "upstream_error", "UPSTREAM_ERROR", 0},
    [FAULT_UPSTREAM_CREDENTIAL] = {502, "upstream_error", "UPSTREAM_CREDENTIAL", 0},
    [FAULT_UPSTREAM_QUOTA] = {502, "insufficient_quota", "UPSTREAM_QUOTA", 0},
    [FAULT_UPSTREAM_TIMEOUT] = {504, "timeout", "UPSTREAM_TIMEOUT", 0},
    [FAULT_UPSTREAM_UNAVAILABLE] = {503, "upstream_unavailable", "UPSTREAM_UNAVAILABLE", 30000},
    [FAULT_NO_PROVIDER] = {503, "no_provider_available", "NO_PROVIDER_AVAILABLE", 0},
    [FAULT_OVERLOADED] = {503, "overloaded", "OVERLOADED", 1000},
    [FAULT_SHUTTING_DOWN] = {503, "shutting_down", "SHUTTING_DOWN", 1000},
    [FAULT_TRANSPORT] = {400, "invalid_request_error", "INVALID_REQUEST", 0},
};

void fault_unknown_model(struct fault *out, struct span name, const char *param)
{
    *out = (struct fault){.kind = FAULT_MODEL_NOT_FOUND, .param = param};
    snprintf(out->message, sizeof out->message,
             "no model is named \"%.*s\" here; GET /v1/models lists those that are",
             SPAN_FMT(span_sub(name, 0, 200)));
}

unsigned fault_status(const struct fault *f)
{
    return f->status != 0 ? f->status : words[f->kind].status;
}

const char *fault_type(const struct fault *f)
{
    return words[f->kind].type;
}

unsigned fault_retry_after_ms(const struct fault *f)
{
    return f->retry_after_ms != 0 ? f->retry_after_ms : words[f->kind].retry_after_ms;
}

bool fault_is_lasting(const struct fault *f)
{
    return f->kind == FAULT_UPSTREAM_CREDENTIAL || f->kind == FAULT_UPSTREAM_QUOTA ||
           f->kind == FAULT_NO_PROVIDER || f->kind == FAULT_INSUFFICIENT_CREDIT ||
           f->kind == FAULT_BUDGET_EXCEEDED || f->kind == FAULT_IDEMPOTENCY_CONFLICT;
}

static int write_text(struct buf *out, const char *before, const char *text)
{
    int rc = buf_add_text(out, before);
    if (rc == 0)
        rc = buf_add_json(out, span_text(text));
    return rc;
}

/* Anthropic's word for the class of an error (protocols.md §9.2). */
static const char *messages_type(const struct fault *f)
{
    static const struct {
        unsigned status;
        const char *type;
    } types[] = {
        {401, "authentication_error"}, {402, "billing_error"},    {403, "permission_error"},
        {404, "not_found_error"},      {408, "timeout_error"},    {413, "request_too_large"},
        {429, "rate_limit_error"},     {503, "overloaded_error"}, {504, "timeout_error"},
        {529, "overloaded_error"},
    };
    unsigned status = fault_status(f);
    if (f->kind == FAULT_UPSTREAM_QUOTA)
        return "billing_error";
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].status == status)
            return types[i].type;
    }
    return status >= 500 ? "api_error" : "invalid_request_error";
}

/* Clients look for these, and shorten the conversation: Anthropic's for the words, OpenAI's for a code
 * (which is the status otherwise). */
static const char *too_long_words(const struct fault *f, enum api_protocol api)
{
    static const char phrase[] = "prompt is too long";
    bool is_due = f->kind == FAULT_CONTEXT_LENGTH && api_is_anthropics(api);
    return is_due && strstr(f->message, phrase) == NULL ? "prompt is too long: " : "";
}

static int write_code(const struct fault *f, enum api_protocol api, struct buf *out)
{
    if (f->kind == FAULT_CONTEXT_LENGTH && !api_is_anthropics(api))
        return buf_addf(out, "\",\"code\":\"%s\"", words[f->kind].type);
    return buf_addf(out, "\",\"code\":%u", fault_status(f));
}

/* `"message":…,"type":…,"param":…,"code":…,"reason":…` */
int fault_write_members(const struct fault *f, enum api_protocol api, struct buf *out)
{
    int rc = buf_addf(out, "\"message\":\"%s", too_long_words(f, api));
    if (rc == 0)
        rc = write_text(out, "", f->message);
    if (rc == 0)
        rc = buf_addf(out, "\",\"type\":\"%s\"",
                      api_is_anthropics(api) ? messages_type(f) : fault_type(f));
    if (rc == 0)
        rc = write_text(out, ",\"param\":\"", f->param == NULL ? "" : f->param);
    if (rc == 0)
        rc = write_code(f, api, out);
    return rc == 0 ? buf_addf(out, ",\"reason\":\"%s\"", words[f->kind].reason) : rc;
}

static int write_attempts(const struct fault_attempt *a, unsigned n, struct buf *out)
{
    int rc = buf_add_text(out, ",\"metadata\":{\"attempts\":[");
    for (unsigned i = 0; rc == 0 && i < n; i++) {
        rc = write_text(out, i > 0 ? ",{\"provider\":\"" : "{\"provider\":\"", a[i].provider);
        if (rc == 0)
            rc = write_text(out, "\",\"endpoint\":\"", a[i].endpoint);
        if (rc == 0)
            rc = buf_addf(out, "\",\"status\":%u,\"type\":\"%s\",\"latency_ms\":%u}", a[i].status,
                          a[i].type, a[i].latency_ms);
    }
    return rc == 0 ? buf_add_text(out, "]}") : rc;
}

int fault_write_body(const struct fault *f, enum api_protocol api, const char *request_id,
                     const struct fault_attempt *attempts, unsigned nattempts, struct buf *out)
{
    /* One envelope for all; Anthropic's SDKs look for a type at the top as well (contract D-25). */
    int rc = buf_add_text(out, api_is_anthropics(api) ? "{\"type\":\"error\",\"error\":{"
                                                      : "{\"error\":{");
    if (rc == 0)
        rc = fault_write_members(f, api, out);
    if (rc == 0 && nattempts > 0)
        rc = write_attempts(attempts, nattempts, out);
    if (rc == 0)
        rc = buf_addf(out, "},\"request_id\":\"%s\"}", request_id);
    return rc;
}

static int write_chat_end(const struct fault *f, enum api_protocol api, struct span request_id,
                          struct buf *out)
{
    const char *choice = api == API_COMPLETIONS
                             ? "{\"index\":0,\"text\":\"\",\"finish_reason\":\"error\"}"
                             : "{\"index\":0,\"delta\":{},\"finish_reason\":\"error\"}";
    const char *object = api == API_COMPLETIONS ? "text_completion" : "chat.completion.chunk";
    int rc = buf_addf(out,
                      "data: {\"id\":\"gen-%.*s\",\"object\":\"%s\",\"choices\":[%s],\"error\":{",
                      SPAN_FMT(request_id), object, choice);
    if (rc == 0)
        rc = fault_write_members(f, api, out);
    if (rc == 0)
        rc = buf_addf(out, "},\"request_id\":\"%.*s\"}\n\ndata: [DONE]\n\n", SPAN_FMT(request_id));
    return rc;
}

/* Messages, and the streams of pictures and sound, whose events have a type each. */
static int write_error_event(const struct fault *f, enum api_protocol api, struct span request_id,
                             struct buf *out)
{
    int rc = buf_add_text(out, "event: error\ndata: {\"type\":\"error\",\"error\":{");
    if (rc == 0)
        rc = fault_write_members(f, api, out);
    if (rc == 0)
        rc = buf_add_text(out, "}");
    if (rc == 0 && request_id.len > 0)
        rc = buf_addf(out, ",\"request_id\":\"%.*s\"", SPAN_FMT(request_id));
    return rc == 0 ? buf_add_text(out, "}\n\n") : rc;
}

const char *fault_openai_code(const struct fault *f)
{
    unsigned status = fault_status(f);
    switch (f->kind) {
    case FAULT_CONTEXT_LENGTH:
        return "context_length_exceeded";
    case FAULT_UPSTREAM_QUOTA:
    case FAULT_INSUFFICIENT_CREDIT:
    case FAULT_BUDGET_EXCEEDED:
        return "insufficient_quota";
    case FAULT_UPSTREAM_UNAVAILABLE:
    case FAULT_OVERLOADED:
        return "server_is_overloaded";
    case FAULT_RATE_LIMIT:
    case FAULT_CONCURRENT_TASKS:
    case FAULT_UPSTREAM_RATE_LIMITED:
        return "rate_limit_exceeded";
    default: /* Codex asks again on any word but those above and the next */
        return status < 500 && status != 408 && status != 409 ? "invalid_prompt" : "server_error";
    }
}

/* The response as it was begun, which is now another's end; of the items that have gone out already it
 * holds none. */
static int write_begun(struct span begun, struct buf *out)
{
    struct json_walk w;
    int rc = 0;
    json_walk_init(&w, begun);
    while (rc == 0 && json_walk_next(&w)) {
        if (json_walk_is(&w, "status") || json_walk_is(&w, "error"))
            continue;
        rc = buf_addf(out, "\"%.*s\":", SPAN_FMT(w.key));
        if (rc == 0)
            rc = buf_add(out, w.value);
        if (rc == 0)
            rc = buf_add_byte(out, ',');
    }
    return rc;
}

static int write_responses_end(const struct fault *f, struct span request_id,
                               const struct fault_place *place, struct buf *out)
{
    int rc = buf_addf(out,
                      "event: response.failed\ndata: {\"type\":\"response.failed\","
                      "\"sequence_number\":%llu,\"response\":{",
                      (unsigned long long)place->sequence + 1);
    if (rc == 0)
        rc = place->begun.len > 0
                 ? write_begun(place->begun, out)
                 : buf_addf(out, "\"id\":\"resp_%.*s\",\"object\":\"response\",\"output\":[],",
                            SPAN_FMT(request_id));
    if (rc == 0)
        rc = buf_addf(out, "\"status\":\"failed\",\"error\":{\"code\":\"%s\"",
                      fault_openai_code(f));
    if (rc == 0)
        rc = write_text(out, ",\"message\":\"", f->message);
    if (rc == 0)
        rc = buf_add_text(out, "\"}}}\n\n");
    return rc;
}

int fault_write_stream(const struct fault *f, enum api_protocol api, struct span request_id,
                       const struct fault_place *place, struct buf *out)
{
    static const struct fault_place nowhere = {.sequence = 0};
    switch (api) {
    case API_MESSAGES:
    case API_IMAGES:
    case API_SPEECH:
    case API_TRANSCRIPTIONS:
    case API_TRANSLATIONS:
        return write_error_event(f, api, request_id, out);
    case API_RESPONSES:
        return write_responses_end(f, request_id, place != NULL ? place : &nowhere, out);
    default:
        return write_chat_end(f, api, request_id, out);
    }
}
