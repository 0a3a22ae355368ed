/* dialect.h: how one provider is spoken to on behalf of one client's API: in the client's own
 * protocol where the provider has it (pass lane), else in the provider's (turn lane). */
#ifndef SLUICE_EXCHANGE_DIALECT_H
#define SLUICE_EXCHANGE_DIALECT_H

#include "sluice/codec/turn_codec.h"
#include "sluice/config/snapshot.h"

struct dialect {
    const char *path;                      /* behind the provider's prefix: "/messages" */
    const char *version;                   /* a field line the protocol wants, "" when none */
    const struct upstream_codec *upstream; /* NULL: pass lane */
    const struct client_codec *client;     /* with `upstream` */
};

/* False: this provider can do nothing for that API. */
bool dialect_choose(enum api_protocol api, const struct provider_options *p, struct dialect *out);

#endif
