/* A connected socket.
 *
 *   stream_write ──> uv_try_write ──> the socket        the ordinary way: nothing kept, no memory
 *                        │ what it refused
 *                        ▼
 *                  backlog.sending ──> uv_write          one buffer inside libuv,
 *                  backlog.collecting                    one for what is written meanwhile
 *
 * The backlog exists while there is one, so that an idle stream is this struct and nothing else.
 * With TLS, spans are gathered into records first, and what was read is decrypted on the way up. */
#include "sluice/net/stream.h"

#include "loop_priv.h"
#include "stream_priv.h"

#include "sluice/base/arena.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WRITE_SPANS 64 /* of one writev */
#define LINGER_MS 1000
#define FLUSH_MS 10000     /* stream_finish without a write timeout: a peer that stopped reading */
#define LAST_BYTES_MS 1000 /* after a failed write, for the peer's own last words */
#define READ_INTO_LEAST 8192 /* below that the loop's buffer: one read may bring what follows too */

struct backlog {
    uv_write_t req;
    struct buf sending, collecting;
};

static void send_kept(struct stream *s);

/* ── the end ─────────────────────────────────────────────────────────────────────────────────── */

static void backlog_free(struct stream *s)
{
    if (s->kept == NULL)
        return;
    s->loop->kept_bytes -= buf_len(&s->kept->sending) + buf_len(&s->kept->collecting);
    buf_fini(&s->kept->sending);
    buf_fini(&s->kept->collecting);
    free(s->kept);
    s->kept = NULL;
}

static void on_handle_closed(uv_handle_t *h)
{
    struct stream *s = h->data;
    backlog_free(s); /* libuv has reported the pending write as cancelled before this */
    tls_free(s->tls);
    free(s);
}

void stream_close(struct stream *s)
{
    if (s->state == STREAM_CLOSED)
        return;
    s->state = STREAM_CLOSED;
    s->up = NULL;
    deadline_clear(&s->deadline);
    uv_close((uv_handle_t *)&s->tcp, on_handle_closed);
}

/* An upcall: the last thing its caller does. */
static void tell_closed(struct stream *s, int status)
{
    if (s->up == NULL || s->told)
        return;
    s->told = true;
    s->up->closed(s->owner, status);
}

/* Writing is over. Reading may still bring what the peer said before it went (an upstream that
 * answers 413 and closes): its end of file or reset then tells the owner, or else the deadline. */
static void fail_writing(struct stream *s, int status)
{
    if (s->broken != 0)
        return;
    s->broken = status;
    if (s->state != STREAM_OPEN) {
        stream_close(s);
        return;
    }
    deadline_set(&s->deadline, s->reading && !s->paused ? LAST_BYTES_MS : 1);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────── */

/* Pausing is lazy: libuv is told when bytes come for a stream that does not want them, because
 * taking a descriptor out of epoll and back costs two system calls and most pauses end unused. */
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *b)
{
    struct stream *s = h->data;
    (void)suggested;
    loop_busy(s->loop);
    if (s->paused) {
        *b = uv_buf_init(NULL, 0); /* on_read gets UV_ENOBUFS; here libuv 1.44 cannot be stopped */
        return;
    }
    if (s->into != NULL && s->tls == NULL) {
        size_t room = s->into->cap - s->into->tail;
        if (room > s->into_want)
            room = s->into_want;
        if (room >= READ_INTO_LEAST) {
            b->base = (char *)s->into->at + s->into->tail;
            b->len = room;
            return;
        }
    }
    b->base = (char *)s->loop->read_buffer;
    b->len = s->read_most != 0 ? s->read_most : LOOP_READ_BYTES;
}

/* libuv stops reading by itself on end of file and on errors. */
static void read_ended(struct stream *s, int status)
{
    s->reading = false;
    s->read_ended = true;
    switch ((enum stream_state)s->state) {
    case STREAM_OPEN:
        if (s->tls != NULL && status == UV_EOF)
            status = UV_ECONNRESET; /* no close_notify: somebody may have cut the stream short */
        tell_closed(s, s->broken != 0 ? s->broken : status);
        return;
    case STREAM_FLUSHING:
        if (status != UV_EOF)
            stream_close(s);
        return;
    case STREAM_LINGERING:
        stream_close(s);
        return;
    case STREAM_CLOSED:
        return;
    }
}

