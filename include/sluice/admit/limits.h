/* limits.h: how much a key and the account may: what the configuration says of them, as the ledger is asked.
 *
 * A key's own limit holds as far as its plan allows; a plan is looked at with every request, so that another
 * one counts from the next on (contract 0.3). */
#ifndef SLUICE_ADMIT_LIMITS_H
#define SLUICE_ADMIT_LIMITS_H

#include "sluice/store/ledger.h"

/* `plan` NULL: there is none. */
struct limit_options key_limits_effective(const struct key_options *key,
                                          const struct plan_options *plan);
/* X-RateLimit-Tier: the plan's name, or "config". */
const char *limits_tier(const struct plan_options *plan);

/* Whose counters those are. */
void limits_name_key(const struct key_options *key, char out[LEDGER_SCOPE_BYTES]);
extern const char limits_account_name[];

struct ledger_scope limits_of_key(const struct key_options *key, const struct plan_options *plan);
struct ledger_scope limits_of_account(const struct account_options *a,
                                      const struct plan_options *plan);

/* Is anything asked of it but to count? */
bool limits_bind(const struct ledger_scope *s);
/* Can money run out there? */
bool limits_bind_money(const struct ledger_scope *s);

#endif
