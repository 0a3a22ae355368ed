/* keys.h: what the rows of /v1/keys have in common: what is shown of a key, and what is in the way. */
#ifndef SLUICE_SRC_API_KEYS_H
#define SLUICE_SRC_API_KEYS_H

#include "key_use.h"

#include "sluice/exchange/exchange.h"
#include "sluice/format/json_out.h"

/* Everything there is to see; the key itself only where `secret` is one (NULL: it is not shown). */
void keys_write(struct json_out *o, const struct snapshot *s, const struct managed_key *k,
                const struct key_use *use, const char *secret);

/* Of the configuration; NULL: none has this id. */
const struct key_options *keys_configured(const struct snapshot *s, struct span id);

/* False: nothing is known of managed keys yet; the exchange has failed. */
bool keys_are_known(struct exchange *x, const struct gateway *g);

#endif