static void on_read(uv_stream_t *h, ssize_t nread, const uv_buf_t *b)
{
    struct stream *s = h->data;
    if (nread == 0)
        return;
    if (nread < 0 && s->paused) {
        /* UV_ENOBUFS: see on_alloc. Or a hang-up, reported along with the bytes that made the
         * owner pause: the end of file will be found again when reading goes on. */
        uv_read_stop(h);
        s->reading = false;
        return;
    }
    if (nread < 0) {
        read_ended(s, (int)nread);
        return;
    }
    if (s->state != STREAM_OPEN)
        return; /* finishing: nobody is interested any more */
    struct span bytes = span_of(b->base, (size_t)nread);
    if (s->tls != NULL) {
        tls_feed(s->tls, bytes);
        stream_decrypt(s);
        return;
    }
    if (b->base != (char *)s->loop->read_buffer)
        s->into_want -= bytes.len;
    s->up->data(s->owner, bytes);
}

static void start_reading(struct stream *s)
{
    s->paused = false;
    if (s->reading || s->read_ended)
        return;
    int rc = uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
    assert(rc == 0);
    s->reading = true;
}

void stream_set_read_most(struct stream *s, unsigned bytes)
{
    s->read_most = bytes < LOOP_READ_BYTES ? bytes : LOOP_READ_BYTES;
}

void stream_pause(struct stream *s)
{
    if (s->state == STREAM_OPEN)
        s->paused = true;
}

void stream_resume(struct stream *s)
{
    if (s->state == STREAM_OPEN)
        start_reading(s);
}

void stream_read_into(struct stream *s, struct buf *into, size_t want)
{
    s->into = into;
    s->into_want = into == NULL ? 0 : want;
}

void stream_attach(struct stream *s, const struct stream_events *events, void *owner)
{
    assert(s->state == STREAM_OPEN);
    s->up = events;
    s->owner = owner;
    s->into = NULL;
    start_reading(s);
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

size_t stream_kept_bytes(const struct loop *l)
{
    return l->kept_bytes;
}

size_t stream_backlog(const struct stream *s)
{
    if (s->kept == NULL)
        return 0;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&s->tcp) +
           buf_len(&s->kept->collecting);
}

/* What the peer has not acknowledged yet. libuv's queue alone moves in steps of a third of the
 * socket's buffer, which may be megabytes: a slow reader would look like a dead one. */
static size_t unacknowledged(struct stream *s)
{
    int fd = -1, in_kernel = 0;
    if (uv_fileno((uv_handle_t *)&s->tcp, &fd) == 0)
        ioctl(fd, SIOCOUTQ, &in_kernel);
    return uv_stream_get_write_queue_size((uv_stream_t *)&s->tcp) + (size_t)in_kernel;
}

static void linger(struct stream *s)
{
    int fd = -1;
    /* Behind libuv's back: uv_shutdown would wait for the socket to become writable, a system
     * call and a turn later, and here nothing is left to write. */
    if (s->read_ended || uv_fileno((uv_handle_t *)&s->tcp, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
        stream_close(s);
        return;
    }
    s->state = STREAM_LINGERING;
    deadline_set(&s->deadline, LINGER_MS);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->data;
    if (s->state == STREAM_CLOSED)
        return; /* UV_ECANCELED; on_handle_closed frees the backlog */
    loop_busy(s->loop);
    if (status < 0 || s->broken != 0) {
        backlog_free(s);
        if (status < 0)
            fail_writing(s, status);
        return;
    }
    if (buf_len(&s->kept->collecting) > 0) {
        send_kept(s);
    } else {
        backlog_free(s);
        deadline_clear(&s->deadline);
        if (s->state == STREAM_FLUSHING) {
            linger(s);
            return;
        }
    }
    if (s->full && s->up != NULL && s->broken == 0 && stream_backlog(s) <= STREAM_LOW_WATER) {
        s->full = false;
        s->up->writable(s->owner);
    }
}

/* Hands what was collected to libuv. It tries the socket once more by itself. */
static void send_kept(struct stream *s)
{
    struct backlog *k = s->kept;
    struct buf spare = k->sending;
    s->loop->kept_bytes -= buf_len(&spare); /* the socket has them */
    k->sending = k->collecting;
    k->collecting = spare;
    buf_clear(&k->collecting);
    struct span all = buf_span(&k->sending);
    uv_buf_t b = {.base = (char *)k->sending.at + k->sending.head, .len = all.len};
    k->req.data = s;
    int rc = uv_write(&k->req, (uv_stream_t *)&s->tcp, &b, 1, on_written);
    if (rc < 0) {
        backlog_free(s);
        fail_writing(s, rc);
        return;
    }
    s->seen_queued = unacknowledged(s);
    deadline_set(&s->deadline, s->write_timeout_ms != 0  ? s->write_timeout_ms
                               : s->state == STREAM_OPEN ? 0
                                                         : FLUSH_MS);
}

static bool keep(struct stream *s, const struct span *spans, unsigned n, size_t skip)
{
    size_t total = 0;
    for (unsigned i = 0; i < n; i++)
        total += spans[i].len;
    size_t before = buf_len(&s->kept->collecting);
    if (buf_reserve(&s->kept->collecting, total - skip) < 0)
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct span rest = span_skip(spans[i], skip);
        skip -= spans[i].len - rest.len;
        if (buf_add(&s->kept->collecting, rest) < 0)
            return false;
    }
    s->loop->kept_bytes += buf_len(&s->kept->collecting) - before;
    return true;
}

