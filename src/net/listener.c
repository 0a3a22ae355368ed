/* A listening socket. It is polled and accepted from by hand rather than by uv_listen: accept4
 * gives the peer's address in the same call, and when descriptors run out libuv closes what is
 * waiting, while we leave it in the kernel's queue and come back.
 *
 *   on_readable ──> accept4 ──> stream ──> [handshake] ──> accepted(stream) */
#include "sluice/net/listener.h"

#include "address.h"
#include "handshake.h"
#include "loop_priv.h"
#include "stream_priv.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPT_BATCH 64 /* then the connections there are get their turn */
#define STARVED_MS 100
#define PENDING_MAX 512 /* handshakes at a time, 40 KB each; others wait in the kernel's queue */

struct pending { /* a connection in its handshake */
    struct handshake handshake;
    struct listener *listener;
    struct pending *prev, *next;
};

struct listener { /* freed by on_handle_closed */
    uv_poll_t poll;
    struct loop *loop;
    int fd;
    accept_fn accepted;
    void *arg;
    struct tls_context *tls;
    unsigned handshake_timeout_ms;
    bool paused, closing;
    bool starved; /* out of descriptors or memory; said once */
    struct deadline retry;
    struct pending pending; /* list head */
    unsigned npending;
    struct bound bound;
};

static void poll_as_wanted(struct listener *l);

/* ── TLS ─────────────────────────────────────────────────────────────────────────────────────── */

static void pending_free(struct pending *p)
{
    p->prev->next = p->next;
    p->next->prev = p->prev;
    if (p->listener->npending-- == PENDING_MAX)
        poll_as_wanted(p->listener);
    free(p);
}

static void on_handshaken(struct handshake *h, int status, const char *problem)
{
    struct pending *p = (struct pending *)h; /* `handshake` comes first */
    struct listener *l = p->listener;
    struct stream *s = h->stream;
    pending_free(p);
    if (status < 0)
        log_debug("handshake failed", "listener=%s problem=\"%s\"", l->bound.text, problem);
    else
        l->accepted(l->arg, s);
}

static void secure(struct listener *l, struct stream *s)
{
    struct tls *t = tls_new(l->tls, NULL);
    if (t == NULL) {
        stream_close(s);
        return;
    }
    struct pending *p = xcalloc(1, sizeof *p);
    p->listener = l;
    p->prev = l->pending.prev;
    p->next = &l->pending;
    p->prev->next = p->next->prev = p;
    if (++l->npending == PENDING_MAX)
        poll_as_wanted(l);
    handshake_start(&p->handshake, l->loop, s, t, l->handshake_timeout_ms, on_handshaken);
}

/* ── accepting ───────────────────────────────────────────────────────────────────────────────── */

static void on_readable(uv_poll_t *h, int status, int events);

static void poll_as_wanted(struct listener *l)
{
    if (l->closing)
        return;
    if (l->paused || l->npending >= PENDING_MAX || deadline_armed(&l->retry))
        uv_poll_stop(&l->poll);
    else
        uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* The connections stay in the kernel's queue, and polling on would spin. */
static void starve(struct listener *l, int status)
{
    if (!l->starved)
        log_error("accepting paused", "listener=%s error=\"%s\"", l->bound.text,
                  uv_strerror(status));
    l->starved = true;
    deadline_set(&l->retry, STARVED_MS);
    poll_as_wanted(l);
}

static void on_retry(struct deadline *d)
{
    poll_as_wanted((struct listener *)((char *)d - offsetof(struct listener, retry)));
}

static void take(struct listener *l, int fd, const struct sockaddr *peer)
{
    struct stream *s = stream_new(l->loop);
    stream_set_peer(s, peer);
    if (stream_adopt(s, fd) < 0)
        stream_close(s);
    else if (l->tls != NULL)
        secure(l, s);
    else
        l->accepted(l->arg, s);
}

/* accept(2): on Linux, errors of the connection that was waiting, which is gone by now. */
static bool is_of_the_connection(int error)
{
    switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EPERM:
        return true; /* EPERM: a firewall rule */
    default:
        return false;
    }
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct listener *l = h->data;
    (void)status;
    (void)events;
    loop_busy(l->loop);
    for (unsigned i = 0; i < ACCEPT_BATCH && uv_is_active((uv_handle_t *)h); i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        peer.ss_family = l->bound.family; /* a unix peer has no address */
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && is_of_the_connection(errno))
            continue;
        if (fd < 0) {
            if (errno != EAGAIN)
                starve(l, -errno);
            return;
        }
        if (l->starved)
            log_info("accepting again", "listener=%s", l->bound.text);
        l->starved = false;
        take(l, fd, (struct sockaddr *)&peer);
    }
}

/* ── public ──────────────────────────────────────────────────────────────────────────────────── */

struct listener *listener_open(struct loop *loop, const struct listener_config *c,
                               accept_fn accepted, void *arg, struct err *why)
{
    struct listener *l = xcalloc(1, sizeof *l);
    l->fd = address_listen(c->address, c->reuse_port, c->unix_mode, &l->bound, why);
    if (l->fd < 0)
        goto fail;
    int rc = uv_poll_init(&loop->uv, &l->poll, l->fd);
    if (rc < 0) {
        err_set(why, "cannot listen on %s: %s", c->address, uv_strerror(rc));
        goto fail;
    }
    l->poll.data = l;
    l->loop = loop;
    l->accepted = accepted;
    l->arg = arg;
    l->tls = c->tls == NULL ? NULL : tls_context_ref(c->tls);
    l->handshake_timeout_ms = c->handshake_timeout_ms;
    l->pending.prev = l->pending.next = &l->pending;
    deadline_init(&l->retry, loop, on_retry);
    poll_as_wanted(l);
    return l;
fail:
    if (l->fd >= 0)
        close(l->fd);
    address_release(&l->bound);
    free(l);
    return NULL;
}

void listener_set_tls(struct listener *l, struct tls_context *tls)
{
    struct tls_context *old = l->tls;
    l->tls = tls == NULL ? NULL : tls_context_ref(tls);
    if (old != NULL)
        tls_context_unref(old);
}

void listener_pause(struct listener *l)
{
    l->paused = true;
    poll_as_wanted(l);
}

void listener_resume(struct listener *l)
{
    l->paused = false;
    poll_as_wanted(l);
}

static void on_handle_closed(uv_handle_t *h)
{
    free(h->data);
}

void listener_close(struct listener *l)
{
    if (l->closing)
        return;
    l->closing = true;
    deadline_clear(&l->retry);
    for (struct pending *p = l->pending.next, *next; p != &l->pending; p = next) {
        next = p->next;
        handshake_cancel(&p->handshake);
        free(p);
    }
    listener_set_tls(l, NULL);
    uv_close((uv_handle_t *)&l->poll, on_handle_closed);
    close(l->fd); /* uv_close has taken it out of epoll; from here on connecting is refused */
    address_release(&l->bound);
}

const char *listener_address(const struct listener *l)
{
    return l->bound.text;
}
