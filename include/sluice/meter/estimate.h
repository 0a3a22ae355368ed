/* estimate.h: what a request would cost, part by part, before anybody is asked (contract 2.18, COST-1).
 *
 * The same arithmetic as the bill's (cost.h), for usage that is expected: all of the prompt is new to the
 * provider, and what it is asked to keep is written, not read. */
#ifndef SLUICE_METER_ESTIMATE_H
#define SLUICE_METER_ESTIMATE_H

#include "sluice/meter/cost.h"

struct estimate_terms {
    uint64_t prompt, output; /* tokens */
    uint64_t cacheable;      /* of the prompt: a cache is asked to keep them */
    bool keeps_an_hour;
    bool is_batch;
    uint32_t discount_ppm; /* of the account: COST_NO_DISCOUNT is none */
    bool is_own;           /* on a credential of the caller's own: nothing is charged here */
};

struct estimate {
    struct cost cost;
    uint64_t batch_discount_pd, total_pd;
    bool is_long_context;
};

/* The member of `price` that is missing to tell: "input" or "output"; NULL: none. */
const char *estimate_lacks(const struct estimate_terms *t, const struct price_options *price);

struct estimate estimate_make(const struct estimate_terms *t, const struct price_options *price);

/* The contract's `breakdown`, an object with every member. */
int estimate_write(const struct estimate *e, struct buf *out) __attribute__((warn_unused_result));

#endif
