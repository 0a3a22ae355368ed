/* cache_price.h: what a provider's cache costs where the file does not say.
 *
 * Makers of models ask a share of the input price for tokens read from their cache, and more than the
 * input price for tokens written where a client asks for that; where caching is nobody's doing, writing
 * costs nothing (contract 2.5, and the makers' price lists of November 2026). */
#ifndef SLUICE_SRC_CONFIG_CACHE_PRICE_H
#define SLUICE_SRC_CONFIG_CACHE_PRICE_H

#include "sluice/config/snapshot.h"

/* For every endpoint of every model. `known` stays what was given. */
void cache_price_fill(struct snapshot *s);

#endif
