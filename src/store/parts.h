/* parts.h: of what the sums of a scope are made (a grow-only counter, one part for each that adds).
 *
 * Each process adds to a part of its own, each credit is one; nobody else changes it. Two copies of a
 * part are merged by taking the larger. So whoever tells which parts it ever saw, however often and to
 * whatever Redis, loses nothing and doubles nothing. Merging sums instead would lose: 60 + 40 as one
 * saw them and 50 + 55 as another did are 115, and neither 100 nor 105.
 *
 * A part is begun on a day, its era: a process begins another one every day. Old ones are folded in
 * Redis (ledger_script.h) into the one named "base", whose era says which it contains: all that are not
 * younger. Those count nowhere any more, whoever remembers them. */
#ifndef SLUICE_STORE_PARTS_H
#define SLUICE_STORE_PARTS_H

#include "book.h"

enum { PART_NAME_BYTES = 40, PARTS_MAX = 1024 };
#define PARTS_BASE "base"

struct part {
    char name[PART_NAME_BYTES]; /* "": none */
    uint64_t era;
    struct sums sums;
};

struct parts { /* all zero: none */
    struct part *at;
    unsigned n, room;
};

void parts_fini(struct parts *p);
/* The larger of this and what is known of it. Beyond PARTS_MAX, or without memory, it is not remembered:
 * Redis has it. */
void parts_see(struct parts *p, const struct part *one);
/* The era of the base; 0: there is none. */
uint64_t parts_horizon(const struct parts *p);

#endif
