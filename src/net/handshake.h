/* handshake.h: makes a connected stream a TLS stream, for listener.c and dial.c.
 *
 * Embedded in whoever waits for it. `done` comes once unless cancelled, from the loop or from
 * within handshake_start, and may free the struct. With status 0 h->stream is the callee's, who
 * attaches or closes it before returning, for the peer's first bytes may be here already. Otherwise
 * the stream is gone, and `problem` is a phrase that is valid during the call. */
#ifndef SLUICE_NET_HANDSHAKE_H
#define SLUICE_NET_HANDSHAKE_H

#include "sluice/net/stream.h"
#include "sluice/net/timer.h"
#include "sluice/net/tls.h"

struct handshake_step;

struct handshake {
    struct stream *stream; /* NULL when none is under way */
    struct tls *tls;
    struct handshake_step *step; /* what is being computed, or waits for its turn */
    bool began;
    struct loop *loop;
    struct deadline deadline;
    void (*done)(struct handshake *h, int status, const char *problem);
};

/* Both `s` and `t` are the handshake's now. timeout_ms 0: the caller has a deadline of its own. */
void handshake_start(struct handshake *h, struct loop *l, struct stream *s, struct tls *t,
                     unsigned timeout_ms,
                     void (*done)(struct handshake *h, int status, const char *problem));
void handshake_cancel(struct handshake *h); /* idempotent; closes the stream */

#endif
