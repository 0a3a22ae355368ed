/* dialect.h: how one model of one provider is spoken to on behalf of one client's API: in the
 * client's own protocol where the provider has it (pass lane), else in the provider's (turn lane). */
#ifndef SLUICE_EXCHANGE_DIALECT_H
#define SLUICE_EXCHANGE_DIALECT_H

#include "sluice/codec/turn_codec.h"
#include "sluice/config/snapshot.h"

struct dialect {
    /* Where requests go, behind the provider's prefix: "/messages". The model may be named there, at
     * "%s"; `whole` is the path of an answer in one piece, NULL when it is the same. */
    const char *path, *whole;
    const char *version;       /* a field line the protocol wants, "" when none */
    const char *model_instead; /* what stands in the body in place of the model; NULL: the model */
    bool invokes; /* Bedrock's: the body holds the betas too, and only the path says `stream` */
    const struct upstream_codec *upstream; /* NULL: pass lane */
    const struct client_codec *client;     /* with `upstream` */
};

/* False: this provider can do nothing for that API. `model`: as the provider calls it. */
bool dialect_choose(enum api_protocol api, const struct provider_options *p, struct span model,
                    struct dialect *out);

/* The same, but never the pass lane: for what only looks as if it could pass. */
bool dialect_translate(enum api_protocol api, const struct provider_options *p, struct span model,
                       struct dialect *out);

/* Makes what passes a translation into the same protocol, for an answer in another form than was asked
 * for. False where there is none. */
bool dialect_adapt(enum api_protocol api, struct dialect *d);

/* What a request's body says in the place of the model, with its comma-separated betas and those of its
 * own anthropic_beta (`also`, an array or empty) where this is their place; empty: the model. */
struct span dialect_instead(const struct dialect *d, struct span betas, struct span also,
                            struct arena *a);

/* The path of a request for this model, in the arena when it has to be made. */
struct span dialect_path(const struct dialect *d, const struct provider_options *p,
                         struct span model, bool is_stream, struct arena *a);

#endif
