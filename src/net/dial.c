/* One dial:
 *
 *   begin ──> names_find ──> try_next ─┬─> attempt ─┐ first to connect wins,
 *      └─ literal, unix ────────┘      └─> attempt ─┘ the others are closed
 *                                            │
 *                                            ▼
 *        the trust store is read (off the loop, the first time) ──> handshake ──> done
 *
 * An attempt is a libuv request and owns itself; the dial is freed at the end of the turn in which
 * it ended, so nothing that is still running loses its memory. */
#include "sluice/net/dial.h"

#include "handshake.h"
#include "loop_priv.h"
#include "names.h"
#include "stream_priv.h"

#include "sluice/base/arena.h"
#include "sluice/net/offload.h"
#include "sluice/net/timer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define STAGGER_MS 250   /* RFC 8305 §5: the recommended Connection Attempt Delay */
#define UNIX_RETRY_MS 10 /* a unix socket whose backlog is full says EAGAIN and nothing later */

struct attempt {
    uv_connect_t req;
    struct dial *dial;     /* NULL: nobody waits any more */
    struct stream *stream; /* closed by whoever cuts `dial` */
};

struct dial {
    struct loop *loop;
    const struct dial_target *target;
    dial_fn done;
    void *arg;
    enum dial_stage stage;
    struct later later; /* begins it, and frees it */
    struct deadline total, next_try;
    struct names_waiter waiter;
    struct addresses addresses;
    unsigned next, running;
    int status; /* of the address that failed last */
    struct attempt *attempts[NAME_ADDRESSES_MAX];
    struct stream *connected; /* while the trust store is being read */
    struct offload *loading;
    struct handshake handshake;
};

static void try_next(struct dial *d);

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

static void on_free(struct later *later)
{
    free((char *)later - offsetof(struct dial, later));
}

static void release(struct dial *d)
{
    deadline_clear(&d->total);
    deadline_clear(&d->next_try);
    names_forget(&d->waiter);
    for (unsigned i = 0; i < d->addresses.n; i++) {
        if (d->attempts[i] == NULL)
            continue;
        d->attempts[i]->dial = NULL;
        stream_close(d->attempts[i]->stream);
        d->attempts[i] = NULL;
    }
    handshake_cancel(&d->handshake);
    if (d->loading != NULL)
        offload_cancel(d->loading);
    d->loading = NULL;
    if (d->connected != NULL)
        stream_close(d->connected);
    d->connected = NULL;
    d->later.run = on_free;
    loop_later(d->loop, &d->later);
}

static void finish(struct dial *d, const struct dial_result *r)
{
    dial_fn done = d->done;
    release(d);
    done(d->arg, r);
}

static void fail(struct dial *d, int status, const char *problem)
{
    finish(d, &(struct dial_result){.stage = d->stage, .status = status, .problem = problem});
}

void dial_cancel(struct dial *d)
{
    release(d);
}

/* ── TLS ─────────────────────────────────────────────────────────────────────────────────────── */

static void on_handshaken(struct handshake *h, int status, const char *problem)
{
    struct dial *d = (struct dial *)((char *)h - offsetof(struct dial, handshake));
    if (status < 0) {
        fail(d, status, problem);
        return;
    }
    finish(d, &(struct dial_result){.stream = h->stream, .stage = DIAL_DONE});
}

static void start_tls(struct dial *d)
{
    const char *name = d->target->server_name;
    struct tls *t = tls_new(d->target->tls, name != NULL ? name : d->target->host);
    struct stream *s = d->connected;
    if (t == NULL) {
        fail(d, UV_ENOMEM, "out of memory");
        return;
    }
    d->connected = NULL;
    handshake_start(&d->handshake, d->loop, s, t, 0, on_handshaken);
}

/* Reading the system's certificates takes ten milliseconds and more: once, on another thread. */
struct loading {
    struct dial *dial;
    struct tls_context *tls;
};

static void on_load(void *arg)
{
    struct loading *k = arg;
    tls_context_load(k->tls);
}

