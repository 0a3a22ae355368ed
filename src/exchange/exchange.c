#include "client_head.h"
#include "estimating.h"
#include "exchange_priv.h"
#include "hedge.h"
#include "retry.h"
#include "routing.h"
#include "signature.h"

#include "sluice/base/log.h"
#include "sluice/base/wait.h"
#include "sluice/catalog/facts.h"
#include "sluice/net/offload.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUIET_MS = 2000 };
enum { SENDING_BLOCK = 2048 }; /* a request's fields and notes: one block, as a rule */

static const unsigned may_become[] = {
    [EXCHANGE_OPEN] = 1u << EXCHANGE_READING | 1u << EXCHANGE_CLAIMING | 1u << EXCHANGE_ANSWERING |
                      1u << EXCHANGE_ENDED,
    [EXCHANGE_READING] = 1u << EXCHANGE_CLAIMING | 1u << EXCHANGE_ADMITTING | 1u << EXCHANGE_ENDED,
    [EXCHANGE_CLAIMING] = 1u << EXCHANGE_ADMITTING | 1u << EXCHANGE_ANSWERING |
                          1u << EXCHANGE_ENDED,
    [EXCHANGE_ADMITTING] = 1u << EXCHANGE_ATTEMPTING | 1u << EXCHANGE_ENDED,
    [EXCHANGE_ATTEMPTING] = 1u << EXCHANGE_ANSWERING | 1u << EXCHANGE_ENDED,
    [EXCHANGE_ANSWERING] = 1u << EXCHANGE_ENDED,
    [EXCHANGE_ENDED] = 0,
};

static void become(struct exchange *x, enum exchange_state next)
{
    assert(may_become[x->state] & 1u << next);
    x->state = next;
}

/* --- the client, as the sink tells of it ---------------------------------------------------- */

static void on_sink_writable(void *owner)
{
    struct exchange *x = owner;
    if (x->state == EXCHANGE_ENDED)
        return;
    if (x->hook != NULL && x->hook->writable != NULL) {
        x->hook->writable(x->hook);
        return;
    }
    attempt_resume(x->attempt);
    if (x->rival != NULL) /* a comment of its may have met a slow client */
        attempt_resume(x->rival);
    lane_go_on(&x->attempt->lane);
    captured_answer_go_on(x);
}

static void end(struct exchange *x);

static void on_sink_closed(void *owner)
{
    struct exchange *x = owner;
    if (x->state == EXCHANGE_ENDED)
        return;
    x->outcome = OUTCOME_CLIENT_GONE;
    hedge_stop(x);
    attempt_end(x->attempt, RESULT_CANCELLED);
    end(x);
}

static const struct sink_events sink_events = {
    .writable = on_sink_writable,
    .closed = on_sink_closed,
};

/* --- deadlines ------------------------------------------------------------------------------ */

static void on_total_timeout(struct deadline *d)
{
    struct exchange *x = (struct exchange *)((char *)d - offsetof(struct exchange, total));
    struct fault why = {.kind = FAULT_TIMEOUT};
    snprintf(why.message, sizeof why.message,
             "the request took longer than the gateway allows (server.request_timeout, %u s)",
             x->deployment->snapshot->server.request_timeout_ms / 1000);
    hedge_stop(x);
    attempt_end(x->attempt, RESULT_TIMEOUT);
    exchange_fail(x, &why);
}

/* Comments may open the 200 before the provider has answered; they do not commit to an attempt. */
static void on_keepalive(struct deadline *d)
{
    struct exchange *x = (struct exchange *)((char *)d - offsetof(struct exchange, keepalive));
    if (!x->head_sent)
        exchange_send_head(x, 200, "text/event-stream; charset=utf-8", LENGTH_NEVER);
    metric_add(x->gateway->instruments.stalls[STALL_UPSTREAM], 1);
    x->signs_of_life++;
    lane_show_life(x);
    deadline_set(d, x->deployment->snapshot->server.sse_keepalive_ms);
}

