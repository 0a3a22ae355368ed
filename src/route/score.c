#include "score.h"

/* score = Σ weight × factor, each factor in (0, 1]: the best of those that are left has 1. */

enum { COST, LATENCY, THROUGHPUT, RELIABILITY, MEASURES };
#define UNKNOWN (-1.0)

static bool is_kept(const struct considered *c)
{
    return c->dropped_by == FILTER_NONE;
}

/* --- what is known -------------------------------------------------------------------------------- */

static double cost_of(const struct plan_question *q, const struct price_options *p)
{
    enum { INPUT = 1, OUTPUT = 2, BOTH = INPUT | OUTPUT };
    if ((p->known & BOTH) != BOTH)
        return UNKNOWN;
    return (double)q->prompt_tokens * (double)p->input +
           (double)q->output_tokens * (double)p->output;
}

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

static void look_at(const struct plan_question *q, struct considered *c)
{
    struct target_health h;
    q->look(q->arg, c->target, &h);
    uint32_t seen = h.outcomes.ok + h.outcomes.failed;
    c->cost = cost_of(q, c->target->price);
    c->latency = h.latency->samples > 0 ? h.latency->at[P50] : UNKNOWN;
    c->throughput = h.throughput->samples > 0 ? h.throughput->at[P50] : UNKNOWN;
    c->reliability = seen > 0 ? (double)h.outcomes.ok / seen : UNKNOWN;
    c->is_open = h.is_open;
    c->is_slow = misses(&q->preferences->max_latency, h.latency, false) ||
                 misses(&q->preferences->min_throughput, h.throughput, true);
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
    double least, most, median; /* of those that are known */
    bool is_known;
};

static struct measured measure_all(const struct considered *considered, unsigned n, unsigned which,
                                   double *room)
{
    struct measured m = {.median = 0};
    unsigned known = 0, kept = 0;
    for (unsigned i = 0; i < n; i++) {
        double value = is_kept(&considered[i]) ? measure(&considered[i], which) : UNKNOWN;
        kept += is_kept(&considered[i]);
        if (value < 0)
            continue;
        if (known == 0 || value < m.least)
            m.least = value;
        if (known == 0 || value > m.most)
            m.most = value;
        room[known++] = value;
    }
    m.is_known = known > 0;
    if (known > 0 && known < kept)
        m.median = nth(room, known, (known - 1) / 2);
    return m;
}

static double filled(const struct measured *m, double value)
{
    return value >= 0 ? value : m->median;
}

/* --- the score ------------------------------------------------------------------------------------ */

/* Where smaller is better, and where larger is. The one keeps a price of 0 from being infinitely
 * better than a price of a pico-dollar. */
static double smaller(const struct measured *m, double value, double one)
{
    return m->is_known ? (m->least + one) / (filled(m, value) + one) : 1;
}

static double larger(const struct measured *m, double value)
{
    return m->is_known && m->most > 0 ? filled(m, value) / m->most : 1;
}

void score_all(const struct plan_question *q, struct considered *considered, struct rank *ranks,
               unsigned n, struct arena *a)
{
    struct measured m[MEASURES];
    const struct route_weights *w = &q->weights;
    double *room = ARENA_ARRAY(a, double, n);
    for (unsigned i = 0; i < n; i++) {
        if (is_kept(&considered[i]))
            look_at(q, &considered[i]);
    }
    for (unsigned which = 0; which < MEASURES; which++)
        m[which] = measure_all(considered, n, which, room);
    for (unsigned i = 0; i < n; i++) {
        struct considered *c = &considered[i];
        if (!is_kept(c))
            continue;
        ranks[i] = (struct rank){filled(&m[COST], c->cost), filled(&m[LATENCY], c->latency),
                                 filled(&m[THROUGHPUT], c->throughput)};
        c->score = w->price * smaller(&m[COST], c->cost, 1) +
                   w->latency * smaller(&m[LATENCY], c->latency, 1e-6) +
                   w->throughput * larger(&m[THROUGHPUT], c->throughput) +
                   w->reliability * larger(&m[RELIABILITY], c->reliability);
    }
}
