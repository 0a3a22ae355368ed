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

/* Keys of the file go by their names, others by their ids. */
static const char *key_id(const struct snapshot *s, const char *name)
{
    for (unsigned i = 0; i < s->nkeys; i++) {
        if (strcmp(s->keys[i].name, name) == 0)
            return s->keys[i].id;
    }
    return name;
}

static void add_for(struct own_keys *k, unsigned provider, const struct vault_entry *e,
                    const char *key_id)
{
    const char *problem = own_keys_add(k, provider, secret_reveal(&e->credential), OWN_MANAGED,
                                       key_id);
    if (problem != NULL)
        log_warn("credential unusable", "id=%s provider=%s problem=\"%s\"", e->id, e->provider,
                 problem);
}

static void add_entry(struct own_keys *k, const struct deployment *d, const struct vault_entry *e)
{
    const struct snapshot *s = d->snapshot;
    unsigned provider = 0;
    while (provider < s->nproviders && strcmp(s->providers[provider].name, e->provider) != 0)
        provider++;
    if (provider == s->nproviders || !e->enabled || !secret_is_set(&e->credential))
        return;
    if (e->keys.n == 0)
        add_for(k, provider, e, NULL);
    for (unsigned i = 0; i < e->keys.n; i++)
        add_for(k, provider, e, key_id(s, e->keys.at[i]));
}

/* The configuration's first, then the newest. */
static struct own_keys *collect_own_keys(struct deployment *d, const struct own_keys *before)
{
    const struct vault *v = d->gateway->vault;
    struct own_keys *k = own_keys_new(d, before);
    for (unsigned i = v != NULL ? vault_count(v) : 0; i > 0; i--)
        add_entry(k, d, vault_at(v, i - 1));
    own_keys_complete(k);
    return k;
}

/* All that may be counted, from 0 on: what appears with a 1 is no increase to Prometheus. */
static void declare_attempts(struct deployment *d, unsigned number, const char *name)
{
    struct metric_family *f = d->gateway->instruments.attempts;
    for (unsigned r = 0; r < ATTEMPT_RESULTS && d->attempts[number][r] == NULL; r++)
        d->attempts[number][r] = metric_series(f, (const char *[]){name, attempt_result_name(r)});
}

static void attempts_init(struct deployment *d)
{
    unsigned n;
    const struct target *targets = catalog_targets(d->catalog, &n);
    d->attempts = xcalloc(catalog_slugs(d->catalog) + 1, sizeof *d->attempts);
    for (unsigned i = 0; i < n; i++)
        declare_attempts(d, targets[i].slug_number, target_name(&targets[i]));
    for (unsigned i = 0; i < d->snapshot->nproviders; i++) {
        struct span slug = catalog_provider_slug(d->catalog, i);
        if (d->snapshot->providers[i].any_model)
            declare_attempts(d, catalog_slug_number(d->catalog, slug), (const char *)slug.at);
    }
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
    attempts_init(d);
    d->keyring = keyring_new(s, g->keys);
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
    d->own_keys = collect_own_keys(d, before != NULL ? before->own_keys : NULL);
    return d;
}

void deployment_follow_vault(struct deployment *d)
{
    struct own_keys *before = d->own_keys;
    d->own_keys = collect_own_keys(d, before);
    own_keys_unref(before);
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
    free(d->attempts);
    tls_context_unref(d->fetch_tls);
    health_table_free(d->health);
    keyring_free(d->keyring);
    catalog_free(d->catalog);
    snapshot_unref(d->snapshot);
    free(d);
}
