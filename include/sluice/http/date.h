/* date.h: moments as HTTP writes them (RFC 9110 §5.6.7). */
#ifndef SLUICE_HTTP_DATE_H
#define SLUICE_HTTP_DATE_H

#include "sluice/base/span.h"

/* "Sun, 06 Nov 1994 08:49:37 GMT"; `out` needs 30 bytes. */
void http_date(uint64_t unix_seconds, char out[30]);

/* Any of the three forms a recipient has to take, the two obsolete ones included. False: none of
 * them, or before 1970; *unix_seconds stays then. */
bool http_date_read(struct span text, uint64_t *unix_seconds);

#endif
