/* plans.h: what the subscription of the account, or of one key, includes (contract 0.3). Looked at with
 * every request, so that another plan counts from the next one on. */
#ifndef SLUICE_CONFIG_PLANS_H
#define SLUICE_CONFIG_PLANS_H

#include "sluice/config/snapshot.h"

/* Of the file, or built in; NULL: there is none of that name. */
const struct plan_options *plan_named(const struct snapshot *s, const char *name);

/* Whose limits a key has; NULL: nobody's but its own. `key` NULL: nobody in particular. */
const struct plan_options *plan_of_key(const struct snapshot *s, const struct key_options *key);

/* Requests a minute of a key whose own limit is `rpm` (0: none). `plan` NULL: none. 0: any number. */
unsigned plan_rpm(const struct plan_options *plan, unsigned rpm);

#endif
