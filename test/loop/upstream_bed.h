/* upstream_bed.h: a pool of connections to a provider that the test plays itself. */
#ifndef SLUICE_TEST_UPSTREAM_BED_H
#define SLUICE_TEST_UPSTREAM_BED_H

#include "http_peer.h"

#include "sluice/http/pool.h"

#include <netinet/tcp.h>

struct upstream_bed {
    struct loop *loop;
    int fd; /* listening */
    uint16_t port;
    struct pool *pool;
};

/* Whoever sends requests: what it was told, and what it does inside a callback. */
struct user {
    struct client *client;
    struct ticket *ticket;
    struct buf body;
    unsigned nheads, ndata, nlast, nfailed, nwritable, ntickets, status;
    int failed_status, ticket_status;
    enum dial_stage stage;
    uint32_t connect_us;
    bool through; /* released or closed: nothing may come any more */
    bool (*in_head)(struct user *);
    void (*in_data)(struct user *, bool last);
    void (*in_failed)(struct user *);
    void (*in_ticket)(struct user *);
    void *also;
};

static inline bool user_on_head(void *owner, const struct http_head *head)
{
    struct user *u = owner;
    assert_false(u->through);
    u->nheads++;
    u->status = head->status;
    return u->in_head == NULL || u->in_head(u);
}

static inline void user_on_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    struct user *u = owner;
    assert_false(u->through);
    assert_int_equal(u->nlast, 0);
    assert_true(n <= CLIENT_SPANS_MAX && (n > 0 || last));
    for (unsigned i = 0; i < n; i++) {
        bool in_place = u->body.at != NULL && spans[i].at == u->body.at + u->body.tail;
        if (in_place)
            u->body.tail += spans[i].len;
        else
            assert_int_equal(buf_add(&u->body, spans[i]), 0);
    }
    u->ndata++;
    u->nlast += last;
    if (u->in_data != NULL)
        u->in_data(u, last);
}

static inline void user_on_failed(void *owner, int status, const char *problem)
{
    struct user *u = owner;
    assert_false(u->through);
    assert_int_equal(u->nlast, 0);
    assert_non_null(problem);
    u->nfailed++;
    u->failed_status = status;
    u->through = true;
    u->client = NULL;
    if (u->in_failed != NULL)
        u->in_failed(u);
}

static inline void user_on_writable(void *owner)
{
    struct user *u = owner;
    assert_false(u->through);
    u->nwritable++;
}

static const struct client_events user_events = {user_on_head, user_on_data, user_on_failed,
                                                 user_on_writable};

static inline void user_attach(struct user *u, struct client *c)
{
    u->client = c;
    u->through = false;
    u->nlast = 0;
    client_attach(c, &user_events, u);
}

static inline void user_on_ticket(void *arg, const struct ticket_result *r)
{
    struct user *u = arg;
    assert_non_null(u->ticket);
    u->ticket = NULL;
    u->ntickets++;
    u->ticket_status = r->status;
    u->stage = r->stage;
    u->connect_us = r->connect_us;
    if (r->client != NULL)
        user_attach(u, r->client);
    if (u->in_ticket != NULL)
        u->in_ticket(u);
}

static inline void user_take(struct upstream_bed *b, struct user *u, bool fresh)
{
    struct client *c = pool_take(b->pool, fresh, user_on_ticket, u, &u->ticket);
    assert_true((c == NULL) == (u->ticket != NULL));
    if (c != NULL)
        user_attach(u, c);
}

static inline void user_release(struct user *u)
{
    u->through = true;
    client_release(u->client);
    u->client = NULL;
}

static inline void user_close(struct user *u)
{
    u->through = true;
    client_close(u->client);
    u->client = NULL;
}

static inline void user_cancel(struct user *u)
{
    ticket_cancel(u->ticket);
    u->ticket = NULL;
}

static inline void user_ask(struct user *u)
{
    struct span request = SPAN_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(client_send(u->client, &request, 1), FLOW_OK);
}

static inline void user_fini(struct user *u)
{
    if (u->ticket != NULL)
        user_cancel(u);
    if (u->client != NULL)
        user_close(u);
    buf_fini(&u->body);
}

static inline void upstream_init(struct upstream_bed *b, unsigned connections_max,
                                 unsigned timeout_ms, unsigned idle_timeout_ms)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *b = (struct upstream_bed){.loop = loop_new()};
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(b->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(b->fd, 64), 0);
    assert_int_equal(getsockname(b->fd, (struct sockaddr *)&at, &len), 0);
    b->port = ntohs(at.sin_port);
    const struct pool_options o = {
        .target = {.host = "127.0.0.1", .port = b->port, .timeout_ms = timeout_ms},
        .connections_max = connections_max,
        .idle_timeout_ms = idle_timeout_ms,
    };
    b->pool = pool_new(b->loop, &o);
}

static inline void upstream_fini(struct upstream_bed *b)
{
    if (b->pool != NULL)
        pool_unref(b->pool);
    if (b->fd >= 0)
        close(b->fd);
    run_ms(b->loop, 1);
    dial_cache_free(b->loop);
    loop_free(b->loop);
}

/* The next connection that was made to the provider. */
static inline struct peer upstream_accept(struct upstream_bed *b)
{
    struct peer p = {.fd = -1};
    int on = 1;
    RUN_UNTIL(b->loop, (p.fd = accept(b->fd, NULL, NULL)) >= 0);
    /* Or each piece would wait for the acknowledgement of the one before. */
    setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return p;
}

static inline bool upstream_nobody_came(struct upstream_bed *b)
{
    int fd = accept(b->fd, NULL, NULL);
    if (fd >= 0)
        close(fd);
    return fd < 0;
}

/* A connection in use, and its other end. */
static inline struct peer user_connect(struct upstream_bed *b, struct user *u)
{
    user_take(b, u, false);
    struct peer p = upstream_accept(b);
    RUN_UNTIL(b->loop, u->client != NULL);
    return p;
}

#endif
