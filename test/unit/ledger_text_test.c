/* What the ledger and its script say to each other: what is written, what is read, what is no book. */
#include "unit.h"

#include "../../src/store/ledger_text.h"

#define USD UINT64_C(1000000000000)
#define ZEROS_16 "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"

static void what_is_written_is_as_listed(void **state)
{
    struct admit_query q = {.now_unix_ms = UINT64_C(1740000000000),
                            .tokens = 7,
                            .cost_pd = 9007 * USD + 5,
                            .is_task = true};
    struct ledger_scope s = {.rpm = 1,
                             .tpm = UINT64_MAX,
                             .concurrency = 3,
                             .tasks = 4,
                             .has_budget = true,
                             .budget_pd = 18000000 * USD + 1,
                             .period = PERIOD_MONTH,
                             .is_prepaid = true};
    struct book b = {
        .requests = {29000000, -3, 4},
        .tokens = {29000001, 5, -6},
        .held = {-1, 2, -(int64_t)(3 * USD + 4)},
        .sums = {.spent_pd = USD + 2,
                 .spent_in = {{20138, 1}, {2877, 2}, {24301, USD}},
                 .credited_pd = 10 * USD,
                 .withdrawn_pd = 11,
                 .last_used_unix_ms = 12},
    };
    struct figures room;

    (void)state;
    assert_span(text_of_query(&q, &room), "1740000000000 7 9007 5 1 20138 2877 24301");
    assert_span(text_of_limits(&s, &room), "1 18446744073709551615 3 4 3 18000000 1 1");
    s.has_budget = false;
    s.budget_pd = 0;
    assert_span(text_of_limits(&s, &room), "1 18446744073709551615 3 4 0 0 0 1");
    assert_span(text_of_change(&b, 70, NULL, &room), "29000000 -3 4 29000001 5 -6 -1 2 -3 -4 70");
    assert_span(text_of_change(&b, 0, &b, &room),
                "29000000 -3 4 29000001 5 -6 -1 2 -3 -4 0 29000000 -3 4 29000001 5 -6");
    assert_span(text_of_held(&b.held, &room), "-1 2 -3 -4");
    assert_span(text_of_credit((int64_t)(9000000 * USD), &room), "1 9000000 0");
    assert_span(text_of_credit(INT64_MIN, &room), "-1 9223372 36854775808");
}

static void what_is_no_book_is_none(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "1",
        "0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,     /* one too few */
        "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16, /* one too many */
        "0 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16 " ",
        "0  0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,
        "-1 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,
        "1e3 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,
        "18446744073709551616 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,
        "nan 0 0 0 0 0 0 0 0 0 0 0 0 0 " ZEROS_16,
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct book b = {.requests = {1, 2, 3}};
        struct held own = {4, 5, 6};
        uint8_t *copy = exact_copy(span_text(rows[i]));

        assert_row(i, !text_read_book(span_of(copy, strlen(rows[i])), &b, &own));
        assert_row(i, b.requests.minute == 1 && own.live == 4);
        free(copy);
    }
}

static void numbers_that_are_too_large_stop_at_the_largest(void **state)
{
    struct book b;
    struct held own;

    (void)state;
    assert_true(text_read_book(
        SPAN_LIT("1 999999999999 2 0 0 0 18446744073709551615 1 18446744073709551615 0 1 2 3 4 "
                 "18446744 999999999999 0 0 0 0 0 0 0 0 0 18446744073709551615 0 0 0 0"),
        &b, &own));
    assert_true(b.requests.now == WINDOW_COUNT_MAX && b.requests.before == 2);
    assert_true(b.held.live == INT64_MAX && b.held.tasks == 1 && b.held.reserved_pd == INT64_MAX);
    assert_true(own.live == 1 && own.tasks == 2 && own.reserved_pd == (int64_t)(3 * USD + 4));
    assert_true(b.sums.spent_pd == UINT64_MAX);
    assert_true(b.sums.credited_pd == UINT64_MAX);
}

static void sums_are_read_as_they_were_written(void **state)
{
    const struct sums s = {.spent_pd = 12345 * USD + 678,
                           .spent_in = {{1, 2}, {3, 4}, {5, 6 * USD}},
                           .credited_pd = 7,
                           .withdrawn_pd = 8,
                           .last_used_unix_ms = 9};
    struct figures room;
    struct sums read;

    (void)state;
    assert_true(text_read_sums(text_of_sums(&s, &room), &read));
    assert_memory_equal(&s, &read, sizeof(s));
    assert_false(text_read_sums(SPAN_LIT(ZEROS_16 " 0"), &read));
    assert_false(text_read_sums(SPAN_LIT("x"), &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_as_listed),
        cmocka_unit_test(what_is_no_book_is_none),
        cmocka_unit_test(numbers_that_are_too_large_stop_at_the_largest),
        cmocka_unit_test(sums_are_read_as_they_were_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
