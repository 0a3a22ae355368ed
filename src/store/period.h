/* period.h: the calendar of budgets: days, weeks (from Monday) and months of UTC, numbered. */
#ifndef SLUICE_STORE_PERIOD_H
#define SLUICE_STORE_PERIOD_H

#include "sluice/config/snapshot.h"

enum { CALENDAR_PERIODS = PERIOD_TOTAL }; /* all but the total, which is one for ever */

/* Grows with time, by one a period: days and weeks since 1970's first, months since the year 0. Of the
 * total: 0. */
uint64_t period_of(enum budget_period p, uint64_t unix_ms);
/* The first millisecond of the next one. Of the total: UINT64_MAX. */
uint64_t period_end_unix_ms(enum budget_period p, uint64_t unix_ms);

#endif