void exchange_note_activity(struct exchange *x)
{
    if (!x->is_stream)
        return; /* in anything else a comment would be damage */
    x->signs_of_life = 0;
    deadline_set(&x->keepalive, x->deployment->snapshot->server.sse_keepalive_ms);
}

void exchange_set_stream(struct exchange *x, bool is_stream)
{
    if (x->is_stream == is_stream)
        return;
    x->is_stream = is_stream;
    if (is_stream) {
        x->gateway->streams++;
        exchange_note_activity(x);
    } else {
        x->gateway->streams--;
        deadline_clear(&x->keepalive);
    }
}

/* --- life ----------------------------------------------------------------------------------- */

/* A handful of exchanges is kept to be used again: every request takes one. */
static struct {
    struct exchange *at[64];
    unsigned n;
} spare;

static struct exchange *take_spare(void)
{
    if (spare.n == 0)
        return xcalloc(1, sizeof(struct exchange));
    struct exchange *x = spare.at[--spare.n];
    memset(x, 0, offsetof(struct exchange, arena_bytes)); /* the arena clears what it lends */
    return x;
}

static void give_spare(struct exchange *x)
{
#ifndef __SANITIZE_ADDRESS__ /* a sanitizer finds a use after the end only in memory that is gone */
    if (spare.n < sizeof spare.at / sizeof spare.at[0]) {
        spare.at[spare.n++] = x;
        return;
    }
#endif
    free(x);
}

void exchange_free_spares(void)
{
    while (spare.n > 0)
        free(spare.at[--spare.n]);
    turn_lane_free_buffer();
    signature_free_buffer();
    unwrap_free_buffer();
}

struct exchange *exchange_open(struct gateway *g, struct sink *sink,
                               const struct exchange_kind *kind, const struct http_head *head)
{
    struct exchange *x = take_spare();
    x->gateway = g;
    x->deployment = deployment_ref(g->now);
    x->sink = sink;
    x->kind = kind;
    x->attempt = &x->first;
    x->opened_us = clock_us();
    x->opened_unix_ms = clock_unix_ms();
    x->method = head->method;
    arena_init(&x->arena, x->arena_bytes, sizeof x->arena_bytes);
    arena_init(&x->sending, NULL, SENDING_BLOCK);
    rng_request_id(&g->rng, x->opened_unix_ms, x->request_id);
    struct span path = head->target;
    x->path = arena_keep(&x->arena, span_sub(span_cut(&path, '?'), 0, 128));
    client_head_read(x, head);
    body_init(&x->body, &g->http.bodies);
    deadline_init(&x->total, g->loop, on_total_timeout);
    deadline_init(&x->keepalive, g->loop, on_keepalive);
    sink->up = &sink_events;
    sink->owner = x;
    x->next = g->exchanges;
    if (g->exchanges != NULL)
        g->exchanges->prev = x;
    g->exchanges = x;
    g->inflight++;
    return x;
}

static void free_bytes(void *arg)
{
    struct buf *bytes = arg;
    buf_fini(bytes);
    free(bytes);
}

/* The kernel takes a millisecond to take thirty megabytes back: of another thread. */
static void let_go_of_body(struct exchange *x)
{
    enum { LARGE_BYTES = 8 * 1024 * 1024 };
    if (x->body.bytes.cap >= LARGE_BYTES) {
        struct buf *given = xcalloc(1, sizeof *given);
        *given = x->body.bytes;
        x->body.bytes = (struct buf){0};
        (void)offload_start(x->gateway->loop, free_bytes, NULL, NULL, given);
    }
    body_fini(&x->body);
}

void exchange_on_end(struct exchange *x, struct exchange_hook *hook)
{
    x->hook = hook;
}

static void free_later(struct later *later)
{
    struct exchange *x = (struct exchange *)((char *)later - offsetof(struct exchange, later));
    lane_reset(&x->first.lane);
    hedge_close(x);
    captured_answer_free(x);
    let_go_of_body(x);
    remote_media_unref(x->media);
    own_keys_unref(x->own_keys);
    managed_key_unref(x->managed_key);
    deployment_unref(x->deployment);
    arena_fini(&x->sending);
    arena_fini(&x->arena);
    give_spare(x);
}

