/* retry.h: who is asked once an attempt has failed, and whether anybody should be.
 *
 * A further attempt at an endpoint that is well costs nothing here: it is how a request survives the
 * failures of others. One at an endpoint whose circuit is open, or which asked to be left alone, is
 * likely to fail, too, and takes one of the gateway's allowance (routing.retry_budget): so that where
 * everybody fails, each request does not become eight. */
#ifndef SLUICE_EXCHANGE_RETRY_H
#define SLUICE_EXCHANGE_RETRY_H

#include "exchange_priv.h"

/* A request has come: what it earns. */
void retry_earn(struct exchange *x);
/* Is somebody well who is as good as the next of the plan? Then it is the next. */
bool retry_prefers_who_is_well(struct exchange *x);

#endif
