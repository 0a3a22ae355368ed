#include "sluice/http/server.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/http/date.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/*   READING ──head──▶ BODY ──complete──▶ ANSWERING ──end──▶ READING
 *      │                │                   │   └──end, not kept alive──▶ CLOSED
 *      └────────────────┴─── peer closed, abort ────────────▶ CLOSED
 *
 * An answer may end before its request's body has been read; the rest of that body is then not
 * waited for: the connection closes behind the answer. */
enum conn_state { CONN_READING, CONN_BODY, CONN_ANSWERING, CONN_CLOSED };

enum {
    REFUSING_MAX = 64, /* connections beyond the limit that are told so; further ones are cut */
    PIPELINED_MAX = 64 * 1024, /* bytes of later requests kept while one is being answered */
    LEFT_CHECK_MS = 1000, /* how often a client is looked after that pipelined more than that */
    FIRST_READ = 16 *
                 1024, /* a head and most bodies; of larger ones, all but this is read in place */
    HEAD_ROOM = 16 *
                1024, /* an answer's head: ours is under 2 KiB, a provider's fields come on top */
};

struct conn {
    struct sink sink; /* first: a sink of this file is its connection */
    struct server *server;
    struct conn *prev, *next;
    struct stream *stream;
    struct parser parser;
    struct body body;
    struct span piece;    /* a body that came in one piece, during its callback only */
    struct buf pipelined; /* of requests that have to wait */
    struct deadline deadline;
    struct later later;
    void *request; /* the handler's; NULL when it wants to hear nothing (more) */
    uint64_t body_max;
    int64_t counted_left; /* of a counted answer */
    enum conn_state state;
    unsigned status;
    bool feeding;    /* inside parser_feed: whoever ends an answer need not continue by hand */
    bool head_timed; /* the deadline is that of the head under way */
    bool keep_alive, is_head, minor0, head_held, body_unread;
    enum http_framing framing;
    int64_t announced; /* content_length of the held head */
    char peer[64];     /* asked for once: every record names it */
};

struct server {
    struct server_shared *shared;
    struct server_limits limits;
    const struct server_handler *handler;
    void *ctx;
    struct conn *conns;
    unsigned nconns;
    bool draining, closing;
};

/* One head at a time waits for its first body bytes, nearly always within the same callback; a
 * second one pushes it out. So no connection needs a buffer of its own for it. */
static struct {
    struct conn *holder;
    size_t len;
    uint8_t bytes[HEAD_ROOM];
} held;

static struct conn *conn_of(struct sink *sink)
{
    return (struct conn *)sink;
}

/* --- life ---------------------------------------------------------------------------------- */

static void conn_unlink(struct conn *c)
{
    struct server *s = c->server;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    s->nconns--;
    s->shared->connections--;
}

static void conn_free(struct later *later)
{
    struct conn *c = (struct conn *)((char *)later - offsetof(struct conn, later));
    struct server *s = c->server;
    conn_unlink(c);
    parser_fini(&c->parser);
    body_fini(&c->body);
    buf_fini(&c->pipelined);
    free(c);
    if (s->closing && s->nconns == 0)
        free(s);
}

/* The connection is through. In good order: what was written still goes out. */
static void conn_end(struct conn *c, bool in_good_order)
{
    if (c->state == CONN_CLOSED)
        return;
    c->state = CONN_CLOSED;
    deadline_clear(&c->deadline);
    if (held.holder == c)
        held.holder = NULL;
    if (in_good_order)
        stream_finish(c->stream);
    else
        stream_close(c->stream);
    c->stream = NULL;
    parser_stop(&c->parser);
    if (c->later.queued)
        return; /* continue_later: finds it closed and frees it */
    c->later.run = conn_free;
    loop_later(c->server->shared->loop, &c->later);
}

/* --- writing: the sink --------------------------------------------------------------------- */

static size_t append(size_t at, struct span s)
{
    if (s.len > 0)
        memcpy(held.bytes + at, s.at, s.len);
    return at + s.len;
}

static size_t append_number(size_t at, uint64_t n)
{
    char digits[20];
    size_t len = 0;
    do
        digits[len++] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    while (len > 0)
        held.bytes[at++] = (uint8_t)digits[--len];
    return at;
}

