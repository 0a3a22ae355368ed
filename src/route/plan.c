#include "sluice/route/plan.h"

#include "filter.h"
#include "score.h"

#include "sluice/base/rng.h"
#include "sluice/catalog/slug.h"

#include <stdio.h>

/* One model's endpoints at a time: judged, scored, and the best of them picked, twice: with keys of
 * the caller's own and with ours. */

enum tier { TIER_OWN, TIER_SHARED, TIER_OWN_OPEN };

struct planning {
    const struct plan_question *q;
    struct arena *a, *scratch;
    struct plan *out;
    struct rng rng;
    enum tier tier;                /* that is being added */
    struct considered *considered; /* of the model under way */
    struct rank *ranks;
    unsigned n, room; /* of out->considered */
};

bool plan_key_reaches(const struct key_options *key, struct span model_id)
{
    if (key == NULL)
        return true;
    for (unsigned i = 0; i < key->models.n; i++) {
        struct span allowed = span_text(key->models.at[i]);
        if (span_eq(allowed, SPAN_LIT("*")) || span_eq(allowed, model_id))
            return true;
    }
    return false;
}

static bool not_found(struct span model, const char *param, struct fault *why)
{
    *why = (struct fault){.kind = FAULT_MODEL_NOT_FOUND, .param = param};
    snprintf(why->message, sizeof why->message,
             "no model is named \"%.*s\" here; GET /v1/models lists those that are",
             SPAN_FMT(span_sub(model, 0, 200)));
    return false;
}

/* --- the order ------------------------------------------------------------------------------------ */

static unsigned position_of(const struct slugs *order, const struct target *t)
{
    for (unsigned i = 0; i < order->n; i++) {
        if (slug_matches(order->at[i], t->slug))
            return i;
    }
    return PLAN_UNPLACED;
}

static bool is_kept(const struct considered *c)
{
    return c->dropped_by == FILTER_NONE;
}

