/* address.h: the three kinds of places a configuration names: where to listen, where a provider
 * is, where the store is. Text in, parts out; nothing is looked up.
 *
 * Strings in the results come from the arena that is passed in. Each returns NULL, or a phrase
 * that says what is wrong and what to write. */
#ifndef SLUICE_SRC_CONFIG_ADDRESS_H
#define SLUICE_SRC_CONFIG_ADDRESS_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

/* "127.0.0.1:4000", "[::1]:4000", "localhost:4000", "unix:/path", "fd:NAME". */
struct listen_address {
    enum { LISTEN_TCP, LISTEN_UNIX, LISTEN_FD } kind;
    bool is_local;    /* only this machine can reach it: loopback or a unix socket */
    bool is_any;      /* every interface */
    const char *text; /* as the snapshot keeps it: localhost becomes 127.0.0.1 */
};
const char *address_parse_listen(const char *text, struct arena *a, struct listen_address *out);

/* http(s)://host[:port][/prefix], or unix:/path[:/prefix]: fills the parts of `p` that come from
 * p->base_url. */
const char *address_parse_base_url(struct arena *a, struct provider_options *p);

/* A host that only this machine is: what is sent there travels nowhere. */
bool address_is_loopback(const char *host);

/* memory:, sqlite://path, redis[s]://[user[:password]@]host[:port][/database],
 * redis+unix://[user[:password]@]/path[?db=N]: fills the parts of `s` that come from s->url, and
 * takes the password out of that text. */
const char *address_parse_store(struct arena *a, struct store_options *s);

#endif
