/* managed_key.h: a key that was made while the gateway ran: what is known of it, and its record.
 *
 * Of the key itself there are its SHA-256 and what may be shown: its beginning and its last four
 * characters. One version never changes: a change makes another, and whoever holds a reference keeps
 * the one it has. */
#ifndef SLUICE_ADMIT_MANAGED_KEY_H
#define SLUICE_ADMIT_MANAGED_KEY_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

enum {
    KEY_SHOWN_PREFIX = 12,
    KEY_SHOWN_END = 4,
    KEY_EARLIER_MAX = 4, /* secrets that were replaced and still work */
    KEY_MODELS_MAX = 200,
    KEY_NAME_MAX = 100,
};

/* A secret that was replaced, and works until its time. */
struct earlier_secret {
    uint8_t sha256[SHA256_BYTES];
    uint64_t until_unix_ms;
};

struct managed_key {
    unsigned refs;
    struct key_options options; /* as keys of the file have them */
    char prefix[KEY_SHOWN_PREFIX + 1], last4[KEY_SHOWN_END + 1];
    uint64_t created_unix_ms;
    struct earlier_secret earlier[KEY_EARLIER_MAX];
    unsigned nearlier;
    uint64_t last_used_unix_ms; /* by this process, as far as it knows; no part of the record */
    struct arena arena;         /* its texts */
};

/* With one reference. NULL: damaged; what limits a key must be legible, or it is none. */
struct managed_key *managed_key_read(struct span id, struct span record);
int managed_key_write(const struct managed_key *k, struct buf *record)
    __attribute__((warn_unused_result));

struct managed_key *managed_key_ref(struct managed_key *k);
void managed_key_unref(struct managed_key *k); /* NULL is fine */

/* Takes the digest of a new secret, and what may be shown of it. */
void managed_key_set_secret(struct managed_key *k, struct span secret);

/* Another secret takes the place of this one, which works `overlap_ms` longer; 0: neither it nor those
 * before it. False, and nothing is changed, when too many work already. */
bool managed_key_rotate(struct managed_key *k, struct span secret, uint64_t overlap_ms,
                        uint64_t now_unix_ms);

#endif
