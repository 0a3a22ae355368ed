/* reserve.h: what a request is taken to cost while nobody knows: the most that so many tokens can come to at
 * one endpoint, so that what is reserved is rarely less than what is settled. */
#ifndef SLUICE_METER_RESERVE_H
#define SLUICE_METER_RESERVE_H

#include "sluice/meter/cost.h"

/* All of the prompt at the dearest way of reading it, all of the answer at the dearest of writing it. */
uint64_t reserve_cost(uint64_t prompt_tokens, uint64_t output_tokens,
                      const struct price_options *price);

#endif
