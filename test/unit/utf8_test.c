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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(malformed_bytes_count_as_their_maximal_subpart),
        cmocka_unit_test(every_code_point_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
