#include "retry.h"

#include "continuation.h"
#include "hedge.h"
#include "lanes.h"
#include "own_keys.h"

#include "sluice/base/wait.h"

#include <stdio.h>

/* --- whom, and whether ------------------------------------------------------------------------------ */

enum retry {
    RETRY_NEXT,      /* plan.attempts[nattempts] it is; it may have changed its place */
    RETRY_NOBODY,    /* all have been asked */
    RETRY_NO_BUDGET, /* there are others, none of them is well, and the allowance is used up */
};

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
    if (p->with_own_key)
        return !own_key_is_open(x->own[p->target->provider_index], p->target);
    return !health_is_open(health_of(x->deployment->health, p->target));
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

static enum retry choose(struct exchange *x)
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

/* What those said who were asked, and that others were not. */
static void fail_early(struct exchange *x)
{
    struct fault why = *x->first_said;
    size_t len = strlen(why.message);
    snprintf(why.message + len, sizeof why.message - len,
             "; those left were not asked: none of them is well, and the retry budget is used up "
             "(routing.retry_budget)");
    exchange_fail(x, &why);
}

/* --- what failed --------------------------------------------------------------------------------------- */

void exchange_note_tried(struct attempt *a, enum attempt_result result, uint64_t estimated_cost_pd)
{
    struct exchange *x = a->x;
    if (x->ntried == ATTEMPTS_MAX)
        return;
    if (x->trace != NULL)
        trace_attempt(a, result);
    if (x->tried == NULL)
        x->tried = ARENA_ARRAY(&x->arena, struct fault_attempt, ATTEMPTS_MAX);
    struct fault_attempt *told = &x->tried[x->ntried++];
    *told = attempt_told(a, result, clock_us());
    told->estimated_cost_pd = estimated_cost_pd;
}

static void note_failed_attempt(struct attempt *a, const struct attempt_failure *f)
{
    struct exchange *x = a->x;
    exchange_note_tried(a, f->result, 0);
    if (x->first_said == NULL) {
        x->first_said = ARENA_NEW(&x->arena, struct fault);
        *x->first_said = f->fault;
    }
}

/* Who says when to come back is not asked before, as long as there are others. A client that comes
 * back asks all of them again: whichever is free first will do. */
static void note_wait(struct attempt *a, const struct fault *f)
{
    struct exchange *x = a->x;
    bool is_busy = f->kind == FAULT_UPSTREAM_RATE_LIMITED || f->kind == FAULT_UPSTREAM_UNAVAILABLE;
    if (!is_busy || f->retry_after_ms == 0)
        return;
    x->retry_after_ms = wait_shorter(x->retry_after_ms, f->retry_after_ms);
    if (a->health != NULL)
        health_cool(a->health, f->retry_after_ms);
}

void exchange_attempt_failed(struct attempt *a, const struct attempt_failure *f)
{
    struct exchange *x = a->x;
    bool has_begun = x->state != EXCHANGE_ATTEMPTING;
    bool has_hope = has_begun ? continuation_has_hope(a, f) : blame_leaves_hope(f->blame);
    bool is_one_of_two = a == x->rival || (x->rival != NULL && has_hope);
    a->blame = f->blame;
    note_wait(a, &f->fault);
    if (is_one_of_two) {
        if (!hedge_takes_back(a, f->result))
            note_failed_attempt(a, f);
        attempt_end(a, f->result);
        hedge_go_on_without(a);
        return;
    }
    enum retry retry = has_hope ? choose(x) : RETRY_NOBODY;
    if (retry == RETRY_NOBODY && f->passes && !x->head_sent) {
        error_lane_relay(a, &f->fault);
        return;
    }
    note_failed_attempt(a, f);
    attempt_end(a, f->result);
    if (retry == RETRY_NEXT) {
        if (has_begun)
            continuation_take_over(a, &f->fault);
        exchange_attempt_next(x);
    } else if (retry == RETRY_NO_BUDGET && !has_begun) {
        fail_early(x);
    } else {
        exchange_fail(x, continuation_fault(x, &f->fault));
    }
}