static void end(struct exchange *x)
{
    struct gateway *g = x->gateway;
    become(x, EXCHANGE_ENDED);
    if (x->hook != NULL)
        x->hook->ended(x->hook);
    admission_cancel(x);
    sticky_cancel(x);
    reading_end(x->reading);
    x->reading = NULL;
    deadline_clear(&x->total);
    deadline_clear(&x->keepalive);
    captured_answer_replay_stop(x);
    captured_answer_stop(x);
    response_cache_settle(x);
    idempotency_settle(x);
    settle(x);
    if (x->prev != NULL)
        x->prev->next = x->next;
    else
        g->exchanges = x->next;
    if (x->next != NULL)
        x->next->prev = x->prev;
    if (--g->inflight == 0)
        deadline_set(&g->quiet, QUIET_MS);
    if (x->is_stream)
        g->streams--;
    x->later.run = free_later;
    loop_later(g->loop, &x->later);
}

const struct deployment *exchange_deployment(const struct exchange *x)
{
    return x->deployment;
}

const struct key_options *exchange_key(const struct exchange *x)
{
    return x->key;
}

struct span exchange_request_id(const struct exchange *x)
{
    return span_of(x->request_id, 32);
}

void exchange_add_fields(struct exchange *x, struct span lines)
{
    x->fields = arena_keep(&x->sending, lines);
}

/* --- whom to ask -------------------------------------------------------------------------------- */

void exchange_attempt_next(struct exchange *x)
{
    if (x->nattempts > 0 && !continuation_is_on(x))
        lane_reset(&x->attempt->lane);
    x->nattempts++;
    hedge_watch(x);
    attempt_start(x->attempt, x, &x->plan.attempts[x->nattempts - 1]);
}

static enum vocabulary_name vocabulary_of(const struct exchange *x)
{
    return facts_vocabulary(x->plan.attempts[0].target);
}

static void on_counted(struct exchange *x, const struct token_count *counts,
                       const struct fault *why)
{
    char answer[96];
    if (why != NULL) {
        exchange_fail(x, why);
        return;
    }
    struct token_count n = counts[vocabulary_of(x)];
    int len = snprintf(answer, sizeof answer, "{\"input_tokens\":%llu%s}",
                       (unsigned long long)n.tokens, n.is_exact ? "" : ",\"estimated\":true");
    exchange_reply(x, 200, "application/json", span_of(answer, (size_t)len));
}

void exchange_count_here(struct exchange *x)
{
    reading_of_tokens(x, 1u << vocabulary_of(x), on_counted);
}

const char *exchange_look_at(const struct exchange *x, const struct target *t,
                             struct target_health *out)
{
    const struct health_time now = health_now();
    health_look(x->deployment->health, t, true, &now, out);
    return health_word(health_of(x->deployment->health, t));
}

static void route(struct exchange *x)
{
    struct dialect dialect;
    become(x, EXCHANGE_ATTEMPTING);
    routing_keep_own_keys(x);
    if (x->kind->estimates != ESTIMATES_NOTHING) {
        estimating_start(x);
        return;
    }
    if (!routing_plan(x) || !admission_fits_plan(x))
        return;
    if (x->kind->api == API_COUNT_TOKENS &&
        !dialect_choose(API_COUNT_TOKENS, x->plan.attempts[0].target->provider,
                        x->plan.attempts[0].target->upstream_model, &dialect)) {
        exchange_count_here(x);
        return;
    }
    if (response_cache_serve(x))
        return;
    deadline_set(&x->total, x->deployment->snapshot->server.request_timeout_ms);
    retry_earn(x);
    hedge_open(x);
    exchange_set_stream(x, x->wants_stream);
    continuation_open(x);
    exchange_attempt_next(x);
}

static bool has_key(const struct exchange *x)
{
    return x->idempotency != NULL && x->place != NULL;
}

