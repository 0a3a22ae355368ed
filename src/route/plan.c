#include "sluice/route/plan.h"

#include "filter.h"
#include "score.h"

#include "sluice/base/rng.h"

#include <stdio.h>

/* One model's endpoints at a time: judged, scored, and the best of them picked, twice: with keys of
 * the caller's own and with ours. */

enum tier { TIER_OWN, TIER_SHARED, TIER_OWN_OPEN };

/* As many that are well, and as many that are not: the latter go behind the former of all models. */
enum { PLAN_ROOM = 2 * PLAN_ATTEMPTS_MAX };

struct planning {
    const struct plan_question *q;
    struct arena *a, *scratch;
    struct plan *out;
    struct rng rng;
    struct filtering filtering;
    struct places order;
    enum tier tier;                /* that is being added */
    unsigned sticky;               /* number of its slug, SLUG_UNKNOWN: none */
    struct considered *considered; /* of the model under way */
    struct rank *ranks;
    const struct considered *own_first; /* of the model's tier of own keys; NULL: that has none */
    unsigned *members, nmembers; /* of the tier that is being added: which of those considered */
    unsigned *left;              /* likewise, of those that no filter took out: `kept` */
    unsigned n, kept;
    bool is_one_of_several; /* the model */
    double first_cost;      /* of the plan's first attempt; 0 or less: not known */
    unsigned room;          /* of out->considered */
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
    fault_unknown_model(why, model, param);
    return false;
}

/* --- the order ------------------------------------------------------------------------------------ */

static bool is_slug_before(struct span a, struct span b)
{
    int c = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return c < 0 || (c == 0 && a.len < b.len);
}

