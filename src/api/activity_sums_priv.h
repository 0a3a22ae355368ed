/* activity_sums_priv.h: what is added up, between who adds it (activity_sums.c) and who writes it down
 * (activity_report.c). */
#ifndef SLUICE_SRC_API_ACTIVITY_SUMS_PRIV_H
#define SLUICE_SRC_API_ACTIVITY_SUMS_PRIV_H

#include "activity_digest.h"
#include "activity_sums.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"

struct sums {
    uint64_t requests, succeeded, input, output, cached, spend_pd;
    uint64_t latency_us, ttft_us, nttft;
};

/* The calls of one group in one step of time. */
struct cell {
    uint32_t step, group; /* first: its key in the map */
    uint32_t number;
    struct sums sums;
};

/* Of the groups, the models, the errors: what is added up over all time. */
struct part {
    struct span name; /* as a key; in the arena */
    uint32_t number;
    struct sums sums;
    struct span key_name;   /* of a group of a key's calls: as the newest of them has it */
    struct span error, row; /* of an error */
    uint64_t code;
};

struct parts {
    struct map by_name;
    struct part **at;
    unsigned n, room;
};

struct activity_sums {
    struct activity_range range;
    struct arena arena;
    struct map by_key; /* cells */
    struct cell **cells;
    unsigned ncells, room;
    struct parts groups, models, errors;
    struct sums all;
    struct digest latency, ttft;
};

#endif
