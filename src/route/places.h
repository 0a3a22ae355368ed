/* places.h: where an endpoint stands in a list of slugs, when many endpoints are looked for: a table
 * by the catalog's numbers of slugs, made once a plan. */
#ifndef SLUICE_SRC_ROUTE_PLACES_H
#define SLUICE_SRC_ROUTE_PLACES_H

#include "sluice/route/plan.h"

struct places {
    const uint8_t *at; /* by number of slug: place + 1, 0: not in the list. NULL: nothing is */
};

struct places places_of(const struct slugs *list, const struct catalog *c, struct arena *scratch);

/* The first place that names the endpoint or its provider, else PLAN_UNPLACED. */
static inline unsigned places_find(const struct places *p, const struct target *t)
{
    if (p->at == NULL)
        return PLAN_UNPLACED;
    unsigned own = p->at[t->slug_number] - 1u, providers = p->at[t->provider_slug_number] - 1u;
    return own < providers ? own : providers; /* 0 - 1 is PLAN_UNPLACED */
}

#endif
