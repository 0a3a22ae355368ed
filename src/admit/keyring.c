#include "sluice/admit/keyring.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"

#include <stdlib.h>

/* The table is entered with the first half of the digest (timing tells at most something about a
 * hash of what the client already knows); the verdict compares all of it in constant time. */
enum { ENTRY_BYTES = SHA256_BYTES / 2 };

struct keyring {
    struct map by_digest;
};

struct keyring *keyring_new(const struct snapshot *s)
{
    struct keyring *k = xcalloc(1, sizeof *k);
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

enum key_verdict keyring_find(const struct keyring *k, struct span presented, uint64_t now_unix_ms,
                              const struct key_options **out)
{
    uint8_t digest[SHA256_BYTES];
    *out = NULL;
    if (presented.len == 0)
        return KEY_MISSING;
    digest_sha256(presented, digest);
    const struct key_options *key = map_get(&k->by_digest, span_of(digest, ENTRY_BYTES));
    if (key == NULL ||
        !span_eq_constant_time(span_of(digest, sizeof digest), span_of(key->sha256, SHA256_BYTES)))
        return KEY_UNKNOWN;
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
