#include "sluice/base/rsa.h"

#include "sluice/base/digest.h"
#include "sluice/base/rng.h"

#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <stdlib.h>

static int random_bytes(void *unused, unsigned char *out, size_t n)
{
    (void)unused;
    rng_secret_bytes(out, n);
    return 0;
}

/* mbedTLS wants the NUL behind a PEM counted. */
static bool parse(mbedtls_pk_context *key, struct span pem)
{
    char *text = malloc(pem.len + 1);
    if (text == NULL)
        return false;
    if (pem.len > 0)
        memcpy(text, pem.at, pem.len);
    text[pem.len] = '\0';
    int rc = mbedtls_pk_parse_key(key, (const unsigned char *)text, pem.len + 1, NULL, 0,
                                  random_bytes, NULL);
    explicit_bzero(text, pem.len + 1);
    free(text);
    return rc == 0 && mbedtls_pk_get_type(key) == MBEDTLS_PK_RSA;
}

bool rsa_is_private_key(struct span pem)
{
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    bool is_one = parse(&key, pem);
    mbedtls_pk_free(&key);
    return is_one;
}

bool rsa_sign_sha256(struct span pem, struct span data, struct buf *out)
{
    uint8_t digest[SHA256_BYTES];
    bool is_signed = false;
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    digest_sha256(data, digest);
    if (parse(&key, pem)) {
        mbedtls_rsa_context *rsa = mbedtls_pk_rsa(key);
        size_t len = mbedtls_rsa_get_len(rsa);
        is_signed = buf_reserve(out, len) == 0 &&
                    mbedtls_rsa_pkcs1_sign(rsa, random_bytes, NULL, MBEDTLS_MD_SHA256, SHA256_BYTES,
                                           digest, out->at + out->tail) == 0;
        if (is_signed)
            out->tail += len;
    }
    mbedtls_pk_free(&key);
    return is_signed;
}
