#include "lanes.h"

#include "sluice/codec/embeddings.h"

/* A single document is held until it is complete and is JSON: the client could not use half of
 * it, and another endpoint can still be tried when it turns out broken. */

enum { WHOLE_MAX = 64 * 1024 * 1024 };

/* The members an answer gains behind its opening brace, each with its comma; at most 7 spans. */
static unsigned own_members(struct exchange *x, const struct passing_event *e, struct buf *cost,
                            struct span *out)
{
    unsigned n = 0;
    if (!e->has_request_id) {
        out[n++] = SPAN_LIT("\"request_id\":\"");
        out[n++] = span_of(x->request_id, 32);
        out[n++] = SPAN_LIT("\",");
    }
    if (!e->has_provider) { /* a provider's name is a slug: nothing in it needs escapes */
        out[n++] = SPAN_LIT("\"provider\":\"");
        out[n++] = span_text(x->attempt.target->provider->name);
        out[n++] = SPAN_LIT("\",");
    }
    if (x->wants_cost) {
        struct cost c = cost_of(&x->usage, x->attempt.target->price);
        if (cost_write_members(&c, cost) == 0 && buf_add_byte(cost, ',') == 0)
            out[n++] = buf_span(cost);
    }
    return n;
}

static void pass_document(struct exchange *x, struct span document)
{
    const struct passing *p = passing_for(x->kind->api);
    struct passing_event e = p->look(NULL, document);
    if (e.kind == EVENT_ERROR) {
        lane_fail_with_error(x, e.error);
        return;
    }
    if (e.kind != EVENT_CHUNK) {
        lane_fail(x, "its answer is not a JSON object");
        return;
    }
    if (e.finish.len > 0)
        lane_note_finish(x, e.finish);
    if (e.usage.len > 0)
        (void)p->read_usage(&x->usage, e.usage);

    struct buf cost = {0};
    struct span ours[9];
    unsigned n = own_members(x, &e, &cost, ours + 1);
    if (e.is_empty && n > 0)
        ours[n].len--; /* nothing follows the last comma */
    ours[0] = span_sub(document, 0, e.open + 1);
    ours[n + 1] = span_skip(document, e.open + 1);
    exchange_send_head(x, 200, "application/json", LENGTH_UNKNOWN);
    exchange_commit(x);
    sink_end(x->sink, ours, n + 2);
    buf_fini(&cost);
    lane_finish(x);
}

/* Vectors in the form that was asked for. */
static void pass_recoded(struct exchange *x, struct span document)
{
    struct buf recoded = {0};
    if (x->kind->api == API_EMBEDDINGS &&
        embeddings_recode(buf_span(&x->body.bytes), document, &recoded))
        document = buf_span(&recoded);
    pass_document(x, document);
    buf_fini(&recoded);
}

/* Too large to hold: it goes through unread, in the framing its length allows. */
static void pass_through(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    struct emitter e;
    emitter_init(&e, x);
    if (!l->unread) {
        l->unread = true;
        exchange_send_head(x, 200, "application/json", LENGTH_UNKNOWN);
        exchange_commit(x);
        emit(&e, buf_span(&l->held));
        emitter_flush(&e);
        buf_fini(&l->held);
    }
    for (unsigned i = 0; i < n; i++)
        emit(&e, spans[i]);
    if (!last) {
        emitter_flush(&e);
        return;
    }
    sink_end(x->sink, e.out, e.n);
    lane_finish(x);
}

static bool hold(struct pass_lane *l, const struct span *spans, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool in_place = l->held.at != NULL && spans[i].at == l->held.at + l->held.tail;
        if (in_place)
            l->held.tail += spans[i].len;
        else if (buf_add(&l->held, spans[i]) < 0)
            return false;
    }
    return true;
}

void document_lane_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    size_t len = buf_len(&l->held);
    for (unsigned i = 0; i < n; i++)
        len += spans[i].len;
    if (l->unread || len > WHOLE_MAX) {
        pass_through(x, spans, n, last);
    } else if (last && n == 1 && buf_len(&l->held) == 0) {
        pass_recoded(x, spans[0]); /* the usual case: one read, no copy */
    } else if (!hold(l, spans, n)) {
        lane_fail(x, "its answer cannot be held: out of memory");
    } else if (last) {
        pass_recoded(x, buf_span(&l->held));
    }
}

void document_lane_open(struct exchange *x, const struct http_head *head)
{
    struct pass_lane *l = &x->lane;
    bool large = head->framing == FRAMING_COUNTED && head->content_length > LOOP_READ_BYTES / 2 &&
                 head->content_length <= WHOLE_MAX && x->attempt.inflater == NULL;
    if (large && x->attempt.client != NULL &&
        buf_reserve_exact(&l->held, head->content_length) == 0)
        client_read_into(x->attempt.client, &l->held);
}
