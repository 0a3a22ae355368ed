/* explaining.h: telling why a request went where it went: in the answer's head (X-Sluice-Explain), and
 * as the answer of POST /v1/route/explain, which asks nobody. */
#ifndef SLUICE_SRC_EXCHANGE_EXPLAINING_H
#define SLUICE_SRC_EXCHANGE_EXPLAINING_H

#include "sluice/route/explanation.h"

struct exchange;

/* What the request's own field says of whether it wants to know. */
bool explaining_is_wanted(struct span value, bool otherwise);

/* The field's value, in memory that is good until the next call; empty when there is no plan. */
struct span explaining_field(const struct exchange *x);

/* Answers with the plan that was made, or with why none could be (NULL: one could). */
void explaining_reply(struct exchange *x, const struct plan_question *q, const struct fault *why);

#endif
