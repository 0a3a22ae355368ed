/* byok.h: what the rows of /v1/byok have in common: what is shown of a credential, and what is in the way.
 */
#ifndef SLUICE_SRC_API_BYOK_H
#define SLUICE_SRC_API_BYOK_H

#include "sluice/exchange/exchange.h"
#include "sluice/format/json_out.h"

/* Everything but the credential, which is masked. */
void byok_write(struct json_out *o, const struct gateway *g, const struct vault_entry *e);
void byok_write_test(struct json_out *o, const struct vault_test *t); /* its members */

struct fault byok_fault(enum fault_kind kind, const char *param, const char *text);
/* False: nothing can be managed now; the exchange has failed. */
bool byok_is_possible(struct exchange *x, struct gateway *g);

/* Of the configuration in force; NULL: there is none. */
const struct provider_options *byok_provider(const struct snapshot *s, const char *name);

#endif
