/* timestamp.h: times as people and programs write them: RFC 3339, as milliseconds since 1970. */
#ifndef SLUICE_BASE_TIMESTAMP_H
#define SLUICE_BASE_TIMESTAMP_H

#include "sluice/base/span.h"

/* 2030-12-31, 2030-12-31T23:59:59Z, with a fraction (cut to milliseconds) or an offset if need be. NULL,
 * or what is wrong with it in words. */
const char *timestamp_read(struct span text, uint64_t *out_unix_ms);

enum { TIMESTAMP_BYTES = 24 };
/* "2030-12-31T23:59:59.000Z"; the calendar ends with the year 9999. Not NUL-ended. */
void timestamp_write(uint64_t unix_ms, char out[TIMESTAMP_BYTES]);

#endif
