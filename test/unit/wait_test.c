#include "unit.h"

#include "sluice/base/wait.h"

static void a_wait_is_a_plain_decimal_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned unit_ms, ms;
    } rows[] = {
        {"", 1000, 0},
        {".", 1000, 0},
        {"soon", 1000, 0},
        {"-1", 1000, 0},
        {"+1", 1000, 0},
        {" 1", 1000, 0},
        {"1 ", 1000, 0},
        {"1e3", 1000, 0},
        {"0x10", 1000, 0},
        {"1.", 1000, 0},
        {".5", 1000, 0},
        {"1.5.5", 1000, 0},
        {"1,5", 1000, 0},
        {"NaN", 1000, 0},
        {"0", 1000, 0},
        {"0.0", 1000, 0},
        {"1", 1000, 1000},
        {"34", 1000, 34000},
        {"007", 1000, 7000},
        {"1.5", 1000, 1500},
        {"34.074824224", 1000, 34075},
        {"0.0000000000001", 1000, 1},
        {"0.9999999999999", 1000, 1000},
        {"20", 1, 20},
        {"20.25", 1, 21},
        {"2591999", 1000, 2591999000},
        {"2592001", 1000, WAIT_MAX_MS},
        {"4294967296", 1000, WAIT_MAX_MS},
        {"18446744073709551616", 1, WAIT_MAX_MS},
        {"99999999999999999999999999999999999999", 1000, WAIT_MAX_MS},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span text = span_text(rows[i].text);
        uint8_t *copy = exact_copy(text);
        assert_row(i, wait_read(span_of(copy, text.len), rows[i].unit_ms) == rows[i].ms);
        free(copy);
    }
}

static void the_shorter_of_two_waits_is_one_that_was_said(void **state)
{
    (void)state;
    assert_int_equal(wait_shorter(0, 0), 0);
    assert_int_equal(wait_shorter(0, 7), 7);
    assert_int_equal(wait_shorter(7, 0), 7);
    assert_int_equal(wait_shorter(7, 5), 5);
    assert_int_equal(wait_shorter(5, 7), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_is_a_plain_decimal_number),
        cmocka_unit_test(the_shorter_of_two_waits_is_one_that_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
