/* The handshake owns the stream as any owner would, feeds what comes to tls.c and writes what that
 * gives back, until the stream itself can do so. */
#include "handshake.h"

#include "loop_priv.h"
#include "stream_priv.h"

#include <assert.h>

static const struct stream_events events;

static void flush(struct handshake *h)
{
    struct buf *out = tls_output(h->tls);
    struct span bytes = buf_span(out);
    if (bytes.len > 0)
        stream_write_clear(h->stream, &bytes, 1);
    buf_clear(out);
}

static void succeed(struct handshake *h)
{
    struct stream *s = h->stream;
    deadline_clear(&h->deadline);
    stream_set_tls(s, h->tls);
    h->tls = NULL;
    s->up = NULL;
    h->done(h, 0, NULL);
    if (s->state != STREAM_OPEN)
        return; /* memory stays until the close callback */
    assert(s->up != NULL);
    /* What came behind the peer's last handshake message is still in tls.c's hands. */
    stream_decrypt(s);
}

static void fail(struct handshake *h, int status, const char *problem)
{
    struct tls *t = h->tls; /* `problem` may be its text */
    struct stream *s = h->stream;
    deadline_clear(&h->deadline);
    h->tls = NULL;
    h->stream = NULL;
    if (status == UV_EPROTO)
        stream_finish(s); /* an alert may be on its way: let it arrive */
    else
        stream_close(s);
    h->done(h, status, problem);
    tls_free(t);
}

static void step(struct handshake *h)
{
    enum tls_status status = tls_handshake(h->tls);
    flush(h);
    switch (status) {
    case TLS_WANT:
        return;
    case TLS_OK:
        succeed(h);
        return;
    case TLS_CLOSED:
        fail(h, UV_ECONNRESET, "the peer closed during the TLS handshake");
        return;
    case TLS_FAILED:
        fail(h, UV_EPROTO, tls_problem(h->tls));
        return;
    }
}

static void on_data(void *owner, struct span bytes)
{
    struct handshake *h = owner;
    tls_feed(h->tls, bytes);
    step(h);
}

static void on_writable(void *owner)
{
    (void)owner; /* a handshake writes what it has to, a few kilobytes */
}

static void on_closed(void *owner, int status)
{
    fail(owner, status == UV_EOF ? UV_ECONNRESET : status,
         "the connection was closed during the TLS handshake");
}

static const struct stream_events events = {on_data, on_writable, on_closed};

static void on_deadline(struct deadline *d)
{
    struct handshake *h = (struct handshake *)((char *)d - offsetof(struct handshake, deadline));
    fail(h, UV_ETIMEDOUT, "TLS handshake timed out");
}

void handshake_start(struct handshake *h, struct loop *l, struct stream *s, struct tls *t,
                     unsigned timeout_ms,
                     void (*done)(struct handshake *h, int status, const char *problem))
{
    h->stream = s;
    h->tls = t;
    h->done = done;
    deadline_init(&h->deadline, l, on_deadline);
    deadline_set(&h->deadline, timeout_ms);
    stream_attach(s, &events, h);
    step(h); /* a client speaks first; a server wants bytes */
}

void handshake_cancel(struct handshake *h)
{
    if (h->stream == NULL || h->tls == NULL)
        return;
    deadline_clear(&h->deadline);
    stream_close(h->stream);
    tls_free(h->tls);
    h->stream = NULL;
    h->tls = NULL;
}