/* Admission, where the conversation was and whether it was answered before are asked for at the same time. */
static void route_when_ready(struct exchange *x)
{
    if (x->admission.is_granted && x->sticky.asking == NULL && !response_cache_is_asking(x->cache))
        route(x);
}

static void admit(struct exchange *x, const struct fault *why)
{
    if (why != NULL) {
        exchange_fail(x, why);
        return;
    }
    become(x, EXCHANGE_ADMITTING);
    (void)sticky_ask(x, route_when_ready);
    (void)response_cache_ask(x, route_when_ready);
    admission_ask(x, route_when_ready);
}

static void on_request_read(struct exchange *x, const struct fault *why)
{
    if (!has_key(x)) {
        admit(x, why);
        return;
    }
    become(x, EXCHANGE_CLAIMING);
    idempotency_claim(x, why, admit);
}

void exchange_fix_model(struct exchange *x, struct span model)
{
    x->fixed_model = arena_keep(&x->arena, model);
}

void exchange_set_place(struct exchange *x, const char *path)
{
    x->place = path;
}

void exchange_set_subject(struct exchange *x, struct span subject)
{
    x->subject = arena_keep(&x->arena, subject);
}

struct span exchange_subject(const struct exchange *x)
{
    return x->subject;
}

/* Kept until the provider has answered: a dead connection may cost a second sending. */
static bool keep_body(struct exchange *x, struct span body, struct body *kept)
{
    if (buf_len(&kept->bytes) > 0) {
        body_move(&x->body, kept);
        return true;
    }
    if (body_add(&x->body, body) == 0)
        return true;
    struct fault why = {.kind = FAULT_OVERLOADED};
    snprintf(why.message, sizeof why.message, "too many request bodies are in flight");
    exchange_fail(x, &why);
    return false;
}

static void take_claimed(struct exchange *x, const struct fault *none)
{
    (void)none;
    x->kind->take(x, buf_span(&x->body.bytes));
}

static void take(struct exchange *x, struct span body, struct body *kept)
{
    idempotency_read_body(x, body);
    if (!has_key(x)) {
        x->kind->take(x, body);
        return;
    }
    if (!keep_body(x, body, kept))
        return;
    become(x, EXCHANGE_CLAIMING);
    idempotency_claim(x, NULL, take_claimed);
}

void exchange_run(struct exchange *x, struct span body, struct body *kept)
{
    x->bytes_in = body.len;
    if (x->kind->take != NULL) {
        take(x, body, kept);
        return;
    }
    if (!keep_body(x, body, kept))
        return;
    become(x, EXCHANGE_READING);
    reading_of_request(x, on_request_read);
}

/* --- the answer ------------------------------------------------------------------------------ */

void exchange_send_head(struct exchange *x, unsigned status, const char *content_type,
                        int64_t content_length)
{
    x->head_sent = true;
    x->status = status;
    x->first_write_us = clock_us();
    struct response_head head = {
        .status = status,
        .fields = answer_fields(x, content_type),
        .content_length = content_length,
    };
    sink_head(x->sink, &head);
}

void exchange_let_go_of_request(struct exchange *x)
{
    attempt_send_rest(x->attempt);
    let_go_of_body(x);
    arena_fini(&x->sending);
    x->attempt->keeps_request = false;
    x->request = NULL;
    x->forward = x->boundary = SPAN_NONE;
}

/* What another attempt would need goes, and what the answer's head was made of. */
static void let_go(struct exchange *x)
{
    struct attempt *a = x->attempt;
    attempt_send_rest(a);
    if (!a->keeps_request)
        exchange_let_go_of_request(x);
    translation_end(a->translation);
    remote_media_unref(x->media);
    a->translation = NULL;
    x->media = NULL;
    x->plan.considered = NULL;
    x->plan.nconsidered = 0;
    x->fields = a->relayed = a->dropped = a->warning = SPAN_NONE;
}

