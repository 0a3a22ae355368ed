/* net_harness.h: two ends of a connection on one real loop, for the tests of net/ and above. */
#ifndef SLUICE_TEST_NET_HARNESS_H
#define SLUICE_TEST_NET_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sluice/net/dial.h"
#include "sluice/net/listener.h"
#include "sluice/net/stream.h"
#include "sluice/net/timer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One turn without sleeping: a test that waits for what never comes fails instead of hanging. */
static inline void turn(struct loop *l)
{
    if (uv_run(loop_uv(l), UV_RUN_NOWAIT) == 0)
        loop_run(l); /* nothing but what loop_later holds */
    usleep(100);
}

#define RUN_UNTIL(l, condition)                                \
    do {                                                       \
        uint64_t give_up_us = clock_us() + 20 * 1000000;       \
        while (!(condition)) {                                 \
            if (clock_us() > give_up_us)                       \
                fail_msg("waited in vain for %s", #condition); \
            turn(l);                                           \
        }                                                      \
    } while (0)

static inline void run_ms(struct loop *l, unsigned ms)
{
    uint64_t end_us = clock_us() + ms * UINT64_C(1000);
    while (clock_us() < end_us)
        turn(l);
}

/* What one owner of a stream saw. */
struct end {
    struct stream *s;
    struct buf got;
    unsigned ndata, nwritable, nclosed;
    int closed_status;
    void (*in_data)(struct end *e); /* what to do inside each callback; may be NULL */
    void (*in_writable)(struct end *e);
    void (*in_closed)(struct end *e);
    bool let_go; /* nothing may come any more */
};

static inline void end_on_data(void *owner, struct span bytes)
{
    struct end *e = owner;
    assert_false(e->let_go);
    assert_true(bytes.len > 0);
    assert_int_equal(buf_add(&e->got, bytes), 0);
    e->ndata++;
    if (e->in_data != NULL)
        e->in_data(e);
}

static inline void end_on_writable(void *owner)
{
    struct end *e = owner;
    assert_false(e->let_go);
    e->nwritable++;
    if (e->in_writable != NULL)
        e->in_writable(e);
}

static inline void end_on_closed(void *owner, int status)
{
    struct end *e = owner;
    assert_false(e->let_go);
    e->nclosed++;
    e->closed_status = status;
    assert_int_equal(e->nclosed, 1);
    if (e->in_closed != NULL)
        e->in_closed(e);
}

static const struct stream_events end_events = {end_on_data, end_on_writable, end_on_closed};

static inline void end_attach(struct end *e, struct stream *s)
{
    e->s = s;
    stream_attach(s, &end_events, e);
}

static inline void end_close(struct end *e)
{
    e->let_go = true;
    stream_close(e->s);
    e->s = NULL;
}

static inline void end_finish(struct end *e)
{
    e->let_go = true;
    stream_finish(e->s);
    e->s = NULL;
}

static inline void end_fini(struct end *e)
{
    if (e->s != NULL)
        end_close(e);
    buf_fini(&e->got);
}

static inline enum flow end_write(struct end *e, const char *text)
{
    struct span bytes = span_text(text);
    return stream_write(e->s, &bytes, 1);
}

/* A listener whose streams become `server`, and a dial to it that becomes `client`. */
struct link {
    struct loop *loop;
    struct listener *listener;
    struct end server, client;
    unsigned naccepted, ndone;
    enum dial_stage stage;
    int status;
    char problem[160];
};

static inline void link_on_accepted(void *arg, struct stream *s)
{
    struct link *k = arg;
    if (k->naccepted++ == 0)
        end_attach(&k->server, s);
    else
        stream_close(s);
}

static inline void link_on_dialled(void *arg, const struct dial_result *r)
{
    struct link *k = arg;
    k->ndone++;
    k->stage = r->stage;
    k->status = r->status;
    snprintf(k->problem, sizeof k->problem, "%s", r->problem == NULL ? "" : r->problem);
    if (r->stream != NULL)
        end_attach(&k->client, r->stream);
}

static inline void link_listen(struct link *k, const char *address, struct tls_context *tls)
{
    struct err why = {0};
    const struct listener_config c = {
        .address = address, .tls = tls, .handshake_timeout_ms = 5000, .unix_mode = 0600};
    k->listener = listener_open(k->loop, &c, link_on_accepted, k, &why);
    if (k->listener == NULL)
        fail_msg("%s", why.text);
}

static inline uint16_t link_port(const struct link *k)
{
    return (uint16_t)atoi(strrchr(listener_address(k->listener), ':') + 1);
}

static inline void link_fini(struct link *k)
{
    end_fini(&k->server);
    end_fini(&k->client);
    if (k->listener != NULL)
        listener_close(k->listener);
    dial_cache_free(k->loop);
    loop_free(k->loop);
}

/* Connected over loopback TCP, clear. */
static inline void link_init(struct link *k)
{
    struct dial_target target = {.host = "127.0.0.1", .timeout_ms = 5000};
    *k = (struct link){.loop = loop_new()};
    link_listen(k, "127.0.0.1:0", NULL);
    target.port = link_port(k);
    dial_start(k->loop, &target, link_on_dialled, k);
    RUN_UNTIL(k->loop, k->server.s != NULL && k->client.s != NULL);
}

/* A blocking socket to `port`: the peer that does as it likes. */
static inline int raw_connect(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* The same, but accepted: link.server is the stream at the other end. */
static inline int link_init_raw(struct link *k)
{
    *k = (struct link){.loop = loop_new()};
    link_listen(k, "127.0.0.1:0", NULL);
    int fd = raw_connect(link_port(k));
    RUN_UNTIL(k->loop, k->server.s != NULL);
    return fd;
}

static inline void raw_reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

#endif
