/* redis_link.h: one connection to a Redis, from dialling to its loss: commands go out in order,
 * replies come back in order, each within its time.
 *
 * It knows RESP2 and no command. Whoever wants another try makes another link (redis.h).
 *
 * Writing   commands of one loop turn leave in one write.
 * Late      a reply that is not there in time answers its call with NULL; when it comes after all it is
 *           dropped, unless the call wants to hear it even then. Two rounds of late calls without any reply between them are a loss: the peer
 *           hangs, and nobody shall wait for it again.
 * Lost      (peer closed, hangs, or does not speak RESP) first every waiting call gets NULL, then
 *           `lost` is called, once. After that, as after link_close, there are no upcalls. */
#ifndef SLUICE_STORE_REDIS_LINK_H
#define SLUICE_STORE_REDIS_LINK_H

#include "sluice/net/dial.h"

struct redisReply;
struct link;

/* Embedded in whatever waits for a reply; free again from the moment `done` is called. */
struct link_call {
    /* `reply` is borrowed until return; NULL: it is late, or the link is lost. */
    void (*done)(struct link_call *c, const struct redisReply *reply);
    /* Or NULL. Called instead of `done` when it is late; then `done` comes with the reply after all, or
     * with NULL when the link is lost. */
    void (*late)(struct link_call *c);
    unsigned slot; /* the link's */
};

struct link_events {
    void (*open)(void *owner);
    void (*lost)(void *owner, const char *reason); /* a phrase, valid during the call */
};

/* `target` is copied, what it points to is borrowed for the link's life. */
struct link *link_dial(struct loop *l, const struct dial_target *target,
                       const struct link_events *events, void *owner);
/* Silent, at once, also from within an upcall; waiting calls are forgotten. NULL is fine. */
void link_close(struct link *k);

/* Room for one more call? */
bool link_takes(const struct link *k);
/* Sends a command. false: not open, or too much is waiting already; `call` was not taken. */
bool link_send(struct link *k, const struct span *words, unsigned nwords, struct link_call *call,
               unsigned timeout_ms);
void link_forget(struct link *k, struct link_call *call); /* its reply will be dropped */
/* The owner found the link of no use; as if it had been lost. */
void link_fail(struct link *k, const char *reason);
bool link_is_open(const struct link *k);

#endif
