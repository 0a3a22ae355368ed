/* dial.h: makes an outgoing stream: resolve, connect, TLS.
 *
 * Names are resolved off the loop and cached (fresh for 30 s; a stale answer is better than none
 * when the resolver fails). All addresses of a name are tried, a quarter second apart, alternating
 * families (RFC 8305), until one connects or the time is over. */
#ifndef SLUICE_NET_DIAL_H
#define SLUICE_NET_DIAL_H

#include "sluice/base/network.h"
#include "sluice/net/stream.h"
#include "sluice/net/tls.h"

struct dial_target {
    const char *host; /* NULL with unix_path */
    uint16_t port;
    const char *unix_path;
    struct tls_context *tls; /* NULL: clear */
    const char *server_name;
    unsigned timeout_ms; /* for all of it together */
    /* For hosts that somebody else names: public addresses only, and these. Each address is looked
     * at when it is about to be used, so a name cannot mean one host to a check and another to the
     * connection. NULL: anywhere. */
    const struct networks *beside_public;
};

#define DIAL_NOT_PUBLIC (-30001) /* a status no system has: `beside_public` forbids the address */

enum dial_stage { DIAL_RESOLVE, DIAL_CONNECT, DIAL_TLS, DIAL_DONE };

struct dial;
struct dial_result {
    struct stream
        *stream; /* the callee's now, to attach or close before returning; NULL on failure */
    enum dial_stage stage; /* where it failed */
    int status;          /* libuv code: UV_ETIMEDOUT, UV_ECONNREFUSED, UV_EAI_NONAME, UV_EPROTO … */
    const char *problem; /* phrase for people, valid during the call: "certificate has expired" */
};
typedef void (*dial_fn)(void *arg, const struct dial_result *r);

/* `target` is borrowed until `done`, which comes exactly once, from the loop, unless cancelled. */
struct dial *dial_start(struct loop *l, const struct dial_target *target, dial_fn done, void *arg);
void dial_cancel(struct dial *d); /* no upcall any more; the caller forgets d now */

/* Frees the name cache: at exit, before loop_free. */
void dial_cache_free(struct loop *l);

#endif
