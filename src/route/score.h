/* score.h: what the default strategy thinks of those that are left (contract 2.2), and who of two is
 * asked first. */
#ifndef SLUICE_SRC_ROUTE_SCORE_H
#define SLUICE_SRC_ROUTE_SCORE_H

#include "sluice/route/plan.h"

/* Where one stands: less is sooner, the first that differs decides; where nothing is known, the median
 * of the others. */
struct rank {
    uint64_t place; /* its circuit, its cut-offs, its place in `order` */
    double wish;    /* what `sort` says, else the score */
    double cost;
};

/* `is_open`: as it matters here. */
static inline uint64_t rank_place(const struct considered *c, bool is_open)
{
    uint64_t trouble = (uint64_t)is_open << 1 | c->is_slow;
    return trouble << 32 | c->position;
}

/* Fills cost, latency, throughput, reliability, is_slow, is_open and score of the kept ones, and their
 * ranks. `ranks`: room for n. `kept`: how many are. */
void score_all(const struct plan_question *q, struct considered *considered, struct rank *ranks,
               unsigned n, unsigned kept, struct arena *a);

#endif
