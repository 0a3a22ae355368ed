/* allowance.h: so many of one thing for so many of another: retries for requests, say.
 *
 * A bucket of tokens. What happens anyway earns a part of one each time, and so does time; what is to
 * stay rare takes a whole one. All zero is a bucket that has earned nothing, but for the time before.
 *
 * Pure: time comes in, in milliseconds of any clock that does not go back. */
#ifndef SLUICE_BASE_ALLOWANCE_H
#define SLUICE_BASE_ALLOWANCE_H

#include <stdbool.h>
#include <stdint.h>

struct allowance {
    uint64_t millionths; /* of a token */
    uint64_t as_of_ms;
};

struct allowance_terms {
    uint32_t each_earns_ppm; /* millionths of a token */
    uint32_t per_second;     /* tokens */
    uint32_t most;           /* tokens that are kept */
};

void allowance_earn(struct allowance *a, const struct allowance_terms *t);
/* False: there is none left, and nothing was taken. */
bool allowance_take(struct allowance *a, const struct allowance_terms *t, uint64_t now_ms);

#endif
