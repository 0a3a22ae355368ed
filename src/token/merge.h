/* merge.h: byte pair encoding of one piece of text. */
#ifndef SLUICE_SRC_TOKEN_MERGE_H
#define SLUICE_SRC_TOKEN_MERGE_H

#include "vocabulary.h"

struct tokens { /* as they are found: the first `room` are kept */
    uint32_t *ids;
    size_t room, n;
};

static inline void tokens_add(struct tokens *t, uint32_t id)
{
    if (t->n < t->room)
        t->ids[t->n] = id;
    t->n++;
}

/* Adds what the piece, which is no token as a whole and not empty, comes to. */
void merge_piece(const struct vocabulary *v, struct span piece, struct tokens *out);

#endif