static struct span current_date(void)
{
    static uint64_t second;
    static char line[7 + 30 + 2];
    uint64_t now = clock_unix_ms() / 1000;
    if (now != second) {
        second = now;
        memcpy(line, "Date: ", 6);
        http_date(now, line + 6);
        memcpy(line + 6 + 29, "\r\n", 2);
    }
    return span_of(line, 6 + 29 + 2);
}

/* Completes the held head with its framing. `total`: all bytes of the body, -1 when unknown. */
static struct span take_head(struct conn *c, int64_t total)
{
    assert(held.holder == c);
    size_t at = held.len;
    bool no_body = c->status == 204 || c->status == 304 || c->status < 200;
    if (c->body_unread)
        c->keep_alive = false;
    if (no_body) {
        c->framing = FRAMING_NONE;
    } else if (total >= 0) {
        c->framing = FRAMING_COUNTED;
        c->counted_left = total;
        at = append(at, SPAN_LIT("Content-Length: "));
        at = append_number(at, (uint64_t)total);
        at = append(at, SPAN_LIT("\r\n"));
    } else if (c->minor0) {
        c->framing = FRAMING_UNTIL_CLOSE;
        c->keep_alive = false;
    } else {
        c->framing = FRAMING_CHUNKED;
        at = append(at, SPAN_LIT("Transfer-Encoding: chunked\r\n"));
    }
    if (c->is_head)
        c->framing = FRAMING_NONE;
    if (!c->keep_alive || c->server->draining) {
        c->keep_alive = false;
        at = append(at, SPAN_LIT("Connection: close\r\n"));
    } else if (c->minor0) {
        at = append(at, SPAN_LIT("Connection: keep-alive\r\n"));
    }
    at = append(at, SPAN_LIT("\r\n"));
    c->head_held = false;
    held.holder = NULL;
    return span_of(held.bytes, at);
}

static void push_out_held(void)
{
    struct conn *c = held.holder;
    if (c == NULL)
        return;
    struct span head = take_head(c, c->announced);
    (void)stream_write(c->stream, &head, 1); /* flow: told by the next data */
}

static void continue_later(struct later *later);

static void conn_wants_later(struct conn *c)
{
    c->later.run = continue_later;
    loop_later(c->server->shared->loop, &c->later);
}

static void sink_on_head(struct sink *sink, const struct response_head *h)
{
    struct conn *c = conn_of(sink);
    if (c->state == CONN_CLOSED)
        return;
    push_out_held();
    held.holder = c;
    c->head_held = true;
    c->status = h->status;
    c->announced = h->content_length;
    size_t at = append(0, SPAN_LIT("HTTP/1.1 "));
    at = append_number(at, h->status);
    at = append(at, SPAN_LIT(" "));
    at = append(at, span_text(http_reason(h->status)));
    at = append(at, SPAN_LIT("\r\n"));
    at = append(at, current_date());
    assert(h->fields.len < HEAD_ROOM - 512);
    held.len = append(at, h->fields);
    conn_wants_later(c);
}

static size_t total_of(const struct span *spans, unsigned n)
{
    size_t total = 0;
    for (unsigned i = 0; i < n; i++)
        total += spans[i].len;
    return total;
}

/* "1f4\r\n" into `out` (18 bytes). */
static struct span chunk_size(char *out, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char *end = out + 16, *at = end;
    do
        *--at = digits[size & 15];
    while ((size >>= 4) > 0);
    end[0] = '\r';
    end[1] = '\n';
    return span_of(at, (size_t)(end - at) + 2);
}

/* Head if it is still held, framing, bytes and (when `last`) the end: one writev. */
static enum flow conn_write(struct conn *c, const struct span *spans, unsigned n, bool last)
{
    assert(n <= SINK_SPANS_MAX);
    struct span out[SINK_SPANS_MAX + 4];
    char size_text[18];
    unsigned k = 0;
    size_t total = total_of(spans, n);
    if (c->head_held) {
        int64_t length = c->announced;
        if (length == LENGTH_UNKNOWN && last)
            length = (int64_t)total;
        out[k++] = take_head(c, length);
    }
    c->sink.bytes_out += total;
    bool chunked = c->framing == FRAMING_CHUNKED;
    if (c->framing == FRAMING_COUNTED) {
        assert((int64_t)total <= c->counted_left);
        c->counted_left -= (int64_t)total;
    }
    if (total > 0 && c->framing != FRAMING_NONE) {
        if (chunked)
            out[k++] = chunk_size(size_text, total);
        for (unsigned i = 0; i < n; i++)
            out[k++] = spans[i];
        if (chunked)
            out[k++] = last ? SPAN_LIT("\r\n0\r\n\r\n") : SPAN_LIT("\r\n");
    } else if (chunked && last) {
        out[k++] = SPAN_LIT("0\r\n\r\n");
    }
    return k > 0 ? stream_write(c->stream, out, k) : FLOW_OK;
}

