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
#include "sluice/config/snapshot.h"
#include "sluice/format/json_out.h"

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

enum prefer_what { PREFER_UNSAID, PREFER_BALANCED, PREFER_CHEAPEST, PREFER_SMARTEST };

struct preferences {
    struct slugs order, only, ignore;
    enum sort_by sort;
    struct cutoffs min_throughput, max_latency;
    unsigned quantizations; /* bits 1 << enum quantization; 0: all */
    bool allows_fallbacks;  /* true unless it says false */
    bool drops_parameters;  /* require_parameters: false */
    bool denies_collection, wants_zdr, wants_distillable;
    enum prefer_what prefer; /* these two mean something to family.h, without a model */
    enum task task;
    bool has_task;
    double max_cost_multiplier; /* of the first attempt's estimate; 0: no limit */
    bool forbids_hedge;         /* hedge: false */
    enum { CONTINUE_UNSAID, CONTINUE_NO, CONTINUE_YES } continue_streams;
    struct span models[PREFERENCES_MODELS_MAX]; /* to fall back on */
    unsigned nmodels;
};

/* `provider` and `models`: the members' values, empty when absent. False with *why. */
bool preferences_read(struct span provider, struct span models, struct arena *a,
                      struct preferences *out, struct fault *why);

/* What requests of contract 2.16 say at their top level: the members' values, empty when absent. */
struct infrai_members {
    struct span vendor, task, prefer, max_cost_multiplier;
};
/* On top of what preferences_read found. Without a multiplier it is 1.5 there. */
bool preferences_read_infrai(const struct infrai_members *m, struct arena *a,
                             struct preferences *out, struct fault *why);
/* The two members with what was said, written anew: `provider` is an object, `models` a list.
 * preferences_read makes the same preferences of them. */
void preferences_write_provider(const struct preferences *p, struct json_out *o);
void preferences_write_models(const struct preferences *p, struct json_out *o);

#endif
