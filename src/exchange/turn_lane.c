#include "bill.h"
#include "lanes.h"

#include "sluice/base/utf8.h"
#include "sluice/codec/custom_tool.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/structured_output.h"
#include "sluice/codec/unique_calls.h"
#include "sluice/format/event_stream.h"

#include <stdio.h>
#include <stdlib.h>

/* The turn lane: client and provider speak different protocols. The request is read as a turn and
 * written anew; each event of the answer is read and written on before the next is looked at. What
 * one read of the upstream brought leaves in one write, as in the pass lane. */

enum {
    EVENT_MAX = 16 * 1024 * 1024,
    WHOLE_MAX = 64 * 1024 * 1024,
    DONE_GRACE_MS = 1000, /* from the last event to the end of the message */
};

struct turn_lane {
    const struct client_codec *client;
    const struct upstream_codec *upstream; /* of the attempt under way */
    struct answer_identity who;
    union { /* by upstream->framing */
        struct sse sse;
        struct event_stream binary;
    };
    struct unique_calls calls;
    struct custom_tool custom;
    struct structured_output structured;
    struct buf wrapped;               /* the proof of reasoning under way */
    struct buf mended;                /* an event that was no UTF-8 */
    bool reads_stream, writes_stream; /* as a rule both or none */
    bool has_content;                 /* more came than what opens an answer */
    bool has_failed;                  /* the upstream's fault is in `fault` */
    bool has_ended;                   /* the answer is complete, and written */
    bool out_of_memory;               /* a writer was */
    struct fault fault;
    void *reader; /* of one attempt */
    void *writer; /* of the answer; behind this struct */
};

/* What is written during one read goes through one buffer; it is empty between reads, and what made
 * it large is not kept. */
static struct buf out;

static void empty_out(void)
{
    enum { KEPT = 256 * 1024 };
    if (out.cap > KEPT)
        buf_fini(&out);
    buf_clear(&out);
}

/* --- events of the answer ------------------------------------------------------------------------- */

static const char *const stop_words[] = {
    [STOP_NONE] = "stop",
    [STOP_END] = "stop",
    [STOP_SEQUENCE] = "stop",
    [STOP_LENGTH] = "length",
    [STOP_CONTEXT] = "length",
    [STOP_CALLS] = "tool_calls",
    [STOP_REFUSAL] = "content_filter",
    [STOP_PAUSE] = "stop",
};

static void account(struct attempt *a, const struct turn_event *e)
{
    switch (e->kind) {
    case TURN_START:
        if (a->x->trace != NULL)
            trace_note_model(a, e->name);
        break;
    case TURN_TEXT:
    case TURN_REFUSAL:
    case TURN_REASONING:
    case TURN_REDACTED:
    case TURN_CALL:
    case TURN_ARGUMENTS:
        a->events++;
        a->content_bytes += e->text.len;
        if (a->first_token_us == 0)
            a->first_token_us = clock_us();
        break;
    case TURN_USAGE:
        a->usage = *e->usage;
        break;
    case TURN_STOP:
        lane_note_finish(a, e->native.len > 0 ? e->native : span_text(stop_words[e->stop]));
        break;
    default:
        break;
    }
}

static bool write_event(struct attempt *a, const struct turn_event *e)
{
    struct turn_lane *t = a->lane.turn;
    const struct client_codec *c = t->client;
    int rc = t->writes_stream ? c->event(t->writer, e, &out) : c->whole_event(t->writer, e);
    t->out_of_memory |= rc < 0;
    return rc == 0;
}

/* Whose reasoning it is travels with it. Where the client's protocol cannot say that of a proof, it
 * reaches the client wrapped. */
static bool write_reasoning(struct attempt *a, const struct turn_event *e)
{
    struct turn_lane *t = a->lane.turn;
    struct turn_event own = *e;
    if (own.family.len == 0)
        own.family = t->upstream->family;
    bool is_told = t->client->tells_families && proof_format(own.family).len > 0;
    if (e->kind == TURN_REASONING || is_told)
        return write_event(a, &own);
    if (!proof_wrap(own.family, e, &t->wrapped))
        return true;
    own.text = buf_span(&t->wrapped);
    own.id = SPAN_NONE;
    return write_event(a, &own);
}

