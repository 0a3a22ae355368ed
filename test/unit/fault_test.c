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

static void every_kind_has_the_status_and_type_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        enum fault_kind kind;
        unsigned status;
        const char *type;
    } rows[] = {
        {FAULT_INVALID_REQUEST, 400, "invalid_request_error"},
        {FAULT_UNSUPPORTED_PARAMETER, 400, "unsupported_parameter"},
        {FAULT_INVALID_API_KEY, 401, "invalid_api_key"},
        {FAULT_KEY_SCOPE, 403, "key_scope"},
        {FAULT_MODEL_NOT_FOUND, 404, "model_not_found"},
        {FAULT_NOT_FOUND, 404, "not_found"},
        {FAULT_METHOD_NOT_ALLOWED, 405, "method_not_allowed"},
        {FAULT_TIMEOUT, 408, "timeout"},
        {FAULT_CONTEXT_LENGTH, 400, "context_length_exceeded"},
        {FAULT_PAYLOAD_TOO_LARGE, 413, "payload_too_large"},
        {FAULT_UNSUPPORTED_MEDIA_TYPE, 415, "unsupported_media_type"},
        {FAULT_RATE_LIMIT, 429, "rate_limit_exceeded"},
        {FAULT_UPSTREAM_RATE_LIMITED, 429, "upstream_rate_limited"},
        {FAULT_INTERNAL, 500, "internal_error"},
        {FAULT_UPSTREAM, 502, "upstream_error"},
        {FAULT_NO_PROVIDER, 503, "no_provider_available"},
        {FAULT_UPSTREAM_UNAVAILABLE, 503, "upstream_unavailable"},
        {FAULT_UPSTREAM_TIMEOUT, 504, "timeout"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f = {.kind = rows[i].kind};
        assert_row(i, fault_status(&f) == rows[i].status);
        assert_row(i, strcmp(fault_type(&f), rows[i].type) == 0);
    }
    struct fault own = {.kind = FAULT_TRANSPORT, .status = 431};
    assert_int_equal(fault_status(&own), 431);
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
        cmocka_unit_test(every_kind_has_the_status_and_type_of_the_contract),
        cmocka_unit_test(a_body_is_the_envelope_whatever_the_message),
        cmocka_unit_test(a_stream_ends_with_the_error_in_a_chunk_and_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
