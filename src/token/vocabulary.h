/* vocabulary.h: the tokens of one vocabulary: bytes to the number that is their age. Immutable. */
#ifndef SLUICE_SRC_TOKEN_VOCABULARY_H
#define SLUICE_SRC_TOKEN_VOCABULARY_H

#include "sluice/base/span.h"
#include "sluice/token/tokenizer.h"

enum { TOKEN_BYTES_MAX = 255 };
#define NO_RANK UINT32_MAX

struct vocabulary {
    uint32_t n;
    uint32_t *ends;     /* where the bytes of each end */
    uint8_t *bytes;     /* of all of them, oldest first */
    uint32_t *slots;    /* hash table: a number plus one, 0: free */
    uint32_t mask;      /* slots - 1, a power of two */
    uint32_t *of_pairs; /* of two bytes, directly: most joins begin with those */
};

/* Of what was packed into the program; NULL when it was not, or without memory. */
struct vocabulary *vocabulary_unpack(enum vocabulary_name name);
void vocabulary_free(struct vocabulary *v);

/* The bytes of a token; empty for a number that is none. */
struct span vocabulary_bytes(const struct vocabulary *v, uint32_t rank);

/* The number of the token that these bytes are, or NO_RANK. */
uint32_t vocabulary_rank(const struct vocabulary *v, const uint8_t *at, size_t len);

#endif
