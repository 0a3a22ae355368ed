/* bench/hist.h: a histogram of nanoseconds that is right to 1.6 % from 1 ns to 18 minutes.
 *
 * Each power of two is cut into 64 equal steps, so recording is a shift and an increment, and the
 * size does not depend on what is recorded. Percentiles answer the upper edge of the step found. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

enum { HIST_STEPS = 64, HIST_POWERS = 35 };

struct hist {
    uint64_t count;
    uint64_t max;
    uint64_t step[HIST_POWERS * HIST_STEPS];
};

void hist_record(struct hist *h, uint64_t ns);
uint64_t hist_percentile(const struct hist *h, double percent); /* 0 when empty */

#endif
