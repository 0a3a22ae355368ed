/* catalog.h: what can be called: the models of a snapshot, found by what callers write.
 *
 * Names resolve as contract 0.8 says: exact id, alias, "provider/name" (pins the provider), a bare
 * name that is unique, then once more without a leading "openai/" or "sluice/". Providers made from
 * the environment offer every "provider/anything". Immutable, like the snapshot it belongs to. */
#ifndef SLUICE_CATALOG_CATALOG_H
#define SLUICE_CATALOG_CATALOG_H

#include "sluice/config/snapshot.h"

enum { CATALOG_TARGETS_MAX = 8 };

/* One thing that can be called: provider × upstream model. */
struct target {
    const struct provider_options *provider;
    unsigned provider_index;
    const struct price_options *price; /* never NULL; may be unknown */
    const struct model_options *model; /* NULL for a provider that offers everything */
    struct span model_id;              /* canonical: "openai/gpt-5-mini" */
    struct span upstream_model;        /* what the provider calls it */
    uint64_t max_output;               /* tokens, 0: unknown */
    const struct fact_options *facts;  /* of the endpoint, NULL: none */
};

struct resolution {
    struct target targets[CATALOG_TARGETS_MAX]; /* in order of preference */
    unsigned n;
};

struct catalog;

struct catalog *catalog_new(const struct snapshot *s); /* borrows the snapshot */
void catalog_free(struct catalog *c);

/* False when nothing has that name. Spans of the result lie in the snapshot or in `name`. */
bool catalog_resolve(const struct catalog *c, struct span name, struct resolution *out);

#endif