/* Which of two is asked first? By their ranks, x and y. */
static inline bool is_before(const struct considered *a, const struct rank *x,
                             const struct considered *b, const struct rank *y)
{
    if (x->place != y->place)
        return x->place < y->place;
    if (x->wish != y->wish)
        return x->wish < y->wish;
    if (x->cost != y->cost)
        return x->cost < y->cost;
    return is_slug_before(a->target->slug, b->target->slug);
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

/* In a tier of the caller's own keys. */
static bool is_in(const struct planning *g, const struct considered *c)
{
    return g->q->has_own_key(g->q->arg, c->target) &&
           is_own_behind(g, c->target) == (g->tier == TIER_OWN_OPEN);
}

/* How an endpoint does with our key says nothing of a caller's. */
static bool is_open(const struct planning *g, const struct considered *c)
{
    return g->tier == TIER_SHARED && c->is_open;
}

static unsigned trouble_of(const struct planning *g, const struct considered *c)
{
    return (unsigned)is_open(g, c) << 1 | (unsigned)c->is_slow;
}

/* The tier's, gathered once. */
static void gather(struct planning *g)
{
    if (g->tier == TIER_SHARED) {
        g->members = g->left;
        g->nmembers = g->kept;
        return;
    }
    g->members = ARENA_ROOM(g->scratch, unsigned, g->kept);
    g->nmembers = 0;
    for (unsigned i = 0; i < g->kept; i++) {
        if (is_in(g, &g->considered[g->left[i]]))
            g->members[g->nmembers++] = g->left[i];
    }
}

/* Those whose trouble is the least have lots, by the squares of their scores. */
struct lots {
    unsigned trouble; /* UINT32_MAX: nobody has any */
    double sum;
};

static inline void add_lot(const struct planning *g, const struct considered *c, struct lots *l)
{
    unsigned trouble = trouble_of(g, c);
    if (trouble > l->trouble)
        return;
    l->sum = trouble < l->trouble ? 0 : l->sum;
    l->trouble = trouble;
    l->sum += c->score * c->score;
}

static struct considered *draw(struct planning *g, const struct lots *l)
{
    struct considered *drawn = NULL;
    if (l->trouble == UINT32_MAX) /* nobody: then no die is thrown either */
        return NULL;
    double left = l->sum * ((double)(rng_next(&g->rng) >> 11) * 0x1p-53);
    for (unsigned i = 0; i < g->nmembers && left >= 0; i++) {
        struct considered *c = &g->considered[g->members[i]];
        if (trouble_of(g, c) != l->trouble)
            continue;
        drawn = c;
        left -= c->score * c->score;
    }
    return drawn;
}

/* An explicit choice of the request's own goes before what the conversation is used to. */
static bool may_stick(const struct preferences *p)
{
    return !p->order.is_said && !p->only.is_said && !p->ignore.is_said && p->sort == SORT_UNSAID;
}

/* Of the tier: who goes before the others, whatever their ranks. Nobody has any trouble that it has not. */
static const struct considered *who_is_first(struct planning *g, const struct lots *l)
{
    const struct preferences *p = g->q->preferences;
    for (unsigned i = 0; i < g->nmembers && g->sticky != SLUG_UNKNOWN; i++) {
        struct considered *c = &g->considered[g->members[i]];
        if (c->is_sticky && trouble_of(g, c) == 0)
            return c;
    }
    if (p->order.n > 0 || p->sort != SORT_UNSAID)
        return NULL;
    /* Whose account fails is served by the same provider, with ours (contract 2.3). */
    if (g->tier == TIER_SHARED && g->own_first != NULL && trouble_of(g, g->own_first) == l->trouble)
        return g->own_first;
    return draw(g, l);
}

/* --- the attempts --------------------------------------------------------------------------------- */

struct best {
    unsigned at[PLAN_ATTEMPTS_MAX]; /* which of those considered */
    unsigned n;
};

static bool is_before_place(const struct planning *g, unsigned i, const struct best *best,
                            unsigned place)
{
    unsigned k = best->at[place];
    return is_before(&g->considered[i], &g->ranks[i], &g->considered[k], &g->ranks[k]);
}

/* Among the best eight, in order. */
static void insert(const struct planning *g, struct best *best, unsigned i)
{
    unsigned place = best->n < PLAN_ATTEMPTS_MAX ? best->n++ : PLAN_ATTEMPTS_MAX - 1;
    for (; place > 0 && is_before_place(g, i, best, place - 1); place--)
        best->at[place] = best->at[place - 1];
    best->at[place] = i;
}

/* Most of many are turned away by one comparison. */
static void pick_best(const struct planning *g, struct best *best, struct lots *lots)
{
    for (unsigned k = 0; k < g->nmembers; k++) {
        unsigned i = g->members[k];
        add_lot(g, &g->considered[i], lots);
        if (best->n < PLAN_ATTEMPTS_MAX || is_before_place(g, i, best, best->n - 1))
            insert(g, best, i);
    }
}

/* Before all others, whether it is among them or not. */
static void put_first(struct best *best, unsigned i)
{
    unsigned place = 0;
    while (place < best->n && best->at[place] != i)
        place++;
    if (place == best->n && best->n < PLAN_ATTEMPTS_MAX)
        best->n++;
    else if (place == best->n)
        place--;
    for (; place > 0; place--)
        best->at[place] = best->at[place - 1];
    best->at[0] = i;
}

static struct considered *planned(const struct plan *p, unsigned i)
{
    return &p->considered[p->attempts[i].considered];
}

static unsigned count_planned(const struct plan *p, bool is_open)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++)
        n += p->attempts[i].is_open == is_open;
    return n;
}