void exchange_begin_answer(struct attempt *a, unsigned status, const char *content_type,
                           int64_t content_length)
{
    struct exchange *x = a->x;
    if (x->state != EXCHANGE_ATTEMPTING)
        return;
    hedge_decide(a);
    if (!x->head_sent)
        exchange_send_head(x, status, content_type, content_length);
    become(x, EXCHANGE_ANSWERING);
    continuation_note_begun(x);
    let_go(x);
}

void exchange_begin_replay(struct exchange *x)
{
    become(x, EXCHANGE_ANSWERING);
}

void exchange_finish(struct exchange *x)
{
    end(x);
}

void exchange_reply(struct exchange *x, unsigned status, const char *content_type, struct span body)
{
    become(x, EXCHANGE_ANSWERING);
    exchange_send_head(x, status, content_type, LENGTH_UNKNOWN);
    sink_end(x->sink, &body, 1);
    exchange_finish(x);
}

void exchange_begin_reply(struct exchange *x, unsigned status, const char *content_type)
{
    become(x, EXCHANGE_ANSWERING);
    exchange_send_head(x, status, content_type, LENGTH_UNKNOWN);
}

enum flow exchange_reply_piece(struct exchange *x, struct span piece)
{
    return piece.len > 0 ? sink_data(x->sink, &piece, 1) : FLOW_OK;
}

void exchange_end_reply(struct exchange *x)
{
    sink_end(x->sink, NULL, 0);
    exchange_finish(x);
}

void exchange_reply_made(struct exchange *x, unsigned status, int rc, struct buf *document)
{
    static const struct fault full = {.kind = FAULT_OVERLOADED,
                                      .message = "there is no memory for the answer"};
    if (rc < 0)
        exchange_fail(x, &full);
    else
        exchange_reply(x, status, "application/json", buf_span(document));
    buf_fini(document);
}

static enum outcome outcome_of(const struct fault *why)
{
    switch (why->kind) {
    case FAULT_RATE_LIMIT:
    case FAULT_CONCURRENT_TASKS:
    case FAULT_UPSTREAM_RATE_LIMITED:
        return OUTCOME_RATE_LIMITED;
    case FAULT_UPSTREAM:
    case FAULT_UPSTREAM_CREDENTIAL:
    case FAULT_UPSTREAM_QUOTA:
    case FAULT_UPSTREAM_TIMEOUT:
    case FAULT_UPSTREAM_UNAVAILABLE:
        return OUTCOME_UPSTREAM_ERROR;
    case FAULT_INTERNAL:
    case FAULT_NO_PROVIDER:
    case FAULT_OVERLOADED:
    case FAULT_SHUTTING_DOWN:
    case FAULT_TIMEOUT:
        return OUTCOME_REJECTED;
    default:
        return OUTCOME_CLIENT_ERROR;
    }
}

static void answer_with_fault(struct exchange *x, const struct fault *why)
{
    struct buf body = {0};
    x->attempt->relayed = answer_fault_fields(x, why);
    x->attempt->dropped = x->attempt->warning = SPAN_NONE;
    if (fault_write_body(why, x->kind->api, x->request_id, x->tried, x->ntried, &body) < 0)
        buf_clear(&body);
    exchange_send_head(x, fault_status(why), "application/json", LENGTH_UNKNOWN);
    struct span text = buf_span(&body);
    sink_end(x->sink, &text, 1);
    buf_fini(&body);
}

void exchange_fail(struct exchange *x, const struct fault *why)
{
    if (x->state == EXCHANGE_ENDED)
        return;
    x->outcome = outcome_of(why);
    x->error_type = fault_type(why);
    hedge_stop(x);
    attempt_end(x->attempt, RESULT_CANCELLED);
    if (!x->head_sent)
        answer_with_fault(x, why);
    else if (x->is_stream)
        lane_end_with_fault(x, why);
    else
        sink_abort(x->sink, why->message);
    end(x);
}

void exchange_fail_all(struct gateway *g, const struct fault *why)
{
    for (struct exchange *x = g->exchanges, *next; x != NULL; x = next) {
        next = x->next;
        exchange_fail(x, why);
    }
}
