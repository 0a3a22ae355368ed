/* decimal.h: a number as text, without printf: a command to Redis has a dozen of them. */
#ifndef SLUICE_STORE_DECIMAL_H
#define SLUICE_STORE_DECIMAL_H

#include "sluice/base/span.h"

struct decimal {
    char digits[20]; /* 2^64 has as many */
};

/* The text lies in *room. */
static inline struct span decimal(uint64_t n, struct decimal *room)
{
    size_t at = sizeof(room->digits);

    do {
        room->digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    return span_of(room->digits + at, sizeof(room->digits) - at);
}

#endif
