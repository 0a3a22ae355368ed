/* RFC 3339, read and written. */
#include "unit.h"

#include "sluice/base/timestamp.h"

static void what_is_no_time_is_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "2030",
        "2030-1-1",
        "2030-02-30",
        "2030-13-01",
        "2030-01-01T",
        "2030-01-01T00:00",
        "2030-01-01T00:00:00",
        "2030-01-01T25:00:00Z",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00.5",
        "2030-01-01T00:00:00+25:00",
        "2030-01-01T00:00:00Zz",
        "2030-01-01 00:00:00Z",
        "2030\r01\r01",
        "1970-01-01T00:00:00+00:01",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms;
        assert_row(i, timestamp_read(span_text(rows[i]), &ms) != NULL);
    }
}

static void times_are_read_to_the_millisecond(void **state)
{
    static const struct {
        const char *text;
        uint64_t unix_ms;
    } rows[] = {
        {"1970-01-01", 0},
        {"2030-12-31", 1924905600000},
        {"2030-12-31T23:59:59Z", 1924991999000},
        {"2030-12-31t23:59:59z", 1924991999000},
        {"2030-12-31T23:59:59.5Z", 1924991999500},
        {"2030-12-31T23:59:59.0429999Z", 1924991999042},
        {"2030-12-31T23:59:59.123+02:00", 1924984799123},
        {"2030-12-31T23:59:59-05:30", 1925011799000},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = 1;
        assert_row(i, timestamp_read(span_text(rows[i].text), &ms) == NULL);
        assert_row(i, ms == rows[i].unix_ms);
    }
}

static void what_was_written_is_read_again(void **state)
{
    static const uint64_t rows[] = {0, 1, 999, 1924991999500, 253402300799999};
    char text[TIMESTAMP_BYTES];
    uint64_t ms;
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        timestamp_write(rows[i], text);
        assert_row(i, timestamp_read(span_of(text, sizeof text), &ms) == NULL && ms == rows[i]);
    }
    timestamp_write(UINT64_MAX, text);
    assert_memory_equal(text, "9999-12-31T23:59:59.999Z", sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(times_are_read_to_the_millisecond),
        cmocka_unit_test(what_was_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
