/* utf8.h: is this UTF-8, one sequence at a time (RFC 3629: shortest form, no surrogates). */
#ifndef SLUICE_BASE_UTF8_H
#define SLUICE_BASE_UTF8_H

#include "sluice/base/buf.h"

/* Length (1 to 4) of the well-formed sequence that `s` (not empty) starts with. Otherwise minus the
 * number of bytes that one U+FFFD stands for (Unicode, "maximal subpart"). */
int utf8_sequence(struct span s);

/* Writes the code point, which must not be a surrogate or above 0x10FFFF; returns the length. */
unsigned utf8_encode(uint32_t code_point, uint8_t out[4]);

/* How much of `s` is well-formed from its start. */
size_t utf8_valid_length(struct span s);
/* Appends `s` with U+FFFD in place of what is not: 0 or -ENOMEM. */
int utf8_mend(struct span s, struct buf *out) __attribute__((warn_unused_result));

#endif
