/* ledger_priv.h: how the store makes and ends its ledger. */
#ifndef SLUICE_STORE_LEDGER_PRIV_H
#define SLUICE_STORE_LEDGER_PRIV_H

#include "disk.h"
#include "redis.h"
#include "sluice/store/ledger.h"

struct ledger;

/* Counted in `redis`, else in memory. `options` is borrowed. */
struct ledger *ledger_new(struct loop *l, const struct store_options *options, struct redis *redis,
                          struct metric_series *errors);
void ledger_free(struct ledger *l); /* drops waiting calls. NULL is fine */

struct ledger *store_ledger(struct store *s);

#endif
