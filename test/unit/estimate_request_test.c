#include "unit.h"

#include "sluice/codec/estimate_request.h"

static void bad_members_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *body, *param;
    } rows[] = {
        {"{\"expected_output_tokens\":-1}", "expected_output_tokens"},
        {"{\"expected_output_tokens\":1.5}", "expected_output_tokens"},
        {"{\"expected_output_tokens\":\"5\"}", "expected_output_tokens"},
        {"{\"expected_output_tokens\":1000000001}", "expected_output_tokens"},
        {"{\"expected_output_tokens\":99999999999999999999999}", "expected_output_tokens"},
        {"{\"cache_strategy\":\"all\"}", "cache_strategy"},
        {"{\"cache_strategy\":true}", "cache_strategy"},
        {"{\"batch_mode\":\"yes\"}", "batch_mode"},
        {"{\"batch_mode\":1}", "batch_mode"},
        {"{\"models\":\"one\"}", "models"},
        {"{\"models\":[]}", "models"},
        {"{\"models\":[\"a\",\"\"]}", "models"},
        {"{\"models\":[1]}", "models"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct estimate_request r;
        struct fault why;
        assert_row(i, !estimate_request_read(span_text(rows[i].body), true, &r, &why));
        assert_row(i, why.kind == FAULT_INVALID_REQUEST && strcmp(why.param, rows[i].param) == 0);
    }
}

static void as_many_models_as_allowed_and_no_more(void **state)
{
    (void)state;
    for (unsigned n = ESTIMATE_MODELS_MAX; n <= ESTIMATE_MODELS_MAX + 1; n++) {
        struct buf body = {0};
        struct estimate_request r;
        struct fault why;
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(buf_add_text(&body, i == 0 ? "{\"models\":[\"m\"" : ",\"m\""), 0);
        assert_int_equal(buf_add_text(&body, "]}"), 0);
        assert_int_equal(estimate_request_read(buf_span(&body), true, &r, &why),
                         n == ESTIMATE_MODELS_MAX);
        assert_true(n > ESTIMATE_MODELS_MAX || r.nmodels == n);
        assert_true(estimate_request_read(buf_span(&body), false, &r, &why)); /* not its business */
        assert_int_equal(r.nmodels, 0);
        buf_fini(&body);
    }
}

static void what_is_said_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool says_output, is_batch;
        uint64_t output;
        enum cache_strategy cache;
    } rows[] = {
        {"{}", false, false, 0, CACHE_VENDOR},
        {"{\"expected_output_tokens\":null,\"cache_strategy\":null,\"batch_mode\":null}", false,
         false, 0, CACHE_VENDOR},
        {"{\"expected_output_tokens\":0,\"batch_mode\":true}", true, true, 0, CACHE_VENDOR},
        {"{\"expected_output_tokens\":7,\"batch_mode\":false}", true, false, 7, CACHE_VENDOR},
        {"{\"cache_strategy\":\"vendor\"}", false, false, 0, CACHE_VENDOR},
        {"{\"cache_strategy\":\"infrai\"}", false, false, 0, CACHE_GATEWAY},
        {"{\"cache_strategy\":\"sluice\"}", false, false, 0, CACHE_GATEWAY},
        {"{\"cache_strategy\":\"none\"}", false, false, 0, CACHE_NONE},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct estimate_request r;
        struct fault why;
        assert_row(i, estimate_request_read(span_text(rows[i].body), true, &r, &why));
        assert_row(i, r.says_output == rows[i].says_output && r.output_tokens == rows[i].output);
        assert_row(i, r.is_batch == rows[i].is_batch && r.cache == rows[i].cache);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_members_are_named),
        cmocka_unit_test(as_many_models_as_allowed_and_no_more),
        cmocka_unit_test(what_is_said_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
