/* pump.h: a large message, handed on in pieces.
 *
 * What a socket does not take at once has to be copied, and with TLS encrypted: 50 MB of it hold the
 * loop for as many milliseconds. A pump writes some hundred kilobytes, waits for `writable`, and where
 * the peer is so quick that none comes, lets the other sockets have a turn in between.
 *
 * Ownership  the spans, and the array of them, stay the caller's and unchanged until the last write.
 * Re-entry   write is called from within start, go_on and finish, and from the loop. During the last
 *            write the pump is through already and may be freed. */
#ifndef SLUICE_NET_PUMP_H
#define SLUICE_NET_PUMP_H

#include "sluice/net/stream.h"

#define PUMP_PIECE_BYTES (256 * 1024) /* messages up to here are best written as they are */

/* A piece has PUMP_SPANS spans at most; with `last` it is the end of the message. */
#define PUMP_SPANS 32
typedef enum flow (*pump_fn)(void *arg, const struct span *spans, unsigned n, bool last);

struct pump {
    struct next_turn again;
    struct loop *loop;
    struct span *left; /* what has not been written; none: it is through */
    unsigned nleft;
    pump_fn write;
    void *arg;
};

/* `p` is zeroed or through; the message is not empty. */
void pump_start(struct pump *p, struct loop *l, struct span *spans, unsigned n, pump_fn write,
                void *arg);
void pump_go_on(struct pump *p);  /* the peer takes more: `writable` */
void pump_finish(struct pump *p); /* the rest at once, for its memory is about to go */
void pump_stop(struct pump *p);   /* idempotent; nothing is written any more */

static inline bool pump_is_through(const struct pump *p)
{
    return p->nleft == 0;
}

#endif
