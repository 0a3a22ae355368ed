/* own_provider.h: a provider as it is reached with a credential of a caller's own (BYOK), in one of
 * the forms of contract 2.3:
 *
 *   a plain key                                               most providers
 *   {"accessKeyId", "secretAccessKey", "region"}              Amazon Bedrock; also "sessionToken"
 *   {"type": "service_account", …}, perhaps with "region"     Vertex AI
 *
 * Everything else stays as the operator configured it: URL, deadlines, headers, verification. Only a
 * cloud's region, and Google's project, are the credential's. */
#ifndef SLUICE_CONFIG_OWN_PROVIDER_H
#define SLUICE_CONFIG_OWN_PROVIDER_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

enum { OWN_CREDENTIAL_MAX_BYTES = 16 * 1024 };

struct own_provider {
    struct provider_options options; /* borrows from the one it was made of */
    struct arena arena;
};

/* Who wrote the credential down: the operator may name any token endpoint, others Google's or the one
 * the provider itself has, for the gateway would ask it from inside the operator's network. */
enum own_trust { OWN_CONFIGURED, OWN_MANAGED };

/* NULL, or a phrase that says what is wrong and shows nothing of the credential. fini in both cases. */
const char *own_provider_init(struct own_provider *o, const struct provider_options *p,
                              struct span credential, enum own_trust trust);
void own_provider_fini(struct own_provider *o); /* wipes */

/* What may be shown of a credential: of an object, its key's id. `out` as secret_mask's. */
void own_credential_mask(struct span credential, char out[16]);

#endif