/* How many bytes the socket takes of the first `n` (at most WRITE_SPANS) spans; all of them in
 * *offered. Negative: a libuv error code. */
static ssize_t try_write(struct stream *s, const struct span *spans, unsigned n, size_t *offered)
{
    uv_buf_t bufs[WRITE_SPANS];
    unsigned used = 0;
    *offered = 0;
    for (unsigned i = 0; i < n; i++) {
        if (spans[i].len == 0)
            continue;
        /* uv_buf_t has no const; writev does not touch the bytes. */
        bufs[used].base = (char *)(uintptr_t)spans[i].at;
        bufs[used++].len = spans[i].len;
        *offered += spans[i].len;
    }
    if (used == 0)
        return 0;
    int took = uv_try_write((uv_stream_t *)&s->tcp, bufs, used);
    return took == UV_EAGAIN ? 0 : took;
}

void stream_write_clear(struct stream *s, const struct span *spans, unsigned n)
{
    size_t took = 0;
    bool was_kept = s->kept != NULL; /* then on_written will send what is added here */
    if (s->broken != 0)
        return;
    while (s->kept == NULL && n > 0) {
        unsigned batch = n < WRITE_SPANS ? n : WRITE_SPANS;
        size_t offered;
        ssize_t rc = try_write(s, spans, batch, &offered);
        if (rc < 0) {
            fail_writing(s, (int)rc);
            return;
        }
        if ((size_t)rc < offered) {
            s->kept = xcalloc(1, sizeof *s->kept);
            took = (size_t)rc;
            break;
        }
        spans += batch;
        n -= batch;
    }
    if (n == 0)
        return;
    if (!keep(s, spans, n, took)) {
        fail_writing(s, UV_ENOMEM);
        return;
    }
    if (!was_kept)
        send_kept(s);
}

static void flush_tls(struct stream *s)
{
    struct buf *out = tls_output(s->tls);
    struct span bytes = buf_span(out);
    if (bytes.len > 0)
        stream_write_clear(s, &bytes, 1);
    buf_clear(out);
}

static void encrypt(struct stream *s, struct span plain)
{
    if (plain.len == 0)
        return;
    if (tls_write(s->tls, plain) != TLS_OK)
        fail_writing(s, UV_EPROTO);
    if (buf_len(tls_output(s->tls)) >= STREAM_HIGH_WATER)
        flush_tls(s);
}

static void write_tls(struct stream *s, const struct span *spans, unsigned n)
{
    uint8_t *record = loop_plain_out(s->loop);
    size_t used = 0;
    for (unsigned i = 0; i < n; i++) {
        struct span left = spans[i];
        while (left.len > 0) {
            if (used == 0 && (left.len >= LOOP_PLAIN_OUT_BYTES || i + 1 == n)) {
                encrypt(s, left); /* nothing to gather: straight from where it is */
                break;
            }
            size_t take = LOOP_PLAIN_OUT_BYTES - used;
            if (take > left.len)
                take = left.len;
            memcpy(record + used, left.at, take);
            used += take;
            left = span_skip(left, take);
            if (used == LOOP_PLAIN_OUT_BYTES) {
                encrypt(s, span_of(record, used));
                used = 0;
            }
        }
    }
    encrypt(s, span_of(record, used));
    flush_tls(s);
}

enum flow stream_write(struct stream *s, const struct span *spans, unsigned n)
{
    if (s->state != STREAM_OPEN || s->broken != 0)
        return FLOW_OK; /* `closed` tells, or the owner has let go */
    if (s->tls != NULL)
        write_tls(s, spans, n);
    else
        stream_write_clear(s, spans, n);
    if (s->broken == 0 && stream_backlog(s) > STREAM_HIGH_WATER)
        s->full = true;
    return s->full && s->broken == 0 ? FLOW_PAUSE : FLOW_OK;
}

void stream_set_write_timeout(struct stream *s, unsigned ms)
{
    s->write_timeout_ms = ms;
    if (s->kept != NULL && s->broken == 0)
        deadline_set(&s->deadline, ms);
}

