/* http_peer.h: the other end of an HTTP connection: a plain socket that does as it likes. */
#ifndef SLUICE_TEST_HTTP_PEER_H
#define SLUICE_TEST_HTTP_PEER_H

#include "net_harness.h"

#include <errno.h>
#include <fcntl.h>

struct peer {
    int fd;
    struct buf got; /* what came, without the Date line, which is different every time */
    bool eof, reset;
};

static inline void peer_write(struct peer *p, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(p->fd, text, len, MSG_NOSIGNAL), len);
}

static inline void drop_dates(struct buf *b)
{
    struct span all = buf_span(b);
    size_t at;
    while ((at = span_find(all, SPAN_LIT("Date: "))) != SIZE_MAX) {
        size_t len = span_find(span_skip(all, at), SPAN_LIT("\r\n"));
        if (len == SIZE_MAX)
            return; /* not all of it has come */
        uint8_t *line = b->at + b->head + at;
        memmove(line, line + len + 2, all.len - at - len - 2);
        b->tail -= len + 2;
        all = buf_span(b);
    }
}

/* Takes what is there. */
static inline void peer_read(struct peer *p)
{
    uint8_t bytes[65536];
    ssize_t n;
    while (!p->eof && !p->reset && (n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT)) != -1) {
        p->eof = n == 0;
        assert_int_equal(buf_add(&p->got, span_of(bytes, (size_t)n)), 0);
    }
    if (!p->eof && errno == ECONNRESET)
        p->reset = true;
    drop_dates(&p->got);
}

static inline bool peer_has(struct peer *p, const char *text)
{
    peer_read(p);
    return p->eof || p->reset || buf_len(&p->got) >= strlen(text);
}

/* The next bytes have to be these. */
static inline void peer_expect(struct loop *l, struct peer *p, const char *text)
{
    RUN_UNTIL(l, peer_has(p, text));
    struct span got = buf_span(&p->got), want = span_text(text);
    if (!span_starts(got, want))
        fail_msg("got \"%.*s\"\nwanted \"%s\"", (int)got.len, (const char *)got.at, text);
    buf_consume(&p->got, want.len);
}

static inline bool peer_ended(struct peer *p)
{
    peer_read(p);
    return p->eof || p->reset;
}

/* Nothing more comes but the end. */
static inline void peer_expect_end(struct loop *l, struct peer *p)
{
    RUN_UNTIL(l, peer_ended(p));
    if (buf_len(&p->got) > 0)
        fail_msg("more came: \"%.*s\"", (int)buf_len(&p->got), (const char *)buf_span(&p->got).at);
}

static inline void peer_close(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    buf_fini(&p->got);
}

static inline void peer_vanish(struct peer *p)
{
    raw_reset(p->fd);
    p->fd = -1;
}

#endif
