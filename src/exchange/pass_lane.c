#include "lanes.h"

#include "sluice/codec/provider_error.h"

#include <stdio.h>
#include <string.h>

/* The pass lane: client and provider speak the same protocol, so bytes go on as they came. The
 * response's head decides which of three ways they take. */

/* --- what the ways share ------------------------------------------------------------------------- */

void lane_fail(struct exchange *x, const char *problem)
{
    attempt_fail(&x->attempt, RESULT_BROKEN, FAULT_UPSTREAM, problem);
}

void lane_finish(struct exchange *x)
{
    attempt_end(&x->attempt, x->lane.errored ? RESULT_BROKEN : RESULT_OK);
    exchange_finish(x);
}

void lane_note_finish(struct exchange *x, struct span word)
{
    size_t len = word.len < sizeof x->finish_reason ? word.len : sizeof x->finish_reason - 1;
    memcpy(x->finish_reason, word.at, len);
    x->finish_reason[len] = '\0';
    x->lane.finished = true;
}

void lane_sign(struct exchange *x, struct fault *said)
{
    unsigned status = x->attempt.status;
    const char *name = x->attempt.target->provider->name;
    bool is_own = x->attempt.own != NULL;
    char words[sizeof said->message], how[32] = "";
    snprintf(words, sizeof words, "%s", said->message);
    secret_scrub(attempt_secret(&x->attempt), (uint8_t *)words, strlen(words));
    if (status >= 400)
        snprintf(how, sizeof how, " (%u)", status);
    switch (said->kind) {
    case FAULT_UPSTREAM_CREDENTIAL:
        snprintf(said->message, sizeof said->message,
                 is_own
                     ? "provider %s: it refused the caller's own credential%s"
                     : "provider %s: it refused the gateway's own credential%s: check its api_key",
                 name, how);
        break;
    case FAULT_UPSTREAM_QUOTA:
        snprintf(said->message, sizeof said->message,
                 "provider %s: it wants to be paid first%s: check the account", name, how);
        break;
    default:
        if (status >= 400)
            snprintf(how, sizeof how, "it answered %u: ", status);
        snprintf(said->message, sizeof said->message, "provider %s: %s%.*s", name, how,
                 PROVIDER_WORDS_MAX, words);
    }
}

void lane_fail_with_error(struct exchange *x, struct span error)
{
    struct attempt_failure f = {.result = RESULT_BROKEN, .next_may_help = true};
    provider_error_read(error, &f.fault);
    lane_sign(x, &f.fault);
    exchange_attempt_failed(x, &f);
}

void emitter_flush(struct emitter *e)
{
    if (e->n == 0)
        return;
    unsigned n = e->n;
    e->n = 0;
    if (sink_data(e->x->sink, e->out, n) == FLOW_PAUSE)
        attempt_pause(&e->x->attempt);
    exchange_note_activity(e->x);
}

void emit(struct emitter *e, struct span s)
{
    if (s.len == 0)
        return;
    if (e->n > 0 && e->out[e->n - 1].at + e->out[e->n - 1].len == s.at) {
        e->out[e->n - 1].len += s.len;
        return;
    }
    if (e->n == SINK_SPANS_MAX)
        emitter_flush(e);
    e->out[e->n++] = s;
}

/* --- the lane ----------------------------------------------------------------------------------- */

static bool is_event_stream(const struct http_head *head)
{
    return head_has_type(head, SPAN_LIT("text/event-stream")) ||
           head_has_type(head, SPAN_LIT("application/vnd.amazon.eventstream"));
}

/* Some providers only stream, some cannot: the same protocol is read and written anew then. */
static bool adapt(struct exchange *x)
{
    return x->attempt.dialect.upstream != NULL || dialect_adapt(x->kind->api, &x->attempt.dialect);
}

void lane_open(struct exchange *x, const struct http_head *head)
{
    struct pass_lane *l = &x->lane;
    bool is_stream = is_event_stream(head);
    *l = (struct pass_lane){.kind = LANE_NONE};
    if (head->status >= 400) {
        l->kind = LANE_ERROR;
        error_lane_open(x, head);
    } else if (x->wants_stream != is_stream && !adapt(x)) {
        lane_fail(x, is_stream ? "it streamed an answer that was not to be streamed"
                               : "it answered a request for a stream with something else");
    } else if (x->attempt.dialect.upstream != NULL) {
        l->kind = LANE_TURN;
        turn_lane_open(x, is_stream);
    } else if (is_stream) {
        l->kind = LANE_EVENTS;
        event_lane_open(x);
    } else {
        l->kind = LANE_WHOLE;
        document_lane_open(x, head);
    }
}