static enum flow sink_on_data(struct sink *sink, const struct span *spans, unsigned n)
{
    struct conn *c = conn_of(sink);
    if (c->state == CONN_CLOSED)
        return FLOW_OK;
    return conn_write(c, spans, n, false);
}

/* Ready for the next request, or through. */
static void answer_ended(struct conn *c)
{
    c->sink.up = NULL;
    c->request = NULL;
    if (!c->keep_alive || c->server->draining) {
        conn_end(c, true);
        return;
    }
    c->state = CONN_READING;
    parser_resume(&c->parser);
    deadline_set(&c->deadline, c->server->limits.idle_timeout_ms);
    if (!c->feeding && buf_len(&c->pipelined) > 0)
        conn_wants_later(c);
}

static void sink_on_end(struct sink *sink, const struct span *last, unsigned n)
{
    struct conn *c = conn_of(sink);
    if (c->state == CONN_CLOSED) {
        c->sink.up = NULL;
        return;
    }
    (void)conn_write(c, last, n, true);
    if (c->framing == FRAMING_COUNTED && c->counted_left > 0)
        conn_end(c, false); /* less than announced: must not look complete */
    else
        answer_ended(c);
}

static void sink_on_abort(struct sink *sink, const char *why)
{
    struct conn *c = conn_of(sink);
    c->sink.up = NULL;
    c->request = NULL;
    log_debug("connection aborted", "why=\"%s\"", why);
    conn_end(c, false);
}

static const struct sink_ops sink_ops = {
    .head = sink_on_head,
    .data = sink_on_data,
    .end = sink_on_end,
    .abort = sink_on_abort,
};

/* --- reading: requests --------------------------------------------------------------------- */

static bool on_head(void *owner, const struct http_head *head)
{
    struct conn *c = owner;
    c->is_head = head->method == METHOD_HEAD;
    c->minor0 = head->minor == 0;
    c->keep_alive = head->keep_alive;
    c->body_unread = head->framing != FRAMING_NONE;
    c->body_max = 0;
    c->head_timed = false;
    c->sink.bytes_out = 0;
    c->state = CONN_BODY;
    c->request = c->server->handler->open(c->server->ctx, &c->sink, head, &c->body_max);
    if (c->request == NULL)
        return c->state != CONN_CLOSED; /* answered; an unread body has closed the connection */
    if (head->framing == FRAMING_NONE)
        return true;
    if (head->framing == FRAMING_COUNTED && head->content_length > c->body_max) {
        c->parser.problem = (struct parser_problem){413, "the body is too large"};
        return false;
    }
    deadline_set(&c->deadline, c->server->limits.body_timeout_ms);
    if (head->expects_continue) {
        struct span go_on = SPAN_LIT("HTTP/1.1 100 Continue\r\n\r\n");
        (void)stream_write(c->stream, &go_on, 1);
    }
    return true;
}

static void body_refused(struct conn *c, int rc)
{
    c->parser.problem = rc == -EDQUOT
                            ? (struct parser_problem){503, "too many request bodies in flight"}
                            : (struct parser_problem){503, "out of memory"};
}

static void on_body(void *owner, struct span piece)
{
    struct conn *c = owner;
    if (c->request == NULL || c->parser.problem.status != 0)
        return;
    bool is_whole = c->parser.body_left == 0 && buf_len(&c->body.bytes) == 0 &&
                    c->parser.engine.flags & F_CONTENT_LENGTH;
    if (is_whole) {
        c->piece = piece;
        return;
    }
    if (buf_len(&c->body.bytes) + piece.len > c->body_max) {
        c->parser.problem = (struct parser_problem){413, "the body is too large"};
        return;
    }
    int rc = 0;
    if (c->body.bytes.at == NULL && c->parser.body_left > 0)
        rc = body_reserve(&c->body, piece.len + c->parser.body_left);
    if (rc == 0)
        rc = body_add(&c->body, piece);
    if (rc < 0)
        body_refused(c, rc);
}

