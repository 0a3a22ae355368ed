#include "sluice/route/decision.h"

#include "sluice/format/json_out.h"

/* --- the plan again ------------------------------------------------------------------------------- */

static bool is_same(const struct decided_endpoint *e, const struct target *t)
{
    return span_eq(e->slug, t->slug) && span_eq(e->model, t->model_id) &&
           span_eq(e->upstream, t->upstream_model);
}

/* NULL: there was none of that kind. Of two that are called the same, which do the same, the one that
 * was looked at. */
static const struct decided_endpoint *find(const struct decision *d, const struct target *t)
{
    const struct decided_endpoint *found = NULL;
    for (unsigned i = 0; i < d->nendpoints; i++) {
        const struct decided_endpoint *e = &d->endpoints[i];
        if ((found == NULL || (e->is_seen && !found->is_seen)) && is_same(e, t))
            found = e;
    }
    return found;
}

/* As it did then; of an endpoint that was not there nobody knows anything. */
static void look(void *arg, const struct target *t, struct target_health *out)
{
    static const struct quantiles nothing;
    const struct decided_endpoint *e = find(arg, t);
    *out = (struct target_health){.latency = &nothing, .throughput = &nothing};
    if (e != NULL)
        *out = (struct target_health){
            .latency = &e->latency,
            .throughput = &e->throughput,
            .outcomes = e->outcomes,
            .is_open = e->is_open,
        };
}

/* Which protocols have what was asked for is not in the line: only whose had not. */
static bool is_able(void *arg, const struct target *t)
{
    const struct decision *d = arg;
    for (unsigned i = 0; i < d->nendpoints; i++) {
        if (d->endpoints[i].dropped_by == FILTER_PROTOCOL && is_same(&d->endpoints[i], t))
            return false;
    }
    return true;
}

static bool has_own_key(void *arg, const struct target *t)
{
    const struct decided_endpoint *e = find(arg, t);
    return e != NULL && e->has_own_key;
}

static bool is_own_open(void *arg, const struct target *t)
{
    const struct decided_endpoint *e = find(arg, t);
    return e != NULL && e->is_own_open;
}

bool decision_remake(const struct decision *d, const struct catalog *c,
                     const struct route_weights *weights, struct arena *a, struct plan *out,
                     struct fault *why)
{
    struct plan_question q = d->question;
    q.catalog = c;
    q.preferences = &d->preferences;
    q.key = d->question.key != NULL ? &d->key : NULL; /* the decision may have been copied */
    if (weights != NULL)
        q.weights = *weights;
    q.look = look;
    q.is_able = is_able;
    q.has_own_key = d->asks_own_keys ? has_own_key : NULL;
    q.is_own_open = d->asks_own_keys ? is_own_open : NULL;
    q.arg = (void *)(uintptr_t)d;
    return plan_make(&q, a, a, out, why);
}

/* --- what differs --------------------------------------------------------------------------------- */

static struct span error_of(const struct fault *why)
{
    return why != NULL ? span_text(fault_type(why)) : SPAN_NONE;
}

static bool is_same_attempt(const struct decision *d, const struct plan *p, unsigned i)
{
    const struct decided_attempt *then = &d->plan[i];
    return then->with_own_key == p->attempts[i].with_own_key &&
           is_same(&d->endpoints[then->at], p->attempts[i].target);
}

/* Endpoints that were not asked: were they the same ones, and for the same reasons? */
static bool are_reasons_same(const struct decision *d, const struct plan *p)
{
    if (d->nendpoints != p->nconsidered)
        return false;
    for (unsigned i = 0; i < p->n; i++) {
        if (d->plan[i].place != p->attempts[i].place)
            return false;
    }
    for (unsigned i = 0; i < p->nconsidered; i++) {
        const struct considered *c = &p->considered[i];
        if (!is_same(&d->endpoints[i], c->target) || d->endpoints[i].dropped_by != c->dropped_by)
            return false;
    }
    return true;
}

