#include "hist.h"

/* Values below 64 have a step each; above, the six bits after the leading one choose the step. */
static unsigned step_of(uint64_t ns)
{
    if (ns < HIST_STEPS)
        return (unsigned)ns;
    unsigned power = 63u - (unsigned)__builtin_clzll(ns); /* at least 6 */
    unsigned step = (power - 5) * HIST_STEPS + (unsigned)((ns >> (power - 6)) & (HIST_STEPS - 1));
    unsigned last = HIST_POWERS * HIST_STEPS - 1;
    return step < last ? step : last;
}

static uint64_t upper_edge(unsigned step)
{
    if (step < HIST_STEPS)
        return step;
    unsigned power = step / HIST_STEPS + 5;
    uint64_t within = step % HIST_STEPS;
    return ((HIST_STEPS + within + 1) << (power - 6)) - 1;
}

void hist_record(struct hist *h, uint64_t ns)
{
    h->count++;
    h->step[step_of(ns)]++;
    if (ns > h->max)
        h->max = ns;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    uint64_t wanted = (uint64_t)((double)h->count * percent / 100.0 + 0.5);
    uint64_t seen = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HIST_POWERS * HIST_STEPS; i++) {
        seen += h->step[i];
        if (seen >= wanted) {
            uint64_t edge = upper_edge(i);
            return edge < h->max ? edge : h->max;
        }
    }
    return 0;
}
