/* usage_number.h: numbers of a usage object, whoever wrote them. */
#ifndef SLUICE_SRC_METER_USAGE_NUMBER_H
#define SLUICE_SRC_METER_USAGE_NUMBER_H

#include "usage_fit.h"

#include "sluice/base/span.h"

/* What may follow a number in JSON. */
static inline bool usage_number_ends(struct span rest)
{
    if (rest.len == 0)
        return true;
    uint8_t c = rest.at[0];
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* `value` begins with the number. False, and *out as it was, for what is none, is negative, or is larger
 * than anybody has. A count is whole; 12.0 is. */
static inline bool usage_number_count(struct span value, uint64_t *out)
{
    uint64_t n = 0;
    size_t digits = 0;
    while (digits < value.len && value.at[digits] >= '0' && value.at[digits] <= '9') {
        n = n * 10 + (uint64_t)(value.at[digits++] - '0');
        if (n > USAGE_COUNT_MAX)
            return false;
    }
    struct span rest = span_skip(value, digits);
    if (digits == 0)
        return false;
    if (rest.len > 1 && rest.at[0] == '.' && rest.at[1] == '0') /* some count in floats */
        for (rest = span_skip(rest, 1); rest.len > 0 && rest.at[0] == '0';)
            rest = span_skip(rest, 1);
    if (!usage_number_ends(rest))
        return false;
    *out = n;
    return true;
}

/* Any number, times ten to the power of `places`; what is smaller than that is dropped. */
bool usage_number_scaled(struct span value, unsigned places, uint64_t *out);

#endif
