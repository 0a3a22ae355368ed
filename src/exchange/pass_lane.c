#include "exchange_priv.h"

#include <stdio.h>
#include <string.h>

/* The pass lane: client and provider speak the same protocol, so bytes go on as they came.
 *
 * An event stream is passed on in whole events, all that one read completed in one write: the meter
 * looks at each, the usage chunk that only we asked for stays behind, and nothing half-said has
 * left when the provider breaks off. What a read leaves unfinished waits for the next one; past HOLD_MAX
 * it goes on in pieces, for then it cannot be the usage chunk.
 *
 * A single document is held until it is complete and is JSON: the client could not use half of
 * it, and another endpoint can still be tried when it turns out broken. */

enum {
    HOLD_MAX = 16 * 1024,
    EVENT_MAX = 16 * 1024 * 1024,
    WHOLE_MAX = 64 * 1024 * 1024,
    ERROR_MAX = 64 * 1024,
    DONE_GRACE_MS = 1000, /* from [DONE] to the end of the message */
};

/* --- failures as the lane sees them ------------------------------------------------------------ */

static void fail(struct exchange *x, enum attempt_result result, const char *problem)
{
    struct attempt_failure f = {
        .result = result,
        .next_may_help = true,
        .fault = {.kind = FAULT_UPSTREAM},
    };
    snprintf(f.fault.message, sizeof f.fault.message, "provider %s: %s",
             x->attempt.target->provider->name, problem);
    exchange_attempt_failed(x, &f);
}

static void finish(struct exchange *x)
{
    attempt_end(&x->attempt, x->lane.errored ? RESULT_BROKEN : RESULT_OK);
    exchange_finish(x);
}

/* --- writing ----------------------------------------------------------------------------------- */

/* Spans on their way to the sink: neighbours in memory become one. */
struct emitter {
    struct exchange *x;
    struct span out[SINK_SPANS_MAX];
    unsigned n;
};

static void flush(struct emitter *e)
{
    if (e->n == 0)
        return;
    unsigned n = e->n;
    e->n = 0;
    if (sink_data(e->x->sink, e->out, n) == FLOW_PAUSE)
        attempt_pause(&e->x->attempt);
    exchange_note_activity(e->x);
}

static void emit(struct emitter *e, struct span s)
{
    if (s.len == 0)
        return;
    if (e->n > 0 && e->out[e->n - 1].at + e->out[e->n - 1].len == s.at) {
        e->out[e->n - 1].len += s.len;
        return;
    }
    if (e->n == SINK_SPANS_MAX)
        flush(e);
    e->out[e->n++] = s;
}

/* --- event streams ------------------------------------------------------------------------------ */

static void note_finish(struct exchange *x, struct span word)
{
    size_t len = word.len < sizeof x->finish_reason ? word.len : sizeof x->finish_reason - 1;
    memcpy(x->finish_reason, word.at, len);
    x->finish_reason[len] = '\0';
    x->lane.finished = true;
}

/* The usage chunk with what it cost, made anew: the only chunk that is. */
static struct span with_cost(struct exchange *x, struct span data, size_t end)
{
    struct buf made = {0};
    struct cost cost = cost_of(&x->usage, x->attempt.target->price);
    struct span kept = data;
    if (buf_add_text(&made, "data: ") == 0 && buf_add(&made, span_sub(data, 0, end)) == 0 &&
        buf_addf(&made, ",\"request_id\":\"%s\",", x->request_id) == 0 &&
        cost_write_members(&cost, &made) == 0 && buf_add_text(&made, "}\n\n") == 0)
        kept = arena_keep(&x->arena, buf_span(&made));
    buf_fini(&made);
    return kept;
}

enum verdict { VERDICT_PASS, VERDICT_WITHHOLD, VERDICT_REPLACE, VERDICT_FAILED };

static enum verdict look_at_chunk(struct exchange *x, const struct openai_event *e,
                                  struct span data, struct span *instead)
{
    if (e->has_choices) {
        if (x->events++ == 0)
            x->first_token_us = clock_us();
        if (e->finish.len > 0)
            note_finish(x, e->finish);
    }
    if (e->usage.len == 0 || !usage_read_openai(&x->usage, e->usage) || e->has_choices)
        return VERDICT_PASS;
    if (x->lane.withhold_usage)
        return VERDICT_WITHHOLD;
    if (!x->wants_cost)
        return VERDICT_PASS;
    *instead = with_cost(x, data, e->end);
    return VERDICT_REPLACE;
}

