/* sink.h: where a response goes. A client connection is one sink, a batch item another.
 *
 * Order      head, then data any number of times, then exactly one of end or abort. After that
 *            the sink is gone for its user.
 * Ownership  spans stay the caller's and are read before the verb returns; what the peer will
 *            not take yet, the sink keeps.
 * Flow       FLOW_PAUSE: this call was accepted, the next should wait for `writable`.
 * Re-entry   no verb calls back into its caller; `writable` and `closed` come from the loop, and
 *            not after end or abort.
 * Writes     head alone writes nothing yet: it goes out together with the first data or end, at
 *            the latest at the end of the turn, so that an answer is one writev. */
#ifndef SLUICE_HTTP_SINK_H
#define SLUICE_HTTP_SINK_H

#include "sluice/net/stream.h"
#include "sluice/net/timer.h"

/* Not known yet: counted when all of it is there with the head, else chunked. */
#define LENGTH_UNKNOWN (-1)
/* An event stream, which has no length even when it is over at once. */
#define LENGTH_NEVER (-2)

#define SINK_SPANS_MAX 64 /* most spans one call may bring */

struct response_head {
    unsigned status;
    struct span fields;     /* "Name: value\r\n" lines, framing and connection fields excluded */
    int64_t content_length; /* or one of the two above */
};

struct sink;
struct sink_ops {
    void (*head)(struct sink *, const struct response_head *);
    enum flow (*data)(struct sink *, const struct span *, unsigned n);
    void (*end)(struct sink *, const struct span *last, unsigned n);
    void (*abort)(struct sink *, const char *why); /* what was sent must not look complete */
};

struct sink_events {
    void (*writable)(void *owner);
    void (*closed)(void *owner); /* the peer is gone: nothing sent from now on arrives */
};

struct sink {
    const struct sink_ops *ops;
    const struct sink_events *up; /* set by the user; NULL until it cares */
    void *owner;
    uint64_t bytes_out; /* body bytes accepted so far */
};

static inline void sink_head(struct sink *s, const struct response_head *h)
{
    s->ops->head(s, h);
}
static inline enum flow sink_data(struct sink *s, const struct span *spans, unsigned n)
{
    return s->ops->data(s, spans, n);
}
static inline void sink_end(struct sink *s, const struct span *last, unsigned n)
{
    s->ops->end(s, last, n);
}
static inline void sink_abort(struct sink *s, const char *why)
{
    s->ops->abort(s, why);
}

#endif
