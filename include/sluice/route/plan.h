/* plan.h: which attempts a request will be given, in which order, and why (contract 2.1 to 2.4).
 *
 *     resolve ─▶ hard filters ─▶ order ─▶ cut-offs ─▶ circuits ─▶ own keys first ─▶ fallbacks?
 *
 * A pure function of what it is handed: no clock, no sockets, no randomness of its own; the same
 * question gives the same plan, so a recorded one can be asked again. Eight attempts are the most that
 * are ever made, so the best eight are picked and the rest is never sorted. */
#ifndef SLUICE_ROUTE_PLAN_H
#define SLUICE_ROUTE_PLAN_H

#include "sluice/base/arena.h"
#include "sluice/catalog/catalog.h"
#include "sluice/catalog/stats.h"
#include "sluice/codec/fault.h"
#include "sluice/route/preferences.h"

enum { PLAN_ATTEMPTS_MAX = 8 };

/* How an endpoint does now. `latency` and `throughput` may have no samples. */
struct target_health {
    const struct quantiles *latency, *throughput; /* never NULL */
    struct outcomes outcomes;                     /* of five minutes */
    bool is_open;                                 /* its circuit, or it asked to be left alone */
};

struct plan_question {
    const struct catalog *catalog;
    const struct key_options *key; /* NULL: no authentication */
    struct span model;             /* may be empty when the preferences name models */
    const struct preferences *preferences;
    unsigned used;                         /* bits of enum capability: parameters the request has */
    unsigned shown;                        /* bits of enum modality: what its messages hold */
    uint64_t prompt_tokens, output_tokens; /* estimates; 0: nobody knows */
    uint64_t max_tokens;                   /* asked for, 0: not */
    bool denies_collection, wants_zdr;     /* of the workspace: a request cannot weaken them */
    double max_cost_multiplier;            /* of the first attempt's estimate; 0: no such limit */
    struct span sticky; /* slug of who answered this conversation before; or empty */
    struct route_weights weights;
    uint64_t seed;

    /* How a target does. What *out points to lives until the plan is made. */
    void (*look)(void *arg, const struct target *t, struct target_health *out);
    /* Has the caller keys of its own for that provider? NULL: nobody has. */
    bool (*has_own_key)(void *arg, const struct target *t);
    /* Is the circuit of endpoint and own key open? Then that is asked behind the others. NULL: never. */
    bool (*is_own_open)(void *arg, const struct target *t);
    void *arg;
};

/* Why a target is where it is, or is not in the plan at all. */
enum filter {
    FILTER_NONE,
    FILTER_KEY,
    FILTER_DISABLED,
    FILTER_MODALITY,
    FILTER_ONLY,
    FILTER_IGNORE,
    FILTER_QUANTIZATION,
    FILTER_COLLECTION,
    FILTER_ZDR,
    FILTER_DISTILLABLE,
    FILTER_CONTEXT,
    FILTER_PARAMETERS,
    FILTER_MAX_TOKENS,
    FILTER_NO_FALLBACKS,
    FILTER_COST,
    FILTER_BEYOND, /* the eighth attempt */
    FILTERS,
};
/* A phrase for people and the name of the filter: "provider.only does not name it". */
const char *filter_phrase(enum filter v);

struct planned_attempt {
    const struct target *target; /* in the catalog, or in the arena */
    bool with_own_key;           /* of the caller (BYOK) */
    const char *reason;          /* static: "cheapest first" */
};

/* One endpoint that was considered, for those who want to know. */
struct considered {
    const struct target *target;
    enum filter dropped_by;
    bool is_slow, is_open, is_sticky; /* misses a cut-off; its circuit; has the conversation */
    unsigned position;                /* in `order`; PLAN_UNPLACED: not named */
    double cost;                      /* estimate in pico-dollars; below 0: unknown */
    double latency, throughput;       /* p50; 0: unknown */
    double reliability;               /* share that went well */
    double score;                     /* of the default strategy */
    unsigned missing;                 /* capabilities, FILTER_PARAMETERS */
};
#define PLAN_UNPLACED UINT32_MAX

struct plan {
    struct planned_attempt *attempts; /* in the arena */
    unsigned n;
    struct considered *considered; /* in `scratch`, as configured, all models together */
    unsigned nconsidered;
};

/* False with *why when there is nothing to try. Copies what lies in `model` into the arena; `scratch`
 * holds what was considered. */
bool plan_make(const struct plan_question *q, struct arena *a, struct arena *scratch,
               struct plan *out, struct fault *why);

/* May this key name this model? */
bool plan_key_reaches(const struct key_options *key, struct span model_id);

#endif
