#include "trace.h"

#include "exchange_priv.h"
#include "gen_ai.h"
#include "span_exporter.h"

#include "sluice/format/json_walk.h"
#include "sluice/format/otlp_span.h"
#include "sluice/format/trace_context.h"

#include <stdio.h>
#include <time.h>

/* Something that happened between attempts. */
enum trace_event { TRACE_FALLBACK, TRACE_HEDGE, TRACE_CONTINUATION };

struct trace_note {
    enum trace_event what;
    uint64_t at_us;
    const struct target *to;
    const char *why; /* the result of the one before; NULL: it is still under way */
};

struct trace {
    struct trace_context context; /* the caller's, or ours */
    struct span state;            /* tracestate */
    uint64_t span;                /* of the exchange; 0: no spans */
    uint64_t opened_unix_us; /* to the microsecond: spans of other programs stand beside ours */
    bool is_known;           /* to the caller, or to the collector */
    bool goes_on;            /* to providers */
    bool has_parent;
    unsigned nparents; /* traceparents, readable or not: two are none */
    unsigned nnotes;
    struct trace_note *notes; /* ATTEMPTS_MAX, once there is one */
};

/* --- which trace ---------------------------------------------------------------------------------- */

static struct trace *trace_of(struct exchange *x)
{
    if (x->trace == NULL)
        x->trace = ARENA_NEW(&x->arena, struct trace);
    return x->trace;
}

/* Its lines are one list (§3.3). */
static void add_state(struct exchange *x, struct span value)
{
    struct trace *t = trace_of(x);
    if (t->state.len + value.len + 1 > TRACESTATE_MAX || value.len == 0)
        return;
    t->state = t->state.len == 0 ? arena_keep(&x->arena, value)
                                 : span_text(arena_printf(&x->arena, "%.*s,%.*s",
                                                          SPAN_FMT(t->state), SPAN_FMT(value)));
}

void trace_note_field(struct exchange *x, const struct http_field *f)
{
    if (span_ieq(f->name, SPAN_LIT("traceparent"))) {
        struct trace *t = trace_of(x);
        t->has_parent = ++t->nparents == 1 && traceparent_parse(span_trim(f->value), &t->context);
    } else if (span_ieq(f->name, SPAN_LIT("tracestate"))) {
        add_state(x, f->value);
    }
}

static uint64_t opened_unix_us(const struct exchange *x)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return now_us - (clock_us() - x->opened_us);
}

static const struct tracing_options *options_of(const struct exchange *x)
{
    return &x->deployment->snapshot->observability.tracing;
}

void trace_open(struct exchange *x)
{
    struct trace *t = trace_of(x);
    struct gateway *g = x->gateway;
    if (!t->has_parent || !tracestate_is_good(t->state))
        t->state = SPAN_NONE;
    t->is_known = t->has_parent;
    t->goes_on = g->spans != NULL;
    if (!t->goes_on)
        return;
    if (!t->has_parent) {
        trace_begin(&t->context, &g->rng);
        if (trace_is_in_share(&t->context, options_of(x)->sample_ppm))
            t->context.flags |= TRACE_SAMPLED;
    }
    if ((t->context.flags & TRACE_SAMPLED) == 0)
        return;
    t->is_known = true;
    t->opened_unix_us = opened_unix_us(x);
    t->span = trace_span_new(&g->rng);
}

struct span trace_id(const struct exchange *x)
{
    const struct trace *t = x->trace;
    return t != NULL && t->is_known ? span_of(t->context.trace, TRACE_ID_LEN) : SPAN_NONE;
}

/* --- attempts ------------------------------------------------------------------------------------- */

static enum trace_event event_of(const struct attempt *a)
{
    if (a == a->x->rival)
        return TRACE_HEDGE;
    return a->x->state == EXCHANGE_ANSWERING ? TRACE_CONTINUATION : TRACE_FALLBACK;
}

