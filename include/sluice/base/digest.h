/* digest.h: hashes and encodings, from mbedTLS. */
#ifndef SLUICE_BASE_DIGEST_H
#define SLUICE_BASE_DIGEST_H

#include "sluice/base/buf.h"

#define SHA256_BYTES 32

void digest_sha256(struct span data, uint8_t out[SHA256_BYTES]);

/* RFC 2104 with SHA-256. `key` and `data` may be empty. */
void digest_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_BYTES]);

/* Lowercase hex; `out` needs 2 * n + 1 bytes. */
void digest_hex(const uint8_t *bytes, size_t n, char *out);
/* Appends base64 (RFC 4648 §4, padded): 0 or -ENOMEM. */
int digest_base64(struct span bytes, struct buf *out) __attribute__((warn_unused_result));
/* The same in the alphabet of URLs and without padding (RFC 4648 §5). */
int digest_base64url(struct span bytes, struct buf *out) __attribute__((warn_unused_result));
/* Appends what base64 stands for; false, and nothing appended, when it is none or memory is out. */
bool digest_unbase64(struct span text, struct buf *out) __attribute__((warn_unused_result));

/* Exactly 2 * n hex digits of either case. */
bool digest_unhex(struct span text, uint8_t *out, size_t n);

#endif
