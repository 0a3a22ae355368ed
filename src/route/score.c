#include "score.h"

#include "filter.h"

#include <math.h>

/* score = Σ weight × factor, each factor in (0, 1]: the best of those that are left has 1. */

enum { COST, LATENCY, THROUGHPUT, RELIABILITY, MEASURES };

/* --- what is known -------------------------------------------------------------------------------- */

/* Every cut-off that was given must hold; who has no samples is given the benefit of the doubt. */
static bool misses(const struct cutoffs *cut, const struct quantiles *known, bool is_floor)
{
    if (!cut->is_said || known->samples == 0)
        return false;
    for (unsigned q = 0; q < QUANTILES; q++) {
        bool fails = is_floor ? known->at[q] < cut->at[q] : known->at[q] > cut->at[q];
        if (cut->at[q] > 0 && fails)
            return true;
    }
    return false;
}

/* What was looked at lives no longer than the plan is made. */
static const struct target_health *keep(const struct target_health *h, struct arena *a)
{
    struct target_health *kept = ARENA_NEW(a, struct target_health);
    struct quantiles *figures = ARENA_ARRAY(a, struct quantiles, 2);
    figures[0] = *h->latency;
    figures[1] = *h->throughput;
    *kept = *h;
    kept->latency = &figures[0];
    kept->throughput = &figures[1];
    return kept;
}

/* What is the same for all of them. */
struct looking {
    const struct plan_question *q;
    struct arena *a;
    double input, output; /* tokens */
    bool has_cutoffs;
};

static struct looking looking_for(const struct plan_question *q, struct arena *a)
{
    const struct preferences *p = q->preferences;
    return (struct looking){
        .q = q,
        .a = a,
        .input = (double)q->prompt_tokens,
        .output = (double)q->output_tokens,
        .has_cutoffs = p->max_latency.is_said || p->min_throughput.is_said,
    };
}

static void look_at(const struct looking *l, struct considered *c)
{
    const struct target *t = c->target;
    struct target_health h;
    l->q->look(l->q->arg, t, &h);
    if (l->q->tells_all)
        c->seen = keep(&h, l->a);
    uint32_t seen = h.outcomes.ok + h.outcomes.failed;
    c->cost = t->input_pd >= 0 ? l->input * t->input_pd + l->output * t->output_pd : PLAN_UNKNOWN;
    c->latency = h.latency->samples > 0 ? h.latency->at[P50] : PLAN_UNKNOWN;
    c->throughput = h.throughput->samples > 0 ? h.throughput->at[P50] : PLAN_UNKNOWN;
    c->reliability = seen == 0                ? PLAN_UNKNOWN
                     : h.outcomes.failed == 0 ? 1
                                              : (double)h.outcomes.ok / seen;
    c->is_open = h.is_open;
    if (l->has_cutoffs)
        c->is_slow = misses(&l->q->preferences->max_latency, h.latency, false) ||
                     misses(&l->q->preferences->min_throughput, h.throughput, true);
}

/* --- what is not ---------------------------------------------------------------------------------- */

static double measure(const struct considered *c, unsigned which)
{
    switch (which) {
    case COST:
        return c->cost;
    case LATENCY:
        return c->latency;
    case THROUGHPUT:
        return c->throughput;
    default:
        return c->reliability;
    }
}

/* Hoare's selection: the list is put in the order that takes, no more. */
static double nth(double *v, unsigned n, unsigned k)
{
    unsigned low = 0, high = n - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        unsigned i = low, j = high;
        for (;; i++, j--) {
            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            double swap = v[i];
            v[i] = v[j];
            v[j] = swap;
        }
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[k];
}

struct measured {
    double best, median; /* of those that are known */
    unsigned known;
};

static void see_small(struct measured *m, double value)
{
    bool is_known = value >= 0;
    m->known += is_known;
    m->best = is_known && value < m->best ? value : m->best;
}

static void see_large(struct measured *m, double value)
{
    m->known += value >= 0;
    m->best = value > m->best ? value : m->best;
}

