#include "captured_answer.h"

#include "exchange_priv.h"

#include "sluice/store/answers.h"

#include <stdlib.h>

enum { VERSION = 1, HEAD_BYTES = 1 + 2 + 1 + 4 };

/* --- capturing -------------------------------------------------------------------------------------- */

static void let_go(struct captured_answer *c)
{
    c->gateway->captured_bytes -= c->counted;
    c->counted = 0;
    buf_fini(&c->bytes);
}

static void add(struct captured_answer *c, struct span s)
{
    if (c->is_too_large)
        return;
    c->is_too_large = buf_len(&c->bytes) + s.len > ANSWER_MAX_BYTES ||
                      c->gateway->captured_bytes + s.len > CAPTURED_MAX_BYTES ||
                      buf_add(&c->bytes, s) < 0;
    if (c->is_too_large) {
        let_go(c);
        return;
    }
    c->counted += s.len;
    c->gateway->captured_bytes += s.len;
}

static void on_head(struct sink *s, const struct response_head *head)
{
    struct captured_answer *c = (struct captured_answer *)s;
    struct buf lasting = {0};
    c->status = head->status;
    if (answer_lasting_fields(head->fields, &lasting) < 0)
        c->is_too_large = true;
    uint32_t len = (uint32_t)buf_len(&lasting);
    const uint8_t made[HEAD_BYTES] = {
        VERSION,
        (uint8_t)head->status,
        (uint8_t)(head->status >> 8),
        head->content_length == LENGTH_NEVER,
        (uint8_t)len,
        (uint8_t)(len >> 8),
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 24),
    };
    add(c, span_of(made, sizeof made));
    add(c, buf_span(&lasting));
    buf_fini(&lasting);
    sink_head(c->behind, head);
}

static void add_all(struct captured_answer *c, const struct span *spans, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        add(c, spans[i]);
}

static enum flow on_data(struct sink *s, const struct span *spans, unsigned n)
{
    struct captured_answer *c = (struct captured_answer *)s;
    add_all(c, spans, n);
    return sink_data(c->behind, spans, n);
}

static void on_end(struct sink *s, const struct span *last, unsigned n)
{
    struct captured_answer *c = (struct captured_answer *)s;
    add_all(c, last, n);
    c->is_complete = true;
    sink_end(c->behind, last, n);
}

static void on_abort(struct sink *s, const char *why)
{
    sink_abort(((struct captured_answer *)s)->behind, why);
}

static const struct sink_ops ops = {
    .head = on_head, .data = on_data, .end = on_end, .abort = on_abort};

/* What the client's sink tells goes to the exchange straight. */
void captured_answer_start(struct exchange *x)
{
    if (x->captured != NULL)
        return;
    x->captured = xcalloc(1, sizeof *x->captured);
    x->captured->sink.ops = &ops;
    x->captured->gateway = x->gateway;
    x->captured->behind = x->sink;
    x->sink = &x->captured->sink;
}

void captured_answer_stop(struct exchange *x)
{
    if (x->captured != NULL)
        x->sink = x->captured->behind;
}

void captured_answer_free(struct exchange *x)
{
    if (x->captured == NULL)
        return;
    let_go(x->captured);
    free(x->captured);
    x->captured = NULL;
}

bool captured_answer_lasts(const struct exchange *x)
{
    const struct captured_answer *c = x->captured;
    if (!c->is_complete)
        return false;
    if (c->status < 300)
        return x->outcome == OUTCOME_OK;
    switch (c->status) {
    case 401:
    case 402:
    case 408:
    case 409:
    case 429:
        return false; /* another time it may be otherwise */
    default:
        return c->status >= 400 && c->status < 500;
    }
}

/* --- given again ------------------------------------------------------------------------------------ */

struct replay {
    struct buf bytes;
    struct span body;
    struct pump pump;
};

static enum flow on_piece(void *arg, const struct span *spans, unsigned n, bool last)
{
    struct exchange *x = arg;
    if (!last)
        return sink_data(x->sink, spans, n);
    sink_end(x->sink, spans, n);
    exchange_finish(x);
    return FLOW_OK;
}

static size_t read_u32(const uint8_t *at)
{
    return at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
}

static void send_head(struct exchange *x, const uint8_t *head, struct span fields, size_t length)
{
    const struct response_head made = {
        .status = x->status,
        .fields = fields,
        .content_length = head[3] ? LENGTH_NEVER : (int64_t)length,
    };
    x->head_sent = true;
    x->replays_stream = head[3] != 0;
    x->first_write_us = clock_us();
    sink_head(x->sink, &made);
}

/* A large one takes its time, and what was found goes before. */
static bool hold_body(struct exchange *x, struct span body)
{
    struct buf bytes = {0};
    bool fits = x->gateway->captured_bytes + body.len <= CAPTURED_MAX_BYTES &&
                buf_reserve_exact(&bytes, body.len) == 0 && buf_add(&bytes, body) == 0;
    if (!fits) {
        buf_fini(&bytes);
        return false;
    }
    x->gateway->captured_bytes += body.len;
    x->replay = xcalloc(1, sizeof *x->replay);
    x->replay->bytes = bytes;
    x->replay->body = buf_span(&bytes);
    return true;
}

bool captured_answer_replay(struct exchange *x, struct span kept, struct span more)
{
    if (kept.len < HEAD_BYTES || kept.at[0] != VERSION ||
        read_u32(kept.at + 4) > kept.len - HEAD_BYTES)
        return false;
    struct span fields = span_sub(kept, HEAD_BYTES, read_u32(kept.at + 4));
    struct span body = span_skip(kept, HEAD_BYTES + fields.len);
    if (body.len > PUMP_PIECE_BYTES && !hold_body(x, body)) {
        const struct fault full = {.kind = FAULT_OVERLOADED,
                                   .message = "too many large answers are being given again"};
        exchange_fail(x, &full);
        return true;
    }
    x->status = kept.at[1] | (unsigned)kept.at[2] << 8;
    x->outcome = x->status < 400 ? OUTCOME_OK : OUTCOME_CLIENT_ERROR;
    exchange_begin_replay(x);
    send_head(x, kept.at, answer_replayed_fields(x, fields, more), body.len);
    if (x->replay != NULL) {
        pump_start(&x->replay->pump, x->gateway->loop, &x->replay->body, 1, on_piece, x);
        return true;
    }
    sink_end(x->sink, &body, 1);
    exchange_finish(x);
    return true;
}

void captured_answer_go_on(struct exchange *x)
{
    if (x->replay != NULL)
        pump_go_on(&x->replay->pump);
}

/* Within the last write the pump is through already. */
void captured_answer_replay_stop(struct exchange *x)
{
    if (x->replay == NULL)
        return;
    pump_stop(&x->replay->pump);
    x->gateway->captured_bytes -= buf_len(&x->replay->bytes);
    buf_fini(&x->replay->bytes);
    free(x->replay);
    x->replay = NULL;
}
