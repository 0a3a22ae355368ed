/* dollars.h: amounts of US dollars as people write them, as pico-dollars (1e-12 USD): exactly, in integers,
 * both ways. */
#ifndef SLUICE_BASE_DOLLARS_H
#define SLUICE_BASE_DOLLARS_H

#include "sluice/base/span.h"

#define PD_PER_USD 1000000000000u
/* So that an amount with a sign fits 64 bits, and a few of them add up. */
#define DOLLARS_MAX_PD (1000000u * (uint64_t)PD_PER_USD)
/* Whoever writes one into text wants so many bytes: sign, digits, point, end. */
enum { DOLLARS_TEXT_BYTES = 24 };

/* "100", "0.25": digits, and perhaps a point and up to twelve more. NULL, or a phrase that says what was
 * expected; then *out is left alone. */
const char *dollars_read(struct span text, uint64_t *out_pd);
/* The same, with a minus in front perhaps. */
const char *dollars_read_signed(struct span text, int64_t *out_pd);

/* Without zeros nobody needs: "0.00023495", "52.5", "-3", "0". Returns its length. */
size_t dollars_write(uint64_t pd, char out[DOLLARS_TEXT_BYTES]);
size_t dollars_write_signed(int64_t pd, char out[DOLLARS_TEXT_BYTES]);

/* So many millionths of it, rounded down to a whole pico-dollar. */
uint64_t dollars_share(uint64_t pd, unsigned ppm);

#endif