static enum place place_of(const struct planning *g, const struct considered *c, bool is_first)
{
    const struct preferences *p = g->q->preferences;
    if (g->kept == 1)
        return PLACE_ONLY;
    if (is_open(g, c) || g->tier == TIER_OWN_OPEN)
        return PLACE_OPEN;
    if (c->is_slow)
        return PLACE_SLOW;
    if (is_first)
        return c->is_sticky                                  ? PLACE_CONVERSATION
               : c == g->own_first && g->tier == TIER_SHARED ? PLACE_SHARED
                                                             : PLACE_DRAWN;
    if (p->order.n > 0)
        return c->position == PLAN_UNPLACED ? PLACE_UNNAMED : PLACE_ORDER;
    switch (p->sort) {
    case SORT_PRICE:
        return PLACE_PRICE;
    case SORT_THROUGHPUT:
        return PLACE_THROUGHPUT;
    case SORT_LATENCY:
        return PLACE_LATENCY;
    case SORT_UNSAID:
        break;
    }
    return PLACE_SCORE;
}

static void add_attempt(struct planning *g, const struct considered *c, enum place place)
{
    struct plan *p = g->out;
    if (count_planned(p, is_open(g, c)) == PLAN_ATTEMPTS_MAX)
        return;
    p->attempts[p->n++] = (struct planned_attempt){
        .target = c->target,
        .with_own_key = g->tier != TIER_SHARED,
        .is_open = is_open(g, c),
        .unwanted = g->q->used & ~c->target->params, /* nothing, unless the request allows it */
        .place = place,
        .considered = (unsigned)(c - p->considered),
    };
}

/* What a tier is about changes who is well. */
static void rank_tier(struct planning *g)
{
    for (unsigned k = 0; k < g->nmembers; k++) {
        const struct considered *c = &g->considered[g->members[k]];
        g->ranks[g->members[k]].place = rank_place(c, is_open(g, c));
    }
}

static void add_tier(struct planning *g, enum tier tier)
{
    struct best best = {.n = 0};
    struct lots lots = {.trouble = UINT32_MAX};
    g->tier = tier;
    gather(g);
    if (g->q->has_own_key != NULL)
        rank_tier(g);
    pick_best(g, &best, &lots);
    /* Nobody is drawn from one: or how it does would decide how many lots are drawn. */
    const struct considered *first = g->kept > 1 ? who_is_first(g, &lots) : NULL;
    if (first != NULL)
        put_first(&best, (unsigned)(first - g->considered));
    if (tier == TIER_OWN && best.n > 0)
        g->own_first = &g->considered[best.at[0]];
    for (unsigned i = 0; i < best.n; i++) {
        const struct considered *c = &g->considered[best.at[i]];
        add_attempt(g, c, place_of(g, c, first != NULL && c == first));
    }
}

/* Those that are not named, when only those may be asked. */
static void drop_unplaced(struct planning *g)
{
    const struct preferences *p = g->q->preferences;
    unsigned kept = 0;
    if (p->order.n == 0 || p->allows_fallbacks)
        return;
    for (unsigned i = 0; i < g->kept; i++) {
        struct considered *c = &g->considered[g->left[i]];
        if (c->position == PLAN_UNPLACED)
            c->dropped_by = FILTER_NO_FALLBACKS;
        else
            g->left[kept++] = g->left[i];
    }
    g->kept = kept;
}

/* Who may stand behind the model's first, and behind the first of all. */
struct fallbacks {
    const struct considered *first, *first_of_all; /* the latter NULL: another model's */
    bool are_allowed;
    double most; /* pico-dollars; 0 or less: no limit */
};

static struct fallbacks fallbacks_behind(const struct planning *g, unsigned begin)
{
    const struct preferences *p = g->q->preferences;
    const struct considered *first = g->out->n > begin ? planned(g->out, begin) : NULL;
    return (struct fallbacks){
        .first = first,
        .first_of_all = begin == 0 ? first : NULL,
        .are_allowed = p->allows_fallbacks || p->order.n > 0 || first == NULL,
        .most = g->q->max_cost_multiplier * g->first_cost,
    };
}

static enum filter judge_fallback(const struct fallbacks *f, const struct considered *c)
{
    if (c == f->first_of_all)
        return FILTER_NONE;
    if (c != f->first && !f->are_allowed)
        return FILTER_NO_FALLBACKS;
    return f->most > 0 && c->cost > f->most ? FILTER_COST : FILTER_NONE;
}

