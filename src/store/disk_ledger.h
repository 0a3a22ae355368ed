/* disk_ledger.h: sums and credits in the SQLite file. A sum is written over; what was credited is a row
 * each, under its id, and what a scope was credited is what its rows add up to. */
#ifndef SLUICE_STORE_DISK_LEDGER_H
#define SLUICE_STORE_DISK_LEDGER_H

#include "book.h"
#include "disk.h"

enum { DISK_SUMS_MAX = 256 };

/* Some sums, in one transaction. On the heap; whoever made it frees it in `done`. */
struct disk_sums {
    struct disk_task task; /* first */
    unsigned n;
    struct disk_sum {
        char scope[LEDGER_SCOPE_BYTES];
        struct sums sums;
    } at[DISK_SUMS_MAX];
};
void disk_sums_write(struct disk *d, struct disk_sums *w);

struct disk_credit {
    struct disk_task task; /* first */
    char scope[LEDGER_SCOPE_BYTES], id[LEDGER_CREDIT_ID_BYTES];
    int64_t amount_pd;
    uint64_t unix_ms;
    bool is_new; /* afterwards: the id was not there */
};
void disk_credit_add(struct disk *d, struct disk_credit *c);

/* All that is there, credits included; blocks, for start-up. Negative and *why. */
int disk_sums_load(struct disk *d, void (*each)(void *arg, const char *scope, const struct sums *s),
                   void *arg, struct err *why);

#endif
