#include "unit.h"

#include "sluice/base/wait.h"
#include "sluice/codec/provider_error.h"

#include <string.h>

#define OPENAI(type, code) \
    "{\"error\":{\"message\":\"m\",\"type\":\"" type "\",\"param\":null,\"code\":" code "}}"
#define ANTHROPIC(type) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"m\"}}"
#define GOOGLE(code, status, details)                                            \
    "{\"error\":{\"code\":" code ",\"message\":\"m\",\"status\":\"" status "\"," \
    "\"details\":[" details "]}}"
#define AWS "{\"message\":\"m\"}"
#define SAYS(message) "{\"error\":{\"message\":\"" message "\"}}"

struct answer {
    unsigned status;
    const char *word, *body;
    enum fault_kind kind;
    unsigned told; /* the status a client of another protocol gets */
};

static void read_answer(const struct answer *a, struct fault *out)
{
    struct span body = span_text(a->body);
    uint8_t *copy = exact_copy(body);
    (void)provider_error_read_answer(a->status, span_text(a->word), span_of(copy, body.len), out);
    free(copy);
}

static void every_status_of_every_provider_has_its_class(void **state)
{
    (void)state;
    static const struct answer rows[] = {
        /* no JSON, or none that tells: the status alone */
        {400, "", "", FAULT_INVALID_REQUEST, 400},
        {401, "", "", FAULT_UPSTREAM_CREDENTIAL, 502},
        {402, "", "", FAULT_UPSTREAM_QUOTA, 502},
        {403, "", "<html>", FAULT_PERMISSION, 403},
        {404, "", "[]", FAULT_NOT_FOUND, 404},
        {405, "", "[[[", FAULT_METHOD_NOT_ALLOWED, 405},
        {408, "", "{}", FAULT_UPSTREAM_TIMEOUT, 408},
        {409, "", "null", FAULT_INVALID_REQUEST, 409},
        {413, "", "{\"error\":7}", FAULT_PAYLOAD_TOO_LARGE, 413},
        {415, "", "{\"error\":{}}", FAULT_UNSUPPORTED_MEDIA_TYPE, 415},
        {418, "", "{\"error\":", FAULT_INVALID_REQUEST, 418},
        {422, "", "{\"detail\":[{\"msg\":\"m\"}]}", FAULT_UNPROCESSABLE, 422},
        {424, "", "", FAULT_UPSTREAM, 502},
        {429, "", "", FAULT_UPSTREAM_RATE_LIMITED, 429},
        {500, "", "", FAULT_UPSTREAM, 502},
        {502, "", "", FAULT_UPSTREAM, 502},
        {503, "", "", FAULT_UPSTREAM_UNAVAILABLE, 503},
        {504, "", "", FAULT_UPSTREAM_TIMEOUT, 504},
        {529, "", "", FAULT_UPSTREAM_UNAVAILABLE, 503},
        {599, "", "", FAULT_UPSTREAM, 502},
        /* OpenAI and those that copy it */
        {400, "", OPENAI("invalid_request_error", "null"), FAULT_INVALID_REQUEST, 400},
        {400, "", OPENAI("invalid_request_error", "\"context_length_exceeded\""),
         FAULT_CONTEXT_LENGTH, 400},
        {400, "", OPENAI("null", "\"content_filter\""), FAULT_MODERATION, 403}, /* Azure */
        {400, "", OPENAI("image_generation_user_error", "\"moderation_blocked\""), FAULT_MODERATION,
         403},
        {400, "", OPENAI("invalid_request_error", "\"billing_hard_limit_reached\""),
         FAULT_UPSTREAM_QUOTA, 502},
        {403, "", OPENAI("invalid_request_error", "\"unsupported_country\""), FAULT_PERMISSION,
         403},
        {404, "", OPENAI("invalid_request_error", "\"model_not_found\""), FAULT_MODEL_NOT_FOUND,
         404},
        {404, "", OPENAI("null", "\"DeploymentNotFound\""), FAULT_MODEL_NOT_FOUND, 404},
        {404, "", OPENAI("invalid_request_error", "null"), FAULT_NOT_FOUND, 404},
        {404, "", "{\"error\":\"model 'x' not found\"}", FAULT_MODEL_NOT_FOUND, 404}, /* Ollama */
        {413, "", OPENAI("tokens", "\"rate_limit_exceeded\""), FAULT_PAYLOAD_TOO_LARGE, 413},
        {422, "", OPENAI("invalid_request_error", "null"), FAULT_UNPROCESSABLE, 422},
        {429, "", OPENAI("requests", "\"rate_limit_exceeded\""), FAULT_UPSTREAM_RATE_LIMITED, 429},
        {429, "", OPENAI("insufficient_quota", "\"insufficient_quota\""), FAULT_UPSTREAM_QUOTA,
         502},
        {429, "", OPENAI("exceeded_current_quota_error", "null"), FAULT_UPSTREAM_QUOTA, 502},
        {429, "", OPENAI("invalid_request_error", "\"model_not_found\""),
         FAULT_UPSTREAM_RATE_LIMITED, 429},
        {500, "", OPENAI("insufficient_quota", "null"), FAULT_UPSTREAM, 502},
        {503, "", OPENAI("server_error", "\"slow_down\""), FAULT_UPSTREAM_UNAVAILABLE, 503},
        /* Anthropic */
        {400, "", ANTHROPIC("invalid_request_error"), FAULT_INVALID_REQUEST, 400},
        {400, "", SAYS("prompt is too long: 9 tokens > 8 maximum"), FAULT_CONTEXT_LENGTH, 400},
        {400, "", SAYS("Your credit balance is too low to access the API."), FAULT_UPSTREAM_QUOTA,
         502},
        {402, "", ANTHROPIC("billing_error"), FAULT_UPSTREAM_QUOTA, 502},
        {403, "", ANTHROPIC("permission_error"), FAULT_PERMISSION, 403},
        {404, "", ANTHROPIC("not_found_error"), FAULT_NOT_FOUND, 404},
        {404, "", SAYS("model: claude-9"), FAULT_MODEL_NOT_FOUND, 404},
        {413, "", ANTHROPIC("request_too_large"), FAULT_PAYLOAD_TOO_LARGE, 413},
        {429, "", ANTHROPIC("rate_limit_error"), FAULT_UPSTREAM_RATE_LIMITED, 429},
        {529, "", ANTHROPIC("overloaded_error"), FAULT_UPSTREAM_UNAVAILABLE, 503},
        /* Google */
        {400, "", GOOGLE("400", "INVALID_ARGUMENT", ""), FAULT_INVALID_REQUEST, 400},
        {400, "", GOOGLE("400", "INVALID_ARGUMENT", "{\"reason\":\"API_KEY_INVALID\"}"),
         FAULT_UPSTREAM_CREDENTIAL, 502},
        {403, "", GOOGLE("403", "PERMISSION_DENIED", ""), FAULT_PERMISSION, 403},
        {403, "", GOOGLE("403", "PERMISSION_DENIED", "{\"reason\":\"BILLING_DISABLED\"}"),
         FAULT_UPSTREAM_QUOTA, 502},
        {404, "", SAYS("Publisher Model `projects/p` was not found"), FAULT_MODEL_NOT_FOUND, 404},
        {429, "", GOOGLE("429", "RESOURCE_EXHAUSTED", ""), FAULT_UPSTREAM_RATE_LIMITED, 429},
        {429, "", "[" GOOGLE("429", "RESOURCE_EXHAUSTED", "") "]", FAULT_UPSTREAM_RATE_LIMITED,
         429},
        {503, "", GOOGLE("503", "UNAVAILABLE", ""), FAULT_UPSTREAM_UNAVAILABLE, 503},
        /* AWS says it in a field of the head, with a place behind it */
        {400, "ValidationException:http://internal.amazon.com/", AWS, FAULT_INVALID_REQUEST, 400},
        {400, "ValidationException", "{\"message\":\"Input is too long for requested model.\"}",
         FAULT_CONTEXT_LENGTH, 400},
        {403, "AccessDeniedException", AWS, FAULT_PERMISSION, 403},
        {403, "UnrecognizedClientException", AWS, FAULT_UPSTREAM_CREDENTIAL, 502},
        {403, "InvalidSignatureException", AWS, FAULT_UPSTREAM_CREDENTIAL, 502},
        {403, "", "{\"__type\":\"x#ExpiredTokenException\",\"message\":\"m\"}",
         FAULT_UPSTREAM_CREDENTIAL, 502},
        {404, "ResourceNotFoundException", "{\"message\":\"Model not found.\"}",
         FAULT_MODEL_NOT_FOUND, 404},
        {408, "ModelTimeoutException", AWS, FAULT_UPSTREAM_TIMEOUT, 408},
        {429, "ThrottlingException", AWS, FAULT_UPSTREAM_RATE_LIMITED, 429},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f;
        read_answer(&rows[i], &f);
        if (f.kind != rows[i].kind)
            print_error("kind %d\n", (int)f.kind);
        assert_row(i, f.kind == rows[i].kind && fault_status(&f) == rows[i].told);
        bool is_models = f.kind == FAULT_MODEL_NOT_FOUND;
        assert_row(i, is_models ? strcmp(f.param, "model") == 0 : f.param == NULL);
        assert_row(i, f.message[0] != '\0' && f.retry_after_ms == 0);
    }
}

