/* usage_fit.h: what a provider says of an answer, made consistent. */
#ifndef SLUICE_SRC_METER_USAGE_FIT_H
#define SLUICE_SRC_METER_USAGE_FIT_H

#include "sluice/meter/usage.h"

/* Counts larger than this are no counts; it keeps every later sum and product in 64 bits. */
#define USAGE_COUNT_MAX 1000000000u

/* Cuts each part to what its whole leaves for it; the source is the provider. */
void usage_fit(struct usage *u);

#endif