enum difference decision_compare(const struct decision *d, const struct plan *p,
                                 const struct fault *why)
{
    bool has_first = d->nplan > 0 && p->n > 0;
    if (!span_eq(d->error, error_of(why)) || (d->nplan > 0) != (p->n > 0) ||
        (has_first && !is_same_attempt(d, p, 0)))
        return DIFFERENCE_FIRST;
    if (d->nplan != p->n)
        return DIFFERENCE_LATER;
    for (unsigned i = 0; i < p->n; i++) {
        if (!is_same_attempt(d, p, i))
            return DIFFERENCE_LATER;
    }
    return are_reasons_same(d, p) ? DIFFERENCE_NONE : DIFFERENCE_REASONS;
}

static void put(struct json_out *o, const char *text)
{
    json_out_span(o, span_text(text));
}

static void put_attempt(struct json_out *o, struct span model, struct span *before,
                        struct span slug, bool own, enum place place)
{
    put(o, " ");
    if (before->at == NULL || !span_eq(*before, model)) {
        json_out_span(o, model);
        put(o, " at ");
    }
    *before = model;
    json_out_span(o, slug);
    put(o, own ? " (own key, " : " (");
    put(o, place_word(place));
    put(o, ")");
}

static void put_then(struct json_out *o, const struct decision *d)
{
    struct span model = SPAN_NONE;
    put(o, "was");
    for (unsigned i = 0; i < d->nplan; i++) {
        const struct decided_endpoint *e = &d->endpoints[d->plan[i].at];
        put_attempt(o, e->model, &model, e->slug, d->plan[i].with_own_key, d->plan[i].place);
    }
    if (d->error.len > 0) {
        put(o, " ");
        json_out_span(o, d->error);
    }
}

static void put_now(struct json_out *o, const struct plan *p, const struct fault *why)
{
    struct span model = SPAN_NONE;
    put(o, "; is");
    for (unsigned i = 0; i < p->n; i++) {
        const struct planned_attempt *a = &p->attempts[i];
        put_attempt(o, a->target->model_id, &model, a->target->slug, a->with_own_key, a->place);
    }
    if (why != NULL) {
        put(o, " ");
        put(o, fault_type(why));
    }
}

static void put_filter(struct json_out *o, enum filter v)
{
    put(o, v == FILTER_NONE ? "kept" : filter_word(v));
}

/* At its old place, or wherever it is. */
static const struct considered *find_now(const struct decision *d, const struct plan *p,
                                         const struct decided_endpoint *e)
{
    unsigned at = (unsigned)(e - d->endpoints);
    if (at < p->nconsidered && is_same(e, p->considered[at].target))
        return &p->considered[at];
    for (unsigned i = 0; i < p->nconsidered; i++) {
        if (is_same(e, p->considered[i].target))
            return &p->considered[i];
    }
    return NULL;
}

/* Those whose filter is another one, and those that are gone or new. */
static void put_endpoints(struct json_out *o, const struct decision *d, const struct plan *p)
{
    for (unsigned i = 0; i < d->nendpoints; i++) {
        const struct decided_endpoint *e = &d->endpoints[i];
        const struct considered *c = find_now(d, p, e);
        if (c != NULL && c->dropped_by == e->dropped_by)
            continue;
        put(o, "; ");
        json_out_span(o, e->slug);
        put(o, " was ");
        put_filter(o, e->dropped_by);
        put(o, ", is ");
        if (c != NULL)
            put_filter(o, c->dropped_by);
        else
            put(o, "gone");
    }
    for (unsigned i = 0; i < p->nconsidered; i++) {
        const struct considered *c = &p->considered[i];
        if (find(d, c->target) != NULL)
            continue;
        put(o, "; ");
        json_out_span(o, c->target->slug);
        put(o, " is new, and ");
        put_filter(o, c->dropped_by);
    }
}

int decision_write_difference(const struct decision *d, const struct plan *p,
                              const struct fault *why, struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (decision_compare(d, p, why) == DIFFERENCE_NONE)
        return 0;
    put_then(&o, d);
    put_now(&o, p, why);
    put_endpoints(&o, d, p);
    return o.rc;
}