static void an_error_inside_a_good_answer_has_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        enum fault_kind kind;
    } rows[] = {
        {"", FAULT_UPSTREAM},
        {"{}", FAULT_UPSTREAM},
        {"\"broken\"", FAULT_UPSTREAM},
        {"{\"message\":\"m\",\"code\":200}", FAULT_UPSTREAM},
        {"{\"message\":\"m\",\"code\":99999999999999999999}", FAULT_UPSTREAM},
        {"{\"message\":\"m\",\"code\":429}", FAULT_UPSTREAM_RATE_LIMITED}, /* OpenRouter */
        {"{\"message\":\"m\",\"code\":\"503\"}", FAULT_UPSTREAM_UNAVAILABLE},
        {"{\"message\":\"m\",\"code\":403,\"status\":\"PERMISSION_DENIED\"}", FAULT_PERMISSION},
        {"{\"type\":\"overloaded_error\",\"message\":\"m\"}", FAULT_UPSTREAM_UNAVAILABLE},
        {"{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}", FAULT_UPSTREAM_RATE_LIMITED},
        {"{\"code\":\"insufficient_quota\",\"message\":\"m\"}", FAULT_UPSTREAM_QUOTA},
        {"{\"code\":\"server_error\",\"message\":\"m\"}", FAULT_UPSTREAM},
        {"{\"code\":\"invalid_prompt\",\"message\":\"m\"}", FAULT_INVALID_REQUEST},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f;
        provider_error_read(span_text(rows[i].error), &f);
        assert_row(i, f.kind == rows[i].kind && f.message[0] != '\0');
    }
}