/* Where some are known and others are not. */
static double median_of(const struct considered *considered, unsigned n, unsigned which,
                        double *room)
{
    unsigned known = 0;
    for (unsigned i = 0; i < n; i++) {
        double value = measure(&considered[i], which);
        if (is_kept(&considered[i]) && value >= 0)
            room[known++] = value;
    }
    return nth(room, known, (known - 1) / 2);
}

/* All that are kept, and what is best among them. */
static void look_at_all(const struct looking *l, struct considered *considered, unsigned n,
                        struct measured m[MEASURES])
{
    struct measured cost = {.best = INFINITY}, latency = cost, throughput = {0}, reliability = {0};
    for (unsigned i = 0; i < n; i++) {
        struct considered *c = &considered[i];
        if (!is_kept(c))
            continue;
        look_at(l, c);
        see_small(&cost, c->cost);
        see_small(&latency, c->latency);
        see_large(&throughput, c->throughput);
        see_large(&reliability, c->reliability);
    }
    m[COST] = cost;
    m[LATENCY] = latency;
    m[THROUGHPUT] = throughput;
    m[RELIABILITY] = reliability;
}

static void find_medians(const struct considered *considered, unsigned n, unsigned kept,
                         struct measured m[MEASURES], struct arena *a)
{
    double *room = NULL;
    for (unsigned which = 0; which < MEASURES; which++) {
        if (m[which].known == 0 || m[which].known == kept)
            continue;
        room = room != NULL ? room : ARENA_ROOM(a, double, n);
        m[which].median = median_of(considered, n, which, room);
    }
}

static double filled(const struct measured *m, double value)
{
    return value >= 0 ? value : m->median;
}

/* --- the score ------------------------------------------------------------------------------------ */

/* weight × factor: where smaller is better it is `above / (value + one)`, where larger is it is
 * `times * value`; and the weight itself where nothing is known. */
struct factor {
    double above, one, times, always;
};

/* The one keeps a price of 0 from being infinitely better than a price of a pico-dollar. */
static struct factor smaller(const struct measured *m, unsigned weight, double one)
{
    if (m->known == 0)
        return (struct factor){.one = 1, .always = weight};
    return (struct factor){.above = weight * (m->best + one), .one = one};
}

static struct factor larger(const struct measured *m, unsigned weight)
{
    if (m->known == 0 || m->best <= 0)
        return (struct factor){.always = weight};
    return (struct factor){.times = weight / m->best};
}

static double wish_of(enum sort_by sort, const struct considered *c, double latency,
                      double throughput)
{
    switch (sort) {
    case SORT_PRICE:
        return 0; /* which is what ties go by */
    case SORT_THROUGHPUT:
        return -throughput;
    case SORT_LATENCY:
        return latency;
    case SORT_UNSAID:
        break;
    }
    return -c->score;
}

void score_all(const struct plan_question *q, struct considered *considered, struct rank *ranks,
               unsigned n, unsigned kept, struct arena *a)
{
    struct measured m[MEASURES];
    const struct route_weights *w = &q->weights;
    const struct looking looking = looking_for(q, a);
    look_at_all(&looking, considered, n, m);
    find_medians(considered, n, kept, m, a);
    struct factor by_cost = smaller(&m[COST], w->price, 1),
                  by_latency = smaller(&m[LATENCY], w->latency, 1e-6),
                  by_throughput = larger(&m[THROUGHPUT], w->throughput),
                  by_reliability = larger(&m[RELIABILITY], w->reliability);
    double always = by_cost.always + by_latency.always + by_throughput.always +
                    by_reliability.always;
    for (unsigned i = 0; i < n; i++) {
        struct considered *c = &considered[i];
        if (!is_kept(c))
            continue;
        double cost = filled(&m[COST], c->cost), latency = filled(&m[LATENCY], c->latency);
        double throughput = filled(&m[THROUGHPUT], c->throughput);
        c->score = always + by_cost.above / (cost + by_cost.one) +
                   by_latency.above / (latency + by_latency.one) +
                   by_throughput.times * throughput +
                   by_reliability.times * filled(&m[RELIABILITY], c->reliability);
        ranks[i] = (struct rank){
            .place = rank_place(c, c->is_open),
            .wish = wish_of(q->preferences->sort, c, latency, throughput),
            .cost = cost,
        };
    }
}
