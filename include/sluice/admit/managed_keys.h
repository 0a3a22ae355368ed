/* managed_keys.h: the keys that were made while the gateway ran (contract 0.2), as the store has them.
 *
 * Found by the digest of what a client presents. A key that was changed here counts as changed once the
 * change is answered; one that was changed by another replica within RECORDS_POLL_MS. While the store
 * is away the keys that are known stay known: nobody can change them then, and the table was never
 * older than that. A key that is not in the table is not let in. */
#ifndef SLUICE_ADMIT_MANAGED_KEYS_H
#define SLUICE_ADMIT_MANAGED_KEYS_H

#include "sluice/admit/managed_key.h"
#include "sluice/admit/record_table.h"

struct managed_keys;

struct managed_keys *managed_keys_new(struct loop *l,
                                      struct records *r); /* which must outlive it */
void managed_keys_free(
    struct managed_keys *m); /* changes under way are not answered. NULL is fine */

/* Was the store asked successfully yet? Before that nobody can tell an unknown key. */
bool managed_keys_are_loaded(const struct managed_keys *m);
/* The same, or the store has not answered for a second. */
bool managed_keys_are_settled(const struct managed_keys *m);
/* Another number after every change. */
uint64_t managed_keys_generation(const struct managed_keys *m);

/* Whose secret this is the digest of, and until when it is (0: as long as the key). Borrowed. */
struct managed_key *managed_keys_known(const struct managed_keys *m,
                                       const uint8_t sha256[SHA256_BYTES], uint64_t *until_unix_ms);

/* Oldest first: by id. */
unsigned managed_keys_count(const struct managed_keys *m);
struct managed_key *managed_keys_at(const struct managed_keys *m, unsigned i);
struct managed_key *managed_keys_find(const struct managed_keys *m, struct span id); /* or NULL */

struct record_change *managed_keys_put(struct managed_keys *m, const struct managed_key *k,
                                       record_change_fn done, void *arg);
struct record_change *managed_keys_delete(struct managed_keys *m, const char *id,
                                          record_change_fn done, void *arg);

#endif
