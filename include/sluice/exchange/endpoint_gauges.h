/* endpoint_gauges.h: how every endpoint does, as /metrics tells it: its circuit, and its figures of the
 * last five minutes as routing sees them. Brought up to date when somebody scrapes. */
#ifndef SLUICE_EXCHANGE_ENDPOINT_GAUGES_H
#define SLUICE_EXCHANGE_ENDPOINT_GAUGES_H

#include "sluice/exchange/gateway.h"

struct endpoint_gauges;

struct endpoint_gauges *endpoint_gauges_new(struct metric_registry *r);
void endpoint_gauges_free(struct endpoint_gauges *e); /* NULL is fine */

/* What `d` no longer has becomes NaN: a series cannot be taken back. */
void endpoint_gauges_update(struct endpoint_gauges *e, const struct deployment *d);

#endif