static void on_deadline(struct deadline *d)
{
    struct stream *s = (struct stream *)((char *)d - offsetof(struct stream, deadline));
    size_t queued = s->kept == NULL ? 0 : unacknowledged(s);
    bool moved = queued != s->seen_queued;
    s->seen_queued = queued;
    switch ((enum stream_state)s->state) {
    case STREAM_OPEN:
        if (s->broken != 0) {
            tell_closed(s, s->broken);
        } else if (moved) {
            deadline_set(d, s->write_timeout_ms);
        } else {
            s->broken = UV_ETIMEDOUT;
            tell_closed(s, UV_ETIMEDOUT);
        }
        return;
    case STREAM_FLUSHING:
        if (moved)
            deadline_set(d, s->write_timeout_ms != 0 ? s->write_timeout_ms : FLUSH_MS);
        else
            stream_close(s);
        return;
    case STREAM_LINGERING:
        stream_close(s);
        return;
    case STREAM_CLOSED:
        return;
    }
}

void stream_finish(struct stream *s)
{
    if (s->state != STREAM_OPEN)
        return;
    s->up = NULL;
    s->into = NULL;
    if (s->broken == 0 && s->tls != NULL) {
        tls_close_notify(s->tls);
        flush_tls(s);
    }
    if (s->broken != 0) {
        stream_close(s);
        return;
    }
    start_reading(s); /* to discard, and to see the peer's end of file */
    s->state = STREAM_FLUSHING;
    if (s->kept == NULL)
        linger(s);
    else if (!deadline_armed(&s->deadline))
        deadline_set(&s->deadline, FLUSH_MS);
}

/* ── TLS, upwards ────────────────────────────────────────────────────────────────────────────── */

void stream_set_tls(struct stream *s, struct tls *t)
{
    s->tls = t;
}

void stream_decrypt(struct stream *s)
{
    uint8_t *plain = loop_plain_in(s->loop);
    size_t used = 0;
    enum tls_status status;
    do {
        size_t n = 0;
        status = tls_read(s->tls, plain + used, LOOP_PLAIN_IN_BYTES - used, &n);
        used += n;
    } while (status == TLS_OK && used < LOOP_PLAIN_IN_BYTES);
    flush_tls(s); /* key updates and alerts */
    if (used > 0 && s->up != NULL)
        s->up->data(s->owner, span_of(plain, used)); /* may close, finish or hand over */
    if (status == TLS_WANT || status == TLS_OK || s->state != STREAM_OPEN || s->read_ended)
        return;
    uv_read_stop((uv_stream_t *)&s->tcp);
    s->reading = false;
    s->read_ended = true;
    tell_closed(s, status == TLS_CLOSED ? UV_EOF : UV_EPROTO);
}

/* ── making one, asking one ──────────────────────────────────────────────────────────────────── */

struct stream *stream_new(struct loop *l)
{
    struct stream *s = xcalloc(1, sizeof *s);
    int rc = uv_tcp_init(&l->uv, &s->tcp);
    assert(rc == 0);
    s->tcp.data = s;
    s->loop = l;
    deadline_init(&s->deadline, l, on_deadline);
    return s;
}

int stream_adopt(struct stream *s, int fd)
{
    int rc = uv_tcp_open(&s->tcp, fd);
    if (rc < 0)
        close(fd);
    return rc;
}

void stream_set_peer(struct stream *s, const struct sockaddr *peer)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
    s->peer_is_unix = peer->sa_family == AF_UNIX;
    if (peer->sa_family == AF_INET) {
        memcpy(s->peer, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(s->peer, v6->sin6_addr.s6_addr + 12, 4); /* one spelling for an IPv4 peer */
    } else if (peer->sa_family == AF_INET6) {
        memcpy(s->peer, &v6->sin6_addr, 16);
        s->peer_is_v6 = true;
    }
}

bool stream_peer_left(const struct stream *s)
{
    int fd = -1;
    if (uv_fileno((const uv_handle_t *)&s->tcp, &fd) < 0)
        return true;
    struct pollfd ask = {.fd = fd, .events = POLLRDHUP};
    return poll(&ask, 1, 0) > 0;
}

/* inet_ntop would go through printf, 1,500 instructions for each connection. */
static void put_ipv4(const uint8_t *address, char *out)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned byte = address[i];
        if (byte >= 100)
            *out++ = (char)('0' + byte / 100);
        if (byte >= 10)
            *out++ = (char)('0' + byte / 10 % 10);
        *out++ = (char)('0' + byte % 10);
        *out++ = i < 3 ? '.' : '\0';
    }
}

const char *stream_peer(struct stream *s, char out[64])
{
    if (s->peer_is_unix)
        memcpy(out, "unix", sizeof "unix");
    else if (s->peer_is_v6)
        inet_ntop(AF_INET6, s->peer, out, 64);
    else
        put_ipv4(s->peer, out);
    return out;
}

bool stream_is_tls(const struct stream *s)
{
    return s->tls != NULL;
}
