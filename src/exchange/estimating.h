/* estimating.h: working out about a request what its answer would take, instead of having it answered:
 * POST /v1/ai/tokens/count, /v1/ai/cost/estimate and /v1/ai/cost/compare (contract 2.18).
 *
 *     plan for each model ─▶ count, once for each vocabulary, on another thread ─▶ price ─▶ answer
 *
 * The plans are those that the request itself would get now, so the first endpoint of one is who would
 * be asked. Nobody is. */
#ifndef SLUICE_SRC_EXCHANGE_ESTIMATING_H
#define SLUICE_SRC_EXCHANGE_ESTIMATING_H

struct exchange;

/* Answers, now or later, as x->kind says. */
void estimating_start(struct exchange *x);

#endif
