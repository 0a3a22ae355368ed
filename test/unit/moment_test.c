#include "unit.h"

#include "sluice/base/moment.h"

static void times_are_dates_that_exist(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2030",
                                      "2030-13-01",
                                      "2030-02-30",
                                      "2030-00-10",
                                      "2030-1-1",
                                      "2030-01-01T",
                                      "2030-01-01T10:00Z",
                                      "2030-01-01T25:00:00Z",
                                      "2030-01-01T10:00:00",
                                      "2030-01-01T10:00:00.Z",
                                      "2030-01-01T10:00:00,5Z",
                                      "2030-01-01T10:00:00+25:00",
                                      "2030-01-01T10:00:00Zx",
                                      "2030-01-01 10:00:00Z",
                                      "1969-12-31",
                                      "tomorrow"};
    static const struct {
        const char *text;
        uint64_t unix_ms;
    } good[] = {
        {"1970-01-01", 0},
        {"2030-12-31", 1924905600000},
        {"2030-12-31T00:00:00Z", 1924905600000},
        {"2030-12-31t00:00:00z", 1924905600000},
        {"2030-12-31T00:00:00.5Z", 1924905600500},
        {"2030-12-31T00:00:00.123456789Z", 1924905600123},
        {"2030-12-31T02:00:00+02:00", 1924905600000},
        {"2030-12-31T02:00:00.25+02:00", 1924905600250},
        {"2030-12-30T18:30:00-05:30", 1924905600000},
        {"2028-02-29", 1835395200000},
    };
    for (unsigned i = 0; i < ROWS(bad); i++) {
        uint64_t at = 7;
        assert_row(i, moment_parse(span_text(bad[i]), &at) != NULL);
        assert_row(i, at == 7);
    }
    for (unsigned i = 0; i < ROWS(good); i++) {
        uint64_t at = 7;
        assert_row(i, moment_parse(span_text(good[i].text), &at) == NULL);
        assert_row(i, at == good[i].unix_ms);
    }
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    char text[MOMENT_SIZE];
    uint64_t at;
    assert_true(span_eq(moment_write(1924905600999, text), SPAN_LIT("2030-12-31T00:00:00Z")));
    assert_null(moment_parse(moment_write(1700000000000, text), &at));
    assert_int_equal(at, 1700000000000);
    assert_int_equal(moment_write(UINT64_MAX, text).len < MOMENT_SIZE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_dates_that_exist),
        cmocka_unit_test(what_was_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
