/* reserve.h: what a request is taken to cost while nobody knows: the most that what it asks for can come to at
 * one endpoint, so that what is reserved is rarely less than what is settled. */
#ifndef SLUICE_METER_RESERVE_H
#define SLUICE_METER_RESERVE_H

#include "sluice/meter/cost.h"

struct reserve_terms {
    uint64_t prompt, output; /* tokens */
    uint64_t images;         /* to be made; their tokens are no part of `output` */
    uint64_t characters;     /* to be spoken */
};

/* All of the prompt at the dearest way of reading it, all of the answer at the dearest of writing it. */
uint64_t reserve_cost(const struct reserve_terms *t, const struct price_options *price);

#endif
