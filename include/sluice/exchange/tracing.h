/* tracing.h: whether requests are traced, and where their spans go (`observability.tracing`). */
#ifndef SLUICE_EXCHANGE_TRACING_H
#define SLUICE_EXCHANGE_TRACING_H

#include "sluice/exchange/gateway.h"

/* For a configuration that is about to take over: an exporter to that collector, the gateway's own when
 * that is it already, NULL when nobody wants spans. -1 and *why when it cannot be made. */
int tracing_open(struct gateway *g, const struct tracing_options *o, struct span_exporter **out,
                 struct err *why) __attribute__((warn_unused_result));
/* It takes over, with the spans that wait; or it does not after all. */
void tracing_install(struct gateway *g, struct span_exporter *e);
void tracing_discard(struct gateway *g, struct span_exporter *e);

/* At the end of the process, again and again: what waits goes out now. True once nothing is left, or the
 * collector has not taken it: two seconds are the most that it may take. */
bool tracing_flush(struct gateway *g);

#endif
