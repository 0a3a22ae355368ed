#include "period.h"

#define DAY_MS UINT64_C(86400000)

/* 1 January 1970 was a Thursday: Monday of its week lies three days before. */
enum { DAYS_BEFORE_1970_IN_ITS_WEEK = 3 };

/* A year that begins in March ends with the day that comes and goes: then a month's first day is a
 * straight line through months of 30.6 days, and 400 years have 146,097 days. */
enum { DAYS_TO_1970 = 719468, DAYS_OF_400_YEARS = 146097 };

static uint64_t month_of_day(uint64_t day)
{
    uint64_t since = day + DAYS_TO_1970, era = since / DAYS_OF_400_YEARS;
    uint64_t of_era = since % DAYS_OF_400_YEARS;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* 0: March */

    return (era * 400 + year) * 12 + month + 2;
}

static uint64_t first_day_of(uint64_t month)
{
    uint64_t since_march = month - 2, year = since_march / 12, at = since_march % 12;
    uint64_t era = year / 400, of_era = year % 400;

    return era * DAYS_OF_400_YEARS + of_era * 365 + of_era / 4 - of_era / 100 + (153 * at + 2) / 5 -
           DAYS_TO_1970;
}

uint64_t period_of(enum budget_period p, uint64_t unix_ms)
{
    uint64_t day = unix_ms / DAY_MS;

    switch (p) {
    case PERIOD_DAY:
        return day;
    case PERIOD_WEEK:
        return (day + DAYS_BEFORE_1970_IN_ITS_WEEK) / 7;
    case PERIOD_MONTH:
        return month_of_day(day);
    case PERIOD_TOTAL:
        break;
    }
    return 0;
}

uint64_t period_end_unix_ms(enum budget_period p, uint64_t unix_ms)
{
    uint64_t next = period_of(p, unix_ms) + 1;

    switch (p) {
    case PERIOD_DAY:
        return next * DAY_MS;
    case PERIOD_WEEK:
        return (next * 7 - DAYS_BEFORE_1970_IN_ITS_WEEK) * DAY_MS;
    case PERIOD_MONTH:
        return first_day_of(next) * DAY_MS;
    case PERIOD_TOTAL:
        break;
    }
    return UINT64_MAX;
}
