/* catalog.h: what can be called: the models of a snapshot, found by what callers write.
 *
 * Names resolve as contract 0.8 says: exact id, alias, "provider/name" (pins the provider), a bare
 * name that is unique, then once more without a leading "openai/" or "sluice/". Providers made from
 * the environment offer every "provider/anything". Immutable, like the snapshot it belongs to. */
#ifndef SLUICE_CATALOG_CATALOG_H
#define SLUICE_CATALOG_CATALOG_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

/* What happens to a prompt there; what nobody said is taken to be the worst (contract 2.26). */
struct data_policy {
    bool stores, trains, zdr;
};

/* One thing that can be called: provider × upstream model. What every plan looks at comes first. */
struct target {
    unsigned index; /* among all that are configured; TARGET_UNLISTED: not one */
    unsigned slug_number, provider_slug_number; /* catalog_slug_number of it, and of "minimax" */
    unsigned params;                            /* bits of enum capability */
    unsigned input, output; /* bits of enum modality; what nobody said is anything */
    unsigned quantization;  /* enum quantization */
    struct data_policy policy;
    bool enabled, distillable;
    uint64_t context, max_output; /* tokens, 0: unknown */
    double input_pd,
        output_pd;    /* list prices of a token in pico-dollars; below 0: not both are known */
    struct span slug; /* "minimax/fp8": slug.h; NUL-ended */
    const struct provider_options *provider;
    unsigned provider_index;
    const struct price_options *price; /* never NULL; may be unknown */
    const struct model_options *model; /* NULL for a provider that offers everything */
    struct span model_id;              /* canonical: "openai/gpt-5-mini" */
    struct span upstream_model;        /* what the provider calls it */
    const struct fact_options *facts;  /* of the endpoint, NULL: none */
    const char *region;                /* where prompts are processed; NULL: nobody said */
    unsigned known_facts;              /* facts.h, looked up once */
    uint64_t known_max_output;         /* 0: neither was looked up */
};
#define TARGET_UNLISTED UINT32_MAX

/* What logs, metrics and errors call it: its slug. */
static inline const char *target_name(const struct target *t)
{
    return (const char *)t->slug.at;
}

enum { RESOLUTION_GROUPS_MAX = 16 };

/* The endpoints of one model, or those of one provider among them. */
struct target_group {
    const struct target *first; /* and its neighbours */
    unsigned n;
    const struct provider_options *pinned; /* NULL: all of them */
};

/* Models in order of preference: the next one is asked when nobody of the one before is left. */
struct resolution {
    struct target_group groups[RESOLUTION_GROUPS_MAX];
    unsigned n;
    struct target
        made; /* private: for a provider that offers everything. Do not copy the struct. */
};

struct catalog;

struct catalog *catalog_new(const struct snapshot *s); /* borrows the snapshot */
void catalog_free(struct catalog *c);

/* False when nothing has that name. Spans of the result lie in the catalog or in `name`. */
bool catalog_resolve(const struct catalog *c, struct span name, struct resolution *out);

/* Slugs as numbers, of endpoints and of providers: below catalog_slugs, or SLUG_UNKNOWN where nobody
 * is called that. */
#define SLUG_UNKNOWN UINT32_MAX
unsigned catalog_slugs(const struct catalog *c);
unsigned catalog_slug_number(const struct catalog *c, struct span slug);
/* By the snapshot's index of the provider; NUL-ended. */
struct span catalog_provider_slug(const struct catalog *c, unsigned provider);

/* All that are configured, by their index. */
const struct target *catalog_targets(const struct catalog *c, unsigned *n);
/* Is anything said of what any of them can be shown? */
bool catalog_describes_input(const struct catalog *c);
/* Has any model more than one endpoint? */
bool catalog_offers_choice(const struct catalog *c);
/* Has that one? */
bool catalog_offers_choice_of(const struct catalog *c, struct span name);
/* A provider's own policy, and its slug. */
struct data_policy catalog_policy(const struct provider_options *p);
struct span catalog_slug(const struct catalog *c, const struct provider_options *p);
/* The endpoints of one of the snapshot's models; none for an alias. */
struct target_group catalog_group(const struct catalog *c, const struct model_options *m);

#endif