static void on_complete(void *owner)
{
    struct conn *c = owner;
    c->body_unread = false;
    if (c->request == NULL || c->parser.problem.status != 0 || c->state != CONN_BODY)
        return;
    c->state = CONN_ANSWERING;
    parser_stop(&c->parser); /* until the answer has ended */
    struct span body = c->piece.len > 0 ? c->piece : buf_span(&c->body.bytes);
    c->piece = SPAN_NONE;
    c->server->handler->complete(c->request, body, &c->body);
    body_fini(&c->body);
}

static const struct parser_events parser_events = {
    .head = on_head,
    .body = on_body,
    .complete = on_complete,
};

static void refuse(struct conn *c)
{
    struct parser_problem why = c->parser.problem;
    if (c->state == CONN_READING)
        c->is_head = c->minor0 = false; /* the words of an earlier request */
    c->state = CONN_ANSWERING;
    c->keep_alive = false;
    void *request = c->request;
    body_fini(&c->body);
    parser_stop(&c->parser);
    c->server->handler->refuse(c->server->ctx, request, &c->sink, &why);
}

static void on_stream_closed(void *owner, int status);

static void keep_pipelined(struct conn *c, struct span rest)
{
    if (rest.len > 0 && buf_add(&c->pipelined, rest) < 0) {
        on_stream_closed(c, UV_ENOMEM); /* whoever is answering has to hear of it */
        return;
    }
    if (buf_len(&c->pipelined) > PIPELINED_MAX) {
        stream_pause(c->stream); /* its end of file will stand behind what is unread: look for it */
        deadline_set(&c->deadline, LEFT_CHECK_MS);
    }
}

/* Large counted bodies are read from the socket to where they are kept. */
static void read_in_place(struct conn *c)
{
    bool wanted = c->state == CONN_BODY && c->parser.body_left > 0 && c->body.bytes.at != NULL;
    stream_read_into(c->stream, wanted ? &c->body.bytes : NULL, wanted ? c->parser.body_left : 0);
}

static void deadline_while_reading(struct conn *c)
{
    if (c->state == CONN_BODY) {
        deadline_set(&c->deadline, c->server->limits.body_timeout_ms);
    } else if (parser_in_message(&c->parser) && !c->head_timed) {
        c->head_timed = true; /* once a head: a byte now and then does not buy time */
        deadline_set(&c->deadline, c->server->limits.header_timeout_ms);
    }
}

static void conn_feed(struct conn *c, struct span bytes)
{
    bool was_in_body = c->state == CONN_BODY;
    c->feeding = true;
    while (bytes.len > 0 && (c->state == CONN_READING || c->state == CONN_BODY)) {
        int rc = parser_feed(&c->parser, &bytes);
        if (c->state == CONN_CLOSED)
            break;
        if (rc < 0 || c->parser.problem.status != 0) {
            if (c->state == CONN_READING || c->state == CONN_BODY)
                refuse(c);
            break;
        }
    }
    c->feeding = false;
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_ANSWERING)
        keep_pipelined(c, bytes);
    else
        deadline_while_reading(c);
    if (c->state != CONN_CLOSED && (was_in_body || c->state == CONN_BODY))
        read_in_place(c);
}

static void on_stream_data(void *owner, struct span bytes)
{
    struct conn *c = owner;
    if (c->state == CONN_ANSWERING || buf_len(&c->pipelined) > 0)
        keep_pipelined(c, bytes);
    else
        conn_feed(c, bytes);
}

/* The end of a turn: a head nobody added to goes out, and requests that waited get their turn. */
static void continue_later(struct later *later)
{
    struct conn *c = (struct conn *)((char *)later - offsetof(struct conn, later));
    if (c->state == CONN_CLOSED) {
        c->later.run = conn_free;
        loop_later(c->server->shared->loop, &c->later);
        return;
    }
    if (held.holder == c)
        push_out_held();
    if (c->state != CONN_READING || buf_len(&c->pipelined) == 0)
        return;
    struct buf waiting = c->pipelined;
    c->pipelined = (struct buf){0};
    stream_resume(c->stream);
    conn_feed(c, buf_span(&waiting));
    buf_fini(&waiting);
}