void trace_attempt_started(struct attempt *a)
{
    struct exchange *x = a->x;
    struct trace *t = x->trace;
    if (!t->goes_on)
        return;
    a->span = trace_span_new(&x->gateway->rng);
    if (x->nattempts < 2 || t->span == 0 || t->nnotes == ATTEMPTS_MAX)
        return;
    if (t->notes == NULL)
        t->notes = ARENA_ARRAY(&x->arena, struct trace_note, ATTEMPTS_MAX);
    enum trace_event what = event_of(a);
    t->notes[t->nnotes++] = (struct trace_note){
        .what = what,
        .at_us = a->started_us,
        .to = a->target,
        .why = what != TRACE_HEDGE && x->ntried > 0 ? x->tried[x->ntried - 1].type : NULL,
    };
}

/* A provider sees its attempt as its parent, never the caller's own span. Of what is not sampled it is
 * told that, too. Baggage is not for third parties. */
struct span trace_lines(const struct attempt *a)
{
    static char lines[TRACEPARENT_LEN + TRACESTATE_MAX + 32];
    const struct trace *t = a->x->trace;
    if (a->span == 0 || !options_of(a->x)->propagates)
        return SPAN_NONE;
    memcpy(lines, "traceparent: ", 13);
    traceparent_write(&t->context, a->span, lines + 13);
    size_t n = 13 + TRACEPARENT_LEN;
    memcpy(lines + n, "\r\n", 2);
    n += 2;
    if (t->state.len > 0)
        n += (size_t)snprintf(lines + n, sizeof lines - n, "tracestate: %.*s\r\n",
                              SPAN_FMT(t->state));
    return span_of(lines, n);
}

/* --- who answers ---------------------------------------------------------------------------------- */

void trace_note_model(struct attempt *a, struct span name)
{
    char text[OTLP_TEXT_MAX];
    if (a->x->trace->span == 0 || a->answered_by.len > 0 || name.len == 0)
        return;
    long n = json_unescape(span_sub(name, 0, sizeof text), text, sizeof text);
    if (n > 0)
        a->answered_by = arena_keep(&a->x->arena, span_of(text, (size_t)n));
}

static bool is_wrapped(const struct json_walk *w) /* message_start, response.created */
{
    return json_walk_is(w, "message") || json_walk_is(w, "response");
}

/* All protocols that pass name it among the first members. Of a long answer nobody reads it twice. */
void trace_look_for_model(struct attempt *a, struct span answer)
{
    enum { LONG = 64 * 1024 };
    struct json_walk w, inner;
    if (a->x->trace->span == 0 || a->answered_by.len > 0 || answer.len > LONG)
        return;
    json_walk_init(&w, answer);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "model")) {
            trace_note_model(a, json_raw(w.value));
            return;
        }
        if (!is_wrapped(&w))
            continue;
        json_walk_init(&inner, w.value);
        while (json_walk_next(&inner)) {
            if (json_walk_is(&inner, "model"))
                trace_note_model(a, json_raw(inner.value));
        }
    }
}

/* --- spans ---------------------------------------------------------------------------------------- */

static uint64_t unix_us(const struct exchange *x, uint64_t at_us)
{
    return x->trace->opened_unix_us + (at_us - x->opened_us);
}

/* A status says more than "5xx"; who was called off has not failed. */
static void put_error(struct otlp_span *s, const struct attempt *a, enum attempt_result result)
{
    char status[12];
    if (result == RESULT_OK || result == RESULT_CANCELLED)
        return;
    snprintf(status, sizeof status, "%u", a->status);
    bool is_said = result == RESULT_STATUS_4XX || result == RESULT_STATUS_5XX;
    otlp_word(s, "error.type", is_said ? status : attempt_result_name(result));
}

