/* plan.h: which attempts a request will be given, in which order, and why.
 *
 * A pure function of what it is handed: no clock, no sockets, no randomness of its own. Today it
 * keeps the catalogue's order and applies the key's reach; preferences, health and prices join here. */
#ifndef SLUICE_ROUTE_PLAN_H
#define SLUICE_ROUTE_PLAN_H

#include "sluice/base/arena.h"
#include "sluice/catalog/catalog.h"
#include "sluice/codec/fault.h"

struct planned_attempt {
    struct target target;
    const char *reason; /* static: "configured order" */
};

struct plan {
    struct planned_attempt *attempts; /* in the arena */
    unsigned n;
};

/* `key` may be NULL (no authentication). False with *why when there is nothing to try. Copies what
 * lies in `model` into the arena. */
bool plan_make(const struct catalog *catalog, const struct key_options *key, struct span model,
               struct arena *a, struct plan *out, struct fault *why);

/* May this key name this model? */
bool plan_key_reaches(const struct key_options *key, struct span model_id);

#endif
