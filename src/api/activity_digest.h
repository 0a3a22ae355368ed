/* activity_digest.h: many durations, each of some cell, for quantiles of each cell and of all.
 *
 * Exact while at most DIGEST_SAMPLES are different; beyond that all values keep fewer and fewer leading
 * bits, so that memory stays where it is and the error is known. */
#ifndef SLUICE_SRC_API_ACTIVITY_DIGEST_H
#define SLUICE_SRC_API_ACTIVITY_DIGEST_H

#include "sluice/base/span.h"

enum { DIGEST_SAMPLES = 250 * 1000 };

struct digest_sample {
    uint32_t cell, us; /* saturates above an hour */
    uint32_t n;
};

/* Zero-initialised is empty. */
struct digest {
    struct digest_sample *at;
    unsigned n, room;
    unsigned bits; /* that values keep, 0: all */
};

void digest_fini(struct digest *d);
/* False: memory is out. */
bool digest_add(struct digest *d, uint32_t cell, uint64_t us);

/* How far a quantile may be off, as a part of it. */
double digest_error(const struct digest *d);

/* Sorts by cell and value, before digest_quantiles is asked of cells; digest_merge_cells renames cells
 * (several may get one name) and sorts anew. */
void digest_sort(struct digest *d);
void digest_merge_cells(struct digest *d, uint32_t (*name)(void *arg, uint32_t cell), void *arg);

enum { DIGEST_QUANTILES = 4 };
struct digest_quantiles {
    uint32_t us[DIGEST_QUANTILES]; /* p50, p90, p95, p99: of n, the one at rank ceil(p · n) */
};
/* False: there are none of this cell. */
bool digest_quantiles(const struct digest *d, uint32_t cell, struct digest_quantiles *out);

#endif
