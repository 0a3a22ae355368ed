#include "lanes.h"

#include "sluice/codec/provider_error.h"

#include <string.h>

/* An event stream is passed on in whole events, all that one read completed in one write: the meter
 * looks at each, the usage chunk that only we asked for stays behind, and nothing half-said has
 * left when the provider breaks off. What a read leaves unfinished waits for the next one; past
 * HOLD_MAX it goes on in pieces, for then it cannot be the usage chunk. */

enum {
    HOLD_MAX = 16 * 1024,
    EVENT_MAX = 16 * 1024 * 1024,
    DONE_GRACE_MS = 1000, /* from [DONE] to the end of the message */
};

/* --- what an event says ------------------------------------------------------------------------- */

/* The usage chunk with what it cost, made anew: the only chunk that is. */
static struct span with_cost(struct exchange *x, struct span data, size_t end)
{
    struct buf made = {0};
    struct cost cost = attempt_cost(&x->attempt);
    struct span kept = data;
    if (buf_add_text(&made, "data: ") == 0 && buf_add(&made, span_sub(data, 0, end)) == 0 &&
        buf_addf(&made, ",\"request_id\":\"%s\",", x->request_id) == 0 &&
        cost_write_members(&cost, &made) == 0 && buf_add_text(&made, "}\n\n") == 0)
        kept = arena_keep(&x->arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}

enum verdict { VERDICT_PASS, VERDICT_WITHHOLD, VERDICT_REPLACE, VERDICT_FAILED };

static enum verdict look_at_chunk(struct exchange *x, const struct passing_event *e,
                                  struct span data, struct span *instead)
{
    const struct passing *p = x->lane.passing;
    if (e->has_content) {
        x->events++;
        if (x->first_token_us == 0 && p->brings_token(e->content))
            x->first_token_us = clock_us();
    }
    if (e->finish.len > 0)
        lane_note_finish(x, e->finish);
    if (e->usage.len == 0 || !p->read_usage(&x->usage, e->usage) || e->has_content ||
        !p->has_usage_chunk)
        return VERDICT_PASS;
    if (x->lane.withhold_usage)
        return VERDICT_WITHHOLD;
    if (!x->wants_cost)
        return VERDICT_PASS;
    *instead = with_cost(x, data, e->end);
    return VERDICT_REPLACE;
}

/* The last event. Without any before it that brought something, nobody has answered. */
static enum verdict look_at_end(struct emitter *out, const struct passing_event *e,
                                struct span data)
{
    struct exchange *x = out->x;
    struct span unused;
    x->lane.done = true;
    if (e->usage.len > 0 || e->finish.len > 0)
        (void)look_at_chunk(x, e, data, &unused);
    if (x->events > 0 || x->lane.errored || x->usage.source != USAGE_NONE)
        return VERDICT_PASS;
    emitter_flush(out);
    lane_fail(x, "its stream ended without a chunk");
    return VERDICT_FAILED;
}

/* A failure goes behind what this read has already brought in good order. */
static enum verdict look(struct emitter *out, struct span data, struct span name,
                         struct span *instead)
{
    struct exchange *x = out->x;
    struct pass_lane *l = &x->lane;
    struct passing_event e = l->passing->look(l->prefix, data);
    l->sequence = e.sequence;
    if (e.begun.len > 0 && l->begun.len == 0)
        l->begun = arena_keep(&x->arena, e.begun);
    if (e.kind == EVENT_CHUNK && span_eq(name, SPAN_LIT("error"))) /* Groq */
        e.kind = EVENT_ERROR;
    struct span error = e.error.len > 0 ? e.error : data;
    switch (e.kind) {
    case EVENT_CHUNK:
        return look_at_chunk(x, &e, data, instead);
    case EVENT_DONE:
        return look_at_end(out, &e, data);
    case EVENT_ERROR:
        if (x->state == EXCHANGE_ATTEMPTING && x->events == 0) {
            lane_fail_with_error(x, error);
            return VERDICT_FAILED;
        }
        l->errored = true; /* the client reads it in the provider's words */
        l->done = e.is_last;
        l->reported = ARENA_NEW(&x->arena, struct fault);
        provider_error_read(error, l->reported);
        x->outcome = OUTCOME_UPSTREAM_ERROR;
        x->error_type = "upstream_error";
        return VERDICT_PASS;
    case EVENT_MALFORMED:
        emitter_flush(out);
        lane_fail(x, "its stream holds an event that is not a JSON object");
        return VERDICT_FAILED;
    }
    return VERDICT_PASS;
}

/* Pieces of the event under way, in order; piece 0 may be what earlier reads left. */
struct pieces {
    struct span at[CLIENT_SPANS_MAX + 2];
    unsigned n;
};

static void add_piece(struct pieces *p, const uint8_t *from, const uint8_t *to)
{
    if (to > from)
        p->at[p->n++] = span_of(from, (size_t)(to - from));
}

static size_t pieces_len(const struct pieces *p)
{
    size_t len = 0;
    for (unsigned i = 0; i < p->n; i++)
        len += p->at[i].len;
    return len;
}

static void emit_pieces(struct emitter *e, struct pieces *p)
{
    for (unsigned i = 0; i < p->n; i++)
        emit(e, p->at[i]);
    p->n = 0;
}

static void open_answer(struct exchange *x)
{
    if (!x->head_sent)
        exchange_send_head(x, 200, "text/event-stream; charset=utf-8", LENGTH_NEVER);
}

/* An event is complete. False: the exchange has failed, and `e` may hold nothing any more. */
static bool pass_event(struct exchange *x, struct emitter *e, struct pieces *p)
{
    struct pass_lane *l = &x->lane;
    struct span instead;
    switch (look(e, l->sse.data, l->sse.name, &instead)) {
    case VERDICT_PASS:
        open_answer(x);
        exchange_commit(x);
        emit_pieces(e, p);
        break;
    case VERDICT_WITHHOLD:
        p->n = 0;
        break;
    case VERDICT_REPLACE:
        p->n = 0;
        open_answer(x);
        exchange_commit(x);
        emit(e, instead);
        break;
    case VERDICT_FAILED:
        return false;
    }
    l->inside_event = false;
    return true;
}

/* What this read left unfinished: on hold, or gone on. */
static void keep_rest(struct exchange *x, struct emitter *e, struct pieces *rest, bool rest_is_held)
{
    struct pass_lane *l = &x->lane;
    bool between = l->sse.pending == 0; /* whole comments only: a provider's own keep-alive */
    if (between || l->inside_event || pieces_len(rest) > HOLD_MAX) {
        open_answer(x);
        if (!between) {
            exchange_commit(x);
            l->inside_event = true;
        }
        emit_pieces(e, rest);
        emitter_flush(e);
        buf_clear(&l->held);
        return;
    }
    emitter_flush(e);
    if (!rest_is_held)
        buf_clear(&l->held);
    for (unsigned i = rest_is_held; i < rest->n; i++) {
        if (buf_add(&l->held, rest->at[i]) < 0) {
            lane_fail(x, "an event cannot be held: out of memory");
            return;
        }
    }
}

static void end_stream(struct exchange *x, struct emitter *e)
{
    struct pass_lane *l = &x->lane;
    bool has_ended = l->finished || l->errored;
    if (!l->done && (!has_ended || l->inside_event)) { /* half an event is no end either */
        emitter_flush(e);
        lane_fail(x, "its stream ended before the answer did");
        return;
    }
    open_answer(x);
    if (!l->done && l->errored && x->kind->api == API_RESPONSES) {
        emitter_flush(e);
        lane_end_with_fault(x, l->reported); /* an error event is no end there */
        lane_finish(x);
        return;
    }
    if (!l->done && (!l->errored || l->passing->terminates_errors))
        emit(e, l->passing->terminator);
    sink_end(x->sink, e->out, e->n);
    lane_finish(x);
}

void event_lane_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    struct emitter e;
    struct pieces rest;
    emitter_init(&e, x);
    rest.n = 0; /* and no initialiser: clearing two kilobytes would show, once a chunk */
    struct span held = buf_span(&l->held);
    bool rest_is_held = held.len > 0; /* rest.at[0] lies in l->held */
    if (rest_is_held)
        rest.at[rest.n++] = held;

