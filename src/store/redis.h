/* redis.h: counting and remembering in a Redis, and keeping in touch with it.
 *
 * A connection is of use once the store's whole work has been tried on it: signed in, database
 * selected, the counting script run on a key of its own. So a replica that is read only, one out of
 * memory, one still loading or one that wants a password is away like one that does not listen, and
 * the reason is named once. While it is away it is tried again after 25 ms to 5 s (exponential, with
 * jitter).
 *
 * Calls are answered by `done`, once, from the loop; a call that was not taken (false) is not. */
#ifndef SLUICE_STORE_REDIS_H
#define SLUICE_STORE_REDIS_H

#include "redis_link.h"
#include "sluice/store/store.h"
#include "window.h"

struct redis;

struct redis_events {
    void (*up)(void *owner);
    /* Away now, or still after another try. `reason` is a phrase without secrets. */
    void (*down)(void *owner, const char *reason);
    void (*missed)(void *owner); /* a value was not written */
};

/* `options` is borrowed for its life. NULL and *why when a file it names cannot be used. */
struct redis *redis_open(struct loop *l, const struct store_options *options,
                         const struct redis_events *events, void *owner, struct err *why);
void redis_close(struct redis *r); /* silent; waiting calls are forgotten. NULL is fine */

/* Connected, and with room for another call. */
bool redis_takes(const struct redis *r);

struct redis_admit {
    struct redis *redis;
    const char *scope; /* borrowed */
    unsigned rpm;
    uint64_t now_unix_ms;
    struct window owed; /* admitted without Redis, in the minute of the query and the one before */
    /* `seen` is the shared window after the decision; NULL: Redis did not decide. */
    void (*done)(struct redis_admit *a, bool allowed, const struct window *seen);
    bool unheard; /* in `done` without `seen`: no answer at all, it may have been counted */
    struct link_call call; /* from here on private */
    uint64_t due_ms;
    bool whole_script;
};
bool redis_admit(struct redis *r, struct redis_admit *a);
void redis_admit_cancel(struct redis_admit *a);

struct redis_get {
    struct redis *redis;
    void (*done)(struct redis_get *g, bool answered, bool found, struct span value);
    struct link_call call;
};
bool redis_get(struct redis *r, struct span key, struct redis_get *g);
void redis_get_cancel(struct redis_get *g);

struct redis_hear {
    struct redis *redis;
    void (*done)(struct redis_hear *h, const struct notes *heard);
    struct store_place from;
    struct link_call call;
};
bool redis_hear(struct redis *r, struct span channel, struct redis_hear *h);
void redis_hear_cancel(struct redis_hear *h);
bool redis_tell(struct redis *r, struct span channel, struct span note, uint64_t keep_ms);

bool redis_put(struct redis *r, struct span key, struct span value, uint64_t ttl_ms);

/* --- whatever else ------------------------------------------------------------------------------ */

struct redisReply;

/* Any command. A refusal is complained about and comes as silence does: with `reply` NULL. */
struct redis_call {
    struct redis *redis;
    void (*done)(struct redis_call *c, const struct redisReply *reply);
    struct link_call call;
};
bool redis_send(struct redis *r, const struct span *words, unsigned nwords, struct redis_call *c,
                unsigned timeout_ms);
void redis_call_cancel(struct redis_call *c);

#define REDIS_NAME_BYTES 264
/* "<prefix><kind><name>": kind is at most 8 bytes, name STORE_KEY_MAX_BYTES. */
struct span redis_name(const struct redis *r, struct span kind, struct span name,
                       char out[REDIS_NAME_BYTES]);

#endif
