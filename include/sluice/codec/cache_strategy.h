/* cache_strategy.h: who is to remember what was asked before (contract 2.7). */
#ifndef SLUICE_CODEC_CACHE_STRATEGY_H
#define SLUICE_CODEC_CACHE_STRATEGY_H

#include "sluice/codec/fault.h"

enum cache_strategy {
    CACHE_VENDOR,  /* the provider's, as cache_control asks for it */
    CACHE_GATEWAY, /* answers kept here; the first call costs what it costs */
    CACHE_NONE,
};

/* The member `cache_strategy`, without quotes. False with *why. */
bool cache_strategy_read(struct span word, enum cache_strategy *out, struct fault *why);

#endif
