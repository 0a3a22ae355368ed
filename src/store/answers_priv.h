/* answers_priv.h: how the store makes and ends its answers. */
#ifndef SLUICE_STORE_ANSWERS_PRIV_H
#define SLUICE_STORE_ANSWERS_PRIV_H

#include "disk.h"
#include "redis.h"

#include "sluice/store/answers.h"

struct answers_home {
    struct loop *loop;
    struct disk *disk;           /* or NULL */
    struct redis *redis;         /* or NULL */
    bool fail_closed;            /* while Redis is away */
    unsigned timeout_ms;         /* of a claim in Redis */
    void (*missed)(void *owner); /* for every call that was lost */
    void *owner;
};

struct answers *answers_new(const struct answers_home *home);
void answers_free(struct answers *a); /* drops claims and whatever waits. NULL is fine */

#endif
