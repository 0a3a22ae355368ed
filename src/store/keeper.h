/* keeper.h: sums of tallies, kept in the SQLite file soon after they changed. Everything that changed
 * within 100 ms is one transaction; what could not be written is tried again. */
#ifndef SLUICE_STORE_KEEPER_H
#define SLUICE_STORE_KEEPER_H

#include "disk_ledger.h"
#include "sluice/net/timer.h"
#include "tally.h"

struct keeping;

struct keeper { /* embedded in the ledger */
    struct disk *disk;
    struct tallies *tallies;
    struct ring queue; /* private from here on: of tallies that changed */
    struct keeping *writing;
    struct deadline batch;
};

void keeper_init(struct keeper *k, struct loop *l, struct disk *d, struct tallies *tallies);
void keeper_close(struct keeper *k); /* what changed is given to the disk, which is closed next */
void keeper_add(struct keeper *k, struct tally *one);

#endif
