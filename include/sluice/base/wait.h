/* wait.h: how long somebody asks to wait, in milliseconds; 0 is not at all, or not said. */
#ifndef SLUICE_BASE_WAIT_H
#define SLUICE_BASE_WAIT_H

#include "sluice/base/span.h"

/* Nobody waits longer: 30 days. */
#define WAIT_MAX_MS 2592000000u

/* "34", "1.5": a decimal number of units of so many milliseconds (1 to 1000), rounded up and cut to the
 * maximum. What has a sign, an exponent or any other character says nothing: 0. */
unsigned wait_read(struct span decimal, unsigned unit_ms);

/* Of two waits the one that is over first; one that was not said does not count. */
static inline unsigned wait_shorter(unsigned a_ms, unsigned b_ms)
{
    return a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
}

#endif
