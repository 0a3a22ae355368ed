/* access_record.h: the one line a request leaves in the access log, as JSON or for people. */
#ifndef SLUICE_SRC_EXCHANGE_ACCESS_RECORD_H
#define SLUICE_SRC_EXCHANGE_ACCESS_RECORD_H

#include <stdint.h>

struct exchange;

/* Of an exchange that has settled. */
void access_record_write(const struct exchange *x, uint64_t duration_us);

#endif
