/* keyring.h: who is it: the keys of a snapshot and those that are managed, found by the digest of what a
 * client presents. */
#ifndef SLUICE_ADMIT_KEYRING_H
#define SLUICE_ADMIT_KEYRING_H

#include "sluice/admit/managed_keys.h"

struct keyring;

/* Borrows both; `managed` NULL: there are none. */
struct keyring *keyring_new(const struct snapshot *s, const struct managed_keys *managed);
void keyring_free(struct keyring *k);

enum key_verdict {
    KEY_ACCEPTED,
    KEY_MISSING,
    KEY_UNKNOWN,
    KEY_EXPIRED,
    KEY_DISABLED,
    KEY_UNSURE, /* the store has not told yet which keys there are */
};

/* Whose key it is. The snapshot's keys live as long as that; a managed one may be changed or deleted at
 * any time, and this version lives as long as the reference. */
struct known_key {
    const struct key_options *key; /* NULL: it is not known */
    struct managed_key *managed;   /* one reference, the caller's; NULL: a key of the snapshot */
};

/* `presented` is the key itself, at most 256 bytes; *out is set for every key that is known. Compared
 * by SHA-256 in constant time. */
enum key_verdict keyring_find(struct keyring *k, struct span presented, uint64_t now_unix_ms,
                              struct known_key *out);

/* The key in an Authorization field: behind "Bearer " (any case), or the bare value (contract 0.2). */
struct span key_from_authorization(struct span value);

#endif
