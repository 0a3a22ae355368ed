/* explanation.h: a plan for those who want to know why: as JSON for programs and people, and as one
 * short field of an answer's head.
 *
 * The field is a dictionary of lists (RFC 8941 §3.2), so that any library for structured fields reads
 * it; entries are strings with parameters:
 *
 *     tried=("beta";s=503;ms=12 "gamma";s=200;ms=31), plan=("beta";price "gamma";price),
 *     dropped=("alpha";zdr "delta";parameters="seed tools"), cut=2
 *
 * Endpoints of models that the key may not use are left out of both. Nothing in here is a secret, or
 * the upstream's own name of a model (contract D-40). */
#ifndef SLUICE_ROUTE_EXPLANATION_H
#define SLUICE_ROUTE_EXPLANATION_H

#include "sluice/route/plan.h"

enum { EXPLANATION_FIELD_MAX = 512 };

struct explained_attempt {
    struct span endpoint;
    const char *result; /* "timeout", "broken"; NULL where the status says it all */
    unsigned status;    /* of the provider's answer, 0: none came */
    unsigned ms;        /* so far */
};

/* The field's value, in `out`: whole entries only, `cut` counts those that found no room. Empty when
 * there is nothing to tell. */
struct span explanation_field(const struct plan *p, const struct explained_attempt *tried,
                              unsigned ntried, char out[EXPLANATION_FIELD_MAX]);

/* The question and what follows from it as a JSON object. `why`: what a request is told that gets no
 * attempt, NULL where there is one. Tells figures only where the question wants all told. 0 or
 * -ENOMEM. */
int explanation_write(const struct plan_question *q, const struct plan *p, const struct fault *why,
                      struct buf *out) __attribute__((warn_unused_result));

#endif
