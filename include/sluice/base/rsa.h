/* rsa.h: signatures with an RSA key, from mbedTLS. */
#ifndef SLUICE_BASE_RSA_H
#define SLUICE_BASE_RSA_H

#include "sluice/base/buf.h"

/* Is this a private RSA key as PEM (PKCS#8 or PKCS#1, no password)? */
bool rsa_is_private_key(struct span pem);

/* Appends the signature RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 §8.2; "RS256" in RFC 7518). False
 * when `pem` is no such key or memory is out. Takes milliseconds: not for the loop. */
bool rsa_sign_sha256(struct span pem, struct span data, struct buf *out);

#endif
