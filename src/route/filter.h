/* filter.h: who may answer a request at all (contract 2.1, step 2), and what is said when nobody may. */
#ifndef SLUICE_SRC_ROUTE_FILTER_H
#define SLUICE_SRC_ROUTE_FILTER_H

#include "sluice/route/plan.h"

/* FILTER_NONE, or the first filter that takes it out; fills `missing`. `asked`: the name the client
 * wrote, for keys that may use an alias but not what is behind it. */
void filter_judge(const struct plan_question *q, struct span asked, struct considered *c);

/* The fault when all of `considered` were taken out. */
void filter_explain(const struct plan_question *q, const struct considered *considered, unsigned n,
                    struct fault *why);

#endif