/* Of everybody who has written some of the answer. */
static bool write_usage(struct attempt *a, const struct turn_event *e)
{
    struct turn_event own = *e;
    struct usage all = continuation_usage(a->x, *e->usage);
    own.usage = &all;
    return write_event(a, &own);
}

static void add_notice(struct attempt *a)
{
    struct span notice = continuation_notice(a->x);
    if (notice.len > 0)
        a->lane.turn->out_of_memory |= buf_add(&out, notice) < 0;
}

/* What can be told at the end only. */
static void conclude(struct attempt *a)
{
    struct turn_lane *t = a->lane.turn;
    struct buf cost = {0};
    t->who.ended = clock_unix_ms() / 1000;
    if (!t->who.tells_cost)
        return;
    attempt_estimate_usage(a, true);
    t->who.ttft_ms = attempt_ttft_ms(a);
    if (bill_write_cost(a, &cost) == 0)
        t->who.cost = arena_keep(&a->x->arena, buf_span(&cost));
    buf_fini(&cost);
}

/* A fault is kept: another provider may still be tried. */
static bool take_event(void *arg, const struct turn_event *e)
{
    struct attempt *a = arg;
    struct turn_lane *t = a->lane.turn;
    if (e->kind == TURN_FAULT) {
        t->has_failed = true;
        t->fault = *e->fault;
        return false;
    }
    account(a, e);
    if (e->kind == TURN_USAGE)
        return write_usage(a, e);
    add_notice(a);
    t->has_content |= e->kind != TURN_START;
    t->has_ended = e->kind == TURN_END;
    if (t->has_ended)
        conclude(a);
    if (e->kind == TURN_REASONING || e->kind == TURN_PROOF || e->kind == TURN_REDACTED)
        return write_reasoning(a, e);
    return write_event(a, e);
}

static bool unwrap_event(void *arg, const struct turn_event *e)
{
    struct attempt *a = arg;
    return custom_tool_event(&a->lane.turn->custom, e, take_event, a);
}

static bool number_event(void *arg, const struct turn_event *e)
{
    struct attempt *a = arg;
    return unique_calls_event(&a->lane.turn->calls, e, unwrap_event, a);
}

static bool structure_event(void *arg, const struct turn_event *e)
{
    struct attempt *a = arg;
    return structured_output_event(&a->lane.turn->structured, e, number_event, a);
}

/* From the reader. */
static bool on_event(void *arg, const struct turn_event *e)
{
    struct attempt *a = arg;
    return a->lane.seam == NULL ? structure_event(a, e)
                                : answer_seam_event(a->lane.seam, e, structure_event, a);
}

/* --- life ------------------------------------------------------------------------------------------- */

static struct answer_identity identify(struct attempt *a)
{
    struct exchange *x = a->x;
    struct buf model = {0};
    struct answer_identity who = {
        .id = span_of(x->request_id, 32),
        .provider = span_text(a->target->provider->name),
        .created = x->opened_unix_ms / 1000,
        .prompt = a->translation == NULL ? 0 : translation_prompt_tokens(a->translation),
        .wants_usage = x->wants_usage || x->wants_cost,
        .tells_cost = x->wants_cost,
        .reasons_raw = x->deployment->snapshot->translation.shows_raw_reasoning,
    };
    if (buf_add_json(&model, a->target->model_id) == 0)
        who.model = arena_keep(&x->arena, buf_span(&model));
    buf_fini(&model);
    return who;
}

/* Names of the tools whose free text travels as a function's argument. */
static void watch_custom_tools(struct attempt *a, struct turn_lane *t)
{
    struct exchange *x = a->x;
    const struct turn_tool *tools = translation_request(a->translation)->tools;
    unsigned n = 0;
    for (const struct turn_tool *tool = tools; tool != NULL; tool = tool->next)
        n += tool->is_custom;
    struct span *names = ARENA_ARRAY(&x->arena, struct span, n + 1);
    n = 0;
    for (const struct turn_tool *tool = tools; tool != NULL; tool = tool->next) {
        if (tool->is_custom)
            names[n++] = arena_keep(&x->arena, tool->name);
    }
    custom_tool_init(&t->custom, names, n);
}

