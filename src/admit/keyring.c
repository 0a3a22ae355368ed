#include "sluice/admit/keyring.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"
#include "sluice/base/rng.h"

#include <stdlib.h>

/* The table is entered with the first half of the digest (timing tells at most something about a
 * hash of what the client already knows); the verdict compares all of it in constant time.
 *
 * Hashing a key costs more than the rest of admission together, and clients send the same few keys
 * again and again. So keys that were accepted are remembered by a 128-bit SipHash under secrets of
 * this process: nobody outside can compute it, and nothing in it leads back to the key. */
enum { ENTRY_BYTES = SHA256_BYTES / 2, REMEMBERED = 64, PRESENTED_MAX = 256, SALT_BYTES = 16 };

struct tag {
    uint64_t half[2];
};

/* A secret that is known. */
struct match {
    const struct key_options *key; /* NULL: none */
    struct managed_key *managed;   /* NULL: the snapshot's */
    uint64_t until_unix_ms;        /* it was replaced, and works so long; 0: as long as the key */
};

struct keyring {
    struct map by_digest;
    const struct managed_keys *managed;
    uint64_t generation; /* of `managed`, that the remembered are of */
    uint8_t salt[SALT_BYTES];
    struct {
        struct tag tag;
        struct match match;
    } remembered[REMEMBERED];
};

struct keyring *keyring_new(const struct snapshot *s, const struct managed_keys *managed)
{
    struct keyring *k = xcalloc(1, sizeof *k);
    k->managed = managed;
    rng_secret_bytes(k->salt, sizeof k->salt);
    for (unsigned i = 0; i < s->nkeys; i++) {
        struct key_options *key = &s->keys[i];
        if (map_put(&k->by_digest, span_of(key->sha256, ENTRY_BYTES), key) < 0)
            abort(); /* as large as the configuration, at start or reload */
    }
    return k;
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    map_fini(&k->by_digest);
    free(k);
}

static struct tag tag_of(const struct keyring *k, struct span presented)
{
    uint8_t salted[SALT_BYTES + PRESENTED_MAX];
    memcpy(salted, k->salt, SALT_BYTES);
    memcpy(salted + SALT_BYTES, presented.at, presented.len);
    return (struct tag){
        {map_hash(presented), map_hash(span_of(salted, SALT_BYTES + presented.len))}};
}

static struct match find_by_digest(const struct keyring *k, struct span presented)
{
    uint8_t digest[SHA256_BYTES];
    struct match m = {.key = NULL};
    digest_sha256(presented, digest);
    const struct key_options *key = map_get(&k->by_digest, span_of(digest, ENTRY_BYTES));
    if (key != NULL &&
        span_eq_constant_time(span_of(digest, sizeof digest), span_of(key->sha256, SHA256_BYTES)))
        m.key = key;
    if (m.key == NULL && k->managed != NULL)
        m.managed = managed_keys_known(k->managed, digest, &m.until_unix_ms);
    if (m.managed != NULL)
        m.key = &m.managed->options;
    return m;
}

/* What is remembered of managed keys is borrowed: good until any of them changes. */
static void forget_old(struct keyring *k)
{
    uint64_t now = k->managed != NULL ? managed_keys_generation(k->managed) : 0;
    if (now != k->generation)
        memset(k->remembered, 0, sizeof k->remembered);
    k->generation = now;
}

static struct match find(struct keyring *k, struct span presented)
{
    struct tag tag = tag_of(k, presented);
    unsigned slot = tag.half[0] % REMEMBERED;
    forget_old(k);
    if (k->remembered[slot].match.key != NULL &&
        span_eq_constant_time(span_of(&tag, sizeof tag),
                              span_of(&k->remembered[slot].tag, sizeof tag)))
        return k->remembered[slot].match;
    struct match m = find_by_digest(k, presented);
    if (m.key != NULL) {
        k->remembered[slot].tag = tag;
        k->remembered[slot].match = m;
    }
    return m;
}

static bool is_over(uint64_t until_unix_ms, uint64_t now_unix_ms)
{
    return until_unix_ms != 0 && until_unix_ms <= now_unix_ms;
}

enum key_verdict keyring_find(struct keyring *k, struct span presented, uint64_t now_unix_ms,
                              struct known_key *out)
{
    *out = (struct known_key){.key = NULL};
    if (presented.len == 0)
        return KEY_MISSING;
    if (presented.len > PRESENTED_MAX)
        return KEY_UNKNOWN;
    struct match m = find(k, presented);
    if (m.key == NULL)
        return k->managed == NULL || managed_keys_are_loaded(k->managed) ? KEY_UNKNOWN : KEY_UNSURE;
    out->key = m.key;
    out->managed = m.managed != NULL ? managed_key_ref(m.managed) : NULL;
    if (!m.key->enabled)
        return KEY_DISABLED;
    if (is_over(m.key->expires_unix_ms, now_unix_ms) || is_over(m.until_unix_ms, now_unix_ms))
        return KEY_EXPIRED;
    if (m.managed != NULL)
        m.managed->last_used_unix_ms = now_unix_ms;
    return KEY_ACCEPTED;
}

struct span key_from_authorization(struct span value)
{
    static const char scheme[] = "bearer ";
    if (span_ieq(span_sub(value, 0, sizeof scheme - 1), SPAN_LIT("bearer ")))
        return span_trim(span_skip(value, sizeof scheme - 1));
    return value;
}
