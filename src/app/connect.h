/* connect.h: can each provider be reached? Names are resolved, connections made and TLS verified as
 * for a request, and nothing is sent: no provider can bill for that. */
#ifndef SLUICE_APP_CONNECT_H
#define SLUICE_APP_CONNECT_H

#include "sluice/config/snapshot.h"

struct connect_result {
    const char *provider, *base_url; /* the snapshot's; provider is NULL for those not dialled */
    bool reached, is_tls;
    unsigned took_ms;
    const char *stage; /* "resolve", "connect", "tls": where it failed */
    char address[64];  /* whom it reached */
    char problem[256];
};

/* All at once, each under its own connect timeout. One result a provider, in their order; the caller
 * frees the array. Returns how many were not reached. */
unsigned connect_all(const struct snapshot *s, struct connect_result **results);

#endif