static void cut_fallbacks(struct planning *g, const struct fallbacks *f, unsigned begin)
{
    struct plan *p = g->out;
    unsigned n = begin;
    for (unsigned i = begin; i < p->n; i++) {
        if (judge_fallback(f, planned(p, i)) == FILTER_NONE)
            p->attempts[n++] = p->attempts[i];
    }
    p->n = n;
}

/* What became of those that were kept, for those who want to know. */
static void note_left_out(struct planning *g, const struct fallbacks *f, unsigned begin)
{
    bool may_all = f->are_allowed && f->most <= 0; /* then eight others were better */
    for (unsigned i = 0; i < g->n; i++) {
        struct considered *c = &g->considered[i];
        if (!is_kept(c))
            continue;
        enum filter v = may_all ? FILTER_NONE : judge_fallback(f, c);
        c->dropped_by = v != FILTER_NONE ? v : FILTER_BEYOND;
    }
    for (unsigned i = begin; i < g->out->n; i++)
        planned(g->out, i)->dropped_by = FILTER_NONE;
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

static void judge_all(struct planning *g, const struct target_group *group)
{
    struct considered *c = g->considered;
    unsigned kept = 0;
    for (unsigned i = 0; i < group->n; i++) {
        const struct target *t = &group->first[i];
        if (group->pinned != NULL && t->provider != group->pinned)
            continue;
        *c = (struct considered){
            .target = lasting(g, t),
            .position = places_find(&g->order, t),
            .is_sticky = t->slug_number == g->sticky,
            .cost = PLAN_UNKNOWN,
            .latency = PLAN_UNKNOWN,
            .throughput = PLAN_UNKNOWN,
            .reliability = PLAN_UNKNOWN,
        };
        filter_judge(&g->filtering, c);
        g->left[kept] = (unsigned)(c - g->considered);
        kept += is_kept(c);
        c++;
    }
    g->n = (unsigned)(c - g->considered);
    g->kept = kept;
}

/* One endpoint has nobody to be compared with; but behind it may stand another model's. */
static void look_at_one(struct planning *g)
{
    struct target_health h;
    for (unsigned i = 0; i < g->n && g->is_one_of_several; i++) {
        struct considered *c = &g->considered[i];
        if (!is_kept(c))
            continue;
        g->q->look(g->q->arg, c->target, &h);
        c->is_open = h.is_open;
    }
}

static void plan_group(struct planning *g, struct span asked, const struct target_group *group)
{
    const struct plan_question *q = g->q;
    struct plan *p = g->out;
    unsigned begin = p->n;
    g->considered = p->considered + p->nconsidered;
    g->filtering.lacks_key = !plan_key_reaches(q->key, group->first->model_id) &&
                             !plan_key_reaches(q->key, asked);
    g->left = ARENA_ROOM(g->scratch, unsigned, group->n);
    judge_all(g, group);
    p->nconsidered += g->n;
    g->ranks = ARENA_ROOM(g->scratch, struct rank, g->n);
    drop_unplaced(g);
    g->own_first = NULL;
    /* A single one has nobody to be compared with, unless there is a limit for what follows. */
    if (g->kept > 1 || (g->kept == 1 && q->max_cost_multiplier > 0) || q->tells_all)
        score_all(q, g->considered, g->ranks, g->n, g->kept, g->scratch);
    else
        look_at_one(g);
    if (q->has_own_key != NULL)
        add_tier(g, TIER_OWN);
    add_tier(g, TIER_SHARED);
    if (q->is_own_open != NULL)
        add_tier(g, TIER_OWN_OPEN);
    if (p->n > begin && begin == 0)
        g->first_cost = planned(p, 0)->cost;
    struct fallbacks f = fallbacks_behind(g, begin);
    cut_fallbacks(g, &f, begin);
    note_left_out(g, &f, begin);
}

static bool plan_model(struct planning *g, struct span model, const char *param, struct fault *why)
{
    struct resolution found;
    struct plan *p = g->out;
    unsigned more = 0;
    if (!catalog_resolve(g->q->catalog, model, &found))
        return not_found(model, param, why);
    g->is_one_of_several |= found.n > 1;
    for (unsigned i = 0; i < found.n; i++)
        more += found.groups[i].n;
    if (p->nconsidered + more > g->room) {
        struct considered *wider = ARENA_ROOM(g->scratch, struct considered, p->nconsidered + more);
        if (p->nconsidered > 0)
            memcpy(wider, p->considered, p->nconsidered * sizeof *wider);
        p->considered = wider;
        g->room = p->nconsidered + more;
    }
    for (unsigned i = 0; i < found.n; i++)
        plan_group(g, model, &found.groups[i]);
    return true;
}

/* Who is not well is asked when nobody else is left, of any model. A key of the caller's own goes first
 * all the same. */
static void put_ill_behind(struct plan *p)
{
    struct planned_attempt ill[PLAN_ROOM];
    unsigned n = 0, nill = 0;
    for (unsigned i = 0; i < p->n; i++) {
        if (p->attempts[i].is_open && !p->attempts[i].with_own_key)
            ill[nill++] = p->attempts[i];
        else
            p->attempts[n++] = p->attempts[i];
    }
    for (unsigned i = 0; i < nill; i++)
        p->attempts[n++] = ill[i];
}

/* Eight are the most. One that is cut may still stand there with the other key. */
static void cut_rest(struct plan *p)
{
    unsigned n = p->n;
    p->n = n < PLAN_ATTEMPTS_MAX ? n : PLAN_ATTEMPTS_MAX;
    for (unsigned i = p->n; i < n; i++)
        planned(p, i)->dropped_by = FILTER_BEYOND;
    for (unsigned i = 0; i < p->n && n > p->n; i++)
        planned(p, i)->dropped_by = FILTER_NONE;
}

/* They are needed to the last; `scratch` is not kept so long. */
static void keep_attempts(struct plan *p, struct arena *a)
{
    struct planned_attempt *kept = ARENA_ARRAY(a, struct planned_attempt, p->n);
    if (p->n > 0)
        memcpy(kept, p->attempts, p->n * sizeof *kept);
    p->attempts = kept;
}

/* The request's model, and then those to fall back on. */
static bool plan_models(struct planning *g, struct fault *why)
{
    const struct preferences *p = g->q->preferences;
    if (g->q->model.len > 0 && !plan_model(g, g->q->model, "model", why))
        return false;
    for (unsigned i = 0; i < p->nmodels; i++) {
        if (!plan_model(g, p->models[i], "models", why))
            return false;
    }
    return true;
}

bool plan_make(const struct plan_question *q, struct arena *a, struct arena *scratch,
               struct plan *out, struct fault *why)
{
    const struct preferences *prefs = q->preferences;
    struct planning g = {
        .q = q,
        .a = a,
        .scratch = scratch,
        .out = out,
        .filtering = filter_begin(q, scratch),
        .order = places_of(&prefs->order, q->catalog, scratch),
        .sticky = q->sticky.len > 0 && may_stick(prefs) ? catalog_slug_number(q->catalog, q->sticky)
                                                        : SLUG_UNKNOWN,
        .is_one_of_several = prefs->nmodels + (q->model.len > 0) > 1,
    };
    *out = (struct plan){.attempts = ARENA_ARRAY(scratch, struct planned_attempt, PLAN_ROOM)};
    rng_seed(&g.rng, q->seed);
    bool are_known = plan_models(&g, why);
    if (!are_known)
        out->n = 0;
    if (g.is_one_of_several)
        put_ill_behind(out);
    cut_rest(out);
    keep_attempts(out, a);
    if (are_known && out->n == 0)
        filter_explain(q, out->considered, out->nconsidered, why);
    return out->n > 0;
}
