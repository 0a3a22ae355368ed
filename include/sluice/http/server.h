/* server.h: HTTP/1.1 towards clients: connections, requests, and their sinks.
 *
 * One server a listener. A connection carries one request at a time; what a client pipelines
 * behind it waits, bounded, in the socket and a small buffer. The handler is asked twice: at the
 * head (may this be read at all, and how much of it) and when the body is complete. It answers
 * through the request's sink, at once or later.
 *
 * A client that closes its side while it is being answered is taken to be gone (as Go's net/http
 * and nginx do): that is how an upstream is cancelled before its first byte. */
#ifndef SLUICE_HTTP_SERVER_H
#define SLUICE_HTTP_SERVER_H

#include "sluice/http/body.h"
#include "sluice/http/head.h"
#include "sluice/http/parser.h"
#include "sluice/http/sink.h"

struct server;

struct server_limits {
    struct parser_limits head;
    unsigned header_timeout_ms; /* from its first byte to the end of a head */
    unsigned body_timeout_ms;   /* without a byte of an unfinished body */
    unsigned idle_timeout_ms;   /* between two requests */
    unsigned write_timeout_ms;  /* a client that does not take a byte of its answer */
};

struct server_handler {
    /* A head arrived. Answers through the sink at once (and returns NULL), or returns its request,
     * which from then on hears of the sink through sink->up, and sets *body_max. */
    void *(*open)(void *ctx, struct sink *sink, const struct http_head *head, uint64_t *body_max);
    /* The body is complete. `body` is borrowed until return; when `kept` holds it, it may be moved
     * out. Called exactly once, unless `refuse` or sink->up->closed comes first. */
    void (*complete)(void *request, struct span body, struct body *kept);
    /* The message cannot be read further: answer with this status. `request` is NULL when the
     * head itself was at fault. The connection closes after the answer. */
    void (*refuse)(void *ctx, void *request, struct sink *sink, const struct parser_problem *why);
};

/* What all servers of the process share. */
struct server_shared {
    struct loop *loop;
    struct body_budget bodies;
    unsigned connections, connections_max;
};

struct server *server_new(struct server_shared *shared, const struct server_limits *limits,
                          const struct server_handler *handler, void *ctx);
/* New limits, for requests whose head has not begun. */
void server_set_limits(struct server *s, const struct server_limits *limits);
/* A connection from the listener; refused at once (closed) when there are too many. */
void server_accept(struct server *s, struct stream *stream);

/* Idle connections close now, the others after the answer they are giving. */
void server_drain(struct server *s);
unsigned server_connections(const struct server *s);
/* Every connection is cut (their requests hear `closed`). The memory goes with the last one. */
void server_close(struct server *s);

/* The address of the client behind a sink of a server, for records; "" for other sinks. */
const char *server_peer(const struct sink *sink);

#endif
