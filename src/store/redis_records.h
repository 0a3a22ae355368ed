/* redis_records.h: records in a Redis: a hash for each kind, whose empty field counts the changes. */
#ifndef SLUICE_STORE_REDIS_RECORDS_H
#define SLUICE_STORE_REDIS_RECORDS_H

#include "disk.h"
#include "redis.h"

/* One call; embedded. `kind`, `id` and `value` stay the caller's until `done`. */
struct redis_records {
    struct redis *redis;
    enum record_op op;
    const char *kind;
    struct span id, value;
    /* `version` is the kind's after the call, and above 0 if a change was made by it. */
    void (*done)(struct redis_records *r, enum record_outcome outcome, long long version);
    struct record_set found;
    struct redis_call call; /* from here on private */
    uint8_t after[RECORD_ID_MAX_BYTES];
    size_t after_len;
    bool is_waiting;
};

/* False: not taken. */
bool redis_records_start(struct redis_records *r);
void redis_records_cancel(struct redis_records *r); /* also to free what was found */

/* How many changes of a kind there were. */
struct redis_version {
    struct redis_call call; /* first */
    void (*done)(struct redis_version *v, bool answered, long long version);
};
bool redis_version_ask(struct redis *r, const char *kind, struct redis_version *v);

#endif