/* Gemini's RetryInfo, wherever an error of Google's may be. */
static void a_delay_is_a_number_of_seconds_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *delay;
        unsigned ms;
    } rows[] = {
        {"\"\"", 0},
        {"\"s\"", 0},
        {"\"34\"", 0},
        {"34", 0},
        {"null", 0},
        {"\"-3s\"", 0},
        {"\"3m\"", 0},
        {"\"1.5.2s\"", 0},
        {"\"soons\"", 0},
        {"\"0s\"", 0},
        {"\"34s\"", 34000},
        {"\"1.5s\"", 1500},
        {"\"34.074824224s\"", 34075},
        {"\"0.000000001s\"", 1},
        {"\"315576000001s\"", WAIT_MAX_MS},
        {"\"99999999999999999999999s\"", WAIT_MAX_MS},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char error[256], whole[300];
        struct fault f;
        snprintf(error, sizeof error,
                 "{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"m\",\"details\":"
                 "[{\"reason\":\"x\"},7,{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
                 "\"retryDelay\":%s}]}",
                 rows[i].delay);
        provider_error_read(span_text(error), &f);
        assert_row(i, f.retry_after_ms == rows[i].ms && f.kind == FAULT_UPSTREAM_RATE_LIMITED);
        snprintf(whole, sizeof whole, "{\"error\":%s}", error);
        read_answer(&(struct answer){.status = 429, .word = "", .body = whole}, &f);
        assert_row(i, f.retry_after_ms == rows[i].ms);
        snprintf(whole, sizeof whole, "[{\"error\":%s}\n]\n", error);
        read_answer(&(struct answer){.status = 429, .word = "", .body = whole}, &f);
        assert_row(i, f.retry_after_ms == rows[i].ms);
    }
}

