/* routing.h: whom an exchange will ask: what it knows of its request, put as the plan's question, with
 * the endpoints' health and the caller's own keys as they are now. The plan itself is pure: route/plan.h. */
#ifndef SLUICE_EXCHANGE_ROUTING_H
#define SLUICE_EXCHANGE_ROUTING_H

#include "sluice/route/plan.h"

struct exchange;

/* The caller's own keys, as they are: the table may be replaced from here on. */
void routing_keep_own_keys(struct exchange *x);

/* Fills x->plan. False: the exchange has its answer already, an explanation or an error. */
bool routing_plan(struct exchange *x);

/* A plan for x->request as it stands, which nobody is going to follow. `fits_any`: whoever knows the model
 * will do, however long the prompt is and whatever it asks for. False with *why. */
bool routing_ask(struct exchange *x, bool fits_any, struct plan *out, struct fault *why);

#endif
