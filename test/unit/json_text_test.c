#include "unit.h"

#include "sluice/format/json_scan.h"

static void get_finds_nothing_in_what_is_no_object(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           "null",        "[\"a\",1]",
        "\"a\"",      "{\"a\":1",    "{\"a\":1}}",
        "{\"a\":1,}", "{\"a\":1} x", "{\"b\":{\"a\":1}}",
        "{\"A\":1}",  "{\"a\":tru}", "{\"aa\":1,\"\":2}",
    };
    struct json_member m;
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, !json_get(span_text(rows[i]), "a", &m));
}

static void get_takes_the_last_of_a_repeated_key(void **state)
{
    (void)state;
    struct span text = SPAN_LIT(" {\"a\":1,\"b\":2,\"\\u0061\":[3]} \n");
    struct json_member m;
    assert_true(json_get(text, "a", &m));
    assert_span(json_value(text, &m), "[3]");
    assert_true(json_get(text, "b", &m));
    assert_span(json_value(text, &m), "2");
}

static void each_walks_the_elements_and_stops_at_trouble(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *elements[5];
    } rows[] = {
        {"", {NULL}},
        {"[", {NULL}},
        {"[]", {NULL}},
        {" [ ] ", {NULL}},
        {"{\"a\":1}", {NULL}},
        {"1", {NULL}},
        {"[,1]", {NULL}},
        {"[1", {NULL}}, /* nobody knows whether the number goes on */
        {"[1,]", {"1", NULL}},
        {"[1 2]", {"1", NULL}},
        {"[\"a\",tru]", {"\"a\"", NULL}},
        {"[1]", {"1", NULL}},
        {" [ 1 , \"a,]\" ,[2,[3]], {\"a\":1,\"b\":[4]} ] ",
         {"1", "\"a,]\"", "[2,[3]]", "{\"a\":1,\"b\":[4]}", NULL}},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span element, text = span_text(rows[i].text);
        size_t cursor = 0;
        unsigned n = 0;
        while (json_each(text, &cursor, &element)) {
            assert_row(i, rows[i].elements[n] != NULL);
            assert_span(element, rows[i].elements[n]);
            n++;
        }
        assert_row(i, rows[i].elements[n] == NULL);
        assert_row(i, !json_each(text, &cursor, &element)); /* the end stays the end */
    }
}

static void keys_are_compared_as_they_read(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *name;
        bool is;
    } rows[] = {
        {"model", "mode", false},
        {"mode", "model", false},
        {"", "a", false},
        {"mod\\u0065l", "mode", false},
        {"\\ud83d", "\xed\xa0\xbd", false},
        {"a\\", "a", false},
        {"a\\u00", "a", false},
        {"a\\u0000", "a", false},
        {"\\q", "q", false},
        {"", "", true},
        {"model", "model", true},
        {"mod\\u0065l", "model", true},
        {"\\u006D\\u006f\\u0064el", "model", true},
        {"a\\/b\\n", "a/b\n", true},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", true},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, json_key_is(span_text(rows[i].raw), rows[i].name) == rows[i].is);
}

static void strings_are_decoded_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *decoded; /* NULL: refused */
    } rows[] = {
        {"", NULL},
        {"\"", NULL},
        {"a", NULL},
        {"12", NULL},
        {"\"a", NULL},
        {"\"a\"b\"", NULL},
        {"\"a\nb\"", NULL},
        {"\"\\\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12\"", NULL},
        {"\"\\ud800\"", NULL},
        {"\"\\ud800x\"", NULL},
        {"\"\\ud800\\n\"", NULL},
        {"\"\\ud800\\ud800\"", NULL},
        {"\"\\udc00\"", NULL},
        {"\"\\ud83d\\u\"", NULL},
        {"\"123456789\"", NULL}, /* one more than there is room for */
        {"\"1234567\\u00e9\"", NULL},
        {"\"\"", ""},
        {"\"12345678\"", "12345678"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac"},
        {"\"\\ud83d\\uDE00\\udbff\\udfff\"", "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char out[8];
        long len = json_string(span_text(rows[i].json), out, sizeof(out));
        assert_row(i, (len >= 0) == (rows[i].decoded != NULL));
        if (len >= 0)
            assert_row(i, span_eq(span_of(out, (size_t)len), span_text(rows[i].decoded)));
    }
}

static void integers_have_no_fraction_sign_or_leading_zero(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "-1", "1.0", "1e3", "01", "\"1\"", "18446744073709551616"};
    uint64_t value = 0;
    for (unsigned i = 0; i < ROWS(bad); i++)
        assert_row(i, !json_u64(span_text(bad[i]), &value));
    assert_true(json_u64(SPAN_LIT("0"), &value) && value == 0);
    assert_true(json_u64(SPAN_LIT("18446744073709551615"), &value) && value == UINT64_MAX);
    assert_true(json_is_true(SPAN_LIT("true")));
    assert_false(json_is_true(SPAN_LIT("\"true\"")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_finds_nothing_in_what_is_no_object),
        cmocka_unit_test(get_takes_the_last_of_a_repeated_key),
        cmocka_unit_test(each_walks_the_elements_and_stops_at_trouble),
        cmocka_unit_test(keys_are_compared_as_they_read),
        cmocka_unit_test(strings_are_decoded_or_refused),
        cmocka_unit_test(integers_have_no_fraction_sign_or_leading_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
