/* family.h: what a request asks for that names no model but a task, or what it cares for (contract 2.16:
 * `task`, `prefer`): models of the configuration, which lists them from the cheapest to the best. */
#ifndef SLUICE_ROUTE_FAMILY_H
#define SLUICE_ROUTE_FAMILY_H

#include "sluice/route/preferences.h"

/* For a request without `model`: puts the family's models before those it may fall back on. Does nothing
 * when neither is said. False with *why when the task has no models. */
bool family_choose(const struct snapshot *s, struct preferences *p, struct fault *why);

#endif
