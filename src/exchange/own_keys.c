#include "own_keys.h"

#include "health.h"
#include "provider_runtime.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/base/map.h"

#include <stdlib.h>

/* Models beyond these share a circuit: enough for one credential. */
enum { HEALTHS = 32 };

struct own_key {
    unsigned refs;
    const struct provider_options *of; /* whose credential it replaces */
    uint8_t digest[SHA256_BYTES];      /* of the credential */
    struct own_provider made;
    struct provider_runtime runtime;
    struct health *healths[HEALTHS]; /* NULL: nobody was asked yet */
};

/* What one key of the gateway has, or everybody: by provider. */
struct ring {
    const struct key_options *key;
    struct own_key *of_provider[];
};

struct own_keys {
    unsigned refs;
    struct deployment *deployment; /* which holds us */
    const struct own_keys *before; /* until complete */
    struct ring *everybody;        /* NULL: nothing is for everybody */
    struct map of_key;             /* SHA-256 of the gateway's key → ring */
};

/* --- one ------------------------------------------------------------------------------------------ */

static void own_key_unref(struct own_key *o)
{
    if (o == NULL || --o->refs > 0)
        return;
    for (unsigned i = 0; i < HEALTHS; i++)
        health_unref(o->healths[i]);
    provider_runtime_stop(&o->runtime);
    own_provider_fini(&o->made);
    free(o);
}

static struct own_key *own_key_ref(struct own_key *o)
{
    o->refs++;
    return o;
}

static void adopt(struct own_key *o, const struct own_key *from)
{
    if (from == NULL)
        return;
    provider_runtime_adopt(&o->runtime, &from->runtime);
    for (unsigned i = 0; i < HEALTHS; i++)
        o->healths[i] = from->healths[i] == NULL ? NULL : health_ref(from->healths[i]);
}

static struct own_key *own_key_new(struct own_keys *k, unsigned provider, struct span credential,
                                   enum own_trust trust, const struct own_key *from,
                                   const char **problem)
{
    struct deployment *d = k->deployment;
    struct err why = {0};
    struct own_key *o = xcalloc(1, sizeof *o);
    o->refs = 1;
    o->of = &d->snapshot->providers[provider];
    digest_sha256(credential, o->digest);
    *problem = own_provider_init(&o->made, o->of, credential, trust);
    o->runtime.options = &o->made.options;
    if (*problem == NULL) {
        adopt(o, from);
        provider_runtime_adopt(&o->runtime, &d->providers[provider]);
        if (provider_runtime_start(&o->runtime, d->gateway, &why) < 0)
            *problem = "its provider cannot be reached as configured";
    }
    if (*problem == NULL)
        return o;
    own_key_unref(o);
    return NULL;
}

static unsigned slot_of(const struct target *t)
{
    return (unsigned)((map_hash(t->upstream_model) ^ map_hash(t->slug)) % HEALTHS);
}

struct provider_runtime *own_key_provider(struct own_key *o)
{
    return &o->runtime;
}

struct health *own_key_health(struct own_key *o, const struct target *t)
{
    struct health **at = &o->healths[slot_of(t)];
    if (*at == NULL)
        *at = health_own_new(t);
    return *at;
}

bool own_key_is_open(const struct own_key *o, const struct target *t)
{
    const struct health *h = o->healths[slot_of(t)];
    return h != NULL && health_is_open(h);
}

/* --- all of them ---------------------------------------------------------------------------------- */

static struct ring *ring_new(const struct own_keys *k, const struct key_options *key)
{
    unsigned n = k->deployment->snapshot->nproviders;
    struct ring *r = xcalloc(1, sizeof *r + n * sizeof *r->of_provider);
    r->key = key;
    return r;
}

static void ring_free(const struct own_keys *k, struct ring *r)
{
    for (unsigned i = 0; r != NULL && i < k->deployment->snapshot->nproviders; i++)
        own_key_unref(r->of_provider[i]);
    free(r);
}

static struct ring *ring_for(struct own_keys *k, const struct key_options *key)
{
    if (key == NULL && k->everybody == NULL)
        k->everybody = ring_new(k, NULL);
    if (key == NULL)
        return k->everybody;
    struct span name = span_of(key->sha256, sizeof key->sha256);
    struct ring *r = map_get(&k->of_key, name);
    if (r == NULL) {
        r = ring_new(k, key);
        if (map_put(&k->of_key, name, r) < 0)
            abort(); /* as large as the configuration */
    }
    return r;
}

