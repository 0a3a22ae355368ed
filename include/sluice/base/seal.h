/* seal.h: secrets at rest: AES-256-GCM (NIST SP 800-38D) under keys derived from the operator's.
 *
 *     version 1 │ key id 4 │ nonce 12 │ ciphertext │ tag 16
 *
 * Each use of a master key gets a key of its own (HKDF-SHA256, RFC 5869), so that what is sealed for
 * one purpose opens for no other; and what is sealed is bound to a name: under another it does not open.
 * Nonces are random: good for 2^32 seals under one key. */
#ifndef SLUICE_BASE_SEAL_H
#define SLUICE_BASE_SEAL_H

#include "sluice/base/buf.h"

enum { SEAL_KEY_BYTES = 32, SEAL_KEYS_MAX = 4, SEAL_OVERHEAD_BYTES = 1 + 4 + 12 + 16 };

/* The first seals, all of them open: rotation puts a new one in front. */
struct seal {
    uint8_t keys[SEAL_KEYS_MAX][SEAL_KEY_BYTES];
    unsigned n; /* 0: nothing can be sealed, or opened */
};

/* `master` is SEAL_KEY_BYTES of it. */
void seal_add(struct seal *s, const uint8_t *master, const char *purpose);
void seal_fini(struct seal *s); /* wipes */

/* Appends. 0 or -ENOMEM; -ENOKEY without any key. */
int seal_close(const struct seal *s, struct span name, struct span secret, struct buf *out)
    __attribute__((warn_unused_result));
/* Appends; false, and nothing appended, when it is of another key or name, damaged, or memory is out. */
bool seal_open(const struct seal *s, struct span name, struct span sealed, struct buf *out)
    __attribute__((warn_unused_result));

/* A master key as it is written down: 64 hexadecimal digits, or base64 of 32 bytes. */
bool seal_read_master(struct span text, uint8_t out[SEAL_KEY_BYTES]);

#endif
