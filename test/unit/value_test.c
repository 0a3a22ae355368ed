/* What the words of a configuration mean: bad rows first. */
#include "unit.h"

#include "../../src/config/value.h"

typedef const char *(*parse_fn)(struct span, uint64_t *);

struct value_row {
    const char *text;
    uint64_t value;
};

static void check_refused(parse_fn parse, const char *const *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 42;
        assert_row(i, parse(span_text(texts[i]), &value) != NULL);
        assert_row(i, value == 42); /* left alone */
    }
}

static void check_taken(parse_fn parse, const struct value_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = 42;
        assert_row(i, parse(span_text(rows[i].text), &value) == NULL);
        assert_row(i, value == rows[i].value);
    }
}

static void durations_have_a_unit(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-5s",
                                      "+5s",
                                      "5 s",
                                      "5S",
                                      "1.5s",
                                      "5sec",
                                      "1m30s",
                                      "0x5s",
                                      "5s ",
                                      "٣s",
                                      "18446744073709551616s",
                                      "18446744073709551615d"};
    static const struct value_row good[] = {{"0", 0},         {"0s", 0},      {"250ms", 250},
                                            {"30s", 30000},   {"5m", 300000}, {"1h", 3600000},
                                            {"1d", 86400000}, {"007s", 7000}};
    check_refused(value_duration, bad, ROWS(bad));
    check_taken(value_duration, good, ROWS(good));
}

static void sizes_have_a_unit(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "5",    "MiB", "64 MiB", "64mib",
                                      "64M", "1TiB", "-1B", "1.5B",   "18446744073709551615KiB"};
    static const struct value_row good[] = {
        {"0", 0},           {"512B", 512},     {"8KiB", 8192},    {"64MiB", 64u << 20},
        {"1GiB", 1u << 30}, {"512KB", 512000}, {"512kB", 512000}, {"1MB", 1000000},
        {"2GB", 2000000000}};
    check_refused(value_size, bad, ROWS(bad));
    check_taken(value_size, good, ROWS(good));
}

static void money_is_exact(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     "-1",        "+1",        "1.",    ".5",      "1,5", "$1",
        "1e-6", "0.0000001", "1.1234567", "1.2.3", "1000001", "1 ",  "18446744073709551616"};
    static const struct value_row good[] = {
        {"0", 0},          {"3.00", 3000000}, {"0.30", 300000},
        {"0.0125", 12500}, /* ecosystem's example */
        {"0.000001", 1},   {"15", 15000000},  {"1000000", 1000000000000},
    };
    check_refused(value_money, bad, ROWS(bad));
    check_taken(value_money, good, ROWS(good));
}

static void a_price_for_one_is_exact(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "-1",   "1.",      ".5",
                                      "1e-6", "$0.1", "1000.01", "0.0000000000001"};
    static const struct value_row good[] = {{"0", 0},
                                            {"0.04", UINT64_C(40000000000)},
                                            {"0.0001", 100000000},
                                            {"0.000000000001", 1},
                                            {"1000", UINT64_C(1000000000000000)}};
    check_refused(value_fee, bad, ROWS(bad));
    check_taken(value_fee, good, ROWS(good));
}

static void shares_are_parts_of_one(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-0.1", "1.1", "2", ".5", "5%", "0.0000001", "1.000001"};
    static const struct value_row good[] = {{"0", 0},        {"0.05", 50000}, {"0.2", 200000},
                                            {"0.000001", 1}, {"1", 1000000},  {"1.0", 1000000}};
    check_refused(value_share, bad, ROWS(bad));
    check_taken(value_share, good, ROWS(good));
}

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
                                      "2030-01-01T10:00:00+25:00",
                                      "2030-01-01T10:00:00Zx",
                                      "2030-01-01 10:00:00Z",
                                      "1969-12-31",
                                      "tomorrow"};
    static const struct value_row good[] = {
        {"1970-01-01", 0},
        {"2030-12-31", 1924905600000},
        {"2030-12-31T00:00:00Z", 1924905600000},
        {"2030-12-31T02:00:00+02:00", 1924905600000},
        {"2030-12-30T18:30:00-05:30", 1924905600000},
        {"2028-02-29", 1835395200000},
    };
    check_refused(value_time, bad, ROWS(bad));
    check_taken(value_time, good, ROWS(good));
}

static void booleans_and_modes_are_not_guessed(void **state)
{
    (void)state;
    static const char *const not_bool[] = {"", "yes", "no", "on", "True", "1", "0", "truee"};
    static const char *const not_mode[] = {"",      "66",   "0o660", "0999",
                                           "00660", "1777", "rw",    "-660"};
    bool yes = true;
    unsigned mode;
    for (size_t i = 0; i < ROWS(not_bool); i++)
        assert_row(i, value_bool(span_text(not_bool[i]), &yes) != NULL);
    for (size_t i = 0; i < ROWS(not_mode); i++)
        assert_row(i, value_mode(span_text(not_mode[i]), &mode) != NULL);
    assert_null(value_bool(SPAN_LIT("false"), &yes));
    assert_false(yes);
    assert_null(value_mode(SPAN_LIT("0660"), &mode));
    assert_int_equal(mode, 0660);
    assert_null(value_mode(SPAN_LIT("600"), &mode));
    assert_int_equal(mode, 0600);
}

static void distances_count_single_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } rows[] = {{"", "", 0},         {"a", "", 1},
                {"host", "host", 0}, {"hots", "host", 1},
                {"hst", "host", 1},  {"hoost", "host", 1},
                {"hose", "host", 1}, {"kitten", "sitting", 3},
                {"abc", "xyz", 3},   {"abcdefgh", "zyxwvuts", 5}};
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct span a = span_text(rows[i].a), b = span_text(rows[i].b);
        assert_row(i, value_distance(a, b, 4) == rows[i].distance);
        assert_row(i, value_distance(b, a, 4) == rows[i].distance);
    }
    char lengthy[100];
    memset(lengthy, 'a', sizeof(lengthy));
    assert_int_equal(value_distance(span_of(lengthy, 100), span_of(lengthy, 100), 4), 5);
}

static void suggestions_are_near(void **state)
{
    (void)state;
    struct suggestion s = {.text = SPAN_LIT("opnai")};
    suggestion_offer(&s, "anthropic");
    assert_null(s.best);
    suggestion_offer(&s, "openai");
    assert_string_equal(s.best, "openai");
    suggestion_offer(&s, "openaix"); /* farther: the first stays */
    assert_string_equal(s.best, "openai");
    struct suggestion none = {.text = SPAN_LIT("x")};
    suggestion_offer(&none, "yz");
    assert_null(none.best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_a_unit),
        cmocka_unit_test(sizes_have_a_unit),
        cmocka_unit_test(money_is_exact),
        cmocka_unit_test(a_price_for_one_is_exact),
        cmocka_unit_test(shares_are_parts_of_one),
        cmocka_unit_test(times_are_dates_that_exist),
        cmocka_unit_test(booleans_and_modes_are_not_guessed),
        cmocka_unit_test(distances_count_single_mistakes),
        cmocka_unit_test(suggestions_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
