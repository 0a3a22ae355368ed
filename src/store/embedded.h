/* embedded.h: what one process remembers in its own memory.
 *
 * The whole store when it is `memory:`, the fast half of `sqlite:` (disk.h is the other), and what
 * answers while Redis is away. Every verb answers at once. Bounded: the scope or value used longest
 * ago makes room. */
#ifndef SLUICE_STORE_EMBEDDED_H
#define SLUICE_STORE_EMBEDDED_H

#include "sluice/store/store.h"

struct embedded;

struct embedded *embedded_new(void);
void embedded_free(struct embedded *e);

/* The value lies in the map: valid until the next embedded_keep. */
bool embedded_find(struct embedded *e, struct span key, uint64_t now_unix_ms, struct span *value);
/* Replaces what is there. 0 or -ENOMEM. */
int embedded_keep(struct embedded *e, struct span key, struct span value, uint64_t expires_unix_ms,
                  uint64_t now_unix_ms) __attribute__((warn_unused_result));

#endif
