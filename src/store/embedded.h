/* embedded.h: what one process counts and remembers in its own memory.
 *
 * The whole store when it is `memory:`, the fast half of `sqlite:` (disk.h is the other), and what
 * decides while Redis is away. Every verb answers at once. Bounded: the scope or value used longest
 * ago makes room. */
#ifndef SLUICE_STORE_EMBEDDED_H
#define SLUICE_STORE_EMBEDDED_H

#include "sluice/store/store.h"
#include "window.h"

struct embedded;

struct embedded *embedded_new(void);
void embedded_free(struct embedded *e);

/* Fills everything but out->quality. */
void embedded_admit(struct embedded *e, const struct admit_query *q, struct admit_answer *out);

/* Beside a Redis: the local count of a scope follows the shared one, so that losing Redis does not
 * hand every client a fresh minute; and what was admitted without Redis is owed to it. */
void embedded_follow(struct embedded *e, const char *scope, const struct window *shared);
void embedded_owe(struct embedded *e, const char *scope, uint64_t now_unix_ms,
                  const struct window *more);
/* What is owed for this scope, moved to this time, and owed no more. */
struct window embedded_take_owed(struct embedded *e, const char *scope, uint64_t now_unix_ms);

/* The value lies in the map: valid until the next embedded_keep. */
bool embedded_find(struct embedded *e, struct span key, uint64_t now_unix_ms, struct span *value);
/* Replaces what is there. 0 or -ENOMEM. */
int embedded_keep(struct embedded *e, struct span key, struct span value, uint64_t expires_unix_ms,
                  uint64_t now_unix_ms) __attribute__((warn_unused_result));

#endif
