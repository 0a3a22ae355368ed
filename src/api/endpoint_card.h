/* endpoint_card.h: what is told about one endpoint of a model (contract META-4): what it can do and
 * costs, what happens to prompts there, and how it does. */
#ifndef SLUICE_SRC_API_ENDPOINT_CARD_H
#define SLUICE_SRC_API_ENDPOINT_CARD_H

#include "sluice/route/plan.h"

/* `status`: of its circuit. */
int endpoint_card_write(const struct target *t, const struct target_health *h, const char *status,
                        struct buf *out) __attribute__((warn_unused_result));

/* `"stores":…,"trains":…,"zdr":…` of a policy. */
int policy_write_members(struct data_policy p, struct buf *out) __attribute__((warn_unused_result));

#endif
