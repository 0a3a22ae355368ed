/* record_set.h: records of one kind in memory, by id. Bounded by whoever adds. */
#ifndef SLUICE_STORE_RECORD_SET_H
#define SLUICE_STORE_RECORD_SET_H

#include "sluice/store/records.h"

/* All zero: empty. */
struct record_set {
    struct store_record *at; /* in the order of their ids; each owns its bytes */
    unsigned n, room;
};

void record_set_fini(struct record_set *s); /* wipes; empty and usable again */
/* Adds or replaces. 0 or -ENOMEM. */
int record_set_put(struct record_set *s, struct span id, struct span value)
    __attribute__((warn_unused_result));
bool record_set_remove(struct record_set *s, struct span id);
const struct store_record *record_set_find(const struct record_set *s,
                                           struct span id); /* or NULL */

#endif