/* What an error event says, as a fault; the provider's own words, bounded. */
static void fail_with_error_event(struct exchange *x, struct span error)
{
    char message[240], problem[320];
    struct json_member m;
    long len = -1;
    if (json_get(error, "message", &m))
        len = json_string(json_value(error, &m), message, sizeof message - 1);
    if (len >= 0)
        secret_scrub(&x->attempt.target->provider->credential, (uint8_t *)message, (size_t)len);
    snprintf(problem, sizeof problem, "it answered with an error: %.*s", len >= 0 ? (int)len : 10,
             len >= 0 ? message : "no message");
    fail(x, RESULT_BROKEN, problem);
}

/* A failure goes behind what this read has already brought in good order. */
static enum verdict look(struct emitter *out, struct span data, struct span name,
                         struct span *instead)
{
    struct exchange *x = out->x;
    struct pass_lane *l = &x->lane;
    struct openai_event e = openai_chunk_look(l->prefix, data);
    if (e.kind == EVENT_CHUNK && span_eq(name, SPAN_LIT("error"))) /* Groq */
        e.kind = EVENT_ERROR;
    switch (e.kind) {
    case EVENT_CHUNK:
        return look_at_chunk(x, &e, data, instead);
    case EVENT_DONE:
        l->done = true;
        if (x->events > 0 || l->errored || x->usage.source != USAGE_NONE)
            return VERDICT_PASS;
        flush(out);
        fail(x, RESULT_BROKEN, "its stream ended without a chunk");
        return VERDICT_FAILED;
    case EVENT_ERROR:
        if (x->state == EXCHANGE_ATTEMPTING && x->events == 0) {
            fail_with_error_event(x, e.error);
            return VERDICT_FAILED;
        }
        l->errored = true; /* the client reads it in the provider's words */
        x->outcome = OUTCOME_UPSTREAM_ERROR;
        x->error_type = "upstream_error";
        return VERDICT_PASS;
    case EVENT_MALFORMED:
        flush(out);
        fail(x, RESULT_BROKEN, "its stream holds an event that is not a JSON object");
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
        exchange_send_head(x, 200, "text/event-stream; charset=utf-8", -1);
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
        flush(e);
        buf_clear(&l->held);
        return;
    }
    flush(e);
    if (!rest_is_held)
        buf_clear(&l->held);
    for (unsigned i = rest_is_held; i < rest->n; i++) {
        if (buf_add(&l->held, rest->at[i]) < 0) {
            fail(x, RESULT_BROKEN, "an event cannot be held: out of memory");
            return;
        }
    }
}

static void end_stream(struct exchange *x, struct emitter *e)
{
    struct pass_lane *l = &x->lane;
    if (!l->done && !l->finished && !l->errored) {
        flush(e);
        fail(x, RESULT_BROKEN, "its stream ended before the answer did");
        return;
    }
    open_answer(x);
    if (!l->done)
        emit(e, SPAN_LIT("data: [DONE]\n\n"));
    sink_end(x->sink, e->out, e->n);
    finish(x);
}

static void events_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    struct emitter e = {.x = x, .n = 0};
    struct pieces rest = {.n = 0};
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
            flush(&e);
            fail(x, RESULT_BROKEN, "its stream holds an event that is too large");
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
        flush(&e);
        buf_fini(&l->held);
    }
    if (l->done && x->state == EXCHANGE_ANSWERING)
        deadline_set(&x->attempt.deadline, DONE_GRACE_MS);
}

/* --- one document ------------------------------------------------------------------------------ */

/* The members an answer gains behind its opening brace, each with its comma; at most 7 spans. */
static unsigned own_members(struct exchange *x, const struct openai_event *e, struct buf *cost,
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
    struct openai_event e = openai_event_look(document);
    if (e.kind == EVENT_ERROR) {
        fail_with_error_event(x, e.error);
        return;
    }
    if (e.kind != EVENT_CHUNK) {
        fail(x, RESULT_BROKEN, "its answer is not a JSON object");
        return;
    }
    if (e.finish.len > 0)
        note_finish(x, e.finish);
    if (e.usage.len > 0)
        (void)usage_read_openai(&x->usage, e.usage);

    struct buf cost = {0};
    struct span ours[9];
    unsigned n = own_members(x, &e, &cost, ours + 1);
    if (e.is_empty && n > 0)
        ours[n].len--; /* nothing follows the last comma */
    ours[0] = span_sub(document, 0, e.open + 1);
    ours[n + 1] = span_skip(document, e.open + 1);
    exchange_send_head(x, 200, "application/json", -1);
    exchange_commit(x);
    sink_end(x->sink, ours, n + 2);
    buf_fini(&cost);
    finish(x);
}

