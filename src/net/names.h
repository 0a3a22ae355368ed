/* names.h: host names to addresses, for dial.c.
 *
 * getaddrinfo on libuv's threads, its answers kept for 30 s. Whoever asks for a name that is being
 * looked up waits for the same answer. When the resolver fails, the last answer still serves. */
#ifndef SLUICE_NET_NAMES_H
#define SLUICE_NET_NAMES_H

#include "sluice/net/loop.h"

#include <netinet/in.h>

#define NAME_ADDRESSES_MAX 16

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* In the order to try them: the resolver's, with families alternating (RFC 8305 §4). Port 0. */
struct addresses {
    union address at[NAME_ADDRESSES_MAX];
    unsigned n;
};

struct names_waiter {
    struct ring link; /* first; among those who wait for the name */
    /* From the loop, at most once; `found` is borrowed during the call. */
    void (*done)(struct names_waiter *w, int status, const struct addresses *found);
};

/* A literal IPv4 or IPv6 address (also with a zone, "fe80::1%eth0")? */
bool names_literal(const char *host, union address *out);

/* The fresh answer, to be copied. Or NULL, and w->done will be called if *status is 0: otherwise
 * that is why nothing could be asked (a name no resolver would take). */
const struct addresses *names_find(struct loop *l, const char *host, struct names_waiter *w,
                                   int *status);
void names_forget(struct names_waiter *w); /* idempotent; no call any more */

void names_free(struct loop *l); /* lookups under way end by themselves */

#endif