static void loading_free(void *arg)
{
    struct loading *k = arg;
    tls_context_unref(k->tls);
    free(k);
}

static void on_loaded(void *arg)
{
    struct dial *d = ((struct loading *)arg)->dial;
    loading_free(arg);
    d->loading = NULL;
    start_tls(d);
}

static void connected(struct dial *d, struct stream *s)
{
    if (d->target->tls == NULL) {
        finish(d, &(struct dial_result){.stream = s, .stage = DIAL_DONE});
        return;
    }
    d->stage = DIAL_TLS;
    d->connected = s;
    if (tls_context_is_loaded(d->target->tls)) {
        start_tls(d);
        return;
    }
    struct loading *k = xcalloc(1, sizeof *k);
    k->dial = d;
    k->tls = tls_context_ref(d->target->tls);
    d->loading = offload_start(d->loop, on_load, on_loaded, loading_free, k);
}

/* ── connecting ──────────────────────────────────────────────────────────────────────────────── */

static const char *connect_problem(int status)
{
    switch (status) {
    case UV_ECONNREFUSED:
        return "connection refused";
    case UV_ETIMEDOUT:
        return "connecting timed out";
    case UV_EHOSTUNREACH:
        return "no route to host";
    case UV_ENETUNREACH:
        return "network unreachable";
    case UV_ECONNRESET:
        return "connection reset while connecting";
    case UV_EMFILE:
        return "too many open files";
    case UV_ENOENT:
        return "no such socket";
    case DIAL_NOT_PUBLIC:
        return "the address is not public";
    default:
        return uv_strerror(status);
    }
}

static const char *resolve_problem(int status)
{
    switch (status) {
    case UV_EAI_NONAME:
        return "host name not found";
    case UV_EAI_NODATA:
        return "host name has no address";
    case UV_EAI_AGAIN:
        return "name server did not answer";
    default:
        return uv_strerror(status);
    }
}

static void on_connected(uv_connect_t *req, int status)
{
    struct attempt *a = (struct attempt *)req; /* `req` comes first */
    struct dial *d = a->dial;
    struct stream *s = a->stream;
    if (d == NULL) {
        free(a); /* its stream is closed already */
        return;
    }
    loop_busy(d->loop);
    for (unsigned i = 0; i < d->addresses.n; i++)
        if (d->attempts[i] == a)
            d->attempts[i] = NULL;
    d->running--;
    free(a);
    if (status < 0) {
        d->status = status;
        stream_close(s);
        try_next(d);
        return;
    }
    deadline_clear(&d->next_try);
    for (unsigned i = 0; i < d->addresses.n; i++) {
        if (d->attempts[i] == NULL)
            continue;
        d->attempts[i]->dial = NULL;
        stream_close(d->attempts[i]->stream);
        d->attempts[i] = NULL;
    }
    connected(d, s);
}

static int attempt_start(struct dial *d, unsigned i)
{
    union address *to = &d->addresses.at[i];
    struct attempt *a = xcalloc(1, sizeof *a);
    if (to->any.sa_family == AF_INET6)
        to->v6.sin6_port = htons(d->target->port);
    else
        to->v4.sin_port = htons(d->target->port);
    a->dial = d;
    a->stream = stream_new(d->loop);
    stream_set_peer(a->stream, &to->any);
    uv_tcp_nodelay(&a->stream->tcp, 1); /* set on the socket when libuv makes it */
    int rc = uv_tcp_connect(&a->req, &a->stream->tcp, &to->any, on_connected);
    if (rc < 0) {
        stream_close(a->stream);
        free(a);
        return rc;
    }
    d->attempts[i] = a;
    d->running++;
    return 0;
}

static bool is_permitted(const struct dial *d, const union address *to)
{
    uint8_t address[16];
    if (d->target->beside_public == NULL)
        return true;
    if (to->any.sa_family == AF_INET6)
        memcpy(address, &to->v6.sin6_addr, sizeof address);
    else
        network_map_v4((const uint8_t *)&to->v4.sin_addr, address);
    return network_is_public(address) || networks_hold(d->target->beside_public, address);
}

