/* usage_number.h: numbers of a usage object, whoever wrote them. */
#ifndef SLUICE_SRC_METER_USAGE_NUMBER_H
#define SLUICE_SRC_METER_USAGE_NUMBER_H

#include "sluice/base/span.h"

/* `value` begins with the number; what follows it is what may follow a number in JSON. False, and *out as
 * it was, for what is none, is negative, or is larger than anybody has.
 *
 * A count is whole; 12.0 is. */
bool usage_number_count(struct span value, uint64_t *out);

/* Any number, times ten to the power of `places`; what is smaller than that is dropped. */
bool usage_number_scaled(struct span value, unsigned places, uint64_t *out);

#endif
