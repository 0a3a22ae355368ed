/* The handshake owns the stream as any owner would, feeds what comes to tls.c and writes what that
 * gives back, until the stream itself can do so.
 *
 * Signing and verifying take milliseconds, in which a thousand streams would stand still. So the
 * steps are computed on another thread, one at a time for the whole loop: a storm of new
 * connections then waits in line and takes at most its share of the machine.
 *
 *   on_data ──> step ──> line ──> [thread: tls_handshake] ──> conclude ──> write; next, or done
 *
 * A step owns its bytes and, should the handshake be cancelled meanwhile, the tls as well. */
#include "handshake.h"

#include "loop_priv.h"
#include "stream_priv.h"

#include "sluice/base/arena.h"
#include "sluice/net/offload.h"

#include <assert.h>
#include <stdlib.h>

struct handshake_step {
    struct handshake_step *next;
    struct loop *loop;
    struct handshake *handshake; /* NULL: cancelled */
    struct tls *tls;
    struct buf bytes;
    enum tls_status status;
};

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

/* Lets go of the TLS state: at once, or when the step that uses it is through. */
static void drop_tls(struct handshake *h, struct tls *t)
{
    h->tls = NULL;
    if (h->step == NULL) {
        tls_free(t);
        return;
    }
    h->step->handshake = NULL;
    h->step = NULL;
}

static void fail(struct handshake *h, int status, const char *problem)
{
    struct tls *t = h->tls;
    struct stream *s = h->stream;
    bool computing = h->step != NULL;
    deadline_clear(&h->deadline);
    h->stream = NULL;
    if (status == UV_EPROTO)
        stream_finish(s); /* an alert may be on its way: let it arrive */
    else
        stream_close(s);
    if (computing)
        drop_tls(h, t);
    h->tls = NULL;
    h->done(h, status, problem);
    if (!computing)
        tls_free(t); /* `problem` may have been its text */
}

void handshake_cancel(struct handshake *h)
{
    if (h->stream == NULL || h->tls == NULL)
        return;
    deadline_clear(&h->deadline);
    stream_close(h->stream);
    h->stream = NULL;
    drop_tls(h, h->tls);
}

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
    tls_established(h->tls);
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

/* ── steps ───────────────────────────────────────────────────────────────────────────────────── */

static void on_step(void *arg) /* mostly on another thread */
{
    struct handshake_step *p = arg;
    tls_feed(p->tls, buf_span(&p->bytes));
    p->status = tls_handshake(p->tls);
}

static void step_free(struct handshake_step *p)
{
    buf_fini(&p->bytes);
    free(p);
}

/* An upcall, unless more bytes are wanted: the last act of its caller. */
static void conclude(struct handshake_step *p)
{
    struct handshake *h = p->handshake;
    if (h == NULL) {
        tls_free(p->tls);
        step_free(p);
        return;
    }
    h->step = NULL;
    flush(h);
    switch (p->status) {
    case TLS_WANT:
        stream_resume(h->stream);
        break;
    case TLS_OK:
        succeed(h);
        break;
    case TLS_CLOSED:
        fail(h, UV_ECONNRESET, "the peer closed during the TLS handshake");
        break;
    case TLS_FAILED:
        fail(h, UV_EPROTO, tls_problem(h->tls));
        break;
    }
    step_free(p); /* not earlier: what succeed decrypts lies in its bytes */
}

static void on_stepped(void *arg);

static void run_next(struct loop *l)
{
    struct handshake_step *p;
    while (!l->handshake_running && (p = l->handshakes) != NULL) {
        l->handshakes = p->next;
        if (l->handshakes == NULL)
            l->handshakes_end = &l->handshakes;
        if (p->handshake == NULL) {
            conclude(p);
            continue;
        }
        l->handshake_running = true;
        offload_start(l, on_step, on_stepped, NULL, p);
    }
}

static void on_stepped(void *arg)
{
    struct handshake_step *p = arg;
    p->loop->handshake_running = false;
    run_next(p->loop);
    conclude(p);
}

/* Half of them cost less than a change of threads is worth: a client's first (it makes a key), and
 * a server's later ones (it compares a hash). */
static bool is_cheap(struct handshake *h)
{
    bool first = !h->began;
    h->began = true;
    return first == tls_speaks_first(h->tls);
}

/* The stream rests while a step is computed, so that the bytes of two never get mixed. */
static void step(struct handshake *h, struct span bytes)
{
    struct handshake_step *p = xcalloc(1, sizeof *p);
    p->loop = h->loop;
    p->handshake = h;
    p->tls = h->tls;
    if (buf_add(&p->bytes, bytes) < 0) {
        step_free(p);
        fail(h, UV_ENOMEM, "out of memory");
        return;
    }
    h->step = p;
    stream_pause(h->stream);
    if (is_cheap(h) || !tls_is_thread_safe()) {
        on_step(p);
        conclude(p);
        return;
    }
    *h->loop->handshakes_end = p;
    h->loop->handshakes_end = &p->next;
    run_next(h->loop);
}

/* ── events ──────────────────────────────────────────────────────────────────────────────────── */

static void on_data(void *owner, struct span bytes)
{
    step(owner, bytes);
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
    *h = (struct handshake){.stream = s, .tls = t, .loop = l, .done = done};
    deadline_init(&h->deadline, l, on_deadline);
    deadline_set(&h->deadline, timeout_ms);
    stream_attach(s, &events, h);
    if (tls_speaks_first(t))
        step(h, SPAN_NONE);
}
