#include "unit.h"

#include "sluice/base/buf.h"

#include <errno.h>

static void what_goes_in_comes_out_in_order(void **state)
{
    (void)state;
    struct buf b = {0};
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(buf_addf(&b, "%u,", i), 0);
        if (i % 3 == 0)
            buf_consume(&b, 2);
    }
    assert_int_equal(buf_len(&b), 3890 - 334 * 2);
    assert_span(span_skip(buf_span(&b), buf_len(&b) - 8), "998,999,");
    buf_fini(&b);
}

static void an_emptied_buffer_starts_over(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_add_text(&b, "abc"), 0);
    buf_consume(&b, 3);
    assert_int_equal(b.head, 0);
    assert_int_equal(b.tail, 0);
    assert_span(buf_span(&b), "");
    buf_fini(&b);
    assert_int_equal(b.cap, 0);
}

static void a_queue_reuses_its_memory(void **state)
{
    (void)state;
    struct buf b = {0};
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(buf_add_text(&b, "0123456789"), 0);
        if (i >= 10)
            buf_consume(&b, 10);
    }
    assert_true(b.cap <= 512);
    buf_fini(&b);
}

static void a_size_no_machine_has_fails_and_changes_nothing(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_add_text(&b, "abc"), 0);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), -ENOMEM);
    assert_int_equal(buf_reserve_exact(&b, SIZE_MAX / 2), -ENOMEM);
    assert_span(buf_span(&b), "abc");
    buf_fini(&b);
}

static void an_exact_reserve_is_exact(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_reserve_exact(&b, 1000), 0);
    assert_int_equal(b.cap, 1000);
    assert_int_equal(buf_add_text(&b, "abcdef"), 0);
    buf_consume(&b, 2);
    assert_int_equal(buf_reserve_exact(&b, 5000), 0);
    assert_int_equal(b.cap, 5004);
    assert_span(buf_span(&b), "cdef");
    buf_fini(&b);
}

static void a_long_format_is_not_cut(void **state)
{
    (void)state;
    struct buf b = {0};
    assert_int_equal(buf_addf(&b, "<%*d>", 5000, 7), 0);
    assert_int_equal(buf_len(&b), 5002);
    assert_span(span_skip(buf_span(&b), 5000), "7>");
    buf_fini(&b);
}

static void json_text_is_escaped_and_made_valid(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *json;
    } rows[] = {
        {"\xff", "\xef\xbf\xbd"},                                 /* never a lead byte */
        {"\x80x", "\xef\xbf\xbdx"},                               /* a lone continuation */
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* an overlong slash */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xf0\x9f\x98", "\xef\xbf\xbd"},                         /* cut off */
        {"\xf4\x90\x80\x80x", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx"},
        {"", ""},
        {"plain", "plain"},
        {"a\"b\\c/d", "a\\\"b\\\\c/d"},
        {"\n\r\t\b\x01\x1f\x7f", "\\n\\r\\t\\u0008\\u0001\\u001f\x7f"},
        {"\xc3\xa9 \xf0\x9f\x98\x80", "\xc3\xa9 \xf0\x9f\x98\x80"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf b = {0};
        assert_int_equal(buf_add_json(&b, span_text(rows[i].raw)), 0);
        assert_row(i, span_eq(buf_span(&b), span_text(rows[i].json)));
        buf_fini(&b);
    }
}

/* A text of many bytes is treated like its bytes one by one, wherever the odd one is. */
static void every_byte_is_escaped_at_every_place(void **state)
{
    (void)state;
    char text[20];
    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t at = 0; at < sizeof(text); at++) {
            struct buf whole = {0}, single = {0};
            memset(text, 'x', sizeof(text));
            text[at] = (char)byte;
            assert_int_equal(buf_add_json(&whole, span_of(text, sizeof(text))), 0);
            for (size_t i = 0; i < sizeof(text); i++)
                assert_int_equal(buf_add_json(&single, span_of(text + i, 1)), 0);
            assert_true(span_eq(buf_span(&whole), buf_span(&single)));
            buf_fini(&whole);
            buf_fini(&single);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_no_machine_has_fails_and_changes_nothing),
        cmocka_unit_test(what_goes_in_comes_out_in_order),
        cmocka_unit_test(an_emptied_buffer_starts_over),
        cmocka_unit_test(a_queue_reuses_its_memory),
        cmocka_unit_test(an_exact_reserve_is_exact),
        cmocka_unit_test(a_long_format_is_not_cut),
        cmocka_unit_test(json_text_is_escaped_and_made_valid),
        cmocka_unit_test(every_byte_is_escaped_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
