/* records_priv.h: how the store makes and ends its records. */
#ifndef SLUICE_STORE_RECORDS_PRIV_H
#define SLUICE_STORE_RECORDS_PRIV_H

#include "disk.h"
#include "redis.h"

/* Kept in `redis`, else in `disk`, else in memory. `missed` is called for every call that was lost. */
struct records *records_new(struct loop *l, struct disk *disk, struct redis *redis,
                            void (*missed)(void *owner), void *owner);
void records_free(struct records *r); /* drops waiting calls and watches. NULL is fine */

#endif
