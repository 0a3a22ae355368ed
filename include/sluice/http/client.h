/* client.h: HTTP/1.1 towards providers: one connection, one exchange of messages at a time.
 *
 * Connections come from a pool (pool.h). The user sends a request in one or more writes, hears
 * of the response's head, its bytes as they are read, and of its end or failure, and gives the
 * connection back or closes it. Interim responses (1xx) are skipped. */
#ifndef SLUICE_HTTP_CLIENT_H
#define SLUICE_HTTP_CLIENT_H

#include "sluice/http/head.h"
#include "sluice/http/parser.h"
#include "sluice/net/stream.h"

struct client;
struct pool;

struct client_events {
    /* Spans are borrowed until return. False: the response is not wanted any more, and the
     * callee has released or closed the connection. */
    bool (*head)(void *owner, const struct http_head *head);
    /* What one read brought, at most CLIENT_SPANS_MAX pieces, without the transfer coding. With `last`
     * the message is complete and n may be 0: nothing more is heard, the connection may be given back. */
    void (*data)(void *owner, const struct span *spans, unsigned n, bool last);
    /* The response cannot be completed: the peer closed or reset, the bytes are not HTTP. `status` is
     * a libuv code (UV_EPROTO for malformed bytes), `problem` a phrase. The connection is closed. */
    void (*failed)(void *owner, int status, const char *problem);
    /* More can be sent; NULL: there never is more, the request is handed over whole. */
    void (*writable)(void *owner);
};

#define CLIENT_SPANS_MAX 48

/* Used by pool.c: a connected stream becomes an idle client. */
struct client *client_new(struct loop *l, struct stream *stream, struct pool *home);

/* Becomes busy for this user. */
void client_attach(struct client *c, const struct client_events *events, void *owner);
/* The request, or a part of it. */
enum flow client_send(struct client *c, const struct span *spans, unsigned n);
/* The response body may be read straight into `into`, see stream_read_into. */
void client_read_into(struct client *c, struct buf *into);
void client_pause(struct client *c);
void client_resume(struct client *c);

/* The user is through: back to its pool when the message was complete and the connection may live
 * on, closed otherwise. No upcalls from here on. */
void client_release(struct client *c);
void client_close(struct client *c);

bool client_was_reused(const struct client *c);     /* it has carried an earlier exchange */
bool client_heard_anything(const struct client *c); /* a byte came back in this exchange */

#endif
