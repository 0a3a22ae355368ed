#include "lanes.h"

#include "sluice/codec/provider_error.h"

#include <stdio.h>
#include <string.h>

/* The pass lane: client and provider speak the same protocol, so bytes go on as they came. The
 * response's head decides which of three ways they take. */

/* --- what the ways share ------------------------------------------------------------------------- */

void lane_fail(struct attempt *a, const char *problem)
{
    attempt_fail(a, RESULT_BROKEN, FAULT_UPSTREAM, problem);
}

void lane_finish(struct attempt *a)
{
    struct exchange *x = a->x;
    attempt_end(a, a->lane.errored ? RESULT_BROKEN : RESULT_OK);
    exchange_finish(x);
}

void lane_note_finish(struct attempt *a, struct span word)
{
    size_t len = word.len < sizeof a->finish_reason ? word.len : sizeof a->finish_reason - 1;
    memcpy(a->finish_reason, word.at, len);
    a->finish_reason[len] = '\0';
    a->lane.finished = true;
}

/* Pictures and characters are no part of what a provider says of tokens. */
bool lane_read_usage(struct attempt *a, const struct passing *p, const struct passing_event *e)
{
    uint64_t images = a->usage.images, characters = a->usage.characters,
             audio_ms = a->usage.audio_ms;
    if (!p->read_usage(&a->usage, e->usage))
        return false;
    a->usage.images = images;
    a->usage.characters = characters;
    if (a->usage.audio_ms == 0)
        a->usage.audio_ms = audio_ms;
    if (a->x->kind->api == API_RESPONSES && !e->has_content)
        usage_read_calls(&a->usage, e->content);
    return true;
}

void lane_note_things(struct attempt *a, const struct passing_event *e)
{
    if (a->x->kind->api == API_IMAGES)
        a->usage.images += e->images;
    if (e->audio_ms > 0)
        a->usage.audio_ms = e->audio_ms;
    if (a->usage.source == USAGE_NONE && a->usage.images + a->usage.audio_ms > 0)
        a->usage.source = USAGE_PROVIDER;
}

