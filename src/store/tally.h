/* tally.h: the books this process keeps, by the name of the scope.
 *
 * Without Redis a tally's book is the truth. Beside one, the book is what Redis said last, and the tally
 * also knows what this process did that Redis does not know yet: `untold`, and `telling`, which is on its
 * way (teller.h); and of which parts the sums consist (parts.h).
 *
 * Bounded: beyond TALLIES_MAX the one used longest ago makes room, unless something of it has to be told or
 * runs, or it is the only one who knows. */
#ifndef SLUICE_STORE_TALLY_H
#define SLUICE_STORE_TALLY_H

#include "book.h"
#include "lru.h"
#include "parts.h"
#include "sluice/base/ring.h"

enum { TALLIES_MAX = 64 * 1024 };

struct tally {
    struct lru_node node; /* first: a node is its tally */
    struct book book;
    struct held own;         /* held by requests of this process */
    struct held own_in_book; /* as much of it as the book knows */
    uint64_t run;            /* of the server that said so; see redis_run */
    struct book untold, telling;
    struct part mine;       /* what this process settled, with `telling`; begun with the first */
    struct parts parts;     /* those of others, and older ones of this process, as last seen */
    uint64_t version, born; /* what Redis said of them: which changes are known, of which life */
    struct ring queued;     /* among those with something to tell */
    bool is_telling;
    bool is_anew; /* and that before anybody is admitted on this connection */
    char name[LEDGER_SCOPE_BYTES];
};

struct tallies {
    struct lru by_name;
    bool are_the_truth; /* then nothing that was ever settled or credited makes room */
};

void tallies_fini(struct tallies *t);

/* Made when there is none. Valid as long as no more than TALLIES_MAX / 2 others are asked for. */
struct tally *tally_of(struct tallies *t, const char *name, uint64_t now_unix_ms);
/* NULL when there is none. */
struct tally *tally_find(struct tallies *t, const char *name);
/* All of them, one after the other: NULL begins, NULL ends. */
struct tally *tallies_next(const struct tallies *t, const struct tally *one);

/* Beside Redis: what it said. */
void tally_follow(struct tally *t, const struct book *all, const struct held *own, uint64_t run);
/* What this process did beyond what the book knows. */
struct book tally_mine(const struct tally *t);

#endif
