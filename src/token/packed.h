/* packed.h: the vocabularies as they lie in the program: deflated (RFC 1950), made by pack.py from a
 * published package when it is built. Inside: the length of every token, a byte each, oldest first, and
 * then their bytes. */
#ifndef SLUICE_SRC_TOKEN_PACKED_H
#define SLUICE_SRC_TOKEN_PACKED_H

#include "sluice/token/tokenizer.h"

struct packed {
    const uint8_t *bytes, *end;
    uint32_t ntokens, raw_len;
    const char *pattern; /* of its pieces, as PCRE2 has it */
};

/* NULL: it was not there when this was built. */
const struct packed *packed_vocabulary(enum vocabulary_name name);

#endif
