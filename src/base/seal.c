#include "sluice/base/seal.h"

#include "sluice/base/digest.h"
#include "sluice/base/rng.h"

#include <assert.h>
#include <errno.h>
#include <mbedtls/gcm.h>
#include <string.h>

enum { VERSION = 1, ID_BYTES = 4, NONCE_BYTES = 12, TAG_BYTES = 16 };
enum { HEAD_BYTES = 1 + ID_BYTES + NONCE_BYTES };

/* HKDF for one block of output: extract, then the first step of expand. */
void seal_add(struct seal *s, const uint8_t *master, const char *purpose)
{
    uint8_t extracted[SHA256_BYTES], info[64];
    size_t len = strlen(purpose);
    assert(s->n < SEAL_KEYS_MAX && len < sizeof info);
    memcpy(info, purpose, len);
    info[len] = 1;
    digest_hmac_sha256(SPAN_LIT("sluice seal"), span_of(master, SEAL_KEY_BYTES), extracted);
    digest_hmac_sha256(span_of(extracted, sizeof extracted), span_of(info, len + 1),
                       s->keys[s->n++]);
    explicit_bzero(extracted, sizeof extracted);
}

void seal_fini(struct seal *s)
{
    explicit_bzero(s, sizeof *s);
}

/* Says which key it was, and nothing else about it. */
static void key_id(const uint8_t key[SEAL_KEY_BYTES], uint8_t out[ID_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    digest_hmac_sha256(span_of(key, SEAL_KEY_BYTES), SPAN_LIT("id"), digest);
    memcpy(out, digest, ID_BYTES);
}

static bool start(mbedtls_gcm_context *c, const uint8_t key[SEAL_KEY_BYTES])
{
    mbedtls_gcm_init(c);
    return mbedtls_gcm_setkey(c, MBEDTLS_CIPHER_ID_AES, key, 8 * SEAL_KEY_BYTES) == 0;
}

int seal_close(const struct seal *s, struct span name, struct span secret, struct buf *out)
{
    mbedtls_gcm_context c;
    if (s->n == 0)
        return -ENOKEY;
    if (buf_reserve(out, SEAL_OVERHEAD_BYTES + secret.len) < 0)
        return -ENOMEM;
    uint8_t *head = out->at + out->tail, *nonce = head + 1 + ID_BYTES;
    uint8_t *body = head + HEAD_BYTES, *tag = body + secret.len;
    head[0] = VERSION;
    key_id(s->keys[0], head + 1);
    rng_secret_bytes(nonce, NONCE_BYTES);
    bool is_sealed = start(&c, s->keys[0]) &&
                     mbedtls_gcm_crypt_and_tag(&c, MBEDTLS_GCM_ENCRYPT, secret.len, nonce,
                                               NONCE_BYTES, name.at, name.len, secret.at, body,
                                               TAG_BYTES, tag) == 0;
    mbedtls_gcm_free(&c);
    if (!is_sealed)
        return -ENOMEM; /* nothing else fails */
    out->tail += SEAL_OVERHEAD_BYTES + secret.len;
    return 0;
}

static bool open_with(const uint8_t *key, struct span name, struct span sealed, struct buf *out)
{
    mbedtls_gcm_context c;
    size_t len = sealed.len - SEAL_OVERHEAD_BYTES;
    const uint8_t *nonce = sealed.at + 1 + ID_BYTES, *body = sealed.at + HEAD_BYTES;
    if (buf_reserve(out, len + 1) < 0)
        return false;
    bool is_open = start(&c, key) &&
                   mbedtls_gcm_auth_decrypt(&c, len, nonce, NONCE_BYTES, name.at, name.len,
                                            body + len, TAG_BYTES, body, out->at + out->tail) == 0;
    mbedtls_gcm_free(&c);
    if (is_open)
        out->tail += len;
    return is_open;
}

bool seal_open(const struct seal *s, struct span name, struct span sealed, struct buf *out)
{
    uint8_t id[ID_BYTES];
    if (sealed.len < SEAL_OVERHEAD_BYTES || sealed.at[0] != VERSION)
        return false;
    for (unsigned i = 0; i < s->n; i++) {
        key_id(s->keys[i], id);
        if (memcmp(id, sealed.at + 1, ID_BYTES) == 0 && open_with(s->keys[i], name, sealed, out))
            return true;
    }
    return false;
}

bool seal_read_master(struct span text, uint8_t out[SEAL_KEY_BYTES])
{
    struct buf bytes = {0};
    if (digest_unhex(text, out, SEAL_KEY_BYTES))
        return true;
    bool is_key = text.len <= 64 && digest_unbase64(text, &bytes) &&
                  buf_len(&bytes) == SEAL_KEY_BYTES;
    if (is_key)
        memcpy(out, buf_span(&bytes).at, SEAL_KEY_BYTES);
    buf_fini_wiped(&bytes);
    return is_key;
}
