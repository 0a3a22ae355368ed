/* redis.h: counting in a Redis, asking it for anything else, and keeping in touch with it.
 *
 * A connection is of use once the store's whole work has been tried on it: signed in, database
 * selected, the ledger's script run once: it tells the others that this process is there, and is told
 * again every two seconds. So a replica that is read only, one out of
 * memory, one still loading or one that wants a password is away like one that does not listen, and
 * the reason is named once. While it is away it is tried again after 25 ms to 5 s (exponential, with
 * jitter).
 *
 * Calls are answered by `done`, once, from the loop; a call that was not taken (false) is not. */
#ifndef SLUICE_STORE_REDIS_H
#define SLUICE_STORE_REDIS_H

#include "book.h"
#include "redis_link.h"

struct redis;

struct redis_events {
    void (*up)(void *owner);
    /* Away now, or still after another try. `reason` is a phrase without secrets. */
    void (*down)(void *owner, const char *reason);
    void (*missed)(void *owner); /* something was not written */
};

/* `options` is borrowed for its life. NULL and *why when a file it names cannot be used. */
struct redis *redis_open(struct loop *l, const struct store_options *options,
                         const struct redis_events *events, void *owner, struct err *why);
void redis_close(struct redis *r); /* silent; waiting calls are forgotten. NULL is fine */

bool redis_is_ready(const struct redis *r); /* connected */
bool redis_takes(const struct redis *r);    /* and with room for another call */

/* --- the ledger's script (ledger_script.h) --------------------------------------------------------- */

/* What it said: a row of numbers and texts. Borrowed. */
struct redis_word {
    bool is_text;
    long long number;
    struct span text;
};
static inline bool redis_word_is_within(const struct redis_word *w, long long most)
{
    return !w->is_text && w->number >= 0 && w->number <= most;
}
struct redis_said {
    const struct redis_word *at;
    unsigned n;
};

/* One call of it; embedded. */
struct redis_eval {
    struct redis *redis;
    bool (*send)(
        struct redis_eval *e); /* says redis_eval once more: Redis had forgotten the script */
    /* NULL: `done` comes without a reply. Otherwise it is still to come: what was done has to be known. */
    void (*late)(struct redis_eval *e);
    /* NULL: refused with an error, or with something else that is no such row; or late, or lost with the
     * connection: then it may have been done. */
    void (*done)(struct redis_eval *e, const struct redis_said *said);
    bool is_refused;
    struct link_call call; /* from here on private */
    bool whole_script;
};
enum { REDIS_EVAL_KEYS_MAX = 1 + 2 * LEDGER_LOOK_MAX, REDIS_EVAL_ARGS_MAX = 40 };
bool redis_eval(struct redis *r, struct redis_eval *e, const char *operation,
                const struct span *keys, unsigned nkeys, const struct span *args, unsigned nargs);
void redis_eval_cancel(struct redis_eval *e); /* no upcall any more */

/* How many processes count on this Redis, as far as it is known, and which of them this one is. */
struct peers redis_peers(const struct redis *r);
/* Which run of which server this is, or was: another one may have forgotten things. 0: not known, or
 * the server does not say (INFO). */
uint64_t redis_run(const struct redis *r);

/* --- any other command -------------------------------------------------------------------------- */

struct redisReply;

/* A refusal is complained about and comes as silence does: with `reply` NULL. */
struct redis_call {
    struct redis *redis;
    void (*done)(struct redis_call *c, const struct redisReply *reply);
    struct link_call call;
};
bool redis_send(struct redis *r, const struct span *words, unsigned nwords, struct redis_call *c,
                unsigned timeout_ms);
void redis_call_cancel(struct redis_call *c);
unsigned redis_patience_ms(const struct redis *r); /* as long as a request waits for it */
/* One whose answer nobody waits for: `missed` says that it came to nothing. */
bool redis_write(struct redis *r, const struct span *words, unsigned nwords);

#define REDIS_NAME_BYTES 264
/* "<prefix><kind><name>": kind is at most 8 bytes, name STORE_KEY_MAX_BYTES. */
struct span redis_name(const struct redis *r, struct span kind, struct span name,
                       char out[REDIS_NAME_BYTES]);

#endif
