/* redis_notes.h: what replicas tell each other, by channel. Calls are answered as redis.h says.
 *
 * A channel is a stream (Redis 5) of entries with one field, which is trimmed by number and expires as a
 * whole: no entry has a lifetime of its own. */
#ifndef SLUICE_STORE_REDIS_NOTES_H
#define SLUICE_STORE_REDIS_NOTES_H

#include "redis.h"

struct redis_hear {
    struct redis_call call;
    struct store_place from;
    void (*done)(struct redis_hear *h, const struct notes *heard);
};
bool redis_hear(struct redis *r, struct span channel, struct redis_hear *h);

bool redis_tell(struct redis *r, struct span channel, struct span note, uint64_t keep_ms);

#endif
