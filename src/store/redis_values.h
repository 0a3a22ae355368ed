/* redis_values.h: values with a lifetime, by key. Calls are answered as redis.h says. */
#ifndef SLUICE_STORE_REDIS_VALUES_H
#define SLUICE_STORE_REDIS_VALUES_H

#include "redis.h"

struct redis_get {
    struct redis_call call;
    /* `value` is borrowed. Not answered: late, lost or refused. */
    void (*done)(struct redis_get *g, bool answered, bool found, struct span value);
};
bool redis_get(struct redis *r, struct span key, struct redis_get *g);

bool redis_put(struct redis *r, struct span key, struct span value, uint64_t ttl_ms);

#endif
