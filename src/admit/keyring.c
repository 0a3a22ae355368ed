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

struct keyring {
    struct map by_digest;
    uint8_t salt[SALT_BYTES];
    struct {
        struct tag tag;
        const struct key_options *key; /* NULL: nothing remembered here */
    } remembered[REMEMBERED];
};

struct keyring *keyring_new(const struct snapshot *s)
{
    struct keyring *k = xcalloc(1, sizeof *k);
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

static const struct key_options *find_by_digest(const struct keyring *k, struct span presented)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(presented, digest);
    const struct key_options *key = map_get(&k->by_digest, span_of(digest, ENTRY_BYTES));
    bool same = key != NULL && span_eq_constant_time(span_of(digest, sizeof digest),
                                                     span_of(key->sha256, SHA256_BYTES));
    return same ? key : NULL;
}

enum key_verdict keyring_find(struct keyring *k, struct span presented, uint64_t now_unix_ms,
                              const struct key_options **out)
{
    *out = NULL;
    if (presented.len == 0)
        return KEY_MISSING;
    if (presented.len > PRESENTED_MAX)
        return KEY_UNKNOWN;
    struct tag tag = tag_of(k, presented);
    unsigned slot = tag.half[0] % REMEMBERED;
    const struct key_options *key = k->remembered[slot].key;
    bool known = key != NULL &&
                 span_eq_constant_time(span_of(&tag, sizeof tag),
                                       span_of(&k->remembered[slot].tag, sizeof tag));
    if (!known) {
        key = find_by_digest(k, presented);
        if (key == NULL)
            return KEY_UNKNOWN;
        k->remembered[slot].tag = tag;
        k->remembered[slot].key = key;
    }
    *out = key;
    if (!key->enabled)
        return KEY_DISABLED;
    if (key->expires_unix_ms != 0 && key->expires_unix_ms <= now_unix_ms)
        return KEY_EXPIRED;
    return KEY_ACCEPTED;
}

struct span key_from_authorization(struct span value)
{
    static const char scheme[] = "bearer ";
    if (span_ieq(span_sub(value, 0, sizeof scheme - 1), SPAN_LIT("bearer ")))
        return span_trim(span_skip(value, sizeof scheme - 1));
    return value;
}
