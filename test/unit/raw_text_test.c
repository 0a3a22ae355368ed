/* Texts as they stand in JSON, character by character. */
#include "unit.h"

#include "sluice/codec/raw_text.h"

static void characters_are_the_same_however_they_are_written(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        uint32_t codes[4]; /* to the first 0 */
    } rows[] = {
        /* half of something: each stands for itself, and nothing is read behind the end */
        {"\\", {'\\'}},
        {"\\u12", {'u', '1', '2'}},
        {"\\ud83d", {0xd83d}},
        {"\\ud83dx", {0xd83d, 'x'}},
        {"\\ud83d\\ud83d", {0xd83d, 0xd83d}},
        {"\\ude00", {0xde00}},
        {"\xc3", {0x3}},
        {"\xf0\x9f\x99", {0, 0}},
        {"", {0}},
        {"aé", {'a', 0xe9}},
        {"\\u00E9\\u0061", {0xe9, 'a'}},
        {"\\ud83d\\ude00", {0x1f600}},
        {"😀", {0x1f600}},
        {"東", {0x6771}},
        {"\\n\\t\\\"", {'\n', '\t', '"'}},
        {"\\\\n\\/", {'\\', 'n', '/'}},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span raw = span_text(rows[i].raw);
        uint32_t code;
        unsigned n = 0;
        while (rows[i].codes[n] != 0 && raw_text_next(&raw, &code))
            assert_row(i, code == rows[i].codes[n++]);
        assert_row(i, rows[i].codes[n] == 0);
        if (rows[i].codes[0] != 0)
            assert_row(i, !raw_text_next(&raw, &code));
    }
}

static void white_space_at_the_end_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        size_t tail;
    } rows[] = {
        {"", 0},         {"a", 0},      {" a", 0},       {"a\\\\n", 0}, {"a\\u0000", 0},
        {"a ", 1},       {"a\\n", 2},   {"a\\\\\\n", 2}, {"a \\t ", 4}, {"\\n", 2},
        {"a\\u0020", 6}, {"a  b  ", 2}, {"a\\u00a0", 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, raw_text_blank_tail(span_text(rows[i].raw)) == rows[i].tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_the_same_however_they_are_written),
        cmocka_unit_test(white_space_at_the_end_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