/* The next address that can be tried at all; the end, when none is left and none is running. */
static void try_next(struct dial *d)
{
    int rc = -1;
    while (rc < 0 && d->next < d->addresses.n) {
        rc = is_permitted(d, &d->addresses.at[d->next]) ? attempt_start(d, d->next)
                                                        : DIAL_NOT_PUBLIC;
        d->next++;
        if (rc < 0)
            d->status = rc;
    }
    if (d->running == 0)
        fail(d, d->status, connect_problem(d->status));
    else
        deadline_set(&d->next_try, d->next < d->addresses.n ? STAGGER_MS : 0);
}

/* Connecting a unix socket never takes time: it works, fails, or the other side's queue is full. */
static void try_unix(struct dial *d)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(d->target->unix_path);
    if (len >= sizeof to.sun_path) {
        fail(d, UV_ENAMETOOLONG, "socket path too long");
        return;
    }
    memcpy(to.sun_path, d->target->unix_path, len);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(d, -errno, connect_problem(-errno));
        return;
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        int status = -errno;
        close(fd);
        if (status == UV_EAGAIN)
            deadline_set(&d->next_try, UNIX_RETRY_MS);
        else
            fail(d, status, connect_problem(status));
        return;
    }
    struct stream *s = stream_new(d->loop);
    stream_set_peer(s, (struct sockaddr *)&to);
    int rc = stream_adopt(s, fd);
    if (rc < 0) {
        stream_close(s);
        fail(d, rc, connect_problem(rc));
        return;
    }
    connected(d, s);
}

static void on_next_try(struct deadline *t)
{
    struct dial *d = (struct dial *)((char *)t - offsetof(struct dial, next_try));
    if (d->target->unix_path != NULL)
        try_unix(d);
    else
        try_next(d);
}

/* ── the beginning ───────────────────────────────────────────────────────────────────────────── */

static void on_resolved(struct names_waiter *w, int status, const struct addresses *found)
{
    struct dial *d = (struct dial *)((char *)w - offsetof(struct dial, waiter));
    if (status < 0) {
        fail(d, status, resolve_problem(status));
        return;
    }
    d->addresses = *found;
    d->stage = DIAL_CONNECT;
    try_next(d);
}

static void begin(struct later *later)
{
    struct dial *d = (struct dial *)((char *)later - offsetof(struct dial, later));
    const struct addresses *found;
    int status;
    d->stage = DIAL_CONNECT;
    if (d->target->unix_path != NULL) {
        try_unix(d);
        return;
    }
    if (names_literal(d->target->host, &d->addresses.at[0])) {
        d->addresses.n = 1;
        try_next(d);
        return;
    }
    d->stage = DIAL_RESOLVE;
    found = names_find(d->loop, d->target->host, &d->waiter, &status);
    if (found != NULL || status < 0)
        on_resolved(&d->waiter, status, found);
}

static void on_total(struct deadline *t)
{
    static const char *const too_late[] = {
        [DIAL_RESOLVE] = "name resolution timed out",
        [DIAL_CONNECT] = "connecting timed out",
        [DIAL_TLS] = "TLS handshake timed out",
        [DIAL_DONE] = "",
    };
    struct dial *d = (struct dial *)((char *)t - offsetof(struct dial, total));
    fail(d, UV_ETIMEDOUT, too_late[d->stage]);
}

struct dial *dial_start(struct loop *l, const struct dial_target *target, dial_fn done, void *arg)
{
    struct dial *d = xcalloc(1, sizeof *d);
    d->loop = l;
    d->target = target;
    d->done = done;
    d->arg = arg;
    deadline_init(&d->total, l, on_total);
    deadline_init(&d->next_try, l, on_next_try);
    d->waiter.done = on_resolved;
    deadline_set(&d->total, target->timeout_ms);
    /* From the loop, so that `done` never comes before the caller knows what it waits for. */
    d->later.run = begin;
    loop_later(l, &d->later);
    return d;
}

void dial_cache_free(struct loop *l)
{
    names_free(l);
}
