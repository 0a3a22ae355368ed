/* score.h: what the default strategy thinks of those that are left (contract 2.2). */
#ifndef SLUICE_SRC_ROUTE_SCORE_H
#define SLUICE_SRC_ROUTE_SCORE_H

#include "sluice/route/plan.h"

/* Fills cost, latency, throughput, reliability, is_slow, is_open and score of the kept ones.
 * `ranks`: room for n. */
struct rank { /* the same numbers, with the median of the others where nothing is known */
    double cost, latency, throughput;
};
void score_all(const struct plan_question *q, struct considered *considered, struct rank *ranks,
               unsigned n, struct arena *a);

#endif
