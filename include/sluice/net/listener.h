/* listener.h: accepts connections and hands them up as streams.
 *
 * Addresses: "127.0.0.1:4000", "[::1]:4000", "unix:/path" (a stale socket file of a dead process is
 * replaced, a live one is an error), "fd:NAME" (systemd socket activation, by LISTEN_FDNAMES).
 * With TLS the handshake happens here, under `handshake_timeout_ms`; what fails it is logged at
 * debug, never handed up. A bounded number of them is under way at a time, and while descriptors
 * are short, accepting pauses: who connects then waits in the kernel's queue. */
#ifndef SLUICE_NET_LISTENER_H
#define SLUICE_NET_LISTENER_H

#include "sluice/base/err.h"
#include "sluice/net/stream.h"
#include "sluice/net/tls.h"

struct listener;

struct listener_config {
    const char *address;
    struct tls_context *tls; /* referenced while open; NULL: clear */
    unsigned unix_mode;
    bool reuse_port;
    unsigned handshake_timeout_ms;
};

/* The stream is the callee's now, who attaches or closes it before returning: with TLS the peer's
 * first bytes may have come along with its handshake. */
typedef void (*accept_fn)(void *arg, struct stream *s);

/* NULL and *why ("address already in use", what to do). Accepting starts in the next turn. */
struct listener *listener_open(struct loop *l, const struct listener_config *c, accept_fn accepted,
                               void *arg, struct err *why);
/* New connections use this context from now on (certificate reload). */
void listener_set_tls(struct listener *l, struct tls_context *tls);
/* Stop and go on accepting (connection limit reached); idempotent. */
void listener_pause(struct listener *l);
void listener_resume(struct listener *l);
/* Connections in their TLS handshake are dropped; those handed up are not touched. Asynchronous. */
void listener_close(struct listener *l);
/* The address it really has, "127.0.0.1:41234" after asking for port 0; text lives with it. */
const char *listener_address(const struct listener *l);

/* Descriptors that came by socket activation (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES): the first
 * with this name, or -1. */
int listener_activated_fd(const char *name);

#endif
