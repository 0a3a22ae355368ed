/* decision.h: one decision of routing as a line of JSON: everything the plan was told and what came of
 * it, so that it can be made again elsewhere, and found to be the same or not.
 *
 *     {"v":1,"ts":…,"id":"…","config":"…","model":"…","provider":{…},…,
 *      "endpoints":[{"model":"…","endpoint":"…","as":"…","latency":[…],…},…],
 *      "plan":[{"at":0,"place":"drawn"},…]}
 *
 * Numbers come back exactly as they were. No prompt, no key and nothing else of the request is in it
 * but what routing reads: names of models, the members of `provider`, and which parameters it uses. */
#ifndef SLUICE_ROUTE_DECISION_H
#define SLUICE_ROUTE_DECISION_H

#include "sluice/base/err.h"
#include "sluice/route/plan.h"

/* A line is never longer: what would be is not written. */
enum { DECISION_MAX = 128 * 1024 };

struct decision_note {
    uint64_t at_unix_ms;
    struct span request_id, config; /* what routing reads of it: snapshot->routing_hash */
    bool is_stream;
    const struct plan_question *question; /* which wanted all told */
    const struct plan *plan;
    const struct fault *why; /* where there is nothing to try; else NULL */
};

/* Appends the line, its newline included. 0, -ENOMEM, or -EMSGSIZE: it would be too long. */
int decision_write(const struct decision_note *n, struct buf *out)
    __attribute__((warn_unused_result));

/* --- back ----------------------------------------------------------------------------------------- */

/* One endpoint, as it was then. */
struct decided_endpoint {
    struct span model, slug, upstream;
    bool has_own_key, is_own_open;
    enum filter dropped_by;
    bool is_seen; /* `latency` and what follows is known */
    struct quantiles latency, throughput;
    struct outcomes outcomes;
    bool is_open;
};

struct decided_attempt {
    unsigned at; /* index of its endpoint */
    bool with_own_key;
    enum place place;
};

struct decision {
    uint64_t at_unix_ms;
    struct span request_id, config;
    bool is_stream;
    bool asks_own_keys;            /* the caller might have had some, whether it had any or not */
    struct plan_question question; /* but for the catalog and how endpoints do */
    struct preferences preferences;
    struct key_options key;
    struct decided_endpoint *endpoints;
    unsigned nendpoints;
    struct decided_attempt plan[PLAN_ATTEMPTS_MAX];
    unsigned nplan;
    struct span error; /* its type; empty: there was something to try */
};

/* False with *why when it is none, or damaged. Everything is made in the arena; the line may go. */
bool decision_read(struct span line, struct arena *a, struct decision *out, struct err *why);

/* The question of the decision once more. `weights`: NULL: those of then. As plan_make. */
bool decision_remake(const struct decision *d, const struct catalog *c,
                     const struct route_weights *weights, struct arena *a, struct plan *out,
                     struct fault *why);

/* How far a plan is another one than it was. */
enum difference {
    DIFFERENCE_NONE,
    DIFFERENCE_REASONS, /* the same attempts, for other reasons */
    DIFFERENCE_LATER,   /* the same endpoint first, others behind it */
    DIFFERENCE_FIRST,   /* another one is asked first, or another error is told */
    DIFFERENCES,
};
/* `why`: NULL where there is a plan. Says what differs, as text for one line; nothing when nothing
 * does. 0 or -ENOMEM. */
enum difference decision_compare(const struct decision *d, const struct plan *p,
                                 const struct fault *why);
int decision_write_difference(const struct decision *d, const struct plan *p,
                              const struct fault *why, struct buf *out)
    __attribute__((warn_unused_result));

#endif
