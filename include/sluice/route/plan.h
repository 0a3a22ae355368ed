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
    unsigned wanted;                       /* likewise: what the answer is to be; 0: text, say */
    uint64_t prompt_tokens, output_tokens; /* estimates; 0: nobody knows */
    uint64_t max_tokens;                   /* asked for, 0: not */
    bool denies_collection, wants_zdr;     /* of the workspace: a request cannot weaken them */
    double max_cost_multiplier;            /* of the first attempt's estimate; 0: no such limit */
    struct span sticky; /* slug of who answered this conversation before; or empty */
    struct route_weights weights;
    uint64_t seed;
    /* Who asks wants to know all that was seen: even the only one left is looked at, which changes
     * nothing but what is told. */
    bool tells_all;

    /* How a target does. What *out points to lives until the plan is made. */
    void (*look)(void *arg, const struct target *t, struct target_health *out);
    /* Has its protocol anything of this kind? NULL: all have. */
    bool (*is_able)(void *arg, const struct target *t);
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
    FILTER_PROTOCOL,
    FILTER_MODALITY,
    FILTER_OUTPUT,
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
/* One word for programs, and a phrase for people: "only", "provider.only does not name it". */
const char *filter_word(enum filter v);
const char *filter_phrase(enum filter v);

/* Why an attempt stands where it stands among those of its model. */
enum place {
    PLACE_ONLY, /* nobody else is left */
    PLACE_CONVERSATION,
    PLACE_ORDER,   /* named in provider.order */
    PLACE_UNNAMED, /* behind those that are */
    PLACE_PRICE,
    PLACE_THROUGHPUT,
    PLACE_LATENCY,
    PLACE_SHARED, /* first with the caller's own key, and now with ours */
    PLACE_DRAWN,
    PLACE_SCORE,
    PLACE_SLOW, /* moved behind: misses a cut-off */
    PLACE_OPEN, /* moved behind: its circuit */
    PLACES,
};
const char *place_word(enum place v);
const char *place_phrase(enum place v);

struct planned_attempt {
    const struct target *target; /* in the catalog, or in the arena */
    bool with_own_key;           /* of the caller (BYOK) */
    bool is_open;                /* its circuit: behind the others of all models */
    unsigned unwanted;           /* bits of enum capability: what it does not take is left out */
    enum place place;
    unsigned considered; /* its index among the plan's */
};

/* One endpoint that was considered, for those who want to know. */
struct considered {
    const struct target *target;
    enum filter dropped_by;
    bool is_slow, is_open, is_sticky; /* misses a cut-off; its circuit; has the conversation */
    unsigned position;                /* in `order`; PLAN_UNPLACED: not named */
    unsigned missing;                 /* capabilities, FILTER_PARAMETERS */
    double score;                     /* of the default strategy; 0: nobody else is left */
    /* Below 0: unknown, or nobody had to know, since it was dropped or nobody else is left. */
    double cost;                      /* estimate in pico-dollars */
    double latency, throughput;       /* p50 */
    double reliability;               /* share that went well */
    const struct target_health *seen; /* a copy, where the question wants all told; else NULL */
};
#define PLAN_UNPLACED UINT32_MAX
#define PLAN_UNKNOWN (-1.0)

struct plan {
    struct planned_attempt *attempts; /* in the arena */
    unsigned n;
    struct considered *considered; /* in `scratch`, as configured, all models together */
    unsigned nconsidered;
};

/* False with *why when there is nothing to try: no attempts then. Copies what lies in `model` into the
 * arena; `scratch` holds what was considered. */
bool plan_make(const struct plan_question *q, struct arena *a, struct arena *scratch,
               struct plan *out, struct fault *why);

/* May this key name this model? */
bool plan_key_reaches(const struct key_options *key, struct span model_id);

#endif
