#include "sluice/http/client.h"

#include "client_priv.h"
#include "sluice/base/arena.h"

#include <errno.h>
#include <stdlib.h>

/*  IDLE ──attach──▶ WAITING ──final head──▶ BODY ──complete──▶ DONE ──release──▶ IDLE
 *    │                 └──────────┬───────────┘                  │
 *    └── peer closed ─────────────┴── failed ──▶ CLOSED ◀── not kept alive
 *
 * Spans of one read are collected and handed up together, the last of them with `last`, so that
 * what one read brought leaves in one write. */

static void client_free(struct later *later)
{
    struct client *c = (struct client *)((char *)later - offsetof(struct client, later));
    parser_fini(&c->parser);
    free(c);
}

static void client_end(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    c->state = CLIENT_CLOSED;
    c->up = NULL;
    stream_close(c->stream);
    deadline_clear(&c->idle);
    pool_forget(c->home, c);
    parser_stop(&c->parser);
    c->later.run = client_free;
    loop_later(c->loop, &c->later);
}

/* --- the response -------------------------------------------------------------------------- */

static bool on_head(void *owner, const struct http_head *head)
{
    struct client *c = owner;
    if (c->state != CLIENT_WAITING)
        return false;
    if (head->status < 200) {
        if (head->status == 101) { /* nobody asked for another protocol */
            c->parser.problem = (struct parser_problem){502, "the provider switched protocols"};
            return false;
        }
        c->interim = true;
        return true;
    }
    c->state = CLIENT_BODY;
    c->keep_alive = head->keep_alive && head->framing != FRAMING_UNTIL_CLOSE;
    return c->up->head(c->owner, head);
}

static void hand_up(struct client *c, bool last)
{
    unsigned n = c->nspans;
    c->nspans = 0;
    if (c->up != NULL && (n > 0 || last))
        c->up->data(c->owner, c->spans, n, last);
}

static void on_body(void *owner, struct span piece)
{
    struct client *c = owner;
    if (c->state != CLIENT_BODY || c->up == NULL)
        return;
    if (c->nspans == CLIENT_SPANS_MAX)
        hand_up(c, false);
    c->spans[c->nspans++] = piece;
}

static void on_complete(void *owner)
{
    struct client *c = owner;
    if (c->interim) {
        c->interim = false;
        return;
    }
    if (c->state != CLIENT_BODY)
        return;
    c->state = CLIENT_DONE;
    parser_stop(&c->parser);
}

static const struct parser_events parser_events = {
    .head = on_head,
    .body = on_body,
    .complete = on_complete,
};

static void fail(struct client *c, int status, const char *problem)
{
    const struct client_events *up = c->up;
    void *owner = c->owner;
    client_end(c);
    if (up != NULL)
        up->failed(owner, status, problem);
}

static void on_data(void *owner, struct span bytes)
{
    struct client *c = owner;
    /* Bytes nobody asked for: this connection cannot be trusted. A user that has heard the end may
     * hold on to it all the same. */
    if (c->state == CLIENT_IDLE) {
        client_end(c);
        return;
    }
    if (c->state == CLIENT_DONE) {
        c->keep_alive = false;
        return;
    }
    struct span spans[CLIENT_SPANS_MAX];
    c->heard_anything = true;
    c->spans = spans;
    c->nspans = 0;
    int rc = parser_feed(&c->parser, &bytes);
    if (c->state == CLIENT_CLOSED)
        return;
    if (c->state == CLIENT_DONE) {
        if (bytes.len > 0)
            c->keep_alive = false; /* more than the message: never to be read as the next one */
        hand_up(c, true);
        return;
    }
    hand_up(c, false);
    if (c->state == CLIENT_CLOSED)
        return;
    if (rc < 0 || c->parser.problem.status != 0)
        fail(c, UV_EPROTO, c->parser.problem.what);
    else if (c->body_into != NULL && c->state == CLIENT_BODY)
        stream_read_into(c->stream, c->parser.body_left > 0 ? c->body_into : NULL,
                         c->parser.body_left);
}

static void on_closed(void *owner, int status)
{
    struct client *c = owner;
    if (c->state == CLIENT_BODY && status == UV_EOF && parser_finish(&c->parser) == 0 &&
        c->state == CLIENT_DONE) {
        c->keep_alive = false;
        c->nspans = 0;
        hand_up(c, true);
        return;
    }
    if (c->state == CLIENT_DONE) {
        c->keep_alive = false; /* the response is complete: nothing has failed */
        return;
    }
    fail(c, status, status == UV_EOF ? "the connection was closed" : uv_strerror(status));
}

static void on_writable(void *owner)
{
    struct client *c = owner;
    if (c->up != NULL && c->up->writable != NULL)
        c->up->writable(c->owner);
}

static const struct stream_events stream_events = {
    .data = on_data,
    .writable = on_writable,
    .closed = on_closed,
};

/* --- the user ------------------------------------------------------------------------------ */

static void on_idle_too_long(struct deadline *d)
{
    client_end((struct client *)((char *)d - offsetof(struct client, idle)));
}

/* A provider's head is larger than a client's: rate limits, policies, reporting. */
static const struct parser_limits response_limits = {.head_max = 64 * 1024, .field_max = 200};

struct client *client_new(struct loop *l, struct stream *stream, struct pool *home)
{
    struct client *c = xcalloc(1, sizeof *c);
    c->loop = l;
    c->stream = stream;
    c->home = home;
    c->state = CLIENT_IDLE;
    parser_init(&c->parser, false, &response_limits, &parser_events, c);
    deadline_init(&c->idle, l, on_idle_too_long);
    stream_attach(stream, &stream_events, c);
    return c;
}

void client_attach(struct client *c, const struct client_events *events, void *owner)
{
    c->state = CLIENT_WAITING;
    c->up = events;
    c->owner = owner;
    c->heard_anything = c->interim = false;
    parser_resume(&c->parser);
}

enum flow client_send(struct client *c, const struct span *spans, unsigned n)
{
    return stream_write(c->stream, spans, n);
}

void client_read_into(struct client *c, struct buf *into)
{
    c->body_into = into;
    if (into == NULL)
        stream_read_into(c->stream, NULL, 0);
}

void client_pause(struct client *c)
{
    stream_pause(c->stream);
    c->paused = true;
}

void client_resume(struct client *c)
{
    stream_resume(c->stream);
    c->paused = false;
}

void client_release(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    bool reusable = c->state == CLIENT_DONE && c->keep_alive && stream_backlog(c->stream) == 0;
    if (!reusable) {
        client_end(c);
        return;
    }
    c->state = CLIENT_IDLE;
    c->up = NULL;
    c->reused = true;
    if (c->body_into != NULL)
        client_read_into(c, NULL);
    if (c->paused)
        client_resume(c); /* an idle connection has to hear of its peer's end */
    pool_give(c->home, c);
}

void client_close(struct client *c)
{
    client_end(c);
}

bool client_was_reused(const struct client *c)
{
    return c->reused;
}

bool client_heard_anything(const struct client *c)
{
    return c->heard_anything;
}
