/* provider_runtime.h: a provider with its connections, put to work: the operator's, or the same with a
 * credential of a caller's own. */
#ifndef SLUICE_EXCHANGE_PROVIDER_RUNTIME_H
#define SLUICE_EXCHANGE_PROVIDER_RUNTIME_H

#include "sluice/exchange/gateway.h"

/* p->options is set, and lives as long. First takes over from others what would be the same: */
void provider_runtime_adopt(struct provider_runtime *p, const struct provider_runtime *from);
/* and then makes the rest. Negative and *why when a file it needs cannot be used; stop in both cases. */
int provider_runtime_start(struct provider_runtime *p, struct gateway *g, struct err *why)
    __attribute__((warn_unused_result));
void provider_runtime_stop(struct provider_runtime *p);

#endif
