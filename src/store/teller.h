/* teller.h: what Redis does not know yet, told to it until it has it, and counted there once.
 *
 * Changes are collected by scope, so what waits is bounded by the scopes however long Redis is away. One
 * batch of them is on its way at a time, under a number; one that was lost is told again under the same
 * number, and Redis counts a number once. What was spent is told as a whole, this process's part of it
 * (parts.h): Redis keeps the larger, so that may be told as often as one likes.
 *
 * After every connect Redis is told anew what this process last saw of each scope, every part, if this is
 * another run of it (it may have lost its data), and what its requests hold. Until that is done the teller is not ready, and
 * nobody should ask Redis to admit. */
#ifndef SLUICE_STORE_TELLER_H
#define SLUICE_STORE_TELLER_H

#include "redis.h"
#include "sluice/net/timer.h"
#include "tally.h"

enum { TELLER_BATCH_MAX = 16 };

struct teller { /* embedded in the ledger */
    struct redis *redis;
    struct tallies *tallies;
    void (*ready)(void *owner); /* once after each connect */
    void (*told)(void *owner);  /* Redis has everything: `waiting` is 0 */
    void *owner;
    unsigned waiting; /* scopes with something to tell */
    bool is_ready;
    struct ring queue; /* private from here on */
    struct tally *batch[TELLER_BATCH_MAX];
    unsigned nbatch, nanew;
    uint64_t number;
    char process[24];
    uint64_t nparts; /* begun by this process */
    struct redis_eval eval;
    bool is_sending;
    struct loop *loop;
    struct later flush;
    struct deadline again;
};

void teller_init(struct teller *t, struct loop *l, struct redis *r, struct tallies *tallies);
void teller_fini(struct teller *t);

/* Something was added to what this tally has to tell. Sent at the end of this turn. */
void teller_add(struct teller *t, struct tally *one);
void teller_up(struct teller *t, uint64_t now_unix_ms); /* Redis is connected to again */
void teller_down(struct teller *t);

#endif