/* Below, at, or above zero. */
static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_slugs(struct span a, struct span b)
{
    int c = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_by_wish(const struct planning *g, const struct considered *a,
                           const struct considered *b)
{
    const struct rank *x = &g->ranks[a - g->considered], *y = &g->ranks[b - g->considered];
    switch (g->q->preferences->sort) {
    case SORT_PRICE:
        return 0; /* which is what ties go by */
    case SORT_THROUGHPUT:
        return compare(y->throughput, x->throughput);
    case SORT_LATENCY:
        return compare(x->latency, y->latency);
    case SORT_UNSAID:
        return compare(b->score, a->score);
    }
    return 0;
}

/* How an endpoint does with our key says nothing of a caller's. */
static bool is_open(const struct planning *g, const struct considered *c)
{
    return g->tier == TIER_SHARED && c->is_open;
}

/* Which of two is asked first? `first`: who was drawn, or has the conversation. */
static bool is_before(const struct planning *g, const struct considered *first,
                      const struct considered *a, const struct considered *b)
{
    if (is_open(g, a) != is_open(g, b))
        return is_open(g, b);
    if (a->is_slow != b->is_slow)
        return b->is_slow;
    if (a == first || b == first)
        return a == first;
    if (a->position != b->position)
        return a->position < b->position;
    int c = compare_by_wish(g, a, b);
    if (c == 0)
        c = compare(g->ranks[a - g->considered].cost, g->ranks[b - g->considered].cost);
    if (c == 0)
        c = compare_slugs(a->target->slug, b->target->slug);
    return c < 0;
}

/* --- who is first --------------------------------------------------------------------------------- */

/* A key of the caller's that is used up spares its owner nothing by being asked first; unless this is
 * the only provider that may be asked. */
static bool is_own_behind(const struct planning *g, const struct target *t)
{
    const struct plan_question *q = g->q;
    bool has_others = q->preferences->allows_fallbacks || q->preferences->order.n > 0;
    return has_others && q->is_own_open != NULL && q->is_own_open(q->arg, t);
}

/* Those the caller has keys of its own for, or all. */
static bool is_in(const struct planning *g, const struct considered *c)
{
    if (!is_kept(c) || g->tier == TIER_SHARED)
        return is_kept(c);
    return g->q->has_own_key(g->q->arg, c->target) &&
           is_own_behind(g, c->target) == (g->tier == TIER_OWN_OPEN);
}

/* By chance, in proportion to the squares of their scores; among those that are well, if any is. */
static const struct considered *draw(struct planning *g)
{
    for (unsigned trouble = 0; trouble < 4; trouble++) {
        double sum = 0;
        const struct considered *drawn = NULL;
        for (unsigned i = 0; i < g->n; i++) {
            const struct considered *c = &g->considered[i];
            unsigned has = (unsigned)is_open(g, c) << 1 | (unsigned)c->is_slow;
            if (!is_in(g, c) || has != trouble)
                continue;
            double weight = c->score * c->score;
            sum += weight;
            /* One pass: each takes the place with its share of all that were seen so far. */
            double chance = (double)(rng_next(&g->rng) >> 11) * 0x1p-53;
            if (drawn == NULL || chance * sum < weight)
                drawn = c;
        }
        if (drawn != NULL)
            return drawn;
    }
    return NULL;
}

/* An explicit choice of the request's own goes before what the conversation is used to. */
static bool may_stick(const struct preferences *p)
{
    return !p->order.is_said && !p->only.is_said && !p->ignore.is_said && p->sort == SORT_UNSAID;
}

static const struct considered *who_is_first(struct planning *g, const char **reason)
{
    const struct preferences *p = g->q->preferences;
    *reason = p->order.n > 0               ? "provider.order"
              : p->sort == SORT_PRICE      ? "cheapest first"
              : p->sort == SORT_THROUGHPUT ? "highest throughput first"
              : p->sort == SORT_LATENCY    ? "lowest latency first"
                                           : "by score";
    for (unsigned i = 0; i < g->n; i++) {
        const struct considered *c = &g->considered[i];
        if (c->is_sticky && is_in(g, c) && !is_open(g, c) && !c->is_slow)
            return c;
    }
    return p->order.n > 0 || p->sort != SORT_UNSAID ? NULL : draw(g);
}

/* --- the attempts --------------------------------------------------------------------------------- */

struct best {
    const struct considered *at[PLAN_ATTEMPTS_MAX];
    unsigned n;
};

/* Keeps the best eight in order: most of many are turned away by one comparison. */
static void offer(const struct planning *g, const struct considered *first, struct best *best,
                  const struct considered *c)
{
    unsigned i = best->n;
    if (i == PLAN_ATTEMPTS_MAX && !is_before(g, first, c, best->at[i - 1]))
        return;
    if (i == PLAN_ATTEMPTS_MAX)
        i--;
    else
        best->n++;
    for (; i > 0 && is_before(g, first, c, best->at[i - 1]); i--)
        best->at[i] = best->at[i - 1];
    best->at[i] = c;
}

static void add_attempt(struct planning *g, const struct considered *c, bool own,
                        const char *reason)
{
    struct plan *p = g->out;
    if (p->n < PLAN_ATTEMPTS_MAX)
        p->attempts[p->n++] =
            (struct planned_attempt){.target = c->target, .with_own_key = own, .reason = reason};
}

static void add_tier(struct planning *g, enum tier tier)
{
    const char *reason;
    g->tier = tier;
    const struct considered *first = who_is_first(g, &reason);
    struct best best = {.n = 0};
    for (unsigned i = 0; i < g->n; i++) {
        if (is_in(g, &g->considered[i]))
            offer(g, first, &best, &g->considered[i]);
    }
    for (unsigned i = 0; i < best.n; i++) {
        const struct considered *c = best.at[i];
        bool is_first = c == first;
        add_attempt(g, c, tier != TIER_SHARED,
                    is_open(g, c) || tier == TIER_OWN_OPEN ? "its circuit is open"
                    : c->is_slow                           ? "misses a cut-off"
                    : is_first && c->is_sticky             ? "has the conversation"
                    : is_first                             ? "drawn by score"
                                                           : reason);
    }
}

/* Those that are not named, when only those may be asked. */
static void drop_unplaced(struct planning *g)
{
    const struct preferences *p = g->q->preferences;
    for (unsigned i = 0; i < g->n && p->order.n > 0 && !p->allows_fallbacks; i++) {
        if (is_kept(&g->considered[i]) && g->considered[i].position == PLAN_UNPLACED)
            g->considered[i].dropped_by = FILTER_NO_FALLBACKS;
    }
}

static double cost_of(const struct planning *g, const struct planned_attempt *p)
{
    for (unsigned i = 0; i < g->n; i++) {
        if (g->considered[i].target->index == p->target->index)
            return g->considered[i].cost;
    }
    return -1;
}

/* May this one stand behind the model's first? */
static enum filter judge_fallback(const struct planning *g, const struct planned_attempt *first,
                                  const struct planned_attempt *p)
{
    const struct plan_question *q = g->q;
    bool is_other = p->target->index != first->target->index;
    if (is_other && !q->preferences->allows_fallbacks && q->preferences->order.n == 0)
        return FILTER_NO_FALLBACKS;
    double most = q->max_cost_multiplier * cost_of(g, first);
    return is_other && most > 0 && cost_of(g, p) > most ? FILTER_COST : FILTER_NONE;
}

static void cut_fallbacks(struct planning *g, unsigned begin)
{
    struct plan *p = g->out;
    unsigned n = begin;
    for (unsigned i = begin; i < p->n; i++) {
        if (judge_fallback(g, &p->attempts[begin], &p->attempts[i]) == FILTER_NONE)
            p->attempts[n++] = p->attempts[i];
    }
    p->n = n;
}

/* What became of those that were kept, for those who want to know. */
static void note_left_out(struct planning *g, unsigned begin)
{
    const struct plan *p = g->out;
    for (unsigned i = 0; i < g->n; i++) {
        struct considered *c = &g->considered[i];
        bool is_planned = false;
        for (unsigned k = begin; k < p->n && !is_planned; k++)
            is_planned = p->attempts[k].target->index == c->target->index;
        if (!is_kept(c) || is_planned)
            continue;
        struct planned_attempt as_if = {.target = c->target};
        enum filter v = p->n > begin ? judge_fallback(g, &p->attempts[begin], &as_if)
                                     : FILTER_BEYOND;
        c->dropped_by = v != FILTER_NONE ? v : FILTER_BEYOND;
    }
}

/* --- models --------------------------------------------------------------------------------------- */

/* The target of a provider that offers everything lies on the stack, and its names in the request. */
static const struct target *lasting(const struct planning *g, const struct target *t)
{
    if (t->index != TARGET_UNLISTED)
        return t;
    struct target *copy = ARENA_NEW(g->a, struct target);
    *copy = *t;
    copy->model_id = arena_keep(g->a, t->model_id);
    copy->upstream_model = span_skip(copy->model_id, t->model_id.len - t->upstream_model.len);
    return copy;
}

static unsigned count_kept(const struct planning *g)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->n; i++)
        n += is_kept(&g->considered[i]);
    return n;
}

