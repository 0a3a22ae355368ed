/* Pieces written, and members walked. */
#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/base/utf8.h"
#include "sluice/format/json_line.h"
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

static void numbers_come_back_exactly(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {0, "0"},
        {7, "7"},
        {100, "100"},
        {0.25, "0.25"},
        {0.1, "0.1"},
        {1234.000001, "1234.000001"},
        {1e6, "1000000"},
        {0.05, "0.05"},
        {0.000001, "0.000001"},
        {1e-7, "9.9999999999999995e-08"},
        {1e300, "1.0000000000000001e+300"},
        {-1.5, "-1.5"},
        {8999999999.5, "8999999999.5"},
    };
    struct rng r;
    struct buf b = {0};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct json_out o = json_out_to(&b);
        buf_clear(&b);
        json_out_double(&o, rows[i].v);
        assert_span(buf_span(&b), rows[i].text);
    }
    rng_seed(&r, 3);
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t bits = rng_next(&r);
        double v;
        if (i % 2 == 0) {
            memcpy(&v, &bits, sizeof v);
            if (!(v - v == 0))
                continue; /* not finite */
        } else {
            v = (double)(bits % 9000000000000000u) / (i % 4 == 1 ? 1e6 : 1e3);
        }
        struct json_out o = json_out_to(&b);
        buf_clear(&b);
        json_out_double(&o, v);
        assert_int_equal(buf_add_byte(&b, '\0'), 0);
        double back = strtod((const char *)b.at, NULL);
        assert_row(i, memcmp(&back, &v, sizeof v) == 0 || (v == 0 && back == 0));
    }
    buf_fini(&b);
}

static void a_line_is_what_pieces_are(void **state)
{
    (void)state;
    static const char *const texts[] = {"",         "plain",      "12345678\"",
                                        "a\\b",     "\x01\n\x1f", "gr\xc3\xbc\xc3\x9f",
                                        "\xff\xfe", "x\xe2\x82",  "\x7f"};
    for (unsigned i = 0; i < ROWS(texts); i++) {
        struct span text = span_text(texts[i]);
        uint8_t *room = malloc(JSON_LINE_TEXT(text.len)), *copy = exact_copy(text);
        char back[64];
        struct json_line line = {room};
        json_line_text(&line, span_of(copy, text.len));
        long n = json_string(span_of(room, (size_t)(line.at - room)), back, sizeof back);
        struct buf mended = {0};
        assert_int_equal(utf8_mend(text, &mended), 0);
        assert_row(i, n >= 0 && span_eq(span_of(back, (size_t)n), buf_span(&mended)));
        buf_fini(&mended);
        free(room);
        free(copy);
    }
    for (uint64_t n = 1, i = 0; i < 20; n *= 10, i++) {
        for (uint64_t k = n - 1; k <= n + 1; k++) {
            uint8_t room[JSON_LINE_U64];
            char expected[32];
            struct json_line line = {room};
            json_line_u64(&line, k);
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)k);
            assert_span(span_of(room, (size_t)(line.at - room)), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_a_failure_stays),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(numbers_come_back_exactly),
        cmocka_unit_test(a_line_is_what_pieces_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
