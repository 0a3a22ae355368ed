#include "unit.h"

#include "sluice/codec/request_print.h"

static bool are_same(const char *a, const char *a_boundary, const char *b, const char *b_boundary,
                     enum print_of what)
{
    uint8_t left[SHA256_BYTES], right[SHA256_BYTES];
    request_print(span_text(a), span_text(a_boundary), what, left);
    request_print(span_text(b), span_text(b_boundary), what, right);
    return memcmp(left, right, sizeof left) == 0;
}

static void json_is_compared_by_what_it_says(void **state)
{
    (void)state;
    assert_true(are_same("{\"a\":1,\"b\":2,\"idempotency_key\":\"k\"}", "", "{\"b\":2, \"a\":1}",
                         "", PRINT_OF_REQUEST));
    assert_false(are_same("{\"a\":1}", "", "{\"a\":1.0}", "", PRINT_OF_REQUEST));
    assert_false(are_same("{\"cache_strategy\":\"infrai\"}", "", "{}", "", PRINT_OF_REQUEST));
    assert_true(are_same("{\"cache_strategy\":\"infrai\",\"session_id\":\"s\"}", "",
                         "{\"idempotency_key\":\"x\"}", "", PRINT_OF_QUESTION));
    assert_false(are_same("{\"provider\":{\"only\":[\"a\"]}}", "", "{}", "", PRINT_OF_QUESTION));
}

static void what_is_no_json_is_compared_byte_by_byte(void **state)
{
    (void)state;
    assert_true(are_same("{", "", "{", "", PRINT_OF_REQUEST));
    assert_false(are_same("{", "", "{ ", "", PRINT_OF_REQUEST));
    assert_false(are_same("", "", "{}", "", PRINT_OF_REQUEST));
}

#define PART(b, fields, value) \
    "--" b "\r\nContent-Disposition: form-data; " fields "\r\n\r\n" value "\r\n"

static void forms_are_compared_part_by_part(void **state)
{
    (void)state;
    static const char one[] = PART("one", "name=\"model\"", "m")
        PART("one", "name=\"idempotency_key\"", "k")
            PART("one", "name=\"file\"; filename=\"a.wav\"", "RIFF") "--one--\r\n";
    static const char two[] = PART("two", "name=\"model\"", "m")
        PART("two", "name=\"file\"; filename=\"a.wav\"", "RIFF") "--two--\r\n";
    static const char *const others[] = {
        PART("two", "name=\"model\"", "n")
            PART("two", "name=\"file\"; filename=\"a.wav\"", "RIFF") "--two--\r\n",
        PART("two", "name=\"model\"", "m")
            PART("two", "name=\"file\"; filename=\"a.mp3\"", "RIFF") "--two--\r\n",
        PART("two", "name=\"model\"", "m")
            PART("two", "name=\"file\"; filename=\"a.wav\"", "RIFX") "--two--\r\n",
        PART("two", "name=\"model\"", "m") "--two--\r\n",
        PART("two", "name=\"model\"", "m") PART("two", "name=\"file\"; filename=\"a.wav\"", "RIFF"),
    };
    assert_true(are_same(one, "one", two, "two", PRINT_OF_REQUEST));
    for (unsigned i = 0; i < ROWS(others); i++)
        assert_row(i, !are_same(one, "one", others[i], "two", PRINT_OF_REQUEST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_compared_by_what_it_says),
        cmocka_unit_test(what_is_no_json_is_compared_byte_by_byte),
        cmocka_unit_test(forms_are_compared_part_by_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
