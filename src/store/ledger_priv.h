/* ledger_priv.h: how the store makes and ends its ledger. */
#ifndef SLUICE_STORE_LEDGER_PRIV_H
#define SLUICE_STORE_LEDGER_PRIV_H

#include "disk.h"
#include "redis.h"
#include "sluice/store/ledger.h"

struct ledger;

/* Counted in `redis`, else in memory. `options` is borrowed; `ready` is called whenever Redis has been
 * connected to and knows what this process did meanwhile. */
struct ledger *ledger_new(struct loop *l, const struct store_options *options, struct redis *redis,
                          struct metric_registry *metrics, struct metric_series *errors,
                          void (*ready)(void *owner), void *owner);
/* Waiting calls are dropped. `closed` comes when Redis has what it was to be told, or was given up; at
 * once when there is nothing. */
void ledger_close(struct ledger *l, void (*closed)(void *owner));
void ledger_free(struct ledger *l); /* not in the turn it was closed in. NULL is fine */

void ledger_up(struct ledger *l);   /* Redis is connected to */
void ledger_down(struct ledger *l); /* it is away, or still is */

struct ledger *store_ledger(struct store *s);

#endif