static void plan_group(struct planning *g, struct span asked, const struct target_group *group)
{
    const struct plan_question *q = g->q;
    struct plan *p = g->out;
    unsigned begin = p->n;
    g->considered = p->considered + p->nconsidered;
    g->n = 0;
    for (unsigned i = 0; i < group->n; i++) {
        const struct target *t = &group->first[i];
        if (group->pinned != NULL && t->provider != group->pinned)
            continue;
        struct considered *c = &g->considered[g->n++];
        *c = (struct considered){
            .target = lasting(g, t),
            .position = position_of(&q->preferences->order, t),
            .is_sticky = q->sticky.len > 0 && may_stick(q->preferences) &&
                         span_eq(q->sticky, t->slug),
        };
        filter_judge(q, asked, c);
    }
    p->nconsidered += g->n;
    g->ranks = ARENA_ARRAY(g->scratch, struct rank, g->n);
    drop_unplaced(g);
    if (count_kept(g) > 1) /* a single one has nobody to be compared with */
        score_all(q, g->considered, g->ranks, g->n, g->scratch);
    if (q->has_own_key != NULL)
        add_tier(g, TIER_OWN);
    add_tier(g, TIER_SHARED);
    if (q->is_own_open != NULL)
        add_tier(g, TIER_OWN_OPEN);
    if (p->n > begin)
        cut_fallbacks(g, begin);
    note_left_out(g, begin);
}

static bool plan_model(struct planning *g, struct span model, const char *param, struct fault *why)
{
    struct resolution found;
    struct plan *p = g->out;
    unsigned more = 0;
    if (!catalog_resolve(g->q->catalog, model, &found))
        return not_found(model, param, why);
    for (unsigned i = 0; i < found.n; i++)
        more += found.groups[i].n;
    if (p->nconsidered + more > g->room) {
        struct considered *wider = ARENA_ARRAY(g->scratch, struct considered,
                                               p->nconsidered + more);
        if (p->nconsidered > 0)
            memcpy(wider, p->considered, p->nconsidered * sizeof *wider);
        p->considered = wider;
        g->room = p->nconsidered + more;
    }
    for (unsigned i = 0; i < found.n; i++)
        plan_group(g, model, &found.groups[i]);
    return true;
}

bool plan_make(const struct plan_question *q, struct arena *a, struct arena *scratch,
               struct plan *out, struct fault *why)
{
    const struct preferences *prefs = q->preferences;
    struct planning g = {.q = q, .a = a, .scratch = scratch, .out = out};
    *out = (struct plan){.attempts = ARENA_ARRAY(a, struct planned_attempt, PLAN_ATTEMPTS_MAX)};
    rng_seed(&g.rng, q->seed);
    if (q->model.len > 0 && !plan_model(&g, q->model, "model", why))
        return false;
    for (unsigned i = 0; i < prefs->nmodels; i++) {
        if (!plan_model(&g, prefs->models[i], "models", why))
            return false;
    }
    if (out->n > 0)
        return true;
    filter_explain(q, out->considered, out->nconsidered, why);
    return false;
}