static void put_usage(struct otlp_span *s, const struct attempt *a)
{
    const struct usage *u = &a->usage;
    if (u->source == USAGE_NONE)
        return;
    otlp_u64(s, "gen_ai.usage.input_tokens", u->prompt);
    otlp_u64(s, "gen_ai.usage.output_tokens", u->completion);
    if (u->cached > 0)
        otlp_u64(s, "gen_ai.usage.cache_read.input_tokens", u->cached);
    if (u->cache_write > 0)
        otlp_u64(s, "gen_ai.usage.cache_creation.input_tokens", u->cache_write);
    if (u->reasoning > 0)
        otlp_u64(s, "gen_ai.usage.reasoning.output_tokens", u->reasoning);
    otlp_word(s, "sluice.usage.source", usage_source_name(u->source));
    const struct cost cost = attempt_cost(a);
    if (cost.known)
        otlp_usd(s, "sluice.cost_usd", cost.is_byok ? cost.byok_pd : cost.total_pd);
}

static void put_place(struct otlp_span *s, const struct provider_options *p)
{
    otlp_word(s, "server.address", p->host != NULL ? p->host : p->unix_path);
    if (p->host != NULL)
        otlp_u64(s, "server.port", p->port);
}

static void put_attempt(struct otlp_span *s, const struct attempt *a, enum attempt_result result)
{
    const struct exchange *x = a->x;
    const struct target *t = a->target;
    otlp_word(s, "gen_ai.operation.name", gen_ai_operation(x->kind->label));
    otlp_word(s, "gen_ai.provider.name", gen_ai_provider(t->provider));
    otlp_text(s, "gen_ai.request.model", t->upstream_model);
    if (x->wants_stream)
        otlp_bool(s, "gen_ai.request.stream", true);
    otlp_text(s, "gen_ai.response.model", a->answered_by);
    otlp_list_of_one(s, "gen_ai.response.finish_reasons", span_text(a->finish_reason));
    if (x->is_stream && a->first_token_us > a->sent_us && a->sent_us != 0)
        otlp_seconds(s, "gen_ai.response.time_to_first_chunk", a->first_token_us - a->sent_us);
    put_usage(s, a);
    put_place(s, t->provider);
    if (a->status != 0)
        otlp_u64(s, "http.response.status_code", a->status);
    put_error(s, a, result);
    otlp_text(s, "sluice.model", t->model_id);
    otlp_text(s, "sluice.endpoint", t->slug);
    otlp_word(s, "sluice.attempt.result", attempt_result_name(result));
    otlp_word(s, "sluice.routing.reason", place_word(a->place));
    if (a->connect_us > 0)
        otlp_seconds(s, "sluice.connect_seconds", a->connect_us);
    if (a->own != NULL)
        otlp_bool(s, "sluice.byok", true);
    otlp_text(s, "sluice.upstream_request_id", a->upstream_request_id);
    if (x->is_stream && a->first_token_us != 0)
        otlp_event(s, "sluice.first_token", unix_us(x, a->first_token_us));
}

void trace_attempt(const struct attempt *a, enum attempt_result result)
{
    struct otlp_span s;
    const struct exchange *x = a->x;
    const struct trace *t = x->trace;
    char id[TRACE_SPAN_LEN], parent[TRACE_SPAN_LEN];
    struct buf *into = t->span != 0 && a->span != 0 && x->gateway->spans != NULL
                           ? span_exporter_room(x->gateway->spans)
                           : NULL;
    if (into == NULL)
        return;
    trace_span_write(a->span, id);
    trace_span_write(t->span, parent);
    int rc = otlp_span_open(&s, into,
                            &(struct otlp_head){
                                .trace = t->context.trace,
                                .id = id,
                                .parent = parent,
                                .state = t->state,
                                .flags = t->context.flags,
                                .kind = OTLP_CLIENT,
                                .verb = gen_ai_operation(x->kind->label),
                                .noun = a->target->upstream_model,
                                .start_us = unix_us(x, a->started_us),
                                .end_us = unix_us(x, a->ended_us != 0 ? a->ended_us : clock_us()),
                            });
    if (rc == 0) {
        put_attempt(&s, a, result);
        otlp_span_close(&s, result != RESULT_OK && result != RESULT_CANCELLED);
    }
    span_exporter_commit(x->gateway->spans, rc);
}