static struct own_key *find_in(const struct own_keys *k, const struct ring *r, const char *provider,
                               const uint8_t digest[SHA256_BYTES])
{
    for (unsigned i = 0; r != NULL && i < k->deployment->snapshot->nproviders; i++) {
        struct own_key *o = r->of_provider[i];
        if (o != NULL && strcmp(o->of->name, provider) == 0 &&
            memcmp(o->digest, digest, SHA256_BYTES) == 0)
            return o;
    }
    return NULL;
}

static struct own_key *find(const struct own_keys *k, const char *provider,
                            const uint8_t digest[SHA256_BYTES])
{
    if (k == NULL)
        return NULL;
    struct own_key *o = find_in(k, k->everybody, provider, digest);
    size_t cursor = 0;
    for (struct ring *r; o == NULL && (r = map_next(&k->of_key, &cursor)) != NULL;)
        o = find_in(k, r, provider, digest);
    return o;
}

const char *own_keys_add(struct own_keys *k, unsigned provider, struct span credential,
                         enum own_trust trust, const struct key_options *key)
{
    const struct provider_options *p = &k->deployment->snapshot->providers[provider];
    uint8_t digest[SHA256_BYTES];
    const char *problem;
    struct ring *r = ring_for(k, key);
    if (r->of_provider[provider] != NULL)
        return NULL; /* behind one that was there first */
    digest_sha256(credential, digest);
    struct own_key *known = find(k, p->name, digest), *before = find(k->before, p->name, digest);
    if (known == NULL && before != NULL && before->of == p)
        known = before;
    r->of_provider[provider] = known != NULL
                                   ? own_key_ref(known)
                                   : own_key_new(k, provider, credential, trust, before, &problem);
    return r->of_provider[provider] != NULL ? NULL : problem;
}

static void add_configured(struct own_keys *k, const struct byok_options *list, unsigned n,
                           const struct key_options *key)
{
    for (unsigned i = 0; i < n; i++) {
        const char *problem = own_keys_add(k, list[i].provider, secret_reveal(&list[i].credential),
                                           OWN_CONFIGURED, key);
        if (problem != NULL)
            log_warn("credential unusable", "provider=%s key=\"%s\" problem=\"%s\"",
                     list[i].provider_name, key != NULL ? key->name : "*", problem);
    }
}

struct own_keys *own_keys_new(struct deployment *d, const struct own_keys *before)
{
    const struct snapshot *s = d->snapshot;
    struct own_keys *k = xcalloc(1, sizeof *k);
    k->refs = 1;
    k->deployment = d;
    k->before = before;
    add_configured(k, s->byok, s->nbyok, NULL);
    for (unsigned i = 0; i < s->nkeys; i++)
        add_configured(k, s->keys[i].byok, s->keys[i].nbyok, &s->keys[i]);
    return k;
}

/* Whoever has something of its own shares the rest with everybody. */
void own_keys_complete(struct own_keys *k)
{
    size_t cursor = 0;
    k->before = NULL;
    if (k->everybody == NULL)
        return;
    for (struct ring *r; (r = map_next(&k->of_key, &cursor)) != NULL;) {
        for (unsigned i = 0; i < k->deployment->snapshot->nproviders; i++) {
            if (r->of_provider[i] == NULL && k->everybody->of_provider[i] != NULL)
                r->of_provider[i] = own_key_ref(k->everybody->of_provider[i]);
        }
    }
}

struct own_keys *own_keys_ref(struct own_keys *k)
{
    k->refs++;
    return k;
}

void own_keys_unref(struct own_keys *k)
{
    size_t cursor = 0;
    if (k == NULL || --k->refs > 0)
        return;
    for (struct ring *r; (r = map_next(&k->of_key, &cursor)) != NULL;)
        ring_free(k, r);
    map_fini(&k->of_key);
    ring_free(k, k->everybody);
    free(k);
}

struct own_key *const *own_keys_of(const struct own_keys *k, const struct key_options *key)
{
    const struct ring *r = NULL;
    if (key != NULL)
        r = map_get(&k->of_key, span_of(key->sha256, sizeof key->sha256));
    if (r == NULL)
        r = k->everybody;
    return r == NULL ? NULL : r->of_provider;
}