static void on_stream_writable(void *owner)
{
    struct conn *c = owner;
    if (c->sink.up != NULL)
        c->sink.up->writable(c->sink.owner);
}

static void on_stream_closed(void *owner, int status)
{
    struct conn *c = owner;
    const struct sink_events *up = c->sink.up;
    c->sink.up = NULL;
    c->request = NULL;
    /* An answer that is complete but still on its way deserves to arrive. */
    bool answered = c->state == CONN_READING && status == UV_EOF;
    conn_end(c, answered);
    if (up != NULL)
        up->closed(c->sink.owner);
}

static const struct stream_events stream_events = {
    .data = on_stream_data,
    .writable = on_stream_writable,
    .closed = on_stream_closed,
};

static void look_after_paused(struct conn *c)
{
    if (buf_len(&c->pipelined) <= PIPELINED_MAX)
        return;
    if (stream_peer_left(c->stream))
        on_stream_closed(c, UV_EOF);
    else
        deadline_set(&c->deadline, LEFT_CHECK_MS);
}

static void on_deadline(struct deadline *d)
{
    struct conn *c = (struct conn *)((char *)d - offsetof(struct conn, deadline));
    switch (c->state) {
    case CONN_READING:
        if (!parser_in_message(&c->parser)) {
            conn_end(c, true);
            return;
        }
        c->parser.problem = (struct parser_problem){408, "the request head took too long"};
        refuse(c);
        return;
    case CONN_BODY:
        c->parser.problem = (struct parser_problem){408, "the request body stalled"};
        refuse(c);
        return;
    case CONN_ANSWERING: /* mostly left over from reading: cheaper to ignore than to clear each time */
        look_after_paused(c);
        return;
    case CONN_CLOSED:
        return;
    }
}

/* --- the server ---------------------------------------------------------------------------- */

struct server *server_new(struct server_shared *shared, const struct server_limits *limits,
                          const struct server_handler *handler, void *ctx)
{
    struct server *s = xcalloc(1, sizeof *s);
    s->shared = shared;
    s->limits = *limits;
    s->handler = handler;
    s->ctx = ctx;
    return s;
}

void server_set_limits(struct server *s, const struct server_limits *limits)
{
    s->limits = *limits;
}

void server_accept(struct server *s, struct stream *stream)
{
    unsigned most = s->shared->connections_max;
    if (s->draining || s->shared->connections >= most + REFUSING_MAX) {
        stream_close(stream);
        return;
    }
    struct conn *c = xcalloc(1, sizeof *c);
    c->sink.ops = &sink_ops;
    c->server = s;
    c->stream = stream;
    c->state = CONN_READING;
    body_init(&c->body, &s->shared->bodies);
    parser_init(&c->parser, true, &s->limits.head, &parser_events, c);
    deadline_init(&c->deadline, s->shared->loop, on_deadline);
    deadline_set(&c->deadline, s->limits.header_timeout_ms);
    c->next = s->conns;
    if (s->conns != NULL)
        s->conns->prev = c;
    s->conns = c;
    s->nconns++;
    s->shared->connections++;
    stream_peer(stream, c->peer);
    stream_set_read_most(stream, FIRST_READ);
    stream_set_write_timeout(stream, s->limits.write_timeout_ms);
    stream_attach(stream, &stream_events, c);
    if (s->shared->connections > most) {
        c->parser.problem = (struct parser_problem){503, "too many connections are open"};
        refuse(c);
    }
}

void server_drain(struct server *s)
{
    s->draining = true;
    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        if (c->state == CONN_READING && !parser_in_message(&c->parser) &&
            buf_len(&c->pipelined) == 0)
            conn_end(c, true);
    }
}

unsigned server_connections(const struct server *s)
{
    return s->nconns;
}

void server_close(struct server *s)
{
    s->closing = true;
    if (s->nconns == 0) {
        free(s);
        return;
    }
    for (struct conn *c = s->conns; c != NULL; c = c->next) {
        if (c->state != CONN_CLOSED)
            on_stream_closed(c, UV_ECANCELED);
    }
}

const char *server_peer(const struct sink *sink)
{
    return sink->ops == &sink_ops ? ((const struct conn *)sink)->peer : "";
}
