#include "continuation.h"

#include "exchange_priv.h"

#include "sluice/catalog/facts.h"
#include "sluice/codec/token_count.h"

#include <stdlib.h>

struct continuation {
    bool has_begun;     /* the client is in the middle of the answer */
    bool is_on;         /* somebody has taken over */
    bool owes_notice;   /* and the client has not been told */
    struct fault first; /* why it broke */
    struct usage usage; /* of those that broke off */
    struct cost cost;
    struct {
        struct route_series *series;
        uint64_t pd;
    } parts[ATTEMPTS_MAX]; /* of that cost: charged when it is known whether anything came of it */
    unsigned nparts;
    const char *result;
};

/* --- who could go on ------------------------------------------------------------------------------ */

/* An endpoint of the model the client was told of, and in protocols that have a place for the text. */
static bool can_go_on(const struct exchange *x, const struct target *t)
{
    struct dialect d;
    return (facts_of(t) & FACT_PREFILL) != 0 &&
           dialect_translate(x->kind->api, t->provider, t->upstream_model, &d) &&
           (d.upstream == upstream_codec_for(UPSTREAM_CHAT) ||
            d.upstream == upstream_codec_for(UPSTREAM_MESSAGES));
}

static bool is_same_model(const struct attempt *a, const struct target *t)
{
    return span_eq(t->model_id, a->target->model_id);
}

static bool echoes(const struct target *t)
{
    return (facts_of(t) & FACT_PREFILL_ECHO) != 0;
}

/* Leaves in the plan, of those that were not tried, who could. From the start, anybody can. */
static bool prune(struct attempt *a, bool from_start)
{
    struct exchange *x = a->x;
    struct plan *p = &x->plan;
    unsigned n = x->nattempts;
    for (unsigned i = x->nattempts; i < p->n; i++) {
        const struct target *t = p->attempts[i].target;
        if (is_same_model(a, t) && (from_start || can_go_on(x, t)))
            p->attempts[n++] = p->attempts[i];
    }
    p->n = n;
    return n > x->nattempts;
}

/* A response the provider keeps is asked for by the provider's own id, which is lost when it is read. */
static bool is_kept(const struct attempt *a)
{
    return a->x->request->is_kept && a->target->provider->stores_responses;
}

bool continuation_watch(struct attempt *a)
{
    const struct exchange *x = a->x;
    bool is_any = false;
    if (x->continuation == NULL || !x->is_continuable || is_kept(a))
        return false;
    for (unsigned i = x->nattempts; i < x->plan.n && !is_any; i++) {
        const struct target *t = x->plan.attempts[i].target;
        is_any = is_same_model(a, t) && can_go_on(x, t);
    }
    if (!is_any)
        return false;
    a->lane.seam = xcalloc(1, sizeof *a->lane.seam);
    answer_seam_init(a->lane.seam);
    return true;
}

void continuation_unwatch(struct pass_lane *l)
{
    if (l->seam == NULL)
        return;
    answer_seam_fini(l->seam);
    free(l->seam);
    l->seam = NULL;
}

/* --- life ----------------------------------------------------------------------------------------- */

void continuation_open(struct exchange *x)
{
    bool is_generation = x->kind->api == API_CHAT || x->kind->api == API_MESSAGES ||
                         x->kind->api == API_RESPONSES;
    if (x->continues && x->wants_stream && is_generation)
        x->continuation = ARENA_NEW(&x->arena, struct continuation);
}

void continuation_note_begun(struct exchange *x)
{
    if (x->continuation != NULL)
        x->continuation->has_begun = true;
}

/* --- taking over ---------------------------------------------------------------------------------- */

/* What the broken attempt has used: the provider has often counted nothing yet but the beginning. */
static void meter(struct attempt *a, struct continuation *c)
{
    const struct exchange *x = a->x;
    const struct usage *used = &a->usage;
    attempt_estimate_usage(a, false);
    const struct cost cost = attempt_cost(a);
    struct route_series *series = instruments_route(&x->gateway->instruments, x->kind->label,
                                                    a->target);
    route_series_meter(series, used);
    c->parts[c->nparts].series = series;
    c->parts[c->nparts++].pd = cost.total_pd;
    usage_add(&c->usage, used);
    cost_add(&c->cost, &cost);
}

