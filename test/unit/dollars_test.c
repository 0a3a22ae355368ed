/* Dollars in and out: bad rows first. */
#include "unit.h"

#include "sluice/base/dollars.h"

static void what_is_no_amount_is_left_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      ".",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "-1",
                                      "1e3",
                                      "$1",
                                      "1,5",
                                      "1.2.3",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "NaN",
                                      "--1",
                                      "1.0000000000001",
                                      "1000000.000000000001",
                                      "18446744073709551616"};
    for (size_t i = 0; i < ROWS(bad); i++) {
        uint64_t pd = 42;
        assert_row(i, dollars_read(span_text(bad[i]), &pd) != NULL);
        assert_row(i, pd == 42);
    }
    int64_t pd = 42;
    assert_non_null(dollars_read_signed(SPAN_LIT("--1"), &pd));
    assert_non_null(dollars_read_signed(SPAN_LIT("-"), &pd));
    assert_int_equal(pd, 42);
}

static void amounts_are_exact_both_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t pd;
        const char *written;
    } rows[] = {
        {"0", 0, "0"},
        {"-0", 0, "0"},
        {"100", 100 * (int64_t)PD_PER_USD, "100"},
        {"52.85", 52850000000000, "52.85"},
        {"0.00023495", 234950000, "0.00023495"},
        {"0.000000000001", 1, "0.000000000001"},
        {"-3.50", -3500000000000, "-3.5"},
        {"007.010", 7010000000000, "7.01"},
        {"1000000", (int64_t)DOLLARS_MAX_PD, "1000000"},
        {"-1000000", -(int64_t)DOLLARS_MAX_PD, "-1000000"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        char text[DOLLARS_TEXT_BYTES];
        int64_t pd = 42;
        assert_row(i, dollars_read_signed(span_text(rows[i].text), &pd) == NULL);
        assert_row(i, pd == rows[i].pd);
        assert_row(i, dollars_write_signed(pd, text) == strlen(rows[i].written));
        assert_row(i, strcmp(text, rows[i].written) == 0);
    }
}

static void every_number_has_room(void **state)
{
    (void)state;
    char text[DOLLARS_TEXT_BYTES];
    assert_int_equal(dollars_write(UINT64_MAX, text), strlen("18446744.073709551615"));
    assert_string_equal(text, "18446744.073709551615");
    (void)dollars_write_signed(INT64_MIN, text);
    assert_string_equal(text, "-9223372.036854775808");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_amount_is_left_alone),
        cmocka_unit_test(amounts_are_exact_both_ways),
        cmocka_unit_test(every_number_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
