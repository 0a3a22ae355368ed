/* store.h: what must be counted, remembered or shared. One asynchronous interface, two backends.
 *
 * embedded  memory for counters, SQLite (off the loop) for what must survive; counts at once
 * Redis     (or Valkey) through the loop, for more than one replica; one round trip a call
 *
 * A call that can be answered at once is: it returns STORE_DONE with the answer in *out and never
 * calls back. STORE_PENDING means `done` will be called from the loop, exactly once, at the latest
 * after the store's timeout (and up to 16 ms, a slot of the timer wheel). Cancelling drops the
 * callback; the effect in the store stays. No verb calls back into its caller.
 *
 * While Redis cannot be reached calls are answered at once from local counters (policy local, the
 * default) or refused (policy reject): no request waits for a store that is down. Local counting
 * goes on from the shared counts as last seen, and what it admitted is told to Redis when it is back.
 * One log line when the store is lost, one when it is back; sluice_store_errors_total counts the
 * calls it did not answer. */
#ifndef SLUICE_STORE_STORE_H
#define SLUICE_STORE_STORE_H

#include "sluice/base/metric.h"
#include "sluice/config/snapshot.h"
#include "sluice/net/loop.h"

struct store;

enum store_answer { STORE_DONE, STORE_PENDING };
enum store_quality {
    STORE_EXACT, /* the store itself answered */
    STORE_LOCAL, /* the store is away: this process's memory decided */
    STORE_LOST,  /* the store is away and the policy is to refuse */
};

/* --- admission: all limits of one request in one round trip ------------------------------- */

#define ADMIT_SCOPE_BYTES 48

/* Sliding window over 60 s as the contract's 0.3 wants it: two fixed minutes, the older one weighted by
 * the part of it that still lies in the window. A refused request does not count. */
struct admit_query {
    char scope[ADMIT_SCOPE_BYTES]; /* "key:<id>", NUL-ended */
    unsigned rpm;                  /* 0: count only, never refuse */
    uint64_t now_unix_ms;
};

struct admit_answer {
    bool allowed;
    unsigned limit, remaining; /* for X-RateLimit-*; both 0 when rpm is */
    unsigned retry_after_s; /* >= 1 when refused: when the same request would be allowed; else 0 */
    enum store_quality quality;
};

struct admit_call; /* owned by the store until `done` or store_cancel */
typedef void (*admit_fn)(void *arg, const struct admit_answer *a);

/* *pending is set with STORE_PENDING and NULL otherwise. */
enum store_answer store_admit(struct store *s, const struct admit_query *q,
                              struct admit_answer *out, admit_fn done, void *arg,
                              struct admit_call **pending);
void store_cancel(struct admit_call *call);

/* --- small values with a lifetime (sticky routes, idempotency and job records build on these) -- */

#define STORE_KEY_MAX_BYTES 128
#define STORE_VALUE_MAX_BYTES (64 * 1024)

struct value_answer {
    bool found;
    struct span value; /* borrowed: until `done` returns, or until the next call of the store */
    enum store_quality quality;
};

struct value_call; /* as admit_call */
typedef void (*value_fn)(void *arg, const struct value_answer *a);

/* Keys are any bytes. Beyond the sizes above nothing is stored and nothing found. */
enum store_answer store_get(struct store *s, struct span key, struct value_answer *out,
                            value_fn done, void *arg, struct value_call **pending);
void store_get_cancel(struct value_call *call);
/* Fire and forget: what cannot be written is counted as a store error. `ttl_ms` > 0. */
void store_put(struct store *s, struct span key, struct span value, uint64_t ttl_ms);

/* --- what replicas tell each other -------------------------------------------------------- */

/* A channel keeps its notes for a while, so that who comes later hears them, too, its own among them.
 * It is nobody's memory: a note may be lost. Without Redis nobody else is there: telling does nothing
 * and hearing brings nothing. Channels are named like values. */
enum { STORE_NOTE_MAX_BYTES = 32 * 1024, STORE_NOTES_MAX = 8 };

/* Where in a channel somebody is who has heard everything before; zeroed: at its beginning. */
struct store_place {
    char id[48];
};
struct store_place store_place_at(uint64_t unix_ms); /* by the store's clock */

struct notes {
    struct span at[STORE_NOTES_MAX]; /* borrowed until `done` returns */
    unsigned n;
    struct store_place next; /* where to go on */
    bool has_more;
    bool is_heard; /* false: the store is away */
};

/* Fire and forget. The channel is forgotten when nothing was told for `keep_ms`; it holds some
 * thousand notes. */
void store_tell(struct store *s, struct span channel, struct span note, uint64_t keep_ms);

struct hear_call; /* as admit_call */
typedef void (*hear_fn)(void *arg, const struct notes *heard);

enum store_answer store_hear(struct store *s, struct span channel, const struct store_place *from,
                             struct notes *out, hear_fn done, void *arg,
                             struct hear_call **pending);
void store_hear_cancel(struct hear_call *call);

/* --- life ---------------------------------------------------------------------------------- */

/* NULL and *why when the configuration cannot work at all (an SQLite file that cannot be written, a
 * CA file that cannot be read). A Redis that is not there yet is no error: it is connected to in
 * the background. `options` is copied. */
struct store *store_open(struct loop *l, const struct store_options *options,
                         struct metric_registry *metrics, struct err *why);
/* Asynchronous; pending calls are dropped silently, values are written out. NULL is fine. */
void store_close(struct store *s);

/* For /readyz: usable means the policy lets requests through. `detail` is a static phrase. */
bool store_usable(const struct store *s, const char **detail);
const char *store_name(const struct store *s); /* "memory", "sqlite", "redis" */

#endif
