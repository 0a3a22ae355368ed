#include "unit.h"

#include "sluice/codec/fault.h"

#include <yyjson.h>

static const char *text_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text == NULL ? "(none)" : text;
}

static yyjson_doc *parse(struct span text)
{
    char *copy = (char *)exact_copy(text);
    yyjson_doc *doc = yyjson_read(copy, text.len, 0);
    if (doc == NULL)
        print_error("not JSON: %.*s\n", SPAN_FMT(text));
    free(copy);
    assert_non_null(doc);
    return doc;
}

static bool has_type_in_body(const struct fault *f, enum api_protocol api, const char *type)
{
    struct buf out = {0};
    assert_int_equal(fault_write_body(f, api, "0123", NULL, 0, &out), 0);
    yyjson_doc *doc = parse(buf_span(&out));
    yyjson_val *root = yyjson_doc_get_root(doc), *error = yyjson_obj_get(root, "error");
    bool is_so = strcmp(text_of(error, "type"), type) == 0;
    bool is_anthropics = api == API_MESSAGES || api == API_COUNT_TOKENS;
    is_so &= is_anthropics == (strcmp(text_of(root, "type"), "error") == 0);
    yyjson_doc_free(doc);
    buf_fini(&out);
    return is_so;
}

/* A body's error.type for each of the two families, and what a Responses stream that fails says. */
static void every_kind_has_its_words_in_every_protocol(void **state)
{
    (void)state;
    static const struct {
        enum fault_kind kind;
        unsigned own_status, status;
        const char *type, *messages, *code;
    } rows[] = {
        {FAULT_INVALID_REQUEST, 0, 400, "invalid_request_error", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_INVALID_REQUEST, 409, 409, "invalid_request_error", "invalid_request_error",
         "server_error"},
        {FAULT_UNSUPPORTED_PARAMETER, 0, 400, "unsupported_parameter", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_CONTEXT_LENGTH, 0, 400, "context_length_exceeded", "invalid_request_error",
         "context_length_exceeded"},
        {FAULT_INVALID_API_KEY, 0, 401, "invalid_api_key", "authentication_error",
         "invalid_prompt"},
        {FAULT_INSUFFICIENT_CREDIT, 0, 402, "insufficient_credit", "billing_error",
         "insufficient_quota"},
        {FAULT_BUDGET_EXCEEDED, 0, 402, "budget_exceeded", "billing_error", "insufficient_quota"},
        {FAULT_KEY_SCOPE, 0, 403, "key_scope", "permission_error", "invalid_prompt"},
        {FAULT_PERMISSION, 0, 403, "permission_error", "permission_error", "invalid_prompt"},
        {FAULT_MODERATION, 0, 403, "moderation_flagged", "permission_error", "invalid_prompt"},
        {FAULT_MODEL_NOT_FOUND, 0, 404, "model_not_found", "not_found_error", "invalid_prompt"},
        {FAULT_NOT_FOUND, 0, 404, "not_found", "not_found_error", "invalid_prompt"},
        {FAULT_METHOD_NOT_ALLOWED, 0, 405, "method_not_allowed", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_TIMEOUT, 0, 408, "timeout", "timeout_error", "server_error"},
        {FAULT_PAYLOAD_TOO_LARGE, 0, 413, "payload_too_large", "request_too_large",
         "invalid_prompt"},
        {FAULT_UNSUPPORTED_MEDIA_TYPE, 0, 415, "unsupported_media_type", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_UNPROCESSABLE, 0, 422, "unprocessable_entity", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_RATE_LIMIT, 0, 429, "rate_limit_exceeded", "rate_limit_error",
         "rate_limit_exceeded"},
        {FAULT_CONCURRENT_TASKS, 0, 429, "concurrent_tasks", "rate_limit_error",
         "rate_limit_exceeded"},
        {FAULT_UPSTREAM_RATE_LIMITED, 0, 429, "upstream_rate_limited", "rate_limit_error",
         "rate_limit_exceeded"},
        {FAULT_TRANSPORT, 431, 431, "invalid_request_error", "invalid_request_error",
         "invalid_prompt"},
        {FAULT_INTERNAL, 0, 500, "internal_error", "api_error", "server_error"},
        {FAULT_UPSTREAM, 0, 502, "upstream_error", "api_error", "server_error"},
        {FAULT_UPSTREAM_CREDENTIAL, 0, 502, "upstream_error", "api_error", "server_error"},
        {FAULT_UPSTREAM_QUOTA, 0, 502, "insufficient_quota", "billing_error", "insufficient_quota"},
        {FAULT_NO_PROVIDER, 0, 503, "no_provider_available", "overloaded_error", "server_error"},
        {FAULT_UPSTREAM_UNAVAILABLE, 0, 503, "upstream_unavailable", "overloaded_error",
         "server_is_overloaded"},
        {FAULT_OVERLOADED, 0, 503, "overloaded", "overloaded_error", "server_is_overloaded"},
        {FAULT_SHUTTING_DOWN, 0, 503, "shutting_down", "overloaded_error", "server_error"},
        {FAULT_UPSTREAM_TIMEOUT, 0, 504, "timeout", "timeout_error", "server_error"},
        {FAULT_UPSTREAM_TIMEOUT, 408, 408, "timeout", "timeout_error", "server_error"},
    };
    static const enum api_protocol openais[] = {API_CHAT,      API_COMPLETIONS, API_EMBEDDINGS,
                                                API_RESPONSES, API_IMAGES,      API_SPEECH,
                                                API_OTHER};
    static const enum api_protocol anthropics[] = {API_MESSAGES, API_COUNT_TOKENS};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f = {.kind = rows[i].kind, .status = rows[i].own_status, .message = "m"};
        assert_row(i, fault_status(&f) == rows[i].status);
        assert_row(i, strcmp(fault_type(&f), rows[i].type) == 0);
        for (unsigned k = 0; k < ROWS(openais); k++)
            assert_row(i, has_type_in_body(&f, openais[k], rows[i].type));
        for (unsigned k = 0; k < ROWS(anthropics); k++)
            assert_row(i, has_type_in_body(&f, anthropics[k], rows[i].messages));
        assert_row(i, strcmp(fault_openai_code(&f), rows[i].code) == 0);
    }
}

