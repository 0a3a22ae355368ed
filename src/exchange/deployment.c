#include "sluice/exchange/gateway.h"

#include "health.h"
#include "own_keys.h"
#include "provider_runtime.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"

#include <stdlib.h>

/* Tokens and connections of providers that stay the same are taken over. */
static int start_provider(struct provider_runtime *p, struct gateway *g,
                          const struct deployment *before, struct err *why)
{
    for (unsigned i = 0; before != NULL && i < before->snapshot->nproviders; i++)
        provider_runtime_adopt(p, &before->providers[i]);
    return provider_runtime_start(p, g, why);
}

struct deployment *deployment_new(struct gateway *g, struct snapshot *s,
                                  const struct deployment *before, struct err *why)
{
    struct deployment *d = xcalloc(1, sizeof *d);
    d->refs = 1;
    d->gateway = g;
    d->since_unix = clock_unix_ms() / 1000;
    d->snapshot = snapshot_ref(s);
    d->catalog = catalog_new(s);
    d->keyring = keyring_new(s);
    d->health = health_table_new(d->catalog, s, before != NULL ? before->health : NULL);
    d->providers = xcalloc(s->nproviders + 1, sizeof *d->providers);
    const struct tls_client_config fetching = {.ca_file = s->server.fetch.ca};
    d->fetch_tls = tls_context_client(&fetching, why);
    if (d->fetch_tls == NULL) {
        deployment_unref(d);
        return NULL;
    }
    for (unsigned i = 0; i < s->nproviders; i++) {
        d->providers[i].options = &s->providers[i];
        if (start_provider(&d->providers[i], g, before, why) < 0) {
            deployment_unref(d);
            return NULL;
        }
    }
    d->own_keys = own_keys_new(d, before != NULL ? before->own_keys : NULL);
    own_keys_complete(d->own_keys);
    return d;
}

struct deployment *deployment_ref(struct deployment *d)
{
    d->refs++;
    return d;
}

void deployment_unref(struct deployment *d)
{
    if (d == NULL || --d->refs > 0)
        return;
    own_keys_unref(d->own_keys);
    for (unsigned i = 0; i < d->snapshot->nproviders; i++)
        provider_runtime_stop(&d->providers[i]);
    free(d->providers);
    tls_context_unref(d->fetch_tls);
    health_table_free(d->health);
    keyring_free(d->keyring);
    catalog_free(d->catalog);
    snapshot_unref(d->snapshot);
    free(d);
}