/* Of who began the answer: other faults are the request's, or ours. */
static bool is_providers_doing(const struct attempt_failure *f)
{
    switch (f->fault.kind) {
    case FAULT_UPSTREAM:
    case FAULT_UPSTREAM_TIMEOUT:
    case FAULT_UPSTREAM_UNAVAILABLE:
    case FAULT_UPSTREAM_RATE_LIMITED:
        return blame_leaves_hope(f->blame);
    default:
        return false;
    }
}

bool continuation_has_hope(struct attempt *a, const struct attempt_failure *f)
{
    const struct exchange *x = a->x;
    const struct answer_seam *seam = a->lane.seam;
    if (seam == NULL || x->state != EXCHANGE_ANSWERING || !answer_seam_is_good(seam))
        return false;
    bool may_help = continuation_is_on(x) ? f->fault.kind != FAULT_OVERLOADED
                                          : is_providers_doing(f);
    return may_help && prune(a, answer_seam_is_empty(seam));
}

void continuation_take_over(struct attempt *broken, const struct fault *why)
{
    struct exchange *x = broken->x;
    struct continuation *c = x->continuation;
    if (!c->is_on)
        c->first = *why;
    settle_times(x);
    meter(broken, c);
    answer_seam_cut(broken->lane.seam, echoes(x->plan.attempts[x->nattempts].target));
    c->is_on = c->owes_notice = true;
}

bool continuation_is_on(const struct exchange *x)
{
    return x->continuation != NULL && x->continuation->is_on;
}

bool continuation_has_text(const struct exchange *x)
{
    return continuation_is_on(x) && !answer_seam_is_empty(x->attempt->lane.seam);
}

struct span continuation_text(const struct exchange *x)
{
    return answer_seam_shown(x->attempt->lane.seam);
}

uint64_t continuation_tokens(const struct exchange *x)
{
    return token_count_of_text(buf_span(&x->attempt->lane.seam->text));
}

/* --- what is told --------------------------------------------------------------------------------- */

const struct fault *continuation_fault(const struct exchange *x, const struct fault *otherwise)
{
    return continuation_is_on(x) ? &x->continuation->first : otherwise;
}

struct span continuation_notice(struct exchange *x)
{
    struct continuation *c = x->continuation;
    if (c == NULL || !c->owes_notice)
        return SPAN_NONE;
    c->owes_notice = false;
    return span_text(arena_printf(&x->arena, ": SLUICE CONTINUED BY %s\n\n",
                                  x->attempt->target->provider->name));
}

struct usage continuation_usage(const struct exchange *x, struct usage last)
{
    if (x->continuation != NULL)
        usage_add(&last, &x->continuation->usage);
    return last;
}

static enum continuation_outcome result_of(const struct exchange *x)
{
    if (!x->continuation->is_on)
        return CONTINUATION_REFUSED;
    return x->outcome == OUTCOME_OK ? CONTINUATION_CONTINUED : CONTINUATION_FAILED;
}

void continuation_settle(struct exchange *x)
{
    struct continuation *c = x->continuation;
    if (c == NULL)
        return;
    usage_add(&x->attempt->usage, &c->usage);
    cost_add(&x->cost, &c->cost);
    for (unsigned i = 0; i < c->nparts && !x->cost.is_insured; i++)
        route_series_charge(c->parts[i].series, c->parts[i].pd);
    bool was_stream = c->has_begun && x->status == 200;
    bool has_broken = c->is_on || (was_stream && x->outcome != OUTCOME_OK);
    if (!has_broken || x->outcome == OUTCOME_CLIENT_GONE)
        return; /* who has left is told nothing */
    enum continuation_outcome result = result_of(x);
    metric_add(x->gateway->instruments.continuations[result], 1);
    c->result = continuation_outcome_name(result);
}

const char *continuation_result(const struct exchange *x)
{
    return x->continuation != NULL ? x->continuation->result : NULL;
}
