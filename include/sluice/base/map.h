/* map.h: byte string → pointer, for tables that clients or upstreams can feed.
 *
 * Open addressing with linear probing, at most 3/4 full; removing shifts the followers back, so
 * there are no tombstones to collect. Keys are borrowed: their bytes must live and stay unchanged
 * as long as the entry, which usually means that they are a field of the value. They are hashed
 * with SipHash-1-3 under a key drawn once per process, so nobody outside can aim for collisions.
 *
 * A zero-initialised map is empty and valid. Values are never NULL and stay the caller's. */
#ifndef SLUICE_BASE_MAP_H
#define SLUICE_BASE_MAP_H

#include "sluice/base/span.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t mask; /* number of slots - 1 */
    size_t len;  /* entries */
};

void map_fini(struct map *m); /* frees the table, not the values; empty and usable again */

void *map_get(const struct map *m, struct span key); /* NULL when absent */

/* Adds, or replaces (the entry then borrows the new key). 0, or -ENOMEM and nothing changed. */
int map_put(struct map *m, struct span key, void *value) __attribute__((warn_unused_result));

void *map_remove(struct map *m, struct span key); /* the value that was there, or NULL */

/* Walks the values in no particular order: *cursor starts at 0; NULL at the end. The map must not
 * change during a walk. */
void *map_next(const struct map *m, size_t *cursor);

/* The keyed hash itself, for tables of another shape. */
uint64_t map_hash(struct span key);

#endif
