/* tally.h: the books this process keeps, by the name of the scope.
 *
 * Without Redis a tally's book is the truth. Beside one, the book is what Redis said last, and `mine` what
 * this process did that Redis does not know yet.
 *
 * Bounded: beyond TALLIES_MAX the one used longest ago makes room, unless it still has to be told. */
#ifndef SLUICE_STORE_TALLY_H
#define SLUICE_STORE_TALLY_H

#include "book.h"
#include "lru.h"
#include "sluice/base/ring.h"

enum { TALLIES_MAX = 64 * 1024 };

struct tally {
    struct lru_node node; /* first: a node is its tally */
    struct book book;
    struct book mine;
    struct ring untold; /* in a queue of those that have something to tell */
    char name[LEDGER_SCOPE_BYTES];
};

struct tallies {
    struct lru by_name;
};

void tallies_fini(struct tallies *t);

/* Made when there is none. Valid until the next call of this. */
struct tally *tally_of(struct tallies *t, const char *name, uint64_t now_unix_ms);
/* NULL when there is none. */
struct tally *tally_find(struct tallies *t, const char *name);

#endif