/* What went wrong, in a word: of our fault, of the status, or that the client has left. */
static const char *error_of(const struct exchange *x, char room[static 12])
{
    if (x->outcome == OUTCOME_OK)
        return NULL;
    if (x->outcome == OUTCOME_CLIENT_GONE)
        return "client_gone";
    if (x->error_type != NULL)
        return x->error_type;
    snprintf(room, 12, "%u", x->status);
    return x->status >= 400 ? room : outcome_name(x->outcome);
}

static void put_exchange(struct otlp_span *s, const struct exchange *x)
{
    char room[12];
    const struct attempt *a = x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    otlp_word(s, "http.request.method", http_method_name(x->method));
    otlp_text(s, "url.path", x->path);
    otlp_word(s, "client.address", server_peer(x->sink));
    if (x->status != 0)
        otlp_u64(s, "http.response.status_code", x->status);
    otlp_word(s, "error.type", error_of(x, room));
    otlp_text(s, "sluice.request_id", span_of(x->request_id, 32));
    otlp_text(s, "sluice.client_request_id", x->client_request_id);
    otlp_word(s, "sluice.api", x->kind->label);
    if (x->key != NULL)
        otlp_word(s, "sluice.key", x->key->name);
    otlp_bool(s, "sluice.stream", x->is_stream);
    otlp_word(s, "sluice.outcome", outcome_name(x->outcome));
    if (target != NULL) {
        otlp_text(s, "sluice.model", target->model_id);
        otlp_text(s, "sluice.endpoint", target->slug);
        otlp_u64(s, "sluice.attempts", x->nattempts);
        otlp_usd(s, "sluice.cost_usd", x->cost.is_byok ? x->cost.byok_pd : x->cost.total_pd);
    }
    otlp_word(s, "sluice.continuation", continuation_result(x));
    otlp_seconds(s, "sluice.overhead_seconds", x->overhead_us);
    if (x->ttft_us > 0)
        otlp_seconds(s, "sluice.time_to_first_token_seconds", x->ttft_us);
}

static void put_notes(struct otlp_span *s, const struct exchange *x)
{
    static const char *const names[] = {"sluice.fallback", "sluice.hedge", "sluice.continuation"};
    const struct trace *t = x->trace;
    for (unsigned i = 0; i < t->nnotes; i++) {
        const struct trace_note *n = &t->notes[i];
        otlp_put_event(s, span_text(names[n->what]), unix_us(x, n->at_us));
        otlp_text(s, "sluice.endpoint", n->to->slug);
        otlp_word(s, "error.type", n->why);
    }
}

/* A client's mistake is no failure of the server's (HTTP spans, "Status"). */
static bool has_failed(const struct exchange *x)
{
    return x->status >= 500 || (x->status < 400 && (x->outcome == OUTCOME_UPSTREAM_ERROR ||
                                                    x->outcome == OUTCOME_REJECTED));
}

void trace_settle(const struct exchange *x, uint64_t duration_us)
{
    struct otlp_span s;
    const struct trace *t = x->trace;
    char id[TRACE_SPAN_LEN];
    struct buf *into = t->span != 0 && x->gateway->spans != NULL
                           ? span_exporter_room(x->gateway->spans)
                           : NULL;
    if (into == NULL)
        return;
    trace_span_write(t->span, id);
    int rc = otlp_span_open(&s, into,
                            &(struct otlp_head){
                                .trace = t->context.trace,
                                .id = id,
                                .parent = t->has_parent ? t->context.parent : NULL,
                                .state = t->state,
                                .flags = t->context.flags,
                                .has_remote_parent = t->has_parent,
                                .kind = OTLP_SERVER,
                                .verb = http_method_name(x->method),
                                .noun = span_text(x->kind->label),
                                .start_us = t->opened_unix_us,
                                .end_us = t->opened_unix_us + duration_us,
                            });
    if (rc == 0) {
        put_exchange(&s, x);
        put_notes(&s, x);
        otlp_span_close(&s, has_failed(x));
    }
    span_exporter_commit(x->gateway->spans, rc);
}
