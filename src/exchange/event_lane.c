#include "lanes.h"

#include "bill.h"

#include "sluice/codec/provider_error.h"

#include <string.h>

/* An event stream is passed on in whole events, all that one read completed in one write: the meter
 * looks at each, the usage chunk that only we asked for stays behind, and nothing half-said has
 * left when the provider breaks off. What a read leaves unfinished waits for the next one; past
 * HOLD_MAX it goes on in pieces, for then it cannot be the usage chunk.
 *
 * Events that only open the answer wait for the first that brings a part of it: until then another
 * endpoint can give another answer. */

enum {
    HOLD_MAX = 16 * 1024,
    OPENING_MAX = 256 * 1024, /* a response begins by repeating its instructions, twice */
    EVENT_MAX = 16 * 1024 * 1024,
    DONE_GRACE_MS = 1000, /* from [DONE] to the end of the message */
};

/* --- what an event says ------------------------------------------------------------------------- */

enum verdict { VERDICT_PASS, VERDICT_WAIT, VERDICT_WITHHOLD, VERDICT_REPLACE, VERDICT_FAILED };

static void note_content(struct attempt *a, struct span content)
{
    const struct passing *p = a->lane.passing;
    a->events++;
    if (a->first_token_us == 0) {
        if (!p->brings_token(content))
            return;
        a->first_token_us = clock_us();
        a->frame_bytes = p->text_of != NULL ? content.len - p->text_of(content) : content.len;
    }
    a->pieces++;
    a->content_bytes += content.len;
}

/* The last word on usage, which is the place for what it cost? */
static bool bears_bill(const struct attempt *a, const struct passing_event *e)
{
    const struct passing *p = a->lane.passing;
    if (!a->x->wants_cost || a->lane.inside_event)
        return false;
    bool is_last = p->bill.len == 0 || span_eq(e->type, p->bill);
    return is_last && (!e->has_content || e->finish.len > 0);
}

static enum verdict look_at_chunk(struct attempt *a, const struct passing_event *e,
                                  struct span data, struct span *instead)
{
    const struct passing *p = a->lane.passing;
    if (e->has_content)
        note_content(a, e->content);
    if (a->x->wants_cost && p->has_usage_chunk && a->events == 1)
        bill_keep_beginning(a, data);
    if (e->finish.len > 0)
        lane_note_finish(a, e->finish);
    if (e->images > 0)
        lane_note_things(a, e);
    if (e->usage.len == 0 || !lane_read_usage(a, p, e))
        return VERDICT_PASS;
    if (a->lane.withhold_usage && p->has_usage_chunk && !e->has_content)
        return VERDICT_WITHHOLD;
    if (!bears_bill(a, e))
        return VERDICT_PASS;
    *instead = bill_event(a, a->lane.sse.name, data, e);
    return instead->at == data.at ? VERDICT_PASS : VERDICT_REPLACE;
}

/* What brings nothing yet can wait, as long as nobody has answered. */
static bool can_wait(const struct attempt *a, const struct passing_event *e)
{
    const struct passing *p = a->lane.passing;
    return a->x->state == EXCHANGE_ATTEMPTING && a->first_token_us == 0 && e->finish.len == 0 &&
           (p->only_opens == NULL || p->only_opens(e->type)) &&
           buf_len(&a->lane.opening) < OPENING_MAX;
}

/* Nobody has told what it took, and the client wants to know what it cost. */
static bool lacks_bill(const struct attempt *a)
{
    const struct exchange *x = a->x;
    return x->wants_cost && a->lane.passing->has_usage_chunk && a->events > 0 &&
           a->usage.source == USAGE_NONE && x->state == EXCHANGE_ANSWERING;
}

/* The last event. Without any before it that brought something, nobody has answered. */
static enum verdict look_at_end(struct emitter *out, const struct passing_event *e,
                                struct span data, struct span *instead)
{
    struct attempt *a = out->a;
    enum verdict verdict = VERDICT_PASS;
    a->lane.done = true;
    if (e->usage.len > 0 || e->finish.len > 0)
        verdict = look_at_chunk(a, e, data, instead);
    if (lacks_bill(a)) {
        *instead = bill_last_chunk(a);
        verdict = instead->len > 0 ? VERDICT_REPLACE : VERDICT_PASS;
    }
    bool has_counted = a->lane.passing->has_usage_chunk && a->usage.completion > 0;
    if (a->x->state == EXCHANGE_ANSWERING || a->lane.finished || has_counted)
        return verdict;
    emitter_flush(out);
    lane_fail(a, "its stream ended without a chunk");
    return VERDICT_FAILED;
}

