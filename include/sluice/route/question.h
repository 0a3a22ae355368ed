/* question.h: what a request says, as the plan is asked: one reading for whoever wants a plan, whether
 * to make the attempts or to tell of them. */
#ifndef SLUICE_ROUTE_QUESTION_H
#define SLUICE_ROUTE_QUESTION_H

#include "sluice/codec/openai_request.h"
#include "sluice/route/plan.h"

/* About how many tokens a body of so many bytes is. */
uint64_t question_tokens(uint64_t bytes);

/* Fills what the request and the configuration say of *q, and *p, which it points to afterwards.
 * `prompt_tokens`: an estimate. False with *why, a 400 that names the member. */
bool question_read(const struct snapshot *s, const struct openai_request *r, uint64_t prompt_tokens,
                   struct arena *a, struct preferences *p, struct plan_question *q,
                   struct fault *why);

#endif
