/* Pieces written, and members walked. */
#include "unit.h"

#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

static void says(void (*write)(struct json_out *), const char *expected)
{
    struct buf b = {0};
    struct json_out o = json_out_to(&b);
    write(&o);
    assert_int_equal(o.rc, 0);
    assert_int_equal(buf_len(&b), strlen(expected));
    assert_memory_equal(buf_span(&b).at, expected, strlen(expected));
    buf_fini(&b);
}

static void some_pieces(struct json_out *o)
{
    json_out_lit(o, "{\"a\":");
    json_out_raw(o, SPAN_LIT("\\ud83d\\u00e9"));
    json_out_lit(o, ",\"b\":");
    json_out_bytes(o, SPAN_LIT("quote \" and\nline"));
    json_out_lit(o, ",\"c\":[");
    json_out_u64(o, 0);
    json_out_lit(o, ",");
    json_out_u64(o, UINT64_MAX);
    json_out_lit(o, "]}");
}

static void unescaped_pieces(struct json_out *o)
{
    assert_true(json_out_unescaped(o, SPAN_LIT("{\\\"k\\\":\\\"\\\\u00e9\\\",\\\"n\\\":1.0}")));
    assert_true(json_out_unescaped(o, SPAN_NONE));
    assert_true(json_out_unescaped(o, SPAN_LIT("\\ud83d\\ude00")));
    assert_false(json_out_unescaped(o, SPAN_LIT("tail \\ud83d")));
}

static void test_pieces(void **state)
{
    (void)state;
    says(some_pieces, "{\"a\":\"\\ud83d\\u00e9\",\"b\":\"quote \\\" and\\nline\","
                      "\"c\":[0,18446744073709551615]}");
    says(unescaped_pieces, "{\"k\":\"\\u00e9\",\"n\":1.0}\xf0\x9f\x98\x80");
}

static void test_a_failure_stays(void **state)
{
    (void)state;
    struct buf b = {0};
    struct json_out o = json_out_to(&b);
    o.rc = -1;
    json_out_lit(&o, "x");
    assert_true(json_out_unescaped(&o, SPAN_LIT("x")));
    assert_int_equal(o.rc, -1);
    assert_int_equal(buf_len(&b), 0);
}

static void test_walk(void **state)
{
    (void)state;
    static const struct {
        const char *text, *members;
        bool is_complete;
    } rows[] = {
        {" { \"a\" : 1.50 , \"b\":[ {} ] , \"c\":\"x\\\"y\" } ", "a=1.50;b=[ {} ];c=\"x\\\"y\";",
         true},
        {"{}", "", true},
        {"{\"a\":1,\"a\":2}", "a=1;a=2;", true},
        {"{\"a\":1,", "a=1;", false},
        {"{\"a\":1}x", "a=1;", false},
        {"[1]", "", false},
        {"7", "", false},
        {"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_walk w;
        struct buf seen = {0};
        json_walk_init(&w, span_text(rows[i].text));
        while (json_walk_next(&w))
            assert_int_equal(buf_addf(&seen, "%.*s=%.*s;", SPAN_FMT(w.key), SPAN_FMT(w.value)), 0);
        assert_int_equal(json_walk_is_complete(&w), rows[i].is_complete);
        assert_true(span_eq(buf_span(&seen), span_text(rows[i].members)));
        buf_fini(&seen);
    }
    assert_true(span_eq(json_raw(SPAN_LIT("\"x\\n\"")), SPAN_LIT("x\\n")));
    assert_int_equal(json_raw(SPAN_LIT("null")).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_a_failure_stays),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
