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
    uint8_t digest[SHA256_BYTES];      /* of the provider's name and the credential */
    struct own_provider made;
    struct provider_runtime runtime;
    struct health *healths[HEALTHS]; /* NULL: nobody was asked yet */
};

/* What one key of the gateway has, or everybody: by provider. */
struct bunch {
    unsigned n;
    struct own_key *of_provider[];
};

struct own_keys {
    unsigned refs;
    struct deployment *deployment; /* which holds us */
    const struct own_keys *before; /* until complete */
    struct bunch *everybody;       /* NULL: nothing is for everybody */
    struct map of_key;             /* id of the gateway's key → bunch */
    struct arena ids;
    struct map known; /* digest → own key */
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
                                   enum own_trust trust, const uint8_t digest[SHA256_BYTES],
                                   const struct own_key *from, const char **problem)
{
    struct deployment *d = k->deployment;
    struct err why = {0};
    struct own_key *o = xcalloc(1, sizeof *o);
    o->refs = 1;
    o->of = &d->snapshot->providers[provider];
    memcpy(o->digest, digest, sizeof o->digest);
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

static struct bunch *bunch_new(const struct own_keys *k)
{
    unsigned n = k->deployment->snapshot->nproviders;
    struct bunch *r = xcalloc(1, sizeof *r + n * sizeof *r->of_provider);
    r->n = n;
    return r;
}

static void bunch_free(struct bunch *r)
{
    for (unsigned i = 0; r != NULL && i < r->n; i++)
        own_key_unref(r->of_provider[i]);
    free(r);
}

static struct bunch *bunch_for(struct own_keys *k, const char *key_id)
{
    if (key_id == NULL && k->everybody == NULL)
        k->everybody = bunch_new(k);
    if (key_id == NULL)
        return k->everybody;
    struct bunch *r = map_get(&k->of_key, span_text(key_id));
    if (r == NULL) {
        r = bunch_new(k);
        /* a copy, for managed keys come and go */
        if (map_put(&k->of_key, arena_keep(&k->ids, span_text(key_id)), r) < 0)
            abort(); /* bounded by configuration and vault */
    }
    return r;
}

static void identify(const char *provider, struct span credential, uint8_t out[SHA256_BYTES])
{
    uint8_t parts[2][SHA256_BYTES];
    digest_sha256(span_text(provider), parts[0]);
    digest_sha256(credential, parts[1]);
    digest_sha256(span_of(&parts[0][0], sizeof parts), out);
}

static struct own_key *find(const struct own_keys *k, const uint8_t digest[SHA256_BYTES])
{
    return k == NULL ? NULL : map_get(&k->known, span_of(digest, SHA256_BYTES));
}

/* The one that is in this table, was in the one before, or a new one. */
static struct own_key *obtain(struct own_keys *k, unsigned provider, struct span credential,
                              enum own_trust trust, const char **problem)
{
    const struct provider_options *p = &k->deployment->snapshot->providers[provider];
    uint8_t digest[SHA256_BYTES];
    identify(p->name, credential, digest);
    struct own_key *o = find(k, digest), *before = find(k->before, digest);
    if (o != NULL)
        return own_key_ref(o);
    o = before != NULL && before->of == p
            ? own_key_ref(before)
            : own_key_new(k, provider, credential, trust, digest, before, problem);
    if (o != NULL && map_put(&k->known, span_of(o->digest, sizeof o->digest), o) < 0)
        abort(); /* bounded by configuration and vault */
    return o;
}

const char *own_keys_add(struct own_keys *k, unsigned provider, struct span credential,
                         enum own_trust trust, const char *key_id)
{
    const char *problem = NULL;
    struct bunch *r = bunch_for(k, key_id);
    if (r->of_provider[provider] == NULL) /* else behind one that was there first */
        r->of_provider[provider] = obtain(k, provider, credential, trust, &problem);
    return problem;
}

static void add_configured(struct own_keys *k, const struct byok_options *list, unsigned n,
                           const struct key_options *key)
{
    for (unsigned i = 0; i < n; i++) {
        const char *problem = own_keys_add(k, list[i].provider, secret_reveal(&list[i].credential),
                                           OWN_CONFIGURED, key != NULL ? key->id : NULL);
        if (problem != NULL)
            log_warn("credential unusable", "provider=%s key=\"%s\" problem=\"%s\"",
                     list[i].provider_name, key != NULL ? key->name : "*", problem);
    }
}

struct own_keys *own_keys_for_one(struct deployment *d)
{
    struct own_keys *k = xcalloc(1, sizeof *k);
    k->refs = 1;
    k->deployment = d;
    arena_init(&k->ids, NULL, 256);
    return k;
}

struct own_keys *own_keys_new(struct deployment *d, const struct own_keys *before)
{
    const struct snapshot *s = d->snapshot;
    struct own_keys *k = own_keys_for_one(d);
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
    for (struct bunch *r; (r = map_next(&k->of_key, &cursor)) != NULL;) {
        for (unsigned i = 0; i < r->n; i++) {
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
    for (struct bunch *r; (r = map_next(&k->of_key, &cursor)) != NULL;)
        bunch_free(r);
    map_fini(&k->of_key);
    map_fini(&k->known);
    arena_fini(&k->ids);
    bunch_free(k->everybody);
    free(k);
}

struct own_key *const *own_keys_of(const struct own_keys *k, const struct key_options *key)
{
    const struct bunch *r = NULL;
    if (key != NULL)
        r = map_get(&k->of_key, span_text(key->id));
    if (r == NULL)
        r = k->everybody;
    return r == NULL ? NULL : r->of_provider;
}