static struct span answer_tool(struct attempt *a)
{
    struct exchange *x = a->x;
    return arena_keep(&x->arena, translation_request(a->translation)->answer_tool);
}

static size_t aligned(size_t n)
{
    return (n + 15) & ~(size_t)15;
}

static void open_reader(struct attempt *a, bool reads_stream)
{
    struct turn_lane *t = a->lane.turn;
    t->upstream = a->dialect.upstream;
    t->reads_stream = reads_stream;
    t->reader = xcalloc(1, t->upstream->reader_size);
    if (t->upstream->framing == UPSTREAM_SSE)
        sse_init(&t->sse, EVENT_MAX);
    else
        event_stream_init(&t->binary, EVENT_STREAM_MESSAGE_MAX);
    if (a->translation != NULL) {
        watch_custom_tools(a, t);
        structured_output_init(&t->structured, answer_tool(a));
    }
    t->upstream->init(t->reader, t->who.id, on_event, a);
}

static void close_reader(struct turn_lane *t)
{
    t->upstream->fini(t->reader);
    free(t->reader);
    custom_tool_fini(&t->custom);
    structured_output_fini(&t->structured);
    if (t->upstream->framing == UPSTREAM_SSE)
        sse_fini(&t->sse);
    else
        event_stream_fini(&t->binary);
}

void turn_lane_open(struct attempt *a, bool reads_stream)
{
    struct exchange *x = a->x;
    const struct client_codec *c = a->dialect.client;
    bool writes_stream = x->wants_stream;
    size_t writer_size = writes_stream ? c->writer_size : c->whole_size;
    size_t writer_at = aligned(sizeof(struct turn_lane));
    uint8_t *room = xcalloc(1, writer_at + writer_size);
    struct turn_lane *t = (struct turn_lane *)(void *)room;
    struct span request = buf_span(&x->body.bytes);

    *t = (struct turn_lane){
        .client = c,
        .who = identify(a),
        .writes_stream = writes_stream,
        .writer = room + writer_at,
    };
    a->lane.turn = t;
    a->keeps_request = c->keeps_request || a->lane.seam != NULL;
    unique_calls_init(&t->calls);
    open_reader(a, reads_stream);
    if (writes_stream)
        c->init(t->writer, &t->who, request, &x->sending);
    else
        c->whole_init(t->writer, &t->who, request, &x->sending);
}

void turn_lane_go_on(struct attempt *a, bool reads_stream)
{
    struct turn_lane *t = a->lane.turn;
    close_reader(t);
    buf_clear(&a->lane.held);
    t->has_failed = false;
    a->keeps_request = true;
    open_reader(a, reads_stream);
}

void turn_lane_free(struct turn_lane *t)
{
    close_reader(t);
    if (t->writes_stream)
        t->client->fini(t->writer);
    else
        t->client->whole_fini(t->writer);
    unique_calls_fini(&t->calls);
    buf_fini(&t->wrapped);
    buf_fini(&t->mended);
    free(t);
}

/* --- what came of a read ---------------------------------------------------------------------------- */

static void fail(struct attempt *a)
{
    struct turn_lane *t = a->lane.turn;
    struct attempt_failure f = {.result = RESULT_BROKEN, .fault = t->fault};
    f.blame = blame_for(a->status, f.fault.kind);
    if (t->out_of_memory) {
        f.fault = (struct fault){.kind = FAULT_OVERLOADED, .message = "its answer cannot be held"};
        f.blame = BLAME_MATCH;
    }
    lane_sign(a, &f.fault);
    exchange_attempt_failed(a, &f);
}

/* What only opens the answer waits for what follows: no more than the writer repeats of the request. */
static void let_wait(struct attempt *a)
{
    struct turn_lane *t = a->lane.turn;
    t->out_of_memory |= buf_add(&a->lane.opening, buf_span(&out)) < 0;
    empty_out();
}