/* A failure goes behind what this read has already brought in good order. */
static enum verdict look(struct emitter *out, struct span data, struct span name,
                         struct span *instead)
{
    struct attempt *a = out->a;
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    struct passing_event e = l->passing->look(l->prefix, data);
    if (a->events == 0 && x->trace != NULL)
        trace_look_for_model(a, data);
    l->sequence = e.sequence;
    if (e.begun.len > 0 && l->begun.len == 0)
        l->begun = arena_keep(&x->arena, e.begun);
    if (e.kind == EVENT_CHUNK && span_eq(name, SPAN_LIT("error"))) /* Groq */
        e.kind = EVENT_ERROR;
    struct span error = e.error.len > 0 ? e.error : data;
    enum verdict verdict;
    switch (e.kind) {
    case EVENT_CHUNK:
        verdict = look_at_chunk(a, &e, data, instead);
        return verdict == VERDICT_PASS && can_wait(a, &e) ? VERDICT_WAIT : verdict;
    case EVENT_DONE:
        return look_at_end(out, &e, data, instead);
    case EVENT_ERROR:
        if (x->state == EXCHANGE_ATTEMPTING) {
            lane_fail_with_error(a, error);
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
        lane_fail(a, "its stream holds an event that is not a JSON object");
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

/* For comments, which are nobody's answer. */
static void open_answer(struct attempt *a)
{
    if (!a->x->head_sent)
        exchange_send_head(a->x, 200, EVENT_STREAM_TYPE, LENGTH_NEVER);
}

/* What has waited goes first. */
static void begin_answer(struct emitter *e)
{
    struct attempt *a = e->a;
    if (a->x->state != EXCHANGE_ATTEMPTING)
        return;
    exchange_begin_answer(a, 200, EVENT_STREAM_TYPE, LENGTH_NEVER);
    emit(e, buf_span(&a->lane.opening));
}

/* False: the attempt has failed. */
static bool let_wait(struct attempt *a, struct pieces *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (buf_add(&a->lane.opening, p->at[i]) < 0) {
            lane_fail(a, "an event cannot be held: out of memory");
            return false;
        }
    }
    p->n = 0;
    return true;
}

/* An event is complete. False: the exchange has failed, and `e` may hold nothing any more. */
static bool pass_event(struct attempt *a, struct emitter *e, struct pieces *p)
{
    struct pass_lane *l = &a->lane;
    struct span instead;
    switch (look(e, l->sse.data, l->sse.name, &instead)) {
    case VERDICT_PASS:
        begin_answer(e);
        emit_pieces(e, p);
        break;
    case VERDICT_WAIT:
        return let_wait(a, p);
    case VERDICT_WITHHOLD:
        p->n = 0;
        break;
    case VERDICT_REPLACE:
        p->n = 0;
        begin_answer(e);
        emit(e, instead);
        break;
    case VERDICT_FAILED:
        return false;
    }
    l->inside_event = false;
    return true;
}

/* A response ends with an event that repeats all of it, and that may have to be told its cost. */
static size_t most_held(const struct attempt *a)
{
    const struct exchange *x = a->x;
    if (x->wants_cost && x->kind->api == API_RESPONSES)
        return EVENT_MAX;
    return x->state == EXCHANGE_ATTEMPTING ? OPENING_MAX : HOLD_MAX;
}

/* What this read left unfinished: on hold, or gone on. */
static void keep_rest(struct attempt *a, struct emitter *e, struct pieces *rest, bool rest_is_held)
{
    struct pass_lane *l = &a->lane;
    bool between = l->sse.pending == 0; /* whole comments only: a provider's own keep-alive */
    size_t most = most_held(a);
    if (between || l->inside_event || pieces_len(rest) > most) {
        if (between)
            open_answer(a);
        else
            begin_answer(e);
        l->inside_event = !between;
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
            lane_fail(a, "an event cannot be held: out of memory");
            return;
        }
    }
}

static void end_stream(struct attempt *a, struct emitter *e)
{
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    bool has_ended = l->finished || l->errored;
    if (!l->done && (!has_ended || l->inside_event)) { /* half an event is no end either */
        emitter_flush(e);
        lane_fail(a, "its stream ended before the answer did");
        return;
    }
    begin_answer(e);
    if (!l->done && l->errored && x->kind->api == API_RESPONSES) {
        emitter_flush(e);
        lane_end_with_fault(x, l->reported); /* an error event is no end there */
        lane_finish(a);
        return;
    }
    if (!l->done && (!l->errored || l->passing->terminates_errors))
        emit(e, l->passing->terminator);
    sink_end(x->sink, e->out, e->n);
    lane_finish(a);
}

void event_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    struct emitter e;
    struct pieces rest;
    emitter_init(&e, a);
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
            if (!pass_event(a, &e, &rest))
                return;
        }
        if (status == SSE_TOO_LARGE) {
            emitter_flush(&e);
            lane_fail(a, "its stream holds an event that is too large");
            return;
        }
        add_piece(&rest, from, end);
    }
    if (last && rest.n > 0 && sse_finish(&l->sse)) {
        if (!pass_event(a, &e, &rest))
            return;
        if (x->state == EXCHANGE_ANSWERING)
            emit(&e, SPAN_LIT("\n\n"));
    }
    if (last) {
        end_stream(a, &e);
    } else if (rest.n > 0) {
        keep_rest(a, &e, &rest, rest_is_held);
    } else {
        emitter_flush(&e);
        buf_fini(&l->held);
    }
    if (l->opening.at != NULL && x->state != EXCHANGE_ATTEMPTING)
        buf_fini(&l->opening);
    if (l->done && x->state == EXCHANGE_ANSWERING)
        deadline_set(&a->deadline, DONE_GRACE_MS);
}

void event_lane_open(struct attempt *a)
{
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    l->passing = passing_for(x->kind->api);
    l->withhold_usage = !x->wants_usage && !x->wants_cost;
    sse_init(&l->sse, EVENT_MAX);
    l->prefix = ARENA_NEW(&x->arena, struct openai_prefix);
    openai_prefix_init(l->prefix);
}

void event_lane_release(struct attempt *a)
{
    struct emitter e;
    emitter_init(&e, a);
    begin_answer(&e);
    emitter_flush(&e);
    buf_fini(&a->lane.opening);
}

bool event_lane_broken(struct attempt *a)
{
    struct emitter e;
    emitter_init(&e, a);
    if (!a->lane.done && (!a->lane.finished || a->lane.inside_event))
        return false;
    end_stream(a, &e);
    return true;
}
