#include "sluice/route/question.h"

#include "sluice/route/family.h"

enum { ANSWER_TOKENS = 500 }; /* of which nobody knows how many there will be */

/* A seventh of two bytes a token is about what tokenizers make of prose and of code. */
uint64_t question_tokens(uint64_t bytes)
{
    return bytes * 2 / 7;
}

bool question_read(const struct snapshot *s, const struct openai_request *r, uint64_t prompt_tokens,
                   struct arena *a, struct preferences *p, struct plan_question *q,
                   struct fault *why)
{
    uint64_t most = r->asked.max_tokens;
    if (!preferences_read(r->provider, r->models, a, p, why))
        return false;
    p->has_task = p->has_task || r->takes_default; /* the first one: general */
    if (r->model.len == 0 && !family_choose(s, p, why)) {
        if (r->takes_default) /* "model" is missing rather than wrong */
            why->kind = FAULT_INVALID_REQUEST;
        return false;
    }
    q->model = r->model;
    q->preferences = p;
    q->used = r->asked.params;
    q->prompt_tokens = prompt_tokens;
    q->output_tokens = most > 0 && most < ANSWER_TOKENS ? most : ANSWER_TOKENS;
    q->max_tokens = most;
    q->max_cost_multiplier = p->max_cost_multiplier;
    q->denies_collection = s->routing.train_opt_out;
    q->wants_zdr = s->routing.zdr_only;
    q->weights = s->routing.weights;
    return true;
}