void lane_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    switch (x->lane.kind) {
    case LANE_EVENTS:
        event_lane_data(x, spans, n, last);
        break;
    case LANE_WHOLE:
        document_lane_data(x, spans, n, last);
        break;
    case LANE_TURN:
        turn_lane_data(x, spans, n, last);
        break;
    case LANE_ERROR:
        error_lane_data(x, spans, n, last);
        break;
    case LANE_NONE:
        break;
    }
}

bool lane_broken(struct exchange *x)
{
    struct pass_lane *l = &x->lane;
    if (l->kind == LANE_ERROR) {
        error_lane_end(x); /* the status is what matters */
        return true;
    }
    if (l->kind == LANE_TURN)
        return turn_lane_broken(x);
    return l->kind == LANE_EVENTS && event_lane_broken(x);
}

void lane_reset(struct pass_lane *l)
{
    if (l->kind == LANE_EVENTS)
        sse_fini(&l->sse);
    if (l->kind == LANE_TURN)
        turn_lane_free(l->turn);
    if (l->kind == LANE_WHOLE)
        document_lane_free(l);
    buf_fini(&l->held);
    l->kind = LANE_NONE;
}

/* Inside a stream there are no fields to say it with; Codex looks for it among the words. */
static void say_wait(const struct exchange *x, struct fault *f)
{
    size_t len = strlen(f->message);
    if (f->kind != FAULT_UPSTREAM_RATE_LIMITED || x->retry_after_ms == 0 ||
        strstr(f->message, "try again in") != NULL)
        return;
    snprintf(f->message + len, sizeof f->message - len, "; try again in %u.%03us",
             x->retry_after_ms / 1000, x->retry_after_ms % 1000);
}

void lane_go_on(struct pass_lane *l)
{
    if (l->kind == LANE_WHOLE)
        document_lane_go_on(l);
}

void lane_end_with_fault(struct exchange *x, const struct fault *why)
{
    struct buf text = {0};
    struct fault told = *why;
    if (x->kind->api == API_RESPONSES)
        say_wait(x, &told);
    why = &told;
    if (x->lane.kind == LANE_TURN && turn_lane_end_with_fault(x, why))
        return;
    int rc = x->lane.inside_event ? buf_add_text(&text, "\n\n") : 0;
    if (rc == 0)
        rc = fault_write_stream(why, x->kind->api, span_text(x->request_id),
                                &(struct fault_place){x->lane.sequence, x->lane.begun}, &text);
    if (rc < 0) {
        sink_abort(x->sink, "out of memory");
    } else {
        struct span all = buf_span(&text);
        sink_end(x->sink, &all, 1);
    }
    buf_fini(&text);
}

/* Clients of Messages count events only and lose patience after seconds. Those of Responses do so after
 * minutes, and their event is in no grammar: real silence only (protocols.md §2.3, §14). */
static bool wants_event(const struct exchange *x)
{
    enum { RESPONSES_EVENT_EVERY = 6 };
    return x->kind->api != API_RESPONSES || x->signs_of_life % RESPONSES_EVENT_EVERY == 0;
}

static bool passing_ping(struct exchange *x)
{
    struct pass_lane *l = &x->lane;
    struct buf made = {0};
    bool is_made = x->state == EXCHANGE_ANSWERING && !l->done && l->passing->ping != NULL &&
                   l->passing->ping(l->sequence, &made) == 0;
    if (is_made) {
        struct span frame = buf_span(&made);
        (void)sink_data(x->sink, &frame, 1);
    }
    buf_fini(&made);
    return is_made;
}

/* An event where the client's protocol has one for it and an answer has begun; else a comment, which is
 * for what stands in between. */
void lane_show_life(struct exchange *x)
{
    static const struct span comment = {(const uint8_t *)": SLUICE PROCESSING\n\n", 21};
    enum lane_kind kind = x->lane.kind;
    if (x->lane.inside_event)
        return;
    if (wants_event(x) &&
        ((kind == LANE_TURN && turn_lane_ping(x)) || (kind == LANE_EVENTS && passing_ping(x))))
        return;
    (void)sink_data(x->sink, &comment, 1);
}