static void what_may_pass_says_when_and_what_will_not_says_so(void **state)
{
    (void)state;
    for (enum fault_kind kind = 0; kind <= FAULT_UPSTREAM_QUOTA; kind++) {
        struct fault f = {.kind = kind};
        unsigned status = fault_status(&f), wait_ms = fault_retry_after_ms(&f);
        bool may_pass = status == 429 || (status == 503 && kind != FAULT_NO_PROVIDER);
        assert_row(kind, may_pass == (wait_ms >= 1000));
        assert_row(kind, !may_pass || !fault_is_lasting(&f));
        f.retry_after_ms = 20;
        assert_row(kind, fault_retry_after_ms(&f) == 20);
    }
}

static const char *const hostile[] = {
    "",
    "plain",
    "quote \" backslash \\ slash /",
    "line\r\nbreak\ttab \x01\x1f\x7f",
    "\"},\"x\":{\"",
    "data: [DONE]\n\ndata: {}\n\n",
    "</script><!--",
    "\xc3\xa4\xf0\x9f\x98\x80",
    "cut off \xf0\x9f\x98",
    "\xff\xfe\x80\xc0\xaf",
};

static void a_body_is_the_envelope_whatever_the_message(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS(hostile); i++) {
        struct fault f = {.kind = FAULT_UPSTREAM, .param = i % 2 == 0 ? NULL : hostile[i]};
        struct fault_attempt tried[] = {
            {.provider = hostile[i],
             .endpoint = "e",
             .type = "timeout",
             .status = 0,
             .latency_ms = 7},
            {.provider = "p", .endpoint = hostile[i], .type = "status_5xx", .status = 500},
        };
        struct buf out = {0};
        snprintf(f.message, sizeof(f.message), "%s", hostile[i]);
        assert_int_equal(fault_write_body(&f, API_CHAT, "0123", tried, i % 3, &out), 0);
        yyjson_doc *doc = parse(buf_span(&out));
        yyjson_val *root = yyjson_doc_get_root(doc), *error = yyjson_obj_get(root, "error");
        assert_row(i, yyjson_obj_size(root) == 2);
        assert_row(i, strcmp(text_of(root, "request_id"), "0123") == 0);
        assert_row(i, strcmp(text_of(error, "type"), "upstream_error") == 0);
        assert_row(i, strcmp(text_of(error, "reason"), "UPSTREAM_ERROR") == 0);
        assert_row(i, yyjson_get_int(yyjson_obj_get(error, "code")) == 502);
        assert_row(i, yyjson_is_str(yyjson_obj_get(error, "param")));
        yyjson_val *attempts = yyjson_obj_get(yyjson_obj_get(error, "metadata"), "attempts");
        assert_row(i, yyjson_arr_size(attempts) == i % 3);
        if (strchr(hostile[i], '\xff') == NULL && strstr(hostile[i], "cut") == NULL)
            assert_row(i, strcmp(text_of(error, "message"), hostile[i]) == 0);
        yyjson_doc_free(doc);
        buf_fini(&out);
    }
}

/* Exactly two events: the error in the shape of a chunk, and the end. No message makes more. */
static void a_stream_ends_with_the_error_in_a_chunk_and_done(void **state)
{
    (void)state;
    static const struct {
        enum api_protocol api;
        const char *object, *inside;
    } rows[] = {
        {API_CHAT, "chat.completion.chunk", "delta"},
        {API_COMPLETIONS, "text_completion", "text"},
    };
    for (unsigned i = 0; i < ROWS(hostile) * ROWS(rows); i++) {
        unsigned r = i % ROWS(rows);
        struct fault f = {.kind = FAULT_UPSTREAM_TIMEOUT};
        struct buf out = {0};
        snprintf(f.message, sizeof(f.message), "%s", hostile[i / ROWS(rows)]);
        assert_int_equal(fault_write_stream(&f, rows[r].api, SPAN_LIT("0123"), NULL, &out), 0);
        struct span text = buf_span(&out), done = SPAN_LIT("\n\ndata: [DONE]\n\n");
        assert_row(i, span_starts(text, SPAN_LIT("data: {")));
        size_t end = span_find(text, SPAN_LIT("\n"));
        assert_row(i, span_eq(span_skip(text, end), done));
        yyjson_doc *doc = parse(span_sub(text, 6, end - 6));
        yyjson_val *root = yyjson_doc_get_root(doc);
        yyjson_val *choice = yyjson_arr_get_first(yyjson_obj_get(root, "choices"));
        assert_row(i, strcmp(text_of(root, "object"), rows[r].object) == 0);
        assert_row(i, strcmp(text_of(choice, "finish_reason"), "error") == 0);
        assert_row(i, yyjson_obj_get(choice, rows[r].inside) != NULL);
        assert_row(i, yyjson_get_int(yyjson_obj_get(yyjson_obj_get(root, "error"), "code")) == 504);
        yyjson_doc_free(doc);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_its_words_in_every_protocol),
        cmocka_unit_test(what_may_pass_says_when_and_what_will_not_says_so),
        cmocka_unit_test(a_body_is_the_envelope_whatever_the_message),
        cmocka_unit_test(a_stream_ends_with_the_error_in_a_chunk_and_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
