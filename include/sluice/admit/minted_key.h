/* minted_key.h: client keys that sluice makes up.
 *
 *   sl_live_ 22 characters of base62 (131 bits from the kernel)  6 characters of checksum
 *
 * The prefix lets secret scanners find leaked ones; the checksum (CRC-32 of all before it, in base62)
 * lets them, and people, tell a real one from a mistyped one. A shorter prefix is followed by as many more
 * characters, so that what is shown of a key (managed_key.h) never gets the better of what is not. To the
 * gateway a key is opaque. */
#ifndef SLUICE_ADMIT_MINTED_KEY_H
#define SLUICE_ADMIT_MINTED_KEY_H

#include "sluice/base/span.h"

#define MINTED_KEY_PREFIX "sl_live_"
enum { MINTED_KEY_PREFIX_MAX = 24, MINTED_KEY_SIZE = MINTED_KEY_PREFIX_MAX + 22 + 6 + 1 };

/* At most MINTED_KEY_PREFIX_MAX bytes of prefix. A secret: the caller zeroises it. */
void minted_key_make(const char *prefix, char out[MINTED_KEY_SIZE]);
/* It has the usual prefix, and not the shape or the checksum that goes with it. */
bool minted_key_is_mistyped(struct span key);

#endif
