#include "unit.h"

#include "sluice/format/json_digest.h"
#include "sluice/format/json_scan.h"

static const char *const nothing[] = {NULL};
static const char *const key[] = {"idempotency_key", NULL};

static bool are_same(const char *a, const char *b, const char *const *without)
{
    uint8_t left[SHA256_BYTES], right[SHA256_BYTES];
    uint8_t *a_copy = exact_copy(span_text(a)), *b_copy = exact_copy(span_text(b));
    assert_true(json_digest(span_of(a_copy, strlen(a)), without, left));
    assert_true(json_digest(span_of(b_copy, strlen(b)), without, right));
    free(a_copy);
    free(b_copy);
    return memcmp(left, right, sizeof left) == 0;
}

static void what_is_no_json_has_none(void **state)
{
    (void)state;
    static const char *const rows[] = {"",      "{",       "{\"a\":}", "[1,]", "nul",
                                       "{} {}", "{\"a\"}", "\"a\\x",   "{a:1}"};
    uint8_t out[SHA256_BYTES];
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, !json_digest(span_text(rows[i]), nothing, out));
}

static void whatever_changes_the_meaning_changes_it(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "0.0",
        "0e0",
        "\"\"",
        "\"0\"",
        "\"null\"",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "{\"\":{}}",
        "{\"\":[]}",
        "[0]",
        "[0,0]",
        "[[0],0]",
        "[[0,0]]",
        "[0,[0]]",
        "{\"a\":1}",
        "{\"a\":2}",
        "{\"b\":1}",
        "{\"a\":1,\"b\":1}",
        "{\"a\":{\"b\":1}}",
        "{\"a\":{\"b\":1},\"c\":2}",
        "{\"a\":{\"b\":1,\"c\":2}}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":2,\"a\":1}",
        "{\"a\":\"1\"}",
        "{\"a\":[1]}",
        "[\"a\",1]",
        "[\"a\",\"b\"]",
        "[\"ab\"]",
        "[\"a\\u0000b\"]",
        "[\"\\ud800\"]",
        "[\"\\ud801\"]",
        "[\"\\\\ud800\"]",
        "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
        "\"0123456789012345678901234567890123456789012345678901234567890123456780\"",
        "{\"0123456789012345678901234567890123456789012345678901234567890123456780\":1}",
        "{\"0123456789012345678901234567890123456789012345678901234567890123456781\":1}",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        for (unsigned k = 0; k < ROWS(rows); k++)
            assert_row(i * 1000 + k, are_same(rows[i], rows[k], nothing) == (i == k));
    }
}

static void order_blanks_and_escapes_do_not(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"{\"a\":1,\"b\":[true,null]}", " {\n\"b\" : [ true,null ] ,\t\"a\":1 } "},
        {"{\"a\":{\"x\":1,\"y\":{\"p\":[],\"q\":{}}},\"b\":2}",
         "{\"b\":2,\"a\":{\"y\":{\"q\":{},\"p\":[]},\"x\":1}}"},
        {"[{\"a\":1,\"b\":2},{\"c\":3,\"d\":4}]", "[{\"b\":2,\"a\":1},{\"d\":4,\"c\":3}]"},
        {"{\"\\u0061\":\"\\u00e9\\/\"}", "{\"a\":\"\xc3\xa9/\"}"},
        {"\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""},
        {"{\"b\":0,\"a\":1,\"a\":2}", "{\"a\":1,\"b\":0,\"a\":2}"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, are_same(rows[i][0], rows[i][1], nothing));
}

static void members_are_left_out_at_the_top_alone(void **state)
{
    (void)state;
    assert_true(are_same("{\"a\":1,\"idempotency_key\":\"x\"}", "{\"a\":1}", key));
    assert_true(are_same("{\"idempotency_ke\\u0079\":[1,{}],\"a\":1}", "{\"a\":1}", key));
    assert_true(are_same("{\"idempotency_key\":\"x\"}", "{}", key));
    assert_false(are_same("{\"a\":{\"idempotency_key\":\"x\"}}", "{\"a\":{}}", key));
    assert_false(are_same("[{\"idempotency_key\":\"x\"}]", "[{}]", key));
    assert_false(are_same("{\"a\":1,\"idempotency_key2\":\"x\"}", "{\"a\":1}", key));
}

static void the_deepest_text_is_read_and_the_widest_refused(void **state)
{
    (void)state;
    static char text[8 * JSON_DIGEST_MEMBERS_MAX];
    uint8_t out[SHA256_BYTES];
    size_t n = 0;
    for (unsigned i = 0; i < JSON_DEPTH_MAX / 2 - 1; i++)
        n += (size_t)sprintf(text + n, "[{\"\":");
    n += (size_t)sprintf(text + n, "1");
    for (unsigned i = 0; i < JSON_DEPTH_MAX / 2 - 1; i++)
        n += (size_t)sprintf(text + n, "}]");
    assert_true(json_digest(span_of(text, n), nothing, out));
    for (unsigned more = 0; more < 2; more++) {
        n = (size_t)sprintf(text, "{\"\":1");
        for (unsigned i = 1; i < JSON_DIGEST_MEMBERS_MAX + more; i++)
            n += (size_t)sprintf(text + n, ",\"\":1");
        n += (size_t)sprintf(text + n, "}");
        assert_int_equal(json_digest(span_of(text, n), nothing, out), more == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_json_has_none),
        cmocka_unit_test(whatever_changes_the_meaning_changes_it),
        cmocka_unit_test(order_blanks_and_escapes_do_not),
        cmocka_unit_test(members_are_left_out_at_the_top_alone),
        cmocka_unit_test(the_deepest_text_is_read_and_the_widest_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
