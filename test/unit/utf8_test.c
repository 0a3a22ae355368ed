#include "unit.h"

#include "sluice/base/utf8.h"

static void malformed_bytes_count_as_their_maximal_subpart(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int length;
    } rows[] = {
        {"\x80", -1},
        {"\xbf", -1},
        {"\xc0\x80", -1},
        {"\xc1\xbf", -1},
        {"\xc2", -1},
        {"\xc2 ", -1},
        {"\xe0\x9f\xbf", -1},
        {"\xe0\xa0", -2},
        {"\xe2\x82(", -2},
        {"\xed\xa0\x80", -1},
        {"\xf0\x8f\xbf\xbf", -1},
        {"\xf0\x9f\x98", -3},
        {"\xf4\x90\x80", -1},
        {"\xf5\x80", -1},
        {"\xff", -1},
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, utf8_sequence(span_text(rows[i].text)) == rows[i].length);
}

static void every_code_point_goes_there_and_back(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        if (c == 0xd800)
            c = 0xe000;
        uint8_t text[4];
        unsigned len = utf8_encode(c, text);
        assert_int_equal(len, c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        assert_int_equal(utf8_sequence(span_of(text, len)), len);
    }
}

#define BAD "\xef\xbf\xbd"

static void what_is_malformed_is_replaced(void **state)
{
    (void)state;
    static const struct {
        const char *text, *mended;
        size_t valid;
    } rows[] = {
        {"", "", 0},
        {"plain", "plain", 5},
        {"Troms\xc3\xb8", "Troms\xc3\xb8", 7},
        {"Troms\xf8", "Troms" BAD, 5},
        {"\xc3", BAD, 0},
        {"a\xf0\x9f\x98z", "a" BAD "z", 1},
        {"\xff\xfe", BAD BAD, 0},
        {"12345678\x80"
         "12345678\xe2\x82\xac",
         "12345678" BAD "12345678\xe2\x82\xac", 8},
        {"1234567\xe2\x82\xac"
         "23456789\xe2\x82",
         "1234567\xe2\x82\xac"
         "23456789" BAD,
         18},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t *text = exact_copy(span_text(rows[i].text));
        struct span s = span_of(text, strlen(rows[i].text));
        struct buf out = {0};
        assert_row(i, utf8_valid_length(s) == rows[i].valid);
        assert_int_equal(utf8_mend(s, &out), 0);
        assert_span(buf_span(&out), rows[i].mended);
        buf_fini(&out);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_bytes_count_as_their_maximal_subpart),
        cmocka_unit_test(every_code_point_goes_there_and_back),
        cmocka_unit_test(what_is_malformed_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
