/* stream_priv.h: a stream as listener.c, dial.c and handshake.c make it. */
#ifndef SLUICE_NET_STREAM_PRIV_H
#define SLUICE_NET_STREAM_PRIV_H

#include "sluice/net/stream.h"
#include "sluice/net/timer.h"
#include "sluice/net/tls.h"

#include <sys/socket.h>

enum stream_state {
    STREAM_OPEN,
    STREAM_FLUSHING,  /* finishing: the backlog is still on its way */
    STREAM_LINGERING, /* our FIN is out; what the peer sends is discarded */
    STREAM_CLOSED,    /* waiting for libuv's close callback */
};

struct backlog;

/* The deadline means, by state: no progress in writing (OPEN, FLUSHING), or, once `broken`, that
 * the peer's last bytes have had their chance; the end of patience (LINGERING). */
struct stream {
    uv_tcp_t
        tcp; /* of unix sockets too: uv_tcp_open takes any stream socket, and this is smaller */
    struct loop *loop;
    const struct stream_events *up; /* NULL once the owner let go */
    void *owner;
    struct tls *tls;      /* NULL: clear */
    struct backlog *kept; /* NULL: the socket has everything */
    struct buf *into;
    size_t into_want;
    size_t seen_queued; /* bytes on their way when progress was last looked at */
    struct deadline deadline;
    unsigned write_timeout_ms;
    unsigned read_most; /* 0: as much as the loop's buffer takes */
    int broken;         /* the error that ended writing, or 0 */
    uint8_t state;
    bool reading;    /* uv_read_start is in force */
    bool paused;     /* by the owner; libuv is told when bytes come, see on_alloc */
    bool read_ended; /* end of file or error: never start reading again */
    bool full;       /* we answered FLOW_PAUSE and owe one `writable` */
    bool told;       /* `closed` was called */
    bool peer_is_v6;
    bool peer_is_unix;
    uint8_t peer[16];
};

/* Not connected yet; stream_close frees it. */
struct stream *stream_new(struct loop *l);
/* Takes the connected, non-blocking `fd` over, also when it fails (then it is closed). */
int stream_adopt(struct stream *s, int fd);
void stream_set_peer(struct stream *s, const struct sockaddr *peer);

/* From now on what goes over `s` is what `t` makes of it; the stream frees `t`. */
void stream_set_tls(struct stream *s, struct tls *t);
/* Decrypts what `s->tls` has been fed and hands it to the owner: the last act of a callback. */
void stream_decrypt(struct stream *s);

/* Writes the bytes as they are, under TLS: handshakes and alerts. */
void stream_write_clear(struct stream *s, const struct span *spans, unsigned n);

#endif
