/* recording.h: whether decisions of routing are written down, and where to (`routing.record`). */
#ifndef SLUICE_EXCHANGE_RECORDING_H
#define SLUICE_EXCHANGE_RECORDING_H

#include "sluice/exchange/gateway.h"

/* For a configuration that is about to take over: the journal of that path, the gateway's own when that
 * is it already, NULL when `path` is. -1 and *why when it cannot be opened. */
int recording_open(struct gateway *g, const char *path, struct journal **out, struct err *why)
    __attribute__((warn_unused_result));
/* It takes over, or it does not after all. */
void recording_install(struct gateway *g, struct journal *j);
void recording_discard(struct gateway *g, struct journal *j);

/* The file was moved away: another one of its name from here on. */
void recording_reopen(struct gateway *g);

#endif
