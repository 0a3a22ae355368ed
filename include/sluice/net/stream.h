/* stream.h: bytes both ways over one connection, TCP or unix socket, clear or TLS.
 *
 * Above this header nobody can tell which. A stream is made by a listener (listener.h) or a dial
 * (dial.h), already connected and, with TLS, with its handshake done.
 *
 * Ownership  one owner, who calls stream_close exactly once, or stream_finish; the memory goes in
 *            the last handle's close callback.
 * Re-entry   no verb calls back into its caller: data, writable and closed come from the loop.
 * Closing    after stream_close or stream_finish there are no more upcalls. `closed` tells what the
 *            *peer* did (or that a write failed, or timed out), at most once; the owner still has
 *            to stream_close. After a failed write, what the peer had sent comes first.
 * Flow       writes never block and never fail visibly: what the socket does not take now is kept,
 *            and FLOW_PAUSE asks the caller to stop until `writable`. Above STREAM_HIGH_WATER kept
 *            bytes a write returns FLOW_PAUSE; at or below STREAM_LOW_WATER `writable` is called,
 *            once.
 * Options    TCP_NODELAY is always on. */
#ifndef SLUICE_NET_STREAM_H
#define SLUICE_NET_STREAM_H

#include "sluice/base/buf.h"
#include "sluice/net/loop.h"

#define STREAM_HIGH_WATER (64 * 1024)
#define STREAM_LOW_WATER (16 * 1024)

enum flow { FLOW_OK, FLOW_PAUSE };

struct stream;

struct stream_events {
    /* Bytes from the peer, borrowed until return. */
    void (*data)(void *owner, struct span bytes);
    void (*writable)(void *owner);
    /* UV_EOF: the peer finished sending in good order. Other: a libuv error code; a TLS peer that
     * vanished without close_notify is UV_ECONNRESET. */
    void (*closed)(void *owner, int status);
};

/* Starts (or hands over to a new owner) and begins reading. */
void stream_attach(struct stream *s, const struct stream_events *events, void *owner);

/* All spans in one writev when the socket takes them (one record sequence with TLS). */
enum flow stream_write(struct stream *s, const struct span *spans, unsigned n);

/* Stop and go on reading; idempotent, and free of system calls unless bytes come meanwhile. A
 * paused stream does not notice the peer's end of file, unless (with TLS) it came along with the
 * bytes that made the owner pause: then `closed` follows `data` at once. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* The next `want` bytes may be read straight into `into` (which has that much reserved room at its
 * tail) instead of the loop's buffer: `data` is then called with a span that already lies at
 * into->at + into->tail, and the owner only has to move the tail. Bytes may still come from
 * elsewhere (TLS): the owner must look. NULL ends it. */
void stream_read_into(struct stream *s, struct buf *into, size_t want);

/* Most bytes one read brings into the loop's buffer. What is to be kept is better read in place
 * (stream_read_into): with a small first read, little of a large message has to be moved. */
void stream_set_read_most(struct stream *s, unsigned bytes);

size_t stream_backlog(const struct stream *s); /* bytes kept because the socket did not take them */

/* A backlog of which the peer takes nothing for this long ends in closed(UV_ETIMEDOUT). 0: never.
 */
size_t stream_kept_bytes(const struct loop *l); /* the same of all streams, for the metric */
void stream_set_write_timeout(struct stream *s, unsigned ms);

void stream_close(struct stream *s); /* at once; the backlog is dropped; idempotent */

/* In good order: sends the backlog, then close_notify and FIN, then discards what the peer still
 * sends for at most a second (closing with unread bytes would reset the connection and take the
 * last answer with it), then closes. The owner is let go at once. */
void stream_finish(struct stream *s);

/* Has the peer shut its side? For a stream that is paused for long: unread bytes hide the end of
 * file behind them. */
bool stream_peer_left(const struct stream *s);

/* Peer address as text ("127.0.0.1", "::1", "unix"), for the log. */
const char *stream_peer(struct stream *s, char out[64]);
bool stream_is_tls(const struct stream *s);

#endif
