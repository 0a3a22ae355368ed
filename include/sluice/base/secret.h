/* secret.h: a value no formatter can print.
 *
 * Provider credentials and client secrets travel in this type only. Its bytes are reached through
 * secret_reveal, which has few callers (grep for it): the request head writer and the hash. */
#ifndef SLUICE_BASE_SECRET_H
#define SLUICE_BASE_SECRET_H

#include "sluice/base/span.h"

struct secret {
    uint8_t *hidden; /* owned */
    size_t hidden_len;
};

int secret_init(struct secret *s, struct span value) __attribute__((warn_unused_result));
void secret_fini(struct secret *s); /* zeroises before it frees */
struct span secret_reveal(const struct secret *s);
static inline bool secret_is_set(const struct secret *s)
{
    return s->hidden_len > 0;
}

/* "sk-…3f2a": up to three leading and four trailing characters, fewer when the value is shorter
 * than 12, "…" alone below 8. `out` needs 16 bytes. */
void secret_mask(const struct secret *s, char out[16]);

/* Overwrites every occurrence of the secret (8 bytes or longer) in `text` with '*': the last line
 * of defence for text that came from an upstream and goes into an answer or a log. */
void secret_scrub(const struct secret *s, uint8_t *text, size_t len);

#endif
