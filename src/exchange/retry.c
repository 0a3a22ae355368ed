#include "retry.h"

#include <stdio.h>

/* As many as ten seconds bring, and a burst for those who live of the share alone. */
enum { KEPT_SECONDS = 10, KEPT_AT_LEAST = 100 };

static struct allowance_terms terms_of(const struct exchange *x)
{
    const struct retry_budget_options *o = &x->deployment->snapshot->routing.retry_budget;
    uint32_t most = o->min_per_second * KEPT_SECONDS;
    return (struct allowance_terms){
        .each_earns_ppm = o->ratio_ppm,
        .per_second = o->min_per_second,
        .most = most > KEPT_AT_LEAST ? most : KEPT_AT_LEAST,
    };
}

void retry_earn(struct exchange *x)
{
    const struct allowance_terms terms = terms_of(x);
    allowance_earn(&x->gateway->retries, &terms);
}

static bool is_well(const struct exchange *x, const struct planned_attempt *p)
{
    return health_is_well(health_of(x->deployment->health, p->target));
}

/* The plan was made before the request failed anywhere; who was well then need not be now. */
static bool move_up_who_is_well(struct exchange *x, bool of_same_model)
{
    struct planned_attempt *left = &x->plan.attempts[x->nattempts];
    unsigned n = x->plan.n - x->nattempts;
    for (unsigned i = 0; i < n; i++) {
        const struct planned_attempt found = left[i];
        bool is_same = found.with_own_key == left[0].with_own_key &&
                       span_eq(found.target->model_id, left[0].target->model_id);
        if ((of_same_model && !is_same) || !is_well(x, &found))
            continue;
        memmove(left + 1, left, i * sizeof *left);
        left[0] = found;
        return true;
    }
    return false;
}

bool retry_prefers_who_is_well(struct exchange *x)
{
    return move_up_who_is_well(x, true);
}

enum retry retry_choose(struct exchange *x)
{
    if (x->nattempts == x->plan.n)
        return RETRY_NOBODY;
    if (move_up_who_is_well(x, true))
        return RETRY_NEXT;
    const struct allowance_terms terms = terms_of(x);
    if (allowance_take(&x->gateway->retries, &terms, loop_now_ms(x->gateway->loop)) ||
        move_up_who_is_well(x, false))
        return RETRY_NEXT;
    metric_add(x->gateway->instruments.retry_budget_exhausted, 1);
    return RETRY_NO_BUDGET;
}

void retry_explain(const struct exchange *x, struct fault *why)
{
    *why = *x->first_said;
    size_t len = strlen(why->message);
    snprintf(why->message + len, sizeof why->message - len,
             "; no other endpoint was asked: none is well, and the retry budget is used up "
             "(routing.retry_budget)");
}