/* Sends what has waited, if something has, and what this read made. */
static void put(struct attempt *a, bool is_end)
{
    struct exchange *x = a->x;
    const struct span spans[] = {buf_span(&a->lane.opening), buf_span(&out)};
    unsigned first = spans[0].len == 0, n = (spans[1].len > 0) + !first;
    if (n > 0 || is_end)
        exchange_begin_answer(a, 200, EVENT_STREAM_TYPE, LENGTH_NEVER);
    if (is_end) {
        sink_end(x->sink, spans + first, n);
    } else if (n > 0) {
        if (sink_data(x->sink, spans + first, n) == FLOW_PAUSE)
            attempt_pause(a);
        exchange_note_activity(x);
    }
    empty_out();
    buf_fini(&a->lane.opening);
}

/* More was delivered than anybody could go on with, and the writer does not need the request either. */
static bool has_kept_in_vain(const struct attempt *a)
{
    return a->x->state == EXCHANGE_ANSWERING && a->keeps_request && a->lane.seam != NULL &&
           a->lane.seam->is_lost && !a->lane.turn->client->keeps_request;
}

/* Gives what this read made. `last`: the upstream's message is over, and its connection free again;
 * until then an answer that has ended waits, for a moment. */
static void give(struct attempt *a, bool last)
{
    struct turn_lane *t = a->lane.turn;
    bool is_end = t->has_ended && last;
    if (t->has_content || a->x->state != EXCHANGE_ATTEMPTING)
        put(a, is_end);
    else
        let_wait(a);
    if (is_end) {
        lane_finish(a);
        return;
    }
    if (has_kept_in_vain(a))
        exchange_let_go_of_request(a->x);
    if (t->has_failed || t->out_of_memory)
        fail(a);
    else if (t->has_ended)
        deadline_set(&a->deadline, DONE_GRACE_MS);
}

static bool is_over(const struct turn_lane *t)
{
    return t->has_ended || t->has_failed || t->out_of_memory;
}

static void fail_with(struct turn_lane *t, const char *problem)
{
    t->has_failed = true;
    t->fault = (struct fault){.kind = FAULT_UPSTREAM};
    snprintf(t->fault.message, sizeof t->fault.message, "%s", problem);
}

/* No parser takes bytes that are no UTF-8: what a decoder shows in their place goes on instead. */
static struct span readable(struct turn_lane *t, struct span text)
{
    if (utf8_valid_length(text) == text.len)
        return text;
    buf_clear(&t->mended);
    t->out_of_memory |= utf8_mend(text, &t->mended) < 0;
    return buf_span(&t->mended);
}

static void read_sse(struct turn_lane *t, struct span input)
{
    enum sse_status status = SSE_MORE;
    while (!is_over(t) && (status = sse_next(&t->sse, &input)) == SSE_EVENT)
        t->upstream->event(t->reader, t->sse.name, readable(t, t->sse.data));
    if (status == SSE_TOO_LARGE)
        fail_with(t, "its stream holds an event that is too large");
}

static void read_binary(struct turn_lane *t, struct span input)
{
    const struct upstream_codec *up = t->upstream;
    struct event_stream *s = &t->binary;
    enum event_stream_status status = EVENT_STREAM_MORE;
    while (!is_over(t) && (status = event_stream_next(s, &input)) == EVENT_STREAM_MESSAGE) {
        if (span_eq(s->message_type, SPAN_LIT("error")))
            up->error(t->reader, s->error_code, readable(t, s->error_message));
        else
            up->event(t->reader, s->event_type, readable(t, s->payload));
    }
    if (status == EVENT_STREAM_INVALID && !is_over(t))
        fail_with(t, s->problem);
}

static void read_events(struct turn_lane *t, struct span input)
{
    if (t->upstream->framing == UPSTREAM_SSE)
        read_sse(t, input);
    else
        read_binary(t, input);
}

