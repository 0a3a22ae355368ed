/* vault.h: credentials that callers brought at run time (BYOK, contract 2.3): encrypted in the store's
 * records, decrypted here.
 *
 * The table in memory follows the store: whatever this process or another replica changes there shows
 * here, and `changed` is called. A credential that no master key opens stays in the table, unreadable,
 * until the key is back or somebody replaces it. */
#ifndef SLUICE_ADMIT_VAULT_H
#define SLUICE_ADMIT_VAULT_H

#include "sluice/admit/record_table.h"
#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

enum { VAULT_RECORDS_MAX = 1000, VAULT_ID_BYTES = 32, VAULT_KEYS_MAX = 64 };

/* What came of the last live test; at 0: there was none. */
struct vault_test {
    uint64_t at_unix_ms;
    bool ok;
    unsigned status, latency_ms;
    const char *model, *error; /* NULL: none */
};

/* Strings live as long as the entry: until the loop's turn ends. */
struct vault_entry {
    const char *id, *provider;
    const char *label; /* "" when there is none */
    const char *masked;
    struct text_list keys; /* whose requests take it, by the names of keys; none: everybody's */
    bool enabled;
    uint64_t created_unix_ms;
    struct vault_test test;
    struct span sealed;       /* as the store has it */
    struct secret credential; /* unset: no master key opens it */
};

struct vault;

/* Both must outlive it. `changed` is called from the loop. */
struct vault *vault_new(struct loop *l, struct records *r, void (*changed)(void *arg), void *arg);
void vault_free(struct vault *v); /* waiting changes are not answered. NULL is fine */
/* The keys of this configuration, from now on. */
void vault_use(struct vault *v, const struct master_keys *keys);
bool vault_has_key(const struct vault *v);
/* Was the store asked successfully yet? */
bool vault_is_loaded(const struct vault *v);

/* Loaded, or nothing to wait for: there is no key, or the store has not answered for a second. */
bool vault_is_settled(const struct vault *v);

/* Oldest first: by id. */
unsigned vault_count(const struct vault *v);
const struct vault_entry *vault_at(const struct vault *v, unsigned i);
const struct vault_entry *vault_find(const struct vault *v, struct span id); /* or NULL */

/* `e` is copied. Its credential is sealed; unset: what is in `sealed` stays. */
struct record_change *vault_put(struct vault *v, const struct vault_entry *e, record_change_fn done,
                                void *arg);
struct record_change *vault_delete(struct vault *v, const char *id, record_change_fn done,
                                   void *arg);

#endif