/* Too large to hold: it goes through unread, in the framing its length allows. */
static void pass_through(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    struct emitter e = {.x = x, .n = 0};
    if (!l->passing) {
        l->passing = true;
        exchange_send_head(x, 200, "application/json", -1);
        exchange_commit(x);
        emit(&e, buf_span(&l->held));
        flush(&e);
        buf_fini(&l->held);
    }
    for (unsigned i = 0; i < n; i++)
        emit(&e, spans[i]);
    if (!last) {
        flush(&e);
        return;
    }
    sink_end(x->sink, e.out, e.n);
    finish(x);
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

static void whole_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    size_t len = buf_len(&l->held);
    for (unsigned i = 0; i < n; i++)
        len += spans[i].len;
    if (l->passing || len > WHOLE_MAX) {
        pass_through(x, spans, n, last);
    } else if (last && n == 1 && buf_len(&l->held) == 0) {
        pass_document(x, spans[0]); /* the usual case: one read, no copy */
    } else if (!hold(l, spans, n)) {
        fail(x, RESULT_BROKEN, "its answer cannot be held: out of memory");
    } else if (last) {
        pass_document(x, buf_span(&l->held));
    }
}

/* --- errors of the provider -------------------------------------------------------------------- */

/* Statuses after which another endpoint may do better (contract 2.1, fallback loop). */
static bool next_may_help(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
    case 404:
    case 408:
    case 409:
    case 425:
    case 429:
        return true;
    default:
        return status >= 500;
    }
}

static unsigned retry_after_of(const struct exchange *x)
{
    static const char name[] = "retry-after: ";
    struct span lines = x->relayed;
    while (lines.len > 0) {
        struct span line = span_cut(&lines, '\n');
        uint64_t seconds;
        if (span_ieq(span_sub(line, 0, sizeof name - 1), SPAN_LIT("retry-after: ")) &&
            span_to_u64(span_sub(line, sizeof name - 1, line.len - sizeof name), &seconds))
            return seconds < 86400 ? (unsigned)seconds : 86400;
    }
    return 0;
}

/* The provider's message when it has one, else the first printable part of what it sent. */
static void describe(struct exchange *x, struct span body, char *out, size_t size)
{
    struct json_member error, message;
    char text[240];
    long len = -1;
    if (json_get(body, "error", &error)) {
        struct span value = json_value(body, &error);
        if (error.kind == JSON_STRING)
            len = json_string(value, text, sizeof text);
        else if (json_get(value, "message", &message))
            len = json_string(json_value(value, &message), text, sizeof text);
    }
    if (len < 0) {
        len = 0;
        for (size_t i = 0; i < body.len && len < (long)sizeof text - 1; i++)
            text[len++] = body.at[i] >= ' ' && body.at[i] < 0x7f ? (char)body.at[i] : ' ';
    }
    secret_scrub(&x->attempt.target->provider->credential, (uint8_t *)text, (size_t)len);
    snprintf(out, size, "provider %s: it answered %u: %.*s", x->attempt.target->provider->name,
             x->attempt.status, (int)len, len > 0 ? text : "");
}

static bool is_error_envelope(struct span body)
{
    struct json_member m;
    return json_get(body, "error", &m) && (m.kind == JSON_OBJECT || m.kind == JSON_STRING);
}

/* A fault of the request's, or one every endpoint would have: the provider's own body, unmodified. */
static void relay_error(struct exchange *x, struct span body)
{
    unsigned status = x->attempt.status;
    x->outcome = status == 429 ? OUTCOME_RATE_LIMITED : OUTCOME_CLIENT_ERROR;
    x->error_type = status == 429 ? "upstream_rate_limited" : "upstream_error";
    struct buf copy = {0};
    if (buf_add(&copy, body) == 0)
        secret_scrub(&x->attempt.target->provider->credential, copy.at, copy.tail);
    body = buf_span(&copy);
    exchange_send_head(x, status, "application/json", -1);
    exchange_commit(x);
    sink_end(x->sink, &body, 1);
    buf_fini(&copy);
    attempt_end(&x->attempt, RESULT_STATUS_4XX);
    exchange_finish(x);
}

