/* own_keys.h: callers' own credentials (BYOK, contract 2.3), put to work: which one a request of this
 * key takes to that provider.
 *
 * Of several that would do, those that name the key come before those for everybody, and among them
 * the one that was added first. A table is complete when it is used and never changes: another one
 * takes its place (deployment.c), and each request keeps the one it was planned with. */
#ifndef SLUICE_EXCHANGE_OWN_KEYS_H
#define SLUICE_EXCHANGE_OWN_KEYS_H

#include "sluice/config/own_provider.h"
#include "sluice/exchange/gateway.h"

struct health;
struct own_key;
struct own_keys;

/* With what the configuration names. Whoever is in `before` (may be NULL), too, keeps connections,
 * access token and circuits. */
struct own_keys *own_keys_new(struct deployment *d, const struct own_keys *before);
/* With nothing yet. */
struct own_keys *own_keys_for_one(struct deployment *d);
/* NULL, or a phrase that says why it cannot be used. `key_id` NULL: for everybody. */
const char *own_keys_add(struct own_keys *k, unsigned provider, struct span credential,
                         enum own_trust trust, const char *key_id);
void own_keys_complete(struct own_keys *k);
struct own_keys *own_keys_ref(struct own_keys *k);
void own_keys_unref(struct own_keys *k); /* NULL is fine */

/* By the provider's index, as long as the table; NULL: none for any. `key` NULL: nobody in particular. */
struct own_key *const *own_keys_of(const struct own_keys *k, const struct key_options *key);

struct provider_runtime *own_key_provider(struct own_key *o);
/* How the endpoint does with this credential, which says nothing of how it does with others. */
struct health *own_key_health(struct own_key *o, const struct target *t);
bool own_key_is_open(const struct own_key *o, const struct target *t);

#endif