static void read_end(struct turn_lane *t)
{
    const struct upstream_codec *up = t->upstream;
    bool is_sse = up->framing == UPSTREAM_SSE;
    if (is_sse && sse_finish(&t->sse))
        up->event(t->reader, t->sse.name, readable(t, t->sse.data));
    if (is_over(t))
        return;
    if (!is_sse && !event_stream_is_between(&t->binary))
        fail_with(t, "its stream ended inside an event");
    else
        up->end(t->reader);
}

/* --- whole answers --------------------------------------------------------------------------------- */

/* The document, with the members every answer of ours has behind its brace. */
static void send_document(struct attempt *a)
{
    struct exchange *x = a->x;
    struct span all = buf_span(&out);
    const struct span spans[] = {
        span_sub(all, 0, 1),
        SPAN_LIT("\"request_id\":\""),
        span_of(x->request_id, 32),
        SPAN_LIT("\",\"provider\":\""),
        span_text(a->target->provider->name),
        SPAN_LIT("\","),
        span_skip(all, 1),
    };
    exchange_begin_answer(a, 200, "application/json", LENGTH_UNKNOWN);
    sink_end(x->sink, spans, sizeof spans / sizeof spans[0]);
    empty_out();
    lane_finish(a);
}

static void give_document(struct attempt *a, bool last)
{
    struct turn_lane *t = a->lane.turn;
    bool is_whole = t->has_ended && !t->out_of_memory;
    if (is_whole && !last)
        deadline_set(&a->deadline, DONE_GRACE_MS);
    else if (is_whole && t->client->whole_write(t->writer, &out) == 0)
        send_document(a);
    else if (last || is_over(t))
        fail(a);
    empty_out();
}

/* What the reader has said so far goes to the client in the form it asked for. */
static void give_either(struct attempt *a, bool last)
{
    if (a->lane.turn->writes_stream)
        give(a, last);
    else
        give_document(a, last);
}

static void stream_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct turn_lane *t = a->lane.turn;
    for (unsigned i = 0; i < n; i++)
        read_events(t, spans[i]);
    if (last && !is_over(t))
        read_end(t);
    give_either(a, last);
}

static void document_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct turn_lane *t = a->lane.turn;
    struct pass_lane *l = &a->lane;
    for (unsigned i = 0; i < n; i++) {
        if (buf_len(&l->held) + spans[i].len > WHOLE_MAX || buf_add(&l->held, spans[i]) < 0) {
            lane_fail(a, "its answer is too large to be translated");
            return;
        }
    }
    if (!last)
        return;
    t->upstream->whole(t->reader, readable(t, buf_span(&l->held)));
    give_either(a, true);
}

void turn_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    if (a->lane.turn->reads_stream)
        stream_data(a, spans, n, last);
    else
        document_data(a, spans, n, last);
}

/* --- other ends ------------------------------------------------------------------------------------- */

bool turn_lane_broken(struct attempt *a)
{
    struct turn_lane *t = a->lane.turn;
    if (!t->reads_stream)
        return false;
    if (!is_over(t))
        read_end(t); /* it may have been all there was to say */
    give_either(a, true);
    return true;
}

void turn_lane_release(struct attempt *a)
{
    put(a, false);
}

bool turn_lane_ping(struct attempt *a)
{
    struct exchange *x = a->x;
    struct turn_lane *t = a->lane.turn;
    bool may_ping = t->writes_stream && a->x->state == EXCHANGE_ANSWERING;
    if (!may_ping || t->client->ping == NULL || t->client->ping(t->writer, &out) < 0 ||
        buf_len(&out) == 0)
        return false;
    struct span frame = buf_span(&out);
    (void)sink_data(exchange_bare_sink(x), &frame, 1);
    empty_out();
    return true;
}

bool turn_lane_end_with_fault(struct attempt *a, const struct fault *why)
{
    struct exchange *x = a->x;
    struct turn_event e = {.kind = TURN_FAULT, .fault = why};
    if (!a->lane.turn->writes_stream || !write_event(a, &e))
        return false;
    const struct span spans[] = {buf_span(&a->lane.opening), buf_span(&out)};
    sink_end(x->sink, spans, 2);
    empty_out();
    return true;
}

void turn_lane_free_buffer(void)
{
    buf_fini(&out);
}
