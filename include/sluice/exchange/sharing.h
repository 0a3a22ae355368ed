/* sharing.h: what replicas tell each other, through Redis, of how endpoints do: so that a new replica
 * routes well from its first request on, and each knows what all have seen.
 *
 *   every 5 s   hear what others told since ──▶ add it ──▶ tell the slices that have ended since
 *
 * At the start everything of the last five minutes is heard. No request ever waits for any of it, and
 * while Redis is away each has its own figures; what it did not tell then it tells afterwards. Circuits
 * stay local: whether an endpoint can be reached from here is nothing that others know. */
#ifndef SLUICE_EXCHANGE_SHARING_H
#define SLUICE_EXCHANGE_SHARING_H

#include "sluice/exchange/gateway.h"

struct sharing;

/* NULL when the store is none that is shared. Needs g->now. */
struct sharing *sharing_open(struct gateway *g);
void sharing_close(struct sharing *s); /* before the store; NULL is fine */

#endif