void lane_sign(struct attempt *a, struct fault *said)
{
    unsigned status = a->status;
    const char *name = a->target->provider->name;
    bool is_own = a->own != NULL;
    char words[sizeof said->message], how[32] = "";
    snprintf(words, sizeof words, "%s", said->message);
    secret_scrub(attempt_secret(a), (uint8_t *)words, strlen(words));
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

void lane_fail_with_error(struct attempt *a, struct span error)
{
    struct attempt_failure f = {.result = RESULT_BROKEN};
    provider_error_read(error, &f.fault);
    f.blame = blame_for(a->status, f.fault.kind);
    lane_sign(a, &f.fault);
    exchange_attempt_failed(a, &f);
}

void emitter_flush(struct emitter *e)
{
    struct exchange *x = e->a->x;
    if (e->n == 0)
        return;
    unsigned n = e->n;
    e->n = 0;
    if (sink_data(x->sink, e->out, n) == FLOW_PAUSE)
        attempt_pause(e->a);
    exchange_note_activity(x);
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

void emitter_pass(struct emitter *e, const struct span *spans, unsigned n, bool last)
{
    for (unsigned i = 0; i < n; i++)
        emit(e, spans[i]);
    if (!last) {
        emitter_flush(e);
        return;
    }
    sink_end(e->a->x->sink, e->out, e->n);
    lane_finish(e->a);
}

/* --- the lane ----------------------------------------------------------------------------------- */

static bool is_event_stream(const struct http_head *head)
{
    return head_has_type(head, SPAN_LIT("text/event-stream")) ||
           head_has_type(head, SPAN_LIT("application/vnd.amazon.eventstream"));
}

/* Some providers only stream, some cannot: the same protocol is read and written anew then. */
static bool adapt(struct attempt *a)
{
    return a->dialect.upstream != NULL || dialect_adapt(a->x->kind->api, &a->dialect);
}

/* Models that cannot stream pictures or sound ignore that they were asked to. As long as nothing was said
 * to the client, that is for the client to see. */
static bool takes_either(const struct exchange *x)
{
    return api_is_media(x->kind->api) && !x->head_sent;
}

/* What nobody gave a name to is taken for what the endpoint is about. */
static bool is_document(const struct exchange *x, const struct http_head *head)
{
    enum api_protocol api = x->kind->api;
    bool has_type = head_get(head, FIELD_CONTENT_TYPE).len > 0;
    if (!api_is_media(api))
        return true;
    if (x->request->wants_text) /* some servers call any text JSON */
        return false;
    return head_has_type(head, SPAN_LIT("application/json")) || (!has_type && api != API_SPEECH);
}

/* What is spoken is counted here: the answer is sound. */
static void count_characters(struct attempt *a)
{
    a->usage.characters = a->x->request->characters;
    if (a->usage.characters > 0)
        a->usage.source = USAGE_COUNTED;
}

/* The lane of who began the answer stays: only its writer knows what the client has got. */
static void go_on(struct attempt *a, const struct http_head *head)
{
    if (head->status >= 400)
        error_lane_skip(a, head);
    else if (!adapt(a))
        lane_fail(a, "its answer cannot be read");
    else
        turn_lane_go_on(a, is_event_stream(head));
}

void lane_open(struct attempt *a, const struct http_head *head)
{
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    bool is_stream = is_event_stream(head);
    if (continuation_is_on(x)) {
        go_on(a, head);
        return;
    }
    *l = (struct pass_lane){.kind = LANE_NONE};
    if (head->status < 400 && takes_either(x))
        exchange_set_stream(x, is_stream);
    if (head->status < 400 && x->kind->api == API_SPEECH)
        count_characters(a);
    bool is_watched = head->status < 400 && is_stream && continuation_watch(a);
    if (head->status >= 400) {
        l->kind = LANE_ERROR;
        error_lane_open(a, head);
    } else if (is_watched && !adapt(a)) {
        lane_fail(a, "its answer cannot be read");
    } else if (x->wants_stream != is_stream && !takes_either(x) && !adapt(a)) {
        lane_fail(a, is_stream ? "it streamed an answer that was not to be streamed"
                               : "it answered a request for a stream with something else");
    } else if (a->dialect.upstream != NULL) {
        l->kind = LANE_TURN;
        turn_lane_open(a, is_stream);
    } else if (is_stream) {
        l->kind = LANE_EVENTS;
        event_lane_open(a);
    } else if (is_document(x, head)) {
        l->kind = LANE_WHOLE;
        document_lane_open(a, head);
    } else {
        l->kind = LANE_BYTES;
        bytes_lane_open(a, head);
    }
}

void lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    switch (a->lane.kind) {
    case LANE_EVENTS:
        event_lane_data(a, spans, n, last);
        break;
    case LANE_WHOLE:
        document_lane_data(a, spans, n, last);
        break;
    case LANE_BYTES:
        bytes_lane_data(a, spans, n, last);
        break;
    case LANE_TURN:
        turn_lane_data(a, spans, n, last);
        break;
    case LANE_ERROR:
        error_lane_data(a, spans, n, last);
        break;
    case LANE_NONE:
        break;
    }
}

bool lane_broken(struct attempt *a)
{
    struct pass_lane *l = &a->lane;
    if (l->kind == LANE_ERROR) {
        error_lane_end(a); /* the status is what matters */
        return true;
    }
    if (l->kind == LANE_TURN)
        return turn_lane_broken(a);
    return l->kind == LANE_EVENTS && event_lane_broken(a);
}

void lane_reset(struct pass_lane *l)
{
    if (l->kind == LANE_EVENTS)
        sse_fini(&l->sse);
    if (l->kind == LANE_TURN)
        turn_lane_free(l->turn);
    if (l->kind == LANE_WHOLE)
        document_lane_free(l);
    continuation_unwatch(l);
    buf_fini(&l->held);
    buf_fini(&l->opening);
    *l = (struct pass_lane){.kind = LANE_NONE};
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
    const struct pass_lane *l = &x->attempt->lane;
    if (l->kind == LANE_TURN && turn_lane_end_with_fault(x->attempt, why))
        return;
    int rc = 0;
    if (x->state ==
        EXCHANGE_ATTEMPTING) /* what has waited: the fault is told as what follows upon it */
        rc = buf_add(&text, buf_span(&l->opening));
    if (rc == 0 && l->inside_event)
        rc = buf_add_text(&text, "\n\n");
    if (rc == 0)
        rc = fault_write_stream(why, x->kind->api, span_text(x->request_id),
                                &(struct fault_place){l->sequence, l->begun}, &text);
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

/* A client that counts events shall not wait for an answer that has been opened. */
static bool releases(struct attempt *a)
{
    bool is_turn = a->lane.kind == LANE_TURN;
    if (buf_len(&a->lane.opening) == 0 || a->x->kind->api == API_CHAT ||
        a->x->kind->api == API_COMPLETIONS)
        return false;
    if (is_turn)
        turn_lane_release(a);
    else
        event_lane_release(a);
    return true;
}

static bool passing_ping(struct attempt *a)
{
    struct exchange *x = a->x;
    struct pass_lane *l = &a->lane;
    struct buf made = {0};
    bool is_made = x->state == EXCHANGE_ANSWERING && !l->done && l->passing->ping != NULL &&
                   l->passing->ping(l->sequence, &made) == 0;
    if (is_made) {
        struct span frame = buf_span(&made);
        (void)sink_data(exchange_bare_sink(x), &frame, 1);
    }
    buf_fini(&made);
    return is_made;
}

/* An event where the client's protocol has one for it and an answer has begun; else a comment, which is
 * for what stands in between. */
void lane_show_life(struct exchange *x)
{
    static const struct span comment = {(const uint8_t *)": SLUICE PROCESSING\n\n", 21};
    struct attempt *a = x->attempt;
    enum lane_kind kind = a->lane.kind;
    if (a->lane.inside_event)
        return;
    if (wants_event(x) && (releases(a) || (kind == LANE_TURN && turn_lane_ping(a)) ||
                           (kind == LANE_EVENTS && passing_ping(a))))
        return;
    (void)sink_data(exchange_bare_sink(x), &comment, 1);
}
