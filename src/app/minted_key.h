/* minted_key.h: client keys that sluice makes up.
 *
 *   sl_live_ 22 characters of base62 (131 bits from the kernel)  6 characters of checksum
 *
 * The prefix lets secret scanners find leaked ones; the checksum (CRC-32 of all before it, in base62)
 * lets them, and people, tell a real one from a mistyped one. To the gateway a key is opaque. */
#ifndef SLUICE_APP_MINTED_KEY_H
#define SLUICE_APP_MINTED_KEY_H

#include "sluice/base/span.h"

#define MINTED_KEY_SIZE (8 + 22 + 6 + 1)

void minted_key_make(char out[MINTED_KEY_SIZE]); /* a secret: the caller zeroises it */
/* It has the prefix, and not the shape or the checksum that goes with it. */
bool minted_key_is_mistyped(struct span key);

#endif
