/* pool.h: connections to one origin, kept alive between requests.
 *
 * The most recently used connection is taken first, so that a quiet origin's surplus times out. At
 * the limit of connections requests wait in order. Shared by everything that speaks to the same
 * origin in the same way and counted: a reload that keeps a provider keeps its connections. */
#ifndef SLUICE_HTTP_POOL_H
#define SLUICE_HTTP_POOL_H

#include "sluice/http/client.h"
#include "sluice/net/dial.h"

struct pool_options {
    struct dial_target target; /* strings are copied; timeout_ms limits waiting and connecting */
    unsigned connections_max;
    unsigned idle_timeout_ms;
};

struct pool *pool_new(struct loop *l, const struct pool_options *options);
/* The same with this TLS, for it alone; `tls` NULL: in clear. NULL and *why when a file it names is of no
 * use. */
struct pool *pool_new_with(struct loop *l, const struct pool_options *options,
                           const struct tls_client_config *tls, struct err *why);
struct pool *pool_ref(struct pool *p);
/* The last reference closes the idle connections; busy ones close when they are released. */
void pool_unref(struct pool *p);

struct pool_stats {
    unsigned idle, busy, dialing, waiting;
};
struct pool_stats pool_stats(const struct pool *p);

struct ticket; /* a place in the queue, or a connection being made */

struct ticket_result {
    struct client *client; /* not attached yet; NULL on failure */
    enum dial_stage stage;
    int status;
    const char *problem;
    uint32_t connect_us; /* 0 for a reused connection */
};
typedef void (*ticket_fn)(void *arg, const struct ticket_result *r);

/* An idle connection at once, or NULL and *ticket, whose `done` comes from the loop. `fresh` asks
 * for a new connection even when idle ones are there (after a reused one turned out to be dead). */
struct client *pool_take(struct pool *p, bool fresh, ticket_fn done, void *arg,
                         struct ticket **ticket);
void ticket_cancel(struct ticket *t);

/* From client.c only. */
void pool_give(struct pool *p, struct client *c);
void pool_forget(struct pool *p, struct client *c); /* it closed while idle, or while busy */

#endif