static void end_error(struct exchange *x)
{
    struct span body = buf_span(&x->lane.held);
    unsigned status = x->attempt.status;
    struct attempt_failure f = {
        .result = status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX,
        .next_may_help = next_may_help(status),
        .fault = {.kind = FAULT_UPSTREAM, .retry_after_s = retry_after_of(x)},
    };
    describe(x, body, f.fault.message, sizeof f.fault.message);
    bool is_last = x->nattempts == x->plan.n || !f.next_may_help;
    bool is_ours = status == 401 ||
                   status >= 500; /* our credential, or the provider's own trouble */
    if (is_last && !is_ours && !x->head_sent && is_error_envelope(body)) {
        relay_error(x, body);
        return;
    }
    if (status == 503 || status == 529) {
        f.fault.kind = FAULT_UPSTREAM_UNAVAILABLE;
        if (f.fault.retry_after_s == 0)
            f.fault.retry_after_s = 30;
    } else if (status == 429) {
        f.fault.kind = FAULT_UPSTREAM_RATE_LIMITED;
    } else if (status == 401) {
        snprintf(f.fault.message, sizeof f.fault.message,
                 "provider %s: it refused the gateway's own credential (401): check its api_key",
                 x->attempt.target->provider->name);
    } else if (!is_ours) {
        f.fault.status = status; /* not JSON: our envelope, their status */
        f.fault.kind = FAULT_INVALID_REQUEST;
    }
    exchange_attempt_failed(x, &f);
}

static void error_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    for (unsigned i = 0; i < n; i++) {
        size_t room = ERROR_MAX - buf_len(&l->held);
        if (buf_add(&l->held, span_sub(spans[i], 0, room)) < 0)
            break; /* what is there will do */
    }
    if (last || buf_len(&l->held) == ERROR_MAX)
        end_error(x);
}

/* --- the lane ----------------------------------------------------------------------------------- */

void lane_open(struct exchange *x, const struct http_head *head)
{
    struct pass_lane *l = &x->lane;
    bool is_stream = span_ieq(span_sub(head_get(head, FIELD_CONTENT_TYPE), 0, 17),
                              SPAN_LIT("text/event-stream"));
    *l = (struct pass_lane){.kind = LANE_NONE};
    if (head->status >= 400) {
        l->kind = LANE_ERROR;
    } else if (x->wants_stream != is_stream) {
        fail(x, RESULT_BROKEN,
             is_stream ? "it streamed an answer that was not to be streamed"
                       : "it answered a request for a stream with something else");
    } else if (is_stream) {
        l->kind = LANE_EVENTS;
        l->withhold_usage = !x->wants_usage && !x->wants_cost;
        sse_init(&l->sse, EVENT_MAX);
        l->prefix = ARENA_NEW(&x->arena, struct openai_prefix);
        openai_prefix_init(l->prefix);
    } else {
        l->kind = LANE_WHOLE;
        bool large = head->framing == FRAMING_COUNTED &&
                     head->content_length > LOOP_READ_BYTES / 2 &&
                     head->content_length <= WHOLE_MAX && x->attempt.inflater == NULL;
        if (large && x->attempt.client != NULL &&
            buf_reserve_exact(&l->held, head->content_length) == 0)
            client_read_into(x->attempt.client, &l->held);
    }
}

void lane_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    switch (x->lane.kind) {
    case LANE_EVENTS:
        events_data(x, spans, n, last);
        break;
    case LANE_WHOLE:
        whole_data(x, spans, n, last);
        break;
    case LANE_ERROR:
        error_data(x, spans, n, last);
        break;
    case LANE_NONE:
        break;
    }
}

bool lane_broken(struct exchange *x)
{
    struct pass_lane *l = &x->lane;
    if (l->kind == LANE_ERROR) {
        end_error(x); /* the status is what matters */
        return true;
    }
    if (l->kind != LANE_EVENTS || !(l->done || l->finished))
        return false;
    struct emitter e = {.x = x, .n = 0};
    end_stream(x, &e);
    return true;
}

void lane_reset(struct pass_lane *l)
{
    if (l->kind == LANE_EVENTS)
        sse_fini(&l->sse);
    buf_fini(&l->held);
    l->kind = LANE_NONE;
}

void lane_end_with_fault(struct exchange *x, const struct fault *why)
{
    struct buf text = {0};
    int rc = x->lane.inside_event ? buf_add_text(&text, "\n\n") : 0;
    if (rc == 0)
        rc = fault_write_stream(why, x->kind->api, x->request_id, &text);
    if (rc < 0) {
        sink_abort(x->sink, "out of memory");
    } else {
        struct span all = buf_span(&text);
        sink_end(x->sink, &all, 1);
    }
    buf_fini(&text);
}
