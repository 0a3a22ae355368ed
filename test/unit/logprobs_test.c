#include "unit.h"

#include "sluice/codec/logprobs.h"

#define HI "[{\"token\":\"Hi\",\"logprob\":-1.50e-3,\"bytes\":[72,105],\"top_logprobs\":[]}]"

static void every_member_is_there(void **state)
{
    (void)state;
    static const struct {
        const char *list, *elements;
    } rows[] = {
        /* no lists */
        {"", ""},
        {"null", ""},
        {"{}", ""},
        {"[]", ""},
        {"[7]", "{\"token\":\"\",\"logprob\":0,\"bytes\":[],\"top_logprobs\":[]}"},
        {"[{\"token\":7,\"logprob\":\"x\",\"bytes\":3,\"top_logprobs\":null}]",
         "{\"token\":\"\",\"logprob\":0,\"bytes\":[],\"top_logprobs\":[]}"},
        /* numbers stay as they are spelt, bytes on one line */
        {"[{\"bytes\":[\n72,\r\n105 ],\"token\":\"Hi\",\"logprob\":-1.50e-3}]",
         "{\"token\":\"Hi\",\"logprob\":-1.50e-3,\"bytes\":[72,105 ],\"top_logprobs\":[]}"},
        {"[{\"token\":\"a\",\"logprob\":-1,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"b\",\"logprob\":"
         "-2,\"bytes\":null},{\"token\":\"c\",\"logprob\":-3}]},{\"token\":\"d\",\"logprob\":0}]",
         "{\"token\":\"a\",\"logprob\":-1,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"b\","
         "\"logprob\":-2,\"bytes\":[98]},{\"token\":\"c\",\"logprob\":-3,\"bytes\":[99]}]},"
         "{\"token\":\"d\",\"logprob\":0,\"bytes\":[100],\"top_logprobs\":[]}"},
        /* bytes that are missing are those of the text, unless the token is a part of a character */
        {"[{\"token\":\"\\u00e9\\n\",\"logprob\":-1}]",
         "{\"token\":\"\\u00e9\\n\",\"logprob\":-1,\"bytes\":[195,169,10],\"top_logprobs\":[]}"},
        {"[{\"token\":\"\\ufffd\",\"logprob\":-1}]",
         "{\"token\":\"\\ufffd\",\"logprob\":-1,\"bytes\":null,\"top_logprobs\":[]}"},
        {"[{\"token\":\"\\ud83d\",\"logprob\":-1}]",
         "{\"token\":\"\\ud83d\",\"logprob\":-1,\"bytes\":null,\"top_logprobs\":[]}"},
        {"[{\"token\":\"bytes:\\\\xe2\\\\x80\",\"logprob\":-1}]",
         "{\"token\":\"bytes:\\\\xe2\\\\x80\",\"logprob\":-1,\"bytes\":null,\"top_logprobs\":[]}"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        struct json_out o = json_out_to(&out);
        uint8_t *copy = exact_copy(span_text(rows[i].list));
        logprobs_put(&o, span_of(copy, strlen(rows[i].list)));
        assert_int_equal(o.rc, 0);
        assert_span(buf_span(&out), rows[i].elements);
        free(copy);
        buf_fini(&out);
    }
}

static void geminis_two_lists_become_one(void **state)
{
    (void)state;
    static const struct {
        const char *result, *list;
    } rows[] = {
        {"{}", "[]"},
        {"{\"chosenCandidates\":7}", "[]"},
        {"{\"chosenCandidates\":[{\"token\":\"Hi\",\"tokenId\":5,\"logProbability\":-1.50e-3}]}",
         HI},
        {"{\"topCandidates\":[{\"candidates\":[{\"token\":\"a\",\"logProbability\":-1},{\"token\":"
         "\"b\",\"logProbability\":-2}]}],\"chosenCandidates\":[{\"token\":\"a\",\"logProbability\":-1},"
         "{\"token\":\"c\",\"logProbability\":-3}],\"avgLogprobs\":-2}",
         "[{\"token\":\"a\",\"logprob\":-1,\"bytes\":[97],\"top_logprobs\":[{\"token\":\"a\","
         "\"logprob\":-1,\"bytes\":[97]},{\"token\":\"b\",\"logprob\":-2,\"bytes\":[98]}]},"
         "{\"token\":\"c\",\"logprob\":-3,\"bytes\":[99],\"top_logprobs\":[]}]"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        assert_int_equal(logprobs_from_gemini(span_text(rows[i].result), &out), 0);
        assert_span(buf_span(&out), rows[i].list);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_member_is_there),
        cmocka_unit_test(geminis_two_lists_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
