/* activity_sums.h: records of calls added up (contract ACT-1): for each step of time, each group, and all
 * together.
 *
 * Records may come in any order; nothing is held of one but its figures. Everything here may run on
 * another thread: the sums are whoever's has them. */
#ifndef SLUICE_SRC_API_ACTIVITY_SUMS_H
#define SLUICE_SRC_API_ACTIVITY_SUMS_H

#include "sluice/format/json_out.h"
#include "sluice/store/history_record.h"

enum activity_group {
    GROUP_BY_NOTHING,
    GROUP_BY_MODEL,
    GROUP_BY_PROVIDER,
    GROUP_BY_KEY,
    GROUP_BY_STATUS,
    GROUP_BY_ERROR,
    ACTIVITY_GROUPS,
};

enum { ACTIVITY_STEPS_MAX = 1500, ACTIVITY_CELLS_MAX = 50000 };

struct activity_range {
    uint64_t from_unix_ms, until_unix_ms; /* until: at most now */
    uint64_t step_ms;
    enum activity_group by;
};

/* How many steps of time it has, begun ones too. */
uint64_t activity_steps(const struct activity_range *r);

struct activity_sums;
struct activity_sums *activity_sums_new(const struct activity_range *range); /* NULL: no memory */
void activity_sums_free(struct activity_sums *s);                            /* NULL is fine */

enum activity_result { ACTIVITY_ADDED, ACTIVITY_TOO_MANY, ACTIVITY_NO_MEMORY };
/* Frames, as the history gives them; damaged ones are stepped over. TOO_MANY: cells. */
enum activity_result activity_sums_add(struct activity_sums *s, struct span frames);

/* Once all were added; either, once. */
void activity_sums_write(struct activity_sums *a, struct json_out *o);
void activity_sums_write_csv(struct activity_sums *a, struct json_out *o);

#endif
