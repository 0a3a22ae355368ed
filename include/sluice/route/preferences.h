/* preferences.h: what a request says about who may answer it: the `provider` object and `models`
 * (contract 2.1). A reading of JSON and nothing else; the plan decides what follows from it.
 *
 * Members nobody knows are passed over (D-12); known ones with a wrong value are a 400 that names them
 * by their path, "provider.sort". Lists keep their first PREFERENCES_LIST_MAX entries' order; a longer
 * one is a 400. Slugs are made in the arena, model names lie there or in the body. */
#ifndef SLUICE_ROUTE_PREFERENCES_H
#define SLUICE_ROUTE_PREFERENCES_H

#include "sluice/base/arena.h"
#include "sluice/catalog/stats.h"
#include "sluice/codec/fault.h"

enum { PREFERENCES_LIST_MAX = 64, PREFERENCES_MODELS_MAX = 16 };

enum sort_by { SORT_UNSAID, SORT_PRICE, SORT_THROUGHPUT, SORT_LATENCY };

struct slugs {
    struct span *at;
    unsigned n;
    bool is_said; /* an empty list is something else than none */
};

/* Cut-offs by quantile; 0: none. Seconds, or tokens per second. */
struct cutoffs {
    double at[QUANTILES];
    bool is_said;
};

struct preferences {
    struct slugs order, only, ignore;
    enum sort_by sort;
    struct cutoffs min_throughput, max_latency;
    unsigned quantizations; /* bits 1 << enum quantization; 0: all */
    bool allows_fallbacks;  /* true unless it says false */
    bool drops_parameters;  /* require_parameters: false */
    bool denies_collection, wants_zdr, wants_distillable;
    bool forbids_hedge;                         /* hedge: false */
    struct span models[PREFERENCES_MODELS_MAX]; /* to fall back on */
    unsigned nmodels;
};

/* `provider` and `models`: the members' values, empty when absent. False with *why. */
bool preferences_read(struct span provider, struct span models, struct arena *a,
                      struct preferences *out, struct fault *why);

#endif
