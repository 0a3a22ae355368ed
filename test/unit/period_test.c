/* The calendar of budgets, held against the C library's. */
#include "unit.h"

#include "../../src/store/period.h"

#include <time.h>

#define DAY_MS UINT64_C(86400000)
#define AT(y, m, d, h) unix_ms_of(y, m, d, h)

static uint64_t unix_ms_of(int year, int month, int day, int hour)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour};

    return (uint64_t)timegm(&tm) * 1000;
}

static void boundaries_are_as_listed(void **state)
{
    const struct row {
        enum budget_period period;
        uint64_t last, next; /* the last millisecond of one, the first of the next */
    } rows[] = {
        {PERIOD_DAY, AT(2024, 2, 29, 0) - 1, AT(2024, 2, 29, 0)},
        {PERIOD_DAY, AT(2024, 12, 31, 0) + DAY_MS - 1, AT(2025, 1, 1, 0)},
        {PERIOD_WEEK, AT(1970, 1, 5, 0) - 1, AT(1970, 1, 5, 0)},
        {PERIOD_WEEK, AT(2024, 12, 30, 0) - 1, AT(2024, 12, 30, 0)}, /* ISO: 2025-W01 */
        {PERIOD_WEEK, AT(2021, 1, 4, 0) - 1, AT(2021, 1, 4, 0)},     /* after 2020-W53 */
        {PERIOD_MONTH, AT(1970, 2, 1, 0) - 1, AT(1970, 2, 1, 0)},
        {PERIOD_MONTH, AT(2023, 3, 1, 0) - 1, AT(2023, 3, 1, 0)},
        {PERIOD_MONTH, AT(2024, 3, 1, 0) - 1, AT(2024, 3, 1, 0)}, /* a day later in its year */
        {PERIOD_MONTH, AT(2025, 1, 1, 0) - 1, AT(2025, 1, 1, 0)},
        {PERIOD_MONTH, AT(2100, 3, 1, 0) - 1, AT(2100, 3, 1, 0)}, /* no leap year */
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct row *r = &rows[i];
        assert_row(i, period_of(r->period, r->last) + 1 == period_of(r->period, r->next));
        assert_row(i, period_end_unix_ms(r->period, r->last) == r->next);
        assert_row(i, period_end_unix_ms(r->period, r->next) > r->next);
    }
}

static void every_day_of_two_centuries_is_in_its_week_and_month(void **state)
{
    uint64_t week = 0, month = 23640; /* January 1970 */

    (void)state;
    for (uint64_t day = 0; day < 73000; day++) {
        time_t at = (time_t)(day * 86400);
        struct tm tm;

        gmtime_r(&at, &tm);
        week += tm.tm_wday == 1;
        month += tm.tm_mday == 1 && day > 0;
        assert_row(day, period_of(PERIOD_DAY, day * DAY_MS) == day);
        assert_row(day, period_of(PERIOD_WEEK, day * DAY_MS + DAY_MS - 1) == week);
        assert_row(day, period_of(PERIOD_MONTH, day * DAY_MS) == month);
        assert_row(day, month == (uint64_t)(tm.tm_year + 1900) * 12 + (uint64_t)tm.tm_mon);
        assert_row(day, period_of(PERIOD_MONTH, period_end_unix_ms(PERIOD_MONTH, day * DAY_MS)) ==
                            month + 1);
    }
}

static void the_total_has_no_end(void **state)
{
    (void)state;
    assert_true(period_of(PERIOD_TOTAL, AT(2025, 1, 1, 0)) == 0);
    assert_true(period_end_unix_ms(PERIOD_TOTAL, AT(2025, 1, 1, 0)) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boundaries_are_as_listed),
        cmocka_unit_test(every_day_of_two_centuries_is_in_its_week_and_month),
        cmocka_unit_test(the_total_has_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
