/* moment.h: points in time as people write them (RFC 3339), in UTC. */
#ifndef SLUICE_BASE_MOMENT_H
#define SLUICE_BASE_MOMENT_H

#include "sluice/base/span.h"

enum { MOMENT_SIZE = 32 };

/* 2030-12-31, or 2030-12-31T23:59:59Z with a fraction and an offset if need be. NULL, or a phrase that says
 * what was expected; *out stays then. */
const char *moment_parse(struct span text, uint64_t *out_unix_ms);

/* To the second: "2030-12-31T23:59:59Z". The text is `out`'s. */
struct span moment_write(uint64_t unix_ms, char out[MOMENT_SIZE]);

#endif