static void only_the_envelope_of_the_clients_own_protocols_passes(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool passes;
    } rows[] = {
        {"", false},
        {"<html>", false},
        {"{}", false},
        {"{\"error\":null}", false},
        {"{\"error\":[]}", false},
        {"{\"error\":{\"message\":\"cut", false},
        {"{\"error\":{}} and more", false},
        {"[{\"error\":{}}]", false},
        {"{\"message\":\"m\"}", false},
        {"{\"error\":\"m\"}", true},
        {" {\"error\":{}}\n", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct fault f;
        assert_row(i, provider_error_read_answer(400, SPAN_NONE, span_text(rows[i].body), &f) ==
                          rows[i].passes);
    }
}

static void a_message_is_the_providers_own_cut_at_a_character(void **state)
{
    (void)state;
    static const struct {
        const char *piece, *before; /* the message: `before`, then `piece` again and again */
        unsigned len;               /* of what is left */
    } rows[] = {
        {"x", "", 500},
        {"\\n", "", 250},
        {"\\ud83d\\ude00", "", 164},
        {"\\u00e4", "x", 167},
        {"\xc3\xa4", "", 500},
        {"\xc3\xa4", "x", 499},
        {"\xf0\x9f\x98\x80", "xxx", 499},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char body[4096] = "{\"error\":{\"message\":\"";
        struct fault f;
        strcat(body, rows[i].before);
        while (strlen(body) < sizeof body - 32)
            strcat(body, rows[i].piece);
        strcat(body, "\"}}");
        read_answer(&(struct answer){.status = 400, .word = "", .body = body}, &f);
        if (strlen(f.message) != rows[i].len)
            print_error("%zu: %s\n", strlen(f.message), f.message);
        assert_row(i, strlen(f.message) == rows[i].len && strchr(f.message, '\\') == NULL);
    }
}

static void what_is_no_json_is_told_as_far_as_it_is_printable(void **state)
{
    (void)state;
    struct fault f;
    char page[2000];
    memset(page, 'x', sizeof page - 1);
    page[sizeof page - 1] = '\0';
    read_answer(&(struct answer){.status = 400, .word = "", .body = page}, &f);
    assert_int_equal(strlen(f.message), PROVIDER_WORDS_MAX);
    read_answer(&(struct answer){.status = 400, .word = "", .body = "<b>\r\n\t\x7f\x1b[0m\xff</b>"},
                &f);
    assert_string_equal(f.message, "<b>     [0m </b>");
    read_answer(&(struct answer){.status = 400, .word = "", .body = "{\"detail\":\"no\"}"}, &f);
    assert_string_equal(f.message, "{\"detail\":\"no\"}");
    read_answer(&(struct answer){.status = 400, .word = "", .body = SAYS("\\u0007\\nbell")}, &f);
    assert_string_equal(f.message, "  bell");
    read_answer(&(struct answer){.status = 400, .word = "", .body = SAYS("lone \\ud83d")}, &f);
    assert_string_equal(f.message, "lone \\ud83d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_every_provider_has_its_class),
        cmocka_unit_test(an_error_inside_a_good_answer_has_its_class),
        cmocka_unit_test(a_delay_is_a_number_of_seconds_or_none),
        cmocka_unit_test(only_the_envelope_of_the_clients_own_protocols_passes),
        cmocka_unit_test(a_message_is_the_providers_own_cut_at_a_character),
        cmocka_unit_test(what_is_no_json_is_told_as_far_as_it_is_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