    for (unsigned i = 0; i < n; i++) {
        struct span input = spans[i];
        const uint8_t *from = input.at, *end = input.at + input.len;
        enum sse_status status;
        while ((status = sse_next(&l->sse, &input)) == SSE_EVENT) {
            const uint8_t *to = input.len > 0 ? input.at : end;
            add_piece(&rest, from, to);
            from = to;
            rest_is_held = false;
            if (!pass_event(x, &e, &rest))
                return;
        }
        if (status == SSE_TOO_LARGE) {
            emitter_flush(&e);
            lane_fail(x, "its stream holds an event that is too large");
            return;
        }
        add_piece(&rest, from, end);
    }
    if (last && rest.n > 0 && sse_finish(&l->sse)) {
        if (!pass_event(x, &e, &rest))
            return;
        emit(&e, SPAN_LIT("\n\n"));
    }
    if (last) {
        end_stream(x, &e);
    } else if (rest.n > 0) {
        keep_rest(x, &e, &rest, rest_is_held);
    } else {
        emitter_flush(&e);
        buf_fini(&l->held);
    }
    if (l->done && x->state == EXCHANGE_ANSWERING)
        deadline_set(&x->attempt.deadline, DONE_GRACE_MS);
}

void event_lane_open(struct exchange *x)
{
    struct pass_lane *l = &x->lane;
    l->passing = passing_for(x->kind->api);
    l->withhold_usage = !x->wants_usage && !x->wants_cost;
    sse_init(&l->sse, EVENT_MAX);
    l->prefix = ARENA_NEW(&x->arena, struct openai_prefix);
    openai_prefix_init(l->prefix);
}

bool event_lane_broken(struct exchange *x)
{
    struct emitter e;
    emitter_init(&e, x);
    if (!x->lane.done && (!x->lane.finished || x->lane.inside_event))
        return false;
    end_stream(x, &e);
    return true;
}
