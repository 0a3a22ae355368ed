/* keyring.h: who is it: the keys of a snapshot, found by the digest of what a client presents. */
#ifndef SLUICE_ADMIT_KEYRING_H
#define SLUICE_ADMIT_KEYRING_H

#include "sluice/config/snapshot.h"

struct keyring;

struct keyring *keyring_new(const struct snapshot *s); /* borrows the snapshot */
void keyring_free(struct keyring *k);

enum key_verdict { KEY_ACCEPTED, KEY_MISSING, KEY_UNKNOWN, KEY_EXPIRED, KEY_DISABLED };

/* `presented` is the key itself, at most 256 bytes; *out is set for every key that is known. Compared
 * by SHA-256 in constant time. */
enum key_verdict keyring_find(struct keyring *k, struct span presented, uint64_t now_unix_ms,
                              const struct key_options **out);

/* The key in an Authorization field: behind "Bearer " (any case), or the bare value (contract 0.2). */
struct span key_from_authorization(struct span value);

#endif
